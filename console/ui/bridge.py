"""What the console keeps of the engine: bounded, cheap to update, and never in its way.

The engine calls `observe` between two decisions; all that happens there is a few stores and a
mark. Panes take what changed when they are painted. Numbers that move with the market are read
from the engine's world at that moment, so that no price ever becomes a message.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum, auto
from typing import Any, Final

from engine.domain import event as ev
from engine.domain.codes import Outcome, Verdict
from engine.domain.instant import Nanos
from engine.domain.signal import Signal
from engine.engine import Engine

SIGNALS_KEPT: Final = 300
FILLS_KEPT: Final = 500
HISTORY_KEPT: Final = 500
LINES_KEPT: Final = 500
EQUITY_KEPT: Final = 240
DIRTY_KEPT: Final = 2_000
"""Changed keys remembered for a pane; beyond that it looks at everything again."""

URGENT_SECONDS: Final = 0.05
"""Urgent paints come no closer together than this."""

APART_SECONDS: Final = 0.008
"""Between two panes that are urgent: more than textual waits before it draws."""


class Topic(Enum):
    """What a pane may want to hear of."""

    SIGNALS = auto()
    POSITIONS = auto()
    ORDERS = auto()
    FILLS = auto()
    JOURNAL = auto()
    STATE = auto()
    """Run state, halt, links, reconcile."""
    KILL = auto()
    RISK = auto()


@dataclass(slots=True)
class SignalRow:
    """One signal from its arrival to its outcome, with every check that was asked."""

    signal: Signal
    time: Nanos
    seq: int
    decided: ev.SignalDecided | None = None
    outcome: Outcome | None = None
    outcome_code: str = ""

    @property
    def state(self) -> str:
        """The code that ended it, its outcome, or its verdict so far."""
        if self.decided is not None and self.decided.verdict is Verdict.REJECTED:
            return self.decided.code
        if self.outcome is not None:
            return self.outcome_code or str(self.outcome)
        return "NEW" if self.decided is None else str(self.decided.verdict)


@dataclass(slots=True)
class KillRow:
    """What a kill has shown at one broker, and when it was last seen."""

    state: str = "WORKING"
    cancelled: int | None = None
    closed: int | None = None
    clean_reads: int = 0
    left: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    at: Nanos = 0
    proved_at: Nanos = 0


@dataclass(slots=True, eq=False)
class Feed:
    """What changed for one pane since it was painted last."""

    topics: frozenset[Topic]
    tell: Callable[[], None]
    paint_now: Callable[[], None]
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


class Bridge:
    """The replica. `start` begins to listen, `stop` ends it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.signals: dict[str, SignalRow] = {}
        self.fills: dict[int, ev.Record] = {}
        self.history: dict[str, None] = {}
        """Ids of finished orders, oldest first; the orders themselves are in the book."""
        self.records: deque[ev.Record] = deque(maxlen=LINES_KEPT)
        self.kill: dict[str, KillRow] = {}
        self.equity: deque[tuple[Nanos, Decimal]] = deque(maxlen=EQUITY_KEPT)
        self.heard_at: Nanos = 0
        """When the venue last said anything."""
        self.counts: dict[str, int] = {"signals": 0, "orders": 0, "fills": 0}
        """Since this console opened."""
        self.on_halt: Callable[[ev.Halted], None] | None = None
        self._feeds: list[Feed] = []
        self._by_topic: dict[Topic, list[Feed]] = {topic: [] for topic in Topic}
        self._urgent: dict[Feed, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._last_urgent = float("-inf")
        self._unsubscribe: Callable[[], None] | None = None
        closed = engine.book.data.closed
        for key in list(closed)[-HISTORY_KEPT:]:
            self.history[key] = None

    def start(self) -> None:
        """Listen from now on."""
        self._unsubscribe = self.engine.subscribe(self.observe)

    def stop(self) -> None:
        """Listen no more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def adopt(self, earlier: Iterable[ev.Record]) -> None:
        """Take in what happened before `start`, oldest first; what is known already is skipped."""
        seen = list(self.records)
        first = seen[0].seq if seen else self.engine.book.data.seq + 1
        older = [record for record in earlier if record.seq < first]
        counts, on_halt = dict(self.counts), self.on_halt
        self.on_halt = None
        for kept in (self.signals, self.fills, self.kill):
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

    def feed(
        self,
        topics: Iterable[Topic],
        tell: Callable[[], None],
        paint_now: Callable[[], None],
    ) -> Feed:
        """A feed of `topics`; `tell` marks its pane, `paint_now` paints it out of turn."""
        made = Feed(frozenset(topics), tell, paint_now)
        self._feeds.append(made)
        for topic in made.topics:
            self._by_topic[topic].append(made)
        return made

    def drop(self, feed: Feed) -> None:
        """Forget a feed."""
        if feed in self._feeds:
            self._feeds.remove(feed)
        self._urgent.pop(feed, None)
        for topic in feed.topics:
            if feed in self._by_topic[topic]:
                self._by_topic[topic].remove(feed)

    # -- the engine

    def observe(self, record: ev.Record) -> None:
        """Take one record in; called by the engine."""
        self.records.append(record)
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
        self.signals[signal.signal_id] = SignalRow(signal, record.time, record.seq)
        if len(self.signals) > SIGNALS_KEPT:
            oldest = next(iter(self.signals))
            del self.signals[oldest]
            self._change(Topic.SIGNALS, oldest)
        self.counts["signals"] += 1
        self._change(Topic.SIGNALS, signal.signal_id)

    def _decided(self, record: ev.Record, event: ev.SignalDecided) -> None:
        row = self.signals.get(event.signal_id)
        if row is not None:
            row.decided = event
            self._change(Topic.SIGNALS, event.signal_id)

    def _ended(self, record: ev.Record, event: ev.SignalEnded) -> None:
        row = self.signals.get(event.signal_id)
        if row is not None:
            row.outcome, row.outcome_code = event.outcome, event.code
            self._change(Topic.SIGNALS, event.signal_id)

    def _order(self, record: ev.Record, event: Any) -> None:
        self._order_changed(event.client_order_id)

    def _whole_order(self, record: ev.Record, event: ev.OrderIntended | ev.OrderAdopted) -> None:
        self.counts["orders"] += 1
        self._order_changed(event.order.client_order_id)

    def _venue_order(self, record: ev.Record, event: Any) -> None:
        self.heard_at = record.time
        self._order_changed(event.client_order_id)

    def _bad_order(self, record: ev.Record, event: Any) -> None:
        self._order_changed(event.client_order_id, urgent=True)

    def _order_changed(self, key: str, *, urgent: bool = False) -> None:
        if key in self.engine.book.data.closed:
            self.history.pop(key, None)
            self.history[key] = None
            if len(self.history) > HISTORY_KEPT:
                oldest = next(iter(self.history))
                del self.history[oldest]
                self._change(Topic.ORDERS, oldest)
        self._change(Topic.ORDERS, key, urgent=urgent)
        order = self.engine.book.order(key)
        if order is not None and order.is_protective:
            self._change(Topic.POSITIONS, order.symbol)

    def _filled(self, record: ev.Record, event: ev.OrderFilled) -> None:
        self.heard_at = record.time
        self.counts["fills"] += 1
        self.fills[record.seq] = record
        if len(self.fills) > FILLS_KEPT:
            oldest = next(iter(self.fills))
            del self.fills[oldest]
            self._change(Topic.FILLS, oldest)
        self._change(Topic.FILLS, record.seq, urgent=True)
        self._order_changed(event.fill.client_order_id, urgent=True)
        self._change(Topic.POSITIONS, event.fill.symbol, urgent=True)
        self._change(Topic.RISK, "fill")

    def _position(self, record: ev.Record, event: Any) -> None:
        symbol = event.trade.symbol if isinstance(event, ev.PositionClosed) else event.symbol
        self._change(Topic.POSITIONS, symbol)

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
        row = self.kill.setdefault(event.broker, KillRow())
        row.clean_reads, row.left, row.unknown = event.clean_reads, event.left, event.unknown
        row.at = record.time
        self._change(Topic.KILL, event.broker, urgent=True)

    def _proved(self, record: ev.Record, event: ev.KillProved) -> None:
        row = self.kill.setdefault(event.broker, KillRow())
        row.state, row.cancelled, row.closed = event.state, event.cancelled, event.closed
        row.left, row.unknown = event.left, event.unknown
        row.at = row.proved_at = record.time
        self._change(Topic.KILL, event.broker, urgent=True)

    def _marked(self, record: ev.Record, event: ev.EquityMarked) -> None:
        self.equity.append((record.time, event.equity))
        self._change(Topic.RISK, "equity")


Rule = Callable[[Bridge, ev.Record, Any], None]
_RULES: Final[dict[type[ev.Event], Rule]] = {
    ev.SignalReceived: Bridge._received,
    ev.SignalDecided: Bridge._decided,
    ev.SignalEnded: Bridge._ended,
    ev.OrderIntended: Bridge._whole_order,
    ev.OrderAdopted: Bridge._whole_order,
    ev.OrderSent: Bridge._order,
    ev.OrderAccepted: Bridge._venue_order,
    ev.OrderRejected: Bridge._bad_order,
    ev.OrderUnclear: Bridge._bad_order,
    ev.OrderFilled: Bridge._filled,
    ev.CancelRequested: Bridge._order,
    ev.CancelRefused: Bridge._order,
    ev.OrderCanceled: Bridge._venue_order,
    ev.OrderExpired: Bridge._venue_order,
    ev.ReplaceRequested: Bridge._order,
    ev.OrderReplaced: Bridge._venue_order,
    ev.OrderSettled: Bridge._venue_order,
    ev.ExitPlanned: Bridge._position,
    ev.ExitAbandoned: Bridge._position,
    ev.StopRemoved: Bridge._position,
    ev.PositionClosed: Bridge._position,
    ev.PositionAdjusted: Bridge._position,
    ev.PhaseChanged: Bridge._state,
    ev.Paused: Bridge._state,
    ev.Unpaused: Bridge._state,
    ev.Restricted: Bridge._state,
    ev.Unrestricted: Bridge._state,
    ev.HaltCleared: Bridge._state,
    ev.Halted: Bridge._halted,
    ev.KillProgressed: Bridge._progressed,
    ev.KillProved: Bridge._proved,
    ev.AccountSynced: Bridge._heard,
    ev.Reconciled: Bridge._heard,
    ev.LinkChanged: Bridge._state,
    ev.SymbolBlocked: Bridge._state,
    ev.SymbolUnblocked: Bridge._state,
    ev.EquityMarked: Bridge._marked,
    ev.SessionOpened: Bridge._state,
}
