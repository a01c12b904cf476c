"""The part of the app that knows the terminal: driver, cell differences, themes, text from outside.

The console's app builds on `TerminalApp`. It ends with the terminal or with an error of its own,
and leaves the process to whoever started it; nothing is ever printed from here.
"""

import asyncio
import base64
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from rich.color import ColorSystem
from rich.console import RenderableType
from textual import events
from textual._compositor import LayoutUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.driver import Driver
from textual.filter import Monochrome, NoColor
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Input

from console.terminal.bootstrap import settle_task_factory
from console.terminal.cells import CellScreen, Update
from console.terminal.driver import EngineSafeDriver
from console.terminal.input import TerminalKey
from console.ui.external import CLIPBOARD_LIMIT, ExternalTextFilter
from console.ui.format import GLYPHS
from console.ui.keyboard import Keyboard, Typed
from console.ui.pump import Pump
from console.ui.screens.base import ClosesOnce, MeridianPalette, MeridianScreen
from console.ui.stylesheet import ParsedOnce
from console.ui.theme import DEFAULT_THEME, PROFIT_COLOURS, choose_theme, load_themes
from console.ui.widgets.banner import BannerFeed, Mode
from console.ui.widgets.field import Field
from engine.domain.text import clean_text

log = logging.getLogger(__name__)

Result = TypeVar("Result")

SYNC_START, SYNC_END = "\x1b[?2026h", "\x1b[?2026l"


class TerminalApp(App[Result], Generic[Result]):
    """An app whose terminal cannot hurt the loop it shares.

    After `run_async` returned, `terminal_is_lost` and `failure` say why, besides the user's wish.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+l", "redraw", "Redraw", show=False, id="redraw"),
        # textual's own quits without a question
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, id="quit"),
    ]
    URGENT_KEYS: ClassVar[frozenset[str]] = frozenset()
    """Keys that wait for no screen."""

    def __init__(
        self,
        *,
        mode: Mode = "paper",
        theme: str = DEFAULT_THEME,
        profit_colours: str = PROFIT_COLOURS[0],
        glyphs: str = "unicode",
        refresh_hz: float = 0.0,
        theme_folder: Path | None = None,
    ) -> None:
        self._themes = load_themes(theme_folder)
        self._profit_colours = profit_colours
        super().__init__(driver_class=EngineSafeDriver)
        self.glyphs = GLYPHS[glyphs]
        self.banner_feed = BannerFeed(mode, self.glyphs)
        self.pump = Pump(self, hz=refresh_hz, link_is_slow=self._link_is_slow)
        self.terminal_is_lost = False
        self._cells = CellScreen()
        self.keyboard = Keyboard(self, self)
        for known in self._themes.values():
            self.register_theme(known.to_textual(profit_colours))
        self.theme = choose_theme(
            theme, color_system=self.console.color_system, no_color=self.no_color
        )
        # made with the theme's colours at once: textual would parse everything with its own first
        self.stylesheet = ParsedOnce(variables=self.get_css_variables())
        if self.no_color:
            self._filters = [f for f in self._filters if not isinstance(f, Monochrome | NoColor)]
            self._filters.append(NoColor())
        self._filters.append(ExternalTextFilter())
        if mode == "live":
            self.add_class("-live")

    @property
    def failure(self) -> Exception | None:
        """The error that ended the app; None if none did."""
        return self._exception

    @property
    def terminal(self) -> EngineSafeDriver | None:
        """The driver of a real terminal; None under test and before the start."""
        return self._driver if isinstance(self._driver, EngineSafeDriver) else None

    # -- what the driver reports

    def terminal_recovered(self) -> None:
        """The terminal reads again after frames were dropped: the whole picture goes out."""
        self.action_redraw()

    def terminal_lost(self) -> None:
        """The terminal is gone: the app ends, the process goes on."""
        self.terminal_is_lost = True
        self.exit()

    def urgent_key(self, key: str) -> Callable[[], None] | None:
        """What `key` does before all that waits for the loop; None where it can wait."""
        return None

    async def on_event(self, event: events.Event) -> None:
        """As textual's; keys are taken one after the other, and `URGENT_KEYS` before them all."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif isinstance(event, events.Key) and event.key in self.URGENT_KEYS:
            await self.act(event)
        else:
            await self.keyboard.type(event)

    async def act(self, event: Typed) -> bool:
        """Do what the key does; what that changes is drawn in the same turn of the loop.

        False where the key was handed on and is not done yet.
        """
        screen = self.screen if self._screen_stack else None
        if (
            isinstance(event, TerminalKey)
            and event.key == "enter"
            and isinstance(screen, ClosesOnce)
            and not screen.takes_enter(event.run)
        ):
            self.not_alone(event.key)
            return True
        done = isinstance(event, events.Key) and await self._is_bound(event)
        if not done:
            await super().on_event(event)
        if self._screen_stack and isinstance(self.screen, MeridianScreen):
            self.screen.draw_now()
        return done

    def must_be_alone(self, event: Typed) -> bool:
        """True where the key would trade at once, and so counts only when it was typed alone."""
        return False

    def edits(self, event: Typed) -> bool:
        """True where the key changes the text of the field that has the focus, and nothing else."""
        return isinstance(self.focused, Field) and self.focused.edits(event)

    def not_alone(self, key: str) -> None:
        """Say that a key was not taken because others came with it."""
        self.notify(f"{key} came together with other keys: press it again", severity="warning")

    def has_unread(self) -> bool:
        """True where the terminal holds keys that were not read yet."""
        return self.terminal is not None and self.terminal.has_unread()

    def _screen_changed(self, screen: Screen[Any]) -> None:
        """Another screen is on top: it takes the keys that follow, an Enter of their run apart."""
        self.pump.wake()
        if isinstance(screen, ClosesOnce):
            screen.run = self.keyboard.run
        self.keyboard.screen_changed(screen)

    async def _is_bound(self, event: events.Key) -> bool:
        """Do at once what the key is bound to; False leaves it to textual."""
        return False

    def action_redraw(self) -> None:
        """Send every cell again: something else wrote on the terminal."""
        self._cells.invalidate()
        if self._screen_stack:
            self.screen.refresh()

    # -- life

    async def _process_messages(self, *args: Any, **kwargs: Any) -> None:
        settle_task_factory(asyncio.get_running_loop())
        await super()._process_messages(*args, **kwargs)

    def on_mount(self) -> None:
        """Title of the window, and the pump."""
        if self.terminal is not None:
            self.terminal.write(f"\x1b]0;meridian {self.banner_feed.mode.upper()}\x07")
        self.screen_change_signal.subscribe(self, self._screen_changed, immediate=True)
        self.pump.start()

    def on_unmount(self) -> None:
        """Nothing is painted after the end."""
        self.pump.stop()

    def on_resize(self, _event: events.Resize) -> None:
        """A terminal that changed its size has rearranged what it shows."""
        self._cells.invalidate()

    def _fatal_error(self) -> None:
        # textual prints the traceback with all local variables: secrets among them
        log.error("the console failed", exc_info=self._exception)
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        # printing could block on a stuck terminal; what ended the app is in the log and `failure`
        self._exit_renderables.clear()

    # -- output

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        driver = self.terminal
        if driver is None or renderable is None or self._batch_count or not self._running:
            super()._display(screen, renderable)
            return
        try:
            if isinstance(renderable, Update):
                self._send(driver, screen, renderable)
            else:
                self._cells.invalidate()
                super()._display(screen, renderable)
        except Exception as error:  # as textual does: an error while drawing ends the app
            self._handle_exception(error)
        finally:
            self.post_display_hook()

    def _send(self, driver: EngineSafeDriver, screen: Screen[Any], update: Update) -> None:
        if driver.behind:
            self._cells.invalidate()
            driver.skip_frame()
            return
        compositor = screen._compositor
        if not self._cells.valid and not isinstance(update, LayoutUpdate):
            update = compositor.render_full_update()
        cursor = screen.outer_size.clamp_offset(self.cursor_position)
        # it is hidden: only what composes characters at a field wants to know where it is
        typing = isinstance(self.focused, Input)
        frame = self._cells.diff(
            update,
            (compositor.size.width, compositor.size.height),
            (cursor.x, cursor.y) if typing else None,
            self._color_system,
        )
        if not frame:
            return
        if self._sync_available:
            frame = f"{SYNC_START}{frame}{SYNC_END}"
        if not driver.write_frame(frame):
            self._cells.invalidate()

    @property
    def _color_system(self) -> ColorSystem | None:
        return self.console._color_system

    def _link_is_slow(self) -> bool:
        return self.terminal is not None and self.terminal.link_is_slow()

    # -- text from outside

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A toast; its text is literal whatever `markup` says: a message may quote a venue."""
        super().notify(
            clean_text(message),
            title=clean_text(title),
            severity=severity,
            timeout=timeout,
            markup=False,
        )

    def copy_to_clipboard(self, text: str) -> None:
        """Hand `text` to the terminal's clipboard (OSC 52), through tmux where there is one.

        The terminal does not answer: say "sent to the terminal", not "copied".
        """
        self._clipboard = text[:CLIPBOARD_LIMIT]
        if self.terminal is None:
            return
        encoded = base64.b64encode(self._clipboard.encode("utf-8", "replace")).decode("ascii")
        sequence = f"\x1b]52;c;{encoded}\x07"
        if os.environ.get("TMUX"):
            sequence = f"\x1bPtmux;{sequence.replace(chr(27), chr(27) * 2)}\x1b\\"
        self.terminal.write(sequence)

    # -- themes and palette

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our variables, so that a style sheet is whole under any theme."""
        return self._themes[DEFAULT_THEME].style_variables(self._profit_colours)

    def action_command_palette(self) -> None:
        """The palette, under the banner."""
        if self.use_command_palette and not isinstance(self.screen, CommandPalette):
            self.push_screen(MeridianPalette(id="--command-palette"))

    def _build_driver(
        self, headless: bool, inline: bool, mouse: bool, size: tuple[int, int] | None
    ) -> Driver:
        if inline:
            raise ValueError("the console draws on the whole terminal only, never inline")
        return super()._build_driver(headless, inline, mouse, size)
