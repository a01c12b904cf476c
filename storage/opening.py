"""Opens the journal: its connection, the space held in reserve, and where its files stand."""

import sqlite3
from pathlib import Path

from engine.domain.run import Mode
from storage.ballast import Ballast
from storage.connection import open_writer, prepare
from storage.errors import journal_error
from storage.journal import Journal
from storage.place import Place
from storage.writer import Hook, Writer


def open_journal(
    source: Path | sqlite3.Connection,
    *,
    inline: bool = False,
    gathers: bool = False,
    mode: Mode = Mode.PAPER,
    engine: str = "",
    state_format: int = 1,
    before_commit: Hook | None = None,
    after_commit: Hook | None = None,
) -> Journal:
    """Open the journal at a path, or on `storage.memory_database()` (inline only).

    `mode` and `engine`, the program's version, are columns of every row; `state_format` is the
    version of the snapshots this program can restore. The hooks are called around each commit and
    may raise: a full disk, or a crash on either side. A database in memory outlives the journal,
    so that another one can be opened on it as after a crash. With `gathers`, for one in memory,
    what is appended waits for up to `GATHERED` records, for `digest` and for `close`.

    Raises `JournalNewer` for a newer program's journal, untouched; `JournalCorrupt` for a file
    that is not a journal; other `JournalError` kinds where it cannot be opened; ValueError for
    memory without `inline`, and for a file that would gather.
    """
    ballast = None
    trouble = ""
    if gathers and isinstance(source, Path):
        raise ValueError("a journal on disk keeps nothing back: every append is to be durable")
    if isinstance(source, Path):
        connection = open_writer(source)
        ballast = Ballast.beside(source)
        try:
            ballast.reserve()
        except OSError as error:
            # A disk that is nearly full still takes events; the reserve comes with the next start.
            trouble = f"no space is held in reserve beside {source}: {error}"
    elif inline:
        connection = source
        prepare(connection, "in memory")
    else:
        raise ValueError("a journal in memory is inline: threads cannot share it")
    writer = Writer(
        connection,
        str(source) if isinstance(source, Path) else "in memory",
        mode=mode.value,
        engine=engine,
        before_commit=before_commit,
        after_commit=after_commit,
        place=_place(source),
    )
    return Journal(
        writer,
        inline=inline,
        gathers=gathers,
        ballast=ballast,
        state_format=state_format,
        source=source,
        trouble=trouble,
    )


def _place(source: Path | sqlite3.Connection) -> Place | None:
    """Where the files stand. Raises JournalError where that cannot be seen."""
    if not isinstance(source, Path):
        return None
    try:
        return Place(source)
    except OSError as error:
        raise journal_error(error, str(source)) from error
