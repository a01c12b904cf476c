"""Commands that a running engine serves, and `status` without one."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from console.client import Client, NoAnswer, NoEngine, Refused
from console.commands.host import Host
from console.output import CommandFailed, ExitCode, cell, document, say, table

LONGEST: Final = 65_537
"""Bytes of a line that are handed on; one more than a line may have, so that it is refused."""

USAGE_CODES: Final = frozenset({"INVALID_INPUT", "UNKNOWN_COMMAND"})
FAILED_CODES: Final = frozenset({"NO_ANSWER", "FAILED", "STOPPED", "TOO_MANY", "TOO_LONG"})


def connected(host: Host) -> Client:
    """A connection to the engine. Raises CommandFailed: not running (3), or failed."""
    try:
        return Client(host.socket)
    except NoEngine as error:
        raise CommandFailed(ExitCode.NOT_RUNNING, str(error), "NOT_RUNNING") from error
    except NoAnswer as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "NO_ANSWER") from error


def request(client: Client, command: str, args: dict[str, Any]) -> Any:
    """The result of a command. Raises CommandFailed."""
    try:
        return client.request(command, {**args, "by": "cli"})
    except NoAnswer as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "NO_ANSWER") from error
    except Refused as refused:
        raise CommandFailed(_exit_code(refused.code), str(refused), refused.code) from refused


def ask(host: Host, command: str, args: dict[str, Any], *, as_json: bool) -> None:
    """Asks the running engine, and prints what it answered."""
    with connected(host) as client:
        result = request(client, command, args)
    if as_json:
        document(result)
    elif command == "reconcile":
        _print_reconcile(result)
    else:
        for name, value in result.items():
            say(f"{name}  {' '.join(value) if isinstance(value, list) else cell(value)}")


def signals(host: Host, name: str) -> None:
    """Submits JSONL, a result line each; exits 0 once every line has a verdict."""
    with _opened(name) as lines, connected(host) as client:
        for number, line in _numbered(lines):
            given = {"signal": line, "line": number, "source": "cli"}
            document(request(client, "signal", given))
            sys.stdout.flush()


def status(host: Host, *, as_json: bool) -> int:
    """What is true now; without an engine what the journal knows, and exit code 3."""
    try:
        with Client(host.socket) as client:
            found = request(client, "status", {})
    except NoEngine:
        found = from_journal(host)
    except NoAnswer as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "NO_ANSWER") from error
    if as_json:
        document(found)
    else:
        _print_status(found)
    return ExitCode.DONE if found["running"] else ExitCode.NOT_RUNNING


def from_journal(host: Host) -> dict[str, Any]:
    """The status as the journal knows it. Raises CommandFailed."""
    import time

    from brokers.paper.adapter import paper_capabilities
    from console.wiring import JOURNAL, restored
    from engine.status import status_of
    from engine.world import World
    from storage.errors import JournalError
    from storage.latch import FileLatch

    config = host.config()
    try:
        book, _ = restored(host.state_dir / JOURNAL)
    except JournalError as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "JOURNAL") from error
    capabilities = paper_capabilities(config.brokers.paper.latency_ms)
    halt = FileLatch(host.state_dir).read()
    if book.data.halt is None:
        book.data.halt = halt  # either half of the latch halts (U-71)
    return status_of(World(book, config, capabilities), time.time_ns())


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


def _numbered(lines: IO[bytes]) -> Iterator[tuple[int, str]]:
    """Lines that are not blank; what is too long is cut, and the engine refuses it as such."""
    number = 0
    while line := lines.readline(LONGEST):
        number += 1
        rest = line
        while rest and not rest.endswith(b"\n") and len(rest) == LONGEST:
            rest = lines.readline(LONGEST)
        if line.strip():
            yield number, line.decode("utf-8", "replace").rstrip("\r\n")


def _print_reconcile(found: dict[str, Any]) -> None:
    if not found["differences"]:
        say("clean" if found["clean"] else "the comparison is not clean")
    table(found["differences"], ("symbol", "kind", "local", "venue"))
    for event in found["events"]:
        say(f"proposed: {cell(event)}")


_HEAD: Final = ("run_state", "mode", "running", "connected")
_POSITIONS: Final = (
    "symbol", "trade_type", "quantity", "average_price", "last", "market_value", "unrealized_pnl",
    "realized_pnl", "stop", "target", "opened_at",
)  # fmt: skip
_ORDERS: Final = (
    "client_order_id", "symbol", "side", "type", "quantity", "filled", "limit_price", "stop_price",
    "status", "purpose", "created_at",
)  # fmt: skip


def _print_status(found: dict[str, Any]) -> None:
    say("  ".join(f"{name} {cell(found[name])}" for name in _HEAD))
    if found["halt"] is not None:
        halt = found["halt"]
        say(f"HALTED by {halt['by']} at {halt['at']}: {halt['reason']}")
    say("  ".join(f"{name} {cell(value)}" for name, value in found["account"].items()))
    for title, rows, columns in (
        ("brokers", _named(found["brokers"]), ("name", "state", "latency_ms", "last_seen")),
        ("positions", found["positions"], _POSITIONS),
        ("orders", found["orders"], _ORDERS),
        ("limits", found["limits"], ("name", "measured", "limit", "used")),
    ):
        say()
        say(title if rows else f"{title}: none")
        table(rows, columns)
    lag = found["loop_lag_ms"]
    say()
    say(
        f"loop lag p50 {cell(lag['p50'])} p99 {cell(lag['p99'])} ms  "
        f"journal event {found['journal']['seq']}, "
        f"last commit {cell(found['journal']['last_commit_ms'])} ms"
    )


def _named(brokers: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, **row} for name, row in brokers.items()]
