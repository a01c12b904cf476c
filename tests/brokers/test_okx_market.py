"""Prices of OKX: quotes, trades, books that prove themselves, completed bars."""

import asyncio
import os
import zlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from brokers import PriceSource, open_venue
from brokers.okx.book import Book, BookFault, BookRow
from brokers.okx.market import Feed
from engine.config.trading import MarketConfig
from engine.domain.market import Bar, Depth, DepthLevel, MarketEvent, Quote
from engine.ports import Ambiguous, MarketData, NotSent
from engine.reference.textfile import BadFile
from tests.venues.okx import OkxServer
from tests.venues.okx_lab import SYMBOL, opened, setup_of

D = Decimal
PATIENCE_SECONDS = 5


@pytest.fixture
async def server() -> AsyncIterator[OkxServer]:
    async with OkxServer() as served:
        yield served


@pytest.fixture
def market(server: OkxServer) -> MarketData:
    market = opened(server).market
    assert market is not None
    return market


class Reader:
    """Reads a market's events one by one."""

    def __init__(self, events: AsyncIterator[MarketEvent]) -> None:
        self._events = events

    async def next(self, kind: type[Any]) -> Any:
        """The next event of that kind."""
        while True:
            event = await asyncio.wait_for(anext(self._events), PATIENCE_SECONDS)
            if isinstance(event, kind):
                return event

    async def end(self) -> None:
        """Read until the stream is over, and raise what it raises."""
        while True:
            await self.next(object)


async def begun(server: OkxServer, events: AsyncIterator[MarketEvent]) -> Reader:
    """A reader whose streams stand, and a price of 100."""

    async def begin() -> MarketEvent:
        return await anext(events)

    first = asyncio.create_task(begin())
    for _ in range(8):  # four channels of two symbols
        await asyncio.wait_for(server.subscribed.acquire(), PATIENCE_SECONDS)
    await server.set_price(SYMBOL, D(100))
    await asyncio.wait_for(first, PATIENCE_SECONDS)
    return Reader(events)


async def test_quotes_trades_and_depth_are_told(server: OkxServer, market: MarketData) -> None:
    async with aclosing(market.events()) as events:  # type: ignore[type-var]
        reader = await begun(server, events)
        await server.set_price(SYMBOL, D(101))
        assert not (await reader.next(Depth)).bids  # before there was a price
        depth = await reader.next(Depth)
        assert depth.bids[0] == DepthLevel(D("99.99"), D("1.50"))
        quote = await reader.next(Quote)
        assert (quote.bid, quote.ask, quote.last) == (D("100.99"), D("101.01"), D(101))
        assert (quote.fault, quote.trade, quote.time > 0) == ("", False, True)
        trade = await reader.next(Quote)
        assert (trade.last, trade.trade, trade.fault) == (D(101), True, "")
        depth = await reader.next(Depth)
        assert (len(depth.asks), depth.asks[0].price, depth.is_sound) == (3, D("101.01"), True)
    assert server.sockets == [] or all(s.response.closed for s in server.sockets)


async def test_a_change_of_the_book_is_applied(server: OkxServer, market: MarketData) -> None:
    async with aclosing(market.events()) as events:  # type: ignore[type-var]
        reader = await begun(server, events)
        for _ in range(2):
            await reader.next(Depth)
        server.change_book(SYMBOL, "7.25")
        assert (await reader.next(Depth)).bids[0].size == D("7.25")


@pytest.mark.parametrize(
    ("fault", "words"), [({"skip": 1}, "was before"), ({"checksum": 1}, "checksum")]
)
async def test_a_book_that_misses_a_change_or_disagrees_ends_the_stream(
    server: OkxServer, market: MarketData, fault: dict[str, int], words: str
) -> None:
    async with aclosing(market.events()) as events:  # type: ignore[type-var]
        reader = await begun(server, events)
        server.change_book(SYMBOL, "7.25", **fault)
        with pytest.raises(Ambiguous, match=words):
            await reader.end()


async def test_a_bar_is_told_once_it_is_complete(server: OkxServer, market: MarketData) -> None:
    async with aclosing(market.events()) as events:  # type: ignore[type-var]
        reader = await begun(server, events)
        server.tell_candle(SYMBOL, done=False)
        server.tell_candle(SYMBOL, done=True)
        bar = await reader.next(Bar)
        assert (bar.close, bar.seconds, bar.fault) == (D("100.5"), 60, "")
        assert bar.time % 60_000_000_000 == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await reader.next(Bar)


async def test_a_notice_ends_the_prices(server: OkxServer, market: MarketData) -> None:
    async with aclosing(market.events()) as events:  # type: ignore[type-var]
        reader = await begun(server, events)
        server.notice()
        with pytest.raises(Ambiguous, match="64008"):
            await reader.end()


async def test_without_a_venue_prices_do_not_begin(server: OkxServer, market: MarketData) -> None:
    await server.stop()
    async with aclosing(market.events()) as events:  # type: ignore[type-var]
        with pytest.raises(NotSent):
            await anext(events)


@pytest.mark.parametrize("bars", [1, 5, 301])
async def test_completed_bars_are_told_oldest_first_and_as_many_as_wanted(
    server: OkxServer, market: MarketData, bars: int
) -> None:
    told = await market.history(SYMBOL, bars)
    assert len(told) == bars
    times = [bar.time for bar in told]
    assert times == sorted(set(times))
    assert {b - a for a, b in pairwise(times)} <= {60_000_000_000}
    assert times[-1] <= server.exchange.now()
    assert all(isinstance(bar, Bar) and not bar.fault for bar in told)


def test_a_market_without_a_pair_is_refused_in_words() -> None:
    plan = setup_of(OkxServer())
    alone = msgspec.structs.replace(plan, market=MarketConfig(symbols=("AAPL", "SPY")))
    with pytest.raises(BadFile, match="AAPL, SPY"):
        open_venue(alone)
    by_hand = msgspec.structs.replace(alone, prices=PriceSource.BY_HAND)
    assert open_venue(by_hand).market is None


# --- the book by itself


def row(seq: int, before: int, bids: list[list[str]], **more: Any) -> BookRow:
    return BookRow(asks=[], bids=bids, ts="1", prev_seq_id=before, seq_id=seq, **more)


def test_a_book_begins_with_a_snapshot() -> None:
    with pytest.raises(BookFault, match="before it was told"):
        Book("X").take("update", row(2, 1, []))


def test_a_number_may_stay_or_fall_where_the_one_before_is_the_last() -> None:
    """Nothing changed, and maintenance at the venue (research/venues.md §5)."""
    book = Book("X")
    book.take("snapshot", row(10, -1, [["1", "1"], ["2", "2"]]))
    assert book.take("update", row(10, 10, [])).bids[0].price == 2
    assert book.take("update", row(3, 10, [["2", "0"]])).bids[0].price == 1
    assert book.take("update", row(5, 3, [["3", "1"]])).bids[0].price == 3
    with pytest.raises(BookFault, match="3 was before, and 5 is here"):
        book.take("update", row(6, 3, []))


def test_the_checksum_is_over_the_numbers_as_they_were_written() -> None:
    """The venue's own example: bids and asks in turn."""
    bids = [["3366.1", "7", "0", "3"]]
    asks = [["3366.8", "9", "10", "3"], ["3368", "8", "3", "4"], ["3372", "8", "3", "4"]]
    told = "3366.1:7:3366.8:9:3368:8:3372:8"
    number = zlib.crc32(told.encode())
    signed = number - 2**32 if number >= 2**31 else number
    Book("X").take("snapshot", BookRow(asks=asks, bids=bids, checksum=signed))
    asks[0][1] = "9.0"
    with pytest.raises(BookFault, match="checksum"):
        Book("X").take("snapshot", BookRow(asks=asks, bids=bids, checksum=signed))


def test_a_recorded_session_agrees_with_every_checksum(root: Path) -> None:
    """290 messages of books that nobody here wrote, of a time before they were numbered."""
    folder = Path(os.environ.get("MERIDIAN_SHARED") or root.parent / "shared")
    path = folder / "recorded" / "okx" / "cryptofeed_real" / "OKX.ws.1.0"
    if not path.is_file():
        pytest.skip(f"the recorded session is not at {path}")
    feed, told = Feed(), {Depth: 0, Quote: 0, Bar: 0}
    books = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        _, colon, message = line.partition(": ")
        if not colon or "<-" in line[:80] or "<->" in line[:80]:
            continue
        books += '"channel":"books"' in message and '"checksum"' in message
        for event in feed.events(message):
            told[type(event)] += 1
            assert event.is_sound if isinstance(event, Depth) else not event.fault
    assert books == told[Depth] == 290
    assert told[Quote] == 28 + 74
