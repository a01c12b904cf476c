"""A recorded market: bars as price events, in virtual time (X-68)."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from random import Random
from typing import Any

import pytest

from brokers.paper.adapter import PaperBroker
from brokers.paper.bars import COLUMNS, check_bars
from brokers.paper.book import PaperBook
from brokers.paper.instruments import Instruments
from brokers.paper.replay import ReplayMarket
from brokers.paper.terms import Arrival, Terms
from brokers.paper.venue import PaperVenue
from engine.domain.instant import rfc3339
from engine.domain.market import Bar, MarketEvent, Quote
from engine.ports import Clock
from engine.runtime.clock import ScaledClock, VirtualClock
from engine.runtime.virtual_time import run_virtual
from tests.brokers.kit import FREE, D, order

HEADER = ",".join(COLUMNS)


class Market:
    """A replay with its venue and its broker."""

    def __init__(self, path: Path, clock: Clock, terms: Terms = FREE) -> None:
        self.clock = clock
        self.venue = PaperVenue(
            clock=clock,
            random=Random(1),
            terms=terms,
            book=PaperBook(),
            instruments=Instruments(),
            arrival=Arrival.NEXT_PRICE,
        )
        self.broker = PaperBroker(self.venue, clock, Random(2))
        self.market = ReplayMarket(
            check_bars(path), clock, venue=self.venue, quote_max_age_seconds=15
        )


def bars(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "bars.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def play(path: Path, then: Any = None) -> list[MarketEvent]:
    """All events; `then(market, event)` may act on each."""

    async def main(clock: VirtualClock) -> list[MarketEvent]:
        made = Market(path, clock)
        await made.broker.connect()
        seen = []
        async for event in made.market.events():
            seen.append(event)
            assert event.time == clock.now()
            if then is not None:
                await then(made, event)
        made.venue.close()
        return seen

    def coroutine(clock: VirtualClock) -> Coroutine[Any, Any, list[MarketEvent]]:
        return main(clock)

    return run_virtual(coroutine, check_bars(path).start, 10 * 86_400)


def text(events: list[MarketEvent]) -> list[str]:
    return [
        f"{rfc3339(e.time)[11:-1]} {e.last}" if isinstance(e, Quote) else f"bar {e.time and ''}"
        for e in events
        if isinstance(e, Quote | Bar)
    ]


def test_X68_a_bar_is_its_open_its_extremes_its_close_and_then_itself(tmp_path: Path) -> None:
    path = bars(
        tmp_path,
        "2013-10-07T14:01:00Z,SPY,10,12,9,11,500,10.9,100,11.1,0",
        "2013-10-07T14:02:00Z,SPY,11,13,8,9,,,,,",
    )
    events = play(path)
    assert text(events) == [
        "14:00:01 10",
        "14:01:00 9",
        "14:01:00 12",
        "14:01:00 11",
        "bar ",
        "14:01:01 11",
        "14:02:00 13",
        "14:02:00 8",
        "14:02:00 9",
        "bar ",
    ]
    close = events[3]
    assert isinstance(close, Quote)
    assert (close.bid, close.ask, close.bid_size, close.ask_size) == (
        D("10.9"),
        D("11.1"),
        D(100),
        None,
    )
    opened = events[0]
    assert isinstance(opened, Quote)
    assert (opened.bid, opened.ask, opened.trade) == (None, None, True)
    whole = events[4]
    assert isinstance(whole, Bar)
    assert (whole.high, whole.volume, whole.seconds) == (D(12), D(500), 60)


def test_X68_a_price_is_fresh_until_the_age_after_the_next_is_due(tmp_path: Path) -> None:
    events = play(bars(tmp_path, "2013-10-07T14:01:00Z,SPY,10,12,9,11,,,,,"))
    stale = [rfc3339(e.stale_at)[11:-1] for e in events if isinstance(e, Quote)]
    assert stale == ["14:01:15", "14:02:15", "14:02:15", "14:02:15"]


@pytest.mark.parametrize(("side", "first"), [("BUY", "8"), ("SELL_SHORT", "13")])
def test_X68_the_extreme_that_hurts_what_is_held_comes_first(
    tmp_path: Path, side: str, first: str
) -> None:
    path = bars(
        tmp_path,
        *(f"2013-10-07T14:0{n}:00Z,SPY,10,10,10,10,,,,," for n in (1, 2)),
        "2013-10-07T14:03:00Z,SPY,10,13,8,12,,,,,",
    )

    async def act(made: Market, event: MarketEvent) -> None:
        if isinstance(event, Bar) and rfc3339(event.time).endswith("14:01:00Z"):
            await made.broker.submit_order(order("a", side, symbol="SPY"))

    events = play(path, act)
    last_bar = [e.last for e in events[-5:] if isinstance(e, Quote)]
    assert last_bar == [D(10), D(first), D(21) - D(first), D(12)]


def test_X68_stop_before_target(tmp_path: Path) -> None:
    path = bars(
        tmp_path,
        "2013-10-07T14:01:00Z,SPY,10,10,10,10,,,,,",
        "2013-10-07T14:02:00Z,SPY,10,10,10,10,,,,,",
        "2013-10-07T14:03:00Z,SPY,10,12,8,12,,,,,",
    )
    fills: list[Any] = []

    async def act(made: Market, event: MarketEvent) -> None:
        if not isinstance(event, Bar):
            return
        if event.time == made.market._file.first:
            await made.broker.submit_order(order("a", symbol="SPY"))
        elif event.time == made.market._file.last:
            fills.extend((f.client_order_id, f.price) for f in made.venue.fills_since(0))
        else:
            for name, more in (("stop", {"stop": "9"}), ("target", {"limit": "11"})):
                await made.broker.submit_order(
                    order(name, "SELL", symbol="SPY", reduce_only=True, **more)
                )

    play(path, act)
    assert fills == [("a", D(10)), ("stop", D(8))]


def test_X68_an_order_decided_at_a_close_fills_at_the_next_open(tmp_path: Path) -> None:
    path = bars(
        tmp_path,
        "2013-10-07T14:01:00Z,SPY,10,10,10,10,,,,,",
        "2013-10-07T14:02:00Z,SPY,11,12,9,12,,,,,",
    )
    fills: list[Any] = []

    async def act(made: Market, event: MarketEvent) -> None:
        if isinstance(event, Bar) and event.time == made.market._file.first:
            await made.broker.submit_order(order("a", symbol="SPY"))
        fills[:] = [(f.price, rfc3339(f.time)) for f in made.venue.fills_since(0)]

    play(path, act)
    assert fills == [(D(11), "2013-10-07T14:01:01Z")]


def test_X68_the_last_bar_of_a_session_matches_and_what_comes_after_does_not(
    tmp_path: Path,
) -> None:
    path = bars(
        tmp_path,
        "2013-10-07T19:59:00Z,SPY,10,10,10,10,,,,,",
        "2013-10-07T20:00:00Z,SPY,11,11,9,10,,,,,",
        "2013-10-07T20:01:00Z,SPY,7,7,7,7,,,,,",
    )
    seen = {}

    async def act(made: Market, event: MarketEvent) -> None:
        if isinstance(event, Bar) and event.time == made.market._file.first:
            await made.broker.submit_order(order("low", symbol="SPY", limit="9", tif="DAY"))
            await made.broker.submit_order(order("lower", symbol="SPY", limit="8", tif="DAY"))
            await made.broker.submit_order(order("gtc", symbol="SPY", limit="8"))
        for name in ("low", "lower", "gtc"):
            known = made.venue.get_order(name)
            seen[name] = known and str(known.status)

    play(path, act)
    assert seen == {"low": "FILLED", "lower": "EXPIRED", "gtc": "NEW"}


def test_a_quarter_of_the_bars_volume_trades_at_each_price(tmp_path: Path) -> None:
    path = bars(
        tmp_path,
        "2013-10-07T14:01:00Z,SPY,10,10,10,10,,,,,",
        "2013-10-07T14:02:00Z,SPY,10,10,10,10,400,,,,",
    )
    fills: list[Any] = []

    async def act(made: Market, event: MarketEvent) -> None:
        if isinstance(event, Bar) and event.time == made.market._file.first:
            await made.broker.submit_order(order("a", "BUY", "35", symbol="SPY"))
        fills[:] = [f.quantity for f in made.venue.fills_since(0)]

    play(path, act)
    assert fills == [D(10), D(10), D(10), D(5)]


def test_symbols_of_one_time_play_together_in_the_files_order(tmp_path: Path) -> None:
    path = bars(
        tmp_path,
        "2013-10-07T14:01:00Z,BAC,1,1,1,1,,,,,",
        "2013-10-07T14:01:00Z,SPY,10,10,10,10,,,,,",
    )
    symbols = [event.symbol for event in play(path)]
    assert symbols == ["BAC", "SPY", *["BAC"] * 4, *["SPY"] * 4]


def test_history_is_what_was_played(tmp_path: Path) -> None:
    path = bars(
        tmp_path, *(f"2013-10-07T14:0{n}:00Z,SPY,{n},{n},{n},{n},,,,," for n in range(1, 6))
    )
    lengths = []

    async def act(made: Market, event: MarketEvent) -> None:
        if isinstance(event, Bar):
            past = await made.market.history("SPY", 3)
            assert past[-1] == event
            lengths.append(len(past))
            assert await made.market.history("BAC", 3) == ()

    play(path, act)
    assert lengths == [1, 2, 3, 3, 3]


def test_the_clock_says_how_fast_a_recording_runs(tmp_path: Path) -> None:
    path = bars(tmp_path, *(f"2013-10-07T14:0{n}:00Z,SPY,1,1,1,1,,,,," for n in range(1, 4)))

    async def main() -> int:
        clock = ScaledClock(check_bars(path).start, 100_000)
        made = Market(path, clock)
        count = 0
        async for event in made.market.events():
            assert clock.now() >= event.time
            count += 1
        made.venue.close()
        return count

    assert asyncio.run(main()) == 15


@pytest.mark.parametrize("name", ["us-equities-2013-10-07", "crypto-2018-04-04", "fx-eurusd-2014"])
def test_the_recorded_markets_play_to_their_end(shared_market: Path, name: str) -> None:
    (path,) = shared_market.glob(f"{name}*.csv")
    events = play(path)
    assert sum(isinstance(event, Bar) for event in events) == check_bars(path).bars
    times = [event.time for event in events]
    assert times == sorted(times)
