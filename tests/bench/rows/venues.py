"""What each adapter costs beside its venue (G4), and how soon it trades again after a cut (G6).

The venue's local server is a process beside the measured one, and says itself how long it took over
each order, and how much it computed for a burst of executions. What no program can do without is
measured in the same minute and printed beside: a line to that process and back, and a write that
this disk has kept. Coinbase is not among them: its sandbox takes no orders
(docs/venues/coinbase.md).
"""

import asyncio
import os
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import msgspec

from engine.state.account import AccountState, AccountStatus
from tests.bench import rig
from tests.bench.figures import Row, p50, p99, spread
from tests.bench.venue_there import VenueThere, venue_there
from tests.configs import from_mapping

VENUES: Final = ("alpaca", "binance", "ibkr", "oanda", "okx")
LOT: Final = {"AAPL": Decimal(1), "EUR_USD": Decimal(1), "BTC-USDT": Decimal("0.0001")}
ORDERS: Final = 40
PAUSE: Final = 0.1
"""Seconds between two orders, so that no venue's rate limit is met."""

SMALL: Final = 20
"""Lots of an order."""

REPORTS: Final = 1_000
"""Executions of one order, in one burst."""

SHARE_MS: Final = 2.0
WRITTEN: Final = bytes(4_096)
"""What is written to the disk by itself: a page, as the smallest commit of a journal."""

CUTS: Final = 5
STEADY_SECONDS: Final = 6.0
"""A connection counts as steady after so long; a cut before that is answered later."""

PATIENCE_SECONDS: Final = 60.0


class Desk:
    """An engine on one account of a venue, and what it does on demand."""

    def __init__(self, engine: rig.Engine, name: str) -> None:
        self._engine = engine
        self._name = name
        self._accepted: dict[str, int] = {}
        (self.symbol,) = (s for s in engine.world.market.quotes if s in LOT)
        price = engine.world.market.quotes[self.symbol].last
        grid = Decimal("0.01") if price > 10 else Decimal("0.0001")
        self._limits = ((price / 4 - n * grid).quantize(grid) for n in count())
        """No two orders are the same: a second one within a minute is refused."""
        engine.subscribe(self._note)

    def _note(self, record: rig.ev.Record) -> None:
        if isinstance(record.event, rig.ev.OrderAccepted):
            self._accepted.setdefault(record.event.client_order_id, time.monotonic_ns())

    @property
    def _account(self) -> AccountState:
        return self._engine.book.account(self._name)

    @property
    def is_ready(self) -> bool:
        """Whether entries are taken."""
        return self._account.status is AccountStatus.READY

    @property
    def is_flat(self) -> bool:
        """Whether no order works."""
        return not self._account.orders

    @property
    def held(self) -> Decimal:
        """The position in the symbol."""
        position = self._account.positions.get(self.symbol)
        return position.quantity if position is not None else Decimal(0)

    async def until(self, true: Callable[[], bool]) -> int:
        """Wait; the moment after the record that made it true, of the monotonic clock in ns."""
        seen: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def look(record: object) -> None:
            if not seen.done() and true():
                seen.set_result(time.monotonic_ns())

        ends = self._engine.subscribe(look)
        look(None)
        try:
            return await asyncio.wait_for(seen, PATIENCE_SECONDS)
        finally:
            ends()

    async def rest(self, lots: int) -> tuple[str, int]:
        """A buy that nothing fills: its client order id, and the ns until the venue had it."""
        began = time.monotonic_ns()
        told = await self._engine.command(
            rig.PlaceOrder(
                by="bench",
                symbol=self.symbol,
                side=rig.Side.BUY,
                quantity=LOT[self.symbol] * lots,
                type=rig.OrderType.LIMIT,
                limit_price=next(self._limits),
            )
        )
        if not told.ok:
            raise RuntimeError(f"an order at {self._name} was refused: {told.error}")
        (key,) = told.orders
        await self.until(lambda: key in self._accepted)
        return key, self._accepted[key] - began

    async def cancel_all(self) -> None:
        """Until no order works."""
        await self._engine.command(rig.ask.CancelAll(by="bench"))
        await self.until(lambda: self.is_flat)


@contextmanager
def in_environment(names: dict[str, str]) -> Iterator[None]:
    """The variables that hold the keys, as long as this lasts."""
    os.environ.update(names)
    try:
        yield
    finally:
        for name in names:
            del os.environ[name]


def engine_config(text: str) -> Any:
    """The config of a server, with limits that no order of a bench meets."""
    tree = tomllib.loads(text) | {"profile": "custom", "risk": rig.WIDE}
    return from_mapping(tree | {"execution": {"dedup_window_seconds": 0}})


class Floor:
    """What an order's round trip takes at the least: a line to the venue's process and back, and a
    write that the disk has kept."""

    def __init__(self, folder: Path, port: int) -> None:
        self._file = folder / "floor"
        self._port = port
        self.took: list[float] = []
        """Milliseconds of each time."""

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._to = self._file.open("wb", buffering=0)
        return self

    async def __aexit__(self, *raised: object) -> None:
        self._writer.close()
        self._to.close()

    async def measure(self) -> None:
        """Do both once."""
        began = time.monotonic_ns()
        self._to.write(WRITTEN)
        os.fdatasync(self._to.fileno())
        self._writer.write(b"line\n")
        await self._reader.readline()
        self.took.append((time.monotonic_ns() - began) / 1e6)


class Measured(NamedTuple):
    """What was measured at one venue, in ms."""

    took: list[float]
    """What is not the venue's of the time of each order."""
    floor: list[float]
    """What it takes at the least, see `Floor`."""
    burst: float
    """From the first of `REPORTS` executions to the whole position."""
    computed: float
    """Processor time that the venue's server used meanwhile."""


async def orders(name: str, there: VenueThere, number: int) -> Measured:
    """So many orders one after the other, and a burst of executions."""
    with rig.scratch() as folder:
        house = rig.open_house(folder, engine_config(there.told["direct"]))
        async with rig.running(house) as engine:
            desk = await _ready(engine, name)
            took: dict[str, int] = {}
            async with Floor(folder, there.told["echo"]) as floor:
                for _ in range(number):
                    key, ns = await desk.rest(SMALL)
                    took[key] = ns
                    await asyncio.sleep(PAUSE / 2)
                    await floor.measure()
                    await asyncio.sleep(PAUSE / 2)
            times = (await asyncio.to_thread(there.ask, "times"))["times"]
            found = [(ns - times[key]) / 1e6 for key, ns in took.items()]
            await desk.cancel_all()
            await desk.rest(REPORTS)
            whole = asyncio.create_task(
                desk.until(lambda: desk.held == LOT[desk.symbol] * REPORTS), name="whole"
            )
            began = (await asyncio.to_thread(there.ask, "fill", parts=REPORTS))["at"]
            burst = (await whole - began) / 1e6
            computed = (await asyncio.to_thread(there.ask, "computed"))["ns"] / 1e6
            return Measured(found, floor.took, burst, computed)


class Cuts(NamedTuple):
    """What was measured of a link that is cut, and of one that stays open and carries nothing, in
    seconds."""

    again: list[float]
    """From each cut to entries again."""
    noticed: float
    """From the moment that nothing is carried to where the engine takes no entries."""
    known: float
    """From an execution that is told on the dead link to where the engine holds what it bought."""


async def cuts(name: str, there: VenueThere, number: int) -> Cuts:
    """So many cuts, and a link that dies without a word while an order works."""
    with rig.scratch() as folder:
        house = rig.open_house(folder, engine_config(there.told["relayed"]))
        async with rig.running(house) as engine:
            desk = await _ready(engine, name)
            again = []
            for _ in range(number):
                await asyncio.sleep(STEADY_SECONDS)
                down = asyncio.create_task(desk.until(lambda: not desk.is_ready))
                at = (await asyncio.to_thread(there.ask, "cut"))["at"]
                await down
                again.append((await desk.until(lambda: desk.is_ready) - at) / 1e9)
            await desk.rest(SMALL)
            await asyncio.sleep(STEADY_SECONDS)
            noticed = asyncio.create_task(desk.until(lambda: not desk.is_ready))
            known = asyncio.create_task(
                desk.until(lambda: desk.held == LOT[desk.symbol] * SMALL), name="known"
            )
            stopped = (await asyncio.to_thread(there.ask, "stop"))["at"]
            filled = (await asyncio.to_thread(there.ask, "fill", parts=1))["at"]
            return Cuts(again, (await noticed - stopped) / 1e9, (await known - filled) / 1e9)


async def _ready(engine: rig.Engine, name: str) -> Desk:
    while not any(symbol in engine.world.market.quotes for symbol in LOT):
        await asyncio.sleep(0.01)
    desk = Desk(engine, name)
    await desk.until(lambda: desk.is_ready)
    return desk


def rows(name: str, placed: int, cut: int) -> list[Row]:
    """The figures of one venue."""
    with venue_there(name) as there, in_environment(there.told["environment"]):
        took, floor, burst, computed = rig.run(orders(name, there, placed))
    with venue_there(name) as there, in_environment(there.told["environment"]):
        again, noticed, known = rig.run(cuts(name, there, cut))

    def row(id_: str, figure: str, value: float, unit: str, budget: float | None) -> Row:
        return Row(id=id_, name=f"{name}: {figure}", value=value, unit=unit, budget=budget)

    def noted(one: Row, values: list[float]) -> Row:
        return msgspec.structs.replace(one, note=spread(values))

    return [
        noted(
            row("G4", "what is ours of an order's round trip, p50", p50(took), "ms", SHARE_MS), took
        ),
        row("G4", "the same, p99", p99(took), "ms", 1),
        noted(
            row("G4", "a bare line there and back, and a durable write", p50(floor), "ms", None),
            floor,
        ),
        noted(row("G6", "from a cut to entries again, worst", max(again), "s", 1), again),
        row("G6", "a link that carries nothing is noticed", noticed, "s", 5),
        row("G6", "an execution on such a link is known", known, "s", 5),
        row("G6", f"{REPORTS:,} executions to the position", burst, "ms", 200),
        row("G6", "what the venue's server computed meanwhile", computed, "ms", None),
    ]


def main() -> None:
    short = rig.is_quick()
    names, placed, cut = (VENUES[-1:], 5, 1) if short else (VENUES, ORDERS, CUTS)
    rig.report([row for name in names for row in rows(name, placed, cut)])


if __name__ == "__main__":
    main()
