"""The way back after a drawdown: a person accepts the loss, and says so (X-73, X-69).

The profile `conservative` on 100,000, with a fall of 2 % from the highest equity allowed.
"""

from decimal import Decimal
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Start
from engine.domain.instant import parse_rfc3339
from engine.domain.order import OrderStatus, Purpose
from engine.domain.run import Mode, RunState, Trigger
from engine.domain.signal import TradeType
from engine.state.fold import apply
from tests.brokers.kit import D
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import ACCOUNT, BROKER, config_of

NEXT_SESSION = parse_rfc3339("2013-10-08T13:30:00Z")


def trade(desk: CoreDriver, price: str) -> None:
    """100 are bought at 100 and sold at a price."""
    order = desk.order("NVDA", 100, "100", hold=TradeType.SWING)
    desk.accept(order)
    desk.filled(order, 100, "100")
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    out = desk.last(Purpose.EXIT)
    desk.accept(out)
    desk.report(out, OrderStatus.FILLED, fill=desk.execution(out, 100, price))


def fallen(**kill: Any) -> CoreDriver:
    """2,500 were lost today: more than the drawdown allows."""
    config = config_of(
        risk={"drawdown_limit": "0.02", "max_order_notional": "1000000"},
        kill={"daily_loss": "alert"} | kill,
    )
    desk = CoreDriver(config).price("NVDA", "100")
    trade(desk, "75")
    return desk


def resume(desk: CoreDriver, confirm: str, *, rebase: bool = True) -> list[ev.Event]:
    """What is said to a resume right after a look that found nothing."""
    desk.later(1).snapshot()
    return desk.give(ask.Resume(by="ann", confirm=confirm, rebase=rebase, note="a bad week"))


def refusal(events: list[ev.Event]) -> str:
    assert not any(isinstance(event, ev.HaltCleared | ev.LossAccepted) for event in events)
    return one(events, ev.CommandRefused).reason


def test_X73_without_the_word_a_drawdown_holds_on_every_day() -> None:
    desk = fallen()
    assert desk.book.run_state is RunState.HALTED
    for day in ("2013-10-08", "2013-12-10"):
        desk.now = parse_rfc3339(f"{day}T15:00:00Z")
        desk.tick(0)
        said = refusal(resume(desk, "RESUME", rebase=False))
        assert "drawdown still holds" in said
        assert "REBASE" in said


def test_X73_accepted_the_highest_equity_is_that_of_today_and_the_journal_says_who() -> None:
    desk = fallen()
    desk.now = NEXT_SESSION
    desk.tick(0)
    events = resume(desk, "RESUME REBASE")
    accepted = one(events, ev.LossAccepted)
    assert (accepted.by, accepted.note) == ("ann", "a bad week")
    assert (accepted.before, accepted.after) == (100_000, 97_500)
    one(events, ev.HaltCleared)
    assert desk.book.run_state is RunState.PAUSED
    assert desk.book.data.peak_equity == 97_500
    desk.give(ask.Unpause(by="ann"))
    desk.tick(60)
    assert desk.book.run_state is RunState.ACTIVE


@pytest.mark.parametrize(
    ("price", "state"), [("80.51", RunState.ACTIVE), ("80.5", RunState.HALTED)]
)
def test_X73_from_there_on_the_limit_counts_anew(price: str, state: RunState) -> None:
    """2 % of 97,500 are 1,950."""
    desk = fallen()
    desk.now = NEXT_SESSION
    desk.tick(0)
    resume(desk, "RESUME REBASE")
    desk.give(ask.Unpause(by="ann"))
    trade(desk, price)
    assert desk.book.run_state is state


@pytest.mark.parametrize(
    ("confirm", "rebase", "wanted"),
    [
        ("RESUME", True, "'RESUME REBASE'"),
        ("REBASE", True, "'RESUME REBASE'"),
        ("resume rebase", True, "'RESUME REBASE'"),
        ("", True, "'RESUME REBASE'"),
        ("RESUME REBASE", False, "'RESUME'"),
    ],
)
def test_X73_both_the_word_and_the_option_are_needed(
    confirm: str, rebase: bool, wanted: str
) -> None:
    desk = fallen()
    desk.now = NEXT_SESSION
    desk.tick(0)
    assert wanted in refusal(resume(desk, confirm, rebase=rebase))


def test_X73_with_real_money_the_account_is_named_too() -> None:
    desk = fallen()
    desk.now = NEXT_SESSION
    desk.tick(0)
    desk.book.data.mode = Mode.LIVE
    end = ACCOUNT[-4:]
    assert f"'RESUME {end} REBASE'" in refusal(resume(desk, "RESUME REBASE"))
    one(resume(desk, f"RESUME {end} REBASE"), ev.LossAccepted)


def test_X73_a_days_loss_has_no_such_way() -> None:
    desk = fallen(daily_loss="kill")
    said = refusal(resume(desk, "RESUME REBASE"))
    assert "daily_loss still holds" in said
    assert "drawdown" not in said
    desk.now = NEXT_SESSION
    desk.tick(0)
    one(resume(desk, "RESUME REBASE"), ev.LossAccepted)


def test_X73_whatever_else_is_in_the_way_stays_in_the_way() -> None:
    desk = fallen()
    desk.now = NEXT_SESSION
    desk.tick(0)
    desk.later(1).snapshot(positions={"XOM": 5})
    desk.give(ask.Resume(by="ann", confirm="RESUME REBASE", rebase=True))
    assert desk.of(ev.LossAccepted) == []
    assert desk.book.run_state is RunState.HALTED


def test_X73_a_drawdown_that_only_restricts_is_accepted_the_same_way() -> None:
    desk = fallen(drawdown="reduce_only")
    assert desk.book.run_state is RunState.REDUCE_ONLY
    desk.now = NEXT_SESSION
    desk.tick(0)
    assert "drawdown still holds" in one(desk.give(ask.Unpause(by="ann")), ev.CommandRefused).reason
    one(resume(desk, "RESUME REBASE"), ev.LossAccepted)
    assert desk.book.run_state is RunState.PAUSED
    desk.give(ask.Unpause(by="ann"))
    desk.tick(60)
    assert desk.book.run_state is RunState.ACTIVE


def test_X73_where_nothing_is_in_force_nothing_is_accepted() -> None:
    desk = CoreDriver(config_of()).price("NVDA", "100")
    refusal(resume(desk, "RESUME REBASE"))


def test_X73_it_is_of_the_journal_and_outlives_the_process() -> None:
    desk = fallen()
    desk.now = NEXT_SESSION
    desk.tick(0)
    resume(desk, "RESUME REBASE")
    again = CoreDriver(desk.world.config, running=False, now=desk.now)
    for number, event in enumerate(desk.seen, start=1):
        apply(again.book, ev.Record(number, desk.now, event))
    assert again.book.data.peak_equity == 97_500
    desk.later(1).give(Start(version="2", accounts={BROKER: ACCOUNT}, config_digest=""))
    desk.snapshot(reason="start")
    desk.tick()
    assert [e.trigger for e in desk.of(ev.TriggerFired)].count(Trigger.DRAWDOWN) == 1
    assert desk.book.data.peak_equity == D(97_500)


def with_extra(extra: Decimal) -> tuple[CoreDriver, Decimal]:
    """After that fall, so much at the venue that nothing explains; and the cash there."""
    desk = fallen()
    desk.now = NEXT_SESSION
    cash = desk.book.account(BROKER).cash["USD"] + extra
    for wait in (5, 60):
        desk.later(wait).snapshot(cash=cash)
    desk.tick(0)
    assert desk.world.money.unexplained == extra
    desk.later(1).snapshot(cash=cash)
    return desk, cash


REBASED = ask.Resume(by="ann", confirm="RESUME REBASE", rebase=True, note="")


@pytest.mark.parametrize("extra", [15_000, 1, -1, -15_000])
def test_X75_what_nothing_explains_is_taken_over_before_a_fall_is_accepted(extra: int) -> None:
    """X-69: the highest equity is then what was accepted, with what was taken over."""
    desk, cash = with_extra(D(extra))
    events = desk.give(REBASED)
    assert f"{extra} USD" in one(events, ev.CommandRefused).reason
    assert not desk.of(ev.LossAccepted)
    desk.later(1).snapshot(cash=cash, reason="operator", apply=True)
    desk.later(1).snapshot(cash=cash)
    events = desk.give(REBASED)
    assert one(events, ev.LossAccepted).after == 97_500 + extra
    assert desk.book.data.peak_equity == 97_500 + extra


@pytest.mark.parametrize("extra", ["0.005", "0", "-0.005"])
def test_X75_what_nothing_explains_is_in_no_highest_equity(extra: str) -> None:
    desk, cash = with_extra(D(extra))
    events = desk.give(REBASED)
    assert one(events, ev.LossAccepted).after == 97_500
    assert desk.book.data.peak_equity == 97_500
    desk.give(ask.Unpause(by="ann"))
    for _ in range(3):
        desk.tick(60)
        desk.later(1).snapshot(cash=cash)
        assert desk.book.run_state is RunState.ACTIVE
    assert desk.world.money.drawdown == 0
