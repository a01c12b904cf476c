"""The console over a busy engine on the terminal it was started on: the bench's other end of a pty.

`python -m tests.bench.console_child FD PLAN`: reports on the pipe FD, one JSON object a line.
`{"ready": true}` once the first picture stands, `{"found": {...}}` when the plan was played,
`{"beat": {...}}` four times a second and `{"killed": {...}}` where the plan asks for them.
"""

import asyncio
import fcntl
import json
import os
import sys
import termios
import time
from typing import Any

from console.terminal.bootstrap import prepare_environment, settle_collector

prepare_environment()

import msgspec  # noqa: E402 - after the environment is set

from console.desk.local import LocalDesk  # noqa: E402
from console.host import wiring  # noqa: E402
from console.terminal.signals import install_signals  # noqa: E402
from console.ui.app import MeridianApp  # noqa: E402
from tests.bench import rig  # noqa: E402
from tests.bench.load import Found, Plan, play, symbols_of  # noqa: E402
from tests.bench.stop import HandedOver, Trial, Watch, under_load  # noqa: E402

REFRESH_HZ = 10.0


def take_terminal() -> None:
    """Make the pty ours, as a login shell has it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Child:
    """One console over one engine, reporting."""

    def __init__(self, descriptor: int, plan: Plan) -> None:
        self._descriptor = descriptor
        self._plan = plan

    def report(self, **what: Any) -> None:
        """One line on the pipe."""
        os.write(self._descriptor, (json.dumps(what) + "\n").encode())

    async def live(self) -> None:
        """Engine and console together, until the console ends."""
        symbols = symbols_of(self._plan)
        given = rig.config(symbols, latency_ms=(self._plan.latency_ms,) * 2)
        with rig.scratch() as folder:
            house = rig.open_house(folder, given, quotes=self._plan.quotes)
            async with rig.running(house) as engine:
                app = MeridianApp(LocalDesk(engine), refresh_hz=REFRESH_HZ)
                restore = install_signals(
                    asyncio.get_running_loop(),
                    on_hangup=app.terminal_lost,
                    on_terminate=app.exit,
                )
                work = asyncio.create_task(self._work(house, app))
                await app.run_async()
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
                restore()
                self.report(ended=True, failure=repr(app.failure))

    async def _work(self, house: wiring.House, app: MeridianApp) -> None:
        while app.terminal is None or not app.terminal.stats().frames_written:
            await asyncio.sleep(0.01)
        settle_collector()
        self.report(ready=True, at=time.perf_counter())
        if self._plan.kill:
            await self._killed(house)
            return
        windows = asyncio.create_task(self._windows()) if self._plan.windows else None
        found = await play(house, self._plan)
        self.report(found=msgspec.to_builtins(found))
        if windows is not None:
            await windows

    async def _windows(self) -> None:
        while True:
            await self._measure()

    async def _killed(self, house: wiring.House) -> None:
        """A thousand orders work and signals come in: what happens once the chord is pressed."""
        handed = HandedOver(house)
        trial = Trial()
        async with under_load(house) as keys:
            watch = Watch(house, keys)
            self.report(armed=True)
            while not house.engine.gate.closed:
                await asyncio.sleep(0.0005)
            await watch.durable()
            trial.durable = time.perf_counter()
            trial.handed = max(handed.at[key] for key in keys)
            await asyncio.sleep(0.3)
        trial.sent_after = watch.sent_after
        trial.gate = watch.gate_at
        self.report(killed=msgspec.to_builtins(trial))

    async def _measure(self) -> None:
        """Beats of a quarter of a second each, for as long as anybody listens."""
        found = Found()
        beats = rig.Beats()
        spent, began = time.process_time(), time.perf_counter()
        beats.start()
        await asyncio.sleep(0.25)
        found.lag = beats.stop()
        found.elapsed = time.perf_counter() - began
        found.cpu = time.process_time() - spent
        self.report(beat=msgspec.to_builtins(found), at=time.perf_counter())


async def main() -> None:
    plan = msgspec.json.decode(sys.argv[2], type=Plan)
    await Child(int(sys.argv[1]), plan).live()


if __name__ == "__main__":
    take_terminal()
    asyncio.run(main())
