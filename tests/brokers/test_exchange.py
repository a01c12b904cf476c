"""Two paper accounts side by side on one market (INTERFACE Several accounts)."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from typing import Any

import pytest

from brokers import PriceSource, VenueSetup, open_venue
from brokers.paper.bars import COLUMNS, check_bars
from brokers.paper.exchange import Exchange
from brokers.paper.setup import PaperConnection, book_name, open_exchange
from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.domain.market import MarketEvent, Quote
from engine.domain.run import LinkState
from engine.ports import LinkReport, OrderReport
from engine.reference.textfile import BadFile
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import run_virtual
from tests.brokers.kit import D, order
from tests.configs import from_mapping

START = parse_rfc3339("2026-03-02T15:00:00Z")
SYMBOLS = ("AAPL", "EUR_USD")

Play = Callable[[PaperConnection, PaperConnection, Exchange], Coroutine[Any, Any, None]]


def plan(clock: VirtualClock, name: str, currency: str, **more: Any) -> VenueSetup:
    config = from_mapping({})
    paper = config.brokers.of("paper").model_copy(
        update={"currency": currency, "slippage_bps": D(0), "fill_probability": D(1)}
    )
    given: dict[str, Any] = {
        "name": name,
        "kind": "paper",
        "settings": paper,
        "market": config.market.model_copy(update={"symbols": SYMBOLS}),
        "account_id": name,
        "clock": clock,
        "state_dir": None,
        "threads": False,
    }
    return VenueSetup(**(given | more))


def side_by_side(play: Play, state_dir: Path | None = None) -> None:
    """Run two connected accounts, in USD and in EUR, on one simulated market."""

    async def main(clock: VirtualClock) -> None:
        exchange = open_exchange(plan(clock, "paper", "USD"))
        opened = []
        for name, currency in (("paper", "USD"), ("euro", "EUR")):
            own = plan(clock, name, currency, exchange=exchange, state_dir=state_dir)
            connection = open_venue(own)
            assert isinstance(connection, PaperConnection)
            await connection.broker.connect()
            opened.append(connection)
        await play(opened[0], opened[1], exchange)
        for connection in opened:
            connection.close()

    run_virtual(main, START, 3600)


async def watch(exchange: Exchange, seconds: float) -> list[MarketEvent]:
    """The events of so much time."""
    assert exchange.market is not None
    seen = []
    async for event in exchange.market.events():
        if event.time >= START + seconds * NS_PER_SECOND:
            break
        seen.append(event)
    return seen


async def reports_of(connection: PaperConnection, count: int) -> list[OrderReport]:
    """So many order reports of an account."""
    found: list[OrderReport] = []
    async for report in connection.broker.reports():
        if isinstance(report, LinkReport):
            assert report.state is LinkState.CONNECTED
            continue
        found.append(report)
        if len(found) == count:
            break
    return found


def test_both_see_the_same_quotes_of_one_market() -> None:
    async def play(usd: PaperConnection, eur: PaperConnection, exchange: Exchange) -> None:
        quotes = [e for e in await watch(exchange, 10) if isinstance(e, Quote)]
        assert len(quotes) > 20
        newest = {quote.symbol: quote for quote in quotes}
        assert set(newest) == set(SYMBOLS)
        for symbol in SYMBOLS:
            assert usd.venue.quotes[symbol] is eur.venue.quotes[symbol]
        assert (usd.market, eur.market) == (None, None)

    side_by_side(play)


def test_orders_of_one_never_touch_the_other() -> None:
    async def play(usd: PaperConnection, eur: PaperConnection, exchange: Exchange) -> None:
        await watch(exchange, 5)
        untouched = eur.venue.account()
        await usd.broker.submit_order(order("same-id", "BUY", "10"))
        await usd.broker.submit_order(order("resting", "BUY", "1", limit="1"))
        ended = [r for r in await reports_of(usd, 3) if r.fill is not None]
        assert [(r.account, r.fill.account if r.fill else "") for r in ended] == [
            ("paper", "paper")
        ]
        after = eur.venue.account()
        assert (after.balances, after.equity) == (untouched.balances, untouched.equity)
        assert (eur.venue.positions(), eur.venue.open_orders()) == ((), ())
        assert await eur.broker.get_order("same-id") is None
        # The id is free in the other account, which pays in dollars and counts in euros.
        await eur.broker.submit_order(order("same-id", "BUY", "10"))
        (fill,) = [r.fill for r in await reports_of(eur, 2) if r.fill is not None]
        assert (fill.account, fill.symbol) == ("euro", "AAPL")
        cost = fill.price * 10 + fill.commission
        account = await eur.broker.get_account()
        assert (account.account_id, account.currency) == ("euro", "EUR")
        assert account.balances == {"EUR": D(100_000), "USD": -cost}
        await usd.broker.cancel_all()
        assert usd.venue.open_orders() == ()
        assert eur.venue.position("AAPL") == usd.venue.position("AAPL") == 10
        assert exchange.position("AAPL") == 20

    side_by_side(play)


def test_each_keeps_a_book_of_its_own_and_a_restart_finds_both(tmp_path: Path) -> None:
    async def buy(usd: PaperConnection, eur: PaperConnection, exchange: Exchange) -> None:
        await watch(exchange, 5)
        await usd.broker.submit_order(order("a", "BUY", "10"))
        await eur.broker.submit_order(order("b", "SELL_SHORT", "4"))

    async def look(usd: PaperConnection, eur: PaperConnection, exchange: Exchange) -> None:
        assert (usd.venue.position("AAPL"), eur.venue.position("AAPL")) == (D(10), D(-4))
        assert (usd.venue.account().currency, eur.venue.account().currency) == ("USD", "EUR")

    side_by_side(buy, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["paper-euro.db", "paper.db"]
    side_by_side(look, tmp_path)


def test_the_book_of_an_account_is_named_after_it() -> None:
    assert [book_name(name) for name in ("paper", "euro", "euro_2")] == [
        "paper.db",
        "paper-euro.db",
        "paper-euro_2.db",
    ]


def test_an_account_that_left_meets_no_more_prices() -> None:
    async def play(usd: PaperConnection, eur: PaperConnection, exchange: Exchange) -> None:
        await watch(exchange, 2)
        exchange.leave(eur.venue)
        before = eur.venue.quotes["AAPL"]
        usd.venue.set_price("AAPL", D(1))
        exchange.on_price(usd.venue.quotes["AAPL"])
        assert eur.venue.quotes["AAPL"] is before
        exchange.join(eur.venue)

    side_by_side(play)


def test_accounts_draw_numbers_of_their_own_and_the_first_draws_as_before() -> None:
    def drawn(name: str) -> float:
        found: list[float] = []

        async def main(clock: VirtualClock) -> None:
            opened = open_venue(plan(clock, name, "USD", prices=PriceSource.BY_HAND))
            assert isinstance(opened, PaperConnection)
            found.append(opened.venue._filling._random.random())
            opened.close()

        run_virtual(main, START, 10)
        return found[0]

    assert drawn("paper") == Random("venue 7").random()
    assert drawn("euro") == Random("venue 7 euro").random()


def test_a_market_with_a_future_that_no_table_names_does_not_open(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(",".join(COLUMNS) + "\n2013-10-07T14:01:00Z,ES 2013-12,10,10,10,10,,,,,\n")

    async def main(clock: VirtualClock) -> None:
        with pytest.raises(BadFile, match=r"bars\.csv: ES 2013-12 is a future without"):
            open_venue(plan(clock, "paper", "USD", bars=check_bars(path)))
        market = from_mapping({}).market.model_copy(update={"symbols": ("ES 2013-12",)})
        with pytest.raises(BadFile, match=r"\[market\] symbols: ES 2013-12 is a future without"):
            open_exchange(plan(clock, "paper", "USD", market=market))

    run_virtual(main, START, 10)
