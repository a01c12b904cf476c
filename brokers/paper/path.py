"""Where a simulated price goes: a fair game that looks alive.

A price is its base times 1 plus two cascades: one that all symbols share and one of its own. A
cascade is a Brownian motion whose clock runs unevenly: it is told by halving time. A block of three
days has hashed values at its ends; its middle is that of a Brownian bridge, and the variance of the
block is shared out between the halves unevenly, by hash; so on down to a sixteenth of a second.
What comes out

- is a martingale: how fast it moves says nothing about where to, and so no rule that looks at the
  past gains or loses on average before costs. Only the ends of the blocks, which keep the price
  near its base over the years, pull at it, over days and by less than a rule of minutes can notice;
- has quiet and restless times of all lengths, and with them runs, breaks and turns, and volume that
  comes with movement;
- depends on the seed and the time alone: a restart finds the price where it would have been, and
  any time is reached in a few steps, however long nobody asked.
"""

import math
import struct
from hashlib import blake2b
from statistics import NormalDist
from typing import Final

BASE_PRICES: Final = {
    "AAPL": 228.0, "MSFT": 430.0, "NVDA": 135.0, "JPM": 215.0, "XOM": 115.0, "SPY": 570.0,
    "QQQ": 485.0, "AMZN": 186.0, "GOOGL": 165.0, "TSLA": 245.0, "META": 560.0,
    "BTC-USD": 65_000.0, "ETH-USD": 3_200.0, "EUR_USD": 1.09, "GBP_USD": 1.29, "USD_JPY": 150.0,
}  # fmt: skip
"""Where well-known symbols stand; others get a price from their name."""

STEPS_PER_SECOND: Final = 16
"""How often a price moves at most."""

_BLOCK_SECONDS: Final = 2**18
_LEVELS: Final = (_BLOCK_SECONDS * STEPS_PER_SECOND).bit_length() - 1
"""How often a block is halved until a step is left."""
_PACE_LEVEL: Final = 15
"""Of a piece of eight seconds, whose variance is the pace of the moment."""
_UNEVENNESS: Final = (0.08,) * 5 + (0.2,) * 10 + (0.0,) * (_LEVELS - _PACE_LEVEL)
"""By how much the share of a half differs from one half at most, where a piece of so many halvings
is halved: little down to two hours, much from there to eight seconds, and not below."""

_OWN_PER_SECOND: Final = 0.00011
_SHARED_PER_SECOND: Final = 0.00006
"""Standard deviation of a second's movement, as a fraction of the base price."""
_OWN_ENDS: Final = 0.035
_SHARED_ENDS: Final = 0.018
"""Standard deviation of where blocks end."""
_LOWEST: Final = 0.1
"""A price never falls below this fraction of its base."""

_TWO_NUMBERS: Final = struct.Struct("<QQ")
_DENSITY: Final = 2.0**-64
_FINE: Final = 2.0**-48
_inverse: Final = NormalDist().inv_cdf


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


class Cascade:
    """A martingale of zero mean that depends on its key and the time alone.

    `per_second` is the standard deviation of a second's movement on average, `ends` that of the
    values at which blocks end. Times may come in any order; those that move forward cost least.
    """

    def __init__(self, key: str, *, per_second: float, ends: float) -> None:
        self._hash = blake2b(key.encode(), digest_size=16)
        self._variance = per_second**2 * _BLOCK_SECONDS
        self._ends = ends
        self._step = -1
        self._depth = 0
        self._pieces = [(0.0, 0.0, 0.0)] * (_LEVELS + 1)
        """Of each level, the piece that holds the step asked for last: its value at the start and
        at the end, and the variance in between."""

    def at(self, time: float) -> float:
        """Its value at a time, in seconds UTC."""
        step = int(time * STEPS_PER_SECOND)
        if step != self._step:
            self._descend(step)
        return self._pieces[self._depth][0]

    def pace(self) -> float:
        """The variance of about eight seconds around the time asked for last, 1 on average."""
        return self._pieces[_PACE_LEVEL][2] / self._variance * 2**_PACE_LEVEL

    def _descend(self, step: int) -> None:
        """Halve the block until a piece begins at the step, from where the last way parts."""
        level = min(_LEVELS - (step ^ self._step).bit_length(), self._depth)
        self._step = step
        if level < 0 or self._depth == 0:
            block = step >> _LEVELS
            self._pieces[0] = (self._end(block), self._end(block + 1), self._variance)
            level = 0
        left = step & ((1 << (_LEVELS - level)) - 1)
        start, end, variance = self._pieces[level]
        while left or level < _PACE_LEVEL:
            below = _LEVELS - level
            even, normal = self._drawn(level, step >> below)
            share = 0.5 + _UNEVENNESS[level] * (2 * even - 1)
            other = 1 - share
            middle = start + share * (end - start) + math.sqrt(variance * share * other) * normal
            half = 1 << (below - 1)
            if left & half:
                left -= half
                start, variance = middle, variance * other
            else:
                end, variance = middle, variance * share
            level += 1
            self._pieces[level] = (start, end, variance)
        self._depth = level

    def _end(self, block: int) -> float:
        """The value at which a block starts, which is the one at which the block before ends."""
        return self._ends * self._drawn(_LEVELS, block)[1]

    def _drawn(self, level: int, place: int) -> tuple[float, float]:
        """An even number in [0, 1) and a normal one that stand for a piece."""
        digest = self._hash.copy()
        digest.update((place << 5 | level).to_bytes(8, "little"))
        even, normal = _TWO_NUMBERS.unpack(digest.digest())
        # both ends of the open interval are out of reach, whatever the hash
        return even * _DENSITY, _inverse(((normal >> 16) + 0.5) * _FINE)


def shared_cascade(seed: int) -> Cascade:
    """The movement that all symbols of a market have in common."""
    return Cascade(f"{seed}:shared", per_second=_SHARED_PER_SECOND, ends=_SHARED_ENDS)


class PricePath:
    """The price of one symbol at any time (seconds, UTC); `shared` is the same for all symbols."""

    def __init__(self, symbol: str, *, seed: int, shared: Cascade) -> None:
        self._base = base_price(symbol, seed)
        self._own = Cascade(f"{seed}:{symbol}", per_second=_OWN_PER_SECOND, ends=_OWN_ENDS)
        self._shared = shared
        self._beta = 0.6 + 0.8 * hashed(seed, symbol, "beta")

    def price(self, time: float) -> float:
        """The price at a time."""
        moved = self._own.at(time) + self._beta * self._shared.at(time)
        return self._base * max(_LOWEST, 1 + moved)

    def activity(self, time: float) -> float:
        """How much is traded at a time, 1 on average: bursts, and the hours of the day."""
        self._own.at(time)
        hour = time / 3600 % 24
        return self._own.pace() * (1.0 + 0.35 * math.cos(math.tau * (hour - 14.5) / 24))
