"""Everything around the measured process: a venue, a player and a terminal, a process each.

this process   the near end of the pty: types, reads, asks the venue what it saw
venue          `brokers.paper.server` with its book
player         a tape, made here beforehand, at the rate that is asked for
engine         the measured process, `tests.bench.measured`
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import rig, tape
from tests.bench.child import ROOT, Child, Headless, module
from tests.bench.load import Found, Plan, Window
from tests.bench.terminal import Terminal
from tests.process.venue import Hand

QUOTES = 60_000
"""Length of a tape; it is played round and round."""

SEED = 5
READY_SECONDS = 30


class Stage:
    """The processes of one row. `child` is the measured one, `venue` a connection to the venue."""

    def __init__(self, child: Child, venue: Hand) -> None:
        self.child = child
        self.venue = venue

    def found(self, count: int, seconds: float) -> list[Found]:
        """What came of so many windows, within `seconds` in all; as `results`."""
        return results(self.child, count, seconds)


def results(child: Child, count: int, seconds: float) -> list[Found]:
    """What a measured process found, so many times; a profile that was made is printed.

    Raises TimeoutError, and RuntimeError with what the process says went wrong.
    """
    child.wait_for("found", seconds, count=count)
    child.wait_for("done", READY_SECONDS)
    for told in child.reports:
        if "profile" in told:
            print(f"\n{told['profile']}\n", file=sys.stderr)
    return [msgspec.convert(r["found"], Found) for r in child.reports if "found" in r]


@contextlib.contextmanager
def around(
    plan: Plan, size: tuple[int, int] | None = None, *, emulate: bool = False
) -> Iterator[Stage]:
    """The processes of a plan, running; all of them are gone afterwards.

    With a `size` in columns and rows the console is drawn, else the engine is headless. `emulate`
    keeps the screen. The measured process is ready when this begins.
    """
    with _ended_in_order(), rig.scratch() as folder, contextlib.ExitStack() as ends:
        path = folder / "tape"
        tape.write(path, rig.names(plan.symbols), QUOTES, SEED)
        venue, hand = _venue(folder, plan, ends)
        player, rates = _player(path, folder, ends)
        told = msgspec.structs.replace(
            plan,
            address=str(folder / "v.sock"),
            rates=rates,
            console=size is not None,
            others={"venue": venue.pid, "player": player.pid, "terminal": os.getpid()},
        )
        child = _measured(told, size, emulate=emulate, descriptors=[rates])
        ends.callback(child.close)
        child.wait_for("ready", READY_SECONDS)
        yield Stage(child, hand)


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """A SIGTERM ends this process as an exception does, so that no process is left behind."""

    def leave(*_: Any) -> None:
        raise SystemExit(1)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _measured(
    plan: Plan,
    size: tuple[int, int] | None,
    *,
    emulate: bool = False,
    descriptors: Sequence[int] = (),
) -> Child:
    command = module("measured", msgspec.json.encode(plan).decode())
    if size is None:
        return Headless(command, descriptors=descriptors)
    return Terminal(command, size, emulate=emulate, descriptors=descriptors)


def _venue(
    folder: Path, plan: Plan, ends: contextlib.ExitStack
) -> tuple["subprocess.Popen[bytes]", Hand]:
    terms = json.dumps(rig.terms(plan.latency_ms))
    command = [sys.executable, "-m", "brokers.paper.server", "--socket", str(folder / "v.sock")]
    process = subprocess.Popen(
        [*command, "--book", str(folder / "v.db"), "--terms", terms], cwd=ROOT
    )
    ends.callback(_end, process)
    hand = Hand(folder / "v.sock")
    ends.callback(hand.close)
    return process, hand


def _player(
    path: Path, folder: Path, ends: contextlib.ExitStack
) -> tuple["subprocess.Popen[bytes]", int]:
    read, write = os.pipe()
    command = module("player", str(path), str(folder / "v.sock"))
    process = subprocess.Popen(command, cwd=ROOT, stdin=read)
    os.close(read)
    ends.callback(_end, process)
    ends.callback(os.close, write)
    return process, write


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def play(plan: Plan, size: tuple[int, int] | None = None) -> list[Found]:
    """What came of the windows of a plan, headless or under a console of that size."""
    length = sum(window.seconds for window in plan.windows)
    with around(plan, size) as stage:
        return stage.found(len(plan.windows), length + 60)


def alone(plan: Plan, size: tuple[int, int] | None, seconds: float) -> Found:
    """What came of a plan whose venue and market are in the measured process itself."""
    told = msgspec.structs.replace(plan, console=size is not None)
    with _ended_in_order(), contextlib.closing(_measured(told, size)) as child:
        (found,) = results(child, 1, seconds)
        return found


def at_rates(
    seconds: float, rates: tuple[float, ...] = rig.RATES, **load: Any
) -> tuple[Window, ...]:
    """A window of each rate of quotes; the busy market's is twice as long."""
    return tuple(
        Window(seconds=seconds * (2 if rate == rig.QUOTES else 1), quotes=rate, **load)
        for rate in rates
    )


def inside(size: tuple[int, int] | None) -> str:
    """What ran in the measured process, for a note."""
    drawn = "" if size is None else f", console at {size[0]}x{size[1]}"
    return f"inside: engine, journal, the venue's adapter{drawn}"
