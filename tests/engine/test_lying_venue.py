"""Seeded lies of a venue all at once, with what must hold whatever it says (X-52, rules 2 and 3).

The venue's own book is the ledger: it would take a position across zero, and counts what is sold.
"""

from decimal import Decimal
from random import Random

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import OrderStatus, Side
from engine.domain.run import Flatten, Level
from tests.configs import from_mapping
from tests.engine.liar import TREE, Table, play

QUIET = from_mapping(
    TREE | {"kill": {"overfill": "alert", "divergence": "alert", "broker_lost": "alert"}}
)
KILL = ask.Kill(by="test", level=Level.KILL, flatten=Flatten.ALL)


async def lie(table: Table, random: Random) -> None:
    """The venue takes up another way to lie, or tells what it had kept back."""
    venue = table.venue
    match random.randrange(6):
        case 0:
            venue.positions_lag = random.choice((0.0, 0.3, 1.0, 3.0))
        case 1:
            venue.orders_lag = random.choice((0.0, 0.3, 1.0, 3.0))
        case 2:
            venue.hides_fills = random.random() < 0.5
        case 3:
            venue.tell_hidden()
        case 4:
            venue.answer_seconds = random.choice((0.01, 0.2, 0.9))
        case _:
            venue.drop()


async def act(table: Table, random: Random) -> None:
    """The operator does something."""
    match random.randrange(5):
        case 0 | 1:
            protect = Decimal(90) if random.random() < 0.5 else None
            await table.order(Side.BUY, random.choice((5, 20, 99)), protect=protect)
        case 2:
            await table.engine.command(ask.ClosePosition(by="test", symbol="AAA"))
        case 3:
            await table.engine.command(ask.CloseAll(by="test"))
        case _:
            await table.engine.command(ask.Reconcile(by="test", apply=random.random() < 0.5))


def never_short(table: Table) -> None:
    assert table.there >= 0, f"{table.there} are held there at {table.now}"


@pytest.mark.parametrize("seed", range(60))
def test_x52_whatever_a_venue_says_nothing_is_closed_twice(seed: int) -> None:
    random = Random(seed)

    async def scene(table: Table) -> None:
        for _ in range(random.randrange(4, 16)):
            await (lie if random.random() < 0.5 else act)(table, random)
            await table.wait(random.choice((0.01, 0.1, 0.5, 2, 8)))
            never_short(table)
        await table.engine.command(KILL)
        for _ in range(100):
            await table.wait(0.5)
            never_short(table)
        if random.random() < 0.5:
            table.venue.tell_hidden()
        table.venue.hides_fills = False
        table.venue.positions_lag = table.venue.orders_lag = 0.0
        for _ in range(140):
            await table.wait(1)
            never_short(table)
        proved = [event.state for event in table.events(ev.KillProved)]
        assert (table.there, table.held) == (0, 0)
        assert proved[-1] == "VERIFIED"
        working = [o for o in table.venue.orders.values() if o.status is OrderStatus.NEW]
        assert not working

    play(scene, config=QUIET)
