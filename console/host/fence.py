"""A kill without the engine: latch on disk, its process ended, the accounts worked from here.

There is never a second writer: whoever holds an account lock is ended, and the locks are ours,
before anything is opened. Then the engine's own start-up path runs in this process with the latch
set: it observes, cancels and closes, and nothing else (DESIGN, Kill).

Where the journal cannot be read, or not be written, it is left as it is and one in memory stands in
for it: the venues say what they hold and what works there. Of what kind a holding is only the
journal knows, so that it counts as a swing trade (X-32).
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from brokers import venue_kinds
from brokers.paper.book import BookError
from brokers.paper.instruments import BadFile
from console.commands.arguments import KillArgs
from console.host import wiring
from console.host.kill_report import KillReport
from console.host.locks import FenceFailed, LockError, fence
from console.host.operations import convert, halt_of
from console.host.output import CommandFailed, warn
from console.host.place import Host, version
from console.host.supervisor import lock_files, trader
from console.terminal.bootstrap import settle_task_factory
from engine.config import Config, from_mapping, opened
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus
from engine.domain.run import Flatten, Halt
from engine.ports import BrokerError, Clock, LatchError
from engine.runtime.clock import ScaledClock, SystemClock
from engine.state.account import AccountState
from engine.state.book import Book
from storage.connection import memory_database, open_reader
from storage.errors import JournalError
from storage.latch import FileLatch

PROOF_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 0.2
_UNWORKABLE: Final = (
    JournalError,
    BookError,
    BrokerError,
    wiring.AccountNotOpened,
    wiring.SectorFileError,
    BadFile,
    OSError,
)


def kill_directly(
    host: Host,
    args: dict[str, Any],
    ask_again: Callable[[], dict[str, Any] | None],
    mercy_seconds: float,
) -> dict[str, Any]:
    """The document of a kill that the engine's loop did not acknowledge."""
    began = time.monotonic()
    config, trouble = _config(host)
    folder = host.make_state_dir()
    latch = FileLatch(folder)
    halt, standing = halt_of(convert(args, KillArgs), config), latch.read()
    if standing is not None:
        halt = standing.raised_by(halt)
    latched = _set(latch, halt)
    found: dict[str, Any] = {
        "latched": latched, "flatten": halt.flatten.value, "fenced": None, "brokers": {}
    }  # fmt: skip
    if trouble is not None:
        warn(f"The config cannot be used, so no broker can be worked from here:\n{trouble}")
        return found
    while (
        held := trader(host, config, folder)
    ) is not None and time.monotonic() - began < mercy_seconds:
        again = ask_again()
        if again is not None:
            return again
        time.sleep(RETRY_SECONDS)
    if held is not None:
        warn(f"process {held.pid} does not answer: it is ended now")
    with ExitStack() as locks:
        try:
            for path in lock_files(host, config, folder):
                lock, ended = fence(path, state_dir=folder)
                locks.enter_context(lock)
                found["fenced"] = ended or found["fenced"]
        except (FenceFailed, LockError) as error:
            warn(str(error))
            return found
        return found | {"brokers": _work(config, folder, latch)}


def _config(host: Host) -> tuple[Config, CommandFailed | None]:
    """The config, or the defaults and why: a kill sets the latch whatever the config says."""
    try:
        return host.config(), None
    except CommandFailed as error:
        return from_mapping({}, None, venue_kinds()), error


def _set(latch: FileLatch, halt: Halt) -> bool:
    try:
        latch.set(halt)
    except LatchError as error:
        warn(str(error))
        return False
    return True


def _work(config: Config, folder: Path, latch: FileLatch) -> dict[str, Any]:
    """What the accounts show after the engine's own kill ran here; needs their locks."""
    journal = folder / wiring.JOURNAL
    known = _read(journal)
    try:
        if known is not None:
            try:
                return asyncio.run(_flatten(config, folder, latch, known))
            except (JournalError, sqlite3.Error) as error:
                warn(f"The journal cannot be written, and is left as it is: {error}")
            copy = _copied(journal)
            if copy is not None:
                return asyncio.run(_flatten(config, folder, latch, known, copy))
        return asyncio.run(_flatten(config, folder, latch, None, memory_database()))
    except _UNWORKABLE as error:
        names = opened(config)
        warn(f"{', '.join(names)} could not be worked from here: {error}")
        nothing = {"state": "DEGRADED", "cancelled": 0, "closed": 0, "left": []}
        return {name: nothing | {"unknown": [f"nothing was asked of {name}"]} for name in names}


def _read(journal: Path) -> Book | None:
    """What the journal tells, None where it cannot be read; nothing is written to it."""
    try:
        book, _ = wiring.restored(journal)
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
    config: Config,
    folder: Path,
    latch: FileLatch,
    known: Book | None,
    database: sqlite3.Connection | None = None,
) -> dict[str, Any]:
    """`known` is what the journal tells, None where it cannot be read; `database` one in memory
    that stands in for it."""
    settle_task_factory(asyncio.get_running_loop())
    clock = _clock(config, known)
    house = wiring.build(
        config,
        clock=clock,
        state_dir=folder,
        version=version(),
        latch=latch,
        database=database,
        flatten_only=True,
    )
    engine = house.engine
    report = KillReport(engine.book)
    engine.subscribe(report.observe)
    try:
        there = [held.symbol for venue in house.venues.values() for held in venue.positions()]
        for symbol in dict.fromkeys((*(p.symbol for p in engine.book.holdings()), *there)):
            _tell_age(house, symbol, clock)
        await engine.start()
        running = asyncio.create_task(engine.run())
        await report.proof(clock, PROOF_SECONDS)
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


def _not_opened(house: wiring.House, name: str) -> dict[str, Any]:
    """What is left in an account that the config does not open: nothing was asked of it."""
    account = house.engine.book.account(name)
    held = [f"{p.symbol} {p.quantity.normalize():f}" for p in account.positions.values()]
    found = {"state": "DEGRADED", "cancelled": 0, "closed": 0, "left": sorted(held)}
    return found | {"unknown": [*account.orders, "the config does not open it"]}


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
    return counted | {"state": "DEGRADED", "left": sorted({*row["left"], *held})}


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
