"""The simulated market: alive at any hour, the same from the same seed."""

import itertools
from collections.abc import Callable, Coroutine
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from brokers.paper.book import PaperBook
from brokers.paper.instruments import Instruments
from brokers.paper.path import PricePath, Shared, base_price
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


def test_prices_stay_where_they_belong_for_years() -> None:
    for symbol in (*SIX, "BTC-USD", "EUR_USD", "QWERTY"):
        path = PricePath(
            symbol,
            seed=7,
            place=0.3,
            bar_seconds=10,
            shared=Shared(Random(1), 10**9),
            random=Random(2),
        )
        base = base_price(symbol, 7)
        for n in range(400):
            path._shared._second = 10**9 + n * 86_413
            assert 0.9 < path.price(10**9 + n * 86_413.0) / base < 1.1


@pytest.mark.parametrize("seed", [7, 1, 42])
def test_there_is_something_to_trade_within_a_minute_of_any_start(seed: int) -> None:
    """Built-in signals of conviction 50 or more, many of them from 75 up."""
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
    assert sum(conviction >= 75 for conviction in convictions) > len(convictions) / 3


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


class Counting(Random):
    """Counts the draws that cost time."""

    drawn = 0

    def gauss(self, mu: float = 0.0, sigma: float = 1.0) -> float:
        self.drawn += 1
        return super().gauss(mu, sigma)


@pytest.mark.parametrize(
    ("seconds", "drawn"), [(7_199, 7_199), (7_200, 7_200), (7_201, 7_200), (10**9, 7_200)]
)
def test_a_year_that_nobody_watched_costs_no_more_than_two_hours(seconds: int, drawn: int) -> None:
    random = Counting(7)
    shared = Shared(random, 0)
    shared.at(float(seconds))
    assert random.drawn == drawn
    shared.at(float(seconds + 3))
    assert random.drawn == drawn + 3
