"""The events of a journal as records, in their order: what a start, a rebuild and a reader fold."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from engine.domain.events import Record
from engine.domain.instant import Nanos
from engine.domain.schema import Decoder, UnknownEventError, UpcastError
from storage import migrations
from storage.connection import VERSIONED, open_reader
from storage.errors import JournalCorrupt, JournalError, JournalNewer, journal_error

FETCH: Final = 1_000


def version_column(connection: sqlite3.Connection) -> str:
    """SQL for the version of an event row: those of 0.1.0 are of version 1 and do not say so."""
    return "version" if migrations.version(connection) >= VERSIONED else "1"


def records(
    connection: sqlite3.Connection,
    after: int,
    where: str,
    *,
    until: int | None = None,
    close: bool = False,
) -> Iterator[Record]:
    """Every event with `after` < seq <= `until`, read and decoded as it is asked for.

    The connection is closed with the iterator if `close`. Raises `JournalCorrupt` at a gap and for
    an event that cannot be brought to its newest version, `JournalNewer` at an event of a newer
    program, other `JournalError` kinds where the file cannot be read.
    """
    expected = after + 1
    seq = after
    try:
        decoder = Decoder(_account_before(connection, after))
        cursor = connection.execute(
            f"SELECT seq, time, type, {version_column(connection)}, data FROM events "  # noqa: S608
            "WHERE seq > ? AND seq <= ? ORDER BY seq",
            (after, 2**63 - 1 if until is None else until),
        )
        while page := cursor.fetchmany(FETCH):
            for seq, time, kind, version, data in page:
                if seq != expected:
                    raise JournalCorrupt(
                        f"the journal {where} is damaged: event {expected} is missing"
                    )
                expected += 1
                yield Record(seq, time, decoder.decode(kind, version, data, time))
    except (UnknownEventError, UpcastError) as error:
        raise unreadable(error, seq, where) from error
    except sqlite3.Error as error:
        raise journal_error(error, where) from error
    finally:
        if close:
            connection.close()


def modes(journal: Path) -> frozenset[str]:
    """The modes that the rows of a journal were written in. Raises `JournalError` kinds."""
    try:
        with closing(open_reader(journal)) as connection:
            if not migrations.version(connection):
                return frozenset()
            rows = connection.execute("SELECT DISTINCT mode FROM events").fetchall()
    except sqlite3.Error as error:
        raise journal_error(error, str(journal)) from error
    return frozenset(mode for (mode,) in rows)


class Until(NamedTuple):
    """What a journal had written by a moment."""

    records: Iterator[Record]
    """From the first event to the last of those whose time had come, read as it is asked for."""
    first: Nanos | None
    """The time of the journal's first event; None where it has none."""
    last: Nanos | None
    """The time of the last of `records`; None where there is none."""
    newest: bool
    """True when nothing was written after them."""


def load_until(journal: Path, until: Nanos) -> Until:
    """The events of a journal on disk up to the last one, by seq, whose time is `until` or before.

    No snapshot is used and nothing is written; an engine may go on writing meanwhile. A missing
    journal has no events. Raises `JournalError` kinds for a file that cannot be read; the iterator
    raises `JournalCorrupt` at a gap and `JournalNewer` at an event of a newer program.
    """
    if not journal.exists():
        return Until(iter(()), None, None, newest=True)
    where = str(journal)
    connection = open_reader(journal)
    try:
        first = connection.execute("SELECT time FROM events ORDER BY seq LIMIT 1").fetchone()
        last = connection.execute(
            "SELECT seq, time FROM events WHERE time <= ? ORDER BY seq DESC LIMIT 1", (until,)
        ).fetchone()
        (newest,) = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
    except sqlite3.Error as error:
        connection.close()
        raise journal_error(error, where) from error
    if first is None or last is None:
        connection.close()
        return Until(iter(()), None if first is None else first[0], None, newest=False)
    found = records(connection, 0, where, until=last[0], close=True)
    return Until(found, first[0], last[1], newest=last[0] == newest)


def unreadable(error: UnknownEventError | UpcastError, seq: int, where: str) -> JournalError:
    """What keeps event `seq` from being read, as an error of the journal."""
    kind = JournalNewer if isinstance(error, UnknownEventError) else JournalCorrupt
    return kind(f"event {seq} of the journal {where}: {error}")


def _account_before(connection: sqlite3.Connection, seq: int) -> str:
    """The account of the last start up to `seq`; only events of version 1 do not say their own."""
    version = version_column(connection)
    row = connection.execute(
        f"SELECT {version}, data FROM events "  # noqa: S608  # a name of our own
        "WHERE type = 'EngineStarted' AND seq <= ? ORDER BY seq DESC LIMIT 1",
        (seq,),
    ).fetchone()
    if row is None:
        return ""
    decoder = Decoder()
    decoder.decode("EngineStarted", row[0], row[1])
    return decoder.account
