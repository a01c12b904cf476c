"""Looks at one account: everything the venue has of it, asked until it is told (C-441, X-75, X-78).

A look that fails is tried again, after pauses. The first one tells in order what was reported
before it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import msgspec

from engine.core.driver import Step
from engine.domain.account import VenueSnapshot
from engine.domain.inputs import Input, LookReason, SnapshotFailed, SnapshotTaken, Trouble
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.ports import Ambiguous, BrokerError, Clock, OrderReport
from engine.runtime.backoff import FIRST_PAUSE, Backoff
from engine.runtime.link import Link
from engine.runtime.pace import Pace
from engine.runtime.venue import Venue
from engine.state.book import Book

SETTLES = 1.1
"""Seconds after which a list shows what the cash did before."""

MOST_CHANGES = 5
"""An account that changes so often while it is first looked at begins with the newest look."""

WHOLE_AGAIN = 300 * NS_PER_SECOND
"""How long a part that was missing is there in every look before its absence is told again: what
comes and goes sooner is one state."""

Held = tuple[dict[str, Decimal], Decimal, dict[str, Decimal]]
"""Quantities by symbol, the cash in the account's own currency, and all cash by currency."""


class Looks:
    """The looks at one account; `name` is the account's name under `[brokers]`.

    `step` hands an input to the core and returns what it led to; `spawn` runs work that nobody
    waits for; `pauses` are those between looks that fail; `pace` says how soon a venue that asked
    to wait is looked at again.
    """

    def __init__(
        self,
        name: str,
        venue: Venue,
        link: Link,
        book: Book,
        *,
        clock: Clock,
        step: Callable[[Input], Step],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        pauses: Backoff,
        pace: Pace,
    ) -> None:
        self._name = name
        self._venue = venue
        self._link = link
        self._book = book
        self._clock = clock
        self._step = step
        self._spawn = spawn
        self._pauses = pauses
        self._pace = pace
        self.early: list[OrderReport] | None = []
        """What the venue reported before the first look at it, which tells it in order; None once
        that look has ended."""
        self._changes: list[Held | None] = []
        """What an account that is not known yet came to hold, once for each change."""
        self._begun = asyncio.Event()
        """Set once the first look has ended, or is waited for no longer."""
        self._waiting: dict[str, None] = {}
        """The reasons of the looks that wait for a connection, in the order they came up."""
        self._looking: set[str] = set()
        """The reasons of the looks that are under way."""
        self._stream = 0
        """How often a stream came to stand that had been refused."""
        self._again: dict[str, None] = {}
        """The reasons of those that failed and are tried again after a pause."""
        self._lost = asyncio.Event()
        self._missed: dict[str, Nanos | None] = {}
        """The parts that were missing, told already; since when each is there again, None for one
        that is not."""
        self._failures: dict[str, str] = {}
        """Why the newest looks failed, by reason; empty once one succeeded."""
        self.cash_doubt = ""
        """Why nobody knows whether the cash of the newest look is there, in one sentence: the
        balances cannot be true beside what is held, and no list may be behind a fill, or the
        history of cash cannot be read. "" where it was, or will be, compared."""
        self._contradicts = False
        """The newest looks brought balances that cannot be true, and that was told."""
        self.incomplete = ""
        """What the newest look was without, in one sentence; "" for nothing."""

    # --- those that nobody waits for --------------------------------------------------------------

    @property
    def pending(self) -> bool:
        """True while a look is under way, or one that failed is to be tried again."""
        return bool(self._looking or self._again)

    def ask(self, reason: str) -> None:
        """Look at the venue as soon as there is a connection; not twice at a time for a reason.

        A look that fails is tried again, after pauses, until it succeeds.
        """
        if not self._link.is_up:
            self._waiting[reason] = None
        elif reason not in self._looking:
            self._looking.add(reason)
            self._spawn(self._look(reason))

    def streams(self) -> None:
        """A stream stands that was refused until now: what a look that is under way has seen may be
        older than its first report, and is not what entries wait for (C-441)."""
        self._stream += 1

    def ask_waiting(self) -> None:
        """There is a connection: begin the looks that waited for it."""
        waiting, self._waiting = self._waiting, {}
        for reason in waiting:
            self.ask(reason)

    async def again(self) -> None:
        """Try looks that failed again, after pauses, for as long as the engine runs."""
        while True:
            await self._lost.wait()
            self._lost.clear()
            await self._clock.sleep(self._pauses.pause() or FIRST_PAUSE)
            again, self._again = self._again, {}
            for reason in again:
                self.ask(reason)

    async def _look(self, reason: str) -> None:
        stream = self._stream
        try:
            if not await self._may_begin():
                self._waiting[reason] = None
                return
            seen = await self._seen(for_kill=self._book.account(self._name).kill is not None)
            if isinstance(seen, BrokerError):
                self._failed(reason, seen)
            elif stream != self._stream:
                self._again[reason] = None
                self._lost.set()
            else:
                self._name_missing(seen)
                self._pauses.reset()
                self._step(SnapshotTaken(self._with_early(seen), reason))
                self.release_early()
        finally:
            self._looking.discard(reason)

    async def _may_begin(self) -> bool:
        """Wait for as long as the venue asked for, each look for itself; False where the connection
        was lost meanwhile."""
        while wait := self._pace.wait():
            await self._clock.sleep(wait)
        self._pace.began()
        return self._link.is_up

    def _name_missing(self, seen: VenueSnapshot) -> None:
        """A look has succeeded; what it went without is told once a state, however the venue words
        it and however it flickers (fault 46)."""
        missing, self.incomplete = ", ".join(seen.missing), ""
        if missing:
            self.incomplete = (
                f"{self._name} cannot be read whole, and nothing is concluded of what is missing "
                f"({missing}): {seen.faults}"
            )
        if self._misses_more(seen):
            trouble = Trouble(code="LOOK_INCOMPLETE", subject=self._name, text=self.incomplete)
            self._step(trouble)
        self._failures = {}
        self._name_contradiction(seen)

    def _misses_more(self, seen: VenueSnapshot) -> bool:
        """Whether a look is without a part whose absence is not told yet, or of a state before."""
        now, missing = seen.requested_at, seen.missing
        more = any(part not in self._missed for part in missing)
        there = {p: now if at is None else at for p, at in self._missed.items() if p not in missing}
        self._missed = {p: at for p, at in there.items() if now - at < WHOLE_AGAIN}
        self._missed |= dict.fromkeys(missing)
        return more

    def _name_contradiction(self, seen: VenueSnapshot) -> None:
        """Tell once in a row that the balances cannot be true; not while a list may be behind a
        fill."""
        newest = self._book.account(self._name).last_fill + self._venue.lag
        self.cash_doubt = ""
        if seen.contradicts and newest < seen.requested_at:
            self.cash_doubt = f"{self._name} contradicts itself, and its cash is not compared"
            if not self._contradicts:
                text = f"{self.cash_doubt}: {seen.contradicts}"
                self._step(Trouble(code="BAD_BALANCES", subject=self._name, text=text))
                self._contradicts = True
        elif seen.history_fault or seen.unread_movements:
            self.cash_doubt = (
                f"the history of cash at {self._name} cannot be read whole, and its cash is not "
                "compared"
            )
            if not seen.history_fault:
                self.cash_doubt += ": `reconcile --apply` leaves out the lines that cannot be read"
        if not seen.contradicts:
            self._contradicts = False

    def _failed(self, reason: str, error: BrokerError) -> None:
        """It is tried again; the core hears of each way in which it fails once in a row."""
        self._again[reason] = None
        self._lost.set()
        if not self._is_known(reason, error):
            self._step(SnapshotFailed(self._name, reason, error))

    def _is_known(self, reason: str, error: BrokerError) -> bool:
        """Whether looks have failed in this way, for whatever reason, since one last succeeded."""
        said = f"{type(error).__name__}: {error}"
        known = said in self._failures.values()
        self._failures[reason] = said
        return known

    # --- those that somebody waits for ------------------------------------------------------------

    async def look(self, reason: str, *, apply: bool = False, by: str = "") -> Step:
        """Ask the venue now for everything a comparison needs, and feed it in.

        A look during which the connection broke has failed. Returns what the core made of it.
        """
        seen = await self._seen(whole=True)
        if isinstance(seen, BrokerError):
            known = self._is_known(reason, seen)
            return self._step(SnapshotFailed(self._name, reason, seen, known))
        # What a person leaves out of the history of cash is missing no more.
        left = msgspec.structs.replace(seen, unread_movements={}) if apply else seen
        self._name_missing(left)
        return self._step(SnapshotTaken(self._with_early(seen), reason, apply, by))

    async def _seen(
        self, *, for_kill: bool = False, whole: bool = False
    ) -> VenueSnapshot | BrokerError:
        """What the venue says. An account begins with what it holds once it says that twice, a
        second apart: a list may be behind the cash by less (X-75)."""
        seen = await self._venue.look(for_kill=for_kill, whole=whole)
        if self._has_begun() or isinstance(seen, BrokerError) or not _holds(seen):
            return seen
        await self._clock.sleep(SETTLES)
        again = await self._venue.look(for_kill=for_kill, whole=whole)
        if isinstance(again, BrokerError) or _holds(again) == _holds(seen):
            return again
        if self._has_begun():
            return again  # with another look, meanwhile
        if _holds(again) not in self._changes[-1:]:
            # Looks that are under way at the same time see one change, and not one each.
            self._changes.append(_holds(again))
        if len(self._changes) >= MOST_CHANGES:
            return again
        return Ambiguous("what is held, or the cash, changed while it was first looked at")

    def _has_begun(self) -> bool:
        """Whether the account is known."""
        return self._book.account(self._name).balances is not None

    def _with_early(self, seen: VenueSnapshot) -> VenueSnapshot:
        """The look, with the executions that were reported before it: a list may be behind them,
        and nothing is decided without what was told (X-78). The core drops what comes twice.

        What an account that is not known yet has traded is history, and comes as what it holds.
        """
        early = tuple(own.fill for own in self.early or () if own.fill is not None)
        if not early or not self._has_begun():
            return seen
        return msgspec.structs.replace(seen, fills=(*seen.fills, *early))

    # --- the first --------------------------------------------------------------------------------

    async def first(self) -> None:
        """Look at the venue for the start; whatever comes of it, the start goes on."""
        try:
            await self.look(LookReason.START)
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
        early, self.early = self.early or [], None
        for report in early:
            self._step(report)


def _holds(seen: VenueSnapshot) -> Held | None:
    """What an account holds, and its cash; None where it holds nothing."""
    held = {p.symbol: p.quantity for p in seen.positions if p.quantity}
    told = seen.balances
    return (held, told.cash, told.balances) if held and told is not None else None
