"""A refusal names what was typed, whose the other number is, and the way out (rule 6, X-65)."""

from typing import Any

import pytest

from console.virtual import Rehearsal
from engine.domain import commands as ask
from engine.domain.order import OrderType, Side
from engine.domain.result import Result
from tests.brokers.kit import D
from tests.console.test_adds import filled, order, price, run

BUY = Side.BUY


async def of(hand: Rehearsal, symbol: str, **more: Any) -> Result:
    asked = ask.PlaceOrder(by="me", symbol=symbol, side=BUY, quantity=D(1), **more)
    return await hand.engine.command(asked)


@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        ("aapl", "There is no price of aapl; of AAPL there is."),
        ("Aapl", "There is no price of Aapl; of AAPL there is."),
        ("ZZZZ", "There is no price of ZZZZ; of AAPL there is."),
    ],
)
def test_a_symbol_without_a_price_names_those_that_have_one(symbol: str, said: str) -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        done = await of(hand, symbol)
        assert (done.code, done.error) == ("NO_PRICE", said)

    run(play)


def test_before_any_price_nothing_is_named_instead() -> None:
    async def play(hand: Rehearsal) -> None:
        done = await of(hand, "AAPL")
        assert (done.code, done.error) == ("NO_PRICE", "There is no price of AAPL.")

    run(play)


@pytest.mark.parametrize(
    ("protect", "said"),
    [
        # the tighter one stays, and it is not the one that was typed
        ("90", "The stop at 95 that protects what is held is not below the entry at 94."),
        (None, "The stop at 95 that protects what is held is not below the entry at 94."),
        ("96", "A stop at 96 is not below the entry at 94."),
        ("95", "A stop at 95 is not below the entry at 94."),
    ],
)
def test_a_stop_that_was_not_typed_is_told_as_that_of_what_is_held(
    protect: str | None, said: str
) -> None:
    async def play(hand: Rehearsal) -> None:
        await filled(hand, BUY, 10, protect="95")
        given = {} if protect is None else {"protect": protect}
        done = await order(hand, BUY, 1, limit="94", **given)
        assert (done.code, done.error) == ("INVALID_STOP", said)

    run(play)


@pytest.mark.parametrize(
    ("more", "passes"),
    [
        ({}, False),
        ({"protect": "91"}, False),
        ({"target": "130"}, False),
        ({"limit": "99"}, True),
    ],
)
def test_what_makes_another_order_is_told_to_whoever_repeats_one(
    more: dict[str, str], passes: bool
) -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        first = await order(hand, BUY, 1, limit="98", protect="90")
        assert first.ok
        done = await order(hand, BUY, 1, **({"limit": "98", "protect": "90"} | more))
        assert done.ok is passes
        if not passes:
            assert done.code == "DUPLICATE_ORDER"
            assert "One of another quantity, limit or stop price goes at once" in done.error
            assert "protective stop, target or hold makes no other order" in done.error

    run(play)


def test_a_stop_order_is_another_one_than_a_limit() -> None:
    async def play(hand: Rehearsal) -> None:
        await price(hand, "100")
        assert (await order(hand, BUY, 1, limit="98")).ok
        stop = ask.PlaceOrder(
            by="me",
            symbol="AAPL",
            side=BUY,
            quantity=D(1),
            type=OrderType.STOP,
            stop_price=D(102),
        )
        assert (await hand.engine.command(stop)).ok

    run(play)
