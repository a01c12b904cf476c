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

from collections.abc import Callable
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument
from engine.domain.money import early_stop
from engine.domain.signal import SECONDS_OF, Direction, Signal, Timeframe
from engine.indicators.bars import Completed
from engine.indicators.clouds import CloudSnapshot, Layer, Slope

SOURCE: Final = "ema_cloud"
SIGNAL_ID_LENGTH: Final = 40
"""The longest signal id (D-04)."""

ALIGNMENT_POINTS: Final = 25
VOLUME_POINTS: Final = 15
THICKNESS_POINTS: Final = 5
SLOPE_POINTS: Final = 5
VOLUME_FACTOR: Final = 1.5


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


def signals_of(completed: Completed, instrument_of: Callable[[str], Instrument]) -> list[Signal]:
    """The signals that a completed bar leads to, mostly none.

    `instrument_of` tells the tick that a stop is rounded to.
    """
    if not completed.clouds.ready:
        return []
    signals = (_signal(completed, kind, instrument_of) for kind in _kinds(completed))
    return [signal for signal in signals if signal is not None]


def _kinds(completed: Completed) -> list[SignalKind]:
    """The edges between the bar before and this one."""
    clouds, before = completed.clouds, completed.before
    fast = clouds[Layer.FAST]
    kinds: list[SignalKind] = []
    if fast.crossed:
        kinds.append(_CROSS[fast.crossed])
    if fast.flipped:
        kinds.append(_FLIP[1 if fast.bullish else -1])
    aligned = clouds.aligned
    if aligned and (before is None or before.aligned != aligned):
        kinds.append(_ALIGNED[aligned])
    return kinds


def _signal(
    completed: Completed, kind: SignalKind, instrument_of: Callable[[str], Instrument]
) -> Signal | None:
    """The signal, or None where its stop would not protect: at or beyond the price."""
    bar, clouds, sign = completed.bar, completed.clouds, kind.direction.sign
    anchor = Decimal(repr(clouds[Layer.MACRO].long * (1 - sign * kind.margin)))
    stop = early_stop(anchor, instrument_of(bar.symbol).tick_at(anchor), sell=sign > 0)
    if (bar.close - stop) * sign <= 0 or stop <= 0:
        return None
    timeframe = timeframe_of(bar.seconds)
    points, attainable = _points(completed, sign)
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
        cloud_states=tuple(_described(clouds)),
        metadata={"cloud": Layer.FAST.value, "points": points, "attainable": attainable},
    )


def _points(completed: Completed, sign: int) -> tuple[dict[str, float], int]:
    """The points of a signal by factor, and how many were attainable (A-147, X-64)."""
    clouds, volume = completed.clouds, completed.bar.volume
    colour = sign > 0
    agreeing = sum(state.bullish is colour for state in clouds.states)
    mean = completed.mean_width
    widening = mean is not None and clouds[Layer.MACRO].thickness > mean
    steep = Slope.RISING if colour else Slope.FALLING
    points: dict[str, float] = {
        "alignment": ALIGNMENT_POINTS * agreeing / len(clouds.states),
        "thickness": THICKNESS_POINTS if widening else 0,
        "slope": SLOPE_POINTS if clouds[Layer.FAST].trend is steep else 0,
    }
    attainable = ALIGNMENT_POINTS + THICKNESS_POINTS + SLOPE_POINTS
    if volume is not None and completed.mean_volume is not None:
        high = float(volume) > VOLUME_FACTOR * completed.mean_volume
        points["volume"] = VOLUME_POINTS if high else 0
        attainable += VOLUME_POINTS
    return points, attainable


def timeframe_of(seconds: int) -> Timeframe:
    """The name of a bar's length; a length without a name takes the next shorter one, or 10s."""
    fitting = [frame for frame, length in SECONDS_OF.items() if length <= seconds]
    return fitting[-1] if fitting else Timeframe.S10


def signal_id(symbol: str, timeframe: Timeframe, kind: SignalKind, bar_end: Nanos) -> str:
    """The id of a built-in signal: the same for the same bar in every run (D-04).

    At most 40 characters: for a long symbol the facts are hashed instead of written out.
    """
    written = f"ema-{symbol}-{timeframe}-{kind.word}-{bar_end // NS_PER_SECOND}"
    if len(written) <= SIGNAL_ID_LENGTH:
        return written
    return f"ema-{blake2b(written.encode(), digest_size=16).hexdigest()}"


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
