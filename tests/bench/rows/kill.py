"""G5, P-10: a kill with 1,000 working orders at 10,000 quotes a second, while signals come in.

Headless: the command is the key. Each trial has an account of its own.
"""

import asyncio
import time
from pathlib import Path

from console import wiring
from engine import commands as ask
from engine.domain import event as ev
from engine.domain.run import Flatten, Level
from engine.engine import Engine
from tests.bench import rig
from tests.bench.arrivals import Arrivals
from tests.bench.figures import Row, p50, p99, spread
from tests.bench.load import SYMBOLS, Found, Signals, rest

ORDERS = 1_000
SIGNALS = 100.0


class Watch:
    """When each step of a kill was done, and what was sent after the gate had closed."""

    def __init__(self, house: wiring.House) -> None:
        self._engine = house.engine
        self._journal = house.journal
        self.asked = 0
        self.cancelled = 0
        self.sent_after = 0
        self.last_asked = 0.0
        self.last_seq = 0
        self.handed: list[float] = []
        engine: Engine = house.engine
        engine.subscribe(self._seen)

    def _seen(self, record: ev.Record) -> None:
        event = record.event
        if isinstance(event, ev.CancelRequested):
            self.asked += 1
        elif isinstance(event, ev.OrderCanceled):
            self.cancelled += 1
            self.last_seq = record.seq
        elif isinstance(event, ev.OrderSent) and self._engine.gate.closed:
            order = self._engine.book.order(event.client_order_id)
            if order is not None and order.reserved:
                self.sent_after += 1

    async def durable(self) -> None:
        """Wait until every cancel was acknowledged and is on disk."""
        while self.cancelled < ORDERS or self._journal.durable_seq < self.last_seq:
            await asyncio.sleep(0.0005)


class Trial:
    """Milliseconds from the command."""

    def __init__(self) -> None:
        self.gate = 0.0
        self.handed = 0.0
        self.durable = 0.0
        self.sent_after = 0


async def once(folder: Path) -> Trial:
    """One kill."""
    symbols = rig.names(SYMBOLS)
    house = rig.open_house(folder, rig.config(symbols), quotes=rig.QUOTES)
    trial = Trial()
    handed = HandedOver(house)
    async with rig.running(house) as engine:
        await rig.priced(engine, symbols)
        await rest(engine, symbols[SYMBOLS // 2 :], ORDERS)
        signals = Signals(engine, symbols[: SYMBOLS // 2], Found())
        source = Arrivals(signals.arrive, SIGNALS, 30)
        await asyncio.sleep(0.3)
        watch = Watch(house)
        began = time.perf_counter()
        engine.gate.close("bench")
        trial.gate = (time.perf_counter() - began) * 1000
        await engine.command(
            ask.Kill(by="bench", level=Level.KILL, flatten=Flatten.NONE, reason="bench")
        )
        await watch.durable()
        trial.durable = (time.perf_counter() - began) * 1000
        trial.handed = (handed.last - began) * 1000
        await asyncio.sleep(0.2)
        trial.sent_after = watch.sent_after
        source.stop()
    return trial


class HandedOver:
    """When the venue was last given a cancel."""

    def __init__(self, house: wiring.House) -> None:
        self.last = 0.0
        if house.venue is None:
            raise RuntimeError("the bench needs the paper venue in its own process")
        self._cancel = house.venue.cancel
        house.venue.cancel = self._noted  # type: ignore[method-assign]

    def _noted(self, client_order_id: str) -> int:
        self.last = time.perf_counter()
        return self._cancel(client_order_id)


def main() -> None:
    trials: list[Trial] = []
    for _ in range(3 if rig.is_quick() else 25):
        with rig.scratch() as folder:
            trials.append(rig.run(once(folder)))
    handed = [t.handed for t in trials]
    durable = [t.durable for t in trials]
    note = f"{len(trials)} kills, {ORDERS} working orders, {SIGNALS:.0f} signals/s meanwhile"
    rig.report(
        [
            Row(
                id="G5",
                name="kill to gate closed, headless, p99",
                value=p99([t.gate for t in trials]),
                unit="ms",
                budget=10,
                note=note,
            ),
            Row(
                id="G5",
                name="kill to all cancels at the venue, headless, p99",
                value=p99(handed),
                unit="ms",
                budget=20,
                note=spread(handed),
            ),
            Row(
                id="G5",
                name="kill to all acknowledged and durable, headless, p99",
                value=p99(durable),
                unit="ms",
                budget=40,
                note=f"{spread(durable)}; latency of the venue is 0 here",
            ),
            Row(
                id="G5",
                name="orders that add exposure sent after the gate",
                value=float(sum(t.sent_after for t in trials)),
                unit="orders",
                budget=0,
            ),
            Row(
                id="P-10",
                name="kill switch, acknowledged and durable (floor)",
                value=p50(durable) / 1000,
                unit="s",
                budget=1.0,
            ),
        ]
    )


if __name__ == "__main__":
    main()
