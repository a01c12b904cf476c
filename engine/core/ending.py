"""How a signal ends whose order ended without a fill (INTERFACE, journal signals)."""

from engine.domain.codes import Code, Outcome
from engine.domain.order import OrderStatus
from engine.state.order import Order

_ENDS = {
    OrderStatus.CANCELED: Outcome.CANCELLED,
    OrderStatus.EXPIRED: Outcome.EXPIRED,
    OrderStatus.REJECTED: Outcome.REJECTED,
}


def ended_as(order: Order) -> tuple[Outcome, str]:
    """The outcome of a terminal order's status, and the code that explains it, if any."""
    outcome = _ENDS.get(order.status, Outcome.CANCELLED)
    if outcome is Outcome.CANCELLED and order.reason == Code.ORDER_TIMEOUT:
        return outcome, Code.ORDER_TIMEOUT
    return outcome, order.reject_code
