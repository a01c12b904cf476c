"""A price that is told again, or is older than the newest of its symbol, is no second price event.

What leans on two prices a second apart leans on two events of the market (X-71, X-78, X-93, A-163,
U-53, fault 46). The limit is 2,000 a day; 90 are held at 100, so that 76 is a loss of 2,160.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Quote
from engine.domain.order import Purpose, Side
from engine.domain.position import ExitReason
from engine.domain.run import RunState, Severity, Trigger
from engine.domain.signal import TradeType
from engine.world.evidence import ProvedPrice
from tests.engine.driver import CoreDriver
from tests.engine.worlds import BROKER, config_of

D = Decimal
SECOND = NS_PER_SECOND
HOUR = 3_600 * SECOND
DEAF = 60
"""Seconds for which a source is not listened to whose times run backward."""


def holding(quantity: int = 90, **fields: Any) -> CoreDriver:
    """So many bought at 100, and a price of 100 after that."""
    desk = CoreDriver(config_of(risk={"max_order_notional": "1000000"})).price("NVDA", "100")
    desk.place(Side.BUY, quantity, hold=TradeType.SWING, **fields)
    order = desk.last(Purpose.MANUAL)
    desk.accept(order)
    desk.filled(order, quantity, "100")
    desk.later(1).quote("NVDA", "100")
    return desk


def tell(
    desk: CoreDriver, last: str, time: Nanos, *, symbol: str = "NVDA", **fields: Any
) -> list[ev.Event]:
    """A quote of the venue's time `time`, which comes now."""
    price = D(last)
    quote = {"bid": price, "ask": price, **fields}
    return desk.give(Quote(symbol=symbol, last=price, time=time, **quote))


def halted(desk: CoreDriver) -> bool:
    return desk.book.run_state is RunState.HALTED


def is_closing(desk: CoreDriver) -> bool:
    held = desk.book.holding(BROKER, "NVDA")
    return held is not None and held.is_closing


# --- told again -----------------------------------------------------------------------------------


def test_X71_one_bad_tick_that_is_told_again_trips_nothing() -> None:
    """As after a reconnect: the same quote comes once more, with the time that it had."""
    desk = holding()
    desk.later(1)
    at = desk.now
    for _ in range(5):
        tell(desk, "76", at)
        desk.tick(2)
    assert not halted(desk)
    tell(desk, "76", desk.now)
    assert halted(desk), "the market says it again"


def test_X71_several_quotes_of_one_time_that_are_told_again_trip_nothing() -> None:
    """A trade and the quote beside it share their time; a reconnect tells both again."""
    desk = holding()
    desk.later(1)
    at = desk.now
    for _ in range(5):
        tell(desk, "76", at, ask_size=D(100))
        tell(desk, "76", at, ask_size=D(200))
        desk.tick(2)
    assert not halted(desk)
    tell(desk, "76", desk.now)
    assert halted(desk)


@pytest.mark.parametrize(("apart", "trips"), [(0.999, False), (1, True), (1.001, True)])
def test_X71_two_events_of_the_market_a_second_apart_are_evidence(
    apart: float, trips: bool
) -> None:
    desk = holding()
    for _ in range(2):
        desk.later(apart)
        tell(desk, "76", desk.now)
    assert halted(desk) is trips


def test_X71_two_different_quotes_of_one_time_are_both_events() -> None:
    """The second one says that the first was a bad tick: the count begins anew."""
    desk = holding()
    desk.later(1)
    tell(desk, "76", desk.now)
    tell(desk, "100", desk.now)
    desk.later(1)
    tell(desk, "76", desk.now)
    assert desk.world.market.mark("NVDA") == 76
    assert not halted(desk)
    desk.later(1)
    tell(desk, "76", desk.now)
    assert halted(desk)


def test_X78_a_tick_beyond_the_stop_that_is_told_again_has_not_triggered_it() -> None:
    """The stop goes on to rest, and no close is sent in its place."""
    desk = holding(protect=D(95))
    desk.accept(desk.last(Purpose.PROTECT))
    desk.later(1)
    at = desk.now
    for _ in range(10):
        tell(desk, "94", at)
        desk.tick(2)
    assert not is_closing(desk)
    for _ in range(10):
        tell(desk, "94", desk.now)
        desk.tick(2)
    assert is_closing(desk)


# --- times that are cut short ---------------------------------------------------------------------

WHOLE = [SECOND, 60 * SECOND]
"""A source that tells its times in whole seconds, or whole minutes."""


def to_the_boundary(desk: CoreDriver, unit: Nanos, before: Nanos) -> None:
    """A price of 100 as a unit of the source's time begins; then its next is `before` away."""
    desk.now += unit - desk.now % unit
    tell_cut(desk, "100", unit)
    desk.now += unit - before


def tell_cut(desk: CoreDriver, last: str, unit: Nanos, **fields: Any) -> None:
    """A quote of now, its time cut to whole units."""
    tell(desk, last, desk.now - desk.now % unit, **fields)


@pytest.mark.parametrize("unit", WHOLE)
def test_X71_prices_less_than_a_second_apart_are_no_evidence_whatever_their_times(
    unit: Nanos,
) -> None:
    """The first is dated long before it came: nobody had told it then."""
    desk = holding()
    to_the_boundary(desk, unit, SECOND // 20)
    tell_cut(desk, "76", unit)
    desk.later(0.051)
    tell_cut(desk, "76", unit)
    assert desk.world.market.mark("NVDA") == 76
    assert not halted(desk)
    desk.now += unit
    tell_cut(desk, "76", unit)
    assert halted(desk)


@pytest.mark.parametrize("unit", WHOLE)
@pytest.mark.parametrize(("apart", "trips"), [(0.999, False), (1, True), (1.001, True)])
def test_X71_a_second_counts_from_when_the_first_came(
    unit: Nanos, apart: float, trips: bool
) -> None:
    desk = holding()
    to_the_boundary(desk, unit, SECOND // 2)
    tell_cut(desk, "76", unit)
    desk.later(apart)
    tell_cut(desk, "76", unit)
    assert halted(desk) is trips


def test_X71_no_stop_of_ours_closes_on_prices_less_than_a_second_apart() -> None:
    """The venue has not taken the stop on, so that the engine watches it."""
    desk = holding(protect=D(95))
    to_the_boundary(desk, SECOND, SECOND // 20)
    tell_cut(desk, "90", SECOND)
    desk.later(0.051)
    tell_cut(desk, "90", SECOND)
    desk.tick(0)
    assert not is_closing(desk)
    desk.later(1)
    tell_cut(desk, "90", SECOND)
    assert is_closing(desk)


@pytest.mark.parametrize("unit", [1, *WHOLE])
def test_X78_a_stop_is_triggered_when_the_trade_came_not_when_it_is_dated(unit: Nanos) -> None:
    """It has its five seconds to trade from then."""
    desk = holding(protect=D(95))
    desk.accept(desk.last(Purpose.PROTECT))
    desk.now += 60 * SECOND - desk.now % (60 * SECOND)
    for n in range(30):
        desk.later(1)
        tell_cut(desk, "100", unit, ask_size=D(n + 1))
    tell_cut(desk, "94", unit, trade=True)
    desk.tick(4.9)
    assert not is_closing(desk)
    desk.tick(0.2)
    assert is_closing(desk)


@pytest.mark.parametrize("unit", WHOLE)
def test_X71_rates_less_than_a_second_apart_are_no_evidence_whatever_their_times(
    unit: Nanos,
) -> None:
    """The worth of a currency is held against the same measure as a price."""
    seen = ProvedPrice(D(100))
    came = 10 * unit - SECOND // 20
    seen.see(D(76), came, told_at=9 * unit)
    assert seen.see(D(76), came + SECOND // 10, told_at=10 * unit) == 100
    assert seen.see(D(77), came + unit, told_at=came + SECOND) == 77


# --- older than the newest ------------------------------------------------------------------------


@pytest.mark.parametrize("behind", [1, 5 * SECOND, HOUR])
def test_X71_prices_older_than_the_newest_trip_nothing(behind: Nanos) -> None:
    desk = holding()
    newest = desk.now
    for n in range(5):
        desk.tick(1.5)
        tell(desk, "76", newest - behind + min(n, behind - 1))
    assert not halted(desk)
    assert desk.world.market.mark("NVDA") == 100


def test_X71_prices_an_hour_old_between_new_ones_trip_nothing() -> None:
    desk = holding()
    for _ in range(200):
        desk.tick(0.5)
        tell(desk, "76", desk.now - HOUR)
        desk.tick(0.5)
        tell(desk, "76", desk.now - HOUR)
        tell(desk, "100", desk.now)
    assert not halted(desk)
    assert desk.world.market.mark("NVDA") == 100


def test_A163_a_price_older_than_the_newest_reaches_no_target() -> None:
    desk = holding(90, target=D(110))
    for n in range(4):
        desk.later(1.5)
        tell(desk, "111", desk.now - HOUR + n)
    assert not is_closing(desk)
    tell(desk, "111", desk.now)
    held = desk.book.holding(BROKER, "NVDA")
    assert held is not None
    assert held.exiting is not None
    assert held.exiting.reason is ExitReason.TARGET


def test_X93_prices_an_hour_old_look_like_no_split() -> None:
    """50 after 100 is that of 2:1; no gap is between what comes twice a second."""
    desk = holding(90)
    for _ in range(100):
        desk.later(0.5)
        tell(desk, "50", desk.now - HOUR)
        tell(desk, "100", desk.now)
    assert "CORPORATE_ACTION" not in [alarm.code for alarm in desk.of(ev.Alarmed)]


def test_X93_a_source_that_is_always_an_hour_behind_has_no_gaps() -> None:
    """A gap is between the times of two prices: a fall in a second is no split."""
    desk = CoreDriver()
    for last in ("100", "100", "50"):
        desk.later(1)
        tell(desk, last, desk.now - HOUR)
        assert not desk.world.prices.gaps
    assert not desk.of(ev.Alarmed)
    desk.later(120)
    tell(desk, "50", desk.now - HOUR)
    assert desk.world.prices.gaps["NVDA"].before == 50


# --- times that cannot be gone by -----------------------------------------------------------------


@pytest.mark.parametrize("ahead", [SECOND, 4 * SECOND, 5 * SECOND, 6 * SECOND, HOUR])
@pytest.mark.parametrize("skew", [0, 1, SECOND // 1000])
def test_U53_one_quote_dated_ahead_makes_no_later_one_old(ahead: Nanos, skew: Nanos) -> None:
    """Its time is not believed: it counts as of when it came. `skew`: the venue's clock is fast."""
    desk = holding()
    desk.later(0.5)
    tell(desk, "76", desk.now + ahead)
    desk.later(0.5)
    tell(desk, "100", desk.now + skew)
    assert desk.world.market.mark("NVDA") == 100
    assert desk.world.market.is_fresh("NVDA", desk.now)
    desk.later(0.5)
    tell(desk, "76", desk.now - 2 * SECOND)
    assert desk.world.market.mark("NVDA") == 100
    desk.later(1.5)
    tell(desk, "76", desk.now + 100 * SECOND)
    assert not halted(desk)


def test_X71_a_source_that_is_always_an_hour_ahead_has_its_own_order() -> None:
    desk = holding()
    desk.later(1)
    tell(desk, "99", desk.now + HOUR)
    for _ in range(5):
        desk.later(1.5)
        tell(desk, "76", desk.now + HOUR - 10 * SECOND)
    assert desk.world.market.mark("NVDA") == 99


@pytest.mark.parametrize(
    ("told", "heard"),
    [
        (range(DEAF), False),
        (range(DEAF + 1), True),
        ((*range(DEAF // 2), *range(DEAF // 2 + 1, DEAF + 1)), True),
    ],
)
def test_X71_a_source_whose_clock_was_set_back_is_heard_after_a_minute(
    told: Sequence[int], heard: bool
) -> None:
    """Nothing newer comes for that long, and its times go on as ours do."""
    desk = holding()
    start = desk.now + SECOND
    for second in told:
        desk.now = start + second * SECOND
        tell(desk, "99", desk.now - HOUR)
        if second < DEAF:
            tell(desk, "99", desk.now - HOUR - SECOND // 2)
    assert (desk.world.market.mark("NVDA") == 99) is heard
    if heard:
        desk.later(0.5)
        tell(desk, "98", desk.now - HOUR)
        assert desk.world.market.mark("NVDA") == 98
        assert not desk.world.market.is_fresh("NVDA", desk.now)


def test_X71_a_source_that_tells_its_past_slowly_is_not_heard_for_that() -> None:
    """Two minutes of old prices whose times do not go on as ours do are no clock that was set."""
    desk = holding()
    newest = desk.now
    for n in range(120):
        desk.later(1)
        tell(desk, "76", newest - HOUR + n)
    assert desk.world.market.mark("NVDA") == 100
    assert not halted(desk)


def test_X71_a_new_price_ends_the_minute_of_the_old_ones() -> None:
    desk = holding()
    for n in range(4 * DEAF):
        desk.later(0.5)
        tell(desk, "99", desk.now - HOUR)
        if n % 60 == 30:
            tell(desk, "100", desk.now)
    assert desk.world.market.mark("NVDA") == 100


def test_X71_a_source_whose_clock_stands_still_is_evidence_once_a_minute() -> None:
    """Different prices of one time are no second apart, unless its clock tells nothing at all."""
    desk = holding()
    desk.later(1)
    at = desk.now
    for n in range(DEAF + 1):
        tell(desk, "76", at, ask_size=D(n + 1))
        assert not halted(desk)
        desk.later(1)
    tell(desk, "76", at)
    assert halted(desk)
    assert [event.trigger for event in desk.of(ev.TriggerFired)] == [Trigger.DAILY_LOSS]


def test_X71_an_hour_of_old_prices_in_no_order_is_no_clock_that_was_set() -> None:
    desk = holding()
    newest = desk.now
    for n in range(5 * DEAF):
        desk.later(1)
        tell(desk, "76", newest - HOUR + n * 997 % 3_600 * SECOND)
    assert desk.world.market.mark("NVDA") == 100
    assert not halted(desk)


@pytest.mark.parametrize(
    ("apart", "heard"),
    [(-6, False), (-5.001, False), (-5, True), (0, True), (5, True), (5.001, False), (6, False)],
)
def test_X71_two_old_prices_a_minute_apart_are_a_clock_only_where_they_are_in_step(
    apart: float, heard: bool
) -> None:
    desk = holding()
    desk.later(1)
    tell(desk, "99", desk.now - HOUR)
    desk.later(DEAF)
    tell(desk, "99", desk.now - HOUR + int(apart * SECOND))
    assert (desk.world.market.mark("NVDA") == 99) is heard


# --- never without a word -------------------------------------------------------------------------


def alarms(desk: CoreDriver) -> list[str]:
    """The symbols of which it was said that they tell nothing but their past."""
    return [alarm.subject for alarm in desk.of(ev.Alarmed) if alarm.code == "OLD_QUOTES"]


@pytest.mark.parametrize("late", [5, 6, 20, 3_600])
def test_X71_a_source_that_was_set_back_is_heard_though_some_of_it_comes_late(late: int) -> None:
    """One of ten comes late: those are left alone, and the others are its clock."""
    desk = holding()
    for n in range(DEAF + 2):
        desk.later(1)
        tell(desk, "80", desk.now - HOUR)
        if n % 10 == 0:
            tell(desk, "80", desk.now - HOUR - late * SECOND)
    assert desk.world.market.mark("NVDA") == 80


def test_X71_a_source_that_was_set_back_twice_is_heard() -> None:
    """The second time ends what the first began, once nothing of that has come for a minute."""
    desk = holding()
    for n in range(DEAF // 2 + 2 * DEAF + 1):
        desk.later(1)
        tell(desk, "99", desk.now - (HOUR if n < DEAF // 2 else 2 * HOUR))
    assert desk.world.market.mark("NVDA") == 99


@pytest.mark.parametrize(("seconds", "said"), [(59, []), (60, ["NVDA"]), (61, ["NVDA"])])
def test_X71_a_symbol_that_tells_nothing_but_its_past_for_a_minute_is_said(
    seconds: int, said: list[str]
) -> None:
    """As of a recording that is played again and again."""
    desk = holding()
    newest = desk.now
    desk.later(1)
    tell(desk, "80", newest - HOUR)
    desk.later(seconds)
    tell(desk, "80", newest - HOUR + SECOND)
    assert alarms(desk) == said


def test_X71_it_is_said_once_until_it_has_been_heard_again() -> None:
    desk = holding()
    for _ in range(2):
        newest = desk.now
        for n in range(10 * DEAF):
            desk.later(1)
            tell(desk, "80", newest - HOUR + n % 45 * SECOND)
        assert desk.world.market.mark("NVDA") == 100
        tell(desk, "100", desk.now)
    assert alarms(desk) == ["NVDA", "NVDA"]
    told = next(alarm for alarm in desk.of(ev.Alarmed) if alarm.code == "OLD_QUOTES")
    assert told.severity is Severity.ERROR
    assert "60 s" in told.text


def test_X71_a_recording_that_is_played_in_a_loop_is_said_though_its_newest_comes_again() -> None:
    desk = holding()
    start = desk.now + SECOND
    for n in range(10 * DEAF):
        desk.later(1)
        tell(desk, "100" if n < 45 else "80", start + n % 45 * SECOND)
    assert alarms(desk) == ["NVDA"]


def test_X71_a_source_whose_clock_was_set_back_once_is_heard_without_an_alarm() -> None:
    desk = holding()
    for _ in range(2 * DEAF):
        desk.later(1)
        tell(desk, "99", desk.now - HOUR)
    assert desk.world.market.mark("NVDA") == 99
    assert not alarms(desk)


def test_X71_old_prices_beside_the_newest_that_is_told_again_are_not_said() -> None:
    """As of a quiet market of which the last trade and the last quote are asked again and again."""
    desk = holding()
    newest = desk.now
    for _ in range(3 * DEAF):
        desk.later(1)
        tell(desk, "99", newest - HOUR)
        tell(desk, "100", newest)
    assert not alarms(desk)


def test_X71_old_prices_between_new_ones_are_not_said() -> None:
    desk = holding()
    for _ in range(3 * DEAF):
        desk.later(1)
        tell(desk, "99", desk.now - HOUR)
        tell(desk, "100", desk.now)
    assert not alarms(desk)


def test_each_symbol_has_its_own_newest() -> None:
    desk = holding()
    tell(desk, "50", desk.now - HOUR, symbol="AMD")
    assert desk.world.market.mark("AMD") == 50
    assert desk.world.market.mark("NVDA") == 100
