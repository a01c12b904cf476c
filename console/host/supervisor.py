"""The life of the process: wiring, signals, control thread, engine, and what works beside it.

The engine is a task of its own. An error in the console ends the console; a lost terminal ends the
console; both leave the engine trading, and stderr says how to reach it. SIGTERM and SIGINT stop
entries, keep protective stops, drain and end the process (DESIGN, Console).
"""

import asyncio
import logging
import time
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any, Final

from brokers import unclaimed
from brokers.paper.bars import BarFile
from console.host import wiring
from console.host.acceptance.live import against_live
from console.host.claims import started
from console.host.console_task import ConsoleTask
from console.host.control import ControlServer
from console.host.follow import SignalFile
from console.host.kill_report import KillReport
from console.host.launch import Launch
from console.host.operations import Operations
from console.host.outcry import cry
from console.host.output import CommandFailed, ExitCode
from console.host.place import version
from console.host.recording import is_over
from console.terminal.bootstrap import settle_collector, settle_task_factory, settle_threads
from console.terminal.signals import install_signals
from engine.domain.inputs import Trouble
from engine.domain.instant import NS_PER_SECOND, Nanos, rfc3339
from engine.domain.text import clean_text
from engine.ports import Clock
from engine.runtime import cancelled
from engine.runtime.clock import ScaledClock, SteadyClock, SystemClock
from engine.runtime.engine import Engine
from storage.latch import FileLatch

LOOK_SECONDS: Final = 0.05
CLOCK_WAIT: Final = 0.25
CLOCK_WAITS: Final = 20
"""A clock that is behind the journal is waited for so often, so many seconds each time."""

SHOWN_SECONDS: Final = 1.0
"""After so long the console has loaded and shows its first picture."""

CLEAN_SECONDS: Final = 90.0
"""How long work that is cancelled has to leave the account as it found it."""

STOP_SECONDS: Final = 20.0
"""How long an orderly stop may take."""

_log = logging.getLogger("console.host.supervisor")


class Supervisor:
    """One process on one loop."""

    def __init__(self, launch: Launch, bars: BarFile | None = None) -> None:
        """`bars` is the checked file of a replayed market."""
        self.launch = launch
        self._bars = bars
        self._ending = asyncio.Event()
        self._reason = ""
        self._follower: SignalFile | None = None
        self._console: ConsoleTask | None = None

    async def live(self) -> int:
        """From wiring to an orderly end; returns the exit code."""
        loop = asyncio.get_running_loop()
        settle_task_factory(loop)
        settle_threads()
        clock = self._clock()
        latch = FileLatch(self.launch.folder)
        house = wiring.build(
            self.launch.config,
            clock=clock,
            state_dir=self.launch.folder,
            version=version(),
            latch=latch,
            bars=self._bars,
            claim=unclaimed if self.launch.claims is None else self.launch.claims.claim,
        )
        if house.warning:
            _log.warning("%s", house.warning)
        if against := against_live(self.launch.config, house.engine.book, time.time_ns()):
            house.close()
            text = f"Real money is not traded: {'; '.join(against)}."
            raise CommandFailed(ExitCode.REFUSED, text, "NOT_SIGNED_OFF")
        report = KillReport(house.engine.world)
        house.engine.subscribe(cry)
        operations = Operations(house.engine, self.launch.config, report, self.stop)
        control = ControlServer(
            self.launch.folder / wiring.SOCKET,
            loop=loop,
            handler=operations,
            gate=house.engine.gate,
            latch=latch,
            halt_file=latch.path,
        )
        restore = install_signals(loop, on_hangup=self._hang_up, on_terminate=self._terminate)
        try:
            # The engine's own time begins at its last event, wherever the wall stands.
            wall = SystemClock() if self._bars is None else clock
            await self._wait_for_the_wall(house.engine.book.data.time, wall)
            try:
                control.start()
            except OSError as error:
                path = self.launch.folder / wiring.SOCKET
                text = f"The control socket {path} cannot be made: {error.strerror or error}."
                raise CommandFailed(ExitCode.FAILED, text, "CONTROL") from error
            return await self._run(house, operations, clock)
        finally:
            control.stop()
            restore()
            house.close()

    async def _run(self, house: wiring.House, operations: Operations, clock: Clock) -> int:
        engine = house.engine
        if self.launch.claims is None:
            await engine.start()
        else:
            await started(engine, self.launch.claims)
        operations.started()
        if self.launch.headless:
            settle_collector()
        else:
            # what the console loads and shows first is no garbage either
            asyncio.get_running_loop().call_later(SHOWN_SECONDS, settle_collector)
        _log.info("trading on %s", self.launch.folder)
        if (halt := engine.book.data.halt) is not None:
            _log.warning("HALTED by %s: %s; only `resume` clears it", halt.by, halt.reason)
        running = asyncio.create_task(engine.run(), name="engine")
        beside = [asyncio.create_task(self._watch_end(house, clock), name="end")]
        named = self.launch.config.signals.file
        if named:
            self._follower = SignalFile(Path(named), self.launch.folder)
            work = self._follower.follow(engine, clock)
            beside.append(asyncio.create_task(work, name="signals"))
        if not self.launch.headless:
            self._console = ConsoleTask(
                self.launch, engine, is_ending=self._ending.is_set, stop=self.stop
            )
            self._console.watch()
            beside.append(asyncio.create_task(self._console.run(), name="console"))
        if self.launch.task is not None:
            work = self._done_then_over(self.launch.task(house, clock))
            beside.append(asyncio.create_task(work, name="work"))
        for task in beside:
            task.add_done_callback(partial(self._ended_beside, engine))
        ending = asyncio.create_task(self._ending.wait(), name="ending")
        await asyncio.wait({running, ending}, return_when=asyncio.FIRST_COMPLETED)
        try:
            await self._left_as_found(beside)
            if not running.done():
                async with asyncio.timeout(STOP_SECONDS):
                    await engine.stop(self._reason or "stopped")
            await running
        except Exception:  # the engine's own end, whatever it was; the journal has its reason
            _log.critical("the engine failed", exc_info=True)
            await engine.stop("the engine failed")
            return ExitCode.FAILED
        finally:
            ending.cancel()
            self._ending.set()  # nothing goes on, whoever ended it
            if self._console is not None:
                self._console.close()
            await self._end(beside)
        return ExitCode.DONE

    async def _done_then_over(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work that the process is for, then end in order, also where it failed."""
        try:
            await work
        finally:
            self.stop("its work is done")

    async def _left_as_found(self, beside: "list[asyncio.Task[None]]") -> None:
        """Let that work, where it goes on, clean up while the engine still runs."""
        work = [task for task in beside if task.get_name() == "work" and not task.done()]
        for task in work:
            task.cancel()
        if work:
            await asyncio.wait(work, timeout=CLEAN_SECONDS)

    def _ended_beside(self, engine: Engine, task: "asyncio.Task[None]") -> None:
        """What works beside the engine has ended; where it failed, somebody has to know.

        It is cancelled only once all is ending.
        """
        error = cancelled.failure_of(task)
        if error is None or self._ending.is_set():
            return
        text = clean_text(f"{task.get_name()} ended: {type(error).__name__}: {error}")
        _log.critical(text, exc_info=error)
        engine.step(Trouble(code="TASK_FAILED", subject=task.get_name(), text=text))

    async def _end(self, beside: "list[asyncio.Task[None]]") -> None:
        consoles = [task for task in beside if task.get_name() == "console"]
        if consoles:
            await asyncio.wait(consoles, timeout=2.0)
        for task in beside:
            task.cancel()
        for task, ended in zip(
            beside, await asyncio.gather(*beside, return_exceptions=True), strict=True
        ):
            if isinstance(ended, Exception):
                _log.error("%s failed", task.get_name(), exc_info=ended)

    async def _wait_for_the_wall(self, last: Nanos, clock: Clock) -> None:
        """Wait for a clock that is a little before the journal's last event (X-94).

        Raises CommandFailed where it stays behind and nobody has accepted that; the journal would
        run backward, and with it the day's loss and every deadline.
        """
        if self.launch.accept_clock:
            return
        for _ in range(CLOCK_WAITS):
            if clock.now() >= last:
                return
            await clock.sleep(CLOCK_WAIT)
        if (behind := last - clock.now()) <= 0:
            return
        text = (
            f"the clock says {rfc3339(clock.now())}, {behind / NS_PER_SECOND:.0f} s before the "
            f"journal's last event at {rfc3339(last)}: set the clock right, start with "
            "--accept-clock, or take another --state-dir"
        )
        raise CommandFailed(ExitCode.REFUSED, text, "CLOCK_BEHIND")

    def _clock(self) -> Clock:
        if self._bars is None:
            return SteadyClock(SystemClock())
        return ScaledClock(self._bars.start, self.launch.config.market.speed)

    # --- the ends ---------------------------------------------------------------------------------

    def stop(self, reason: str) -> None:
        """Ends the process in order."""
        self._reason = self._reason or reason
        self._ending.set()

    def _terminate(self) -> None:
        self.stop("terminated")

    def _hang_up(self) -> None:
        if self._console is not None:
            self._console.hang_up()

    async def _watch_end(self, house: wiring.House, clock: Clock) -> None:
        """`--for` counts from here; `--until-idle` ends once nothing more can come."""
        began = clock.monotonic()
        launch, engine = self.launch, house.engine
        while True:
            passed = (clock.monotonic() - began) / 1e9
            if launch.seconds is not None and passed >= launch.seconds:
                self.stop("its time is over")
            if launch.until_idle and self._is_over(engine, clock) and not self._lines_wait():
                self.stop("nothing more can come")
            await asyncio.sleep(LOOK_SECONDS)

    def _is_over(self, engine: Engine, clock: Clock) -> bool:
        if self._bars is not None:
            return is_over(engine, clock.now(), self._bars.last)
        return engine.exhausted and engine.idle

    def _lines_wait(self) -> bool:
        return self._follower is not None and self._follower.waits
