"""Keep a journal of 0.1.0 as event rows, and beside them what 0.1.0 says of it."""

import gzip
import json
import sqlite3
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from tests.corpus.reading import EventRow, beyond_status, put, status, tables


def keep(journal: Path, target: Path, name: str, moments: Mapping[str, int]) -> None:
    """Write `NAME.jsonl.gz` and `NAME.expected.json.gz`. `moments` names events by their number."""
    target.mkdir(exist_ok=True)
    connection = sqlite3.connect(journal)
    query = "SELECT seq, time, mode, account, type, data, lower(hex(hash)) FROM events ORDER BY seq"
    rows = [EventRow(*row) for row in connection.execute(query)]
    connection.close()
    lines = "".join(f"{_line(msgspec.to_builtins(row))}\n" for row in rows)
    _pack(target / f"{name}.jsonl.gz", lines)
    told = [
        _part("head", rows[-1].hash),
        *(_part(kind, found) for kind, found in tables(journal).items()),
        _part("moments", [_moment(rows, at, label) for label, at in moments.items()]),
    ]
    _pack(target / f"{name}.expected.json.gz", "{\n" + ",\n".join(told) + "\n}\n")


def _pack(file: Path, text: str) -> None:
    """The same bytes whenever it is written."""
    file.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _moment(rows: list[EventRow], seq: int, label: str) -> dict[str, Any]:
    """What was true after the event of this number."""
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "journal.db"
        put(rows[:seq], journal)
        told = {"status": status(Path(folder)), "beyond_status": beyond_status(journal)}
        return {"name": label, "seq": seq, **told}


def _part(name: str, value: Any) -> str:
    """A key of the document; a list has a line for each of its members."""
    if isinstance(value, list) and value:
        return f'"{name}": [\n' + ",\n".join(map(_line, value)) + "\n]"
    return f'"{name}": {_line(value)}'


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
