"""`modify` on the paper venue, with and without a venue that changes orders itself (X-88).

No slippage and no commission, 100,000 dollars: the money is worked out by hand.
"""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from brokers.paper import adapter
from brokers.paper.adapter import paper_capabilities
from console.virtual import Rehearsal, rehearse
from engine.domain import commands as ask
from engine.domain.order import OrderType, Side, TimeInForce
from engine.domain.result import Result
from engine.domain.signal import TradeType
from engine.ports import Capabilities
from engine.state.order import Order
from tests.brokers.kit import D

WAYS = pytest.mark.parametrize("native", [True, False], ids=["native", "by cancel"])


def run(
    patching: pytest.MonkeyPatch,
    native: bool,
    play: Callable[[Rehearsal], Awaitable[None]],
    latency: int = 0,
) -> None:
    def able(latency_ms: tuple[float, float]) -> Capabilities:
        return msgspec.structs.replace(paper_capabilities(latency_ms), native_modify=native)

    patching.setattr(adapter, "paper_capabilities", able)
    paper = {"slippage_bps": 0, "commission_bps": 0, "latency_ms": [latency, latency]}
    rehearse(play, config={"brokers": {"paper": paper}, "market": {"symbols": ["AAPL"]}})


async def buying(hand: Rehearsal, quantity: int = 60, limit: str = "95", **more: Any) -> str:
    """The id of a limit order to buy that rests."""
    hand.price("AAPL", "100")
    done = await hand.engine.command(
        ask.PlaceOrder(
            by="me",
            symbol="AAPL",
            side=Side.BUY,
            quantity=D(quantity),
            type=OrderType.LIMIT,
            limit_price=D(limit),
            hold=TradeType.SWING,
            **more,
        )
    )
    assert done.ok, done.error
    await hand.wait(0.5)
    (key,) = done.data["client_order_ids"]
    return str(key)


async def modify(hand: Rehearsal, key: str, seconds: float = 1, **more: Any) -> Result:
    done = await hand.engine.command(ask.ModifyOrder(by="me", client_order_id=key, **more))
    await hand.wait(seconds)
    return done


def working(hand: Rehearsal) -> list[Order]:
    return [order for order in hand.engine.state.orders() if not order.is_protective]


def there(hand: Rehearsal) -> list[tuple[Decimal, Decimal | None, TimeInForce | None]]:
    """What works at the venue, as the venue says."""
    (venue,) = hand._house.venues.values()
    orders = [order for order in venue.open_orders() if not order.reduce_only]
    return [(o.quantity - o.filled, o.limit_price, o.time_in_force) for o in orders]


@WAYS
def test_limit_quantity_and_time_in_force_change_and_it_fills_once_at_the_new_price(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(hand: Rehearsal) -> None:
        key = await buying(hand, protect=D(90))
        done = await modify(
            hand, key, quantity=D(80), limit_price=D(98), time_in_force=TimeInForce.GTC
        )
        assert done.ok, done.error
        assert done.data["orig_client_order_id"] == key
        assert done.data["native"] is native
        assert (done.data["client_order_id"] == key) is native
        assert there(hand) == [(80, 98, TimeInForce.GTC)]
        (order,) = working(hand)
        assert order.client_order_id == done.data["client_order_id"]
        hand.price("AAPL", "97")
        await hand.wait(1)
        assert hand.held("AAPL") == 80
        # 80 at 98 or better: the price of the market that met it.
        assert hand.engine.state.account("paper").cash["USD"] == D(100_000) - 80 * D(97)
        (stop,) = [o for o in hand.engine.state.orders() if o.is_protective]
        assert (stop.leaves, stop.stop_price) == (80, 90)
        assert not there(hand)

    run(monkeypatch, native, play)


@WAYS
def test_never_both_are_live_and_a_fill_in_between_reduces_what_is_left(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(hand: Rehearsal) -> None:
        key = await buying(hand)
        (venue,) = hand._house.venues.values()
        asked = hand.engine.command(
            ask.ModifyOrder(by="me", client_order_id=key, quantity=D(90), limit_price=D(96))
        )
        assert (await asked).ok
        venue.fill_part(key, D(30))
        for _ in range(40):
            assert len(there(hand)) <= 1
            await hand.wait(0.05)
        assert hand.held("AAPL") == 30
        assert there(hand) == [(60, 96, TimeInForce.DAY)]
        hand.price("AAPL", "96")
        await hand.wait(2)
        assert hand.held("AAPL") == 90
        money = D(100_000) - 30 * D(100) - 60 * D(96)
        assert hand.engine.state.account("paper").cash["USD"] == money == venue.balance.cash

    run(monkeypatch, native, play, latency=200)


@WAYS
def test_one_that_fills_first_is_left_filled(native: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(hand: Rehearsal) -> None:
        key = await buying(hand)
        (venue,) = hand._house.venues.values()
        await modify(hand, key, seconds=0, quantity=D(50))
        venue.fill_part(key, D(60))
        await hand.wait(2)
        assert hand.held("AAPL") == 60
        assert not there(hand)
        assert not working(hand)
        # What was asked for is known to have come too late.
        hand.price("AAPL", "90")
        await hand.wait(2)
        assert hand.held("AAPL") == 60

    run(monkeypatch, native, play, latency=200)


@WAYS
def test_what_the_gate_refuses_changes_nothing(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def play(hand: Rehearsal) -> None:
        key = await buying(hand)
        done = await modify(hand, key, limit_price=D("95.005"))
        assert (done.ok, done.code) == (False, "BAD_TICK")
        assert there(hand) == [(60, 95, TimeInForce.DAY)]
        done = await modify(hand, key, quantity=D(0))
        assert done.ok
        assert not there(hand)

    run(monkeypatch, native, play)
