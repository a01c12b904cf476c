"""G5, P-10: a kill with 1,000 working orders at 10,000 quotes a second, while signals come in.

Headless: the command is the key. Each trial has an account of its own.
"""

import time
from pathlib import Path

from engine.domain import commands as ask
from engine.domain.run import Flatten, Level
from tests.bench import rig
from tests.bench.figures import Row, p50, p99, spread
from tests.bench.load import SYMBOLS
from tests.bench.stop import ORDERS, RTT, SIGNALS, HandedOver, Trial, Watch, under_load


async def once(folder: Path) -> Trial:
    """One kill, in milliseconds from the command."""
    given = rig.config(rig.names(SYMBOLS), latency_ms=(RTT, RTT))
    house = rig.open_house(folder, given, quotes=rig.QUOTES)
    handed = HandedOver(house)
    async with rig.running(house) as engine, under_load(house) as keys:
        watch = Watch(house, keys)
        began = time.perf_counter()
        engine.gate.close("bench")
        await engine.command(
            ask.Kill(by="bench", level=Level.KILL, flatten=Flatten.NONE, reason="bench")
        )
        await watch.durable()
        return Trial(
            gate=(watch.gate_at - began) * 1000,
            handed=(max(handed.at[key] for key in keys) - began) * 1000,
            durable=(time.perf_counter() - began) * 1000,
            sent_after=watch.sent_after,
        )


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
                budget=RTT + 40,
                note=f"{spread(durable)}; of it {RTT} ms are the venue's latency",
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
