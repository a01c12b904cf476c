"""How SQLite is opened: the one writing connection, readers, and the look before either."""

import os
import sqlite3
import stat
from pathlib import Path
from typing import Final
from urllib.parse import quote

from engine.domain.schema import Decoder, UnknownEventError, UpcastError
from storage import migrations
from storage.errors import JournalCorrupt, JournalNewer, JournalUnwritable, journal_error

APPLICATION_ID = 0x4D455244
"""Marks the file as ours in its header (bytes 68 to 71)."""

BUSY_MS = 250
"""How long one statement waits for a foreign lock."""

LOCK_SECONDS = 5.0
"""How long a commit, or the opening, waits for a foreign lock, in seconds, before it has failed: a
database browser that changes a cell is no broken disk."""

CACHE = "cache_size=-8000"
"""Kilobytes of pages kept at hand, so that old rows and long indexes cost a commit nothing."""

HEADER_BYTES = 100

VERSIONED: Final = 140
"""The first schema whose event rows say the version of their data."""


def open_writer(path: Path) -> sqlite3.Connection:
    """The writing connection to the journal at `path`, created and migrated as needed.

    Durable per commit (WAL, synchronous=FULL); checkpoints are left to the writer's idle time.
    Raises `JournalNewer` and `JournalCorrupt` before anything is touched, `JournalError` kinds
    when the file cannot be made or opened.
    """
    refuse_foreign(path)
    try:
        _create(path)
        connection = sqlite3.connect(
            path, timeout=LOCK_SECONDS, isolation_level=None, check_same_thread=False
        )
    except (OSError, sqlite3.Error) as error:
        raise journal_error(error, str(path)) from error
    try:
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        if mode != "wal":
            raise JournalUnwritable(
                f"the journal {path} cannot be kept here: this file system gives no shared "
                f"memory for a write-ahead log (SQLite answered {mode}); use a local disk"
            )
        for pragma in ("synchronous=FULL", "fullfsync=ON", "wal_autocheckpoint=0", CACHE):
            connection.execute(f"PRAGMA {pragma}")
        prepare(connection, str(path))
        # The version reaches the header, where `refuse_foreign` of an older program sees it.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
    except sqlite3.Error as error:
        connection.close()
        raise journal_error(error, str(path)) from error
    except BaseException:
        connection.close()
        raise
    return connection


def memory_database() -> sqlite3.Connection:
    """A database in memory, for simulator runs: it outlives the journals opened on it."""
    return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)


def prepare(connection: sqlite3.Connection, where: str) -> None:
    """Bring an open database to this program's schema. Raises `JournalNewer` instead."""
    connection.execute("PRAGMA trusted_schema=OFF")
    connection.execute("PRAGMA temp_store=MEMORY")
    if connection.in_transaction:
        connection.rollback()
    _refuse_version(migrations.version(connection), where)
    _refuse_unreadable(connection, where)
    if migrations.version(connection) < migrations.LATEST:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        migrations.migrate(connection, migrations.LATEST)


def open_reader(path: Path, *, check_same_thread: bool = True) -> sqlite3.Connection:
    """A read-only connection. Raises `JournalNewer`, or `JournalCorrupt` for what is no journal."""
    refuse_foreign(path)
    try:
        connection = sqlite3.connect(
            read_only_uri(path),
            uri=True,
            timeout=BUSY_MS / 1000,
            check_same_thread=check_same_thread,
        )
    except sqlite3.Error as error:
        raise journal_error(error, str(path)) from error
    connection.execute("PRAGMA trusted_schema=OFF")
    return connection


def read_only_uri(path: Path) -> str:
    """The address that opens `path` without the right to write, whatever bytes its name has."""
    return f"file:{quote(os.fsencode(path))}?mode=ro"


def refuse_foreign(path: Path) -> None:
    """Raise if `path` is not ours to open: written by a newer program, or no journal at all.

    A cleanly closed file is judged by its header alone, so that nothing is left behind. Where a
    write-ahead log lies beside it SQLite is asked, read-only: the log may hold the newer version,
    and this process may have the file open, whose locks would go with any other handle to it
    (sqlite.org/howtocorrupt, 2.2). Nothing but a plain file is opened: a pipe would be waited for.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise JournalCorrupt(f"{path} is not a journal: it is no plain file; move it away")
    except FileNotFoundError:
        return
    except OSError as error:
        raise journal_error(error, str(path)) from error
    if path.with_name(path.name + "-wal").exists():
        version, application = _ask(path)
    else:
        try:
            with path.open("rb") as file:
                header = file.read(HEADER_BYTES)
        except FileNotFoundError:
            return
        except OSError as error:
            raise journal_error(error, str(path)) from error
        if not header:
            return
        if len(header) < HEADER_BYTES or not header.startswith(b"SQLite format 3\x00"):
            raise JournalCorrupt(f"{path} is not a journal: it is not an SQLite file; move it away")
        version, application = _number(header, 60), _number(header, 68)
    _refuse_version(version, str(path))
    if application not in (0, APPLICATION_ID) or (version and not application):
        raise JournalCorrupt(
            f"{path} is not a journal: it is the SQLite file of another program; move it away"
        )


def _ask(path: Path) -> tuple[int, int]:
    try:
        connection = sqlite3.connect(read_only_uri(path), uri=True, timeout=BUSY_MS / 1000)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            application = connection.execute("PRAGMA application_id").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise journal_error(error, str(path)) from error
    return version, application


def _refuse_version(version: int, where: str) -> None:
    if version > migrations.LATEST:
        raise JournalNewer(
            f"the journal {where} has schema {version} and this program knows up to "
            f"{migrations.LATEST}: it was written by a newer program and is left untouched"
        )


def _number(header: bytes, offset: int) -> int:
    return int.from_bytes(header[offset : offset + 4], "big")


def _create(path: Path) -> None:
    """Make the file, readable by its owner only; SQLite gives its log the same mode."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    sync_folder(path.parent)


def write_durably(handle: int, data: bytes) -> None:
    """Write all of `data` to a descriptor, and have it on the disk when this returns.

    Raises OSError, also where the disk took a part of it: whoever made the file removes it then.
    """
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]
    os.fsync(handle)


def sync_folder(folder: Path) -> None:
    """Make names that were created, renamed or removed in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _refuse_unreadable(connection: sqlite3.Connection, where: str) -> None:
    """An event of 0.1.0 that cannot be brought up is told before the journal is migrated.

    The older program can then still open it. Later schemas keep the version of each event.
    """
    if not 0 < migrations.version(connection) < VERSIONED:
        return
    decoder = Decoder()
    rows = connection.execute("SELECT seq, type, data FROM events ORDER BY seq")
    for seq, kind, data in rows:
        try:
            decoder.decode(kind, 1, data)
        except (UnknownEventError, UpcastError) as error:
            newer = isinstance(error, UnknownEventError)
            raise (JournalNewer if newer else JournalCorrupt)(
                f"event {seq} of the journal {where}: {error}; the journal is left as it was"
            ) from error
