"""More comes in than can be decided: entries are refused, everything else goes on (X-89)."""

from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.codes import Code, Stage
from engine.domain.commands import ClosePosition, Kill, PlaceOrder
from engine.domain.inputs import Input, SignalArrived
from engine.domain.instant import NS_PER_MS
from engine.domain.order import Side
from engine.domain.signal import Direction
from engine.risk.gate import CHECKS
from engine.risk.request import RequestKind
from engine.runtime.clock import ScaledClock, SteadyClock, SystemClock, VirtualClock
from engine.runtime.virtual_time import VirtualLoop
from tests.engine.driver import CoreDriver
from tests.engine.worlds import config_of, signal


def desk() -> CoreDriver:
    config = config_of(profile="axion_aggressive", risk={"max_order_notional": "1000000"})
    return CoreDriver(config).price("NVDA", "100").price("AAPL", "100")


def bought(symbol: str, waited_ms: float) -> PlaceOrder:
    return PlaceOrder(
        by="test",
        symbol=symbol,
        side=Side.BUY,
        quantity=Decimal(1),
        intent_id=f"{symbol}-{waited_ms}",
        waited=round(waited_ms * NS_PER_MS),
    )


def verdict(desk: CoreDriver, symbol: str, waited_ms: float) -> ev.SignalDecided:
    """What becomes of a fresh signal that comes after so long."""
    asked = signal(symbol, signal_id=f"{symbol}-{waited_ms}", conviction=60)
    given = SignalArrived(asked, round(waited_ms * NS_PER_MS))
    step = desk.core.handle(given, desk.now)
    told = (r.event for r in step.records if isinstance(r.event, ev.SignalDecided))
    return step.refused or next(told)


def overloaded() -> CoreDriver:
    made = desk()
    assert verdict(made, "AAPL", 251).code == "OVERLOADED"
    return made


@pytest.mark.parametrize(
    ("waited", "code"), [(0, ""), (249, ""), (250, ""), (251, "OVERLOADED"), (4_000, "OVERLOADED")]
)
def test_above_250_ms_entries_are_refused(waited: float, code: str) -> None:
    assert verdict(desk(), "NVDA", waited).code == code


@pytest.mark.parametrize(
    ("waited", "code"), [(250, "OVERLOADED"), (51, "OVERLOADED"), (50, "OVERLOADED"), (49, "")]
)
def test_until_below_50_ms_they_are_refused(waited: float, code: str) -> None:
    assert verdict(overloaded(), "NVDA", waited).code == code


def test_after_it_ended_only_a_wait_above_250_ms_begins_another() -> None:
    made = overloaded()
    assert verdict(made, "NVDA", 49).code != "OVERLOADED"
    assert verdict(made, "NVDA", 250).code != "OVERLOADED"
    assert verdict(made, "NVDA", 250.001).code == "OVERLOADED"


def test_the_refusal_says_the_wait_the_limit_and_comes_right_after_the_run_state() -> None:
    told = verdict(desk(), "NVDA", 251.5)
    assert (told.measured, told.limit, told.stage) == ("251.5 ms", "250 ms", Stage.KILL_SWITCH)
    asked = [check.code for check in CHECKS if RequestKind.SIGNAL in check.kinds]
    assert asked[asked.index(Code.RUN_STATE) + 1] == told.checks[-1].code == "OVERLOADED"
    again = verdict(overloaded(), "NVDA", 251.5)
    assert (again.measured, again.limit) == ("251.5 ms", "50 ms")
    assert "Entries are taken again below 50 ms." in told.reason


def test_the_operator_s_entries_are_refused_too() -> None:
    refused = [e for e in overloaded().give(bought("NVDA", 251)) if isinstance(e, ev.OrderRefused)]
    assert [event.code for event in refused] == ["OVERLOADED"]


def test_what_reduces_passes_and_so_does_a_kill() -> None:
    made = desk().hold("NVDA", 10, "100").hold("AAPL", 5, "100")
    assert verdict(made, "TSLA", 900).code == "OVERLOADED"
    flat = signal("NVDA", signal_id="out", direction=Direction.FLAT)
    given: tuple[Input, ...] = (
        SignalArrived(flat, 900 * NS_PER_MS),
        ClosePosition(by="test", symbol="AAPL"),
    )
    for one in given:
        assert any(isinstance(e, ev.ExitPlanned) for e in made.give(one)), one
    assert any(isinstance(e, ev.Halted) for e in made.give(Kill(by="test")))


def test_an_order_of_the_operator_that_reduces_passes() -> None:
    made = desk().hold("NVDA", 10, "100")
    assert verdict(made, "AAPL", 900).code == "OVERLOADED"
    sold = PlaceOrder(
        by="test", symbol="NVDA", side=Side.SELL, quantity=Decimal(3), waited=900 * NS_PER_MS
    )
    assert any(isinstance(e, ev.OrderIntended) for e in made.give(sold))


def test_where_nothing_waits_the_trace_does_not_speak_of_it() -> None:
    """A recording decides what it decided before the row was there."""
    codes = {check.code for check in verdict(desk(), "NVDA", 0).checks}
    assert "OVERLOADED" not in codes
    assert "OVERLOADED" in {check.code for check in verdict(desk(), "NVDA", 1).checks}


def test_the_wait_is_no_argument_of_the_operator_s() -> None:
    acts = [e for e in desk().give(bought("NVDA", 3)) if isinstance(e, ev.OperatorActed)]
    assert "waited" not in acts[0].args


def test_only_the_machine_s_own_time_lets_inputs_wait() -> None:
    loop = VirtualLoop()
    try:
        assert SystemClock().is_real
        assert SteadyClock(SystemClock()).is_real
        assert not ScaledClock(0, 60).is_real
        assert not VirtualClock(loop, 0).is_real
        assert not SteadyClock(VirtualClock(loop, 0)).is_real
    finally:
        loop.close()
