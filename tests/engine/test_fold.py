"""The state is the fold of its events, bit for bit, and its sums are exact (U-21, U-70, I4, I8)."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.driver import Core
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain import schema
from engine.domain.inputs import Input, SignalArrived, SubmitFailed, Tick
from engine.domain.order import OrderStatus, Purpose, Side
from engine.domain.run import Level
from engine.plans.table import PLANS
from engine.ports import Ambiguous, Capabilities, NotSent, Rejected
from engine.state.book import Book
from engine.state.fold import apply
from engine.state.places import place_of
from engine.world import World
from tests.engine.driver import CoreDriver
from tests.engine.worlds import ABLE, BROKER, Built, signal

SYMBOLS = ("NVDA", "AAPL")
S = OrderStatus


class Recorded(CoreDriver):
    """A desk that keeps every record, those of its building included."""

    def __init__(self, *, capabilities: Capabilities = ABLE) -> None:
        self.records: list[ev.Record] = []
        super().__init__(capabilities=capabilities)

    def event(self, event: ev.Event, *, at: int | None = None) -> "Recorded":
        Built.event(self, event, at=at)
        self.records.append(ev.Record(self._seq, self.now if at is None else at, event))
        return self

    def give(self, given: Input) -> list[ev.Event]:
        records = self.core.handle(given, self.now).records
        self.records += records
        self._seq = self.book.data.seq
        events = [record.event for record in records]
        self.seen += events
        return events


moves = st.lists(
    st.tuples(
        st.sampled_from(["signal", "manual", "report", "fill", "fail", "quote", "tick", "close"]),
        st.integers(0, 1),
        st.integers(0, 30),
        st.integers(80, 120),
    ),
    max_size=60,
)


def play(steps: list[tuple[str, int, int, int]], desk: Recorded | None = None) -> Recorded:
    desk = desk or Recorded()
    for symbol in SYMBOLS:
        desk.price(symbol, "100")
    for n, (kind, which, size, price) in enumerate(steps):
        symbol = SYMBOLS[which]
        desk.later(1)
        orders = list(desk.book.account("paper").orders.values()) + list(
            desk.book.account("paper").closed.values()
        )
        order = orders[size % len(orders)] if orders else None
        match kind:
            case "signal":
                asked = signal(
                    symbol,
                    signal_id=f"s{n}",
                    signal_type=f"t{n}",
                    entry="100",
                    stop="95",
                    conviction=50 + size,
                    at=desk.now,
                )
                desk.give(SignalArrived(asked))
            case "manual":
                side = Side.BUY if size % 2 else Side.SELL_SHORT
                desk.give(
                    ask.PlaceOrder(by="t", symbol=symbol, side=side, quantity=Decimal(size + 1))
                )
            case "report" if order is not None:
                said = (S.NEW, S.CANCELED, S.REJECTED, S.EXPIRED, S.NEW)[price % 5]
                desk.report(order, said)
            case "fill" if order is not None:
                desk.filled(order, 1 + size, price)
            case "fail" if order is not None:
                errors = (Ambiguous("?"), NotSent("no"), Rejected("NO", "no"))
                desk.give(SubmitFailed(order.account, order.client_order_id, errors[size % 3]))
            case "quote":
                desk.quote(symbol, price)
            case "tick":
                desk.later(size)
                desk.give(Tick())
            case "close":
                desk.give(ask.ClosePosition(by="t", symbol=symbol))
            case _:
                pass
    if steps and steps[-1][2] > 25:
        desk.give(ask.Kill(by="t", level=Level.KILL, reason="end"))
    return desk


@settings(max_examples=60, deadline=None)
@given(moves)
def test_replaying_the_records_rebuilds_the_state_bit_for_bit(
    steps: list[tuple[str, int, int, int]],
) -> None:
    desk = play(steps)
    again = Book()
    for record in desk.records:
        name, data = record.type, schema.encode(record.event)
        apply(again, ev.Record(record.seq, record.time, schema.decode(name, data)))
    assert again.snapshot() == desk.book.snapshot()
    restored = Book.restore(desk.book.snapshot())
    assert restored.snapshot() == desk.book.snapshot()
    assert restored.reservations.by_symbol == desk.book.reservations.by_symbol
    assert restored.index.entries == desk.book.index.entries
    assert restored.index.closable == desk.book.index.closable
    assert restored.index.unclear == desk.book.index.unclear
    assert restored.symbols.slots_used == desk.book.symbols.slots_used


@settings(max_examples=60, deadline=None)
@given(moves)
def test_u21_sums_over_orders_and_cash_are_exact(steps: list[tuple[str, int, int, int]]) -> None:
    desk = play(steps)
    data = desk.book.data
    fills = [r.event for r in desk.records if isinstance(r.event, ev.OrderFilled)]
    spent = sum((f.fill.quantity * f.fill.price * f.fill.side.sign for f in fills), Decimal(0))
    assert data.accounts["paper"].cash["USD"] == 100_000 - spent
    cost = sum((p.cost for p in data.accounts["paper"].positions.values()), Decimal(0))
    assert data.accounts["paper"].cash["USD"] + cost == 100_000 + data.realized - data.commission
    for order in (*data.accounts["paper"].orders.values(), *data.accounts["paper"].closed.values()):
        mine = [f.fill for f in fills if f.fill.client_order_id == order.client_order_id]
        assert order.filled == sum((f.quantity for f in mine), Decimal(0))
        assert order.notional == sum((f.quantity * f.price for f in mine), Decimal(0))
        if order.is_working:
            assert order.quantity == order.filled + order.leaves or order.filled > order.quantity
    reserved = sum(
        (o.leaves * o.reserved for o in data.accounts["paper"].orders.values()), Decimal(0)
    )
    assert sum(desk.book.reservations.by_currency.values(), Decimal(0)) == reserved


class Asked(Recorded):
    """A desk on which every plan is asked everywhere, once an input is through."""

    def give(self, given: Input) -> list[ev.Event]:
        events = super().give(given)
        for plan in PLANS:
            for symbol in SYMBOLS:
                asked = plan.concerns(self.book, BROKER, symbol)
                steps = list(plan.advance(self.world, BROKER, symbol, self.now))
                assert asked or not steps, (plan.name, symbol)
        return events


@settings(max_examples=60, deadline=None)
@given(moves)
def test_a_plan_that_is_not_asked_has_no_next_step(steps: list[tuple[str, int, int, int]]) -> None:
    play(steps, Asked())


@settings(max_examples=60, deadline=None)
@given(moves)
def test_an_event_about_an_order_is_at_its_place(steps: list[tuple[str, int, int, int]]) -> None:
    desk = play(steps)
    for record in desk.records:
        event = record.event
        key = getattr(event, "client_order_id", "")
        order = desk.book.order(key) if key else None
        if order is not None:
            assert place_of(desk.book, event) == (order.account, order.symbol)
        elif isinstance(event, ev.OrderIntended | ev.OrderFilled):
            told = event.terms if isinstance(event, ev.OrderIntended) else event.fill
            assert place_of(desk.book, event) == (told.account, told.symbol)
        elif isinstance(event, ev.Alarmed | ev.SignalDecided | ev.OperatorActed):
            assert place_of(desk.book, event) is None


def test_a_snapshot_of_another_shape_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError):
        Book.restore(b'{"seq": "one"}')


def test_a_core_that_starts_from_a_snapshot_goes_on() -> None:
    desk = play([("signal", 0, 30, 100), ("report", 0, 0, 80), ("fill", 0, 9, 100)])
    book = Book.restore(desk.book.snapshot())
    core = Core(World(book, desk.world.config, {BROKER: ABLE}, home_calendar="XNYS"))
    assert core.handle(Tick(), desk.now + 10**9) is not None
    assert Purpose.ENTRY in {o.purpose for o in book.account("paper").closed.values()} | {
        o.purpose for o in book.account("paper").orders.values()
    }
