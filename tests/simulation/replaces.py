"""A working order that is changed (X-88, C-305), against what the venue accepted and executed.

Where the venue cannot change an order, another takes its place: only once the first has ended
there, and for what was asked less what has filled. Never are both live.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from engine.domain import events as ev
from engine.domain.order import OrderTerms
from engine.state.order import Order
from tests.simulation.venue import Venue

Broken = Callable[[str, str], None]


class Replaces:
    """Follows every change of an order that does not protect, over all processes of a run."""

    def __init__(self, venues: Mapping[str, Venue], broken: Broken) -> None:
        self._venues = venues
        self._broken = broken
        self._wanted: dict[str, Decimal] = {}
        """By the order that makes room, the new total that was asked for."""
        self.succeeded = 0
        """How many orders took the place of another."""

    def before(self, event: ev.Event) -> None:
        """One event that is about to be applied."""
        if isinstance(event, ev.ReplaceRequested) and not event.native:
            self._wanted[event.client_order_id] = event.quantity

    def accepted(self, account: str, order: OrderTerms) -> None:
        """A venue accepted an order; does it take the place of another?"""
        key = order.orig_client_order_id
        if not key:
            return
        self.succeeded += 1
        first = self._venues[account].orders.get(key)
        if first is None or first.is_open:
            self._broken("replace", f"{key} and what takes its place work in {account} together")
            return
        left = self._wanted[key] - first.filled
        if order.quantity != left:
            self._broken("replace", f"{order.quantity} {order.symbol} sent, {left} are left")


def worst(order: Order) -> Decimal:
    """What an order may still add, at the dearer of its terms and of those that were asked for."""
    now = order.leaves * order.reserved
    if order.pending is None:
        return now
    return max(now, max(order.pending.quantity - order.filled, Decimal(0)) * order.pending.reserved)


def most(order: Order) -> Decimal:
    """How much may still fill, whether a change that is under way was taken or not."""
    if order.pending is None:
        return order.leaves
    return max(order.leaves, order.pending.quantity - order.filled)
