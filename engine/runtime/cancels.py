"""The cancels of one account, and the ends of orders that they lead to (C-441).

Cancels that come up without a connection are the first that leave on a new one. The ends of orders
that were cancelled by one request are told to the core together.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from engine.domain.inputs import Input, OrdersReported
from engine.domain.order import OrderStatus
from engine.ports import Broker, OrderReport
from engine.runtime.link import Link
from engine.runtime.venue import Venue


class Cancels:
    """Asks the venue for cancels, and gathers the ends of what was cancelled by one request.

    `step` hands an input to the core; `spawn` runs work that nobody waits for.
    """

    def __init__(
        self,
        broker: Broker,
        venue: Venue,
        link: Link,
        *,
        step: Callable[[Input], object],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._broker = broker
        self._venue = venue
        self._link = link
        self._step = step
        self._spawn = spawn
        self._waiting: dict[str, None] = {}
        """What is to be cancelled once there is a connection, in the order it came up."""
        self._next: list[str] = []
        """What is to be cancelled by the next request."""
        self._ending: set[str] = set()
        """What was to be cancelled by one request, and has not been reported as cancelled."""
        self._canceled: list[OrderReport] = []
        """Reports of it that came since the loop turned, and that the core has not heard."""

    # --- asking -----------------------------------------------------------------------------------

    def ask(self, key: str) -> None:
        """Ask for a cancel, as soon as there is a connection."""
        if not self._link.is_up:
            self._waiting[key] = None
        elif not self._broker.capabilities.cancels_together:
            self._spawn(self._cancel(key))
        else:
            self._next.append(key)
            if len(self._next) == 1:
                self._spawn(self._cancel_together())

    def ask_waiting(self) -> None:
        """There is a connection: ask for the cancels that waited for it."""
        waiting, self._waiting = self._waiting, {}
        for key in waiting:
            self.ask(key)

    async def _cancel_together(self) -> None:
        """One request for every cancel that came up since the loop turned."""
        keys, self._next = self._next, []
        if len(keys) == 1:
            await self._cancel(keys[0])
            return
        self._ending.update(keys)
        for failed in await self._venue.cancel_together(keys):
            self._ending.discard(failed.client_order_id)
            self._step(failed)

    async def _cancel(self, key: str) -> None:
        failed = await self._venue.cancel(key)
        if failed is not None:
            self._step(failed)

    # --- the ends of what was cancelled -----------------------------------------------------------

    def gathers(self, reports: Sequence[OrderReport]) -> bool:
        """Whether all these came of one request; they are then told once the loop turns.

        A thousand reports one by one have the plans asked a thousand times.
        """
        if not all(r.client_order_id in self._ending and _only_ends(r) for r in reports):
            return False
        for canceled in reports:
            self._ending.discard(canceled.client_order_id)
            self._canceled.append(canceled)
            if len(self._canceled) == 1:
                self._spawn(self._turned())
        return True

    def give_way(self, reports: Sequence[OrderReport]) -> None:
        """The core hears of the ends that were gathered, ahead of these, which came behind them."""
        self._ending -= {report.client_order_id for report in reports if report.status.is_terminal}
        self._tell()

    def broke(self) -> None:
        """The connection is gone: what was gathered is told, and no more is."""
        self._tell()
        self._ending.clear()

    async def _turned(self) -> None:
        self._tell()

    def _tell(self) -> None:
        """The core hears of the ends that were gathered."""
        if self._canceled:
            reports, self._canceled = self._canceled, []
            self._step(OrdersReported(tuple(reports)))


def _only_ends(report: OrderReport) -> bool:
    """True for an order that is cancelled, without a fill that comes with it."""
    return report.status is OrderStatus.CANCELED and report.fill is None
