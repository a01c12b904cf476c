"""Longer bars out of completed source bars, aligned to UTC."""

from decimal import Decimal
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.domain.market import Bar
from engine.indicators.aggregate import BarAggregator
from engine.state.book import Book
from engine.world import World
from tests.configs import from_mapping

START = parse_rfc3339("2013-10-07T14:00:00Z")
MINUTE = 60 * NS_PER_SECOND


def bar(minute: int, price: str = "10", *, volume: str | None = "100", symbol: str = "SPY") -> Bar:
    """The source bar that ends this many minutes after 14:00."""
    middle = Decimal(price)
    return Bar(
        symbol=symbol,
        time=START + minute * MINUTE,
        seconds=60,
        open=middle,
        high=middle + 1,
        low=middle - 1,
        close=middle + Decimal("0.5"),
        volume=None if volume is None else Decimal(volume),
        bid=middle,
        ask=middle + 1,
    )


def test_a_longer_bar_is_complete_with_its_last_source_bar() -> None:
    aggregator = BarAggregator(300)
    assert [aggregator.add(bar(minute, str(10 + minute))) for minute in range(1, 5)] == [[]] * 4
    (complete,) = aggregator.add(bar(5, "8"))
    assert complete == Bar(
        symbol="SPY",
        time=START + 5 * MINUTE,
        seconds=300,
        open=Decimal(11),
        high=Decimal(15),
        low=Decimal(7),
        close=Decimal("8.5"),
        volume=Decimal(500),
        bid=Decimal(8),
        ask=Decimal(9),
    )


def test_a_missing_last_bar_completes_when_a_later_one_begins() -> None:
    aggregator = BarAggregator(300)
    aggregator.add(bar(4, "10"))
    (complete,) = aggregator.add(bar(16, "20"))
    assert (complete.time, complete.close) == (START + 5 * MINUTE, Decimal("10.5"))
    assert complete.volume == 100


def test_one_source_bar_can_complete_two() -> None:
    aggregator = BarAggregator(300)
    aggregator.add(bar(4, "10"))
    assert [made.time for made in aggregator.add(bar(10, "20"))] == [
        START + 5 * MINUTE,
        START + 10 * MINUTE,
    ]


def test_the_bar_that_ends_on_the_boundary_belongs_before_it() -> None:
    aggregator = BarAggregator(300)
    assert [made.time for made in aggregator.add(bar(5))] == [START + 5 * MINUTE]
    assert aggregator.add(bar(6)) == []


def test_a_bar_that_was_seen_changes_nothing() -> None:
    aggregator = BarAggregator(300)
    aggregator.add(bar(3))
    assert aggregator.add(bar(3)) == []
    assert aggregator.add(bar(2, "1")) == []
    (complete,) = aggregator.add(bar(5))
    assert (complete.volume, complete.low) == (Decimal(200), Decimal(9))


def test_symbols_do_not_mix() -> None:
    aggregator = BarAggregator(300)
    aggregator.add(bar(4, "10", symbol="A"))
    aggregator.add(bar(4, "90", symbol="B"))
    (complete,) = aggregator.add(bar(5, "11", symbol="A"))
    assert (complete.symbol, complete.high) == ("A", Decimal(12))


def test_a_volume_nobody_knows_adds_nothing() -> None:
    aggregator = BarAggregator(300)
    aggregator.add(bar(4, volume=None))
    assert aggregator.add(bar(5, volume=None))[0].volume is None
    aggregator.add(bar(9, volume=None))
    assert aggregator.add(bar(10, volume="7"))[0].volume == 7


def test_bars_of_the_same_length_pass_through() -> None:
    assert BarAggregator(60).add(bar(1)) == [bar(1)]


@pytest.mark.parametrize("seconds", [30, 90])
def test_lengths_that_do_not_fit_are_refused(seconds: int) -> None:
    with pytest.raises(ValueError, match=f"bars of 60 s .SPY. do not fit into bars of {seconds} s"):
        BarAggregator(seconds).add(bar(1))


def test_a_length_is_positive() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        BarAggregator(0)


@given(st.sets(st.integers(1, 120)), st.sampled_from([2, 5, 10, 60]))
def test_it_agrees_with_grouping_by_the_end(minutes: set[int], length: int) -> None:
    bars = [bar(minute, str(10 + minute * 7 % 11)) for minute in sorted(minutes)]
    aggregator = BarAggregator(length * 60)
    made = [complete for source in bars for complete in aggregator.add(source)]

    def end(source: Bar) -> int:
        span = length * MINUTE
        return (source.time + span - 1) // span * span

    expected: list[tuple[int, Decimal, Decimal, Decimal | None]] = []
    for ending, group in groupby(bars, key=end):
        parts = list(group)
        if parts[-1].time == ending or parts[-1] is not bars[-1]:
            high, volume = max(part.high for part in parts), Decimal(100 * len(parts))
            expected.append((ending, parts[0].open, high, volume))
    assert [(b.time, b.open, b.high, b.volume) for b in made] == expected


DAY = 86_400
CLOSE = parse_rfc3339("2013-10-07T20:00:00Z")


def close_at_eight(symbol: str, at: int) -> int | None:
    """The session of 2013-10-07 in New York, which ends 360 minutes after START."""
    return CLOSE if CLOSE - 390 * MINUTE <= at < CLOSE else None


@pytest.mark.parametrize("last", [360, 361])
def test_the_bar_of_a_day_ends_with_its_session(last: int) -> None:
    """With its last source bar or, where that one is missing, with the next (A-146)."""
    aggregator = BarAggregator(DAY, close_at_eight)
    before = [-200, *range(-29, 359)]  # one of them before the open
    assert [aggregator.add(bar(minute)) for minute in before] == [[]] * len(before)
    (complete,) = aggregator.add(bar(last, "20"))
    assert complete.time == CLOSE
    assert complete.seconds == DAY
    assert complete.volume == 100 * (len(before) + (last == 360))
    assert aggregator.add(bar(400)) == [], "after the session"
    assert aggregator.add(bar(24 * 60)) == [], "of the next day"


def test_a_shorter_bar_is_cut_by_the_end_of_its_session() -> None:
    aggregator = BarAggregator(7 * 60, close_at_eight)
    aggregator.add(bar(359))
    (complete,) = aggregator.add(bar(360))
    assert complete.time == CLOSE


def test_the_daily_bar_of_a_stock_is_there_at_the_close_of_its_exchange() -> None:
    config = from_mapping({"signals": {"timeframe": "1d"}})
    world = World(Book(), config, {})
    for minute in range(-29, 361):
        world.indicators.take(bar(minute))
    (completed,) = world.indicators.completed
    assert (completed.bar.symbol, completed.bar.time) == ("SPY", CLOSE)
