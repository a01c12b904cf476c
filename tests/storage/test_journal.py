"""The event store: order, group commit, durability, and what happens when a write fails (U-70)."""

import asyncio
import contextlib
import errno
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.domain import events as ev
from engine.domain.run import Mode
from storage import (
    Journal,
    JournalClosed,
    JournalCorrupt,
    JournalError,
    JournalFull,
    JournalGap,
    JournalNewer,
    JournalUnwritable,
    memory_database,
    open_journal,
)
from storage.connection import open_reader
from storage.journal import GATHERED, RECORDS_AT_ONCE
from storage.verify import verify
from tests.storage.lives import START, History, notes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.db"


@pytest.fixture
def memory() -> sqlite3.Connection:
    return memory_database()


@pytest.fixture
async def journal(path: Path) -> AsyncIterator[Journal]:
    opened = open_journal(path)
    yield opened
    await opened.aclose()


def stored(path: Path) -> list[int]:
    with closing(open_reader(path)) as connection:
        return [seq for (seq,) in connection.execute("SELECT seq FROM events ORDER BY rowid")]


def size(path: Path) -> int:
    return path.stat().st_size


class Disk:
    """A hook that fails while `broken` says so, and counts how often it was asked."""

    def __init__(self) -> None:
        self.broken: BaseException | None = None
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1
        if self.broken is not None:
            raise self.broken


class PowerCutError(Exception):
    """Not an error of the disk: the process is gone."""


FULL = OSError(errno.ENOSPC, "No space left on device")


# --- order and durability ------------------------------------------------------------------------


async def test_what_was_awaited_is_on_disk(journal: Journal, path: Path) -> None:
    await journal.append(notes(3).records)
    assert stored(path) == [1, 2, 3]
    assert (journal.last_seq, journal.durable_seq) == (3, 3)
    assert journal.last_commit_seconds > 0


async def test_two_hundred_submitters_share_commits_and_keep_their_order(
    journal: Journal, path: Path
) -> None:
    waiting = iter(notes(1_000).records)

    async def submit() -> None:
        for _ in range(5):
            await journal.append([next(waiting)])

    await asyncio.gather(*(submit() for _ in range(200)))
    assert stored(path) == list(range(1, 1_001))
    assert journal.commits < 200
    assert verify(path).ok


async def test_one_append_is_written_whole(journal: Journal, path: Path) -> None:
    history = History()
    await journal.append(history.life("o1", "AAPL"))
    with closing(open_reader(path)) as connection:
        rows = connection.execute("SELECT type, mode, account FROM events").fetchall()
    assert [kind for kind, _, _ in rows] == [
        "OrderIntended",
        "OrderSent",
        "OrderAccepted",
        "OrderFilled",
    ]


async def test_mode_account_version_and_program_are_columns_of_every_row(path: Path) -> None:
    """U-70; the account is that of the event, "" for one of the portfolio."""
    journal = open_journal(path, mode=Mode.LIVE, engine="9.9")
    history = notes(1)
    history.order("o1", "AAPL")
    await journal.append(history.records)
    await journal.aclose()
    with closing(open_reader(path)) as connection:
        sql = "SELECT mode, account, type, version, engine FROM events"
        rows = connection.execute(sql).fetchall()
    assert rows == [
        ("live", "", "Alarmed", 1, "9.9"),
        ("live", "paper", "OrderIntended", 2, "9.9"),
    ]


async def test_an_empty_append_waits_for_everything_before(journal: Journal) -> None:
    journal.append(notes(50).records)
    await journal.append([])
    assert journal.durable_seq == 50


async def test_a_record_that_does_not_follow_is_refused_and_nothing_is_taken(
    journal: Journal, path: Path
) -> None:
    records = notes(5).records
    await journal.append(records[:2])
    with pytest.raises(JournalGap, match="event 4 cannot follow event 2"):
        journal.append(records[3:])
    with pytest.raises(JournalGap, match="event 2 cannot follow event 2"):
        journal.append(records[1:2])
    await journal.append(records[2:])
    assert stored(path) == [1, 2, 3, 4, 5]


async def test_who_gives_up_waiting_disturbs_nobody(journal: Journal, path: Path) -> None:
    ticket = journal.append(notes(3).records)

    async def wait() -> None:
        await ticket

    one, other = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.sleep(0)
    one.cancel()
    await other
    assert one.cancelled() or one.done()
    assert stored(path) == [1, 2, 3]


async def test_a_second_start_goes_on_where_the_first_ended(path: Path) -> None:
    history = notes(6)
    for part in (history.records[:3], history.records[3:]):
        journal = open_journal(path)
        await journal.append(part)
        await journal.aclose()
    assert stored(path) == [1, 2, 3, 4, 5, 6]
    assert verify(path).ok


async def test_a_closed_journal_takes_nothing_and_has_written_everything(path: Path) -> None:
    history = notes(100)
    journal = open_journal(path)
    for record in history.records[:99]:
        journal.append([record])
    journal.close()
    journal.close()
    assert stored(path) == list(range(1, 100))
    with pytest.raises(JournalClosed):
        journal.append(history.records[99:])


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "threaded"])
async def test_a_log_that_grows_is_copied_back_between_commits_and_used_again(
    path: Path, inline: bool
) -> None:
    """More than `CHECKPOINT_BUSY` pages in all, and a log that does not hold them all."""
    journal = open_journal(path, inline=inline)
    history = notes(20_000)
    for first in range(0, 20_000, 500):
        await journal.append(history.records[first : first + 500])
    log = size(path.with_name("journal.db-wal"))
    await journal.append([])
    assert journal.maintenance_trouble == ""
    await journal.aclose()
    assert log < size(path)
    assert len(stored(path)) == 20_000


def test_files_are_readable_by_their_owner_only(path: Path) -> None:
    """A-282: 0600 in a folder 0700."""
    journal = open_journal(path, inline=True)
    journal.append(notes(1).records)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"journal.db", "journal.db-wal"} <= modes.keys()
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    journal.close()


def test_commits_are_flushed_to_the_disk(path: Path) -> None:
    journal = open_journal(path, inline=True)
    connection = journal._writer._connection
    asked = ("journal_mode", "synchronous", "wal_autocheckpoint", "trusted_schema")
    answers = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in asked]
    assert answers == ["wal", 2, 0, 0]
    journal.close()


# --- inline --------------------------------------------------------------------------------------


async def test_inline_and_threaded_write_the_same_chain(path: Path) -> None:
    history = History()
    history.life("o1", "AAPL")
    threaded = open_journal(path)
    for record in history.records:
        await threaded.append([record])
    inline = open_journal(memory_database(), inline=True)
    await inline.append(history.records)
    assert inline.digest == threaded.digest
    await threaded.aclose()


def test_the_digest_is_the_same_on_every_machine() -> None:
    """U-70: the value is fixed; another hash seed, path, Python or day must not change it."""
    journal = open_journal(memory_database(), inline=True)
    journal.append(notes(3).records)
    assert journal.digest == "ac68cbbb9b81c79c42453462f090fe5af6a84c4f9102b6e2305a18c8f335152c"


def test_inline_takes_no_thread() -> None:
    before = threading.active_count()
    journal = open_journal(memory_database(), inline=True)
    journal.append(notes(1).records)
    assert threading.active_count() == before
    assert journal.durable_seq == 1


def test_memory_is_for_inline_journals_only() -> None:
    with pytest.raises(ValueError, match="inline"):
        open_journal(memory_database())


def test_what_is_gathered_is_written_as_one(memory: sqlite3.Connection) -> None:
    """X-68: one below, at and above the number of records that are written together."""
    journal = open_journal(memory, inline=True, gathers=True)
    records = notes(GATHERED + 1).records
    for record in records[:-2]:
        journal.append([record])
    assert (journal.last_seq, journal.durable_seq, journal.commits) == (GATHERED - 1, 0, 0)
    journal.append(records[-2:-1])
    assert (journal.durable_seq, journal.commits) == (GATHERED, 1)
    journal.append(records[-1:])
    assert (journal.durable_seq, journal.commits) == (GATHERED, 1)
    journal.append([])  # a barrier: everything before it is written
    assert (journal.durable_seq, journal.commits) == (GATHERED + 1, 2)


def test_what_is_gathered_makes_the_same_chain_and_none_of_it_is_lost(
    memory: sqlite3.Connection,
) -> None:
    """X-68."""
    records = notes(7).records
    journal = open_journal(memory, inline=True, gathers=True)
    other = open_journal(memory_database(), inline=True)
    for record in records[:4]:
        journal.append([record])
        other.append([record])
    assert journal.digest == other.digest
    for record in records[4:]:
        journal.append([record])
        other.append([record])
    journal.close()
    assert [r.seq for r in open_journal(memory, inline=True).load().records] == list(range(1, 8))
    assert open_journal(memory, inline=True).digest == other.digest


def test_a_snapshot_is_of_what_was_gathered_before_it(memory: sqlite3.Connection) -> None:
    """X-68."""
    journal = open_journal(memory, inline=True, gathers=True)
    journal.append(notes(3).records)
    journal.save_snapshot(3, b"state")
    snapshot = open_journal(memory, inline=True).load().snapshot
    assert snapshot == b"state"


def test_a_journal_on_disk_gathers_nothing(path: Path) -> None:
    """U-70: an append is to be durable."""
    with pytest.raises(ValueError, match="durable"):
        open_journal(path, inline=True, gathers=True)


async def test_a_burst_is_begun_before_the_loop_comes_round(path: Path) -> None:
    committed = threading.Event()
    journal = open_journal(path, after_commit=committed.set)
    history = notes(RECORDS_AT_ONCE)
    for record in history.records[:-1]:
        journal.append([record])
    assert journal.durable_seq == 0
    last = journal.append(history.records[-1:])
    assert committed.wait(10), "the loop has not come round since the first of them"
    await last
    assert journal.durable_seq == RECORDS_AT_ONCE
    await journal.aclose()


def test_an_account_with_control_characters_is_refused_and_nothing_is_taken(path: Path) -> None:
    journal = open_journal(path, inline=True)
    event = ev.StopRemoved(account="a\x1fb", symbol="AAPL", by="test")
    with pytest.raises(ValueError, match="printable"):
        journal.append([ev.Record(1, START, event)])
    assert journal.last_seq == 0
    journal.close()


@pytest.mark.parametrize("before", [True, False], ids=["before commit", "after commit"])
def test_a_crash_around_the_commit_loses_it_or_keeps_it_whole(before: bool) -> None:
    database = memory_database()
    crash = Disk()
    journal = open_journal(
        database,
        inline=True,
        before_commit=crash if before else None,
        after_commit=None if before else crash,
    )
    history = notes(4)
    journal.append(history.records[:2])
    crash.broken = PowerCutError()
    with pytest.raises(PowerCutError):
        journal.append(history.records[2:])  # it comes out at once: nobody is there to wait
    again = open_journal(database, inline=True)
    assert again.last_seq == (2 if before else 4)
    assert [r.seq for r in again.load().records] == list(range(1, again.last_seq + 1))


# --- failing writes ------------------------------------------------------------------------------


@pytest.mark.parametrize("inline", [True, False], ids=["inline", "threaded"])
async def test_a_full_disk_fails_everybody_and_recovery_skips_nothing(
    path: Path, inline: bool
) -> None:
    disk = Disk()
    journal = open_journal(path, inline=inline, before_commit=disk)
    history = notes(6)
    await journal.append(history.records[:1])
    disk.broken = FULL
    tickets = [journal.append([record]) for record in history.records[1:4]]
    for ticket in tickets:
        with pytest.raises(JournalFull, match="No space left"):
            await ticket

    asked = disk.asked
    with pytest.raises(JournalFull):
        await journal.append(history.records[4:5])
    assert disk.asked == asked, "a failed journal does not try the disk for each append"
    assert (journal.last_seq, journal.durable_seq) == (5, 1)

    journal.recover()
    with pytest.raises(JournalFull):
        await journal.append([])
    disk.broken = None
    journal.recover()
    await journal.append(history.records[5:])
    assert journal.recover() is True
    assert journal.failure is None
    await journal.aclose()
    assert stored(path) == [1, 2, 3, 4, 5, 6]
    assert verify(path).ok


@pytest.mark.parametrize("error", [ValueError("a defect"), SystemExit("a defect")], ids=repr)
async def test_a_defect_in_the_writer_fails_it_like_a_full_disk_and_it_recovers(
    path: Path, error: BaseException
) -> None:
    disk = Disk()
    journal = open_journal(path, before_commit=disk)
    history = notes(3)
    await journal.append(history.records[:1])
    disk.broken = error
    for record in history.records[1:]:
        with pytest.raises(JournalError, match="a defect"):
            await journal.append([record])
    assert journal.recover() is False
    disk.broken = None
    journal.recover()
    with contextlib.suppress(JournalError):
        await journal.append([])
    assert journal.recover() is True
    await journal.aclose()
    assert stored(path) == [1, 2, 3]
    assert verify(path).ok


def test_recovery_of_a_healthy_journal_has_nothing_to_do(path: Path) -> None:
    journal = open_journal(path, inline=True)
    assert journal.recover() is True
    journal.close()


def test_nothing_counts_as_durable_inside_a_transaction_that_was_left_open(path: Path) -> None:
    journal = open_journal(path, inline=True)
    history = notes(2)
    journal.append(history.records[:1])
    journal._writer._connection.execute("BEGIN")
    journal.append(history.records[1:])
    assert "left open" in str(journal.failure)
    assert (journal.durable_seq, stored(path)) == (1, [1])
    assert journal.recover() is True
    assert (journal.durable_seq, stored(path)) == (2, [1, 2])
    journal.close()
    assert verify(path).ok


async def test_a_database_that_is_full_by_its_own_count_comes_back(path: Path) -> None:
    """A real SQLITE_FULL rather than a simulated one."""
    journal = open_journal(path, inline=True)
    connection = journal._writer._connection
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 1}")
    history = notes(200)
    with pytest.raises(JournalFull, match="full"):
        await journal.append(history.records)
    with pytest.raises(JournalFull):
        await journal.append([])
    connection.execute("PRAGMA max_page_count=1000000")
    assert journal.recover() is True
    journal.close()
    assert len(stored(path)) == 200
    assert verify(path, tables=True).ok


async def test_a_commit_that_failed_and_yet_was_written_is_not_written_twice(path: Path) -> None:
    disk = Disk()
    journal = open_journal(path, inline=True, after_commit=disk)
    history = notes(5)
    await journal.append(history.records[:1])
    disk.broken = OSError(errno.EIO, "Input/output error")
    with pytest.raises(JournalUnwritable):
        await journal.append(history.records[1:3])
    with pytest.raises(JournalUnwritable):
        await journal.append(history.records[3:4])
    disk.broken = None
    assert journal.recover() is True
    await journal.append(history.records[4:])
    journal.close()
    assert stored(path) == [1, 2, 3, 4, 5]
    assert verify(path).ok


def test_a_second_writer_is_found_out(path: Path) -> None:
    ours, theirs = open_journal(path, inline=True), open_journal(path, inline=True)
    history = notes(3)
    theirs.append(history.records[:1])
    ours.append(History().note("not the same"))
    assert ours.failure is not None
    assert ours.recover() is False
    assert isinstance(ours.failure, JournalCorrupt)
    assert "second writer" in str(ours.failure)
    theirs.append(history.records[1:])
    ours.close()
    theirs.close()
    assert verify(path).ok


async def test_a_foreign_write_lock_fails_the_write_and_not_the_loop(path: Path) -> None:
    journal = open_journal(path)
    foreign = sqlite3.connect(path, isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")
    history = notes(2)
    with pytest.raises(JournalError, match="locked"):
        await journal.append(history.records[:1])
    foreign.execute("ROLLBACK")
    foreign.close()
    journal.recover()
    await journal.append(history.records[1:])
    await journal.aclose()
    assert stored(path) == [1, 2]


async def test_closing_tries_once_more_what_failed(path: Path) -> None:
    disk = Disk()
    journal = open_journal(path, before_commit=disk)
    disk.broken = FULL
    with pytest.raises(JournalFull):
        await journal.append(notes(3).records)
    disk.broken = None
    await journal.aclose()
    assert stored(path) == [1, 2, 3]
    assert journal.failure is None


def test_the_reserve_is_released_when_the_disk_is_full_and_taken_again_at_start(
    path: Path,
) -> None:
    reserve = path.with_name("journal.db.ballast")
    disk = Disk()
    journal = open_journal(path, inline=True, before_commit=disk)
    assert reserve.stat().st_size == 1_000_000
    assert reserve.stat().st_blocks * 512 >= 1_000_000, "a sparse file reserves nothing"
    disk.broken = FULL
    journal.append(notes(1).records)
    journal.recover()
    assert not reserve.exists()
    disk.broken = None
    assert journal.recover() is True
    journal.close()
    open_journal(path, inline=True).close()
    assert reserve.stat().st_size == 1_000_000


def test_a_disk_that_has_room_for_a_part_of_the_reserve_keeps_that_for_events(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    room = [4_096]

    def nearly_full(handle: int, data: bytes) -> int:
        if not room[0]:
            raise FULL
        count = real(handle, bytes(data[: room[0]]))
        room[0] -= count
        return count

    monkeypatch.setattr(os, "write", nearly_full)
    journal = open_journal(path, inline=True)
    assert not path.with_name("journal.db.ballast").exists()
    journal.append(notes(1).records)
    journal.close()
    assert stored(path) == [1]


def test_another_failure_keeps_the_reserve(path: Path) -> None:
    disk = Disk()
    journal = open_journal(path, inline=True, before_commit=disk)
    disk.broken = OSError(errno.EIO, "Input/output error")
    journal.append(notes(1).records)
    journal.recover()
    assert path.with_name("journal.db.ballast").exists()
    disk.broken = None
    journal.close()


async def test_a_failure_nobody_waits_for_makes_no_noise(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = Disk()
    journal = open_journal(path, before_commit=disk)
    disk.broken = FULL
    history = notes(2)
    journal.append(history.records[:1])
    with pytest.raises(JournalFull):
        await journal.append(history.records[1:])
    await journal.aclose()
    assert caplog.records == []
    assert journal.failure is not None


# --- whose file it is ----------------------------------------------------------------------------


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}


def newer(path: Path, *, logged: bool) -> sqlite3.Connection | None:
    """A journal as a newer program would leave it: closed, or killed with its log beside it."""
    open_journal(path, inline=True).close()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA user_version=999")
    if logged:
        return connection
    connection.close()
    return None


@pytest.mark.parametrize("logged", [False, True], ids=["closed", "with its log"])
def test_a_newer_journal_is_refused_in_words_and_not_touched(path: Path, logged: bool) -> None:
    connection = newer(path, logged=logged)
    before = everything(path.parent)
    with pytest.raises(JournalNewer, match=r"schema 999 .* newer program .* untouched"):
        open_journal(path, inline=True)
    after = everything(path.parent)
    if connection is not None:
        # The shared-memory index of a reader is no part of the journal.
        before.pop("journal.db-shm")
        after.pop("journal.db-shm")
        connection.close()
    assert after == before


def test_a_file_that_is_no_journal_is_refused_and_not_touched(tmp_path: Path) -> None:
    text = tmp_path / "journal.db"
    text.write_text("my notes\n" * 100)
    with pytest.raises(JournalCorrupt, match="not an SQLite file"):
        open_journal(text)
    assert text.read_text() == "my notes\n" * 100

    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("PRAGMA user_version=3")
        connection.execute("PRAGMA application_id=77")
        connection.execute("CREATE TABLE cats (name)")
    before = other.read_bytes()
    with pytest.raises(JournalCorrupt, match="another program"):
        open_journal(other)
    assert other.read_bytes() == before


def test_a_folder_that_is_a_file_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")
    with pytest.raises(JournalUnwritable, match=r"state/journal\.db"):
        open_journal(tmp_path / "state" / "journal.db")


# --- reading beside the writer -------------------------------------------------------------------


async def test_readers_see_whole_transactions_while_the_writer_goes_on(
    journal: Journal, path: Path
) -> None:
    """X-90: events at once, rows behind them and all of them up to the watermark."""
    history = History()
    with closing(open_reader(path)) as reader:
        for number in range(30):
            history.touched.clear()
            await journal.append(history.life(f"o{number}", f"S{number}"), history.touched)
            assert reader.execute("SELECT count(*) FROM events").fetchone() == (4 * (number + 1),)
            await journal.catch_up()
            seen = "SELECT (SELECT seq FROM watermark), (SELECT count(*) FROM fills)"
            assert reader.execute(seen).fetchone() == (4 * (number + 1), number + 1)


def test_a_reader_here_and_a_visitor_from_outside_leave_the_log_alone(path: Path) -> None:
    """A handle of our own to the file must not drop the writer's locks (howtocorrupt, 2.2).

    Without them the visitor would think itself the last one, and delete the log we write to.
    """
    journal = open_journal(path, inline=True)
    history = notes(3)
    journal.append(history.records[:1])
    assert stored(path) == [1]
    visit = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM head')"
    done = subprocess.run([sys.executable, "-c", visit + "; c.close()", str(path)])
    assert done.returncode == 0
    assert path.with_name("journal.db-wal").exists()
    journal.append(history.records[1:])
    assert stored(path) == [1, 2, 3]
    journal.close()


def test_an_event_no_json_can_hold_is_refused_at_once(path: Path) -> None:
    journal = open_journal(path, inline=True)
    odd = ev.OperatorActed(command="x", args={"it": object()}, by="me")
    with pytest.raises(TypeError):
        journal.append([ev.Record(1, 0, odd)])
    assert journal.last_seq == 0
    journal.append(notes(1).records)
    assert journal.durable_seq == 1
    journal.close()
