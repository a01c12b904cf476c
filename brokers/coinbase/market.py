"""Market data of Coinbase: quotes and depth by stream, bars by question (X-61).

It needs no key. A pair in USDC is the pair in USD there: it is told under that name.
"""

import asyncio
import math
from bisect import bisect_left, insort
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from brokers.coinbase.api import PUBLIC, Api, budget_of
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
"""The book changes hundreds of times a second: it is told four times a second at most."""

LARGE: Final = 256 * 1024
"""A message of more bytes is not read on the loop."""

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

    @property
    def name(self) -> str:
        """The side, as we call it."""
        return SIDES.get(self.side, self.side)

    @property
    def is_gone(self) -> bool:
        """A size of nothing, however it is written."""
        return not self.new_quantity.strip("0.")


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


class _Side:
    """One side of a book, best price first. A float orders the levels; what is told is the text."""

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._levels: dict[float, _Level] = {}
        self._order: list[float] = []

    def begin(self, levels: Iterable[_Level]) -> None:
        """All levels there are: tens of thousands, sorted once."""
        self._levels = {self._key(level): level for level in levels}
        self._order = sorted(self._levels)

    def take(self, level: _Level) -> None:
        """A level has this size now; it goes with a size of nothing."""
        key = self._key(level)
        if level.is_gone:
            if self._levels.pop(key, None) is not None:
                self._order.pop(bisect_left(self._order, key))
            return
        if key not in self._levels:
            insort(self._order, key)
        self._levels[key] = level

    def best(self) -> tuple[DepthLevel, ...]:
        found = (self._levels[key] for key in self._order[:LEVELS])
        return tuple(DepthLevel(number(x.price_level), number(x.new_quantity)) for x in found)

    def _key(self, level: _Level) -> float:
        price = float(level.price_level)
        if not math.isfinite(price):
            raise ValueError(f"a level at the price {level.price_level!r:.40}")
        return self._sign * price


class _Book:
    """The levels of one pair."""

    def __init__(self) -> None:
        self.sides = {"bid": _Side(-1), "ask": _Side(1)}
        self.told_at: Nanos = 0

    def begin(self, levels: Sequence[_Level]) -> None:
        for name, side in self.sides.items():
            side.begin(level for level in levels if level.name == name and not level.is_gone)

    def take(self, level: _Level) -> None:
        """Raises KeyError for a side that there is not."""
        self.sides[level.name].take(level)


class CoinbaseMarket:
    """The prices of some pairs. A stream that ends, ends it: whoever reads it asks again."""

    def __init__(
        self, symbols: Sequence[str], clock: Clock, *, rest_url: str, stream_url: str
    ) -> None:
        self._symbols = tuple(symbols)
        self._clock = clock
        self._rest_url = rest_url
        self._stream_url = stream_url
        self._budget = budget_of(PUBLIC, clock)
        self._told_as: dict[str, list[str]] = {}
        for symbol in self._symbols:
            for there in {symbol, symbol.removesuffix("C") if symbol.endswith("-USDC") else symbol}:
                self._told_as.setdefault(there, []).append(symbol)

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Quotes and depth from now on. Raises one of the six errors, also once the stream ends,
        with the reason."""
        queue: asyncio.Queue[Message | str] = asyncio.Queue()
        books: dict[str, _Book] = {}
        stream = Channels(
            self._stream_url,
            (TICKER, LEVEL2),
            products=self._symbols,
            heard=queue.put_nowait,
            ended=queue.put_nowait,
        )
        try:
            await stream.open()
            while True:
                given = await queue.get()
                if isinstance(given, str):
                    raise Ambiguous(f"the stream of prices ended: {given}")
                for event in await self._events_of(given, books):
                    yield event
        finally:
            await stream.close()

    async def _events_of(self, message: Message, books: dict[str, _Book]) -> list[MarketEvent]:
        """What a message says; a whole book is read in a thread. Raises Ambiguous for what cannot
        be read."""
        try:
            if sum(memoryview(raw).nbytes for raw in message.events) < LARGE:
                return self._read(message, books)
            return await asyncio.to_thread(self._read, message, books)
        except (ValueError, KeyError, msgspec.DecodeError) as error:
            raise Ambiguous(f"a message of {message.channel} cannot be read: {error}") from error

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
        api = Api(self._rest_url, self._clock, self._budget)
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
            books[event.product_id].begin(event.updates)
        book = books.get(event.product_id)
        if book is None:
            raise ValueError(f"a change of the book of {event.product_id} without the book")
        for level in event.updates if event.type != "snapshot" else ():
            book.take(level)
        now = self._clock.monotonic()
        if book.told_at and now - book.told_at < DEPTH_EVERY:
            return []
        book.told_at = now
        bids, asks = book.sides["bid"].best(), book.sides["ask"].best()
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
