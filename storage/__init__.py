"""The journal on disk: event store, projections, migrations, readers, and the latch as a file."""

from storage.connection import memory_database
from storage.errors import (
    JournalBusy,
    JournalClosed,
    JournalCorrupt,
    JournalError,
    JournalFull,
    JournalGap,
    JournalNewer,
    JournalUnwritable,
)
from storage.journal import Journal
from storage.opening import open_journal

__all__ = [
    "Journal",
    "JournalBusy",
    "JournalClosed",
    "JournalCorrupt",
    "JournalError",
    "JournalFull",
    "JournalGap",
    "JournalNewer",
    "JournalUnwritable",
    "memory_database",
    "open_journal",
]
