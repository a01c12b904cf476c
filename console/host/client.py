"""The other end of the control socket: one JSON object a line each way (INTERFACE).

Only the standard library, so that a kill loads next to nothing before it is asked for.
"""

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from console.commands.table import SERVED

ANSWER_SECONDS: Final = 60.0
"""How long a command is waited for that the engine has begun, unless it says otherwise; the engine
itself answers sooner."""

ACCEPT_SECONDS: Final = 6.0
"""How long a command is waited for that the engine has not begun: its control thread refuses it
before that, where it lives."""

QUIET_SECONDS: Final = 2.0
"""How long nothing is said of an answer that does not come."""

LONGEST_PATH: Final = 100
"""A longer socket path does not fit the system's address (108 bytes with its end)."""

_CHUNK: Final = 65_536

_TURN_SECONDS: Final = 0.005
"""Between two calls at an engine that has no room for one more who waits."""


class NoEngine(Exception):  # noqa: N818 - what is the case
    """No engine listens on this state folder (exit code 3)."""


class NoAnswer(Exception):  # noqa: N818 - what is the case
    """The engine took the request and did not answer in time, or hung up."""


class Refused(Exception):  # noqa: N818 - what is the case
    """The engine answered that it did not do it; `code` is stable."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class Client:
    """One connection to the engine of a state folder."""

    def __init__(self, path: Path, timeout: float = 5.0) -> None:
        """Connects. Raises NoEngine where nobody listens, NoAnswer where nobody takes the call."""
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(timeout)
        self._pending = b""
        self._number = 0
        try:
            with address(path) as name:
                self._call(name, time.monotonic() + timeout)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError) as error:
            self._socket.close()
            raise NoEngine(f"No engine is running on {path.parent}.") from error
        except OSError as error:
            self._socket.close()
            raise NoAnswer(
                f"The engine on {path.parent} does not take calls: {error.strerror or error}."
            ) from error

    def _call(self, name: str, deadline: float) -> None:
        """Connect, waiting for a place among those who wait to be taken. Raises OSError.

        A local socket with a time-out does not wait for one: the system says at once that there
        is none.
        """
        while True:
            try:
                self._socket.connect(name)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise
                time.sleep(_TURN_SECONDS)
            else:
                return

    def request(
        self,
        command: str,
        args: dict[str, Any] | None = None,
        timeout: float = ANSWER_SECONDS,
        waiting: Callable[[], None] | None = None,
    ) -> Any:
        """The result of one command. Raises Refused, or NoAnswer after `timeout` seconds; after
        `ACCEPT_SECONDS` where the engine does not say that it has begun what does something.

        `waiting` is called once where there is none after `QUIET_SECONDS`.
        """
        self._number += 1
        asked = {"id": self._number, "command": command, "args": args or {}, "notice": True}
        # An argument that was no UTF-8 holds surrogates: no kill may fail for its reason's sake.
        line = json.dumps(asked, ensure_ascii=False).encode("utf-8", "replace")
        known = SERVED.get(command)
        asks_only = known is not None and known.question
        began = time.monotonic()
        seconds = timeout if asks_only else min(timeout, ACCEPT_SECONDS)

        def quiet() -> None:
            nonlocal waiting
            if waiting is not None:
                waiting()
            waiting = None

        try:
            self._socket.settimeout(seconds)
            self._socket.sendall(line + b"\n")
            while True:
                answer = json.loads(self._line(began + seconds, quiet))
                if answer.get("id") != self._number:
                    continue
                if "begun" not in answer:
                    break
                seconds = timeout
        except (OSError, ValueError) as error:
            fate = "" if asks_only else "; it may still have done it"
            raise NoAnswer(
                f"The engine on {self.path.parent} did not answer {command} within "
                f"{seconds:g} s{fate}."
            ) from error
        if not answer.get("ok"):
            raise Refused(str(answer.get("code", "")), str(answer.get("error", "")))
        return answer.get("result")

    def _line(self, deadline: float, quiet: Callable[[], None]) -> bytes:
        told_at: float = time.monotonic() + QUIET_SECONDS
        while b"\n" not in self._pending:
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError
            if now >= told_at:
                quiet()
                told_at = deadline
            self._socket.settimeout(min(deadline, told_at) - now)
            try:
                received = self._socket.recv(_CHUNK)
            except TimeoutError:
                continue
            if not received:
                raise ConnectionResetError("the engine hung up")
            self._pending += received
        line, _, self._pending = self._pending.partition(b"\n")
        return line

    def close(self) -> None:
        """Hangs up."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@contextlib.contextmanager
def address(path: Path) -> Iterator[str]:
    """The socket's address; through an open folder where the path is too long for the system."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
