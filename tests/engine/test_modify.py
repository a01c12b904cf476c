"""X-88: an operator changes a working order, natively or by cancel, proof and a new order."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import MovementKind
from engine.domain.codes import Outcome
from engine.domain.inputs import CancelFailed, ModifyFailed, QueryAnswered, Start
from engine.domain.instrument import Facts, instrument_of
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.domain.run import Flatten, Level, LinkState, Phase, Trigger
from engine.domain.signal import TradeType
from engine.ports import Ambiguous, LinkReport, Rejected
from engine.runtime.result import result_of
from engine.state.book import Book
from engine.state.ended import CLOSED_KEPT
from engine.state.order import Order
from engine.world import exposure
from tests.engine.driver import CoreDriver, kinds, one
from tests.engine.worlds import ABLE, AXION, BROKER, config_of, signal

D = Decimal
S = OrderStatus
DAX = instrument_of("FDAX 2013-12", Facts(multiplier=D(25), currency="EUR", calendar="24/7"))

CASES = pytest.mark.parametrize("native", [True, False], ids=["native", "by cancel"])


def desk_of(
    *,
    native: bool,
    risk: dict[str, Any] | None = None,
    buying_power: str | None = None,
    **able: Any,
) -> CoreDriver:
    profile = AXION | {"risk": AXION["risk"] | (risk or {})}
    desk = CoreDriver(
        config_of(**profile),
        capabilities=msgspec.structs.replace(ABLE, native_modify=native, **able),
        buying_power=buying_power,
    )
    desk.quote("NVDA", "100")
    return desk


def buying(desk: CoreDriver, quantity: int = 10, limit: str = "99", **fields: Any) -> OrderTerms:
    """A limit order to buy that the venue works."""
    limited: dict[str, Any] = {
        "type": OrderType.LIMIT,
        "limit_price": D(limit),
        "hold": TradeType.SWING,
    }
    desk.place(Side.BUY, quantity, **(limited | fields))
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    return order


def modify(desk: CoreDriver, order: OrderTerms, **fields: Any) -> list[ev.Event]:
    return desk.give(ask.ModifyOrder(by="ann", client_order_id=order.client_order_id, **fields))


def replaced(desk: CoreDriver, order: OrderTerms) -> list[ev.Event]:
    """The venue does what was asked: it changes the order, or it cancels it."""
    pending = desk.current(order).pending
    assert pending is not None
    if not pending.native:
        return desk.report(order, S.CANCELED, filled=desk.current(order).filled)
    return desk.report(
        order,
        S.NEW,
        quantity=pending.quantity,
        limit_price=pending.limit_price or order.limit_price,
        stop_price=pending.stop_price or order.stop_price,
        time_in_force=pending.time_in_force or order.time_in_force,
    )


def successor(desk: CoreDriver, order: OrderTerms) -> OrderTerms:
    (found,) = [
        e.terms
        for e in desk.of(ev.OrderIntended)
        if e.terms.orig_client_order_id == order.client_order_id
    ]
    return found


def live(desk: CoreDriver) -> list[Order]:
    return [order for order in desk.book.orders() if not order.is_protective]


def refusal(events: list[ev.Event]) -> tuple[str, str]:
    found = one(events, ev.CommandRefused)
    return found.code, found.reason


# --- what it becomes ------------------------------------------------------------------------------


def test_X88_a_venue_that_changes_orders_changes_this_one() -> None:
    desk = desk_of(native=True)
    order = buying(desk)
    events = modify(desk, order, quantity=D(12), limit_price=D(98), time_in_force=TimeInForce.GTC)
    asked = one(events, ev.ReplaceRequested)
    assert (asked.native, asked.quantity, asked.limit_price) == (True, 12, 98)
    assert desk.current(order).status is S.PENDING_REPLACE
    replaced(desk, order)
    now = desk.current(order)
    assert (now.status, now.quantity, now.limit_price) == (S.NEW, 12, 98)
    assert now.time_in_force is TimeInForce.GTC
    assert now.pending is None
    assert desk.book.reservations.by_symbol["NVDA"] == 12 * 98


def test_X88_elsewhere_it_is_cancelled_and_another_takes_its_place_once_that_is_proved() -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    events = modify(desk, order, quantity=D(12), limit_price=D(98))
    asked = one(events, ev.ReplaceRequested)
    assert not asked.native
    assert len(live(desk)) == 1
    proof = desk.report(order, S.CANCELED, filled=desk.current(order).filled)
    ended = one(proof, ev.OrderCanceled)
    assert ended.reason == "REPLACED"
    new = one(proof, ev.OrderIntended).terms
    assert kinds(proof).index("OrderCanceled") < kinds(proof).index("OrderIntended")
    assert new.client_order_id == asked.new_client_order_id != order.client_order_id
    assert new.orig_client_order_id == order.client_order_id
    assert new.intent_id == order.intent_id
    assert (new.quantity, new.limit_price, new.side) == (12, 98, Side.BUY)
    assert [o.client_order_id for o in live(desk)] == [new.client_order_id]
    assert desk.book.reservations.by_symbol["NVDA"] == 12 * 98


@pytest.mark.parametrize("filled", [1, 4, 9])
def test_X88_a_fill_in_between_reduces_what_is_left(filled: int) -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    modify(desk, order, quantity=D(12))
    desk.filled(order, filled, "99")
    assert desk.current(order).status is S.PENDING_REPLACE
    desk.report(order, S.CANCELED, filled=D(filled))
    assert successor(desk, order).quantity == 12 - filled


def test_X88_a_fill_that_is_missing_when_the_cancel_is_told_is_waited_for() -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    modify(desk, order, quantity=D(12))
    desk.report(order, S.CANCELED, filled=D(4))
    assert desk.current(order).status is S.UNKNOWN
    assert len(desk.of(ev.OrderIntended)) == 1
    fill = desk.execution(order, 4, "99")
    there = msgspec.structs.replace(desk.works(order), status=S.CANCELED, filled=D(4))
    desk.give(QueryAnswered(order.account, order.client_order_id, there, (fill,), desk.now))
    assert desk.current(order).status is S.CANCELED
    assert desk.current(order).reason == "REPLACED"
    assert successor(desk, order).quantity == 8


def test_C305_one_that_fills_before_the_cancel_is_replaced_by_nothing() -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    modify(desk, order, quantity=D(12))
    desk.filled(order, 10, "99")
    assert desk.current(order).status is S.FILLED
    assert len(desk.of(ev.OrderIntended)) == 1
    assert one(desk.seen, ev.ReplaceAbandoned).code == "FILLED"
    assert not desk.book.account(BROKER).replacing


def test_a_cut_below_what_fills_meanwhile_leaves_nothing_to_order() -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    modify(desk, order, quantity=D(5))
    desk.filled(order, 6, "99")
    desk.report(order, S.CANCELED, filled=D(6))
    assert len(desk.of(ev.OrderIntended)) == 1
    assert not live(desk)


@CASES
def test_X88_a_quantity_that_has_filled_means_cancel(native: bool) -> None:
    for quantity, cancels in ((0, True), (3, True), (4, True), (5, False)):
        desk = desk_of(native=native)
        order = buying(desk)
        desk.filled(order, 4, "99")
        names = kinds(modify(desk, order, quantity=D(quantity)))
        assert ("CancelRequested" in names) is cancels, quantity
        assert ("ReplaceRequested" in names) is not cancels, quantity


@CASES
def test_what_is_as_it_should_be_is_left_alone(native: bool) -> None:
    desk = desk_of(native=native)
    order = buying(desk)
    assert kinds(modify(desk, order, quantity=D(10), limit_price=D(99))) == ["OperatorActed"]


def test_a_chain_of_changes_goes_on_from_the_newest() -> None:
    desk = desk_of(native=False)
    first = buying(desk)
    modify(desk, first, limit_price=D(98))
    replaced(desk, first)
    second = successor(desk, first)
    desk.accept(second)
    desk.filled(second, 3, "98")
    modify(desk, second, quantity=D(8))
    replaced(desk, second)
    third = successor(desk, second)
    assert third.quantity == 5
    assert len({first.client_order_id, second.client_order_id, third.client_order_id}) == 3
    desk.accept(third)
    desk.filled(third, 5, "98")
    held = desk.book.holding(BROKER, "NVDA")
    assert held is not None
    assert held.quantity == 8
    assert held.adds == 0, "what takes an order's place adds nothing of its own"


# --- what is asked of it --------------------------------------------------------------------------


@CASES
def test_X88_exposure_is_asked_for_the_difference(native: bool) -> None:
    # 15 % of 100,000 in one name; 100 at 100 count as 10,000 already.
    desk = desk_of(native=native)
    order = buying(desk, 100, "100")
    assert refusal(modify(desk, order, quantity=D(151)))[0] == "SINGLE_EXPOSURE"
    assert "ReplaceRequested" in kinds(modify(desk, order, quantity=D(150)))


@CASES
def test_X88_the_filled_part_is_held_and_counts_once(native: bool) -> None:
    desk = desk_of(native=native)
    order = buying(desk, 100, "100")
    desk.filled(order, 75, "100")
    code, reason = refusal(modify(desk, order, quantity=D(151)))
    assert code == "SINGLE_EXPOSURE"
    assert "At most 150 would fit" in reason
    assert "ReplaceRequested" in kinds(modify(desk, order, quantity=D(150)))


@CASES
def test_X88_the_notional_is_asked_for_the_whole(native: bool) -> None:
    desk = desk_of(native=native, risk={"max_order_notional": "12000"})
    order = buying(desk, 100, "100")
    desk.filled(order, 90, "100")
    assert refusal(modify(desk, order, quantity=D(121)))[0] == "MAX_NOTIONAL"
    assert "ReplaceRequested" in kinds(modify(desk, order, quantity=D(120)))


@CASES
def test_X88_buying_power_is_asked_for_the_difference(native: bool) -> None:
    desk = desk_of(native=native, buying_power="12012")  # 120 x 100 and 10 bps
    order = buying(desk, 100, "100")
    assert refusal(modify(desk, order, quantity=D(121)))[0] == "BUYING_POWER"
    assert "ReplaceRequested" in kinds(modify(desk, order, quantity=D(120)))


@CASES
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"limit_price": D("98.005")}, "BAD_TICK"),
        ({"quantity": D("10.5")}, "BAD_LOT"),
        ({"limit_price": D(1)}, "PRICE_COLLAR"),
    ],
)
def test_X88_the_grid_and_the_collar_are_asked(
    native: bool, fields: dict[str, Any], code: str
) -> None:
    desk = desk_of(native=native)
    order = buying(desk)
    assert refusal(modify(desk, order, **fields))[0] == code
    assert desk.current(order).status is S.NEW


@CASES
def test_X88_a_larger_order_of_a_signal_risks_no_more_than_a_trade_may(native: bool) -> None:
    desk = desk_of(native=native, risk={"max_risk_per_trade": "0.01"})
    desk.signal(signal(entry="100", stop="92", conviction=60))
    order = desk.last(Purpose.ENTRY)
    desk.accept(order)
    limit = order.limit_price
    assert limit is not None
    # 1 % of 100,000 over 100 to 92 a share.
    most = int(D(1000) / (limit - 92))
    assert order.quantity <= most
    code, reason = refusal(modify(desk, order, quantity=D(most + 1)))
    assert code == "INVALID_STOP"
    assert f"At most {most} would fit" in reason
    one(modify(desk, order, quantity=D(most)), ev.ReplaceRequested)


RISK = {"max_risk_per_trade": "0.01"}
"""1,000 of 100,000."""

AT_101: dict[str, Any] = {"limit_price": None, "stop_price": D(101)}


@CASES
@pytest.mark.parametrize(("quantity", "passes"), [(98, True), (99, True), (100, False)])
def test_X82_what_a_change_risks_is_asked_with_the_slippage_it_may_have(
    native: bool, quantity: int, passes: bool
) -> None:
    """10.101 a share from 101.101 to 91: 99 of them are 999.999; without slippage 100 would fit."""
    desk = desk_of(native=native, risk=RISK)
    order = buying(desk, 10, type=OrderType.STOP, protect=D(91), **AT_101)
    asked = modify(desk, order, quantity=D(quantity))
    assert ("ReplaceRequested" in kinds(asked)) is passes
    if not passes:
        code, reason = refusal(asked)
        assert code == "INVALID_STOP"
        assert "At most 99 would fit" in reason


@CASES
@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ({"quantity": D(119)}, True),
        ({"limit_price": D("98.99")}, True),
        ({"limit_price": D("99.01")}, False),
        ({"quantity": D(121)}, False),
        ({"time_in_force": TimeInForce.GTC}, True),
        # 119 x 9.07 is 1,079.33 and 119 x 9.08 is 1,080.52.
        ({"quantity": D(119), "limit_price": D("99.07")}, True),
        ({"quantity": D(119), "limit_price": D("99.08")}, False),
        ({"quantity": D(121), "limit_price": D("98.92")}, True),
        ({"quantity": D(121), "limit_price": D("98.93")}, False),
    ],
)
def test_X88_a_change_by_which_no_more_is_risked_is_not_refused_for_its_risk(
    native: bool, fields: dict[str, Any], passes: bool
) -> None:
    """120 from 99 to 90 risk 1,080 where 1,000 are allowed: a first stop always passes (X-85)."""
    desk = desk_of(native=native, risk=RISK)
    order = buying(desk, 120, "99", protect=D(90), time_in_force=TimeInForce.DAY)
    asked = modify(desk, order, **fields)
    if not passes:
        assert refusal(asked)[0] == "INVALID_STOP"
        return
    one(asked, ev.ReplaceRequested)
    replaced(desk, order)
    (works,) = live(desk)
    assert works.quantity == fields.get("quantity", 120)
    assert works.limit_price == fields.get("limit_price", D(99))


@CASES
@pytest.mark.parametrize(
    ("fields", "passes"),
    [({"limit_price": D("101.01")}, True), ({"limit_price": D("100.99")}, False)],
)
def test_X88_of_a_short_entry_likewise(native: bool, fields: dict[str, Any], passes: bool) -> None:
    desk = desk_of(native=native, risk=RISK)
    desk.place(
        Side.SELL,
        120,
        type=OrderType.LIMIT,
        limit_price=D(101),
        hold=TradeType.SWING,
        protect=D(110),
    )
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    asked = modify(desk, order, **fields)
    assert ("ReplaceRequested" in kinds(asked)) is passes
    if not passes:
        assert refusal(asked)[0] == "INVALID_STOP"


@CASES
def test_X88_what_is_held_is_no_reason_to_refuse_what_adds_no_risk(native: bool) -> None:
    """Of 120 that risk 1,080 the half is held, and the rest moves away from the market."""
    desk = desk_of(native=native, risk=RISK)
    order = buying(desk, 120, "99", protect=D(90))
    desk.filled(order, 60, "99")
    assert refusal(modify(desk, order, limit_price=D("99.01")))[0] == "INVALID_STOP"
    one(modify(desk, order, limit_price=D("98.99")), ev.ReplaceRequested)
    replaced(desk, order)
    (works,) = live(desk)
    assert (works.leaves, works.limit_price) == (60, D("98.99"))


@CASES
def test_reducing_is_always_allowed_and_adding_is_not(native: bool) -> None:
    desk = desk_of(native=native)
    order = buying(desk)
    desk.event(ev.PhaseChanged(phase=Phase.STARTING, reason="test"))
    assert refusal(modify(desk, order, quantity=D(11)))[0] == "RUN_STATE"
    assert refusal(modify(desk, order, limit_price=D(100)))[0] == "RUN_STATE"
    assert "ReplaceRequested" in kinds(modify(desk, order, quantity=D(9)))


@CASES
@pytest.mark.parametrize(
    ("fields", "passes"),
    [
        ({"quantity": D(9)}, True),
        ({"quantity": D(9), "limit_price": D(99), "time_in_force": TimeInForce.DAY}, True),
        ({"time_in_force": TimeInForce.GTC}, False),
        ({"quantity": D(9), "time_in_force": TimeInForce.GTC}, False),
        ({"quantity": D(9), "limit_price": D(98)}, False),
        ({"quantity": D(11)}, False),
    ],
)
def test_before_the_engine_runs_an_entry_is_cut_and_its_terms_stay(
    native: bool, fields: dict[str, Any], passes: bool
) -> None:
    """A longer time in force is more than a cut, whatever quantity comes with it."""
    desk = desk_of(native=native)
    order = buying(desk, time_in_force=TimeInForce.DAY)
    desk.event(ev.PhaseChanged(phase=Phase.STARTING, reason="test"))
    events = modify(desk, order, **fields)
    asked = [e for e in events if isinstance(e, ev.ReplaceRequested)]
    assert bool(asked) is passes
    assert passes or refusal(events)[0] == "RUN_STATE"


@CASES
@pytest.mark.parametrize(
    "fields", [{"quantity": D(11)}, {"quantity": D(9)}, {"limit_price": D(98)}], ids=str
)
def test_X81_while_paused_an_operator_changes_an_entry_as_he_likes(
    native: bool, fields: dict[str, Any]
) -> None:
    desk = desk_of(native=native)
    order = buying(desk)
    desk.give(ask.Pause(by="test"))
    assert "ReplaceRequested" in kinds(modify(desk, order, **fields))
    replaced(desk, order)
    (working,) = live(desk)
    assert (working.leaves, working.limit_price) == (
        fields.get("quantity", 10),
        fields.get("limit_price", 99),
    )


def test_X81_a_longer_time_in_force_is_sent_though_a_pause_has_come_in_between() -> None:
    desk = desk_of(native=False)
    for asked in (None, TimeInForce.GTC):
        order = buying(desk, time_in_force=TimeInForce.DAY)
        modify(desk, order, quantity=D(9), time_in_force=asked)
        desk.give(ask.Pause(by="test"))
        assert "ReplaceAbandoned" not in kinds(replaced(desk, order))
        assert successor(desk, order).quantity == 9
        desk.give(ask.Unpause(by="test"))
        desk.later(61)
        desk.quote("NVDA", "100")


@CASES
def test_rule3_a_pure_cut_needs_no_rate(native: bool) -> None:
    """What nobody can value any more may always be made smaller."""
    desk = desk_of(native=native)
    desk.event(ev.InstrumentLearned(instrument=DAX))
    order = desk.order(DAX.symbol, 4, "10", limit="10", purpose=Purpose.MANUAL)
    desk.accept(order)
    assert refusal(modify(desk, order, quantity=D(5)))[0] == "NO_RATE"
    asked = one(modify(desk, order, quantity=D(3)), ev.ReplaceRequested)
    assert (asked.quantity, asked.reserved) == (3, order.reserved)
    replaced(desk, order)
    assert [o.leaves for o in live(desk)] == [3]


@CASES
def test_a_change_counts_as_no_other_entry(native: bool) -> None:
    """MAX_TRADES and RATE_LIMIT count orders: three changes of one leave room for a second."""
    desk = desk_of(native=native, risk={"max_trades_per_day": 2, "max_orders_per_minute": 2})
    order = buying(desk)
    for price in ("98", "97", "96"):
        modify(desk, order, limit_price=D(price))
        replaced(desk, order)
        if not native:
            order = successor(desk, order)
            desk.accept(order)
    session = desk.book.data.session
    assert session is not None
    assert (session.entries, len(desk.book.data.sent)) == (1, 1)
    assert buying(desk, 5, "95").quantity == 5
    assert (session.entries, len(desk.book.data.sent)) == (2, 2)


@CASES
def test_a_pure_cut_needs_no_fresh_price(native: bool) -> None:
    desk = desk_of(native=native)
    order = buying(desk)
    desk.later(3600)
    assert refusal(modify(desk, order, quantity=D(11)))[0] == "STALE_QUOTE"
    assert "ReplaceRequested" in kinds(modify(desk, order, quantity=D(9)))


def after_proof(
    desk: CoreDriver, order: OrderTerms, seconds: float, **fields: Any
) -> list[ev.Event]:
    """The change passes at a fresh price, and its cancel is proved so much later."""
    one(modify(desk, order, **fields), ev.ReplaceRequested)
    desk.later(seconds)
    return replaced(desk, order)


CHANGES: dict[str, tuple[dict[str, Any], bool]] = {
    "less": ({"limit_price": D("98.99")}, True),
    "less for fewer at a higher price": ({"quantity": D(9), "limit_price": D(100)}, True),
    "equal": ({"time_in_force": TimeInForce.GTC}, True),
    "more for a higher price": ({"limit_price": D("99.01")}, False),
    "more of it": ({"quantity": D(11)}, False),
}


@pytest.mark.parametrize(("fields", "goes"), CHANGES.values(), ids=CHANGES)
def test_X88_a_price_that_grew_old_keeps_only_what_adds_from_taking_its_place(
    fields: dict[str, Any], goes: bool
) -> None:
    """The order is gone: what is no more than it was goes on, as it may rest at an old price too.
    What would add fails closed (rule 4, C-305)."""
    desk = desk_of(native=False)
    order = buying(desk, time_in_force=TimeInForce.DAY)
    events = after_proof(desk, order, 3600, **fields)
    if goes:
        new = successor(desk, order)
        assert new.quantity == fields.get("quantity", 10)
        assert new.limit_price == fields.get("limit_price", 99)
        assert new.reserved * new.quantity <= 990
    else:
        assert one(events, ev.ReplaceAbandoned).code == "STALE_QUOTE"
        assert [e.code for e in events if isinstance(e, ev.Alarmed)] == ["REPLACE_ABANDONED"]
        assert not live(desk)


@pytest.mark.parametrize(("seconds", "goes"), [(15, True), (15.001, False)])
def test_X68_what_adds_takes_its_place_while_the_price_is_fresh(seconds: float, goes: bool) -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    events = after_proof(desk, order, seconds, quantity=D(11))
    assert ("OrderIntended" in kinds(events)) is goes


def test_X88_a_fill_in_between_is_in_neither_amount() -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    one(modify(desk, order, limit_price=D(98)), ev.ReplaceRequested)
    desk.filled(order, 4, "99")
    desk.later(3600)
    replaced(desk, order)
    assert (successor(desk, order).quantity, successor(desk, order).reserved) == (6, 98)


@pytest.mark.parametrize("against", ["kill", "closed"])
def test_X88_whatever_else_speaks_against_it_still_does(against: str) -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    one(modify(desk, order, limit_price=D(98)), ev.ReplaceRequested)
    desk.later(3600)
    if against == "kill":
        desk.give(ask.Kill(by="test", level=Level.HALT))
    else:
        desk.later(12 * 3600)
    events = desk.report(order, S.CANCELED, filled=D(0))
    assert "OrderIntended" not in kinds(events)
    assert not live(desk)


def test_X88_a_process_that_has_seen_no_price_yet_puts_it_in_its_place() -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    one(modify(desk, order, limit_price=D(98)), ev.ReplaceRequested)
    desk.world.market.quotes.clear()
    replaced(desk, order)
    assert successor(desk, order).limit_price == 98


@CASES
def test_rule3_an_order_that_reduces_never_grows_beyond_what_is_held(native: bool) -> None:
    desk = desk_of(native=native)
    entry = buying(desk)
    desk.filled(entry, 10, "99")
    desk.place(Side.SELL, 4, type=OrderType.LIMIT, limit_price=D(105))
    sell = desk.last(Purpose.MANUAL)
    assert sell.reduce_only
    desk.accept(sell)
    code, reason = refusal(modify(desk, sell, quantity=D(11)))
    assert code == "INVALID_INPUT"
    assert "only 10 NVDA" in reason
    modify(desk, sell, quantity=D(10), limit_price=D(104))
    replaced(desk, sell)
    (now,) = live(desk)
    assert (now.quantity, now.limit_price, now.reduce_only) == (10, 104, True)
    assert not now.reserved


# --- while it is under way ------------------------------------------------------------------------


@CASES
def test_U51_the_larger_of_both_is_reserved_until_the_venue_has_answered(native: bool) -> None:
    desk = desk_of(native=native)
    order = buying(desk)
    modify(desk, order, quantity=D(20), limit_price=D(98))
    assert desk.book.reservations.by_symbol["NVDA"] == 20 * 98
    smaller = desk_of(native=native)
    order = buying(smaller)
    modify(smaller, order, quantity=D(4))
    assert smaller.book.reservations.by_symbol["NVDA"] == 10 * 99


@CASES
def test_one_change_at_a_time(native: bool) -> None:
    desk = desk_of(native=native)
    order = buying(desk)
    modify(desk, order, quantity=D(12))
    code, reason = refusal(modify(desk, order, quantity=D(14)))
    assert (code, "PENDING_REPLACE" in reason) == ("REFUSED", True)


def test_a_change_that_the_venue_refuses_leaves_the_order_and_says_so() -> None:
    desk = desk_of(native=True)
    order = buying(desk)
    modify(desk, order, quantity=D(12))
    events = desk.give(
        ModifyFailed(order.account, order.client_order_id, Rejected("NO", "not now"))
    )
    assert one(events, ev.Alarmed).code == "MODIFY_REFUSED"
    now = desk.current(order)
    assert (now.status, now.quantity, now.pending) == (S.NEW, 10, None)
    assert desk.book.reservations.by_symbol["NVDA"] == 10 * 99


def test_a_cancel_that_the_venue_refuses_leaves_the_order_and_asks_what_it_is() -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    modify(desk, order, quantity=D(12))
    events = desk.give(
        CancelFailed(order.account, order.client_order_id, Rejected("NO", "not now"))
    )
    assert one(events, ev.Alarmed).code == "MODIFY_REFUSED"
    assert "OrderQueried" in kinds(events)
    desk.report(order, S.CANCELED, filled=desk.current(order).filled)
    assert len(desk.of(ev.OrderIntended)) == 1, "the change was given up"


def test_a_cancel_that_was_lost_on_the_way_is_asked_for_again() -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    modify(desk, order, quantity=D(12))
    desk.give(CancelFailed(order.account, order.client_order_id, Ambiguous("no answer")))

    def answered() -> list[ev.Event]:
        return desk.give(
            QueryAnswered(order.account, order.client_order_id, desk.works(order), (), desk.now)
        )

    assert "ReplaceRequested" not in kinds(answered()), "not at once"
    assert one(desk.tick(1), ev.OrderQueried).client_order_id == order.client_order_id
    events = answered()
    assert one(events, ev.ReplaceRequested).quantity == 12
    desk.report(order, S.CANCELED, filled=desk.current(order).filled)
    assert successor(desk, order).quantity == 12


def test_an_answer_that_was_lost_is_proved_by_a_question() -> None:
    desk = desk_of(native=True)
    order = buying(desk)
    modify(desk, order, quantity=D(12), limit_price=D(98))
    desk.give(ModifyFailed(order.account, order.client_order_id, Ambiguous("no answer")))
    assert desk.current(order).status is S.UNKNOWN
    assert desk.book.reservations.by_symbol["NVDA"] == 12 * 98
    there = msgspec.structs.replace(desk.works(order), quantity=D(12), limit_price=D(98))
    desk.give(QueryAnswered(order.account, order.client_order_id, there, (), desk.now))
    now = desk.current(order)
    assert (now.status, now.quantity, now.limit_price) == (S.NEW, 12, 98)


def test_a_cancel_while_it_is_under_way_ends_both() -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    modify(desk, order, quantity=D(12))
    desk.give(ask.CancelOrder(by="ann", client_order_id=order.client_order_id))
    desk.report(order, S.CANCELED, filled=desk.current(order).filled)
    assert len(desk.of(ev.OrderIntended)) == 1
    assert not live(desk)
    assert desk.current(order).reason == "ann"


@pytest.mark.parametrize("level", list(Level))
def test_U41_after_a_halt_nothing_takes_the_place_of_an_entry(level: Level) -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    modify(desk, order, quantity=D(8))
    desk.give(ask.Kill(by="ann", level=level, flatten=Flatten.NONE))
    desk.report(order, S.CANCELED, filled=desk.current(order).filled)
    assert len(desk.of(ev.OrderIntended)) == 1
    assert not live(desk)


@CASES
def test_a_restart_in_the_middle_goes_on_with_it(native: bool) -> None:
    desk = desk_of(native=native)
    order = buying(desk)
    modify(desk, order, quantity=D(12), limit_price=D(98))
    known = Book.restore(desk.book.snapshot()).order(order.client_order_id)
    assert known is not None
    assert known.pending == desk.current(order).pending
    desk.give(Start(version="test", accounts={BROKER: "test-account"}, config_digest=""))
    assert desk.current(order).status is S.UNKNOWN
    there = desk.works(order)
    there = msgspec.structs.replace(
        there,
        status=S.NEW if native else S.CANCELED,
        quantity=D(12) if native else D(10),
        limit_price=D(98) if native else D(99),
    )
    desk.give(QueryAnswered(order.account, order.client_order_id, there, (), desk.now))
    assert len(live(desk)) == (1 if native else 0), "the venue is looked at first after a start"
    desk.snapshot()
    desk.quote("NVDA", "100")
    desk.tick()
    desk.tick()
    (now,) = live(desk)
    assert (now.quantity, now.limit_price) == (12, 98)


def broken_off(desk: CoreDriver) -> None:
    """The connection breaks and stands again; the venue was not looked at since."""
    for state in (LinkState.DISCONNECTED, LinkState.CONNECTED):
        desk.give(LinkReport(account=BROKER, state=state, time=desk.now))


@pytest.mark.parametrize("quantity", [8, 10, 12])
def test_X88_what_adds_takes_its_place_only_once_the_venue_was_looked_at_after_a_break(
    quantity: int,
) -> None:
    """Also a cut: after a break nothing opens before the first look (DESIGN, rule 4)."""
    desk = desk_of(native=False)
    order = buying(desk)
    modify(desk, order, quantity=D(quantity), limit_price=D(98 if quantity == 10 else 99))
    broken_off(desk)
    replaced(desk, order)
    desk.quote("NVDA", "100")
    desk.tick()
    assert not live(desk)
    assert not desk.of(ev.ReplaceAbandoned)
    desk.snapshot(reason="reconnect")
    desk.tick()
    assert successor(desk, order).quantity == quantity


def test_X88_one_that_only_reduces_takes_its_place_before_that_look() -> None:
    desk = desk_of(native=False)
    buying_in = buying(desk, 10)
    desk.filled(buying_in, 10, "99")
    desk.place(Side.SELL, 10, type=OrderType.LIMIT, limit_price=D(110), hold=TradeType.SWING)
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    modify(desk, order, quantity=D(8))
    broken_off(desk)
    replaced(desk, order)
    assert successor(desk, order).quantity == 8


@pytest.mark.parametrize("level", list(Level))
def test_U41_under_a_halt_what_waits_for_that_look_is_given_up(level: Level) -> None:
    desk = desk_of(native=False)
    order = buying(desk)
    modify(desk, order, quantity=D(8))
    broken_off(desk)
    replaced(desk, order)
    desk.give(ask.Kill(by="ann", level=level, flatten=Flatten.NONE))
    desk.tick()
    one(desk.seen, ev.ReplaceAbandoned)
    desk.snapshot(reason="reconnect")
    assert not live(desk)


def test_the_signal_goes_on_with_what_takes_the_place_of_its_order() -> None:
    desk = desk_of(native=False)
    desk.signal(signal(entry="100", stop="95", conviction=60))
    order = desk.last(Purpose.ENTRY)
    desk.accept(order)
    modify(desk, order, quantity=order.quantity - 1)
    replaced(desk, order)
    assert not desk.of(ev.SignalEnded)
    new = successor(desk, order)
    assert new.signal_id == "s-1"
    assert desk.book.data.signals["s-1"].orders == (order.client_order_id, new.client_order_id)
    desk.accept(new)
    desk.filled(new, 1, "100")
    assert one(desk.seen, ev.SignalEnded).outcome is Outcome.EXECUTED


def test_the_signal_ends_where_nothing_takes_the_place_of_its_order() -> None:
    desk = desk_of(native=False)
    desk.signal(signal(entry="100", stop="95", conviction=60))
    order = desk.last(Purpose.ENTRY)
    desk.accept(order)
    assert order.limit_price is not None
    modify(desk, order, limit_price=order.limit_price - D("0.5"))
    desk.event(ev.Restricted(cause=Trigger.DIVERGENCE, reason="test"))
    desk.report(order, S.CANCELED, filled=desk.current(order).filled)
    assert one(desk.seen, ev.ReplaceAbandoned).code == "RUN_STATE"
    assert one(desk.seen, ev.SignalEnded).outcome is Outcome.CANCELLED


# --- stops, and what cannot be changed ------------------------------------------------------------


@CASES
def test_X88_on_a_protective_stop_it_is_protect(native: bool) -> None:
    desk = desk_of(native=native)
    entry = buying(desk, protect=D(90))
    desk.filled(entry, 10, "99")
    stop = desk.last(Purpose.PROTECT)
    desk.accept(stop)
    assert refusal(modify(desk, stop, stop_price=D(101)))[0] == "INVALID_STOP"
    for quantity in (3, 0):
        code, reason = refusal(modify(desk, stop, quantity=D(quantity), stop_price=D(95)))
        assert (code, "only its stop can be moved" in reason) == ("REFUSED", True)
    moved = one(modify(desk, stop, stop_price=D(95)), ev.StopMoved)
    assert (moved.before, moved.after, moved.by) == (90, 95, "ann")
    replaced(desk, stop) if native else desk.report(stop, S.CANCELED)
    (resting,) = [o for o in desk.book.orders() if o.is_protective]
    assert (resting.stop_price, resting.leaves) == (95, 10)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "nothing is to be changed"),
        ({"quantity": D(-1)}, "quantity is -1; a number above 0 is allowed"),
        ({"quantity": D("1e30")}, "a number above 0 and at most 1000000000000000 is allowed"),
        ({"quantity": D("NaN")}, "quantity is NaN"),
        ({"limit_price": D(0)}, "limit_price is 0"),
        ({"limit_price": D("Infinity")}, "limit_price is Infinity"),
        ({"stop_price": D(98)}, "a LIMIT order has no stop_price"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(fields: dict[str, Any], words: str) -> None:
    desk = desk_of(native=True)
    order = buying(desk)
    code, reason = refusal(modify(desk, order, **fields))
    assert code == "REFUSED"
    assert words in reason


@pytest.mark.parametrize("asked", [TimeInForce.IOC, TimeInForce.FOK])
def test_X26_an_order_that_rests_cannot_become_one_of_the_moment(asked: TimeInForce) -> None:
    """It is refused before anything is sent, at a venue that knows the word too."""
    desk = desk_of(native=True)
    order = buying(desk)
    before = desk.current(order)
    code, reason = refusal(modify(desk, order, time_in_force=asked))
    assert code == "REFUSED"
    assert reason == f"it rests, so that it cannot become {asked}; DAY and GTC are allowed"
    assert desk.current(order) == before


def test_a_time_in_force_that_the_venue_does_not_know_is_refused() -> None:
    desk = desk_of(native=True, times_in_force=frozenset({TimeInForce.DAY, TimeInForce.GTC}))
    order = buying(desk)
    _, reason = refusal(modify(desk, order, time_in_force=TimeInForce.IOC))
    assert reason == "the broker does not know IOC; DAY, GTC are"


def test_only_what_works_and_is_the_operators_to_change_can_be() -> None:
    desk = desk_of(native=True)
    order = buying(desk)
    unknown = msgspec.structs.replace(order, client_order_id="nobody")
    assert refusal(modify(desk, unknown, quantity=D(5)))[1] == "no working order has the id nobody"
    desk.filled(order, 10, "99")
    assert "no working order" in refusal(modify(desk, order, quantity=D(5)))[1]
    desk.give(ask.ClosePosition(by="test", symbol="NVDA"))
    closing = desk.last(Purpose.EXIT)
    desk.accept(closing)
    assert "it closes a position" in refusal(modify(desk, closing, quantity=D(5)))[1]


def test_one_that_was_not_acknowledged_yet_is_left_alone() -> None:
    desk = desk_of(native=True)
    desk.place(Side.BUY, 10, type=OrderType.LIMIT, limit_price=D(99))
    order = desk.last(Purpose.MANUAL)
    assert "it is CREATED" in refusal(modify(desk, order, quantity=D(5)))[1]


# --- answers that come late -----------------------------------------------------------------------


def test_rule1_a_change_that_may_still_arrive_keeps_the_order_in_doubt_and_its_exposure() -> None:
    desk = desk_of(native=True, late_arrival_seconds=3.0)
    order = buying(desk)
    modify(desk, order, quantity=D(20))
    desk.give(ModifyFailed(order.account, order.client_order_id, Ambiguous("no answer")))
    for seconds, doubtful in ((3.0, True), (0.5, False)):
        desk.later(seconds)
        desk.give(
            QueryAnswered(order.account, order.client_order_id, desk.works(order), (), desk.now)
        )
        now = desk.current(order)
        assert (now.status is S.UNKNOWN) is doubtful
        assert desk.book.reservations.by_symbol["NVDA"] == (20 if doubtful else 10) * 99
    assert desk.of(ev.Alarmed)[-1].code == "MODIFY_REFUSED"
    assert desk.current(order).pending is None


def says(desk: CoreDriver, order: OrderTerms, quantity: int, limit: str = "99") -> list[ev.Event]:
    """The venue reports that the order works with these terms."""
    return desk.report(order, S.NEW, quantity=D(quantity), limit_price=D(limit))


@pytest.mark.parametrize(("first", "second"), [(20, 40), (40, 20)])
def test_rule1_a_change_is_not_answered_by_the_report_of_an_earlier_one_again(
    first: int, second: int
) -> None:
    desk = desk_of(native=True)
    order = buying(desk)
    modify(desk, order, quantity=D(first))
    says(desk, order, first)
    modify(desk, order, quantity=D(second))
    assert not says(desk, order, first)
    now = desk.current(order)
    assert (now.status, now.quantity) == (S.PENDING_REPLACE, first)
    assert desk.book.reservations.by_symbol["NVDA"] == 40 * 99
    says(desk, order, second)
    now = desk.current(order)
    assert (now.status, now.quantity, now.pending) == (S.NEW, second, None)
    assert not desk.of(ev.Alarmed)


@pytest.mark.parametrize("pending", [False, True])
@pytest.mark.parametrize(
    ("quantity", "limit", "believed"),
    [
        (19, "99", False),
        (20, "98", False),
        (21, "50", False),
        (21, "99", True),
        (20, "99.01", True),
    ],
)
def test_rule1_terms_that_nobody_asked_for_are_said_and_only_more_is_believed_unasked(
    pending: bool, quantity: int, limit: str, believed: bool
) -> None:
    """A report that comes again late says less than what works: the venue is asked, and until it
    has answered the order counts as it did."""
    desk = desk_of(native=True)
    order = buying(desk, 10 if pending else 20)
    if pending:
        modify(desk, order, quantity=D(20))
    events = says(desk, order, quantity, limit)
    alarm = one(events, ev.Alarmed)
    assert (alarm.code, f"works for {quantity} at {limit}" in alarm.text) == (
        "REPLACED_OTHERWISE",
        True,
    )
    assert ("OrderReplaced" in kinds(events)) is believed
    assert ("OrderQueried" in kinds(events)) is not believed
    counted = desk.book.reservations.by_symbol["NVDA"]
    assert counted == (quantity * D(limit) if believed else 20 * 99)
    if not believed:
        assert desk.current(order).status is S.UNKNOWN
        there = msgspec.structs.replace(
            desk.works(order), quantity=D(quantity), limit_price=D(limit)
        )
        desk.later(1).give(QueryAnswered(order.account, order.client_order_id, there, (), desk.now))
        now = desk.current(order)
        assert (now.status, now.quantity, now.limit_price) == (S.NEW, quantity, D(limit))


def test_a_change_that_arrives_late_is_taken_over_and_an_older_answer_does_not_undo_it() -> None:
    desk = desk_of(native=True, late_arrival_seconds=3.0)
    order = buying(desk)
    asked_at = desk.now
    before = desk.works(order)
    modify(desk, order, quantity=D(20))
    desk.give(ModifyFailed(order.account, order.client_order_id, Ambiguous("no answer")))
    desk.later(1)
    replaced(desk, order)
    assert desk.current(order).quantity == 20
    desk.give(QueryAnswered(order.account, order.client_order_id, before, (), asked_at))
    assert desk.current(order).quantity == 20


def test_a_change_that_a_fill_left_unanswered_is_given_up_by_a_later_look() -> None:
    desk = desk_of(native=True, late_arrival_seconds=3.0)
    order = buying(desk)
    modify(desk, order, quantity=D(20))
    desk.give(ModifyFailed(order.account, order.client_order_id, Ambiguous("no answer")))
    desk.filled(order, 4, "99")
    assert desk.book.reservations.by_symbol["NVDA"] == 16 * 99
    desk.later(10)
    there = msgspec.structs.replace(desk.works(order), status=S.PARTIALLY_FILLED)
    desk.snapshot(positions={"NVDA": 4}, orders=(there,))
    desk.later(10)
    desk.snapshot(positions={"NVDA": 4}, orders=(there,))
    assert desk.current(order).pending is None
    assert desk.book.reservations.by_symbol["NVDA"] == 6 * 99


def test_x85_a_stop_that_was_taken_away_does_not_come_back_with_the_next_fill() -> None:
    desk = desk_of(native=True)
    order = buying(desk, protect=D(90))
    desk.filled(order, 4, "99")
    desk.accept(desk.last(Purpose.PROTECT))
    desk.give(ask.Protect(by="ann", symbol="NVDA", price=None, confirm="UNPROTECT"))
    desk.report(desk.last(Purpose.PROTECT), S.CANCELED)
    desk.filled(order, 6, "99")
    held = desk.book.holding(BROKER, "NVDA")
    assert held is not None
    assert (held.quantity, held.stop, held.initial_stop) == (10, None, 90)
    assert len(desk.intended(Purpose.PROTECT)) == 1


# --- what waits --------------------------------------------------------------------------


def ended(desk: CoreDriver, count: int) -> None:
    """So many other orders come and end."""
    for _ in range(count):
        order = desk.order("AMD", 1, "10")
        desk.event(
            ev.OrderCanceled(account=BROKER, client_order_id=order.client_order_id, reason="x")
        )


@pytest.mark.parametrize("others", [CLOSED_KEPT - 1, CLOSED_KEPT, CLOSED_KEPT + 1])
def test_X88_an_order_that_is_to_be_replaced_is_known_however_many_end_meanwhile(
    others: int,
) -> None:
    """It ended while a start had not seen the venue, and what takes its place comes after that."""
    desk = desk_of(native=False)
    order = buying(desk)
    modify(desk, order, quantity=D(12))
    desk.later(1).give(Start(version="test", accounts={BROKER: "test-account"}, config_digest=""))
    desk.report(order, S.CANCELED, filled=D(0))
    assert not [o for o in live(desk) if o.symbol == "NVDA"]
    ended(desk, others)
    assert len(desk.book.account(BROKER).closed) <= CLOSED_KEPT
    desk.snapshot(reason="start")
    desk.quote("NVDA", "100")
    desk.tick()
    assert successor(desk, order).quantity == 12
    ended(desk, 2)
    assert len(desk.book.account(BROKER).closed) <= CLOSED_KEPT


def test_X88_an_order_that_nothing_is_known_of_is_given_up_aloud() -> None:
    """A state that an earlier version wrote may have forgotten it."""
    desk = desk_of(native=False)
    desk.book.account(BROKER).replacing["gone"] = "NVDA"
    events = desk.tick()
    assert one(events, ev.ReplaceAbandoned).client_order_id == "gone"
    told = [e for e in events if isinstance(e, ev.Alarmed) and e.code == "REPLACE_ABANDONED"]
    assert ["gone" in alarm.text and alarm.subject == "NVDA" for alarm in told] == [True]
    assert not desk.tick()


def waiting(wanted: int, **risk: Any) -> tuple[CoreDriver, OrderTerms]:
    """An order for 100 at 99 whose cancel was proved before a start has seen the venue."""
    desk = desk_of(native=False, risk=risk)
    order = buying(desk, 100)
    modify(desk, order, quantity=D(wanted))
    desk.later(1).give(Start(version="test", accounts={BROKER: "test-account"}, config_digest=""))
    desk.report(order, S.CANCELED, filled=D(0))
    assert not live(desk)
    return desk, order


@pytest.mark.parametrize("wanted", [1, 99, 101])
def test_U51_what_waits_to_take_an_orders_place_counts_until_it_is_sent(wanted: int) -> None:
    power = exposure.buying_power(desk_of(native=False).world, BROKER)
    desk, order = waiting(wanted)
    for book in (desk.book, Book.restore(desk.book.snapshot())):
        assert book.reservations.by_symbol == {"NVDA": wanted * 99}
        assert book.symbols.slots_used == 1
    assert exposure.of_name(desk.world, "NVDA") == exposure.gross(desk.world) == wanted * 99
    assert exposure.buying_power(desk.world, BROKER) == power - wanted * 99
    desk.snapshot(reason="start")
    desk.quote("NVDA", "100")
    desk.tick()
    assert successor(desk, order).quantity == wanted
    assert desk.book.reservations.by_symbol == {"NVDA": wanted * 99}, "once, not twice"


def test_U51_a_late_fill_of_the_first_leaves_less_to_wait() -> None:
    desk, order = waiting(90)
    desk.report(order, S.CANCELED, fill=desk.execution(order, 30, "99"), filled=D(30))
    assert desk.book.reservations.by_symbol == {"NVDA": 60 * 99}


@pytest.mark.parametrize("wanted", [90, 110])
def test_U51_what_is_given_up_counts_no_longer(wanted: int) -> None:
    desk, _ = waiting(wanted)
    desk.give(ask.Kill(by="ann", level=Level.HALT, flatten=Flatten.NONE))
    desk.snapshot(reason="start")
    desk.quote("NVDA", "100")
    desk.tick()
    assert not live(desk)
    one(desk.seen, ev.ReplaceAbandoned)
    assert not desk.book.reservations.by_symbol
    assert desk.book.symbols.slots_used == 0


ANY_CHANGE = pytest.mark.parametrize(
    "fields",
    [
        {"quantity": D(9)},
        {"limit_price": D("98.99")},
        {"quantity": D(11)},
        {"time_in_force": TimeInForce.GTC},
    ],
    ids=["a cut", "a lower price", "more of it", "a longer time"],
)


@ANY_CHANGE
@pytest.mark.parametrize(("market", "goes"), [("95.01", True), ("95", False), ("94.99", False)])
def test_X96_nothing_takes_the_place_of_an_entry_whose_stop_the_market_has_passed(
    fields: dict[str, Any], market: str, goes: bool
) -> None:
    """It would buy, and be stopped in the same moment: INVALID_STOP, as of any new order."""
    desk = desk_of(native=False)
    order = buying(desk, protect=D(95), time_in_force=TimeInForce.DAY)
    one(modify(desk, order, **fields), ev.ReplaceRequested)
    desk.later(1)
    desk.quote("NVDA", market)
    events = replaced(desk, order)
    if goes:
        assert successor(desk, order).stop_loss == 95
    else:
        assert one(events, ev.ReplaceAbandoned).code == "INVALID_STOP"
        assert [e.code for e in events if isinstance(e, ev.Alarmed)] == ["REPLACE_ABANDONED"]
        assert not live(desk)


@pytest.mark.parametrize(("market", "goes"), [("104.99", True), ("105", False), ("105.01", False)])
def test_X96_nor_of_one_that_sells_short(market: str, goes: bool) -> None:
    desk = desk_of(native=False)
    selling: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": D(101)}
    desk.place(Side.SELL, 10, hold=TradeType.SWING, protect=D(105), **selling)
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    one(modify(desk, order, quantity=D(9)), ev.ReplaceRequested)
    desk.later(1)
    desk.quote("NVDA", market)
    assert ("OrderIntended" in kinds(replaced(desk, order))) is goes


@CASES
def test_X88_a_cut_is_sent_where_the_position_risks_more_than_a_trade_may_by_now(
    native: bool,
) -> None:
    """Where its stop lies is asked again; how much is risked at it can only become less."""
    desk = desk_of(native=native)
    order = buying(desk, protect=D(95))
    desk.filled(order, 4, "99")
    desk.event(
        ev.CashMoved(
            account=BROKER,
            movement_id="out",
            kind=MovementKind.TRANSFER,
            currency="USD",
            amount=D(-99_400),
            rate=D(1),
            time=desk.now,
        )
    )
    assert refusal(modify(desk, order, quantity=D(11)))[0] == "MIN_EQUITY"
    one(modify(desk, order, quantity=D(9)), ev.ReplaceRequested)
    replaced(desk, order)
    assert [o.leaves for o in live(desk)] == [5]


def test_X88_what_waits_and_is_more_than_a_cut_is_asked_for_once() -> None:
    """15 % of 100,000 in one name: 150 at 100 fit while they do not count against themselves."""
    desk = desk_of(native=False)
    order = buying(desk, 100, "100")
    modify(desk, order, quantity=D(150))
    desk.later(1).give(Start(version="test", accounts={BROKER: "test-account"}, config_digest=""))
    desk.report(order, S.CANCELED, filled=D(0))
    desk.snapshot(reason="start")
    desk.quote("NVDA", "100")
    desk.tick()
    assert successor(desk, order).quantity == 150


@CASES
@pytest.mark.parametrize("first", ["change", "cancel"])
def test_X88_an_order_is_not_changed_while_a_change_or_a_cancel_is_not_proved(
    native: bool, first: str
) -> None:
    """Also where a fill has come since, so that it is known to work: never are two of it live."""
    desk = desk_of(native=native)
    order = buying(desk, 10)
    if first == "change":
        modify(desk, order, quantity=D(12))
    else:
        desk.give(ask.CancelOrder(by="ann", client_order_id=order.client_order_id))
    desk.report(order, S.CANCELED, filled=D(6))
    assert desk.current(order).status is S.UNKNOWN
    desk.filled(order, 4, "99")
    code, reason = refusal(modify(desk, order, limit_price=D(98)))
    assert (code, "nothing else is under way" in reason) == ("REFUSED", True)
    assert desk.current(order).limit_price == 99


@CASES
@pytest.mark.parametrize(
    ("quantity", "cancels"), [(0, True), (3, True), (4, True), (5, False), (10, False)]
)
def test_the_answer_says_that_a_change_to_what_has_filled_cancels(
    native: bool, quantity: int, cancels: bool
) -> None:
    """Of 10, 4 have filled: 4 and less leave nothing to work."""
    desk = desk_of(native=native)
    order = buying(desk)
    desk.fill(order, 4, "99")
    events = modify(desk, order, quantity=D(quantity))
    done = result_of([ev.Record(seq, 1, event) for seq, event in enumerate(events, 1)])
    assert done.ok, done.error
    assert done.data.get("cancelled", False) is cancels
