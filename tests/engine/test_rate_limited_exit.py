"""An exit that the venue's rate limit puts off leaves as soon as the limit allows (rule 3, C-200).

Its stop has made room for it: whoever places that anew, and cancels it again for the next attempt,
uses up the very requests that the exit waits for.
"""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderTerms, Purpose
from engine.ports import BrokerError, NotSent, Throttled
from tests.engine.test_circuit import Failing, buy
from tests.engine.wires import PRICE, Rig, play
from tests.engine.worlds import ABLE
from tests.simulation.venue import Venue

APART = msgspec.structs.replace(ABLE, reduce_only=False)
"""A venue that does not join an exit with its stop: that is cancelled before the exit is sent."""


class Limits(Failing):
    """A venue that fails the next submits of exits, one error each, in order."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.at_exits: list[BrokerError] = []

    async def submit_order(self, order: OrderTerms) -> None:
        if order.purpose is Purpose.EXIT and self.at_exits:
            self._note("put off")
            raise self.at_exits.pop(0)
        await super().submit_order(order)


async def close_after(rig: Rig, *errors: BrokerError) -> float:
    """Close what was bought, with submits that end like that; seconds until it is flat."""
    assert (await buy(rig)).ok
    await rig.clock.sleep(2)
    assert isinstance(rig.wire, Limits)
    rig.wire.at_exits.extend(errors)
    start = rig.now
    await rig.engine.command(ask.ClosePosition(by="t", symbol="AAA"))
    await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is None)
    return rig.now - start


def intended(rig: Rig, purpose: Purpose) -> int:
    """How many orders of that purpose were decided."""
    return sum(each.terms.purpose is purpose for each in rig.events(ev.OrderIntended))


@pytest.mark.parametrize("waits", [(0.3,), (0.3, 0.3, 0.3), (1.0, 1.0), (2.0,)])
def test_it_leaves_when_the_venue_said_and_its_stop_is_not_placed_in_between(
    waits: tuple[float, ...],
) -> None:
    async def scene(rig: Rig) -> None:
        took = await close_after(rig, *(Throttled("used up", seconds) for seconds in waits))
        assert sum(waits) <= took < sum(waits) + 0.5
        assert intended(rig, Purpose.PROTECT) == 1, "that of the entry"
        assert intended(rig, Purpose.EXIT) == 1
        assert not rig.events(ev.ExitRefused)

    play(scene, wire=Limits, able=APART)


@pytest.mark.parametrize("waits", [(2.1,), (1.0, 1.1), (10.0,)])
def test_beyond_two_seconds_the_position_has_its_stop_again(waits: tuple[float, ...]) -> None:
    async def scene(rig: Rig) -> None:
        await close_after(rig, *(Throttled("used up", seconds) for seconds in waits))
        assert intended(rig, Purpose.PROTECT) >= 2
        assert rig.events(ev.ExitRefused)

    play(scene, wire=Limits, able=APART)


@pytest.mark.parametrize("seconds", [0.0, 0.001])
def test_a_venue_that_asks_to_wait_for_nothing_is_not_asked_without_end(seconds: float) -> None:
    """At most 2 s in pauses of 0.05 s; then its plan has it again, with its stop (C-200)."""

    async def scene(rig: Rig) -> None:
        await close_after(rig, *[Throttled("used up", seconds)] * 60)
        assert rig.events(ev.ExitRefused)
        assert intended(rig, Purpose.PROTECT) >= 2
        assert isinstance(rig.wire, Limits)
        at = [second for what, second in rig.wire.asked if what == "put off"]
        assert len(at) == 60
        assert all(20 * (later - sooner) + 1e-6 >= 1 for sooner, later in pairwise(at))

    play(scene, wire=Limits, able=APART)


def test_what_did_not_leave_for_another_reason_is_not_tried_under_its_plan() -> None:
    async def scene(rig: Rig) -> None:
        await close_after(rig, NotSent("no route"))
        assert rig.events(ev.ExitRefused)

    play(scene, wire=Limits, able=APART)


class Late(Venue):
    """A venue that tells of a fill of a stop after it has cancelled the rest of that."""

    def tell_late(self, quantity: int) -> None:
        """So much of the newest stop had filled."""
        stop = next(o for o in reversed(self.orders.values()) if o.order.protects)
        self._fill(stop, Decimal(quantity), PRICE - 10)


@pytest.mark.parametrize("filled", [0, 1, 4, 10])
def test_what_its_stop_has_filled_meanwhile_is_not_sold_again(filled: int) -> None:
    """What is handed over after a wait is no larger than what is held by then (rule 3)."""

    async def scene(rig: Rig) -> None:
        assert (await buy(rig, quantity=10)).ok
        await rig.clock.sleep(2)
        assert isinstance(rig.wire, Limits)
        assert isinstance(rig.venue, Late)
        rig.wire.at_exits.append(Throttled("used up", 1.0))
        await rig.engine.command(ask.ClosePosition(by="t", symbol="AAA"))
        await rig.clock.sleep(0.5)
        assert rig.venue.positions["AAA"] == 10
        if filled:
            rig.venue.tell_late(filled)
        await rig.clock.sleep(30)
        assert rig.engine.book.holding("paper", "AAA") is None
        assert not rig.venue.positions.get("AAA")
        sold = [f.fill.quantity for f in rig.events(ev.OrderFilled) if f.fill.side == "SELL"]
        assert sum(sold) == 10
        assert not [e for e in rig.events(ev.Alarmed) if e.code == "REVERSED"]

    play(scene, wire=Limits, able=APART, venue=Late)


def test_a_break_of_the_connection_ends_the_wait() -> None:
    """What was decided on a connection that is gone is decided anew on the next."""

    async def scene(rig: Rig) -> None:
        assert (await buy(rig)).ok
        await rig.clock.sleep(2)
        assert isinstance(rig.wire, Limits)
        rig.wire.at_exits.append(Throttled("used up", 1.5))
        await rig.engine.command(ask.ClosePosition(by="t", symbol="AAA"))
        await rig.clock.sleep(0.5)
        rig.cut()
        at = rig.now
        await rig.clock.sleep(5)
        assert f"submit {Purpose.EXIT}" not in rig.wire.since(at)
        rig.mend()
        await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is None)
        (sold,) = [f for f in rig.events(ev.OrderFilled) if f.fill.side == "SELL"]
        assert sold.fill.quantity == 1

    play(scene, wire=Limits, able=APART)
