"""Prices of Binance: quotes, bars, and a book that is never told with a gap in it (C-210)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from brokers.binance.depth import Book, Change, Snapshot
from brokers.binance.market import BinanceMarket
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND
from engine.domain.market import Bar, Depth, MarketEvent, Quote
from engine.ports import NotSent
from tests.brokers.conformance import PATIENCE_SECONDS
from tests.venues.binance import BinanceServer
from tests.venues.binance_account import SYMBOL, THEIRS, opened

D = Decimal
MINUTE_MS = 60_000
TICKER = {"u": 1, "s": THEIRS, "b": "99.9", "B": "3", "a": "100.1", "A": "4"}


@pytest.fixture
async def server() -> AsyncIterator[BinanceServer]:
    async with BinanceServer() as served:
        served.depth[THEIRS] = {"lastUpdateId": 10, "bids": [["99", "1"]], "asks": [["101", "2"]]}
        yield served


@pytest.fixture
async def events(server: BinanceServer) -> AsyncIterator[AsyncIterator[MarketEvent]]:
    market = opened(server).market
    assert market is not None
    async with aclosing(market.events()) as told:  # type: ignore[type-var]
        yield told


async def first(events: AsyncIterator[MarketEvent], server: BinanceServer) -> MarketEvent:
    """The first event: the streams are asked for when somebody begins to read."""
    task = asyncio.ensure_future(anext(events))
    await server.watched.wait()
    server.publish("btcusdt@bookTicker", TICKER)
    return await task


def change(begin: int, end: int, **rows: list[list[str]]) -> dict[str, Any]:
    """A depthUpdate."""
    return {
        "e": "depthUpdate", "E": 1_770_000_000_000, "s": THEIRS, "U": begin, "u": end,
        "b": rows.get("b", []), "a": rows.get("a", []),
    }  # fmt: skip


async def test_a_quote_has_both_sides_and_the_last_trade_once_there_was_one(
    server: BinanceServer, events: AsyncIterator[MarketEvent]
) -> None:
    quote = await first(events, server)
    assert isinstance(quote, Quote)
    assert (quote.symbol, quote.bid, quote.ask_size) == (SYMBOL, D("99.9"), D(4))
    assert (quote.last, quote.trade) == (D(100), False)
    assert abs(quote.time - server.now_ms() * NS_PER_MS) < NS_PER_SECOND
    server.publish("btcusdt@aggTrade", {"e": "aggTrade", "p": "100.1", "T": 1_770_000_000_001})
    traded = await anext(events)
    assert isinstance(traded, Quote)
    assert (traded.last, traded.trade, traded.bid) == (D("100.1"), True, D("99.9"))
    assert traded.time == 1_770_000_000_001 * NS_PER_MS
    server.publish("btcusdt@bookTicker", TICKER)
    again = await anext(events)
    assert isinstance(again, Quote)
    assert (again.last, again.trade, again.fault) == (D("100.1"), False, "")


async def test_one_side_alone_is_no_price_before_the_first_trade(
    server: BinanceServer, events: AsyncIterator[MarketEvent]
) -> None:
    """Binance writes 0 for a side that is not there: half of the other is no middle."""
    task = asyncio.ensure_future(anext(events))
    await server.watched.wait()
    for side in ("b", "a"):
        server.publish("btcusdt@bookTicker", TICKER | {side: "0.00000000"})
    server.publish("btcusdt@bookTicker", TICKER)
    quote = await task
    assert isinstance(quote, Quote)
    assert (quote.bid, quote.last) == (D("99.9"), D(100))
    server.publish("btcusdt@aggTrade", {"e": "aggTrade", "p": "100.1", "T": 1_770_000_000_001})
    server.publish("btcusdt@bookTicker", TICKER | {"b": "0.00000000"})
    await anext(events)
    again = await anext(events)
    assert isinstance(again, Quote)
    assert (again.last, again.fault) == (D("100.1"), "")


async def test_a_bar_is_told_once_it_is_complete_and_dated_by_its_end(
    server: BinanceServer, events: AsyncIterator[MarketEvent]
) -> None:
    await first(events, server)
    candle = {
        "t": 1_770_000_000_000, "T": 1_770_000_059_999, "i": "1m", "o": "1.0", "h": "3.0",
        "l": "0.5", "c": "2.0", "v": "7", "x": False,
    }  # fmt: skip
    for complete in (False, True):
        server.publish("btcusdt@kline_1m", {"e": "kline", "k": candle | {"x": complete}})
    bar = await anext(events)
    assert isinstance(bar, Bar)
    assert bar.time == 1_770_000_060_000 * NS_PER_MS
    assert (bar.seconds, bar.open, bar.high, bar.low, bar.close, bar.volume) == (
        60, D(1), D(3), D("0.5"), D(2), D(7),
    )  # fmt: skip
    assert not bar.fault


async def test_the_book_begins_with_a_snapshot_and_a_gap_brings_another(
    server: BinanceServer, events: AsyncIterator[MarketEvent]
) -> None:
    await first(events, server)
    server.publish("btcusdt@depth@100ms", change(9, 11, b=[["99.5", "5"]]))
    begun = await anext(events)
    assert isinstance(begun, Depth)
    assert [level.price for level in begun.bids] == [D("99.5"), D(99)]
    server.publish("btcusdt@depth@100ms", change(12, 12, b=[["99", "0"]]))
    told = await anext(events)
    assert isinstance(told, Depth)
    assert [level.price for level in told.bids] == [D("99.5")]
    server.depth[THEIRS] = {"lastUpdateId": 15, "bids": [["98", "1"]], "asks": [["102", "2"]]}
    server.publish("btcusdt@depth@100ms", change(14, 15, b=[["97", "1"]]))
    again = await anext(events)
    assert isinstance(again, Depth)
    assert [level.price for level in again.bids] == [D(98)]
    assert server.count("depth") == 2


async def test_a_stream_that_ends_ends_the_events_with_the_reason(
    server: BinanceServer, events: AsyncIterator[MarketEvent]
) -> None:
    await first(events, server)
    await server.hang_up(1001)
    with pytest.raises(NotSent, match="1001"):
        await anext(events)


async def test_C441_prices_over_a_link_of_which_one_half_is_gone_end(
    server: BinanceServer, events: AsyncIterator[MarketEvent]
) -> None:
    server.half_open = True
    await first(events, server)
    with pytest.raises(NotSent):
        await asyncio.wait_for(anext(events), PATIENCE_SECONDS)


async def test_the_past_is_complete_bars_oldest_first(server: BinanceServer) -> None:
    now = server.now_ms() // MINUTE_MS * MINUTE_MS
    server.klines[THEIRS] = [
        [begin, "1", "3", "0.5", "2", "7", begin + MINUTE_MS - 1, "0", 1, "0", "0", "0"]
        for begin in range(now - 5 * MINUTE_MS, now + 1, MINUTE_MS)
    ]
    market = opened(server).market
    assert isinstance(market, BinanceMarket)
    for asked, got in ((0, 0), (1, 1), (4, 4), (5, 5), (6, 5)):
        bars = await market.history(SYMBOL, asked)
        assert len(bars) == got
        assert [bar.time for bar in bars] == sorted(bar.time for bar in bars)
        assert all(bar.time <= now * NS_PER_MS for bar in bars)
    assert await market.history("AAPL", 5) == ()


# --- the book itself


def book(*changes: tuple[int, int], snapshot: int) -> Book:
    """A book that heard those changes before its snapshot."""
    made = Book()
    for begin, end in changes:
        assert not made.change(msgspec.convert(change(begin, end), Change))
    made.snapshot(Snapshot(snapshot, [("99", "1")], [("101", "1")]))
    return made


@pytest.mark.parametrize(
    ("snapshot", "gap"), [(8, True), (9, False), (10, False), (12, False), (15, False), (16, False)]
)
def test_a_snapshot_must_reach_the_changes_that_were_kept(snapshot: int, gap: bool) -> None:
    """They begin at 10 and end at 15."""
    assert book((10, 12), (13, 15), snapshot=snapshot).has_gap is gap


@pytest.mark.parametrize(("begin", "whole"), [(15, True), (16, True), (17, False)])
def test_the_next_change_must_begin_where_the_last_one_ended(begin: int, whole: bool) -> None:
    made = book((10, 15), snapshot=12)
    assert made.change(msgspec.convert(change(begin, begin + 1), Change)) is whole


def test_a_change_that_is_in_the_snapshot_already_changes_nothing() -> None:
    made = book(snapshot=20)
    assert made.change(msgspec.convert(change(19, 20, b=[["99", "0"]]), Change))
    assert made.depth(SYMBOL, 1).bids[0].price == D(99)


def test_a_level_that_is_no_number_is_no_level() -> None:
    made = book(snapshot=20)
    with pytest.raises(ValueError, match="level"):
        made.change(msgspec.convert(change(21, 21, b=[["NaN", "1"]]), Change))
