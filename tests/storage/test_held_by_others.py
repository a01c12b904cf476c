"""Other programs at the journal's files: a lock, a reader left open, a file taken away (U-70)."""

import asyncio
import os
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from storage import Journal, JournalBusy, JournalError, JournalUnwritable, open_journal
from storage.connection import LOCK_SECONDS
from storage.writer import LARGEST_LOG
from tests.storage.lives import History, notes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    opened = open_journal(path)
    yield opened
    await opened.aclose()


@contextmanager
def locked(path: Path) -> Iterator[sqlite3.Connection]:
    """The write lock, as a database browser takes it while it changes a cell."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other
        if other.in_transaction:
            other.execute("ROLLBACK")


@pytest.mark.parametrize("seconds", [0.6, LOCK_SECONDS - 1.5])
async def test_a_lock_is_waited_for_and_fails_nobody(
    journal: Journal, path: Path, seconds: float
) -> None:
    with locked(path) as other:
        timer = threading.Timer(seconds, other.execute, ("ROLLBACK",))
        timer.start()
        await journal.append(notes(3).records)
        timer.join()
    assert journal.failure is None
    assert journal.durable_seq == 3


async def test_a_lock_that_stays_is_a_failure_and_what_waited_is_written_after_it(
    journal: Journal, path: Path
) -> None:
    history = notes(3)
    with locked(path), pytest.raises(JournalBusy, match="locked"):
        await journal.append(history.records)
    async with asyncio.timeout(30):
        while not journal.recover():
            await asyncio.sleep(0.01)
    assert journal.durable_seq == 3


async def test_rows_that_wait_for_a_lock_keep_no_event_waiting_beyond_the_bound(
    journal: Journal, path: Path
) -> None:
    await journal.append(notes(1).records)
    with locked(path) as other:
        caught_up = journal.catch_up()
        await caught_up
        other.execute("ROLLBACK")
    assert journal.failure is None


def test_a_lock_while_the_journal_is_opened_is_waited_for(path: Path) -> None:
    open_journal(path, inline=True).close()
    with locked(path) as other:
        timer = threading.Timer(0.6, other.execute, ("ROLLBACK",))
        timer.start()
        journal = open_journal(path, inline=True)
        timer.join()
    journal.close()


async def test_a_reader_left_open_lets_the_log_grow_and_that_is_told_until_it_has_ended(
    journal: Journal, path: Path
) -> None:
    history = History()
    log = path.with_name("journal.db-wal")

    async def write() -> None:
        for _ in range(100):
            history.note("x" * 60_000)
        await journal.append(history.records[-100:])

    await write()
    said: set[str] = set()
    async with asyncio.timeout(60):
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM events").fetchone()
            while not said:
                await write()
                said |= {journal.maintenance_trouble} - {""}
            size = log.stat().st_size
            await write()
            said.add(journal.maintenance_trouble)
            (sentence,) = said
            assert "64 MB" in sentence
            assert str(path) in sentence
            assert size >= LARGEST_LOG
        while journal.maintenance_trouble:
            await write()


# --- files taken away -----------------------------------------------------------------------------


def take_away(path: Path, how: str) -> None:
    log = path.with_name(path.name + "-wal")
    match how:
        case "deleted":
            path.unlink()
        case "renamed":
            path.rename(path.with_name("old.db"))
        case "replaced":
            copy = path.with_name("copy.db")
            shutil.copy(path, copy)
            copy.replace(path)
        case "cut to nothing":
            os.truncate(path, 0)
        case "cut short":
            os.truncate(path, path.stat().st_size - 1)
        case "log deleted":
            log.unlink()
        case "folder deleted":
            shutil.rmtree(path.parent)


@pytest.mark.parametrize(
    "how",
    [
        "deleted",
        "renamed",
        "replaced",
        "cut to nothing",
        "cut short",
        "log deleted",
        "folder deleted",
    ],
)
async def test_a_journal_that_was_taken_away_is_not_durable_and_says_so(
    journal: Journal, path: Path, how: str
) -> None:
    history = History()
    await journal.append(history.note("before"))
    take_away(path, how)
    with pytest.raises(JournalUnwritable, match="taken away") as caught:
        await journal.append(history.note("after"))
    assert str(path) in str(caught.value)
    assert journal.durable_seq == 1
    for _ in range(3):
        assert not journal.recover()
        await asyncio.sleep(0.02)
    with pytest.raises(JournalError):
        await journal.append(history.note("later"))


async def test_a_journal_whose_folder_was_renamed_is_still_whole(
    journal: Journal, path: Path
) -> None:
    history = History()
    await journal.append(history.note("before"))
    path.parent.rename(path.parent.with_name("moved"))
    await journal.append(history.note("after"))
    assert journal.durable_seq == 2


async def test_a_journal_that_is_put_back_goes_on_without_a_hole(
    journal: Journal, path: Path
) -> None:
    history = History()
    await journal.append(history.note("before"))
    take_away(path, "renamed")
    with pytest.raises(JournalUnwritable):
        await journal.append(history.note("after"))
    put_back(path)
    async with asyncio.timeout(30):
        while not journal.recover():
            await asyncio.sleep(0.01)
    assert journal.durable_seq == 2


def put_back(path: Path) -> None:
    path.with_name("old.db").rename(path)
