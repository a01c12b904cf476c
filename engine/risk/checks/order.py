"""The hard limits that every order meets, a person's too."""

from engine.domain.instant import NS_PER_SECOND
from engine.domain.money import ZERO, is_multiple, plain
from engine.domain.order import OrderTerms, Purpose
from engine.risk.case import Case, Finding, Limit, RequestKind, passed, refused
from engine.risk.guard import in_seconds
from engine.state.book import RATE_WINDOW, print_of

REPEAT_SECONDS = 60
"""The same order again within this time is a repeat, however long the signal window is."""


def on_tick(case: Case, _: Limit) -> Finding | None:
    """BAD_TICK: every price lies on the instrument's grid."""
    tick = case.instrument.tick
    prices = [p for p in (case.limit_price, case.stop_price, case.stop) if p is not None]
    for price in prices:
        if not is_multiple(price, tick):
            return refused(
                price, tick, f"{plain(price)} is no multiple of {case.symbol}'s tick {plain(tick)}."
            )
    return passed(prices[0] if prices else "market", tick)


def on_lot(case: Case, _: Limit) -> Finding | None:
    """BAD_LOT: a multiple of the lot and worth the venue's minimum; all that is held always is."""
    lot, quantity = case.instrument.lot, case.quantity or ZERO
    position = case.position
    if case.kind.reduces and position is not None and quantity == abs(position.quantity):
        return passed(quantity, lot)
    if quantity <= ZERO or not is_multiple(quantity, lot):
        return refused(
            quantity, lot, f"{plain(quantity)} is no multiple of {case.symbol}'s lot {plain(lot)}."
        )
    if case.kind.reduces:
        return passed(quantity, lot)
    # Both are in what it is paid in, not in the base currency.
    least = case.instrument.min_notional
    amount = quantity * case.worst_price * case.instrument.multiplier
    if amount < least:
        return refused(
            amount,
            least,
            f"The order is worth {plain(amount)}; {case.symbol} wants {plain(least)}.",
        )
    return passed(quantity, lot)


def max_notional(case: Case, limit: Limit) -> Finding | None:
    """MAX_NOTIONAL: the worth of one order at its worst price."""
    return case.within(
        # The filled part counts too: the limit is of the whole order.
        room=limit - case.filled * case.unit_value,
        unit=case.unit_value,
        measured=case.notional,
        limit=limit,
        reason=lambda: f"The order may be worth {plain(case.notional)}; {plain(limit)} is allowed.",
    )


def open_orders(case: Case, limit: Limit) -> Finding | None:
    """MAX_OPEN_ORDERS: orders that work, UNKNOWN ones among them."""
    working = case.world.book.working_count
    if working < limit:
        return passed(working, limit)
    return refused(working, limit, f"{working} orders are working; {limit} are allowed.")


def repeated(case: Case, limit: Limit) -> Finding | None:
    """DUPLICATE_ORDER: not the same symbol, side, quantity and prices as moments before.

    `limit` is the window of signals in seconds, here at most `REPEAT_SECONDS`; 0 is none.
    """
    window = min(REPEAT_SECONDS, limit)
    if not window:
        return None
    before = case.world.book.data.prints.get(print_of(_draft(case)))
    if before is None:
        return passed("first", window)
    elapsed = case.now - before
    if elapsed >= window * NS_PER_SECOND:
        return passed(in_seconds(elapsed), window)
    return refused(
        in_seconds(elapsed),
        window,
        f"The same order was made {plain(in_seconds(elapsed))} s before; {window} s must lie "
        "between.",
    )


def _draft(case: Case) -> OrderTerms:
    return OrderTerms(
        client_order_id="",
        intent_id="",
        account=case.account,
        symbol=case.symbol,
        side=case.side,
        type=case.order_type,
        quantity=case.quantity or ZERO,
        limit_price=case.limit_price,
        stop_price=case.stop_price,
        time_in_force=case.time_in_force,
        purpose=Purpose.MANUAL if case.kind is RequestKind.MANUAL else Purpose.ENTRY,
    )


def rate(case: Case, limit: Limit) -> Finding | None:
    """RATE_LIMIT: entries intended within the last minute."""
    recent = case.world.book.sent_since(case.now - RATE_WINDOW)
    if recent < limit:
        return passed(recent, limit)
    return refused(
        recent, limit, f"{recent} orders were made within a minute; {limit} are allowed."
    )
