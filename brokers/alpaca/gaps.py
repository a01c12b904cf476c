"""Whether every execution of an order has been told: the stream has no numbers of its own.

Each message has all that has filled of its order by then. Where that is more than the executions
that were told, one is missing, or is late: messages may change places.
"""

from decimal import Decimal

from brokers.alpaca.wire import TradeUpdate, filled_of, text
from brokers.net.numbers import number


class Told:
    """What was told of one order on this connection."""

    def __init__(self, before: Decimal) -> None:
        self.before = before
        """What had filled when it was first heard of."""
        self.executions: dict[Decimal, Decimal] = {}
        """Cumulative quantity after an execution -> its quantity."""
        self.filled = before

    @property
    def missing(self) -> Decimal:
        """How much has filled of which no execution was told."""
        return self.filled - self.before - sum(self.executions.values(), start=Decimal(0))


class Gaps:
    """The orders of one connection."""

    def __init__(self) -> None:
        self._told: dict[str, Told] = {}

    def take(self, update: TradeUpdate) -> bool:
        """Take in a message; whether an execution of its order is missing now."""
        order_id, filled = text(update.order.id), filled_of(update.order)
        if not order_id or not filled.is_finite():
            return False
        quantity = number(update.qty) if update.event in FILLS else Decimal(0)
        if not quantity.is_finite():
            return False
        told = self._told.get(order_id)
        if told is None:
            told = self._told[order_id] = Told(filled - quantity)
        if quantity:
            told.executions[filled] = quantity
        told.filled = max(told.filled, filled)
        if not told.missing and update.event in ENDS:
            # What comes after its end is told all the same, and begins anew.
            del self._told[order_id]
        return told.missing > 0

    def missing(self, order_id: str) -> Decimal:
        """How much of an order has filled of which no execution was told."""
        told = self._told.get(order_id)
        return Decimal(0) if told is None else told.missing


FILLS = frozenset({"fill", "partial_fill"})
ENDS = frozenset({"fill", "canceled", "expired", "rejected", "replaced"})
