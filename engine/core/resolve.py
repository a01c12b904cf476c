"""The operator's recorded decision on an order of which nobody knows what became (rule 1).

The venue is asked first, and what it answers is taken in before the decision is: where that
settles the order there is nothing left to decide, and what the venue says otherwise is refused.
"""

from collections.abc import Iterator
from decimal import Decimal

from engine.config.kinds import is_usable
from engine.core import fills
from engine.core.believed import fault_of
from engine.core.doubt import lost
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.money import ZERO, plain
from engine.domain.order import OrderStatus
from engine.intake.operator import REFUSED, acted, refuse
from engine.plans.outcome import after_end
from engine.reconcile.assumed import assumed_fill, price_of
from engine.routing.named import not_open
from engine.state.order import Order
from engine.world import World


def resolve(world: World, given: ask.ResolveOrder, now: Nanos) -> Iterator[ev.Event]:
    """Settle an UNKNOWN order as the operator says; what filled and was not told is assumed.

    A fill that the venue tells later is the same again (rule 2).
    """
    yield acted(given)
    order = world.book.order(given.client_order_id)
    against = _against(world, order, given, now)
    if against or order is None:
        yield refuse(given, REFUSED, against)
        return
    end, filled, price = _decided(world, order, given)
    missing = filled - order.filled
    if missing > 0:
        # It filled before it became unknown what became of it, not when that is decided.
        told = assumed_fill(order, missing, price, order.unclear_at or now)
        # One that is not taken would end the order without what it holds.
        if fault := fault_of(world, told):
            words = f"{plain(missing)} filled at {plain(price)} is refused: {fault}"
            yield refuse(given, REFUSED, words)
            return
        yield from fills.take(world, told, now)
    key = order.client_order_id
    left = world.book.order_in(order.account, key)
    if left is not None and left.is_working:
        yield ev.OrderSettled(
            account=order.account,
            client_order_id=key,
            venue_order_id=order.venue_order_id,
            status=end,
            reason=f"{given.decision}, resolved by {given.by}",
        )
    yield from after_end(world, order.account, key)


def _against(world: World, order: Order | None, given: ask.ResolveOrder, now: Nanos) -> str:
    """Why the decision cannot be taken; "" where it can."""
    if order is None:
        return f"no order has the id {given.client_order_id}"
    if shut := not_open(world, order.account):
        return f"it is in {shut}"
    if order.status is not OrderStatus.UNKNOWN:
        return f"the order is {order.status}: only one that is UNKNOWN is resolved"
    if given.confirm != ask.RESOLVE_WORD:
        return f"not confirmed: type {ask.RESOLVE_WORD!r}"
    if given.decision == "filled":
        against = _against_numbers(order, given)
        if against:
            return against
    return _against_venue(world, order, given)


def _against_numbers(order: Order, given: ask.ResolveOrder) -> str:
    quantity, price = given.quantity, given.price
    if quantity is None or price is None or not (is_usable(quantity) and is_usable(price)):
        return "filled needs --quantity and --price, each a number above 0"
    if not order.filled < quantity <= order.most:
        known, most = plain(order.filled), plain(order.most)
        return f"quantity {plain(quantity)} is refused: allowed is above {known} up to {most}"
    if quantity * price <= order.notional:
        return f"price {plain(price)} is refused: what filled before cost more than that"
    return ""


def _against_venue(world: World, order: Order, given: ask.ResolveOrder) -> str:
    """What of the venue's answer speaks against the decision."""
    there = given.there
    if there is None:
        return _against_unknown(world, order, given)
    told = f"the venue says {there.status}, {plain(there.filled)} filled"
    if not there.status.is_terminal:
        return f"{told}: it works there, cancel it first"
    wanted = given.quantity if given.decision == "filled" else order.filled
    if given.decision != "venue" and wanted != there.filled:
        return told
    if there.filled > order.filled and _price(world, order, given) is None:
        return f"{told}, and not at what price: say filled with --quantity and --price"
    return ""


def _against_unknown(world: World, order: Order, given: ask.ResolveOrder) -> str:
    """The venue knows no such order, or does not answer."""
    if given.decision == "venue":
        known = "does not know the order" if given.answered else "does not answer"
        return f"the venue {known}: say filled or canceled"
    if given.answered and not lost(world, order, given.asked_at):
        return "the venue does not know the order yet, and it may still arrive: ask again"
    return ""


def _decided(
    world: World, order: Order, given: ask.ResolveOrder
) -> tuple[OrderStatus, Decimal, Decimal]:
    """How the order ended, how much of it filled, and at which price what is not known here."""
    price = _price(world, order, given) or ZERO
    if given.decision == "venue" and given.there is not None:
        return given.there.status, given.there.filled, price
    if given.decision == "filled" and given.quantity is not None:
        whole = given.quantity >= order.most
        return OrderStatus.FILLED if whole else OrderStatus.CANCELED, given.quantity, price
    return OrderStatus.CANCELED, order.filled, price


def _price(world: World, order: Order, given: ask.ResolveOrder) -> Decimal | None:
    """At which price what filled and was not told is assumed, so that the mean is what is said."""
    there = given.there
    if given.decision == "filled":
        filled, mean = given.quantity, given.price
    else:
        filled = there.filled if there is not None else None
        mean = there.average_price if there is not None else None
    if filled is None or filled <= order.filled:
        return None
    if mean is None:
        return price_of(world.book, order, None, filled, None)
    price = (filled * mean - order.notional) / (filled - order.filled)
    return price if price > 0 else None
