"""What a desk keeps of the events: bounded, cheap to update, and never in the engine's way.

`observe` runs between two decisions; all that happens there is a few stores and a mark. Panes take
what changed when they are painted. Numbers that move with the market are read from the engine's
world at that moment, so that no price ever becomes a message.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterable
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
from engine.world import World

SIGNALS_KEPT: Final = 300
FILLS_KEPT: Final = 500
HISTORY_KEPT: Final = 500
EQUITY_KEPT: Final = 240
REFUSALS_KEPT: Final = 20
"""Signals that one of the newest events names; a flood has thousands a second."""
DIRTY_KEPT: Final = 2_000
"""Changed keys remembered for a pane; beyond that it looks at everything again."""

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
        self._undecided: dict[str, str] = {}
        """By id, the key of the row that waits for its verdict."""
        self._accepted: dict[str, str] = {}
        """By id, the key of the row that was accepted: an id is, once and ever (A-301)."""
        self.fills: dict[int, ev.Record] = {}
        self.history: dict[str, None] = {}
        """Ids of finished orders, oldest first; the orders themselves are in the book."""
        self.records: deque[ev.Record] = deque(maxlen=RECORDS_KEPT)
        self.kill: dict[str, KillRow] = {}
        self.equity: deque[tuple[Nanos, Decimal]] = deque(maxlen=EQUITY_KEPT)
        self.heard_at: Nanos = 0
        """When the venue last said anything."""
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

        What is known already is skipped; counts stay, and nobody is told of a halt.
        """
        seen = list(self.records)
        first = seen[0].seq if seen else self._book.data.seq + 1
        older = [record for record in earlier if record.seq < first]
        counts, on_halt = self.counts, self.on_halt
        self.on_halt = None
        for kept in (self.signals, self._undecided, self._accepted, self.fills, self.kill):
            kept.clear()
        self.records.clear()
        self.equity.clear()
        for record in [*older, *seen]:
            self.observe(record)
        self.counts, self.on_halt = counts, on_halt
        for feed in self._feeds:
            feed.everything = True
            feed.keys.clear()
            feed.tell()

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

    def observe(self, record: ev.Record) -> None:
        """Take one record in, after it was applied to the book."""
        self.records.append(_short(record))
        self._change(Topic.JOURNAL, record.seq)
        rule = _RULES.get(type(record.event))
        if rule is not None:
            rule(self, record, record.event)

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

    # -- one rule a kind of event

    def _received(self, record: ev.Record, event: ev.SignalReceived) -> None:
        signal = event.signal
        instrument = self._world.instrument(signal.ticker)
        row = SignalRow(signal, instrument, record.time, record.seq)
        self._undecided[signal.signal_id] = self._listed(row)
        self.counts = replace(self.counts, signals=self.counts.signals + 1)

    def _turned_away(self, record: ev.Record, event: ev.SignalsRefused) -> None:
        """The newest that the list can hold; all of them count."""
        for refusal in event.refusals[-SIGNALS_KEPT:]:
            instrument, decided = self._world.instrument(refusal.symbol), event.verdict(refusal)
            self._listed(SignalRow(refusal, instrument, refusal.at, record.seq, decided))
        self.counts = replace(self.counts, signals=self.counts.signals + event.count)

    def _listed(self, row: SignalRow) -> str:
        """Takes the row in and tells its key; what is listed of the same id stays as it is."""
        signal_id = row.signal.signal_id
        key = f"{signal_id} #{row.seq}" if signal_id in self.signals else signal_id
        self.signals[key] = row
        if len(self.signals) > SIGNALS_KEPT:
            oldest = next(iter(self.signals))
            gone = self.signals.pop(oldest).signal.signal_id
            for keys in (self._undecided, self._accepted):
                if keys.get(gone) == oldest:
                    del keys[gone]
            self._change(Topic.SIGNALS, oldest)
        self._change(Topic.SIGNALS, key)
        return key

    def _decided(self, record: ev.Record, event: ev.SignalDecided) -> None:
        key = self._undecided.pop(event.signal_id, event.signal_id)
        self._changed_signal(key, decided=event)
        if event.verdict is not Verdict.REJECTED:
            self._accepted[event.signal_id] = key

    def _ended(self, record: ev.Record, event: ev.SignalEnded) -> None:
        key = self._accepted.get(event.signal_id, event.signal_id)
        self._changed_signal(key, outcome=event.outcome, outcome_code=event.code)

    def _changed_signal(self, key: str, **changes: Any) -> None:
        row = self.signals.get(key)
        if row is not None:
            self.signals[key] = replace(row, **changes)
            self._change(Topic.SIGNALS, key)

    def _order(self, record: ev.Record, event: Any) -> None:
        self._order_changed(event.client_order_id)

    def _whole_order(self, record: ev.Record, event: ev.OrderIntended | ev.OrderAdopted) -> None:
        self.counts = replace(self.counts, orders=self.counts.orders + 1)
        self._order_changed(event.terms.client_order_id)

    def _venue_order(self, record: ev.Record, event: Any) -> None:
        self.heard_at = record.time
        self._order_changed(event.client_order_id)

    def _bad_order(self, record: ev.Record, event: Any) -> None:
        self._order_changed(event.client_order_id, urgent=True)

    def _order_changed(self, key: str, *, urgent: bool = False) -> None:
        ended = self._book.order(key)
        if ended is not None and not ended.is_working:
            self.history.pop(key, None)
            self.history[key] = None
            if len(self.history) > HISTORY_KEPT:
                oldest = next(iter(self.history))
                del self.history[oldest]
                self._change(Topic.ORDERS, oldest)
        self._change(Topic.ORDERS, key, urgent=urgent)
        order = self._book.order(key)
        if order is not None and order.protects:
            self._holding(order.account, order.symbol)

    def _filled(self, record: ev.Record, event: ev.OrderFilled) -> None:
        self.heard_at = record.time
        self.counts = replace(self.counts, fills=self.counts.fills + 1)
        self.fills[record.seq] = record
        if len(self.fills) > FILLS_KEPT:
            oldest = next(iter(self.fills))
            del self.fills[oldest]
            self._change(Topic.FILLS, oldest)
        self._change(Topic.FILLS, record.seq, urgent=True)
        self._order_changed(event.fill.client_order_id, urgent=True)
        self._holding(event.account, event.fill.symbol, urgent=True)
        self._change(Topic.RISK, "fill")

    def _position(self, record: ev.Record, event: Any) -> None:
        closed = isinstance(event, ev.PositionClosed)
        self._holding(event.account, event.trade.symbol if closed else event.symbol)

    def _state(self, record: ev.Record, event: Any) -> None:
        self._change(Topic.STATE, "state", urgent=True)

    def _heard(self, record: ev.Record, event: Any) -> None:
        self.heard_at = record.time
        self._change(Topic.STATE, "venue")

    def _halted(self, record: ev.Record, event: ev.Halted) -> None:
        self.kill.clear()
        self._change(Topic.STATE, "halt", urgent=True)
        self._change(Topic.KILL, "halt", urgent=True)
        if self.on_halt is not None:
            self.on_halt(event)

    def _progressed(self, record: ev.Record, event: ev.KillProgressed) -> None:
        self.heard_at = record.time
        self.kill[event.account] = replace(
            self.kill.get(event.account, KillRow()),
            clean_reads=event.clean_reads,
            left=event.left,
            unknown=event.unknown,
            at=record.time,
        )
        self._change(Topic.KILL, event.account, urgent=True)

    def _proved(self, record: ev.Record, event: ev.KillProved) -> None:
        self.kill[event.account] = replace(
            self.kill.get(event.account, KillRow()),
            state=event.state,
            cancelled=event.cancelled,
            closed=event.closed,
            left=event.left,
            unknown=event.unknown,
            at=record.time,
            proved_at=record.time,
        )
        self._change(Topic.KILL, event.account, urgent=True)

    def _marked(self, record: ev.Record, event: ev.EquityMarked) -> None:
        self.equity.append((record.time, event.equity))
        self._change(Topic.RISK, "equity")


def _short(record: ev.Record) -> ev.Record:
    """The record as it is kept: of many refusals the newest, with the count of all of them."""
    event = record.event
    if not isinstance(event, ev.SignalsRefused) or len(event.refusals) <= REFUSALS_KEPT:
        return record
    newest = event.refusals[-REFUSALS_KEPT:]
    return ev.Record(record.seq, record.time, replace(event, refusals=newest))


Rule = Callable[[Replica, ev.Record, Any], None]
_RULES: Final[dict[type[ev.Event], Rule]] = {
    ev.SignalReceived: Replica._received,
    ev.SignalsRefused: Replica._turned_away,
    ev.SignalDecided: Replica._decided,
    ev.SignalEnded: Replica._ended,
    ev.DeadLettered: Replica._state,
    ev.DeadLetterClosed: Replica._state,
    ev.OrderIntended: Replica._whole_order,
    ev.OrderAdopted: Replica._whole_order,
    ev.OrderSent: Replica._order,
    ev.OrderAccepted: Replica._venue_order,
    ev.OrderRejected: Replica._bad_order,
    ev.OrderUnclear: Replica._bad_order,
    ev.OrderFilled: Replica._filled,
    ev.CancelRequested: Replica._order,
    ev.CancelRefused: Replica._order,
    ev.OrderCanceled: Replica._venue_order,
    ev.OrderExpired: Replica._venue_order,
    ev.ReplaceRequested: Replica._order,
    ev.OrderReplaced: Replica._venue_order,
    ev.ReplaceAbandoned: Replica._order,
    ev.OrderSettled: Replica._venue_order,
    ev.ExitPlanned: Replica._position,
    ev.ExitAbandoned: Replica._position,
    ev.ExitRefused: Replica._position,
    ev.StopRemoved: Replica._position,
    ev.StopMoved: Replica._position,
    ev.TargetMoved: Replica._position,
    ev.Unprotected: Replica._position,
    ev.PositionClosed: Replica._position,
    ev.PositionAdjusted: Replica._position,
    ev.CommissionTaken: Replica._position,
    ev.PhaseChanged: Replica._state,
    ev.Paused: Replica._state,
    ev.Unpaused: Replica._state,
    ev.Restricted: Replica._state,
    ev.Unrestricted: Replica._state,
    ev.HaltCleared: Replica._state,
    ev.Halted: Replica._halted,
    ev.KillProgressed: Replica._progressed,
    ev.KillProved: Replica._proved,
    ev.AccountSynced: Replica._heard,
    ev.Reconciled: Replica._heard,
    ev.LinkChanged: Replica._state,
    ev.SymbolBlocked: Replica._state,
    ev.SymbolUnblocked: Replica._state,
    ev.EquityMarked: Replica._marked,
    ev.CurrencyValued: Replica._state,
    ev.SessionOpened: Replica._state,
}
