"""Version 0.1.0 with a disk that can be made to stand still around a close.

    python -m tests.corpus.record.stalling --state-dir DIR --headless

A file `stall` in the state folder names what becomes of the next close: `filled`, `working` or
`lost`. While it is there, nothing becomes durable in the journal any more; the paper account's own
book goes on. The process starts at `START`, so that the folder is older than any clock it meets.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from brokers.paper.adapter import PaperBroker
from console.cli import main
from engine.clock import SystemClock
from engine.domain.instant import Nanos, parse_rfc3339
from engine.domain.order import Order, Purpose
from storage.writer import Entry, Writer

STALL = Path(sys.argv[sys.argv.index("--state-dir") + 1]) / "stall"
LOOK_SECONDS = 0.005
START = parse_rfc3339("2025-06-02T14:00:00Z")
BEHIND = time.time_ns() - START

_submit, _commit = PaperBroker.submit_order, Writer.commit


def asked() -> str:
    """What `stall` says; empty without it."""
    try:
        return STALL.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


async def submit(self: PaperBroker, order: Order) -> None:
    """Keeps the close from leaving (`lost`), or from filling (`working`)."""
    if order.purpose is Purpose.EXIT:
        while asked() == "lost":
            await asyncio.sleep(LOOK_SECONDS)
        self.venue.fills_held = asked() == "working"
    await _submit(self, order)


def commit(self: Writer, entries: Sequence[Entry]) -> None:
    """Stands still, in the journal's thread, for as long as `stall` is there."""
    while asked():
        time.sleep(LOOK_SECONDS)
    _commit(self, entries)


def now(self: SystemClock) -> Nanos:
    """The time at the machine, so much earlier."""
    return time.time_ns() - BEHIND


if __name__ == "__main__":
    PaperBroker.submit_order = submit  # type: ignore[method-assign]
    SystemClock.now = now  # type: ignore[method-assign]
    Writer.commit = commit  # type: ignore[method-assign]
    sys.exit(main())
