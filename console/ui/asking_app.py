"""An app that asks things of the engine: a command becomes an answer, a refusal becomes a toast."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, cast

from textual.actions import ActionParseResult
from textual.dom import DOMNode

from console.commands.model import Action
from console.commands.table import ACTIONS
from console.desk.port import Desk, Result
from console.ui.format import GLYPHS
from console.ui.terminal_app import TerminalApp
from console.ui.widgets.banner import Mode
from console.ui.widgets.confirm import ConfirmScreen
from engine.domain.inputs import Command

log = logging.getLogger(__name__)

OPERATOR: Final = "console"

BY_ACTION: Final = {action.name: action for action in ACTIONS}
"""The actions of the table, by the name that textual calls them by."""


class AskingApp(TerminalApp[str]):
    """Hands commands to `desk`, and says what came of them; it knows no panes."""

    def __init__(
        self,
        desk: Desk,
        *,
        theme: str,
        glyphs: str,
        profit_colours: str,
        refresh_hz: float,
    ) -> None:
        """Asks `desk`; the rest says how the app looks, as in `TerminalApp`.

        Where `glyphs` names none that are known, they are "unicode".
        """
        mode = str(desk.view.settings.mode)
        super().__init__(
            mode=cast(Mode, mode if mode in ("shadow", "live") else "paper"),
            theme=theme,
            profit_colours=profit_colours,
            glyphs=glyphs if glyphs in GLYPHS else "unicode",
            refresh_hz=refresh_hz,
        )
        self.desk = desk
        self.by = OPERATOR
        self.seconds: Callable[[], float] = time.monotonic
        """A clock for keys; the engine's own may run faster than a hand."""
        self._asked: set[asyncio.Task[None]] = set()
        """Commands that are not answered yet."""

    def ask(
        self,
        command: Command,
        *,
        then: Callable[[str], None] | None = None,
        answered: Callable[[Result], None] | None = None,
        done: str = "",
    ) -> None:
        """Hand `command` to the engine. A refusal is told as a toast unless someone takes it."""
        self._carry(self.desk.ask(command), then=then, answered=answered, done=done)

    def _carry(
        self,
        answer: Awaitable[Result],
        *,
        then: Callable[[str], None] | None = None,
        answered: Callable[[Result], None] | None = None,
        done: str = "",
    ) -> None:
        """Wait for an answer beside everything else, and tell it as `ask` does."""

        async def carry() -> None:
            result = await answer
            if answered is not None:
                answered(result)
            elif then is not None:
                then("" if result.ok else f"{result.code} {result.error}")
            elif not result.ok:
                self._tell(f"refused: {result.error}", warn=True)
            elif done:
                self._tell(done)

        task = asyncio.get_running_loop().create_task(carry())
        self._asked.add(task)
        task.add_done_callback(self._carried)

    def _carried(self, task: "asyncio.Task[None]") -> None:
        self._asked.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, Exception):
            log.error("a command failed", exc_info=error)
            if self.is_running:
                self._handle_exception(error)

    def _refuses(self) -> bool:
        """True where no command is taken; it is said why."""
        if self.desk.refusal:
            self._tell(f"refused: {self.desk.refusal}", warn=True)
        return bool(self.desk.refusal)

    def _tell(self, words: str, *, warn: bool = False) -> None:
        if self.is_running:
            self.notify(words, severity="warning" if warn else "information", timeout=4)

    async def run_named(self, action: Action) -> None:
        """Do what the table names; the palette comes this way."""
        await self.run_action(action.name)

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """As textual's; what asks something of the engine is refused where no command is taken."""
        known = BY_ACTION.get(action) if isinstance(action, str) else None
        if known is not None and known.asks and self._refuses():
            return True
        return await super().run_action(action, default_namespace, namespaces)

    def _confirm(
        self, screen: ConfirmScreen, act: Callable[[], None], no: str = "nothing was done"
    ) -> None:
        def decided(yes: bool | None) -> None:
            if yes is True:
                act()
            else:
                self._tell(no)

        self.push_screen(screen, decided)
