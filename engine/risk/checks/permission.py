"""May anything be traded now, and this symbol (U-41, U-42, U-31)?"""

from decimal import Decimal

from engine.domain.instant import NS_PER_US, Nanos
from engine.domain.money import plain
from engine.domain.order import OrderStatus
from engine.domain.run import RunState
from engine.domain.text import clean_text
from engine.risk.case import Case, Finding, Limit, passed, refused
from engine.sizing.stock import MIN_CONVICTION
from engine.world.overload import ENDS


def fault(case: Case, _: Limit) -> Finding | None:
    """INVALID_INPUT: the request is what it claims to be."""
    seen = clean_text(case.symbol, 40) or "no symbol"
    if case.fault:
        return refused(seen, "a request that can be read", case.fault)
    return passed(seen, "a request that can be read")


def kill_switch(case: Case, _: Limit) -> Finding | None:
    """KILL_SWITCH: no halt is latched."""
    halt = case.world.book.data.halt
    if halt is None:
        return passed("clear", "clear")
    return refused(
        halt.level,
        "clear",
        f"Trading is halted by {halt.by}: {halt.reason}. Only `resume` clears it.",
    )


def run_state(case: Case, _: Limit) -> Finding | None:
    """RUN_STATE: entries want ACTIVE; reducing wants anything but STOPPED (U-42)."""
    data, state = case.world.book.data, case.world.book.run_state
    if case.kind.reduces:
        if state.may_reduce:
            return passed(state, "not STOPPED")
        return refused(state, "not STOPPED", "The engine is STOPPED and sends nothing.")
    if state.may_enter:
        return passed(state, RunState.ACTIVE)
    causes = [f"{cause} ({item.reason})" for cause, item in data.restrictions.items()]
    if data.paused:
        causes.append(data.pause_reason)
    because = f": {'; '.join(filter(None, causes))}" if any(causes) else ""
    return refused(state, RunState.ACTIVE, f"The engine is {state}, entries need ACTIVE{because}.")


def overloaded(case: Case, _: Limit) -> Finding | None:
    """OVERLOADED: what comes in is decided in time (X-89). Not asked while nothing has waited."""
    overload = case.world.overload
    if not overload.waited:
        return None
    measured, limit = milliseconds(overload.waited), milliseconds(overload.limit)
    if not overload.active:
        return passed(measured, limit)
    return refused(
        measured,
        limit,
        f"More comes in than can be decided: what came first has waited {measured}. "
        f"Entries are taken again below {milliseconds(ENDS)}.",
    )


def milliseconds(time: Nanos) -> str:
    """A wait as text, cut to whole microseconds."""
    return f"{plain(Decimal(time // NS_PER_US) / 1000)} ms"


def unknown_state(case: Case, _: Limit) -> Finding | None:
    """UNKNOWN_STATE: nothing unexplained is open in the symbol (rule 1).

    Blocks of the symbol and orders that are UNKNOWN; U-31 has the code and X-65 has no row for it:
    it is the part of RUN_STATE that concerns one symbol, asked after OVERLOADED (X-96).
    """
    book = case.world.book
    blocks = book.account(case.account).blocked.get(case.symbol)
    if blocks:
        why = "; ".join(f"{cause} ({reason})" for cause, reason in blocks.items())
        return refused(
            f"{len(blocks)} blocked", "0", f"{case.symbol} takes no entries until resolved: {why}."
        )
    working = book.working(case.account, case.symbol) if book.unclear else ()
    unclear = [o for o in working if o.status is OrderStatus.UNKNOWN]
    if unclear:
        return refused(
            len(unclear),
            "0",
            f"Nobody knows yet what became of order {unclear[0].client_order_id} in {case.symbol}.",
        )
    return passed("0", "0")


def conviction(case: Case, _: Limit) -> Finding | None:
    """LOW_CONVICTION: 50 and more is traded (A-090, D-61)."""
    if case.conviction is None:
        return refused("none", MIN_CONVICTION, "The signal states no conviction.")
    if case.conviction >= MIN_CONVICTION:
        return passed(case.conviction, MIN_CONVICTION)
    return refused(
        case.conviction,
        MIN_CONVICTION,
        f"Conviction {case.conviction} is below {MIN_CONVICTION}.",
    )
