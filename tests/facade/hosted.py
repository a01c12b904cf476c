"""A running engine in a thread of its own, as a synchronous program has it, with prices by hand."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from decimal import Decimal
from typing import Any, TypeVar

from console.host import wiring
from console.host.memory_latch import MemoryLatch
from engine.domain.market import Quote
from engine.runtime.clock import SystemClock
from engine.runtime.engine import Engine
from storage.connection import memory_database
from tests.configs import from_mapping

T = TypeVar("T")

FREE: dict[str, Any] = {
    "slippage_bps": 0,
    "commission_bps": 0,
    "latency_ms": [0, 0],
    "fill_probability": 1,
}
PAPER: dict[str, Any] = {
    "profile": "axion_aggressive",
    "signals": {"builtin": ""},
    "market": {"symbols": ["BTC-USD", "ETH-USD"]},
    "brokers": {"paper": FREE},
}
"""A paper account whose markets never close."""


class Hosted:
    """The engine, its loop, and the hand that tells it prices."""

    def __init__(self, house: wiring.House, loop: asyncio.AbstractEventLoop) -> None:
        self.house = house
        self.loop = loop
        self.ended = asyncio.Event()

    def status_of(self, order_id: str) -> str:
        """Where the engine says that an order is; "" where it knows none."""
        order = self.engine.book.order(order_id)
        return "" if order is None else order.status

    @property
    def engine(self) -> Engine:
        return self.house.engine

    def do(self, act: Callable[[], T]) -> T:
        """Do this on the engine's loop."""

        async def there() -> T:
            return act()

        return asyncio.run_coroutine_threadsafe(there(), self.loop).result(20)

    def price(self, symbol: str, last: str | Decimal) -> None:
        """The symbol trades at this price now."""

        def tell() -> None:
            quote = Quote(
                symbol=symbol,
                bid=Decimal(last),
                ask=Decimal(last),
                last=Decimal(last),
                time=SystemClock().now(),
                trade=True,
            )
            for venue in self.house.venues.values():
                venue.on_price(quote)
            self.engine.step(quote)

        self.do(tell)

    def until(self, holds: Callable[[], bool], *, symbol: str, at: str) -> None:
        """Let the symbol trade at that price until something holds."""
        tried = threading.Event()
        for _ in range(400):
            self.price(symbol, at)
            if self.do(holds):
                return
            tried.wait(0.05)
        raise AssertionError("it did not come to hold within 20 s")


Before = Callable[[AsyncExitStack], Awaitable[Mapping[str, Any]]]


@contextmanager
def hosted(tree: Mapping[str, Any] = PAPER, before: Before | None = None) -> Iterator[Hosted]:
    """A started engine of that config; it is stopped at the end.

    `before` starts what the engine needs on the engine's loop, such as the server of a venue, and
    returns what it adds to the config.
    """
    ready: threading.Event = threading.Event()
    box: list[Hosted] = []
    failed: list[BaseException] = []

    async def main() -> None:
        async with AsyncExitStack() as stack:
            more = {} if before is None else await before(stack)
            await serve({**tree, **more})

    async def serve(given: dict[str, Any]) -> None:
        house = wiring.build(
            from_mapping(given),
            clock=SystemClock(),
            state_dir=None,
            version="test",
            latch=MemoryLatch(),
            database=memory_database(),
            threads=False,
            by_hand=True,
        )
        try:
            await house.engine.start()
            here = Hosted(house, asyncio.get_running_loop())
            box.append(here)
            ready.set()
            running = asyncio.ensure_future(house.engine.run())
            ending = asyncio.ensure_future(here.ended.wait())
            await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
            ending.cancel()
            await house.engine.stop("the test ends")
            await running
        finally:
            house.close()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            failed.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(30)
        if failed:
            raise failed[0]
        yield box[0]
    finally:
        if box and thread.is_alive():
            box[0].loop.call_soon_threadsafe(box[0].ended.set)
        thread.join(30)
    if failed:
        raise failed[0]
