"""The engine: inputs in, events out, effects done (DESIGN, The one idea).

Every input goes through `step`, which lets the core decide, hands the records to the journal and
starts their effects: what leaves for the venues (`sender`), the gate and the latch of a halt
(`halting`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from random import Random
from typing import Any, TypeAlias

import msgspec

from engine.config.accounts import routed_symbols
from engine.core.driver import Core, RuleFailedError, Step
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import (
    ClockSet,
    Command,
    Input,
    InvalidArrived,
    LatchFound,
    Ready,
    SignalArrived,
    Start,
    Stop,
    Tick,
)
from engine.domain.instant import Nanos
from engine.domain.market import Bar
from engine.domain.result import Result
from engine.domain.run import Halt, LinkState
from engine.domain.signal import Signal
from engine.intake.parse import parse_line, parse_signal
from engine.ports import Broker, Clock, EventStore, Latch, MarketData, Settled
from engine.runtime import cancelled
from engine.runtime.account_link import AccountLink
from engine.runtime.clock import steady
from engine.runtime.commands import Commands
from engine.runtime.feed import feeds_of
from engine.runtime.halting import Halting
from engine.runtime.journal_watch import JournalWatch
from engine.runtime.lag import LagMeter
from engine.runtime.links import Links
from engine.runtime.observers import Follower, Observers
from engine.runtime.outside import Outside
from engine.runtime.result import result_of, settled
from engine.runtime.send_gate import Cause, SendGate
from engine.runtime.sender import Sender
from engine.runtime.tasks import Tasks
from engine.runtime.timer import Timer
from engine.state.book import Book
from engine.world import World

Effect: TypeAlias = Callable[[Any, Awaitable[None]], None]
"""Is called with an event, and with what resolves once the event is durable."""


class Engine:
    """One loop, and a link to the venue of each account.

    `submit` and `command` are the ways in, `events` and `state` the ways out. `brokers` holds the
    broker of each account by the account's name, `market` the source of prices, or that of each
    account whose venue tells those of its symbols. `recorded`: the market is a recording, which
    ends and cannot be asked again. `jitter` spreads the pauses between attempts to connect to them;
    without it the pauses are exact. `redact` takes secrets out of what venues say; without it
    nothing is taken out.
    """

    def __init__(
        self,
        world: World,
        *,
        brokers: Mapping[str, Broker],
        store: EventStore,
        clock: Clock,
        latch: Latch,
        gate: SendGate,
        market: MarketData | Mapping[str, MarketData] | None,
        recorded: bool = False,
        version: str,
        account_ids: Mapping[str, str] | None = None,
        config_digest: str = "",
        jitter: Random | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self.world = world
        self.clock = clock
        self.gate = gate
        self.lag = LagMeter(clock.monotonic)
        self._core = Core(world)
        ids = dict(account_ids) if account_ids is not None else {name: name for name in brokers}
        self._start = Start(version=version, accounts=ids, config_digest=config_digest)
        self._observers = Observers()
        self._pumps: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._started = False
        self._stopped = False
        self._failure: BaseException | None = None
        self._newest: Awaitable[None] = Settled()
        """Resolves once everything recorded so far is durable."""
        self._time = steady(clock)
        self._time.not_before(world.book.data.time)
        self._clock_set_by: Nanos = 0
        """By how much the core was told that the clock was set."""
        self._tasks = Tasks(self._failed)
        self._journal = JournalWatch(
            store, world.book, gate=gate, tasks=self._tasks, step=self.step
        )
        self._timer = Timer(
            world.book,
            clock=clock,
            time=self._time,
            lag=self.lag,
            tick=self._on_tick,
            calm=self._calm_until,
            due=self._due_at,
        )
        self._feeds = feeds_of(
            market, step=self.step, clock=clock, recorded=recorded, redact=redact
        )
        outside = Outside(redact)
        links = {
            name: AccountLink(
                broker,
                world.book,
                gate=gate,
                clock=clock,
                time=self._time,
                step=self._take,
                spawn=self._tasks.spawn,
                outside=outside,
                resiliency=world.config.resiliency,
                symbols=_traded(world, name),
                jitter=jitter,
            )
            for name, broker in brokers.items()
        }
        self._links = Links(links, pump=self._pump, spawn=self._tasks.spawn)
        self._halting = Halting(latch, world.book, gate=gate, tasks=self._tasks, step=self.step)
        self._commands = Commands(
            self._links, world.book, halting=self._halting, time=self._time, step=self.step
        )
        sender = Sender(
            self._links,
            world.book,
            gate=gate,
            halting=self._halting,
            journal=self._journal,
            tasks=self._tasks,
            step=self.step,
        )
        self._effects: dict[type[ev.Event], Effect] = {
            ev.OrderIntended: sender.intended,
            ev.CancelRequested: sender.cancel,
            ev.ReplaceRequested: sender.replace,
            ev.OrderQueried: sender.query,
            ev.SnapshotRequested: sender.look,
            ev.Halted: self._halting.halted,
            ev.HaltCleared: self._halting.cleared,
            ev.LinkChanged: self._link_changed,
        }
        """What follows an event; it never decides."""

    # --- reading ----------------------------------------------------------------------------------

    @property
    def book(self) -> Book:
        """The state; read it freely."""
        return self.world.book

    @property
    def state(self) -> Book:
        """The public name of `book`."""
        return self.world.book

    @property
    def idle(self) -> bool:
        """True when no order works and no effect is under way."""
        return not self.book.index.count and not len(self._tasks)

    @property
    def exhausted(self) -> bool:
        """True when no market event will come any more."""
        return all(feed.exhausted for feed in self._feeds)

    def status(self) -> dict[str, Any]:
        """`status --json` (INTERFACE)."""
        from engine.analytics.status import Extras, status_of

        extras = Extras(
            running=self._started and not self._stopped,
            lag_ms=(self.lag.quantile(0.5), self.lag.quantile(0.99)),
            commit_ms=round(self._journal.last_commit_seconds * 1000, 3),
        )
        return status_of(self.world, self._time.now(), extras)

    def subscribe(self, observer: Callable[[ev.Record], None]) -> Callable[[], None]:
        """Call `observer` with every record from now on; the result ends it.

        An observer must not raise or block: it runs between two decisions.
        """
        return self._observers.subscribe(observer)

    def follow(self, follower: Follower) -> Callable[[], None]:
        """As `subscribe`, for one that also wants the values of the state each record touched."""
        return self._observers.follow(follower)

    def events(self) -> AsyncIterator[ev.Record]:
        """Every record from now on."""
        return self._observers.events()

    # --- ways in ----------------------------------------------------------------------------------

    def submit(
        self,
        raw: Mapping[str, Any] | str | bytes | Signal,
        *,
        source: str = "api",
        line: int = 0,
        waited: Nanos = 0,
    ) -> ev.SignalDecided | ev.InputRejected:
        """Take a signal and return its verdict; one that cannot be read is recorded and said so.

        `waited`: nanoseconds since it reached this process (X-89).
        """
        read: Signal | InvalidArrived
        if isinstance(raw, Signal):
            read = raw
        elif isinstance(raw, str | bytes):
            read = parse_line(raw, source=source, number=line)
        else:
            read = parse_signal(raw, source=source, number=line)
        given: Input = read if isinstance(read, InvalidArrived) else SignalArrived(read, waited)
        step = self._take(given)
        if step.refused is not None:
            return step.refused
        for record in step.records:
            if isinstance(record.event, ev.SignalDecided | ev.InputRejected):
                return record.event
        raise RuntimeError("a signal ended without a verdict")

    async def command(self, command: Command) -> Result:
        """Do what an operator asks; what needs the venue's view waits for it.

        The answer waits until what was decided is durable, but for that to a kill. Where that
        takes too long, or fails, what only reduces was done all the same, with `data["durable"]`
        False; what adds exposure was not sent, and is refused (`runtime.result.settled`).
        """
        told = await self._commands.do(command)
        return told if isinstance(command, ask.Kill) else await self._settled(told)

    async def submitted(
        self, raw: Mapping[str, Any] | str | bytes, *, source: str, line: int
    ) -> tuple[ev.SignalDecided | ev.InputRejected, Result]:
        """As `submit`, with an answer that waits as `command` does."""
        decided = self.submit(raw, source=source, line=line)
        ids = decided.client_order_ids if isinstance(decided, ev.SignalDecided) else ()
        return decided, await self._settled(Result(ok=True, orders=ids))

    async def _settled(self, told: Result) -> Result:
        """The answer, once what was decided last is durable, failed or is late."""
        return settled(told, await self._journal.written(self._newest), self.book)

    def halt(self, kill: ask.Kill) -> Result:
        """As `command`, at once: nothing of a halt waits for the venue (X-52).

        The cancels that it leads to are the next thing that the loop does.
        """
        return result_of(self.step(kill))

    def latch_found(self, halt: Halt) -> None:
        """The latch was set from a thread or a file; the gate is closed already.

        The file then gets the halt that stands, so that a resume knows it for its own.
        """
        self._halting.found(halt)

    def halt_taken(self, asked: Iterable[int]) -> None:
        """The halts that these askings (`SendGate.ask`) were for have been decided on.

        Without a halt that stands, they keep the gate shut.
        """
        if self.book.data.halt is not None:
            for number in asked:
                self.gate.taken(number)

    def _link_changed(self, changed: ev.LinkChanged, _durable: Awaitable[None]) -> None:
        """A venue that is connected to again is asked for its prices at once (P-05)."""
        if changed.state is LinkState.CONNECTED:
            for feed in self._feeds:
                if feed.account in ("", changed.account):
                    feed.hurry()

    # --- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Latch, what was under way, connections, comparison; then trade (R2).

        The market follows beside it, its history first. With one account, raises what kept it from
        being connected to. With several, each that cannot be connected to is tried again, and the
        others trade.
        """
        if self._started:
            return
        self._started = True
        latch = self._halting.found_at_start()
        self.step(msgspec.structs.replace(self._start, latch=latch))
        self._halting.complete(latch)
        self._links.begin()
        self._pump(self._timer.run())
        await self._links.begun()
        self.step(Ready())
        for feed in self._feeds:
            world = self.world
            symbols = world.config.market.symbols
            if feed.account:
                symbols = routed_symbols(world.config, feed.account, world.instrument)
            self._pump(feed.run(symbols if self.world.follows_bars else ()))

    async def run(self) -> None:
        """Run until `stop`; raises what a pump or an effect raised, after an orderly stop."""
        await self.start()
        await self._stopping.wait()
        if self._failure is not None:
            await self.stop(f"the engine failed: {self._failure!r}")
            raise self._failure

    async def stop(self, reason: str) -> None:
        """No entries, protective stops stay, what is under way drains (C-504, C-552)."""
        if self._stopped:
            return
        self._stopped = True
        self.gate.close("stopping", Cause.STOPPING)
        if self._started:
            self.step(Stop(reason))
            await self._drain()
        self._stopping.set()
        for task in self._pumps:
            task.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)
        await self._links.close()
        self._journal.save()

    async def _drain(self) -> None:
        """Wait for effects and their reports: a tenth of a second, a few seconds at the most."""
        for _ in range(50):
            await self.clock.sleep(0.1)
            if not len(self._tasks) and not self.book.index.entries:
                return

    # --- the step ---------------------------------------------------------------------------------

    def step(self, given: Input) -> list[ev.Record]:
        """One input: decide, journal, act, tell. Returns what was recorded.

        Raises RuleFailedError for a defect of ours; `run` then stops the engine.
        """
        return self._take(given).records

    def _take(self, given: Input) -> Step:
        kind, waited, calm = type(given), 0, self._core.calm_until
        if kind is Bar:
            waited = self._overdue()
        elif kind is ask.Kill or kind is LatchFound:
            self._halting.asked += 1
        elif isinstance(given, ask.AGED):
            given = self._aged(given)
        try:
            step = self._core.handle(given, self._time.now(), waited)
        except RuleFailedError as failed:
            self._timer.rouse()
            self._carry(failed.step)
            self._failed(failed)  # whoever gave it: what the rule left undone nobody can know
            raise
        if step.records or self._core.calm_until != calm or self._time.set_by != self._clock_set_by:
            self._timer.rouse()  # the calm has ended, or a tick is to tell that the clock was set
        self._carry(step)
        return step

    def _aged(
        self, given: SignalArrived | ask.PlaceOrder | ask.ModifyOrder | ask.RetryLetter
    ) -> Input:
        """What may add exposure, with the age of the oldest input that is not decided yet (X-89).

        That is the input itself, or a tick that is due. Virtual time and recordings know no wait.
        """
        waited = max(given.waited, self._overdue()) if self.clock.is_real else 0
        if waited == given.waited:
            return given
        return msgspec.structs.replace(given, waited=waited)

    def _overdue(self) -> Nanos:
        """How long a tick has been due and could not run; 0 where time is not the machine's."""
        return self._timer.overdue() if self.clock.is_real else 0

    def _carry(self, step: Step) -> None:
        """Journal what was decided, start its effects, tell the observers."""
        records = step.records
        if not records:
            if step.refused is not None:
                self._timer.replan()  # it is gathered, and must be recorded in time
            return
        durable = self._newest = self._journal.append(step)
        for record in records:
            effect = self._effects.get(type(record.event))
            if effect is not None:
                effect(record.event, durable)
        failed = self._observers.tell(step)
        self._journal.save(if_due=True)
        self._timer.replan()
        for trouble in failed:
            self.step(trouble)  # every observer has these records before those it leads to

    def _due_at(self) -> Nanos | None:
        """When a tick must come for something that is not in the book; None for nothing."""
        due, day_ends = self._core.due_at, self._core.day_ends
        if not day_ends:
            return due
        return day_ends if due is None else min(due, day_ends)

    def _calm_until(self) -> Nanos:
        """Before when a tick leads to nothing; each tries a journal that is down."""
        if self._journal.is_down:
            return 0
        due = self._core.due_at
        return self._core.calm_until if due is None else min(self._core.calm_until, due)

    def _on_tick(self) -> None:
        recovered = self._journal.is_down and self._journal.try_again()
        if recovered and self._halting.owes_clearing:
            self._halting.clear_again(self._journal.append(Step([], [])))
        self._journal.tell_trouble()
        self._tell_clock()
        self.step(Tick())

    def _tell_clock(self) -> None:
        """Say that the machine's clock was set, and when it is followed."""
        self._time.now()
        if (by := self._time.set_by) != self._clock_set_by:
            self._clock_set_by = by
            self.step(ClockSet(by))

    def _failed(self, error: BaseException) -> None:
        """Remember the first failure; `run` stops the engine and raises it."""
        self._failure = self._failure or error
        self._stopping.set()

    def _pump(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run this for as long as the engine runs; its failure ends the run."""
        task = asyncio.get_running_loop().create_task(work)
        self._pumps.append(task)
        task.add_done_callback(self._pump_ended)
        return task

    def _pump_ended(self, pump: asyncio.Task[None]) -> None:
        error = cancelled.failure_of(pump)
        if error is not None and not (self._stopped and pump.cancelled()):
            self._failed(error)


def _traded(world: World, account: str) -> tuple[str, ...]:
    """The watched symbols that may be traded in an account: those that are routed there, and in the
    fallback whatever its venue trades (A-240)."""
    config = world.config
    if account != config.account.fallback:
        return routed_symbols(config, account, world.instrument)
    trades = config.brokers.of(account).asset_classes
    return tuple(s for s in config.market.symbols if world.instrument(s).asset_class in trades)
