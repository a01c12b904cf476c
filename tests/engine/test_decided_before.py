"""What was decided on a connection never leaves on the next one unseen (C-441, U-53)."""

from collections.abc import Callable
from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Command
from engine.domain.order import OrderStatus, OrderType, Side
from engine.domain.run import LinkState
from tests.engine.liar import PLAIN, Table, play
from tests.engine.worlds import BROKER

ABLE = msgspec.structs.replace(PLAIN, native_modify=True)


def entry(resting: str) -> Command:
    """An order that adds exposure."""
    return ask.PlaceOrder(
        by="test", symbol="AAA", side=Side.BUY, quantity=Decimal(3), protect=Decimal(90)
    )


def more(resting: str) -> Command:
    """A change of the resting order that adds exposure."""
    return ask.ModifyOrder(by="test", client_order_id=resting, quantity=Decimal(20))


async def resting(table: Table) -> str:
    """A buy that rests at the venue; its id."""
    done = await table.order(
        Side.BUY, 10, type=OrderType.LIMIT, limit_price=Decimal(98), protect=Decimal(90)
    )
    (key,) = done.data["client_order_ids"]
    await table.until(lambda: key in table.venue.orders)
    await table.wait(1)
    return str(key)


@pytest.mark.parametrize(("made", "call"), [(entry, "submit"), (more, "modify")])
def test_a_break_that_is_told_with_its_end_before_it_has_left_keeps_it_back(
    made: Callable[[str], Command], call: str
) -> None:
    """Both are read at once, after the decision and before what it led to has begun: the new
    connection is not the one that it was decided on."""

    async def scene(table: Table) -> None:
        key = await resting(table)
        before, asked = table.now, len(table.venue.asked)
        table.venue.drop()
        table.engine.step(made(key))
        await table.wait(0.001)
        links = [event.state for event in table.events(ev.LinkChanged, before)]
        assert links == [LinkState.DISCONNECTED, LinkState.CONNECTED]
        assert not table.engine.book.account(BROKER).compared
        await table.until(lambda: table.engine.book.account(BROKER).compared)
        await table.wait(10)
        assert call not in [what for _, what in table.venue.asked[asked:]]
        assert table.engine.book.order(key).status is OrderStatus.NEW  # type: ignore[union-attr]
        assert table.venue.orders[key].quantity == 10
        assert not table.there

    play(scene, able=ABLE)


@pytest.mark.parametrize(("made", "call"), [(entry, "submit"), (more, "modify")])
def test_on_the_connection_that_it_was_decided_on_it_leaves(
    made: Callable[[str], Command], call: str
) -> None:
    async def scene(table: Table) -> None:
        key = await resting(table)
        table.venue.drop()
        await table.until(lambda: not table.engine.book.account(BROKER).compared)
        await table.until(lambda: table.engine.book.account(BROKER).compared)
        asked = len(table.venue.asked)
        table.engine.step(made(key))
        await table.wait(1)
        assert call in [what for _, what in table.venue.asked[asked:]]

    play(scene, able=ABLE)
