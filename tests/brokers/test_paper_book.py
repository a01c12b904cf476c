"""The book: a restart finds the account again, and nothing is reported before it is durable."""

import sqlite3
from pathlib import Path

import pytest

from brokers.paper.book import BookError, PaperBook
from brokers.paper.terms import Arrival
from engine.ports import Rejected
from tests.brokers.kit import MONDAY_10AM, D, rig


def test_a_restart_finds_cash_positions_orders_fills_ids_and_prices(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    with rig(path=path) as r:
        r.price("100")
        r.submit("a", "BUY", "10")
        r.submit("stop", "SELL", "10", stop="95", reduce_only=True)
        before = (r.venue.balance, r.venue.positions(), r.venue.open_orders())
        fills = r.venue.fills_since(0)
    with rig(path=path, start=MONDAY_10AM + 10**12) as r:
        assert (r.venue.balance, r.venue.positions(), r.venue.open_orders()) == before
        assert r.venue.fills_since(0) == fills
        assert (r.venue.quotes["AAPL"].last, r.venue.quotes["AAPL"].time) == (D(100), MONDAY_10AM)
        with pytest.raises(Rejected, match="used before"):
            r.submit("a")
        r.price("94")
        assert r.venue.position("AAPL") == 0
        assert r.fills[0].execution_id == "PAPER-2-1"


def test_a_price_from_before_the_restart_fills_nothing(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    with rig(path=path) as r:
        r.price("100")
    with rig(path=path) as r:
        r.submit("a", "BUY", "10")
        assert r.status("a") == "NEW"
        r.price("101")
        assert r.traded == [("a", D(10), D(101))]


def test_the_dead_engines_position_is_closed_at_the_last_price_of_the_book(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    with rig(path=path) as r:
        r.price("100")
        r.submit("a", "BUY", "10")
        r.submit("stop", "SELL", "10", stop="95", reduce_only=True)
    with rig(path=path, arrival=Arrival.LAST_KNOWN, start=MONDAY_10AM + 90 * 10**9) as r:
        r.venue.cancel_all()
        r.submit("flat", "SELL", "10", reduce_only=True)
        assert (r.traded, r.venue.positions()) == ([("flat", D(10), D(100))], ())
        assert r.clock.now() - r.venue.quotes["AAPL"].time == 90 * 10**9


def test_a_day_order_that_outlived_its_session_ends_at_the_next_start(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    with rig(path=path) as r:
        r.price("100")
        r.submit("a", limit="90", tif="DAY")
    with rig(path=path, start=MONDAY_10AM + 12 * 3600 * 10**9) as r:
        r.advance(0.01)
        assert r.status("a") == "EXPIRED"


def test_C405_a_repeated_id_is_found_however_long_ago_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brokers.paper.book._IDS_KEPT", 8)
    path = tmp_path / "paper.db"
    names = [f"{n:04}" for n in range(60, 0, -2)] + [f"{n:04}" for n in range(61, 120, 2)]
    for start in range(0, len(names), 20):
        with rig(path=path) as r:
            r.price("100")
            for n, name in enumerate(names[start : start + 20], start):
                r.submit(name, "BUY", "1", limit="1")
                for old in names[: n + 1]:
                    with pytest.raises(Rejected, match="used before"):
                        r.submit(old)
            assert len(r.venue.open_orders()) == min(start + 20, len(names))


def test_prices_are_saved_while_something_is_held(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    with rig(path=path) as r:
        r.price("100")
        r.submit("a")
        for price in ("101", "102", "103"):
            r.advance(6)
            r.price(price)
        saved = PaperBook(path).load().quotes["AAPL"]
        assert (saved.last, saved.time) == (D(103), MONDAY_10AM + 18 * 10**9)


def test_fills_are_listed_from_their_time_on_oldest_first() -> None:
    with rig() as r:
        r.price("100")
        for n in range(12):
            r.advance(1)
            r.submit(f"o{n}", "BUY", "1")
        assert [f.client_order_id for f in r.venue.fills_since(MONDAY_10AM + 10 * 10**9)] == [
            "o9",
            "o10",
            "o11",
        ]


async def test_questions_see_what_waits_for_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    with rig() as r:
        r.venue.book = PaperBook(path, wait="thread")
        blocker = sqlite3.connect(path, isolation_level=None)
        blocker.execute("BEGIN IMMEDIATE")
        r.price("100")
        r.submit("a")
        assert r.venue.book.durable < r.venue.book.next_ticket - 1
        assert r.status("a") == "FILLED"
        assert [f.execution_id for f in r.venue.fills_since(0)] == ["PAPER-1-1"]
        blocker.execute("ROLLBACK")
        blocker.close()
    assert ids_in(path) == ["a"]


def ids_in(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    found = [row[0] for row in connection.execute("SELECT client_order_id FROM orders")]
    connection.close()
    return found


@pytest.mark.parametrize("what", ["garbage", "newer"])
def test_a_book_that_cannot_be_read_is_refused_in_words(tmp_path: Path, what: str) -> None:
    path = tmp_path / "paper.db"
    if what == "garbage":
        path.write_bytes(b"this is no database, whatever its name says" * 40)
    else:
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version = 99")
        connection.close()
    with pytest.raises(BookError, match=r"paper\.db"):
        PaperBook(path)
