"""A stream that stands, answers and tells nothing of orders loses no fill (U-21, C-441, T-07).

Nothing on the link shows it: the order itself is asked about once it was silent for too long. Each
venue whose stream has no numbers or beats that would give it away is here; in time that skips what
nobody waits for.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.order import Fill, Side
from tests.venues.seeded.run import Run, prepared

SOON: Final = 5.5
"""Seconds until a fill is known: 5 of silence (live-engines, 4b), and the question."""
FOREVER: Final = 10**6


def _alpaca(server: Any) -> None:
    server.drop_events = FOREVER


def _binance(server: Any) -> None:
    server.loses = FOREVER


def _ibkr(server: Any) -> None:
    server.tells_status = server.tells_executions = server.tells_commissions = False


MUTES: Final[dict[str, Callable[[Any], None]]] = {
    "alpaca": _alpaca, "binance": _binance, "ibkr": _ibkr,
}  # fmt: skip


@pytest.mark.parametrize("venue", MUTES)
def test_what_fills_while_the_stream_tells_nothing_is_known_soon(venue: str) -> None:
    with prepared(venue, 0) as made:
        place = made.place

        async def main() -> float:
            await place.listen()
            for symbol, price in made.prices.items():
                await place.tell(symbol, price)
            telling = asyncio.create_task(made.tell_prices())
            await made.start()
            await asyncio.sleep(2)
            MUTES[venue](place.server)
            order = ask.PlaceOrder(
                by="test", symbol=next(iter(place.symbols)), side=Side.BUY, quantity=Decimal(10)
            )
            told = await made.engine.command(order)
            assert told.ok, told.error
            began = made.loop.time()
            while sum(fill.quantity for fill in fills(made)) < 10:
                await asyncio.sleep(0.1)
            took = made.loop.time() - began
            telling.cancel()
            await made.stop()
            await place.server.stop()
            return took

        took = made.loop.run_until_complete(main())
    executed = [done.quantity for done in place.exchange.executions]
    assert sorted(fill.quantity for fill in fills(made)) == sorted(executed)
    assert took <= SOON


def fills(made: Run) -> list[Fill]:
    """The executions that the engine knows."""
    return [event.fill for event in made.events if isinstance(event, ev.OrderFilled)]
