"""Commands that a running engine serves, and `status` without one."""

import sys
from base64 import b64encode
from codecs import BOM_UTF8
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final
from uuid import uuid4

from console.commands.model import Danger
from console.commands.table import SERVED
from console.host.client import ACCEPT_SECONDS, Client, NoAnswer, NoEngine, Refused
from console.host.output import (
    CommandFailed,
    ExitCode,
    Row,
    cell,
    counted,
    document,
    say,
    table,
    warn,
)
from console.host.place import Host
from engine.domain.instant import rfc3339

QUESTION_SECONDS: Final = 2.0
"""How long an engine has to answer a question; the journal answers in its place then."""

LONGEST: Final = 65_537
"""Bytes of a line that are handed on; one more than a line may have, so that it is refused."""

USAGE_CODES: Final = frozenset({"INVALID_INPUT", "UNKNOWN_COMMAND"})
DONE_ONCE: Final = frozenset({"order", "close"})
"""Commands that carry an id, so that asking again does not do it again."""

FAILED_CODES: Final = frozenset({"NO_ANSWER", "FAILED", "STOPPED", "TOO_MANY", "TOO_LONG"})


def connected(host: Host, command: str) -> Client:
    """A connection to the engine, for a command.

    Where the state folder was moved under the engine that holds its accounts, it is named, and what
    only reduces goes to that engine. Raises CommandFailed: not running (3), refused, or failed.
    """
    try:
        try:
            return Client(host.socket)
        except NoEngine as error:
            host.demand_folder()
            place = moved_to(host)
            if place is None:
                raise CommandFailed(ExitCode.NOT_RUNNING, str(error), "NOT_RUNNING") from error
            if SERVED[command].danger is Danger.ADDS:
                words = f"{command} is refused here: say it with --state-dir {place}"
                raise CommandFailed(ExitCode.REFUSED, words, "MOVED") from error
            return Client(place / host.socket.name)
    except NoEngine as error:
        raise CommandFailed(ExitCode.NOT_RUNNING, str(error), "NOT_RUNNING") from error
    except NoAnswer as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "NO_ANSWER") from error


def moved_to(host: Host) -> Path | None:
    """Where the state folder is by now that was moved under the engine that holds its accounts; a
    warning names both. None where no engine holds them. Raises CommandFailed."""
    from console.host.account_locks import lock_files, trader
    from console.host.locks import LockError
    from console.host.whereabouts import place_of

    folder = host.state_dir
    try:
        # Anybody may lock a folder; the file of an account says who trades it.
        files = lock_files(host, host.config(), folder)
        held = trader(path for path in files if path != folder)
    except LockError as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "LOCK") from error
    if held is None or held.state_dir != str(folder):
        return None
    place, told = place_of(held, folder)
    if place is None:
        raise CommandFailed(ExitCode.FAILED, f"{told}; `kill` works", "MOVED")
    if place == folder:
        return None
    warn(told)
    return place


def _asked(host: Host, command: str, args: dict[str, Any]) -> Client:
    """A connection for a command. Raises CommandFailed as `connected` does, and as the engine would
    for arguments that no engine takes: those are malformed whether or not one runs."""
    try:
        return connected(host, command)
    except CommandFailed:
        from console.host.requests import CommandError
        from console.host.wellformed import check

        try:
            check(command, args)
        except CommandError as error:
            raise CommandFailed(_exit_code(error.code), str(error), error.code) from error
        raise


def request(client: Client, command: str, args: dict[str, Any]) -> Any:
    """The result of a command. Raises CommandFailed; says so where the answer does not come."""

    def waiting() -> None:
        warn(
            f"the engine has not answered {command} yet; waiting for it, at most "
            f"{ACCEPT_SECONDS:g} s where it has not begun it. `meridian-tui status` tells what is "
            "known, `meridian-tui kill` works"
        )

    try:
        return client.request(command, {**args, "by": "cli"}, waiting=waiting)
    except NoAnswer as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "NO_ANSWER") from error
    except Refused as refused:
        raise CommandFailed(_exit_code(refused.code), str(refused), refused.code) from refused


def ask(host: Host, command: str, args: dict[str, Any], *, as_json: bool) -> dict[str, Any]:
    """Asks the running engine, prints what it answered and returns it."""
    if command in DONE_ONCE:
        args = {"id": f"cli-{uuid4().hex}"} | args
    with _asked(host, command, args) as client:
        try:
            result: dict[str, Any] = request(client, command, args)
        except CommandFailed as failed:
            if failed.code == "NO_ANSWER" and command in DONE_ONCE:
                words = f"the same command with --id {args['id']} cannot double it"
                raise CommandFailed(
                    failed.exit_code, f"{str(failed).rstrip('.')}; {words}", failed.code
                ) from failed
            raise
    if as_json:
        document(result)
    elif command == "reconcile":
        _print_reconcile(result)
    else:
        _print_result(result)
    return result


def _print_result(result: dict[str, Any]) -> None:
    for name, value in result.items():
        if name == "notes":
            continue  # whoever asked says them as warnings
        words = "none" if value is None else cell(value)
        say(f"{name}  {' '.join(value) if isinstance(value, list) else words}")
    if result.get("cancelled"):
        say("the order is being cancelled: no more is wanted than has filled")


def order(host: Host, args: dict[str, Any], *, as_json: bool) -> None:
    """Sends a manual order; says what of it has no effect, and what one without a stop of its own
    leaves behind."""
    result = ask(host, "order", args, as_json=as_json)
    for note in result.get("notes", ()):
        warn(note)
    if "protect" not in args and not result.get("reduces"):
        warn("no --protect was given: a position that this order opens is unprotected (no stop)")


def resume(host: Host, args: dict[str, Any], *, as_json: bool) -> None:
    """Clears the halt that was looked at, and no later one (C-503): the one of `epoch`, else the
    one that stands now, which is told on stderr first."""
    if "epoch" in args:
        text = args["epoch"]
        # What is no number is refused by the engine, in its words.
        args = args | ({"epoch": int(text)} if text.isdecimal() else {})
    else:
        with connected(host, "status") as client:
            halt = request(client, "status", {})["halt"]
        if halt is not None:
            warn(_halted(halt))
            args = args | {"epoch": halt["epoch"]}
    ask(host, "resume", args, as_json=as_json)


def _halted(halt: Row) -> str:
    """A halt in a line."""
    when = "" if halt["at"] == NEVER else f" at {halt['at']}"
    epoch = f", epoch {halt['epoch']}" if halt["epoch"] else ""
    return f"HALTED by {halt['by']}{when}{epoch}: {halt['reason']}"


def signals(host: Host, name: str) -> None:
    """Submits JSONL, a result line each; exits 0 once every line has a verdict, whichever it is.

    How many were not accepted is said beside the lines.
    """
    count = rejected = 0
    source = "standard input" if name == "-" else name
    with _opened(name) as lines, connected(host, "signal") as client:
        for number, line in _numbered(lines):
            given = {**_as_argument(line), "line": number, "source": source}
            try:
                verdict = request(client, "signal", given)
            except CommandFailed as failed:
                if failed.code != "NO_ANSWER":
                    raise
                words = (
                    f"{str(failed).rstrip('.')}; line {number} is the first of {source} without a "
                    "verdict, and a signal_id is taken once, so that the file may be sent again"
                )
                raise CommandFailed(failed.exit_code, words, failed.code) from failed
            document(verdict)
            count += 1
            rejected += verdict["outcome"] == "REJECTED"
    if rejected:
        warn(f"{rejected} of {counted(count, 'signal')} rejected: `reason` of each line says why")


def status(host: Host, *, as_json: bool) -> int:
    """What is true now; else what the journal knows, and exit code 3.

    An engine that hangs is a question that nobody answers: the journal's document says `running`
    false then too, and its run state is the last one known.
    """
    host.demand_folder()
    first, folder = "", host.state_dir
    try:
        try:
            found = _status_of(folder)
        except NoEngine:
            folder = moved_to(host) or folder
            found = _status_of(folder)
    except NoEngine:
        found, first = from_journal(host)
    except NoAnswer:
        found, first = from_journal(host, hung=True)
    except Refused as refused:
        raise CommandFailed(_exit_code(refused.code), str(refused), refused.code) from refused
    if not as_json:
        say(first or f"the engine on {folder} runs")
        _print_status(found)
    else:
        document(found)
        if first:
            warn(first)
    return ExitCode.DONE if found["running"] else ExitCode.NOT_RUNNING


def _status_of(folder: Path) -> dict[str, Any]:
    """What the engine that works in a state folder says. Raises NoEngine, NoAnswer, Refused."""
    from console.host.wiring import SOCKET

    with Client(folder / SOCKET, QUESTION_SECONDS) as client:
        found: dict[str, Any] = client.request("status", {"by": "cli"}, QUESTION_SECONDS)
        return found


def from_journal(host: Host, *, hung: bool = False) -> tuple[dict[str, Any], str]:
    """The status as the journal knows it, and a line that says so. Raises CommandFailed."""
    import time

    from console.host.account_locks import lock_files, trader
    from console.host.locks import LockError
    from console.host.restoring import restored
    from console.host.wiring import JOURNAL, SectorFileError, world_at_rest
    from engine.analytics.status import status_of
    from engine.reference.textfile import BadFile
    from storage.errors import JournalError
    from storage.latch import FileLatch

    config = host.config()
    try:
        book, _ = restored(host.state_dir / JOURNAL)
    except JournalError as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "JOURNAL") from error
    halt = FileLatch(host.state_dir).read()
    if book.data.halt is None:
        book.data.halt = halt  # either half of the latch halts (U-71)
    try:
        found = status_of(world_at_rest(config, book), time.time_ns())
    except (BadFile, SectorFileError) as error:
        raise CommandFailed(ExitCode.USAGE, str(error), "BAD_DATA") from error
    folder, at = host.state_dir, rfc3339(book.data.time)
    if not hung:
        if book.data.seq:
            return found, f"no engine runs on {folder}; last known as of {at}"
        return found, host.missing_journal() or f"nothing has run in {folder}"
    found["run_state"] = found["strategy_status"] = book.run_state.value
    try:
        held = trader(lock_files(host, config, folder))
    except LockError as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "LOCK") from error
    who = f"the engine (pid {held.pid})" if held else "the engine"
    return found, (
        f"{who} on {folder} does not answer; this is what the journal knew at {at}; "
        "`meridian-tui kill` works"
    )


def _exit_code(code: str) -> ExitCode:
    if code in USAGE_CODES:
        return ExitCode.USAGE
    return ExitCode.FAILED if code in FAILED_CODES else ExitCode.REFUSED


def _opened(name: str) -> IO[bytes]:
    if name == "-":
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise CommandFailed(
            ExitCode.USAGE, f"{name} cannot be read: {error.strerror or error}.", "BAD_SIGNALS"
        ) from error


def _numbered(lines: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, each with its number and without its end.

    What is too long is cut, and the engine refuses it as such.
    """
    number = 0
    while line := lines.readline(LONGEST):
        number += 1
        rest = line
        while rest and not rest.endswith(b"\n") and len(rest) == LONGEST:
            rest = lines.readline(LONGEST)
        if number == 1:
            line = line.removeprefix(BOM_UTF8)
        if line.strip():
            yield number, line.rstrip(b"\r\n")


def _as_argument(line: bytes) -> dict[str, str]:
    """The line as an argument of `signal`: its text, or its bytes where they are none."""
    try:
        return {"signal": line.decode()}
    except UnicodeDecodeError:
        return {"signal": "", "base64": b64encode(line).decode()}


def _print_reconcile(found: dict[str, Any]) -> None:
    if not found["differences"]:
        say("clean" if found["clean"] else "the comparison is not clean")
    from engine.reconcile.compare import shown_kind

    rows = [{**row, "kind": shown_kind(row["kind"])} for row in found["differences"]]
    table(rows, ("broker", "symbol", "kind", "local", "venue"))
    for row in found.get("unexplained", ()):
        say(
            f"cash in {row['broker']} differs by {row['quantity']} {row['currency']}, and nothing "
            "explains it: reconcile --apply takes it over"
        )
    for row in found.get("doubted", ()):
        say(
            f"{row['symbol']} in {row['broker']}: {row['local'] or 0} here, {row['venue'] or 0} "
            "there; something of it moves, so that it is compared later"
        )
    for event in found["events"]:
        say(f"proposed: {cell(event)}")
    for note in found.get("notes", ()):
        warn(note)


NEVER: Final = rfc3339(0)
"""The time of what nobody knows the time of."""

_HEAD: Final = ("run_state", "mode", "running", "connected")
_BROKERS: Final = ("name", "state", "circuit_state", "latency_ms", "last_seen")
_POSITIONS: Final = (
    "broker", "symbol", "trade_type", "quantity", "average_price", "last", "market_value",
    "unrealized_pnl", "realized_pnl", "stop", "target", "opened_at",
)  # fmt: skip
_ORDERS: Final = (
    "client_order_id", "broker", "symbol", "side", "type", "quantity", "filled", "limit_price",
    "stop_price", "status", "purpose", "created_at",
)  # fmt: skip


def _print_status(found: dict[str, Any]) -> None:
    say("  ".join(f"{name} {cell(found[name])}" for name in _HEAD))
    if found["halt"] is not None:
        say(_halted(found["halt"]))
    for account in found["accounts"]:
        if account["kill"] is not None:
            say(_killed(account["broker"], account["kill"], found["positions"]))
    for words in _warnings(found):
        say(f"WARNING: {words}")
    say("  ".join(f"{name} {cell(value)}" for name, value in found["account"].items()))
    risk = found["open_risk"]
    bare = f"  without a stop: {' '.join(risk['unprotected'])}" if risk["unprotected"] else ""
    say(f"open risk at stops {risk['at_stops']}  of entries {risk['entries']}{bare}")
    unvalued = {currency for account in found["accounts"] for currency in account["unvalued"]}
    if unvalued:
        say(f"WARNING: no fresh rate of {', '.join(sorted(unvalued))}: the totals are not sure")
    for title, rows, columns in (
        ("brokers", _named(found["brokers"]), _BROKERS),
        ("positions", [*map(_guarded, found["positions"])], _POSITIONS),
        ("orders", found["orders"], _ORDERS),
        ("limits", found["limits"], ("name", "measured", "limit", "used", "counts")),
    ):
        say()
        say(title if rows else f"{title}: none")
        table(rows, columns)
    say()
    lag, journal = found["loop_lag_ms"], found["journal"]
    told = [f"journal event {journal['seq']}"]
    if lag["p50"] is not None:
        told.insert(0, f"loop lag p50 {cell(lag['p50'])} p99 {cell(lag['p99'])} ms")
    if journal["last_commit_ms"] is not None:
        told.append(f"last commit {cell(journal['last_commit_ms'])} ms")
    say(", ".join(told))


def _warnings(found: dict[str, Any]) -> Iterator[str]:
    """What is to be known of accounts and positions before their tables; an engine of an older
    version does not say all of it."""
    for account in found["accounts"]:
        if (unseen := account.get("unseen_since")) is not None:
            yield f"{account['broker']} was last seen whole at {unseen}: it takes no entries"
    for name, broker in found["brokers"].items():
        if broker.get("experimental"):
            yield f"{name} is experimental: its venue itself was never tried"
    for position in found["positions"]:
        if Decimal(position["protected"]) < abs(Decimal(position["quantity"])):
            yield f"no stop rests at the venue for all of {position['symbol']}"


def _killed(broker: str, kill: Row, positions: list[Row]) -> str:
    """How far a kill is in one account, in a line; what it keeps is not called flat."""
    kinds = ("left", "unknown", "vanished")
    still = [f"{kind} {', '.join(kill[kind])}" for kind in kinds if kill.get(kind)]
    held = [row["symbol"] for row in positions if row["broker"] == broker]
    if held and not still:
        still = [f"NOT FLAT: {', '.join(held)} kept"]
    return f"kill in {broker}: {'; '.join([kill['state'], *still])}"


def _guarded(position: Row) -> Row:
    """The row as a person sees it: its stop counts as far as it rests at the venue."""
    held = Decimal(position["protected"])
    if held >= abs(Decimal(position["quantity"])):
        return position
    return {**position, "stop": f"{cell(position['stop'])}!" if held else "NONE!"}


def _named(brokers: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, **row} for name, row in brokers.items()]
