"""Stopping: triggers, levels, the latch, the proof (T-05, X-05, X-06, X-52, X-69, X-71, U-52)."""

from decimal import Decimal

import pytest

from console.host.kill_report import KillReport
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import JournalFailed, JournalRecovered, LatchFound, Tick
from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.domain.order import OrderStatus, Purpose
from engine.domain.position import ExitReason
from engine.domain.run import Flatten, Halt, Level, LinkState, RunState, Trigger
from engine.domain.signal import TradeType
from engine.risk import triggers
from engine.state.book import Book
from tests.engine.driver import CoreDriver, kinds
from tests.engine.worlds import AXION, config_of, signal

BY = "test"


def kill(
    desk: CoreDriver, level: Level = Level.KILL, flatten: Flatten = Flatten.DAY
) -> list[ev.Event]:
    return desk.give(ask.Kill(by=BY, level=level, flatten=flatten, reason="because"))


def cancelled(events: list[ev.Event]) -> set[str]:
    return {e.client_order_id for e in events if isinstance(e, ev.CancelRequested)}


def halt_of(desk: CoreDriver) -> Halt:
    halt = desk.book.data.halt
    assert halt is not None
    return halt


def stocked() -> CoreDriver:
    """A protected day trade in NVDA, a swing in AAPL, and a working entry in MSFT."""
    desk = CoreDriver()
    desk.fill(desk.order("NVDA", 10, "100", stop="95"), None, "100")
    desk.fill(desk.order("AAPL", 10, "180", stop="170", hold=TradeType.SWING), None, "180")
    for symbol, price in (("NVDA", "100"), ("AAPL", "180"), ("MSFT", "30")):
        desk.price(symbol, price)
    desk.tick()
    for symbol in ("NVDA", "AAPL"):
        desk.accept(desk.last(Purpose.PROTECT, symbol))
    desk.order("MSFT", 10, "30", limit="30", order_id="entry")
    desk.accept(desk.book.account("paper").orders["entry"])
    return desk


# --- levels --------------------------------------------------------------------------------------


def test_x52_halt_cancels_entries_and_keeps_positions_and_stops() -> None:
    desk = stocked()
    events = kill(desk, Level.HALT)
    assert cancelled(events) == {"entry"}
    assert desk.book.run_state is RunState.HALTED
    assert not desk.of(ev.ExitPlanned)


def test_x52_kill_closes_day_trades_and_leaves_swings_with_their_stops() -> None:
    desk = stocked()
    kill(desk)
    desk.snapshot(positions={"NVDA": 10, "AAPL": 10}, reason="kill")
    plans = {e.symbol: e.decision.reason for e in desk.of(ev.ExitPlanned)}
    assert plans == {"NVDA": ExitReason.KILL}
    assert desk.last(Purpose.FLATTEN, "NVDA").reduce_only
    assert desk.current(desk.last(Purpose.PROTECT, "AAPL")).status is OrderStatus.NEW


@pytest.mark.parametrize(
    ("flatten", "closed"),
    [(Flatten.NONE, set()), (Flatten.DAY, {"NVDA"}), (Flatten.ALL, {"NVDA", "AAPL"})],
)
def test_x32_what_each_flatten_closes(flatten: Flatten, closed: set[str]) -> None:
    desk = stocked()
    kill(desk, flatten=flatten)
    desk.snapshot(positions={"NVDA": 10, "AAPL": 10}, reason="kill")
    assert {e.symbol for e in desk.of(ev.ExitPlanned)} == closed


def test_a_flatten_is_sized_from_the_venues_own_holdings() -> None:
    desk = stocked()
    desk.report(desk.book.account("paper").orders["entry"], OrderStatus.CANCELED)
    kill(desk, flatten=Flatten.ALL)
    desk.later(6)
    desk.snapshot(positions={"NVDA": 7, "AAPL": 10}, reason="kill")
    assert desk.last(Purpose.FLATTEN, "NVDA").quantity == 7


def test_c503_pressing_again_raises_and_never_repeats() -> None:
    desk = stocked()
    kill(desk, Level.HALT)
    assert kinds(kill(desk, Level.HALT)) == ["OperatorActed"]
    kill(desk, Level.KILL, Flatten.DAY)
    assert halt_of(desk).level is Level.KILL
    assert kinds(kill(desk, Level.KILL, Flatten.NONE)) == ["OperatorActed"]
    kill(desk, Level.KILL, Flatten.ALL)
    assert halt_of(desk).flatten is Flatten.ALL
    kill(desk, Level.HALT)
    assert halt_of(desk).level is Level.KILL


def test_d53_a_close_under_way_is_not_cancelled_by_the_kill() -> None:
    desk = stocked()
    desk.give(ask.ClosePosition(by=BY, symbol="NVDA"))
    exit_ = desk.last(Purpose.EXIT, "NVDA")
    desk.accept(exit_)
    assert exit_.client_order_id not in cancelled(kill(desk, flatten=Flatten.ALL))


def test_c501_t05_a_hundred_open_orders_are_asked_to_cancel_in_the_same_step() -> None:
    desk = CoreDriver()
    for n in range(100):
        desk.order(f"S{n}", 1, "10", limit="10", order_id=f"o{n}")
        desk.accept(desk.book.account("paper").orders[f"o{n}"])
    assert len(cancelled(kill(desk))) == 100


# --- the proof -----------------------------------------------------------------------------------


def test_a_kill_is_verified_by_two_clean_reads_of_the_venue() -> None:
    desk = stocked()
    kill(desk)
    desk.report(desk.book.account("paper").orders["entry"], OrderStatus.CANCELED)
    desk.snapshot(positions={"NVDA": 10, "AAPL": 10}, reason="kill")
    exit_ = desk.last(Purpose.FLATTEN, "NVDA")
    desk.accept(exit_)
    desk.filled(exit_, 10, "100")
    desk.report(desk.last(Purpose.PROTECT, "NVDA"), OrderStatus.CANCELED)
    stop = desk.works(desk.last(Purpose.PROTECT, "AAPL"))
    for _ in range(2):
        assert not desk.of(ev.KillProved)
        desk.later(1)
        desk.snapshot(positions={"AAPL": 10}, orders=(stop,), reason="kill")
    proved = desk.of(ev.KillProved)[-1]
    assert (proved.state, proved.cancelled, proved.closed) == ("VERIFIED", 1, 1)
    assert proved.left == ()
    assert proved.unknown == ()


def gone(desk: CoreDriver) -> None:
    """The venue has cancelled the entry, if it had not before."""
    entry = desk.book.account("paper").orders.get("entry")
    if entry is not None:
        desk.report(entry, OrderStatus.CANCELED)


@pytest.mark.parametrize(
    "before",
    [(), ((Level.HALT, Flatten.DAY),), ((Level.HALT, Flatten.DAY), (Level.KILL, Flatten.NONE))],
    ids=["kill", "halt, kill", "halt, kill, raised"],
)
def test_c502_the_proof_counts_what_was_cancelled_since_the_first_press(
    before: tuple[tuple[Level, Flatten], ...],
) -> None:
    """A chord halts, a second one kills: the entry that the first cancelled was cancelled."""
    desk = stocked()
    for level, flatten in before:
        kill(desk, level, flatten)
        gone(desk)
    kill(desk, flatten=Flatten.ALL)
    gone(desk)
    assert KillReport(desk.world).brokers()["paper"]["cancelled"] == 1
    desk.tick(31)
    proved = desk.of(ev.KillProved)[-1]
    assert (proved.state, proved.cancelled) == ("DEGRADED", 1)
    assert "1 order cancelled, " in desk.of(ev.Alarmed)[-1].text


def test_c502_the_proof_counts_what_a_kill_closed_before_it_was_raised() -> None:
    desk = stocked()
    kill(desk, flatten=Flatten.DAY)
    desk.snapshot(positions={"NVDA": 10, "AAPL": 10}, reason="kill")
    exit_ = desk.last(Purpose.FLATTEN, "NVDA")
    desk.accept(exit_)
    desk.filled(exit_, 10, "100")
    kill(desk, flatten=Flatten.ALL)
    desk.tick(31)
    assert desk.of(ev.KillProved)[-1].closed == 1


def test_c502_a_halt_after_one_that_was_cleared_counts_anew() -> None:
    desk = stocked()
    kill(desk, Level.HALT)
    gone(desk)
    desk.event(ev.HaltCleared(by=BY, note="", epoch=1))
    kill(desk)
    desk.tick(31)
    assert desk.of(ev.KillProved)[-1].cancelled == 0


def test_a_kill_that_cannot_be_proved_says_so_and_goes_on() -> None:
    desk = stocked()
    kill(desk)
    desk.later(30)
    assert not desk.of(ev.KillProved)
    desk.tick(0.001)
    proved = desk.of(ev.KillProved)[-1]
    assert proved.state == "DEGRADED"
    assert "entry" in " ".join(proved.left)
    assert desk.of(ev.SnapshotRequested)


def test_an_order_in_doubt_keeps_a_kill_from_being_verified() -> None:
    desk = stocked()
    desk.event(ev.OrderUnclear(account="paper", client_order_id="entry", reason="lost"))
    kill(desk, flatten=Flatten.NONE)
    for _ in range(5):
        desk.later(1)
        desk.snapshot(positions={"NVDA": 10, "AAPL": 10}, reason="kill")
    assert not desk.of(ev.KillProved)


# --- triggers ------------------------------------------------------------------------------------


def losing(drop: str) -> CoreDriver:
    """Long 100 at 100 with 10,000 of equity: `drop` takes that share of equity."""
    desk = CoreDriver(config_of(**AXION), equity="100000", buying_power="100000")
    told = desk.book.account("paper").balances
    assert told is not None
    desk.event(ev.AccountSynced(account="paper", balances=told))
    desk.fill(desk.order("NVDA", 1000, "100", hold=TradeType.DAY), None, "100")
    desk.price("NVDA", "100")
    price = Decimal(100) * (1 - Decimal(drop))
    for _ in range(2):
        desk.later(1)
        desk.quote("NVDA", price)
    return desk


@pytest.mark.parametrize(("drop", "trips"), [("0.0999", False), ("0.1", True), ("0.1001", True)])
def test_a180_daily_loss_trips_at_ten_percent_of_starting_equity(drop: str, trips: bool) -> None:
    desk = losing(drop)
    fired = [e.trigger for e in desk.of(ev.TriggerFired)]
    assert (Trigger.DAILY_LOSS in fired) is trips
    assert (desk.book.run_state is RunState.HALTED) is trips


def test_x71_one_bad_tick_trips_no_limit() -> None:
    desk = CoreDriver(config_of(**AXION))
    desk.fill(desk.order("NVDA", 1000, "100"), None, "100")
    for last in ("100", "1", "100", "1", "100"):
        desk.later(1)
        desk.quote("NVDA", last)
    assert not desk.of(ev.TriggerFired)


def test_x13_an_unrealised_loss_counts_and_so_does_a_profitable_day() -> None:
    """D-63: gross losses are not the day's loss."""
    desk = losing("0.05")
    assert desk.world.money.daily_pnl == -5000
    assert not desk.of(ev.TriggerFired)


@pytest.mark.parametrize(
    ("equity", "trips"), [("25000.01", False), ("25000", False), ("24999.99", True)]
)
def test_a183_equity_floor(equity: str, trips: bool) -> None:
    desk = CoreDriver(config_of(**AXION), equity=equity)
    desk.fill(desk.order("NVDA", 1, "100", hold=TradeType.DAY), None, "100")
    for _ in range(2):
        desk.later(1)
        desk.quote("NVDA", "100")
    assert (Trigger.MIN_EQUITY in [e.trigger for e in desk.of(ev.TriggerFired)]) is trips


def test_x05_three_losses_of_three_percent_in_a_row() -> None:
    desk = CoreDriver(config_of(**AXION), equity="1000000")
    for n, exit_price in enumerate(("97", "97", "97.01", "97")):
        if n == 3:
            assert desk.book.data.loss_streak == 2
        entry = desk.order("NVDA", 10, "100", order_id=f"in{n}")
        desk.accept(entry)
        desk.filled(entry, 10, "100")
        desk.quote("NVDA", "100")
        desk.give(ask.ClosePosition(by=BY, symbol="NVDA"))
        out = desk.last(Purpose.EXIT)
        desk.accept(out)
        desk.filled(out, 10, exit_price)
    assert [e.trigger for e in desk.of(ev.TriggerFired)] == [Trigger.LOSS_STREAK]
    assert desk.book.run_state is RunState.HALTED


def test_a_win_clears_the_streak() -> None:
    desk = CoreDriver(config_of(**AXION), equity="1000000")
    assert triggers.losses(desk.world, Decimal(-3), Decimal(100)) == 1
    assert triggers.losses(desk.world, Decimal("-2.99"), Decimal(100)) == 0
    desk.book.data.loss_streak = 2
    assert triggers.losses(desk.world, Decimal(0), Decimal(100)) == 0
    assert triggers.losses(desk.world, Decimal("-0.01"), Decimal(100)) == 2


@pytest.mark.parametrize(("seconds", "trips"), [(60, False), (60.001, True)])
def test_x53_a_broker_with_exposure_lost_for_more_than_sixty_seconds(
    seconds: float, trips: bool
) -> None:
    desk = CoreDriver(config_of(**AXION))
    desk.fill(desk.order("NVDA", 1, "100"), None, "100")
    desk.link(LinkState.DISCONNECTED)
    desk.tick(seconds)
    assert (Trigger.BROKER_LOST in [e.trigger for e in desk.of(ev.TriggerFired)]) is trips


def test_x53_a_lost_broker_without_exposure_trips_nothing() -> None:
    desk = CoreDriver(config_of(**AXION))
    desk.link(LinkState.DISCONNECTED)
    desk.tick(1000)
    assert not desk.of(ev.TriggerFired)


@pytest.mark.parametrize(("count", "trips"), [(9, False), (10, True)])
def test_u52_ten_rejects_a_minute_restrict(count: int, trips: bool) -> None:
    desk = CoreDriver(config_of(**AXION))
    for n in range(count):
        order = desk.order(f"S{n}", 1, "10", order_id=f"o{n}")
        desk.report(order, OrderStatus.REJECTED, text="no")
    assert (desk.book.run_state is RunState.REDUCE_ONLY) is trips


def test_u52_a_journal_that_cannot_be_written_kills_and_cancels_still_go_out() -> None:
    desk = stocked()
    events = desk.give(JournalFailed("disk full"))
    assert halt_of(desk).trigger is Trigger.JOURNAL
    assert halt_of(desk).reason == "the journal cannot be written: disk full"
    assert cancelled(events) == {"entry"}
    desk.give(JournalRecovered())
    assert desk.book.run_state is RunState.HALTED


@pytest.mark.parametrize("action", ["kill", "reduce_only", "alert"])
def test_u52_each_trigger_does_what_the_config_says(action: str) -> None:
    desk = CoreDriver(config_of(**AXION, kill={"broker_lost": action}))
    desk.fill(desk.order("NVDA", 1, "100"), None, "100")
    desk.link(LinkState.DISCONNECTED)
    desk.tick(61)
    states = {
        "kill": RunState.HALTED,
        "reduce_only": RunState.REDUCE_ONLY,
        "alert": RunState.REDUCE_ONLY,  # the link of the only account is lost all the same
    }
    assert desk.book.run_state is states[action]
    assert bool(desk.book.data.restrictions) is (action == "reduce_only")
    fired = len(desk.of(ev.TriggerFired))
    desk.tick(1)
    desk.tick(1)
    assert len(desk.of(ev.TriggerFired)) == fired == 1


# --- the latch lasts -----------------------------------------------------------------------------


def test_x06_the_latch_survives_a_restart_and_the_turn_of_the_day() -> None:
    desk = stocked()
    kill(desk, Level.HALT)
    again = Book.restore(desk.book.snapshot())
    assert again.data.halt == halt_of(desk)
    desk.now = parse_rfc3339("2013-10-09T14:00:00Z")
    desk.give(Tick())
    assert desk.of(ev.SessionOpened)
    assert desk.book.run_state is RunState.HALTED


def test_a_latch_set_from_outside_halts() -> None:
    desk = stocked()
    halt = Halt(
        reason="touched",
        at=1,
        by="file",
        level=Level.HALT,
        trigger=Trigger.LATCH,
        flatten=Flatten.NONE,
        epoch=0,
    )
    events = desk.give(LatchFound(halt))
    assert cancelled(events) == {"entry"}
    assert halt_of(desk).by == "file"


# --- coming back ---------------------------------------------------------------------------------


def halted() -> CoreDriver:
    desk = CoreDriver()
    kill(desk, Level.HALT)
    desk.snapshot(reason="resume")
    return desk


def refusal(events: list[ev.Event]) -> str:
    return next((e.reason for e in events if isinstance(e, ev.CommandRefused)), "")


def test_x69_resume_lands_in_paused_and_unpause_is_a_second_act() -> None:
    desk = halted()
    assert not refusal(desk.give(ask.Resume(by=BY, confirm="RESUME")))
    assert desk.book.run_state is RunState.PAUSED
    desk.give(ask.Unpause(by=BY))
    assert desk.book.run_state is RunState.ACTIVE


@pytest.mark.parametrize("phrase", ["", "resume", "RESUME ", "yes"])
def test_x69_resume_wants_its_word(phrase: str) -> None:
    desk = halted()
    assert "RESUME" in refusal(desk.give(ask.Resume(by=BY, confirm=phrase)))
    assert desk.book.run_state is RunState.HALTED


def test_x69_resume_is_refused_while_a_difference_remains() -> None:
    desk = halted()
    desk.later(1)
    desk.snapshot(positions={"NVDA": 5}, reason="resume")
    assert "differences" in refusal(desk.give(ask.Resume(by=BY, confirm="RESUME")))


def test_x69_resume_is_refused_without_a_fresh_comparison() -> None:
    desk = halted()
    desk.later(11)
    assert "fresh" in refusal(desk.give(ask.Resume(by=BY, confirm="RESUME")))


def test_x69_resume_is_refused_while_the_trigger_holds() -> None:
    desk = losing("0.2")
    desk.later(1)
    desk.snapshot(positions={"NVDA": 1000}, reason="resume")
    assert "daily_loss" in refusal(desk.give(ask.Resume(by=BY, confirm="RESUME")))


def test_x69_resume_is_refused_while_an_order_is_unknown() -> None:
    desk = halted()
    desk.order("MSFT", 10, "30", limit="30", order_id="lost")
    desk.event(ev.OrderUnclear(account="paper", client_order_id="lost", reason="no answer"))
    assert "UNKNOWN" in refusal(desk.give(ask.Resume(by=BY, confirm="RESUME")))


def test_unpause_does_not_lift_a_halt() -> None:
    desk = halted()
    assert "resume" in refusal(desk.give(ask.Unpause(by=BY)))
    assert desk.book.run_state is RunState.HALTED


def test_x20_exits_by_rule_go_on_while_halted() -> None:
    desk = stocked()
    kill(desk, Level.HALT)
    desk.quote("NVDA", "120")
    assert desk.of(ev.ExitPlanned)[-1].decision.reason is ExitReason.TARGET


def test_and_no_signal_passes_while_halted() -> None:
    desk = stocked()
    kill(desk, Level.HALT)
    desk.price("JPM", "50")
    decided = [
        e
        for e in desk.signal(signal("JPM", entry="50", stop="49", at=desk.now))
        if isinstance(e, ev.SignalDecided)
    ]
    assert decided[0].code == "KILL_SWITCH"
    assert NS_PER_SECOND
