"""A start with nothing but global options, read without typer.

Loading typer and declaring every command with it costs a seventh of the way to an engine that
trades. What is not understood here, a mistake among it, is typer's to read and to refuse.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from console.cli.starting import started
from console.host.place import Host

_SECONDS: Final = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)
_VALUES: Final = frozenset({"--config", "--state-dir", "--for"})
_FLAGS: Final = frozenset({"--headless", "--until-idle", "--accept-clock"})


class Start(NamedTuple):
    """What a plain start is told."""

    config: Path | None = None
    state_dir: Path | None = None
    headless: bool = False
    seconds: float | None = None
    until_idle: bool = False
    accept_clock: bool = False


def plain_start(arguments: Sequence[str]) -> Start | None:
    """What these arguments say of a start; None where they say more, or anything unusual."""
    given: dict[str, str] = {}
    words: Iterator[str] = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name in given or (word != "run" and name not in _VALUES | _FLAGS):
            return None
        if name in _VALUES:
            value = value if equals else next(words, "")
            if not value or value.startswith("-"):
                return None
        elif equals:
            return None
        given[name] = value
    seconds = given.get("--for")
    headless = "--headless" in given
    ends = seconds is not None or "--until-idle" in given
    if (ends and not headless) or (seconds is not None and not _SECONDS.fullmatch(seconds)):
        return None
    return Start(
        config=Path(given["--config"]) if "--config" in given else None,
        state_dir=Path(given["--state-dir"]) if "--state-dir" in given else None,
        headless=headless,
        seconds=None if seconds is None else float(seconds),
        until_idle="--until-idle" in given,
        accept_clock="--accept-clock" in given,
    )


def run(start: Start) -> int:
    """The console, or the engine alone; returns the exit code of INTERFACE."""
    return started(
        Host(start.config, start.state_dir),
        headless=start.headless,
        seconds=start.seconds,
        until_idle=start.until_idle,
        accept_clock=start.accept_clock,
    )
