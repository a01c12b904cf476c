"""Prices of an exchange by asking for its tickers every second, or as often as half of what the
exchange allows lasts for.

They are as old as the question: there are no trades between two of them, no depth, and no past
bars. An exchange that answers nothing lets them grow old, which stops entries by itself.
"""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any, Final

from brokers.ccxt.client import Client
from brokers.ccxt.wire import theirs
from brokers.net.numbers import price_or_none, time_of_millis
from engine.domain.instant import Nanos
from engine.domain.market import MarketEvent, Quote
from engine.ports import Clock

EVERY_SECONDS: Final = 1.0


def last_of(row: Mapping[str, Any]) -> Decimal | None:
    """The newest price that a ticker states; None for none."""
    return price_or_none(row.get("last")) or price_or_none(row.get("close"))


def quote_of(symbol: str, row: Mapping[str, Any], now: Nanos) -> Quote | None:
    """A ticker as a quote, of the moment it states or of now; None for one without a price."""
    last = last_of(row)
    if last is None:
        return None
    return Quote(
        symbol=symbol,
        bid=price_or_none(row.get("bid")),
        ask=price_or_none(row.get("ask")),
        last=last,
        bid_size=price_or_none(row.get("bidVolume")),
        ask_size=price_or_none(row.get("askVolume")),
        time=min(time_of_millis(row.get("timestamp")) or now, now),
    )


class CcxtMarket:
    """The prices of some symbols. It needs no key."""

    def __init__(self, client: Client, symbols: tuple[str, ...], clock: Clock) -> None:
        self._client = client
        self._symbols = {theirs(symbol): symbol for symbol in symbols if "-" in symbol}
        self._clock = clock

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Quotes as they are asked for. Raises one of the six errors; who reads it asks again."""
        self._client.open()
        try:
            await self._client.ask("load_markets", True)
            names = [*self._symbols]
            pause = max(EVERY_SECONDS, self._client.seconds_of(names))
            while True:
                rows = await self._client.tickers(names)
                for name, symbol in self._symbols.items():
                    quote = quote_of(symbol, rows.get(name) or {}, self._clock.now())
                    if quote is not None:
                        yield quote
                await self._clock.sleep(pause)
        finally:
            await self._client.close()

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """None: the past is not read."""
        return ()
