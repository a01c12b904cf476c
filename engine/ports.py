"""What the engine needs of the world, and the six ways a venue can fail (U-60, U-61, C-403)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from engine.domain.account import Account, VenueOrder, VenuePosition
from engine.domain.events import Record
from engine.domain.failure import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    MarketClosed,
    NotSent,
    Rejected,
    Throttled,
)
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.market import MarketEvent
from engine.domain.order import Fill, OrderTerms, OrderType, TimeInForce
from engine.domain.report import LinkReport, OrderReport, Report
from engine.domain.run import Halt

__all__ = [
    "Ambiguous",
    "AuthFailed",
    "Broker",
    "BrokerError",
    "Cancellable",
    "Capabilities",
    "Clock",
    "EventStore",
    "Latch",
    "LatchError",
    "LinkReport",
    "MarketClosed",
    "MarketData",
    "NotSent",
    "OrderReport",
    "Rejected",
    "Report",
    "Throttled",
]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue can do; the engine asks here rather than by name (C-131)."""

    order_types: frozenset[OrderType]
    times_in_force: frozenset[TimeInForce]
    native_stop: bool
    native_modify: bool
    reduce_only: bool
    """The venue itself never lets a reduce-only order cross zero, and joins it with a stop."""
    shorting: bool
    fractional: bool
    deduplicates: bool
    """A client order id is refused for ever once used; default no."""
    late_arrival_seconds: float
    """How long after a time-out a lost request may still reach the venue."""
    timeout_seconds: float = 5
    """How long an answer is waited for at most: a process that ended before saw no time-out."""
    cancel_all: bool
    cancels_together: bool = False
    """Several orders are cancelled by one request."""


class Cancellable(Protocol):
    """A timer that has been set: `cancel` stops it, and does nothing once it has fired."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Time as the engine sees it."""

    @property
    def is_real(self) -> bool:
        """Its time is the machine's: what waits for the processor grows old meanwhile (X-89)."""
        ...

    def now(self) -> Nanos:
        """Wall time, UTC."""
        ...

    def monotonic(self) -> Nanos:
        """A time that only moves forward, from an arbitrary origin."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait this long; zero or less only lets others run."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """Run the callback on the loop after this long; zero or less means as soon as possible."""
        ...


class Broker(Protocol):
    """One venue. Adapters translate; they neither retry nor sleep nor hold state we need (U-60)."""

    @property
    def name(self) -> str:
        """The name under `[brokers]`."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the venue can do."""
        ...

    async def connect(self) -> None:
        """Open the connection and the report stream, and again after a break (C-441).

        Raises one of the six errors; the caller tries again.
        """
        ...

    async def disconnect(self) -> None:
        """Close it; no order is cancelled by closing (D-53)."""
        ...

    async def submit_order(self, order: OrderTerms) -> None:
        """Hand the order over; its fate arrives as reports, possibly before this returns."""
        ...

    async def cancel_order(self, client_order_id: str) -> None:
        """Ask for a cancel; returning means the request was taken (C-123)."""
        ...

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        """Ask for the cancel of several orders in one request, where `cancels_together`.

        Returns why, by id, for each that was not taken. Raises one of the six errors when it is
        that of the whole request.
        """
        ...

    async def cancel_all(self) -> None:
        """Ask for a cancel of everything, protective stops included."""
        ...

    async def modify_order(
        self,
        client_order_id: str,
        quantity: Decimal,
        limit_price: Decimal | None = None,
        stop_price: Decimal | None = None,
        time_in_force: TimeInForce | None = None,
    ) -> None:
        """Ask for other terms of a working order, where `native_modify`.

        `quantity` is the new total, what has filled included; None leaves a term as it is. Raises
        one of the six errors, `Rejected` where the order stays as it was.
        """
        ...

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        """The order as the venue knows it; None when it does not."""
        ...

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        """Everything that works there, held legs included."""
        ...

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """Executions at or after `since`, oldest first."""
        ...

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        """Holdings that are not flat."""
        ...

    async def get_account(self) -> Account:
        """Balances."""
        ...

    async def instrument(self, symbol: str) -> Instrument:
        """Grid, calendar and shortability of a symbol."""
        ...

    async def server_time(self) -> Nanos:
        """The venue's clock."""
        ...

    def reports(self) -> AsyncIterator[Report]:
        """The one stream of reports and link states, from connect on.

        A connection that breaks is told as DISCONNECTED, or ends the stream; it is then read anew
        after the next connect. An adapter that comes back by itself tells CONNECTED.
        """
        ...


class MarketData(Protocol):
    """A source of market events."""

    def events(self) -> AsyncIterator[MarketEvent]:
        """Quotes, completed bars and depth, in order; ends when a recorded market is exhausted."""
        ...

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Up to `bars` completed bars before now, oldest first."""
        ...


class EventStore(Protocol):
    """The journal: append-only, chained, durable in groups (U-70)."""

    def append(self, records: Sequence[Record], touched: Sequence[Any] = ()) -> Awaitable[None]:
        """Queue records in order; the awaitable resolves once they are durable.

        `touched` are the values of the state that they touched (`engine.state.touched`), for a
        store that keeps tables of them.
        Raises, through the awaitable, whatever kept them from being written.
        """
        ...

    @property
    def last_seq(self) -> int:
        """The number of the newest record handed in."""
        ...

    def recover(self) -> bool:
        """Try again after a failure, in order and skipping nothing; True once it writes again."""
        ...

    @property
    def last_commit_seconds(self) -> float:
        """How long the newest commit took."""
        ...

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Keep the state as of `seq` so that a start need not fold from the beginning."""
        ...


class LatchError(Exception):
    """The latch could not be written or removed; one sentence says where and why."""


class Latch(Protocol):
    """The file half of the halt latch (U-71); safe to call from any thread."""

    def set(self, halt: Halt) -> None:
        """Write it atomically and durably."""
        ...

    def read(self) -> Halt | None:
        """What stands there; an unreadable file is a halt (A-283)."""
        ...

    def clear(self, epoch: int) -> None:
        """Remove the halt of this epoch or an earlier one; a later or a strange one stands."""
        ...
