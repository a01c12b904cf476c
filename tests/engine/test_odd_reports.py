"""Reports that come together: what of them was told already is not told again (fault 51)."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.inputs import OrdersReported
from engine.domain.order import OrderStatus
from engine.ports import OrderReport
from tests.engine.driver import CoreDriver
from tests.engine.worlds import BROKER


def report(desk: CoreDriver, key: str, filled: str = "0") -> OrderReport:
    return OrderReport(
        account=BROKER,
        client_order_id=key,
        symbol="NVDA",
        status=OrderStatus.NEW,
        filled=Decimal(filled),
        time=desk.now,
    )


def told(events: Sequence[ev.Event], code: str) -> list[str]:
    """The orders that alarms of that code are about."""
    texts = [e.text for e in events if isinstance(e, ev.Alarmed) and e.code == code]
    return [text.split("order ")[1].split()[0].rstrip(",") for text in texts]


def together(desk: CoreDriver, *reports: OrderReport) -> list[ev.Event]:
    return desk.give(OrdersReported(reports))


@pytest.mark.parametrize(("code", "filled"), [("FOREIGN_ORDER", "0"), ("BAD_REPORT", "-1")])
def test_an_order_that_was_told_is_not_told_again_with_a_new_one(code: str, filled: str) -> None:
    desk = CoreDriver()
    assert told(desk.give(report(desk, "a", filled)), code) == ["a"]
    for new in ("b", "c", "d"):
        found = together(desk, report(desk, "a", filled), report(desk, new, filled))
        assert told(found, code) == [new]
    assert not told(together(desk, report(desk, "d", filled), report(desk, "a", filled)), code)


def test_one_that_is_reported_twice_at_once_is_told_once() -> None:
    desk = CoreDriver()
    found = together(desk, *(report(desk, key) for key in ("a", "a", "b", "a")))
    assert told(found, "FOREIGN_ORDER") == ["a", "b"]


def test_another_fault_of_the_same_order_is_news() -> None:
    desk = CoreDriver()
    found = together(desk, report(desk, "a"), report(desk, "a", "-1"), report(desk, "a", "-1"))
    assert (told(found, "FOREIGN_ORDER"), told(found, "BAD_REPORT")) == (["a"], ["a"])
