"""Prices at Alpaca: quotes, trades and bars of a minute, and the bars before now.

Shares come from IEX, the feed that every account has; coins from Alpaca's own exchange. Options are
streamed in another encoding, which is not read here: they have bars of the past only.
"""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from brokers.alpaca.keys import Keys, looked_up
from brokers.alpaca.refusals import refusal
from brokers.alpaca.symbols import from_venue, kind_of, to_venue
from brokers.alpaca.wire import decode, text
from brokers.net.budget import Budget
from brokers.net.numbers import number, price_or_none, time_of
from brokers.net.rest import Request, Rest
from brokers.net.websocket import WebSocket
from engine.domain.instant import NS_PER_SECOND
from engine.domain.instrument import AssetClass
from engine.domain.market import Bar, MarketEvent, Quote
from engine.domain.text import clean_text
from engine.ports import Ambiguous, AuthFailed, Clock, NotSent, Rejected, Throttled

MINUTE: Final = 60
FEED: Final = "iex"
STREAMS: Final = {
    AssetClass.STOCK: f"/v2/{FEED}",
    AssetClass.CRYPTO: "/v1beta3/crypto/us",
}

BARS: Final = {
    AssetClass.CRYPTO: "/v1beta3/crypto/us/bars",
    AssetClass.OPTION: "/v1beta1/options/bars",
}

EVENTS_AT_ONCE: Final = 256
"""Events told before whatever else is ready has its turn."""

MOST_WAITING: Final = 100_000
"""So many events that nobody has read end the feed: prices that are late are worse than none."""

REQUESTS_A_MINUTE: Final = 200

LONGEST_BARS: Final = 10_000
"""The most bars of one answer."""

PAST_DAYS: Final = 10
"""How far back bars are asked for: over a long weekend."""

_AUTH: Final = frozenset({401, 402, 403})
_SLOT: Final = 406
"""Another connection has the one place that there is."""
_SLOT_SECONDS: Final = 5.0


class PriceRow(msgspec.Struct, kw_only=True, frozen=True):
    """A message of the feed, whatever it is: `T` says which fields it has."""

    T: Any = ""
    S: Any = ""
    t: Any = None
    msg: Any = ""
    code: Any = None
    p: Any = None
    bp: Any = None
    bs: Any = None
    ap: Any = None
    as_: Any = msgspec.field(name="as", default=None)
    o: Any = None
    h: Any = None
    l: Any = None  # noqa: E741 - the venue's name
    c: Any = None
    v: Any = None
    quotes: list[Any] = []


class BarsOfOne(msgspec.Struct, kw_only=True, frozen=True):
    """The bars of one share."""

    bars: list[PriceRow] | None = None


class BarsOfSome(msgspec.Struct, kw_only=True, frozen=True):
    """The bars of coins or options, by symbol."""

    bars: dict[str, list[PriceRow]] = {}


class AlpacaMarket:
    """Prices of `symbols`, our ids. Both addresses are without a path.

    It does not come back by itself: a feed that ends raises, and the engine asks again.
    """

    def __init__(
        self,
        symbols: Sequence[str],
        clock: Clock,
        *,
        keys: Keys,
        rest_url: str,
        stream_url: str,
    ) -> None:
        self._symbols = tuple(symbols)
        self._clock = clock
        self._keys = keys
        budget = Budget("Alpaca's data", size=REQUESTS_A_MINUTE, seconds=MINUTE,
                        monotonic=clock.monotonic)  # fmt: skip
        self._rest = Rest(rest_url, refusal=refusal, budget=budget)
        self._asking = 0
        """So many questions share the connections; the last one closes them."""
        self._stream_url = stream_url.rstrip("/")

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Quotes and bars from now on. Raises one of the six errors, Ambiguous where it breaks."""
        groups = self._groups()
        if not groups:
            raise Rejected("SYMBOL", "Alpaca streams prices of shares and coins only")
        feed = _Feed()
        sockets = [
            WebSocket(
                self._stream_url + STREAMS[kind],
                greet=self._greeting(symbols),
                heard=feed.hear,
                ended=feed.end,
            )
            for kind, symbols in groups.items()
        ]
        try:
            for socket in sockets:
                await socket.open()
            async for event in feed.read():
                yield event
        finally:
            for socket in sockets:
                await socket.close()

    def _groups(self) -> dict[AssetClass, list[str]]:
        """Alpaca's symbols by the stream that has them; what none has is left out."""
        groups: dict[AssetClass, list[str]] = defaultdict(list)
        for symbol in self._symbols:
            try:
                kind = kind_of(symbol)
            except Rejected:
                continue
            if kind in STREAMS:
                groups[kind].append(to_venue(symbol))
        return groups

    def _greeting(self, symbols: list[str]) -> Callable[[WebSocket], Any]:
        async def greet(socket: WebSocket) -> None:
            key, secret = await looked_up(self._keys)
            await _until(socket, "success", "connected")
            await socket.send(json.dumps({"action": "auth", "key": key, "secret": secret}))
            await _until(socket, "success", "authenticated")
            wanted = {"action": "subscribe", "trades": symbols, "quotes": symbols, "bars": symbols}
            await socket.send(json.dumps(wanted))
            await _until(socket, "subscription", "")

        return greet

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Completed bars of a minute, oldest first. Raises one of the six errors."""
        kind, there = kind_of(symbol), to_venue(symbol)
        begin = datetime.fromtimestamp(self._clock.now() // NS_PER_SECOND, UTC) - timedelta(
            days=PAST_DAYS
        )
        query = {
            "timeframe": "1Min",
            "start": f"{begin:%Y-%m-%dT%H:%M:%SZ}",
            "limit": str(min(bars, LONGEST_BARS)),
            "sort": "desc",
        }
        self._asking += 1
        try:
            await self._rest.open()
            if kind is AssetClass.STOCK:
                path = f"/v2/stocks/{quote(there, safe='')}/bars"
                one: BarsOfOne = await self._asked(path, {**query, "feed": FEED}, BarsOfOne)
                rows = one.bars or []
            else:
                some: BarsOfSome = await self._asked(
                    BARS[kind], {**query, "symbols": there}, BarsOfSome
                )
                rows = some.bars.get(there, [])
        finally:
            self._asking -= 1
            if not self._asking:
                await self._rest.close()
        found = sorted((_bar(symbol, row) for row in rows), key=lambda bar: bar.time)
        return tuple(bar for bar in found if bar.time <= self._clock.now())[-bars:]

    async def _asked(self, path: str, query: dict[str, str], kind: Any) -> Any:
        """The answer to a question about bars. Raises one of the six errors."""
        key, secret = await looked_up(self._keys)
        headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}
        request = Request(method="GET", path=path, query=urlencode(query), headers=headers)
        answer = await self._rest.send(request)
        try:
            return decode(answer.body, kind)
        except msgspec.DecodeError as error:
            raise Ambiguous(f"bars cannot be read ({error}): {answer.text!r}") from error


class _Feed:
    """What has come and was not read yet, and the newest sides and trade of each symbol."""

    def __init__(self) -> None:
        self._events: deque[MarketEvent] = deque()
        self._arrived = asyncio.Event()
        self._why = ""
        self._newest: dict[str, Quote] = {}
        self._traded: dict[str, Decimal] = {}
        """The price of the newest trade of each symbol."""

    def hear(self, message: str | bytes) -> None:
        """Take a frame of messages. Raises for one that ends the feed."""
        for row in decode(_bytes(message), list[PriceRow]):
            event = self._event(row)
            if event is not None:
                self._events.append(event)
        if len(self._events) > MOST_WAITING:
            raise ValueError(f"{MOST_WAITING} prices wait to be read")
        self._arrived.set()

    def end(self, why: str) -> None:
        self._why = why
        self._arrived.set()

    async def read(self) -> AsyncIterator[MarketEvent]:
        told = 0
        while True:
            while self._events:
                yield self._events.popleft()
                told += 1
                if told % EVENTS_AT_ONCE == 0:
                    await asyncio.sleep(0)
            if self._why:
                raise Ambiguous(f"Alpaca's prices ended: {self._why}")
            self._arrived.clear()
            await self._arrived.wait()

    def _event(self, row: PriceRow) -> MarketEvent | None:
        symbol = from_venue(text(row.S))
        match row.T:
            case "t":
                return self._trade(symbol, row)
            case "q":
                return self._quote(symbol, row)
            case "b":
                return _bar(symbol, row)
            case "error":
                raise _error(row)
        return None

    def _trade(self, symbol: str, row: PriceRow) -> Quote:
        known = self._newest.get(symbol)
        made = Quote(
            symbol=symbol,
            bid=None if known is None else known.bid,
            ask=None if known is None else known.ask,
            bid_size=None if known is None else known.bid_size,
            ask_size=None if known is None else known.ask_size,
            last=number(row.p),
            time=time_of(row.t),
            trade=True,
        )
        self._newest[symbol] = made
        if made.last.is_finite():
            self._traded[symbol] = made.last
        return made

    def _quote(self, symbol: str, row: PriceRow) -> Quote | None:
        """New sides; the last trade stays, and before the first one their middle stands for it."""
        bid, ask = price_or_none(row.bp), price_or_none(row.ap)
        last = self._traded.get(symbol)
        if last is None and bid is not None and ask is not None:
            last = (bid + ask) / 2
        if last is None:
            return None
        made = Quote(
            symbol=symbol,
            bid=bid,
            ask=ask,
            bid_size=None if bid is None else number(row.bs),
            ask_size=None if ask is None else number(row.as_),
            last=last,
            time=time_of(row.t),
        )
        self._newest[symbol] = made
        return made


def _bar(symbol: str, row: PriceRow) -> Bar:
    """A bar of a minute; Alpaca dates it by its beginning."""
    began = time_of(row.t)
    return Bar(
        symbol=symbol,
        time=began + MINUTE * NS_PER_SECOND if began else 0,
        seconds=MINUTE,
        open=number(row.o),
        high=number(row.h),
        low=number(row.l),
        close=number(row.c),
        volume=number(row.v),
    )


async def _until(socket: WebSocket, kind: str, said: str) -> None:
    """Read until the feed says that. Raises one of the six errors where it says no."""
    while True:
        message = await socket.next()
        try:
            rows = decode(_bytes(message), list[PriceRow])
        except ValueError as error:
            raise NotSent(f"Alpaca's prices begin with what cannot be read: {error}") from error
        for row in rows:
            if row.T == "error":
                raise _error(row)
            if kind == row.T and said in {"", row.msg}:
                return


def _error(row: PriceRow) -> Exception:
    said = f"Alpaca's prices: {clean_text(text(row.msg), 100)} ({text(row.code)})"
    if row.code == _SLOT:
        return Throttled(said, _SLOT_SECONDS)
    return AuthFailed(said) if row.code in _AUTH else NotSent(said)


def _bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message
