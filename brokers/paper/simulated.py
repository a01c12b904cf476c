"""A market that looks alive at any hour of any day, from a seed (calendar SIM).

Quotes with sizes, trades, completed bars and a book of ten levels a side for each symbol, as
`path` moves its price. The same seed and start give the same market in virtual time. `venue` meets
each quote before the engine sees it.
"""

import heapq
from collections import deque
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from random import Random
from typing import Final

from brokers.paper.exchange import PriceTaker
from brokers.paper.path import STEPS_PER_SECOND, PricePath, shared_cascade
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument
from engine.domain.instruments.pair import Pair
from engine.domain.market import Bar, Depth, DepthLevel, MarketEvent, Quote
from engine.ports import Clock

WARM_BARS: Final = 120
"""Bars of history at the start: enough for every indicator."""
HISTORY_BARS: Final = 400
LEVELS: Final = 10
QUOTES_PER_SYMBOL: Final = 4.5
"""Quotes a second of each symbol where no rate is given."""

_STEPS_PER_BAR: Final = 5
"""Looks at the price per bar where nobody watches: history, and time that was slept through."""
_DEPTH_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 1 / STEPS_PER_SECOND
"""How often the path is asked at most; quotes in between only flicker around its price."""
_WAKE_SECONDS: Final = 0.1
"""Events of so much time are handed over together, which keeps an idle process idle."""
_BEHIND_SECONDS: Final = 5
"""So late, quotes are skipped rather than caught up with; bars are not."""
_CACHED: Final = 5_000
_SHARES: Final = tuple(Decimal(100 * n) for n in (2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30))
_BAR_VOLUME: Final = 24_000
"""Shares in an average bar, of a stock at 100."""


class _Tape:
    """One symbol: its price in ticks, its sizes, and the bar in progress."""

    def __init__(self, rules: Instrument, path: PricePath, random: Random, seconds: int) -> None:
        self.symbol = rules.symbol
        self._path = path
        self._random = random
        self._seconds = seconds
        self._tick = rules.tick
        self._tick_size = float(rules.tick)
        self._prices: dict[int, Decimal] = {}
        self._price = path.price
        self._looked = 0.0
        self._middle = 0.0
        self._narrow = 1
        """The smallest spread, in ticks."""
        self._bid = 0
        self._spread = 1
        self._last = 0
        self._whole = not isinstance(rules.contract, Pair)
        self._sizes: tuple[Decimal, ...] = _SHARES
        self._unit = 0.0
        self._open = self._high = self._low = 0
        self._volume = 0.0
        self.bars: deque[Bar] = deque(maxlen=HISTORY_BARS)

    def begin(self, time: float) -> None:
        """Stand at a time, with an empty bar."""
        self._move(time)
        price = self._middle * self._tick_size
        self._unit = _BAR_VOLUME * 100 / price
        if not self._whole:
            # About 20,000 of money a size, in three digits.
            unit = Decimal(f"{20_000 / price:.3g}")
            self._sizes = tuple(unit * shares / 1000 for shares in _SHARES)
        self._last = self._bid
        self._open = self._high = self._low = self._last

    def _move(self, time: float) -> None:
        if time - self._looked >= _LOOK_SECONDS:
            self._looked = time
            self._middle = self._price(time) / self._tick_size
            # At least about a basis point where the tick is finer than that.
            self._narrow = max(1, int(self._middle * 0.00012))
        self._spread = self._narrow + int(self._random.random() * 2.2)
        self._bid = max(1, int(self._middle - self._spread / 2 + 0.5))

    def _trade(self, volume: float) -> None:
        last = self._bid + (self._spread if self._random.random() < 0.5 else 0)
        self._last = last
        self._volume += volume
        if last > self._high:
            self._high = last
        elif last < self._low:
            self._low = last

    def quote(self, time: Nanos, interval: float) -> Quote:
        """The quote at a time; about every second one comes with a trade."""
        seconds = time / NS_PER_SECOND
        self._move(seconds)
        random = self._random.random
        traded = random() < 0.55
        if traded:
            share = interval / self._seconds / 0.55
            self._trade(self._path.activity(seconds) * self._unit * share * (0.5 + random()))
        sizes = self._sizes
        count = len(sizes)
        bid_size, ask_size = sizes[int(random() * count)], sizes[int(random() * count)]
        return self._quoted(time, bid_size, ask_size, traded=traded)

    def standing(self, time: Nanos) -> Quote:
        """The quote that stands: nothing moves and nothing is traded by asking."""
        return self._quoted(time, self._sizes[4], self._sizes[4], traded=False)

    def _quoted(self, time: Nanos, bid_size: Decimal, ask_size: Decimal, *, traded: bool) -> Quote:
        return Quote(
            symbol=self.symbol,
            bid=self._decimal(self._bid),
            ask=self._decimal(self._bid + self._spread),
            last=self._decimal(self._last),
            bid_size=bid_size,
            ask_size=ask_size,
            time=time,
            trade=traded,
        )

    def unwatched(self, time: float, part: float) -> None:
        """Move and trade without a quote; `part` is the share of a bar since the last time."""
        self._move(time // 1)  # whole seconds take fewer halvings
        noise = 0.75 + 0.5 * self._random.random()
        self._trade(self._path.activity(time) * self._unit * part * noise)

    def bar(self, time: Nanos) -> Bar:
        """Complete the bar that ends at a time, and start the next one."""
        decimal = self._decimal
        volume = int(self._volume) if self._whole else f"{self._volume:.4g}"
        bar = Bar(
            symbol=self.symbol,
            time=time,
            seconds=self._seconds,
            open=decimal(self._open),
            high=decimal(self._high),
            low=decimal(self._low),
            close=decimal(self._last),
            volume=Decimal(volume),
            bid=decimal(self._bid),
            bid_size=self._sizes[4],
            ask=decimal(self._bid + self._spread),
            ask_size=self._sizes[4],
        )
        self._open = self._high = self._low = self._last
        self._volume = 0.0
        self.bars.append(bar)
        return bar

    def depth(self, time: Nanos) -> Depth:
        """Ten levels a side around the newest quote; further out stands more."""
        bid, ask = self._bid, self._bid + self._spread
        step = max(1, self._spread // 2)
        bids = tuple(self._level(bid - n * step, n) for n in range(LEVELS) if bid > n * step)
        asks = tuple(self._level(ask + n * step, n) for n in range(LEVELS))
        return Depth(symbol=self.symbol, bids=bids, asks=asks, time=time)

    def _level(self, ticks: int, n: int) -> DepthLevel:
        sizes = self._sizes
        place = min(len(sizes) - 1, int(self._random.random() * 6) + n // 2)
        return DepthLevel(self._decimal(ticks), sizes[place])

    def _decimal(self, ticks: int) -> Decimal:
        known = self._prices.get(ticks)
        if known is None:
            if len(self._prices) >= _CACHED:
                self._prices.clear()
            known = self._prices[ticks] = ticks * self._tick
        return known


class SimulatedMarket:
    """Market data that never ends. `quotes_per_second` is over all symbols; 0 is the usual pace."""

    def __init__(
        self,
        symbols: Sequence[str],
        clock: Clock,
        *,
        venue: PriceTaker,
        seed: int,
        bar_seconds: int = 10,
        quotes_per_second: float = 0,
    ) -> None:
        self._symbols = tuple(dict.fromkeys(symbols))
        self._clock = clock
        self._venue = venue
        self._seed = seed
        self._seconds = bar_seconds
        self._rate = quotes_per_second or QUOTES_PER_SYMBOL * len(self._symbols)
        self._interval = len(self._symbols) / self._rate
        self._wake = min(_WAKE_SECONDS, max(10 / self._rate, 0.001))
        self._random = Random()
        self._tapes: dict[str, _Tape] = {}
        self._simulated: Nanos = 0

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Up to `bars` completed bars before now, oldest first; none of an unknown symbol."""
        self._begin()
        tape = self._tapes.get(symbol)
        return tuple(tape.bars)[-bars:] if tape is not None and bars > 0 else ()

    async def events(self) -> AsyncIterator[MarketEvent]:
        """The price at which each symbol stands, then quotes, completed bars and depth of all
        symbols, in order of time."""
        self._begin()
        for tape in self._tapes.values():
            quote = tape.standing(self._simulated)
            self._venue.on_price(quote)
            yield quote
        while True:
            schedule = self._schedule(self._simulated)
            behind = False
            while not behind:
                now = self._clock.now()
                behind = not (schedule[0][0] - now) / NS_PER_SECOND >= -_BEHIND_SECONDS
                while not behind and schedule[0][0] <= now:
                    yield self._happen(schedule)
                await self._clock.sleep(self._wake)
                # A wall clock that was set back would let the market stand still.
                behind = behind or schedule[0][0] - self._clock.now() > (
                    (self._seconds + _BEHIND_SECONDS) * NS_PER_SECOND
                )
            for bar in self._skip_to(self._clock.now()):
                yield bar

    # The machine.

    def _begin(self) -> None:
        """Make the tapes and their history, once."""
        if self._tapes or not self._symbols:
            return
        now = self._clock.now()
        length = self._seconds * NS_PER_SECOND
        start = now - now % length - WARM_BARS * length
        key = f"{self._seed}:{start}"
        self._random = Random(f"{key}:times")
        shared = shared_cascade(self._seed)
        for symbol in self._symbols:
            random = Random(f"{key}:{symbol}")
            path = PricePath(symbol, seed=self._seed, shared=shared)
            rules = self._venue.instruments.get(symbol)
            self._tapes[symbol] = tape = _Tape(rules, path, random, self._seconds)
            tape.begin(start / NS_PER_SECOND)
        self._simulated = start
        self._skip_to(now)

    def _skip_to(self, now: Nanos) -> list[Bar]:
        """Let time pass unwatched; returns the bars that were completed meanwhile."""
        length = self._seconds * NS_PER_SECOND
        step = length // _STEPS_PER_BAR
        done: list[Bar] = []
        if now < self._simulated:
            # The clock was set back: the paths go on from where they are.
            self._simulated = now
            return done
        # Whoever slept for long gets only what the history holds.
        time = max(self._simulated, now - HISTORY_BARS * length)
        while time < now:
            boundary = time - time % length + length
            until = min(time + step, boundary, now)
            for tape in self._tapes.values():
                tape.unwatched(until / NS_PER_SECOND, (until - time) / length)
            if until == boundary:
                done += [tape.bar(until) for tape in self._tapes.values()]
            time = until
        self._simulated = now
        return done

    def _schedule(self, now: Nanos) -> list[tuple[Nanos, int, int, str]]:
        """What happens next, by time: (time, number, kind, symbol)."""
        length = self._seconds * NS_PER_SECOND
        boundary = now - now % length + length
        self._number = 0
        schedule: list[tuple[Nanos, int, int, str]] = []
        for n, symbol in enumerate(self._symbols):
            share = (n + 1) / len(self._symbols)
            first = (now + round(share * self._interval * NS_PER_SECOND), _QUOTE)
            depth = (now + round(share * _DEPTH_SECONDS * NS_PER_SECOND), _DEPTH)
            for time, kind in (first, depth, (boundary, _BAR)):
                self._number += 1
                schedule.append((time, self._number, kind, symbol))
        heapq.heapify(schedule)
        return schedule

    def _happen(self, schedule: list[tuple[Nanos, int, int, str]]) -> MarketEvent:
        """Take the next thing from the schedule, put its successor in, and return the event."""
        time, _, kind, symbol = schedule[0]
        tape = self._tapes[symbol]
        self._number += 1
        event: MarketEvent
        if kind == _QUOTE:
            event = tape.quote(time, self._interval)
            self._venue.on_price(event)
            after = round(self._random.expovariate(1 / self._interval) * NS_PER_SECOND)
        elif kind == _DEPTH:
            event = tape.depth(time)
            after = round(_DEPTH_SECONDS * NS_PER_SECOND)
        else:
            event = tape.bar(time)
            after = self._seconds * NS_PER_SECOND
        heapq.heapreplace(schedule, (time + max(after, 1), self._number, kind, symbol))
        self._simulated = time
        return event


_QUOTE, _DEPTH, _BAR = range(3)
