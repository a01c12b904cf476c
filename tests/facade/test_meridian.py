"""Meridian's clients over a running engine: published names, one gate (M-10 to M-18, T-26)."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain.run import Level
from engine.facade.meridian import (
    AlpacaClient,
    BrokerBase,
    IBKRClient,
    NotConnectedError,
    Order,
)
from tests.facade.hosted import Hosted, hosted


@pytest.fixture(scope="module")
def host() -> Iterator[Hosted]:
    with hosted() as running:
        running.price("BTC-USD", "100")
        running.price("ETH-USD", "10")
        yield running


@pytest.fixture
def client(host: Hosted) -> Iterator[AlpacaClient]:
    made = AlpacaClient(engine=host.engine, account="paper", loop=host.loop)
    assert made.connect() is True
    yield made
    made.cancel_all_orders()


def test_M10_the_example_connects_buys_and_reads_back(host: Hosted, client: AlpacaClient) -> None:
    ack = client.submit_order(Order("BTC-USD", 2, "buy"))
    assert set(ack) == {"order_id", "status", "symbol", "qty", "side"}
    assert (ack["symbol"], ack["qty"], ack["side"]) == ("BTC-USD", 2, "buy")
    done = lambda: host.status_of(ack["order_id"]) == "FILLED"  # noqa: E731
    host.until(done, symbol="BTC-USD", at="100")
    status = client.get_order_status(ack["order_id"])
    assert status == {
        "order_id": ack["order_id"],
        "status": "filled",
        "filled_qty": 2,
        "filled_avg_price": 100,
    }
    (position,) = client.get_positions()
    assert (position.symbol, position.qty, position.avg_entry_price) == ("BTC-USD", 2, 100)
    assert (position.current_price, position.market_value, position.unrealized_pnl) == (100, 200, 0)
    account = client.get_account_info()
    assert (account.equity, account.portfolio_value, account.cash) == (100_000, 100_000, 99_800)
    assert client.is_market_open() is True
    sold = client.submit_order(Order("BTC-USD", 2, "sell"))
    flat = lambda: not host.engine.book.held("BTC-USD")  # noqa: E731
    host.until(flat, symbol="BTC-USD", at="100")
    assert client.get_order_status(sold["order_id"])["status"] == "filled"
    assert client.get_positions() == []


def test_M14_a_resting_order_is_acknowledged_and_cancelled(
    host: Hosted, client: AlpacaClient
) -> None:
    ack = client.submit_order(Order("BTC-USD", 1, "buy", "limit", 97.5))
    assert ack["status"] == "new", ack
    order = host.engine.book.order(ack["order_id"])
    assert order is not None
    assert (order.limit_price, order.time_in_force) == (Decimal("97.5"), "GTC")
    assert client.cancel_order(ack["order_id"]) is True
    ended = lambda: host.status_of(ack["order_id"]) == "CANCELED"  # noqa: E731
    host.until(ended, symbol="BTC-USD", at="100")
    assert client.cancel_order("nobody") is False
    with pytest.raises(KeyError, match="paper has no order 'nobody'"):
        client.get_order_status("nobody")


def test_M10_all_orders_are_cancelled(host: Hosted, client: AlpacaClient) -> None:
    acks = [client.submit_order(Order("BTC-USD", n, "buy", "limit", "96")) for n in (1, 3)]
    assert client.cancel_all_orders() is True
    ended = lambda: all(  # noqa: E731
        host.status_of(ack["order_id"]) == "CANCELED" for ack in acks
    )
    host.until(ended, symbol="BTC-USD", at="100")


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (Order("BTC-USD", 1, "buy", "limit", "200"), "PRICE_COLLAR"),
        (Order("BTC-USD", float("nan"), "buy"), "INVALID_INPUT"),
        (Order("BTC-USD", "many", "buy"), "INVALID_INPUT"),
        (Order("BTC-USD", -1, "buy"), "INVALID_INPUT"),
        (Order("SOL-USD", 1, "buy"), "NO_PRICE"),
    ],
)
def test_M14_a_refusal_is_failed_with_the_check_that_refused(
    client: AlpacaClient, order: Order, code: str
) -> None:
    ack = client.submit_order(order)
    assert (ack["status"], ack["code"], ack["order_id"]) == ("failed", code, "")
    assert ack["error"]


@pytest.mark.parametrize(
    "order",
    [
        Order("BTC-USD", 1, "hold"),
        Order("BTC-USD", 1, "buy", "trailing_stop"),
        Order("BTC-USD", 1, "buy", time_in_force="opg"),
    ],
)
def test_a_word_that_is_none_is_refused_before_anything_is_sent(
    host: Hosted, client: AlpacaClient, order: Order
) -> None:
    before = host.do(lambda: host.engine.book.data.seq)
    with pytest.raises(ValueError, match="is allowed"):
        client.submit_order(order)
    assert host.do(lambda: host.engine.book.data.seq) == before


def test_M14_an_unconnected_client_raises(host: Hosted) -> None:
    client = AlpacaClient(engine=host.engine, account="paper", loop=host.loop)
    with pytest.raises(NotConnectedError, match=r"paper is not connected: call connect\(\) first"):
        client.submit_order(Order("BTC-USD", 1, "buy"))
    assert client.connect()
    assert client.get_positions() == []
    client.disconnect()
    with pytest.raises(NotConnectedError):
        client.get_positions()
    assert host.do(lambda: host.engine.status()["running"]) is True


def test_M15_keys_are_dropped_with_a_warning(host: Hosted) -> None:
    with pytest.warns(UserWarning, match="keys given in code are dropped") as told:
        client = AlpacaClient(
            "AK-SECRET", "SK-SECRET", engine=host.engine, account="paper", loop=host.loop
        )
    assert "SECRET" not in "".join(str(one.message) for one in told)
    assert "SECRET" not in repr(vars(client)) + repr(vars(client._bridge))


def test_M03_no_address_switches_to_real_money(host: Hosted) -> None:
    live = AlpacaClient.LIVE_URL
    with pytest.raises(ValueError, match=f"{live} is of the venue's live world and the account"):
        AlpacaClient("", "", live, engine=host.engine, account="paper", loop=host.loop)
    with pytest.raises(ValueError, match="Another server is trading_url"):
        AlpacaClient("", "", "http://x", engine=host.engine, account="paper", loop=host.loop)
    for port in (7496, 4001):
        with pytest.raises(ValueError, match=f"port {port} at 127.0.0.1"):
            IBKRClient(port=port, engine=host.engine, account="paper", loop=host.loop)
    for port in (7497, 4002):
        IBKRClient(port=port, engine=host.engine, account="paper", loop=host.loop)


def test_an_account_is_named_or_the_only_one_of_its_kind(host: Hosted) -> None:
    with pytest.raises(ValueError, match=r"0 accounts are of the kind alpaca: account=\.\.\. is"):
        AlpacaClient(engine=host.engine, loop=host.loop)
    with pytest.raises(ValueError, match="there is no account 'nobody'; there is paper"):
        AlpacaClient(engine=host.engine, account="nobody", loop=host.loop)
    with pytest.raises(RuntimeError, match="the engine's loop is needed"):
        AlpacaClient(engine=host.engine, account="paper")


def test_a_call_on_the_engines_own_loop_is_refused_and_waits_for_nothing(
    host: Hosted, client: AlpacaClient
) -> None:
    with pytest.raises(RuntimeError, match="was made on the engine's own loop"):
        host.do(client.get_positions)


def test_M01_both_clients_have_all_nine_operations() -> None:
    assert len(BrokerBase.__abstractmethods__) == 9
    assert issubclass(AlpacaClient, BrokerBase)
    assert issubclass(IBKRClient, BrokerBase)


def test_a_halt_refuses_what_comes_through_here_and_an_end_refuses_all() -> None:
    with hosted() as host:
        host.price("BTC-USD", "100")
        client = AlpacaClient(engine=host.engine, account="paper", loop=host.loop)
        client.connect()
        host.do(lambda: host.engine.halt(ask.Kill(by="test", level=Level.HALT, reason="drill")))
        ack = client.submit_order(Order("BTC-USD", 1, "buy"))
        assert (ack["status"], ack["code"]) == ("failed", "KILL_SWITCH")
        assert client.cancel_all_orders() is True
        assert client.get_positions() == []
    with pytest.raises(NotConnectedError, match="the engine of paper does not run"):
        client.get_positions()
