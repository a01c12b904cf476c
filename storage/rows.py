"""How a row is written into a queryable table, and how values stand in its columns."""

import sqlite3
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos, rfc3339
from engine.domain.money import plain

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


class Target(NamedTuple):
    """Where projections are written, and whose journal it is: every row carries it (A-405)."""

    cursor: sqlite3.Cursor
    """One for all statements: its last answer is read before the next one is asked."""
    mode: str
    account: str

    def put(
        self, table: str, key: str, columns: dict[str, Any], *, kept: str = "", once: bool = False
    ) -> bool:
        """Insert a row, or write it over the one with the same `key` columns.

        `key` and `kept` are column names separated by commas; an existing row keeps both. With
        `once` an existing row stays as it is. True when a row was written.
        """
        columns |= {"account_id": self.account, "mode": self.mode}
        sql = _upsert(table, tuple(columns), key, kept, once)
        return self.cursor.execute(sql, tuple(columns.values())).rowcount > 0

    def run(self, sql: str, *values: Any) -> sqlite3.Cursor:
        """Execute one statement."""
        return self.cursor.execute(sql, values)


@lru_cache(maxsize=64)
def _upsert(table: str, columns: tuple[str, ...], key: str, kept: str, once: bool) -> str:
    fixed = {*key.split(","), *kept.split(",")}
    names = ", ".join(f'"{name}"' for name in columns)
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in fixed)
    return (
        f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(columns))}) "  # noqa: S608
        f"ON CONFLICT ({key}) DO {'NOTHING' if once else f'UPDATE SET {changed}'}"
    )


def number(value: Decimal | None) -> str | None:
    """A decimal as its plain text; SQLite's own numbers are binary."""
    return None if value is None else plain(value)


def to_json(value: Any) -> str:
    """A value as JSON text, the same on every machine."""
    return _ENCODER.encode(value).decode()


def stamp(at: Nanos) -> str:
    """The instant as RFC 3339 with nine digits of fraction, so that text order is time order."""
    second, fraction = divmod(at, NS_PER_SECOND)
    return f"{rfc3339(second * NS_PER_SECOND)[:-1]}.{fraction:09d}Z"
