"""A venue of a seeded run: its server, the account there as the host opens it, and its faults."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from decimal import Decimal
from random import Random
from typing import Any, ClassVar, Final

from brokers import Connection, VenueSetup, open_venue, venue_kinds
from engine.config.trading import MarketConfig
from engine.domain.instant import Nanos
from engine.ports import Clock
from tests.venues.exchange import Exchange, Execution, Order
from tests.venues.seeded.books import Books, Resting, Trade, held
from tests.venues.seeded.loop import SkippingLoop
from tests.venues.serve import VENUES
from tests.venues.served import Served

Fault = Callable[[Random], Awaitable[None]]

PORTS: Final = (12_000, 32_000)
"""Below those that the system hands out by itself."""
STATUSES: Final = (500, 502, 503, 504)


class Told:
    """A secret that the tests know."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value."""
        return self._value


class Place:
    """One venue, made anew for every run.

    A fault plays itself from its beginning to its end; `heal` ends all that are under way.
    """

    name: ClassVar[str]
    currency: ClassVar[str] = "USD"
    account_id: ClassVar[str]
    symbols: ClassVar[dict[str, str]]
    """Ours -> the server's."""
    shorts: ClassVar[bool] = False
    step: ClassVar[Decimal] = Decimal(1)
    """The unit in which quantities are drawn."""
    tick: ClassVar[Decimal] = Decimal("0.01")
    late: ClassVar[float]
    """So many seconds after its time-out a request may still arrive there."""
    server: Any

    def __init__(self, random: Random, wall: Callable[[], Nanos]) -> None:
        """`wall` is the clock of the run, UTC nanoseconds."""
        self.random = random
        self.wall = wall
        self.make()
        self.exchange: Exchange = self.server.exchange
        self.exchange.wall = wall
        self.ours = {theirs: mine for mine, theirs in self.symbols.items()}

    def make(self) -> None:
        """Make the server, and draw what it is like."""
        raise NotImplementedError

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of `[brokers.NAME]` for the server, which listens."""
        return dict(VENUES[self.name].table(self.server))

    @property
    def secrets(self) -> dict[str, str]:
        """The variables that hold the keys."""
        return VENUES[self.name].environment

    async def listen(self) -> None:
        """Start the server on a port that nobody gets by chance while it is down: a client that
        tries for an address of its own range may end up connected to itself."""
        while True:
            self.server.port = self.random.randrange(*PORTS)
            try:
                await self.server.start()
            except OSError:
                continue
            return

    def opened(self, clock: Clock) -> Connection:
        """The account, not connected yet."""
        kind = venue_kinds()[self.name]
        return open_venue(
            VenueSetup(
                name=self.name,
                settings=kind.settings(**self.settings),
                market=MarketConfig(source="broker", symbols=tuple(self.symbols)),
                account_id=self.account_id,
                clock=clock,
                state_dir=None,
                base_currency=self.currency,
                secret=lambda variable: Told(self.secrets[variable]),
            )
        )

    async def tell(self, symbol: str, price: Decimal) -> None:
        """The market of a symbol of ours is there now, and everybody who listens hears it."""
        await VENUES[self.name].tell(self.server, self.symbols[symbol], price)

    # --- the venue's own books

    def books(self) -> Books:
        """How the account stands by what happened there."""
        exchange = self.exchange
        return Books(
            trades=Counter(self.trade(done) for done in exchange.executions),
            positions=held((self.ours[s], q) for s, q in self.positions()),
            cash=held(self.cash()),
            working=frozenset(map(self.resting, exchange.open_orders)),
        )

    def resting(self, order: Order) -> Resting:
        """An order that works."""
        symbol = self.ours[order.symbol]
        return Resting(order.client_id, symbol, order.left, order.limit, order.stop)

    def quote_of(self, symbol: str) -> str:
        """The currency that a symbol of ours is paid in."""
        return self.exchange.rules[self.symbols[symbol]].quote

    def trade(self, done: Execution) -> Trade:
        """An execution as the venue has it."""
        fee, asset = self.fee(done)
        order = self.exchange.orders[done.order_id]
        symbol, signed = self.ours[done.symbol], done.sign * done.quantity
        return Trade.of(order.client_id, symbol, signed, done.price, (fee, asset))

    def fee(self, done: Execution) -> tuple[Decimal, str]:
        """What it cost, and in what."""
        return done.fee, done.fee_currency

    def positions(self) -> Iterable[tuple[str, Decimal]]:
        """What every execution added up to, by the server's symbols."""
        return ((d.symbol, d.sign * d.quantity) for d in self.exchange.executions)

    def cash(self) -> Iterable[tuple[str, Decimal]]:
        """What was there, and what each execution took or brought, by currency."""
        yield self.currency, Decimal(100_000)
        for done in self.exchange.executions:
            quote = self.exchange.rules[done.symbol].quote
            yield quote, -done.sign * done.quantity * done.price
            fee, asset = self.fee(done)
            if asset == quote:
                yield asset, -fee

    def states(self) -> dict[str, dict[str, Decimal]]:
        """Holdings and cash as the server itself keeps them."""
        exchange = self.exchange
        return {
            "positions": held((self.ours[s], q) for s, q in exchange.positions.items()),
            "cash": held(exchange.cash.items()),
        }

    # --- faults

    @property
    def faults(self) -> dict[str, Fault]:
        """Every fault of the venue, by name."""
        return {
            name.removeprefix("fault_"): getattr(self, name)
            for name in sorted(dir(self))
            if name.startswith("fault_")
        }

    async def heal(self) -> None:
        """Nothing goes wrong any more."""
        raise NotImplementedError

    # --- time

    @property
    def withheld(self) -> int:
        """So many requests of an adapter's threads wait for time to pass."""
        return 0

    @contextlib.contextmanager
    def in_skipped_time(self, loop: SkippingLoop) -> Iterator[None]:
        """Whatever of the adapter has a clock of its own goes by that of the loop."""
        yield


class Web(Place):
    """A venue over HTTP, with the faults that each of those has."""

    submits: ClassVar[tuple[str, ...]]
    cancels: ClassVar[tuple[str, ...]]
    changes: ClassVar[tuple[str, ...]] = ()
    asks: ClassVar[tuple[str, ...]]
    """The names of requests that place an order, cancel one, change one, and ask."""
    timeout: ClassVar[float] = 3.0
    """Seconds after which whoever asked gives up."""
    server: Served

    def _acts(self, random: Random) -> str:
        """A request that does something; mostly one that places an order."""
        others = self.cancels + self.changes
        return random.choice(self.submits if random.random() < 0.7 else others)

    async def fault_answer_lost(self, random: Random) -> None:
        """It is carried out, and nobody hears so."""
        op = self._acts(random)
        plays = ["drop_after", "status_after", "truncate"]
        play = random.choice(plays if op in self.submits else plays[:2])
        self.server.fault(op, play, status=random.choice(STATUSES))  # type: ignore[arg-type]

    async def fault_request_lost(self, random: Random) -> None:
        """It is never carried out, and nobody hears so."""
        play = random.choice(("drop_before", "status_before"))
        self.server.fault(self._acts(random), play, status=random.choice(STATUSES))  # type: ignore[arg-type]

    async def fault_no_answer(self, random: Random) -> None:
        """It is read, and never heard of again."""
        self.server.fault(self._acts(random), "silent", seconds=20)

    async def fault_late_arrival(self, random: Random) -> None:
        """It is carried out after whoever sent it has given up."""
        seconds = random.uniform(self.timeout + 0.1, self.timeout + self.late - 0.5)
        self.server.fault(self._acts(random), "delay", seconds=seconds)

    async def fault_late_answer(self, random: Random) -> None:
        """It is carried out at once, and answered late; mostly so late that nobody waits."""
        op = random.choice((*self.submits, *self.cancels, *self.changes, *self.asks))
        self.server.fault(op, "delay", seconds=random.uniform(0.2, self.timeout + 2), late=True)

    async def fault_throttled(self, random: Random) -> None:
        """The venue asks us to wait."""
        op = random.choice((*self.submits, *self.cancels, *self.changes, *self.asks))
        headers = random.choice(({"Retry-After": str(random.randint(1, 4))}, None))
        times = random.randint(1, 3)
        self.server.fault(op, "status_before", status=429, times=times, headers=headers)

    async def fault_asked_in_vain(self, random: Random) -> None:
        """Questions get no answer, or a page of HTML, a few times."""
        play = random.choice(("drop_before", "status_before", "truncate", "silent"))
        self.server.fault(
            random.choice(self.asks), play, times=random.randint(1, 4),  # type: ignore[arg-type]
            status=random.choice((200, *STATUSES)), seconds=6 if play == "silent" else 0,
        )  # fmt: skip

    async def fault_reset(self, random: Random) -> None:
        """Every connection is reset for a while, those that stood too or not."""
        if random.random() < 0.5:
            await self.hang_up()
        self.server.down = True
        await asyncio.sleep(random.uniform(0.5, 8))
        self.server.down = False

    async def fault_restart(self, random: Random) -> None:
        """The venue stops, and starts again where it was."""
        if self.server.listens:
            await self.server.stop()
            await asyncio.sleep(random.uniform(0.2, 6))
            await self.server.start()

    async def fault_hung_up(self, random: Random) -> None:
        """The streams end."""
        await self.hang_up()

    async def hang_up(self) -> None:
        """End every stream."""
        raise NotImplementedError

    async def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.server.down = False
        self.server.faults.clear()
        self.sound()
        if not self.server.listens:
            await self.server.start()

    @property
    def withheld(self) -> int:
        """So many requests of an adapter's threads wait for time to pass."""
        return self.server.withheld

    def sound(self) -> None:
        """Every switch of the server as it is where nothing is wrong."""
        raise NotImplementedError
