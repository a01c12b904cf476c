"""One account's link to its venue: connected, listened to, asked (C-441, DESIGN Broker port).

The link keeps the connection up. When it breaks, what is in flight ends as ambiguous or not sent,
and the link connects again, at once and then with pauses. Cancels, questions and looks that come up
meanwhile wait; cancels are the first that leave on a new connection. Nothing that was sent is sent
again. The link reports, the core decides: entries wait there for the first look on the new
connection.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any

from engine.config.orders import ResiliencyConfig
from engine.core.driver import Step
from engine.core.leaving import may_leave_again
from engine.domain.events import OrderSent
from engine.domain.inputs import (
    GateClosed,
    Input,
    InstrumentTold,
    OrdersReported,
    QueryAnswered,
    QueryFailed,
    SendAgain,
    SubmitFailed,
    SubmitPutOff,
    Trouble,
)
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import OrderTerms, Replacement
from engine.domain.run import LinkState
from engine.ports import (
    Ambiguous,
    AuthFailed,
    Broker,
    BrokerError,
    Clock,
    LinkReport,
    NotSent,
    OrderReport,
    Rejected,
    Report,
    StreamRefused,
    Throttled,
)
from engine.runtime import cancelled
from engine.runtime.ahead import Ahead
from engine.runtime.answers import instrument_fault, wait_fault
from engine.runtime.backoff import Backoff
from engine.runtime.bans import Bans
from engine.runtime.cancels import Cancels
from engine.runtime.clock import SteadyTime
from engine.runtime.first_question import FirstQuestion
from engine.runtime.link import LONGEST_SECONDS, Link
from engine.runtime.looks import Looks
from engine.runtime.outside import Outside, believed_wait
from engine.runtime.pace import Pace
from engine.runtime.send_gate import SendGate
from engine.runtime.silence_watch import SilenceWatch
from engine.runtime.transport.attempts import SHORTEST_WAIT, Waits, attempted
from engine.runtime.venue import Venue
from engine.state.book import Book

CONNECT_SECONDS = 10
"""How long one attempt to connect may take."""

STEADY_SECONDS = 5
"""A connection that broke sooner counts as one more attempt that failed: no storm of attempts."""

REPORTS_AT_ONCE = 256
"""Reports taken before whatever else is ready, as a key or a cancel, has its turn (X-89)."""

ASKED_TO_WAIT_SECONDS = 2.0
"""So long in all an order that only reduces waits here where its venue asks for it."""

REFUSED_SECONDS = 60.0
"""Pause after credentials were refused: asking faster may lock the account at the venue."""


class AccountLink:
    """The link of one account; `name` is the account's name under `[brokers]`.

    `cancels` asks for cancels, `looks` for everything that the venue has of the account, and
    `silence` watches whether the venue answers. `waits` are the pauses between attempts to send.

    `step` hands an input to the core and returns what it led to; `spawn` runs work that nobody
    waits for; `gate` holds back what can add exposure; `outside` cleans the venue's words;
    what the venue states of `symbols`, which are traded here, is asked for; `resiliency` says how
    often what provably was not sent is tried again; `jitter` spreads the pauses between attempts
    (None: exact pauses).
    """

    def __init__(
        self,
        broker: Broker,
        book: Book,
        *,
        gate: SendGate,
        clock: Clock,
        time: SteadyTime,
        step: Callable[[Input], Step],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        outside: Outside,
        resiliency: ResiliencyConfig,
        symbols: tuple[str, ...] = (),
        jitter: Random | None = None,
    ) -> None:
        self.name = broker.name
        self._broker = broker
        self._book = book
        self._clock = clock
        self._time = time
        self._step = step
        self._spawn = spawn
        self._link = Link(broker.name, time.now)
        self._pace = pace = Pace(clock)
        self._bans = Bans(broker.name, time.now, step)
        self._venue = Venue(broker, self._link, gate, book, time, outside=outside, hear=self._hear)
        self._outside = outside
        self._resiliency = resiliency
        self._symbols = symbols
        self._jitter = jitter
        self._backoff = Backoff(jitter)
        self._state: LinkState | None = None
        """What the core was told last."""
        self._connected = asyncio.Event()
        self._lost = asyncio.Event()
        self._lost.set()
        self._up_since: Nanos = 0
        """When the newest connection came up, on the monotonic clock."""
        self._half_open = False
        """The stream ended, and the adapter may still hold the rest of the connection."""
        self._asked_to_wait = 0.0
        """Seconds to wait at least before the next attempt, as the last one was answered."""
        self._resting: asyncio.Event | None = None
        """What ends the pause that is on, where it is one that the venue asked for."""
        self._said = ""
        """Why the venue does not let us in, once it was said."""
        self._waiting_queries: dict[str, None] = {}
        """The orders to ask about once there is a connection, in the order it came up."""
        self.cancels = Cancels(broker, self._venue, self._link, step=step, spawn=spawn)
        self.waits = Waits(clock)
        self.looks = Looks(
            broker.name,
            self._venue,
            self._link,
            book,
            clock=clock,
            step=step,
            spawn=spawn,
            pauses=Backoff(jitter),
            pace=pace,
        )
        self._first_question = FirstQuestion(
            broker,
            book,
            self._venue,
            self._link,
            connected=self._connected,
            clock=clock,
            time=time,
            step=step,
        )
        self.silence = SilenceWatch(
            broker,
            self._venue,
            self._link,
            self.looks,
            connected=self._connected,
            clock=clock,
            time=time,
            step=step,
            spawn=spawn,
        )

    @property
    def connection(self) -> int:
        """The number of the newest connection; 0 before the first."""
        return self._link.connection

    # --- the connection ---------------------------------------------------------------------------

    async def open(self) -> BrokerError | None:
        """Try once to connect; what kept it from that, in words that may be shown, after which
        `keep` goes on trying."""
        self._backoff.pause()  # this attempt is the first, at once
        error = await self._connect()
        if error is None:
            return None
        self._report(LinkState.CONNECTING, str(error))
        return self._outside.error(error)

    async def keep(self) -> None:
        """Connect again whenever the connection is lost, for as long as the engine runs."""
        while True:
            await self._lost.wait()
            pause = self._backoff.pause()
            if self._asked_to_wait > pause:
                if not await self._rested(self._asked_to_wait):
                    continue
            elif pause:
                await self._clock.sleep(pause)
            if self._link.is_up and self._state is not LinkState.POLLED:
                continue  # the adapter came back by itself
            if self._half_open:
                await self.close()
            await self._connect()

    async def _rested(self, seconds: float) -> bool:
        """Wait as long as the venue asked for; False where that was cut short.

        It is where only the stream is refused, and the requests then fail too: exits wait for the
        connection, and that is tried for with the usual pauses (rule 3).
        """
        over = self._resting = asyncio.Event()
        timer = self._clock.call_later(seconds, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()
            self._resting = None
        return self._asked_to_wait > 0

    async def listen(self) -> None:
        """Hand every report to the core; a stream that ends is a connection that broke."""
        while True:
            await self._connected.wait()
            ended = await self._listen_once()
            self._half_open = self._link.is_up
            self._broke(ended)

    async def close(self) -> None:
        """Disconnect; nothing is cancelled by that, and nothing depends on how it ends (D-53)."""
        self._half_open = False
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CONNECT_SECONDS):
                with cancelled.told_apart(f"the end of the connection to {self.name}"):
                    await self._broker.disconnect()

    async def _listen_once(self) -> str:
        """One stream to its end; why it ended."""
        stream = Ahead(self._broker.reports())
        taken = 0
        while True:
            try:
                with cancelled.told_apart("it"):
                    reports = await stream.read(most=REPORTS_AT_ONCE)
            except StopAsyncIteration:
                return "the report stream ended"
            except Exception as error:  # a broken adapter proves no more than a broken connection
                return f"the report stream broke: {error}"
            self._take_all(reports)
            taken += len(reports)
            if taken >= REPORTS_AT_ONCE:
                taken = 0
                await self._clock.sleep(0)

    def _take_all(self, reports: list[Report]) -> None:
        """Hand over what came together; what one report alone leads to is not how things stand."""
        together: list[OrderReport] = []
        for report in reports:
            if len(reports) > 1 and isinstance(report, OrderReport) and self.looks.early is None:
                together.append(self._venue.own(report))
                continue
            self._tell(together)
            together = []
            self._take(report)
        self._tell(together)

    def _tell(self, together: list[OrderReport]) -> None:
        """The core hears of reports that came together, unless they are gathered with others."""
        if self.cancels.gathers(together):
            return
        self.cancels.give_way(together)
        self._step(together[0] if len(together) == 1 else OrdersReported(tuple(together)))

    def _take(self, report: Report) -> None:
        if isinstance(report, OrderReport):
            own = self._venue.own(report)
            if self.looks.early is not None:
                self.looks.early.append(own)
            else:
                self._tell([own])
        elif report.state is LinkState.CONNECTED:
            self._came_up()
        else:
            self._broke(report.detail)

    async def _connect(self) -> Exception | None:
        """Try once to connect; returns the error, or None."""
        self._asked_to_wait = 0.0
        try:
            async with asyncio.timeout(CONNECT_SECONDS) as limit:
                with cancelled.told_apart(f"the attempt to connect to {self.name}"):
                    await self._broker.connect()
        except StreamRefused as refused:
            self._asked_to_wait = believed_wait(refused)
            self._came_up(without_stream=str(refused))
            return None
        except Exception as error:  # whatever an adapter raises, there is no connection
            self._broke(str(error))
            if limit.expired():
                return NotSent(f"{self.name} did not answer within {CONNECT_SECONDS} s")
            self._refused(error)
            return error
        self._came_up()
        return None

    def _refused(self, error: Exception) -> None:
        """Wait as long as the venue wants; say once why one that answers does not let us in."""
        text = self._outside.text(f"{type(error).__name__}: {error}")
        usual = isinstance(error, NotSent | Ambiguous)
        if isinstance(error, Throttled):
            checked = self._outside.wait(error)
            self._asked_to_wait = checked.retry_after
            self._bans.heard(checked)
            text, usual = f"Throttled: {checked}", not wait_fault(error)
        elif isinstance(error, AuthFailed):
            self._asked_to_wait = REFUSED_SECONDS
        if not usual and text != self._said:
            self._said = text
            self._step(Trouble(code="CONNECT_FAILED", subject=self.name, text=text))

    def _hear(self, error: BrokerError) -> None:
        """A request was refused: whoever has to know how long the venue wants us to wait does."""
        self._pace.heard(error)
        self._bans.heard(error)

    def _came_up(self, without_stream: str = "") -> None:
        """There is a connection: cancels leave first, then the core hears of it.

        `without_stream`: why it has no stream, which is then tried for again; "" where it has one.
        """
        state = LinkState.POLLED if without_stream else LinkState.CONNECTED
        (self._lost.set if without_stream else self._lost.clear)()
        if self._link.is_up:
            if self._state is LinkState.POLLED and not without_stream:
                self.looks.streams()
            self._report(state, without_stream)
            return
        self._link.came_up()
        self._connected.set()
        self._up_since = self._clock.monotonic()
        self._said = ""
        self.cancels.ask_waiting()
        self._report(state, without_stream)
        # Those that the core has just asked for again are no longer among them.
        queries, self._waiting_queries = self._waiting_queries, {}
        for key in queries:
            self.query(key)
        self.looks.ask_waiting()
        if self._broker.capabilities.states_instruments:
            self._spawn(self._learn())

    async def _learn(self) -> None:
        """Ask what the venue states of what is traded, held or works here, one after the other.

        A venue that asks to wait is asked again then. Where there is no answer, the facts that are
        known stand until the next connection.
        """
        account, connection = self._book.account(self.name), self.connection
        there = (*account.positions, *(order.symbol for order in account.orders.values()))
        asked = deque(dict.fromkeys((*self._symbols, *there)))
        while asked:
            if self.connection != connection or not self._link.is_up:
                return
            symbol = asked.popleft()
            try:
                async with self._link.beside(LONGEST_SECONDS):
                    told = await self._broker.instrument(symbol)
                if fault := instrument_fault(symbol, told):
                    raise Ambiguous(fault)
            except Throttled as error:
                asked.appendleft(symbol)
                await self._clock.sleep(max(self._outside.wait(error).retry_after, SHORTEST_WAIT))
            except Rejected as error:
                fault = f"{self.name} does not trade {symbol}: {self._outside.text(error.text)}"
                self._step(InstrumentTold(self.name, symbol, None, fault))
            except Exception as error:  # what is known of it stands
                text = f"nothing was told of {symbol}: {self._outside.error(error)}"
                self._step(Trouble(code="NO_INSTRUMENT", subject=symbol, text=text))
            else:
                self._step(InstrumentTold(self.name, symbol, told))

    def _broke(self, detail: str) -> None:
        if not self._link.is_up:
            return
        self.cancels.broke()
        self._link.broke()
        self._connected.clear()
        if self._clock.monotonic() - self._up_since >= STEADY_SECONDS * NS_PER_SECOND:
            self._backoff.reset()
        self._report(LinkState.DISCONNECTED, detail)
        self._asked_to_wait = 0.0  # it was asked for the stream alone
        if self._resting is not None:
            self._resting.set()
        self._lost.set()

    def _report(self, state: LinkState, detail: str = "") -> None:
        if state is self._state:
            return
        self._state = state
        now = self._time.now()
        self._step(
            LinkReport(account=self.name, state=state, detail=self._outside.text(detail), time=now)
        )

    # --- orders -----------------------------------------------------------------------------------

    async def is_new(self, order: OrderTerms) -> bool:
        """Whether the venue does not know an order that an earlier process may have sent; see
        `FirstQuestion.is_new`."""
        return await self._first_question.is_new(order)

    def lost_since(self, connection: int) -> NotSent | None:
        """Why an order that was decided on this connection must not leave any more, if so."""
        if self._link.is_up and self._link.connection == connection:
            return None
        return NotSent(f"the connection to {self.name} broke before it was sent")

    async def submit(self, order: OrderTerms) -> None:
        """Hand an order over; the core hears of it when it was not taken.

        What adds exposure and provably was not sent is tried again after pauses, of which the core
        hears too (C-401). What reduces has attempts of its own, in its plan; only where a venue
        asks to wait for no longer than `ASKED_TO_WAIT_SECONDS` in all, it leaves after that.
        """
        failed = await (self._attempted(order) if order.adds_exposure else self._reduced(order))
        if failed is not None:
            self._step(failed)

    async def _attempted(self, order: OrderTerms) -> SubmitFailed | GateClosed | None:
        key, connection = order.client_order_id, self.connection

        async def once() -> SubmitFailed | GateClosed | None:
            failed = await self._venue.submit(order)
            if isinstance(failed, SubmitFailed) and isinstance(failed.error, NotSent | Throttled):
                raise failed.error
            return failed

        def put_off(error: BrokerError, seconds: float) -> None:
            until = self._time.now() + round(seconds * NS_PER_SECOND)
            self._step(SubmitPutOff(self.name, key, until, error))

        def goes_on(error: BrokerError) -> bool:
            if self.lost_since(connection) is not None:
                return False
            step = self._step(SendAgain(self.name, key, error))
            return any(isinstance(record.event, OrderSent) for record in step.records)

        try:
            return await attempted(
                once,
                policy=self._resiliency,
                wait=partial(self.waits.wait, key),
                random=self._jitter,
                put_off=put_off,
                goes_on=goes_on,
            )
        except (NotSent, Throttled) as error:
            return SubmitFailed(self.name, key, error)

    async def _reduced(self, order: OrderTerms) -> SubmitFailed | GateClosed | None:
        """Its plan would place the stop again that has made room for it, and use up the requests
        that it waits for. One that is for more than is held by then is left to its plan."""
        key, connection, left = order.client_order_id, self.connection, ASKED_TO_WAIT_SECONDS
        while True:
            failed = await self._venue.submit(order)
            if not isinstance(failed, SubmitFailed) or not isinstance(failed.error, Throttled):
                return failed
            pause = max(failed.error.retry_after, SHORTEST_WAIT)
            if pause > left:
                return failed
            left -= pause
            await self.waits.wait(key, pause)
            if not may_leave_again(self._book, order) or self.lost_since(connection) is not None:
                return failed

    async def modify(self, key: str, wanted: Replacement, *, adds: bool) -> None:
        """Ask for other terms; the core hears of it when it was not taken.

        `adds`: the order can add exposure.
        """
        failed = await self._venue.modify(key, wanted, adds=adds)
        if failed is not None:
            self._step(failed)

    # --- questions --------------------------------------------------------------------------------

    def query(self, key: str) -> None:
        """Ask what the venue knows of an order, as soon as there is a connection."""
        if self._link.is_up:
            self._waiting_queries.pop(key, None)
            self._spawn(self._query(key))
        else:
            self._waiting_queries[key] = None

    async def _query(self, key: str) -> None:
        self._step(await self._venue.look_up(key))

    async def ask_about(self, key: str) -> QueryAnswered | QueryFailed:
        """What the venue says of an order now; the core has heard it by then."""
        told = await self._venue.look_up(key)
        self._step(told)
        return told
