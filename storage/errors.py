"""What can keep the journal from being written or read, each with one sentence for a person."""
# ruff: noqa: N818  # named for what is wrong, which a reader needs more than the suffix

import errno
import sqlite3


class JournalError(Exception):
    """Base of everything the journal raises."""


class JournalFull(JournalError):
    """No space is left on the disk, or a quota is used up."""


class JournalBusy(JournalError):
    """Another process holds the write lock: there is a second writer."""


class JournalUnwritable(JournalError):
    """The disk or the file system refused a write, or the file became read-only."""


class JournalCorrupt(JournalError):
    """The file is damaged, or is not a journal."""


class JournalNewer(JournalError):
    """A newer program wrote this journal; it is left as it is."""


class JournalClosed(JournalError):
    """The journal was closed before these records were handed in."""


class JournalGap(JournalError):
    """A record does not follow the one before it: a defect of the caller, nothing is written."""


_SQLITE: dict[int, type[JournalError]] = {
    sqlite3.SQLITE_FULL: JournalFull,
    sqlite3.SQLITE_BUSY: JournalBusy,
    sqlite3.SQLITE_LOCKED: JournalBusy,
    sqlite3.SQLITE_IOERR: JournalUnwritable,
    sqlite3.SQLITE_READONLY: JournalUnwritable,
    sqlite3.SQLITE_CANTOPEN: JournalUnwritable,
    sqlite3.SQLITE_PERM: JournalUnwritable,
    sqlite3.SQLITE_CORRUPT: JournalCorrupt,
    sqlite3.SQLITE_NOTADB: JournalCorrupt,
}
_FULL_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT})


def journal_error(error: BaseException, where: str) -> JournalError:
    """The typed error that `error` stands for, with a sentence naming the journal at `where`."""
    if isinstance(error, JournalError):
        return error
    kind: type[JournalError] = JournalError
    if isinstance(error, sqlite3.Error):
        # The low byte is the primary code, the rest says more of the same (sqlite.org/rescode).
        kind = _SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, JournalError)
    elif isinstance(error, OSError):
        kind = JournalFull if error.errno in _FULL_ERRNOS else JournalUnwritable
    typed = kind(f"the journal {where} cannot be used: {error}")
    typed.__cause__ = error
    return typed


def is_content_error(error: Exception) -> bool:
    """True when a statement failed because of what it was given, not because of the disk."""
    if isinstance(error, sqlite3.Error):
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) not in _SQLITE
    return not isinstance(error, OSError | MemoryError)
