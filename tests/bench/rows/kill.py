"""G5: the chord on a real keyboard's wire with 1,000 working orders and 10,000 quotes a second.

With a healthy machine, with a terminal that reads nothing, and with a disk that takes no writes.
The first press halts: the thread that reads the key closes the gate, and the loop has every entry
that works cancelled. What was sent is
counted by what the venue's server saw: requests come to it in the order they were written, so that
an order that adds exposure and comes behind the first cancel was sent behind the gate.
"""

from typing import Literal

import msgspec

from brokers.paper import wire
from tests.bench import rig, stage
from tests.bench.figures import Row, p50, p99, spread
from tests.bench.load import Plan
from tests.bench.stop import SIGNALS, Trial
from tests.bench.terminal import Terminal

CHORD = b"\x0b"
ORDERS = 1_000
RTT = 10
"""Milliseconds to the venue and back."""

SIZE = (120, 40)
FROZEN_SECONDS = 1.5
"""So long before the key the terminal reads nothing any more: what is in between is full then."""

Fault = Literal["none", "tty", "disk"]
FAULTS: dict[Fault, str] = {"none": "console", "tty": "frozen terminal", "disk": "frozen disk"}


class Outcome(msgspec.Struct, kw_only=True):
    """One halt, in milliseconds from the key, and in requests that the venue saw."""

    gate: float
    """The gate stood closed, in the thread that reads the key."""
    decided: float
    """The loop had decided the halt."""
    handed: float
    canceled: float
    durable: float
    thaw_to_durable: float
    """From the moment that the disk took writes again; NaN where it always did."""
    sent_after: int
    """Orders that add exposure, behind the gate: as the engine saw it, and as the venue did."""
    cancels: int
    """Of the orders that worked, at the venue."""


def outcome(pressed: float, trial: Trial, seen: tuple[wire.Request, ...]) -> Outcome:
    """The figures of one halt."""
    adding, keys = set(trial.adding), set(trial.keys)
    cancels = [n for n, request in enumerate(seen) if _cancels(request, keys)]
    behind = seen[cancels[0] :] if cancels else ()
    leaked = sum(1 for r in behind if r.op == "submit" and r.client_order_id in adding)
    return Outcome(
        gate=(trial.gate - pressed) * 1000,
        decided=(trial.decided - pressed) * 1000,
        handed=(trial.handed - pressed) * 1000,
        canceled=(trial.canceled - pressed) * 1000,
        durable=(trial.durable - pressed) * 1000,
        thaw_to_durable=(trial.durable - trial.thawed) * 1000 if trial.thawed else float("nan"),
        sent_after=max(leaked, trial.sent_after),
        cancels=len({seen[n].client_order_id for n in cancels} & keys),
    )


def _cancels(request: wire.Request, keys: set[str]) -> bool:
    return request.op.startswith("cancel") and request.client_order_id in keys


def measure(fault: Fault, count: int) -> tuple[list[Outcome], str]:
    """So many halts with one fault, in one process; and what every process used."""
    plan = Plan(kills=count, working=ORDERS, latency_ms=RTT, disk=fault == "disk")
    found = []
    with stage.around(plan, SIZE) as around:
        terminal = around.child
        assert isinstance(terminal, Terminal)
        for number in range(1, count + 1):
            terminal.wait_for("armed", 60, count=number)
            around.venue.ask("record", wire.Nothing())
            if fault == "tty":
                terminal.freeze(FROZEN_SECONDS)
            pressed = terminal.type(CHORD)
            told = terminal.wait_for("killed", 60, count=number)["killed"]
            seen = around.venue.ask("recorded", wire.Nothing(), tuple[wire.Request, ...])
            terminal.frozen.clear()
            found.append(outcome(pressed, msgspec.convert(told, Trial), seen))
        return found, str(terminal.wait_for("used", 60)["used"])


def rows(trials: list[Outcome], fault: Fault, used: str) -> list[Row]:
    """The steps of a halt as figures; `used` is what every process used."""
    name = FAULTS[fault]
    whole = "acknowledged" if fault == "disk" else "acknowledged and durable"
    last = [t.canceled if fault == "disk" else t.durable for t in trials]
    what = (
        f"{ORDERS} working orders, {SIGNALS:.0f} signals/s, {rig.QUOTES:,.0f} quotes/s, "
        f"{RTT} ms to the venue and back; {stage.inside(SIZE)}; {used}"
    )
    decided = f"the halt decided: {spread([t.decided for t in trials])}"
    steps = (
        ("key to gate closed", [t.gate for t in trials], 10.0, what),
        ("key to all cancels in the socket", [t.handed for t in trials], 20.0, decided),
        (f"key to all {whole}", last, RTT + 40.0, ""),
    )
    found = [
        Row(
            id="G5",
            name=f"{step}, {name}, p99",
            value=p99(taken),
            unit="ms",
            budget=budget,
            note=f"{spread(taken)}; {also}" if also else spread(taken),
        )
        for step, taken, budget, also in steps
    ]
    if fault == "disk":
        thawed = [t.thaw_to_durable for t in trials]
        found.append(
            Row(
                id="G5",
                name="disk takes writes again to all durable, p99",
                value=p99(thawed),
                unit="ms",
                note=f"{spread(thawed)}; nothing was durable while the disk stood",
            )
        )
    return [
        *found,
        Row(
            id="G5",
            name=f"sent behind the gate, {name}",
            value=float(sum(t.sent_after for t in trials)),
            unit="orders",
            budget=0,
            note=(
                f"orders that add exposure, as the venue saw them; it saw "
                f"{min(t.cancels for t in trials):,} cancels of {ORDERS:,} or more each time"
            ),
        ),
    ]


def main() -> None:
    count = 2 if rig.is_quick() else 40 if rig.is_long() else 6
    result: list[Row] = []
    healthy: list[Outcome] = []
    for fault in FAULTS:
        trials, used = measure(fault, count)
        healthy = healthy or trials
        result += rows(trials, fault, used)
    result.append(
        Row(
            id="P-10",
            name="kill switch, acknowledged and durable (floor)",
            value=p50([t.durable for t in healthy]) / 1000,
            unit="s",
            budget=1.0,
        )
    )
    rig.report(result)


if __name__ == "__main__":
    main()
