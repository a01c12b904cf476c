"""The paper account's book on disk, as a real venue would keep it (U-62, C-154).

One SQLite file with one writing connection. What an operation changes is collected and committed
together; the venue reports nothing before it is durable. With a writer thread, all that waits is
committed in one group, so that a slow disk costs latency and never the loop. In virtual time the
commit runs inline, on a file or in memory.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal, NamedTuple

import msgspec

from brokers.paper import schema
from brokers.paper.account import Balance, Holding
from brokers.paper.matching import PaperOrder
from brokers.paper.settlement import EXPIRY
from engine.domain.instant import Nanos
from engine.domain.market import Quote
from engine.domain.order import Fill

BUSY_SECONDS = 1.0
"""How long a file that somebody else holds is waited for."""
RETRY_SECONDS = 1.0
"""How long the writer waits before it tries a failed commit again."""

_IDS_KEPT: Final = 4096
"""So many client ids, twice, are known without a look at the file."""

Wait = Literal["thread", "inline"]


class BookError(Exception):
    """The book cannot be opened, read or written; the text says which file and why."""


class Contents(msgspec.Struct, kw_only=True):
    """What a book holds when it is opened."""

    currency: str
    """The account's own; empty in a new book."""
    balances: dict[str, Balance]
    """By currency."""
    sequence: int
    """Number of the newest order."""
    holdings: dict[str, Holding]
    orders: list[PaperOrder]
    """Those that work, oldest first."""
    quotes: dict[str, Quote]


class Summary(NamedTuple):
    """How much a book holds."""

    holdings: int
    orders: int
    """Those that work."""


def summary(path: Path) -> Summary:
    """What the book at `path` holds, as it lies there: nothing is migrated, written or made.

    Nobody may be writing it. Raises BookError for a file that is not there or is no book, and for
    the book of a newer program.
    """
    address = f"{path.absolute().as_uri()}?mode=ro"
    if not path.with_name(f"{path.name}-wal").exists():
        # Without it a reader leaves a log of its own beside a file that has none.
        address += "&immutable=1"
    try:
        connection = sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS)
        try:
            _refuse_newer(connection, f"the paper book {path}")
            (holdings,) = connection.execute("SELECT count(*) FROM holdings").fetchone()
            query = "SELECT count(*) FROM orders WHERE working"
            (orders,) = connection.execute(query).fetchone()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise BookError(f"the paper book {path} cannot be read: {error}") from error
    return Summary(holdings, orders)


def _refuse_newer(connection: sqlite3.Connection, title: str) -> int:
    """The book's version. Raises BookError for one that a newer program wrote."""
    found = schema.version(connection)
    if found > schema.VERSION:
        raise BookError(
            f"{title} was written by a newer version of this program "
            f"(its format is {found}, this program writes {schema.VERSION})"
        )
    return found


class _Batch:
    """What belongs into one commit; the newest state of a thing replaces an older one."""

    __slots__ = ("account", "balances", "fills", "holdings", "orders", "quotes", "tickets")

    def __init__(self) -> None:
        self.account: dict[str, bytes] = {}
        self.balances: dict[str, bytes] = {}
        self.holdings: dict[str, bytes | None] = {}
        self.quotes: dict[str, bytes] = {}
        self.orders: dict[str, tuple[str, bool, bytes]] = {}
        self.fills: list[tuple[str, Nanos, bytes]] = []
        self.tickets = 0
        """How many commits of the venue are in it."""

    def merge(self, newer: "_Batch") -> None:
        self.account |= newer.account
        self.balances |= newer.balances
        self.holdings |= newer.holdings
        self.quotes |= newer.quotes
        self.orders |= newer.orders
        self.fills += newer.fills
        self.tickets += newer.tickets

    def write(self, connection: sqlite3.Connection) -> None:
        """Write all of it in one transaction. Raises sqlite3.Error and leaves nothing."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            kept = [(symbol, data) for symbol, data in self.holdings.items() if data is not None]
            gone = [(symbol,) for symbol, data in self.holdings.items() if data is None]
            for statement, rows in (
                ("INSERT OR REPLACE INTO account VALUES (?, ?)", self.account.items()),
                ("INSERT OR REPLACE INTO balances VALUES (?, ?)", self.balances.items()),
                ("INSERT OR REPLACE INTO quotes VALUES (?, ?)", self.quotes.items()),
                ("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", self.orders.values()),
                ("INSERT OR IGNORE INTO fills VALUES (?, ?, ?)", self.fills),
                ("INSERT OR REPLACE INTO holdings VALUES (?, ?)", kept),
                ("DELETE FROM holdings WHERE symbol = ?", gone),
            ):
                if rows:
                    connection.executemany(statement, rows)
            connection.execute("COMMIT")
        except sqlite3.Error:
            # A full disk may have ended the transaction already.
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            raise


class PaperBook:
    """Open with `PaperBook(path)`, or without a path for one that lives in memory.

    `wait` says where commits run: in a writer thread ("thread", needs a running loop and a file)
    or in the caller ("inline"). `on_change` is called on the loop after each commit and each
    failure. Raises BookError.
    """

    def __init__(self, path: Path | None = None, *, wait: Wait = "inline") -> None:
        if path is None and wait == "thread":
            raise BookError("a paper book in memory cannot have a writer thread: only inline")
        self.path = path
        self.on_change: Callable[[], None] = lambda: None
        self.failure = ""
        """Why the newest commit failed; empty while the book can be written."""
        self.durable = 0
        """Ticket of the newest commit that is durable."""
        self.dirty = False
        """Whether something was put since the last commit."""
        self._tickets = 0
        self._open = _Batch()
        self._flying: deque[_Batch] = deque()
        self._unsent: list[_Batch] = []
        """What was committed since the loop last came round: one wake of the writer for all."""
        self._pending: dict[str, tuple[int, bytes]] = {}
        """Orders that are not durable yet, with the ticket of their newest state."""
        self._newer: set[str] = set()
        """Ids put lately, and those before them: every other id ever used is `_floor` or below."""
        self._older: set[str] = set()
        self._orders = msgspec.json.Decoder(PaperOrder)
        self._fills = msgspec.json.Decoder(Fill)
        self._encode = msgspec.json.Encoder().encode
        self._writer = self._connect()
        self._floor = self._newest_id()
        self._reader = self._writer
        self._thread: threading.Thread | None = None
        if wait == "thread":
            self._reader = self._open_file(readonly=True)
            self._loop = asyncio.get_running_loop()
            self._queue: queue.SimpleQueue[_Batch | None] = queue.SimpleQueue()
            self._thread = threading.Thread(target=self._run, name="paper-book", daemon=True)
            self._thread.start()

    # Reading.

    def load(self) -> Contents:
        """Everything a venue needs to go on from where the book stands. Raises BookError."""
        try:
            account = dict(self._reader.execute("SELECT key, data FROM account"))
            balances = self._reader.execute("SELECT currency, data FROM balances")
            working = "SELECT data FROM orders WHERE working"
            orders = [self._orders.decode(row[0]) for row in self._reader.execute(working)]
            holdings = self._reader.execute("SELECT symbol, data FROM holdings")
            quotes = self._reader.execute("SELECT symbol, data FROM quotes")
            return Contents(
                currency=str(account.get("currency", b""), "ascii"),
                balances={c: msgspec.json.decode(data, type=Balance) for c, data in balances},
                sequence=int(account.get("sequence", b"0")),
                orders=sorted(orders, key=lambda order: order.sequence),
                holdings={s: msgspec.json.decode(data, type=Holding) for s, data in holdings},
                quotes={s: msgspec.json.decode(data, type=Quote) for s, data in quotes},
            )
        except (sqlite3.Error, msgspec.DecodeError, ValueError) as error:
            raise BookError(f"{self.title} cannot be read: {error}") from error

    def order(self, client_order_id: str) -> PaperOrder | None:
        """An order of any age; None for an id that was never used."""
        pending = self._pending.get(client_order_id)
        if pending is not None:
            return self._orders.decode(pending[1])
        query = "SELECT data FROM orders WHERE client_order_id = ?"
        row = self._reader.execute(query, (client_order_id,)).fetchone()
        return None if row is None else self._orders.decode(row[0])

    def is_unused(self, client_order_id: str) -> bool:
        """True for an id that was certainly never used; False says no more than: look it up.

        Ids that grow with time are above every id that has left memory, which spares the look.
        """
        return client_order_id > self._floor and not (
            client_order_id in self._newer or client_order_id in self._older
        )

    def fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """Executions at or after `since`, oldest first."""
        query = "SELECT execution_id, time, data FROM fills WHERE time >= ?"
        found = {row[0]: (row[1], row[2]) for row in self._reader.execute(query, (since,))}
        for batch in (*self._flying, self._open):
            for execution_id, time, data in batch.fills:
                if time >= since:
                    found[execution_id] = (time, data)
        fills = [self._fills.decode(data) for _, data in found.values()]
        return tuple(sorted(fills, key=lambda fill: (fill.time, _number(fill.execution_id))))

    # Writing.

    def put_currency(self, currency: str) -> None:
        self._open.account["currency"] = currency.encode("ascii")
        self.dirty = True

    def put_sequence(self, sequence: int) -> None:
        self._open.account["sequence"] = b"%d" % sequence
        self.dirty = True

    def put_balance(self, currency: str, balance: Balance) -> None:
        self._open.balances[currency] = self._encode(balance)
        self.dirty = True

    def put_holding(self, symbol: str, holding: Holding | None) -> None:
        self._open.holdings[symbol] = None if holding is None else self._encode(holding)
        self.dirty = True

    def put_order(self, order: PaperOrder) -> None:
        data = self._encode(order)
        self._open.orders[order.client_order_id] = (order.client_order_id, order.is_working, data)
        self._pending[order.client_order_id] = (self._tickets + 1, data)
        self._newer.add(order.client_order_id)
        if len(self._newer) >= _IDS_KEPT:
            self._floor = max(self._floor, *self._older, "")
            self._older, self._newer = self._newer, set()
        self.dirty = True

    def put_fill(self, fill: Fill) -> None:
        self._open.fills.append((fill.execution_id, fill.time, self._encode(fill)))
        self.dirty = True

    def put_quote(self, quote: Quote) -> None:
        self._open.quotes[quote.symbol] = self._encode(quote)
        self.dirty = True

    @property
    def next_ticket(self) -> int:
        """The ticket of the commit that what is put now will be part of."""
        return self._tickets + 1

    def commit(self) -> int:
        """Hand over what was put. Returns its ticket: durable once `durable` has reached it."""
        if not self.dirty:
            return self._tickets
        batch, self._open, self.dirty = self._open, _Batch(), False
        self._tickets += 1
        batch.tickets = 1
        self._flying.append(batch)
        if self._thread is not None:
            self._unsent.append(batch)
            if len(self._unsent) == 1:
                self._loop.call_soon(self._hand_over)
        else:
            self._write_inline()
        return self._tickets

    def close(self) -> None:
        """Commit what waits, and close the file. What cannot be written is lost."""
        self.commit()
        if self._thread is not None:
            self._hand_over()
            self._queue.put(None)
            self._thread.join()
            self._reader.close()
        self._writer.close()

    @property
    def title(self) -> str:
        """The book, for a sentence about it."""
        return f"the paper book {self._name}"

    # The machine.

    @property
    def _name(self) -> str:
        return "in memory" if self.path is None else str(self.path)

    def _connect(self) -> sqlite3.Connection:
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._open_file()
        try:
            found = _refuse_newer(connection, self.title)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            if found < schema.VERSION:
                schema.migrate(connection)
        except sqlite3.Error as error:
            connection.close()
            raise BookError(f"{self.title} cannot be opened: {error}") from error
        except BookError:
            connection.close()
            raise
        return connection

    def _newest_id(self) -> str:
        query = "SELECT max(client_order_id) FROM orders"
        try:
            return str(self._writer.execute(query).fetchone()[0] or "")
        except sqlite3.Error as error:
            self._writer.close()
            raise BookError(f"{self.title} cannot be read: {error}") from error

    def _open_file(self, *, readonly: bool = False) -> sqlite3.Connection:
        """Raises BookError. The connection may move to the writer thread."""
        try:
            if self.path is None:
                return sqlite3.connect(":memory:", isolation_level=None)
            if readonly:
                address = f"{self.path.absolute().as_uri()}?mode=ro"
                return sqlite3.connect(
                    address, uri=True, isolation_level=None, timeout=BUSY_SECONDS
                )
            # For its owner only; SQLite gives its log the same mode.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
            return sqlite3.connect(
                self.path, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False
            )
        except (sqlite3.Error, OSError) as error:
            raise BookError(f"{self.title} cannot be opened: {error}") from error

    def _hand_over(self) -> None:
        for batch in self._unsent:
            self._queue.put(batch)
        self._unsent.clear()

    def _write_inline(self) -> None:
        batch = _merged(self._flying)
        try:
            batch.write(self._writer)
        except sqlite3.Error as error:
            self._failed(str(error))
        else:
            self._committed(batch.tickets)

    def _committed(self, tickets: int) -> None:
        for _ in range(tickets):
            self.durable += 1
            for client_order_id in self._flying.popleft().orders:
                if self._pending[client_order_id][0] == self.durable:
                    del self._pending[client_order_id]
        self.failure = ""
        self.on_change()

    def _failed(self, text: str) -> None:
        self.failure = f"{self.title} cannot be written: {text}"
        self.on_change()

    def _run(self) -> None:
        """The writer thread: everything that waits goes into one commit, until it succeeds."""
        waiting: list[_Batch] = []
        ending = False
        while not ending:
            first = self._queue.get()
            if first is None:
                return
            waiting = [first]
            while waiting:
                ending = self._take_all(waiting) or ending
                batch = _merged(waiting)
                try:
                    batch.write(self._writer)
                except sqlite3.Error as error:
                    if not self._tell(self._failed, str(error)) or ending:
                        return
                    threading.Event().wait(RETRY_SECONDS)
                else:
                    self._tell(self._committed, batch.tickets)
                    waiting = []

    def _take_all(self, waiting: list[_Batch]) -> bool:
        """Move what is queued to `waiting`; True when the book is being closed."""
        with contextlib.suppress(queue.Empty):
            while True:
                more = self._queue.get_nowait()
                if more is None:
                    return True
                waiting.append(more)
        return False

    def _tell(self, call: Callable[..., None], argument: object) -> bool:
        """Run the call on the loop; False once the loop is gone."""
        try:
            self._loop.call_soon_threadsafe(call, argument)
        except RuntimeError:
            return False
        return True


def _merged(batches: Iterable[_Batch]) -> _Batch:
    whole = _Batch()
    for batch in batches:
        whole.merge(batch)
    return whole


def _number(execution_id: str) -> tuple[int, ...]:
    """The number of an order and that of its fill; what settles a contract is of no order."""
    if execution_id.startswith(EXPIRY):
        return ()
    return tuple(int(part) for part in execution_id.split("-")[1:])
