"""When something must be done about an order if nothing comes in (C-304, X-54)."""

import heapq
from collections.abc import Callable, Iterable

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import REQUEST_UNDER_WAY, RESTING, OrderStatus
from engine.state import pauses
from engine.state.order import Order

_SLACK = 1_000
"""Deadlines that have passed over and are kept before the list is swept."""


class Deadlines:
    """The deadlines of all orders that work, the earliest first.

    An order that changes is scheduled again; what was planned before is left out when it comes up.
    """

    def __init__(self, find: Callable[[str], Order | None]) -> None:
        """`find` gives a working order by its id, None for one that does not work."""
        self._find = find
        self._heap: list[tuple[Nanos, str]] = []

    def schedule(self, order: Order) -> None:
        """Plan the deadline that an order has now."""
        due = due_at(order)
        if due:
            heapq.heappush(self._heap, (due, order.client_order_id))

    def is_crowded(self, count: int) -> bool:
        """Whether the list is out of proportion to `count`, how many orders work."""
        return len(self._heap) > _SLACK + 4 * count

    def sweep(self, working: Iterable[Order]) -> None:
        """Keep the deadlines of the orders that work, and no other."""
        dues = ((due_at(order), order.client_order_id) for order in working)
        self._heap = [item for item in dues if item[0]]
        heapq.heapify(self._heap)

    def pop(self, now: Nanos) -> list[Order]:
        """Orders about which something must be done by now; each is returned once per deadline."""
        due: list[Order] = []
        while self._heap and self._heap[0][0] <= now:
            item = heapq.heappop(self._heap)
            if self._heap and self._heap[0] == item:
                continue  # an order that changed twice in one moment stands there twice
            at, key = item
            order = self._find(key)
            if order is not None and due_at(order) == at:
                due.append(order)
        return due

    def next(self) -> Nanos | None:
        """The earliest deadline of any order that works."""
        while self._heap:
            at, key = self._heap[0]
            order = self._find(key)
            if order is not None and due_at(order) == at:
                return at
            heapq.heappop(self._heap)
        return None

    def is_before(self, moment: Nanos) -> bool:
        """Whether a deadline of an order that works comes before a moment."""
        if not self._heap or self._heap[0][0] >= moment:
            return False
        due = self.next()
        return due is not None and due < moment


def due_at(order: Order) -> Nanos:
    """The moment of an order's deadline: 0 never.

    Unanswered requests are queried, more and more slowly; a cancel that failed is asked for again;
    resting orders time out.
    """
    status = order.status
    if order.cancel_put_off:
        return order.cancel_at
    if status in RESTING:
        timeout = order.timeout_seconds
        return order.accepted_at + timeout * NS_PER_SECOND if timeout else 0
    if status.is_terminal:
        return 0
    if status is OrderStatus.UNKNOWN:
        return order.updated_at + pauses.doubled(pauses.DOUBT, max(order.queries - 1, 0))
    unclear = order.protects and status in REQUEST_UNDER_WAY
    first = pauses.ANSWER_ABOUT_STOP if unclear else pauses.ANSWER
    return max(order.updated_at, order.put_off_until) + pauses.doubled(first, order.queries)
