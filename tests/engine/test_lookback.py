"""From when on a venue is asked for fills: far enough back that none is missed (X-69, X-75)."""

import pytest

from engine.core.lookback import MARGIN, is_whole_due, look_since, order_since
from engine.domain.account import Account
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import Purpose, Side
from engine.state.account import AccountState, KillWork
from tests.engine.driver import CoreDriver
from tests.engine.worlds import BROKER

NOW = 10_000 * NS_PER_SECOND
LAG = 30 * NS_PER_SECOND


def at(seconds: float) -> int:
    """So many seconds before now."""
    return NOW - round(seconds * NS_PER_SECOND)


def account(**said: int) -> AccountState:
    """One that was looked at before."""
    balances = Account(account_id="a", cash=0, equity=0, buying_power=0, as_of=0)  # type: ignore[arg-type]
    return AccountState(name="a", balances=balances, **said)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ago", "due"), [(59.999, False), (60, True), (60.001, True)])
def test_all_fills_are_asked_for_once_a_minute(ago: float, due: bool) -> None:
    assert is_whole_due(account(), at(ago), NOW) is due


@pytest.mark.parametrize(("ago", "due"), [(4.999, False), (5, False), (5.001, True)])
def test_a_kill_begins_with_all_of_them(ago: float, due: bool) -> None:
    state = account()
    state.kill = KillWork(epoch=1, started_at=at(5))
    assert is_whole_due(state, at(ago), NOW) is due


def test_what_was_before_the_first_look_is_history() -> None:
    assert look_since(AccountState(name="a"), NOW, lag=LAG, whole=True) == NOW - MARGIN


@pytest.mark.parametrize(
    ("said", "whole", "begins"),
    [
        ({"clean_at": at(300), "seen_at": at(10), "last_fill": at(5)}, True, at(300)),
        ({"clean_at": at(300), "seen_at": at(10), "last_fill": at(5)}, False, at(40)),
        ({"clean_at": at(20), "seen_at": at(10), "last_fill": at(5)}, False, at(20)),
        ({"clean_at": at(20), "seen_at": at(10), "last_fill": at(900)}, False, at(900)),
        ({"clean_at": at(300), "known_since": at(100), "last_fill": at(5)}, True, at(100)),
        ({"clean_at": 0, "seen_at": 0, "last_fill": 0}, True, 0),
    ],
)
def test_a_look_asks_back_to_what_the_last_one_can_have_missed(
    said: dict[str, int], whole: bool, begins: int
) -> None:
    """Never to later than the newest fill, nor to before the account was known."""
    assert look_since(account(**said), NOW, lag=LAG, whole=whole) == max(begins - MARGIN, 0)


def test_a_question_about_an_order_asks_back_to_when_it_was_made_or_the_newest_fill() -> None:
    desk = CoreDriver()
    desk.quote("NVDA", "100")
    assert order_since(desk.book, BROKER, "nobody", desk.now) == desk.now - MARGIN
    desk.place(Side.BUY, 10)
    first = desk.last(Purpose.MANUAL)
    made = desk.now
    desk.later(100)
    assert order_since(desk.book, BROKER, first.client_order_id, desk.now) == made - MARGIN
    desk.accept(first)
    desk.filled(first, 10, "100")
    filled = desk.now
    desk.later(100).quote("NVDA", "101")
    desk.place(Side.SELL, 5)
    second = desk.last(Purpose.MANUAL)
    desk.later(100)
    assert order_since(desk.book, BROKER, second.client_order_id, desk.now) == filled - MARGIN
