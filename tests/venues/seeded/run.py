"""One seeded run: a venue, the whole engine, and everything that is asked and goes wrong."""

import asyncio
import contextlib
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any, Final

from brokers import Connection
from engine.config import Config
from engine.domain import events as ev
from engine.domain.instant import parse_rfc3339
from engine.domain.instrument import default_instrument
from engine.ports import BrokerError
from engine.runtime.clock import VirtualClock
from engine.runtime.engine import Engine
from engine.runtime.send_gate import SendGate
from engine.state.book import STATE_FORMAT, Book
from engine.state.fold import apply
from engine.world import World
from storage import memory_database
from storage.opening import open_journal
from tests.configs import unruled
from tests.simulation.store import Disk, FileLatch
from tests.venues.seeded.judge import Judge
from tests.venues.seeded.loop import SkippingLoop
from tests.venues.seeded.place import Place
from tests.venues.seeded.places import PLACES
from tests.venues.seeded.script import Script

START: Final = parse_rfc3339("2026-03-02T17:00:00Z")
"""Noon in New York on a plain Monday, after the accounts were opened."""
BUSY_SECONDS: Final = 45.0
SETTLES_SECONDS: Final = 40.0
"""Everything may be at rest so long after the last fault."""
RESTS_SECONDS: Final = 300.0
"""It is by now."""
LIMIT_SECONDS: Final = 900.0
PRICE: Final = Decimal(100)


@dataclass
class Outcome:
    """What a run came to."""

    venue: str
    seed: int
    broken: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """Of its own time."""
    kinds: Counter[str] = field(default_factory=Counter)
    """How often each fault was played, and what the run saw of orders."""


def config_of(place: Place, random: Random) -> Config:
    """Limits so wide that orders leave, and times so short that a run sees them pass."""
    tree: dict[str, Any] = {
        "profile": "custom",
        "account": {"primary": place.name, "currency": place.currency},
        "market": {"symbols": list(place.symbols), "source": "broker"},
        "signals": {"builtin": ""},
        "risk": {
            "max_risk_per_trade": "0.005",
            "daily_loss_limit": "0.5",
            "drawdown_limit": "0.5",
            "max_sector_exposure": "1",
            "max_trades_per_day": 1000,
            "min_account_equity": "1",
            "consecutive_loss_threshold": 1000,
            "consecutive_loss_pct": "1",
            "max_concurrent_positions": 8,
            "max_single_stock_exposure": "0.40",
            "max_gross_exposure": "1.0",
            "max_orders_per_minute": 120,
            "max_order_notional": "100000",
        },
        "kill": {"reject_storm": "alert", "divergence": "alert", "flatten": "all"},
        "execution": {
            "dedup_window_seconds": 0,
            "order_timeout_seconds": 20,
            "reconcile_seconds": 15,
        },
        "resiliency": {"circuit_breaker_threshold": random.choice((5, 1000))},
    }
    return unruled(tree)


class Run:
    """A seed while it runs."""

    def __init__(self, place: Place, loop: SkippingLoop, clock: VirtualClock, seed: int) -> None:
        self.place = place
        self.loop = loop
        self.random = Random(f"{place.name}:{seed}")
        self.clock = clock
        self.config = config_of(place, self.random)
        self.outcome = Outcome(place.name, seed)
        self.events: list[ev.Event] = []
        self.judge = Judge(place, self.events)
        self.prices = dict.fromkeys(place.symbols, PRICE)
        self.disk = Disk()
        self.database = memory_database()
        self.engine: Engine
        self.connection: Connection
        self._running: asyncio.Task[None]
        self._goes_wrong = asyncio.Event()
        """Something may go wrong anew: not after a start that failed, or none would succeed."""
        self._faults: set[asyncio.Task[None]] = set()
        self.script = Script(
            self.random, lambda: self.engine.book, place.name, self.prices,
            shorts=place.shorts, step=place.step, tick=place.tick,
        )  # fmt: skip

    def note(self, text: str) -> None:
        """A line of the trace."""
        self.outcome.trace.append(f"{self.loop.time():9.3f}  {text}")

    # --- the engine

    def build(self) -> None:
        """A process: with what the one before it has left behind."""
        place = self.place
        self.connection = place.opened(self.clock)
        self.journal = open_journal(self.database, inline=True, state_format=STATE_FORMAT)
        loaded = self.journal.load()
        book = Book() if loaded.snapshot is None else Book.restore(loaded.snapshot)
        for record in loaded.records:
            apply(book, record)
        broker = self.connection.broker
        world = World(
            book,
            self.config,
            {place.name: broker.capabilities},
            instrument_of=lambda symbol: default_instrument(symbol, "24/7"),
            home_calendar="24/7",
        )
        self.engine = Engine(
            world,
            brokers={place.name: broker},
            store=self.journal,
            clock=self.clock,
            latch=FileLatch(self.disk),
            gate=SendGate(),
            market=self.connection.market,
            version="seeded",
            account_ids={place.name: place.account_id},
            jitter=Random(self.random.random()),
        )
        self.engine.subscribe(self._recorded)

    def _recorded(self, record: ev.Record) -> None:
        self.events.append(record.event)
        self.note(f"     {type(record.event).__name__} {_shown(record.event)}")

    async def start(self) -> None:
        """Let the process begin, and again where it could not connect: with one account that ends
        it."""
        self._goes_wrong.set()
        while True:
            self.build()
            try:
                await self.engine.start()
            except BrokerError as error:
                self.note(f"=== it cannot start: {error}")
                self._goes_wrong.clear()
                await self._end_process()
                await asyncio.sleep(1)
                continue
            self._running = asyncio.create_task(self.engine.run())
            self._goes_wrong.set()
            return

    async def stop(self) -> None:
        """Let the process end, as an operator does."""
        await self.engine.stop("the run says so")
        await self._running
        await self._end_process()

    async def _end_process(self) -> None:
        await self.engine.stop("it could not start")
        await self.connection.broker.disconnect()
        self.connection.close()
        self.journal.close()

    # --- what happens

    async def tell_prices(self) -> None:
        """Every price, again and again, until it is cancelled."""
        while True:
            for symbol in self.prices:
                step = Decimal(round(self.random.gauss(0, 0.3), 2))
                if self.random.random() < 0.04:
                    step *= 8
                moved = self.prices[symbol] + step
                self.prices[symbol] = max(moved // self.place.tick * self.place.tick, Decimal(20))
                await self.place.tell(symbol, self.prices[symbol])
            await asyncio.sleep(0.5)

    async def ask(self) -> None:
        """Signals and commands, until it is cancelled."""
        while True:
            await asyncio.sleep(self.random.expovariate(1 / 1.4))
            if self.random.random() < 0.3:
                given = self.script.signal(self.clock.now())
                self.note(f"signal {given.direction} {given.ticker}")
                self.engine.submit(given)
                continue
            command = self.script.command()
            self.note(f"{command}")
            self._aside(self._do(command))

    async def _do(self, command: Any) -> None:
        told = await self.engine.command(command)
        self.note(f"     -> {'ok' if told.ok else told.error}")

    async def go_wrong(self) -> None:
        """Faults, until it is cancelled; some of them are not of this run."""
        faults = self.place.faults
        names = self.random.sample([*faults], self.random.randint(2, max(3, len(faults) // 2)))
        pace = self.random.choice((1.5, 3.0, 6.0))
        while True:
            await asyncio.sleep(self.random.expovariate(1 / pace))
            await self._goes_wrong.wait()
            name = self.random.choice(names)
            self.note(f"--- {name}")
            self.outcome.kinds[name] += 1
            self._aside(faults[name](self.random))

    def _aside(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._faults.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._faults.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.outcome.broken.append(f"error: {error!r}")
            self.outcome.trace.extend(traceback.format_exception(error))

    async def begin_again(self) -> None:
        """The program is ended and started again."""
        self.note("=== the program ends")
        await self.stop()
        await asyncio.sleep(self.random.uniform(0, 4))
        self.note("=== the program begins")
        await self.start()

    async def main(self) -> None:
        """From the start of the venue to the judgement."""
        place = self.place
        await place.listen()
        for symbol, price in self.prices.items():
            await place.tell(symbol, price)
        telling = asyncio.create_task(self.tell_prices())
        try:
            await self.start()
            await asyncio.sleep(2)
            asking = asyncio.create_task(self.ask())
            wrong = asyncio.create_task(self.go_wrong())
            again = self.random.random() < 0.25
            await asyncio.sleep(BUSY_SECONDS / 2)
            for task in (asking, wrong):
                if task.done():
                    task.result()
            if again:
                asking.cancel()
                await self.begin_again()
                asking = asyncio.create_task(self.ask())
            await asyncio.sleep(BUSY_SECONDS / 2)
            for task in (asking, wrong):
                task.cancel()
            await self._calm_down()
            await self._settled()
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling
            await self.stop()
            await place.server.stop()

    async def _calm_down(self) -> None:
        for task in tuple(self._faults):
            task.cancel()
        await asyncio.gather(*self._faults, return_exceptions=True)
        self.note("=== calm")
        await self.place.heal()

    async def _settled(self) -> None:
        """Until nothing is in doubt and both sides say the same, or too long."""
        end = self.loop.time() + RESTS_SECONDS
        await asyncio.sleep(SETTLES_SECONDS)
        while found := self._wrong():
            if self.loop.time() > end:
                self.judge.broken += found
                return
            await asyncio.sleep(5)

    def _wrong(self) -> list[str]:
        account = self.engine.book.account(self.place.name)
        return self.judge.unsettled(account) + self.judge.different(account)


def _shown(event: ev.Event) -> str:
    """An event in a line of the trace."""
    match event:
        case ev.OrderIntended(terms=t):
            return (f"{t.client_order_id} {t.purpose} {t.side} {t.quantity} {t.symbol} {t.type} "
                    f"{t.limit_price} {t.stop_price} {t.time_in_force}")  # fmt: skip
        case ev.OrderFilled(fill=f) | ev.FillMatched(fill=f):
            return (f"{f.client_order_id} {f.side} {f.quantity} {f.symbol} at {f.price} "
                    f"{f.execution_id}")  # fmt: skip
        case _:
            return str(event)[len(type(event).__name__) :][:400]


@contextlib.contextmanager
def prepared(venue: str, seed: int) -> Iterator[Run]:
    """A run of a seed at a venue that has not begun, in a loop of its own."""
    loop = SkippingLoop(LIMIT_SECONDS)
    asyncio.set_event_loop(loop)
    try:
        clock = VirtualClock(loop, START)
        place = PLACES[venue](Random(f"place:{venue}:{seed}"), clock.now)
        loop.withheld = lambda: place.withheld
        made = Run(place, loop, clock, seed)
        with place.in_skipped_time(loop):
            try:
                yield made
            finally:
                _end(loop)
        made.database.close()
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def run(venue: str, seed: int) -> Outcome:
    """Run one seed at a venue."""
    with prepared(venue, seed) as made:
        outcome = made.outcome
        try:
            made.loop.run_until_complete(made.main())
        except Exception as error:
            outcome.broken.append(f"error: {error!r}")
            outcome.trace.extend(traceback.format_exception(error))
    outcome.broken += made.judge.broken
    outcome.seconds = made.loop.time()
    for event in made.events:
        outcome.kinds[type(event).__name__] += 1
    return outcome


def _end(loop: SkippingLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
