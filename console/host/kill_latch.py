"""The latch of a kill from outside: set first, with as little loaded as can be (X-52, U-71)."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from console.host.output import warn
from engine.domain.run import Flatten, Halt, Level, Trigger
from engine.domain.text import clean_text
from engine.ports import LatchError
from storage.latch import FileLatch


class KillLatch:
    """The latch of a kill: the file, and in memory what the file has no room for.

    An engine that starts with it kills, whatever could be written (`engine.ports.Latch`).
    """

    def __init__(self, file: FileLatch, halt: Halt) -> None:
        """Sets nothing yet; `halt` is what is asked for."""
        self._file = file
        self.halt = halt
        self._told = ""
        """Why it could not be written, as it was told last."""
        self.written = False
        """Whether the file stood when it was set last, with its details or without."""

    def raise_to(self, halt: Halt) -> None:
        """Go at least as far as `halt`; tells a person where the file cannot be written."""
        try:
            self.set(self.read().raised_by(halt))
        except LatchError as error:
            if str(error) != self._told:
                warn(str(error))
            self._told = str(error)
            self.written = self._stands()

    def _stands(self) -> bool:
        """Whether there is a file, with its details or without."""
        try:
            return self._file.read() is not None
        except LatchError:
            return False

    def set(self, halt: Halt) -> None:
        """Keep it, and write the file. Raises LatchError where that cannot be.

        Where a full disk takes no more than its name, which halts already, the space that the
        journal keeps in reserve is given back for the reason, who and when.
        """
        self.halt = halt
        self._file.set(halt)
        self.written = True
        if self._file.lacks_room and _room_made(self._file.path.parent):
            self._file.set(halt)

    def read(self) -> Halt:
        """What stands in the file, and at least what is asked for."""
        standing = self._file.read()
        return self.halt if standing is None else standing.raised_by(self.halt)

    def clear(self, epoch: int) -> None:
        """Remove the file as FileLatch does; what is kept in memory stays."""
        self._file.clear(epoch)


def _room_made(folder: Path) -> bool:
    """Whether a state folder held space in reserve, which is given back now."""
    from console.host.wiring import JOURNAL
    from storage.ballast import Ballast

    try:
        return Ballast.beside(folder / JOURNAL).release()
    except OSError:  # it stays as it is, and so does the latch: its name alone halts
        return False


def latched(folder: Path, args: Mapping[str, Any]) -> KillLatch:
    """The latch of a state folder, set as far as is known without the config.

    What it closes is raised later, where `args`, those of KillArgs, do not say it.
    """
    asked = args.get("flatten")
    latch = KillLatch(
        FileLatch(folder),
        Halt(
            reason=clean_text(str(args.get("reason", ""))) or "operator",
            at=time.time_ns(),
            by=clean_text(str(args.get("by", "")), 64),
            level=Level.KILL,
            trigger=Trigger.MANUAL,
            flatten=Flatten.NONE if asked is None else Flatten(asked),
            epoch=0,
        ),
    )
    latch.raise_to(latch.halt)
    return latch
