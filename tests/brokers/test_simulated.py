"""The simulated market: alive at any hour, the same from the same seed."""

import itertools
import math
import statistics
from collections.abc import Callable, Coroutine
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from brokers.paper.book import PaperBook
from brokers.paper.instruments import Instruments
from brokers.paper.path import Cascade, PricePath, base_price, shared_cascade
from brokers.paper.simulated import LEVELS, SimulatedMarket
from brokers.paper.terms import Terms
from brokers.paper.venue import PaperVenue
from engine.domain.instant import NS_PER_SECOND, Nanos, parse_rfc3339
from engine.domain.market import Bar, Depth, MarketEvent, Quote
from engine.indicators.bars import Indicators
from engine.intake.builtin import signals_of
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import run_virtual

SIX = ("AAPL", "MSFT", "NVDA", "JPM", "XOM", "SPY")
SUNDAY_NIGHT = parse_rfc3339("2026-03-01T03:14:15.926Z")

Act = Callable[[SimulatedMarket, VirtualClock, MarketEvent], Coroutine[Any, Any, None]]


def play(
    seconds: float,
    *,
    start: Nanos = SUNDAY_NIGHT,
    seed: int = 7,
    symbols: tuple[str, ...] = SIX,
    act: Act | None = None,
    **more: Any,
) -> tuple[dict[str, tuple[MarketEvent, ...]], list[MarketEvent]]:
    """The history at the start, and the events of so much time."""

    async def main(clock: VirtualClock) -> tuple[dict[str, Any], list[MarketEvent]]:
        venue = PaperVenue(
            clock=clock,
            random=Random(1),
            terms=Terms(),
            book=PaperBook(),
            instruments=Instruments(calendar_name="SIM"),
        )
        market = SimulatedMarket(symbols, clock, venue=venue, seed=seed, **more)
        past = {symbol: await market.history(symbol, 120) for symbol in symbols}
        seen: list[MarketEvent] = []
        async for event in market.events():
            if event.time >= start + seconds * NS_PER_SECOND:
                break
            seen.append(event)
            if isinstance(event, Quote):
                assert venue.quotes[event.symbol] is event
            if act is not None:
                await act(market, clock, event)
        venue.close()
        return past, seen

    return run_virtual(main, start, 10 * 86_400)


def test_the_same_seed_and_start_give_the_same_market() -> None:
    first, second = play(30), play(30)
    assert first == second
    assert play(30, seed=8)[1] != first[1]
    assert play(30, start=SUNDAY_NIGHT + 1)[1] != first[1]


def test_it_is_alive_on_a_sunday_night() -> None:
    _, events = play(60)
    for symbol in SIX:
        own = [event for event in events if event.symbol == symbol]
        quotes = [event for event in own if isinstance(event, Quote)]
        assert 60 * 3 < len(quotes) < 60 * 6
        assert len({quote.last for quote in quotes}) > 5
        assert 0.3 < sum(quote.trade for quote in quotes) / len(quotes) < 0.8
        assert sum(isinstance(event, Bar) for event in own) == 6
        assert 50 <= sum(isinstance(event, Depth) for event in own) <= 120


def test_quotes_lie_on_the_grid_and_never_cross() -> None:
    for symbols in (SIX, ("BTC-USD", "EUR_USD", "ZZZZ")):
        rules = Instruments(calendar_name="SIM")
        for event in play(20, symbols=symbols)[1]:
            if isinstance(event, Quote):
                assert event.bid is not None
                assert event.ask is not None
                assert 0 < event.bid < event.ask
                assert event.bid % rules.get(event.symbol).tick == 0
                assert event.bid_size is not None
                assert event.bid_size > 0
                assert (event.ask - event.bid) / event.bid < Decimal("0.001")


def test_depth_is_a_book_around_the_quote() -> None:
    quotes: dict[str, Quote] = {}
    for event in play(10)[1]:
        if isinstance(event, Quote):
            quotes[event.symbol] = event
        elif isinstance(event, Depth) and event.symbol in quotes:
            quote = quotes[event.symbol]
            assert (event.bids[0].price, event.asks[0].price) == (quote.bid, quote.ask)
            assert len(event.bids) == len(event.asks) == LEVELS
            for side, sign in ((event.bids, -1), (event.asks, 1)):
                steps = [b.price - a.price for a, b in itertools.pairwise(side)]
                assert all(step * sign > 0 for step in steps)


def test_events_come_in_order_and_bars_end_on_their_grid() -> None:
    _, events = play(60)
    times = [event.time for event in events]
    assert times == sorted(times)
    for event in events:
        if isinstance(event, Bar):
            assert event.time % (10 * NS_PER_SECOND) == 0
            assert event.low <= min(event.open, event.close)
            assert max(event.open, event.close) <= event.high
            assert event.volume is not None
            assert event.volume > 0


def test_a_bar_is_made_of_the_trades_that_were_shown() -> None:
    _, events = play(60)
    traded: list[Decimal] = []
    bars = 0
    for event in events:
        if event.symbol != "AAPL":
            continue
        if isinstance(event, Quote) and event.trade:
            traded.append(event.last)
        elif isinstance(event, Bar):
            bars += 1
            if bars > 1:
                assert event.high == max(*traded, event.open)
                assert event.low == min(*traded, event.open)
                assert event.close == traded[-1]
            traded = []
    assert bars == 6


def test_the_history_runs_without_a_gap_into_the_live_bars() -> None:
    past, events = play(30)
    for symbol in SIX:
        bars = [bar for bar in past[symbol] if isinstance(bar, Bar)]
        bars += [e for e in events if isinstance(e, Bar) and e.symbol == symbol]
        assert len(bars) == 123
        for before, after in itertools.pairwise(bars):
            assert after.time - before.time == 10 * NS_PER_SECOND
            assert after.open == before.close


def test_a_restart_finds_prices_near_those_it_left() -> None:
    last: dict[str, Decimal] = {}
    for event in play(300)[1]:
        if isinstance(event, Quote):
            last[event.symbol] = event.last
    again = play(5, start=SUNDAY_NIGHT + 301 * NS_PER_SECOND)[1]
    for event in again:
        if isinstance(event, Quote):
            assert abs(event.last / last[event.symbol] - 1) < Decimal("0.01")


def path(symbol: str, seed: int = 7) -> PricePath:
    return PricePath(symbol, seed=seed, shared=shared_cascade(seed))


def test_prices_stay_where_they_belong_for_years() -> None:
    for symbol in (*SIX, "BTC-USD", "EUR_USD", "QWERTY"):
        base = base_price(symbol, 7)
        one = path(symbol)
        for n in range(400):
            assert 0.75 < one.price(10**9 + n * 86_413.0) / base < 1.25


def test_a_price_is_a_function_of_the_time_however_it_was_reached() -> None:
    times = [1_772_334_855.9, 1_772_334_856.0, 1_772_334_900.25, 1_772_600_000.0, 86_400.5]
    there = path("AAPL")
    prices = [there.price(time) for time in times]
    assert [path("AAPL").price(time) for time in times] == prices
    assert [there.price(time) for time in reversed(times)] == prices[::-1]
    assert len(set(prices)) == len(prices)


def test_what_a_price_did_says_nothing_about_what_it_does_next() -> None:
    """A rule that follows the last move, over 10 s, 2 min or 20 min, earns nothing on average."""
    for seconds in (10, 120, 1_200):
        earned = []
        for seed in range(40):
            one = path("AAPL", seed)
            prices = [one.price(1.77e9 + seed * 1e6 + seconds * n) for n in range(100)]
            moves = [b / a - 1 for a, b in itertools.pairwise(prices)]
            earned += [next_ * math.copysign(1, move) for move, next_ in itertools.pairwise(moves)]
        error = statistics.stdev(earned) / len(earned) ** 0.5
        assert abs(statistics.fmean(earned)) < 2 * error, seconds


def test_quiet_and_restless_times_alternate() -> None:
    """Sizes of moves hang together where their signs do not, and large ones are frequent."""
    one = path("AAPL")
    prices = [one.price(1.77e9 + 10 * n) for n in range(20_000)]
    moves = [b / a - 1 for a, b in itertools.pairwise(prices)]
    sizes = [abs(move) for move in moves]
    assert statistics.correlation(sizes[1:], sizes[:-1]) > 0.05
    assert abs(statistics.correlation(moves[1:], moves[:-1])) < 0.03
    fourth = statistics.fmean(move**4 for move in moves)
    assert fourth / statistics.fmean(move**2 for move in moves) ** 2 > 3.5


def test_symbols_move_together_in_part() -> None:
    one, other = path("AAPL"), path("MSFT")
    moves = []
    for each in (one, other):
        prices = [each.price(1.77e9 + 60 * n) for n in range(5_000)]
        moves.append([b / a - 1 for a, b in itertools.pairwise(prices)])
    assert 0.1 < statistics.correlation(*moves) < 0.7


@pytest.mark.parametrize("seed", [7, 1, 42])
def test_there_is_something_to_trade_within_a_minute_of_any_start(seed: int) -> None:
    """Built-in signals of conviction 50 or more, some of them from 75 up."""
    convictions = []
    for n in range(8):
        start = SUNDAY_NIGHT + n * 97_711 * NS_PER_SECOND
        past, events = play(55, start=start, seed=seed)
        indicators, instrument_of = Indicators(), Instruments(calendar_name="SIM").get
        for bars in past.values():
            indicators.recall(bar for bar in bars if isinstance(bar, Bar))
        found = []
        for bar in (event for event in events if isinstance(event, Bar)):
            indicators.take(bar)
            found += [s for one in indicators.completed for s in signals_of(one, instrument_of)]
        good = [s.conviction for s in found if s.conviction >= 50]
        assert good, f"nothing to trade at start {n} of seed {seed}"
        convictions += good
    assert sum(conviction >= 75 for conviction in convictions) > len(convictions) / 10


def test_the_volume_of_a_breakout_stands_out() -> None:
    past, _ = play(1)
    for bars in past.values():
        volumes = [float(bar.volume) for bar in bars if isinstance(bar, Bar) and bar.volume]
        high = sum(
            volumes[n] > 1.5 * sum(volumes[n - 20 : n]) / 20 for n in range(20, len(volumes))
        )
        assert 10 <= high <= 50


def test_the_rate_of_quotes_can_be_set() -> None:
    _, events = play(2, quotes_per_second=10_000)
    assert 18_000 < sum(isinstance(event, Quote) for event in events) < 22_000


def test_time_that_was_slept_through_leaves_bars_but_no_burst_of_quotes() -> None:
    async def sleep_once(market: SimulatedMarket, clock: VirtualClock, event: MarketEvent) -> None:
        if isinstance(event, Bar) and clock.now() < SUNDAY_NIGHT + 30 * NS_PER_SECOND:
            await clock.sleep(600)

    _, events = play(700, act=sleep_once, symbols=("AAPL",))
    bars = [event.time for event in events if isinstance(event, Bar)]
    assert [b - a for a, b in itertools.pairwise(bars)] == [10 * NS_PER_SECOND] * 69
    quotes = [event.time for event in events if isinstance(event, Quote)]
    gaps = [(b - a) / NS_PER_SECOND for a, b in itertools.pairwise(quotes)]
    assert max(gaps) > 590
    assert len(quotes) < 110 * 6


def test_a_clock_that_was_set_back_does_not_stop_the_market() -> None:
    shift = 0

    class Shifted(VirtualClock):
        def now(self) -> Nanos:
            return super().now() - shift

    async def main(real: VirtualClock) -> list[Nanos]:
        nonlocal shift
        clock = Shifted(real._loop, SUNDAY_NIGHT)
        venue = PaperVenue(
            clock=clock,
            random=Random(1),
            terms=Terms(),
            book=PaperBook(),
            instruments=Instruments(calendar_name="SIM"),
        )
        market = SimulatedMarket(("AAPL",), clock, venue=venue, seed=1)
        times: list[Nanos] = []
        async for event in market.events():
            times.append(event.time)
            if len(times) == 100:
                shift = 3600 * NS_PER_SECOND
            if len(times) == 200:
                break
        venue.close()
        return times

    times = run_virtual(main, SUNDAY_NIGHT, 600)
    assert times[110] < times[90]


def test_an_unknown_symbol_has_no_history() -> None:
    async def ask(market: SimulatedMarket, clock: VirtualClock, event: MarketEvent) -> None:
        assert await market.history("ZZZZ", 10) == ()
        assert len(await market.history("AAPL", 10)) == 10

    assert play(1, symbols=("AAPL",), act=ask)[1]


@pytest.mark.parametrize("seconds", [7_200, 10**6, 10**9])
def test_a_time_that_nobody_watched_costs_no_more_than_a_start(seconds: int) -> None:
    """However long it was: a value is found by halving one block of time."""
    drawn = 0

    class Counting(Cascade):
        def _drawn(self, level: int, place: int) -> tuple[float, float]:
            nonlocal drawn
            drawn += 1
            return super()._drawn(level, place)

    cascade = Counting("any", per_second=0.0001, ends=0.03)
    cascade.at(1.7e9)
    drawn = 0
    cascade.at(1.7e9 + seconds)
    assert drawn <= 2 + 22
