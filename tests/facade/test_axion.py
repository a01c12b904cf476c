"""Axion's broker and routers: the broker over a local Alpaca, the rest by the published numbers
(A-240, A-452, A-453, A-460 to A-472, T-26)."""

import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.facade.axion import (
    AlpacaBroker,
    CostOptimizer,
    Order,
    OrderRouter,
    RouteScorer,
    SmartRouter,
)
from engine.reference.venues import us_equities
from tests.facade.hosted import FREE, Hosted, hosted
from tests.venues.alpaca import KEY, SECRET, AlpacaServer

NBBO = {"bid": 99.98, "ask": 100.02}


# --- the broker, at a local Alpaca ----------------------------------------------------------------


class Venue:
    """A local Alpaca, and the engine that trades there."""

    def __init__(self) -> None:
        self.server = AlpacaServer()
        self.host: Hosted

    async def begin(self, stack: AsyncExitStack) -> dict[str, Any]:
        await stack.enter_async_context(self.server)
        self.server.exchange.set_price("BTC/USD", Decimal(100))
        address = {
            "trading_url": self.server.url,
            "trading_stream_url": f"{self.server.ws_url}/stream",
            "data_url": self.server.url,
            "data_stream_url": self.server.ws_url,
        }
        return {"brokers": {"alpaca": address}}

    def price(self, last: str) -> None:
        self.host.price("BTC-USD", last)
        self.host.do(lambda: self.server.exchange.set_price("BTC/USD", Decimal(last)))


@pytest.fixture
def venue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    monkeypatch.setenv("ALPACA_API_KEY", KEY)
    monkeypatch.setenv("ALPACA_SECRET_KEY", SECRET)
    made = Venue()
    tree = {
        "profile": "axion_aggressive",
        "account": {"primary": "alpaca"},
        "market": {"symbols": ["BTC-USD"], "source": "broker"},
        "signals": {"builtin": ""},
    }
    with hosted(tree, made.begin) as made.host:
        made.price("100")
        yield made


def test_A453_the_example_buys_at_alpaca_and_reads_its_positions(venue: Venue) -> None:
    host = venue.host
    broker = AlpacaBroker(paper=True, engine=host.engine, loop=host.loop)
    assert broker.connect() is True
    assert broker.is_connected
    order = Order("BTC-USD", "buy", 2, time_in_force="gtc")
    result = broker.submit_order(order)
    assert (result.broker, result.rejection_reason) == ("alpaca", "")
    assert result.status in {"pending", "filled"}
    host.until(lambda: host.status_of(result.order_id) == "FILLED", symbol="BTC-USD", at="100")
    found = broker.get_order(result.order_id)
    assert found is not None
    assert (found.status, found.filled_qty, found.filled_price) == ("filled", 2, 100)
    host.until(lambda: bool(host.engine.book.held("BTC-USD")), symbol="BTC-USD", at="100")
    (position,) = broker.get_positions()
    assert (position.ticker, position.direction, position.entry_price) == ("BTC-USD", "long", 100)
    assert position.stop_loss is None
    assert broker.get_position("BTC-USD") == position
    assert broker.get_position("ETH-USD") is None
    assert broker.get_last_price("BTC-USD") == 100
    assert broker.get_last_prices(["BTC-USD", "ETH-USD"]) == {"BTC-USD": 100, "ETH-USD": None}
    account = broker.get_account()
    assert account.open_positions == [position]
    assert account.equity > 0
    # The server saw one order, of the id that the caller was told.
    (posted,) = venue.server.bodies
    assert posted["client_order_id"] == result.order_id
    assert posted["symbol"].replace("/", "") == "BTCUSD"


def test_A452_orders_rest_are_listed_and_cancelled(venue: Venue) -> None:
    host = venue.host
    broker = AlpacaBroker(engine=host.engine, account="alpaca", loop=host.loop)
    broker.connect()

    def rest(quantity: int) -> str:
        given = Order("BTC-USD", "buy", quantity, "limit", 97, time_in_force="gtc")
        result = broker.submit_order(given)
        assert result.status == "pending", result
        return result.order_id

    first, second = rest(1), rest(2)
    assert [one.order_id for one in broker.get_orders()] == [second, first]
    assert [one.order_id for one in broker.get_orders(limit=1)] == [second]
    assert broker.cancel_order(first) is True
    host.until(lambda: host.status_of(first) == "CANCELED", symbol="BTC-USD", at="100")
    assert broker.cancel_all_orders() == 1
    host.until(lambda: host.status_of(second) == "CANCELED", symbol="BTC-USD", at="100")
    assert broker.get_orders() == []
    assert {one.status for one in broker.get_orders("closed")} == {"cancelled"}
    assert len(broker.get_orders("all")) == 2
    with pytest.raises(ValueError, match="status is 'new'; open, closed or all is allowed"):
        broker.get_orders("new")


def test_no_order_goes_around_the_gate(venue: Venue) -> None:
    host = venue.host
    broker = AlpacaBroker(engine=host.engine, loop=host.loop)
    broker.connect()
    far = Order("BTC-USD", "buy", 1, "limit", 200, time_in_force="gtc")
    refused = broker.submit_order(far)
    assert (refused.status, refused.broker, refused.order_id) == ("rejected", "none", "")
    assert refused.rejection_reason.startswith("PRICE_COLLAR: ")
    assert venue.server.bodies == []
    with pytest.raises(ValueError, match="paper=False is of the venue's live world"):
        AlpacaBroker(paper=False, engine=host.engine, loop=host.loop)
    with pytest.warns(UserWarning, match="keys given in code are dropped"):
        AlpacaBroker("a key", "a secret", engine=host.engine, loop=host.loop)


def test_the_example_of_the_document_trades(
    venue: Venue, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (root / "docs" / "names.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    space: dict[str, Any] = {}
    exec(code, space)
    space["trade"](venue.host.engine, venue.host.loop)
    order_id, status = capsys.readouterr().out.split()
    assert status in {"new", "partially_filled", "filled"}
    assert [body["client_order_id"] for body in venue.server.bodies] == [order_id]


# --- the router to a broker -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def two() -> Iterator[Hosted]:
    tree = {
        "profile": "axion_aggressive",
        "signals": {"builtin": ""},
        "market": {"symbols": ["BTC-USD", "ETH-USD"]},
        "brokers": {"paper": FREE, "second": {"kind": "paper", **FREE}},
        "routes": [{"symbol": "ETH*", "broker": "second"}],
    }
    with hosted(tree) as running:
        running.price("BTC-USD", "100")
        running.price("ETH-USD", "10")
        yield running


def test_A240_an_order_goes_where_the_engines_routes_say(two: Hosted) -> None:
    router = OrderRouter(engine=two.engine, loop=two.loop)
    placed = [
        router.submit(Order(ticker, "long", 1, time_in_force="gtc", signal_id=f"of {ticker}"))
        for ticker in ("BTC-USD", "ETH-USD")
    ]
    assert [one.broker for one in placed] == ["paper", "second"]
    for one, (symbol, at) in zip(placed, (("BTC-USD", "100"), ("ETH-USD", "10")), strict=True):
        two.until(lambda o=one: two.status_of(o.order_id) == "FILLED", symbol=symbol, at=at)  # type: ignore[misc]
    assert {one.broker: one.ticker for one in router.get_positions()} == {
        "paper": "BTC-USD",
        "second": "ETH-USD",
    }
    account = router.get_account()
    assert (account.equity, account.daily_pnl) == (200_000, 0)
    # A second order of one signal gets the answer of the first, and buys nothing.
    again = router.submit(Order("BTC-USD", "long", 1, time_in_force="gtc", signal_id="of BTC-USD"))
    assert again.order_id == placed[0].order_id
    assert [one.shares for one in router.get_positions()] == [1, 1]


def test_X47_the_other_names_are_the_same(two: Hosted) -> None:
    router = OrderRouter(engine=two.engine, loop=two.loop)
    resting = router.submit_order(Order("ETH-USD", "buy", 2, "limit", 9.7, time_in_force="gtc"))
    assert resting.status == "pending"
    assert router.cancel_order(resting.order_id) is True
    two.until(lambda: two.status_of(resting.order_id) == "CANCELED", symbol="ETH-USD", at="10")
    assert router.cancel("nobody") is False


def test_A240_a_broker_that_the_config_does_not_name_is_refused(two: Hosted) -> None:
    given = SimpleNamespace(primary_broker="paper", fallback_broker="")
    OrderRouter(given, engine=two.engine, loop=two.loop)
    given.primary_broker = "ibkr"
    with pytest.raises(ValueError, match=r"primary_broker is 'ibkr' and \[account\] says 'paper'"):
        OrderRouter(given, engine=two.engine, loop=two.loop)


# --- between venues -------------------------------------------------------------------------------


def test_A460_route_and_split_order() -> None:
    router = SmartRouter()
    order = Order("AAPL", "buy", 5000)
    decision = router.route(order, adv=1_000_000, nbbo=NBBO)
    assert sum(one.quantity for one in decision.slices) == 5000
    assert decision.order.reference == 100  # the middle of the best prices
    assert router.split_order(order, adv=1_000_000, nbbo=NBBO) == decision.slices
    by_other_name = router.route_order("o-1", "AAPL", "buy", 5000, 100, 1_000_000, (99.98, 100.02))
    assert by_other_name.slices == decision.slices
    assert by_other_name.order.order_id == "o-1"


def test_A460_a_strategy_is_one_of_the_published() -> None:
    decision = SmartRouter(strategy="fastest_fill").route(Order("AAPL", "sell", 5003), nbbo=NBBO)
    assert sum(one.quantity for one in decision.slices) == 5003
    assert len(decision.slices) == 5
    with pytest.raises(ValueError, match="'cheapest' is not a valid Strategy"):
        SmartRouter(strategy="cheapest")


def test_A472_a_broker_without_venues_gets_the_order_as_it_is() -> None:
    decision = SmartRouter(venues=()).route(Order("AAPL", "buy", 5000), nbbo=NBBO)
    assert [(one.venue, one.quantity) for one in decision.slices] == [("", 5000)]
    assert decision.passes_through


def test_A460_the_scorer_puts_the_best_first() -> None:
    scorer = RouteScorer()
    found = scorer.score(us_equities(), Order("AAPL", "buy", 1000), price=100, adv=1_000_000)
    able = [one for one in found if not one.excluded]
    assert [one.score for one in able] == sorted((one.score for one in able), reverse=True)
    assert [one.venue.name for one in found[-2:]] == ["EDGX", "EDGA"]
    (nasdaq,) = [one for one in found if one.venue.name == "NASDAQ"]
    assert nasdaq.fill_probability == Decimal("0.9756")  # 0.88 x 0.995 + 0.10


def test_A467_a_sale_scores_as_a_purchase_does() -> None:
    scorer = RouteScorer()
    both = [
        [one.score for one in scorer.score(us_equities(), Order("AAPL", side, 1000), nbbo=NBBO)]
        for side in ("buy", "sell")
    ]
    assert both[0] == both[1]


def test_A460_the_optimizer_puts_the_cheapest_first() -> None:
    routes = RouteScorer().score(us_equities(), Order("AAPL", "buy", 1000), price=100)
    found = CostOptimizer().optimize(routes)
    totals = [one.cost.total for one in found if one.cost is not None]
    assert totals == sorted(totals)
    assert len(totals) == 9
    assert found[0].venue.name == "BYX"  # it pays who takes


def test_without_any_price_there_is_nothing_to_count_by() -> None:
    with pytest.raises(ValueError, match="AAPL cannot be routed: no price is known"):
        SmartRouter().route(Order("AAPL", "buy", 1))
