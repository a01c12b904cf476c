"""A dead letter is closed once its venue tells of the order (C-430, X-10, U-21, rule 1)."""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Sending, SubmitFailed
from engine.domain.order import OrderStatus, OrderTerms, Purpose, Side
from engine.ports import NotSent
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import signal

S = OrderStatus


def lettered() -> tuple[CoreDriver, OrderTerms]:
    """An entry of 149 that did not leave, kept as a dead letter."""
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    order = desk.last(Purpose.ENTRY)
    desk.give(Sending(order.account, order.client_order_id))
    desk.give(SubmitFailed(order.account, order.client_order_id, NotSent("refused")))
    assert set(desk.book.data.letters) == {order.client_order_id}
    return desk, order


def late(desk: CoreDriver, order: OrderTerms, how: str) -> list[ev.Event]:
    """The venue tells of the order after all."""
    desk.later(1)
    match how:
        case "a report that it works":
            return desk.report(order, S.NEW)
        case "a report that it has filled":
            return desk.report(order, S.FILLED)
        case "a fill":
            return desk.report(order, S.PARTIALLY_FILLED, fill=desk.execution(order, 10, "100"))
        case "its list of orders":
            return desk.snapshot(orders=(desk.works(order),))
        case _:
            return desk.snapshot(fills=(desk.execution(order, 10, "100"),), positions={"NVDA": 10})


@pytest.mark.parametrize(
    "how",
    [
        "a report that it works", "a report that it has filled", "a fill", "its list of orders",
        "its list of fills",
    ],
)  # fmt: skip
def test_C430_an_order_that_its_venue_has_is_no_dead_letter_any_more(how: str) -> None:
    desk, order = lettered()
    closed = one(late(desk, order, how), ev.DeadLetterClosed)
    assert (closed.letter_id, closed.account) == (order.client_order_id, "paper")
    assert (closed.action, closed.by) == ("taken", "venue")
    assert desk.book.data.letters == {}
    (alarm,) = [e for e in desk.of(ev.Alarmed) if e.code == "DEAD_LETTER_TAKEN"]
    assert order.client_order_id in alarm.text
    late(desk, order, how)
    assert len(desk.of(ev.DeadLetterClosed)) == 1, "told again, it is no news"


def test_rule1_nobody_sends_it_a_second_time() -> None:
    desk, order = lettered()
    desk.report(order, S.NEW)
    sent = len(desk.of(ev.OrderIntended))
    refused = one(desk.give(ask.RetryLetter(by="me", letter_id=order.client_order_id)),
                  ev.CommandRefused)  # fmt: skip
    assert "there is no dead letter" in refused.reason
    assert len(desk.of(ev.OrderIntended)) == sent


@pytest.mark.parametrize("status", [S.REJECTED, S.CANCELED, S.EXPIRED, S.PENDING_NEW])
def test_C430_an_end_without_a_fill_leaves_the_letter_to_a_person(status: OrderStatus) -> None:
    """Nothing of it is there: it may be sent again. Nor is it there by a library's own word."""
    desk, order = lettered()
    desk.report(order, status)
    assert set(desk.book.data.letters) == {order.client_order_id}


def test_C430_what_is_told_of_another_order_closes_nothing() -> None:
    desk, order = lettered()
    desk.price("AAPL", "100")
    desk.place(Side.BUY, 5, symbol="AAPL", protect=Decimal(95))
    other = desk.last(Purpose.MANUAL, "AAPL")
    desk.accept(other).filled(other, 5, "100")
    desk.snapshot(positions={"AAPL": 5})
    assert order.client_order_id in desk.book.data.letters


# --- what is too old ------------------------------------------------------------------------------


def retried(desk: CoreDriver, order: OrderTerms) -> list[ev.Event]:
    """A person has it decided anew, at a price of this moment."""
    desk.price("NVDA", "100")
    return desk.give(ask.RetryLetter(by="me", letter_id=order.client_order_id))


def aged(seconds: float) -> tuple[CoreDriver, OrderTerms]:
    """A dead letter that was kept for so long."""
    desk, order = lettered()
    desk.later(seconds)
    return desk, order


@pytest.mark.parametrize("seconds", [61, 299, 299.999])
def test_C430_before_five_minutes_a_person_may_have_it_sent(seconds: float) -> None:
    desk, order = aged(seconds)
    again = one(retried(desk, order), ev.OrderIntended).terms
    assert (again.quantity, again.symbol) == (order.quantity, "NVDA")
    assert desk.book.data.letters == {}


@pytest.mark.parametrize("seconds", [300, 300.001, 86_400])
def test_C430_from_five_minutes_on_nobody_can_have_it_sent_and_it_is_kept(seconds: float) -> None:
    desk, order = aged(seconds)
    events = retried(desk, order)
    refused = one(events, ev.CommandRefused)
    assert (refused.code, refused.command) == ("EXPIRED", "RetryLetter")
    assert "has expired" in refused.reason
    assert "300 s" in refused.reason
    assert "drop" in refused.reason
    assert not [e for e in events if isinstance(e, ev.OrderIntended | ev.IntentOpened)]
    assert set(desk.book.data.letters) == {order.client_order_id}


def test_C430_one_that_has_expired_may_be_dropped() -> None:
    desk, order = aged(301)
    closed = one(
        desk.give(ask.DropLetter(by="me", letter_id=order.client_order_id)), ev.DeadLetterClosed
    )
    assert closed.action == "dropped"
    assert desk.book.data.letters == {}


def test_C430_time_alone_sends_nothing_and_closes_nothing() -> None:
    desk, order = lettered()
    intended = len(desk.of(ev.OrderIntended))
    for _ in range(40):
        desk.price("NVDA", "100")
        desk.tick(10)
    assert len(desk.of(ev.OrderIntended)) == intended
    assert set(desk.book.data.letters) == {order.client_order_id}


def test_C430_its_time_goes_on_while_no_engine_runs() -> None:
    desk, order = aged(200)
    desk.later(100)
    desk.restart()
    assert one(retried(desk, order), ev.CommandRefused).code == "EXPIRED"


def test_U21_its_venue_may_turn_out_to_have_one_that_has_expired() -> None:
    desk, order = aged(301)
    assert one(late(desk, order, "a report that it works"), ev.DeadLetterClosed).action == "taken"
