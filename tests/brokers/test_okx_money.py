"""Balances of OKX, and lists that go on for pages."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from brokers.okx import lists
from brokers.okx.money import money_of
from engine.domain.order import OrderStatus
from engine.ports import Ambiguous
from tests.brokers.conformance import Lab
from tests.venues.okx import OkxServer
from tests.venues.okx_lab import SYMBOL, lab_of

D = Decimal
S = OrderStatus


@pytest.fixture
async def server() -> AsyncIterator[OkxServer]:
    async with OkxServer() as served:
        yield served


@pytest.fixture
async def lab(server: OkxServer) -> AsyncIterator[Lab]:
    async with lab_of(server) as made:
        await made.start()
        yield made


def coin(name: str, balance: str, dollars: str, free: str = "0") -> dict[str, str]:
    return {"ccy": name, "cashBal": balance, "availBal": free, "eq": balance, "eqUsd": dollars}


async def test_a_buy_pays_its_fee_in_what_is_bought_and_less_is_held_than_filled(
    server: OkxServer, lab: Lab
) -> None:
    server.fee_in_base = D("0.001")
    await lab.submit("a", "BUY", "10")
    report = await lab.until("a", S.FILLED)
    assert report.fill is not None
    assert (report.fill.commission, report.fill.commission_currency) == (D("0.01"), "BTC")
    assert await lab.broker.get_fills_since(0) == (report.fill,)
    (held,) = await lab.broker.get_positions()
    assert (held.symbol, held.quantity) == (SYMBOL, D("9.99"))


async def test_a_fee_below_zero_is_a_charge_and_one_above_a_rebate(
    server: OkxServer, lab: Lab
) -> None:
    for rate, charged in (("0.001", D(1)), ("-0.0002", D("-0.2"))):
        server.exchange.fee_rate = D(rate)
        await lab.submit("a", "BUY", "10")
        report = await lab.until("a", S.FILLED)
        assert report.fill is not None
        assert (report.fill.commission, report.fill.commission_currency) == (charged, "USDT")


async def test_cash_is_the_quote_and_every_other_coin_is_held_as_its_pair(
    server: OkxServer, lab: Lab
) -> None:
    server.balances = [
        coin("USDT", "1000", "998", free="400"), coin("BTC", "0.5", "49900"),
        coin("DUST", "0.00000001", ""), coin("ZERO", "0", "0"),
    ]  # fmt: skip
    account = await lab.broker.get_account()
    assert (account.currency, account.cash, account.buying_power) == ("USDT", D(1000), D(400))
    assert account.balances == {"USDT": D(1000)}
    assert account.equity == round(server.exchange.equity / D("0.998"), 8)
    held = {position.symbol: position for position in await lab.broker.get_positions()}
    assert set(held) == {SYMBOL, "DUST-USDT"}
    assert (held[SYMBOL].quantity, held[SYMBOL].mark) == (D("0.5"), D(100_000))
    assert held["DUST-USDT"].mark is None


async def test_what_a_dollar_is_worth_is_asked_where_balances_cannot_say(
    server: OkxServer, lab: Lab
) -> None:
    server.balances = [coin("BTC", "0.5", "49900")]
    account = await lab.broker.get_account()
    assert (account.cash, account.buying_power, server.count("index")) == (D(0), D(0), 1)
    assert account.equity == round(server.exchange.equity / D("0.9995"), 8)


async def test_a_balance_that_is_no_number_is_told_as_such(server: OkxServer, lab: Lab) -> None:
    server.balances = [coin("USDT", "plenty", "1000"), coin("BTC", "some", "1")]
    assert (await lab.broker.get_account()).cash.is_nan()
    (held,) = await lab.broker.get_positions()
    assert (held.symbol, held.quantity.is_nan()) == (SYMBOL, True)


def test_the_first_pair_that_is_watched_says_what_the_money_is() -> None:
    money = money_of(["AAPL", "BTC-USDC", "ETH-EUR", "BTC-EUR"])
    assert (money.currency, money.cash) == ("USDC", {"USDC", "EUR"})
    assert [money.symbol_of(c) for c in ("BTC", "ETH", "SOL")] == [
        "BTC-USDC",
        "ETH-EUR",
        "SOL-USDC",
    ]
    assert money_of(["AAPL"]).currency == "USDT"


@pytest.mark.parametrize("count", [2, 3, 4])
async def test_lists_are_read_to_their_end(
    server: OkxServer, lab: Lab, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    """With pages of three: one row less, as many, one more."""
    monkeypatch.setattr(lists, "PAGE", 3)
    for n in range(count):
        await lab.submit(f"o{n}", "BUY", "1")
        await lab.until(f"o{n}", S.FILLED)
        await lab.submit(f"r{n}", "BUY", "1", limit="50")
        await lab.submit(f"s{n}", "BUY", "1", stop="150")
    assert [fill.client_order_id for fill in await lab.broker.get_fills_since(0)] == [
        f"o{n}" for n in range(count)
    ]
    known = {order.client_order_id for order in await lab.broker.get_open_orders()}
    assert known == {f"{kind}{n}" for kind in "rs" for n in range(count)}


async def test_a_page_that_fails_fails_the_list(
    server: OkxServer, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PAGE", 1)
    await lab.submit("a", "BUY", "1", limit="50")
    await lab.submit("b", "BUY", "1", limit="51")
    page: dict[str, Any] = {"play": "status_after", "status": 502, "times": 1}
    server.fault("pending", "delay", seconds=0, times=1)
    server.fault("pending", **page)
    with pytest.raises(Ambiguous):
        await lab.broker.get_open_orders()


async def test_executions_of_more_than_three_days_ago_are_asked_for_in_the_other_list_too(
    server: OkxServer, lab: Lab
) -> None:
    await lab.submit("a", "BUY", "1")
    report = await lab.until("a", S.FILLED)
    assert report.fill is not None
    await lab.broker.get_fills_since(report.fill.time)
    assert (server.count("fills"), server.count("fills-history")) == (1, 0)
    assert await lab.broker.get_fills_since(0) == (report.fill,)
    assert (server.count("fills"), server.count("fills-history")) == (2, 1)
