"""What completed bars say, symbol by symbol: kept up with the feed and never journalled.

It is rebuilt after a start from the bars before it, and from those that come in.
"""

from collections import deque
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.instant import Nanos
from engine.domain.market import Bar
from engine.indicators.aggregate import BarAggregator, SessionEnd
from engine.indicators.clouds import Clouds, CloudSnapshot, Layer, PriceSource

AVERAGE_BARS: Final = 20
"""Bars that a mean is taken of."""

PAST_BARS: Final = 120
"""Bars of each symbol that are asked for at a start: the averages have settled after them."""


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """One completed bar, and what it says with those before it.

    The means are those of the 20 bars before this one, None where there were not as many.
    `mean_volume` is also None where one of them, or this one, has no volume.
    """

    bar: Bar
    clouds: CloudSnapshot
    before: CloudSnapshot | None
    """The clouds one bar earlier."""
    mean_volume: float | None
    mean_width: float | None
    """Mean thickness of the macro cloud."""


class Indicators:
    """The indicators of every symbol whose bars are taken in.

    `seconds` None takes the bars as they come, otherwise longer ones of that length are put
    together first.
    """

    def __init__(
        self,
        seconds: int | None = None,
        price_source: PriceSource = PriceSource.CLOSE,
        *,
        session_end: SessionEnd | None = None,
    ) -> None:
        """`session_end` ends a longer bar with its session; without it sessions are not known."""
        self._price_source = price_source
        self._aggregator: BarAggregator | None = None
        if seconds is not None:
            self._aggregator = (
                BarAggregator(seconds)
                if session_end is None
                else BarAggregator(seconds, session_end)
            )
        self._symbols: dict[str, _Symbol] = {}
        self.completed: tuple[Completed, ...] = ()
        """What the newest bar of the feed completed, oldest first; mostly one."""
        self.left_aside = ""
        """Why the newest bar, or one of the past, was not taken in; "" where it was, and where the
        one before it in its symbol was not either."""
        self._bad: set[str] = set()

    def take(self, bar: Bar) -> None:
        """Take in a bar of the feed; `completed` then tells what it completed.

        A bar that does not end after the last one of its symbol changes nothing and completes
        nothing; so does one whose numbers can be no bar, or whose length does not divide that of
        the longer ones: `left_aside` then says why.
        """
        self.completed, self.left_aside = (), ""
        fault = bar.fault or (self._aggregator.fault(bar) if self._aggregator else "")
        if fault:
            self.left_aside = "" if bar.symbol in self._bad else fault
            self._bad.add(bar.symbol)
            return
        self._bad.discard(bar.symbol)
        bars = (bar,) if self._aggregator is None else self._aggregator.add(bar)
        self.completed = tuple([one for bar in bars if (one := self._update(bar)) is not None])

    def recall(self, bars: Iterable[Bar]) -> None:
        """Take in bars of before the start, oldest first; `completed` is empty after them, and
        `left_aside` speaks of the first that was not taken in.
        """
        first = ""
        for bar in bars:
            self.take(bar)
            first = first or self.left_aside
        self.completed, self.left_aside = (), first

    def clouds(self, symbol: str) -> CloudSnapshot | None:
        """The clouds after the last completed bar, None before the first."""
        followed = self._symbols.get(symbol)
        return None if followed is None else followed.clouds.current

    def _update(self, bar: Bar) -> Completed | None:
        followed = self._symbols.get(bar.symbol)
        if followed is None:
            followed = self._symbols[bar.symbol] = _Symbol(self._price_source)
        elif bar.time <= followed.time:
            return None
        return followed.update(bar)


class _Symbol:
    """What is remembered of one symbol: its clouds and the averages beside them."""

    def __init__(self, price_source: PriceSource) -> None:
        self.clouds = Clouds(price_source)
        self.time: Nanos = 0
        self._volumes: deque[float] = deque(maxlen=AVERAGE_BARS)
        self._widths: deque[float] = deque(maxlen=AVERAGE_BARS)

    def update(self, bar: Bar) -> Completed:
        """Take a completed bar in."""
        before = self.clouds.current
        snapshot = self.clouds.update(float(bar.high), float(bar.low), float(bar.close))
        self.time = bar.time
        completed = Completed(
            bar=bar,
            clouds=snapshot,
            before=before,
            mean_volume=self._mean_volume(bar.volume),
            mean_width=_mean(self._widths),
        )
        self._widths.append(snapshot[Layer.MACRO].thickness)
        return completed

    def _mean_volume(self, volume: Decimal | None) -> float | None:
        """The mean before this volume; an unknown volume starts it anew."""
        if volume is None:
            self._volumes.clear()
            return None
        mean = _mean(self._volumes)
        self._volumes.append(float(volume))
        return mean


def _mean(values: deque[float]) -> float | None:
    """The mean of a full window, else None."""
    return sum(values) / AVERAGE_BARS if len(values) == AVERAGE_BARS else None
