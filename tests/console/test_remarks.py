"""What of an order has no effect is said, and what it risks beyond a trade (X-80, X-82, X-85)."""

from typing import Any

import pytest

from console.virtual import Rehearsal
from engine.domain import commands as ask
from engine.domain.money import plain
from engine.domain.order import Side
from engine.domain.run import Flatten, Level
from engine.domain.signal import TradeType
from tests.brokers.kit import D
from tests.console.test_adds import filled, order, price, run, shown

BUY, SELL = Side.BUY, Side.SELL
DAY, SWING = TradeType.DAY, TradeType.SWING


def notes(result: Any) -> list[str]:
    assert result.ok, result.error
    return list(result.data.get("notes", []))


@pytest.mark.parametrize("side", [BUY, SELL])
@pytest.mark.parametrize("held", [DAY, SWING])
@pytest.mark.parametrize("asked", [DAY, SWING])
def test_what_is_added_is_held_as_what_it_is_added_to_and_that_is_said(
    side: Side, held: TradeType, asked: TradeType
) -> None:
    async def play(hand: Rehearsal) -> None:
        stop = "90" if side is BUY else "110"
        await filled(hand, side, 10, hold=held, protect=stop)
        told = notes(await order(hand, side, 1, hold=asked, limit="100"))
        (add,) = [o for o in hand.engine.state.orders() if not o.is_protective]
        assert add.trade_type is held
        assert shown(hand)["trade_type"] == held
        if asked is held:
            assert told == []
        else:
            assert told == [f"AAPL is held as {held}, and what is added is {held} too, not {asked}"]

    run(play)


def test_a_swing_add_to_a_day_trade_goes_with_it_in_a_kill_of_day_trades() -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 10, hold=DAY, protect="90")
        assert notes(await order(hand, BUY, 1, hold=SWING)) != []
        await price(hand, "100")
        await hand.engine.command(ask.Kill(by="me", level=Level.KILL, flatten=Flatten.DAY))
        await hand.wait(5)
        assert hand.held("AAPL") == 0

    run(play)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, None),
        ({"protect": "95"}, "protect is not used"),
        ({"target": "130"}, "target is not used"),
        ({"protect": "95", "target": "130"}, "protect and target are not used"),
    ],
)
def test_what_only_reduces_needs_no_stop_and_no_target_and_says_so(
    given: dict[str, str], said: str | None
) -> None:
    """It goes all the same: what reduces is never refused for what it does not use (rule 3)."""

    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 10, protect="90", target="150")
        told = notes(await order(hand, SELL, 4, **given))
        await price(hand, "100")
        assert hand.held("AAPL") == 6
        assert (D(shown(hand)["stop"]), D(shown(hand)["target"])) == (90, 150)
        assert len(told) == (said is not None)
        if said:
            assert f"it only reduces AAPL: {said}" in told[0]

    run(play)


@pytest.mark.parametrize(
    ("side", "first", "second", "is_said"),
    [
        (BUY, "95", "94.99", True),
        (BUY, "95", "95", False),
        (BUY, "95", "95.01", False),
        (SELL, "105", "105.01", True),
        (SELL, "105", "105", False),
        (BUY, None, "95", False),
    ],
)
def test_a_looser_stop_than_that_of_what_is_held_moves_nothing_and_says_so(
    side: Side, first: str | None, second: str, is_said: bool
) -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, side, 10, **({"protect": first} if first else {}))
        told = notes(await order(hand, side, 1, protect=second))
        expected = f"the stop of AAPL stays at {first}, which is tighter than the new one"
        assert told == ([expected] if is_said else [])

    run(play)


def test_what_opens_has_nothing_to_say() -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        assert notes(await order(hand, BUY, 1, hold=DAY, protect="95", target="130")) == []

    run(play)


@pytest.mark.parametrize(
    ("side", "stop", "is_said"),
    [
        (BUY, "90.01", False),
        (BUY, "90", False),
        (BUY, "89.99", True),
        (BUY, "1", True),
        (SELL, "110", False),
        (SELL, "110.01", True),
    ],
)
def test_x85_a_first_order_passes_on_any_stop_and_what_it_risks_beyond_a_trade_is_said(
    side: Side, stop: str, is_said: bool
) -> None:
    """100 at 100; a trade may risk 1,000."""

    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        told = notes(await order(hand, side, 100, protect=stop))
        risk = plain(abs(100 - D(stop)) * 100)
        said = f"AAPL will risk {risk} at its stop of {stop}, above the 1000 of a trade"
        assert [text.split(":")[0] for text in told] == ([said] if is_said else [])

    run(play)


def test_x82_an_add_is_held_to_the_risk_of_a_trade_and_has_nothing_to_say() -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 50, protect="90")
        assert not (await order(hand, BUY, 60, protect="90")).ok
        assert notes(await order(hand, BUY, 49, protect="90")) == []

    run(play)
