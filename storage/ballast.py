"""A file that only takes up space, so that a full disk has room for the last words."""

import os
from pathlib import Path
from typing import Self

from storage.connection import sync_folder, write_durably

BALLAST_BYTES = 1_000_000


class Ballast:
    """Space kept in reserve beside the journal; released once when the disk is full."""

    def __init__(self, path: Path, size: int = BALLAST_BYTES) -> None:
        self._path = path
        self._size = size

    @classmethod
    def beside(cls, journal: Path) -> Self:
        """The reserve of the journal in that file."""
        return cls(journal.with_name(f"{journal.name}.ballast"))

    @property
    def held(self) -> bool:
        """True while the reserve is whole."""
        try:
            return self._path.stat().st_size >= self._size
        except OSError:  # absent or unreachable: there is no reserve
            return False

    def reserve(self) -> None:
        """Take the space if it is not held yet. Raises OSError when there is none."""
        if self.held:
            return
        handle = os.open(
            self._path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK | os.O_CLOEXEC, 0o600
        )
        try:
            # Written, not only promised: a sparse file would reserve nothing.
            write_durably(handle, bytes(self._size))
        except OSError:
            self._path.unlink()  # the rest of a nearly full disk is for events
            raise
        finally:
            os.close(handle)
        sync_folder(self._path.parent)

    def release(self) -> bool:
        """Give the space back; False when there was nothing to give. Raises OSError otherwise."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        sync_folder(self._path.parent)
        return True
