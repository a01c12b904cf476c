"""The carrier of market data: the past first, where it can be had, then every event in order."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.inputs import History, Input, Trouble
from engine.domain.instant import NS_PER_SECOND
from engine.domain.market import Bar, MarketEvent, Quote
from engine.domain.run import Phase
from engine.runtime.feed import HISTORY_SECONDS, MarketFeed
from engine.runtime.virtual_time import run_virtual
from tests.engine.test_builtin_signals import START, bars_of
from tests.engine.wires import Rig, play
from tests.engine.worlds import MIDDAY

PAST = {"AAA": bars_of([100.0, 101.0], symbol="AAA"), "CCC": bars_of([50.0], symbol="CCC")}


class Source:
    """A market that knows the past of AAA and CCC, fails for BBB and never answers for DDD."""

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        if symbol == "BBB":
            raise ConnectionError("no such feed")
        if symbol == "DDD":
            await asyncio.Event().wait()
        return tuple(PAST[symbol][-bars:])

    async def events(self) -> AsyncIterator[MarketEvent]:
        for bar in PAST["AAA"]:
            yield bar


def recalled(*symbols: str) -> list[Input]:
    given: list[Input] = []
    feed = MarketFeed(Source(), step=given.append)
    run_virtual(lambda _: feed.run(symbols), START, 60)
    return [one for one in given if not isinstance(one, Bar)]


def test_the_past_is_handed_over_symbol_by_symbol() -> None:
    assert recalled("AAA", "CCC") == [History(tuple(PAST["AAA"])), History(tuple(PAST["CCC"]))]


def test_a_past_that_cannot_be_had_is_said_and_the_others_are_handed_over() -> None:
    failed, hung, last = recalled("BBB", "DDD", "CCC")
    assert isinstance(failed, Trouble)
    assert (failed.code, failed.subject) == ("NO_HISTORY", "BBB")
    assert failed.text == "no history: ConnectionError no such feed"
    assert isinstance(hung, Trouble)
    assert (hung.code, hung.subject) == ("NO_HISTORY", "DDD")
    assert last == History(tuple(PAST["CCC"]))


def test_every_event_is_handed_over_in_order_and_the_end_is_known() -> None:
    given: list[Input] = []
    feed = MarketFeed(Source(), step=given.append)
    assert not feed.exhausted
    run_virtual(lambda _: feed.run(()), START, 60)
    assert [bar for bar in given if isinstance(bar, Bar)] == PAST["AAA"] == given
    assert feed.exhausted


class Forgetful:
    """A market that never answers what was, and then tells one price."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        """When it was asked for a past, and last for its prices."""

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Nothing, ever."""
        self.asked.append(asyncio.get_running_loop().time())
        await asyncio.Event().wait()
        return ()

    async def events(self) -> AsyncIterator[MarketEvent]:
        """One quote, and then none."""
        self.asked.append(asyncio.get_running_loop().time())
        yield Quote(symbol="ZZZ", bid=None, ask=None, last=Decimal(1), time=1)
        await asyncio.Event().wait()


def test_an_engine_trades_while_its_market_still_looks_for_its_past() -> None:
    market = Forgetful()

    async def scene(rig: Rig) -> None:
        symbols = rig.engine.world.config.market.symbols
        await rig.until(lambda: "ZZZ" in rig.engine.world.market.quotes)
        assert len(market.asked) - 1 == len(symbols) > 1
        assert market.asked[-1] - market.asked[0] == pytest.approx(HISTORY_SECONDS)
        (trades_at,) = (
            (record.time - MIDDAY) / NS_PER_SECOND
            for record in rig.records
            if isinstance(record.event, ev.PhaseChanged) and record.event.phase is Phase.RUNNING
        )
        assert trades_at < HISTORY_SECONDS
        told = [r.event for r in rig.records if isinstance(r.event, ev.Alarmed)]
        assert [event.subject for event in told if event.code == "NO_HISTORY"] == list(symbols)

    play(scene, market=market)
