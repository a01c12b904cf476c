"""What the state keeps by symbol ends with what it is for: a million symbols leave no trace."""

from engine.domain.instant import NS_PER_SECOND
from engine.state.folds.venue import REMEMBERED
from tests.engine.driver import CoreDriver
from tests.engine.worlds import BROKER

SECONDS = REMEMBERED // NS_PER_SECOND


def test_movements_are_forgotten_once_no_list_can_be_that_old() -> None:
    desk = CoreDriver().price("NVDA", "100").hold("NVDA", 100, "100")
    account = desk.book.account(BROKER)
    desk.later(SECONDS - 1).snapshot(positions={"NVDA": 100})
    assert set(account.movements) == {"NVDA"}
    desk.later(1).snapshot(positions={"NVDA": 100})
    assert set(account.movements) == {"NVDA"}
    desk.later(1).snapshot(positions={"NVDA": 100})
    assert not account.movements


def test_an_adoption_is_remembered_while_something_of_it_is_held_or_an_order_may_fill() -> None:
    desk = CoreDriver().price("NVDA", "100").price("AAPL", "50")
    order = desk.order("AAPL", 5, "50", limit="50")
    desk.accept(order)
    account = desk.book.account(BROKER)
    works = desk.works(order)
    there: dict[str, int | str] = {"NVDA": 7, "AAPL": 5}
    desk.later(9).snapshot(positions=there, orders=(works,), reason="operator", apply=True)
    assert set(account.adjusted) == {"NVDA", "AAPL"}
    for _ in range(2):
        desk.later(SECONDS)
        desk.snapshot(orders=(works,), positions={}, reason="operator", apply=True)
    assert set(account.adjusted) == {"AAPL"}
