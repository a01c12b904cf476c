"""The hard limits that every order meets, a person's too."""

from decimal import Decimal

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO, is_multiple, plain
from engine.domain.signal import Signal
from engine.risk.finding import Finding, fitting, in_seconds, passed, refused
from engine.sizing.added import Added
from engine.state.position import Position

TOLD_APART = (
    "One of another quantity, limit or stop price goes at once; another protective stop, target or "
    "hold makes no other order of it."
)
"""The way out for a person whose order was meant."""

REPEAT_SECONDS = 60
"""The same order again within this time is a repeat."""


def on_tick(
    instrument: Instrument,
    symbol: str,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
    stop: Decimal | None,
    target: Decimal | None,
    signal: Signal | None,
    reduces: bool,
    worst_price: Decimal,
) -> Finding:
    """BAD_TICK: every price lies on the instrument's grid, and the grid can hold its price.

    The target of a signal need not lie there, since no order rests at it.
    """
    named = (limit_price, stop_price, stop, target if signal is None else None)
    prices = [price for price in named if price is not None]
    if not reduces and (fault := instrument.tick_fault(worst_price)):
        return refused(
            instrument.tick,
            instrument.widest_tick(worst_price) or ZERO,
            f"{fault[0].upper()}{fault[1:]}.",
        )
    for price in prices:
        tick = instrument.tick_at(price)
        if not is_multiple(price, tick):
            return refused(
                price, tick, f"{plain(price)} is no multiple of {symbol}'s tick {plain(tick)}."
            )
    if not prices:
        return passed("market", instrument.tick)
    return passed(prices[0], instrument.tick_at(prices[0]))


def on_lot(
    instrument: Instrument,
    symbol: str,
    quantity: Decimal | None,
    reduces: bool,
    position: Position | None,
    worst_price: Decimal,
) -> Finding:
    """BAD_LOT: a multiple of the lot and worth the venue's minimum; all that is held always is."""
    lot, wanted = instrument.lot, quantity or ZERO
    if reduces and position is not None and wanted == abs(position.quantity):
        return passed(wanted, lot)
    if wanted <= ZERO or not is_multiple(wanted, lot):
        return refused(
            wanted, lot, f"{plain(wanted)} is no multiple of {symbol}'s lot {plain(lot)}."
        )
    if reduces:
        return passed(wanted, lot)
    # Both are in what it is paid in, not in the base currency.
    least = instrument.min_notional
    amount = wanted * worst_price * instrument.multiplier
    if amount < least:
        return refused(
            amount, least, f"The order is worth {plain(amount)}; {symbol} wants {plain(least)}."
        )
    return passed(wanted, lot)


def max_notional(adds: Added, limit: Decimal) -> Finding:
    """MAX_NOTIONAL: the worth of one order at its worst price."""
    return fitting(
        adds,
        # The filled part counts too: the limit is of the whole order.
        room=limit - adds.filled * adds.unit_value,
        unit=adds.unit_value,
        measured=adds.notional,
        limit=limit,
        reason=lambda: f"The order may be worth {plain(adds.notional)}; {plain(limit)} is allowed.",
    )


def open_orders(orders_working: int, limit: int) -> Finding:
    """MAX_OPEN_ORDERS: orders that work, UNKNOWN ones among them."""
    if orders_working < limit:
        return passed(orders_working, limit)
    return refused(
        orders_working, limit, f"{orders_working} orders are working; {limit} are allowed."
    )


def repeated(
    same_order_at: Nanos | None, now: Nanos, by_signal: bool, limit: int
) -> Finding | None:
    """DUPLICATE_ORDER: not the same symbol, side, quantity and prices as moments before.

    `limit` is the window of signals in seconds, which shortens it for the order of a signal, 0 to
    nothing: that is told apart by the signal's id. A person's order is always asked.
    """
    window = min(REPEAT_SECONDS, limit) if by_signal else REPEAT_SECONDS
    if not window:
        return None
    if same_order_at is None:
        return passed("first", window)
    elapsed = now - same_order_at
    if elapsed >= window * NS_PER_SECOND:
        return passed(in_seconds(elapsed), window)
    way_out = "" if by_signal else f" {TOLD_APART}"
    return refused(
        in_seconds(elapsed),
        window,
        f"The same order was made {plain(in_seconds(elapsed))} s before; {window} s must lie "
        f"between.{way_out}",
    )


def rate(recent_entries: int, limit: int) -> Finding:
    """RATE_LIMIT: entries intended within the last minute."""
    if recent_entries < limit:
        return passed(recent_entries, limit)
    return refused(
        recent_entries,
        limit,
        f"{recent_entries} orders were made within a minute; {limit} are allowed.",
    )
