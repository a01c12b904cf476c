"""The invariants I1 to I9, checked against the venue's truth after everything that happens."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from engine.domain import events as ev
from engine.domain.codes import Verdict
from engine.domain.events import Record
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos
from engine.domain.order import TRANSITIONS, Fill, OrderStatus, OrderTerms
from engine.domain.position import ExitReason
from engine.domain.run import Flatten
from engine.domain.schema import decode
from engine.plans.kill import in_scope
from engine.runtime.engine import Engine
from engine.state.book import Book
from engine.state.fold import apply
from engine.state.order import Order
from tests.simulation.store import Disk, Row
from tests.simulation.venue import Venue, Working

ZERO: Final = Decimal(0)
CANCEL_BUDGET: Final = NS_PER_SECOND
"""Where nothing fails, no entry works longer than this after a halt."""
TRACE: Final = 60
LATCH_BUDGET: Final = 20 * NS_PER_MS
"""A halt that is older than this survives everything."""


class Broken(Exception):  # noqa: N818 - the outcome of a run
    """An invariant does not hold."""


class Watch:
    """Sees every event, every send and everything the venue does, over all processes of a run."""

    def __init__(
        self, disk: Disk, venue: Venue, now: Callable[[], Nanos], *, faultless: bool
    ) -> None:
        self.disk = disk
        self.venue = venue
        self.now = now
        self.faultless = faultless
        self.engine: Engine | None = None
        self.shadow = Book()
        """The fold of what was journalled, from its bytes."""
        self.halted = False
        self.halted_at: Nanos = 0
        self.proved: Flatten | None = None
        """How far a kill that is proved reaches."""
        self.looked = False
        """Whether this process has compared with the venue."""
        self.looked_over_link = False
        """The same of the connection that stands."""
        self.found: list[str] = []
        self.trace: list[str] = []
        self.events = 0
        self.seen: set[str] = set()
        self.intents: set[str] = set()
        """Intents that add exposure of which the venue accepted an order."""
        venue.on_accept = self.accepted
        venue.on_fill = self.filled

    def broken(self, which: str, text: str) -> None:
        """Remember the violation; the run ends with it."""
        self.found.append(f"{which}: {text}")
        self.note(f"!! {which}: {text}")

    def note(self, text: str) -> None:
        """One line of the trace."""
        self.trace.append(f"{self.now() / 1e9 % 100_000:.3f} {text}")
        if len(self.trace) > 4 * TRACE:
            del self.trace[: -2 * TRACE]

    def second(self, verdict: ev.SignalDecided | ev.InputRejected) -> None:
        """I1: the same signal is not taken twice."""
        if isinstance(verdict, ev.SignalDecided) and verdict.verdict is not Verdict.REJECTED:
            self.broken("I1", f"signal {verdict.signal_id} was accepted twice")

    # --- the engine's side ------------------------------------------------------------------------

    def started(self, engine: Engine, records: list[Record]) -> None:
        """A process begins: what was durable is all there is."""
        self.engine = engine
        self.shadow = Book()
        for record in records:
            apply(self.shadow, record)
        self.looked = self.looked_over_link = False
        self.same("I4", "after a start")

    def row(self, row: Row) -> None:
        """I4, I9: every event as its bytes say, along legal edges."""
        seq, time, name, data = row
        self.events += 1
        event = decode(name, data)
        key = getattr(event, "client_order_id", "")
        if isinstance(event, ev.OrderFilled):
            key = event.fill.client_order_id
        before = self.shadow.order(key) if key else None
        apply(self.shadow, Record(seq, time, event))
        self.seen.add(name)
        if before is not None:
            self._moved(before, self.shadow.order(key), event)

    def _moved(self, before: Order, after: Order | None, event: ev.Event) -> None:
        if after is None:
            return
        legal = TRANSITIONS[before.status] | {before.status}
        if after.status not in legal:
            self.broken("I9", f"{type(event).__name__}: {before.status} to {after.status}")
        if before.status.is_terminal and not after.status.is_terminal:
            self.broken("I9", f"{type(event).__name__} brought back a {before.status} order")
        if after.filled < before.filled:
            self.broken("I9", f"{before.filled} filled fell to {after.filled}")

    def happened(self, record: Record) -> None:
        """One event, after the whole step was applied."""
        event = record.event
        self.note(f"#{record.seq} {type(event).__name__} {_short(event)}")
        check = _CHECKS.get(type(event))
        if check is not None:
            check(self, event)
        self._bounded()

    def _halted(self, event: ev.Halted) -> None:
        self.halted = True
        self.halted_at = self.now()
        self.proved = None

    def _cleared(self, event: ev.HaltCleared) -> None:
        self.halted = False
        self.proved = None

    def _linked(self, event: ev.LinkChanged) -> None:
        self.looked_over_link = False

    def _reconciled(self, event: ev.Reconciled) -> None:
        if not event.failed:
            self.looked = self.looked_over_link = True
        for difference in event.differences:
            if difference.kind != "PRICE_DRIFT" and event.reason != "start":
                self.broken("I3", f"a difference that is not there: {difference}")

    def _adjusted(self, event: ev.PositionAdjusted) -> None:
        self.broken("I3", f"a holding was invented: {event.symbol} {event.quantity}")

    def _synced(self, event: ev.AccountSynced) -> None:
        if event.flow:
            self.broken("I8", f"a transfer was invented: {event.flow}")

    def _overfilled(self, event: ev.OrderFilled) -> None:
        if event.overfill:
            self.broken("I9", f"{event.fill.client_order_id} filled {event.overfill} too much")

    def _planned(self, event: ev.ExitPlanned) -> None:
        if self.faultless and event.decision.reason is ExitReason.UNPROTECTED:
            self.broken("protect", f"{event.symbol} had no stop for all of it, and nothing failed")

    def _proved(self, event: ev.KillProved) -> None:
        """I5: a proof is true."""
        engine = self.engine
        if event.state != "VERIFIED" or engine is None or engine.book.data.halt is None:
            return
        self.proved = engine.book.data.halt.flatten
        for working in self.venue.open.values():
            if not working.order.is_protective:
                self.broken("I5", f"{working.order.client_order_id} works after VERIFIED")
        for symbol, quantity in self.venue.positions.items():
            held = engine.book.holding("paper", symbol)
            if held is None or in_scope(held, self.proved):
                self.broken("I5", f"{quantity} {symbol} are held after VERIFIED")

    def _intended(self, event: ev.OrderIntended) -> None:
        """I7: the limits hold with everything that works and is unknown counted."""
        engine, order = self.engine, event.terms
        if engine is None or not order.reserved:
            return
        world = engine.world
        data = world.book.data
        equity, limits = world.equity, world.limits
        gross = ZERO
        for symbol in {o.symbol for o in data.accounts["paper"].orders.values()} | set(
            data.accounts["paper"].positions
        ):
            worth = sum(
                (
                    o.leaves * o.reserved
                    for o in data.accounts["paper"].orders.values()
                    if o.symbol == symbol
                ),
                ZERO,
            )
            position = data.accounts["paper"].positions.get(symbol)
            if position is not None:
                mark = world.mark(symbol)
                worth += abs(position.cost if mark is None else position.market_value(mark))
            gross += worth
            limit = limits.single_name
            if symbol == order.symbol and limit is not None and worth > limit * equity:
                self.broken("I7", f"{symbol} at {worth}, {limit * equity} is allowed")
        if limits.gross is not None and gross > limits.gross * equity:
            self.broken("I7", f"gross at {gross}, {limits.gross * equity} is allowed")
        slots = len(
            set(data.accounts["paper"].positions)
            | {o.symbol for o in data.accounts["paper"].orders.values() if o.reserved}
        )
        if limits.max_positions is not None and slots > limits.max_positions:
            self.broken("I7", f"{slots} slots, {limits.max_positions} are allowed")

    def _bounded(self) -> None:
        """I7: what the venue holds and works never exceeds what we count."""
        engine = self.engine
        if engine is None or not self.looked:
            return
        book, venue = engine.book, self.venue
        for symbol in venue.prices:
            there = abs(venue.positions.get(symbol, ZERO))
            for working in venue.open.values():
                if working.order.symbol == symbol and working.order.reserved:
                    there += working.leaves
            if not there:
                continue
            position = book.holding("paper", symbol)
            here = abs(position.quantity) if position is not None else ZERO
            for order in book.working("paper", symbol):
                if order.reserved:
                    here += order.leaves
            if there > here:
                self.broken("I7", f"{symbol}: {there} there, {here} counted here")

    def same(self, which: str, when: str) -> None:
        """I4: the fold of the journal is the live state, to the byte."""
        if self.engine is None:
            return
        live, folded = self.engine.book.snapshot(), self.shadow.snapshot()
        if live != folded:
            self.broken(which, f"{when} the state is not the fold: {_differ(live, folded)}")

    def crashed(self) -> None:
        """The process is gone: I4, and a halt of the last moment may be lost with it."""
        self.same("I4", "at the crash")
        young = self.now() - self.halted_at < LATCH_BUDGET
        if self.halted and young and self.disk.latch is None:
            self.halted = any(isinstance(r.event, ev.Halted) for r in self.disk.records(0))

    # --- the line ---------------------------------------------------------------------------------

    def sending(self, order: OrderTerms) -> None:
        """I2 and I5, in the instant before the socket."""
        self.note(
            f"send {order.client_order_id[-6:]} {order.side} {order.quantity} {order.symbol} "
            f"{order.purpose}"
        )
        if order.reduce_only and not order.reserved:
            return
        if order.client_order_id not in self.disk.intents:
            self.broken("I2", f"{order.client_order_id} left before its intent was durable")
        if self.halted or self.disk.latch is not None:
            self.broken("I5", f"{order.client_order_id} left after the halt")
        if not self.looked_over_link:
            self.broken("I3", f"{order.client_order_id} left before the connection's first look")

    # --- the venue's side -------------------------------------------------------------------------

    def accepted(self, order: OrderTerms, again: bool) -> None:
        """I1: one intent, one order there."""
        self.note(f"venue accepts {order.client_order_id[-6:]} {order.purpose}")
        if again:
            self.broken("I1", f"{order.client_order_id} was accepted twice")
        if order.reserved:
            if order.intent_id in self.intents:
                self.broken("I1", f"intent {order.intent_id} was accepted twice")
            self.intents.add(order.intent_id)

    def filled(self, working: Working, fill: Fill, before: Decimal, after: Decimal) -> None:
        """I6: what reduces never crosses zero and never adds."""
        order = working.order
        self.note(
            f"venue fills {order.client_order_id[-6:]} {fill.quantity} of {order.symbol}: "
            f"{before} to {after}"
        )
        if order.reduce_only and (before * after < 0 or abs(after) > abs(before)):
            self.broken("I6", f"{order.purpose} took {order.symbol} from {before} to {after}")
        since = self.now() - self.halted_at
        if self.faultless and self.halted and order.reserved and since > CANCEL_BUDGET:
            self.broken("I5", f"{order.client_order_id} filled long after the halt")
        if self.proved is not None and not order.reduce_only:
            self.broken("I5", f"{order.client_order_id} filled after VERIFIED")

    # --- the end ----------------------------------------------------------------------------------

    def unsettled(self) -> list[str]:
        """What is still under way."""
        engine, venue = self.engine, self.venue
        if engine is None:
            return ["no engine runs"]
        data = engine.book.data
        left = [
            f"order {o.client_order_id[-6:]} {o.purpose} {o.symbol} is {o.status}"
            for o in data.accounts["paper"].orders.values()
            if o.status
            not in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.SUSPENDED)
        ]
        left += [
            f"{p.symbol} is exiting" for p in data.accounts["paper"].positions.values() if p.exiting
        ]
        left += self._unprotected()
        if data.halt is not None:
            left += [f"entry {k[-6:]} works" for k, w in venue.open.items() if w.order.reserved]
        if (
            data.accounts["paper"].kill is not None
            and data.accounts["paper"].kill.state != "VERIFIED"
        ):
            left.append(f"the kill is {data.accounts['paper'].kill.state}")
        if not data.accounts["paper"].compared or data.accounts["paper"].balances is None:
            left.append("the venue was not seen")
        left += self._differences()
        if venue.in_flight:
            left.append(f"{venue.in_flight} requests are in flight")
        if not all(account.is_connected for account in data.accounts.values()):
            left.append("the link is down")
        if data.accounts["paper"].snapshot_asked:
            left.append("a comparison is under way")
        return left

    def _unprotected(self) -> list[str]:
        engine, venue = self.engine, self.venue
        left = []
        for position in engine.book.account("paper").positions.values() if engine else ():
            if position.stop is None or position.exiting is not None:
                continue
            there = [w for w in venue.open.values() if w.order.symbol == position.symbol]
            resting = sum((w.leaves for w in there if w.order.is_protective), ZERO)
            others = sum(
                (w.leaves for w in there if w.order.reduce_only and not w.order.is_protective), ZERO
            )
            wanted = abs(position.quantity)
            if not venue.capabilities.reduce_only:
                wanted = max(wanted - others, ZERO)
            if resting != wanted:
                left.append(f"{position.symbol} {position.quantity}: stops for {resting}")
        return left

    def _differences(self) -> list[str]:
        engine, venue = self.engine, self.venue
        if engine is None:
            return []
        book, left = engine.book, []
        here = {p.symbol: p.quantity for p in book.account("paper").positions.values()}
        if here != venue.positions:
            left.append(f"holdings {_text(here)} here, {_text(venue.positions)} there")
        ours, theirs = set(book.account("paper").orders), set(venue.open)
        if ours != theirs:
            left.append(
                f"orders only here {[k[-6:] for k in sorted(ours - theirs)]}, "
                f"only there {[k[-6:] for k in sorted(theirs - ours)]}"
            )
        return left

    def at_end(self) -> None:
        """I3, I4, I8 and liveness, once all is quiet."""
        engine, venue = self.engine, self.venue
        for what in self.unsettled():
            self.broken("I3 or liveness", what)
        if engine is None:
            return
        self.same("I4", "at the end")
        book = engine.book
        if book.account("paper").cash["USD"] != venue.cash:
            self.broken("I8", f"cash {book.account('paper').cash['USD']} here, {venue.cash} there")
        cost = sum((p.cost for p in book.account("paper").positions.values()), ZERO)
        start = book.data.starting_equity or ZERO
        earned = book.data.realized - book.data.commission
        if book.account("paper").cash["USD"] + cost != start + earned:
            self.broken(
                "I8",
                f"cash {book.account('paper').cash['USD']} + cost {cost} is not {start} + {earned}",
            )
        reserved = sum(
            (o.leaves * o.reserved for o in book.account("paper").orders.values() if o.reserved),
            ZERO,
        )
        if sum(book.reserved_total.values(), ZERO) != reserved:
            self.broken("I7", f"{book.reserved_total} is counted as reserved, {reserved} is")
        self._counts(book)

    def _counts(self, book: Book) -> None:
        metrics = book.data.metrics
        ended = metrics.filled + metrics.cancelled + metrics.rejected + metrics.expired
        if metrics.total != ended + len(book.account("paper").orders):
            self.broken(
                "I8",
                f"{metrics.total} orders, {ended} ended, {book.working_count} open (C-308)",
            )


def _short(event: ev.Event) -> str:
    parts = []
    for name in ("symbol", "reason", "code", "text", "state", "status", "phase", "clean"):
        value = getattr(event, name, None)
        if value not in (None, ""):
            parts.append(f"{value}")
    key = getattr(event, "client_order_id", "")
    if isinstance(event, ev.OrderIntended):
        order = event.terms
        key = order.client_order_id
        parts.append(f"{order.purpose} {order.side} {order.quantity} {order.symbol} {order.type}")
    if isinstance(event, ev.OrderFilled):
        key = event.fill.client_order_id
        parts.append(f"{event.fill.side} {event.fill.quantity} {event.fill.symbol}")
    return " ".join([key[-6:], *parts]).strip()


def _text(holdings: dict[str, Decimal]) -> str:
    return ", ".join(f"{s} {q}" for s, q in sorted(holdings.items())) or "none"


def _differ(live: bytes, folded: bytes) -> str:
    at = next((i for i, (a, b) in enumerate(zip(live, folded, strict=False)) if a != b), 0)
    return f"{live[max(at - 60, 0) : at + 60]!r} against {folded[max(at - 60, 0) : at + 60]!r}"


_CHECKS: dict[type[ev.Event], Callable[[Watch, ev.Event], None]] = {
    ev.Halted: Watch._halted,  # type: ignore[dict-item]
    ev.HaltCleared: Watch._cleared,  # type: ignore[dict-item]
    ev.LinkChanged: Watch._linked,  # type: ignore[dict-item]
    ev.Reconciled: Watch._reconciled,  # type: ignore[dict-item]
    ev.PositionAdjusted: Watch._adjusted,  # type: ignore[dict-item]
    ev.AccountSynced: Watch._synced,  # type: ignore[dict-item]
    ev.OrderFilled: Watch._overfilled,  # type: ignore[dict-item]
    ev.KillProved: Watch._proved,  # type: ignore[dict-item]
    ev.ExitPlanned: Watch._planned,  # type: ignore[dict-item]
    ev.OrderIntended: Watch._intended,  # type: ignore[dict-item]
}
