"""Numbered, reversible steps of the schema of a paper account's book.

The number of the last applied step is the file's `user_version`; 0 is an empty file.
"""

import sqlite3
from typing import Final, NamedTuple


class Migration(NamedTuple):
    """One step, both ways. `obstacle` counts what the way down would lose."""

    number: int
    up: tuple[str, ...]
    down: tuple[str, ...]
    obstacle: str = ""


_STEPS: Final = (
    Migration(
        1,
        up=(
            "CREATE TABLE account (key TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID",
            "CREATE TABLE holdings (symbol TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID",
            "CREATE TABLE quotes (symbol TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID",
            "CREATE TABLE orders (client_order_id TEXT PRIMARY KEY, working INTEGER NOT NULL,"
            " data BLOB NOT NULL) WITHOUT ROWID",
            "CREATE INDEX working_orders ON orders (client_order_id) WHERE working",
            "CREATE TABLE fills (execution_id TEXT PRIMARY KEY, time INTEGER NOT NULL,"
            " data BLOB NOT NULL) WITHOUT ROWID",
            "CREATE INDEX fills_by_time ON fills (time)",
        ),
        down=tuple(
            f"DROP TABLE {name}" for name in ("account", "holdings", "quotes", "orders", "fills")
        ),
    ),
    # Cash by currency. The first version knew one balance, which was in dollars.
    Migration(
        2,
        up=(
            "CREATE TABLE balances (currency TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID",
            "INSERT INTO balances SELECT 'USD', data FROM account WHERE key = 'balance'",
            "UPDATE account SET key = 'currency', data = CAST('USD' AS BLOB) WHERE key = 'balance'",
            "UPDATE holdings SET data ="
            " CAST(json_set(CAST(data AS TEXT), '$.currency', 'USD') AS BLOB)",
        ),
        down=(
            "DELETE FROM account WHERE key = 'currency'",
            "INSERT INTO account SELECT 'balance', data FROM balances",
            "DROP TABLE balances",
            "UPDATE holdings SET data ="
            " CAST(json_remove(CAST(data AS TEXT), '$.currency') AS BLOB)",
        ),
        obstacle="SELECT count(*) FROM balances WHERE currency <> 'USD'",
    ),
    # A fill names its account by that word. A quote inside a text of JSON is escaped, so that only
    # keys are found.
    Migration(
        3,
        up=(
            "UPDATE fills SET data ="
            """ CAST(replace(CAST(data AS TEXT), '"broker":', '"account":') AS BLOB)""",
        ),
        down=(
            "UPDATE fills SET data ="
            """ CAST(replace(CAST(data AS TEXT), '"account":', '"broker":') AS BLOB)""",
        ),
    ),
)

VERSION: Final = _STEPS[-1].number
"""The schema that this program writes."""


def version(connection: sqlite3.Connection) -> int:
    """The number of the last applied step."""
    number: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return number


def migrate(connection: sqlite3.Connection, target: int = VERSION) -> None:
    """Go up or down to `target` in one transaction; 0 removes everything.

    The connection must not be in a transaction. Raises ValueError for a number that is no step and
    for a way down that would lose money in another currency, sqlite3.Error when a step fails; the
    file is then as it was.
    """
    numbers = (0, *(step.number for step in _STEPS))
    if target not in numbers:
        raise ValueError(f"a book of version {target} does not exist: {numbers} are known")
    connection.execute("BEGIN EXCLUSIVE")
    try:
        current = version(connection)
        for step in _STEPS:
            if current < step.number <= target:
                _run(connection, step.up)
        for step in reversed(_STEPS):
            if target < step.number <= current:
                if step.obstacle and connection.execute(step.obstacle).fetchone()[0]:
                    raise ValueError(
                        f"a book with money in other currencies than USD cannot go back to "
                        f"version {target}, which knows no other"
                    )
                _run(connection, step.down)
        connection.execute(f"PRAGMA user_version = {target}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _run(connection: sqlite3.Connection, statements: tuple[str, ...]) -> None:
    for statement in statements:
        connection.execute(statement)
