"""When the limits on losses are asked, and on what evidence (X-74, X-71, X-13, A-180, A-183).

Every amount here is worked out by hand; the profile `conservative` allows a loss of 2,000 a day on
100,000 and a fall of 10,000 from the highest equity.
"""

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from console.virtual import Rehearsal, rehearse
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import CashMovement, MovementKind
from engine.domain.inputs import SnapshotTaken
from engine.domain.instant import parse_rfc3339
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, Purpose, Side
from engine.domain.run import RunState, Trigger
from engine.domain.signal import TradeType
from engine.reference.rates import ReferenceRate
from tests.brokers.kit import D
from tests.engine.driver import CoreDriver
from tests.engine.worlds import config_of

CASH = D(100_000)
WIDE: dict[str, Any] = {"max_order_notional": "1000000"}
NEXT_SESSION = parse_rfc3339("2013-10-08T13:30:00Z")


def desk_of(**sections: Any) -> CoreDriver:
    """A desk of the conservative profile, an order of any size let through the notional limit."""
    risk = WIDE | sections.pop("risk", {})
    return CoreDriver(config_of(risk=risk, **sections)).price("NVDA", "100")


def buy(desk: CoreDriver, quantity: int, price: str = "100", symbol: str = "NVDA") -> None:
    """What an order bought before: a swing, so that nothing else closes it."""
    order = desk.order(symbol, quantity, price, hold=TradeType.SWING)
    desk.accept(order)
    desk.filled(order, quantity, price)


def sell(
    desk: CoreDriver, quantity: int, price: str, symbol: str = "NVDA", *, fee: str = "0"
) -> None:
    """A close that is filled."""
    desk.give(ask.ClosePosition(by="me", symbol=symbol, quantity=D(quantity)))
    order = desk.last(Purpose.EXIT, symbol)
    desk.accept(order)
    fill = msgspec.structs.replace(desk.execution(order, quantity, price), commission=D(fee))
    desk.report(order, OrderStatus.FILLED, fill=fill)


def fired(desk: CoreDriver) -> list[Trigger]:
    """The triggers that fired, in order."""
    return [event.trigger for event in desk.of(ev.TriggerFired)]


# --- what is realised counts at once, held or not -------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "halts"), [("1999.99", False), ("2000", True), ("2000.01", True)]
)
def test_X74_money_that_a_look_finds_was_charged_counts_with_that_look(
    taken: str, halts: bool
) -> None:
    """A venue that tells of interest or fees of 2,000 has halted before anything else is decided,
    and what follows in the same second is refused."""
    desk = desk_of()
    desk.snapshot()
    charged = CashMovement(
        movement_id="1", kind=MovementKind.INTEREST, currency="USD", amount=-D(taken), time=desk.now
    )
    view = desk.view(cash=CASH - D(taken))
    view = msgspec.structs.replace(view, movements=(charged,))
    desk.give(SnapshotTaken(view, "scheduled", False))
    assert (fired(desk) == [Trigger.DAILY_LOSS]) is halts
    assert (desk.book.run_state is RunState.HALTED) is halts


def test_X74_a_gap_through_the_stop_of_the_only_holding_halts() -> None:
    """99 bought at 100, the stop at 98 meets 70: a loss of 2,970, and nothing is held after it."""

    async def play(hand: Rehearsal) -> tuple[Any, ...]:
        hand.price("NVDA", "100")
        order = ask.PlaceOrder(
            by="me",
            symbol="NVDA",
            side=Side.BUY,
            quantity=D(99),
            protect=D(98),
            hold=TradeType.SWING,
        )
        await hand.engine.command(order)
        for price in ("100", "100", "70", "70"):
            await hand.wait(1)
            hand.price("NVDA", price)
        await hand.wait(1)
        shown = hand.engine.status()
        return hand.held("NVDA"), shown["account"]["daily_pnl"], shown["run_state"]

    free = {"slippage_bps": 0, "commission_bps": 0, "latency_ms": [0, 0], "fill_probability": 1}
    free |= {"participation": 1}
    assert rehearse(play, config={"brokers": {"paper": free}}) == (0, "-2970", "HALTED")


@pytest.mark.parametrize(
    ("price", "state"),
    [("80.01", RunState.ACTIVE), ("80", RunState.HALTED), ("79.99", RunState.HALTED)],
)
def test_X74_the_fill_of_the_last_unit_trips_the_days_loss(price: str, state: RunState) -> None:
    desk = desk_of()
    buy(desk, 100)
    sell(desk, 100, price)
    assert desk.book.run_state is state


@pytest.mark.parametrize(
    ("fee", "state"),
    [("999.99", RunState.ACTIVE), ("1000", RunState.HALTED), ("1000.01", RunState.HALTED)],
)
def test_X74_a_fee_is_a_loss_like_any_other(fee: str, state: RunState) -> None:
    """1,000 of the price, and the rest of the fee alone."""
    desk = desk_of()
    buy(desk, 100)
    sell(desk, 100, "90", fee=fee)
    assert desk.book.run_state is state


def test_X74_a_fee_alone_trips_the_days_loss() -> None:
    desk = desk_of(risk={"daily_loss_limit": "0.0005"})
    order = desk.order("NVDA", 100, "100", hold=TradeType.SWING)
    desk.accept(order)
    fill = msgspec.structs.replace(desk.execution(order, 100, "100"), commission=D(50))
    desk.report(order, OrderStatus.FILLED, fill=fill)
    assert fired(desk) == [Trigger.DAILY_LOSS]


@pytest.mark.parametrize(
    ("limit", "price", "trips"),
    [("0.0205", "80", False), ("0.02", "80.01", False), ("0.02", "80", True)],
)
def test_X74_drawdown_is_asked_of_what_is_realised(limit: str, price: str, trips: bool) -> None:
    desk = desk_of(risk={"drawdown_limit": limit}, kill={"daily_loss": "alert"})
    buy(desk, 100)
    sell(desk, 100, price)
    assert (Trigger.DRAWDOWN in fired(desk)) is trips


@pytest.mark.parametrize(("price", "trips"), [("90", False), ("89.99", True)])
def test_X74_the_floor_of_equity_is_asked_of_what_is_realised(price: str, trips: bool) -> None:
    desk = desk_of(risk={"min_account_equity": "99000"})
    buy(desk, 100)
    sell(desk, 100, price)
    assert (Trigger.MIN_EQUITY in fired(desk)) is trips


def test_X74_a_fill_that_a_comparison_brought_trips_too() -> None:
    desk = desk_of()
    buy(desk, 100)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    order = desk.last(Purpose.EXIT)
    desk.accept(order)
    missed = desk.execution(order, 100, "70")
    desk.later(1).snapshot(fills=(missed,), cash=CASH - 3_000)
    assert desk.book.run_state is RunState.HALTED


def test_X74_a_fill_that_was_missed_while_nothing_ran_trips_at_the_start() -> None:
    desk = desk_of()
    buy(desk, 100)
    desk.give(ask.ClosePosition(by="me", symbol="NVDA"))
    order = desk.last(Purpose.EXIT)
    desk.accept(order)
    missed = desk.execution(order, 100, "70")
    desk.restart(fills=(missed,), cash=CASH - 3_000)
    assert desk.book.run_state is RunState.HALTED


def test_X74_what_is_realised_needs_no_evidence_beside_something_that_is_held() -> None:
    """2,100 realised, and another holding that nobody has quoted again since it was bought."""
    desk = desk_of().price("AAPL", "50")
    buy(desk, 100)
    buy(desk, 10, "50", "AAPL")
    sell(desk, 100, "79")
    assert desk.book.run_state is RunState.HALTED


def test_X74_a_gain_that_rests_on_one_tick_hides_no_loss_that_is_realised() -> None:
    desk = desk_of().price("AAPL", "50")
    buy(desk, 100)
    buy(desk, 10, "50", "AAPL")
    desk.later(5).quote("AAPL", "500")  # 4,500 more, said once
    sell(desk, 100, "79")
    assert desk.book.run_state is RunState.HALTED


def test_X13_a_gain_that_stands_counts_against_a_loss_that_is_realised() -> None:
    desk = desk_of().price("AAPL", "50")
    buy(desk, 100)
    buy(desk, 100, "50", "AAPL")
    for _ in range(2):
        desk.later(1).quote("AAPL", "60")
    sell(desk, 100, "71")  # 2,900 less 1,000
    assert desk.book.run_state is RunState.ACTIVE
    for _ in range(2):
        desk.later(1).quote("AAPL", "59")  # 2,900 less 900
    assert desk.book.run_state is RunState.HALTED


# --- what rests on a mark needs the evidence of that mark -----------------------------------------


def test_X71_one_bad_tick_is_not_confirmed_by_the_ticks_of_another_symbol() -> None:
    desk = desk_of().price("AAPL", "50")
    buy(desk, 100)
    buy(desk, 10, "50", "AAPL")
    desk.later(5).quote("NVDA", "10")
    for _ in range(5):
        desk.later(1).quote("AAPL", "50")
    desk.tick()
    assert fired(desk) == []
    desk.later(1).quote("NVDA", "10")
    assert fired(desk) == [Trigger.DAILY_LOSS]


def test_X71_one_bad_tick_of_another_symbol_does_not_forget_a_loss() -> None:
    """A tick up in one symbol is no evidence against the fall of another."""
    desk = desk_of().price("AAPL", "50")
    buy(desk, 100)
    buy(desk, 10, "50", "AAPL")
    desk.later(5).quote("NVDA", "79")
    desk.later(1).quote("AAPL", "5000")
    desk.quote("NVDA", "79")
    assert fired(desk) == [Trigger.DAILY_LOSS]


@pytest.mark.parametrize(
    ("apart", "trips"), [(0.999_999_999, False), (1, True), (1.000_000_001, True)]
)
def test_X71_two_prices_of_a_symbol_a_second_apart(apart: float, trips: bool) -> None:
    desk = desk_of()
    buy(desk, 100)
    desk.later(5).quote("NVDA", "80")
    desk.later(apart).quote("NVDA", "80")
    assert bool(fired(desk)) is trips


def test_X71_a_price_in_between_that_is_no_loss_begins_the_evidence_anew() -> None:
    desk = desk_of()
    buy(desk, 100)
    for price, trips in (("80", False), ("80.01", False), ("79", False), ("80", True)):
        desk.later(1).quote("NVDA", price)
        assert bool(fired(desk)) is trips


def test_X71_the_loss_that_two_prices_prove_is_the_smaller_one() -> None:
    desk = desk_of()
    buy(desk, 100)
    desk.later(1).quote("NVDA", "80.01")
    desk.later(1).quote("NVDA", "50")
    assert fired(desk) == []
    desk.later(1).quote("NVDA", "50")
    assert fired(desk) == [Trigger.DAILY_LOSS]


@pytest.mark.parametrize("leap", ["104", "96"])
def test_X74_what_is_bought_at_a_new_price_is_no_loss_by_the_evidence_of_the_old(leap: str) -> None:
    """500 are held from 100; 1,000 more are bought at the first price that is another."""
    desk = desk_of()
    buy(desk, 500)
    for _ in range(2):
        desk.later(1).quote("NVDA", "100")
    desk.later(1).quote("NVDA", leap)
    buy(desk, 1_000, leap)
    assert fired(desk) == []
    desk.later(1).quote("NVDA", leap)
    # Then it is proved: 500 x 4 are lost or gained.
    assert fired(desk) == ([Trigger.DAILY_LOSS] if leap == "96" else [])


def test_X74_the_loss_of_what_was_held_is_not_thinned_by_what_is_bought() -> None:
    desk = desk_of()
    buy(desk, 100)
    for _ in range(2):
        desk.later(1).quote("NVDA", "81")
    buy(desk, 1_000, "81")
    assert desk.world.money.proved.whole == CASH - 1_900
    sell(desk, 1_100, "80.909")  # 100 more and a little
    assert fired(desk) == [Trigger.DAILY_LOSS]


@pytest.mark.parametrize(
    ("bid", "trade", "trips"),
    [("120.5", True, True), ("119.5", True, False), ("120.5", False, False), (None, True, False)],
)
def test_X71_a_short_loses_as_the_price_rises(bid: str | None, trade: bool, trips: bool) -> None:
    desk = desk_of()
    order = desk.order("NVDA", 100, "100", side=Side.SELL_SHORT, hold=TradeType.SWING)
    desk.accept(order)
    desk.filled(order, 100, "100")
    desk.later(5).quote("NVDA", "120", bid=bid, trade=trade)
    assert bool(fired(desk)) is trips
    desk.later(1).quote("NVDA", "120", bid="119.9")
    assert fired(desk) == [Trigger.DAILY_LOSS]


@pytest.mark.parametrize(("other", "trips"), [("79.5", True), ("80.5", False), (None, False)])
def test_X71_a_trade_that_the_other_side_confirms_is_evidence(
    other: str | None, trips: bool
) -> None:
    desk = desk_of()
    buy(desk, 100)
    desk.later(5).quote("NVDA", "80", ask=other, trade=True)
    assert bool(fired(desk)) is trips


def test_X74_many_prices_within_a_second_cost_no_evidence() -> None:
    """1,000 prices that fall from 100 to 75 in two seconds, each a little below the one before."""
    desk = desk_of()
    buy(desk, 100)
    for step in range(1_000):
        desk.later(0.002).quote("NVDA", str(D(100) - D(step) / 40))
    # At the end the price of a second before was 87.5; 80 is proved half a second later.
    assert fired(desk) == []
    for _ in range(3):
        desk.later(0.5).quote("NVDA", "75")
    assert fired(desk) == [Trigger.DAILY_LOSS]


# --- money in another currency --------------------------------------------------------------------


def pair(desk: CoreDriver, rate: str, *, seconds: float = 1) -> None:
    """What a euro is worth, told by its pair, which nobody holds."""
    desk.later(seconds)
    desk.give(Quote(symbol="EUR_USD", bid=None, ask=None, last=D(rate), time=desk.now, trade=False))


def euros(amount: int, **sections: Any) -> CoreDriver:
    """A desk that holds so many euros at 1.25, and dollars of 100,000."""
    desk = desk_of(**sections)
    pair(desk, "1.25")
    account = desk.book.account("paper")
    assert account.balances is not None
    told = msgspec.structs.replace(
        account.balances, balances={"USD": CASH, "EUR": D(amount)}, as_of=desk.now
    )
    desk.event(ev.AccountSynced(account="paper", balances=told, flow=D(amount) * D("1.25")))
    return desk


def test_X74_a_rate_that_falls_is_a_loss_although_nothing_is_held() -> None:
    """40,000 euros fall from 1.25 to 1.20: 2,000 of 100,000 at the start."""
    desk = euros(40_000)
    pair(desk, "1.20")
    assert fired(desk) == []
    pair(desk, "1.20")
    assert fired(desk) == [Trigger.DAILY_LOSS]


def test_X71_one_bad_tick_of_a_pair_is_not_confirmed_by_another_symbol() -> None:
    desk = euros(40_000)
    buy(desk, 10)
    pair(desk, "0.25")
    for _ in range(5):
        desk.later(1).quote("NVDA", "100")
    assert fired(desk) == []
    pair(desk, "1.25")
    pair(desk, "1.25")
    assert fired(desk) == []


def test_X71_a_rate_that_is_only_looked_at_again_confirms_nothing() -> None:
    """Reference data may come in force by time alone, so that every tick asks for the rate."""
    desk = euros(40_000)
    day = datetime.date(2013, 10, 6)
    desk.world.rates.take_reference([ReferenceRate(currency="EUR", value=D("1.25"), date=day)])
    buy(desk, 10)
    pair(desk, "0.25")
    for _ in range(3):
        desk.tick()
    assert fired(desk) == []
    pair(desk, "0.25")
    assert fired(desk) == [Trigger.DAILY_LOSS]


def coin_fee(desk: CoreDriver, fee: str) -> None:
    """A purchase without a profit, whose fee is taken in a coin that nothing tells the worth of."""
    order = desk.order("NVDA", 1, "100", hold=TradeType.SWING)
    desk.accept(order)
    fill = msgspec.structs.replace(
        desk.execution(order, 1, "100"), commission=D(fee), commission_currency="EUR"
    )
    desk.report(order, OrderStatus.FILLED, fill=fill)


@pytest.mark.parametrize(("fee", "trips"), [("1599", False), ("1600", True), ("1601", True)])
def test_X74_a_fee_whose_rate_comes_later_is_a_loss_then(fee: str, trips: bool) -> None:
    """1,600 euros at 1.25 are 2,000; it was spent, and is nothing that the day began with."""
    desk = desk_of()
    coin_fee(desk, fee)
    assert fired(desk) == []
    pair(desk, "1.25")
    assert desk.world.money.daily_pnl == -D(fee) * D("1.25")
    assert bool(fired(desk)) is trips
    session = desk.book.data.session
    assert session is not None
    assert (session.fees, desk.book.data.commission) == (D(fee) * D("1.25"),) * 2


def test_X86_what_was_there_before_is_still_no_loss_beside_such_a_fee() -> None:
    """9,000 euros came with the account; 100 of them paid a fee."""
    desk = desk_of()
    account = desk.book.account("paper")
    assert account.balances is not None
    told = msgspec.structs.replace(account.balances, balances={"USD": CASH, "EUR": D(9_000)})
    desk.event(ev.AccountSynced(account="paper", balances=told))
    coin_fee(desk, "100")
    pair(desk, "1.25")
    assert desk.world.money.daily_pnl == D("-125")
    session = desk.book.data.session
    assert session is not None
    assert session.starting_equity == CASH + 9_000 * D("1.25")


# --- an absurd number -----------------------------------------------------------------------------


def test_X71_one_absurd_price_moves_no_high_water_mark() -> None:
    desk = desk_of(kill={"daily_loss": "alert"})
    buy(desk, 100)
    for _ in range(2):
        desk.later(1).quote("NVDA", "100")
    desk.later(60).quote("NVDA", "900000")
    desk.tick()
    assert desk.of(ev.EquityMarked)
    for _ in range(3):
        desk.later(60).quote("NVDA", "100")
        desk.tick()
    assert fired(desk) == []
    assert desk.book.data.peak_equity == CASH


def test_X71_a_high_that_stands_is_the_high_water_mark() -> None:
    desk = desk_of()
    buy(desk, 100)
    for _ in range(2):
        desk.later(60).quote("NVDA", "115")
        desk.tick()
    assert desk.book.data.peak_equity == CASH + 1_500


def test_A402_a_fall_that_is_marked_and_goes_on_is_not_marked_again() -> None:
    """A minute in which nothing moved says nothing new; one that went deeper, and back, does."""
    desk = desk_of(kill={"daily_loss": "alert"})
    buy(desk, 10)
    for _ in range(2):
        desk.later(2).quote("NVDA", "98")
    (marked,) = (e for e in desk.tick(60) if isinstance(e, ev.EquityMarked))
    assert marked.day_drawdown == D("0.0002")
    for _ in range(3):
        assert not [e for e in desk.tick(60) if isinstance(e, ev.EquityMarked)]
    for price in ("97", "97", "98", "98"):
        desk.later(2).quote("NVDA", price)
    (deeper,) = (e for e in desk.tick(60) if isinstance(e, ev.EquityMarked))
    assert (deeper.equity, deeper.day_drawdown) == (marked.equity, D("0.0003"))
    assert not [e for e in desk.tick(60) if isinstance(e, ev.EquityMarked)]


def _absurd(desk: CoreDriver) -> None:
    desk.later(5).quote("NVDA", "9000")


def _absurd_with_sides(desk: CoreDriver) -> None:
    desk.later(5).quote("NVDA", "9000", bid="8999", ask="9001")


def _absurd_for_a_while(desk: CoreDriver) -> None:
    desk.later(5).quote("NVDA", "9000")
    desk.later(0.5).quote("NVDA", "9001")


@pytest.mark.parametrize("tick", [_absurd, _absurd_with_sides, _absurd_for_a_while])
def test_A163_an_absurd_price_closes_nothing_at_its_target(
    tick: Callable[[CoreDriver], None],
) -> None:
    desk = targeted()
    tick(desk)
    desk.later(1).quote("NVDA", "100")
    desk.tick()
    assert desk.of(ev.ExitPlanned) == []


def targeted() -> CoreDriver:
    """10 held from 100, and a target at 110."""
    desk = desk_of()
    buy(desk, 10)
    desk.give(ask.SetTarget(by="me", symbol="NVDA", price=D(110)))
    desk.later(1).quote("NVDA", "109")
    desk.later(1).quote("NVDA", "109")
    return desk


@pytest.mark.parametrize("price", ["110", "114"])
def test_A163_a_price_that_may_be_closes_at_the_target_at_once(price: str) -> None:
    desk = targeted()
    desk.later(1).quote("NVDA", price)
    assert len(desk.of(ev.ExitPlanned)) == 1


def test_A163_a_leap_that_stands_closes_at_the_target() -> None:
    desk = targeted()
    desk.later(1).quote("NVDA", "150")
    assert desk.of(ev.ExitPlanned) == []
    desk.later(1).quote("NVDA", "151")
    assert len(desk.of(ev.ExitPlanned)) == 1


def test_A163_a_leap_that_traded_and_that_the_bid_confirms_closes_at_the_target() -> None:
    desk = targeted()
    desk.later(1).quote("NVDA", "150", bid="150", ask="151", trade=True)
    assert len(desk.of(ev.ExitPlanned)) == 1


@pytest.mark.parametrize("cash", ["999999999999999", "-999999999999999"])
def test_X13_the_largest_answer_that_a_venue_may_give_moves_no_high_water_mark(cash: str) -> None:
    """1,000 are lost, of the 2,000 that may be; a larger one is no answer (`test_answers`)."""
    desk = desk_of()
    buy(desk, 100)
    sell(desk, 100, "90")
    for told in (D(cash), CASH - 1_000):
        desk.later(1).snapshot(cash=told)
        desk.tick(60)
    assert desk.book.data.peak_equity == CASH
    assert desk.world.money.daily_pnl == -1_000
    assert fired(desk) == []


# --- reduce only, until the next session ----------------------------------------------------------


def lost(sections: dict[str, Any], exchange: str = "") -> CoreDriver:
    """2,500 lost at noon in New York, and nothing held."""
    kill = {"daily_loss": "reduce_only"}
    desk = CoreDriver(config_of(risk=WIDE, kill=kill, **sections), exchange=exchange)
    desk.price("NVDA", "100")
    buy(desk, 100)
    sell(desk, 100, "75")
    assert desk.book.run_state is RunState.REDUCE_ONLY
    return desk


@pytest.mark.parametrize(
    ("exchange", "last", "next_day"),
    [
        ("", "2013-10-08T13:29:59Z", "2013-10-08T13:30:00Z"),
        ("24/7", "2013-10-07T23:59:59Z", "2013-10-08T00:00:00Z"),
        ("SIM", "2013-10-07T23:59:59Z", "2013-10-08T00:00:00Z"),
        ("FX", "2013-10-07T20:59:59Z", "2013-10-07T21:00:00Z"),
    ],
)
def test_X76_reduce_only_ends_as_the_next_session_begins(
    exchange: str, last: str, next_day: str
) -> None:
    desk = lost({}, exchange)
    desk.now = parse_rfc3339("2013-10-07T20:30:00Z")  # after the close in New York
    desk.tick(0)
    assert desk.book.run_state is RunState.REDUCE_ONLY
    desk.now = parse_rfc3339(last)
    desk.tick(0)
    assert desk.book.run_state is RunState.REDUCE_ONLY
    desk.now = parse_rfc3339(next_day)
    desk.tick(0)
    assert desk.book.run_state is RunState.ACTIVE
    desk.tick(3_600)
    assert desk.book.run_state is RunState.ACTIVE
    assert fired(desk) == [Trigger.DAILY_LOSS]


def test_X76_the_new_session_is_judged_by_its_own_numbers() -> None:
    """97,500 at its start: 1,949.99 is allowed and 1,950 is not."""
    desk = lost({})
    desk.now = NEXT_SESSION
    desk.tick(0)
    buy(desk, 100)
    sell(desk, 50, "80.50")
    assert desk.book.run_state is RunState.ACTIVE
    sell(desk, 50, "80.51")
    assert desk.book.run_state is RunState.ACTIVE
    buy(desk, 1)
    sell(desk, 1, "99.50")
    assert desk.book.run_state is RunState.REDUCE_ONLY


def test_X76_a_start_after_the_night_lifts_it_with_the_day() -> None:
    desk = lost({})
    desk.now = NEXT_SESSION
    desk.restart()
    assert desk.book.run_state is RunState.ACTIVE
    assert fired(desk) == [Trigger.DAILY_LOSS]


def test_X76_a_start_in_the_night_leaves_it() -> None:
    desk = lost({})
    desk.now = parse_rfc3339("2013-10-08T05:00:00Z")
    desk.restart()
    assert desk.book.run_state is RunState.REDUCE_ONLY
    assert fired(desk) == [Trigger.DAILY_LOSS]


def test_X76_over_a_weekend_it_stands_until_monday_opens() -> None:
    desk = CoreDriver(
        config_of(risk=WIDE, kill={"daily_loss": "reduce_only"}),
        now=parse_rfc3339("2013-10-11T16:00:00Z"),
    ).price("NVDA", "100")
    buy(desk, 100)
    sell(desk, 100, "75")
    for at, state in (
        ("2013-10-12T16:00:00Z", RunState.REDUCE_ONLY),
        ("2013-10-14T13:29:59Z", RunState.REDUCE_ONLY),
        ("2013-10-14T13:30:00Z", RunState.ACTIVE),
    ):
        desk.now = parse_rfc3339(at)
        desk.tick(0)
        assert desk.book.run_state is state


# --- the day's row --------------------------------------------------------------------------------


def rows(desk: CoreDriver) -> list[ev.SessionClosed]:
    """The day's rows as they were written."""
    return desk.of(ev.SessionClosed)


def test_A402_the_largest_fall_of_a_day_counts_from_the_highest_of_that_day() -> None:
    desk = desk_of(risk={"daily_loss_limit": "0.02"}, kill={"daily_loss": "alert"})
    buy(desk, 100)
    sell(desk, 100, "75")  # 97,500, a fall of 2.5 %
    desk.now = NEXT_SESSION
    desk.tick(0)
    buy(desk, 100)
    for price in ("109.75", "109.75", "100", "100"):  # 98,475 and back: 975 of it
        desk.later(60).quote("NVDA", price)
        desk.tick()
    desk.now = parse_rfc3339("2013-10-09T13:30:00Z")
    desk.tick(0)
    first, second = [row for row in rows(desk) if row.final]
    assert (first.max_drawdown, round(second.max_drawdown, 6)) == (D("0.025"), D("0.009901"))


def test_A402_a_deposit_is_no_height_to_fall_from() -> None:
    desk = desk_of()
    desk.later(1).snapshot(cash=CASH + 50_000)
    desk.later(1).snapshot(cash=CASH)
    desk.now = NEXT_SESSION
    desk.tick(0)
    assert rows(desk)[-1].max_drawdown == 0


def test_A402_the_last_row_of_a_day_says_that_the_kill_switch_had_tripped() -> None:
    desk = desk_of()
    buy(desk, 100)
    sell(desk, 100, "79")
    assert desk.book.run_state is RunState.HALTED
    desk.now = parse_rfc3339("2013-10-08T13:30:00Z")
    desk.tick(0)
    row = [row for row in rows(desk) if row.final][-1]
    assert row.kill_switch_triggered
    assert (row.ending_equity, row.realized_pnl) == (CASH - 2_100, Decimal(-2_100))


# --- the day begins with its session --------------------------------------------------------------


@pytest.mark.parametrize(
    ("calendar", "start"),
    [
        ("XNYS", "2013-10-08T13:29:53Z"),
        ("24/7", "2013-10-07T23:59:53Z"),
        ("FX", "2013-10-07T20:59:53Z"),
    ],
)
def test_X12_where_nothing_happens_the_day_begins_with_its_session(
    calendar: str, start: str
) -> None:
    """Seven seconds before it nothing is held and nothing works."""

    async def play(hand: Rehearsal) -> list[str]:
        found = []
        for seconds in (6, 1.5):
            await hand.wait(seconds)
            session = hand.engine.state.data.session
            assert session is not None
            found.append(session.date.isoformat())
        return found

    config = {"account": {"calendar": calendar}}
    assert rehearse(play, start=start, config=config) == ["2013-10-07", "2013-10-08"]
