"""A person at a real pseudo-terminal who runs one command and types its answers."""

import signal
import sys
import termios
from typing import Any

import pexpect

from tests.console.program import MAIN, PATIENCE, ROOT, Program


class Person:
    """One command on a terminal of its own; all that the terminal showed is in `shown`."""

    def __init__(self, program: Program, *arguments: str, script: str = MAIN) -> None:
        """`script` is what Python runs instead of the program."""
        words = ["-c", script, "--state-dir", str(program.folder), *arguments]
        self.shown = ""
        self._child = pexpect.spawn(
            sys.executable,
            words,
            cwd=ROOT,
            env=program.environment,
            encoding="utf-8",
            timeout=PATIENCE,
            dimensions=(50, 200),
            # A suite that was started in the background is told to ignore Ctrl+C, and so are its
            # children; a person's shell does not do that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self._child.delaybeforesend = None
        self._child.logfile_read = self

    def write(self, text: str) -> None:
        self.shown += text

    def flush(self) -> None:
        """What is kept is there at once."""

    def sees(self, text: str) -> "Person":
        """Wait until this is shown."""
        self._child.expect_exact(text)
        return self

    def types(self, line: str) -> "Person":
        self._child.sendline(line)
        return self

    def answers(self, question: str, line: str) -> "Person":
        """Type a line once the question is shown."""
        return self.sees(question).types(line)

    def types_unseen(self, question: str, line: str) -> "Person":
        """Type a line once the question is shown, and nothing that is typed is."""
        self.sees(question).sees("(it is not shown): ")
        assert self._child.waitnoecho(PATIENCE), self.shown
        return self.types(line)

    def presses(self, character: str) -> "Person":
        """A control character."""
        self._child.sendcontrol(character)
        return self

    def signals(self, number: int) -> "Person":
        self._child.kill(number)
        return self

    @property
    def is_echoing(self) -> bool:
        """Whether the terminal shows what is typed, now."""
        flags: list[Any] = termios.tcgetattr(self._child.child_fd)
        return bool(flags[3] & termios.ECHO)

    def waits_for_the_end(self) -> "Person":
        """Until the command has ended; its terminal is still there."""
        self._child.expect_exact(pexpect.EOF)
        return self

    def ended(self) -> int:
        """Wait for the end; the exit code, that of a signal negative."""
        self.waits_for_the_end()
        self._child.close()
        signal, code = self._child.signalstatus, self._child.exitstatus
        return -int(signal) if signal else int(code)

    def close(self) -> None:
        self._child.close(force=True)
