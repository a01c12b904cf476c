"""An hour of the embedded default in tmux, from a fresh clone, against the paper venue's book.

`make watched-hour` runs it. Every second the book is read from its file, and then `status`, the
lists of the journal and the panes of the console are compared with it; nothing of the engine is
used to read the book. What differs while the book stands still, and still does a second later, is
a contradiction; what has caught up by then was late. Exits 1 where there was a contradiction.
"""

import argparse
import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

from console.host.client import Client

ROOT: Final = Path(__file__).resolve().parents[2]
MAIN: Final = "import sys; from console.cli import main; sys.exit(main())"
COLUMNS, ROWS = 200, 50
CENT: Final = Decimal("0.01")
STILL_SECONDS: Final = 0.5
"""So long the book must not have moved before it is compared: reports and frames take their way."""
START_SECONDS: Final = 120.0
LIST_EVERY: Final = 5

Found = Iterator[tuple[str, object, object]]
"""What is compared, what was told of it, and what the book says."""


class Fill(NamedTuple):
    """One fill of the book."""

    order: str
    symbol: str
    signed: Decimal
    price: Decimal
    commission: Decimal


class VenueBook(NamedTuple):
    """The paper venue's book at one moment; cash in dollars."""

    cash: Decimal
    held: Mapping[str, Decimal]
    working: Mapping[str, tuple[Decimal, Decimal]]
    """Quantity and filled quantity of each working order, by client order id."""
    fills: Mapping[str, Fill]
    """By execution id."""

    @property
    def commission(self) -> Decimal:
        """Of all fills."""
        return sum((fill.commission for fill in self.fills.values()), Decimal(0))

    def filled(self, order: str) -> Decimal:
        """What an order has filled, by the fills."""
        own = (abs(fill.signed) for fill in self.fills.values() if fill.order == order)
        return sum(own, Decimal(0))

    def earned(self, symbol: str) -> Decimal:
        """Money taken less money spent, after commission: its profit once it is flat."""
        own = (fill for fill in self.fills.values() if fill.symbol == symbol)
        return sum((-fill.signed * fill.price - fill.commission for fill in own), Decimal(0))


def read_book(path: Path) -> VenueBook:
    """The book as it is committed. Raises sqlite3.Error."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=2)
    try:
        connection.execute("BEGIN")

        def rows(sql: str) -> list[tuple[str, dict[str, Any]]]:
            return [(key, json.loads(data)) for key, data in connection.execute(sql)]

        cash = dict(rows("SELECT currency, data FROM balances"))["USD"]["cash"]
        held = rows("SELECT symbol, data FROM holdings")
        working = rows("SELECT client_order_id, data FROM orders WHERE working")
        fills = rows("SELECT execution_id, data FROM fills")
    finally:
        connection.close()
    return VenueBook(
        cash=Decimal(cash),
        held={symbol: q for symbol, one in held if (q := Decimal(one["quantity"]))},
        working={name: (Decimal(o["quantity"]), Decimal(o["filled"])) for name, o in working},
        fills={
            name: Fill(
                order=one["client_order_id"],
                symbol=one["symbol"],
                signed=Decimal(one["quantity"]) * (1 if one["side"] == "BUY" else -1),
                price=Decimal(one["price"]),
                commission=Decimal(one["commission"]),
            )
            for name, one in fills
        },
    )


class Session:
    """The default in a tmux of its own, with folders of its own, from a fresh clone."""

    def __init__(self, folder: Path, command: str) -> None:
        self._clone = folder / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(self._clone)], check=True)
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("MERIDIAN_", "TMUX"))},
            "HOME": str(folder / "home"),
            "XDG_STATE_HOME": str(folder / "home" / "state"),
            "XDG_CONFIG_HOME": str(folder / "home" / "config"),
            "MERIDIAN_LOCK_DIR": str(folder / "locks"),
        }
        (folder / "home").mkdir()
        state = folder / "home" / "state" / "meridian"
        self.book = state / "paper.db"
        self._socket = state / "control.sock"
        self._tmux = ["tmux", "-L", f"watched-{os.getpid()}", "-f", "/dev/null"]
        size = ("-x", str(COLUMNS), "-y", str(ROWS))
        kept = f"{command}; echo ENDED $?; sleep 3600"
        self._run([*self._tmux, "new-session", "-d", *size, kept])

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=self._clone,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise RuntimeError(f"{shlex.join(command)}: {done.stderr.strip()}")
        return done.stdout

    def ask(self, *arguments: str) -> str:
        """What a command prints."""
        return self._run([sys.executable, "-c", MAIN, *arguments])

    def status(self) -> dict[str, Any]:
        """The document of `status --json`, without the start of a process."""
        with Client(self._socket) as client:
            told: dict[str, Any] = client.request("status", {"by": "watch"})
        return told

    def screen(self) -> str:
        """What the terminal shows."""
        return self._run([*self._tmux, "capture-pane", "-p"])

    def end(self) -> None:
        """End the engine in order, then its terminal."""
        try:
            self.ask("stop")
        finally:
            self._run([*self._tmux, "kill-server"])


# --- what is compared ---------------------------------------------------------------------------


def status(session: Session, book: VenueBook) -> Found:
    """`status`."""
    told = session.status()
    account = told["account"]
    yield "cash", Decimal(account["cash"]), book.cash
    yield (
        "positions",
        {one["symbol"]: Decimal(one["quantity"]) for one in told["positions"]},
        dict(book.held),
    )
    yield (
        "working orders",
        {
            one["client_order_id"]: (Decimal(one["quantity"]), Decimal(one["filled"]))
            for one in told["orders"]
        },
        dict(book.working),
    )
    worth = sum((Decimal(p["last"]) * book.held[p["symbol"]] for p in told["positions"]), book.cash)
    yield "equity", _cents(Decimal(account["equity"])), _cents(worth)
    gained = _cents(Decimal(account["equity"]) - Decimal(account["starting_equity"]))
    yield "daily P&L", _cents(Decimal(account["daily_pnl"])), gained
    yield "number of fills", told["oms"]["total_fills"], len(book.fills)
    yield "commission", Decimal(told["oms"]["total_commission"]), book.commission
    yield "differences", [one["differences"] for one in told["accounts"]], [[]]
    yield "unexplained", [one["unexplained"] for one in told["accounts"]], [[]]


def _listed(session: Session, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in session.ask("journal", name, "--json").splitlines()]


def fills(session: Session, book: VenueBook) -> Found:
    """`journal fills`."""
    told = {
        row["execution_id"]: Fill(
            order=row["client_order_id"],
            symbol=row["symbol"],
            signed=Decimal(row["quantity"]) * (1 if row["side"] == "BUY" else -1),
            price=Decimal(row["price"]),
            commission=Decimal(row["commission"]),
        )
        for row in _listed(session, "fills")
    }
    yield "fills", told, dict(book.fills)


WORKING: Final = frozenset(
    {"CREATED", "PENDING_NEW", "NEW", "PARTIALLY_FILLED", "PENDING_CANCEL", "PENDING_REPLACE"}
)


def orders(session: Session, book: VenueBook) -> Found:
    """`journal orders`."""
    rows = _listed(session, "orders")
    told = {row["client_order_id"]: Decimal(row["filled"]) for row in rows}
    yield "filled quantities", told, {order: book.filled(order) for order in told}
    working = {row["client_order_id"] for row in rows if row["status"] in WORKING}
    yield "working orders", working, set(book.working)
    yield "orders with fills", {f.order for f in book.fills.values()} - set(told), set()


def trades(session: Session, book: VenueBook) -> Found:
    """`journal trades`: where nothing is held any more, they earned what the fills did."""
    earned: dict[str, Decimal] = {}
    for row in _listed(session, "trades"):
        earned[row["symbol"]] = earned.get(row["symbol"], Decimal(0)) + Decimal(row["pnl"])
    flat = {fill.symbol for fill in book.fills.values()} - set(book.held)
    yield (
        "profit of what is flat",
        {symbol: _cents(earned.get(symbol, Decimal(0))) for symbol in flat},
        {symbol: _cents(book.earned(symbol)) for symbol in flat},
    )


def daily(session: Session, book: VenueBook) -> Found:
    """`journal daily`: over all its days, for a book that began with its first."""
    rows = _listed(session, "daily")
    yield "fees", sum((Decimal(row["fees"]) for row in rows), Decimal(0)), book.commission
    for row in rows:
        gained = Decimal(row["ending_equity"]) - Decimal(row["starting_equity"])
        if not book.held and len(rows) == 1:
            earned = sum(
                (book.earned(s) for s in {f.symbol for f in book.fills.values()}), CENT * 0
            )
            yield "realised", _cents(Decimal(row["realized_pnl"])), _cents(earned)
            yield "gain of the day", _cents(gained), _cents(earned)


def signals(session: Session, book: VenueBook) -> Found:
    """`journal signals`: what was executed has fills, what was refused has none."""
    for row in _listed(session, "signals"):
        own = sum((book.filled(order) for order in row["client_order_ids"]), Decimal(0))
        executed = row["outcome"] in ("EXECUTED", "RESIZED")
        yield f"fills of {row['signal_id']}", executed and not row["client_order_ids"], False
        if not executed:
            yield f"fills of {row['signal_id']} ({row['outcome']})", own, Decimal(0)


def panes(session: Session, book: VenueBook) -> Found:
    """The console: Positions, Orders, Risk."""
    text = session.screen()
    yield "a console", "PAPER" in text, True
    positions = _pane(text, "2 Positions", "3 Orders")
    held = re.findall(r"^│[▸ ](\S+) +(?:LONG|SHORT) +(-?[\d,]+) ", positions, re.MULTILINE)
    yield (
        "positions",
        {symbol: Decimal(quantity.replace(",", "")) for symbol, quantity in held},
        dict(book.held),
    )
    pending = re.search(r"Pending·(\d+)", text)
    yield "pending orders", int(pending[1]) if pending else None, len(book.working)
    filled = re.search(r"Fills·(\d+)", text)
    yield "fills", int(filled[1]) if filled else None, len(book.fills)
    cash = re.search(r"cash ([\d,.-]+)", text)
    yield "cash", Decimal(cash[1].replace(",", "")) if cash else None, _cents(book.cash)
    lasts = re.findall(
        r"^│[▸ ](\S+) +(?:LONG|SHORT) +-?[\d,]+ +[\d,.]+ +[▲▼]? *([\d,.]+) ",
        positions,
        re.MULTILINE,
    )
    equity = re.search(r"equity ([\d,.]+)", text)
    if equity and {symbol for symbol, _ in lasts} == set(book.held):
        worth = book.cash + sum(
            (Decimal(last.replace(",", "")) * book.held[symbol] for symbol, last in lasts),
            Decimal(0),
        )
        # panes are painted one after the other, and prices move in between
        gross = sum((abs(book.held[s]) * Decimal(p.replace(",", "")) for s, p in lasts), CENT)
        apart = abs(Decimal(equity[1].replace(",", "")) - worth)
        yield "equity within 0.5 % of what is held", apart <= gross / 200, True


def _pane(text: str, first: str, after: str) -> str:
    """The lines between two titles."""
    _, _, rest = text.partition(first)
    return rest.partition(after)[0]


def _cents(money: Decimal) -> Decimal:
    return money.quantize(CENT)


Source = Callable[[Session, VenueBook], Found]
LISTS: Final[tuple[Source, ...]] = (fills, orders, trades, daily, signals)


# --- the hour -----------------------------------------------------------------------------------


class Count:
    """What was compared, and how it went."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        """`seconds` tells the time."""
        self._seconds = seconds
        self.compared: Counter[str] = Counter()
        self.late: Counter[str] = Counter()
        self.contradicted: Counter[str] = Counter()
        self.moved = 0
        """Looks that were given up, since the book moved meanwhile."""
        self._open: dict[str, tuple[VenueBook, float]] = {}
        """What differed at the last look, with the book then and since when."""

    def take(self, source: str, found: list[tuple[str, object, object]], book: VenueBook) -> None:
        """Count one look that the book did not move during."""
        for what, told, known in found:
            self.compared[source] += 1
            name = f"{source}: {what}"
            if told == known:
                self._open.pop(name, None)
                continue
            before = self._open.get(name)
            if before is None or before[0] != book:
                self.late[source] += 1
                self._open[name] = (book, self._seconds())
            elif self._seconds() - before[1] >= 1:
                self.contradicted[source] += 1
                print(f"{time.strftime('%H:%M:%S')} {name}: told {told}, book {known}", flush=True)

    def report(self) -> str:
        """Lines for a person."""
        lines = [
            f"{source:<8} {number:>7} comparisons, {self.late[source]} late, "
            f"{self.contradicted[source]} contradictions"
            for source, number in sorted(self.compared.items())
        ]
        total, against = self.compared.total(), self.contradicted.total()
        lines.append(
            f"{total} comparisons, {self.late.total()} late, {against} contradictions; "
            f"{self.moved} looks given up as the book moved"
        )
        return "\n".join(lines)


def look(session: Session, sources: tuple[Source, ...], count: Count) -> bool:
    """One second's comparisons; False where the book moved meanwhile and they do not count."""
    book = read_book(session.book)
    time.sleep(STILL_SECONDS)
    if read_book(session.book) != book:
        count.moved += 1
        return False
    whole = True
    for source in sources:
        found = list(source(session, book))
        if read_book(session.book) != book:
            count.moved += 1
            whole = False
            break
        count.take(source.__name__, found, book)
    return whole


def watch(session: Session, seconds: float, count: Count) -> None:
    """Look once a second: at `status` and the panes each time, at one of the lists every fifth,
    since each of those starts a process."""
    ends = time.monotonic() + seconds
    looks = 0
    while (began := time.monotonic()) < ends:
        number, rest = divmod(looks, LIST_EVERY)
        lists = () if rest else (LISTS[number % len(LISTS)],)
        looks += look(session, (panes, status, *lists), count)
        time.sleep(max(0.0, 1 - (time.monotonic() - began)))


def main() -> int:
    """Clone, start, watch, end; print the count."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    usual = shlex.join([sys.executable, "-c", MAIN])
    parser.add_argument("--command", default=usual, help='in the clone; such as "make run"')
    given = parser.parse_args()
    count = Count()
    with tempfile.TemporaryDirectory(prefix="watched-") as folder:
        session = Session(Path(folder), given.command)
        try:
            deadline = time.monotonic() + START_SECONDS
            while "ACTIVE" not in session.screen():
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the console never came:\n{session.screen()}")
                time.sleep(0.2)
            watch(session, given.minutes * 60, count)
        finally:
            session.end()
    print(count.report())
    return 1 if count.contradicted else 0


if __name__ == "__main__":
    raise SystemExit(main())
