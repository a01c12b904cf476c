"""A recorded market: bars played as price events, under the clock it is given (X-68).

A bar that ends at T and lasts S seconds is played as

- its open, one second after T - S,
- at T the extreme that hurts what is held (the low of a long, the high of a short; all accounts
  together), then the other extreme, then the close; where nothing is held, the low comes first in a
  bar that did not fall,
- and then the bar itself, complete.

The venue meets each price before the engine sees it. A quarter of the bar's volume trades at each;
without volume there is no cap. Only the close carries the bar's bid and ask. What happens at T was
traded before T, so the last bar of a session belongs to it.
"""

from collections import deque
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from itertools import groupby
from operator import attrgetter
from typing import Final

from brokers.paper.bars import BarFile, read_bars
from brokers.paper.exchange import PriceTaker
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Bar, MarketEvent, Quote
from engine.domain.money import ZERO
from engine.ports import Clock

HISTORY_BARS: Final = 400
"""Bars kept of each symbol for whoever asks later."""

_QUARTER: Final = Decimal("0.25")


class ReplayMarket:
    """Market data from a checked file of bars. It ends after the last bar.

    `clock` must not have passed `file.start`; it says how fast the recording runs.
    """

    def __init__(
        self,
        file: BarFile,
        clock: Clock,
        *,
        venue: PriceTaker,
        quote_max_age_seconds: float,
    ) -> None:
        self._file = file
        self._clock = clock
        self._venue = venue
        self._length: Nanos = file.seconds * NS_PER_SECOND
        self._open_after: Nanos = min(NS_PER_SECOND, self._length // 2)
        self._max_age = round(quote_max_age_seconds * NS_PER_SECOND)
        self._past: dict[str, deque[Bar]] = {}

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Quotes and completed bars, each when it is due."""
        for time, group in groupby(read_bars(self._file), key=attrgetter("time")):
            bars = list(group)
            opened_at = time - self._length + self._open_after
            await self._until(opened_at)
            for bar in bars:
                yield self._play(bar, bar.open, opened_at, opened_at)
            await self._until(time)
            for bar in bars:
                for price in self._extremes(bar):
                    yield self._play(bar, price, time, time - 1)
                yield self._play(bar, bar.close, time, time - 1, last=True)
                self._past.setdefault(bar.symbol, deque(maxlen=HISTORY_BARS)).append(bar)
                yield bar

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Up to `bars` bars played so far, oldest first."""
        past = self._past.get(symbol, ())
        return tuple(past)[-bars:] if bars > 0 else ()

    async def _until(self, due: Nanos) -> None:
        while (ahead := due - self._clock.now()) > 0:
            await self._clock.sleep(ahead / NS_PER_SECOND)

    def _extremes(self, bar: Bar) -> Iterator[Decimal]:
        held = self._venue.position(bar.symbol)
        low_first = bar.close >= bar.open if not held else held > 0
        yield bar.low if low_first else bar.high
        yield bar.high if low_first else bar.low

    def _play(
        self, bar: Bar, price: Decimal, time: Nanos, traded_at: Nanos, *, last: bool = False
    ) -> Quote:
        """Let the venue meet a price, and return it as the engine sees it."""
        # The next one is due at the bar's end, or at the end of the bar that follows it.
        stale_at = bar.time + self._max_age + (self._length if time == bar.time else 0)
        bid = ask = bid_size = ask_size = None
        if last:
            bid, ask = bar.bid, bar.ask
            bid_size, ask_size = bar.bid_size or None, bar.ask_size or None
        quote = Quote(
            symbol=bar.symbol,
            bid=bid,
            ask=ask,
            bid_size=bid_size,
            ask_size=ask_size,
            last=price,
            time=time,
            stale_at=stale_at,
            trade=True,
        )
        volume = ZERO if bar.volume is None else bar.volume * _QUARTER
        self._venue.on_price(quote, volume, traded_at)
        return quote
