"""The book: a restart finds the account again, and nothing is reported before it is durable."""

import sqlite3
from pathlib import Path

import msgspec
import pytest

from brokers.paper import schema
from brokers.paper.account import Balance
from brokers.paper.book import BookError, PaperBook
from brokers.paper.terms import Arrival
from engine.domain.instrument import Facts, instrument_of
from engine.ports import Rejected
from tests.brokers.kit import FREE, MONDAY_10AM, D, rig

PAID = msgspec.structs.replace(FREE, slippage_bps=D(5), commission_bps=D(10))
"""The terms that the book of 0.1.0 was traded on."""


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
    with rig(path=path, wait="thread") as r:
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


OLD_BOOK = Path(__file__).with_name("books") / "paper-0.1.0.sql"


def old_book(tmp_path: Path) -> Path:
    """A book that version 0.1.0 wrote."""
    path = tmp_path / "paper.db"
    connection = sqlite3.connect(path)
    connection.executescript(OLD_BOOK.read_text(encoding="utf-8"))
    connection.close()
    return path


def dump(path: Path) -> tuple[int, list[str]]:
    """Version and content of a book."""
    connection = sqlite3.connect(path)
    found = connection.execute("PRAGMA user_version").fetchone()[0], list(connection.iterdump())
    connection.close()
    return found


def test_a_book_of_0_1_0_is_carried_over(tmp_path: Path) -> None:
    path = old_book(tmp_path)
    with rig(path=path, terms=PAID) as r:
        # Bought 10 at 100.05 and 0.3 at 2001.51, sold 4 at 49.97 and 3 at 101.31; 10 bp of each.
        assert r.venue.balances == {
            "USD": Balance(
                deposited=D(100_000),
                cash=D("98900.7522370"),
                realized=D("3.78"),
                commission=D("2.1047630"),
            )
        }
        assert [(p.symbol, p.quantity) for p in r.venue.positions()] == [
            ("AAPL", D(7)),
            ("BTC-USD", D("0.3")),
            ("MSFT", D(-4)),
        ]
        assert [o.client_order_id for o in r.venue.open_orders()] == ["stop", "limit"]
        assert [f.client_order_id for f in r.venue.fills_since(0)] == ["a", "b", "c", "d"]
        account = r.venue.account()
        assert account.balances == {"USD": D("98900.7522370")}
        assert account.equity == D("100010.4922370")
        assert account.buying_power == D("98150.302237000")
        with pytest.raises(Rejected, match="used before"):
            r.submit("refused")
        r.price("95")
        assert r.traded == [("stop", D(7), D("94.95"))]
    assert dump(path)[0] == schema.VERSION


def test_a_book_of_0_1_0_is_no_account_in_another_currency(tmp_path: Path) -> None:
    path = old_book(tmp_path)
    book = PaperBook(path)
    assert book.load().currency == "USD"
    book.close()


def test_the_steps_of_the_schema_go_both_ways_and_lose_nothing(tmp_path: Path) -> None:
    path = old_book(tmp_path)
    before = dump(path)
    connection = sqlite3.connect(path, isolation_level=None)
    schema.migrate(connection)
    assert schema.version(connection) == schema.VERSION
    held = connection.execute("SELECT data FROM holdings WHERE symbol = 'AAPL'").fetchone()[0]
    assert msgspec.json.decode(held)["currency"] == "USD"
    schema.migrate(connection, 1)
    assert dump(path) == before
    schema.migrate(connection, 0)
    assert dump(path) == (0, ["BEGIN TRANSACTION;", "COMMIT;"])
    schema.migrate(connection)
    assert schema.version(connection) == schema.VERSION
    with pytest.raises(ValueError, match="version 4 does not exist"):
        schema.migrate(connection, 4)
    connection.close()


def test_a_book_with_foreign_money_does_not_go_back_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    vod = instrument_of("VOD", Facts(currency="GBP"))
    with rig(path=path, instruments={"VOD": vod}) as r:
        r.price("1.25", "GBP_USD")
        r.price("100", "VOD")
        r.submit("a", symbol="VOD")
    before = dump(path)
    connection = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(ValueError, match="cannot go back to version 1"):
        schema.migrate(connection, 1)
    connection.close()
    assert dump(path) == before


def test_a_step_that_fails_leaves_the_book_as_it_was(tmp_path: Path) -> None:
    path = old_book(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE balances (in_the_way TEXT)")
    connection.commit()
    connection.close()
    before = dump(path)
    with pytest.raises(BookError, match=r"paper\.db cannot be opened: .*balances"):
        PaperBook(path)
    assert dump(path) == before
