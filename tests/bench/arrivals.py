"""Arrivals at random from a process of their own: `-m tests.bench.arrivals RATE SECONDS SEED`.

Each is the moment it was sent, eight bytes on stdout, on the machine's monotonic clock. So the
figure includes whatever kept the engine's loop from reading, and no timer of the loop itself.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from struct import Struct

MOMENT = Struct("d")
ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 8
"""Arrivals taken in one wake of the loop: what else is ready has its turn in between."""


class Arrivals:
    """Calls `take` with the moment of sending for each arrival, on the running loop."""

    def __init__(self, take: Callable[[float], None], rate: float, seconds: float) -> None:
        self._take = take
        self._sender = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.arrivals", str(rate), str(seconds), "1"],
            stdout=subprocess.PIPE,
            cwd=ROOT,
        )
        assert self._sender.stdout is not None
        self._pipe = self._sender.stdout.fileno()
        os.set_blocking(self._pipe, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._pipe, self._read)
        self._open = True

    def _read(self) -> None:
        read = os.read(self._pipe, MOMENT.size * AT_ONCE)
        if not read:
            self.stop()
            return
        for (sent,) in MOMENT.iter_unpack(read):
            self._take(sent)

    def stop(self) -> None:
        """No more."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._pipe)
        self._sender.kill()
        self._sender.wait()
        if self._sender.stdout is not None:
            self._sender.stdout.close()


def send(rate: float, seconds: float, seed: int) -> None:
    """A Poisson process: the gaps do not depend on who reads how fast."""
    random = Random(seed)
    due = time.perf_counter()
    end = due + seconds
    while (due := due + random.expovariate(rate)) < end:
        wait = due - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        os.write(1, MOMENT.pack(time.perf_counter()))


if __name__ == "__main__":
    send(float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]))
