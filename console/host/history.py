"""What happened before this console opened, read from the journal once it shows."""

import logging
from pathlib import Path

import msgspec

from engine.domain.event import Record, UnknownEventError, decode
from engine.domain.instant import parse_rfc3339
from storage.errors import JournalError
from storage.reader import Reader

log = logging.getLogger(__name__)


async def recent(journal: Path, limit: int) -> list[Record]:
    """The newest `limit` records, oldest first; fewer where the journal cannot be read."""
    found: list[Record] = []
    try:
        async with Reader(journal) as reader:
            async for row in reader.events(limit=limit):
                event = decode(row["type"], msgspec.json.encode(row["data"]))
                found.append(Record(row["seq"], parse_rfc3339(row["time"]), event))
    except (JournalError, UnknownEventError, msgspec.ValidationError):
        log.warning("the journal's last events are not shown", exc_info=True)
    return found
