"""Prices of Binance: quotes, trades, bars of a minute and the book, on one combined stream.

`bookTicker` carries no time: a quote has that of its arrival, by the venue's clock as far as it is
known. What ends the connection ends the events with the reason; the engine asks again. A pair that
is seldom traded may say nothing for minutes: pings alone tell a dead connection, and the age of its
prices is the engine's to judge.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable
from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers.binance.client import Client
from brokers.binance.depth import Book, Change, Snapshot
from brokers.binance.symbols import Symbols
from brokers.net.numbers import number, time_of_millis
from brokers.net.websocket import WebSocket
from engine.domain.instant import NS_PER_MS, Nanos
from engine.domain.market import Bar, MarketEvent, Quote
from engine.ports import BrokerError, Clock, NotSent

BAR_SECONDS: Final = 60
BAR: Final = "1m"
MOST_WAITING: Final = 20_000
"""With so many events that nobody has taken the stream ends: prices that old are none."""

SNAPSHOT_LEVELS, SNAPSHOT_WEIGHT = 1000, 50
SNAPSHOT_SECONDS: Final = 0.5
"""Between two snapshots of one book, where the first was older than the changes."""

KLINES_WEIGHT: Final = 2
KLINES_PAGE: Final = 1000


class _Envelope(msgspec.Struct):
    stream: str = ""
    data: msgspec.Raw = msgspec.Raw(b"")


class _Ticker(msgspec.Struct):
    b: Any = None
    B: Any = None
    a: Any = None
    A: Any = None


class _Trade(msgspec.Struct):
    p: Any = None
    T: Any = None


class _Candle(msgspec.Struct):
    T: int
    o: Any = None
    h: Any = None
    l: Any = None  # noqa: E741 - the venue's letter
    c: Any = None
    v: Any = None
    x: bool = False


class _Kline(msgspec.Struct):
    k: _Candle


class BinanceMarket:
    """The feed of the configured symbols. It keeps a connection of its own to the REST API, for
    snapshots and the past, apart from that of the account."""

    def __init__(self, client: Client, symbols: Symbols, clock: Clock, *, stream_url: str) -> None:
        """`stream_url` is that of the market streams."""
        self._client = client
        self._symbols = symbols
        self._clock = clock
        self._url = stream_url
        self._lock = asyncio.Lock()
        self._users = 0

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Quotes, completed bars and books from now on. Raises one of the six errors where it
        cannot begin, and NotSent with the reason when it ends."""
        async with self._connected():
            feed = _Feed(self._client, self._symbols, self._clock, self._url)
            try:
                async for event in feed.run():
                    yield event
            finally:
                await feed.close()

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Up to `bars` completed bars of a minute, at most 999, oldest first."""
        async with self._connected():
            theirs = next((s for s in self._symbols.known if self._symbols.ours(s) == symbol), "")
            if not theirs:
                return ()
            limit = min(bars + 1, KLINES_PAGE)
            params = {"symbol": theirs, "interval": BAR, "limit": str(limit)}
            rows: list[list[Any]] = await self._client.ask_public(
                "/api/v3/klines", params, list[list[Any]], cost=KLINES_WEIGHT
            )
        now = self._client.now_ms()
        past = [_bar_of_row(symbol, row) for row in rows if len(row) > 6 and row[6] < now]
        return tuple(past[-bars:]) if bars > 0 else ()

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[None]:
        """Within this block the venue can be asked; the last to leave closes the connection."""
        async with self._lock:
            self._users += 1
            try:
                if self._users == 1:
                    await self._client.open()
                    await self._client.set_clock()
                    await self._symbols.learn()
            except BaseException:
                await self._left()
                raise
        try:
            yield
        finally:
            async with self._lock:
                await self._left()

    async def _left(self) -> None:
        self._users -= 1
        if not self._users:
            await self._client.close()


class _Feed:
    """One connection to the streams, from its opening to its end."""

    def __init__(self, client: Client, symbols: Symbols, clock: Clock, url: str) -> None:
        self._client = client
        self._symbols = symbols
        self._clock = clock
        self._theirs = {s.lower(): s for s in symbols.known}
        streams = "/".join(_streams(self._theirs))
        self._socket = WebSocket(
            f"{url}/stream?streams={streams}",
            greet=_nothing,
            heard=self._heard,
            ended=self._ended,
        )
        self._decode = msgspec.json.Decoder(_Envelope).decode
        self._last: dict[str, Decimal] = {}
        self._sides: dict[str, tuple[Decimal, Decimal, Decimal, Decimal]] = {}
        self._books = {theirs: Book() for theirs in self._theirs.values()}
        self._snapshots: dict[str, asyncio.Task[None]] = {}
        self._waiting: deque[MarketEvent] = deque()
        self._arrived = asyncio.Event()
        self._over = ""

    async def run(self) -> AsyncIterator[MarketEvent]:
        if not self._theirs:
            raise NotSent("no configured symbol is traded at Binance")
        await self._socket.open()
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._over:
                raise NotSent(f"the stream of prices is over: {self._over}")
            self._arrived.clear()
            await self._arrived.wait()

    async def close(self) -> None:
        """Let go of the connection and of what is under way."""
        tasks = tuple(self._snapshots.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._socket.close()

    def _ended(self, why: str) -> None:
        self._over = why
        self._arrived.set()

    def _put(self, event: MarketEvent) -> None:
        if len(self._waiting) >= MOST_WAITING:
            raise ValueError(f"{MOST_WAITING} events were taken by nobody")
        self._waiting.append(event)
        self._arrived.set()

    def _heard(self, message: str | bytes) -> None:
        told = self._decode(message)
        name, _, kind = told.stream.partition("@")
        theirs = self._theirs.get(name)
        if theirs is None:
            if "serverShutdown" in told.stream:
                raise ValueError("the venue said serverShutdown")
            return
        symbol = self._symbols.ours(theirs)
        if kind == "bookTicker":
            self._ticker(symbol, msgspec.json.decode(told.data, type=_Ticker))
        elif kind == "aggTrade":
            self._trade(symbol, msgspec.json.decode(told.data, type=_Trade))
        elif kind == f"kline_{BAR}":
            self._candle(symbol, msgspec.json.decode(told.data, type=_Kline).k)
        elif kind == "depth@100ms":
            self._change(theirs, symbol, msgspec.json.decode(told.data, type=Change))

    def _ticker(self, symbol: str, told: _Ticker) -> None:
        sides = (number(told.b), number(told.B), number(told.a), number(told.A))
        self._sides[symbol] = sides
        last, bid, ask = self._last.get(symbol), sides[0], sides[2]
        if last is None:
            if not (bid.is_finite() and ask.is_finite() and bid > 0 and ask > 0):
                return  # 0 stands for a side that is not there, and the other alone is no price
            last = (bid + ask) / 2  # no trade yet: the middle, which is none
        self._put(self._quote(symbol, last, self._client.now_ms() * NS_PER_MS, trade=False))

    def _trade(self, symbol: str, told: _Trade) -> None:
        self._last[symbol] = price = number(told.p)
        self._put(self._quote(symbol, price, time_of_millis(told.T), trade=True))

    def _quote(self, symbol: str, last: Decimal, time: Nanos, *, trade: bool) -> Quote:
        bid, bid_size, ask, ask_size = self._sides.get(symbol, (None, None, None, None))
        return Quote(
            symbol=symbol,
            bid=bid,
            ask=ask,
            last=last,
            bid_size=bid_size,
            ask_size=ask_size,
            time=time,
            trade=trade,
        )

    def _candle(self, symbol: str, candle: _Candle) -> None:
        if candle.x:
            numbers = (candle.o, candle.h, candle.l, candle.c, candle.v)
            self._put(_bar(symbol, candle.T, numbers))

    def _change(self, theirs: str, symbol: str, change: Change) -> None:
        book = self._books[theirs]
        if book.change(change):
            self._put(book.depth(symbol, time_of_millis(change.told_at)))
        elif theirs not in self._snapshots:
            task = asyncio.create_task(self._fill_gap(theirs), name=f"book of {theirs}")
            self._snapshots[theirs] = task

    async def _fill_gap(self, theirs: str) -> None:
        """Ask for snapshots until one fits; one that cannot be had is asked for again at the next
        change, prices go on meanwhile."""
        params = {"symbol": theirs, "limit": str(SNAPSHOT_LEVELS)}
        book, symbol = self._books[theirs], self._symbols.ours(theirs)
        try:
            taken: Snapshot = await self._client.ask_public(
                "/api/v3/depth", params, Snapshot, cost=SNAPSHOT_WEIGHT
            )
            if book.snapshot(taken):
                self._put(book.depth(symbol, self._client.now_ms() * NS_PER_MS))
            else:
                await self._clock.sleep(SNAPSHOT_SECONDS)
        except (BrokerError, ValueError):
            await self._clock.sleep(SNAPSHOT_SECONDS)
        finally:
            self._snapshots.pop(theirs, None)


async def _nothing(socket: WebSocket) -> None:
    """The streams are named in the address: nothing is to be said."""


def _streams(names: Iterable[str]) -> list[str]:
    kinds = ("bookTicker", "aggTrade", f"kline_{BAR}", "depth@100ms")
    return [f"{name}@{kind}" for name in names for kind in kinds]


def _bar_of_row(symbol: str, row: list[Any]) -> Bar:
    """[open time, open, high, low, close, volume, close time, ...]."""
    return _bar(symbol, row[6], (row[1], row[2], row[3], row[4], row[5]))


def _bar(symbol: str, last_ms: int, numbers: Iterable[Any]) -> Bar:
    """`last_ms` is the last millisecond of it: it ends with the next."""
    first, high, low, last, volume = map(number, numbers)
    return Bar(
        symbol=symbol,
        time=time_of_millis(last_ms + 1),
        seconds=BAR_SECONDS,
        open=first,
        high=high,
        low=low,
        close=last,
        volume=volume,
    )
