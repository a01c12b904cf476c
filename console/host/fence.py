"""A kill without the engine: latch on disk, its process ended, the accounts worked from here.

There is never a second writer: whoever holds an account lock is ended, and the locks are ours,
before anything is opened. Then the engine's own start-up path runs in this process with the latch
set: it observes, cancels and closes, and nothing else (DESIGN, Kill).
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import ExitStack
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
from engine.domain.run import Halt
from engine.ports import BrokerError, Clock, LatchError
from engine.runtime.clock import ScaledClock, SystemClock
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
    try:
        return asyncio.run(_flatten(config, folder, latch))
    except _UNWORKABLE as error:
        names = opened(config)
        warn(f"{', '.join(names)} could not be worked from here: {error}")
        nothing = {"state": "DEGRADED", "cancelled": 0, "closed": 0, "left": []}
        return {name: nothing | {"unknown": [f"{name}: {type(error).__name__}"]} for name in names}


async def _flatten(config: Config, folder: Path, latch: FileLatch) -> dict[str, Any]:
    settle_task_factory(asyncio.get_running_loop())
    clock = _clock(config, folder)
    house = wiring.build(
        config,
        clock=clock,
        state_dir=folder,
        version=version(),
        latch=latch,
        flatten_only=True,
    )
    engine = house.engine
    report = KillReport(engine.book)
    engine.subscribe(report.observe)
    try:
        for symbol in {position.symbol for position in engine.book.holdings()}:
            _tell_age(house, symbol, clock)
        await engine.start()
        running = asyncio.create_task(engine.run())
        await report.proof(clock, PROOF_SECONDS)
        brokers = report.brokers()
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


def _clock(config: Config, folder: Path) -> Clock:
    """A replayed market stands where it stood: its sessions are those of the recording."""
    if config.market.source != "replay":
        return SystemClock()
    book, _ = wiring.restored(folder / wiring.JOURNAL)
    return ScaledClock(book.data.time, 1.0)


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
