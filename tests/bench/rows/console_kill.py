"""G5: the chord on a real keyboard's wire: 1,000 working orders, the terminal read or frozen.

The first press halts: the gate, and a cancel of every entry. Each trial is a process of its own.
"""

from tests.bench import rig
from tests.bench.figures import Row, p99, spread
from tests.bench.load import SYMBOLS, Plan
from tests.bench.stop import ORDERS, RTT, Trial
from tests.bench.terminal import Terminal

CHORD = b"\x0b"


def once(*, frozen: bool) -> Trial:
    """One press, in milliseconds from the key."""
    plan = Plan(seconds=0, working=ORDERS, kill=True, symbols=SYMBOLS, latency_ms=RTT)
    terminal = Terminal(plan)
    try:
        terminal.wait_for("armed", 60)
        if frozen:
            terminal.freeze(3)
        pressed = terminal.type(CHORD)
        told = terminal.wait_for("killed", 30)["killed"]
    finally:
        terminal.close()
    return Trial(
        gate=(told["gate"] - pressed) * 1000,
        handed=(told["handed"] - pressed) * 1000,
        durable=(told["durable"] - pressed) * 1000,
        sent_after=told["sent_after"],
    )


def rows(trials: list[Trial], name: str) -> list[Row]:
    """The steps of a kill as figures."""
    steps = (
        ("key to gate closed", [t.gate for t in trials], 10.0),
        ("key to all cancels at the venue", [t.handed for t in trials], 20.0),
        ("key to all acknowledged and durable", [t.durable for t in trials], RTT + 40.0),
    )
    found = [
        Row(
            id="G5",
            name=f"{what}, {name}, p99",
            value=p99(taken),
            unit="ms",
            budget=budget,
            note=spread(taken),
        )
        for what, taken, budget in steps
    ]
    return [
        *found,
        Row(
            id="G5",
            name=f"sent after the gate, {name}",
            value=float(sum(t.sent_after for t in trials)),
            unit="orders",
            budget=0,
        ),
    ]


def main() -> None:
    count = 2 if rig.is_quick() else 10
    result = rows([once(frozen=False) for _ in range(count)], "console")
    result += rows([once(frozen=True) for _ in range(count // 2)], "frozen terminal")
    rig.report(result)


if __name__ == "__main__":
    main()
