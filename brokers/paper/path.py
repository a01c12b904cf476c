"""Where a simulated price goes: a shape that is a function of time, and noise around it.

The shape of a symbol depends on the seed and the time alone, so that a restart finds prices close
to those it left. In logarithms it is the sum of

- a slow drift over hours and days (three sine waves),
- legs of 84 bars that run from one turning point to the next, up and down in turn, of hashed size;
  a leg has seven cycles, each a quiet pullback of 6 bars and then an impulse of 6 with a burst of
  volume: the stuff that trends, breakouts and flips are made of,
- a little of the movement that all symbols share.

Cycles and legs of the symbols are staggered: with six of them and bars of 10 seconds an impulse
starts every 20 seconds, so that there is something to trade within a minute of any start. The
noise reverts to the shape; its size drifts, and swells in an impulse.
"""

import math
from hashlib import blake2b
from random import Random
from typing import Final

BASE_PRICES: Final = {
    "AAPL": 228.0, "MSFT": 430.0, "NVDA": 135.0, "JPM": 215.0, "XOM": 115.0, "SPY": 570.0,
    "QQQ": 485.0, "AMZN": 186.0, "GOOGL": 165.0, "TSLA": 245.0, "META": 560.0,
    "BTC-USD": 65_000.0, "ETH-USD": 3_200.0, "EUR_USD": 1.09, "GBP_USD": 1.29, "USD_JPY": 150.0,
}  # fmt: skip
"""Where well-known symbols stand; others get a price from their name."""

CYCLE_BARS: Final = 12
QUIET_BARS: Final = 6
BURST_BARS: Final = 4
LEG_CYCLES: Final = 7

_PULLBACK: Final = 0.7
"""How much of a cycle's way the quiet part gives back."""
_TURN: Final = (0.009, 0.018)
"""How far from the middle a turning point lies."""
_WAVES: Final = ((0.006, 2.7), (0.010, 11.3), (0.014, 41.0))
"""Size and period in hours of the slow drift."""
_NOISE_PER_BAR: Final = 0.0002
_NOISE_MEMORY_BARS: Final = 6.0
_SHARED_PER_SECOND: Final = 0.00002
_SHARED_MEMORY_SECONDS: Final = 300.0
_SHARED_FORGOTTEN_SECONDS: Final = 7_200


def hashed(*facts: object) -> float:
    """A number in [0, 1) that stands for these facts."""
    text = ":".join(str(fact) for fact in facts)
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


def base_price(symbol: str, seed: int) -> float:
    """Around where a symbol trades."""
    known = BASE_PRICES.get(symbol)
    if known is not None:
        return known
    spread = hashed(seed, symbol, "price")
    if "_" in symbol:
        return 0.6 + spread
    return float(round(math.exp(math.log(20) + spread * math.log(400 / 20)), 2))


class Shared:
    """The movement that all symbols have in common; time only moves forward."""

    def __init__(self, random: Random, start: int) -> None:
        self._random = random
        self._second = start
        self._now = self._before = 0.0

    def at(self, time: float) -> float:
        """Its value at a time in seconds."""
        second = math.floor(time)
        # What is further back than this has no weight left, however long nobody asked.
        self._second = max(self._second, second - _SHARED_FORGOTTEN_SECONDS)
        while self._second < second:
            self._second += 1
            self._before = self._now
            pull = self._now / _SHARED_MEMORY_SECONDS
            self._now += self._random.gauss(0.0, _SHARED_PER_SECOND) - pull
        return self._before + (self._now - self._before) * (time - second)


class PricePath:
    """The price of one symbol, asked for at times that only move forward (seconds, UTC)."""

    def __init__(
        self,
        symbol: str,
        *,
        seed: int,
        place: float,
        bar_seconds: int,
        shared: Shared,
        random: Random,
    ) -> None:
        """`place`, in cycles, staggers the symbol's cycles and legs against those of the others."""
        self._seed = seed
        self._symbol = symbol
        self._base = math.log(base_price(symbol, seed))
        self._bar = float(bar_seconds)
        self._cycle = CYCLE_BARS * self._bar
        self._offset = place * self._cycle
        self._shared = shared
        self._beta = 0.6 + 0.8 * hashed(seed, symbol, "beta")
        self._random = random
        self._waves = [
            (size, hours * 3600, math.tau * hashed(seed, symbol, "wave", n))
            for n, (size, hours) in enumerate(_WAVES)
        ]
        """Size, length in seconds and phase of each slow wave."""
        self._noise = 0.0
        self._restless = 0.0
        """Logarithm of how much larger than usual the noise is."""
        self._time: float | None = None
        self._leg = -1
        self._turns = (0.0, 0.0)
        self._slow_second = -1
        self._slow = 0.0

    def price(self, time: float) -> float:
        """The price at a time."""
        dt = 0.0 if self._time is None else time - self._time
        self._time = time
        shape, impulse = self._shape(time)
        if dt > 0:
            bars = dt / self._bar
            gauss = self._random.gauss
            keep = math.exp(-bars / 30)
            self._restless = self._restless * keep + gauss(0.0, 0.35) * math.sqrt(1 - keep * keep)
            keep = math.exp(-bars / _NOISE_MEMORY_BARS)
            size = _NOISE_PER_BAR * math.exp(self._restless) * (1.3 if impulse else 0.8)
            spread = size * math.sqrt(_NOISE_MEMORY_BARS / 2 * (1 - keep * keep))
            self._noise = self._noise * keep + gauss(0.0, spread)
        return math.exp(self._base + shape + self._beta * self._shared.at(time) + self._noise)

    def activity(self, time: float) -> float:
        """How much is traded now, 1 on average: bursts in breakouts, and the hours of the day."""
        quiet, burst = self._place(time)
        of_cycle = 0.65 if quiet else 3.2 if burst else 1.25
        hour = time / 3600 % 24
        of_day = 1.0 + 0.35 * math.cos(math.tau * (hour - 14.5) / 24)
        return of_cycle * of_day

    def _place(self, time: float) -> tuple[bool, bool]:
        """Whether the cycle is in its quiet part, and whether in the burst that follows it."""
        bar = (time + self._offset) % self._cycle / self._bar
        return bar < QUIET_BARS, QUIET_BARS <= bar < QUIET_BARS + BURST_BARS

    def _shape(self, time: float) -> tuple[float, bool]:
        """The logarithm without noise, and whether an impulse is under way."""
        cycles, part = divmod((time + self._offset) / self._cycle, 1.0)
        leg, cycle = divmod(int(cycles), LEG_CYCLES)
        if leg != self._leg:
            self._leg = leg
            self._turns = (self._turn(leg), self._turn(leg + 1))
        quiet = QUIET_BARS / CYCLE_BARS
        if part < quiet:
            done = -_PULLBACK * part / quiet
        else:
            done = -_PULLBACK + (1 + _PULLBACK) * (part - quiet) / (1 - quiet)
        start, end = self._turns
        way = (cycle + done) / LEG_CYCLES
        second = int(time)
        if second != self._slow_second:
            self._slow_second = second
            turned = math.tau * second
            self._slow = sum(
                [size * math.sin(turned / length + phase) for size, length, phase in self._waves]
            )
        return self._slow + start + (end - start) * way, part >= quiet

    def _turn(self, leg: int) -> float:
        """The turning point at which a leg starts: above and below the middle in turn."""
        low, high = _TURN
        size = low + (high - low) * hashed(self._seed, self._symbol, "turn", leg)
        return size if leg % 2 else -size
