"""The line to a venue that may say nothing, and whose lists are not what is true."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from engine.domain.account import VenueOrder, VenuePosition
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import Fill
from engine.domain.report import OrderReport, Report
from engine.ports import Ambiguous
from tests.simulation.harsh.venue import HarshVenue
from tests.simulation.line import Line

T = TypeVar("T")
HANGS_SECONDS = 120
"""An adapter gives up a request that was never answered, at the very last."""


class HarshLine(Line):
    """As the line to the sound venue, through which the switches are seen."""

    _venue: HarshVenue

    def __init__(self, venue: HarshVenue) -> None:
        super().__init__(venue)
        self.on_told: Callable[[int, Fill, bool], None] = lambda number, fill, listed: None
        """Told of each execution that the process is told of, with its number, and whether that was
        on a list: then it is known only with the rest of the look, or of the answer."""
        self.asked_at: Nanos = 0
        """When the oldest question was asked since the venue last said anything; 0 for none."""

    # --- questions --------------------------------------------------------------------------------

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        self.on_key(client_order_id)
        return await self._read(lambda: self._venue.stated(client_order_id))

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        return await self._read(self._venue.listed_orders)

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        return await self._read(self._venue.listed_positions)

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        fills = await self._read(lambda: self._venue.listed_fills(since))
        for fill in fills:
            self._tell_of(fill, listed=True)
        return fills

    # --- silence ----------------------------------------------------------------------------------

    async def _read(self, look: Callable[[], T]) -> T:
        self._asks()
        if self._venue.silent:
            await self._hang()
        return await super()._read(look)

    async def _ask(
        self,
        act: Callable[[], object],
        lost: Callable[[], None] = lambda: None,
        *,
        slow: float = 0.0,
    ) -> None:
        self._asks()
        venue = self._venue
        if venue.silent:
            if venue.chances.random() < 0.5:
                venue.agenda.after(0.02, self._unheard(act, lost))
            else:
                lost()
            await self._hang()
        await super()._ask(act, lost, slow=slow)

    def _asks(self) -> None:
        if self._connection and not self.asked_at:
            self.asked_at = self._venue.agenda.now

    async def _hang(self) -> None:
        await asyncio.sleep(HANGS_SECONDS)
        raise Ambiguous("no answer")

    def _settle(
        self,
        future: "asyncio.Future[Any]",
        connection: int,
        result: object,
        error: Any,
    ) -> None:
        self.asked_at = 0
        super()._settle(future, connection, result, error)

    # --- reports ----------------------------------------------------------------------------------

    def _deliver(self, report: Report, connection: int) -> None:
        venue = self._venue
        if venue.silent:
            wait = (venue.silent_until - venue.agenda.now) / NS_PER_SECOND
            venue.agenda.after(wait + 0.01, lambda: self._deliver(report, connection))
            return
        if self._alive and self._connection == connection:
            self.asked_at = 0
        super()._deliver(report, connection)

    def _put(self, report: Report) -> None:
        super()._put(report)
        if isinstance(report, OrderReport) and report.fill is not None:
            self._tell_of(report.fill, listed=False)

    def _tell_of(self, fill: Fill, *, listed: bool) -> None:
        if not self._alive:
            return
        number = self._venue.number_of(fill)
        if number is not None:
            self.on_told(number, fill, listed)
