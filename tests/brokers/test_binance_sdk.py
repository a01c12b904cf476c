"""python-binance as an independent client of the local server, and why no order goes through it.

What it can do here, it does in the words of the real venue: the server is then no invention of
ours. What it does beside is shown, too (`brokers.binance.client`).
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from tests.venues.binance import KEY, SECRET, BinanceServer

binance = pytest.importorskip("binance", reason="python-binance is not installed")
D = Decimal
ORDER = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.5"}
RESTS = {**ORDER, "type": "LIMIT", "timeInForce": "GTC", "price": "95"}


@pytest.fixture
async def server() -> AsyncIterator[BinanceServer]:
    async with BinanceServer() as served:
        served.exchange.prices["BTCUSDT"] = D(100)
        yield served


@pytest.fixture
async def sdk(server: BinanceServer) -> AsyncIterator[Any]:
    class Local(binance.AsyncClient):  # type: ignore[misc,name-defined]
        API_URL = f"{server.url}/api"
        REQUEST_RECVWINDOW = 2000
        REQUEST_TIMEOUT = 3

    client = await Local.create(KEY, SECRET)
    yield client
    await client.close_connection()


async def test_the_server_speaks_what_python_binance_speaks(
    server: BinanceServer, sdk: Any
) -> None:
    info = await sdk.get_symbol_info("BTCUSDT")
    assert info["baseAsset"] == "BTC"
    done = await sdk.create_order(type="MARKET", newClientOrderId="m", **ORDER)
    assert done["clientOrderId"] == "m"
    await sdk.create_order(newClientOrderId="a", **RESTS)
    assert [row["clientOrderId"] for row in await sdk.get_open_orders()] == ["a"]
    row = await sdk.get_order(symbol="BTCUSDT", origClientOrderId="a")
    assert row["status"] == "NEW"
    ended = await sdk.cancel_order(symbol="BTCUSDT", origClientOrderId="a")
    assert (ended["status"], ended["origClientOrderId"]) == ("CANCELED", "a")
    assert ended["clientOrderId"] != "a"
    (trade,) = await sdk.get_my_trades(symbol="BTCUSDT")
    assert (trade["qty"], trade["isBuyer"]) == ("0.50000000", True)
    balances = {row["asset"]: row["free"] for row in (await sdk.get_account())["balances"]}
    assert D(balances["BTC"]) == D("0.5")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"price": "95.001"}, -1013),
        ({"quantity": "1e-05"}, -1100),
        ({"quantity": "9999"}, -1013),
        ({"symbol": "NOSUCH"}, -1121),
        ({"quantity": "5000", "price": "100"}, -2010),
    ],
)
async def test_the_server_refuses_in_the_venues_codes(
    server: BinanceServer, sdk: Any, more: dict[str, str], code: int
) -> None:
    with pytest.raises(binance.BinanceAPIException) as refused:
        await sdk.create_order(**(RESTS | more))
    assert refused.value.code == code


async def test_its_cancel_is_sent_twice_where_the_connection_breaks_so_ours_does_not_use_it(
    server: BinanceServer, sdk: Any
) -> None:
    """The answer to the second says that the order is unknown, of an order that the first has
    cancelled. Ours is sent once: test_binance_faults.py, C-402."""
    await sdk.create_order(newClientOrderId="a", **RESTS)
    server.fault("cancel", "drop_after")
    with pytest.raises(binance.BinanceAPIException) as refused:
        await sdk.cancel_order(symbol="BTCUSDT", origClientOrderId="a")
    assert refused.value.code == -2011
    assert server.count("cancel") == 2
    assert server.exchange.open_orders == []
