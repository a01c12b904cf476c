"""Is there anything to trade: a size of at least one lot, something to close (A-104)?"""

from decimal import Decimal

from engine.domain.instrument import Instrument
from engine.domain.money import ZERO, plain
from engine.domain.signal import Signal
from engine.risk.finding import Finding, passed, refused
from engine.sizing.request import Closable, Sizing, Unmeasured
from engine.sizing.stock import SizedOrder


def sized(
    sizing: Sizing | None,
    quantity: Decimal | None,
    instrument: Instrument,
    symbol: str,
    signal: Signal | None,
) -> Finding | None:
    """SIZE_ZERO: judges what sizing worked out; None where nothing was to be sized."""
    match sizing:
        case None:
            return None
        case Unmeasured():
            return refused("not a number", "a size", f"The size in {symbol} cannot be measured.")
        case Closable():
            return _closes(sizing, symbol)
        case SizedOrder():
            return _buys(sizing, quantity or ZERO, instrument.lot, symbol, signal)


def _buys(
    size: SizedOrder, quantity: Decimal, lot: Decimal, symbol: str, signal: Signal | None
) -> Finding:
    """What cannot be at least one lot is not traded; it is never forced to one (A-104)."""
    if quantity > ZERO:
        return passed(quantity, lot)
    at = "" if signal is None else f" at {plain(signal.entry_price)}"
    return refused(
        quantity,
        lot,
        f"{size.binding or 'no limit'} leaves less than one lot ({plain(lot)}) of {symbol}{at}.",
    )


def _closes(closable: Closable, symbol: str) -> Finding:
    """A flat signal closes all that signals opened of the symbol, in any account (X-87)."""
    if not closable.managed:
        kept = ", ".join(f"{plain(p.quantity)} in {p.account}" for p in closable.held)
        but = f"; what is held ({kept}) was opened by no signal" if kept else ""
        return refused(0, "a position", f"There is no position in {symbol} to close{but}.")
    if all(position.is_closing for position in closable.managed):
        return refused(0, "a position", f"The position in {symbol} is being closed already.")
    return passed(sum(abs(p.quantity) for p in closable.managed), "a position")
