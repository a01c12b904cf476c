"""The terminal driver of a console that shares its loop with a trading engine.

Stock textual blocks the loop while the terminal does not read, dies with the terminal, and stops
the whole process on SIGTSTP (measured: a stuck SSH session freezes the engine for as long as it
lasts). Here nothing that a terminal does reaches the loop: output and input have threads of their
own, frames are dropped whole while the terminal lags and painted anew when it recovers, and a
terminal that went away is noticed within a second and reported, not suffered.

Leans on textual's internals; pinned exactly, and tested on real pseudo-terminals.
"""

import asyncio
import contextlib
import logging
import os
import select
import signal
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable

from textual import constants, events
from textual.app import App
from textual.drivers.linux_driver import (
    KITTY_DISAMBIGUATE_ESCAPE_CODES,
    KITTY_REPORT_ALL_KEYS,
    KITTY_REPORT_ASSOCIATED_TEXT,
    LinuxDriver,
)
from textual.geometry import Size
from textual.message import Message

from console.terminal.input import TerminalInput
from console.terminal.signals import IGNORED
from console.terminal.writer import SLOW_FRAME_SECONDS, TerminalWriter, WriterStats

log = logging.getLogger(__name__)

CHECK_SECONDS: Final = 0.5
"""How often a silent terminal is asked whether it is still there."""

STOP_SECONDS: Final = 0.25
"""The longest the loop waits for a thread when the console closes."""

SLOW_MEMORY_SECONDS: Final = 10.0
"""How long a link counts as slow after its last dropped frame."""

_KITTY_FLAGS: Final = (
    KITTY_DISAMBIGUATE_ESCAPE_CODES | KITTY_REPORT_ALL_KEYS | KITTY_REPORT_ASSOCIATED_TEXT
)
_NO_STATS: Final = WriterStats(0, 0, 0, 0, 0, 0.0, 0.0)


@runtime_checkable
class TerminalOwner(Protocol):
    """What the driver tells its app; all calls come on the loop."""

    def terminal_recovered(self) -> None:
        """Frames were dropped and the terminal reads again: send the whole picture."""

    def terminal_lost(self) -> None:
        """The terminal is gone for good: end the interface, not the process."""

    def urgent_key(self, key: str) -> Callable[[], None] | None:
        """Begin what `key` does where that waits for nothing; what is left of it, for the loop.

        None leaves the key to the app. The one call that comes in the reading thread.
        """


class EngineSafeDriver(LinuxDriver):
    """A `LinuxDriver` that can neither block nor end what else runs on the loop."""

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
    ) -> None:
        before = {number: signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)}
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._out = _output_descriptor(self.fileno)
        self._writer: TerminalWriter | None = None
        self._input: TerminalInput | None = None
        self._check: asyncio.TimerHandle | None = None
        self._signals_before: dict[signal.Signals, Any] = {}
        self._drops_seen = 0
        self._dropped_at: float | None = None
        self.lost = False
        """True once the terminal is gone."""

    @property
    def can_suspend(self) -> bool:
        """Never: a suspended process trades no more."""
        return False

    # -- output

    def write(self, data: str) -> None:
        """Queue a one-off sequence; never blocks, and is silently gone with a lost terminal."""
        if self._writer is not None:
            self._writer.write_control(data)

    def write_frame(self, frame: str) -> bool:
        """Queue a whole picture; False if it was dropped and must be sent again whole."""
        return self._writer is not None and self._writer.write_frame(frame)

    def skip_frame(self) -> None:
        """Count a picture that was not made because the terminal is behind."""
        if self._writer is not None:
            self._writer.skip_frame()

    @property
    def behind(self) -> bool:
        """True while the next frame would be dropped."""
        return self._writer is not None and self._writer.behind

    def stats(self) -> WriterStats:
        """Bytes, frames and drops so far, and how far the terminal is behind."""
        return _NO_STATS if self._writer is None else self._writer.stats()

    def link_is_slow(self) -> bool:
        """True if frames take long or were dropped lately: paint less often."""
        stats = self.stats()
        now = time.monotonic()
        if stats.frames_dropped != self._drops_seen:
            self._drops_seen = stats.frames_dropped
            self._dropped_at = now
        recently = self._dropped_at is not None and now - self._dropped_at < SLOW_MEMORY_SECONDS
        return recently or max(stats.frame_seconds, stats.lag_seconds) > SLOW_FRAME_SECONDS

    # -- input

    def has_unread(self) -> bool:
        """True where the terminal holds input that the reading thread has not taken yet."""
        try:
            return bool(select.select([self.fileno], [], [], 0)[0])
        except (OSError, ValueError):
            return False

    def process_message(self, message: Message) -> None:
        """As textual's; a key that stops the engine goes ahead of all that waits for the loop."""
        if isinstance(message, events.Key) and isinstance(self._app, TerminalOwner):
            rest = self._app.urgent_key(message.key)
            if rest is not None:
                self._call(self._loop, rest)
                return
        super().process_message(message)

    def send_message(self, message: Message) -> None:
        """Hand `message` to the app, without a task of its own."""
        self._call(self._loop, lambda: self._app.post_message(message))

    # -- life

    def start_application_mode(self) -> None:
        """Take the terminal: raw input, alternate screen, both threads."""
        loop = asyncio.get_running_loop()
        self._take_signals(loop)
        self._writer = TerminalWriter(
            self._out,
            on_lost=lambda: self._call(loop, self._terminal_lost),
            on_drained=lambda: self._call(loop, self._terminal_recovered),
        )
        self._writer.start()
        self._send_size()
        self.write("\x1b[?1049h")
        self._enable_mouse_support()
        self.attrs_before = _attributes(self.fileno)
        self._make_raw()
        self._enter_modes()
        self._input = TerminalInput(
            self.fileno,
            deliver=self.process_message,
            on_end=lambda: self._call(loop, self._terminal_lost),
            catch_up=lambda seconds: _wait_for_loop(loop, seconds),
            debug=self._debug,
        )
        self._input.start()
        self._request_terminal_sync_mode_support()
        self._query_in_band_window_resize()
        self._check = loop.call_later(CHECK_SECONDS, self._check_terminal)

    def disable_input(self) -> None:
        """Stop reading; waits `STOP_SECONDS` at most."""
        if self._input is None:
            return
        self._disable_mouse_support()
        if not self._input.stop(STOP_SECONDS):
            log.warning("the input thread did not end in time and is left behind")
        self._input = None
        with contextlib.suppress(termios.error):
            termios.tcflush(self.fileno, termios.TCIFLUSH)

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was."""
        if self._check is not None:
            self._check.cancel()
            self._check = None
        self._disable_bracketed_paste()
        self._enable_line_wrap()
        self._disable_in_band_window_resize()
        self.disable_input()
        if self.attrs_before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self.fileno, termios.TCSANOW, self.attrs_before)
        # the last pen and the keyboard protocol end before the alternate screen is left
        self.write("\x1b[0m\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l")
        self._give_back_signals()

    def close(self) -> None:
        """End the output thread; waits `STOP_SECONDS` at most, and not at all when it is stuck."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        stuck = writer.lost or writer.behind
        if not writer.stop(0.0 if stuck else STOP_SECONDS):
            log.warning("the terminal does not read: its output thread is left behind")

    # -- on the loop

    def _terminal_lost(self) -> None:
        if self.lost:
            return
        self.lost = True
        log.warning("the terminal is gone: the interface ends, the process goes on")
        if isinstance(self._app, TerminalOwner):
            self._app.terminal_lost()
        else:
            self._app.exit()

    def _terminal_recovered(self) -> None:
        if isinstance(self._app, TerminalOwner):
            self._app.terminal_recovered()
        elif self._app.screen_stack:
            self._app.screen.refresh()

    def _check_terminal(self) -> None:
        """A hang-up raises no event where nothing is read or written: ask."""
        if _is_hung_up(self.fileno) or _is_hung_up(self._out):
            self._terminal_lost()
            return
        self._check = asyncio.get_running_loop().call_later(CHECK_SECONDS, self._check_terminal)

    def _continued(self) -> None:
        """After a stop that could not be ignored the shell has had the terminal: take it again."""
        self._make_raw()
        self.write("\x1b[?1049h")
        self._enable_mouse_support()
        self._enter_modes()
        self._send_size()
        self._terminal_recovered()

    # -- parts

    @staticmethod
    def _call(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
        # the loop may have ended while a stuck thread waited for the terminal
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(callback)

    def _take_signals(self, loop: asyncio.AbstractEventLoop) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        mine = dict.fromkeys(IGNORED, signal.SIG_IGN)
        self._signals_before = {n: signal.getsignal(n) for n in (*mine, signal.SIGWINCH)}
        for number, handler in mine.items():
            signal.signal(number, handler)
        loop.add_signal_handler(signal.SIGWINCH, self._window_changed)
        loop.add_signal_handler(signal.SIGCONT, self._continued)

    def _give_back_signals(self) -> None:
        if not self._signals_before:
            return
        loop = asyncio.get_running_loop()
        loop.remove_signal_handler(signal.SIGWINCH)
        loop.remove_signal_handler(signal.SIGCONT)
        for number, handler in self._signals_before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._signals_before = {}

    def _window_changed(self) -> None:
        if not self._in_band_window_resize:
            self._send_size()

    def _send_size(self) -> None:
        size = Size(*self._get_terminal_size())
        self._app.post_message(events.Resize(size, size))

    def _get_terminal_size(self) -> tuple[int, int]:
        for descriptor in (self._out, self.fileno):
            with contextlib.suppress(OSError):
                width, height = os.get_terminal_size(descriptor)
                if width and height:
                    return width, height
        return 80, 24

    def _make_raw(self) -> None:
        attributes = _attributes(self.fileno)
        if attributes is None:
            return
        attributes[tty.LFLAG] = self._patch_lflag(attributes[tty.LFLAG])
        attributes[tty.IFLAG] = self._patch_iflag(attributes[tty.IFLAG])
        attributes[tty.CC][termios.VMIN] = 1
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self.fileno, termios.TCSANOW, attributes)

    def _enter_modes(self) -> None:
        """Hidden cursor, focus events, key protocol, bracketed paste, no line wrap."""
        self.write("\x1b[?25l\x1b[?1004h")
        if not constants.DISABLE_KITTY_KEY:
            self.write(f"\x1b[>{_KITTY_FLAGS}u")
        self._enable_bracketed_paste()
        self._disable_line_wrap()
        # some terminals forget the first request while they switch screens
        self._enable_mouse_support()


def _output_descriptor(stdin: int) -> int:
    """Where pictures go: stderr as textual has it, or stdout where only that is a terminal."""
    streams = [stream.fileno() for stream in (sys.__stderr__, sys.__stdout__) if stream is not None]
    return next((fd for fd in streams if os.isatty(fd)), streams[0] if streams else stdin)


def _attributes(fd: int) -> list[Any] | None:
    try:
        return termios.tcgetattr(fd)
    except termios.error:
        return None


def _is_hung_up(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, 0)
    gone = select.POLLHUP | select.POLLERR | select.POLLNVAL
    return any(event & gone for _, event in poller.poll(0))


def _wait_for_loop(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Wait in another thread until `loop` has run what it was given before this call."""
    done = threading.Event()
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(done.set)
        done.wait(seconds)
