"""What a short leaves to spend, beside the paper venue's own number (X-79, C-157).

The venue keeps one and a half times the value of what is short; commission is 0.1 %.
"""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain.order import Side
from engine.world import exposure
from tests.console.hosts import Host, settle

D = Decimal


def both(host: Host) -> tuple[Decimal, Decimal]:
    """What the gate would let us spend, and what the venue would."""
    return exposure.buying_power(host.world, "paper"), host.venue.account().buying_power


async def short(host: Host, quantity: int = 80) -> None:
    host.price("XOM", "118")
    await settle()
    sell = ask.PlaceOrder(
        by="t", symbol="XOM", side=Side.SELL, quantity=D(quantity), protect=D(121)
    )
    assert (await host.engine.command(sell)).ok
    await host.clock.advance(2)


@pytest.mark.parametrize("waits", [0, 70, 200])
@pytest.mark.parametrize("back_at", ["117", "118", "119.5"])
async def test_x79_a_short_that_is_closed_leaves_what_the_venue_gives(
    waits: int, back_at: str
) -> None:
    """With and without a scheduled look in between; then nothing is held, and all of it is cash."""
    async with Host() as host:
        await short(host)
        ours, theirs = both(host)
        assert ours <= theirs
        await host.clock.advance(waits)
        ours, theirs = both(host)
        assert ours <= theirs
        host.price("XOM", back_at)
        await settle()
        assert (await host.engine.command(ask.ClosePosition(by="t", symbol="XOM"))).ok
        await host.clock.advance(3)
        assert host.engine.book.holding("paper", "XOM") is None
        ours, theirs = both(host)
        cash = host.venue.account().cash
        assert round(ours, 2) == round(theirs, 2) == round(cash, 2)
        assert D(host.engine.status()["account"]["buying_power"]) == ours


async def test_x79_of_a_short_that_is_bought_back_in_parts_no_part_gives_too_much() -> None:
    async with Host() as host:
        await short(host)
        await host.clock.advance(70)
        for quantity in (10, 30, 40):
            host.price("XOM", "118")
            await settle()
            part = ask.ClosePosition(by="t", symbol="XOM", quantity=D(quantity))
            assert (await host.engine.command(part)).ok
            await host.clock.advance(3)
            ours, theirs = both(host)
            assert ours <= theirs + D("0.01")
        assert round(ours, 2) == round(theirs, 2)
