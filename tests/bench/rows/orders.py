"""G2: full durable order lives a second: intent on disk, sent, acknowledged, filled, all on disk.

Closed loop: so many orders are under way at any time, and each that ends starts the next. Every
order is an entry, so each waits for its intent to be durable. At the end the journal is asked.
"""

import asyncio
import sqlite3
import time
from decimal import Decimal
from itertools import count
from pathlib import Path

from console.host import wiring
from engine.domain import events as ev
from engine.domain.commands import PlaceOrder
from engine.domain.order import Side
from engine.runtime.engine import Engine
from tests.bench import rig
from tests.bench.figures import Row, p50, p99

UNDER_WAY = 200
SYMBOLS = 100
QUANTITY = Decimal(1)
QUOTES = 500.0
"""Enough that no order waits for a size to be shown."""


class Flow:
    """Keeps a number of orders under way, and times each life."""

    def __init__(self, engine: Engine, symbols: list[str]) -> None:
        self._engine = engine
        self._symbols = symbols
        self._numbers = count(1)
        self._began: dict[str, float] = {}
        self.taken: list[float] = []
        self.events = 0
        self.open = True
        self._wanted = 0
        engine.subscribe(self._seen)

    def start(self, under_way: int) -> None:
        """Place the first ones."""
        self._wanted = under_way
        self._fill_up()

    def _fill_up(self) -> None:
        if self.open:
            for _ in range(self._wanted - len(self._began)):
                self._place()

    def _place(self) -> None:
        number = next(self._numbers)
        began = time.perf_counter()
        records = self._engine.step(
            PlaceOrder(
                by="bench",
                symbol=self._symbols[number % len(self._symbols)],
                side=Side.BUY,
                quantity=QUANTITY,
                intent_id=f"bench-{number}",
            )
        )
        for record in records:
            if isinstance(record.event, ev.OrderIntended):
                self._began[record.event.terms.client_order_id] = began

    def _seen(self, record: ev.Record) -> None:
        self.events += 1
        if isinstance(record.event, ev.OrderFilled):
            key = record.event.fill.client_order_id
            began = self._began.pop(key, None)
            if began is not None:
                self.taken.append((time.perf_counter() - began) * 1000)
                asyncio.get_running_loop().call_soon(self._fill_up)

    @property
    def under_way(self) -> int:
        """Orders that have not ended."""
        return len(self._began)


async def measure(folder: Path, seconds: float) -> tuple[float, Flow, int]:
    """Lives a second, the flow, and how many the journal says are filled."""
    symbols = rig.names(SYMBOLS)
    house = rig.open_house(folder, rig.config(symbols), quotes=QUOTES)
    async with rig.running(house) as engine:
        await rig.priced(engine, symbols)
        flow = Flow(engine, symbols)
        flow.start(UNDER_WAY)
        await asyncio.sleep(seconds * 0.2)
        first, began = len(flow.taken), time.perf_counter()
        await asyncio.sleep(seconds)
        done, elapsed = len(flow.taken) - first, time.perf_counter() - began
        flow.open = False
        while flow.under_way:
            await asyncio.sleep(0.01)
    with sqlite3.connect(folder / wiring.JOURNAL) as journal:
        (filled,) = journal.execute(
            "SELECT count(*) FROM orders WHERE status = 'FILLED'"
        ).fetchone()
    return done / elapsed, flow, filled


def main() -> None:
    seconds, repeats = (2.0, 1) if rig.is_quick() else (8.0, 3)
    found: list[tuple[float, str]] = []
    for _ in range(repeats):
        with rig.scratch() as folder:
            rate, flow, filled = rig.run(measure(folder, seconds))
            if filled != len(flow.taken):
                raise RuntimeError(
                    f"{len(flow.taken)} orders were filled, the journal has {filled}"
                )
            per_life = flow.events / max(len(flow.taken), 1)
            lives = flow.taken
            text = (
                f"{UNDER_WAY} under way, life p50 {p50(lives):.1f} ms, p99 {p99(lives):.1f} ms; "
                f"{per_life:.1f} events each; all {filled} found filled in the journal"
            )
            found.append((rate, text))
    rates = sorted(rate for rate, _ in found)
    middle = rates[len(rates) // 2]
    note = next(text for rate, text in found if rate == middle)
    rig.report(
        [
            Row(
                id="G2",
                name="durable order lives, headless",
                value=middle,
                unit="/s",
                budget=3000,
                direction="at least",
                note=f"{note}; runs {', '.join(f'{r:,.0f}' for r in rates)}",
            ),
            Row(
                id="P-09",
                name="orders (floor)",
                value=middle,
                unit="/s",
                budget=10,
                direction="at least",
            ),
        ]
    )


if __name__ == "__main__":
    main()
