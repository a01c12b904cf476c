"""Two accounts, one set of limits: what adds up, what is refused, what a close reaches (X-87).

Orders have limits and no fees, so that what each adds to exposure is its limit times its quantity.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from console.virtual import Rehearsal, rehearse
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Verdict
from engine.domain.order import OrderType, Side
from engine.domain.result import Result
from engine.domain.signal import Direction, Signal, Timeframe, TradeType
from tests.brokers.kit import D

FREE = {"slippage_bps": 0, "commission_bps": 0, "latency_ms": [0, 0], "initial_cash": 100_000}
WIDE: dict[str, Any] = {
    "max_risk_per_trade": "1",
    "daily_loss_limit": "1",
    "max_concurrent_positions": 100,
    "max_single_stock_exposure": "1",
    "max_sector_exposure": "1",
    "max_gross_exposure": "1",
    "drawdown_limit": "1",
    "max_trades_per_day": 1_000,
    "min_account_equity": "0",
    "consecutive_loss_threshold": 1_000,
    "consecutive_loss_pct": "1",
    "max_order_notional": "1000000",
    "max_orders_per_minute": 1_000,
    "price_collar_pct": "1",
    "max_open_orders": 1_000,
}
SYMBOLS = ("AAPL", "MSFT", "KO")
"""Two of one sector and one of another."""

Play = Callable[[Rehearsal], Awaitable[None]]


def played(play: Play, **risk: Any) -> None:
    """Runs `play` over two dollar accounts, `paper` and `other`, with one limit made narrow."""

    async def priced(hand: Rehearsal) -> None:
        await tell(hand)
        await play(hand)

    config = {
        "profile": "custom",
        "risk": WIDE | risk,
        "execution": {"dedup_window_seconds": 0},
        "brokers": {"paper": FREE, "other": {"kind": "paper", **FREE}},
        "market": {"symbols": list(SYMBOLS)},
    }
    rehearse(priced, config=config)


async def tell(hand: Rehearsal) -> None:
    """Everything trades at 100, and what meets that price is filled."""
    for symbol in SYMBOLS:
        hand.price(symbol, "100")
    await hand.wait(0.1)
    for symbol in SYMBOLS:
        hand.price(symbol, "100")
    await hand.wait(0.1)


async def order(
    hand: Rehearsal,
    symbol: str,
    quantity: int,
    broker: str,
    *,
    side: Side = Side.BUY,
    limit: str = "100",
) -> Result:
    """A limit order by hand, and what it was answered."""
    asked = ask.PlaceOrder(
        by="test",
        symbol=symbol,
        side=side,
        quantity=D(quantity),
        type=OrderType.LIMIT,
        limit_price=D(limit),
        hold=TradeType.SWING,
        broker=broker,
    )
    done = await hand.engine.command(asked)
    await tell(hand)
    return done


async def held(hand: Rehearsal, symbol: str, quantity: int, broker: str) -> None:
    side = Side.BUY if quantity > 0 else Side.SELL_SHORT
    done = await order(hand, symbol, abs(quantity), broker, side=side)
    assert done.ok, done.error
    found = hand.engine.state.data.accounts[broker].positions[symbol]
    assert found.quantity == quantity


async def resting(
    hand: Rehearsal, symbol: str, quantity: int, broker: str, side: Side = Side.BUY
) -> str:
    limit = "90" if side is Side.BUY else "110"
    done = await order(hand, symbol, quantity, broker, side=side, limit=limit)
    assert done.ok, done.error
    (key,) = done.data["client_order_ids"]
    return str(key)


def signalled(hand: Rehearsal, symbol: str, direction: Direction, number: int = 1) -> Any:
    """The verdict on a signal."""
    short = direction is Direction.SHORT
    made = Signal(
        signal_id=f"s-{number}",
        signal_type="cloud_cross_bullish",
        direction=direction,
        ticker=symbol,
        timeframe=Timeframe.H1,
        conviction=80,
        entry_price=D(100),
        stop_loss=D(110) if short else D(90),
        timestamp=hand.now,
        source="test",
    )
    verdict = hand.engine.submit(made)
    assert isinstance(verdict, ev.SignalDecided)
    return verdict


def holdings(hand: Rehearsal) -> dict[tuple[str, str], D]:
    return {(p.account, p.symbol): p.quantity for p in hand.engine.state.holdings()}


def working(hand: Rehearsal) -> set[str]:
    return {o.client_order_id for o in hand.engine.state.orders()}


# --- limits add up over the accounts --------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "quantity", "code"),
    [
        ("max_single_stock_exposure", 99, ""),
        ("max_single_stock_exposure", 100, ""),
        ("max_single_stock_exposure", 101, "SINGLE_EXPOSURE"),
    ],
)
def test_x87_one_name_in_two_accounts(limit: str, quantity: int, code: str) -> None:
    """200,000 in both together, a tenth in one name: half of it is held in one of them."""

    async def play(hand: Rehearsal) -> None:
        await held(hand, "AAPL", 100, "paper")
        done = await order(hand, "AAPL", quantity, "other")
        assert done.code == code, done

    played(play, **{limit: "0.1"})


@pytest.mark.parametrize("broker", ["paper", "other"])
@pytest.mark.parametrize(("quantity", "code"), [(99, ""), (100, ""), (101, "SECTOR_EXPOSURE")])
def test_x87_one_sector_in_two_accounts(broker: str, quantity: int, code: str) -> None:
    """What is held in one and what only works in the other count alike."""

    async def play(hand: Rehearsal) -> None:
        await held(hand, "AAPL", 55, "paper")
        await resting(hand, "AAPL", 50, "other")
        done = await order(hand, "MSFT", quantity, broker)
        assert done.code == code, done

    played(play, max_sector_exposure="0.1")


@pytest.mark.parametrize(("quantity", "code"), [(99, ""), (100, ""), (101, "GROSS_EXPOSURE")])
def test_x87_everything_in_two_accounts(quantity: int, code: str) -> None:
    """Long here and short there are added, not set off."""

    async def play(hand: Rehearsal) -> None:
        await held(hand, "AAPL", 50, "paper")
        await held(hand, "MSFT", -50, "other")
        done = await order(hand, "KO", quantity, "other")
        assert done.code == code, done

    played(play, max_gross_exposure="0.1")


@pytest.mark.parametrize(("allowed", "code"), [(4, ""), (3, ""), (2, "MAX_POSITIONS")])
def test_x87_positions_of_both_and_entries_that_work_take_the_slots(
    allowed: int, code: str
) -> None:
    async def play(hand: Rehearsal) -> None:
        await held(hand, "AAPL", 1, "paper")
        await resting(hand, "MSFT", 1, "other")
        for broker in ("paper", "other"):
            done = await order(hand, "KO", 1, broker)
            assert done.code == code, done
            assert not code or done.ok is False
            if not code:
                break

    played(play, max_concurrent_positions=allowed)


def test_x87_the_same_symbol_in_a_second_account_takes_no_second_slot() -> None:
    async def play(hand: Rehearsal) -> None:
        await held(hand, "AAPL", 1, "paper")
        await held(hand, "AAPL", 2, "other")

    played(play, max_concurrent_positions=1)


@pytest.mark.parametrize(("allowed", "code"), [(3, ""), (2, ""), (1, "MAX_OPEN_ORDERS")])
def test_x87_orders_that_work_are_counted_over_the_accounts(allowed: int, code: str) -> None:
    async def play(hand: Rehearsal) -> None:
        await resting(hand, "AAPL", 1, "paper")
        done = await order(hand, "MSFT", 1, "other", limit="90")
        assert done.code == code, done

    played(play, max_open_orders=allowed)


# --- duplicate: asked of signals ------------------------------------------------------------------


@pytest.mark.parametrize("direction", [Direction.LONG])
def test_x87_a_signal_is_refused_where_another_account_holds_the_symbol(
    direction: Direction,
) -> None:
    async def play(hand: Rehearsal) -> None:
        await held(hand, "AAPL", 5, "other")
        verdict = signalled(hand, "AAPL", direction)
        assert (verdict.verdict, verdict.code) == (Verdict.REJECTED, "DUPLICATE_POSITION")
        assert "other" in verdict.reason
        assert signalled(hand, "MSFT", direction, 2).verdict is not Verdict.REJECTED

    played(play)


def test_x87_a_signal_is_refused_where_another_account_works_an_entry() -> None:
    async def play(hand: Rehearsal) -> None:
        key = await resting(hand, "AAPL", 5, "other")
        verdict = signalled(hand, "AAPL", Direction.LONG)
        assert (verdict.verdict, verdict.code) == (Verdict.REJECTED, "DUPLICATE_POSITION")
        await hand.engine.command(ask.CancelOrder(by="test", client_order_id=key))
        await tell(hand)
        assert signalled(hand, "AAPL", Direction.LONG, 2).verdict is not Verdict.REJECTED

    played(play)


def test_x87_a_person_may_hold_a_symbol_in_both() -> None:
    async def play(hand: Rehearsal) -> None:
        await held(hand, "AAPL", 5, "paper")
        await held(hand, "AAPL", 6, "other")
        await held(hand, "MSFT", -5, "paper")
        await held(hand, "MSFT", -6, "other")

    played(play)


# --- conflict: asked of everybody -----------------------------------------------------------------

OPPOSITE = {Side.BUY: Side.SELL_SHORT, Side.SELL_SHORT: Side.BUY}


@pytest.mark.parametrize("side", OPPOSITE)
@pytest.mark.parametrize(("here", "there"), [("paper", "other"), ("other", "paper")])
@pytest.mark.parametrize("how", ["held", "works"])
def test_x87_a_persons_opposite_order_conflicts_with_the_other_account(
    how: str, here: str, there: str, side: Side
) -> None:
    """Neither what is held in one account nor what works there may be met from another."""

    async def play(hand: Rehearsal) -> None:
        if how == "held":
            await held(hand, "AAPL", 5 * side.sign, here)
        else:
            await resting(hand, "AAPL", 5, here, side)
        before = holdings(hand)
        for limit in ("100", "90" if side is Side.SELL_SHORT else "110"):
            done = await order(hand, "AAPL", 3, there, side=OPPOSITE[side], limit=limit)
            assert (done.ok, done.code) == (False, "CONFLICT"), done
        assert holdings(hand) == before
        # Another symbol is free, and so is the same side.
        assert (await order(hand, "MSFT", 3, there, side=OPPOSITE[side])).ok
        assert (await order(hand, "AAPL", 3, there, side=side)).ok

    played(play)


@pytest.mark.parametrize("how", ["held", "works"])
def test_x87_a_signals_opposite_entry_conflicts_with_the_other_account(how: str) -> None:
    async def play(hand: Rehearsal) -> None:
        await (held if how == "held" else resting)(hand, "AAPL", 5, "other")
        verdict = signalled(hand, "AAPL", Direction.SHORT)
        assert (verdict.verdict, verdict.code) == (Verdict.REJECTED, "CONFLICT")

    played(play)


@pytest.mark.parametrize(
    ("direction", "code"), [(Direction.SHORT, "CONFLICT"), (Direction.LONG, "DUPLICATE_POSITION")]
)
def test_x87_what_another_account_holds_of_the_underlying_is_the_same_bet(
    direction: Direction, code: str
) -> None:
    """A-082, A-083: a call there and the share here, even where the call wins."""
    call = "AAPL 2013-12-20 100 C"

    async def play(hand: Rehearsal) -> None:
        hand.price(call, "5")
        await hand.wait(0.1)
        done = await order(hand, call, 1, "other", limit="5")
        assert done.ok, done.error
        hand.price(call, "5")
        await hand.wait(0.1)
        assert holdings(hand) == {("other", call): 1}
        hand.price(call, "6")
        verdict = signalled(hand, "AAPL", direction)
        assert (verdict.verdict, verdict.code) == (Verdict.REJECTED, code)
        assert signalled(hand, "MSFT", direction, 2).verdict is not Verdict.REJECTED

    played(play)


def test_x87_reducing_in_one_account_conflicts_with_nothing() -> None:
    """Rule 3: what is held in the other account does not keep anybody from selling here."""

    async def play(hand: Rehearsal) -> None:
        await held(hand, "AAPL", 5, "paper")
        await held(hand, "AAPL", 5, "other")
        assert (await order(hand, "AAPL", 2, "other", side=Side.SELL)).ok
        assert holdings(hand) == {("paper", "AAPL"): 5, ("other", "AAPL"): 3}
        # More than is held there would turn it: that is an order against the other account.
        done = await order(hand, "AAPL", 4, "other", side=Side.SELL)
        assert (done.ok, done.code) == (False, "CONFLICT")

    played(play)


# --- what a flat signal closes --------------------------------------------------------------------


async def opened_by_signal(hand: Rehearsal, symbol: str) -> None:
    assert signalled(hand, symbol, Direction.LONG, 100).verdict is not Verdict.REJECTED
    await tell(hand)
    assert holdings(hand)["paper", symbol] > 0


def test_x87_a_flat_signal_closes_what_signals_opened_and_leaves_what_a_person_holds() -> None:
    async def play(hand: Rehearsal) -> None:
        await opened_by_signal(hand, "AAPL")
        await held(hand, "AAPL", 5, "other")
        ours = holdings(hand)["paper", "AAPL"]
        verdict = signalled(hand, "AAPL", Direction.FLAT)
        assert verdict.verdict is Verdict.ACCEPTED
        assert verdict.quantity == ours
        await tell(hand)
        assert holdings(hand) == {("other", "AAPL"): 5}

    played(play, max_risk_per_trade="0.001")


@pytest.mark.parametrize("broker", ["paper", "other"])
def test_x87_a_flat_signal_finds_nothing_to_close_where_only_a_person_holds(broker: str) -> None:
    async def play(hand: Rehearsal) -> None:
        await held(hand, "AAPL", 5, broker)
        verdict = signalled(hand, "AAPL", Direction.FLAT)
        assert (verdict.verdict, verdict.code) == (Verdict.REJECTED, "SIZE_ZERO")
        assert broker in verdict.reason
        await tell(hand)
        assert holdings(hand) == {(broker, "AAPL"): 5}

    played(play)


# --- what an operator's cancel and close reach ----------------------------------------------------


@pytest.mark.parametrize(
    ("broker", "left"), [("", set()), ("paper", {"other"}), ("other", {"paper"})]
)
def test_x87_cancel_all_is_for_every_account_or_for_the_one_named(
    broker: str, left: set[str]
) -> None:
    async def play(hand: Rehearsal) -> None:
        keys = {
            "paper": {
                await resting(hand, "AAPL", 5, "paper"),
                await resting(hand, "KO", 5, "paper"),
            },
            "other": {await resting(hand, "AAPL", 6, "other")},
        }
        assert (await hand.engine.command(ask.CancelAll(by="test", broker=broker))).ok
        await tell(hand)
        assert working(hand) == {key for name in left for key in keys[name]}

    played(play)


@pytest.mark.parametrize(
    ("broker", "left"), [("", set()), ("paper", {"other"}), ("other", {"paper"})]
)
@pytest.mark.parametrize("all_of_it", [False, True])
def test_x87_close_is_in_every_account_or_in_the_one_named(
    all_of_it: bool, broker: str, left: set[str]
) -> None:
    async def play(hand: Rehearsal) -> None:
        await held(hand, "AAPL", 5, "paper")
        await held(hand, "AAPL", 6, "other")
        command: ask.CloseAll | ask.ClosePosition = (
            ask.CloseAll(by="test", broker=broker)
            if all_of_it
            else ask.ClosePosition(by="test", symbol="AAPL", broker=broker)
        )
        assert (await hand.engine.command(command)).ok
        await tell(hand)
        assert {name for name, _ in holdings(hand)} == left

    played(play)


@pytest.mark.parametrize(
    "command",
    [
        ask.CancelAll(by="test", broker="mars"),
        ask.ClosePosition(by="test", symbol="AAPL", broker="mars"),
        ask.CloseAll(by="test", broker="mars"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_x87_an_account_that_is_not_there_is_named_with_those_that_are(command: Any) -> None:
    async def play(hand: Rehearsal) -> None:
        await held(hand, "AAPL", 5, "paper")
        key = await resting(hand, "MSFT", 5, "other")
        done = await hand.engine.command(command)
        assert not done.ok
        for word in ("mars", "paper", "other"):
            assert word in done.error
        await tell(hand)
        assert holdings(hand) == {("paper", "AAPL"): 5}
        assert working(hand) == {key}

    played(play)
