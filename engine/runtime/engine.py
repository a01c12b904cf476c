"""The engine: inputs in, events out, effects done (DESIGN, The one idea).

Every input goes through `step`, which lets the core decide, hands the records to the journal and
starts their effects, each with the session of its account. An order that can add exposure is sent
only once its intent is durable and while the gate is open; one that reduces waits for neither.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from random import Random
from typing import Any, NamedTuple, TypeAlias

import msgspec

from engine.core.comparison import OPERATOR
from engine.core.driver import Core, RuleFailedError, Step
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import (
    ClockSet,
    Command,
    Input,
    InvalidArrived,
    LatchFound,
    ModifyFailed,
    QueryAnswered,
    Ready,
    Sending,
    SignalArrived,
    Start,
    Stop,
    SubmitFailed,
    Tick,
    Trouble,
)
from engine.domain.instant import Nanos
from engine.domain.market import Bar
from engine.domain.order import OrderStatus, OrderTerms, Replacement
from engine.domain.result import Result
from engine.domain.run import Halt
from engine.domain.signal import Signal
from engine.intake.operator import is_fresh
from engine.intake.parse import parse_line, parse_signal
from engine.ports import Broker, Clock, EventStore, Latch, LatchError, MarketData, NotSent, Settled
from engine.runtime.clock import steady
from engine.runtime.feed import MarketFeed
from engine.runtime.journal_watch import REDUCING_WAITS, JournalWatch
from engine.runtime.lag import LagMeter
from engine.runtime.latch_keeper import LatchKeeper, not_kept
from engine.runtime.outside import Outside
from engine.runtime.result import compared, result_of
from engine.runtime.send_gate import Cause, SendGate
from engine.runtime.session import CONNECT_SECONDS, AccountSession
from engine.runtime.tasks import Tasks
from engine.runtime.timer import Timer
from engine.state.book import Book
from engine.state.touched import Touched
from engine.world import World

BEGIN_SECONDS = 5
"""How long the start waits for the first look at a venue."""

Follower: TypeAlias = Callable[[ev.Record, Sequence[Touched]], None]
"""Is called with a record and the values of the state that it touched."""


class _Observer(NamedTuple):
    """Who is told of every record: `given` is what was handed in, to name it by."""

    call: Follower
    given: object


class Engine:
    """One loop, and a session for each account.

    `submit` and `command` are the ways in, `events` and `state` the ways out. `brokers` holds the
    broker of each account by the account's name. `jitter` spreads the pauses between attempts to
    connect to them; without it the pauses are exact. `redact` takes secrets out of what venues say;
    without it nothing is taken out.
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
        market: MarketData | None,
        version: str,
        account_ids: Mapping[str, str] | None = None,
        config_digest: str = "",
        jitter: Random | None = None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self.world = world
        self.clock = clock
        self.gate = gate
        self.lag = LagMeter()
        self._core = Core(world)
        self._latch = latch
        ids = dict(account_ids) if account_ids is not None else {name: name for name in brokers}
        self._start = Start(version=version, accounts=ids, config_digest=config_digest)
        self._observers: list[_Observer] = []
        self._pumps: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self._started = False
        self._stopped = False
        self._failure: BaseException | None = None
        self._newest: Awaitable[None] = Settled()
        """Resolves once everything recorded so far is durable."""
        self._uncleared: int | None = None
        """Epoch of a clearing that could not be made durable."""
        self._time = steady(clock)
        self._time.not_before(world.book.data.time)
        self._clock_set_by: Nanos = 0
        """By how much the core was told that the clock was set."""
        self._halts = 0
        """How often a halt was asked for, also where one stood that went as far."""
        self._keeper = LatchKeeper(latch)
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
        self._feed = MarketFeed(market, step=self.step) if market is not None else None
        outside = Outside(redact)
        self._sessions = {
            name: AccountSession(
                broker,
                world.book,
                gate=gate,
                clock=clock,
                time=self._time,
                step=self._take,
                spawn=self._tasks.spawn,
                outside=outside,
                jitter=jitter,
            )
            for name, broker in brokers.items()
        }

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
        return self._feed is None or self._feed.exhausted

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
        return self._observe(_Observer(lambda record, _: observer(record), observer))

    def follow(self, follower: Follower) -> Callable[[], None]:
        """As `subscribe`, for one that also wants the values of the state each record touched."""
        return self._observe(_Observer(follower, follower))

    def _observe(self, observer: _Observer) -> Callable[[], None]:
        self._observers.append(observer)
        return lambda: self._leave_out(observer)

    def _leave_out(self, observer: _Observer) -> None:
        """Tell it no more; one that failed is left out already."""
        self._observers = [other for other in self._observers if other is not observer]

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
        takes too long, or fails, `data["durable"]` is False: what only reduces was done all the
        same.
        """
        if isinstance(command, ask.Resume):
            command = await self._checked(command)
        elif isinstance(command, ask.ResolveOrder):
            command = await self._asked_about(command)
        told = result_of(self.step(command))
        if isinstance(command, ask.Reconcile) and told.ok:
            told = await self._compared(command)
        if not isinstance(command, ask.Kill) and not await self._journal.written(self._newest):
            told = msgspec.structs.replace(told, data=told.data | {"durable": False})
        return told

    async def _compared(self, command: ask.Reconcile) -> Result:
        """What looks at the venues found, and what of it was taken over where that was asked."""
        asked = [one for name, one in self._sessions.items() if command.broker in ("", name)]
        looks = (one.look(OPERATOR, apply=command.apply, by=command.by) for one in asked)
        seen = await asyncio.gather(*looks)
        proposed = () if command.apply else tuple(e for step in seen for e in step.proposed)
        return compared([record for step in seen for record in step.records], proposed)

    async def _checked(self, resume: ask.Resume) -> ask.Resume:
        """The resume, after every venue was looked at, with what speaks against the clearing.

        A halt that is asked for meanwhile is another one than was to be cleared, also where it goes
        no further than that; and a latch that cannot be cleared would halt again at once.
        """
        known = self._halts, self.book.data.epoch, self.gate.newest
        await self._look_afresh(resume.by)
        halt = self.book.data.halt
        standing = None if halt is None else await self._keeper.kept(halt)
        if standing is not None:
            against = f"the halt latch stands and is not ours to clear: {standing.reason}"
            resume = msgspec.structs.replace(resume, against=against)
        if (self._halts, self.book.data.epoch, self.gate.newest) != known:
            against = "a halt was asked for meanwhile: look at what it did, then resume again"
            resume = msgspec.structs.replace(resume, against=against)
        return resume

    async def _look_afresh(self, by: str) -> None:
        """Look at all venues at once; again where a look grew old while another was waited for."""
        await asyncio.gather(*(one.look("resume", by=by) for one in self._sessions.values()))
        old = [
            session
            for name, session in self._sessions.items()
            if not is_fresh(self.book.account(name), self._time.now())
        ]
        await asyncio.gather(*(one.look("resume", by=by) for one in old))

    async def _asked_about(self, resolve: ask.ResolveOrder) -> ask.ResolveOrder:
        """The decision with what the venue says of the order now, which is taken in before it."""
        order = self.book.order(resolve.client_order_id)
        session = None if order is None else self._sessions.get(order.account)
        if session is None or order is None or order.status is not OrderStatus.UNKNOWN:
            return resolve
        told = await session.ask_about(order.client_order_id)
        if not isinstance(told, QueryAnswered):
            return resolve
        return msgspec.structs.replace(
            resolve, answered=True, there=told.order, asked_at=told.asked_at
        )

    def halt(self, kill: ask.Kill) -> Result:
        """As `command`, at once: nothing of a halt waits for the venue (X-52).

        The cancels that it leads to are the next thing that the loop does.
        """
        return result_of(self.step(kill))

    def latch_found(self, halt: Halt) -> None:
        """The latch was set from a thread or a file; the gate is closed already.

        The file then gets the halt that stands, so that a resume knows it for its own.
        """
        self.step(LatchFound(halt))
        if self.book.data.halt is not None:
            self._tasks.spawn(self._set_latch(self.book.data.halt))

    def halt_taken(self, asked: Iterable[int]) -> None:
        """The halts that these askings (`SendGate.ask`) were for have been decided on.

        Without a halt that stands, they keep the gate shut.
        """
        if self.book.data.halt is not None:
            for number in asked:
                self.gate.taken(number)

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
        latch = self._latch.read()
        if latch is not None or self.book.data.halt is not None:
            self.gate.close("halted")
        self.step(msgspec.structs.replace(self._start, latch=latch))
        halt = self.book.data.halt
        if halt is not None and (latch is None or latch.epoch < halt.epoch):
            # A file that had no room for the details gets them, so that a resume knows it for ours.
            try:
                self._latch.set(halt)
            except LatchError as error:
                self.step(not_kept(error))
        await self._connect()
        self.step(Ready())
        if self._feed is not None:
            symbols = self.world.config.market.symbols
            self._pump(self._feed.run(symbols if self.world.follows_bars else ()))

    async def _connect(self) -> None:
        """Connect every account, look at each that could be, and keep all of them connected.

        None waits for another. What a venue leaves unanswered is waited for only so long: the
        engine then starts without it, and takes no entries there before it was seen.
        """
        sessions = tuple(self._sessions.values())
        alone = len(sessions) == 1
        begun = [asyncio.ensure_future(self._begin(session, alone=alone)) for session in sessions]
        self._pumps += begun
        self._pump(self._timer.run())
        done, _ = await asyncio.wait(begun, timeout=BEGIN_SECONDS + CONNECT_SECONDS)
        for each in done:
            await each

    async def _begin(self, session: AccountSession, *, alone: bool) -> None:
        """One account: its connection, its reports, and the first look at it.

        Raises what kept the only account from being connected to.
        """
        error = await session.open()
        if alone and error is not None:
            raise error
        self._pump(session.listen())
        self._pump(session.keep())
        self._pump(session.look_again())
        self._pump(session.watch())
        if error is None:
            self._tasks.spawn(session.first_look())
            await session.begun(BEGIN_SECONDS)
        session.release_early()

    async def run(self) -> None:
        """Run until `stop`; raises what a pump or an effect raised, after an orderly stop."""
        await self.start()
        stopping = asyncio.ensure_future(self._stopping.wait())
        waiting: set[asyncio.Future[Any]] = {stopping, *self._pumps}
        try:
            while self._failure is None and not self._stopping.is_set():
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    error = None if task.cancelled() else task.exception()
                    if error is not None:
                        self._failed(error)
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
        for session in self._sessions.values():
            await session.close()
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
            self._halts += 1
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
            effect = _EFFECTS.get(type(record.event))
            if effect is not None:
                effect(self, record.event, durable)
        failed = [self._tell(observer, step) for observer in tuple(self._observers)]
        self._journal.save(if_due=True)
        self._timer.replan()
        for trouble in filter(None, failed):
            self.step(trouble)  # every observer has these records before those it leads to

    def _tell(self, observer: _Observer, step: Step) -> Trouble | None:
        """Hand the records over; one that raises hears of no more, and what it raised is told."""
        try:
            for record, touched in zip(step.records, step.touched, strict=True):
                observer.call(record, touched)
        except Exception as error:  # whoever only watches must not stop the trading
            self._leave_out(observer)
            text = f"{type(error).__name__}: {error}"
            return Trouble(code="OBSERVER_FAILED", subject=repr(observer.given), text=text)
        return None

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
        if self._journal.is_down and self._journal.try_again() and self._uncleared is not None:
            self._tasks.spawn(
                self._clear_latch(self._uncleared, self._journal.append(Step([], [])))
            )
            self._uncleared = None
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

    def _pump(self, work: Coroutine[Any, Any, None]) -> None:
        """Run this for as long as the engine runs; its failure ends the run."""
        self._pumps.append(asyncio.get_running_loop().create_task(work))

    # --- effects: they follow events and never decide ---------------------------------------------

    def _session(self, account: str) -> AccountSession:
        """Raises LookupError for an account that this engine was not given."""
        try:
            return self._sessions[account]
        except KeyError:
            known = ", ".join(sorted(self._sessions))
            raise LookupError(f"no broker for account {account!r}; given are: {known}") from None

    def _intended(self, event: ev.OrderIntended, durable: Awaitable[None]) -> None:
        self._tasks.spawn(self._submit(event.terms, durable))

    async def _submit(self, order: OrderTerms, durable: Awaitable[None]) -> None:
        key = order.client_order_id
        session = self._session(order.account)
        connection = session.connection
        if order.adds_exposure:
            try:
                await durable
            except Exception as error:  # not durable: it must not leave, whatever the reason
                self.step(
                    SubmitFailed(order.account, key, NotSent(f"its intent is not durable: {error}"))
                )
                return
        else:
            if not order.is_derived:
                # A process that ended before would leave an order that the next cannot know; a
                # journal that cannot be written, or waits, keeps nothing from being reduced.
                await self._journal.written(durable, within=REDUCING_WAITS)
            if order.check_first and not await session.is_new(order):
                return
        known = self.book.order_in(order.account, key)
        withdrawn = known is None or known.status is not OrderStatus.CREATED
        if withdrawn or (order.adds_exposure and self.gate.closed):
            self.step(self.gate.withheld(order.account, key))
            return
        lost = session.lost_since(connection) if order.adds_exposure else None
        if lost is not None:
            self.step(SubmitFailed(order.account, key, lost))
            return
        self.step(Sending(order.account, key))
        await session.submit(order)

    def _cancel(self, event: ev.CancelRequested, durable: Awaitable[None]) -> None:
        self._session(event.account).cancel(event.client_order_id)

    def _replace(self, event: ev.ReplaceRequested, durable: Awaitable[None]) -> None:
        if event.native:
            self._tasks.spawn(self._modify(event, durable))
        else:
            self._session(event.account).cancel(event.client_order_id)

    async def _modify(self, event: ev.ReplaceRequested, durable: Awaitable[None]) -> None:
        """What adds exposure waits for the disk and for the gate; a stop waits for nothing."""
        key, session = event.client_order_id, self._session(event.account)
        connection = session.connection
        if event.adds_exposure:
            try:
                await durable
            except Exception as error:  # not durable: it must not leave, whatever the reason
                self.step(
                    ModifyFailed(event.account, key, NotSent(f"the change is not durable: {error}"))
                )
                return
            known = self.book.order_in(event.account, key)
            if known is None or known.status is not OrderStatus.PENDING_REPLACE:
                return  # a cancel came in between
            lost = session.lost_since(connection)
            if lost is not None:
                self.step(ModifyFailed(event.account, key, lost))
                return
        wanted = Replacement(
            quantity=event.quantity,
            limit_price=event.limit_price,
            stop_price=event.stop_price,
            time_in_force=event.time_in_force,
        )
        await session.modify(key, wanted, adds=event.adds_exposure)

    def _query(self, event: ev.OrderQueried, durable: Awaitable[None]) -> None:
        self._session(event.account).query(event.client_order_id)

    def _snapshot(self, event: ev.SnapshotRequested, durable: Awaitable[None]) -> None:
        self._session(event.account).ask_look(event.reason)

    def _halted(self, event: ev.Halted, durable: Awaitable[None]) -> None:
        self.gate.close(event.halt.reason)
        self._tasks.spawn(self._set_latch(event.halt))

    async def _set_latch(self, halt: Halt) -> None:
        trouble = await self._keeper.set(halt)
        if trouble is not None:
            self.step(trouble)

    def _cleared(self, event: ev.HaltCleared, durable: Awaitable[None]) -> None:
        self._tasks.spawn(self._clear_latch(event.epoch, durable))

    async def _clear_latch(self, epoch: int, durable: Awaitable[None]) -> None:
        """Only once the clearing is durable, so that a crash in between leaves it halted.

        A latch that someone else set meanwhile is not the one that was cleared: it halts anew.
        """
        try:
            await durable
        except Exception:  # the journal's watch says so; the tick after its recovery comes back
            self._uncleared = epoch
            return
        trouble, standing = await self._keeper.clear(epoch)
        if trouble is not None:
            self.step(trouble)
        if standing is not None:
            self.step(LatchFound(standing))
        elif self.book.data.halt is None:
            self.gate.open(Cause.HALT)


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
