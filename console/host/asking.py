"""Questions to a person on this terminal; what is secret is typed without being shown.

Questions are written to standard error, so that standard output holds nothing but the answer of a
command. Whoever asks looks first whether there is a terminal (`has_person`).
"""

import contextlib
import os
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Final

from console.host import speech
from console.host.output import CommandFailed, ExitCode
from console.host.secrets import KNOWN, Secret
from engine.domain.text import clean_text

LONGEST_SECRET: Final = 8_192
_BEGINS: Final = "-----BEGIN "
_ENDS: Final = "-----END "
_ENDING: Final[tuple[int, ...]] = (signal.SIGTERM, signal.SIGHUP)


def has_person() -> bool:
    """Whether standard input is a terminal, where somebody can answer."""
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def ask(question: str, usual: str = "") -> str:
    """What is typed behind the question, without the space around it; `usual` for nothing.

    Raises CommandFailed where the input ends.
    """
    shown = f" [{usual}]" if usual else ""
    _prompt(f"{question}{shown}: ")
    return _line().strip() or usual


def agreed(question: str, *, usual: bool) -> bool:
    """Whether the answer is yes; `usual` where nothing is typed. Asked until it is yes or no."""
    while True:
        _prompt(f"{question} [{'Y/n' if usual else 'y/N'}] ")
        said = _line().strip().lower()
        if said in ("", "y", "yes", "n", "no"):
            return said.startswith("y") if said else usual


def ask_secret(what: str) -> Secret:
    """A secret, typed or pasted without being shown; asked until something is typed.

    A private key in PEM is read to its last line. Every process of this program masks what was
    typed from then on. Raises CommandFailed where the input ends.
    """
    while True:
        with _unseen():
            _prompt(f"{what} (it is not shown): ")
            try:
                value = _line().strip()
                while value.startswith(_BEGINS) and _ENDS not in value:
                    value += "\n" + _line().strip()
                    if len(value) > LONGEST_SECRET:
                        break
            finally:
                _prompt("\n")
        fault = _fault(value)
        if not fault:
            secret = Secret(value)
            KNOWN.add(secret)
            return secret
        _prompt(f"{fault}\n")


def _fault(value: str) -> str:
    if not value:
        return "Nothing was typed."
    if len(value) > LONGEST_SECRET:
        return f"That is longer than {LONGEST_SECRET} characters, which no key is."
    if any(not character.isprintable() for character in value.replace("\n", "")):
        return "That holds characters that no key has: type or paste it again."
    return ""


@contextlib.contextmanager
def _unseen() -> Iterator[None]:
    """What is typed meanwhile is not shown; what is typed and not read by the end is dropped.

    A signal that ends the process shows it again first. The job cannot be stopped meanwhile: a
    shell sets its terminal to show what is typed, and does not set it back.
    """
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    hidden = [*before]
    hidden[3] &= ~termios.ECHO
    kept: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}

    def end(number: int, _frame: FrameType | None) -> None:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for number in _ENDING:
        kept[number] = signal.signal(number, end)
    kept[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, hidden)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
        for number, handler in kept.items():
            signal.signal(number, handler)


def _prompt(text: str) -> None:
    speech.ERRORS.write_folded(text)


def _line() -> str:
    """The next line without its end. Raises CommandFailed at the end of the input."""
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        raise CommandFailed(ExitCode.FAILED, "What was typed is not UTF-8 text.", "INPUT") from None
    except OSError as error:  # the terminal hung up
        raise _ended(error.strerror or "it cannot be read") from None
    if not line:
        raise _ended("nothing more is typed")
    return line.rstrip("\r\n")


def _ended(why: str) -> CommandFailed:
    words = f"The input ended before the last question was answered: {clean_text(why, 100)}."
    return CommandFailed(ExitCode.FAILED, words, "INPUT_ENDED")
