"""The plan that puts one order in the place of another, where the venue cannot change one (X-88).

The first is cancelled. Once the venue has proved its end, a new order is made for what is left of
the quantity that was asked for, under an id of its own. Both are never live together, and a fill in
between reduces what is left. One that reduces also waits until our stop has made room for it, where
the venue would fill both (rule 3).
"""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.instant import Nanos
from engine.domain.money import plain
from engine.domain.order import OrderStatus
from engine.domain.run import RunState, Severity
from engine.exits.hours import is_late
from engine.exits.reducible import most_reducible, room
from engine.pipeline.request import change_request
from engine.pipeline.stages import decide
from engine.plans.outcome import after_end
from engine.plans.reducing import hindrance, may_send
from engine.plans.successor import successor
from engine.risk import gate
from engine.state.order import Order, Pending
from engine.world import World

_CUT_IN = frozenset({RunState.ACTIVE, RunState.PAUSED})
"""States in which working entries are left alone, and a smaller one too (X-81)."""

_ON_PRICE = frozenset({Code.NO_PRICE, Code.STALE_QUOTE, Code.PRICE_COLLAR})
"""Rows that lean on the market's price. They passed when the change was asked for; where the price
has grown old since, what adds nothing to what was reserved is not given up for that: the order that
rested is gone, and it could have rested on at an old price too (X-88, C-305)."""


def advance(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """Send what takes the place of an order whose end is proved, or say why it is not sent."""
    replacing = world.book.account(account).replacing
    for key in [key for key, where in replacing.items() if where == symbol]:
        order = world.book.order_in(account, key)
        if order is None or order.pending is None:
            text = "nothing is known of it any more"
            yield _abandoned(account, key, Code.UNKNOWN_STATE, text)
            yield _alarm(key, symbol, text)
            yield from after_end(world, account, key)
        elif order.status.is_terminal and may_send(world, account):
            yield from _succeed(world, order, order.pending, now)


def _succeed(world: World, order: Order, wanted: Pending, now: Nanos) -> Iterator[ev.Event]:
    key, left = order.client_order_id, wanted.quantity - order.filled
    if order.status is not OrderStatus.CANCELED or left <= 0:
        text = f"it is {order.status}, {plain(order.filled)} filled: nothing is left to be ordered"
        yield _abandoned(order.account, key, order.status, text)
        yield from after_end(world, order.account, key)
        return
    if order.adds_exposure:
        against = _ended(world, order, now)
        if against:
            yield from given_up(world, order, Code.NOT_SENT, against)
            return
    if order.reduce_only and not world.able(order.account).reduce_only:
        position = world.book.holding(order.account, order.symbol)
        against = hindrance(world, order)
        if not against and position is not None:
            most = most_reducible(world, position)
            if left > most:
                against = f"only {plain(most)} {order.symbol} can still be reduced"
            elif left > room(world, position):
                return  # our stop makes room first
        if against:
            yield from given_up(world, order, Code.NOT_SENT, against)
            return
    runs = world.book.run_state in _CUT_IN
    if runs and order.adds_exposure and not world.book.account(order.account).compared:
        return  # nothing that adds opens before the connection's first look; that comes
    # It was asked when the change was, and may have waited since: for a link, or for a start.
    rows = _asked_again(world, order, wanted, now)
    ruling = decide(world, change_request(world, order, wanted, decided=True), now, rows)
    if not ruling.allowed:
        yield from given_up(world, order, ruling.code, ruling.reason)
        return
    reserved = ruling.reserved if rows is gate.CHECKS else wanted.reserved
    yield ev.OrderIntended(terms=successor(world, order, wanted, reserved))


def _asked_again(world: World, order: Order, wanted: Pending, now: Nanos) -> tuple[gate.Check, ...]:
    """The rows that what takes its place is asked: all of them, but of a cut only where its stop
    lies, and none that leans on a price that is old where it may cost no more than before."""
    if world.book.run_state in _CUT_IN and order.only_cut_by(wanted):
        return gate.OF_A_CUT
    if world.market.is_fresh(order.symbol, now) or order.grows_by(wanted):
        return gate.CHECKS
    return tuple(row for row in gate.CHECKS if row.code not in _ON_PRICE)


def _ended(world: World, order: Order, now: Nanos) -> str:
    """Why what was to take the place of an entry adds no more; "" where it may."""
    if order.stopped:
        return "the stop of its position has traded"
    if is_late(world, order.symbol, order.trade_type, now):
        return "its session ends"
    barred = world.book.account(order.account).barred
    if barred:
        return f"{order.account} takes no entries: {', '.join(barred)}"
    position = world.book.holding(order.account, order.symbol)
    closing = position is not None and position.is_closing
    return "the position is being closed" if closing else ""


def given_up(world: World, order: Order, code: str, reason: str) -> Iterator[ev.Event]:
    """The end of a change: the first order has ended, and the second must not be sent any more."""
    key = order.client_order_id
    yield _abandoned(order.account, key, code, reason)
    yield _alarm(key, order.symbol, reason)
    yield from after_end(world, order.account, key)


def _alarm(key: str, symbol: str, reason: str) -> ev.Alarmed:
    return ev.Alarmed(
        code="REPLACE_ABANDONED",
        severity=Severity.ERROR,
        subject=symbol,
        text=f"order {key} in {symbol} was cancelled to be changed, and none takes its place: "
        f"{reason}",
    )


def _abandoned(account: str, key: str, code: str, reason: str) -> ev.ReplaceAbandoned:
    return ev.ReplaceAbandoned(account=account, client_order_id=key, code=code, reason=reason)
