"""May anything be traded now, and this symbol (U-41, U-42, U-31)?"""

from collections.abc import Mapping
from decimal import Decimal

from engine.domain.instant import NS_PER_US, Nanos
from engine.domain.money import plain
from engine.domain.run import Halt, RunState
from engine.domain.text import clean_text
from engine.risk.finding import Finding, passed, refused
from engine.sizing.stock import MIN_CONVICTION
from engine.state.order import Order
from engine.world.overload import ENDS, Overload


def readable(symbol: str, fault: str) -> Finding:
    """INVALID_INPUT: the request is what it claims to be."""
    seen = clean_text(symbol, 40) or "no symbol"
    if fault:
        return refused(seen, "a request that can be read", fault)
    return passed(seen, "a request that can be read")


def kill_switch(halt: Halt | None) -> Finding:
    """KILL_SWITCH: no halt is latched."""
    if halt is None:
        return passed("clear", "clear")
    return refused(
        halt.level,
        "clear",
        f"Trading is halted by {halt.by}: {halt.reason}. Only `resume` clears it.",
    )


def active(
    run_state: RunState, reduces: bool, automatic: bool, against_entries: tuple[str, ...]
) -> Finding:
    """RUN_STATE: entries want ACTIVE; reducing wants anything but STOPPED (U-42).

    An operator's own orders pass a pause too (X-81).
    """
    if reduces:
        if run_state.may_reduce:
            return passed(run_state, "not STOPPED")
        return refused(run_state, "not STOPPED", "The engine is STOPPED and sends nothing.")
    if run_state.may_enter:
        return passed(run_state, RunState.ACTIVE)
    if not automatic and run_state.may_be_asked:
        return passed(run_state, f"{RunState.ACTIVE} or {run_state}")
    because = f": {'; '.join(against_entries)}" if against_entries else ""
    return refused(
        run_state, RunState.ACTIVE, f"The engine is {run_state}, entries need ACTIVE{because}."
    )


def overloaded(overload: Overload, decided: bool, now: Nanos) -> Finding | None:
    """OVERLOADED: what comes in is decided in time (X-89).

    Not asked while nothing has waited, nor of what was decided when it came in.
    """
    waited = overload.waited(now)
    if decided or not waited:
        return None
    measured, limit = milliseconds(waited), milliseconds(overload.limit)
    if not overload.is_active(now):
        return passed(measured, limit)
    return refused(
        measured,
        limit,
        "More comes in than can be decided in time. "
        f"Entries are taken again below {milliseconds(ENDS)}.",
    )


def milliseconds(time: Nanos) -> str:
    """A wait as text, cut to whole microseconds."""
    return f"{plain(Decimal(time // NS_PER_US) / 1000)} ms"


def explained(symbol: str, blocks: Mapping[str, str], unclear: tuple[Order, ...]) -> Finding:
    """UNKNOWN_STATE: nothing unexplained is open in the symbol (rule 1).

    Blocks of the symbol and orders that are UNKNOWN; U-31 has the code and X-65 has no row for it:
    it is the part of RUN_STATE that concerns one symbol, asked after OVERLOADED (X-96).
    """
    if blocks:
        why = "; ".join(f"{cause} ({reason})" for cause, reason in blocks.items())
        return refused(
            f"{len(blocks)} blocked", "0", f"{symbol} takes no entries until resolved: {why}."
        )
    if unclear:
        return refused(
            len(unclear),
            "0",
            f"Nobody knows yet what became of order {unclear[0].client_order_id} in {symbol}.",
        )
    return passed("0", "0")


def convinced(conviction: int | None) -> Finding:
    """LOW_CONVICTION: 50 and more is traded (A-090, D-61)."""
    if conviction is None:
        return refused("none", MIN_CONVICTION, "The signal states no conviction.")
    if conviction >= MIN_CONVICTION:
        return passed(conviction, MIN_CONVICTION)
    return refused(
        conviction, MIN_CONVICTION, f"Conviction {conviction} is below {MIN_CONVICTION}."
    )
