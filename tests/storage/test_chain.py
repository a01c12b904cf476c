"""T-24: whatever is done to a stored history, `verify` names the first event that is wrong."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.run import Mode
from storage import memory_database, open_journal
from storage.chain import GENESIS, ChainRow, link
from storage.verify import verify, verify_connection
from tests.storage.lives import History, notes

EVENTS = 12


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chain") / "journal.db"
    journal = open_journal(path, inline=True)
    history = History()
    for key in ("o1", "o2", "o3"):
        history.life(key, "AAPL")
    assert len(history.records) == EVENTS
    journal.append(history.records, history.touched)
    journal.close()
    return path


@pytest.fixture
def path(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(original, tmp_path / "journal.db"))


def tamper(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def swap(one: int, other: int) -> tuple[str, ...]:
    return (
        f"UPDATE events SET seq = -1 WHERE seq = {one}",
        f"UPDATE events SET seq = {one} WHERE seq = {other}",
        f"UPDATE events SET seq = {other} WHERE seq = -1",
    )


def test_an_untouched_history_verifies(path: Path) -> None:
    found = verify(path, tables=True)
    assert found.ok
    assert (found.events, found.bad_seq, found.problem) == (EVENTS, None, "")


TAMPERINGS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "a byte of the data": (
        ("UPDATE events SET data = replace(data, '167.40', '167.41') WHERE seq = 4",),
        4,
        "changed",
    ),
    "the type": (("UPDATE events SET type = 'OrderExpired' WHERE seq = 2",), 2, "changed"),
    "the time": (("UPDATE events SET time = time + 1 WHERE seq = 7",), 7, "changed"),
    "the mode": (("UPDATE events SET mode = 'live' WHERE seq = 3",), 3, "changed"),
    "the account": (("UPDATE events SET account = 'mine' WHERE seq = 3",), 3, "changed"),
    "a hash": (("UPDATE events SET hash = zeroblob(32) WHERE seq = 5",), 5, "changed"),
    "a previous hash": (
        ("UPDATE events SET prev_hash = zeroblob(32) WHERE seq = 5",),
        5,
        "does not follow",
    ),
    "the first row gone": (("DELETE FROM events WHERE seq = 1",), 1, "missing"),
    "a row gone": (("DELETE FROM events WHERE seq = 6",), 6, "missing"),
    "the last row gone": (("DELETE FROM events WHERE seq = 12",), 12, "missing"),
    "all rows gone": (("DELETE FROM events",), 1, "missing"),
    "a row gone and the rest moved up": (
        ("DELETE FROM events WHERE seq = 6", "UPDATE events SET seq = seq - 1 WHERE seq > 6"),
        6,
        "does not follow",
    ),
    "two rows swapped": (swap(2, 3), 2, "does not follow"),
    "a row put in again": (
        (
            "INSERT INTO events (seq, time, mode, account, type, version, data, prev_hash, hash) "
            "SELECT seq + 11, time, mode, account, type, version, data, prev_hash, hash "
            "FROM events WHERE seq = 2",
        ),
        13,
        "does not follow",
    ),
}


@pytest.mark.parametrize("how", TAMPERINGS)
def test_tampering_is_found_at_its_place(path: Path, how: str) -> None:
    statements, seq, word = TAMPERINGS[how]
    tamper(path, *statements)
    found = verify(path)
    assert not found.ok
    assert found.bad_seq == seq
    assert word in found.problem


def test_a_changed_head_is_found(path: Path) -> None:
    tamper(path, "UPDATE head SET hash = zeroblob(32)")
    found = verify(path)
    assert (found.ok, found.bad_seq) == (False, EVENTS)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trade_executions SET shares = '11'",
        "UPDATE orders SET status = 'REJECTED' WHERE client_order_id = 'o2'",
        "DELETE FROM fills WHERE client_order_id = 'o3'",
    ],
)
def test_a_table_that_says_something_else_is_named(path: Path, statement: str) -> None:
    tamper(path, statement)
    assert verify(path).ok
    found = verify(path, tables=True)
    assert not found.ok
    assert len(found.stale) == 1
    assert found.stale[0] in statement


def test_a_missing_journal_is_in_order_and_not_made(tmp_path: Path) -> None:
    found = verify(tmp_path / "journal.db")
    assert (found.ok, found.events, found.digest) == (True, 0, GENESIS.hex())
    assert list(tmp_path.iterdir()) == []


def test_verify_prints_the_digest_of_the_journal(tmp_path: Path) -> None:
    journal = open_journal(tmp_path / "journal.db", inline=True)
    journal.append(notes(3).records)
    assert verify(tmp_path / "journal.db").digest == journal.digest
    journal.close()


def test_a_chain_longer_than_a_page_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("storage.verify.PAGE", 4)
    for count in (3, 4, 5, 8, 9):
        database = memory_database()
        open_journal(database, inline=True).append(notes(count).records)
        found = verify_connection(database)
        assert (found.ok, found.events) == (True, count)


@given(
    st.integers(0, 10),
    st.sampled_from(
        [
            lambda row: row._replace(seq=row.seq + 1),
            lambda row: row._replace(time=row.time + 1),
            lambda row: row._replace(mode=row.mode + "x"),
            lambda row: row._replace(account=row.account + "x"),
            lambda row: row._replace(type=row.type + "x"),
            lambda row: row._replace(version=row.version + 1),
            lambda row: row._replace(data=row.data + " "),
            lambda row: row._replace(account=row.account + row.type, type=""),
        ]
    ),
)
def test_every_part_of_a_row_enters_its_hash(
    time: int, change: Callable[[ChainRow], ChainRow]
) -> None:
    row = ChainRow(1, time, Mode.PAPER.value, "account", "Paused", 2, "{}")
    assert link(GENESIS, row) != link(GENESIS, change(row))
    assert link(GENESIS, row) != link(bytes([1]) + GENESIS[1:], row)
