"""`journal` and `dead-letters list`: history from the journal, with or without an engine."""

import asyncio
import time
from typing import Any, Final

from console.cli.operate import QUESTION_SECONDS
from console.host import speech
from console.host.client import Client, NoAnswer, NoEngine, Refused
from console.host.output import (
    CommandFailed,
    ExitCode,
    Format,
    counted,
    document,
    listing,
    say,
    warn,
)
from console.host.place import Host
from console.host.wiring import JOURNAL
from engine.domain.instant import (
    NS_PER_SECOND,
    Nanos,
    clipped,
    nearest_rfc3339,
    parse_rfc3339,
    rfc3339,
)
from engine.state.letters import state_at
from storage.errors import JournalError
from storage.reader import Reader
from storage.verify import verify as verify_chain

LETTERS: Final = "dead_letters"

COLUMNS: Final = {
    "events": ("seq", "time", "type", "data"),
    "orders": (
        "created_at", "client_order_id", "symbol", "side", "type", "quantity", "filled",
        "average_price", "limit_price", "stop_price", "status", "purpose", "reject_code",
    ),
    "fills": (
        "time", "symbol", "side", "quantity", "price", "currency", "commission",
        "commission_currency", "client_order_id",
    ),
    "trades": (
        "symbol", "direction", "trade_type", "quantity", "entry_price", "exit_price", "entry_time",
        "exit_time", "exit_reason", "pnl", "fees", "currency", "r_multiple", "signal_id",
    ),
    "daily": (
        "date", "starting_equity", "ending_equity", "realized_pnl", "unrealized_pnl",
        "total_trades", "winning_trades", "losing_trades", "max_drawdown", "kill_switch_triggered",
        "final",
    ),
    "signals": (
        "time", "signal_id", "symbol", "outcome", "stage", "code", "measured", "limit", "reason",
    ),
    LETTERS: ("id", "symbol", "error", "created_at", "state"),
}  # fmt: skip
"""What a table shows of each list; JSON and CSV hold every key of a row."""

ACCOUNT: Final = "broker"
"""Behind the columns of a list whose rows are not all of one account."""


def show(
    host: Host,
    name: str,
    *,
    since: str | None,
    until: str | None,
    symbol: str | None,
    form: Format,
) -> None:
    """Prints one list. Raises CommandFailed."""
    span = (moment(since, "--since"), moment(until, "--until", end=True))
    asyncio.run(_print(host, name, span, symbol, form))


def _today(host: Host) -> dict[str, Any]:
    """The row of the day at the prices of now, of an engine that answers; else nothing."""
    try:
        with Client(host.socket, QUESTION_SECONDS) as client:
            found: dict[str, Any] = client.request("today", {"by": "cli"}, QUESTION_SECONDS)
            return found
    except (NoEngine, NoAnswer, Refused):
        return {}


def letters(host: Host, *, as_json: bool) -> None:
    """Prints what could not be sent and was neither retried nor dropped."""
    form = Format.JSON if as_json else Format.TABLE
    asyncio.run(_print(host, LETTERS, (None, None), None, form))


def _state(letter: dict[str, Any]) -> str:
    """What may be done with a dead letter: `OPEN` may be sent again, `EXPIRED` only dropped."""
    return state_at(time.time_ns(), parse_rfc3339(letter["expires_at"]))


def verify(host: Host, *, as_json: bool) -> ExitCode:
    """Checks the hash chain and the tables; exit code 1 when something is wrong."""
    _demand_journal(host)
    try:
        found = verify_chain(host.state_dir / JOURNAL, tables=True)
    except JournalError as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "JOURNAL") from error
    if as_json:
        document(
            {"ok": found.ok, "events": found.events, "digest": found.digest}
            | {"bad_seq": found.bad_seq, "problem": found.problem, "stale": list(found.stale)}
        )
    elif not found.events:
        say(f"there is no journal in {host.state_dir} yet: nothing has run there")
    elif found.ok:
        say(f"the journal is whole: {counted(found.events, 'event')}, head {found.digest}")
    else:
        say(f"the journal is not whole: {found.problem}")
    return ExitCode.DONE if found.ok else ExitCode.FAILED


def _demand_journal(host: Host) -> None:
    """Raises CommandFailed where there should be a journal, and there is none."""
    missing = host.missing_journal()
    if missing:
        raise CommandFailed(ExitCode.FAILED, missing, "NO_JOURNAL")


def moment(text: str | None, option: str, *, end: bool = False) -> Nanos | None:
    """A time, or a date: its first instant, or its last one with `end`. Raises CommandFailed."""
    if text is None:
        return None
    try:
        if len(text) == len("2013-10-07"):
            day = nearest_rfc3339(f"{text}T00:00:00Z")
            return clipped(day + 86_400 * NS_PER_SECOND - 1) if end else day
        return nearest_rfc3339(text)
    except ValueError as error:
        raise CommandFailed(ExitCode.USAGE, f"{option}: {error}.", "INVALID_INPUT") from error


async def _print(
    host: Host,
    name: str,
    span: tuple[Nanos | None, Nanos | None],
    symbol: str | None,
    form: Format,
) -> None:
    _demand_journal(host)
    today = _today(host) if name == "daily" else {}
    try:
        async with Reader(host.state_dir / JOURNAL) as reader:
            page: list[dict[str, Any]] = []
            rows = 0
            # Asked first: the rows know at least what they say they know.
            known = await reader.as_of()
            async for row in getattr(reader, name)(*span, symbol):
                if speech.ANSWERS.gone:
                    return  # as `journal events | head` does
                rows += 1
                if name == LETTERS:
                    row["state"] = _state(row)
                if today and row["date"] == today["date"] and not row["final"]:
                    row |= {key: type(row[key])(value) for key, value in today.items()}
                if form is Format.JSON and name != LETTERS:
                    document(row)
                else:
                    page.append(row)
    except JournalError as error:
        raise CommandFailed(ExitCode.FAILED, str(error), "JOURNAL") from error
    if symbol is not None and not rows and symbol != symbol.upper():
        warn(
            f"nothing of {symbol} is listed: the size of its letters counts, as in {symbol.upper()}"
        )
    if form is Format.TABLE:
        accounts = {row[ACCOUNT] for row in page if row.get(ACCOUNT)}
        more = (ACCOUNT,) if len(accounts) > 1 else ()
        listing(page, COLUMNS[name] + more, form)
    elif name == LETTERS:
        document(page)  # no list of `journal`: one document, as on the socket
    elif page:
        listing(page, tuple(page[0]), form)
    if known is not None and not speech.ANSWERS.gone:  # it is said of a list that is whole
        # Behind rows for a program it would be one line too many.
        tell = say if form is Format.TABLE else warn
        now = ", the day in progress as of now" if today else ""
        spanned = name == "trades" and span != (None, None)
        by = (
            "; --since and --until look at the entry of a trade, not at its exit" if spanned else ""
        )
        tell(f"as of event {known[0]}, {rfc3339(known[1])}{now}{by}")
