"""G18: orders at three times what the engine can carry, for a minute, under the console.

The capacity is measured first, in a closed loop. Over it, kill, cancels, fills and keys are to keep
their budgets, new entries are to be refused with a code and not queued, none is to leave late, and
a second after the flood everything is to be as before. What a build does not do yet shows as it is:
an order that waited is late, and an engine that refuses nothing has refused 0.
"""

import time
from functools import partial
from random import Random

import msgspec

from brokers.paper import wire
from tests.bench import rig, stage
from tests.bench.figures import Row, p50, p99, spread
from tests.bench.load import Found, Plan, Window
from tests.bench.rows import kill
from tests.bench.rows.keys import KEYS, corners, looks, shows
from tests.bench.stop import Trial
from tests.bench.terminal import Terminal

SIZE = (120, 40)
TIMES = 3
"""Of the capacity, that is offered."""

LATE_MS = 5.0
"""From an order asked for to the venue: the budget of G2 under the console."""

FILL_MS = 2.0
"""From there to its fill taken in: the budget of G3."""

UNDER_WAY = 200
AFTER_SECONDS = 10.0
AFTER_LIVES = 20.0
"""A second, once the flood is over: they show when the engine is as before."""

KEY_SECONDS = 5.0
"""A key that was not painted by then counts as that long."""

HALTS = 3


def capacity(seconds: float) -> float:
    """Order lives a second that the engine carries under the console and 10,000 quotes a second."""
    window = Window(seconds=seconds, meter=False)
    (found,) = stage.play(Plan(windows=(window,), under_way=UNDER_WAY), SIZE)
    return found.lives / found.elapsed


def flood(offered: float, seconds: float) -> tuple[Found, Found, list[float]]:
    """What came of the flood and of the time after it, and how long keys took meanwhile, in ms."""
    windows = (
        Window(seconds=seconds, lives=offered, meter=False),
        Window(seconds=AFTER_SECONDS, warm=0, lives=AFTER_LIVES, meter=False),
    )
    with stage.around(Plan(windows=windows), SIZE, emulate=True) as around:
        terminal = around.child
        assert isinstance(terminal, Terminal)
        places = corners(terminal)
        expected = []
        for key in KEYS:
            terminal.type(key)
            time.sleep(0.6)
            expected.append(looks(terminal.screen, places))
        time.sleep(1)
        keys = _keys(terminal, places, expected, seconds - 4)
        during, after = around.found(2, seconds + AFTER_SECONDS + 120)
    return during, after, keys


def _keys(
    terminal: Terminal,
    places: list[tuple[int, int]],
    expected: list[list[tuple[str, str, bool]]],
    seconds: float,
) -> list[float]:
    random, taken = Random(3), []
    end, turn = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        time.sleep(random.uniform(0.2, 0.4))
        terminal.watch(partial(shows, places, expected[turn]))
        pressed = terminal.type(KEYS[turn])
        try:
            taken.append((terminal.wait(KEY_SECONDS) - pressed) * 1000)
        except TimeoutError:
            taken.append(KEY_SECONDS * 1000)
        turn = 1 - turn
    return taken


def halts(offered: float, count: int) -> tuple[list[kill.Outcome], str]:
    """So many halts of 1,000 working orders in the flood; and what each process used in one."""
    found: list[kill.Outcome] = []
    used = ""
    for _ in range(count):
        plan = Plan(kills=1, working=kill.ORDERS, latency_ms=kill.RTT, offered=offered)
        with stage.around(plan, SIZE) as around:
            terminal = around.child
            assert isinstance(terminal, Terminal)
            terminal.wait_for("armed", 120)
            around.venue.ask("record", wire.Nothing())
            pressed = terminal.type(kill.CHORD)
            told = terminal.wait_for("killed", 120)["killed"]
            seen = around.venue.ask("recorded", wire.Nothing(), tuple[wire.Request, ...])
            found.append(kill.outcome(pressed, msgspec.convert(told, Trial), seen))
            used = str(terminal.wait_for("used", 60)["used"])
    return found, used


def recovered(after: Found) -> float:
    """Seconds from the end of the flood to the last order that was handed over late."""
    handed = zip(after.handed_at, after.handed, strict=True)
    return max((at - after.at for at, taken in handed if taken > LATE_MS), default=0.0)


def rows(rate: float, during: Found, after: Found, keys: list[float]) -> list[Row]:
    """The flood as figures."""
    offered = rate * TIMES
    late = sum(1 for taken in during.handed if taken > LATE_MS)
    codes = ", ".join(f"{code} {n:,}" for code, n in during.codes.items()) or "none"
    return [
        Row(
            id="G18",
            name="capacity, console and 10,000 quotes/s",
            value=rate,
            unit="/s",
            note=f"closed loop, {UNDER_WAY} under way",
        ),
        Row(
            id="G18",
            name="entries refused of what is beyond the capacity",
            value=during.refused / max((offered - rate) * during.elapsed, 1) * 100,
            unit="%",
            budget=90,
            direction="at least",
            note=(
                f"{offered:,.0f}/s offered for {during.elapsed:.0f} s, {during.lives:,} filled, "
                f"{during.refused:,} refused ({codes}); {stage.inside(SIZE)}; {during.processes()}"
            ),
        ),
        Row(
            id="G18",
            name=f"entries handed over late, after more than {LATE_MS:g} ms",
            value=float(late),
            unit="orders",
            budget=0,
            note=f"of {len(during.handed):,}: {spread(during.handed)}",
        ),
        Row(
            id="G18",
            name="order handed over to filled p99 in the flood",
            value=p99(during.filled),
            unit="ms",
            budget=FILL_MS,
            note=f"{spread(during.filled)}; from asked for to filled {spread(during.taken)}",
        ),
        Row(
            id="G18",
            name="key to painted p50 in the flood",
            value=p50(keys),
            unit="ms",
            budget=3,
            note=spread(keys),
        ),
        Row(
            id="G18", name="key to painted p99 in the flood", value=p99(keys), unit="ms", budget=16
        ),
        Row(
            id="G18",
            name="end of the flood to the last order that was late",
            value=recovered(after),
            unit="s",
            budget=1,
            note=f"handed over in {after.elapsed:.0f} s: {spread(after.handed)}",
        ),
    ]


def main() -> None:
    short = rig.is_quick()
    rate = capacity(2.0 if short else 10.0)
    during, after, keys = flood(rate * TIMES, 8.0 if short else 60.0)
    result = rows(rate, during, after, keys)
    trials, used = halts(rate * TIMES, 1 if short else HALTS)
    for row in kill.rows(trials, "none", used):
        name = row.name.replace(kill.FAULTS["none"], "flood")
        result.append(msgspec.structs.replace(row, id="G18", name=name))
    rig.report(result)


if __name__ == "__main__":
    main()
