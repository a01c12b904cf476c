"""Whether the files of a journal still stand where they were opened.

SQLite goes on writing into files that were deleted, renamed or replaced under it, and reports every
commit as durable; the next start would not find one of them.
"""

import os
from pathlib import Path
from typing import Final

_LOG: Final = "-wal"

_Identity = tuple[int, int]


class Place:
    """The journal at `path` and its write-ahead log, as they are now; both are open.

    A folder that is renamed takes its files along, and they stand there as before. Raises OSError
    where the folder cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._files = {name: self._look(name) for name in (path.name, path.name + _LOG)}
        self._size = self._bytes()
        """The most that the journal itself held: it only grows, whatever becomes of its log."""

    def fault(self) -> str:
        """One sentence on what is no longer there; "" while everything stands."""
        for name, opened in self._files.items():
            found = self._look(name)
            if opened is not None and found != opened:
                what = "it was deleted or renamed" if found is None else "another file has its name"
                which = "" if name == self._path.name else f": its log {name}"
                return (
                    f"the journal {self._path} was taken away under the engine{which}: {what}; "
                    "nothing that is written there would be found by the next start"
                )
        size = self._bytes()
        if size < self._size:
            return (
                f"the journal {self._path} was taken away under the engine: it was cut from "
                f"{self._size} to {size} bytes; the next start could not read it"
            )
        self._size = size
        return ""

    def moved(self) -> str:
        """One sentence where the folder no longer stands at its name; "" while it does."""
        try:
            found = self._path.parent.stat()
        except OSError:
            found = None
        if found is not None and os.path.samestat(found, os.fstat(self._folder)):
            return ""
        return (
            f"the state folder {self._path.parent} was moved or renamed under the engine"
            f"{self._by_now()}: it goes on there, and the next start at the old name finds nothing "
            "of it; move it back, or stop the engine"
        )

    def _by_now(self) -> str:
        """Where the folder is, as far as the system tells it."""
        try:
            return f", and is {Path(f'/proc/self/fd/{self._folder}').readlink()} by now"
        except OSError:
            return ""

    def close(self) -> None:
        """Let go of the folder."""
        os.close(self._folder)

    def _bytes(self) -> int:
        try:
            return os.stat(self._path.name, dir_fd=self._folder, follow_symlinks=True).st_size
        except OSError:
            return 0

    def _look(self, name: str) -> _Identity | None:
        try:
            found = os.stat(name, dir_fd=self._folder, follow_symlinks=True)
        except OSError:
            return None
        return found.st_dev, found.st_ino
