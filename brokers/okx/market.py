"""Prices of OKX: tickers, trades and books of the public stream, and bars of one minute (C-130)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from brokers.net.numbers import number, number_or_none, price_or_none, time_of_millis
from brokers.net.websocket import WebSocket
from brokers.okx.book import Book, BookRow
from brokers.okx.client import Client
from brokers.okx.hosts import Hosts
from brokers.okx.stream import BEAT_SECONDS, PING, PONG, SILENCE_SECONDS, read, subscribe
from engine.domain.instant import NS_PER_SECOND
from engine.domain.market import Bar, MarketEvent, Quote
from engine.ports import Ambiguous

BAR: Final = "1m"
BAR_SECONDS: Final = 60
CANDLES: Final = f"candle{BAR}"
PAGE: Final = 300
COMPLETE: Final = "1"

MOST_UNREAD: Final = 20_000
"""With so many events unread the stream ends: they would be told long after they were true."""


class TickerRow(msgspec.Struct, rename="camel"):
    inst_id: str
    last: Any = ""
    bid_px: Any = ""
    bid_sz: Any = ""
    ask_px: Any = ""
    ask_sz: Any = ""
    ts: Any = ""


class TradeRow(msgspec.Struct, rename="camel"):
    inst_id: str
    px: Any = ""
    ts: Any = ""


Candle = list[Any]
"""Start, open, high, low, close, volume in the base, two others, whether it is complete."""

_TICKERS: Final = msgspec.json.Decoder(list[TickerRow])
_TRADES: Final = msgspec.json.Decoder(list[TradeRow])
_BOOKS: Final = msgspec.json.Decoder(list[BookRow])
_CANDLES: Final = msgspec.json.Decoder(list[Candle])


class Feed:
    """What the public streams of one reader have told and he has not read; books begin anew with
    each."""

    def __init__(self) -> None:
        self._books: dict[str, Book] = {}
        self._unread: deque[MarketEvent] = deque()
        self._arrived = asyncio.Event()
        self._over = ""

    def heard(self, message: str | bytes) -> None:
        """Take a message in. Raises StreamEnded, or BookFault, where it ends the stream."""
        if message == PONG:
            return
        self._unread.extend(self.events(message))
        if len(self._unread) > MOST_UNREAD:
            raise OverflowError(f"{len(self._unread)} prices were not read in time")
        self._arrived.set()

    def ended(self, why: str) -> None:
        """A stream is over."""
        self._over = self._over or why
        self._arrived.set()

    async def next(self) -> MarketEvent:
        """The oldest event that was not read. Raises Ambiguous, with why, once a stream is over."""
        while not self._unread:
            if self._over:
                raise Ambiguous(f"the prices of OKX ended: {self._over}")
            self._arrived.clear()
            await self._arrived.wait()
        return self._unread.popleft()

    def events(self, message: str | bytes) -> list[MarketEvent]:
        """The events of a message."""
        told = read(message)
        if told.event:
            return []
        channel, symbol = told.arg.get("channel"), str(told.arg.get("instId"))
        match channel:
            case "tickers":
                return [_quote(row) for row in _TICKERS.decode(told.data)]
            case "trades":
                return [_trade(row) for row in _TRADES.decode(told.data)]
            case "books":
                book = self._books.setdefault(symbol, Book(symbol))
                return [book.take(told.action, row) for row in _BOOKS.decode(told.data)]
            case "candle1m":
                rows = _CANDLES.decode(told.data)
                return [bar_of(symbol, row) for row in rows if row[-1] == COMPLETE]
            case _:
                return []


class OkxMarket:
    """The market data of the watched symbols; each reader of `events` has streams of its own."""

    def __init__(self, hosts: Hosts, client: Client, symbols: tuple[str, ...]) -> None:
        self._hosts = hosts
        self._client = client
        self._symbols = symbols
        self._asking = 0
        """So many histories are being asked for."""

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Quotes, completed bars and depth as they come.

        Raises one of the six errors where they do not begin, and Ambiguous once a stream is over.
        """
        feed = Feed()
        sockets = (
            self._socket(self._hosts.public, ("tickers", "trades", "books"), feed),
            self._socket(self._hosts.candles, (CANDLES,), feed),
        )
        try:
            for each in sockets:
                await each.open()
            while True:
                yield await feed.next()
        finally:
            for each in sockets:
                await each.close()

    def _socket(self, url: str, channels: tuple[str, ...], feed: Feed) -> WebSocket:
        args = [{"channel": c, "instId": symbol} for symbol in self._symbols for c in channels]

        async def greet(socket: WebSocket) -> None:
            for message in await subscribe(socket, args):
                feed.heard(message)

        return WebSocket(
            url, greet=greet, heard=feed.heard, ended=feed.ended, beat=PING,
            beat_seconds=BEAT_SECONDS, silence_seconds=SILENCE_SECONDS,
        )  # fmt: skip

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Completed bars of one minute. Raises one of the six errors."""
        found: list[Bar] = []
        after = ""
        self._asking += 1
        await self._client.open()
        try:
            while len(found) < bars:
                query = {"instId": symbol, "bar": BAR, "limit": str(PAGE), "after": after}
                rows = await self._client.get("/market/candles", Candle, query)
                found += [bar_of(symbol, row) for row in rows if row[-1] == COMPLETE]
                if len(rows) < PAGE:
                    break
                after = str(rows[-1][0])
        finally:
            self._asking -= 1
            if not self._asking:
                await self._client.close()
        return tuple(reversed(found[:bars]))


def bar_of(symbol: str, row: Candle) -> Bar:
    """A completed bar; the venue dates it at its beginning."""
    begins, opens, high, low, close, volume = row[:6]
    start = time_of_millis(begins)
    return Bar(
        symbol=symbol,
        time=start + BAR_SECONDS * NS_PER_SECOND if start else 0,
        seconds=BAR_SECONDS,
        open=number(opens),
        high=number(high),
        low=number(low),
        close=number(close),
        volume=number_or_none(volume),
    )


def _quote(row: TickerRow) -> Quote:
    return Quote(
        symbol=row.inst_id,
        bid=price_or_none(row.bid_px),
        ask=price_or_none(row.ask_px),
        last=number(row.last),
        bid_size=number_or_none(row.bid_sz),
        ask_size=number_or_none(row.ask_sz),
        time=time_of_millis(row.ts),
    )


def _trade(row: TradeRow) -> Quote:
    """A trade alone; sides are told with the next ticker."""
    return Quote(
        symbol=row.inst_id, bid=None, ask=None, last=number(row.px),
        time=time_of_millis(row.ts), trade=True,
    )  # fmt: skip
