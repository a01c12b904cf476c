"""The engine in virtual time for a test of your own: your code drives it, nothing touches a disk.

A day passes in milliseconds, and twice the same way. Prices are told by hand; the paper broker
fills at the next one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any, Final, Literal, TypeVar

from brokers import venue_kinds
from console.host import wiring
from console.host.memory_latch import MemoryLatch
from engine.config import from_mapping
from engine.domain.instant import Nanos, parse_rfc3339
from engine.domain.market import Quote
from engine.ports import Clock
from engine.runtime.engine import Engine
from engine.runtime.virtual_time import run_virtual
from storage.connection import memory_database

T = TypeVar("T")

MONDAY: Final = "2013-10-07T14:00:00Z"
"""Ten in the morning in New York, on a plain Monday."""

LIMIT_SECONDS: Final = 366 * 86_400.0


class Rehearsal:
    """A running engine, and the hand that tells it prices and lets time pass."""

    def __init__(self, house: wiring.House, clock: Clock) -> None:
        self._house = house
        self._clock = clock

    @property
    def engine(self) -> Engine:
        """The engine: `submit`, `command`, `state`, `events()`."""
        return self._house.engine

    @property
    def now(self) -> Nanos:
        """UTC nanoseconds of the virtual clock."""
        return self._clock.now()

    def price(self, symbol: str, last: str | Decimal) -> None:
        """The symbol trades at this price now: the broker meets it, then the engine sees it."""
        at = self._clock.now()
        quote = Quote(symbol=symbol, bid=None, ask=None, last=Decimal(last), time=at, trade=True)
        for venue in self._house.venues.values():
            venue.on_price(quote)
        self.engine.step(quote)

    async def wait(self, seconds: float) -> None:
        """Lets so much virtual time pass."""
        await self._clock.sleep(seconds)

    def held(self, symbol: str) -> Decimal:
        """Signed quantity held, over all accounts."""
        held = self.engine.state.held(symbol)
        return sum((position.quantity for position in held), start=Decimal(0))


def rehearse(
    play: Callable[[Rehearsal], Awaitable[T]],
    *,
    start: str = MONDAY,
    config: Mapping[str, Any] | None = None,
    market: Literal["by_hand", "simulated"] = "by_hand",
) -> T:
    """Runs `play` against a started engine in virtual time and returns what it returns.

    `market` "by_hand" leaves every price to `play`; "simulated" lets the simulated market run, in
    the virtual time that `play` lets pass. `config` holds nested keys as the file does; the
    built-in signals are off unless it says otherwise. Raises what `play` or the engine raised.
    """
    tree: dict[str, Any] = {"signals": {"builtin": ""}, **(config or {})}

    async def main(clock: Clock) -> T:
        house = wiring.build(
            from_mapping(tree, None, venue_kinds()),
            clock=clock,
            state_dir=None,
            version="rehearsal",
            latch=MemoryLatch(),
            database=memory_database(),
            threads=False,
            by_hand=market == "by_hand",
        )
        await house.engine.start()
        running = asyncio.ensure_future(house.engine.run())
        playing = asyncio.ensure_future(play(Rehearsal(house, clock)))
        try:
            await asyncio.wait({running, playing}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()  # an engine that failed raises here, whatever the play would say
            return await playing
        finally:
            playing.cancel()
            await house.engine.stop("the rehearsal has ended")
            await asyncio.gather(running, playing, return_exceptions=True)
            house.close()

    return run_virtual(main, parse_rfc3339(start), LIMIT_SECONDS)
