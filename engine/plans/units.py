"""The plan for what rests in the units of before a split: it is changed to the new ones, or ends.

A venue may adjust what rests, cancel it, or leave it as it was: to buy five at 95 where one costs
14.29 now, or to sell ten of which two are left. What the venue has not said to have changed since
the split was taken over does not stay (X-93): what adds exposure is cancelled, what reduces is
changed to the same part of what is held, at the same price in the new units, and cancelled where
that cannot be. Our own stop is the business of the plan that protects.
"""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.instant import LATEST, Nanos
from engine.domain.money import ONE, early_stop, floor_to, plain, round_price
from engine.domain.order import RESTING, Replacement, Side
from engine.domain.run import Severity
from engine.exits.reducible import in_lots
from engine.plans.reducing import cancel, is_ending
from engine.state.account import OldUnits
from engine.state.book import Book
from engine.state.holdings import scaled
from engine.state.order import Order
from engine.world import World


def concerns(book: Book, account: str, symbol: str) -> object:
    """The orders of an account that were made before a split; hardly ever any."""
    return book.account(account).old_units


def advance(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """Change or cancel what still works in the old units of a symbol."""
    for key, known in tuple(world.book.account(account).old_units.items()):
        order = world.book.order_in(account, key)
        if known.symbol == symbol and order is not None and not order.is_protective:
            yield from _renew(world, order, known)


def same_until(world: World, account: str, symbol: str, now: Nanos) -> Nanos:
    """No step of it comes by time alone."""
    return LATEST


def _renew(world: World, order: Order, known: OldUnits) -> Iterator[ev.Event]:
    if order.status not in RESTING or is_ending(order):
        return  # what becomes of it is known first
    connected = world.book.account(order.account).is_connected
    wanted = None if order.adds_exposure or order.closes else _in_new_units(world, order, known)
    may_change = world.able(order.account).native_modify and order.refused_at <= known.at
    ratio = f"{known.numerator}:{known.denominator}"
    if wanted is None or not may_change:
        yield from cancel(order, f"it was made before the split {ratio}")
        if not order.closes:
            yield _told(order, ratio)
        yield from _stop_of_ours(world, order, wanted, ratio)
    elif connected:
        yield ev.ReplaceRequested(
            account=order.account,
            client_order_id=order.client_order_id,
            quantity=wanted.quantity,
            limit_price=wanted.limit_price,
            stop_price=wanted.stop_price,
            reason=f"split {ratio}",
        )


def _in_new_units(world: World, order: Order, known: OldUnits) -> Replacement | None:
    """What an order that reduces is after the split; None where it comes to less than the venue
    takes, to more than is held but for a stop, or to a price that the market is beyond already."""
    position = world.book.holding(order.account, order.symbol)
    if position is None:
        return None
    n, m = known.numerator, known.denominator
    whole = position.quantity == position.quantity.to_integral_value()
    left = floor_to(order.leaves * n / m, ONE) if whole else order.leaves * n / m
    if order.protects:
        left = min(left, abs(position.quantity))  # one for more protects all of it
    left = in_lots(world, position, left)
    mark = world.prices.believed(order.symbol)
    if not 0 < left <= abs(position.quantity) or mark is None:
        return None
    sells = order.side is not Side.BUY
    stop, limit = scaled(order.stop_price, n, m), scaled(order.limit_price, n, m)
    if stop is not None:
        tick = world.instrument(order.symbol, order.account).tick_at(stop)
        stop = early_stop(stop, tick, sell=sells)
        beyond = stop >= mark if sells else stop <= mark
    else:
        beyond = limit is not None and (limit <= mark if sells else limit >= mark)
    if beyond:
        return None
    if limit is not None:
        tick = world.instrument(order.symbol, order.account).tick_at(limit)
        limit = round_price(limit, tick, up=sells)
    return Replacement(quantity=order.filled + left, limit_price=limit, stop_price=stop)


def _stop_of_ours(
    world: World, order: Order, wanted: Replacement | None, ratio: str
) -> Iterator[ev.Event]:
    """Where a stop is cancelled that somebody rested and nothing else protects, one of ours takes
    its place at the same price in the new units."""
    position = world.book.holding(order.account, order.symbol)
    if wanted is None or not order.protects or position is None or position.stop is not None:
        return
    yield ev.StopMoved(
        account=position.account,
        symbol=position.symbol,
        position_id=position.position_id,
        by=f"split {ratio}",
        before=None,
        after=wanted.stop_price,
    )


def _told(order: Order, ratio: str) -> ev.Alarmed:
    return ev.Alarmed(
        code="OLD_UNITS",
        severity=Severity.WARNING,
        subject=order.symbol,
        text=f"order {order.client_order_id} to {order.side} {plain(order.leaves)} {order.symbol} "
        f"is cancelled: it was made before the split {ratio}",
    )
