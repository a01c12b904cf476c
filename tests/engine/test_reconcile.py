"""The comparison with the venue, and what follows from it (A-370 to A-373, X-08, T-15, A-495)."""

import sys
from decimal import Decimal
from typing import Any

import msgspec

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import Account, VenueOrder, VenuePosition, VenueSnapshot
from engine.domain.codes import Code
from engine.domain.inputs import SnapshotTaken
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.run import Flatten, Level, LinkState, RunState
from engine.reconcile.compare import shown_kind
from engine.state.cover import covered
from tests.engine.driver import CoreDriver, kinds, one
from tests.engine.worlds import ABLE, ACCOUNT, BROKER, signal


def holding(**held: int) -> CoreDriver:
    desk = CoreDriver()
    for symbol, quantity in held.items():
        desk.hold(symbol, quantity, "100")
    return desk.later(6)


def found(events: list[ev.Event]) -> dict[str, str]:
    return {d.symbol: d.kind for d in one(events, ev.Reconciled).differences}


def test_a495_t15_one_match_two_mismatches() -> None:
    desk = holding(AAPL=100, MSFT=50)
    events = desk.snapshot(positions={"AAPL": 100, "GOOGL": 10})
    done = one(events, ev.Reconciled)
    assert done.matched == 1
    assert found(events) == {"MSFT": "LOCAL_ONLY", "GOOGL": "BROKER_ONLY"}
    shown = [shown_kind(kind) for kind in sorted(found(events).values())]
    assert shown == ["BROKER_ONLY (ghost)", "LOCAL_ONLY (orphan)"]
    assert shown_kind("QTY_MISMATCH") == "QTY_MISMATCH"


def test_x08_quantity_and_side() -> None:
    desk = holding(AAPL=100, MSFT=50)
    events = desk.snapshot(positions={"AAPL": 99, "MSFT": -50})
    assert found(events) == {"AAPL": "QTY_MISMATCH", "MSFT": "SIDE_MISMATCH"}


def test_price_drift_is_told_and_blocks_nothing() -> None:
    desk = CoreDriver().hold("AAPL", 100, "106").later(1)
    events = desk.snapshot(positions={"AAPL": 100})
    assert found(events) == {"AAPL": "PRICE_DRIFT"}
    assert not desk.book.account("paper").blocked


def test_t15_orders_in_flight_make_no_mismatch() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    events = desk.later(1).snapshot(positions={"NVDA": 40})
    assert found(events) == {}


def test_a373_what_changed_since_the_venue_was_asked_is_left_for_the_next_time() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.accept(entry)
    desk.filled(entry, entry.quantity, "100")
    assert found(desk.snapshot(positions={})) == {}


def test_fills_that_were_missed_come_with_the_comparison() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.accept(entry)
    fill = desk.execution(entry, entry.quantity, "100")
    desk.later(1).snapshot(positions={"NVDA": int(entry.quantity)}, fills=(fill,))
    assert desk.current(entry).status is OrderStatus.FILLED
    assert desk.intended(Purpose.PROTECT)


def test_an_unexplained_difference_blocks_entries_in_that_symbol_alone() -> None:
    desk = CoreDriver().price("NVDA", "100").price("MSFT", "100").later(1)
    desk.snapshot(positions={"NVDA": 5})
    blocked = desk.signal(signal("NVDA", entry="100", stop="95", at=desk.now))
    assert one(blocked, ev.SignalDecided).code == Code.UNKNOWN_STATE
    free = desk.signal(signal("MSFT", signal_id="s-2", entry="100", stop="95", at=desk.now))
    assert not one(free, ev.SignalDecided).code or one(free, ev.SignalDecided).quantity


def test_a_difference_that_persists_restricts_and_one_that_goes_unblocks() -> None:
    desk = CoreDriver().later(1)
    desk.snapshot(positions={"NVDA": 5})
    assert desk.book.run_state is RunState.ACTIVE
    desk.later(1).snapshot(positions={"NVDA": 5})
    assert desk.book.run_state is RunState.REDUCE_ONLY
    desk.later(1).snapshot(positions={})
    assert not desk.book.account("paper").blocked


def test_a_comparison_that_failed_is_no_comparison() -> None:
    from engine.domain.inputs import SnapshotFailed
    from engine.ports import Ambiguous

    desk = holding(AAPL=100)
    desk.give(SnapshotFailed("paper", "scheduled", Ambiguous("no answer")))
    position = desk.book.holding("paper", "AAPL")
    assert position is not None
    assert position.quantity == 100
    assert not desk.book.account("paper").reconciled_clean


def test_taking_the_venues_side_is_an_operators_decision() -> None:
    desk = holding(AAPL=100)
    desk.snapshot(positions={"AAPL": 60})
    position = desk.book.holding("paper", "AAPL")
    assert position is not None
    assert position.quantity == 100
    events = desk.later(1).snapshot(positions={"AAPL": 60}, apply=True, reason="operator")
    assert one(events, ev.PositionAdjusted).previous == 100
    assert one(events, ev.Reconciled).clean
    assert desk.book.account("paper").positions["AAPL"].quantity == 60
    assert not desk.book.account("paper").blocked


def test_an_order_of_ours_that_the_venue_does_not_list_is_asked_about_never_inferred() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", conviction=60, entry="99", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.accept(entry).later(1)
    events = desk.snapshot()
    assert one(events, ev.OrderQueried).client_order_id == entry.client_order_id
    assert desk.current(entry).status is OrderStatus.NEW


def test_an_exit_whose_intent_was_lost_in_a_crash_is_adopted_at_the_start() -> None:
    desk = holding(AAPL=100)
    desk.give(ask.ClosePosition(by="test", symbol="AAPL"))
    lost = desk.works(desk.last(Purpose.EXIT, "AAPL"))
    after = holding(AAPL=100)
    events = after.snapshot(positions={"AAPL": 100}, orders=(lost,), reason="start")
    assert one(events, ev.OrderAdopted).terms.purpose is Purpose.EXIT
    assert "OrderIntended" not in kinds(events)
    assert msgspec.structs.asdict(one(events, ev.Reconciled))["clean"]


def looked(desk: CoreDriver, reason: str, held: int) -> list[str]:
    """What a look for this reason proposes where the venue says that so many NVDA are held."""
    balances = Account(
        account_id=ACCOUNT,
        cash=desk.book.account("paper").cash["USD"],
        equity=desk.world.money.equity,
        buying_power=desk.book.account("paper").buying_power,
        as_of=desk.now,
    )
    there = VenuePosition(symbol="NVDA", quantity=Decimal(held), average_price=Decimal(100))
    snapshot = VenueSnapshot(
        account=BROKER,
        balances=balances,
        positions=(there,),
        orders=(),
        fills=(),
        requested_at=desk.now,
        as_of=desk.now,
    )
    step = desk.core.handle(SnapshotTaken(snapshot, reason), desk.now)
    return [type(event).__name__ for event in step.proposed]


def test_a_look_that_an_operator_asked_for_carries_what_it_proposes() -> None:
    """Another look that ends meanwhile takes nothing of it away and adds nothing."""
    desk = holding(NVDA=5).later(1)
    proposed = looked(desk, "operator", 7)
    assert proposed
    assert looked(desk, "scheduled", 9) == []
    assert looked(desk, "operator", 5) == []
    assert looked(desk, "operator", 7) == proposed


# --- a fill that cannot be believed --------------------------------------------------------------

BOUND = ABLE.timeout_seconds + ABLE.late_arrival_seconds
"""As long may a request, or what became of it, be under way."""


def disbelieved() -> tuple[CoreDriver, OrderTerms]:
    """An entry filled at a price that cannot be, of which the engine holds nothing."""
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.accept(entry)
    bad = msgspec.structs.replace(
        desk.execution(entry, entry.quantity, "100"), price=Decimal(10**13)
    )
    desk.report(entry, OrderStatus.FILLED, fill=bad)
    assert desk.book.holding(BROKER, "NVDA") is None
    return desk, entry


def look(desk: CoreDriver, held: int, **kwargs: Any) -> list[ev.Event]:
    desk.later(1)
    return desk.snapshot(positions={"NVDA": held}, **kwargs)


def test_a373_what_is_in_doubt_for_longer_than_anything_is_under_way_is_compared() -> None:
    desk, entry = disbelieved()
    held = int(entry.quantity)
    assert one(look(desk, held), ev.Reconciled).clean
    desk.later(BOUND - 2)
    assert one(look(desk, held), ev.Reconciled).clean, "at the bound it may still be under way"
    seen = look(desk, held)
    assert found(seen) == {"NVDA": "BROKER_ONLY"}
    assert not one(seen, ev.Reconciled).clean
    assert "reconcile" in desk.book.account(BROKER).blocked["NVDA"]
    assert found(look(desk, held)) == {"NVDA": "BROKER_ONLY"}, "and every time from then on"


def test_a373_what_was_in_doubt_before_the_link_broke_is_left_out_anew() -> None:
    desk, entry = disbelieved()
    look(desk, int(entry.quantity))
    desk.later(BOUND)
    desk.link(LinkState.DISCONNECTED).link(LinkState.CONNECTED)
    assert found(look(desk, int(entry.quantity))) == {}


def test_a373_an_order_in_doubt_that_works_there_is_in_flight() -> None:
    desk, entry = disbelieved()
    there = (desk.works(entry),)
    look(desk, 10, orders=there)
    desk.later(BOUND)
    assert found(look(desk, 10, orders=there)) == {}


def test_a372_what_the_operator_takes_over_can_be_closed() -> None:
    desk, entry = disbelieved()
    held = int(entry.quantity)
    look(desk, held)
    desk.later(BOUND)
    look(desk, held, reason="operator", apply=True)
    position = desk.book.holding(BROKER, "NVDA")
    assert position is not None
    assert position.quantity == held
    desk.give(ask.ClosePosition(by="test", symbol="NVDA"))
    assert desk.last(Purpose.EXIT, "NVDA").quantity == held


def test_x52_a_kill_closes_what_a_fill_that_cannot_be_believed_left_there() -> None:
    desk, entry = disbelieved()
    held = int(entry.quantity)
    look(desk, held)
    desk.later(BOUND)
    desk.give(ask.Kill(by="test", level=Level.KILL, flatten=Flatten.ALL, reason="because"))
    look(desk, held, reason="kill")
    closing = desk.last(Purpose.FLATTEN, "NVDA")
    assert (closing.quantity, closing.reduce_only) == (held, True)


# --- many orders of somebody else ----------------------------------------------------------------


def calls_of_a_look(orders: int) -> int:
    """How many functions of Python are called to take over so many stops of one symbol."""
    desk = CoreDriver().price("NVDA", "100").hold("NVDA", 10_000, "100").later(1)
    there = tuple(
        VenueOrder(
            client_order_id=f"theirs-{number}",
            venue_order_id=f"v-{number}",
            symbol="NVDA",
            side=Side.SELL,
            type=OrderType.STOP,
            quantity=Decimal(1),
            filled=Decimal(0),
            stop_price=Decimal(90),
            status=OrderStatus.NEW,
            reduce_only=True,
        )
        for number in range(orders)
    )
    calls = 0

    def count(frame: Any, event: str, arg: Any) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        desk.snapshot(positions={"NVDA": 10_000}, orders=there, reason="start")
    finally:
        sys.setprofile(before)
    assert desk.book.index.count == orders
    position = desk.book.holding(BROKER, "NVDA")
    assert position is not None
    assert covered(desk.book, position) == orders
    return calls


def test_the_work_of_taking_over_orders_grows_as_their_number() -> None:
    assert calls_of_a_look(400) < 2.2 * calls_of_a_look(200)


# --- an entry whose fill was not believed --------------------------------------------------------


def test_x75_what_is_taken_over_in_place_of_a_fill_has_the_stop_of_its_order() -> None:
    """U-22: a position that an entry of ours opened is protected, whoever told of its fill."""
    desk, entry = disbelieved()
    held = int(entry.quantity)
    look(desk, held)
    desk.later(BOUND)
    look(desk, held)
    desk.later(1)
    events = desk.snapshot(positions={"NVDA": held}, reason="operator", apply=True)
    position = desk.book.holding(BROKER, "NVDA")
    assert position is not None
    assert (position.quantity, position.stop, position.signal_id) == (held, 95, "s-1")
    stop = one(events, ev.OrderIntended).terms
    assert (stop.purpose, stop.stop_price, stop.quantity) == (Purpose.PROTECT, 95, held)
