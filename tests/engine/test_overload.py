"""More comes in than can be decided: entries are refused, everything else goes on (X-89)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.codes import Code, Stage
from engine.domain.commands import (
    ClosePosition,
    Kill,
    ModifyOrder,
    PlaceOrder,
    RetryLetter,
)
from engine.domain.inputs import Command, Input, SignalArrived
from engine.domain.instant import NS_PER_MS
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side
from engine.domain.signal import Direction
from engine.pipeline.request import manual_request
from engine.pipeline.stages import decide
from engine.plans.legs import send
from engine.risk.gate import CHECKS
from engine.risk.request import RequestKind
from engine.runtime.clock import ScaledClock, SteadyClock, SystemClock, VirtualClock
from engine.runtime.virtual_time import VirtualLoop
from engine.state.waiting import waiting_legs
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import ABLE, AXION, BROKER, config_of, signal


def desk(**able: Any) -> CoreDriver:
    config = config_of(**AXION)
    made = CoreDriver(config, capabilities=msgspec.structs.replace(ABLE, **able))
    return made.price("NVDA", "100").price("AAPL", "100")


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


def overloaded(**able: Any) -> CoreDriver:
    made = desk(**able)
    assert verdict(made, "AAPL", 251).code == "OVERLOADED"
    return made


def resting(made: CoreDriver) -> OrderTerms:
    """A limit order to buy 10 NVDA that the venue works."""
    order = msgspec.structs.replace(
        bought("NVDA", 0), quantity=Decimal(10), type=OrderType.LIMIT, limit_price=Decimal(99)
    )
    made.give(order)
    made.accept(made.last(Purpose.MANUAL))
    return made.last(Purpose.MANUAL)


def more(order: OrderTerms, waited_ms: float) -> ModifyOrder:
    return ModifyOrder(
        by="test",
        client_order_id=order.client_order_id,
        quantity=Decimal(12),
        waited=round(waited_ms * NS_PER_MS),
    )


def letter(made: CoreDriver) -> None:
    """A buy of NVDA that provably never left is a dead letter under "L"."""
    order = resting(made)
    made.report(order, OrderStatus.CANCELED)
    made.later(120).price("NVDA", "100")
    made.event(
        ev.DeadLettered(
            letter_id="L", terms=msgspec.structs.replace(order, account=BROKER), error="x"
        )
    )


def refusals(made: CoreDriver, given: Command) -> list[str]:
    """With which codes it is refused, whichever way that is told."""
    told = made.give(given)
    return [e.code for e in told if isinstance(e, ev.OrderRefused | ev.CommandRefused)]


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


@pytest.mark.parametrize(("waited", "codes"), [(249, []), (250, []), (251, ["OVERLOADED"])])
def test_a_change_of_an_order_is_judged_by_its_own_wait(waited: float, codes: list[str]) -> None:
    made = desk()
    assert refusals(made, more(resting(made), waited)) == codes


@pytest.mark.parametrize(("waited", "codes"), [(49, []), (50, ["OVERLOADED"])])
def test_a_change_ends_an_overload_as_a_signal_does(waited: float, codes: list[str]) -> None:
    made = desk()
    order = resting(made)
    assert verdict(made, "AAPL", 251).code == "OVERLOADED"
    assert refusals(made, more(order, waited)) == codes


@pytest.mark.parametrize(("waited", "codes"), [(250, []), (251, ["OVERLOADED"])])
def test_a_dead_letter_that_is_tried_again_is_judged_by_its_own_wait(
    waited: int, codes: list[str]
) -> None:
    made = desk()
    letter(made)
    again = RetryLetter(by="test", letter_id="L", waited=waited * NS_PER_MS)
    assert refusals(made, again) == codes


@pytest.mark.parametrize(("after_ms", "stands"), [(0, True), (999, True), (1_000, False)])
def test_what_a_wait_told_is_past_after_a_second(after_ms: int, stands: bool) -> None:
    """Nothing that waited came since: no one can say that anything waits (X-89)."""
    made = overloaded()
    made.later(after_ms / 1000)
    assert made.world.overload.is_active(made.now) is stands
    reviewed = decide(made.world, manual_request(made.world, bought("NVDA", 0)), made.now)
    assert reviewed.allowed is not stands
    assert (Code.OVERLOADED in {check.code for check in reviewed.checks}) is stands


@pytest.mark.parametrize(("after", "code"), [(0.999, "OVERLOADED"), (1, "")])
def test_an_overload_that_is_past_wants_250_ms_again(after: float, code: str) -> None:
    made = overloaded()
    made.later(after)
    assert verdict(made, "NVDA", 250).code == code


@pytest.mark.parametrize("after", [0, 3600])
def test_what_takes_the_place_of_an_order_was_decided_before(after: float) -> None:
    """Its order is cancelled already: a refusal now would leave nothing (X-88)."""
    made = desk(native_modify=False)
    order = resting(made)
    made.give(more(order, 0))
    assert verdict(made, "AAPL", 400).code == "OVERLOADED"
    made.later(after).price("NVDA", "100")
    seen = made.report(order, OrderStatus.CANCELED, filled=Decimal(0))
    assert one(seen, ev.OrderIntended).terms.orig_client_order_id == order.client_order_id


def test_a_leg_that_waited_was_decided_before() -> None:
    made = overloaded()
    order = msgspec.structs.replace(
        resting(desk()), client_order_id="leg", reserved=Decimal(99), symbol="NVDA"
    )
    leg = made.event(ev.IntentOpened(intent_id=order.intent_id, plan="entry", legs=(order,)))
    (waiting,) = waiting_legs(
        leg.book,
    )
    assert [type(e) for e in send(made.world, waiting, made.now)] == [ev.OrderIntended]


def test_what_reduces_passes_and_so_does_a_kill() -> None:
    made = desk().hold("NVDA", 10, "100").hold("AAPL", 5, "100")
    assert verdict(made, "TSLA", 900).code == "OVERLOADED"
    flat = signal("NVDA", signal_id="out", direction=Direction.FLAT)
    given: tuple[Input, ...] = (
        SignalArrived(flat, 900 * NS_PER_MS),
        ClosePosition(by="test", symbol="AAPL"),
    )
    for each in given:
        assert any(isinstance(e, ev.ExitPlanned) for e in made.give(each)), each
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
    made = desk()
    given = (
        bought("NVDA", 3),
        more(resting(made), 3),
        RetryLetter(by="test", letter_id="L", waited=3),
    )
    for command in given:
        acts = [e for e in made.give(command) if isinstance(e, ev.OperatorActed)]
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
