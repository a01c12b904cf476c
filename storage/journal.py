"""The journal: append-only, chained, durable in groups (U-70, DESIGN Journal).

`append` encodes and queues; the writer takes everything that waits, writes it in one transaction
and wakes every submitter at once. With `inline` the same transaction runs inside `append`, and no
thread takes part in the order of things (virtual time). A journal in memory that `gathers` is not
durable before it ends anyway: it writes many appends as one.

The rows of the tables are written behind the events, by the same writer, when no commit waits
(X-90). In virtual time they wait for the end, for a snapshot, or for somebody who reads.

A write that fails fails everybody who waits, and everybody after, at once. What was handed in is
kept, in order, and `recover` writes it: nothing is ever skipped.
"""

import asyncio
import contextlib
import sqlite3
import threading
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

from engine.domain.events import Record
from engine.ports import Settled
from engine.state.touched import Touched
from storage import snapshots
from storage.ballast import Ballast
from storage.behind import PendingRows, RowsBehind
from storage.errors import JournalClosed, JournalError, JournalFull, JournalGap, journal_error
from storage.snapshots import Loaded
from storage.ticket import Ticket, again, wake
from storage.writer import Entry, Writer, entry_of

MAX_ENTRIES = 4_096
"""Records in one transaction at most, so that no submitter waits for an endless one."""

RECORDS_AT_ONCE = 128
"""Records that are handed to the writer before the loop comes round: they are worth a commit."""

GATHERED = 512
"""Records that a journal which gathers keeps before it writes them as one."""

IDLE_SECONDS = 0.02
"""So long without work, and the log is copied back into the database."""

RETRY_SECONDS = 1.0
"""How long rows that the disk did not take wait before they are tried again."""


class _Append(NamedTuple):
    entries: list[Entry]
    values: list[Touched]
    ticket: Ticket | None


class _Rows(NamedTuple):
    values: list[Touched]
    until: int


class _CatchUp(NamedTuple):
    ticket: Ticket | None


class _Recover(NamedTuple):
    pass


class _Save(NamedTuple):
    seq: int
    state: bytes


class _Close(NamedTuple):
    pass


_Work = _Append | _Rows | _CatchUp | _Recover | _Save | _Close


class Journal:
    """The event store of `engine.ports`. Made by `open_journal`; used from the loop's thread."""

    def __init__(
        self,
        writer: Writer,
        *,
        inline: bool,
        gathers: bool,
        ballast: Ballast | None,
        state_format: int,
        source: Path | sqlite3.Connection,
        trouble: str = "",
    ) -> None:
        self._writer = writer
        self._gathered: list[_Append] | None = [] if gathers else None
        """What was appended and is not written yet; None where each append is a commit."""
        self._ballast = ballast
        self._state_format = state_format
        self._source = source
        self._last_seq = writer.seq
        self._watermark = writer.watermark
        self._commit_seconds = 0.0
        self._commits = 0
        self._failure: JournalError | None = None
        self._backlog: list[Entry] = []
        self._unwritten: list[Touched] = []
        """Values that the events in the backlog touched."""
        self._behind = RowsBehind()
        self._rows_refused = False
        """The disk did not take the rows that wait, the last time."""
        self._maintenance = trouble
        self._closed = False
        self._retrying = False
        self._answer: JournalError | None = None
        self._queue: SimpleQueue[_Work] | None = None
        self._open: tuple[list[Entry], list[Touched], Ticket] | None = None
        """What was appended since the loop last came round; it is handed over as one."""
        self._thread: threading.Thread | None = None
        if not inline:
            self._queue = SimpleQueue()
            self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
            self._thread.start()

    # --- the port ---------------------------------------------------------------------------------

    def append(self, records: Sequence[Record], touched: Sequence[Touched] = ()) -> Awaitable[None]:
        """Queue records in order; the awaitable resolves once they are durable.

        `touched` are the values that the records touched, as `apply` names them; their rows are
        written some time after the records. With no records it is a barrier: everything handed in
        before is durable then. The awaitable raises the `JournalError` kind that kept the records
        from being written; they stay queued for `recover`. Raises at once, and takes nothing,
        `JournalGap` for records that do not follow the last one, `JournalClosed`, TypeError for an
        event that has no JSON and ValueError for an account whose name is not printable.
        """
        self._refuse_closed()
        entries = []
        expected = self._last_seq
        for record in records:
            expected += 1
            if record.seq != expected:
                raise JournalGap(f"event {record.seq} cannot follow event {expected - 1}")
            entries.append(entry_of(record))
        self._last_seq = expected
        if self._queue is None:
            return self._submit(_Append(entries, list(touched), None))
        return self._gather(entries, touched)

    @property
    def last_seq(self) -> int:
        """The number of the newest record handed in, durable or not."""
        return self._last_seq

    @property
    def last_commit_seconds(self) -> float:
        """How long the newest commit took."""
        return self._commit_seconds

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Keep the state as of `seq` so that a start need not fold from the beginning.

        It is written behind the events handed in before, together with every row up to `seq`. One
        that cannot be written is missed only by the next start; `maintenance_trouble` says why.
        """
        self._refuse_closed()
        self._submit(_Save(seq, state))

    # --- more than the port -----------------------------------------------------------------------

    def write_behind(self, values: Sequence[Touched], until: int) -> None:
        """Write rows of values that the journal's own events up to `until` touched.

        A start that folds events whose rows are not there yet hands over what they touched.
        """
        self._refuse_closed()
        self._submit(_Rows(list(values), until))

    def catch_up(self) -> Awaitable[None]:
        """Write every row that waits; the awaitable resolves once the tables say all of it.

        A row that the disk does not take is missed only by the tables; `maintenance_trouble` says
        why, and it is tried again.
        """
        self._refuse_closed()
        if self._queue is None:
            return self._submit(_CatchUp(None))
        ticket = Ticket(asyncio.get_running_loop())
        self._submit(_CatchUp(ticket))
        return ticket

    @property
    def watermark(self) -> int:
        """The last event whose rows are all in the tables."""
        return self._watermark

    @property
    def durable_seq(self) -> int:
        """The number of the newest record that is on disk."""
        return self._writer.seq

    @property
    def digest(self) -> str:
        """The head of the hash chain in hex: equal histories have equal digests."""
        self._write_gathered()
        return self._writer.head.hex()

    @property
    def commits(self) -> int:
        """Transactions so far; one may hold many appends."""
        return self._commits

    @property
    def failure(self) -> JournalError | None:
        """What keeps the journal from being written, None while it is healthy."""
        return self._failure

    @property
    def maintenance_trouble(self) -> str:
        """Why rows, a snapshot, a checkpoint or the reserve failed last; no event is lost by it.

        A folder that was moved, and a log that cannot be copied back, are told here for as long as
        that is so.
        """
        return self._writer.moved or self._writer.overgrown or self._maintenance

    def recover(self) -> bool:
        """True once everything that failed is durable; until then each call tries again.

        Nothing is waited for: the writer tries behind what it has to do, so that a later call, or
        an append, sees how it went. After a full disk the reserve is released first. What cannot
        be written yet stays queued, in order; `failure` says what stands in the way.
        """
        self._refuse_closed()
        if self._failure is not None and not self._retrying:
            self._retrying = True
            self._submit(_Recover())
        return self._failure is None

    def load(self) -> Loaded:
        """The newest usable snapshot and the events after it; to be read before the first append.

        Raises `JournalError` kinds; see `storage.snapshots.load`.
        """
        if isinstance(self._source, Path):
            return snapshots.load(self._source, self._state_format)
        return snapshots.load_from(self._source, self._state_format, where="in memory")

    def close(self) -> None:
        """Write what waits, copy the log back and let go of the file. May be called twice.

        What failed before is tried once more; what still cannot be written is lost with the
        process, and `failure` says so.
        """
        if not self._closed:
            self._closed = True
            self._end()

    async def aclose(self) -> None:
        """As `close`, without holding up the loop."""
        if not self._closed:
            self._closed = True
            self._hand_over()
            await asyncio.to_thread(self._end)

    def _end(self) -> None:
        if self._queue is None or self._thread is None:
            self._finish()
            return
        self._hand_over()
        self._queue.put(_Close())
        self._thread.join()

    # --- handing over -----------------------------------------------------------------------------

    def _refuse_closed(self) -> None:
        if self._closed:
            raise JournalClosed("the journal is closed: nothing more can be written")

    def _gather(self, entries: list[Entry], touched: Sequence[Touched]) -> Awaitable[None]:
        """Keep the entries until the loop comes round: one wake of the writer for all of them.

        Where many come at once the writer begins with the first of them meanwhile.
        """
        loop = asyncio.get_running_loop()
        if self._open is not None and self._open[2].loop is not loop:
            self._hand_over()
        if self._open is None:
            self._open = ([], [], Ticket(loop))
            loop.call_soon(self._hand_over)
        self._open[0].extend(entries)
        self._open[1].extend(touched)
        ticket = self._open[2]
        if len(self._open[0]) >= RECORDS_AT_ONCE:
            self._hand_over()
        return ticket

    def _hand_over(self) -> None:
        if self._open is not None and self._queue is not None:
            self._queue.put(_Append(*self._open))
            self._open = None

    def _submit(self, work: _Work) -> Awaitable[None]:
        if self._queue is None:
            self._answer = None
            if self._gathers(work):
                return Settled(self._answer)
            self._process([*self._take_gathered(), work])
            self._checkpoint_if_needed()
            return Settled(self._answer)
        self._hand_over()
        self._queue.put(work)
        return Settled(None)

    def _gathers(self, work: _Work) -> bool:
        """Keep an append for later, where that is the way of this journal and few are kept."""
        if self._gathered is None or not isinstance(work, _Append) or not work.entries:
            return False
        self._gathered.append(work)
        first = self._gathered[0].entries[0].seq
        if self._last_seq - first + 1 >= GATHERED:
            self._write_gathered()
        return True

    def _take_gathered(self) -> list[_Append]:
        gathered = self._gathered or []
        if gathered:
            self._gathered = []
        return gathered

    def _write_gathered(self) -> None:
        if self._gathered:
            self._process(self._take_gathered())

    # --- the writer's side ------------------------------------------------------------------------

    def _run(self) -> None:
        assert self._queue is not None  # noqa: S101  # the thread exists only with a queue
        while True:
            batch: list[_Work] = []
            try:
                if self._round(self._queue, batch):
                    break
            except BaseException as error:
                # A defect of ours: the thread lives on, so that nobody waits for ever.
                self._failure = journal_error(error, self._where)
                waiting = [w.ticket for w in batch if isinstance(w, _Append | _CatchUp)]
                self._settle(waiting, self._failure)
        self._finish()

    def _round(self, queue: SimpleQueue[_Work], batch: list[_Work]) -> bool:
        """Do what waits, taken into `batch`, else what can wait; True once nothing more comes."""
        try:
            batch.append(queue.get(timeout=self._patience()))
        except Empty:
            if self._behind.done or self._failure is not None:
                self._checkpoint()
            else:
                self._write_all()
            return False
        size = 0
        with contextlib.suppress(Empty):
            while size < MAX_ENTRIES:
                work = queue.get_nowait()
                size += len(work.entries) if isinstance(work, _Append) else 1
                batch.append(work)
        if self._process(batch):
            return True
        if self._behind.pressing:
            self._write_all()
        self._checkpoint_if_needed()
        return False

    def _patience(self) -> float | None:
        """How long the writer waits for work before it does what can wait."""
        if not self._behind.done and self._failure is None:
            return RETRY_SECONDS if self._rows_refused else self._behind.pause
        return IDLE_SECONDS if self._writer.wants_checkpoint else None

    def _process(self, batch: Sequence[_Work]) -> bool:
        """Do the work in order, appends that stand together in one transaction."""
        group: list[_Append] = []
        for work in batch:
            if isinstance(work, _Append):
                group.append(work)
                continue
            self._write(group)
            group = []
            match work:
                case _Rows(values, until):
                    self._behind.add(values, until)
                    if self._queue is None and self._behind.pressing:
                        self._write_all()
                case _CatchUp(ticket):
                    self._write_all()
                    self._settle([ticket], None)
                case _Recover():
                    self._recover()
                case _Save(seq, state):
                    self._save(seq, state)
                case _Close():
                    return True
        self._write(group)
        return False

    def _write(self, group: Sequence[_Append]) -> None:
        if not group:
            return
        entries = [entry for work in group for entry in work.entries]
        values = [touched for work in group for touched in work.values]
        if self._failure is not None:
            self._keep(entries, values)
        elif entries:
            try:
                self._commit(entries)
                self._behind.add(values, entries[-1].seq)
            except JournalError as error:
                self._failure = error
                self._keep(entries, values)
            except BaseException as error:
                # A fault hook's own: a simulated crash, which the caller of an inline journal sees.
                self._failure = journal_error(error, self._where)
                self._keep(entries, values)
                if self._queue is None:
                    raise
            if self._queue is None and self._behind.pressing:
                self._write_all()
        self._settle([work.ticket for work in group], self._failure)

    def _keep(self, entries: list[Entry], values: list[Touched]) -> None:
        """Keep what could not be written for `recover`; no row stands before its event."""
        self._backlog.extend(entries)
        self._unwritten.extend(values)

    def _write_all(self) -> None:
        if self._failure is None and not self._behind.done:
            self._write_rows(self._behind.take())

    def _write_rows(self, rows: PendingRows, snapshot: tuple[bytes, int] | None = None) -> bool:
        """Write some rows; those that are not taken, whatever the reason, wait for another time."""
        self._rows_refused = False
        try:
            kept = self._writer.write_rows(rows.values, until=rows.until, snapshot=snapshot)
        except Exception as error:  # of the disk, or of a row: no event waits for either
            self._behind.back(rows)
            self._rows_refused = True
            self._maintenance = str(journal_error(error, self._where))
            return True
        self._watermark = rows.until
        self._maintenance = self._writer.stale or self._maintenance
        return kept

    def _commit(self, entries: Sequence[Entry]) -> None:
        start = time.perf_counter()
        self._writer.commit(entries)
        self._commit_seconds = time.perf_counter() - start
        self._commits += 1

    def _recover(self) -> None:
        if self._failure is not None:
            try:
                if isinstance(self._failure, JournalFull) and self._ballast is not None:
                    self._ballast.release()
                del self._backlog[: self._writer.resume(self._backlog)]
                while self._backlog:
                    part = self._backlog[:MAX_ENTRIES]
                    self._commit(part)
                    del self._backlog[: len(part)]
                self._behind.add(self._unwritten, self._writer.seq)
                self._unwritten = []
                self._failure = None
            except BaseException as error:  # of the disk, or a fault hook's own
                self._failure = journal_error(error, self._where)
        self._retrying = False

    def _save(self, seq: int, state: bytes) -> None:
        if self._failure is not None:
            return
        waiting = self._behind.take()
        if not self._write_rows(PendingRows(waiting.values, seq), (state, self._state_format)):
            self._maintenance = f"the snapshot at event {seq} has no event: it was not kept"

    def _checkpoint_if_needed(self) -> None:
        if self._writer.needs_checkpoint and isinstance(self._source, Path):
            self._checkpoint()

    def _checkpoint(self, *, truncate: bool = False) -> None:
        try:
            self._writer.checkpoint(truncate=truncate)
        except JournalError as error:
            # The log still holds every event; it is copied back another time.
            self._maintenance = str(error)

    def _finish(self) -> None:
        self._write_gathered()
        self._recover()
        self._write_all()
        if isinstance(self._source, Path):
            self._checkpoint(truncate=True)
            self._writer.close()

    def _settle(self, tickets: Sequence[Ticket | None], error: JournalError | None) -> None:
        """Wake everybody with one call into the loop."""
        if self._queue is None:
            self._answer = None if error is None else again(error)
            return
        loops: dict[asyncio.AbstractEventLoop, list[Ticket]] = {}
        for ticket in tickets:
            if ticket is not None:
                loops.setdefault(ticket.loop, []).append(ticket)
        for loop, theirs in loops.items():
            try:
                loop.call_soon_threadsafe(wake, theirs, error)
            except RuntimeError:
                # The loop has ended: nobody waits there any more, and the events are durable.
                continue

    @property
    def _where(self) -> str:
        return str(self._source) if isinstance(self._source, Path) else "in memory"
