"""Autotrader's Binance adapter over an engine that trades at the local Binance (C-210, C-400, T-07,
T-26)."""

from decimal import Decimal

from engine.facade.autotrader import (
    BinanceAdapter,
    Fill,
    Order,
    OrderSide,
    OrderStatus,
    OrderType,
    ResiliencyManager,
)
from tests.brokers.test_binance_engine import SYMBOL, Desk, desk

__all__ = ["desk"]
"""The running engine and its venue: a fixture."""


def half() -> Order:
    return Order(SYMBOL, OrderSide.BUY, OrderType.MARKET, "0.5")


async def test_an_order_is_filled_and_is_a_position(desk: Desk) -> None:
    adapter = BinanceAdapter(engine=desk.engine)
    assert adapter.account == "binance"
    assert await adapter.connect() is True
    fills: list[Fill] = []
    adapter.subscribe_fills(fills.append)
    sent = await adapter.submit_order(half())
    assert sent.status in {OrderStatus.SUBMITTED, OrderStatus.FILLED}
    await desk.until(lambda: desk.held == Decimal("0.5"))
    (position,) = await adapter.get_positions()
    assert (position.symbol, position.quantity) == (SYMBOL, Decimal("0.5"))
    assert sum(fill.quantity for fill in fills) == Decimal("0.5")
    known = await adapter.get_order_status(sent.order_id)
    assert known.status is OrderStatus.FILLED
    assert known.metadata["venue_order_id"]
    assert desk.server.count("submit") == 1


async def test_T07_an_order_whose_answer_was_lost_is_one_order(desk: Desk) -> None:
    adapter = BinanceAdapter(engine=desk.engine)
    await adapter.connect()
    desk.server.held_reports = []
    desk.server.fault("submit", "drop_after")
    sent = await ResiliencyManager(adapter).submit_order_with_retry(half())
    assert sent.status is not OrderStatus.REJECTED
    await desk.until(lambda: desk.held == Decimal("0.5"))
    assert desk.server.count("submit") == 1
    assert len(desk.server.exchange.executions) == 1
    assert (await adapter.get_order_status(sent.order_id)).status is OrderStatus.FILLED
