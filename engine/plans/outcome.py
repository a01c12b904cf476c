"""How a signal ends whose orders ended without a fill (U-30; INTERFACE, journal signals).

The outcome of a signal is that of all its orders together, never of one of them.
"""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.codes import Code, Outcome
from engine.domain.money import plain
from engine.domain.order import ADDING, REPLACED, OrderStatus
from engine.domain.position import ExitReason
from engine.domain.run import Severity
from engine.state.order import Order
from engine.state.position import ExitPlan, Position
from engine.world import World

_ENDS = {
    OrderStatus.CANCELED: Outcome.CANCELLED,
    OrderStatus.EXPIRED: Outcome.EXPIRED,
    OrderStatus.REJECTED: Outcome.REJECTED,
}

_OUR_REASONS = frozenset({Code.ORDER_TIMEOUT, Code.MARKET_CLOSED})
"""Codes for which we ask for the end of an entry ourselves."""


def ended_as(order: Order) -> tuple[Outcome, str]:
    """The outcome of a terminal order's status, and the code that explains it, if any."""
    outcome = _ENDS.get(order.status, Outcome.CANCELLED)
    if outcome is Outcome.CANCELLED and order.reason in _OUR_REASONS:
        return outcome, order.reason
    return outcome, order.reject_code


def after_end(world: World, account: str, client_order_id: str) -> Iterator[ev.Event]:
    """The end of the signal that an order belongs to, once none of its orders can fill any more.

    Nothing while another of them works, or while one is to take the place of this.
    """
    order = world.book.order_in(account, client_order_id)
    if order is None or order.is_working or order.filled or order.purpose not in ADDING:
        return
    life = world.book.data.signals.get(order.signal_id)
    if life is None or life.outcome is not None:
        return
    if order.intent_id in world.book.data.intents:
        return  # its plan says what became of all of it
    replacing = world.book.account(order.account).replacing
    if any(world.book.works(key) or key in replacing for key in life.orders):
        return
    outcome, code = ended_as(order)
    yield ev.SignalEnded(
        signal_id=order.signal_id,
        symbol=order.symbol,
        outcome=outcome,
        code=code,
        reason=order.reason or order.status,
    )


def fell_short(world: World, account: str, client_order_id: str) -> Iterator[ev.Event]:
    """A warning for an entry that has just ended with less than half of it filled (A-362).

    What is held is real all the same (X-18); where another order takes its place, that goes on.
    """
    order = world.book.order_in(account, client_order_id)
    if order is None or order.is_working or not order.adds_exposure or not order.filled:
        return
    if order.filled * 2 >= order.quantity or order.reason == REPLACED:
        return
    yield ev.Alarmed(
        code="PARTIAL_FILL",
        severity=Severity.WARNING,
        subject=order.symbol,
        text=f"{plain(order.filled)} of {plain(order.quantity)} {order.symbol} filled in {account},"
        f" less than half: the order ended as {order.status}",
    )


def not_closed(  # noqa: PLR0917  # what is held, its plan, and the three facts of an outcome
    world: World, position: Position, plan: ExitPlan, outcome: Outcome, code: str, reason: str
) -> Iterator[ev.Event]:
    """The end of a flat signal whose close of `position` ends without a fill.

    Nothing where another asked for the close, where some of it has filled in any account, or while
    it is carried on in another account.
    """
    life = world.book.data.signals.get(plan.detail) if plan.reason is ExitReason.SIGNAL else None
    if life is None or life.outcome is not None:
        return
    held = world.book.held(position.symbol)
    others = (p.exiting for p in held if p.position_id != position.position_id)
    if any(o and (o.reason, o.detail) == (plan.reason, plan.detail) for o in others):
        return
    yield ev.SignalEnded(
        signal_id=plan.detail,
        symbol=position.symbol,
        outcome=outcome,
        code=code,
        reason=reason,
    )
