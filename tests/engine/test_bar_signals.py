"""A completed bar and the built-in signals it leads to: decided by the core (A-146, X-89)."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.inputs import History
from engine.domain.instant import NS_PER_MS
from engine.domain.market import Bar
from engine.world import World
from tests.engine.driver import CoreDriver
from tests.engine.test_builtin_signals import bars_of, fed
from tests.engine.worlds import AXION, config_of

D = Decimal

FLAT = [100.0] * 51
"""The bars that make the clouds ready with the next one (A-142)."""

RISEN = bars_of([*FLAT, 100.5])


def desk(builtin: str = "ema_cloud") -> CoreDriver:
    return CoreDriver(config_of(signals={"builtin": builtin}, **AXION)).price("SPY", "100.5")


def told(made: CoreDriver, bars: Sequence[Bar], waited_ms: float = 0) -> list[ev.Event]:
    """The events that bars of the feed lead to."""
    steps = [made.core.handle(bar, made.now, round(waited_ms * NS_PER_MS)) for bar in bars]
    return [record.event for step in steps for record in step.records]


def received(events: Sequence[ev.Event]) -> list[ev.SignalReceived]:
    return [event for event in events if isinstance(event, ev.SignalReceived)]


def test_a_bar_leads_to_its_signals_each_with_one_verdict() -> None:
    events = told(desk(), RISEN)
    assert [event.signal for event in received(events)] == fed(RISEN)
    decided = [event.signal_id for event in events if isinstance(event, ev.SignalDecided)]
    assert decided == [signal.signal_id for signal in fed(RISEN)]
    assert decided


def test_a_signal_is_decided_before_the_next_one_is_received() -> None:
    kinds = (ev.SignalReceived, ev.SignalDecided)
    order = [type(event) for event in told(desk(), RISEN) if isinstance(event, kinds)]
    assert order == [ev.SignalReceived, ev.SignalDecided] * 2


def test_without_built_in_signals_a_bar_leads_to_none() -> None:
    made = desk(builtin="")
    assert told(made, RISEN) == []
    assert made.world.indicators.clouds("SPY") is None


def test_bars_from_before_the_start_lead_to_no_signal() -> None:
    made = desk()
    assert made.give(History(tuple(RISEN))) == []
    assert told(made, RISEN[-1:]) == [], "it was told before"


@pytest.mark.parametrize(("known", "signals"), [(50, 0), (51, 2)])
def test_the_past_counts_for_the_bars_that_follow(known: int, signals: int) -> None:
    made = desk()
    bars = bars_of([100.0] * known + [100.5])
    made.give(History(tuple(bars[:-1])))
    assert len(received(told(made, bars[-1:]))) == signals


def test_what_bars_say_is_no_part_of_the_state() -> None:
    made = desk()
    before = made.book.data.seq
    made.give(History(tuple(RISEN[:-1])))
    assert made.book.data.seq == before
    again = World(made.book, made.world.config, {})
    assert again.indicators.clouds("SPY") is None


@pytest.mark.parametrize(("waited", "refused"), [(249, False), (250, False), (251, True)])
def test_X89_the_signals_of_a_bar_wait_as_long_as_the_oldest_input(
    waited: float, refused: bool
) -> None:
    made = desk()
    told(made, RISEN[:-1])
    events = told(made, RISEN[-1:], waited)
    assert any(isinstance(event, ev.SignalsRefused) for event in events) is refused
    assert bool(received(events)) is not refused


def test_X89_the_first_refusal_is_recorded_and_the_second_gathered() -> None:
    made = desk()
    told(made, RISEN[:-1])
    step = made.core.handle(RISEN[-1], made.now, 300 * NS_PER_MS)
    first, second = fed(RISEN)
    assert [record.event.refusals[0].signal_id for record in step.records] == [first.signal_id]  # type: ignore[attr-defined]
    assert step.refused is not None
    assert step.refused.signal_id == second.signal_id
    assert made.core.due_at == made.now + 1000 * NS_PER_MS


def test_X89_a_bar_without_signals_neither_begins_nor_ends_an_overload() -> None:
    made = desk()
    told(made, RISEN[:-1], 300)
    assert not made.world.overload.is_active(made.now)


NO_BARS = {
    "a close that is no number": {"close": D("NaN")},
    "an infinite high": {"high": D("Infinity")},
    "a low of zero": {"low": D(0)},
    "a negative open": {"open": D(-1)},
    "a high below its close": {"high": D(100), "close": D("100.01")},
    "a low above its open": {"low": D("100.5"), "open": D("100.49"), "high": D(101)},
    "a negative volume": {"volume": D(-1)},
    "a volume that is no number": {"volume": D("NaN")},
    "no length": {"seconds": 0},
}


@pytest.mark.parametrize("change", NO_BARS.values(), ids=list(NO_BARS))
def test_rule4_a_bar_that_can_be_none_is_left_aside_and_told_once(change: dict[str, Any]) -> None:
    """The engine goes on (DESIGN, Broker port: a bad number is quarantined), and what follows is
    read as if that bar had never come."""
    made = desk()
    told(made, RISEN[:-1])
    bad = msgspec.structs.replace(RISEN[-1], **change)
    (alarm,) = told(made, [bad])
    assert isinstance(alarm, ev.Alarmed)
    assert (alarm.code, alarm.subject) == ("BAD_BAR", "SPY")
    assert told(made, [bad]) == []
    assert [event.signal for event in received(told(made, RISEN[-1:]))] == fed(RISEN)
    assert isinstance(told(made, [bad])[0], ev.Alarmed)


def test_a_bar_that_does_not_fit_the_timeframe_is_left_aside() -> None:
    config = config_of(signals={"builtin": "ema_cloud", "timeframe": "5m"}, **AXION)
    made = CoreDriver(config).price("SPY", "100.5")
    (alarm,) = told(made, [msgspec.structs.replace(RISEN[0], seconds=420)])
    assert isinstance(alarm, ev.Alarmed)
    assert (alarm.code, "420 s" in alarm.text, "300 s" in alarm.text) == ("BAD_BAR", True, True)


def test_a_past_with_a_bar_that_can_be_none_is_recalled_without_it() -> None:
    made = desk()
    bad = msgspec.structs.replace(RISEN[3], close=D("NaN"))
    (alarm,) = made.give(History((*RISEN[:3], bad, *RISEN[3:-1])))
    assert isinstance(alarm, ev.Alarmed)
    assert alarm.code == "BAD_BAR"
    assert [event.signal for event in received(told(made, RISEN[-1:]))] == fed(RISEN)
