"""The events of a journal as records, in their order: what a start, a rebuild and a reader fold."""

import sqlite3
from collections.abc import Iterator
from typing import Final

from engine.domain.events import Record
from engine.domain.schema import Decoder, UpcastError
from storage import migrations
from storage.errors import JournalCorrupt, journal_error

FETCH: Final = 1_000

VERSIONED: Final = 140
"""The first schema whose event rows say the version of their data."""


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
    an event that cannot be brought to its newest version, `UnknownEventError` at an event of a
    newer program, `JournalError` kinds where the file cannot be read.
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
                yield Record(seq, time, decoder.decode(kind, version, data))
    except UpcastError as error:
        raise JournalCorrupt(f"event {seq} of the journal {where}: {error}") from error
    except sqlite3.Error as error:
        raise journal_error(error, where) from error
    finally:
        if close:
            connection.close()


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
