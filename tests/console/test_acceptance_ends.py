"""A dry run that is ended at any moment leaves the account as it found it (C-702, C-704).

The run is cancelled where the process would cancel it, at the first of each kind of event that it
leads to; the engine goes on meanwhile, and the server's own books are looked at in the end.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from brokers import venue_kinds
from console.host import wiring
from console.host.acceptance.script import Performance, Plan, to_its_end
from engine.config import parse
from engine.domain import events as ev
from engine.domain.order import OrderType, Side
from engine.runtime.clock import SystemClock
from tests.simulation.store import Disk, FileLatch
from tests.venues.okx import OkxServer
from tests.venues.serve import VENUES, config, tell_prices

SYMBOL = "BTC-USDT"
PATIENCE_SECONDS = 30


class Ended:
    """A run against a local OKX, cancelled when it has come to a certain event."""

    def __init__(self, house: wiring.House, server: OkxServer, rests: int, trades: int) -> None:
        plan = Plan(
            account="okx", symbol=SYMBOL, is_paper=False, rests=rests, trades=trades, steady=0
        )
        self.house = house
        self.server = server
        self._performance = Performance(plan, house, SystemClock())

    async def at(self, moment: str) -> bool:
        """Cancel the run at the first event that is called so; whether one came. Every order that
        was decided has come to the venue when this returns."""
        run = asyncio.create_task(self._performance.perform())
        on_the_way: set[str] = set()
        arrived = asyncio.Event()

        def followed(record: ev.Record) -> None:
            event = record.event
            if isinstance(event, ev.OrderIntended):
                on_the_way.add(event.terms.client_order_id)
            elif isinstance(event, ev.OrderFilled):
                on_the_way.discard(event.fill.client_order_id)
            elif isinstance(event, ev.OrderAccepted | ev.OrderCanceled):
                on_the_way.discard(event.client_order_id)
            (arrived.clear if on_the_way else arrived.set)()

        def heard(record: ev.Record) -> None:
            if called(record.event) == moment:
                run.cancel()
                unheard()

        self.house.engine.subscribe(followed)
        unheard = self.house.engine.subscribe(heard)
        with contextlib.suppress(asyncio.CancelledError):
            await run
        async with asyncio.timeout(PATIENCE_SECONDS):
            await arrived.wait()
        return run.cancelled()

    @property
    def left(self) -> tuple[list[str], dict[str, str]]:
        """The orders that work at the venue, and what is held there."""
        exchange = self.server.exchange
        return (
            [order.client_id for order in exchange.open_orders],
            {symbol: str(held) for symbol, held in exchange.positions.items() if held},
        )


def called(event: ev.Event) -> str:
    """The kind of an event; of an order's intent with what kind of order it is."""
    name = type(event).__name__
    if isinstance(event, ev.OrderIntended):
        return f"{name} {event.terms.side} {event.terms.type}"
    return name


@pytest.fixture
async def server() -> AsyncIterator[OkxServer]:
    async with OkxServer() as served:
        telling = asyncio.create_task(tell_prices(VENUES["okx"], served, walk=False))
        yield served
        telling.cancel()


@pytest.fixture
async def house(
    server: OkxServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[wiring.House]:
    for name, value in VENUES["okx"].environment.items():
        monkeypatch.setenv(name, value)
    made = wiring.build(
        parse(config("okx", server, tmp_path), {}, venue_kinds()),
        clock=SystemClock(),
        state_dir=tmp_path,
        version="test",
        latch=FileLatch(Disk()),
    )
    await made.engine.start()
    running = asyncio.create_task(made.engine.run())
    yield made
    await made.engine.stop("the test is over")
    await running
    made.close()


BUY_LIMIT = f"OrderIntended {Side.BUY} {OrderType.LIMIT}"
BUY = f"OrderIntended {Side.BUY} {OrderType.MARKET}"
SELL = f"OrderIntended {Side.SELL} {OrderType.MARKET}"


@pytest.mark.parametrize("moment", [BUY_LIMIT, "OrderSent", "OrderAccepted", "CancelRequested"])
async def test_C702_a_run_that_is_ended_at_a_resting_limit_leaves_no_order(
    house: wiring.House, server: OkxServer, moment: str
) -> None:
    run = Ended(house, server, rests=1, trades=0)
    assert await run.at(moment)
    assert run.left == ([], {})


@pytest.mark.parametrize("moment", [BUY, "OrderSent", "OrderFilled", SELL])
async def test_C704_a_run_that_is_ended_at_a_trade_leaves_nothing_held(
    house: wiring.House, server: OkxServer, moment: str
) -> None:
    run = Ended(house, server, rests=0, trades=1)
    assert await run.at(moment)
    orders, held = run.left
    assert orders == []
    assert all(abs(float(size)) < 1e-5 for size in held.values()), held


class Cleaning:
    """A run whose cleaning takes until `over` is set."""

    def __init__(self) -> None:
        self.begun, self.over, self.done = asyncio.Event(), asyncio.Event(), False

    async def work(self) -> None:
        self.begun.set()
        await self.over.wait()
        self.done = True

    async def run(self, first: asyncio.Event | None = None) -> None:
        try:
            if first is not None:
                await first.wait()
        finally:
            await to_its_end(self.work())


async def test_C704_a_run_that_is_told_to_end_while_it_cleans_up_cleans_up_whole() -> None:
    cleaning = Cleaning()
    run = asyncio.create_task(cleaning.run())
    await cleaning.begun.wait()
    run.cancel()
    await asyncio.sleep(0)
    cleaning.over.set()
    await asyncio.wait([run])
    assert cleaning.done
    assert run.cancelled()


@pytest.mark.parametrize("before", [True, False])
async def test_a_run_that_is_told_twice_waits_for_no_cleaning(before: bool) -> None:
    cleaning = Cleaning()
    run = asyncio.create_task(cleaning.run(asyncio.Event() if before else None))
    await asyncio.sleep(0)
    run.cancel()
    await cleaning.begun.wait()
    if not before:
        await asyncio.sleep(0)
    run.cancel()
    await asyncio.wait([run])
    assert not cleaning.done
    assert run.cancelled()
