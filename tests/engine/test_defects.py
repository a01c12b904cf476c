"""Faults of the published designs, each kept out by a test; others stand with their subject."""

from decimal import Decimal

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import GateClosed, SubmitFailed
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from engine.domain.run import Level, RunState, Trigger
from engine.domain.signal import TradeType
from engine.exits.stops import TRADING_SECONDS
from engine.ports import NotSent
from engine.world import exposure
from tests.engine.driver import CoreDriver, kinds, one
from tests.engine.worlds import AXION, config_of, signal


def entered(**kwargs: object) -> CoreDriver:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95", **kwargs))  # type: ignore[arg-type]
    desk.accept(desk.last(Purpose.ENTRY))
    return desk


def test_d02_notional_is_quantity_times_price_times_multiplier_and_exposure_is_money() -> None:
    desk = CoreDriver()
    desk.order("NVDA", 7, "100")
    assert exposure.of_name(desk.world, "NVDA") == 700
    desk.hold("AAPL", 3, "180")
    assert exposure.of_name(desk.world, "AAPL") == 540
    assert exposure.gross(desk.world) == 1240


def test_d16_an_acknowledgement_without_fills_opens_nothing_and_a_later_fill_does() -> None:
    desk = entered()
    assert desk.book.holding("paper", "NVDA") is None
    assert desk.current(desk.last(Purpose.ENTRY)).status is OrderStatus.NEW
    desk.filled(desk.last(Purpose.ENTRY), 10, "100")
    assert desk.book.holding("paper", "NVDA") is not None


def test_d17_a_kill_gets_in_between_a_decision_and_its_send() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.give(ask.Kill(by="test", level=Level.HALT, reason="now"))
    desk.give(GateClosed(entry.account, entry.client_order_id))
    assert desk.current(entry).status.is_terminal
    assert desk.book.run_state is RunState.HALTED


def test_d18_every_rejection_is_recorded_and_counted() -> None:
    desk = CoreDriver().price("NVDA", "100")
    for n in range(3):
        events = desk.signal(
            signal("NVDA", signal_id=f"s{n}", conviction=40, entry="100", stop="95")
        )
        assert kinds(events) == ["SignalReceived", "SignalDecided"]
    assert desk.book.data.outcomes == {"LOW_CONVICTION": 1, "DUPLICATE_SIGNAL": 2}


def test_d20_closing_sends_an_order_and_books_nothing_before_its_fill() -> None:
    desk = CoreDriver()
    desk.fill(desk.order("NVDA", 10, "100"), None, "100")
    desk.price("NVDA", "120")
    desk.give(ask.ClosePosition(by="test", symbol="NVDA"))
    assert desk.last(Purpose.EXIT).reduce_only
    assert desk.book.data.realized == 0
    assert not desk.of(ev.PositionClosed)
    desk.accept(desk.last(Purpose.EXIT))
    desk.filled(desk.last(Purpose.EXIT), 10, "119")
    assert one(desk.seen, ev.PositionClosed).trade.pnl == 190


def test_d21_the_trade_carries_the_conviction_it_was_entered_with() -> None:
    desk = entered(conviction=83)
    entry = desk.last(Purpose.ENTRY)
    desk.filled(entry, entry.quantity, "100")
    desk.accept(desk.last(Purpose.PROTECT))
    desk.quote("NVDA", "111")
    desk.accept(desk.last(Purpose.EXIT))
    desk.filled(desk.last(Purpose.EXIT), entry.quantity, "111")
    trade = one(desk.seen, ev.PositionClosed).trade
    assert (trade.conviction, trade.signal_id, trade.exit_reason) == (83, "s-1", "target")


def test_d22_without_an_account_nothing_opens_rather_than_on_a_guess() -> None:
    desk = CoreDriver(running=False).price("NVDA", "100")
    assert desk.book.account("paper").balances is None
    events = desk.signal(signal("NVDA", entry="100", stop="95"))
    assert one(events, ev.SignalDecided).verdict == "REJECTED"


def test_d25_the_days_loss_is_fed_by_fills_and_by_prices_alike() -> None:
    desk = CoreDriver()
    desk.hold("NVDA", 100, "100", mark="95")
    assert desk.world.money.daily_pnl == -500
    desk.hold("AAPL", 10, "180", mark="181")
    assert desk.world.money.daily_pnl == -490


def test_d29_every_kill_is_alarmed() -> None:
    desk = CoreDriver()
    desk.give(ask.Kill(by="test", reason="because"))
    assert "HALTED" in [e.code for e in desk.of(ev.Alarmed)]
    limit = CoreDriver(config_of(**AXION))
    limit.fill(limit.order("NVDA", 1000, "100", hold=TradeType.SWING), None, "100")
    for _ in range(2):
        limit.later(1)
        limit.quote("NVDA", "89")
    assert limit.of(ev.TriggerFired)[0].trigger is Trigger.DAILY_LOSS
    assert {"DAILY_LOSS", "HALTED"} <= {e.code for e in limit.of(ev.Alarmed)}


def test_d38_manual_orders_and_exits_are_counted_like_every_other() -> None:
    desk = CoreDriver().price("NVDA", "100")

    desk.place(Side.BUY, Decimal(5))
    manual = desk.last(Purpose.MANUAL)
    desk.accept(manual)
    desk.filled(manual, 5, "100")
    desk.give(ask.ClosePosition(by="test", symbol="NVDA"))
    desk.accept(desk.last(Purpose.EXIT))
    desk.filled(desk.last(Purpose.EXIT), 5, "100")
    metrics = desk.book.data.metrics
    assert (metrics.total, metrics.filled, metrics.fills) == (2, 2, 2)


def test_d47_a_replace_asks_for_what_is_filled_and_what_is_still_wanted() -> None:
    desk = entered()
    entry = desk.last(Purpose.ENTRY)
    desk.filled(entry, 100, "100")
    stop = desk.last(Purpose.PROTECT)
    desk.accept(stop)
    desk.filled(stop, 30, "95")
    desk.later(TRADING_SECONDS)
    asked = desk.filled(entry, 20, "95")
    replaced = one(asked, ev.ReplaceRequested)
    assert replaced.quantity == 30 + 90


def test_d50_a_dead_letter_goes_out_again_only_by_a_person_and_through_the_gate() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95"))
    entry = desk.last(Purpose.ENTRY)
    desk.give(SubmitFailed(entry.account, entry.client_order_id, NotSent("no route")))
    letter = next(iter(desk.book.data.letters))
    desk.give(ask.Kill(by="test", level=Level.HALT))
    refused = desk.give(ask.RetryLetter(by="test", letter_id=letter))
    assert one(refused, ev.OrderRefused).code == "KILL_SWITCH"
    assert letter in desk.book.data.letters, "a refusal does not lose it"
    desk.event(ev.HaltCleared(by="test", note="", epoch=1))
    desk.later(61).price("NVDA", "100")
    sent = desk.give(ask.RetryLetter(by="test", letter_id=letter))
    assert one(sent, ev.OperatorActed).command == "RetryLetter", "one act of a person, told once"
    again = one(sent, ev.OrderIntended).terms
    assert again.client_order_id != entry.client_order_id
    assert (again.quantity, again.stop_loss) == (entry.quantity, entry.stop_loss)
    assert (again.target, again.is_managed) == (entry.target, True)
    assert letter not in desk.book.data.letters


def test_d55_conviction_chooses_between_market_and_limit() -> None:
    for conviction, kind in ((75, OrderType.MARKET), (74, OrderType.LIMIT)):
        desk = CoreDriver().price("NVDA", "100")
        desk.signal(signal("NVDA", conviction=conviction, entry="100", stop="95"))
        assert desk.last(Purpose.ENTRY).type is kind


def test_d57_a_size_is_units_never_money() -> None:
    desk = CoreDriver().price("BTC-USD", "50000", stale_at=desk_never())
    desk.signal(signal("BTC-USD", entry="50000", stop="49000"))
    assert desk.last(Purpose.ENTRY, "BTC-USD").quantity < 1


def desk_never() -> int:
    """A time far away."""
    return 2**62


def test_d54_a_signal_the_other_way_while_flat_does_not_double_a_short() -> None:
    desk = CoreDriver()
    desk.hold("NVDA", -10, "100")
    desk.give(ask.ClosePosition(by="test", symbol="NVDA"))
    out = desk.last(Purpose.EXIT)
    desk.accept(out)
    desk.filled(out, 10, "100")
    assert desk.book.holding("paper", "NVDA") is None
