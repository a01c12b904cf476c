"""G12: first picture, headless ready, ready over a long history, and all of it folded anew."""

import select
import subprocess
import sys
import time
from pathlib import Path

import pyte

from console.host import wiring
from engine.domain.order import OrderStatus, Side
from engine.state.book import Book
from engine.state.fold import apply
from storage.connection import open_writer
from storage.snapshots import load
from storage.writer import Writer, entry_of
from tests.bench import rig
from tests.bench.child import ROOT
from tests.bench.figures import Row, p50
from tests.bench.rows.growth import Desk
from tests.bench.terminal import Terminal

EVENTS = {"short": 100_000, "long": 1_000_000}
"""Events of history; writing them takes longer than all that is measured."""

WHOLE = 1_000_000
TAIL = 10_000
"""Events after the newest snapshot."""

BATCH = 4_000
PROGRAM = [
    sys.executable,
    "-c",
    "import sys; from console.cli import main; sys.exit(main())",
]
READY = "trading on"
"""What the log says once the engine trades."""


def environment(folder: Path) -> dict[str, str]:
    """Nothing of the user's own."""
    return {
        "HOME": str(folder),
        "PATH": "/usr/bin:/bin",
        "MERIDIAN_LOCK_DIR": str(folder / "locks"),
        "MERIDIAN_LOG_LEVEL": "info",
    }


def headless_seconds(folder: Path) -> float:
    """From the command to an engine that trades."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [*PROGRAM, "--state-dir", str(folder / "state"), "--headless"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment(folder),
    )
    assert process.stderr is not None
    said = b""
    try:
        while READY.encode() not in said:
            ready, _, _ = select.select([process.stderr], [], [], 30)
            read = process.stderr.read1(65_536) if ready else b""  # type: ignore[attr-defined]
            if not read:
                raise RuntimeError(f"the engine did not start: {said.decode()[-300:]}")
            said += read
        return time.perf_counter() - began
    finally:
        process.terminate()
        process.wait(20)
        process.stderr.close()


def is_painted(screen: pyte.Screen) -> bool:
    """The mode, and the frame of the last pane."""
    return "PAPER" in screen.display[0] and any("Journal" in line for line in screen.display)


def painted_seconds(folder: Path) -> float:
    """From the command to a picture with the mode and every pane's frame."""
    terminal = Terminal(
        [*PROGRAM, "--state-dir", str(folder / "state")],
        emulate=True,
        environ=environment(folder),
    )
    terminal.watch(is_painted)
    try:
        return terminal.wait(30) - terminal.started
    finally:
        terminal.close()


def write_history(folder: Path, events: int) -> None:
    """A journal of whole round trips as the core decides them, with a snapshot near its end."""
    folder.mkdir(mode=0o700, parents=True)
    desk = Desk(time.time_ns() - events * 200_000)
    writer = Writer(open_writer(folder / wiring.JOURNAL), "history", mode="paper", engine="bench")
    kept = False
    while writer.seq < events:
        desk.records.clear()
        while len(desk.records) < BATCH:
            for side in (Side.BUY, Side.SELL):
                key, symbol = desk.place(rests=False, side=side, advance=side is Side.BUY)
                desk.send(key)
                desk.report(key, symbol, OrderStatus.NEW, filled=False)
                desk.report(key, symbol, OrderStatus.FILLED, filled=True, side=side)
        if writer.seq == 0:
            desk.records[:0] = desk.first
        writer.commit([entry_of(r) for r in desk.records])
        if not kept and writer.seq >= events - TAIL:
            writer.write_rows(
                [], until=writer.seq, snapshot=(desk.world.book.snapshot(), wiring.STATE_FORMAT)
            )
            kept = True
        if writer.needs_checkpoint:
            writer.checkpoint()
    writer.checkpoint(truncate=True)
    writer.close()


def replay_seconds(folder: Path) -> tuple[float, int]:
    """All events folded from nothing, and how many."""
    loaded = load(folder / wiring.JOURNAL, -1)
    book, began = Book(), time.perf_counter()
    for record in loaded.records:
        apply(book, record)
    return time.perf_counter() - began, book.data.seq


def main() -> None:
    quick = rig.is_quick()
    repeats = 2 if quick else 5
    events = 20_000 if quick else EVENTS["long" if rig.is_long() else "short"]
    painted: list[float] = []
    ready: list[float] = []
    for _ in range(repeats):
        with rig.scratch() as folder:
            painted.append(painted_seconds(folder))
        with rig.scratch() as folder:
            ready.append(headless_seconds(folder))
    with rig.scratch() as folder:
        write_history(folder / "state", events)
        replay, count = replay_seconds(folder / "state")
        size = (folder / "state" / wiring.JOURNAL).stat().st_size / 1e6
        with_history = [headless_seconds(folder) for _ in range(repeats)]
    rig.report(
        [
            Row(
                id="G12",
                name="start to first picture",
                value=p50(painted),
                unit="s",
                budget=0.45,
                note=(
                    f"median of {repeats}, an empty state folder, 120x40; inside: the program "
                    "as a user starts it"
                ),
            ),
            Row(id="G12", name="start to headless ready", value=p50(ready), unit="s", budget=0.3),
            Row(
                id="G12",
                name=f"more with {count:,} events of history",
                value=p50(with_history) - p50(ready),
                unit="s",
                budget=0.25,
                note=f"a snapshot and {TAIL:,} events after it; {size:,.0f} MB",
            ),
            Row(
                id="G12",
                name=f"{count:,} events folded from nothing",
                value=replay,
                unit="s",
                budget=round(3.0 * count / WHOLE, 3),
            ),
        ]
    )


if __name__ == "__main__":
    main()
