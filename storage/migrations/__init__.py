"""Numbered, reversible steps of the journal's schema (A-403, X-62).

Each step is a pair of files, `NNN_name.up.sql` and `NNN_name.down.sql`. The number of the last
applied step is the database's `user_version`. The numbering begins at the published name of the
first step.
"""

import re
import sqlite3
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"(\d{3})_(\w+)\.up\.sql")


class Migration(NamedTuple):
    """One step: its number, its name and the SQL both ways."""

    number: int
    name: str
    up: str
    down: str


@lru_cache(maxsize=1)
def steps() -> tuple[Migration, ...]:
    """Every step, in order."""
    folder = Path(__file__).parent  # `importlib.resources` loads much for what a path does
    found = []
    for entry in folder.iterdir():
        match = _NAME.fullmatch(entry.name)
        if match is None:
            continue
        stem = f"{match[1]}_{match[2]}"
        down = folder.joinpath(f"{stem}.down.sql").read_text("utf-8")
        found.append(Migration(int(match[1]), stem, entry.read_text("utf-8"), down))
    return tuple(sorted(found))


LATEST = 142
"""The schema this program writes."""


def version(connection: sqlite3.Connection) -> int:
    """The number of the last applied step; 0 for an empty database."""
    number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return number


def migrate(connection: sqlite3.Connection, target: int) -> None:
    """Go up or down to `target`, one transaction a step; 0 removes everything.

    Raises ValueError for a number that is no step, sqlite3.Error when a step fails: the schema is
    then that of the last step that succeeded.
    """
    numbers = [0, *(step.number for step in steps())]
    if target not in numbers:
        raise ValueError(f"schema {target} does not exist: {numbers} are known")
    current = version(connection)
    for step in steps():
        if current < step.number <= target:
            _run(connection, step.up, step.number)
    for before, step in reversed(list(zip(numbers, steps(), strict=False))):
        if target < step.number <= current:
            _run(connection, step.down, before)


def _run(connection: sqlite3.Connection, sql: str, number: int) -> None:
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{sql}\nPRAGMA user_version={number};\nCOMMIT;")
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise
