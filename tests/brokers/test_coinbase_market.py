"""Prices of Coinbase: quotes and depth by stream, bars by question, and what ends them (X-61)."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.coinbase.market import BAR_SECONDS, CoinbaseMarket
from engine.domain.instant import NS_PER_SECOND
from engine.domain.market import Bar, Depth, DepthLevel, MarketEvent, Quote
from engine.ports import Ambiguous, NotSent
from engine.runtime.clock import SystemClock
from tests.brokers.test_coinbase import SEED
from tests.venues.coinbase import CoinbaseVenue

D = Decimal
SECONDS = 5


@pytest.fixture
async def venue() -> AsyncIterator[CoinbaseVenue]:
    async with CoinbaseVenue(SEED.public_key(), "EdDSA") as served:
        served.exchange.set_price("BTC-USD", D(100))
        served.exchange.set_price("ETH-USD", D(10))
        yield served


def market(venue: CoinbaseVenue, *symbols: str) -> CoinbaseMarket:
    return CoinbaseMarket(
        symbols or ("BTC-USD",), SystemClock(), rest_url=venue.url, stream_url=venue.stream_url
    )


class Watched:
    """The events of a market."""

    def __init__(self, events: AsyncIterator[MarketEvent]) -> None:
        self._events = events

    async def next(self, kind: type[Any]) -> Any:
        """The next event of that kind."""
        async with asyncio.timeout(SECONDS):
            while True:
                event = await anext(self._events)
                if isinstance(event, kind):
                    return event

    async def end(self) -> str:
        """Read to the end; why it came."""

        async def read() -> None:
            async for _ in self._events:
                pass

        with pytest.raises(Ambiguous) as ended:
            await asyncio.wait_for(read(), SECONDS)
        return str(ended.value)


@asynccontextmanager
async def watched(source: CoinbaseMarket) -> AsyncIterator[Watched]:
    async with aclosing(source.events()) as events:  # type: ignore[type-var]
        yield Watched(events)


async def test_quotes_begin_with_how_things_stand_and_follow_the_market(
    venue: CoinbaseVenue,
) -> None:
    async with watched(market(venue)) as seen:
        first = await seen.next(Quote)
        assert (first.symbol, first.bid, first.ask, first.last) == (
            "BTC-USD",
            D(99),
            D(101),
            D(100),
        )
        assert (first.bid_size, first.ask_size, first.trade) == (D("2.5"), D("1.5"), True)
        assert first.fault == ""
        await venue.set_price("BTC-USD", D("123.45"))
        assert (await seen.next(Quote)).last == D("123.45")
    await asyncio.sleep(0)
    assert not [t for t in asyncio.all_tasks() if t.get_name().startswith(("stream", "watch"))]


async def test_the_book_is_best_first_and_a_size_of_nothing_takes_a_level_away(
    venue: CoinbaseVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brokers.coinbase.market.DEPTH_EVERY", 0)
    async with watched(market(venue)) as seen:
        book = await seen.next(Depth)
        size = D("1.25")
        assert book.bids == (DepthLevel(D(99), size), DepthLevel(D(98), size))
        assert book.asks == (DepthLevel(D(101), size), DepthLevel(D(102), size))
        levels = [
            {"side": "bid", "price_level": "99", "new_quantity": "0"},
            {"side": "offer", "price_level": "100.5", "new_quantity": "3"},
        ]
        venue.say("level2", [{"type": "update", "product_id": "BTC-USD", "updates": levels}])
        book = await seen.next(Depth)
        assert book.bids == (DepthLevel(D(98), size),)
        assert book.asks[0] == DepthLevel(D("100.5"), D(3))
        assert book.is_sound


async def test_the_book_is_told_a_few_times_a_second_however_often_it_changes(
    venue: CoinbaseVenue,
) -> None:
    async with watched(market(venue)) as seen:
        await seen.next(Depth)
        for n in range(20):
            await venue.set_price("BTC-USD", D(100 + n))
        told: list[MarketEvent] = []
        while len(told) < 20:
            event = await seen.next(Quote | Depth)  # type: ignore[arg-type]
            told.append(event)
            if isinstance(event, Quote) and event.last == 119:
                break
        assert not [event for event in told if isinstance(event, Depth)]


async def test_a_pair_in_a_stable_coin_comes_under_the_name_of_its_dollar_pair(
    venue: CoinbaseVenue,
) -> None:
    async with watched(market(venue, "BTC-USDC", "ETH-USD")) as seen:
        names = {(await seen.next(Quote)).symbol for _ in range(2)}
        assert names == {"BTC-USDC", "ETH-USD"}
    async with watched(market(venue, "BTC-USD", "BTC-USDC")) as seen:
        names = {(await seen.next(Quote)).symbol for _ in range(2)}
        assert names == {"BTC-USD", "BTC-USDC"}


@pytest.mark.parametrize("harm", ["skip", "repeat"])
async def test_F06_a_market_message_that_is_missing_ends_the_prices(
    venue: CoinbaseVenue, harm: str
) -> None:
    async with watched(market(venue)) as seen:
        await seen.next(Quote)
        getattr(venue, harm)()
        await venue.set_price("BTC-USD", D(101))
        assert "the stream of prices ended" in await seen.end()
    async with watched(market(venue)) as again:
        assert (await again.next(Quote)).last == 101


async def test_a_change_of_a_book_that_was_never_told_ends_the_prices(
    venue: CoinbaseVenue,
) -> None:
    async with watched(market(venue)) as seen:
        await seen.next(Depth)
        venue.say("level2", [{"type": "update", "product_id": "SOL-USD", "updates": []}])
        assert "SOL-USD without the book" in await seen.end()


async def test_a_whole_book_is_read_beside_the_loop_and_is_the_same(
    venue: CoinbaseVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brokers.coinbase.market.LARGE", 1)
    async with watched(market(venue)) as seen:
        assert (await seen.next(Depth)).bids[0] == DepthLevel(D(99), D("1.25"))


@pytest.mark.parametrize(
    "level",
    [
        {"side": "middle", "price_level": "99", "new_quantity": "1"},
        {"side": "bid", "price_level": "NaN", "new_quantity": "1"},
        {"side": "bid", "price_level": "many", "new_quantity": "1"},
        {"side": "bid"},
    ],
)
async def test_a_level_that_is_none_ends_the_prices(
    venue: CoinbaseVenue, level: dict[str, str]
) -> None:
    async with watched(market(venue)) as seen:
        await seen.next(Depth)
        venue.say("level2", [{"type": "update", "product_id": "BTC-USD", "updates": [level]}])
        assert "cannot be read" in await seen.end()


async def test_a_market_that_is_not_there_says_so(venue: CoinbaseVenue) -> None:
    await venue.stop()
    async with watched(market(venue)) as seen:
        with pytest.raises(NotSent):
            await seen.next(Quote)


async def test_bars_are_completed_ones_oldest_first_and_dated_by_their_end(
    venue: CoinbaseVenue,
) -> None:
    bars = await market(venue).history("BTC-USD", 5)
    now = SystemClock().now()
    assert len(bars) == 5
    times = [bar.time for bar in bars]
    assert times == sorted(times)
    assert now - BAR_SECONDS * NS_PER_SECOND < times[-1] <= now
    newest = bars[-1]
    assert isinstance(newest, Bar)
    assert (newest.open, newest.high, newest.low, newest.close, newest.volume) == (
        D(100), D(101), D(99), D("100.5"), D("3.25"),
    )  # fmt: skip
    assert all(isinstance(bar, Bar) and not bar.fault for bar in bars)
    assert await market(venue).history("BTC-USD", 0) == ()
    assert len(await market(venue).history("BTC-USD", 5_000)) == 300


async def test_bars_that_cannot_be_had_are_an_error(venue: CoinbaseVenue) -> None:
    venue.fault("candles", "truncate")
    with pytest.raises(Ambiguous):
        await market(venue).history("BTC-USD", 5)


# --- what others have recorded


@pytest.fixture(scope="module")
def recorded(root: Path) -> Path:
    """The folder of data that nobody here wrote."""
    shared = Path(os.environ.get("MERIDIAN_SHARED", root.parent / "shared"))
    folder = shared / "recorded" / "coinbase" / "ccxt_mit"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: it is no part of the project")
    return folder


async def test_real_frames_of_the_ticker_are_read_to_the_last_digit(
    venue: CoinbaseVenue, recorded: Path
) -> None:
    """Captured at wss://advanced-trade-ws.coinbase.com on 2026-08-12."""
    frames = json.loads((recorded / "ws_market_real_2026-08-12.json").read_text("utf-8"))["ticker"]
    assert [frame["sequence_num"] for frame in frames] == [0, 1, 2]
    async with watched(market(venue)) as seen:
        await seen.next(Quote)
        for frame in frames:
            if frame["channel"] == "ticker":
                venue.say("ticker", frame["events"])
        first, second = [await seen.next(Quote) for _ in range(2)]
    assert (first.last, first.bid, first.ask) == (D("63320.73"), D("63320.73"), D("63320.74"))
    assert (first.bid_size, first.ask_size) == (D("0.12636254"), D("0.49679101"))
    assert (second.bid, second.ask) == (D("63318.86"), D("63318.87"))
    # The venue's last price may lie beyond both sides for a moment; both are prices.
    assert first.fault == second.fault == ""
