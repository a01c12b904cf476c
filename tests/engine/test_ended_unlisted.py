"""An order that rests here and is not listed there: its fills explain a holding first (X-75, X-52).

The venue is asked about it. What it holds is taken over without any fill only where the answers do
not explain it.
"""

from decimal import Decimal

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import SnapshotTaken
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.run import Flatten, Level
from engine.reconcile.compare import QUESTIONS_FIRST
from tests.engine.driver import CoreDriver, kinds, protected
from tests.engine.worlds import BROKER

D = Decimal


def selling() -> tuple[CoreDriver, OrderTerms]:
    """150 are held under a stop; a person's order for 40 of them rests."""
    desk = protected(150)
    desk.place(Side.SELL, 40, type=OrderType.LIMIT, limit_price=D(101))
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    desk.later(10)
    return desk, order


def look(desk: CoreDriver, held: int, *, paid: int = 0) -> list[ev.Event]:
    """The venue lists the stop, nothing else that works, so much held, and what was `paid` for
    what is not told; an operator takes that over."""
    desk.later(1)
    stop = desk.works(desk.last(Purpose.PROTECT))
    cash = desk.book.account(BROKER).cash["USD"] + paid
    return desk.snapshot(
        positions={"NVDA": held}, orders=(stop,), cash=cash, reason="operator", apply=True
    )


def answer(desk: CoreDriver, order: OrderTerms, status: OrderStatus, filled: int) -> None:
    """What the venue says of the order when it is asked; no fill comes with it."""
    desk.later(0.1)
    desk.answers(order, status=status, filled=D(filled))


def queried(events: list[ev.Event], order: OrderTerms) -> bool:
    found = [e.client_order_id for e in events if isinstance(e, ev.OrderQueried)]
    return order.client_order_id in found


def test_x75_nothing_is_adjusted_before_the_venue_was_asked_about_it() -> None:
    desk, order = selling()
    seen = look(desk, 110, paid=4040)
    assert queried(seen, order)
    assert not desk.of(ev.PositionAdjusted)
    assert not desk.of(ev.CashAdjusted), "both are one adjustment"
    assert desk.held().quantity == 150
    differences = desk.book.account(BROKER).differences
    assert [(d.symbol, d.local, d.venue) for d in differences] == [("NVDA", "150", "110")], "named"


def test_x75_its_fills_are_assumed_once_it_has_ended_there() -> None:
    """As soon as nothing of it can be under way any more."""
    desk, order = selling()
    look(desk, 110)
    answer(desk, order, OrderStatus.FILLED, 40)
    for _ in range(10):
        look(desk, 110)
    assert not desk.of(ev.PositionAdjusted)
    assert desk.held().quantity == 110
    assert (desk.current(order).filled, desk.current(order).status) == (40, OrderStatus.FILLED)


def test_x75_what_it_does_not_explain_is_adjusted_once_it_has_ended_there() -> None:
    desk, order = selling()
    look(desk, 130)
    answer(desk, order, OrderStatus.CANCELED, 0)
    assert desk.current(order).status is OrderStatus.CANCELED
    look(desk, 130)
    assert desk.held().quantity == 130
    assert len(desk.of(ev.PositionAdjusted)) == 1


def test_x75_a_venue_that_says_that_it_works_is_asked_three_times() -> None:
    """An answer may be wrong once; a list that never shows an order keeps nobody from deciding."""
    desk, order = selling()
    for asked in range(1, QUESTIONS_FIRST + 1):
        assert queried(look(desk, 110), order), asked
        assert not desk.of(ev.PositionAdjusted), asked
        answer(desk, order, OrderStatus.NEW, 0)
    seen = look(desk, 110)
    assert "PositionAdjusted" in kinds(seen)
    assert desk.held().quantity == 110


def test_x75_an_order_that_is_listed_keeps_nobody_from_adjusting() -> None:
    desk, order = selling()
    desk.later(1)
    listed = (desk.works(desk.last(Purpose.PROTECT)), desk.works(order))
    desk.snapshot(positions={"NVDA": 110}, orders=listed, reason="operator", apply=True)
    assert desk.held().quantity == 110


def test_x75_no_more_of_it_is_assumed_than_the_venue_counts() -> None:
    """25 of 40 filled, 20 more are gone: the one is a trade, and nobody knows what the other is."""
    desk, order = selling()
    look(desk, 105)
    answer(desk, order, OrderStatus.CANCELED, 25)
    for _ in range(10):
        look(desk, 105)
    assumed = [e.fill.quantity for e in desk.of(ev.OrderFilled) if e.fill.is_assumed]
    assert assumed == [25]
    adjusted = [(e.previous, e.quantity) for e in desk.of(ev.PositionAdjusted)]
    assert adjusted == [(125, 105)]
    assert desk.held().quantity == 105


# --- one that changed while the venue was being asked -------------------------------------------


def test_c403_one_that_filled_in_part_while_the_venue_was_asked_is_asked_about_too() -> None:
    """It worked before the question: that it is not listed says that it has ended. The next look
    may be a minute away, and a stop that is gone protects nothing meanwhile."""
    desk, _ = selling()
    stop = desk.last(Purpose.PROTECT)
    asked = desk.view(positions={"NVDA": 0})
    desk.later(0.1)
    desk.report(stop, OrderStatus.PARTIALLY_FILLED, fill=desk.execution(stop, 60, "94"))
    assert queried(desk.give(SnapshotTaken(asked, "scheduled")), stop)


def test_c403_one_that_the_venue_took_after_it_was_asked_is_not() -> None:
    desk = protected(150)
    desk.later(10)
    asked = desk.view(positions={"NVDA": 150}, orders=(desk.works(desk.last(Purpose.PROTECT)),))
    desk.later(0.1)
    desk.place(Side.SELL, 40, type=OrderType.LIMIT, limit_price=D(101))
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    assert not queried(desk.give(SnapshotTaken(asked, "scheduled")), order)


# --- what was taken over first ------------------------------------------------------------------


def closing() -> tuple[CoreDriver, OrderTerms]:
    """110 of a close of 150 were told, 30 more were not, and it has ended: 10 are left there."""
    desk = protected(150)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    close = desk.last(Purpose.EXIT)
    desk.accept(close)
    desk.filled(close, 110, "100")
    desk.later(10)
    return desk, close


def kill(desk: CoreDriver, close: OrderTerms, seconds: int, held: int = 10) -> None:
    """A kill looks once a second, and is told what became of the close when it asks."""
    for _ in range(seconds):
        desk.later(1)
        there: dict[str, int | str] = {"NVDA": held} if held else {}
        if queried(desk.snapshot(positions=there, reason="kill"), close):
            answer(desk, close, OrderStatus.CANCELED, 140)


def test_x52_a_kill_goes_by_the_list_at_once_and_closes_what_is_left() -> None:
    """The order whose fills were never told keeps it from nothing once it has ended for good."""
    desk, close = closing()
    desk.give(ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL))
    kill(desk, close, 1)
    assert desk.held().quantity == 10
    kill(desk, close, 10)
    assert desk.current(close).status is OrderStatus.CANCELED
    assert [o.quantity for o in desk.intended(Purpose.EXIT)] == [150, 10]
    second = desk.last(Purpose.EXIT)
    desk.accept(second)
    desk.filled(second, 10, "100")
    desk.report(desk.last(Purpose.PROTECT), OrderStatus.CANCELED)
    kill(desk, close, 5, held=0)
    assert desk.of(ev.KillProved)[-1].state == "VERIFIED"


def test_x52_nor_does_it_where_an_operator_took_the_holding_over_before() -> None:
    desk, close = closing()
    for _ in range(QUESTIONS_FIRST + 1):
        desk.later(1)
        desk.snapshot(positions={"NVDA": 10}, reason="operator", apply=True)
    assert desk.held().quantity == 10
    answer(desk, close, OrderStatus.CANCELED, 140)
    assert desk.current(close).status is OrderStatus.UNKNOWN
    desk.give(ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL))
    kill(desk, close, 10)
    assert [o.quantity for o in desk.intended(Purpose.EXIT)] == [150, 10]


def test_x52_as_long_as_it_may_be_under_way_nothing_is_sent_beside_it() -> None:
    desk, close = closing()
    desk.give(ask.Kill(by="me", level=Level.KILL, flatten=Flatten.ALL))
    kill(desk, close, 4)
    assert desk.current(close).status is OrderStatus.UNKNOWN
    assert [o.quantity for o in desk.intended(Purpose.EXIT)] == [150]


def test_x75_looks_alone_settle_no_such_order() -> None:
    """It is resolved by a person, by a kill, or by what the venue tells (rule 1)."""
    desk, close = closing()
    for _ in range(QUESTIONS_FIRST + 1):
        desk.later(1)
        desk.snapshot(positions={"NVDA": 10}, reason="operator", apply=True)
    answer(desk, close, OrderStatus.CANCELED, 140)
    for _ in range(30):
        desk.later(1)
        desk.snapshot(positions={"NVDA": 10})
    assert desk.current(close).status is OrderStatus.UNKNOWN
    desk.later(1)
    desk.snapshot(positions={"NVDA": 10}, reason="operator", apply=True)
    assert desk.current(close).status is OrderStatus.CANCELED
