"""A start folds the newest usable snapshot and what came after it; nothing else is trusted."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from engine.domain.schema import UnknownEventError
from engine.state.book import Book
from engine.state.fold import apply
from storage import Journal, JournalCorrupt, memory_database, open_journal
from storage.snapshots import load
from tests.storage.lives import History, notes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def kept(path: Path, *seqs: int, events: int = 8) -> None:
    journal = open_journal(path, inline=True)
    journal.append(notes(events).records)
    for seq in seqs:
        journal.save_snapshot(seq, b"state %d" % seq)
    journal.close()


def tamper(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement)
        connection.commit()


def test_without_a_snapshot_the_fold_begins_at_the_beginning(path: Path) -> None:
    kept(path)
    loaded = load(path, 1)
    assert (loaded.snapshot, loaded.seq, loaded.warning) == (None, 0, "")
    assert [record.seq for record in loaded.records] == [1, 2, 3, 4, 5, 6, 7, 8]


def test_with_a_snapshot_only_the_tail_is_read(path: Path) -> None:
    kept(path, 3, 6)
    loaded = load(path, 1)
    assert (loaded.snapshot, loaded.seq, loaded.warning) == (b"state 6", 6, "")
    assert [record.seq for record in loaded.records] == [7, 8]


def test_only_the_two_newest_are_kept(path: Path) -> None:
    kept(path, 2, 4, 6, 8)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT seq FROM snapshots").fetchall() == [(6,), (8,)]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE snapshots SET state = x'00' WHERE seq = 6", "checksum"),
        ("UPDATE snapshots SET state = 'text' WHERE seq = 6", "checksum"),
        ("UPDATE snapshots SET seq = 7 WHERE seq = 6", "checksum"),
        ("UPDATE snapshots SET format = 2 WHERE seq = 6", "format 2 .* writes 1"),
        ("UPDATE snapshots SET hash = zeroblob(32) WHERE seq = 6", "not in the journal"),
    ],
)
def test_a_damaged_snapshot_gives_way_to_the_one_before(
    path: Path, statement: str, words: str
) -> None:
    kept(path, 3, 6)
    tamper(path, statement)
    loaded = load(path, 1)
    assert (loaded.snapshot, loaded.seq) == (b"state 3", 3)
    assert [record.seq for record in loaded.records] == [4, 5, 6, 7, 8]
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(loaded.warning)


def test_a_snapshot_of_another_program_version_is_not_used(path: Path) -> None:
    kept(path, 6)
    loaded = load(path, 2)
    assert (loaded.snapshot, loaded.seq) == (None, 0)
    assert "format 1 and this program writes 2" in loaded.warning
    assert len(list(loaded.records)) == 8


def test_a_snapshot_ahead_of_the_journal_is_not_kept(path: Path) -> None:
    journal = open_journal(path, inline=True)
    journal.append(notes(2).records)
    journal.save_snapshot(3, b"state")
    assert "event 3" in journal.maintenance_trouble
    assert journal.failure is None
    journal.close()
    assert load(path, 1).snapshot is None


async def test_a_snapshot_is_written_behind_the_events_it_holds(path: Path) -> None:
    journal = open_journal(path)
    journal.append(notes(8).records)
    journal.save_snapshot(8, b"state 8")
    await journal.aclose()
    assert load(path, 1).snapshot == b"state 8"


def test_a_failing_snapshot_costs_no_event(path: Path) -> None:
    journal = open_journal(path, inline=True)
    journal.append(notes(2).records)
    connection = journal._writer._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 5}")
    journal.save_snapshot(2, bytes(1_000_000))
    assert "full" in journal.maintenance_trouble
    assert journal.failure is None
    connection.execute("PRAGMA max_page_count=100000")
    journal.append(notes(3).records[2:])
    assert journal.durable_seq == 3
    journal.close()


def test_a_failed_journal_takes_no_snapshot(path: Path) -> None:
    broken = True

    def disk() -> None:
        if broken:
            raise OSError(28, "No space left on device")

    journal = open_journal(path, inline=True, before_commit=disk)
    journal.append(notes(1).records)
    journal.save_snapshot(1, b"state")
    broken = False
    assert journal.recover()
    assert journal.load().snapshot is None
    journal.close()


def test_a_missing_journal_is_an_empty_history(path: Path) -> None:
    loaded = load(path, 1)
    assert (loaded.snapshot, loaded.seq, list(loaded.records)) == (None, 0, [])
    assert not path.exists()


def test_a_gap_is_an_error_and_no_history(path: Path) -> None:
    kept(path)
    tamper(path, "DELETE FROM events WHERE seq = 5")
    with pytest.raises(JournalCorrupt, match="event 5 is missing"):
        list(load(path, 1).records)


def test_an_event_of_a_newer_program_is_an_error_in_words(path: Path) -> None:
    kept(path)
    tamper(path, "UPDATE events SET type = 'MoonLanded' WHERE seq = 5")
    with pytest.raises(UnknownEventError, match="MoonLanded"):
        list(load(path, 1).records)


@pytest.mark.parametrize("on_disk", [True, False], ids=["on disk", "in memory"])
def test_folding_from_a_snapshot_gives_the_state_of_the_whole_history(
    tmp_path: Path, on_disk: bool
) -> None:
    """Replay from the beginning and from a snapshot end in the same bytes (T-24)."""
    source = tmp_path / "journal.db" if on_disk else memory_database()
    history = History()
    history.signal("s-1", "AAPL", orders=["o1"])
    history.life("o1", "AAPL", signal_id="s-1")
    journal = open_journal(source, inline=True)
    journal.append(history.records)
    journal.save_snapshot(history.records[-1].seq, history.book.snapshot())
    journal.append(history.life("o2", "MSFT"))
    from_snapshot, from_nothing = folded(journal), Book()
    for record in history.records:
        apply(from_nothing, record)
    assert from_snapshot.snapshot() == from_nothing.snapshot() == history.book.snapshot()
    journal.close()


def folded(journal: Journal) -> Book:
    loaded = journal.load()
    assert loaded.snapshot is not None
    book = Book.restore(loaded.snapshot)
    for record in loaded.records:
        apply(book, record)
    return book
