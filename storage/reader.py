"""Reading the journal from the loop: aiosqlite, read-only, page by page (INTERFACE `journal`).

Pages keep every read transaction short, so that the write-ahead log of a running engine can be
emptied. Works beside a running engine and without one; a journal that is not there is empty.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import aiosqlite
import msgspec

from engine.domain.events import Record
from engine.domain.instant import LATEST, NS_PER_SECOND, Nanos, parse_rfc3339, rfc3339, to_datetime
from engine.domain.schema import Decoder, UnknownEventError, UpcastError
from engine.state.letters import LETTER_SECONDS
from storage.connection import VERSIONED
from storage.errors import journal_error
from storage.history import unreadable
from storage.rows import stamp
from storage.tail import open_caught_up

Row = dict[str, Any]
"""A row as it is printed: decimals as text, times as RFC 3339 UTC."""

PAGE: Final = 500
LAST: Final = 2**63 - 1

ITER_CHUNK: Final = 64
"""Rows that a cursor of the loop fetches at once."""

_Convert = Callable[[Any], Any]


class _List(NamedTuple):
    """One list: where its rows come from and how each key is made."""

    source: str
    key: str
    """Integer column that orders the rows."""
    time: str
    """Column that since and until look at."""
    time_value: Callable[[Nanos], Any]
    symbol: str
    """SQL that is true for rows of the symbol `:symbol`; empty where a row has none."""
    columns: Mapping[str, str]
    """Printed key to SQL expression."""
    convert: Mapping[str, _Convert]
    where: str = "1"


def _same(names: str) -> dict[str, str]:
    """Keys that are columns of the same name, separated by spaces."""
    return {name: f'"{name}"' for name in names.split()}


def _instant(value: int | None) -> str | None:
    return None if value is None else rfc3339(value)


def _stamp(value: str | None) -> str | None:
    return None if value is None else rfc3339(parse_rfc3339(value))


def _json(value: str | None) -> Any:
    return None if value is None else msgspec.json.decode(value)


def _date(at: Nanos) -> str:
    return to_datetime(at).date().isoformat()


def _unchanged(at: Nanos) -> Nanos:
    return at


_EVENT_SYMBOL: Final = (
    "(:symbol IN (json_extract(data, '$.symbol'), json_extract(data, '$.order.symbol'), "
    "json_extract(data, '$.terms.symbol'), json_extract(data, '$.fill.symbol'), "
    "json_extract(data, '$.signal.ticker'), "
    "json_extract(data, '$.trade.symbol'), json_extract(data, '$.instrument.symbol')) "
    "OR json_extract(data, '$.client_order_id') IN "
    "(SELECT client_order_id FROM orders WHERE symbol = :symbol) "
    "OR json_extract(data, '$.signal_id') IN "
    "(SELECT signal_id FROM signals WHERE symbol = :symbol) "
    "OR EXISTS (SELECT 1 FROM json_each(data, '$.legs') "
    "WHERE json_extract(value, '$.symbol') = :symbol) "
    "OR type = 'SignalsRefused' AND seq IN (SELECT seq FROM signals WHERE symbol = :symbol))"
)

_EVENTS: Final = _List(
    source="events",
    key="seq",
    time="time",
    time_value=_unchanged,
    symbol=_EVENT_SYMBOL,
    columns=_same("seq time type data") | {"hash": "lower(hex(hash))"},
    convert={"time": _instant, "data": _json},
)
_ORDERS: Final = _List(
    source="orders",
    key="seq",
    time="created_at",
    time_value=_unchanged,
    symbol="symbol = :symbol",
    columns=_same(
        "client_order_id venue_order_id intent_id signal_id symbol side type quantity filled "
        "average_price limit_price stop_price time_in_force status purpose broker reject_code "
        "created_at updated_at"
    ),
    convert={"created_at": _instant, "updated_at": _instant},
)
_FILLS: Final = _List(
    source="fills",
    key="seq",
    time="time",
    time_value=_unchanged,
    symbol="symbol = :symbol",
    columns=_same(
        "execution_id client_order_id symbol side quantity price currency commission "
        "commission_currency liquidity broker time"
    )
    # A fill names the currency of its commission where that is another than its own.
    | {"commission_currency": "coalesce(nullif(commission_currency, ''), currency)"},
    convert={"time": _instant},
)
_TRADES: Final = _List(
    source="trade_executions",
    key="id",
    time="entry_time",
    time_value=stamp,
    symbol="ticker = :symbol",
    columns={"symbol": "ticker"}
    | _same("direction instrument_type currency trade_type")
    | {"quantity": "shares"}
    | _same(
        "entry_price exit_price entry_time exit_time exit_reason exit_detail pnl pnl_pct fees "
        "r_multiple mae mfe slippage_bps initial_stop target_price signal_id signal_type timeframe "
        "conviction broker order_id leverage strategy trade_id position_id origin status"
    )
    | {"legs": "legs_json", "metadata": "metadata_json"},
    convert={"entry_time": _stamp, "exit_time": _stamp, "legs": _json, "metadata": _json},
    where="status = 'closed'",
)
_DAILY: Final = _List(
    source="daily_pnl",
    key="id",
    time="date",
    time_value=_date,
    symbol="",
    columns=_same(
        "id date starting_equity ending_equity realized_pnl unrealized_pnl total_trades "
        "winning_trades losing_trades max_drawdown kill_switch_triggered metadata_json account_id "
        "mode fees flows final adjustment"
    ),
    convert={"kill_switch_triggered": bool, "final": bool},
)
_SIGNALS: Final = _List(
    source="signals",
    key="(seq * 1048576 + place)",
    time="time",
    time_value=_unchanged,
    symbol="symbol = :symbol",
    columns=_same(
        "signal_id time symbol outcome stage code measured limit reason client_order_ids"
    ),
    convert={"time": _instant, "client_order_ids": _json},
)
_LETTERS: Final = _List(
    source="dead_letters",
    key="seq",
    time="created_at",
    time_value=_unchanged,
    symbol="symbol = :symbol",
    columns={"id": "letter_id"}
    | _same("client_order_id symbol error created_at action closed_by closed_at")
    | {"order": "order_json", "expires_at": f"created_at + {LETTER_SECONDS * NS_PER_SECOND}"},
    convert={
        "created_at": _instant,
        "closed_at": _instant,
        "order": _json,
        "expires_at": _instant,
    },
)
_OPEN_LETTERS: Final = _LETTERS._replace(where="action IS NULL")
_ALL_TRADES: Final = _TRADES._replace(where="1")


class Reader:
    """The lists of a journal, oldest row first. Close it, or use it with `async with`.

    `since` and `until` are inclusive; `limit` keeps the newest rows. Raises `JournalNewer` and
    `JournalCorrupt` for a file that is not ours to read.
    """

    def __init__(self, journal: Path) -> None:
        self._path = journal
        self._connection: aiosqlite.Connection | None = None
        self._reaches = 0
        """The event that the tables reach as they are read here."""
        self._follows = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    def events(
        self,
        since: Nanos | None = None,
        until: Nanos | None = None,
        symbol: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row]:
        """Everything that happened; `symbol` finds events of its orders and signals too."""
        return self._read(_EVENTS, since, until, symbol, limit)

    def orders(
        self,
        since: Nanos | None = None,
        until: Nanos | None = None,
        symbol: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row]:
        """Orders by when they were made."""
        return self._read(_ORDERS, since, until, symbol, limit)

    def fills(
        self,
        since: Nanos | None = None,
        until: Nanos | None = None,
        symbol: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row]:
        """Executions by the venue's time."""
        return self._read(_FILLS, since, until, symbol, limit)

    def trades(
        self,
        since: Nanos | None = None,
        until: Nanos | None = None,
        symbol: str | None = None,
        limit: int | None = None,
        *,
        unfinished: bool = False,
    ) -> AsyncIterator[Row]:
        """Finished round trips by entry (A-392); with `unfinished` the open ones too (`status`)."""
        return self._read(_ALL_TRADES if unfinished else _TRADES, since, until, symbol, limit)

    def daily(
        self,
        since: Nanos | None = None,
        until: Nanos | None = None,
        symbol: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row]:
        """Accounting days (A-402); a day belongs to no symbol, so that `symbol` changes nothing."""
        return self._read(_DAILY, since, until, symbol, limit)

    def signals(
        self,
        since: Nanos | None = None,
        until: Nanos | None = None,
        symbol: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Row]:
        """Every input and how it ended; `outcome` is null until then."""
        return self._read(_SIGNALS, since, until, symbol, limit)

    def dead_letters(
        self,
        since: Nanos | None = None,
        until: Nanos | None = None,
        symbol: str | None = None,
        limit: int | None = None,
        *,
        closed: bool = False,
    ) -> AsyncIterator[Row]:
        """Decisions that could not be sent; with `closed` those retried or dropped too."""
        return self._read(_LETTERS if closed else _OPEN_LETTERS, since, until, symbol, limit)

    async def newest(self, limit: int, fills: int = 0) -> list[Record]:
        """The newest `limit` events and the newest `fills` fills as records, oldest first.

        Raises `JournalNewer` for an event of a newer program, `JournalCorrupt` for one of an older
        program that cannot be brought up.
        """
        await self._catch_up()
        connection = await self._open()
        if connection is None:
            return []
        version = await self._fetch("PRAGMA user_version", {})
        rows = await self._fetch(
            f"SELECT seq, time, type, {'version' if version[0][0] >= VERSIONED else 1}, data "  # noqa: S608
            "FROM events WHERE seq IN (SELECT seq FROM events ORDER BY seq DESC LIMIT :limit) "
            "OR seq IN (SELECT seq FROM fills ORDER BY seq DESC LIMIT :fills) ORDER BY seq",
            {"limit": limit, "fills": fills},
        )
        decoder = Decoder()
        found = []
        for seq, time, kind, number, data in rows:
            try:
                found.append(Record(seq, time, decoder.decode(kind, number, data, time)))
            except (UnknownEventError, UpcastError) as error:
                raise unreadable(error, seq, str(self._path)) from error
        return found

    async def as_of(self) -> tuple[int, Nanos] | None:
        """The newest event and its time: what the lists know; None for an empty journal."""
        rows = await self._fetch("SELECT seq, time FROM events ORDER BY seq DESC LIMIT 1", {})
        return (rows[0][0], rows[0][1]) if rows else None

    async def outcomes(self) -> dict[str, int]:
        """How many inputs ended in which way: EXECUTED, RESIZED, or the code that ended them."""
        await self._catch_up()
        rows = await self._fetch("SELECT code, sum(inputs) FROM outcomes GROUP BY code", {})
        return dict(rows)

    async def _read(
        self,
        what: _List,
        since: Nanos | None,
        until: Nanos | None,
        symbol: str | None,
        limit: int | None,
    ) -> AsyncIterator[Row]:
        await self._catch_up()
        values: dict[str, Any] = {"page": PAGE, "after": -1, "last": LAST}
        if since is not None or until is not None:
            await self._between(what, values, since, until)
        where = [what.where, f"{what.key} > :after", f"{what.key} <= :last"]
        if since is not None:
            where.append(f"{what.time} >= :since")
        if until is not None:
            where.append(f"{what.time} <= :until")
        if symbol is not None and what.symbol:
            where.append(what.symbol)
            values["symbol"] = symbol
        condition = " AND ".join(where)
        if limit is not None:
            values["after"] = await self._before_newest(what, condition, values, limit)
        columns = ", ".join(what.columns.values())
        sql = (
            f"SELECT {what.key}, {columns} FROM {what.source} "  # noqa: S608  # names of our own
            f"WHERE {condition} ORDER BY {what.key} LIMIT :page"
        )
        names = tuple(what.columns)
        while page := await self._fetch(sql, values):
            for key, *cells in page:
                row = dict(zip(names, cells, strict=True))
                for name, convert in what.convert.items():
                    row[name] = convert(row[name])
                values["after"] = key
                yield row
            if len(page) < PAGE:
                return

    async def _between(
        self, what: _List, values: dict[str, Any], since: Nanos | None, until: Nanos | None
    ) -> None:
        """Narrow the keys by the index on time, so that no page walks over years of rows."""
        values["since"] = what.time_value(0 if since is None else since)
        values["until"] = what.time_value(LATEST if until is None else until)
        rows = await self._fetch(
            f"SELECT min({what.key}), max({what.key}) FROM {what.source} "  # noqa: S608
            f"WHERE {what.time} BETWEEN :since AND :until",
            values,
        )
        if rows and rows[0][0] is not None:
            values["after"], values["last"] = rows[0][0] - 1, rows[0][1]
        else:
            values["last"] = -1

    async def _before_newest(
        self, what: _List, condition: str, values: dict[str, Any], limit: int
    ) -> int:
        """The key below which rows are too old for `limit`."""
        rows = await self._fetch(
            f"SELECT {what.key} FROM {what.source} WHERE {condition} "  # noqa: S608
            f"ORDER BY {what.key} DESC LIMIT 1 OFFSET :skip",
            values | {"skip": max(limit, 0)},
        )
        return int(rows[0][0]) if rows else int(values["after"])

    async def _fetch(self, sql: str, values: dict[str, Any]) -> list[Any]:
        try:
            connection = await self._open()
            if connection is None:
                return []
            return list(await connection.execute_fetchall(sql, values))
        except sqlite3.Error as error:
            raise journal_error(error, str(self._path)) from error

    async def _open(self) -> aiosqlite.Connection | None:
        if self._connection is None and self._path.exists():
            # Opened elsewhere, as it may wait for the writer; from then on it has its own thread.
            opened = await asyncio.to_thread(open_caught_up, self._path)
            self._reaches, self._follows = opened.seq, opened.follows
            self._connection = await aiosqlite.Connection(lambda: opened.connection, ITER_CHUNK)
        return self._connection

    async def _catch_up(self) -> None:
        """Before a list is read: its rows reach the newest event, or the file is opened anew."""
        if self._connection is None:
            return
        ((newest,),) = await self._fetch("SELECT max(seq) FROM head", {})
        if newest is None or newest <= self._reaches:
            return
        if self._follows:
            rows = await self._fetch("SELECT seq FROM watermark", {})
            if rows and rows[0][0] >= newest:
                self._reaches = newest
                return
        await self.close()
