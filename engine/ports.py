"""What the engine needs of the world, and the six ways a venue can fail (U-60, U-61, C-403)."""

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

import msgspec

from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.events import Record
from engine.domain.failure import (
    Ambiguous,
    AuthFailed,
    Banned,
    BrokerError,
    MarketClosed,
    NotSent,
    Rejected,
    StreamRefused,
    Throttled,
)
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import AssetClass, Instrument
from engine.domain.market import MarketEvent
from engine.domain.order import Fill, OrderTerms, OrderType, TimeInForce
from engine.domain.report import LinkReport, OrderReport, Report
from engine.domain.run import Halt

__all__ = [
    "Ambiguous",
    "AuthFailed",
    "Banned",
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
    "StreamRefused",
    "Taken",
    "Throttled",
]


class Taken(msgspec.Struct, frozen=True):
    """What a venue takes of orders in one kind of instrument."""

    order_types: frozenset[OrderType]
    times_in_force: frozenset[TimeInForce]


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue can do; the engine asks here rather than by name (C-131)."""

    order_types: frozenset[OrderType]
    """All that it takes, of whatever is traded there."""
    times_in_force: frozenset[TimeInForce]
    by_kind: Mapping[AssetClass, Taken] = {}
    """What it takes of a kind of instrument, where that is not all."""
    of_parts: Mapping[AssetClass, Taken] = {}
    """The same of an order for no whole number of units, for the kinds where that is another."""
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
    heartbeat_seconds: float = 15
    """A venue of which nothing was asked for so long is asked the time (X-84); 0 where it is in
    this process and cannot be silent."""
    late_execution_seconds: float = 5
    """How long a fill or a change of an order may be missing from the lists of executions, of
    holdings and of orders, and from the answer about an order."""
    cancel_all: bool
    odd_lots: bool = True
    """An order that only reduces may be for any part of what is held, not only for whole lots."""
    cancels_together: bool = False
    """Several orders are cancelled by one request."""
    nets_buying_power: bool = False
    """The buying power that it states is less what its working orders may cost (X-79)."""
    tells_all: bool = False
    """It is an account of this process alone, such as that of a recording: nothing changes there
    that it does not tell at once, so that a look at it is old only once something was told."""
    states_instruments: bool = False
    """Its facts of instruments are its own, and are asked for with each connection."""
    history: bool = False
    """It tells of cash that moved without a trade, see `get_cash_movements_since` (X-75)."""

    def takes(self, kind: AssetClass, quantity: Decimal) -> Taken:
        """What it takes of an order for so much of an instrument of that kind."""
        if quantity % 1 and kind in self.of_parts:
            return self.of_parts[kind]
        return self.by_kind.get(kind) or Taken(self.order_types, self.times_in_force)

    @property
    def timeout(self) -> Nanos:
        """How long an answer is waited for at most, in nanoseconds."""
        return round(self.timeout_seconds * NS_PER_SECOND)

    @property
    def late_arrival(self) -> Nanos:
        """How long after its time-out a request may still reach the venue, in nanoseconds."""
        return round(self.late_arrival_seconds * NS_PER_SECOND)

    @property
    def arrival(self) -> Nanos:
        """How long after it was sent a request of which nothing is known may still reach the
        venue, in nanoseconds."""
        return self.timeout + self.late_arrival

    @property
    def lag(self) -> Nanos:
        """By how much the venue's lists and answers may be behind what it has told, in
        nanoseconds."""
        return round(self.late_execution_seconds * NS_PER_SECOND)

    @property
    def longest_under_way(self) -> Nanos:
        """How long anything, a request or what a list does not show yet, may be under way between
        us and the venue, in nanoseconds."""
        return max(self.arrival, self.lag)


class Cancellable(Protocol):
    """A timer that has been set: `cancel` stops it, and does nothing once it has fired."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """The engine's only source of time (DESIGN, Time and determinism).

    Real, scaled for a demonstration, or virtual for replay and tests. All times are nanoseconds.
    """

    @property
    def is_real(self) -> bool:
        """Its time is the machine's: what waits for the processor grows old meanwhile (X-89)."""
        ...

    def now(self) -> Nanos:
        """Nanoseconds since 1970-01-01 UTC. It may jump, as the machine's clock may."""
        ...

    def monotonic(self) -> Nanos:
        """Nanoseconds since an arbitrary moment; it never goes back, and intervals are measured on
        it."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait so many seconds; zero or less gives the other tasks one turn of the loop."""
        ...

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        """Run the callback on the loop after this long; zero or less means as soon as possible."""
        ...


class Broker(Protocol):
    """One account at one venue (U-60).

    An adapter translates and does nothing else: it neither retries nor sleeps, and holds nothing
    that the engine needs after a restart. Every method that asks the venue raises one of the six
    errors of `engine.domain.failure`. Whatever else it raises counts as `Ambiguous`, and so does a
    cancel of work of its own that it lets through:
    `NotSent` when nothing left this process, `Throttled` when the venue wants us to wait (`Banned`
    where it answers nothing until then), `Ambiguous` when nobody knows whether the venue acted,
    `Rejected` when it refused, `AuthFailed` when it does not accept the credentials,
    `MarketClosed` when it takes nothing now.

    Every order has one id in the engine, and no two of an account have the same. An adapter tells
    the client order id as the venue has it, "" for none, and what the venue itself calls the order.
    One that has none, or that of another order, is known in the engine by `unnamed_order_id` of
    `engine.domain.ids`, and asked about, cancelled and changed by that: `venue_order_id_of` gives
    back what the venue calls it. An adapter whose venue cannot work by that answers `Rejected`.

    Quantities are in units of the instrument, prices in its currency, times in nanoseconds UTC.
    """

    @property
    def name(self) -> str:
        """The account's name under `[brokers]`."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What the venue can do; it does not change while the process runs."""
        ...

    async def connect(self) -> None:
        """Open the connection and the report stream, and again after a break (C-441).

        Returns once orders can be sent. Raises one of the six errors; the caller tries again. It
        raises `StreamRefused` where orders can be sent and only the stream is refused: the caller
        then asks instead, and calls this again for the stream alone.
        """
        ...

    async def disconnect(self) -> None:
        """Close the connection. No order is cancelled by it (D-53). Does nothing when closed."""
        ...

    async def submit_order(self, order: OrderTerms) -> None:
        """Hand an order to the venue.

        Returns once the venue has taken the request, which is no acknowledgement of the order: what
        becomes of it arrives as reports, possibly before this returns. Raises `Rejected` with code
        DUPLICATE_ID where the venue knows the client order id already.
        """
        ...

    async def cancel_order(self, client_order_id: str) -> None:
        """Ask the venue to cancel an order (C-123).

        `client_order_id` is that of the order, or that by which one without is known (see above).
        Returns once the request was taken; the end of the order arrives as a report. Raises
        `Rejected` for an order that is unknown there or has ended.
        """
        ...

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        """Ask for the cancel of several orders in one request, where `cancels_together`.

        Returns why, by id, for each that was not taken. Raises one of the six errors when it is
        that of the whole request.
        """
        ...

    async def cancel_all(self) -> None:
        """Ask the venue to cancel every order of the account, protective stops included."""
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
        """The order as the venue states it now, ended ones included; None for an id it does not
        know. An error is never an answer: a venue that cannot be asked raises."""
        ...

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        """Every order that can still fill, those that wait for another to fill included, whoever
        sent them, each once. `venue_order_id` is unique among them, or "" where every client
        order id is."""
        ...

    async def get_fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """Every execution of the account at or after `since` (nanoseconds UTC, by the venue's
        clock), oldest first."""
        ...

    async def get_cash_movements_since(self, since: Nanos) -> tuple[CashMovement, ...]:
        """Transfers, dividends, interest, fees and funding booked at or after `since` (nanoseconds
        UTC, by the venue's clock), oldest first; asked only where `history`."""
        ...

    async def get_positions(self) -> tuple[VenuePosition, ...]:
        """Every holding that is not flat, signed: below zero is short. The rows of one symbol, such
        as lots or the legs of a hedge, are added up: each is there once."""
        ...

    async def get_account(self) -> Account:
        """Cash by currency, equity and buying power, and when the venue stated them."""
        ...

    async def instrument(self, symbol: str) -> Instrument:
        """The venue's facts of an instrument, by our id: grid of price and quantity, currency,
        multiplier, calendar, whether it can be sold short. Raises `Rejected` for one it does not
        trade."""
        ...

    async def server_time(self) -> Nanos:
        """The venue's clock, nanoseconds UTC."""
        ...

    def reports(self) -> AsyncIterator[Report]:
        """The one stream of reports and link states, from connect on.

        A connection that breaks is told as DISCONNECTED, or ends the stream; it is then read anew
        after the next connect. An adapter that comes back by itself tells CONNECTED.
        """
        ...


class MarketData(Protocol):
    """A source of prices: a venue's feed, a simulated market, or a recording."""

    def events(self) -> AsyncIterator[MarketEvent]:
        """Quotes, completed bars and depth, in order; ends when a recorded market is exhausted. Any
        other that ends counts as failed, and is asked again."""
        ...

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Up to `bars` completed bars of a symbol before now, oldest first; none where the source
        keeps no past."""
        ...


class Settled(Awaitable[None]):
    """The answer of a store that has written, or failed to, before it answers.

    Awaiting it raises `error` where there is one.
    """

    __slots__ = ("error",)

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    def __await__(self) -> Generator[None, None, None]:
        if self.error is not None:
            raise self.error
        yield from ()


class EventStore(Protocol):
    """The journal: append-only, chained, durable in groups (U-70)."""

    def append(self, records: Sequence[Record], touched: Sequence[Any] = ()) -> Awaitable[None]:
        """Queue records in order; the awaitable resolves once they are durable.

        It is `Settled` where that is known already.
        `touched` are the values of the state that they touched (`engine.state.touched`), for a
        store that keeps tables of them.
        Raises, through the awaitable, whatever kept them from being written.
        """
        ...

    @property
    def last_seq(self) -> int:
        """`seq` of the newest record that was handed in, durable or not; 0 before the first."""
        ...

    def recover(self) -> bool:
        """Try again after a failure, in order and skipping nothing; True once it writes again."""
        ...

    @property
    def last_commit_seconds(self) -> float:
        """How many seconds the newest commit took; 0 before the first."""
        ...

    @property
    def maintenance_trouble(self) -> str:
        """What failed last of all that is kept beside the events, in one sentence; "" for nothing.

        No event is lost by it.
        """
        ...

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Keep the state as of `seq` so that a start need not fold from the beginning."""
        ...


class LatchError(Exception):
    """The latch could not be written or removed; one sentence says where and why."""


class Latch(Protocol):
    """The file half of the halt latch (U-71); safe to call from any thread."""

    def set(self, halt: Halt) -> None:
        """Write the halt, whole and durable by the time this returns. Raises LatchError."""
        ...

    def read(self) -> Halt | None:
        """The halt that stands there, None without one; a file that cannot be read is a halt
        (A-283)."""
        ...

    def clear(self, epoch: int) -> None:
        """Remove the halt of this epoch or an earlier one; a later or a strange one stands."""
        ...
