"""What a desk keeps of what happened: bounded, cheap to update, and never in the engine's way.

`observe` runs between two decisions; all that happens there is a few stores and a mark. Which panes
hear of an event follows from the values that it touched, as the fold names them (DESIGN, Journal);
an event itself is only looked at for what is no state: its line, the checks of a verdict, the alert
of a halt. Panes take what changed when they are painted. Numbers that move with the market are read
from the engine's world at that moment, so that no price ever becomes a message.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from msgspec.structs import replace

from console.desk.port import RECORDS_KEPT, Topic
from console.desk.rows import key_of
from console.desk.values import Counts, KillRow, SignalRow
from engine.domain import events as ev
from engine.domain.codes import Verdict
from engine.domain.instant import Nanos
from engine.domain.order import OrderStatus
from engine.domain.run import KillState
from engine.state.book import Book
from engine.state.fold import apply
from engine.state.order import Order
from engine.state.position import Position
from engine.state.touched import (
    AccountSeen,
    EquityMeasured,
    FillTaken,
    HaltSet,
    HoldingAmended,
    KillShown,
    LetterClosed,
    LetterOpened,
    RunChanged,
    SignalEntry,
    SignalLate,
    SignalsTurnedAway,
    Touched,
)
from engine.world import World

SIGNALS_KEPT: Final = 300
FILLS_KEPT: Final = 500
HISTORY_KEPT: Final = 500
EQUITY_KEPT: Final = 240
REFUSALS_KEPT: Final = 20
"""Signals that one of the newest events names; a flood has thousands a second."""
DIRTY_KEPT: Final = 2_000
"""Changed keys remembered for a pane; beyond that it looks at everything again."""

_BAD: Final = frozenset({OrderStatus.REJECTED, OrderStatus.UNKNOWN})
"""What a person must see at once of an order that is not filled."""

URGENT_SECONDS: Final = 0.05
"""Urgent paints come no closer together than this."""

APART_SECONDS: Final = 0.008
"""Between two panes that are urgent: more than textual waits before it draws."""


@dataclass(slots=True, eq=False)
class PaneFeed:
    """What changed for one pane since it was painted last (`console.desk.port.Feed`)."""

    topics: frozenset[Topic]
    tell: Callable[[], None]
    paint_now: Callable[[], None]
    closed: Callable[["PaneFeed"], None]
    keys: dict[Hashable, None] = field(default_factory=dict)
    everything: bool = True

    def add(self, key: Hashable) -> None:
        """`key` changed."""
        if self.everything:
            return
        self.keys[key] = None
        if len(self.keys) > DIRTY_KEPT:
            self.everything = True
            self.keys.clear()

    def take(self) -> tuple[bool, list[Hashable]]:
        """Whether to look at everything, and otherwise which keys changed, in the order in which
        they did first; clears both.
        """
        taken = self.everything, list(self.keys)
        self.everything, self.keys = False, {}
        return taken

    def close(self) -> None:
        """Hear nothing more."""
        self.closed(self)


class Replica:
    """The newest signals, fills, finished orders and events, and who wants to hear of changes."""

    def __init__(self, world: World) -> None:
        """Begins with what the state knows: finished orders of an earlier run among it."""
        self._world = world
        self._book = world.book
        self.signals: dict[str, SignalRow] = {}
        """By id; one whose id is listed already has its event's number behind it."""
        self._accepted: dict[str, str] = {}
        """By id, the key of the row that was accepted: an id is, once and ever (A-301)."""
        self.fills: dict[int, ev.Record] = {}
        self.history: dict[str, None] = {}
        """Ids of finished orders, oldest first; the orders themselves are in the book."""
        self.records: deque[ev.Record] = deque(maxlen=RECORDS_KEPT)
        self.kill: dict[str, KillRow] = {}
        self.equity: deque[tuple[Nanos, Decimal]] = deque(maxlen=EQUITY_KEPT)
        self.touched: set[str] = set()
        """Keys of holdings that changed, or whose stop did, since somebody looked."""
        self.counts = Counts()
        self.on_halt: Callable[[ev.Halted], None] | None = None
        self._feeds: list[PaneFeed] = []
        self._by_topic: dict[Topic, list[PaneFeed]] = {topic: [] for topic in Topic}
        self._urgent: dict[PaneFeed, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last_urgent = float("-inf")
        ended = [o for account in self._book.accounts for o in account.closed.values()]
        for order in sorted(ended, key=lambda o: o.updated_at)[-HISTORY_KEPT:]:
            self.history[order.client_order_id] = None

    def quiet(self) -> None:
        """Nothing urgent is painted any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def forget_counts(self) -> None:
        """Count from here on: what was observed so far was before this console opened."""
        self.counts = Counts()

    def adopt(self, earlier: Iterable[ev.Record]) -> None:
        """Take in what happened before the first record that was observed, oldest first.

        Fills may reach further back than the rest: the newest records of all are the journal's.
        What is known already is skipped; counts stay, and nobody is told of a halt. What the
        records touched is folded anew: the state at hand is past them already.
        """
        seen = [*self._observed()]
        first = seen[0].seq if seen else self._book.data.seq + 1
        older = [record for record in earlier if record.seq < first]
        counts, on_halt = self.counts, self.on_halt
        self.on_halt = None
        for kept in (self.signals, self._accepted, self.fills, self.kill):
            kept.clear()
        self.records.clear()
        self.equity.clear()
        book = Book()
        for record in [*older, *seen]:
            self.observe(record, apply(book, record))
        self.counts, self.on_halt = counts, on_halt
        for feed in self._feeds:
            feed.everything = True
            feed.keys.clear()
            feed.tell()

    def _observed(self) -> Iterator[ev.Record]:
        """The records kept, those of refusals with each refusal that is still listed.

        What is kept of such a record itself is shorter than the list of signals (`_short`).
        """
        listed: dict[int, list[ev.Refusal]] = {}
        for row in self.signals.values():
            if isinstance(row.signal, ev.Refusal):
                listed.setdefault(row.seq, []).append(row.signal)
        for record in self.records:
            event, refusals = record.event, listed.get(record.seq, [])
            if isinstance(event, ev.SignalsRefused) and len(refusals) > len(event.refusals):
                whole = replace(event, refusals=tuple(refusals))
                yield ev.Record(record.seq, record.time, whole)
            else:
                yield record

    # -- panes

    def follow(
        self,
        topics: Iterable[Topic],
        tell: Callable[[], None],
        paint_now: Callable[[], None],
    ) -> PaneFeed:
        """A feed of `topics`; `tell` marks its pane, `paint_now` paints it out of turn."""
        made = PaneFeed(frozenset(topics), tell, paint_now, self._drop)
        self._feeds.append(made)
        for topic in made.topics:
            self._by_topic[topic].append(made)
        return made

    def _drop(self, feed: PaneFeed) -> None:
        if feed in self._feeds:
            self._feeds.remove(feed)
        self._urgent.pop(feed, None)
        for topic in feed.topics:
            if feed in self._by_topic[topic]:
                self._by_topic[topic].remove(feed)

    # -- events

    def observe(self, record: ev.Record, touched: Sequence[Touched]) -> None:
        """Take in one record and the values that it touched, after it was applied to the book."""
        self.records.append(_short(record))
        self._change(Topic.JOURNAL, record.seq)
        for one in touched:
            rule = _RULES.get(type(one.value))
            if rule is not None:
                rule(self, record, one.value)
        if isinstance(record.event, ev.Halted) and self.on_halt is not None:
            self.on_halt(record.event)

    def _change(self, topic: Topic, key: Hashable, *, urgent: bool = False) -> None:
        for feed in self._by_topic[topic]:
            feed.add(key)
            feed.tell()
            if urgent:
                self._urgent[feed] = None
        if urgent:
            self._hurry()

    def _holding(self, account: str, symbol: str, *, urgent: bool = False) -> None:
        key = key_of(self._world, account, symbol)
        self.touched.add(key)
        self._change(Topic.POSITIONS, key, urgent=urgent)

    def _hurry(self) -> None:
        """Paint what is urgent as soon as this turn of the loop is over, but not too often."""
        if self._timer is None and self._urgent:
            loop = asyncio.get_running_loop()
            due = max(loop.time(), self._last_urgent + URGENT_SECONDS)
            self._timer = loop.call_at(due, self._paint_urgent)

    def _paint_urgent(self) -> None:
        """One pane a turn: textual draws all that lies between two panes changed at once."""
        loop = asyncio.get_running_loop()
        self._timer = None
        self._last_urgent = loop.time()
        feed = next(iter(self._urgent), None)
        if feed is None:
            return
        del self._urgent[feed]
        feed.paint_now()
        if self._urgent:
            self._timer = loop.call_at(loop.time() + APART_SECONDS, self._paint_urgent)

    # -- one rule a kind of value

    def _signal(self, record: ev.Record, entry: SignalEntry) -> None:
        if entry.verdict is None:
            self._received(entry)
            return
        key = self._key_of(entry)
        if key is None:
            return
        row = self.signals[key]
        rejected = entry.verdict is Verdict.REJECTED
        outcome = None if rejected else entry.outcome
        event = record.event  # the checks that were asked are no state
        self._changed_signal(
            key,
            decided=event if isinstance(event, ev.SignalDecided) else row.decided,
            outcome=outcome,
            outcome_code="" if outcome is None else entry.code,
        )
        if not rejected:
            self._accepted[entry.signal_id] = key

    def _received(self, entry: SignalEntry) -> None:
        if entry.signal is not None:
            instrument = self._world.instrument(entry.symbol)
            self._listed(SignalRow(entry.signal, instrument, entry.time, entry.seq))
            self.counts = replace(self.counts, signals=self.counts.signals + 1)

    def _key_of(self, entry: SignalEntry) -> str | None:
        """The key of the row of this entry; None where it is not listed (any more)."""
        for key in (entry.signal_id, _again(entry.signal_id, entry.seq)):
            row = self.signals.get(key)
            if row is not None and row.seq == entry.seq:
                return key
        return None

    def _late(self, record: ev.Record, late: SignalLate) -> None:
        key = self._accepted.get(late.signal_id, late.signal_id)
        if key in self.signals:
            self._changed_signal(key, outcome=late.outcome, outcome_code=late.code)

    def _turned_away(self, record: ev.Record, value: SignalsTurnedAway) -> None:
        """The newest that the list can hold; all of them count."""
        event = value.event
        for refusal in event.refusals[-SIGNALS_KEPT:]:
            instrument, decided = self._world.instrument(refusal.symbol), event.verdict(refusal)
            self._listed(SignalRow(refusal, instrument, refusal.at, value.seq, decided))
        self.counts = replace(self.counts, signals=self.counts.signals + event.count)

    def _listed(self, row: SignalRow) -> None:
        """Takes the row in; what is listed of the same id stays as it is."""
        signal_id = row.signal.signal_id
        key = _again(signal_id, row.seq) if signal_id in self.signals else signal_id
        self.signals[key] = row
        if len(self.signals) > SIGNALS_KEPT:
            oldest = next(iter(self.signals))
            gone = self.signals.pop(oldest).signal.signal_id
            if self._accepted.get(gone) == oldest:
                del self._accepted[gone]
            self._change(Topic.SIGNALS, oldest)
        self._change(Topic.SIGNALS, key)

    def _changed_signal(self, key: str, **changes: Any) -> None:
        self.signals[key] = replace(self.signals[key], **changes)
        self._change(Topic.SIGNALS, key)

    def _order(self, record: ev.Record, order: Order) -> None:
        key = order.client_order_id
        if order.seq == record.seq:
            self.counts = replace(self.counts, orders=self.counts.orders + 1)
        if not order.is_working:
            self.history.pop(key, None)
            self.history[key] = None
            if len(self.history) > HISTORY_KEPT:
                oldest = next(iter(self.history))
                del self.history[oldest]
                self._change(Topic.ORDERS, oldest)
        self._change(Topic.ORDERS, key, urgent=order.status in _BAD)
        if order.protects:
            self._holding(order.account, order.symbol)

    def _filled(self, record: ev.Record, value: FillTaken) -> None:
        event = value.event
        self.counts = replace(self.counts, fills=self.counts.fills + 1)
        self.fills[value.seq] = ev.Record(value.seq, record.time, event)
        if len(self.fills) > FILLS_KEPT:
            oldest = next(iter(self.fills))
            del self.fills[oldest]
            self._change(Topic.FILLS, oldest)
        self._change(Topic.FILLS, value.seq, urgent=True)
        self._change(Topic.ORDERS, event.fill.client_order_id, urgent=True)
        self._holding(event.account, event.fill.symbol, urgent=True)
        self._change(Topic.RISK, "fill")

    def _held(self, record: ev.Record, value: Position | HoldingAmended) -> None:
        self._holding(value.account, value.symbol)

    def _state(self, record: ev.Record, value: RunChanged | LetterOpened | LetterClosed) -> None:
        self._change(Topic.STATE, "state", urgent=True)

    def _seen(self, record: ev.Record, value: AccountSeen) -> None:
        self._change(Topic.STATE, "venue")

    def _halted(self, record: ev.Record, value: HaltSet) -> None:
        self.kill.clear()
        self._change(Topic.KILL, "halt", urgent=True)

    def _killed(self, record: ev.Record, value: KillShown) -> None:
        event = value.event
        row = self.kill.get(event.account, KillRow())
        if isinstance(event, ev.KillProgressed):
            again = row.state == KillState.VERIFIED and not event.clean_reads
            state = KillState.WORKING if again else row.state
            row = replace(row, clean_reads=event.clean_reads, state=state)
        else:
            row = replace(
                row,
                state=event.state,
                cancelled=event.cancelled,
                closed=event.closed,
                proved_at=value.at,
            )
        row = replace(row, left=event.left, unknown=event.unknown, at=value.at)
        self.kill[event.account] = row
        self._change(Topic.KILL, event.account, urgent=True)

    def _measured(self, record: ev.Record, value: EquityMeasured) -> None:
        self.equity.append((value.at, value.equity))
        self._change(Topic.RISK, "equity")


def _again(signal_id: str, seq: int) -> str:
    """The key of a signal whose id is listed already."""
    return f"{signal_id} #{seq}"


def _short(record: ev.Record) -> ev.Record:
    """The record as it is kept: of many refusals the newest, with the count of all of them."""
    event = record.event
    if not isinstance(event, ev.SignalsRefused) or len(event.refusals) <= REFUSALS_KEPT:
        return record
    newest = event.refusals[-REFUSALS_KEPT:]
    return ev.Record(record.seq, record.time, replace(event, refusals=newest))


Rule = Callable[[Replica, ev.Record, Any], None]
_RULES: Final[dict[type, Rule]] = {
    SignalEntry: Replica._signal,
    SignalLate: Replica._late,
    SignalsTurnedAway: Replica._turned_away,
    Order: Replica._order,
    FillTaken: Replica._filled,
    Position: Replica._held,
    HoldingAmended: Replica._held,
    RunChanged: Replica._state,
    LetterOpened: Replica._state,
    LetterClosed: Replica._state,
    AccountSeen: Replica._seen,
    HaltSet: Replica._halted,
    KillShown: Replica._killed,
    EquityMeasured: Replica._measured,
}
"""By the kind of value that was touched; the rest (a trade or a day that is over) no pane shows."""
