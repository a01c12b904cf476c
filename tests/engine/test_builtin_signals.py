"""The built-in signals of the EMA clouds: A-146, A-147, X-64, with stable ids (D-04)."""

import csv
import random
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.domain.instrument import default_instrument
from engine.domain.market import Bar
from engine.domain.money import is_multiple
from engine.domain.signal import SECONDS_OF, Direction, Signal, Timeframe
from engine.indicators.bars import Indicators
from engine.indicators.clouds import PERIODS, Layer
from engine.intake.builtin import KINDS, signal_id, signals_of, timeframe_of

START = parse_rfc3339("2013-10-07T14:00:00Z")
FLAT = [100.0] * 60


def bars_of(
    closes: Sequence[float],
    volumes: Sequence[int | None] | None = None,
    *,
    symbol: str = "SPY",
    seconds: int = 60,
) -> list[Bar]:
    """One bar a price, with a volume of 100 unless told otherwise."""
    made = []
    for index, close in enumerate(closes):
        price = Decimal(repr(close)).quantize(Decimal("0.01"))
        volume = 100 if volumes is None else volumes[index]
        made.append(
            Bar(
                symbol=symbol,
                time=START + (index + 1) * seconds * NS_PER_SECOND,
                seconds=seconds,
                open=price,
                high=price,
                low=price,
                close=price,
                volume=None if volume is None else Decimal(volume),
            )
        )
    return made


def taken(indicators: Indicators, bar: Bar) -> list[Signal]:
    indicators.take(bar)
    found = (signals_of(one, default_instrument) for one in indicators.completed)
    return [signal for signals in found for signal in signals]


def fed(bars: Sequence[Bar], timeframe: Timeframe | None = None) -> list[Signal]:
    indicators = Indicators(None if timeframe is None else SECONDS_OF[timeframe])
    return [signal for bar in bars for signal in taken(indicators, bar)]


def walk(seed: int, length: int = 300) -> list[float]:
    rng = random.Random(seed)
    price = 100.0
    prices = []
    for _ in range(length):
        price = round(price * (1 + rng.gauss(0, 0.002)), 2)
        prices.append(price)
    return prices


class Reference:
    """The rules told again, slowly, over whole lists instead of a stream."""

    def __init__(self, closes: Sequence[float], volumes: Sequence[int]) -> None:
        self.closes, self.volumes = closes, volumes
        self.layers = {
            layer: tuple(self._average(period) for period in PERIODS[layer])
            for layer in (Layer.FAST, Layer.PULLBACK, Layer.TREND, Layer.MACRO)
        }

    def _average(self, period: int) -> list[float]:
        alpha = 2 / (period + 1)
        values = [self.closes[0]]
        for price in self.closes[1:]:
            values.append(alpha * price + (1 - alpha) * values[-1])
        return values

    def colours(self, bar: int) -> list[bool]:
        return [self._bullish(short, long, bar) for short, long in self.layers.values()]

    def _bullish(self, short: Sequence[float], long: Sequence[float], bar: int) -> bool:
        """A touch carries the colour of the bar before (A-144)."""
        while bar and abs(short[bar] - long[bar]) < 1e-9 * self.closes[bar]:
            bar -= 1
        return short[bar] > long[bar]

    def aligned(self, bar: int) -> int:
        edges = [average[bar] for pair in self.layers.values() for average in pair]
        if all(self.colours(bar)) and self.closes[bar] > max(edges):
            return 1
        if not any(self.colours(bar)) and self.closes[bar] < min(edges):
            return -1
        return 0

    def conviction(self, bar: int, sign: int) -> int:
        points = 25 * self.colours(bar).count(sign > 0) / 4
        if self.volumes[bar] > 1.5 * sum(self.volumes[bar - 20 : bar]) / 20:
            points += 15
        short, long = self.layers[Layer.MACRO]
        width = [abs(s - g) / c for s, g, c in zip(short, long, self.closes, strict=True)]
        if width[bar] > sum(width[bar - 20 : bar]) / 20:
            points += 5
        short, long = self.layers[Layer.FAST]
        now, then = short[bar] + long[bar], short[bar - 5] + long[bar - 5]
        if sign * (now - then) / (5 * then) > 0.001:
            points += 5
        return int(100 * points / 50)

    def signals(self) -> set[tuple[str, int, int]]:
        """Type, bar and conviction of every signal."""
        found = set()
        short, long = self.layers[Layer.FAST]
        for bar in range(51, len(self.closes)):
            before, close = self.closes[bar - 1], self.closes[bar]
            upper, lower = max(short[bar], long[bar]), min(short[bar], long[bar])
            was_upper = max(short[bar - 1], long[bar - 1])
            was_lower = min(short[bar - 1], long[bar - 1])
            fast_now, fast_then = self.colours(bar)[0], self.colours(bar - 1)[0]
            aligned = self.aligned(bar)
            edges = (
                ("cloud_cross_bullish", 1, before <= was_upper and close > upper),
                ("cloud_cross_bearish", -1, before >= was_lower and close < lower),
                ("cloud_flip_bullish", 1, fast_now and not fast_then),
                ("cloud_flip_bearish", -1, fast_then and not fast_now),
                ("trend_aligned_long", 1, aligned == 1 != self.aligned(bar - 1)),
                ("trend_aligned_short", -1, aligned == -1 != self.aligned(bar - 1)),
            )
            for name, sign, fires in edges:
                margin = 0.01 if name.startswith("trend") else 0.005
                stop = self.layers[Layer.MACRO][1][bar] * (1 - sign * margin)
                if fires and sign * (close - stop) > 0.011:
                    found.add((name, bar, self.conviction(bar, sign)))
        return found


@given(st.integers(0, 2**32))
@example(6624)
@settings(max_examples=40)
def test_A146_A147_X64_the_stream_agrees_with_the_rules_told_again(seed: int) -> None:
    closes = walk(seed)
    rng = random.Random(seed)
    volumes = [rng.choice((80, 100, 300)) for _ in closes]
    signals = {
        (signal.signal_type, (signal.timestamp - START) // (60 * NS_PER_SECOND) - 1): signal
        for signal in fed(bars_of(closes, volumes))
    }
    expected = Reference(closes, volumes).signals()
    near = {key for key, signal in signals.items() if abs(_room(signal)) <= Decimal("0.02")}
    said = {(*key, signal.conviction) for key, signal in signals.items() if key not in near}
    assert said == {entry for entry in expected if entry[:2] not in near}


def _room(signal: Signal) -> Decimal:
    """How far the stop lies behind the price."""
    return (signal.entry_price - signal.stop_loss) * signal.direction.sign


@given(st.integers(0, 2**32))
@settings(max_examples=25)
def test_every_signal_is_fit_to_trade(seed: int) -> None:
    bars = bars_of(walk(seed))
    closes = {bar.time: bar.close for bar in bars}
    signals = fed(bars)
    assert len({signal.signal_id for signal in signals}) == len(signals)
    for signal in signals:
        assert signal.entry_price == closes[signal.timestamp]
        assert _room(signal) > 0
        assert signal.stop_loss > 0
        assert is_multiple(signal.stop_loss, Decimal("0.01"))
        assert 0 <= signal.conviction <= 100
        assert signal.signal_type in {kind.signal_type for kind in KINDS}
        assert (signal.source, signal.timeframe) == ("ema_cloud", Timeframe.M1)
        assert signal.metadata["cloud"] == "fast"
        assert [state["layer"] for state in signal.cloud_states] == [
            "fast",
            "pullback",
            "trend",
            "macro",
        ]


def test_D04_the_same_bars_give_the_same_ids_in_every_run() -> None:
    bars = bars_of(walk(7))
    first, second = fed(bars), fed(bars)
    assert first == second
    assert len(first) > 10
    assert first[0].signal_id.startswith("ema-SPY-1m-")


def test_D04_an_id_has_at_most_40_characters_and_says_one_thing() -> None:
    symbols = ("A", "BRK.B", "BTC-USD", "EUR_USD", "A" * 12, "A" * 13, "1000SHIB-USDT-PERPETUAL")
    ids = [
        signal_id(symbol, timeframe, kind, START + second * NS_PER_SECOND)
        for symbol in symbols
        for timeframe in (Timeframe.M1, Timeframe.M10)
        for kind in KINDS
        for second in (0, 60)
    ]
    assert max(map(len, ids)) <= 40
    assert len(set(ids)) == len(ids)
    written = signal_id("SPY", Timeframe.M1, KINDS[0], START)
    assert written == "ema-SPY-1m-crossup-1381154400"


def test_A146_each_edge_is_said_once() -> None:
    """From flat, a steady rise crosses once, aligns once, and says nothing more."""
    rise = [100 + 0.02 * step for step in range(1, 60)]
    signals = fed(bars_of(FLAT + rise))
    assert [signal.signal_type for signal in signals] == [
        "cloud_cross_bullish",
        "trend_aligned_long",
    ]
    fall = [rise[-1] - 0.02 * step for step in range(1, 60)]
    after = fed(bars_of(FLAT + rise + fall))[2:]
    assert [signal.signal_type for signal in after] == [
        "cloud_cross_bearish",
        "cloud_flip_bearish",
        "trend_aligned_short",
    ]
    assert {signal.direction for signal in after} == {Direction.SHORT}


@pytest.mark.parametrize(
    ("signal_type", "factor"),
    [
        ("cloud_cross_bullish", 0.995),
        ("trend_aligned_long", 0.99),
        ("cloud_flip_bearish", 1.005),
        ("trend_aligned_short", 1.01),
    ],
)
def test_A146_the_stop_stands_off_the_macro_average(signal_type: str, factor: float) -> None:
    """Rounded to the tick toward earlier protection (U-01)."""
    rise = [100 + 0.02 * step for step in range(1, 60)]
    fall = [rise[-1] - 0.02 * step for step in range(1, 60)]
    signal = next(s for s in fed(bars_of(FLAT + rise + fall)) if s.signal_type == signal_type)
    stop = signal.cloud_states[-1]["long"] * factor
    distance = (float(signal.stop_loss) - stop) * signal.direction.sign
    assert 0 <= distance < 0.01


def test_a_stop_that_would_not_protect_is_no_signal() -> None:
    """After a crash the price turns up far below the macro average: a long stop would lie above."""
    closes = [*FLAT, 95.0, 92.0, *[90.0] * 10, 92.0]
    indicators = Indicators()
    for bar in bars_of(closes):
        signals = taken(indicators, bar)
    clouds = indicators.clouds("SPY")
    assert clouds is not None
    assert clouds[Layer.FAST].crossed == 1
    assert clouds[Layer.MACRO].long * 0.995 > 92
    assert signals == []


@pytest.mark.parametrize(("volume", "points"), [(149, 0), (150, 0), (151, 15)])
def test_A147_volume_counts_above_one_and_a_half_times_its_mean(volume: int, points: int) -> None:
    closes = [*FLAT, 100.5]
    (signal, *_) = fed(bars_of(closes, [100] * 60 + [volume]))
    assert signal.metadata["points"]["volume"] == points
    assert signal.metadata["attainable"] == 50


def test_X64_a_factor_that_cannot_be_evaluated_is_not_attainable() -> None:
    """Prices without volume, as in FX, still reach a conviction of 100."""
    closes = [*FLAT, 100.5, 101.5, 103.0, 105.0, 104.0, 102.0, 107.0]
    signals = fed(bars_of(closes, [None] * len(closes)))
    assert {signal.metadata["attainable"] for signal in signals} == {35}
    assert all("volume" not in signal.metadata["points"] for signal in signals)
    assert max(signal.conviction for signal in signals) == 100


def test_X64_the_mean_wants_20_bars_with_a_volume() -> None:
    closes = [*FLAT, 100.5]
    for known, attainable in ((19, 35), (20, 50)):
        volumes = [None] * (60 - known) + [100] * known + [100]
        (signal, *_) = fed(bars_of(closes, volumes))
        assert signal.metadata["attainable"] == attainable


def test_A142_nothing_is_said_before_the_clouds_are_ready() -> None:
    for flat, signals in ((50, 0), (51, 2)):  # the jump is bar 51, then bar 52
        assert len(fed(bars_of([100.0] * flat + [100.5]))) == signals


def test_history_warms_the_clouds_and_is_not_said_again() -> None:
    bars = bars_of(walk(11))
    cold = fed(bars)
    warmed = Indicators()
    warmed.recall(bars[:150])
    overlapping = [signal for bar in bars[140:] for signal in taken(warmed, bar)]
    assert overlapping == [signal for signal in cold if signal.timestamp > bars[149].time]
    assert overlapping


def test_symbols_do_not_disturb_each_other() -> None:
    one, two = bars_of(walk(1), symbol="AAA"), bars_of(walk(2), symbol="BBB")
    mixed = [bar for pair in zip(one, two, strict=True) for bar in pair]
    signals = fed(mixed)
    assert [signal for signal in signals if signal.ticker == "AAA"] == fed(one)
    assert [signal for signal in signals if signal.ticker == "BBB"] == fed(two)


def test_a_longer_timeframe_is_seen_on_its_own_bars() -> None:
    closes = walk(3, 2000)
    signals = fed(bars_of(closes), Timeframe.M5)
    direct = fed(bars_of(closes[4::5], [500] * 400, seconds=300))
    assert signals == direct
    assert {signal.timeframe for signal in signals} == {Timeframe.M5}


@pytest.mark.parametrize(
    ("seconds", "timeframe"),
    [
        (1, Timeframe.S10),
        (10, Timeframe.S10),
        (59, Timeframe.S10),
        (60, Timeframe.M1),
        (900, Timeframe.M10),
        (3600, Timeframe.H1),
        (86_400, Timeframe.D1),
    ],
)
def test_a_length_without_a_name_takes_the_next_shorter(seconds: int, timeframe: Timeframe) -> None:
    assert timeframe_of(seconds) is timeframe


def test_X64_the_recorded_week_has_enough_to_trade(shared_market: Path) -> None:
    with (shared_market / "us-equities-2013-10-07-1m.csv").open(newline="") as file:
        bars = [
            Bar(
                symbol=row["symbol"],
                time=parse_rfc3339(row["time"]),
                seconds=60,
                open=Decimal(row["open"]),
                high=Decimal(row["high"]),
                low=Decimal(row["low"]),
                close=Decimal(row["close"]),
                volume=Decimal(row["volume"]) if row["volume"] else None,
            )
            for row in csv.DictReader(file)
        ]
    signals = fed(bars)
    assert len([signal for signal in signals if signal.conviction >= 75]) > 100
    assert {signal.ticker for signal in signals if signal.conviction >= 75} == {
        "SPY",
        "BAC",
        "IBM",
        "AIG",
    }
