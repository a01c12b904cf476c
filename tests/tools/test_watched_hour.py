"""The comparison of the default with its book notices what differs, and only that."""

import json
import sqlite3
from decimal import Decimal
from pathlib import Path

from brokers.paper import schema
from tests.tools.watched_hour import Count, Fill, VenueBook, read_book

BOOK = VenueBook(
    cash=Decimal("98895"),
    held={"AAPL": Decimal(5)},
    working={"o2": (Decimal(5), Decimal(0))},
    fills={"x1": Fill("o1", "AAPL", Decimal(5), Decimal(220), Decimal(5))},
)


def test_the_book_is_read_from_its_file(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "paper.db", isolation_level=None)
    schema.migrate(connection)
    fill = {"client_order_id": "o1", "symbol": "AAPL", "side": "BUY", "quantity": "5"}
    fill |= {"price": "220", "commission": "5"}
    gone = {"quantity": "0", "cost": "0"}
    for sql, key, value in (
        ("INSERT INTO balances VALUES (?, ?)", "USD", {"cash": "98895"}),
        ("INSERT INTO holdings VALUES (?, ?)", "AAPL", {"quantity": "5", "cost": "1100"}),
        ("INSERT INTO holdings VALUES (?, ?)", "MSFT", gone),
        ("INSERT INTO orders VALUES (?, 1, ?)", "o2", {"quantity": "5", "filled": "0"}),
        ("INSERT INTO orders VALUES (?, 0, ?)", "o1", {"quantity": "5", "filled": "5"}),
        ("INSERT INTO fills VALUES (?, 7, ?)", "x1", fill),
    ):
        connection.execute(sql, (key, json.dumps(value)))
    connection.close()
    found = read_book(tmp_path / "paper.db")
    assert found == BOOK
    assert found.filled("o1") == 5
    assert found.earned("AAPL") == -1105
    assert found.commission == 5


def test_what_differs_twice_a_second_apart_contradicts_and_once_is_late() -> None:
    now = 100.0
    count = Count(lambda: now)
    count.take("panes", [("cash", 1, 2), ("fills", 1, 1)], BOOK)
    now += 0.9
    count.take("panes", [("cash", 1, 2)], BOOK)
    assert (count.late["panes"], count.contradicted["panes"]) == (1, 0)
    now += 0.1
    count.take("panes", [("cash", 1, 2)], BOOK)
    assert (count.compared["panes"], count.contradicted["panes"]) == (4, 1)


def test_what_has_caught_up_or_belongs_to_another_book_is_only_late() -> None:
    now = 100.0
    count = Count(lambda: now)
    other = BOOK._replace(cash=Decimal(1))
    for told, book in ((1, BOOK), (2, BOOK), (1, BOOK), (1, other)):
        count.take("panes", [("cash", told, 2)], book)
        now += 2
    assert (count.late["panes"], count.contradicted["panes"]) == (3, 0)
