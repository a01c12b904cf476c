"""One seeded run: the real engine in virtual time against faulty venues, through crashes.

`simulate(seed, profile)` returns what came of it; equal seeds give equal digests.
"""

import asyncio
import hashlib
from collections.abc import Coroutine, Generator
from contextlib import AbstractContextManager
from functools import partial
from random import Random
from types import coroutine
from typing import Any, Final, TypeVar

import msgspec

from engine.core import decide as core
from engine.domain import commands as ask
from engine.domain.events import Record
from engine.domain.inputs import Command
from engine.domain.instant import NS_PER_SECOND, Nanos, parse_rfc3339
from engine.domain.instrument import default_instrument
from engine.domain.market import MarketEvent, Quote
from engine.domain.order import OrderTerms
from engine.domain.run import Flatten, Halt, Level, Trigger
from engine.domain.signal import Direction
from engine.ports import BrokerError, Capabilities, Clock
from engine.runtime.clock import VirtualClock
from engine.runtime.engine import Engine
from engine.runtime.send_gate import SendGate
from engine.runtime.virtual_time import (
    Deadlock,
    Livelock,
    SimulatedCrash,
    VirtualLoop,
    VirtualTimeLimit,
    run_virtual,
)
from engine.state.book import Book
from engine.state.fold import apply
from engine.world import World
from tests.simulation import scenario
from tests.simulation.agenda import Agenda
from tests.simulation.faults import CALM, PROFILES, Faults, Profile
from tests.simulation.line import Line
from tests.simulation.pairs import PairArrived, open_pair
from tests.simulation.store import Disk, FileLatch, MemoryStore, RealStore, Row
from tests.simulation.venue import ACCOUNT, Venue, capabilities
from tests.simulation.watch import Watch

T = TypeVar("T")

START: Final = parse_rfc3339("2013-10-07T16:00:00Z")
BUSY_SECONDS: Final = 30
"""How long faults, prices and people go on."""
QUIET_LIMIT: Final = 400
"""Within so many seconds after that all is settled, or nothing ever is (I11)."""
EVENT_LIMIT: Final = 20_000
SOUND: Final = CALM.faults
"""What a venue that never fails does: it fills in parts now and then."""
KILL_AFTER_SIGNAL: Final = 0.02
"""Chance of a kill in the moment after a signal, while its order waits for the disk."""
CRASH_AT_COMMIT: Final = 0.01
PAIRS: Final = 0.3
"""Chance that a signal is drawn as one of two legs, of which some do not fit together."""
SNAPSHOT_CHANCE: Final = 0.05
"""How often the state is kept, asked twice a second."""


class Outcome(msgspec.Struct, kw_only=True):
    """What came of a run."""

    seed: int
    profile: str
    broken: list[str]
    digest: str
    events: int
    fills: int
    crashes: int
    kills: int
    real_journal: bool
    refused: int
    """Signals that an overload refused."""
    seconds: float
    """Virtual."""
    steps: int
    kinds: set[str]
    accounts: int
    parts: int
    """Parts of positions that were closed to the end."""
    successors: int
    """Orders that took the place of another."""
    shared: int
    """Symbols that were held in two accounts."""
    pairs: int
    """Intents of two legs that were carried to their end."""
    trace: list[str]

    @property
    def report(self) -> str:
        """What a failing test prints."""
        lines = "\n".join(self.trace)
        broken = "\n".join(self.broken[:5])
        return f"seed {self.seed} of profile {self.profile}:\n{broken}\n--- last events\n{lines}"


class Feed:
    """The market data port of one process: quotes as they come."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[MarketEvent] = asyncio.Queue()

    def put(self, event: MarketEvent) -> None:
        """The newest."""
        self._queue.put_nowait(event)

    async def events(self):  # type: ignore[no-untyped-def]  # an async generator of the port's type
        """In order."""
        while True:
            yield await self._queue.get()

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """None is kept."""
        return ()


@coroutine
def _until_it_waits(
    work: Coroutine[Any, Any, T], heard: AbstractContextManager[None]
) -> Generator[Any, Any, T]:
    """The work, of which what it does before it first waits is done within `heard`."""
    try:
        with heard:
            waited = work.send(None)
        while True:
            try:
                sent = yield waited
            except BaseException as error:  # what is thrown here is the work's, as if it ran alone
                waited = work.throw(error)
            else:
                waited = work.send(sent)
    except StopIteration as done:
        result: T = done.value
        return result


class Run:
    """A seed while it runs. A variant with a rule taken out overrides the parts it is made of."""

    line_class: type[Line] = Line
    latch_class: type[FileLatch] = FileLatch
    gate_class: type[SendGate] = SendGate
    disk_class: type[Disk] = Disk
    keeps_snapshots = True
    calendar = "SIM"
    """Of every instrument; one that nobody knows is always open."""

    def __init__(self, seed: int, profile: Profile) -> None:
        self.profile = profile
        self.random = random = Random(f"{profile.name}:{seed}")
        self.waves = Random(f"{profile.name}:{seed}:waves")
        """What floods draw on, so that a run without one is the same run."""
        self.setting = self._setting()
        self.starts = self._starts()
        self.agenda = Agenda(self.starts)
        self.disk = self.disk_class()
        self.sound = self._sound_accounts()
        self.venues = {name: self._venue(seed, name) for name in self.setting.accounts}
        self.watch = self._watch()
        self.market = self._market()
        self.market.on_quote = self._quote
        self.clock: VirtualClock | None = None
        self.feed: Feed | None = None
        self.engine: Engine | None = None
        self.store: MemoryStore | RealStore | None = None
        self.digest = hashlib.sha256()
        self.crashes_left = random.randint(0, profile.crashes)
        self.crashes = 0
        self.kills = 0
        self.steps = 0
        self.real = random.random() < profile.real_journal
        self.quiet = False
        self.quiet_until: Nanos = 0
        self.done = False
        self._signals = 0
        self._late = 0
        self._plan()

    # --- what it is made of -----------------------------------------------------------------------

    def _starts(self) -> Nanos:
        """When it begins."""
        return START

    def _setting(self) -> scenario.Setting:
        """The accounts, what is traded in them, and the config."""
        return scenario.setting(self.random, one_sound=self.profile.one_sound)

    def _watch(self) -> Watch:
        """Who sees everything."""
        return Watch(self.disk, self.venues, lambda: self.agenda.now, faultless=self.sound)

    def _clock(self, clock: VirtualClock) -> Clock:
        """The clock of the engine."""
        return clock

    def _market(self) -> scenario.Market:
        """Where prices come from."""
        jumps, symbols = self.profile.jumps, self.setting.symbols
        return scenario.Market(self.agenda, self.random, jumps, symbols)

    # --- what is going to happen ------------------------------------------------------------------

    def _sound_accounts(self) -> frozenset[str]:
        """The accounts whose venue never fails."""
        if self.profile.one_sound:
            return frozenset((self.random.choice(self.setting.accounts),))
        calm = self.profile.name == "calm"
        return frozenset(self.setting.accounts if calm else ())

    def _venue(self, seed: int, name: str) -> Venue:
        """The venue of an account; its chances are its own, whatever happens at another."""
        random = Random(f"{self.profile.name}:{seed}:{name}")
        account_id = ACCOUNT if name == scenario.PRIMARY else name
        able = capabilities(random, self.profile.joins)
        venue = Venue(self.agenda, random, able, name=name, account_id=account_id)
        failing = not self.profile.one_sound or name not in self.sound
        venue.faults = self.profile.faults if failing else SOUND
        return venue

    def _plan(self) -> None:
        agenda, random, profile = self.agenda, self.random, self.profile
        for number, symbol in enumerate(self.setting.symbols):
            agenda.after(0.01 + number / 10, lambda s=symbol: self._prices(s))  # type: ignore[misc]
        self._plan_signals()
        for _ in range(random.randint(0, profile.operator)):
            agenda.after(random.uniform(2, BUSY_SECONDS), self._command)
        for _ in range(random.randint(0, profile.hands)):
            agenda.after(random.uniform(3, BUSY_SECONDS), partial(self._when, scenario.hand))
        for _ in range(random.randint(0, profile.changes)):
            agenda.after(random.uniform(1, BUSY_SECONDS), partial(self._when, scenario.change))
        for name, venue in self.venues.items():
            if name not in self.sound:
                self._plan_outages(venue)
        for _ in range(random.randint(0, profile.full_disks)):
            full = random.uniform(2, BUSY_SECONDS)
            agenda.after(full, lambda: setattr(self.disk, "full", True))
            agenda.after(full + random.uniform(0.5, 8), lambda: setattr(self.disk, "full", False))
        for _ in range(self.waves.randint(0, profile.floods)):
            agenda.after(self.waves.uniform(2, BUSY_SECONDS - 5), self._flood)
        agenda.after(BUSY_SECONDS, self._calm_down)

    def _plan_signals(self) -> None:
        at = 1.0
        while (at := at + self.random.expovariate(1 / 3)) < BUSY_SECONDS - 3:
            self.agenda.after(at, self._signal)

    def _plan_outages(self, venue: Venue) -> None:
        agenda, random, profile = self.agenda, self.random, self.profile

        def up() -> None:
            venue.set_link(up=True)

        for _ in range(random.randint(0, profile.link_cuts)):
            down = random.uniform(2, BUSY_SECONDS)
            agenda.after(down, lambda: venue.set_link(up=False))
            agenda.after(down + random.uniform(0.5, 10), up)
        for _ in range(random.randint(0, profile.restarts)):
            down = random.uniform(2, BUSY_SECONDS)
            agenda.after(down, venue.restart)
            agenda.after(down + random.uniform(0.5, 5), up)
        for _ in range(random.randint(0, profile.strangers)):
            symbol = random.choice(self.setting.symbols)
            at = random.uniform(2, BUSY_SECONDS - 5)
            agenda.after(at, partial(venue.somebody_orders, symbol))

    def _calm_down(self) -> None:
        self.quiet = True
        self.quiet_until = self.agenda.now + QUIET_LIMIT * NS_PER_SECOND
        for venue in self.venues.values():
            venue.faults = Faults()
            if not venue.link_up:
                venue.set_link(up=True)
            venue.somebody_withdraws()
        self.market.calm = True
        self.disk.full = False
        self.watch.note("--- faults end")
        self.agenda.after(5, self._look_whether_done)

    def _look_whether_done(self) -> None:
        settled = self.engine is not None and not self.watch.unsettled()
        if self.done or settled or self.agenda.now >= self.quiet_until:
            self._finish()
        else:
            self.agenda.after(2, self._look_whether_done)

    def _finish(self) -> None:
        self.done = True
        if not self.watch.found:
            self.watch.at_end()

    def _prices(self, symbol: str) -> None:
        self.market.tell(symbol)
        pause = 5.0 if self.quiet else self.random.uniform(0.6, 1.4)
        self.agenda.after(pause, lambda: self._prices(symbol))

    def _quote(self, quote: Quote) -> None:
        for venue in self.venues.values():
            venue.on_price(quote)
        if self.feed is not None:
            self.feed.put(quote)

    def _signal(self) -> None:
        random = self.random
        count = random.randint(4, 8) if random.random() < 0.1 else 1
        for _ in range(count):
            self._signals += 1
            made = scenario.signal(random, self.market, self._signals, self.agenda.now)
            if self.engine is not None and self._running and random.random() < PAIRS:
                other = scenario.signal(random, self.market, self._signals, self.agenda.now)
                enter = Direction.FLAT not in (made.direction, other.direction)
                if enter and made.ticker != other.ticker:
                    self.engine.step(PairArrived(made, other))  # type: ignore[arg-type]
            elif self.engine is not None and self._running:
                self.engine.submit(made)
                if random.random() < KILL_AFTER_SIGNAL:
                    self.agenda.after(random.uniform(0, 0.1), self._kill)
                if random.random() < 0.1:
                    self.watch.second(self.engine.submit(made))

    def _flood(self) -> None:
        """For seconds signals come in that have waited too long; now and then one has not."""
        for after in sorted(self.waves.uniform(0, 3) for _ in range(self.waves.randint(10, 90))):
            self.agenda.after(after, self._late_signal)

    def _late_signal(self) -> None:
        self._late += 1
        made = scenario.signal(self.waves, self.market, self._late, self.agenda.now)
        made = msgspec.structs.replace(made, signal_id=f"late{self._late // 2}")
        waited = (
            0 if self.waves.random() < 0.02 else round(self.waves.uniform(0.2, 2) * NS_PER_SECOND)
        )
        if self.engine is not None and self._running:
            self.watch.floods.offer(made.signal_id)
            assert self.clock is not None
            self.clock.is_real = True  # where time is not the machine's nothing has waited
            try:
                self.watch.floods.answered(self.engine.submit(made, waited=waited))
            finally:
                self.clock.is_real = False

    def _command(self) -> None:
        if self.engine is None or not self._running:
            return
        given = scenario.command(self.random, self.market, self.engine.book, self.setting.accounts)
        if isinstance(given, ask.Kill):
            self.kills += 1
            self.agenda.after(self.random.uniform(3, 15), self._resume)
        elif isinstance(given, ask.Pause):
            self.agenda.after(self.random.uniform(1, 5), lambda: self._do(ask.Unpause(by="sim")))
        self._do(given)

    def _when(self, draw: scenario.Draw) -> None:
        """An operator does something to a position or an order, as soon as there is one."""
        if self.quiet:
            return
        given = None
        if self.engine is not None and self._running:
            given = draw(self.random, self.market, self.engine.book, self.setting.accounts)
        if given is None:
            self.agenda.after(self.random.uniform(0.2, 1), partial(self._when, draw))
        else:
            self._do(given)

    def _kill(self) -> None:
        self.kills += 1
        level = self.random.choice(tuple(Level))
        if self.random.random() < 0.5:
            self._do(ask.Kill(by="sim", level=level))
        else:
            self._kill_from_outside(level)
        self.agenda.after(self.random.uniform(3, 15), self._resume)

    def _kill_from_outside(self, level: Level) -> None:
        """As a thread does while the loop is busy: gate and latch at once, the loop hears later."""
        engine = self.engine
        if engine is None or not self._running:
            return
        halt = Halt(
            reason="from outside",
            at=self.agenda.now,
            by="sim",
            level=level,
            trigger=Trigger.LATCH,
            flatten=Flatten.ALL,
            epoch=0,
        )
        asked = engine.gate.ask(halt.reason)
        self.latch_class(self.disk).set(halt)
        self.watch.note("killed from outside")
        delay = self.random.uniform(0, 0.05)
        self.agenda.after(delay, lambda: self._tell_of_latch(engine, halt, asked))

    def _tell_of_latch(self, engine: Engine, halt: Halt, asked: int) -> None:
        if engine is self.engine and self._running:
            engine.latch_found(halt)
            engine.halt_taken([asked])

    def _resume(self) -> None:
        self._do(ask.Resume(by="sim", confirm="RESUME"))
        if self.random.random() < KILL_AFTER_SIGNAL:
            self.agenda.after(self.random.uniform(0, 0.5), self._kill)
        self.agenda.after(2, lambda: self._do(ask.Unpause(by="sim")))

    def _do(self, given: Command) -> None:
        engine = self.engine
        if engine is not None and self._running:
            self.watch.note(f"operator: {scenario.words(given)}")
            task = asyncio.get_running_loop().create_task(self._ask(engine, given))
            self._commands.add(task)
            task.add_done_callback(self._commands.discard)

    async def _ask(self, engine: Engine, given: Command) -> None:
        # What is asked without waiting for a venue is decided before this gives way to anything.
        waits = isinstance(given, ask.Resume | ask.Reconcile)
        heard = self.watch.hearing(None if waits else given)
        result = await _until_it_waits(engine.command(given), heard)
        if not result.ok:
            self.watch.note(f"refused: {result.code} {result.error}")

    # --- processes --------------------------------------------------------------------------------

    def go(self) -> None:
        """Processes one after the other until the end."""
        start = self.starts
        core.RULES[PairArrived] = open_pair
        try:
            while not self.done:
                start = self._process(start)
        finally:
            del core.RULES[PairArrived]

    def _process(self, start: Nanos) -> Nanos:
        """One process from its start to its crash or the end; when it ended."""
        self._running = False
        self._commands: set[asyncio.Task[object]] = set()
        step = None
        if self.crashes_left and not self.quiet:
            mean = 30 if self.random.random() < 0.3 else 500
            step = 1 + int(self.random.expovariate(1 / mean))
        limit = BUSY_SECONDS + QUIET_LIMIT + 60
        try:
            run_virtual(self._live, start, limit, crash_at=step)
        except SimulatedCrash as crash:
            self.crashes += 1
            self.crashes_left -= 1
            self.steps += crash.step
            self.watch.note("=== crash")
            self._bury(crash)
        return self.agenda.now

    def _bury(self, crash: SimulatedCrash) -> None:
        if self.engine is not None:
            self.watch.crashed()
        self._forget()
        crash.bury()

    def _forget(self) -> None:
        for venue in self.venues.values():
            if venue.line is not None:
                venue.line.die()
        if self.store is not None:
            self.store.die()
        self.watch.engine = self.engine = self.feed = self.store = None
        self._running = False

    async def _live(self, clock: VirtualClock) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.agenda.attach(loop, clock)
        self.clock = clock
        if self.crashes:
            await clock.sleep(self.random.uniform(0, 4))
        while not self.done:
            engine = self._build(clock)
            try:
                await engine.start()
            except BrokerError as error:
                self.watch.note(f"start failed: {error}")
                await engine.stop("the venue cannot be reached")
                self._forget()
                await clock.sleep(1)
                continue
            self._running = True
            running = loop.create_task(engine.run())
            while not self.done and not running.done():
                await clock.sleep(0.5)
                self.watch.sample()
                if self._keeps_a_snapshot() and self.store is not None:
                    self.store.save_snapshot(engine.book.data.seq, engine.book.snapshot())
                if self.watch.found or self.watch.events > EVENT_LIMIT:
                    self.done = True
            if not running.done():
                await engine.stop("the run is over")
            await running
            self.steps += loop.steps

    def _keeps_a_snapshot(self) -> bool:
        """By chance, where a process may come that would read it."""
        by_chance = self.keeps_snapshots and self.random.random() < SNAPSHOT_CHANCE
        return by_chance and self.crashes_left > 0

    def _build(self, clock: VirtualClock) -> Engine:
        watch = self.watch
        self.store = store = self._open_store()
        snapshot, tail = store.load()
        book = Book() if snapshot is None else Book.restore(snapshot)
        for record in tail:
            apply(book, record)
        world = World(
            book,
            self.setting.config,
            {name: self._stated(venue.capabilities) for name, venue in self.venues.items()},
            instrument_of=lambda symbol: default_instrument(symbol, self.calendar),
            home_calendar=self.calendar,
        )
        lines = {name: self._line(venue) for name, venue in self.venues.items()}
        store.on_row = self._row
        self.feed = Feed()
        self.engine = Engine(
            world,
            brokers=lines,
            store=store,
            clock=self._clock(clock),
            latch=self.latch_class(self.disk),
            gate=self.gate_class(),
            market=self.feed,
            version="simulation",
            account_ids={name: venue.account_id for name, venue in self.venues.items()},
        )
        watch.started(self.engine)
        self.engine.subscribe(self._happened)
        return self.engine

    def _happened(self, record: Record) -> None:
        """Tell the watch. An observer that fails is told nothing more, and would find nothing."""
        try:
            self.watch.happened(record)
        except Exception as error:
            name = type(error).__name__
            self.watch.broken(
                "error", f"the watch itself failed: {name}: {error} at {_where(error)}"
            )
            raise

    def _line(self, venue: Venue) -> Line:
        line = self.line_class(venue)
        line.calendar = self.calendar
        line.on_submit = lambda order: self._sending(venue.name, order)
        line.on_key = lambda key: self.watch.asking_about(venue.name, key)
        line.on_change = self.watch.changing
        return line

    def _sending(self, account: str, order: OrderTerms) -> None:
        self.watch.sending(account, order)
        if order.client_order_id in self.disk.intents or self.quiet or not self.crashes_left:
            return
        if self.random.random() < self.profile.crash_after_send:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            loop.crash_at(loop.steps + 1)

    def _open_store(self) -> MemoryStore | RealStore:
        if self.real:
            return RealStore(self.disk, self._crash_at_commit)
        return MemoryStore(self.disk, self.agenda, self._commit_delay)

    def _crash_at_commit(self) -> bool:
        """Decide whether the process ends around this commit."""
        if self.quiet or not self.crashes_left or self.random.random() >= CRASH_AT_COMMIT:
            return False
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.crash_at(loop.steps + 1)
        return True

    def _stated(self, capabilities: Capabilities) -> Capabilities:
        """What the engine is told the venue can do."""
        return capabilities

    def _commit_delay(self) -> float:
        chance = 0.0 if self.quiet else self.profile.slow_commit
        if not chance or self.random.random() >= chance:
            return 0.0
        return self.random.uniform(0.001, 0.1)

    def _row(self, row: Row) -> None:
        seq, time, name, data = row
        self.digest.update(f"{seq} {time} {name} ".encode())
        self.digest.update(data)
        self.watch.row(row)

    def outcome(self, seed: int) -> Outcome:
        """As it ended."""
        return Outcome(
            seed=seed,
            profile=self.profile.name,
            broken=self.watch.found,
            digest=self.digest.hexdigest(),
            events=self.watch.events,
            fills=sum(len(venue.fills) for venue in self.venues.values()),
            crashes=self.crashes,
            kills=self.kills,
            real_journal=self.real,
            refused=self.watch.floods.refused,
            seconds=(self.agenda.now - self.starts) / NS_PER_SECOND,
            steps=self.steps,
            kinds=self.watch.seen,
            accounts=len(self.venues),
            parts=self.watch.reductions.closed_parts,
            successors=self.watch.replaces.succeeded,
            shared=len(self.watch.ledger.shared()),
            pairs=self.watch.pairs.ended,
            trace=self.watch.trace,
        )


def simulate(seed: int, profile: str | Profile = "hostile", kind: type[Run] = Run) -> Outcome:
    """Run one seed. `kind` may be a variant with a rule taken out."""
    chosen = PROFILES[profile] if isinstance(profile, str) else profile
    run = kind(seed, chosen)
    try:
        run.go()
    except (Deadlock, Livelock, VirtualTimeLimit) as stuck:
        run.watch.broken("liveness", str(stuck))
    except Exception as error:
        run.watch.broken("error", f"{type(error).__name__}: {error} at {_where(error)}")
    return run.outcome(seed)


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    places = []
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " < ".join(reversed(places[-6:]))
