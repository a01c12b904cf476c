"""An account that this process was not given is counted and never acted in (X-13, rule 3).

An earlier process traded there; what it left is in the journal, and this one has no venue for it.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Command, Stop
from engine.domain.market import Bar
from engine.domain.order import Fill, OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.domain.run import Flatten, Level
from engine.domain.signal import Direction
from engine.state.waiting import waiting_legs
from tests.engine.driver import CoreDriver, kinds
from tests.engine.worlds import config_of, signal

D = Decimal
OTHER = "other"
ACTS = (ev.ExitPlanned, ev.OrderIntended, ev.CancelRequested, ev.StopMoved, ev.TargetMoved)


def terms(quantity: int, **fields: object) -> OrderTerms:
    made = OrderTerms(
        client_order_id="there",
        intent_id="i-there",
        signal_id="s-there",
        account=OTHER,
        symbol="NVDA",
        side=Side.BUY,
        type=OrderType.MARKET,
        quantity=D(quantity),
        time_in_force=TimeInForce.DAY,
        purpose=Purpose.ENTRY,
        reserved=D(100),
        stop_loss=D(95),
        target=D(110),
    )
    return msgspec.structs.replace(made, **fields)


def desk() -> CoreDriver:
    """10 NVDA are held in the other account, with a stop at 95 and a target of 110."""
    risk = {"max_order_notional": "1000000"}
    made = CoreDriver(config_of(profile="axion_aggressive", risk=risk)).price("NVDA", "100")
    order = terms(10)
    made.event(ev.OrderIntended(terms=order))
    fill = Fill(
        execution_id="x-there",
        client_order_id=order.client_order_id,
        account=OTHER,
        symbol="NVDA",
        side=Side.BUY,
        quantity=D(10),
        price=D(100),
        time=made.now,
    )
    made.event(
        ev.OrderFilled(
            account=OTHER,
            fill=fill,
            position_id="pthere",
            multiplier=D(1),
            cumulative=D(10),
            average_price=D(100),
        )
    )
    assert [p.account for p in made.book.held("NVDA")] == [OTHER]
    assert made.book.held("NVDA")[0].managed
    return made


def acts(events: list[ev.Event]) -> list[str]:
    return [name for name in kinds(events) if name in {kind.__name__ for kind in ACTS}]


@pytest.mark.parametrize("price", ["111", "110", "109", "94"])
def test_no_price_closes_there(price: str) -> None:
    made = desk()
    for _ in range(3):
        assert not acts(made.quote("NVDA", price))
        assert not acts(made.tick())


def test_no_bar_closes_there() -> None:
    made = desk()
    made.price("NVDA", "120")
    bar = Bar(
        symbol="NVDA",
        seconds=60,
        time=made.now,
        open=D(120),
        high=D(121),
        low=D(90),
        close=D(120),
        volume=D(1),
    )
    assert not acts(made.give(bar))


def test_a_flat_signal_has_nothing_to_close_there() -> None:
    made = desk()
    seen = made.signal(signal("NVDA", signal_id="out", direction=Direction.FLAT))
    assert not acts(seen)
    assert [e.code for e in seen if isinstance(e, ev.SignalDecided)] == ["SIZE_ZERO"]


@pytest.mark.parametrize(
    "given",
    [
        ask.ClosePosition(by="ann", symbol="NVDA"),
        ask.ClosePosition(by="ann", symbol="NVDA", quantity=D(1)),
        ask.Protect(by="ann", symbol="NVDA", price=D(96)),
        ask.SetTarget(by="ann", symbol="NVDA", price=D(120)),
    ],
    ids=lambda given: type(given).__name__,
)
def test_no_command_acts_there(given: Command) -> None:
    seen = desk().give(given)
    assert not acts(seen)
    (refused,) = [e for e in seen if isinstance(e, ev.CommandRefused)]
    assert "nothing is held of NVDA" in refused.reason


def test_what_is_held_there_does_not_stand_in_the_way_of_what_is_held_here() -> None:
    """Named by its symbol alone, a command means the one holding that it can reach."""
    made = desk().hold("NVDA", 5, "100")
    seen = made.give(ask.ClosePosition(by="ann", symbol="NVDA"))
    assert [e.account for e in seen if isinstance(e, ev.ExitPlanned)] == ["paper"]


def _close_all(made: CoreDriver) -> list[ev.Event]:
    return made.give(ask.CloseAll(by="ann"))


def _kill(made: CoreDriver) -> list[ev.Event]:
    return made.give(ask.Kill(by="ann", flatten=Flatten.ALL))


def _halt(made: CoreDriver) -> list[ev.Event]:
    return made.give(ask.Kill(by="ann", level=Level.HALT))


def _cancel_all(made: CoreDriver) -> list[ev.Event]:
    return made.give(ask.CancelAll(by="ann"))


def _stop(made: CoreDriver) -> list[ev.Event]:
    return made.give(Stop("the day is over"))


def _cancel(made: CoreDriver) -> list[ev.Event]:
    return made.give(ask.CancelOrder(by="ann", client_order_id="leg"))


def waiting(made: CoreDriver, **fields: object) -> OrderTerms:
    """A person's sale of 3 there waits until a stop has made room for it."""
    leg = terms(3, client_order_id="leg", side=Side.SELL, purpose=Purpose.MANUAL)
    leg = msgspec.structs.replace(leg, reduce_only=True, reserved=D(0), **fields)
    made.event(ev.IntentOpened(intent_id=leg.intent_id, plan="reduce", legs=(leg,)))
    return leg


@pytest.mark.parametrize("act", [_kill, _halt, _cancel_all, _stop, _cancel, CoreDriver.tick])
def test_a_leg_that_waits_there_is_not_withdrawn(
    act: Callable[[CoreDriver], list[ev.Event]],
) -> None:
    """An earlier process may have sent it: without the leg its order would be a stranger's."""
    made = desk()
    leg = waiting(made)
    assert "LegRefused" not in kinds(act(made))
    assert [found.terms for found in waiting_legs(made.book)] == [leg]


@pytest.mark.parametrize("act", [_kill, _cancel_all, _stop, _cancel])
def test_one_that_waits_here_is_withdrawn(act: Callable[[CoreDriver], list[ev.Event]]) -> None:
    made = desk().hold("NVDA", 5, "100")
    waiting(made, account="paper")
    assert "LegRefused" in kinds(act(made))
    assert not waiting_legs(
        made.book,
    )


@pytest.mark.parametrize("key", ["leg", "there-too"])
def test_a_cancel_of_what_is_there_is_refused_and_says_where_it_is(key: str) -> None:
    made = desk()
    waiting(made)
    made.event(ev.OrderIntended(terms=terms(1, client_order_id="there-too")))
    seen = made.give(ask.CancelOrder(by="ann", client_order_id=key))
    assert not acts(seen)
    (refused,) = [e for e in seen if isinstance(e, ev.CommandRefused)]
    assert refused.reason == "it is in other, which is not open here; paper are"


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (ask.ModifyOrder(by="ann", client_order_id="there-too", quantity=D(1)), "it works in"),
        (ask.ResolveOrder(by="ann", client_order_id="there-too", decision="canceled"), "it is in"),
    ],
)
def test_a_change_and_a_resolve_of_what_is_there_are_refused_and_say_where_it_is(
    command: Command, where: str
) -> None:
    made = desk()
    made.event(ev.OrderIntended(terms=terms(2, client_order_id="there-too")))
    (refused,) = [e for e in made.give(command) if isinstance(e, ev.CommandRefused)]
    assert refused.reason == f"{where} other, which is not open here; paper are"


@pytest.mark.parametrize(
    "command",
    [
        ask.Protect(by="ann", symbol="NVDA", price=D(96), broker="elsewhere"),
        ask.SetTarget(by="ann", symbol="NVDA", price=D(120), broker="elsewhere"),
        ask.ClosePosition(by="ann", symbol="NVDA", broker="elsewhere"),
        ask.CloseAll(by="ann", broker="elsewhere"),
        ask.CancelAll(by="ann", broker="elsewhere"),
        ask.Reconcile(by="ann", broker="elsewhere"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_a_broker_that_is_none_is_refused_and_those_that_are_are_named(command: Command) -> None:
    (refused,) = [e for e in desk().give(command) if isinstance(e, ev.CommandRefused)]
    assert refused.reason == "there is no broker 'elsewhere'; there is paper"
    assert refused.code == "INVALID_INPUT", "as of an order: the same mistake, the same code"


@pytest.mark.parametrize("broker", ["elsewhere", OTHER])
def test_an_order_for_a_broker_that_is_none_is_refused_with_the_same_sentence(broker: str) -> None:
    order = ask.PlaceOrder(
        by="ann",
        symbol="NVDA",
        side=Side.BUY,
        quantity=D(1),
        type=OrderType.MARKET,
        broker=broker,
    )
    (refused,) = [e for e in desk().give(order) if isinstance(e, ev.OrderRefused)]
    assert refused.reason == f"there is no broker '{broker}'; there is paper."


@pytest.mark.parametrize("act", [_close_all, _kill, CoreDriver.tick])
def test_a_leg_that_waits_there_is_not_sent(act: Callable[[CoreDriver], list[ev.Event]]) -> None:
    made = desk()
    waiting(made)
    made.hold("AAPL", 1, "100")
    assert OTHER not in {getattr(e, "account", "") for e in act(made) if isinstance(e, ACTS)}
    assert not acts(made.tick())
