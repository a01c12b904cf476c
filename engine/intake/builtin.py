"""The built-in signals: cross, flip and trend-aligned of the EMA clouds (A-146, A-147, X-64).

All three are edges between two completed bars, so that each is said once:

* `cloud_cross_bullish` / `_bearish`: the close leaves the fast cloud upward / downward;
* `cloud_flip_bullish` / `_bearish`: the fast cloud changes its colour;
* `trend_aligned_long` / `_short`: every cloud takes one colour with the close beyond all of them.

Conviction is 100 × points / the points attainable from the factors that could be evaluated:

=========  ======  ============================================================================
factor     points  given
alignment  25      in proportion to the clouds that have the signal's colour
volume     15      volume above 1.5 × the mean of the 20 bars before; not evaluated without them
thickness  5       the macro cloud thicker than its mean over the 20 bars before: it widens
slope      5       the fast cloud rising (long) or falling (short) as A-143 defines it
=========  ======  ============================================================================

Multiple timeframes, candles and the factor model belong to other sources and are not evaluated.
"""

from collections import deque
from collections.abc import Callable, Iterable
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument
from engine.domain.market import Bar
from engine.domain.money import early_stop
from engine.domain.signal import SECONDS_OF, Direction, Signal, Timeframe
from engine.indicators.clouds import Clouds, CloudSnapshot, Layer, PriceSource, Slope
from engine.intake.aggregate import BarAggregator

SOURCE: Final = "ema_cloud"
ID_LENGTH: Final = 40
"""The longest signal id (D-04)."""

ALIGNMENT_POINTS: Final = 25
VOLUME_POINTS: Final = 15
THICKNESS_POINTS: Final = 5
SLOPE_POINTS: Final = 5
VOLUME_FACTOR: Final = 1.5
AVERAGE_BARS: Final = 20


class SignalKind(msgspec.Struct, frozen=True):
    """One kind of built-in signal: its name, its word in ids, and where its stop lies.

    The stop is the macro cloud's long average times (1 - `margin`) for a long and (1 + `margin`)
    for a short signal.
    """

    signal_type: str
    word: str
    direction: Direction
    margin: float


_CROSS: Final = {
    1: SignalKind("cloud_cross_bullish", "crossup", Direction.LONG, 0.005),
    -1: SignalKind("cloud_cross_bearish", "crossdn", Direction.SHORT, 0.005),
}
_FLIP: Final = {
    1: SignalKind("cloud_flip_bullish", "flipup", Direction.LONG, 0.005),
    -1: SignalKind("cloud_flip_bearish", "flipdn", Direction.SHORT, 0.005),
}
_ALIGNED: Final = {
    1: SignalKind("trend_aligned_long", "trendup", Direction.LONG, 0.01),
    -1: SignalKind("trend_aligned_short", "trenddn", Direction.SHORT, 0.01),
}
KINDS: Final = (*_CROSS.values(), *_FLIP.values(), *_ALIGNED.values())


class BuiltinSignals:
    """The built-in signals of every symbol whose completed bars are fed in.

    `timeframe` None takes the bars as they come, otherwise they are put together first.
    `instrument` tells the tick a stop is rounded to.
    """

    def __init__(
        self,
        instrument: Callable[[str], Instrument],
        timeframe: Timeframe | None = None,
        price_source: PriceSource = PriceSource.CLOSE,
    ) -> None:
        self._instrument = instrument
        self._price_source = price_source
        self._aggregator = None if timeframe is None else BarAggregator(SECONDS_OF[timeframe])
        self._symbols: dict[str, _Symbol] = {}

    def warm(self, bars: Iterable[Bar]) -> None:
        """Take history in without a signal; bars that are fed again later change nothing."""
        for bar in bars:
            self.on_bar(bar)

    def on_bar(self, bar: Bar) -> list[Signal]:
        """The signals one completed bar of the source gives, mostly none.

        A bar that does not end after the last one of its symbol changes nothing.
        """
        bars = [bar] if self._aggregator is None else self._aggregator.add(bar)
        return [signal for complete in bars for signal in self._signals(complete)]

    def clouds(self, symbol: str) -> CloudSnapshot | None:
        """The clouds after the last completed bar, None before the first."""
        followed = self._symbols.get(symbol)
        return None if followed is None else followed.clouds.current

    def _signals(self, bar: Bar) -> list[Signal]:
        followed = self._symbols.get(bar.symbol)
        if followed is None:
            followed = self._symbols[bar.symbol] = _Symbol(self._price_source)
        elif bar.time <= followed.time:
            return []
        snapshot, kinds, factors = followed.update(bar)
        signals = (self._signal(bar, kind, snapshot, factors) for kind in kinds)
        return [signal for signal in signals if signal is not None]

    def _signal(
        self, bar: Bar, kind: SignalKind, snapshot: CloudSnapshot, factors: "_Factors"
    ) -> Signal | None:
        """The signal, or None where its stop would not protect: at or beyond the price."""
        sign = kind.direction.sign
        anchor = Decimal(repr(snapshot[Layer.MACRO].long * (1 - sign * kind.margin)))
        stop = early_stop(anchor, self._instrument(bar.symbol).tick, sell=sign > 0)
        if (bar.close - stop) * sign <= 0 or stop <= 0:
            return None
        timeframe = timeframe_of(bar.seconds)
        points, attainable = factors.points(snapshot, sign)
        return Signal(
            signal_id=signal_id(bar.symbol, timeframe, kind, bar.time),
            signal_type=kind.signal_type,
            direction=kind.direction,
            ticker=bar.symbol,
            timeframe=timeframe,
            conviction=int(100 * sum(points.values()) / attainable),
            entry_price=bar.close,
            stop_loss=stop,
            timestamp=bar.time,
            source=SOURCE,
            cloud_states=tuple(_described(snapshot)),
            metadata={"cloud": Layer.FAST.value, "points": points, "attainable": attainable},
        )


def timeframe_of(seconds: int) -> Timeframe:
    """The name of a bar's length; a length without a name takes the next shorter one, or 10s."""
    fitting = [frame for frame, length in SECONDS_OF.items() if length <= seconds]
    return fitting[-1] if fitting else Timeframe.S10


def signal_id(symbol: str, timeframe: Timeframe, kind: SignalKind, bar_end: Nanos) -> str:
    """The id of a built-in signal: the same for the same bar in every run (D-04).

    At most 40 characters: for a long symbol the facts are hashed instead of written out.
    """
    written = f"ema-{symbol}-{timeframe}-{kind.word}-{bar_end // NS_PER_SECOND}"
    if len(written) <= ID_LENGTH:
        return written
    return f"ema-{blake2b(written.encode(), digest_size=16).hexdigest()}"


class _Factors(msgspec.Struct, frozen=True):
    """What a bar says beside its clouds; None where there was not enough to say it."""

    volume_high: bool | None
    widening: bool

    def points(self, snapshot: CloudSnapshot, sign: int) -> tuple[dict[str, float], int]:
        """The points of a signal by factor, and how many were attainable (A-147, X-64)."""
        colour = sign > 0
        agreeing = sum(state.bullish is colour for state in snapshot.states)
        steep = Slope.RISING if colour else Slope.FALLING
        points: dict[str, float] = {
            "alignment": ALIGNMENT_POINTS * agreeing / len(snapshot.states),
            "thickness": THICKNESS_POINTS if self.widening else 0,
            "slope": SLOPE_POINTS if snapshot[Layer.FAST].trend is steep else 0,
        }
        attainable = ALIGNMENT_POINTS + THICKNESS_POINTS + SLOPE_POINTS
        if self.volume_high is not None:
            points["volume"] = VOLUME_POINTS if self.volume_high else 0
            attainable += VOLUME_POINTS
        return points, attainable


class _Symbol:
    """What is remembered of one symbol: its clouds and the averages beside them."""

    def __init__(self, price_source: PriceSource) -> None:
        self.clouds = Clouds(price_source)
        self.time: Nanos = 0
        self._volumes: deque[float] = deque(maxlen=AVERAGE_BARS)
        self._widths: deque[float] = deque(maxlen=AVERAGE_BARS)

    def update(self, bar: Bar) -> tuple[CloudSnapshot, list[SignalKind], _Factors]:
        """Take a completed bar in: the clouds, the edges it made, and the other factors."""
        snapshot = self.clouds.update(float(bar.high), float(bar.low), float(bar.close))
        self.time = bar.time
        width = snapshot[Layer.MACRO].thickness
        factors = _Factors(
            volume_high=self._volume_high(bar.volume),
            widening=len(self._widths) == AVERAGE_BARS and width > _mean(self._widths),
        )
        self._widths.append(width)
        return snapshot, self._kinds(snapshot) if snapshot.ready else [], factors

    def _volume_high(self, volume: Decimal | None) -> bool | None:
        """Whether the volume stands out; an unknown volume starts the mean anew."""
        if volume is None:
            self._volumes.clear()
            return None
        high = None
        if len(self._volumes) == AVERAGE_BARS:
            high = float(volume) > VOLUME_FACTOR * _mean(self._volumes)
        self._volumes.append(float(volume))
        return high

    def _kinds(self, snapshot: CloudSnapshot) -> list[SignalKind]:
        fast = snapshot[Layer.FAST]
        kinds: list[SignalKind] = []
        if fast.crossed:
            kinds.append(_CROSS[fast.crossed])
        if fast.flipped:
            kinds.append(_FLIP[1 if fast.bullish else -1])
        before = self.clouds.previous
        aligned = snapshot.aligned
        if aligned and (before is None or before.aligned != aligned):
            kinds.append(_ALIGNED[aligned])
        return kinds


def _mean(values: deque[float]) -> float:
    return sum(values) / len(values)


def _described(snapshot: CloudSnapshot) -> list[dict[str, Any]]:
    """The clouds as a signal carries them."""
    return [
        {
            "layer": state.layer.value,
            "short": state.short,
            "long": state.long,
            "bullish": state.bullish,
        }
        for state in snapshot.states
    ]
