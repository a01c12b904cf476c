"""The engine: inputs in, events out, effects done (DESIGN, The one idea).

It carries; it never decides. Every input goes through `step`, which lets the core decide, hands
the records to the journal and starts their effects. An order that can add exposure leaves only
once its intent is durable and the gate stands open; what reduces waits for nothing.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from engine.core.comparison import OPERATOR
from engine.core.decide import Core, RuleFailedError, Step
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import (
    Command,
    GateClosed,
    Input,
    InvalidArrived,
    JournalFailed,
    JournalRecovered,
    LatchFound,
    QueryAnswered,
    Ready,
    Sending,
    SignalArrived,
    SnapshotFailed,
    SnapshotTaken,
    Start,
    Stop,
    SubmitFailed,
    Tick,
    Trouble,
)
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Bar
from engine.domain.order import OrderStatus, OrderTerms
from engine.domain.run import Halt, LinkState
from engine.domain.signal import Signal
from engine.intake.builtin import BuiltinSignals
from engine.intake.parse import parse_line, parse_signal
from engine.ports import (
    Broker,
    BrokerError,
    Clock,
    EventStore,
    Latch,
    LinkReport,
    MarketData,
    NotSent,
    OrderReport,
)
from engine.runtime.clock import SteadyTime
from engine.runtime.lag import LagMeter
from engine.runtime.latch_keeper import LatchKeeper
from engine.runtime.result import Result, compared, result_of
from engine.runtime.send_gate import Cause, Gate
from engine.runtime.venue import Venue
from engine.state.book import Book
from engine.world import World

HISTORY_BARS = 120
HISTORY_SECONDS = 2
SNAPSHOT_EVERY = 20_000
"""Events between two snapshots of the state."""

REOPEN_SECONDS = 1.0

TICK_BUSY = 1.0
TICK_IDLE = 10.0
"""Seconds between two looks at the clock while something is open, and while nothing is."""


class Engine:
    """One account, one loop. `submit` and `command` are the ways in, `events` the way out."""

    def __init__(
        self,
        world: World,
        *,
        broker: Broker,
        store: EventStore,
        clock: Clock,
        latch: Latch,
        gate: Gate,
        market: MarketData | None,
        builtin: BuiltinSignals | None,
        version: str,
        account_id: str = "paper",
        config_digest: str = "",
    ) -> None:
        self.world = world
        self.clock = clock
        self.gate = gate
        self.lag = LagMeter()
        self.exhausted = market is None
        self._core = Core(world)
        self._broker = broker
        self._store = store
        self._latch = latch
        self._market = market
        self._builtin = builtin
        self._start = Start(version=version, account_id=account_id, config_digest=config_digest)
        self._observers: list[Callable[[ev.Record], None]] = []
        self._effects: set[asyncio.Task[None]] = set()
        self._pumps: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._early: list[OrderReport] | None = []
        """What the venue reported before the first look at it, which tells it in order."""
        self._connected = asyncio.Event()
        """The venue can be asked: what a start leads to waits for it."""
        self._sooner = asyncio.Event()
        """Something is due before the tick that was planned."""
        self._tick_at: Nanos = 0
        self._started = False
        self._stopped = False
        self._failure: BaseException | None = None
        self._journal_down = False
        self._uncleared: int | None = None
        """Epoch of a clearing that could not be made durable."""
        self._time = SteadyTime(clock)
        self._venue = Venue(broker, world.book, self._time)
        self._keeper = LatchKeeper(latch)
        self._unwatched: deque[Awaitable[None]] = deque()
        self._watching = False
        self._since_snapshot = 0

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
        return not self.book.data.orders and not self._effects

    def status(self) -> dict[str, Any]:
        """`status --json` (INTERFACE)."""
        from engine.analytics.status import Extras, status_of

        extras = Extras(
            running=self._started and not self._stopped,
            lag_ms=(self.lag.quantile(0.5), self.lag.quantile(0.99)),
            commit_ms=round(self._store.last_commit_seconds * 1000, 3),
        )
        return status_of(self.world, self._time.now(), extras)

    def subscribe(self, observer: Callable[[ev.Record], None]) -> Callable[[], None]:
        """Call `observer` with every record from now on; the result ends it.

        An observer must not raise or block: it runs between two decisions.
        """
        self._observers.append(observer)
        return lambda: self._observers.remove(observer)

    async def events(self) -> AsyncIterator[ev.Record]:
        """Every record from now on."""
        queue: asyncio.Queue[ev.Record] = asyncio.Queue()
        unsubscribe = self.subscribe(queue.put_nowait)
        try:
            while True:
                yield await queue.get()
        finally:
            unsubscribe()

    # --- ways in ----------------------------------------------------------------------------------

    def submit(
        self,
        raw: Mapping[str, Any] | str | bytes | Signal,
        *,
        source: str = "api",
        line: int = 0,
    ) -> ev.SignalDecided | ev.InputRejected:
        """Take a signal and return its verdict; one that cannot be read is recorded and said so."""
        read: Signal | InvalidArrived
        if isinstance(raw, Signal):
            read = raw
        elif isinstance(raw, str | bytes):
            read = parse_line(raw, source=source, number=line)
        else:
            read = parse_signal(raw, source=source, number=line)
        given: Input = read if isinstance(read, InvalidArrived) else SignalArrived(read)
        for record in self.step(given):
            if isinstance(record.event, ev.SignalDecided | ev.InputRejected):
                return record.event
        raise RuntimeError("a signal ended without a verdict")

    async def command(self, command: Command) -> Result:
        """Do what an operator asks; what needs the venue's view waits for it."""
        if isinstance(command, ask.Resume):
            await self._look("resume", by=command.by)
        records = self.step(command)
        if isinstance(command, ask.Reconcile):
            records += await self._look(OPERATOR, apply=command.apply, by=command.by)
            return compared(records, () if command.apply else self._core.proposed)
        return result_of(records)

    def latch_found(self, halt: Halt) -> None:
        """The latch was set from a thread or a file; the gate is closed already.

        The file then gets the halt that stands, so that a resume knows it for its own.
        """
        self.step(LatchFound(halt))
        if self.book.data.halt is not None:
            self._spawn(self._set_latch(self.book.data.halt))

    # --- life -------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Latch, what was under way, connection, comparison, history; then trade (R2).

        Raises the broker's error when it cannot be reached at all.
        """
        if self._started:
            return
        self._started = True
        latch = self._latch.read()
        if latch is not None or self.book.data.halt is not None:
            self.gate.close("halted")
        self.step(msgspec.structs.replace(self._start, latch=latch))
        if self.book.data.halt is not None and latch is None:
            self._latch.set(self.book.data.halt)
        try:
            await self._broker.connect()
        finally:
            self._connected.set()
        self._spawn_pump(self._pump_reports())
        self._spawn_pump(self._pump_timer())
        await self._look("start")
        early, self._early = self._early or [], None
        for report in early:
            self.step(report)
        self.step(Ready())
        await self._warm()
        if self._market is not None:
            self._spawn_pump(self._pump_market(self._market))

    async def run(self) -> None:
        """Run until `stop`; raises what a pump raised, after an orderly stop."""
        await self.start()
        stopping = asyncio.ensure_future(self._stopping.wait())
        waiting: set[asyncio.Future[Any]] = {stopping, *self._pumps}
        try:
            while not self._stopping.is_set():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                ended = (task.exception() for task in done if not task.cancelled())
                self._failure = self._failure or next(filter(None, ended), None)
                if self._failure is not None:
                    await self.stop(f"the engine failed: {self._failure!r}")
                    raise self._failure
        finally:
            stopping.cancel()

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
        await self._broker.disconnect()
        self._save()

    async def _drain(self) -> None:
        """Wait for effects and their reports, a few seconds at the most."""
        for _ in range(50):
            if not self._effects and not self.book.entries_working:
                return
            await self.clock.sleep(0.1)

    async def _warm(self) -> None:
        """Give the built-in signals their past; a source that fails or hangs only delays them."""
        if self._market is None or self._builtin is None:
            return
        for symbol in self.world.config.market.symbols:
            try:
                async with asyncio.timeout(HISTORY_SECONDS):
                    bars = await self._market.history(symbol, HISTORY_BARS)
            except Exception as error:  # without a past they begin later; trading does not wait
                text = f"no history: {type(error).__name__} {error}"
                self.step(Trouble(code="NO_HISTORY", subject=symbol, text=text))
                continue
            self._builtin.warm([bar for bar in bars if isinstance(bar, Bar)])

    # --- the step ---------------------------------------------------------------------------------

    def step(self, given: Input) -> list[ev.Record]:
        """One input: decide, journal, act, tell."""
        try:
            step = self._core.handle(given, self._time.now())
        except RuleFailedError as failed:
            self._carry(failed.step)
            raise
        self._carry(step)
        return step.records

    def _carry(self, step: Step) -> None:
        """Journal what was decided, start its effects, tell the observers."""
        records = step.records
        if not records:
            return
        durable = self._append(step)
        for record in records:
            effect = _EFFECTS.get(type(record.event))
            if effect is not None:
                effect(self, record.event, durable)
        for observer in tuple(self._observers):
            self._tell(observer, records)
        self._since_snapshot += len(records)
        if self._since_snapshot >= SNAPSHOT_EVERY:
            self._save()
        if self.clock.monotonic() + round(self._next_tick() * NS_PER_SECOND) < self._tick_at:
            self._sooner.set()

    def _tell(self, observer: Callable[[ev.Record], None], records: list[ev.Record]) -> None:
        try:
            for record in records:
                observer(record)
        except Exception as error:  # whoever only watches must not stop the trading
            self._observers.remove(observer)
            text = f"{type(error).__name__}: {error}"
            self.step(Trouble(code="OBSERVER_FAILED", subject=repr(observer), text=text))

    def _append(self, step: Step) -> Awaitable[None]:
        durable = self._store.append(step.records, step.touched)
        if not self._journal_down:
            self._unwatched.append(durable)
            if not self._watching:
                self._watching = True
                self._spawn(self._watch_commits())
        return durable

    async def _watch_commits(self) -> None:
        """Every append in turn: those of one commit are settled together, one task sees them."""
        try:
            while self._unwatched:
                try:
                    await self._unwatched.popleft()
                except Exception as error:  # whatever the disk says, the consequence is the same
                    self._commit_failed(str(error))
        finally:
            self._watching = False

    def _commit_failed(self, error: str) -> None:
        if not self._journal_down:
            self._journal_down = True
            self.gate.close("the journal cannot be written", Cause.JOURNAL)
            self.step(JournalFailed(error))

    def _save(self) -> None:
        self._since_snapshot = 0
        if not self._journal_down:
            self._store.save_snapshot(self.book.data.seq, self.book.snapshot())

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._effects.add(task)
        task.add_done_callback(self._effect_done)

    def _effect_done(self, task: asyncio.Task[None]) -> None:
        self._effects.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # An effect has no caller: its failure is a defect and ends the run loudly.
            self._failure = self._failure or task.exception()
            self._stopping.set()

    def _spawn_pump(self, work: Any) -> None:
        self._pumps.append(asyncio.get_running_loop().create_task(work))

    # --- effects: they follow events and never decide ---------------------------------------------

    def _intended(self, event: ev.OrderIntended, durable: Awaitable[None]) -> None:
        self._spawn(self._submit(event.terms, durable))

    async def _submit(self, order: OrderTerms, durable: Awaitable[None]) -> None:
        key = order.client_order_id
        if order.reserved:
            try:
                await durable
            except Exception as error:  # not durable: it must not leave, whatever the reason
                self.step(SubmitFailed(key, NotSent(f"its intent is not durable: {error}")))
                return
        elif order.check_first and not await self._is_new(order):
            return
        known = self.book.order(key)
        withdrawn = known is None or known.status is not OrderStatus.CREATED
        if withdrawn or (order.reserved and self.gate.closed):
            self.step(GateClosed(key))
            return
        self.step(Sending(key))
        self._hear(await self._venue.submit(order))

    def _hear(self, answer: Input | None) -> None:
        if answer is not None:
            self.step(answer)

    async def _is_new(self, order: OrderTerms) -> bool:
        """Whether the venue does not know an order that an earlier process may have sent.

        What that process sent last may still arrive. Where the venue would fill both, the question
        waits until it cannot; a stop rests, and the second of one id is refused.
        """
        able = self.world.capabilities
        if not (able.deduplicates or able.reduce_only or order.is_protective):
            bound = round((able.timeout_seconds + able.late_arrival_seconds) * NS_PER_SECOND)
            wait = self.book.data.started_at + bound - self._time.now()
            await self.clock.sleep(max(wait, 0) / NS_PER_SECOND)
        answer = await self._venue.look_up(order.client_order_id)
        if isinstance(answer, QueryAnswered) and answer.order is None:
            return True
        self.step(answer)
        return False

    async def _once_connected(self, work: Callable[[str], Awaitable[None]], given: str) -> None:
        await self._connected.wait()
        await work(given)

    def _cancel(self, event: ev.CancelRequested, durable: Awaitable[None]) -> None:
        self._spawn(self._once_connected(self._cancel_order, event.client_order_id))

    async def _cancel_order(self, key: str) -> None:
        self._hear(await self._venue.cancel(key))

    def _replace(self, event: ev.ReplaceRequested, durable: Awaitable[None]) -> None:
        self._spawn(self._modify(event.client_order_id, event.quantity, event.stop_price))

    async def _modify(self, key: str, quantity: Decimal, stop: Decimal | None) -> None:
        self._hear(await self._venue.modify(key, quantity, stop))

    def _query(self, event: ev.OrderQueried, durable: Awaitable[None]) -> None:
        self._spawn(self._once_connected(self._ask_about, event.client_order_id))

    async def _ask_about(self, key: str) -> None:
        self.step(await self._venue.look_up(key))

    def _snapshot(self, event: ev.SnapshotRequested, durable: Awaitable[None]) -> None:
        self._spawn(self._once_connected(self._look_quietly, event.reason))

    async def _look_quietly(self, reason: str) -> None:
        await self._look(reason)

    async def _look(self, reason: str, *, apply: bool = False, by: str = "") -> list[ev.Record]:
        """Ask the venue for everything a comparison needs and feed it in."""
        seen = await self._venue.look()
        if isinstance(seen, BrokerError):
            return self.step(SnapshotFailed(self._broker.name, reason, seen))
        return self.step(SnapshotTaken(seen, reason, apply, by))

    def _halted(self, event: ev.Halted, durable: Awaitable[None]) -> None:
        self.gate.close(event.halt.reason)
        self._spawn(self._set_latch(event.halt))

    async def _set_latch(self, halt: Halt) -> None:
        self._hear(await self._keeper.set(halt))

    def _cleared(self, event: ev.HaltCleared, durable: Awaitable[None]) -> None:
        self._spawn(self._clear_latch(event.epoch, durable))

    async def _clear_latch(self, epoch: int, durable: Awaitable[None]) -> None:
        """Only once the clearing is durable, so that a crash in between leaves it halted.

        A latch that someone else set meanwhile is not the one that was cleared: it halts anew.
        """
        try:
            await durable
        except Exception:  # `_watch_commits` says so; `_try_journal` comes back to it
            self._uncleared = epoch
            return
        trouble, standing = await self._keeper.clear(epoch)
        self._hear(trouble)
        if standing is not None:
            self.step(LatchFound(standing))
        elif self.book.data.halt is None:
            self.gate.open(Cause.HALT)

    # --- pumps ------------------------------------------------------------------------------------

    async def _pump_reports(self) -> None:
        """Reports for as long as the engine runs; a stream that ends is a connection that broke."""
        while not self._stopped:
            async for report in self._broker.reports():
                if self._early is not None and isinstance(report, OrderReport):
                    self._early.append(report)
                else:
                    self.step(report)
            self.step(
                LinkReport(
                    broker=self._broker.name,
                    state=LinkState.DISCONNECTED,
                    detail="the report stream ended",
                    time=self._time.now(),
                )
            )
            await self.clock.sleep(REOPEN_SECONDS)

    async def _pump_market(self, market: MarketData) -> None:
        async for event in market.events():
            self.step(event)
            if isinstance(event, Bar) and self._builtin is not None:
                for signal in self._builtin.on_bar(event):
                    self.step(SignalArrived(signal))
        self.exhausted = True

    async def _pump_timer(self) -> None:
        while True:
            pause = self._next_tick()
            self._tick_at = self.clock.monotonic() + round(pause * NS_PER_SECOND)
            timer = self.clock.call_later(pause, self._sooner.set)
            await self._sooner.wait()
            self._sooner.clear()
            timer.cancel()
            late = self.clock.monotonic() - self._tick_at
            if late < 0:
                continue
            self.lag.add(late / NS_PER_SECOND)
            if self._journal_down:
                self._try_journal()
            self.step(Tick())

    def _next_tick(self) -> float:
        data = self.book.data
        waiting = data.kill is not None or data.snapshot_asked or not data.compared
        busy = data.orders or data.positions or waiting
        pause = TICK_BUSY if busy else TICK_IDLE
        if data.kill is not None and data.kill.state == "WORKING":
            pause = 0.25
        due = self.book.next_due()
        if due is not None:
            pause = min(pause, max((due - self._time.now()) / NS_PER_SECOND, 0.001))
        return pause

    def _try_journal(self) -> None:
        if self._store.recover():
            self._journal_down = False
            self.gate.open(Cause.JOURNAL)
            self.step(JournalRecovered())
            if self._uncleared is not None:
                self._spawn(self._clear_latch(self._uncleared, self._append(Step([], []))))
                self._uncleared = None


Effect = Callable[[Engine, Any, Awaitable[None]], None]
_EFFECTS: dict[type[ev.Event], Effect] = {
    ev.OrderIntended: Engine._intended,
    ev.CancelRequested: Engine._cancel,
    ev.ReplaceRequested: Engine._replace,
    ev.OrderQueried: Engine._query,
    ev.SnapshotRequested: Engine._snapshot,
    ev.Halted: Engine._halted,
    ev.HaltCleared: Engine._cleared,
}
