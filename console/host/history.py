"""What happened before this console opened, read from the journal once it shows."""

import logging
from pathlib import Path

import msgspec

from engine.domain.events import Record
from storage.errors import JournalError
from storage.reader import Reader

log = logging.getLogger(__name__)


async def recent(journal: Path, limit: int, fills: int) -> list[Record]:
    """The newest `limit` records and the newest `fills` fills, oldest first.

    None where the journal cannot be read.
    """
    try:
        async with Reader(journal) as reader:
            return await reader.newest(limit, fills)
    except (JournalError, msgspec.ValidationError):
        log.warning("the journal's last events are not shown", exc_info=True)
        return []
