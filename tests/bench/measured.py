"""The measured process: the engine, under the console where the plan says so, and nothing else.

`python -m tests.bench.measured PLAN`: the venue, the player and whoever sends signals are processes
beside it, and so is the one that reads the terminal. It reports on its pipe (see `child`):
`ready` once the engine runs and the first picture stands, `found` after each window of the plan,
`armed` and `killed` for each halt, `beat` where the plan asks for it, `profile` where BENCH_PROFILE
is set, and `done` at the end.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import termios
import time
from typing import Any

from console.terminal.bootstrap import prepare_environment, settle_collector

prepare_environment()

import msgspec  # noqa: E402 - after the environment is set

from console.host import wiring  # noqa: E402
from storage.latch import FileLatch  # noqa: E402
from tests.bench import rig  # noqa: E402
from tests.bench.child import REPORTS  # noqa: E402
from tests.bench.load import Found, Market, Plan, Usage, play  # noqa: E402
from tests.bench.profile import Sampler  # noqa: E402
from tests.bench.soak import soak  # noqa: E402
from tests.bench.stop import NotedGate, StuckDisk, halts  # noqa: E402

REFRESH_HZ = 10.0
PROFILE = "BENCH_PROFILE"
BEATS_SECONDS = 0.25

OWN_QUOTES = 100.0
"""A second, of the simulated market where the venue is in this process."""


class Measured:
    """One engine, reporting."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._pipe = int(os.environ[REPORTS])
        self._sampler = Sampler() if os.environ.get(PROFILE) else None
        self._disk = StuckDisk()

    def report(self, **what: Any) -> None:
        """One line on the pipe."""
        os.write(self._pipe, (json.dumps(what) + "\n").encode())

    async def live(self) -> None:
        """The engine, and the console over it, until the plan is played or the console ends."""
        plan = self._plan
        given = rig.config(
            rig.names(plan.symbols), latency_ms=plan.latency_ms, address=plan.address
        )
        with rig.scratch() as folder:
            latch = self._disk.guard(FileLatch(folder)) if plan.disk else FileLatch(folder)
            house = rig.open_house(folder, given, latch=latch, gate=NotedGate(), quotes=OWN_QUOTES)
            if plan.disk:
                self._disk.guard_journal(house)
            async with rig.running(house) as engine:
                if not plan.console:
                    self._leave_when_told()
                    self.report(ready=True)
                    await self._play(house)
                    return
                # Textual loads only where it draws, as in the product.
                from console.desk.local import LocalDesk
                from console.terminal.signals import install_signals
                from console.ui.app import MeridianApp

                app = MeridianApp(LocalDesk(engine), refresh_hz=REFRESH_HZ)
                restore = install_signals(
                    asyncio.get_running_loop(), on_hangup=app.terminal_lost, on_terminate=app.exit
                )
                work = asyncio.create_task(self._play_under(house, app))
                await app.run_async()
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                restore()
                self.report(ended=True, failure=repr(app.failure))

    def _leave_when_told(self) -> None:
        """End on SIGTERM as the console does: the engine stops, and the folder goes."""
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)

    async def _play_under(self, house: wiring.House, app: Any) -> None:
        while app.terminal is None or not app.terminal.stats().frames_written:
            await asyncio.sleep(0.01)
        settle_collector()
        self.report(ready=True)
        try:
            await self._play(house)
        except Exception as error:  # the console would hide it: whoever waits is told
            self.report(failed=f"{type(error).__name__}: {error}")
            raise

    async def _play(self, house: wiring.House) -> None:
        plan, market = self._plan, Market(self._rate)
        beating = asyncio.create_task(self._beat()) if plan.beats else None
        if plan.orders:
            await rig.priced(house.engine, rig.names(plan.symbols))
            self._found(await soak(house, plan))
        elif plan.kills:
            await halts(house, plan, market, self._disk, self.report)
        else:
            await play(house, plan, market, self._found, self._sampler)
        if beating is not None:
            beating.cancel()
        if self._sampler is not None:
            self.report(profile=self._sampler.table())
        self.report(done=True)

    def _rate(self, line: bytes) -> None:
        os.write(self._plan.rates, line)

    def _found(self, found: Found) -> None:
        self.report(found=msgspec.to_builtins(found))

    async def _beat(self) -> None:
        """The lag of a quarter of a second after the other, for as long as anybody listens."""
        while True:
            found, beats, usage = Found(), rig.Beats(), Usage({})
            beats.start()
            await asyncio.sleep(BEATS_SECONDS)
            found.lag = beats.stop()
            usage.into(found)
            self.report(beat=msgspec.to_builtins(found), at=time.perf_counter())


def take_terminal() -> None:
    """Make the pty ours, as a login shell has it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


async def main() -> None:
    plan = msgspec.json.decode(sys.argv[1], type=Plan)
    if plan.console:
        take_terminal()
    await Measured(plan).live()


if __name__ == "__main__":
    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(main())
