"""The book: everything that is true now, changed by `engine.state.fold.apply` and nothing else.

Its `data` is plain and goes into snapshots; the indexes beside it are derived and rebuilt. Work
per event does not depend on how many orders there are.
"""

import datetime
import heapq
from bisect import bisect_right
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from engine.domain import events as ev
from engine.domain.account import Account
from engine.domain.ids import FACT_DIGITS
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument
from engine.domain.money import ONE, ZERO, plain
from engine.domain.order import OrderStatus, OrderTerms, move
from engine.domain.run import Halt, LinkState, Mode, Phase, RunState, Trigger
from engine.state.order import Order
from engine.state.position import Position
from engine.state.seen import SeenIds
from engine.state.touched import SignalEntry, Touched, Value

STATE_FORMAT = 2
"""Raised whenever what a snapshot holds, or what an event does to it, changes its meaning.

An older snapshot is then left aside and the state folded from the events. A test compares the
shape with the one this number stands for.
"""

CLOSED_KEPT = 2_000
"""Finished orders kept at hand for late reports; older ones live in the journal only."""

RATE_WINDOW = 60 * NS_PER_SECOND

PRINTS_KEPT = 1_024

ANSWER_SECONDS = 5
"""How long a request may stay unanswered before the venue is asked (live-engines, 4b)."""

DOUBT_SECONDS = 1
"""Between the first two questions about an order in doubt; each pause is twice the one before."""

QUERY_SECONDS_MAX = 60

_RESTING = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.SUSPENDED})


class SessionState(msgspec.Struct, kw_only=True):
    """Counters of the accounting day (X-12, X-13)."""

    date: datetime.date
    starting_equity: Decimal
    starting_unrealized: Decimal = ZERO
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    flows: Decimal = ZERO
    entries: int = 0
    trades: int = 0
    wins: int = 0
    losses: int = 0
    max_drawdown: Decimal = ZERO


class Restriction(msgspec.Struct, kw_only=True):
    """A cause that allows only reducing."""

    reason: str
    until: Nanos


class LinkStatus(msgspec.Struct, kw_only=True):
    """One broker connection."""

    state: LinkState
    since: Nanos
    detail: str = ""


class KillWork(msgspec.Struct, kw_only=True):
    """A kill under way at one broker; done when `clean_reads` is enough (DESIGN, Kill)."""

    epoch: int
    started_at: Nanos
    baseline: list[str]
    cancelled: int = 0
    closed: int = 0
    clean_reads: int = 0
    clean_since: Nanos = 0
    state: str = "WORKING"


class Metrics(msgspec.Struct, kw_only=True):
    """Counts over the life of the account (C-307, C-308)."""

    total: int = 0
    filled: int = 0
    cancelled: int = 0
    rejected: int = 0
    expired: int = 0
    fills: int = 0
    notional: Decimal = ZERO
    commission: Decimal = ZERO
    latency_ns: int = 0
    latency_count: int = 0
    failures: int = 0
    last_failure: Nanos = 0


class BookData(msgspec.Struct, kw_only=True):
    """What a snapshot holds."""

    seq: int = 0
    time: Nanos = 0
    mode: Mode = Mode.PAPER
    account_id: str = ""
    broker: str = "paper"
    phase: Phase = Phase.STOPPED
    started_at: Nanos = 0
    """When this process took the account."""
    running_at: Nanos = 0
    """When it began to trade."""
    paused: bool = False
    pause_reason: str = ""
    restrictions: dict[str, Restriction] = {}
    halt: Halt | None = None
    epoch: int = 0
    kill: KillWork | None = None
    instruments: dict[str, Instrument] = {}
    account: Account | None = None
    starting_equity: Decimal | None = None
    """Equity when the account was first seen."""
    cash: Decimal = ZERO
    buying_power: Decimal = ZERO
    realized: Decimal = ZERO
    commission: Decimal = ZERO
    flows: Decimal = ZERO
    peak_equity: Decimal = ZERO
    marked_at: Nanos = 0
    marked_equity: Decimal = ZERO
    marks: dict[str, Decimal] = {}
    """Last known price of what is held, as of the newest mark or fill."""
    session: SessionState | None = None
    orders: dict[str, Order] = {}
    closed: dict[str, Order] = {}
    positions: dict[str, Position] = {}
    heard: dict[str, SignalEntry] = {}
    """Signals that arrived and have no verdict yet."""
    signals: dict[str, SignalEntry] = {}
    """Accepted signals until they have their outcome and all their orders are done."""
    window: dict[str, Nanos] = {}
    """Content of accepted signals and when (X-66)."""
    sent: list[Nanos] = []
    """When the orders of the last minute that add exposure were intended."""
    prints: dict[str, Nanos] = {}
    """Fingerprint of recent orders (duplicate order)."""
    rejects: list[Nanos] = []
    blocked: dict[str, dict[str, str]] = {}
    loss_streak: int = 0
    links: dict[str, LinkStatus] = {}
    letters: dict[str, OrderTerms] = {}
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    outcomes: dict[str, int] = {}
    alerted: dict[str, str] = {}
    """Trigger to the session date on which it last fired as an alert."""
    journal_failed: bool = False
    last_fill: Nanos = 0
    reconciled_at: Nanos = 0
    reconciled_clean: bool = False
    clean_at: Nanos = 0
    """When a comparison last found nothing unexplained."""
    compared: bool = False
    """Whether the venue's holdings and orders were seen since the start and since the connection
    last broke; until then nothing opens."""
    reconcile_reason: str = ""
    differences: tuple[ev.Difference, ...] = ()
    snapshot_asked: Nanos = 0
    seen_signals: str = ""
    seen_executions: str = ""
    seen_fills: str = ""


class Book:
    """The state. Read it freely; only `apply` changes it."""

    def __init__(self, data: BookData | None = None) -> None:
        self.data = data or BookData()
        self.seen_signals = SeenIds.load(self.data.seen_signals)
        self.seen_executions = SeenIds.load(self.data.seen_executions)
        """Keys of the fills that were taken (X-91)."""
        self.seen_fills = SeenIds.load(self.data.seen_fills)
        """The same with what they said, to tell a fill that comes again from a false one."""
        self._touched: list[Touched] = []
        self.by_symbol: dict[str, dict[str, None]] = {}
        self._reducing: dict[str, dict[str, None]] = {}
        self._entries: dict[tuple[str, int], int] = {}
        """Working orders that add exposure, by symbol and sign."""
        self.deadlines: list[tuple[Nanos, str]] = []
        self.reserved: dict[str, Decimal] = {}
        self.reserved_total = ZERO
        self.reserved_in: dict[str, Decimal] = {}
        """Reserved value by group (sector), see `group`."""
        self._group_of: Callable[[str], str] = str
        self._pending: set[str] = set()
        """Symbols with a working entry and no position."""
        self.entries_working = 0
        self.unclear = 0
        self.closable = 0
        """Working orders that are not protective: what a kill cancels."""
        self._facts = {
            key[-FACT_DIGITS:]: key
            for known in (self.data.closed, self.data.orders)
            for key in known
        }
        for order in self.data.orders.values():
            self._index(order)

    # --- reading ----------------------------------------------------------------------------------

    @property
    def run_state(self) -> RunState:
        """The one state shown, the strictest cause first (U-41)."""
        data = self.data
        if data.phase is Phase.STOPPED:
            return RunState.STOPPED
        if data.phase is Phase.ERROR:
            return RunState.ERROR
        if data.halt is not None:
            return RunState.HALTED
        if data.phase is Phase.STARTING:
            return RunState.STARTING
        if data.restrictions:
            cooling = set(data.restrictions) == {Trigger.LOSS_STREAK}
            return RunState.COOLDOWN if cooling else RunState.REDUCE_ONLY
        if data.paused:
            return RunState.PAUSED
        return RunState.ACTIVE

    @property
    def halted(self) -> bool:
        """True while the latch stands."""
        return self.data.halt is not None

    def order(self, client_order_id: str) -> Order | None:
        """A working or recently finished order."""
        return self.data.orders.get(client_order_id) or self.data.closed.get(client_order_id)

    def of_facts(self, client_order_id: str) -> Order | None:
        """A known order that stands for the same facts as this id, whenever it was made."""
        key = self._facts.get(client_order_id[-FACT_DIGITS:])
        return None if key is None else self.order(key)

    def working(self, symbol: str) -> Iterator[Order]:
        """Orders of one symbol that are not terminal, UNKNOWN ones included."""
        orders = self.data.orders
        for key in tuple(self.by_symbol.get(symbol, ())):
            yield orders[key]

    def position(self, symbol: str) -> Position | None:
        """What is held of one symbol."""
        return self.data.positions.get(symbol)

    def instrument(self, symbol: str) -> Instrument | None:
        """The learned instrument."""
        return self.data.instruments.get(symbol)

    def multiplier(self, symbol: str) -> Decimal:
        """Contract multiplier, one where nothing else is known."""
        known = self.data.instruments.get(symbol)
        return known.multiplier if known else ONE

    def reducing(self, symbol: str) -> list[Order]:
        """Working orders of one symbol that add no exposure: stops, exits, a person's closes."""
        orders = self.data.orders
        return [orders[key] for key in self._reducing.get(symbol, ())]

    def count_entries(self, symbol: str, sign: int) -> int:
        """How many orders that add exposure work on one side (+1 buys, -1 sells) of one symbol."""
        return self._entries.get((symbol, sign), 0)

    def entries_in(self, symbol: str) -> Iterator[Order]:
        """Working orders that add exposure in one symbol."""
        return (order for order in self.working(symbol) if order.reserved)

    @property
    def slots_used(self) -> int:
        """Open positions plus working entries in symbols not held (A-081)."""
        return len(self.data.positions) + len(self._pending)

    def group(self, group_of: Callable[[str], str]) -> None:
        """Keep `reserved_in` by these groups from now on."""
        self._group_of = group_of
        self.reserved_in = {}
        for symbol, amount in self.reserved.items():
            key = group_of(symbol)
            self.reserved_in[key] = self.reserved_in.get(key, ZERO) + amount

    def sent_since(self, at: Nanos) -> int:
        """How many orders that add exposure were intended after `at`."""
        return len(self.data.sent) - bisect_right(self.data.sent, at)

    @property
    def links_up(self) -> bool:
        """True while every broker we know is connected."""
        return bool(self.data.links) and all(
            link.state is LinkState.CONNECTED for link in self.data.links.values()
        )

    def snapshot(self) -> bytes:
        """The state as bytes that `restore` reads."""
        self.data.seen_signals = self.seen_signals.dump()
        self.data.seen_executions = self.seen_executions.dump()
        self.data.seen_fills = self.seen_fills.dump()
        return msgspec.json.encode(self.data)

    @classmethod
    def restore(cls, snapshot: bytes) -> "Book":
        """The book a snapshot holds.

        Raises `msgspec.ValidationError` when it was written by another version of the program.
        """
        return cls(msgspec.json.decode(snapshot, type=BookData))

    # --- writing: for `engine.state.fold` alone ---------------------------------------------------

    def _index(self, order: Order) -> None:
        self.by_symbol.setdefault(order.symbol, {})[order.client_order_id] = None
        if order.reserved:
            self._reserve(order, 1)
            self._count_entry(order, 1)
        else:
            self._reducing.setdefault(order.symbol, {})[order.client_order_id] = None
        if order.status is OrderStatus.UNKNOWN:
            self.unclear += 1
        if not order.is_protective:
            self.closable += 1
        self._schedule(order)

    def _reindex(self, old: Order, new: Order) -> None:
        """As `_unindex` and `_index`, where most often only the status is new."""
        if old.filled != new.filled or old.quantity != new.quantity or old.reserved != new.reserved:
            self._unindex(old)
            self._index(new)
            return
        unknown = OrderStatus.UNKNOWN
        self.unclear += (new.status is unknown) - (old.status is unknown)
        self._schedule(new)

    def _schedule(self, order: Order) -> None:
        due = due_at(order)
        if due:
            heapq.heappush(self.deadlines, (due, order.client_order_id))
            if len(self.deadlines) > 1_000 + 4 * len(self.data.orders):
                self._compact()

    def _compact(self) -> None:
        dues = ((due_at(order), key) for key, order in self.data.orders.items())
        self.deadlines = [item for item in dues if item[0]]
        heapq.heapify(self.deadlines)

    def pop_due(self, now: Nanos) -> list[Order]:
        """Orders about which something must be done by now; each is returned once per deadline."""
        due: list[Order] = []
        while self.deadlines and self.deadlines[0][0] <= now:
            item = heapq.heappop(self.deadlines)
            if self.deadlines and self.deadlines[0] == item:
                continue  # an order that changed twice in one moment stands there twice
            at, key = item
            order = self.data.orders.get(key)
            if order is not None and due_at(order) == at:
                due.append(order)
        return due

    def next_due(self) -> Nanos | None:
        """The earliest deadline of any order that works."""
        while self.deadlines:
            at, key = self.deadlines[0]
            order = self.data.orders.get(key)
            if order is not None and due_at(order) == at:
                return at
            heapq.heappop(self.deadlines)
        return None

    def _unindex(self, order: Order) -> None:
        _drop(self.by_symbol, order)
        if order.reserved:
            self._reserve(order, -1)
            self._count_entry(order, -1)
        else:
            _drop(self._reducing, order)
        if order.status is OrderStatus.UNKNOWN:
            self.unclear -= 1
        if not order.is_protective:
            self.closable -= 1

    def _count_entry(self, order: Order, change: int) -> None:
        key = (order.symbol, order.side.sign)
        self._entries[key] = self._entries.get(key, 0) + change
        self.entries_working += change

    def _reserve(self, order: Order, sign: int) -> None:
        amount = order.leaves * order.reserved * self.multiplier(order.symbol) * sign
        symbol = order.symbol
        total = self.reserved.get(symbol, ZERO) + amount
        if total:
            self.reserved[symbol] = total
            if symbol not in self.data.positions:
                self._pending.add(symbol)
        else:
            self.reserved.pop(symbol, None)
            self._pending.discard(symbol)
        self.reserved_total += amount
        key = self._group_of(symbol)
        self.reserved_in[key] = self.reserved_in.get(key, ZERO) + amount

    def touch(self, value: Value) -> None:
        """Say that an event made or changed this value."""
        self._touched.append(Touched(value, self.data.account_id, self.data.mode.value))

    def take_touched(self) -> list[Touched]:
        """What was touched since the last call."""
        touched, self._touched = self._touched, []
        return touched

    def hold(self, symbol: str, position: Position | None) -> None:
        """Open, change or end the holding of a symbol."""
        if position is not None:
            self.touch(position)
        if position is None:
            self.data.positions.pop(symbol, None)
            if symbol in self.reserved:
                self._pending.add(symbol)
        else:
            self.data.positions[symbol] = position
            self._pending.discard(symbol)

    def stamp(self, order: Order, at: Nanos) -> None:
        """Note an order that adds exposure, for the rate and the duplicate limit."""
        data = self.data
        if data.sent and data.sent[0] <= at - RATE_WINDOW and is_power_of_two(len(data.sent)):
            del data.sent[: bisect_right(data.sent, at - RATE_WINDOW)]
        data.sent.append(at)
        if len(data.prints) >= PRINTS_KEPT and is_power_of_two(len(data.prints)):
            data.prints = {k: t for k, t in data.prints.items() if t > at - RATE_WINDOW}
        data.prints[print_of(order)] = at

    def put(self, order: Order) -> None:
        """Store a new version of an order and keep every index and count true."""
        self.touch(order)
        data, key = self.data, order.client_order_id
        old = data.orders.get(key)
        if order.is_working:
            data.orders[key] = order
            if old is None:
                self._facts[key[-FACT_DIGITS:]] = key
                data.closed.pop(key, None)
                self._index(order)
            else:
                self._reindex(old, order)
            return
        if old is not None:
            del data.orders[key]
            self._unindex(old)
        data.closed[key] = order
        self._facts[key[-FACT_DIGITS:]] = key
        if len(data.closed) > CLOSED_KEPT:
            self._forget(next(iter(data.closed)))
        if old is not None:
            self._count_end(order)
            self._bury(order.signal_id)

    def _bury(self, signal_id: str) -> None:
        """Forget a signal that has its outcome once its last order is done."""
        life = self.data.signals.get(signal_id)
        if life is None or life.outcome is None:
            return
        if not any(key in self.data.orders for key in life.orders):
            del self.data.signals[signal_id]

    def _forget(self, key: str) -> None:
        del self.data.closed[key]
        facts = key[-FACT_DIGITS:]
        if self._facts.get(facts) == key:
            del self._facts[facts]

    def _count_end(self, order: Order) -> None:
        metrics = self.data.metrics
        match order.status:
            case OrderStatus.FILLED:
                metrics.filled += 1
            case OrderStatus.CANCELED:
                metrics.cancelled += 1
            case OrderStatus.REJECTED:
                metrics.rejected += 1
            case OrderStatus.EXPIRED:
                metrics.expired += 1
            case _:
                pass

    def update(self, key: str, at: Nanos, **fields: Any) -> Order | None:
        """A new version of an order; a status moves along the table only."""
        order = self.order(key)
        if order is None:
            return None
        status = fields.get("status", order.status)
        if status is not order.status:
            move(order.status, status)
        new = msgspec.structs.replace(order, updated_at=at, **fields)
        self.put(new)
        return new

    def guard(self, symbol: str, at: Nanos) -> None:
        """Set or clear since when a position lacks a stop at the venue for all of it (A-172)."""
        position = self.data.positions.get(symbol)
        if position is None:
            return
        covered = sum(
            (o.leaves for o in self.reducing(symbol) if o.is_protective and o.accepted_at),
            start=ZERO,
        )
        since = 0 if covered >= abs(position.quantity) else position.unprotected_since or at
        if since != position.unprotected_since:
            self.data.positions[symbol] = msgspec.structs.replace(position, unprotected_since=since)

    def end(self, key: str, at: Nanos, status: OrderStatus, **fields: Any) -> None:
        """Make an order terminal; a position that loses its stop counts as unprotected from now."""
        order = self.update(key, at, status=status, **fields)
        if order is not None and order.is_protective:
            self.guard(order.symbol, at)


def is_power_of_two(number: int) -> bool:
    """When a growing list is swept: often enough to stay small, rarely enough to cost nothing."""
    return number & (number - 1) == 0


def _drop(keys_of: dict[str, dict[str, None]], order: Order) -> None:
    keys = keys_of.get(order.symbol)
    if keys is not None:
        keys.pop(order.client_order_id, None)
        if not keys:
            del keys_of[order.symbol]


def due_at(order: Order) -> Nanos:
    """When something must be done about an order if nothing comes in: 0 never (C-304, X-54).

    Unanswered requests are queried, more and more slowly; resting orders time out.
    """
    status = order.status
    if status in _RESTING:
        timeout = order.timeout_seconds
        return order.accepted_at + timeout * NS_PER_SECOND if timeout else 0
    if status.is_terminal:
        return 0
    if status is OrderStatus.UNKNOWN:
        pause = DOUBT_SECONDS * 2 ** max(order.queries - 1, 0)
    else:
        pause = ANSWER_SECONDS * 2**order.queries
    pause = min(pause, QUERY_SECONDS_MAX)
    return int(order.updated_at + pause * NS_PER_SECOND)


def print_of(order: OrderTerms) -> str:
    """What makes two orders the same for the duplicate-order limit."""
    numbers = (order.quantity, order.limit_price, order.stop_price)
    texts = ("" if number is None else plain(number) for number in numbers)
    return "|".join((order.symbol, order.side, *texts))
