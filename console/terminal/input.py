"""Reads the terminal in a thread of its own and turns bytes into textual's messages.

Whatever arrives, the thread goes on: bytes that are not UTF-8 become U+FFFD, a sequence the parser
cannot read is dropped, and a paste whose end never comes is given up after `PASTE_SECONDS`. Only
the end of the terminal itself ends it.
"""

import logging
import os
import select
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable
from typing import Final

from textual import events
from textual._xterm_parser import BRACKETED_PASTE_END, BRACKETED_PASTE_START, XTermParser
from textual.message import Message

log = logging.getLogger(__name__)

PASTE_SECONDS: Final = 2.0
"""How long a paste may stay open without more of it arriving."""

PASTE_CHUNK: Final = 16
"""A read of more characters than this is more of a paste; a shorter one is somebody typing."""

RUN_SECONDS: Final = 0.012
"""Keys that come closer together than this are of one run: no hand and no key held down is as fast
(a person's quickest two are 25 ms apart, a keyboard repeats up to 60 times a second)."""

_READ_BYTES: Final = 4_096
_TICK_SECONDS: Final = 0.1
_BACKGROUND_SECONDS: Final = 0.5
_LARGE_BATCH: Final = 64
_CATCH_UP_SECONDS: Final = 1.0


class TerminalKey(events.Key):
    """A key, and the run of keys in which it came.

    `run` is the run's number. `follows` is True where another key or a paste of the run came before
    this one; whether one comes after it is known `RUN_SECONDS` later.
    """

    def __init__(self, key: events.Key, run: int, *, follows: bool) -> None:
        super().__init__(key.key, key.character)
        self.run = run
        self.follows = follows


# handlers are found by this name: every `on_key` takes these
TerminalKey.handler_name = events.Key.handler_name


class Runs:
    """Tells which keys a person typed one by one from those that came together."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._run = 0
        self._is_first = True
        self._now = self._until = float("-inf")

    def next_read(self) -> None:
        """What is marked from now on was read now."""
        now = self._clock()
        if now >= self._until:
            self._run += 1
            self._is_first = True
        self._now = now

    def mark(self, message: Message, *, pasted: bool = False) -> Message:
        """`message`, a key with its run; a paste, or what is `pasted` of one, begins none anew."""
        if not isinstance(message, events.Key | events.Paste):
            return message
        follows, self._is_first = pasted or not self._is_first, False
        self._until = self._now + RUN_SECONDS
        if isinstance(message, events.Key):
            return TerminalKey(message, self._run, follows=follows)
        return message


class PasteWatch:
    """Knows whether a bracketed paste is open, from the text alone, and when to give it up."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tail = ""
        self._open = False
        self._since = 0.0

    @property
    def is_open(self) -> bool:
        """True between the start of a paste and its end."""
        return self._open

    def feed(self, text: str) -> None:
        """Take note of what was read."""
        was_open = self._open
        seen = self._tail + text
        start, end = seen.rfind(BRACKETED_PASTE_START), seen.rfind(BRACKETED_PASTE_END)
        if start != end:
            self._open = start > end
        self._tail = seen[-(len(BRACKETED_PASTE_START) - 1) :]
        if self._open and (not was_open or len(text) > PASTE_CHUNK):
            self._since = self._clock()

    def expired(self) -> bool:
        """True once nothing of the open paste came for `PASTE_SECONDS`."""
        return self._open and self._clock() - self._since > PASTE_SECONDS

    def reset(self) -> None:
        """No paste is open any more."""
        self._tail = ""
        self._open = False


class TerminalInput(threading.Thread):
    """The reading thread of one terminal.

    `deliver` gets each message, `on_end` is called once when the terminal ended, and `catch_up`
    waits (at most the seconds it is given) until the loop took what was delivered: a flood of
    input must not fill the loop's queue. All three are called from this thread.
    """

    def __init__(
        self,
        fd: int,
        *,
        deliver: Callable[[Message], None],
        on_end: Callable[[], None],
        catch_up: Callable[[float], None],
        debug: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(daemon=True, name="terminal-input")
        self._fd = fd
        self._deliver = deliver
        self._on_end = on_end
        self._catch_up = catch_up
        self._debug = debug
        self._decoder = getincrementaldecoder("utf-8")(errors="replace")
        self._parser = XTermParser(debug)
        self._paste = PasteWatch(clock)
        self._runs = Runs(clock)
        self._wake_read, self._wake_write = os.pipe()
        self._stopping = threading.Event()
        self.errors = 0
        """Sequences the parser could not read."""

    def stop(self, timeout: float) -> bool:
        """End the thread; False if it still runs after `timeout`."""
        self._stopping.set()
        if not self.is_alive():
            return True
        os.write(self._wake_write, b".")
        self.join(timeout)
        if not self.is_alive():
            os.close(self._wake_write)
            os.close(self._wake_read)
        return not self.is_alive()

    def run(self) -> None:
        """Read until stopped or the terminal ends."""
        while not self._stopping.is_set():
            ready, _, _ = select.select([self._fd, self._wake_read], [], [], _TICK_SECONDS)
            if self._fd not in ready:
                self._give_up_old_paste()
            elif not self._stopping.is_set():
                data = self._read()
                if data is None:
                    self._on_end()
                    return
                self.take(data)
            self._parse(None)

    def take(self, data: bytes) -> None:
        """Decode and deliver one read."""
        text = self._decoder.decode(data)
        if text:
            self._paste.feed(text)
            self._parse(text)

    def _read(self) -> bytes | None:
        """What is there to read; None once the terminal has ended."""
        try:
            data = os.read(self._fd, _READ_BYTES)
        except (InterruptedError, BlockingIOError):
            return b""
        except OSError:
            if self._in_background():
                # a background process may not read its terminal: wait to be brought back
                self._stopping.wait(_BACKGROUND_SECONDS)
                return b""
            return None
        return data or None

    def _in_background(self) -> bool:
        try:
            return os.tcgetpgrp(self._fd) != os.getpgrp()
        except OSError:
            return False

    def _give_up_old_paste(self) -> None:
        if self._paste.expired():
            self._paste.reset()
            self._parser = XTermParser(self._debug)

    def _parse(self, text: str | None) -> None:
        """Feed the parser, or with None let its time-outs pass; an error costs one sequence."""
        delivered = 0
        self._runs.next_read()
        # the rest of a paste that was given up is no typing
        pasted = text is not None and BRACKETED_PASTE_END in text
        try:
            for message in self._parser.tick() if text is None else self._parser.feed(text):
                self._deliver(self._runs.mark(message, pasted=pasted))
                delivered += 1
        except Exception as error:  # a parser error must not end the console: drop the sequence
            self.errors += 1
            log.warning("input that could not be read was dropped: %r", error)
            self._parser = XTermParser(self._debug)
            self._paste.reset()
        if delivered > _LARGE_BATCH:
            self._catch_up(_CATCH_UP_SECONDS)
