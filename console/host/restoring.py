"""The state as a journal tells it: its newest snapshot, and the events after that."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from engine.state.book import STATE_FORMAT, Book
from engine.state.fold import apply
from engine.state.touched import Touched
from storage.journal import Journal
from storage.snapshots import Loaded, load, load_from

NO_SNAPSHOT: Final = -1
"""A format that no snapshot has: the state is folded from the first event."""

VALUES_AT_ONCE: Final = 4_096
"""Values handed over together when rows are made again."""

Heard = Callable[[list[Touched], int], None]
"""Is told, event by event, which values it touched and its number."""


def _unheard(touched: list[Touched], seq: int) -> None:
    """Nobody is told."""


def restored(source: Path | sqlite3.Connection, heard: Heard = _unheard) -> tuple[Book, str]:
    """The book that a journal tells, and one sentence where a snapshot of it was of no use.

    Raises `storage.errors.JournalError` kinds, and UnknownEvent for a newer program's event.
    """
    try:
        return _book_of(_load(source, STATE_FORMAT), heard)
    except msgspec.ValidationError as error:
        # Written before the state had its present shape: the events tell the same, more slowly.
        book, _ = _book_of(_load(source, NO_SNAPSHOT), heard)
        return book, f"the newest snapshot has another shape and was not used: {error}"


def _load(source: Path | sqlite3.Connection, state_format: int) -> Loaded:
    if isinstance(source, Path):
        return load(source, state_format)
    return load_from(source, state_format, where="in memory")


def _book_of(loaded: Loaded, heard: Heard) -> tuple[Book, str]:
    book = Book() if loaded.snapshot is None else Book.restore(loaded.snapshot)
    for record in loaded.records:
        heard(apply(book, record), record.seq)
    return book, loaded.warning


class Behind:
    """Hands over, in pieces, what the events touched whose rows are not in the tables yet."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._values: list[Touched] = []
        self._seq = self._from = journal.watermark

    def __call__(self, touched: list[Touched], seq: int) -> None:
        if seq > self._from:
            self._values += touched
            self._seq = seq
            if len(self._values) >= VALUES_AT_ONCE:
                self.flush()

    def flush(self) -> None:
        """Hand over what is left."""
        if self._seq > self._from:
            self._journal.write_behind(self._values, self._seq)
            self._values, self._from = [], self._seq
