"""One account's session with its venue: connected, listened to, asked (C-441, DESIGN Broker port).

The session keeps the connection up. When it breaks, what is in flight ends as ambiguous or not
sent, and the session connects again, at once and then with pauses. Cancels, questions and looks
that come up meanwhile wait; cancels are the first that leave on a new connection. Nothing that was
sent is sent again. The session reports, the core decides: entries wait there for the first look on
the new connection.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from engine.core.comparison import START
from engine.core.driver import Step
from engine.domain.account import VenueSnapshot
from engine.domain.inputs import (
    Input,
    OrdersReported,
    QueryAnswered,
    QueryFailed,
    SnapshotFailed,
    SnapshotTaken,
    Trouble,
    Unanswered,
)
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import OrderStatus, OrderTerms, Replacement
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
    Report,
    Throttled,
)
from engine.runtime.ahead import Ahead
from engine.runtime.answers import wait_fault
from engine.runtime.backoff import FIRST_PAUSE, Backoff
from engine.runtime.clock import SteadyTime
from engine.runtime.link import Link
from engine.runtime.outside import Outside
from engine.runtime.send_gate import SendGate
from engine.runtime.venue import Venue
from engine.state.book import Book

SETTLES = 1.1
"""Seconds after which a list shows what the cash did before."""

BELIEVED = 5
"""An account that changes so often while it is first looked at begins with the newest look."""

CONNECT_SECONDS = 10
"""How long one attempt to connect may take."""

STEADY_SECONDS = 5
"""A connection that broke sooner counts as one more attempt that failed: no storm of attempts."""

SILENCE = "silence"
"""Why a venue is looked at that has left a question without an answer."""

SILENCE_SECONDS = 5
"""A question that is not answered for so long is told to the core (X-84)."""

RECOVERY_SECONDS = 0.25
"""How soon after it answers again a venue that was silent is heard."""

SHORTEST_PAUSE = 0.01
"""Seconds between two looks at what the venue owes an answer to."""

AT_ONCE = 256
"""Reports taken before whatever else is ready, as a key or a cancel, has its turn (X-89)."""

REFUSED_SECONDS = 60.0
"""Pause after credentials were refused: asking faster may lock the account at the venue."""

Decide = Callable[[Input], Step]

_MISSING = "missing"
"""Key in `_failures` for a look that lacked a part."""


class AccountSession:
    """The session of one account; `name` is the account's name under `[brokers]`.

    `step` hands an input to the core and returns what it led to; `spawn` runs work that nobody
    waits for; `gate` holds back what can add exposure; `outside` cleans the venue's words; `jitter`
    spreads the pauses between attempts to connect (None: exact pauses).
    """

    def __init__(
        self,
        broker: Broker,
        book: Book,
        *,
        gate: SendGate,
        clock: Clock,
        time: SteadyTime,
        step: Decide,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        outside: Outside,
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
        self._venue = Venue(broker, self._link, gate, book, time, outside=outside)
        self._outside = outside
        self._backoff = Backoff(jitter)
        self._look_pauses = Backoff(jitter)
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
        self._said = ""
        """Why the venue does not let us in, once it was said."""
        self._early: list[OrderReport] | None = []
        """What the venue reported before the first look at it, which tells it in order."""
        self._unlike = 0
        """How many times two looks at what is not known yet were unlike."""
        self._begun = asyncio.Event()
        """Set once the first look has ended, or is waited for no longer."""
        self._waiting_cancels: dict[str, None] = {}
        self._cancels: list[str] = []
        """What is to be cancelled by the next request."""
        self._ending: set[str] = set()
        """What was to be cancelled by one request, and has not been reported as cancelled."""
        self._canceled: list[OrderReport] = []
        """Reports of it that came since the loop turned, and that the core has not heard."""
        self._waiting_queries: dict[str, None] = {}
        self._waiting_looks: dict[str, None] = {}
        """What is to be asked once there is a connection, in the order it came up."""
        self._looking: set[str] = set()
        """The reasons of the looks that are under way."""
        self._again: dict[str, None] = {}
        """The reasons of those that failed and are tried again after a pause."""
        self._look_lost = asyncio.Event()
        self._failures: dict[str, str] = {}
        """Why the newest looks failed, by reason; empty once one succeeded."""

    @property
    def connection(self) -> int:
        """The number of the newest connection; 0 before the first."""
        return self._link.connection

    # --- the connection ---------------------------------------------------------------------------

    async def open(self) -> Exception | None:
        """Try once to connect; what kept it from that, after which `keep` goes on trying."""
        self._backoff.pause()  # this attempt is the first, at once
        error = await self._connect()
        if error is not None:
            self._report(LinkState.CONNECTING, str(error))
        return error

    async def keep(self) -> None:
        """Connect again whenever the connection is lost, for as long as the engine runs."""
        while True:
            await self._lost.wait()
            pause = max(self._backoff.pause(), self._asked_to_wait)
            if pause:
                await self._clock.sleep(pause)
            if self._link.is_up:
                continue  # the adapter came back by itself
            if self._half_open:
                await self.close()
            await self._connect()

    async def listen(self) -> None:
        """Hand every report to the core; a stream that ends is a connection that broke."""
        while True:
            await self._connected.wait()
            ended = await self._listen_once()
            self._half_open = self._link.is_up
            self._broke(ended)

    async def watch(self) -> None:
        """Ask the venue something whenever nothing else is asked, and tell the core when it does
        not answer, and when it does again (X-84), for as long as the engine runs."""
        every = round(self._broker.capabilities.heartbeat_seconds * NS_PER_SECOND)
        told, bound = 0, SILENCE_SECONDS * NS_PER_SECOND
        beaten = looked = 0
        while every:
            await self._connected.wait()
            now, since = self._time.now(), self._link.silent_since
            overdue = since if since and now - since >= bound else 0
            if overdue != told:
                told = overdue
                self._step(Unanswered(self.name, told))
            if told and now - looked >= every:
                looked = now
                self._ask_all()
            # Each question is asked until it is answered, and this one by nobody else.
            beat = beaten + bound if told else self._link.asked_at + every
            if now >= beat:
                self._spawn(self._venue.beat())
                beaten = now
                beat = now + every
            # Whatever is asked in this time is not overdue before it has passed.
            due = min(beat, (since or now) + bound)
            # The wall's time may run slower than the clock that is slept by.
            pause = max((due - now) / NS_PER_SECOND, SHORTEST_PAUSE)
            await self._clock.sleep(RECOVERY_SECONDS if told else pause)

    def _ask_all(self) -> None:
        """Whatever was not answered is asked again by a look, unless one goes on being tried."""
        if not (self._looking or self._again):
            self.ask_look(SILENCE)

    async def close(self) -> None:
        """Disconnect; nothing is cancelled by that, and nothing depends on how it ends (D-53)."""
        self._half_open = False
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._broker.disconnect()

    async def _listen_once(self) -> str:
        """One stream to its end; why it ended."""
        stream = Ahead(self._broker.reports())
        taken = 0
        while True:
            try:
                reports = await stream.read(most=AT_ONCE)
            except StopAsyncIteration:
                return "the report stream ended"
            except Exception as error:  # a broken adapter proves no more than a broken connection
                return f"the report stream broke: {error}"
            self._take_all(reports)
            taken += len(reports)
            if taken >= AT_ONCE:
                taken = 0
                await self._clock.sleep(0)

    def _take_all(self, reports: list[Report]) -> None:
        """Hand over what came together; what one report alone leads to is not how things stand."""
        together: list[OrderReport] = []
        for report in reports:
            if len(reports) > 1 and isinstance(report, OrderReport) and self._early is None:
                together.append(self._venue.own(report))
                continue
            self._tell(together)
            together = []
            self._take(report)
        self._tell(together)

    def _tell(self, together: list[OrderReport]) -> None:
        """The core hears of reports that came together; ends that are gathered are still."""
        if all(own.client_order_id in self._ending and _only_ends(own) for own in together):
            for own in together:
                self._gather(own)
            return
        self._ending -= {own.client_order_id for own in together if own.status.is_terminal}
        self._tell_canceled()
        self._step(together[0] if len(together) == 1 else OrdersReported(tuple(together)))

    def _take(self, report: Report) -> None:
        if isinstance(report, OrderReport):
            own = self._venue.own(report)
            if self._early is not None:
                self._early.append(own)
            elif own.client_order_id in self._ending and _only_ends(own):
                self._gather(own)
            else:
                if own.status.is_terminal:
                    self._ending.discard(own.client_order_id)
                self._tell_canceled()
                self._step(own)
        elif report.state is LinkState.CONNECTED:
            self._came_up()
        else:
            self._broke(report.detail)

    def _gather(self, canceled: OrderReport) -> None:
        """Keep the end of an order until the loop turns, for all that came by then to be told.

        A thousand reports one by one have the plans asked a thousand times.
        """
        self._ending.discard(canceled.client_order_id)
        self._canceled.append(canceled)
        if len(self._canceled) == 1:
            self._spawn(self._turned())

    async def _turned(self) -> None:
        self._tell_canceled()

    def _tell_canceled(self) -> None:
        """The core hears of the ends that were gathered, ahead of what came behind them."""
        if self._canceled:
            reports, self._canceled = self._canceled, []
            self._step(OrdersReported(tuple(reports)))

    async def _connect(self) -> Exception | None:
        """Try once to connect; returns the error, or None."""
        self._asked_to_wait = 0.0
        try:
            async with asyncio.timeout(CONNECT_SECONDS) as limit:
                await self._broker.connect()
        except Exception as error:  # whatever an adapter raises, there is no connection
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
            text, usual = f"Throttled: {checked}", not wait_fault(error)
        elif isinstance(error, AuthFailed):
            self._asked_to_wait = REFUSED_SECONDS
        if not usual and text != self._said:
            self._said = text
            self._step(Trouble(code="CONNECT_FAILED", subject=self.name, text=text))

    def _came_up(self) -> None:
        """There is a connection: cancels leave first, then the core hears of it."""
        if self._link.is_up:
            return
        self._link.came_up()
        self._lost.clear()
        self._connected.set()
        self._up_since = self._clock.monotonic()
        self._said = ""
        cancels, self._waiting_cancels = self._waiting_cancels, {}
        looks, self._waiting_looks = self._waiting_looks, {}
        for key in cancels:
            self.cancel(key)
        self._report(LinkState.CONNECTED)
        # Those that the core has just asked for again are no longer among them.
        queries, self._waiting_queries = self._waiting_queries, {}
        for key in queries:
            self.query(key)
        for reason in looks:
            self.ask_look(reason)

    def _broke(self, detail: str) -> None:
        if not self._link.is_up:
            return
        self._tell_canceled()
        self._ending.clear()
        self._link.broke()
        self._connected.clear()
        if self._clock.monotonic() - self._up_since >= STEADY_SECONDS * NS_PER_SECOND:
            self._backoff.reset()
        self._report(LinkState.DISCONNECTED, detail)
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
        """Whether the venue does not know an order that an earlier process may have sent.

        What that process sent last may still arrive. Unless the venue refuses an id for ever once
        it was used, the question waits until it cannot: it would take a second order of an id whose
        first has ended. An order that is known, or about which the venue does not answer, is told
        to the core.
        """
        able = self._broker.capabilities
        if not able.deduplicates:
            wait = self._book.data.started_at + able.arrival - self._time.now()
            await self._clock.sleep(max(wait, 0) / NS_PER_SECOND)
        answer = await self._venue.look_up(order.client_order_id)
        if isinstance(answer, QueryAnswered) and answer.order is None:
            return True
        self._step(answer)
        return False

    def lost_since(self, connection: int) -> NotSent | None:
        """Why an order that was decided on this connection must not leave any more, if so."""
        if self._link.is_up and self._link.connection == connection:
            return None
        return NotSent(f"the connection to {self.name} broke before it was sent")

    async def submit(self, order: OrderTerms) -> None:
        """Hand an order over; the core hears of it when it was not taken."""
        failed = await self._venue.submit(order)
        if failed is not None:
            self._step(failed)

    async def modify(self, key: str, wanted: Replacement, *, adds: bool) -> None:
        """Ask for other terms; the core hears of it when it was not taken.

        `adds`: the order can add exposure.
        """
        failed = await self._venue.modify(key, wanted, adds=adds)
        if failed is not None:
            self._step(failed)

    def cancel(self, key: str) -> None:
        """Ask for a cancel, as soon as there is a connection."""
        if not self._link.is_up:
            self._waiting_cancels[key] = None
        elif not self._broker.capabilities.cancels_together:
            self._spawn(self._cancel(key))
        else:
            self._cancels.append(key)
            if len(self._cancels) == 1:
                self._spawn(self._cancel_together())

    async def _cancel_together(self) -> None:
        """One request for every cancel that came up since the loop turned."""
        keys, self._cancels = self._cancels, []
        if len(keys) == 1:
            await self._cancel(keys[0])
            return
        self._ending.update(keys)
        for failed in await self._venue.cancel_together(keys):
            self._ending.discard(failed.client_order_id)
            self._step(failed)

    async def _cancel(self, key: str) -> None:
        failed = await self._venue.cancel(key)
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

    def ask_look(self, reason: str) -> None:
        """Look at the venue as soon as there is a connection; not twice at a time for a reason.

        A look that fails is tried again, after pauses, until it succeeds.
        """
        if not self._link.is_up:
            self._waiting_looks[reason] = None
        elif reason not in self._looking:
            self._looking.add(reason)
            self._spawn(self._look(reason))

    async def _look(self, reason: str) -> None:
        try:
            seen = await self._seen(for_kill=self._book.account(self.name).kill is not None)
            if isinstance(seen, BrokerError):
                self._look_failed(reason, seen)
            else:
                self._name_missing(seen)
                self._look_pauses.reset()
                self._step(SnapshotTaken(self._with_early(seen), reason))
                self.release_early()
        finally:
            self._looking.discard(reason)

    def _name_missing(self, seen: VenueSnapshot) -> None:
        """A look has succeeded; what it went without is told once in a row."""
        if seen.without and self._failures.get(_MISSING) != seen.without:
            text = f"{self.name} cannot be read whole, the kill goes on without: {seen.without}"
            self._step(Trouble(code="LOOK_INCOMPLETE", subject=self.name, text=text))
        self._failures = {_MISSING: seen.without} if seen.without else {}

    def _look_failed(self, reason: str, error: BrokerError) -> None:
        """It is tried again; the core hears of each way in which it fails once in a row."""
        self._again[reason] = None
        self._look_lost.set()
        if not self._is_known(reason, error):
            self._step(SnapshotFailed(self.name, reason, error))

    def _is_known(self, reason: str, error: BrokerError) -> bool:
        """Whether looks have failed in this way, for whatever reason, since one last succeeded."""
        said = f"{type(error).__name__}: {error}"
        known = said in self._failures.values()
        self._failures[reason] = said
        return known

    async def look_again(self) -> None:
        """Try looks that failed again, after pauses, for as long as the engine runs."""
        while True:
            await self._look_lost.wait()
            self._look_lost.clear()
            await self._clock.sleep(self._look_pauses.pause() or FIRST_PAUSE)
            again, self._again = self._again, {}
            for reason in again:
                self.ask_look(reason)

    async def look(self, reason: str, *, apply: bool = False, by: str = "") -> Step:
        """Ask the venue now for everything a comparison needs, and feed it in.

        A look during which the connection broke has failed. Returns what the core made of it.
        """
        seen = await self._seen()
        if isinstance(seen, BrokerError):
            known = self._is_known(reason, seen)
            return self._step(SnapshotFailed(self.name, reason, seen, known))
        self._name_missing(seen)
        return self._step(SnapshotTaken(self._with_early(seen), reason, apply, by))

    async def _seen(self, *, for_kill: bool = False) -> VenueSnapshot | BrokerError:
        """What the venue says. An account begins with what it holds once it says that twice, a
        second apart: a list may be behind the cash by less (X-75)."""
        seen = await self._venue.look(for_kill=for_kill)
        if self._has_begun() or isinstance(seen, BrokerError) or not _holds(seen):
            return seen
        await self._clock.sleep(SETTLES)
        again = await self._venue.look(for_kill=for_kill)
        if isinstance(again, BrokerError) or _holds(again) == _holds(seen):
            return again
        if self._has_begun():
            return again  # with another look, meanwhile
        self._unlike += 1
        if self._unlike >= BELIEVED:
            return again
        return Ambiguous("what is held, or the cash, changed while it was first looked at")

    def _has_begun(self) -> bool:
        """Whether the account is known."""
        return self._book.account(self.name).balances is not None

    def _with_early(self, seen: VenueSnapshot) -> VenueSnapshot:
        """The look, with the executions that were reported before it: a list may be behind them,
        and nothing is decided without what was told (X-78). The core drops what comes twice.

        What an account that is not known yet has traded is history, and comes as what it holds.
        """
        early = tuple(own.fill for own in self._early or () if own.fill is not None)
        if not early or self._book.account(self.name).balances is None:
            return seen
        return msgspec.structs.replace(seen, fills=(*seen.fills, *early))

    async def first_look(self) -> None:
        """Look at the venue for the start; whatever comes of it, the start goes on."""
        try:
            await self.look(START)
        finally:
            self._begun.set()

    async def begun(self, seconds: float) -> None:
        """Wait for the first look to end, this one or another, for so many seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._begun.wait()

    def release_early(self) -> None:
        """After the first look: the core hears what was reported before it."""
        self._begun.set()
        early, self._early = self._early or [], None
        for report in early:
            self._step(report)


def _holds(seen: VenueSnapshot) -> tuple[dict[str, Decimal], Decimal, dict[str, Decimal]] | None:
    """What an account holds, and its cash; None where it holds nothing."""
    held = {p.symbol: p.quantity for p in seen.positions if p.quantity}
    told = seen.balances
    return (held, told.cash, told.balances) if held and told is not None else None


def _only_ends(report: OrderReport) -> bool:
    """True for an order that is cancelled, without a fill that comes with it."""
    return report.status is OrderStatus.CANCELED and report.fill is None
