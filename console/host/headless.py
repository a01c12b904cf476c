"""The engine alone on a recorded market, as fast as it goes (`market.speed = 0`).

Time is virtual, so no thread takes part and there is no control socket: `kill` from another shell
sets the latch, ends the process and works the account itself; a `HALT` file is found between two
looks.
"""

import asyncio
import signal
from pathlib import Path
from typing import Final

from brokers.paper.bars import BarFile
from console.host import wiring
from console.host.outcry import cry
from console.host.output import ExitCode
from console.host.place import version
from console.host.recording import is_over
from engine.config import Config
from engine.ports import Clock
from engine.runtime.virtual_time import run_virtual
from storage.latch import FileLatch

LOOK_SECONDS: Final = 1.0
LIMIT_SECONDS: Final = 100 * 366 * 86_400.0


def serve_fast(config: Config, folder: Path, bars: BarFile) -> int:
    """Plays the whole recording and ends. Raises what the engine raised."""
    terminated = False

    def terminate(_number: int, _frame: object) -> None:
        nonlocal terminated
        terminated = True

    async def main(clock: Clock) -> int:
        latch = FileLatch(folder)
        house = wiring.build(
            config,
            clock=clock,
            state_dir=folder,
            version=version(),
            latch=latch,
            bars=bars,
            threads=False,
        )
        engine = house.engine
        engine.subscribe(cry)
        try:
            running = asyncio.get_running_loop().create_task(engine.run())
            while not running.done() and not terminated:
                await clock.sleep(LOOK_SECONDS)
                if latch.path.exists() and not engine.gate.closed:
                    halt = latch.read()
                    engine.gate.close("the HALT file is set")
                    if halt is not None:
                        engine.latch_found(halt)
                if is_over(engine, clock.now(), bars.last):
                    break
            if not running.done():
                await engine.stop("terminated" if terminated else "the recording has ended")
            await running
        finally:
            house.close()
        return ExitCode.DONE

    before = {s: signal.signal(s, terminate) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        return run_virtual(main, bars.start, LIMIT_SECONDS)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
