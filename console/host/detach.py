"""A console that can be left without ending its engine (DESIGN, Console).

On a terminal the command is a thin parent that waits, and a child that holds engine and console.
When the console is left the child takes itself out of the terminal's session and the parent ends,
so that the shell comes back and nothing that is typed there reaches the engine. Until then signals
to the parent go to the child, a child that is stopped stops the parent, and the child's end is the
parent's.

Only the standard library is loaded here: the parent is there for as long as the console is.
"""

import asyncio
import contextlib
import os
import resource
import select
import signal
import socket
import termios
from collections.abc import Callable
from typing import Any, Final

PASSED_ON: Final = (
    signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGWINCH, signal.SIGCONT,
)  # fmt: skip
"""Signals that the parent hands to its child."""

IGNORED: Final = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
"""Signals that would stop the parent alone; the child ignores them too."""

PLAIN_SCREEN: Final = b"\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1049l\x1b[?25h\x1b[m"
"""No mouse reports, no marked pastes, the usual screen, a cursor, no colours."""


def has_terminal() -> bool:
    """True where a console can be shown: stdin, stdout and stderr are terminals."""
    return all(os.isatty(descriptor) for descriptor in (0, 1, 2))


class Tether:
    """The child's end of what it has in common with the parent that waits."""

    def __init__(self, end: socket.socket) -> None:
        """Takes over the child's end of a pair of sockets."""
        self._end = end

    def watch(self, loop: asyncio.AbstractEventLoop, on_gone: Callable[[], None]) -> None:
        """Call `on_gone` on the loop once the parent is gone, however it went."""
        self._end.setblocking(False)

        def readable() -> None:
            with contextlib.suppress(BlockingIOError, ConnectionError):
                if self._end.recv(1):
                    return
            loop.remove_reader(self._end)
            on_gone()

        loop.add_reader(self._end, readable)

    def leave(self) -> None:
        """Leave the terminal and its session: nothing of it is read, written or heard any more."""
        with contextlib.suppress(PermissionError):  # it leads a group, and so a session, already
            os.setsid()
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        os.close(null)

    def release(self, loop: asyncio.AbstractEventLoop, text: str) -> None:
        """Let the parent say `text` and end."""
        loop.remove_reader(self._end)
        self._end.setblocking(True)
        with contextlib.suppress(OSError):
            self._end.sendall(text.encode("utf-8", "backslashreplace"))
        self._end.close()


def beside(work: Callable[[Tether], int]) -> int:
    """Run `work` in a child; the exit code in both: of the work, in the parent 0 once it was left.

    Raises OSError where no process can be made.
    """
    blocked = {*PASSED_ON, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return work(Tether(theirs))
    theirs.close()
    return _Parent(child, ours, before).wait()


class _Parent:
    """The process that the shell waits for."""

    def __init__(self, child: int, end: socket.socket, mask: set[Any]) -> None:
        """`mask` is the signal mask to go on with; signals of `PASSED_ON` are still blocked."""
        self._child = child
        self._end = end
        self._said = b""
        self._attributes: list[Any] | None = None
        with contextlib.suppress(termios.error):
            self._attributes = termios.tcgetattr(0)
        self._woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in (*PASSED_ON, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)  # the descriptor tells which came
        for number in IGNORED:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def wait(self) -> int:
        """Until the child has ended, or has left this terminal."""
        sources: list[Any] = [self._woken, self._end]
        while True:
            ready, _, _ = select.select(sources, [], [])
            if self._end in ready:
                text = self._end.recv(65_536)
                self._said += text
                if not text and self._said:
                    with contextlib.suppress(OSError):
                        os.write(2, self._said)
                    return 0
                if not text:
                    sources.remove(self._end)  # it ends: how is told by SIGCHLD
            if self._woken in ready:
                for number in os.read(self._woken, 4_096):
                    code = self._hear(number)
                    if code is not None:
                        return code

    def _hear(self, number: int) -> int | None:
        """What a signal leads to; the exit code if the child has ended."""
        if number != signal.SIGCHLD:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, number)
            return None
        pid, status = os.waitpid(self._child, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            return None
        if os.WIFSTOPPED(status):
            os.kill(os.getpid(), signal.SIGSTOP)  # the shell takes over, as from any program
            return None
        code = os.waitstatus_to_exitcode(status)
        return self._died(-code) if code < 0 else code

    def _died(self, number: int) -> int:
        """End as the child did, the terminal as it was before."""
        if self._attributes is not None:
            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(0, termios.TCSANOW, self._attributes)
                os.write(1, PLAIN_SCREEN)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return 128 + number
