"""No question is asked faster than its pause, and no alarm is raised twice for one state (C-403,
rule 6)."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import Fill, Side
from engine.domain.run import Flatten
from engine.ports import Capabilities, Rejected
from tests.engine.wires import ABLE, Rig, Wire, play

D = Decimal
ALONE = msgspec.structs.replace(ABLE, reduce_only=False)
BY_CANCEL = msgspec.structs.replace(ALONE, native_modify=False)
VENUES = pytest.mark.parametrize(
    "able", [ABLE, ALONE, BY_CANCEL], ids=["joins", "alone", "by cancel"]
)


class Stubborn(Wire):
    """A venue that refuses every cancel and every change of an order that works."""

    async def cancel_order(self, client_order_id: str) -> None:
        self._note("cancel")
        raise Rejected("NO", "not now")

    async def modify_order(self, client_order_id: str, *terms: Any) -> None:
        self._note("modify")
        raise Rejected("NO", "not now")


async def hold(rig: Rig) -> None:
    done = await rig.engine.command(
        ask.PlaceOrder(by="me", symbol="AAA", side=Side.BUY, quantity=D(9), protect=D(90))
    )
    assert done.ok, done.error
    await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is not None)
    await rig.clock.sleep(3)


async def kill(rig: Rig) -> None:
    await rig.engine.command(ask.Kill(by="me", flatten=Flatten.ALL))


async def close(rig: Rig) -> None:
    await rig.engine.command(ask.ClosePosition(by="me", symbol="AAA"))


async def move(rig: Rig) -> None:
    await rig.engine.command(ask.Protect(by="me", symbol="AAA", price=D(92)))


async def cancel(rig: Rig) -> None:
    await rig.engine.command(ask.CancelAll(by="me"))


async def sell(rig: Rig) -> None:
    order = ask.PlaceOrder(by="me", symbol="AAA", side=Side.SELL, quantity=D(4))
    await rig.engine.command(order)


@VENUES
@pytest.mark.parametrize("act", [kill, close, move, cancel, sell])
def test_c403_a_venue_that_refuses_every_cancel_is_not_flooded(
    able: Capabilities, act: Callable[[Rig], Any]
) -> None:
    async def scene(rig: Rig) -> None:
        await hold(rig)
        await rig.rest()
        start = rig.now
        await act(rig)
        await rig.clock.sleep(10)
        asked = Counter(rig.wire.since(start))
        assert asked["cancel"] <= 22, asked  # two orders, a second apart
        assert asked["modify"] <= 11, asked
        assert asked["query"] <= 22, asked
        told = Counter((a.code, a.text) for a in rig.events(ev.Alarmed, start))
        assert not [alarm for alarm, count in told.items() if count > 1]

    play(scene, able=able, wire=Stubborn)


class Empty(Wire):
    """A venue whose list of executions holds some of nothing, in each look."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.more: list[Fill] = []

    async def get_fills_since(self, since: int) -> tuple[Fill, ...]:
        fills = await super().get_fills_since(since)
        return (*fills, *self.more)


@pytest.mark.parametrize("count", [1, 30])
@pytest.mark.parametrize("known", [True, False])
def test_an_execution_of_nothing_is_told_once(count: int, known: bool) -> None:
    async def scene(rig: Rig) -> None:
        await hold(rig)
        wire = rig.wire
        assert isinstance(wire, Empty)
        made = rig.venue.fills[0]
        key = made.client_order_id if known else ""
        start = rig.now
        for number in range(count):
            none = f"none{number}"
            wire.more.append(
                msgspec.structs.replace(made, execution_id=none, quantity=D(0), client_order_id=key)
            )
            await rig.engine.command(ask.Reconcile(by="me"))
            await rig.clock.sleep(1)
        for _ in range(5):
            await rig.clock.sleep(31)
        await rig.engine.command(ask.Reconcile(by="me", apply=True))
        await rig.clock.sleep(1)
        cleared = rig.now
        for _ in range(5):
            await rig.engine.command(ask.Reconcile(by="me"))
            await rig.clock.sleep(31)
        bad = [a for a in rig.events(ev.Alarmed, start) if a.code == "BAD_FILL"]
        assert len(bad) == len({a.text for a in bad})
        assert not [a for a in rig.events(ev.Alarmed, cleared) if a.code == "BAD_FILL"]

    play(scene, wire=Empty)
