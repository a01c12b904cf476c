"""The console as a task beside the engine: an error in it, or a lost terminal, ends it alone."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from console.host import wiring
from console.host.farewell import farewell, tell
from console.host.launch import Launch
from engine.runtime import cancelled
from engine.runtime.engine import Engine

if TYPE_CHECKING:
    from console.ui.app import MeridianApp

_log = logging.getLogger("console.host.console_task")


class ConsoleTask:
    """The console of one process, from its first picture to what is said once it has ended."""

    def __init__(
        self,
        launch: Launch,
        engine: Engine,
        *,
        is_ending: Callable[[], bool],
        stop: Callable[[str], None],
    ) -> None:
        """`is_ending` tells whether the process ends already; `stop` ends it in order, for a
        reason."""
        self._look = launch.config.console
        self._folder = launch.folder
        self._tether = launch.tether
        self._engine = engine
        self._is_ending = is_ending
        self._stop = stop
        self._app: MeridianApp | None = None

    def watch(self) -> None:
        """Notice when the process that the shell waits for is gone."""
        if self._tether is not None:
            self._tether.watch(asyncio.get_running_loop(), self.hang_up)

    def hang_up(self) -> None:
        """The terminal is lost: the console ends, if it is there."""
        if self._app is not None:
            self._app.terminal_lost()

    def close(self) -> None:
        """End the console, if it is there."""
        if self._app is not None:
            self._app.exit()

    async def run(self) -> None:
        """Shows the console until it ends, and says what becomes of the engine."""
        wish: str | None = None
        failure: Exception | None = None
        lost = False
        try:
            app = self._app = self._opened()
            with cancelled.told_apart("the console", cancelled.Unasked):
                wish = await app.run_async()
            failure, lost = app.failure, app.terminal_is_lost
        except Exception as error:  # whatever the console raised, the engine goes on
            _log.error("the console failed", exc_info=True)
            failure = error
        finally:
            self._app = None
        if self._is_ending():
            return
        if wish in ("quit", "halt_exit"):
            self._stop("quit from the console")
            return
        why = "the terminal is gone" if lost else "the console has ended"
        if failure is not None:
            why = f"the console failed ({type(failure).__name__}, see {wiring.LOG})"
        elif wish == "leave":
            why = "the console was left"
        self._part(why, lost=lost)

    def _part(self, why: str, *, lost: bool) -> None:
        """Go on without the console, and say how to reach the engine.

        The shell comes back, and nothing that is typed there comes here. Where the terminal is
        lost nobody waits for it, and whoever started the command still finds its process.
        """
        words = farewell(self._folder, why)
        tether = self._tether
        if tether is None:
            tell(words)
            return
        if not lost:
            tether.leave()
            tether.release(asyncio.get_running_loop(), words)
            return
        tell(words)
        tether.leave()

    def _opened(self) -> "MeridianApp":
        from console.terminal.bootstrap import prepare_environment

        prepare_environment()
        from console.desk.local import LocalDesk
        from console.host.history import recent
        from console.ui.app import MeridianApp

        look = self._look
        return MeridianApp(
            LocalDesk(self._engine, partial(recent, self._folder / wiring.JOURNAL)),
            theme=look.theme,
            glyphs=look.glyphs,
            profit_colours=look.profit_colours,
            refresh_hz=look.refresh_hz,
        )
