"""`doctor`: what can be looked at before anything trades, one row a check (P-41 to P-47).

Each check is a row of one table and returns what it found; none changes anything but the state
folder, which it makes. The accounts at real venues are asked last, side by side, and only while
nobody trades them: a second program on an account would push the first one out.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from brokers import missing_libraries
from brokers.paper.bars import check_bars
from brokers.paper.book import BookError, summary
from brokers.paper.setup import book_name
from console.host import paths, wiring
from console.host.acceptance.live import against_live
from console.host.acceptance.order_check import place_and_cancel
from console.host.account_locks import lock_files, trader
from console.host.account_opening import real_setups
from console.host.data_files import instruments
from console.host.diagnosis import Diagnosis
from console.host.locks import LockError, Work
from console.host.output import CommandFailed, ExitCode, counted, document, say
from console.host.place import Host
from console.host.restoring import restored
from console.host.secrets import SecretError, SecretStore
from console.host.shadow import as_traded
from console.host.venue_checks import Finding
from console.host.venue_visit import visit
from console.host.whereabouts import was_used
from engine.analytics.status import status_of
from engine.calendars import calendar
from engine.config import Config, account_id, opened
from engine.config.accounts import real_accounts
from engine.config.profiles import limits, worst_case
from engine.config.venue import RealVenueConfig
from engine.domain.instant import rfc3339
from engine.domain.run import Mode
from engine.reference.textfile import BadFile
from engine.runtime.clock import SystemClock
from storage.errors import JournalError
from storage.latch import FileLatch
from storage.verify import verify

LEAST_DISK: Final = 100_000_000
"""Bytes below which the disk is told about."""

LONGEST_SYNC_MS: Final = 50.0
EARLIEST: Final = 1_704_067_200
"""2024: a clock before it is wrong."""


class DoctorCheck(NamedTuple):
    """A row: the check's name and the rule that asks."""

    name: str
    ask: Callable[[Host, Config], Diagnosis]


OWN_ORDERS: Final = (
    "Signals and adds are held to that; an order of your own that opens a position rests on the "
    "stop that you name, or on none."
)
"""Whom the risk of a trade binds (X-82, X-85)."""


def command(host: Host, *, orders: bool, as_json: bool) -> ExitCode:
    """Prints every finding; exit code 1 when one is bad, 2 when the config is.

    `orders`: a limit is placed and cancelled in each test environment that lets us in.
    """
    found = list(examine(host))
    if orders:
        found += _orders(host, found)
    if as_json:
        rows = [_row(*one) for one in found]
        document({"ok": all(row["ok"] for row in rows), "checks": rows})
    else:
        width = max((len(one.account) for one in found), default=0)
        for name, account, finding in found:
            mark = {True: "ok  ", False: "BAD ", None: "note"}[finding.ok]
            place = f"  {account:<{width}}" if width else ""
            row = f"{mark}{place}  {name:<10}  "
            say(row + finding.text, hang=len(row))
    bad = [one.check for one in found if one.found.ok is False]
    if "config" in bad:
        return ExitCode.USAGE
    return ExitCode.FAILED if bad else ExitCode.DONE


def _orders(host: Host, found: list[Finding]) -> list[Finding]:
    """The rows of the accounts that were let in, each with an order of its own."""
    names = [row.account for row in found if row.check == "balances" and row.found.ok is not False]
    return list(place_and_cancel(host, host.config(), names)) if names else []


def _row(check: str, account: str, found: Diagnosis) -> dict[str, object]:
    return {
        "check": check,
        "account": account,
        "ok": found.ok is not False,
        "result": found.result,
        "measured": found.measured,
        "allowed": found.allowed,
        "text": found.text,
    }


def examine(host: Host) -> Iterator[Finding]:
    """Every check in turn; without a config only that one."""
    try:
        config = host.config()
    except CommandFailed as error:
        yield Finding("config", "", Diagnosis(False, str(error)))
        return
    for check in CHECKS:
        try:
            yield Finding(check.name, "", check.ask(host, config))
        except CommandFailed as error:
            yield Finding(check.name, "", Diagnosis(False, str(error)))
            if error.code == "STATE_DIR":
                return  # where nothing can be, nothing can be looked at
    yield from _venues(host, config)


def _venues(host: Host, config: Config) -> Iterator[Finding]:
    """What the accounts at real venues answer; those that lack a library or a key are not asked,
    nor is any while somebody holds the accounts, or in mode shadow (U-40)."""
    if config.mode is Mode.SHADOW:
        text = "the account is not asked: mode shadow opens prices alone, and others may trade it"
        for name in real_accounts(config):
            yield Finding("link", name, Diagnosis(None, text))
        return
    try:
        plans = real_setups(config, SystemClock())
    except (BadFile, wiring.SectorFileError):
        return  # told with the calendars
    plans = {
        name: plan for name, plan in plans.items() if _keys(host, plan.kind, name, plan.settings).ok
    }
    if not plans:
        return
    try:
        yield from visit(host, config, plans)
    except CommandFailed as error:
        for name in plans:
            yield Finding("link", name, Diagnosis(None, f"the venue was not asked: {error}"))


def _config(host: Host, config: Config) -> Diagnosis:
    found = limits(config)
    words = f"{host.config_file() or 'the defaults'}; {worst_case(found)}"
    if found.risk_per_trade is not None:
        words += f" {OWN_ORDERS}"
    return Diagnosis(True, words)


def _clock(_host: Host, _config: Config) -> Diagnosis:
    now = time.time()
    if now < EARLIEST:
        return Diagnosis(False, f"the clock says {rfc3339(time.time_ns())}: it is wrong")
    synchronised = _time_is_synchronised()
    if synchronised is False:
        return Diagnosis(None, "the clock is not synchronised: start NTP before trading live")
    known = "synchronised" if synchronised else "whether it is synchronised is not known here"
    return Diagnosis(True, f"{rfc3339(time.time_ns())}, {known}")


def _time_is_synchronised() -> bool | None:
    """What systemd says; None where there is none."""
    program = shutil.which("timedatectl")
    if program is None:
        return None
    try:
        asked = subprocess.run(  # noqa: S603 - found on the path, fixed words
            [program, "show", "--property=NTPSynchronized", "--value"],
            capture_output=True, text=True, timeout=3, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(asked.stdout.strip())


def _state(host: Host, _config: Config) -> Diagnosis:
    host.demand_folder()
    try:
        doubts = paths.make_state_dir(host.state_dir)
    except paths.PathError as error:
        return Diagnosis(False, str(error))
    return Diagnosis(
        None if doubts else True, " ".join(doubts) or f"{host.state_dir} is ours alone"
    )


def _disk(host: Host, _config: Config) -> Diagnosis:
    folder = host.state_dir
    free = shutil.disk_usage(folder).free
    if free < LEAST_DISK:
        return Diagnosis(False, f"{free // 1_000_000} MB are free at {folder}: 100 MB are needed")
    try:
        slow = _sync_ms(folder)
    except OSError as error:  # a quota, or a folder that can be read only
        return Diagnosis(False, f"nothing can be written to {folder}: {error.strerror or error}")
    text = f"{free // 1_000_000} MB free, a durable write takes {slow:.1f} ms"
    return Diagnosis(None if slow > LONGEST_SYNC_MS else True, text)


def _sync_ms(folder: Path) -> float:
    """The middle of five durable writes."""
    probe = folder / f".doctor.{os.getpid()}"
    took = []
    handle = os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(5):
            began = time.perf_counter()
            os.write(handle, b"x" * 4_096)
            os.fsync(handle)
            took.append((time.perf_counter() - began) * 1_000)
    finally:
        os.close(handle)
        probe.unlink()
    return sorted(took)[2]


def _journal(host: Host, config: Config) -> Diagnosis:
    try:
        found = verify(host.state_dir / wiring.JOURNAL)
    except JournalError as error:
        return Diagnosis(False, str(error))
    if found.ok and not found.events:
        missing = host.missing_journal()
        if was_used(lock_files(host, config, host.state_dir), host.state_dir):
            if (host.state_dir / wiring.JOURNAL).exists():
                text = "the journal is empty: each start was refused, or what it had is gone"
                return Diagnosis(None, text)
            return Diagnosis(False, missing or "there is no journal, though an engine ran here")
        return Diagnosis(None, missing or "there is no journal yet: nothing has run here")
    return Diagnosis(found.ok, found.problem or f"{found.events} events, the chain holds")


def _books(host: Host, config: Config) -> Diagnosis:
    """What the journal restores to, as a start would: orders, breakers, dead letters (P-41, P-42).

    That it can be restored is tried by that (P-47).
    """
    try:
        book, _ = restored(host.state_dir / wiring.JOURNAL)
        found = status_of(wiring.world_at_rest(config, book), time.time_ns())
    except JournalError:
        return Diagnosis(None, "the journal cannot be restored: see its row")
    except (BadFile, wiring.SectorFileError) as error:
        return Diagnosis(False, str(error))
    if not book.data.seq:
        return Diagnosis(True, "nothing to restore yet")
    open_breakers = [n for n, row in found["brokers"].items() if row["circuit_state"] == "OPEN"]
    letters, orders = found["resiliency"]["dlq_size"], len(found["orders"])
    text = (
        f"restored to {counted(len(found['positions']), 'position')}, "
        f"{counted(orders, 'working order')} (at most {config.risk.max_open_orders}), "
        f"{counted(letters, 'dead letter')}, breakers open: {', '.join(open_breakers) or 'none'}"
    )
    ok = None if letters or open_breakers or orders >= config.risk.max_open_orders else True
    return Diagnosis(ok, text)


def _rollout(host: Host, config: Config) -> Diagnosis:
    """Whether real money may be traded, and what is missing (M-80)."""
    if config.mode is not Mode.LIVE:
        return Diagnosis(True, f"mode {config.mode.value}: no real money is traded")
    try:
        book, _ = restored(host.state_dir / wiring.JOURNAL)
    except JournalError:
        return Diagnosis(None, "the journal cannot be restored: see its row")
    if against := against_live(config, book, time.time_ns()):
        return Diagnosis(False, f"real money is not traded: {'; '.join(against)}")
    who = ", ".join(f"{one.kind} {one.report[:8]}" for one in book.data.sign_offs.values())
    return Diagnosis(True, f"dry runs are signed off: {who}")


def _latch(host: Host, _config: Config) -> Diagnosis:
    halt = FileLatch(host.state_dir).read()
    if halt is None:
        return Diagnosis(True, "nothing is halted")
    return Diagnosis(None, f"HALTED since {rfc3339(halt.at)} by {halt.by}: {halt.reason}")


def _account(host: Host, config: Config) -> Diagnosis:
    try:
        held = trader(lock_files(host, config, host.state_dir))
    except LockError as error:
        return Diagnosis(False, str(error))
    traded = as_traded(config)
    names = ", ".join(f"{name} account {account_id(traded, name)}" for name in opened(config))
    name = f"{names}, mode {config.mode.value}"
    if held is not None:
        does = "trades it" if held.work is Work.ENGINE else "is at work on it"
        return Diagnosis(None, f"{name}: {held.named} {does} now")
    return Diagnosis(True, f"{name}: free")


def _broker(host: Host, config: Config) -> Diagnosis:
    found = [_account_at(host, config, name) for name in opened(config)]
    words = "; ".join(one.text for one in found)
    return Diagnosis(all(one.ok for one in found), words)


def _account_at(host: Host, config: Config, name: str) -> Diagnosis:
    settings = config.brokers.of(name)
    if isinstance(settings, RealVenueConfig):
        return _keys(host, config.brokers.kind_of(name), name, settings)
    return _paper(host, config, name)


def _keys(host: Host, kind: str, name: str, settings: RealVenueConfig) -> Diagnosis:
    """Whether an account at a real venue has its library and its keys (C-200, U-72)."""
    store, found, missing = SecretStore(host.environ), [], []
    library = missing_libraries(kind)
    for variable in settings.key_variables:
        try:
            store.get(variable)
            found.append(f"{variable} is set")
        except SecretError as error:
            missing.append(str(error).rstrip("."))
    keys = ", ".join(found + missing) or "no key is asked for"
    world = settings.environment + (", experimental" if settings.is_experimental else "")
    text = f"{name} at {kind}, {world}: {library or 'its library is here'}, {keys}"
    missed = bool(library or missing)
    return Diagnosis(not missed, f"{text}; the venue is not asked" if missed else text)


def _paper(host: Host, config: Config, name: str) -> Diagnosis:
    """The paper account of that name."""
    address = config.brokers.address_of(name)
    if address:
        return _elsewhere(address)
    account = "the paper account" if name == "paper" else f"the paper account {name}"
    path = host.state_dir / book_name(name)
    if not path.exists():
        return Diagnosis(True, f"{account} is new")
    held = trader(lock_files(host, config, host.state_dir))
    if held is not None:
        return Diagnosis(True, f"{account} is in use by {held.named}")
    try:
        holds = summary(path)
    except BookError as error:
        return Diagnosis(False, str(error))
    return Diagnosis(True, f"{account} holds {holds.holdings} positions, {holds.orders} orders")


def _elsewhere(address: str) -> Diagnosis:
    """Whether the paper venue of another process answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(address)
        except OSError as error:
            why = error.strerror or error
            return Diagnosis(False, f"the paper venue at {address} does not answer: {why}")
    return Diagnosis(True, f"the paper venue at {address} answers")


def _market(_host: Host, config: Config) -> Diagnosis:
    symbols = " ".join(config.market.symbols)
    if config.market.source == "broker":
        return Diagnosis(True, f"told by {', '.join(opened(config))}: {symbols}")
    if config.market.source == "simulated":
        return Diagnosis(True, f"simulated: {symbols}")
    try:
        file = check_bars(Path(config.market.file), not_after=time.time_ns())
    except BadFile as error:
        return Diagnosis(False, str(error))
    return Diagnosis(True, f"{file.bars} bars of {' '.join(file.symbols)}")


def _calendars(_host: Host, config: Config) -> Diagnosis:
    try:
        rules = instruments(config, simulated=config.market.source == "simulated")
    except BadFile as error:
        return Diagnosis(False, str(error))
    names = sorted({rules.get(symbol).calendar for symbol in config.market.symbols})
    now = time.time_ns()
    missing = [name for name in names if not calendar(name).covers(now)]
    if missing:
        return Diagnosis(False, "; ".join(calendar(name).explain(now) for name in missing))
    return Diagnosis(True, "; ".join(calendar(name).explain(now) for name in names))


CHECKS: Final = (
    DoctorCheck("config", _config),
    DoctorCheck("clock", _clock),
    DoctorCheck("state", _state),
    DoctorCheck("disk", _disk),
    DoctorCheck("journal", _journal),
    DoctorCheck("books", _books),
    DoctorCheck("rollout", _rollout),
    DoctorCheck("latch", _latch),
    DoctorCheck("account", _account),
    DoctorCheck("broker", _broker),
    DoctorCheck("market", _market),
    DoctorCheck("calendars", _calendars),
)
