"""OANDA's prices: one stream of quotes, bars of the middle, and past bars (C-270)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from typing import Any, cast

import pytest

from brokers.oanda.api import OandaApi, oanda_budget
from brokers.oanda.market import MidBars, OandaMarket
from engine.domain.instant import NS_PER_SECOND
from engine.domain.market import Bar, Depth, MarketEvent, Quote
from engine.ports import Ambiguous, AuthFailed, BrokerError, Rejected
from tests.venues.oanda import SYMBOL, OandaServer
from tests.venues.oanda_lab import plan

D = Decimal


@pytest.fixture
async def server() -> AsyncIterator[OandaServer]:
    async with OandaServer() as served:
        yield served


def market_of(
    server: OandaServer, *, bar_seconds: int = 5, silence_seconds: float = 60
) -> OandaMarket:
    given = plan(server)
    api = OandaApi(given.name, given.settings, given.secret, oanda_budget(given.clock.monotonic))
    return OandaMarket(api, (SYMBOL,), bar_seconds=bar_seconds, silence_seconds=silence_seconds)


class Watch:
    """Whoever reads the prices, from the moment at which the server tells them."""

    def __init__(self, server: OandaServer, market: OandaMarket) -> None:
        self._server = server
        self._events = cast("AsyncGenerator[MarketEvent, None]", market.events())

    async def begin(self) -> "asyncio.Task[MarketEvent]":
        """Ask for the first event, and return once the stream stands."""
        first = asyncio.create_task(self.next())
        await asyncio.wait_for(self._server.watched.wait(), 5)
        return first

    async def next(self) -> MarketEvent:
        return await asyncio.wait_for(anext(self._events), 5)

    async def aclose(self) -> None:
        await self._events.aclose()


async def test_a_price_is_a_quote_of_both_sides_and_its_depth(server: OandaServer) -> None:
    async with aclosing(Watch(server, market_of(server))) as watch:
        first = await watch.begin()
        server.quote(SYMBOL, "99.98", "100.02")
        quote = await first
        assert isinstance(quote, Quote)
        assert (quote.symbol, quote.bid, quote.ask, quote.last) == (
            SYMBOL, D("99.98"), D("100.02"), D(100),
        )  # fmt: skip
        assert (quote.bid_size, quote.trade, quote.fault) == (D(1_000_000), False, "")
        depth = await watch.next()
        assert isinstance(depth, Depth)
        assert [level.price for level in depth.asks] == [D("100.02"), D("101.02")]
        assert depth.is_sound
    (query,) = [path for name, _, path in server.requests if name == "pricing_stream"]
    assert query.endswith("/pricing/stream?instruments=EUR_USD&snapshot=true")


async def test_what_cannot_be_traded_is_no_price(server: OandaServer) -> None:
    """As at a weekend: the price grows old, which stops entries by itself."""
    async with aclosing(Watch(server, market_of(server))) as watch:
        first = await watch.begin()
        server.tradeable = False
        server.quote(SYMBOL, "90", "91")
        server.tradeable = True
        server.quote(SYMBOL, "99", "101")
        quote = await first
        assert isinstance(quote, Quote)
        assert quote.bid == 99


@pytest.mark.parametrize(
    ("line", "said"),
    [(b"<html>\n", "cannot be read"), (b'{"type": "PRICE", "bids": 7}\n', "cannot be read")],
)
async def test_a_line_that_cannot_be_read_ends_the_prices(
    server: OandaServer, line: bytes, said: str
) -> None:
    async with aclosing(Watch(server, market_of(server))) as watch:
        first = await watch.begin()
        server.say_price(line)
        with pytest.raises(Ambiguous, match=said):
            await first


async def test_a_number_that_is_none_is_seen_to_be_none(server: OandaServer) -> None:
    async with aclosing(Watch(server, market_of(server))) as watch:
        first = await watch.begin()
        server.say_price(
            b'{"type": "PRICE", "instrument": "EUR_USD", "tradeable": true, "bids": '
            b'[{"price": "?"}], "asks": [{"price": "1"}], "time": "2026-03-02T15:00:00Z"}\n'
        )
        quote = await first
        assert isinstance(quote, Quote)
        assert quote.fault


async def test_prices_that_fall_silent_are_over(server: OandaServer) -> None:
    async with aclosing(Watch(server, market_of(server, silence_seconds=0.2))) as watch:
        with pytest.raises(Ambiguous, match="nothing was heard"):
            await watch.next()


@pytest.mark.parametrize(("status", "kind"), [(401, AuthFailed), (404, Rejected)])
async def test_prices_that_are_refused_are_one_of_the_six(
    server: OandaServer, status: int, kind: type[BrokerError]
) -> None:
    server.fault("pricing_stream", "status_before", status=status)
    async with aclosing(Watch(server, market_of(server))) as watch:
        with pytest.raises(kind):
            await watch.next()


async def test_who_stops_watching_leaves_nothing_open(server: OandaServer) -> None:
    async with aclosing(Watch(server, market_of(server))) as watch:
        first = await watch.begin()
        server.quote(SYMBOL, "99", "101")
        await first
    assert not [t for t in asyncio.all_tasks() if t.get_name().startswith("stream ")]


# --- bars


def _candle(time: str, close: str, *, complete: bool = True) -> dict[str, Any]:
    mid = {"o": "1.0", "h": "1.3", "l": "0.9", "c": close}
    return {"time": time, "complete": complete, "volume": 7, "mid": mid}


async def test_past_bars_are_dated_by_their_end_and_the_open_one_is_left_out(
    server: OandaServer,
) -> None:
    """The volume that it states counts ticks, and is none."""
    server.candles = [
        _candle("2026-03-02T14:59:50.000000000Z", "1.1"),
        _candle("2026-03-02T14:59:55.000000000Z", "1.2"),
        _candle("2026-03-02T15:00:00.000000000Z", "1.3", complete=False),
    ]
    market = market_of(server)
    bars = await market.history(SYMBOL, 2)
    assert [(bar.time, bar.close) for bar in bars if isinstance(bar, Bar)] == [
        (1_772_463_595 * NS_PER_SECOND, D("1.1")),
        (1_772_463_600 * NS_PER_SECOND, D("1.2")),
    ]
    (name, _, query) = server.requests[-1]
    assert (name, query) == (
        "candles", "/v3/instruments/EUR_USD/candles?price=M&granularity=S5&count=3",
    )  # fmt: skip
    assert all(isinstance(bar, Bar) and bar.volume is None and not bar.fault for bar in bars)
    (newest,) = await market.history(SYMBOL, 1)
    assert newest == bars[1]


async def test_there_is_no_past_of_a_length_that_oanda_has_not(server: OandaServer) -> None:
    assert await market_of(server, bar_seconds=7).history(SYMBOL, 10) == ()
    assert server.requests == []


async def test_a_past_that_cannot_be_had_raises(server: OandaServer) -> None:
    server.fault("candles", "status_before", status=503)
    with pytest.raises(Ambiguous):
        await market_of(server).history(SYMBOL, 10)


def _told(bars: MidBars, now: int) -> list[tuple[int, list[str]]]:
    return [
        (bar.time // NS_PER_SECOND, [str(p) for p in (bar.open, bar.high, bar.low, bar.close)])
        for bar in bars.completed(now * NS_PER_SECOND)
    ]


def test_a_bar_is_complete_with_the_first_line_behind_its_end() -> None:
    bars = MidBars(5)
    for at, price in ((3, "9"), (5, "10"), (7, "12"), (8, "8"), (9, "11")):
        assert _told(bars, at) == []
        bars.add(SYMBOL, D(price), at * NS_PER_SECOND)
    assert _told(bars, 9) == []
    assert _told(bars, 10) == [(10, ["10", "12", "8", "11"])]
    assert _told(bars, 10) == []


def test_the_bar_in_which_the_stream_began_is_left_out() -> None:
    bars = MidBars(5)
    bars.add(SYMBOL, D(9), 4 * NS_PER_SECOND)
    assert _told(bars, 5) == []
    bars.add(SYMBOL, D(10), 6 * NS_PER_SECOND)
    assert _told(bars, 10) == [(10, ["10", "10", "10", "10"])]


def test_a_price_of_before_a_bar_that_was_told_is_too_late() -> None:
    bars = MidBars(5)
    bars.add(SYMBOL, D(9), 4 * NS_PER_SECOND)
    bars.completed(5 * NS_PER_SECOND)
    bars.add(SYMBOL, D(10), 6 * NS_PER_SECOND)
    assert len(_told(bars, 10)) == 1
    bars.add(SYMBOL, D(99), 9 * NS_PER_SECOND)
    assert _told(bars, 20) == []


async def test_a_bar_is_told_by_the_heartbeat_where_no_price_comes(server: OandaServer) -> None:
    """Two bars of 5 s, by the venue's clock; the stream began within the first."""
    async with aclosing(Watch(server, market_of(server))) as watch:
        first = await watch.begin()
        for skew in (0, 5, 10):
            server.exchange.skew = skew * NS_PER_SECOND
            server.quote(SYMBOL, "99", "101")
        server.exchange.skew = 20 * NS_PER_SECOND
        server.price_beat()
        events = [await first]
        while not isinstance(events[-1], Bar):
            events.append(await watch.next())
        bar = events[-1]
        assert isinstance(bar, Bar)
        assert (bar.close, bar.seconds, bar.time % (5 * NS_PER_SECOND)) == (D(100), 5, 0)
