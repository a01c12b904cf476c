"""The accounts worked by this process, without an engine: a kill from outside (C-502, X-52).

The engine's own start-up path runs here with the latch set: it observes, cancels and closes, and
nothing else (DESIGN, Kill). Their locks are had by then (`console.host.fence`).

Where the journal cannot be read, or not be written, it is left as it is and one in memory stands in
for it: the venues say what they hold and what works there. Of what kind a holding is only the
journal knows, so that it counts as a swing trade (X-32).
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from brokers import LibraryUnusable
from brokers.paper.book import BookError
from console.host import wiring
from console.host.claims import Claims, HeldElsewhere, started
from console.host.crash import crashed
from console.host.kill_report import PROOF_SECONDS, KillReport
from console.host.output import warn
from console.host.place import version
from console.host.restoring import restored
from console.host.secrets import SecretError
from console.host.whereabouts import (
    books,
    unidentified,
)
from console.terminal.bootstrap import settle_task_factory
from engine.config import Config, opened
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus
from engine.domain.run import Flatten, Halt, KillState
from engine.ports import BrokerError, Clock, Latch
from engine.reference.textfile import BadFile
from engine.runtime.clock import ScaledClock, SystemClock
from engine.state.account import AccountState
from engine.state.book import Book
from storage.connection import memory_database, open_reader
from storage.errors import JournalError

REACH_SECONDS: Final = 30.0
"""How long a venue that cannot be reached is tried for."""

RETRY_SECONDS: Final = 0.2
_UNWORKABLE: Final = (
    JournalError,
    BookError,
    BrokerError,
    LibraryUnusable,
    wiring.AccountNotOpened,
    wiring.FixedOtherwise,
    wiring.SectorFileError,
    SecretError,
    BadFile,
    OSError,
    UnicodeError,
)


class _Job(msgspec.Struct, frozen=True):
    """What is worked: the accounts of `config` from a state folder, under a latch that is set."""

    config: Config
    folder: Path
    latch: Latch
    claims: Callable[[], Claims]


def work_accounts(
    config: Config, folder: Path, latch: Latch, claims: Callable[[], Claims], *, used: bool
) -> dict[str, Any]:
    """What the accounts show after the engine's own kill ran here; needs their locks.

    `used` says that an engine has worked on this folder before. `claims` makes what takes the
    locks of real accounts by the ids that their venues answer, which are had until this returns.
    Raises HeldElsewhere where one is another engine's, once what was begun has stopped in order.
    """
    nothing: dict[str, Any] = {"state": KillState.DEGRADED, "cancelled": 0, "closed": 0}
    nothing |= {"left": [], "kept": []}
    names = opened(config)
    unasked = {name: nothing | {"unknown": [f"nothing was asked of {name}"]} for name in names}
    if folder.exists() and not folder.is_dir():
        warn(f"{folder} is a file, no state folder: no account can be worked from it")
        return unasked
    journal = folder / wiring.JOURNAL
    new = not journal.exists()
    known = None if used and new else _read(journal)
    unknown = unidentified(config, folder, used=used, known=known)
    if new:
        warn(
            f"{journal} is not there, though an engine has worked on it: what the venues hold and "
            "work themselves is all that is known, and a holding counts as a swing trade."
            if used
            else f"No engine has ever run in {folder}: what the brokers list is all that is known."
        )
    for why in unknown.values():
        warn(why)
    rows = {name: nothing | {"unknown": [why]} for name, why in unknown.items()}
    if len(rows) == len(names):
        return rows
    try:
        return _reached(_Job(config, folder, latch, claims), known) | rows
    except HeldElsewhere:
        raise
    except _UNWORKABLE as error:
        warn(f"{', '.join(names)} could not be worked from here: {error}")
    except Exception as error:  # the latch is set: what is known of the accounts is still told
        warn(f"{', '.join(names)} could not be worked from here: {crashed(error)}")
    finally:
        for name in unknown:
            _forget(books(config, folder)[name])
    return unasked | rows


def _forget(book: Path) -> None:
    """Remove a book that was not there before: what it holds is not what the account held."""
    for path in (book, *(book.with_name(f"{book.name}{end}") for end in ("-wal", "-shm"))):
        with suppress(OSError):
            path.unlink()


def _reached(job: _Job, known: Book | None) -> dict[str, Any]:
    """`_worked`, begun again while the venue cannot be reached: one that restarts is soon back.

    Raises what it raises, BrokerError after `REACH_SECONDS`.
    """
    deadline, told = time.monotonic() + REACH_SECONDS, False
    while True:
        try:
            return _worked(job, known)
        except BrokerError as error:
            if time.monotonic() >= deadline:
                raise
            if not told:
                warn(f"The venue cannot be reached, and is tried for {REACH_SECONDS:g} s: {error}")
            told = True
            time.sleep(RETRY_SECONDS)


def _worked(job: _Job, known: Book | None) -> dict[str, Any]:
    """`_flatten` with the journal as far as it is of use. Raises what kept it from being done."""
    journal = job.folder / wiring.JOURNAL
    if known is not None:
        try:
            return asyncio.run(_flatten(job, known))
        except (JournalError, sqlite3.Error) as error:
            warn(f"The journal cannot be written, and is left as it is: {error}")
        copy = _copied(journal)
        if copy is not None:
            return asyncio.run(_flatten(job, known, copy))
    return asyncio.run(_flatten(job, None, memory_database()))


def _read(journal: Path) -> Book | None:
    """What the journal tells, None where it cannot be read; nothing is written to it."""
    try:
        book, _ = restored(journal)
    except Exception as error:  # whatever is wrong with it, a kill goes on
        why = str(error) if isinstance(error, JournalError) else "what it holds makes no sense"
        warn(
            f"The journal could not be read, and is left as it is: {why}. What the venues hold and "
            "work themselves is all that is known: a holding counts as a swing trade, and an "
            "account that the config does not open is not looked at."
        )
        return None
    return book


def _copied(journal: Path) -> sqlite3.Connection | None:
    """A copy of the journal in memory; None where not all of it can be read."""
    copy = memory_database()
    try:
        with closing(open_reader(journal)) as source:
            source.backup(copy)
    except (JournalError, sqlite3.Error) as error:
        copy.close()
        warn(f"It cannot be copied either, so that only what the venues tell is known: {error}")
        return None
    return copy


async def _flatten(
    job: _Job, known: Book | None, database: sqlite3.Connection | None = None
) -> dict[str, Any]:
    """`known` is what the journal tells, None where it cannot be read; `database` one in memory
    that stands in for it."""
    settle_task_factory(asyncio.get_running_loop())
    with job.claims() as claims:
        return await _proved(job, claims, known, database)


async def _proved(
    job: _Job, claims: Claims, known: Book | None, database: sqlite3.Connection | None
) -> dict[str, Any]:
    """What an engine has proved of the accounts that `claims` lets it have."""
    clock = _clock(job.config, known)
    house = wiring.build(
        job.config,
        clock=clock,
        state_dir=job.folder,
        version=version(),
        latch=job.latch,
        database=database,
        flatten_only=True,
        claim=claims.claim,
    )
    engine = house.engine
    report = KillReport(engine.world)
    try:
        there = [held.symbol for venue in house.venues.values() for held in venue.positions()]
        for symbol in dict.fromkeys((*(p.symbol for p in engine.book.holdings()), *there)):
            _tell_age(house, symbol, clock)
        await started(engine, claims)
        running = asyncio.create_task(engine.run())
        await report.proof(clock, PROOF_SECONDS + _sent_before(house))
        brokers = report.brokers()
        if known is None:
            halt = engine.book.data.halt
            brokers = {
                name: row | _untyped(engine.book.account(name), halt, row)
                for name, row in brokers.items()
            }
        await engine.stop("the kill from outside has ended")
        await running
        for why in house.left_out.values():
            warn(why)
        return brokers | {name: _not_opened(house, name) for name in house.left_out}
    finally:
        house.close()


def _sent_before(house: wiring.House) -> float:
    """How many seconds longer than an engine's own a kill from outside may take: what the process
    before it may have sent can arrive for so long, and is waited for before it is closed again."""
    able = [one.broker.capabilities for one in house.connections.values()]
    return max((each.longest_under_way for each in able), default=0) / NS_PER_SECOND


def _not_opened(house: wiring.House, name: str) -> dict[str, Any]:
    """What is left in an account that is not opened: nothing was asked of it."""
    account = house.engine.book.account(name)
    held = [f"{p.symbol} {p.quantity.normalize():f}" for p in account.positions.values()]
    found = {
        "state": KillState.DEGRADED,
        "cancelled": 0,
        "closed": 0,
        "left": sorted(held),
        "kept": [],
    }
    why = (
        "it could not be opened" if name in opened(house.config) else "the config does not open it"
    )
    return found | {"unknown": [*account.orders, why]}


def _untyped(account: AccountState, halt: Halt | None, row: dict[str, Any]) -> dict[str, Any]:
    """What a row of the report says otherwise where only the venue tells of the account.

    What was kept, as it may be a day trade, is left. All that ended here was cancelled here.
    """
    ended = [o for o in account.closed.values() if o.status is OrderStatus.CANCELED]
    counted = {"cancelled": sum(not order.protects for order in ended)}
    if halt is None or halt.flatten is not Flatten.DAY or not account.positions:
        return counted
    held = [f"{p.symbol} {p.quantity.normalize():f}" for p in account.positions.values()]
    warn(
        f"{account.name}: {', '.join(held)} kept, as nobody can tell whether it is a day trade; "
        "`kill --flatten all` closes it."
    )
    return counted | {
        "state": KillState.DEGRADED,
        "left": sorted({*row["left"], *held}),
        "kept": [],
    }


def _clock(config: Config, known: Book | None) -> Clock:
    """A replayed market stands where it stood: its sessions are those of the recording."""
    if config.market.source != "replay" or known is None:
        return SystemClock()
    return ScaledClock(known.data.time, 1.0)


def _tell_age(house: wiring.House, symbol: str, clock: Clock) -> None:
    # The accounts of this process share one market; another process has prices of its own.
    venue = next(iter(house.venues.values()), None)
    if venue is None:
        return
    quote = venue.quotes.get(symbol)
    if quote is None:
        warn(f"{symbol}: no price is known, so that it cannot be closed here")
        return
    age = max(clock.now() - quote.time, 0) / NS_PER_SECOND
    warn(f"{symbol}: the last price known is {quote.last}, {age:.0f} s old")
