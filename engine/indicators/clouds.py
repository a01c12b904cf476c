"""EMA clouds: pairs of averages streamed over completed bars (A-140…A-145, X-38, E-03).

One `Clouds` follows one symbol on one timeframe and costs the same for every bar, whatever its
history. Only completed bars belong here: an unfinished bar never changes a colour (A-145, T-04).
Prices are floats, as in every indicator; nothing here is money.
"""

import math
from collections import deque
from collections.abc import Sequence
from enum import StrEnum
from typing import Final

import msgspec


class Layer(StrEnum):
    """The clouds, from the quickest to the slowest (A-140)."""

    FAST = "fast"
    PULLBACK = "pullback"
    TREND = "trend"
    MACRO = "macro"
    LONG_TERM = "long_term"


class PriceSource(StrEnum):
    """The price of a bar that is averaged (A-141, X-38)."""

    CLOSE = "close"
    HL2 = "hl2"


class CloudPlace(StrEnum):
    """Where the close lies; on an edge is inside."""

    ABOVE = "above"
    INSIDE = "inside"
    BELOW = "below"


class Slope(StrEnum):
    """Which way a cloud's middle moves."""

    RISING = "rising"
    FLAT = "flat"
    FALLING = "falling"


PERIODS: Final[dict[Layer, tuple[int, int]]] = {
    Layer.FAST: (5, 12),
    Layer.PULLBACK: (8, 9),
    Layer.TREND: (20, 21),
    Layer.MACRO: (34, 50),
    Layer.LONG_TERM: (72, 89),
}
"""Periods in bars of the short and the long average of each layer."""

FOUR_LAYERS: Final = (Layer.FAST, Layer.PULLBACK, Layer.TREND, Layer.MACRO)
"""The default; `Layer.LONG_TERM` is the optional fifth."""

TOUCH: Final = 1e-9
"""Averages closer than this share of the price are equal: a touch is never a flip (A-144)."""

SLOPE_BARS: Final = 5
SLOPE_THRESHOLD: Final = 0.001
"""Share of its own height per bar by which a middle rises or falls (A-143)."""


class CloudState(msgspec.Struct, frozen=True, kw_only=True):
    """One cloud after one completed bar.

    `bullish` is None until the averages differ for the first time. `thickness` is
    |short - long| / close; `slope` the mean change of the middle per bar over 5 bars as a share of
    the middle then, 0 before there are 5. `flipped`: the colour changed on this bar. `crossed`:
    +1 when the close left the cloud upward on this bar, -1 downward, else 0.
    """

    layer: Layer
    short: float
    long: float
    bullish: bool | None
    thickness: float
    place: CloudPlace
    slope: float
    flipped: bool
    crossed: int

    @property
    def upper(self) -> float:
        return max(self.short, self.long)

    @property
    def lower(self) -> float:
        return min(self.short, self.long)

    @property
    def trend(self) -> Slope:
        if self.slope > SLOPE_THRESHOLD:
            return Slope.RISING
        if self.slope < -SLOPE_THRESHOLD:
            return Slope.FALLING
        return Slope.FLAT


class CloudSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Every cloud after one completed bar; `ready` once there were enough bars (A-142)."""

    close: float
    bars: int
    ready: bool
    states: tuple[CloudState, ...]

    def __getitem__(self, layer: Layer) -> CloudState:
        """The state of a layer. Raises KeyError for one that is not followed."""
        for state in self.states:
            if state.layer is layer:
                return state
        raise KeyError(layer)

    @property
    def flips(self) -> tuple[Layer, ...]:
        """The layers whose colour changed on this bar; their states tell the new colour."""
        return tuple(state.layer for state in self.states if state.flipped)

    @property
    def aligned(self) -> int:
        """+1 when every cloud is bullish and the close above all, -1 the mirror, else 0."""
        return 1 if self._all(True, CloudPlace.ABOVE) else -self._all(False, CloudPlace.BELOW)

    def _all(self, bullish: bool, place: CloudPlace) -> bool:
        """Whether every cloud has this colour and the close lies there."""
        for state in self.states:
            if state.place is not place or state.bullish is not bullish:
                return False
        return True


class _Cloud:
    """The running averages of one layer."""

    __slots__ = ("_alpha_long", "_alpha_short", "_bullish", "_layer", "_middles", "long", "short")

    def __init__(self, layer: Layer, price: float) -> None:
        short_period, long_period = PERIODS[layer]
        self._layer = layer
        self._alpha_short = 2.0 / (short_period + 1)
        self._alpha_long = 2.0 / (long_period + 1)
        # The first observation seeds both averages.
        self.short = price
        self.long = price
        self._bullish: bool | None = None
        self._middles: deque[float] = deque(maxlen=SLOPE_BARS + 1)

    def update(self, price: float, close: float, previous_close: float) -> CloudState:
        """Take one completed bar in."""
        short, long = self.short, self.long
        upper_before, lower_before = (short, long) if short > long else (long, short)
        short += self._alpha_short * (price - short)
        long += self._alpha_long * (price - long)
        upper, lower = (short, long) if short > long else (long, short)
        self.short, self.long = short, long

        before = self._bullish
        if abs(short - long) >= TOUCH * close and short != long:
            self._bullish = short > long

        middles = self._middles
        middles.append((short + long) / 2)
        slope = 0.0
        if len(middles) > SLOPE_BARS:
            slope = (middles[-1] - middles[0]) / (SLOPE_BARS * middles[0])

        crossed = 0
        if previous_close <= upper_before and close > upper:
            crossed = 1
        elif previous_close >= lower_before and close < lower:
            crossed = -1

        place = CloudPlace.INSIDE
        if close > upper:
            place = CloudPlace.ABOVE
        elif close < lower:
            place = CloudPlace.BELOW

        return CloudState(
            layer=self._layer,
            short=short,
            long=long,
            bullish=self._bullish,
            thickness=(upper - lower) / close,
            place=place,
            slope=slope,
            flipped=before is not None and self._bullish is not before,
            crossed=crossed,
        )


class Clouds:
    """The clouds of one symbol on one timeframe. Feed history through `update`, then go on."""

    def __init__(
        self,
        price_source: PriceSource = PriceSource.CLOSE,
        layers: Sequence[Layer] = FOUR_LAYERS,
    ) -> None:
        self._price_source = price_source
        self._layers = tuple(layers)
        self._clouds: tuple[_Cloud, ...] = ()
        self._bars = 0
        self._ready_at = bars_needed(self._layers)
        self.current: CloudSnapshot | None = None
        self.previous: CloudSnapshot | None = None

    def update(self, high: float, low: float, close: float) -> CloudSnapshot:
        """The clouds after one more completed bar; the one before moves to `previous`.

        Raises ValueError, and changes nothing, for a price that is not positive and finite: it
        would stay in the averages for ever.
        """
        for price in (high, low, close):
            if not (0.0 < price < math.inf):
                raise ValueError(f"a bar's price {price} must be a finite number above 0")
        price = close if self._price_source is PriceSource.CLOSE else (high + low) / 2
        if not self._clouds:
            self._clouds = tuple(_Cloud(layer, price) for layer in self._layers)
        previous_close = close if self.current is None else self.current.close
        self._bars += 1
        self.previous = self.current
        self.current = CloudSnapshot(
            close=close,
            bars=self._bars,
            ready=self._bars >= self._ready_at,
            states=tuple([cloud.update(price, close, previous_close) for cloud in self._clouds]),
        )
        return self.current


def bars_needed(layers: Sequence[Layer] = FOUR_LAYERS) -> int:
    """How many bars make the clouds ready: the longest period and 2 more (A-142)."""
    return max(PERIODS[layer][1] for layer in layers) + 2
