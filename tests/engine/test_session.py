"""The accounting day: when it turns and what its row says (X-12, X-13, A-284, A-407, T-16)."""

import datetime

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import parse_rfc3339
from engine.domain.order import Purpose
from engine.domain.run import Flatten, Level, RunState
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import AXION, config_of


@pytest.mark.parametrize(
    ("before", "at", "date"),
    [
        ("2013-10-08T13:29:59.999999999Z", "2013-10-08T13:30:00Z", "2013-10-08"),
        ("2013-11-01T13:29:59.999999999Z", "2013-11-01T13:30:00Z", "2013-11-01"),  # summer time
        ("2013-11-04T14:29:59.999999999Z", "2013-11-04T14:30:00Z", "2013-11-04"),  # winter time
    ],
)
def test_t16_the_day_turns_at_the_open_on_both_sides_of_the_clock_change(
    before: str, at: str, date: str
) -> None:
    desk = CoreDriver()
    desk.now = parse_rfc3339(before)
    desk.tick(0)
    turned = len(desk.of(ev.SessionOpened))
    desk.now = parse_rfc3339(at)
    desk.tick(0)
    assert len(desk.of(ev.SessionOpened)) == turned + 1
    session = desk.book.data.session
    assert session is not None
    assert session.date == datetime.date.fromisoformat(date)


def test_a284_the_turn_zeroes_the_days_counters_and_nothing_else() -> None:
    desk = CoreDriver()
    desk.fill(desk.order("NVDA", 10, "100"), None, "100")
    desk.book.data.loss_streak = 2
    desk.give(ask.Kill(by="test", level=Level.HALT, reason="because"))
    desk.now = parse_rfc3339("2013-10-08T13:30:00Z")
    desk.tick(0)
    session = desk.book.data.session
    assert session is not None
    assert (session.entries, session.trades, session.realized) == (0, 0, 0)
    assert desk.book.data.loss_streak == 2
    assert desk.book.run_state is RunState.HALTED


def test_a407_the_row_reconciles_to_the_cent() -> None:
    """ending = starting + realised (after fees) + change of unrealised + flows + adjustment."""
    desk = CoreDriver()
    entry = desk.order("NVDA", 10, "100")
    desk.accept(entry)
    desk.filled(entry, 10, "100")
    desk.quote("NVDA", "104")
    desk.give(ask.ClosePosition(by="test", symbol="NVDA"))
    out = desk.last(Purpose.EXIT)
    desk.accept(out)
    desk.filled(out, 4, "103")
    desk.later(1).snapshot(positions={"NVDA": 6}, cash=desk.book.account("paper").cash["USD"] + 250)
    desk.now = parse_rfc3339("2013-10-08T13:30:00Z")
    row = one(desk.tick(0), ev.SessionClosed)
    assert row.final
    assert row.adjustment == 250, "nothing says that it is a transfer (X-75)"
    explained = row.starting_equity + row.realized_pnl + row.unrealized_pnl + row.flows
    assert row.ending_equity == explained + row.adjustment
    assert (row.realized_pnl, row.unrealized_pnl) == (12, 24)


def test_a407_a_kill_writes_the_row_so_far() -> None:
    desk = CoreDriver()
    row = one(desk.give(ask.Kill(by="test", reason="because")), ev.SessionClosed)
    assert not row.final
    assert row.kill_switch_triggered


def test_a402_a_day_that_was_halted_says_so_whatever_became_of_the_halt() -> None:
    desk = CoreDriver()
    desk.give(ask.Kill(by="test", level=Level.HALT, reason="because"))
    desk.later(1).snapshot()
    desk.give(ask.Resume(by="test", confirm="RESUME"))
    assert desk.book.data.halt is None
    desk.now = parse_rfc3339("2013-10-08T13:30:00Z")
    row = one(desk.tick(0), ev.SessionClosed)
    assert (row.final, row.kill_switch_triggered) == (True, True)
    desk.now = parse_rfc3339("2013-10-09T13:30:00Z")
    assert not one(desk.tick(0), ev.SessionClosed).kill_switch_triggered


def test_a407_once_a_kill_is_proved_the_row_has_what_it_closed() -> None:
    desk = CoreDriver()
    desk.fill(desk.order("NVDA", 10, "100"), None, "100")
    desk.give(ask.Kill(by="test", level=Level.KILL, flatten=Flatten.ALL, reason="because"))
    desk.snapshot(positions={"NVDA": 10}, reason="kill")
    out = desk.last(Purpose.FLATTEN)
    desk.accept(out)
    desk.filled(out, 10, "103")
    for _ in range(2):
        desk.later(1)
        given = desk.snapshot(reason="kill")
    one(given, ev.KillProved)
    row = one(given, ev.SessionClosed)
    assert (row.total_trades, row.realized_pnl, row.final) == (1, 30, False)


def test_x06_a_daily_loss_may_restrict_until_the_next_session() -> None:
    desk = CoreDriver(config_of(**AXION, kill={"daily_loss": "reduce_only"}))
    desk.fill(desk.order("NVDA", 1000, "100"), None, "100")
    for _ in range(2):
        desk.later(1)
        desk.quote("NVDA", "89")
    assert desk.book.run_state is RunState.REDUCE_ONLY
    desk.give(ask.ClosePosition(by="test", symbol="NVDA"))
    out = desk.last(Purpose.EXIT)
    desk.accept(out)
    desk.filled(out, 1000, "89")
    desk.now = parse_rfc3339("2013-10-07T19:59:59Z")
    desk.tick(0)
    assert desk.book.run_state is RunState.REDUCE_ONLY
    desk.now = parse_rfc3339("2013-10-08T13:30:00Z")
    desk.tick(0)
    assert desk.book.run_state is RunState.ACTIVE


def test_u50_the_autotrader_profile_rests_after_its_streak_and_comes_back() -> None:
    desk = CoreDriver(config_of(profile="autotrader", risk={"max_order_notional": "1000000"}))
    desk.book.data.loss_streak = 5
    desk.tick()
    assert desk.book.run_state is RunState.COOLDOWN
    desk.tick(30 * 60 - 1)
    assert desk.book.run_state is RunState.COOLDOWN
    desk.tick(1)
    assert desk.book.run_state is RunState.ACTIVE
    assert desk.book.data.loss_streak == 0


def test_equity_is_marked_once_a_minute_and_only_when_it_moved() -> None:
    desk = CoreDriver()
    desk.fill(desk.order("NVDA", 10, "100"), None, "100")
    for last in ("101", "101", "102"):
        desk.quote("NVDA", last)
        desk.tick(60)
    marks = [e.equity for e in desk.of(ev.EquityMarked)]
    assert marks == [100_010, 100_020]
