"""How the corpus is read: event rows into a journal, and what a program then says of it.

Everything goes through the doors that users have, the command line and the readers of tables, but
for `beyond_status`, which says what no door shows.
"""

import asyncio
import contextlib
import gzip
import io
import sqlite3
from collections.abc import AsyncIterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from console.cli.program import main
from console.host.restoring import restored
from engine.domain.money import plain
from storage import migrations
from storage import tables as stored
from storage.chain import GENESIS
from storage.connection import APPLICATION_ID
from storage.reader import Reader

SCHEMA: Final = 139
"""The schema of 0.1.0."""

Row = dict[str, Any]


class EventRow(msgspec.Struct):
    """A row of the table `events`; `prev_hash` is the hash of the row before it."""

    seq: int
    time: int
    mode: str
    account: str
    type: str
    data: str
    hash: str


def event_rows(file: Path) -> list[EventRow]:
    """The rows of a `.jsonl.gz`, in order."""
    lines = gzip.decompress(file.read_bytes()).splitlines()
    return [msgspec.json.decode(line, type=EventRow) for line in lines]


def put(rows: list[EventRow], journal: Path) -> None:
    """Make a journal as 0.1.0 left it, with these events and with empty tables."""
    connection = sqlite3.connect(journal, isolation_level=None)
    try:
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        migrations.migrate(connection, SCHEMA)
        connection.execute("BEGIN")
        previous = GENESIS
        for row in rows:
            own = bytes.fromhex(row.hash)
            values = (row.seq, row.time, row.mode, row.account, row.type, row.data, previous, own)
            connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
            previous = own
        connection.execute("INSERT INTO head VALUES (1, ?, ?)", (rows[-1].seq, previous))
        connection.execute("COMMIT")
    finally:
        connection.close()


def rebuild(journal: Path) -> None:
    """Make the tables of a journal again from its events."""
    connection = sqlite3.connect(journal, isolation_level=None)
    try:
        migrations.migrate(connection, migrations.LATEST)
        stored.rebuild(connection)
    finally:
        connection.close()


def tables(journal: Path) -> dict[str, Any]:
    """Every list of the journal as it is printed, and the outcomes that were counted."""
    return asyncio.run(_tables(journal))


async def _tables(journal: Path) -> dict[str, Any]:
    async with Reader(journal) as reader:
        return {
            "orders": await _all(reader.orders()),
            "fills": await _all(reader.fills()),
            "trades": await _all(reader.trades(unfinished=True)),
            "daily": await _all(reader.daily()),
            "signals": await _all(reader.signals()),
            "dead_letters": await _all(reader.dead_letters(closed=True)),
            "open_dead_letters": await _all(reader.dead_letters()),
            "outcomes": await reader.outcomes(),
        }


async def _all(rows: AsyncIterator[Row]) -> list[Row]:
    return [row async for row in rows]


def status(folder: Path) -> Row:
    """`status --json`: none of it depends on when it is asked, if that is minutes later."""
    config = folder / "config.toml"
    config.touch()
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()):
        main(["--config", str(config), "--state-dir", str(folder), "status", "--json"])
    found: Row = msgspec.json.decode(said.getvalue())
    return found


def beyond_status(journal: Path) -> Row:
    """What the state knows and `status` does not say: the one place that reads its values."""
    book, _ = restored(journal)
    data = book.data
    session, kill = data.session, data.accounts["paper"].kill
    return {
        "run_state": book.run_state.value,
        "paused": data.paused,
        "restrictions": {
            cause: {"reason": found.reason, "until": found.until}
            for cause, found in data.restrictions.items()
        },
        "halt": msgspec.to_builtins(data.halt),
        "kill": None if kill is None else {"state": kill.state, "closed": kill.closed},
        "blocked": data.accounts["paper"].blocked,
        "realized": plain(data.realized),
        "commission": plain(data.commission),
        "flows": plain(data.flows),
        "peak_equity": plain(data.peak_equity),
        "loss_streak": data.loss_streak,
        "session": None
        if session is None
        else {
            "date": session.date.isoformat(),
            "starting_equity": plain(session.starting_equity),
            "realized": plain(session.realized),
            "fees": plain(session.fees),
            "flows": plain(session.flows),
            "entries": session.entries,
            "trades": session.trades,
            "wins": session.wins,
            "losses": session.losses,
            "max_drawdown": plain(session.max_drawdown),
        },
        "outcomes": data.outcomes,
        "letters": {
            key: {"symbol": letter.terms.symbol, "quantity": plain(letter.terms.quantity)}
            for key, letter in data.letters.items()
        },
        "instruments": {
            symbol: {"multiplier": plain(known.multiplier), "calendar": known.calendar}
            for symbol, known in data.instruments.items()
        },
        "positions": {
            symbol: {
                "position_id": position.position_id,
                "initial_stop": _number(position.initial_stop),
                "multiplier": plain(position.multiplier),
                "commission": plain(position.commission),
                "signal_id": position.signal_id,
                "protect_attempt": position.protect_attempt,
                "exit_attempt": position.exit_attempt,
                "exiting": None
                if position.exiting is None
                else {"reason": position.exiting.reason, "attempt": position.exiting.attempt},
            }
            for symbol, position in data.accounts["paper"].positions.items()
        },
        "orders": {
            key: {
                "intent_id": order.intent_id,
                "signal_id": order.signal_id,
                "reduce_only": order.reduce_only,
                "reserved": plain(order.reserved),
                "timeout_seconds": order.timeout_seconds,
                "cancel_wanted": order.cancel_wanted,
                "pending_quantity": _number(order.pending and order.pending.quantity),
                "pending_stop": _number(order.pending and order.pending.stop_price),
            }
            for key, order in data.accounts["paper"].orders.items()
        },
        "reserved": {
            symbol: plain(amount) for symbol, amount in book.reservations.by_symbol.items()
        },
    }


def _number(value: Any) -> str | None:
    return None if value is None else plain(value)


def missing(found: Any, expected: Any, path: str = "") -> list[str]:
    """Where `found` lacks or contradicts what is expected; a later version may have added keys."""
    if isinstance(expected, dict) and isinstance(found, dict):
        lacking = [f"{path}.{key} is not there" for key in expected if key not in found]
        both = [key for key in expected if key in found]
        return lacking + [w for k in both for w in missing(found[k], expected[k], f"{path}.{k}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(found, expected, strict=True))
        return [wrong for n, (f, e) in pairs for wrong in missing(f, e, f"{path}[{n}]")]
    return [] if found == expected else [f"{path} is {found!r}, not {expected!r}"]


def expect_what_is_told_now(status: dict[str, Any]) -> None:
    """What 0.1.0 told of its positions where no engine ran, as it is told now.

    It told no price, though the journal knows the last one (fault 8). A target of its own it showed
    to 28 digits; the price that reaches it is the next one on the grid of a cent (A-163). Of the
    orders that did not get through it counted those alone of which nobody knew whether they had
    (C-423): what is counted now is more, and the last of them later.
    """
    del status["resiliency"]["last_failure"], status["resiliency"]["total_failures"]
    for position in status["positions"]:
        assert (position.pop("last"), position.pop("unrealized_pnl")) == (None, None)
        if position["target"] is not None:
            target = Decimal(position["target"])
            if target != round(target, 2):
                rounding = ROUND_CEILING if Decimal(position["quantity"]) > 0 else ROUND_FLOOR
                position["target"] = str(target.quantize(Decimal("0.01"), rounding))
