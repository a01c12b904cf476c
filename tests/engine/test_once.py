"""A command with an id of its asker's is done once, and asked again gets the first answer."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import Side
from engine.domain.result import Result
from engine.runtime.result import result_of
from engine.state.answers import AT_MOST
from tests.configs import from_mapping
from tests.engine.driver import CoreDriver, one, protected
from tests.engine.test_restart import restarted


def answer(events: list[ev.Event]) -> Result:
    return result_of([ev.Record(n, 0, event) for n, event in enumerate(events)])


def buy(desk: CoreDriver, quantity: int = 1, **more: Any) -> list[ev.Event]:
    return desk.place(Side.BUY, quantity, **({"intent_id": "mine"} | more))


def bought(desk: CoreDriver) -> int:
    return len(desk.of(ev.OrderIntended))


def test_the_second_gets_the_answer_of_the_first_and_sends_nothing() -> None:
    desk = CoreDriver().price("NVDA", "100")
    first = answer(buy(desk))
    assert first.ok
    assert len(first.data["client_order_ids"]) == 1
    # Later than any window, when its order is over and forgotten.
    desk.filled(one(desk.seen, ev.OrderIntended).terms, 1, "100")
    for _ in range(3):
        desk.later(1_000).quote("NVDA", "100")
        assert answer(buy(desk)) == first
    assert bought(desk) == 1


def test_another_id_or_none_is_another_order() -> None:
    desk = CoreDriver().price("NVDA", "100")
    for quantity, intent in ((1, "a"), (2, "b"), (3, ""), (4, "")):
        assert answer(buy(desk, quantity, intent_id=intent)).ok
    assert bought(desk) == 4


def test_a_refusal_is_told_again_though_it_would_pass_now() -> None:
    desk = CoreDriver()
    first = answer(buy(desk))
    assert (first.ok, first.code) == (False, "NO_PRICE")
    desk.price("NVDA", "100")
    assert answer(buy(desk)) == first
    assert bought(desk) == 0
    assert answer(buy(desk, intent_id="another")).ok


@pytest.mark.parametrize(
    "other", [{"quantity": 2}, {"protect": Decimal(90)}, {"side": Side.SELL}, {"symbol": "AMD"}]
)
def test_an_id_that_stands_for_something_else_is_refused(other: dict[str, Any]) -> None:
    desk = CoreDriver().price("NVDA", "100").price("AMD", "100")
    assert answer(buy(desk)).ok
    given: dict[str, Any] = {"side": Side.BUY, "quantity": 1, "symbol": "NVDA"} | other
    found = answer(desk.place(intent_id="mine", **given))
    assert (found.ok, found.code) == (False, "DUPLICATE_ORDER")
    assert "mine was asked for with other arguments" in found.error
    assert bought(desk) == 1


def test_the_second_may_be_asked_for_by_somebody_else() -> None:
    desk = CoreDriver().price("NVDA", "100")
    first = answer(buy(desk))
    again = ask.PlaceOrder(
        by="cli", symbol="NVDA", side=Side.BUY, quantity=Decimal(1), intent_id="mine", waited=9
    )
    assert answer(desk.give(again)) == first


def test_a_new_process_knows_the_answers() -> None:
    desk = CoreDriver().price("NVDA", "100")
    first = answer(buy(desk))
    again = restarted(desk.later(1))
    assert answer(buy(again)) == first
    assert bought(again) == 0


HOUR = 3600


@pytest.mark.parametrize(
    ("seconds", "told"), [(24 * HOUR - 60, True), (24 * HOUR, True), (24 * HOUR + 60, False)]
)
@pytest.mark.parametrize("others", [0, 1])
def test_the_answer_is_given_again_for_24_hours_and_then_the_id_is_refused(
    seconds: int, told: bool, others: int
) -> None:
    desk = CoreDriver().price("NVDA", "100")
    first = answer(buy(desk))
    assert first.ok
    desk.later(seconds)
    for number in range(others):
        buy(desk, 0, intent_id=f"i-{number}")
    found = answer(buy(desk))
    assert (found == first) is told
    if not told:
        assert (found.ok, found.code) == (False, "DUPLICATE_ORDER")
        assert "mine was asked for more than 24 h ago" in found.error
    assert bought(desk) == 1


def test_five_thousand_ids_in_an_hour_are_all_answered_and_let_go_a_day_later() -> None:
    desk = CoreDriver().price("NVDA", "100")
    first = answer(buy(desk))
    for number in range(5_000):
        buy(desk.later(0.7), 0, intent_id=f"i-{number}")
    assert answer(buy(desk)) == first
    again = restarted(desk.later(1))
    assert answer(buy(again)) == first
    assert bought(desk) == 1
    desk.later(24 * HOUR)
    buy(desk, 0, intent_id="the next day")
    assert set(desk.book.data.answers) == {"the next day"}


def test_more_ids_than_are_kept_refuse_the_oldest_and_double_nothing() -> None:
    desk = CoreDriver().price("NVDA", "100")
    assert answer(buy(desk)).ok
    told = one(desk.seen, ev.CommandAnswered)
    for number in range(AT_MOST - 1):
        desk.event(msgspec.structs.replace(told, intent_id=f"i-{number}"))
    assert answer(buy(desk)).ok
    desk.event(msgspec.structs.replace(told, intent_id="one too many"))
    assert len(desk.book.data.answers) == AT_MOST
    found = answer(buy(desk))
    assert (found.ok, found.code) == (False, "DUPLICATE_ORDER")
    assert f"or {AT_MOST} ids ago" in found.error
    assert bought(desk) == 1


def test_a_part_that_is_closed_twice_by_one_id_is_closed_once() -> None:
    desk = protected()
    part = ask.ClosePosition(by="me", symbol="NVDA", quantity=Decimal(10), intent_id="mine")
    assert answer(desk.give(part)).ok
    planned = len(desk.of(ev.ExitPlanned))
    assert answer(desk.give(part)).ok
    assert len(desk.of(ev.ExitPlanned)) == planned == 1


def test_without_a_window_the_same_order_twice_is_still_a_repeat() -> None:
    desk = CoreDriver(from_mapping({"execution": {"dedup_window_seconds": 0}})).price("NVDA", "100")
    assert answer(buy(desk, intent_id="")).ok
    assert answer(buy(desk, intent_id="")).code == "DUPLICATE_ORDER"
    desk.later(61).quote("NVDA", "100")
    assert answer(buy(desk, intent_id="")).ok


@pytest.mark.parametrize("quantity", [None, Decimal(3)])
def test_a_close_that_is_asked_again_is_told_the_same_orders(quantity: Decimal | None) -> None:
    desk = CoreDriver().price("NVDA", "100")
    buy(desk, 10, intent_id="")
    order = desk.of(ev.OrderIntended)[-1].terms
    desk.accept(order)
    desk.filled(order, 10, "100")
    command = ask.ClosePosition(by="me", symbol="NVDA", quantity=quantity, intent_id="mine")
    first = answer(desk.give(command))
    assert first.ok
    assert len(first.data["client_order_ids"]) == 1
    assert answer(desk.give(command)) == first
    assert bought(desk) == 2
