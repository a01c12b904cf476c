"""OANDA's prices: one stream of quotes for all symbols, and past bars (C-270).

The stream tells at most four prices a second of a symbol. A quote that cannot be traded, as at a
weekend, is not told: prices then grow old, which stops entries by itself. There are no trades: the
last price is the middle of both sides, and bars are made of that.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Final
from urllib.parse import quote

import msgspec

from brokers.net.numbers import number, time_of
from brokers.net.rest import Request
from brokers.oanda import wire
from brokers.oanda.api import OandaApi
from brokers.oanda.stream import SILENCE_SECONDS, LineStream
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Bar, Depth, DepthLevel, MarketEvent, Quote
from engine.domain.money import ZERO, is_positive
from engine.ports import Ambiguous

GRANULARITIES: Final = {
    5: "S5", 10: "S10", 15: "S15", 30: "S30", 60: "M1", 120: "M2", 240: "M4", 300: "M5",
    600: "M10", 900: "M15", 1800: "M30", 3600: "H1",
}  # fmt: skip
"""Length of a bar in seconds -> what OANDA calls it."""

MOST_CANDLES: Final = 5_000


class OandaMarket:
    """The prices of some symbols. Each use of it opens a connection of its own."""

    def __init__(
        self,
        api: OandaApi,
        symbols: tuple[str, ...],
        *,
        bar_seconds: int,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._api = api
        self._symbols = tuple(dict.fromkeys(symbols))
        self._seconds = bar_seconds
        self._silence = silence_seconds
        self._users = 0
        self._turn = asyncio.Lock()

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Quotes, depth and completed bars as they come. Raises one of the six errors when the
        stream ends; who reads it asks again."""
        events: deque[MarketEvent] = deque()
        arrived, over = asyncio.Event(), [""]
        bars = MidBars(self._seconds)

        async def heard(lines: list[bytes]) -> None:
            for line in lines:
                events.extend(events_of(line, bars))
            arrived.set()

        def ended(why: str) -> None:
            over[0] = why
            arrived.set()

        await self._enter()
        stream: LineStream | None = None
        try:
            query = {"instruments": ",".join(self._symbols), "snapshot": "true"}
            request = self._api.request("GET", "/pricing/stream", query)
            stream = LineStream(
                self._api.streams, request, heard=heard, ended=ended, silence_seconds=self._silence
            )
            await stream.open()
            stream.begin()
            while True:
                while events:
                    yield events.popleft()
                if over[0]:
                    raise Ambiguous(f"the stream of prices is over: {over[0]}")
                await arrived.wait()
                arrived.clear()
        finally:
            if stream is not None:
                await stream.close()
            await self._leave()

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Up to `bars` completed bars before now, of the middle of both sides.

        What is asked for several symbols goes out one by one, over one connection.
        """
        granularity = GRANULARITIES.get(self._seconds)
        if granularity is None or bars <= 0:
            return ()
        query = f"price=M&granularity={granularity}&count={min(bars + 1, MOST_CANDLES)}"
        path = f"/v3/instruments/{quote(symbol, safe='')}/candles"
        await self._api.rest.open()
        self._users += 1
        try:
            request = Request(method="GET", path=path, query=query)
            async with self._turn:
                answer: wire.CandlesAnswer = await self._api.rest.ask(request, wire.CandlesAnswer)
        finally:
            await self._leave()
        complete = [candle for candle in answer.candles if candle.complete]
        return tuple(self._bar(symbol, candle) for candle in complete[-bars:])

    def _bar(self, symbol: str, candle: wire.Candle) -> Bar:
        return Bar(
            symbol=symbol,
            time=time_of(candle.time) + self._seconds * NS_PER_SECOND,
            seconds=self._seconds,
            open=number(candle.mid.get("o")),
            high=number(candle.mid.get("h")),
            low=number(candle.mid.get("l")),
            close=number(candle.mid.get("c")),
        )

    async def _enter(self) -> None:
        """Have a connection, and know the account."""
        self._users += 1
        try:
            await self._api.open()
            if not self._api.account_id:
                await self._api.find_account()
        except BaseException:
            await self._leave()
            raise

    async def _leave(self) -> None:
        """The last one closes the connection."""
        self._users -= 1
        if not self._users:
            await self._api.close()


class MidBars:
    """Completed bars of what the stream tells, aligned to multiples of their length.

    A bar is complete with the first line of after its end. The first bar of a symbol is left out:
    the stream may have begun within it. A price of before a bar that was told is too late for it.
    """

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._length = seconds * NS_PER_SECOND
        self._open: dict[str, list[Decimal]] = {}
        """By symbol: open, high, low and close so far."""
        self._ends: dict[str, Nanos] = {}
        """By symbol, when the bar that is open ends; of one that was told, when it ended."""
        self._whole: set[str] = set()
        """Symbols whose open bar was watched from its beginning."""

    def completed(self, now: Nanos) -> list[Bar]:
        """The bars that have ended by a time of the venue's, and were not told before."""
        ended = [symbol for symbol in self._open if self._ends[symbol] <= now]
        told = [self._bar(symbol, self._open.pop(symbol)) for symbol in ended]
        whole = [bar for bar in told if bar.symbol in self._whole]
        self._whole.update(ended)
        return whole

    def add(self, symbol: str, price: Decimal, at: Nanos) -> None:
        """Take a price into the bar of its time."""
        prices = self._open.get(symbol)
        if prices is not None:
            prices[1], prices[2], prices[3] = max(prices[1], price), min(prices[2], price), price
        elif at >= self._ends.get(symbol, 0):
            self._ends[symbol] = (at // self._length + 1) * self._length
            self._open[symbol] = [price, price, price, price]

    def _bar(self, symbol: str, prices: list[Decimal]) -> Bar:
        opened, high, low, close = prices
        return Bar(
            symbol=symbol,
            time=self._ends[symbol],
            seconds=self._seconds,
            open=opened,
            high=high,
            low=low,
            close=close,
        )


def events_of(line: bytes, bars: MidBars) -> list[MarketEvent]:
    """What a line says. Raises Ambiguous for one that cannot be read: prices may be missing."""
    try:
        told = msgspec.json.decode(line, type=wire.PriceLine)
    except (msgspec.DecodeError, ValueError) as error:
        raise Ambiguous(f"a line of prices cannot be read: {error}") from error
    at = time_of(told.time)
    events: list[MarketEvent] = [*bars.completed(at)]
    if told.type != "PRICE" or not told.can_be_traded:
        return events
    bids, asks = _levels(told.bids), _levels(told.asks)
    bid, ask = next(iter(bids), None), next(iter(asks), None)
    sides = [side.price for side in (bid, ask) if side is not None]
    if not sides:
        return events
    last = sum(sides, start=ZERO) / len(sides)
    events.append(
        Quote(
            symbol=told.instrument,
            bid=None if bid is None else bid.price,
            ask=None if ask is None else ask.price,
            last=last,
            bid_size=None if bid is None else bid.size,
            ask_size=None if ask is None else ask.size,
            time=at,
        )
    )
    if len(bids) > 1 or len(asks) > 1:
        events.append(Depth(symbol=told.instrument, bids=bids, asks=asks, time=at))
    if is_positive(last) and at:
        bars.add(told.instrument, last, at)
    return events


def _levels(given: list[wire.PriceLevel]) -> tuple[DepthLevel, ...]:
    return tuple(DepthLevel(number(level.price), number(level.liquidity)) for level in given)
