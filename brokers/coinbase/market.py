"""Market data of Coinbase: quotes and depth by stream, bars by question (X-61).

It needs no key. A pair in USDC is the pair in USD there: it is told under that name.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from brokers.coinbase.api import Api
from brokers.coinbase.stream import Channels, Message
from brokers.net.numbers import number, number_or_none, price_or_none, time_of
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos
from engine.domain.market import Bar, Depth, DepthLevel, MarketEvent, Quote
from engine.ports import Ambiguous, Clock

TICKER: Final = "ticker"
LEVEL2: Final = "level2"
LEVEL2_ARRIVES: Final = "l2_data"
SIDES: Final = {"bid": "bid", "offer": "ask", "ask": "ask"}

LEVELS: Final = 10
DEPTH_EVERY: Final[Nanos] = 250 * NS_PER_MS
"""The book changes hundreds of times a second, and has tens of thousands of levels: the best of
them are looked up four times a second at most."""

BAR_SECONDS: Final = 60
MOST_BARS: Final = 300
"""The venue gives at most so many in an answer."""


class _Ticker(msgspec.Struct, frozen=True):
    product_id: str
    price: Any = None
    best_bid: Any = None
    best_ask: Any = None
    best_bid_quantity: Any = None
    best_ask_quantity: Any = None


class _TickerEvent(msgspec.Struct, frozen=True):
    tickers: list[_Ticker] = []


class _Level(msgspec.Struct, frozen=True):
    side: str
    price_level: str
    new_quantity: str


class _BookEvent(msgspec.Struct, frozen=True):
    type: str = ""
    product_id: str = ""
    updates: list[_Level] = []


class _Candle(msgspec.Struct, frozen=True):
    start: Any = None
    open: Any = None
    high: Any = None
    low: Any = None
    close: Any = None
    volume: Any = None


class _Candles(msgspec.Struct, frozen=True):
    candles: list[_Candle] = []


class _Book:
    """One pair's levels, sizes by price, both as the venue wrote them."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[str, str]] = {"bid": {}, "ask": {}}
        self.told_at: Nanos = 0

    def take(self, level: _Level) -> None:
        side = self.sides.get(SIDES.get(level.side, ""))
        if side is None:
            raise ValueError(f"a level of the side {level.side!r:.20}")
        if number(level.new_quantity) == 0:
            side.pop(level.price_level, None)
        else:
            side[level.price_level] = level.new_quantity

    def best(self, name: str) -> tuple[DepthLevel, ...]:
        """The best levels of a side; the float only sorts."""
        pick = heapq.nlargest if name == "bid" else heapq.nsmallest
        prices = pick(LEVELS, self.sides[name], key=float)
        return tuple(DepthLevel(number(p), number(self.sides[name][p])) for p in prices)


class CoinbaseMarket:
    """The prices of some pairs. A stream that ends, ends it: whoever reads it asks again."""

    def __init__(
        self, symbols: Sequence[str], clock: Clock, *, rest_url: str, stream_url: str
    ) -> None:
        self._symbols = tuple(symbols)
        self._clock = clock
        self._rest_url = rest_url
        self._stream_url = stream_url
        self._told_as: dict[str, list[str]] = {}
        for symbol in self._symbols:
            for there in {symbol, symbol.removesuffix("C") if symbol.endswith("-USDC") else symbol}:
                self._told_as.setdefault(there, []).append(symbol)

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Quotes and depth from now on; ends with the connection. Raises one of the six errors."""
        queue: asyncio.Queue[MarketEvent | None] = asyncio.Queue()
        books: dict[str, _Book] = {}

        def heard(message: Message) -> None:
            for event in self._read(message, books):
                queue.put_nowait(event)

        stream = Channels(
            self._stream_url,
            (TICKER, LEVEL2),
            products=self._symbols,
            heard=heard,
            ended=lambda why: queue.put_nowait(None),
        )
        try:
            await stream.open()
            while (event := await queue.get()) is not None:
                yield event
        finally:
            await stream.close()

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """The newest completed bars of a minute, oldest first. Raises one of the six errors."""
        wanted = min(bars, MOST_BARS)
        if wanted < 1:
            return ()
        now = self._clock.now() // NS_PER_SECOND
        end = now // BAR_SECONDS * BAR_SECONDS
        query = [
            ("start", str(end - wanted * BAR_SECONDS)),
            ("end", str(end)),
            ("granularity", "ONE_MINUTE"),
            ("limit", str(wanted)),
        ]
        api = Api("Coinbase", self._rest_url, self._clock)
        await api.open()
        try:
            path = f"/market/products/{quote(symbol, safe='')}/candles"
            answer: _Candles = await api.get(path, _Candles, query)
        finally:
            await api.close()
        found = sorted((self._bar(symbol, row) for row in answer.candles), key=lambda b: b.time)
        return tuple(bar for bar in found if bar.time <= end * NS_PER_SECOND)[-wanted:]

    def _bar(self, symbol: str, row: _Candle) -> Bar:
        start = number(row.start)
        if not start.is_finite():
            raise Ambiguous(f"a bar of {symbol} begins at {row.start!r:.40}")
        return Bar(
            symbol=symbol,
            time=(int(start) + BAR_SECONDS) * NS_PER_SECOND,
            seconds=BAR_SECONDS,
            open=number(row.open),
            high=number(row.high),
            low=number(row.low),
            close=number(row.close),
            volume=number_or_none(row.volume),
        )

    def _read(self, message: Message, books: dict[str, _Book]) -> list[MarketEvent]:
        """What a message says, under each name that it is wanted by."""
        at = time_of(message.timestamp) or self._clock.now()
        found: list[MarketEvent] = []
        for raw in message.events:
            if message.channel == TICKER:
                event = msgspec.json.decode(raw, type=_TickerEvent)
                for row in event.tickers:
                    found += [_quote(s, row, at) for s in self._told_as.get(row.product_id, ())]
            elif message.channel == LEVEL2_ARRIVES:
                found += self._depth(msgspec.json.decode(raw, type=_BookEvent), books, at)
        return found

    def _depth(self, event: _BookEvent, books: dict[str, _Book], at: Nanos) -> list[MarketEvent]:
        if event.type == "snapshot":
            books[event.product_id] = _Book()
        book = books.get(event.product_id)
        if book is None:
            raise ValueError(f"a change of the book of {event.product_id} without the book")
        for level in event.updates:
            book.take(level)
        now = self._clock.monotonic()
        if book.told_at and now - book.told_at < DEPTH_EVERY:
            return []
        book.told_at = now
        bids, asks = book.best("bid"), book.best("ask")
        names = self._told_as.get(event.product_id, ())
        return [Depth(symbol=name, bids=bids, asks=asks, time=at) for name in names]


def _quote(symbol: str, row: _Ticker, at: Nanos) -> Quote:
    bid, ask = price_or_none(row.best_bid), price_or_none(row.best_ask)
    return Quote(
        symbol=symbol,
        bid=bid,
        ask=ask,
        last=number(row.price),
        bid_size=number_or_none(row.best_bid_quantity),
        ask_size=number_or_none(row.best_ask_quantity),
        time=at,
        trade=True,
    )
