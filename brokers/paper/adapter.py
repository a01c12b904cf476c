"""The broker port over a paper venue in this process: latency, and waiting for the disk (U-60).

A request takes half of a drawn latency to the venue and a report half of another one back, so that
an order that fills at once is known within `latency_ms`. Neither requests nor reports overtake
each other, as on one connection. A request under way arrives even when its sender gave up on it.
Questions are answered at once, from what is durable.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from random import Random
from typing import Final

import msgspec

from brokers.inbox import Inbox
from brokers.paper.venue import PaperVenue
from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, NS_PER_US, Nanos
from engine.domain.instrument import Instrument
from engine.domain.order import Fill, OrderTerms, OrderType, Replacement, TimeInForce
from engine.domain.run import LinkState
from engine.ports import (
    BrokerError,
    Cancellable,
    Capabilities,
    Clock,
    LinkReport,
    NotSent,
    OrderReport,
    Report,
)

_APART: Final[Nanos] = NS_PER_US
"""How far apart what would arrive together arrives, so that its order is kept."""


def paper_capabilities(latency_ms: tuple[float, float]) -> Capabilities:
    """What the paper venue can do (C-131)."""
    return Capabilities(
        order_types=frozenset(OrderType),
        times_in_force=frozenset(TimeInForce),
        native_stop=True,
        native_modify=True,
        reduce_only=True,
        shorting=True,
        fractional=True,
        deduplicates=True,
        late_arrival_seconds=2 * latency_ms[1] / 1000,
        timeout_seconds=0,  # what was handed to it arrives, whether or not the sender lives on
        cancel_all=True,
        cancels_together=True,
        nets_buying_power=True,
        history=True,
    )


class _Lane:
    """One direction of the connection: when what leaves now arrives."""

    def __init__(self, clock: Clock, random: Random, latency_ms: tuple[float, float]) -> None:
        self._clock = clock
        self._random = random
        self._low, self._high = latency_ms[0] / 2, latency_ms[1] / 2
        self._newest: Nanos = 0

    def arrival(self) -> Nanos:
        """On the monotonic clock; now where there is no latency."""
        now = self._clock.monotonic()
        if not self._high:
            return now
        drawn = now + round(self._random.uniform(self._low, self._high) * NS_PER_MS)
        self._newest = max(drawn, self._newest + _APART)
        return self._newest


class PaperBroker:
    """One paper account behind the broker port. `random` draws the latencies; `venue` is it.

    `alone`: nothing but the engine of this process trades in it, and its prices are a recording's.
    """

    def __init__(
        self, venue: PaperVenue, clock: Clock, random: Random, *, alone: bool = False
    ) -> None:
        self.venue = venue
        self._clock = clock
        # It is in this process: it always answers, and its lists are those of its book.
        self._capabilities = msgspec.structs.replace(
            paper_capabilities(venue.terms.latency_ms),
            heartbeat_seconds=0,
            late_execution_seconds=0,
            tells_all=alone,
        )
        self._requests = _Lane(clock, random, venue.terms.latency_ms)
        self._returns = _Lane(clock, random, venue.terms.latency_ms)
        self._connected = False
        self._failed = False
        self._outbox: deque[tuple[OrderReport, int, Nanos]] = deque()
        self._timer: Cancellable | None = None
        self._inbox = Inbox()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        venue.on_report = self._leave
        venue.book.on_change = self._book_changed

    @property
    def name(self) -> str:
        return self.venue.name

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def connect(self) -> None:
        """Raises NotSent while the book cannot be written."""
        self._check_book()
        if not self._connected:
            self._connected = True
            self._tell(LinkState.CONNECTED)

    async def disconnect(self) -> None:
        """No order is cancelled; reports under way are lost, as they are on a wire (D-53)."""
        if self._connected:
            self._outbox.clear()
            self._tell(LinkState.DISCONNECTED, "disconnected by us")
            self._connected = False

    async def submit_order(self, order: OrderTerms) -> None:
        """Returns once the venue has the order durably. Raises Rejected, NotSent."""
        self._check_book()
        await self._request(lambda: self.venue.submit(order))

    async def cancel_order(self, client_order_id: str) -> None:
        """Raises Rejected for an order that is unknown or over, and NotSent."""
        await self._request(lambda: self.venue.cancel(client_order_id))

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        """Those that are unknown or over are refused one by one. Raises NotSent."""
        refused: dict[str, BrokerError] = {}

        def act() -> int:
            ticket, found = self.venue.cancel_orders(client_order_ids)
            refused.update(found)
            return ticket

        await self._request(act)
        return refused

    async def cancel_all(self) -> None:
        """Raises NotSent."""
        await self._request(self.venue.cancel_all)

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        """Raises Rejected, and NotSent."""
        wanted = Replacement(
            quantity=quantity,
            limit_price=limit_price,
            stop_price=stop_price,
            time_in_force=time_in_force,
        )
        await self._request(lambda: self.venue.modify(client_order_id, wanted))

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        await self._settled()
        return self.venue.get_order(client_order_id)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        await self._settled()
        return self.venue.open_orders()

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        await self._settled()
        return self.venue.fills_since(since)

    async def get_cash_movements_since(self, since: Nanos) -> tuple[CashMovement, ...]:
        """None: the cash of a paper account moves by its fills alone."""
        await self._settled()
        return ()

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        await self._settled()
        return self.venue.positions()

    async def get_account(self) -> Account:
        await self._settled()
        return self.venue.account()

    async def instrument(self, symbol: str) -> Instrument:
        self._check_link()
        return self.venue.instruments.get(symbol)

    async def server_time(self) -> Nanos:
        self._check_link()
        return self._clock.now()

    def reports(self) -> AsyncIterator[Report]:
        """Every report from the first connect on; one reader at a time."""
        return self._inbox.read()

    # Requests.

    async def _request(self, act: Callable[[], int]) -> None:
        self._check_link()
        delay = self._requests.arrival() - self._clock.monotonic()
        if delay <= 0:
            await self._durable(act())
            return
        arrived: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def arrive() -> None:
            try:
                ticket = act()
            except Exception as error:
                # It belongs to the sender, who may have given up.
                if not arrived.done():
                    arrived.set_exception(error)
            else:
                if not arrived.done():
                    arrived.set_result(ticket)

        self._clock.call_later(delay / NS_PER_SECOND, arrive)
        await self._durable(await arrived)

    async def _settled(self) -> None:
        self._check_link()
        await self._durable(self.venue.book.next_ticket - 1)

    async def _durable(self, ticket: int) -> None:
        if self.venue.book.durable < ticket:
            written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append((ticket, written))
            await written

    def _check_link(self) -> None:
        if not self._connected:
            raise NotSent(f"broker {self.name} is not connected")

    def _check_book(self) -> None:
        if self.venue.book.failure:
            raise NotSent(self.venue.book.failure)

    # Reports.

    def _leave(self, report: OrderReport, ticket: int) -> None:
        """Take a report from the venue; it leaves once its commit is durable."""
        self._outbox.append((report, ticket, self._returns.arrival()))

    def _book_changed(self) -> None:
        book = self.venue.book
        failed = bool(book.failure)
        if failed != self._failed:
            self._failed = failed
            self._tell(LinkState.DISCONNECTED if failed else LinkState.CONNECTED, book.failure)
        while self._waiting and self._waiting[0][0] <= book.durable:
            written = self._waiting.popleft()[1]
            if not written.done():
                written.set_result(None)
        self._deliver()

    def _deliver(self) -> None:
        """Hand over, in order, every report that is durable and has arrived."""
        outbox, durable, now = self._outbox, self.venue.book.durable, self._clock.monotonic()
        while outbox and outbox[0][1] <= durable and outbox[0][2] <= now:
            self._receive(outbox.popleft()[0])
        if outbox and outbox[0][1] <= durable and self._timer is None:
            delay = (outbox[0][2] - now) / NS_PER_SECOND
            self._timer = self._clock.call_later(delay, self._timer_rang)

    def _timer_rang(self) -> None:
        self._timer = None
        self._deliver()

    def _tell(self, state: LinkState, detail: str = "") -> None:
        now = self._clock.now()
        self._receive(LinkReport(account=self.name, state=state, detail=detail, time=now))

    def _receive(self, report: Report) -> None:
        if self._connected:
            self._inbox.put(report)
