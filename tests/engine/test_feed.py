"""The carrier of market data: the past first, where it can be had, then every event in order."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import History, Input, Trouble
from engine.domain.instant import NS_PER_SECOND
from engine.domain.market import Bar, MarketEvent, Quote
from engine.domain.order import Side
from engine.domain.run import Phase, RunState, Severity
from engine.ports import Clock, MarketData, Throttled
from engine.runtime.feed import HISTORY_SECONDS, MarketFeed, feeds_of
from engine.runtime.virtual_time import run_virtual
from tests.engine.test_builtin_signals import START, bars_of
from tests.engine.wires import PRICE, Rig, play
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


def fed(
    market: MarketData, given: list[Input], clock: Clock, *, recorded: bool = False
) -> MarketFeed:
    def redact(text: str) -> str:
        return text.replace("canary", "***")

    return MarketFeed(market, step=given.append, clock=clock, recorded=recorded, redact=redact)


def recalled(*symbols: str) -> list[Input]:
    given: list[Input] = []
    run_virtual(lambda clock: fed(Source(), given, clock, recorded=True).run(symbols), START, 60)
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


def test_every_event_of_a_recording_is_handed_over_in_order_and_the_end_is_known() -> None:
    given: list[Input] = []
    feeds: list[MarketFeed] = []

    async def run(clock: Clock) -> None:
        feeds.append(fed(Source(), given, clock, recorded=True))
        assert not feeds[0].exhausted
        await feeds[0].run(())

    run_virtual(run, START, 60)
    assert [bar for bar in given if isinstance(bar, Bar)] == PAST["AAA"] == given
    assert feeds[0].exhausted


class Failing:
    """A market that fails so many times, each after so many prices, and then tells the rest."""

    def __init__(self, failures: int, *, after: int = 0, seconds: float = 0) -> None:
        self._failures = failures
        self._after = after
        self._seconds = seconds
        """Between two prices."""
        self.asked: list[float] = []
        """When it was asked for its prices."""

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Nothing: it keeps no past."""
        return ()

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Prices until it fails; in the end one more, and the market is over."""
        self.asked.append(asyncio.get_running_loop().time())
        if len(self.asked) <= self._failures:
            for _ in range(self._after):
                yield PAST["AAA"][0]
                await asyncio.sleep(self._seconds)
            raise ConnectionError("the stream broke, apikey=canary")
        yield PAST["AAA"][1]
        await asyncio.Event().wait()


def told(market: MarketData) -> list[Input]:
    """What it tells until nothing more comes of it."""
    given: list[Input] = []

    async def run(clock: Clock) -> None:
        pump = asyncio.create_task(fed(market, given, clock).run(()))
        await clock.sleep(9_000)
        assert not pump.done()
        pump.cancel()

    run_virtual(run, START, 10_000)
    return given


def test_C441_a_venue_whose_prices_fail_keeps_back_none_of_another() -> None:
    """Each source is asked again by itself, and the alarm names the account (U-53)."""
    broken, steady = Failing(10_000), Failing(9, after=100, seconds=1)
    given: list[Input] = []

    async def run(clock: Clock) -> None:
        sources = {"fx": broken, "coins": steady}
        feeds = feeds_of(
            sources, step=given.append, clock=clock, recorded=False, redact=lambda text: text
        )
        pumps = [asyncio.create_task(feed.run(())) for feed in feeds]
        await clock.sleep(99)
        assert [feed.account for feed in feeds] == ["fx", "coins"]
        for pump in pumps:
            pump.cancel()

    run_virtual(run, START, 10_000)
    assert len(broken.asked) > 5
    assert len(steady.asked) == 1
    assert sum(isinstance(one, Bar) for one in given) == 99
    (lost,) = [one for one in given if isinstance(one, Trouble)]
    assert (lost.code, lost.subject) == ("MARKET_LOST", "fx")


def test_u53_a_market_that_ends_has_failed_and_is_asked_again() -> None:
    """As one whose stream the other side has closed in order: no price would ever come again."""
    given: list[Input] = []
    feeds: list[MarketFeed] = []

    async def run(clock: Clock) -> None:
        feeds.append(fed(Source(), given, clock))
        pump = asyncio.create_task(feeds[0].run(()))
        await clock.sleep(2)
        pump.cancel()

    run_virtual(run, START, 60)
    first, second = PAST["AAA"]
    assert not feeds[0].exhausted
    lost = given.pop(2)
    assert isinstance(lost, Trouble)
    assert (lost.code, lost.severity) == ("MARKET_LOST", Severity.CRITICAL)
    assert given == [first, second, first, second]


def test_a_market_that_fails_is_asked_again_after_pauses_that_grow() -> None:
    market = Failing(8)
    given = told(market)
    begun = market.asked[0]
    assert [at - begun for at in market.asked] == pytest.approx(
        [0, 1, 3, 7, 15, 31, 63, 123, 183]
    ), "twice the pause before each time, up to a minute"
    first, price = given
    assert isinstance(first, Trouble)
    assert (first.code, first.severity) == ("MARKET_LOST", Severity.CRITICAL)
    assert "ConnectionError the stream broke, apikey=***" in first.text
    assert price == PAST["AAA"][1]


class Cancelled(Failing):
    """A market that waits for a task of its own, which somebody cancels."""

    async def events(self) -> AsyncIterator[MarketEvent]:
        """Nothing the first time, and then a price."""
        self.asked.append(asyncio.get_running_loop().time())
        if len(self.asked) <= self._failures:
            reader = asyncio.create_task(asyncio.sleep(60))
            asyncio.get_running_loop().call_later(1, reader.cancel)
            await reader
        yield PAST["AAA"][1]
        await asyncio.Event().wait()


def test_a_market_whose_own_task_was_cancelled_has_failed_too() -> None:
    """A cancel that it lets through is none of the pump that reads it, which would end unheard."""
    market = Cancelled(2)
    first, price = told(market)
    assert isinstance(first, Trouble)
    assert (first.code, price) == ("MARKET_LOST", PAST["AAA"][1])
    assert len(market.asked) == 3


def test_a_pump_that_is_cancelled_ends_and_asks_no_market_again() -> None:
    market, given = Cancelled(9), list[Input]()

    async def run(clock: Clock) -> None:
        pump = asyncio.create_task(fed(market, given, clock).run(()))
        await clock.sleep(0.5)
        pump.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pump
        await clock.sleep(10)

    run_virtual(run, START, 60)
    assert given == []
    assert len(market.asked) == 1


def test_a_market_that_breaks_again_and_again_is_told_of_once() -> None:
    """An alarm is raised once a state: prices that come for a moment are no other one."""
    codes = [one.code for one in told(Failing(5, after=3)) if isinstance(one, Trouble)]
    assert codes == ["MARKET_LOST"]


def test_a_market_that_has_told_prices_for_a_minute_is_back_and_its_next_failure_is_news() -> None:
    market = Failing(2, after=61, seconds=1)
    given = [one for one in told(market) if isinstance(one, Trouble)]
    assert [one.code for one in given] == ["MARKET_LOST", "MARKET_BACK", "MARKET_LOST"]
    assert given[1].severity is Severity.INFO
    assert market.asked[1] - market.asked[0] == pytest.approx(62)
    assert market.asked[2] - market.asked[1] == pytest.approx(62)


def test_a_recording_that_cannot_be_read_any_further_is_not_begun_again() -> None:
    """It would tell the same prices twice; whoever plays it is told why it ends."""
    market = Failing(1)
    with pytest.raises(ConnectionError):
        run_virtual(lambda clock: fed(market, [], clock, recorded=True).run(()), START, 60)
    assert len(market.asked) == 1


class Broken(Failing):
    """A market of one price, that then breaks for ever."""

    async def events(self) -> AsyncIterator[MarketEvent]:
        self.asked.append(asyncio.get_running_loop().time())
        if len(self.asked) == 1:
            now = int(self.asked[0] * NS_PER_SECOND)
            yield Quote(symbol="AAPL", bid=PRICE, ask=PRICE, last=PRICE, time=now)
        raise ValueError("no stream")


def test_an_engine_without_prices_takes_no_entries_and_still_exits_and_kills() -> None:
    """Only the feed is lost (U-53): entries stop, what reduces goes on, an alarm stands."""
    market = Broken(0)

    async def scene(rig: Rig) -> None:
        await rig.until(lambda: len(market.asked) > 5)
        alarms = [r.event for r in rig.records if isinstance(r.event, ev.Alarmed)]
        assert [a.code for a in alarms if a.code.startswith("MARKET_")] == ["MARKET_LOST"]
        assert rig.engine.book.run_state is RunState.ACTIVE
        order = ask.PlaceOrder(by="t", symbol="AAPL", side=Side.BUY, quantity=Decimal(1))
        refused = await rig.engine.command(order)
        assert (refused.ok, refused.code) == (False, "STALE_QUOTE")
        assert (await rig.engine.command(ask.CloseAll(by="t"))).ok
        assert (await rig.engine.command(ask.Kill(by="t"))).ok
        assert rig.engine.book.run_state is RunState.HALTED

    play(scene, market=market)


class Tied:
    """A market that goes down and comes back with its venue."""

    def __init__(self) -> None:
        self.down = asyncio.Event()
        self.asked: list[float] = []
        """When it was asked for its prices."""

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Nothing: it keeps no past."""
        return ()

    async def events(self) -> AsyncIterator[MarketEvent]:
        """One quote, and none until it is down."""
        self.asked.append(asyncio.get_running_loop().time())
        if not self.down.is_set():
            yield Quote(symbol="ZZZ", bid=None, ask=None, last=Decimal(1), time=1)
        await self.down.wait()
        raise ConnectionError("the venue is gone")


@pytest.mark.parametrize("outage", [10, 45, 600])
def test_p05_a_venue_that_is_back_is_asked_for_its_prices_at_once(outage: float) -> None:
    """No entry passes without a price: after 45 s it was asked 16 s after it was back."""
    market = Tied()

    async def scene(rig: Rig) -> None:
        rig.cut()
        market.down.set()
        await rig.clock.sleep(outage)
        rig.mend()
        market.down.clear()
        back = rig.now
        await rig.until(lambda: rig.is_connected)
        await rig.clock.sleep(0.1)
        asked = len(market.asked)
        assert rig.now - back < 5
        assert asyncio.get_running_loop().time() - market.asked[-1] < 5
        await rig.clock.sleep(120)
        assert len(market.asked) == asked, "it tells prices, and is not asked again"

    play(scene, market=market)


def test_a_source_that_is_rested_from_is_asked_at_once_when_it_is_hurried() -> None:
    market = Failing(7)
    given: list[Input] = []

    async def run(clock: Clock) -> None:
        feed = fed(market, given, clock)
        feed.hurry()  # nothing rests yet
        pump = asyncio.create_task(feed.run(()))
        await clock.sleep(40)
        assert len(market.asked) == 6
        feed.hurry()
        await clock.sleep(0.1)
        assert len(market.asked) == 7
        await clock.sleep(61)
        assert len(market.asked) == 8
        feed.hurry()  # nor while it tells prices
        await clock.sleep(100)
        assert len(market.asked) == 8
        assert not pump.done()
        pump.cancel()

    run_virtual(run, START, 1_000)
    assert given[-1] == PAST["AAA"][1]


@pytest.mark.parametrize(("asked", "waits"), [(0.0, 1), (0.5, 1), (90.0, 90), (float("nan"), 60)])
def test_C401_a_source_that_asks_to_wait_is_left_alone_for_as_long(
    asked: float, waits: int
) -> None:
    """Whoever hurries it: prices wait, and nothing that reduces waits for them."""

    class Asking(Failing):
        async def events(self) -> AsyncIterator[MarketEvent]:
            self.asked.append(asyncio.get_running_loop().time())
            if len(self.asked) == 1:
                raise Throttled("too many connections", asked)
            yield PAST["AAA"][1]
            await asyncio.Event().wait()

    market, given = Asking(0), list[Input]()

    async def run(clock: Clock) -> None:
        feed = fed(market, given, clock)
        pump = asyncio.create_task(feed.run(()))
        await clock.sleep(0.2)
        if asked:
            feed.hurry()
        await clock.sleep(waits - 0.3)
        assert len(market.asked) == 1
        await clock.sleep(0.2)
        assert len(market.asked) == 2
        assert not pump.done()
        pump.cancel()

    run_virtual(run, START, 1_000)


def test_a_pump_that_is_cancelled_in_a_pause_ends() -> None:
    market = Failing(9)

    async def run(clock: Clock) -> None:
        pump = asyncio.create_task(fed(market, [], clock).run(()))
        await clock.sleep(10)
        pump.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pump
        asked = len(market.asked)
        await clock.sleep(100)
        assert len(market.asked) == asked

    run_virtual(run, START, 1_000)


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
