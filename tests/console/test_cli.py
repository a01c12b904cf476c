"""The command line: exit codes, what reaches stdout, and what is refused (INTERFACE)."""

import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from brokers.paper.book import PaperBook
from console.cli.killing import _print as _print_kill
from console.cli.killing import proved
from console.cli.operate import _guarded, _killed, _print_result, _print_status
from console.cli.program import hoisted, main
from console.commands.arguments import OrderArgs, SignalArgs
from console.host.client import Client, NoAnswer, address
from console.host.conversion import convert
from console.host.farewell import farewell
from console.host.operations import place_order, verdict
from console.host.output import counted
from console.host.requests import CommandError
from console.ui.lines import line_of
from engine.analytics.status import status_of
from engine.domain import events as ev
from engine.domain.events import InputRejected
from engine.domain.inputs import InvalidArrived
from engine.domain.instant import NS_PER_SECOND, rfc3339
from engine.domain.market import Quote
from engine.domain.run import Flatten
from engine.intake.parse import parse_line
from engine.state.fold import apply
from storage.latch import FileLatch
from storage.opening import open_journal
from tests.brokers.test_paper_book import OLD_BOOK
from tests.configs import parse
from tests.engine.worlds import MIDDAY, Built
from tests.storage.lives import History

DONE, FAILED, USAGE, NOT_RUNNING, REFUSED = 0, 1, 2, 3, 4


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERIDIAN_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("MERIDIAN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("MERIDIAN_LOCK_DIR", str(tmp_path / "locks"))
    (tmp_path / "config.toml").write_text("", encoding="utf-8")


def document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_the_version_is_name_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == DONE
    name, _, version = capsys.readouterr().out.strip().partition(" ")
    assert name == "meridian-tui"
    assert version[0].isdigit()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["status", "--config", "a"], ["--config", "a", "status"]),
        (["status", "--config=a", "--json"], ["--config=a", "status", "--json"]),
        (["run", "--headless", "--for", "3"], ["--headless", "--for", "3", "run"]),
        (["kill", "--reason", "x"], ["kill", "--reason", "x"]),
        (["signal", "--", "--config"], ["signal", "--", "--config"]),
        (["status", "--config"], ["status", "--config"]),
    ],
)
def test_global_options_may_stand_anywhere(given: list[str], expected: list[str]) -> None:
    assert hoisted(given) == expected


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["order", "buy"],
        ["cancel"],
        ["cancel", "x", "--all"],
        ["close"],
        ["close", "AAPL", "--all"],
        ["kill", "--flatten", "half"],
        ["--for", "3"],
        ["--until-idle"],
        ["--headless", "status"],
        ["journal", "orders", "--format", "xml"],
        ["journal", "orders", "--since", "yesterday"],
        ["signal", "/nowhere/at/all"],
        ["replay", "/nowhere/at/all.csv"],
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err


PANIC = (
    ["kill", "--flaten"],
    ["kill", "--flaten", "all"],
    ["kill", "--flatten"],
    ["kill", "--flatten", "half"],
    ["kill", "--flatten", "all", "now"],
    ["kill", "now!", "--json"],
    ["kill", "help"],
    ["kill", "-hard"],
    ["kill", "kill"],
    ["kill", "-f"],
    ["kill", "--reason"],
    ["kill", "--headless"],
    ["kill", "--for", "3"],
    ["kill", "--for", "soon", "--headless"],
    ["kill", "--at", "2026-01-01"],
    ["kill", "--state-dir"],
    ["kill", "--accept-clock"],
    ["--flaten", "kill"],
    ["--flaten", "all", "kill"],
    ["KILL"],
    ["--kill"],
)


@pytest.mark.parametrize("arguments", PANIC, ids=" ".join)
def test_x52_a_kill_that_is_misspelled_halts_and_says_so_in_one_sentence(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who types a kill in panic gets at least the latch, whatever else stands on the line."""
    assert main(arguments) == USAGE
    halt = FileLatch(tmp_path / "state").read()
    assert halt is not None
    assert halt.flatten is Flatten.NONE
    printed = capsys.readouterr()
    (told,) = [line for line in printed.err.splitlines() if "halted" in line]
    assert "is halted all the same" in told
    assert "closed nothing" in told
    assert "Usage" not in printed.err
    if "--json" in arguments:
        assert json.loads(printed.out)["ok"] is False


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["kill", "--help"], DONE),
        (["kill", "-help"], USAGE),
        (["kill", "--flaten", "--help"], USAGE),
        (["kill", "--flatten", "all", "now", "-h"], DONE),
        (["help", "kill"], USAGE),
        (["HELP", "kill"], USAGE),
        (["--help", "kill"], DONE),
        (["man", "kill"], USAGE),
        (["order", "buy", "kill"], USAGE),
        (["order", "buy", "AAPL", "1", "--kill"], USAGE),
        (["status", "kill"], USAGE),
        (["journal", "kill"], USAGE),
        (["status", "--state-dir"], USAGE),
        (["nonsense"], USAGE),
    ],
)
def test_what_asks_for_no_kill_halts_nothing(
    arguments: list[str], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    assert FileLatch(tmp_path / "state").read() is None
    assert "halted" not in capsys.readouterr().err


def test_x52_a_misspelled_kill_halts_the_folder_that_it_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["kill", "--flaten", "all", "--state-dir", str(tmp_path / "named")]) == USAGE
    assert FileLatch(tmp_path / "named").read() is not None
    assert FileLatch(tmp_path / "state").read() is None
    assert main([f"--state-dir={tmp_path / 'other'}", "--headless", "kill"]) == USAGE
    assert FileLatch(tmp_path / "other").read() is not None


@pytest.mark.parametrize(
    "arguments",
    [
        ["rebalance", "weights.json"],
        ["rebalance", "weights.json", "--approve"],
        ["journal", "chart", "equity", "--out", "x.svg"],
        ["journal", "export", "x.parquet"],
    ],
)
def test_what_comes_later_says_so(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == USAGE
    assert "is not built yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["pause"],
        ["unpause"],
        ["resume"],
        ["resume", "--confirm", "RESUME REBASE", "--rebase"],
        ["order", "buy", "AAPL", "1"],
        ["cancel", "--all"],
        ["close", "--all"],
        ["reconcile"],
        ["resolve", "x", "venue"],
        ["dead-letters", "retry", "x"],
        ["signal", "-"],
    ],
)
def test_without_an_engine_its_commands_say_that_none_is_running(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--json"]) == NOT_RUNNING
    printed = capsys.readouterr()
    assert json.loads(printed.out)["code"] == "NOT_RUNNING"
    assert "No engine is running" in printed.err


def test_status_without_an_engine_is_what_the_journal_knows(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["status", "--json"]) == NOT_RUNNING
    found = document(capsys)
    assert found["running"] is False
    assert found["run_state"] == "STOPPED"
    assert found["halt"] is None
    assert main(["status"]) == NOT_RUNNING
    printed = capsys.readouterr().out
    assert "running no" in printed
    assert printed.startswith(f"nothing has run in {os.environ['MERIDIAN_STATE_DIR']}\n")


@pytest.fixture
def silent_engine(tmp_path: Path) -> Iterator[Path]:
    """A state folder on which somebody listens and never answers, as a stopped process does."""
    folder = tmp_path / "state"
    folder.mkdir()
    with socket.socket(socket.AF_UNIX) as listener, address(folder / "control.sock") as name:
        listener.bind(name)
        listener.listen()
        yield folder


def test_a_hung_engine_is_answered_for_by_the_journal(
    silent_engine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status"]) == NOT_RUNNING
    first = capsys.readouterr().out.splitlines()[0]
    assert f"{silent_engine} does not answer; this is what the journal knew at " in first
    assert first.endswith("`meridian-tui kill` works")
    assert main(["status", "--json"]) == NOT_RUNNING
    printed = capsys.readouterr()
    assert json.loads(printed.out)["running"] is False
    assert "does not answer" in printed.err


@pytest.mark.parametrize(
    ("arguments", "again"),
    [
        (["order", "buy", "AAPL", "1", "--id", "mine"], "with --id mine cannot double it"),
        (["close", "AAPL", "--id", "mine"], "with --id mine cannot double it"),
        (["signal", "FILE"], "a signal_id is taken once, so that the file may be sent again"),
        (["pause"], "it may still have done it."),
    ],
)
@pytest.mark.usefixtures("silent_engine")
def test_what_a_hung_engine_has_not_taken_is_given_up_within_seconds(
    arguments: list[str],
    again: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The answer says that nobody knows, and how to ask again without doubling (fault 55)."""
    file = tmp_path / "signals.jsonl"
    file.write_text('{"signal_id": "s"}\n', encoding="utf-8")
    monkeypatch.setattr("console.host.client.ACCEPT_SECONDS", 0.2)
    assert main([str(file) if word == "FILE" else word for word in arguments]) == FAILED
    told = capsys.readouterr().err.strip()
    assert f"did not answer {arguments[0]} within 0.2 s; it may still have done it" in told
    assert told.endswith(again)


def test_a_format_that_is_unknown_is_told_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["journal", "orders", "--format", "nope"]) == USAGE
    told = capsys.readouterr().err
    assert '--format "nope": allowed is table, json or csv.' in told
    assert "Value error" not in told


@pytest.mark.parametrize(("number", "text"), [(0, "0 orders"), (1, "1 order"), (2, "2 orders")])
def test_what_is_counted_is_in_the_plural_where_it_is_not_one(number: int, text: str) -> None:
    assert counted(number, "order") == text


@pytest.mark.parametrize(
    ("flatten", "works"),
    [("all", "no order works, and"), ("day", "no order works but the stops of what is kept, and")],
)
def test_a_kill_proves_no_more_than_its_scope(
    flatten: str, works: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"state": "VERIFIED", "cancelled": 1, "closed": 2, "left": [], "unknown": []}
    _print_kill({"latched": True, "flatten": flatten, "fenced": None, "brokers": {"paper": row}})
    said = capsys.readouterr().out
    assert "1 working order cancelled (stops not counted), 2 positions closed" in said
    assert f"proved: {works}" in said
    assert "nothing in scope is held." in said
    assert "NOT PROVED SOLD" not in said


def test_c502_what_vanished_without_a_fill_is_named_and_a_kill_is_not_done_with_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    row: dict[str, Any] = {"state": "VERIFIED", "cancelled": 1, "closed": 0}
    row |= {"left": [], "unknown": []}
    found = {"latched": True, "flatten": "all", "fenced": None, "brokers": {"paper": row}}
    assert proved(found)
    row["vanished"] = []
    assert proved(found)
    row["vanished"] = ["AAPL 10", "SPY -5"]
    assert not proved(found)
    _print_kill(found)
    said = capsys.readouterr().out
    assert "NOT PROVED SOLD: paper does not list AAPL 10, SPY -5 any more" in said


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ("engine", "The engine did not answer: process 7 was ended."),
        ("kill", "Another kill did not answer: process 7 was ended."),
    ],
)
def test_x52_a_kill_says_what_it_ended(
    ended: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _print_kill({"latched": True, "flatten": "all", "fenced": 7, "brokers": {}}, ended)
    assert words in capsys.readouterr().out.splitlines()


ORDER = {"side": "buy", "symbol": "XOM", "quantity": "1"}
POSITIVE = "a finite number above 0"


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("side", "hold", "buy or sell"),
        ("hold", "week", "day or swing"),
        ("tif", "fok2", "day, gtc, ioc or fok"),
        ("quantity", "abc", POSITIVE),
        ("quantity", "-5", POSITIVE),
        ("quantity", "0", POSITIVE),
        ("limit", "x", POSITIVE),
        ("quantity", "1_0", POSITIVE),
        ("quantity", "１０", POSITIVE),
        ("limit", " 1", POSITIVE),
        ("limit", "NaN", POSITIVE),
        ("stop", "1e-30", f"{POSITIVE} with at most 18 digits after the point"),
        ("quantity", "9" * 38, f"{POSITIVE} and at most 1000000000000000"),
        ("quantity", "-1e30", POSITIVE),
        ("target", "0", POSITIVE),
        ("managed", "perhaps", "true or false"),
        ("symbol", 3, "text"),
    ],
)
def test_an_order_that_is_refused_says_what_where_and_what_is_allowed(
    name: str, value: Any, allowed: str
) -> None:
    with pytest.raises(CommandError) as told:
        place_order(convert({**ORDER, name: value}, OrderArgs))
    assert told.value.code == "INVALID_INPUT"
    assert str(told.value) == f'{name} "{value}" is refused: allowed is {allowed}'


def test_x80_an_order_takes_a_target_and_is_managed_where_it_says_so() -> None:
    plain_order = place_order(convert(ORDER, OrderArgs))
    assert (plain_order.target, plain_order.managed) == (None, False)
    asked = place_order(convert({**ORDER, "target": "130.5", "managed": True}, OrderArgs))
    assert (asked.target, asked.managed) == (Decimal("130.5"), True)


def test_an_argument_that_is_missing_or_unknown_is_named() -> None:
    with pytest.raises(CommandError, match=r"^quantity is missing: allowed is a finite number"):
        convert({"side": "buy", "symbol": "XOM"}, OrderArgs)
    with pytest.raises(CommandError, match=r"^colour is no argument: by, side, symbol,"):
        convert({**ORDER, "colour": "red"}, OrderArgs)
    with pytest.raises(CommandError, match=r"allowed is text or an object$"):
        convert({"signal": 3}, SignalArgs)
    with pytest.raises(CommandError, match=r'^base64 "é" is refused: allowed is base64$'):
        convert({"signal": "", "base64": "é"}, SignalArgs)
    assert convert({"signal": "", "base64": "4Sk="}, SignalArgs).base64 == b"\xe1)"


@pytest.mark.parametrize(
    "arguments",
    [
        ["order", "hold", "AAPL", "1"],
        ["order", "buy", "AAPL", "x"],
        ["order", "buy", "AAPL", "0"],
        ["order", "buy", "AAPL", "1", "--limit", "NaN"],
        ["order", "buy", "AAPL", "1", "--tif", "ever"],
        ["modify", "x"],
        ["modify", "x", "--quantity", "many"],
        ["close", "--all", "--quantity", "1"],
        ["close", "AAPL", "--quantity", "many"],
        ["protect", "AAPL", "low"],
        ["target", "AAPL", "-1"],
        ["resolve", "x", "perhaps"],
    ],
)
def test_what_is_malformed_is_so_without_an_engine_too(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--json"]) == USAGE
    assert json.loads(capsys.readouterr().out)["code"] == "INVALID_INPUT"


def test_X85_what_is_not_there_is_said_as_none(capsys: pytest.CaptureFixture[str]) -> None:
    _print_result({"symbol": "XOM", "stop": "9.5", "before": None})
    assert capsys.readouterr().out.splitlines() == ["symbol  XOM", "stop  9.5", "before  none"]


def test_a_number_below_zero_is_a_quantity_and_no_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["order", "buy", "XOM", "-5"]) == USAGE
    assert 'quantity "-5" is refused' in capsys.readouterr().err
    assert main(["order", "buy", "XOM", "5", "--protct", "9"]) == USAGE
    assert "--protct" in capsys.readouterr().err


@pytest.fixture
def agreeing_engine(tmp_path: Path) -> Iterator[None]:
    """Somebody who takes one request on the control socket and says yes."""
    folder = tmp_path / "state"
    folder.mkdir()

    def serve(listener: socket.socket) -> None:
        caller, _ = listener.accept()
        with caller, caller.makefile("rw") as lines:
            asked = json.loads(lines.readline())
            lines.write(json.dumps({"id": asked["id"], "ok": True, "result": {}}) + "\n")

    with socket.socket(socket.AF_UNIX) as listener, address(folder / "control.sock") as name:
        listener.bind(name)
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield
        thread.join()


@pytest.mark.usefixtures("agreeing_engine")
@pytest.mark.parametrize(("options", "lines"), [([], 1), (["--protect", "90"], 0)])
def test_an_order_without_a_stop_says_that_it_protects_nothing(
    options: list[str], lines: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["order", "buy", "XOM", "1", "--json", *options]) == DONE
    printed = capsys.readouterr()
    assert json.loads(printed.out) == {}
    assert printed.err.count("unprotected") == len(printed.err.splitlines()) == lines


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (3, "s.jsonl line 3 column 1: the line is no JSON: Expecting value."),
        (0, "column 1: the line is no JSON: Expecting value."),
    ],
)
def test_a_signal_line_that_cannot_be_read_is_named_by_file_and_number(
    line: int, expected: str
) -> None:
    read = parse_line("x", source="s.jsonl", number=line)
    assert isinstance(read, InvalidArrived)
    rejected = InputRejected(source=read.source, input_id="", reason=read.reason, line=read.line)
    assert verdict(rejected)["reason"] == expected
    shown = line_of(rejected)
    assert shown is not None
    assert shown.text.count("s.jsonl") == 1


@pytest.mark.parametrize(("command", "may"), [("status", False), ("pause", True)])
def test_only_what_does_something_may_still_have_been_done(
    command: str, may: bool, silent_engine: Path
) -> None:
    with Client(silent_engine / "control.sock") as client, pytest.raises(NoAnswer) as told:
        client.request(command, {}, 0.05)
    assert ("it may still have done it" in str(told.value)) is may


@pytest.mark.parametrize(
    ("covered", "stop", "warned"),
    [("0", "NONE!", True), ("9", "90!", True), ("10", "90", False)],
)
def test_a_stop_counts_as_far_as_it_rests_at_the_venue(
    covered: str,
    stop: str,
    warned: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = status_of(Built().hold("AAPL", 10, "100").world, MIDDAY)
    found["positions"][0] |= {"stop": "90", "protected": covered}
    assert _guarded(found["positions"][0])["stop"] == stop
    _print_status(found)
    said = capsys.readouterr().out
    assert ("WARNING: no stop rests at the venue for all of AAPL" in said) is warned


@pytest.mark.parametrize(("seconds", "warned"), [(86_399, False), (86_400, False), (86_401, True)])
def test_x84_status_says_which_account_was_seen_too_long_ago_for_an_entry(
    seconds: int, capsys: pytest.CaptureFixture[str], *, warned: bool
) -> None:
    """The limits of this world allow a day."""
    built = Built()
    built.book.account("paper").seen_at = MIDDAY
    found = status_of(built.world, MIDDAY + seconds * NS_PER_SECOND)
    (row,) = [row for row in found["accounts"] if row["broker"] == "paper"]
    assert row["unseen_since"] == (rfc3339(MIDDAY) if warned else None)
    _print_status(found)
    said = capsys.readouterr().out
    told = f"WARNING: paper was last seen whole at {rfc3339(MIDDAY)}: it takes no entries"
    assert (told in said) is warned


@pytest.mark.parametrize("rate", [None, "1.25"])
def test_x86_status_says_which_currency_has_no_fresh_rate(
    rate: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    built = Built()
    if rate is not None:
        quote = Quote(symbol="EUR_USD", bid=None, ask=None, last=Decimal(rate), time=built.now)
        built.world.take_quote(quote, built.now)
    built.book.account("paper").cash["EUR"] = Decimal(1_000)
    found = status_of(built.world, MIDDAY)
    _print_status(found)
    said = capsys.readouterr().out
    assert ("WARNING: no fresh rate of EUR: the totals are not sure" in said) is (rate is None)


def test_status_without_an_engine_knows_a_latch_set_by_hand(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    FileLatch(tmp_path / "state").path.touch()
    assert main(["status", "--json"]) == NOT_RUNNING
    assert "HALT" in document(capsys)["halt"]["reason"]


@pytest.mark.parametrize("name", ["events", "orders", "fills", "trades", "daily", "signals"])
@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_history_of_an_empty_folder_prints_nothing(
    name: str, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["journal", name, "--format", form]) == DONE
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_change_that_cancels_says_so_X88(
    cancelled: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = {"client_order_id": "k", "orig_client_order_id": "k", "native": not cancelled}
    _print_result(answer | ({"cancelled": True} if cancelled else {}))
    said = capsys.readouterr().out
    assert ("the order is being cancelled" in said) is cancelled
    assert "client_order_id  k" in said


@pytest.mark.parametrize("accounts", [("paper",), ("paper", "paper"), ("paper", "eur")])
def test_a_table_names_the_account_where_its_rows_are_of_several(
    accounts: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    journal = open_journal(tmp_path / "state" / "journal.db", inline=True)
    made = History()
    for number, account in enumerate(accounts):
        terms = replace(made.new_order(f"o{number}", "AAPL"), account=account)
        made.add(ev.OrderIntended(terms=terms))
    journal.append(made.records, made.touched)
    journal.close()
    assert main(["journal", "orders"]) == DONE
    header, *rows = capsys.readouterr().out.splitlines()[:-1]
    if len(set(accounts)) == 1:
        assert header.split()[-1] == "reject_code"
    else:
        assert header.split()[-1] == "broker"
        assert {row.split()[-1] for row in rows} == set(accounts)
    assert main(["journal", "orders", "--json"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert sorted(json.loads(line)["broker"] for line in lines) == sorted(accounts)


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_x90_a_list_says_as_of_when_and_never_among_rows_for_a_program(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    journal = open_journal(tmp_path / "state" / "journal.db", inline=True)
    paused = ev.Paused(by="test", reason="a reason")
    journal.append([ev.Record(1, 1_381_154_400_000_000_000, paused)])
    journal.close()
    assert main(["journal", "events", "--format", form]) == DONE
    said = capsys.readouterr()
    words = "as of event 1, 2013-10-07T14:00:00Z"
    assert (said.out if form == "table" else said.err).splitlines()[-1] == words
    assert (words in said.out) is (form == "table")


ENTRY_COUNTS = "; --since and --until look at the entry of a trade, not at its exit"


@pytest.mark.parametrize(
    ("asked", "by"),
    [
        (["trades", "--since", "2013-10-07"], ENTRY_COUNTS),
        (["trades", "--until", "2013-10-07"], ENTRY_COUNTS),
        (["trades"], ""),
        (["orders", "--since", "2013-10-07"], ""),
    ],
)
def test_a_span_of_trades_says_that_their_entry_counts(
    asked: list[str], by: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    journal = open_journal(tmp_path / "state" / "journal.db", inline=True)
    journal.append([ev.Record(1, 1_381_154_400_000_000_000, ev.Paused(by="test", reason="r"))])
    journal.close()
    assert main(["journal", *asked]) == DONE
    assert capsys.readouterr().out.splitlines()[-1] == f"as of event 1, 2013-10-07T14:00:00Z{by}"


@pytest.mark.parametrize(
    ("name", "when"), [("trades", "entered"), ("orders", "created"), ("fills", "filled")]
)
def test_the_help_of_a_list_says_which_time_a_span_is_about(
    name: str, when: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["journal", name, "--help"]) == DONE
    words = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert f"{when} then or later" in words
    assert f"{when} then or before" in words


def test_the_chain_of_an_empty_folder_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "verify", "--json"]) == DONE
    assert document(capsys)["ok"] is True
    assert main(["dead-letters", "list", "--json"]) == DONE
    assert document(capsys) == []


@pytest.mark.parametrize(
    ("age", "state"), [(0, "OPEN"), (200, "OPEN"), (300, "EXPIRED"), (9000, "EXPIRED")]
)
def test_c430_the_list_of_dead_letters_says_which_may_still_be_sent(
    age: int, state: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made, at = History(), time.time_ns() - age * NS_PER_SECOND
    letter = ev.DeadLettered(letter_id="d1", terms=made.new_order("o1", "AAPL"), error="no route")
    record = ev.Record(1, at, letter)
    (tmp_path / "state").mkdir(exist_ok=True)
    journal = open_journal(tmp_path / "state" / "journal.db", inline=True)
    journal.append([record], apply(made.book, record))
    journal.close()
    assert main(["dead-letters", "list", "--json"]) == DONE
    (row,) = document(capsys)
    assert (row["id"], row["state"]) == ("d1", state)
    assert main(["dead-letters", "list"]) == DONE
    assert state in capsys.readouterr().out


ASKED_OF_HISTORY = pytest.mark.parametrize(
    "asked",
    [["journal", "verify"], ["journal", "trades"], ["journal", "daily"], ["dead-letters", "list"]],
    ids=" ".join,
)


@ASKED_OF_HISTORY
def test_a_state_folder_that_is_named_and_not_there_is_no_empty_journal(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that was mistyped holds nothing, and nothing is proved of it."""
    folder = tmp_path / "stat"
    assert main(["--state-dir", str(folder), *asked]) == FAILED
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == f"there is no journal in {folder}: the folder is not there\n"


@ASKED_OF_HISTORY
def test_a_state_folder_without_the_journal_it_had_is_no_empty_journal(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    assert main(asked) == DONE, "nothing has run there (INTERFACE)"
    (folder / "paper.db").touch()
    capsys.readouterr()
    assert main([*asked, "--json"]) == FAILED
    told = f"there is no journal in {folder}: other files of an engine are there, and it was taken"
    assert capsys.readouterr().err.startswith(told)


def test_where_nothing_has_run_no_chain_is_called_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["journal", "verify"]) == DONE
    told = f"there is no journal in {tmp_path / 'state'} yet: nothing has run there\n"
    assert capsys.readouterr().out == told


def test_the_doctor_misses_a_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == DONE
    assert "there is no journal yet: nothing has run here" in capsys.readouterr().out
    (tmp_path / "state" / "HALT").touch()
    assert main(["doctor"]) == DONE, "no engine has ever run there"
    said = capsys.readouterr().out
    assert f"note  journal     there is no journal in {tmp_path / 'state'}" in said


def test_status_misses_a_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "paper.db").touch()
    assert main(["status"]) == NOT_RUNNING
    assert capsys.readouterr().out.startswith(f"there is no journal in {tmp_path / 'state'}")


def test_a_config_is_written_once_and_is_good(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "deep" / "new.toml"
    assert main(["config", "init", "--config", str(path)]) == DONE
    assert parse(path.read_text(encoding="utf-8")) == parse("")
    path.write_text("# mine\n", encoding="utf-8")
    capsys.readouterr()
    assert main(["config", "init", "--config", str(path)]) == REFUSED
    assert path.read_text(encoding="utf-8") == "# mine\n"
    assert str(path) in capsys.readouterr().err
    assert main(["config", "check", "--config", str(path)]) == DONE
    assert main(["config", "check", str(path)]) == DONE
    assert main(["config", "check", str(path), "--config", "other.toml"]) == USAGE
    path.write_text("colour = 1\n", encoding="utf-8")
    assert main(["config", "check", str(path)]) == USAGE


BAD_TABLES = {
    "instruments": "symbol,tick\nAAPL,none\n",
    "sectors": "AAPL\n",
    "rates": "currency,rate\nEUR,none\n",
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_config_is_as_good_as_the_files_that_it_names(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, config = tmp_path / "table.csv", tmp_path / "config.toml"
    config.write_text(f'[data]\n{name} = "{table}"\n', encoding="utf-8")
    assert main(["config", "check"]) == USAGE
    assert str(table) in capsys.readouterr().err
    table.write_text(BAD_TABLES[name], encoding="utf-8")
    assert main(["config", "check"]) == USAGE
    assert str(table) in capsys.readouterr().err


def test_a_recording_that_is_not_there_is_no_good_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = tmp_path / "bars.csv"
    text = f'[market]\nsource = "replay"\nfile = "{bars}"\n'
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    assert main(["config", "check"]) == USAGE
    assert str(bars) in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["config", "check"], [], ["--headless"]])
def test_a_theme_that_is_not_there_is_refused_before_anything_starts(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An engine that trades behind a console that cannot be drawn is what nobody asked for."""
    (tmp_path / "config.toml").write_text('[console]\ntheme = "nope"\n', encoding="utf-8")
    assert main(arguments) == USAGE
    assert (
        capsys.readouterr()
        .err.strip()
        .endswith(
            f'{tmp_path / "config.toml"}: console.theme = "nope" is refused: allowed is one of '
            '"meridian-ansi", "meridian-cvd", "meridian-light", "meridian".'
        )
    )
    assert not (tmp_path / "state").exists()


def test_every_theme_that_is_there_is_taken(tmp_path: Path) -> None:
    for name in ("meridian", "meridian-ansi", "meridian-cvd", "meridian-light"):
        (tmp_path / "config.toml").write_text(f'[console]\ntheme = "{name}"\n', encoding="utf-8")
        assert main(["config", "check"]) == DONE


def test_a_bad_config_names_the_key_and_what_is_allowed_U72(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.toml").write_text("[market]\nsead = 3\n", encoding="utf-8")
    assert main(["config", "check"]) == USAGE
    assert 'sead = "***" is unknown: seed may be meant' in capsys.readouterr().err
    assert main(["doctor", "--json"]) == USAGE
    assert document(capsys)["ok"] is False
    assert main(["--headless"]) == USAGE


def test_the_config_in_force_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "show", "--json"]) == DONE
    assert document(capsys)["risk"]["max_risk_per_trade"] == "0.01"
    assert main(["config", "show"]) == DONE
    assert parse(capsys.readouterr().out).mode.value == "paper"


def test_the_doctor_looks_at_everything_and_finds_nothing_bad(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor", "--json"]) == DONE
    rows = document(capsys)["checks"]
    checks = {row["check"] for row in rows}
    assert {"config", "clock", "disk", "state", "journal", "account", "calendars"} <= checks
    (told,) = [str(row) for row in rows if row["check"] == "config"]
    assert "an order of your own that opens a position rests on the stop that you name" in told


def test_the_doctor_sees_a_journal_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "journal.db").write_text("not a journal" * 20, encoding="utf-8")
    assert main(["doctor", "--json"]) == FAILED
    bad = [row["check"] for row in document(capsys)["checks"] if not row["ok"]]
    assert bad == ["journal"]
    assert main(["status"]) == FAILED


def _files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder; the index that readers of a log share is nobody's content."""
    found = (path for path in folder.iterdir() if not path.name.endswith("-shm"))
    return {path.name: path.read_bytes() for path in found}


def _book(folder: Path, state: str) -> None:
    """A paper account's book in that state."""
    path = folder / "paper.db"
    match state:
        case "of 0.1.0":
            connection = sqlite3.connect(path)
            connection.executescript(OLD_BOOK.read_text(encoding="utf-8"))
            connection.close()
        case "new":
            PaperBook(path).close()
        case "of a process that was killed":
            killed = folder.parent / "killed"
            killed.mkdir()
            book = PaperBook(killed / "paper.db")
            book.put_sequence(1)
            book.commit()
            for left in killed.iterdir():
                shutil.copy(left, folder)
            book.close()
        case "newer":
            connection = sqlite3.connect(path)
            connection.execute("PRAGMA user_version = 99")
            connection.close()
        case _:
            path.write_bytes(b"not a book" * 20)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("of 0.1.0", "the paper account holds 3 positions, 2 orders"),
        ("new", "the paper account holds 0 positions, 0 orders"),
        ("of a process that was killed", "the paper account holds 0 positions, 0 orders"),
        ("newer", "newer version"),
        ("no book", "not a database"),
    ],
)
def test_the_doctor_looks_at_a_paper_book_and_leaves_it_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], state: str, said: str
) -> None:
    """Nothing is migrated, nothing is made: a program of before can still open it."""
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    _book(folder, state)
    before = _files(folder)
    code = main(["doctor", "--json"])
    (row,) = [row for row in document(capsys)["checks"] if row["check"] == "broker"]
    assert said in row["text"]
    assert row["ok"] is (code == DONE)
    assert _files(folder) == before


def test_U72_the_doctor_says_of_a_real_account_which_keys_are_there_and_asks_none_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = "http://127.0.0.1:9"  # the port that discards: nobody listens there
    closed = nobody.replace("http", "ws")
    (tmp_path / "config.toml").write_text(
        '[account]\nprimary = "okx"\n[market]\nsource = "broker"\nsymbols = ["BTC-USDT"]\n'
        f'[brokers.okx]\nsecret_env = "MY_OKX_SECRET"\nrest_url = "{nobody}"\n'
        f'stream_url = "{closed}/private"\npublic_stream_url = "{closed}/public"\n'
        f'[brokers.coins]\nkind = "coinbase"\nrest_url = "{nobody}"\n'
        '[brokers.shares]\nkind = "ibkr"\nport = 9\n',
        encoding="utf-8",
    )
    monkeypatch.setenv("OKX_API_KEY", "canary-key")
    monkeypatch.setenv("MY_OKX_SECRET", "canary-secret")
    monkeypatch.delenv("OKX_PASSPHRASE", raising=False)
    assert main(["doctor", "--json"]) == FAILED
    found = document(capsys)["checks"]
    rows = {row["check"]: row for row in found if not row["account"]}
    assert rows["broker"]["ok"] is False
    keys, unasked, sandbox, shares = rows["broker"]["text"].split("; ")
    assert unasked == "the venue is not asked"
    assert {row["account"] for row in found} == {"", "coins", "shares"}
    assert "okx at okx, demo: its library is here, OKX_API_KEY is set, MY_OKX_SECRET is set" in keys
    assert "OKX_PASSPHRASE is missing" in keys
    assert sandbox == "coins at coinbase, sandbox: its library is here, no key is asked for"
    assert shares.startswith("shares at ibkr, paper: its library is here, no key is asked for")
    assert rows["market"]["text"] == "told by okx, coins, shares: BTC-USDT"
    monkeypatch.setenv("OKX_PASSPHRASE", "canary-passphrase")
    assert main(["doctor"]) == FAILED
    said = capsys.readouterr().out
    assert "OKX_PASSPHRASE is set" in said
    assert len(re.findall(r"BAD   (okx|coins|shares) +link +it cannot be reached", said)) == 3
    assert "canary" not in said


def test_control_characters_of_a_name_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["signal", "/nowhere/\x1b]0;title\x07"]) == USAGE
    assert "\x1b" not in capsys.readouterr().err


def test_a_socket_path_too_long_for_the_system_still_has_an_address(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    with address(deep / "control.sock") as name:
        assert len(name) < 100
    with address(tmp_path / "control.sock") as name:
        assert name == str(tmp_path / "control.sock") or len(str(tmp_path)) > 80


@pytest.mark.parametrize("arguments", [["--version"], ["kill", "--help"], ["status"]])
def test_commands_load_no_terminal(arguments: list[str], root: Path) -> None:
    """`--version`, `kill` and what a script asks often must be quick."""
    code = (
        "import sys; from console.cli.program import main; main(sys.argv[1:]); "
        "found = [m for m in ('textual', 'rich') if m in sys.modules]; sys.exit(str(found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=root, capture_output=True, text=True
    )
    assert done.stderr.strip().endswith("[]")


def test_an_empty_state_folder_is_not_the_folder_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--state-dir "$UNSET"` had made a journal and a latch wherever one was."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert main(["--state-dir", "", "kill"]) == USAGE
    told = capsys.readouterr().err
    assert '"" names no folder' in told
    assert f"{tmp_path / 'state'} is halted all the same" in told
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("is_on_path", [False, True])
def test_how_to_reach_an_engine_is_said_so_that_a_shell_finds_it(
    is_on_path: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `make run` the program is on nobody's path."""
    place = tmp_path / "a folder" / "meridian-tui"
    place.parent.mkdir()
    place.write_text("#!/bin/sh\n")
    place.chmod(0o755)
    monkeypatch.setattr("sys.argv", [str(place)])
    monkeypatch.setenv("PATH", str(place.parent if is_on_path else tmp_path))
    found = "meridian-tui" if is_on_path else f"'{place}'"
    assert f"halt and flatten: {found} --state-dir '/my state' kill" in farewell(
        Path("/my state"), "left"
    )


@pytest.mark.parametrize(
    ("asked", "a_line"),
    [
        (["journal", "trades"], True),
        (["signal"], True),
        (["dead-letters", "list"], False),
        (["journal", "verify"], False),
        (["status"], False),
        (["order"], False),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_help_says_what_json_is_printed(
    asked: list[str], a_line: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """One document, and one a line for lists (INTERFACE)."""
    assert main([*asked, "--help"]) == DONE
    words = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert ("One JSON document a line" in words) is a_line
    assert ("One JSON document on stdout" in words) is not a_line


@pytest.mark.parametrize(
    "asked",
    [
        ["status"],
        ["order", "buy", "AAPL", "1"],
        ["close", "--all"],
        ["stop"],
        ["journal", "trades"],
        ["journal", "verify"],
        ["reset", "--confirm", "RESET"],
        ["--headless", "--for", "0.1"],
    ],
    ids=" ".join,
)
def test_a_state_folder_that_is_a_file_is_named_in_one_sentence(
    asked: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["--state-dir", str(tmp_path / "file"), *asked]) == USAGE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"{tmp_path / 'file'} cannot be the state folder: ")
    assert printed.err.count("\n") == 1


def test_the_doctor_and_a_kill_say_of_such_a_file_what_it_is_and_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["--state-dir", str(tmp_path / "file"), "doctor"]) == FAILED
    assert "cannot be the state folder: it is a file" in capsys.readouterr().out
    assert main(["--state-dir", str(tmp_path / "file"), "kill"]) == FAILED
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"the halt latch {tmp_path / 'file' / 'HALT'} cannot be written "
        f"({tmp_path / 'file'} is a file, no folder): the halt is not kept there",
        f"{tmp_path / 'file'} is a file, no state folder: no account can be worked from it",
    ]


@pytest.mark.parametrize("key", ["instruments", "sectors", "rates"])
def test_a_file_of_the_config_that_cannot_be_read_is_told_with_its_key_and_the_config(
    key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'[data]\n{key} = "nope.csv"\n', encoding="utf-8")
    assert main(["config", "check"]) == USAGE
    words = f"data.{key}: nope.csv cannot be read: No such file or directory"
    assert capsys.readouterr().err == f"{config}: {words}\n"
    assert main(["status"]) == USAGE
    assert capsys.readouterr().err == f"{words}\n"


def test_status_where_nothing_has_run_names_no_number_that_is_not_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["status"]) == NOT_RUNNING
    assert capsys.readouterr().out.splitlines()[-1] == "journal event 0"


def test_a_halt_of_unknown_time_has_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "HALT").symlink_to("nowhere")
    assert main(["status"]) == NOT_RUNNING
    assert "HALTED by file: the file HALT is a link to nothing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kill", "held", "said"),
    [
        ({"state": "VERIFIED"}, ["AAPL", "SPY"], "VERIFIED; NOT FLAT: AAPL, SPY kept"),
        ({"state": "VERIFIED"}, [], "VERIFIED"),
        ({"state": "WORKING", "left": ["AAPL 5"]}, ["AAPL"], "WORKING; left AAPL 5"),
        ({"state": "VERIFIED", "vanished": ["AAPL 5"]}, [], "VERIFIED; vanished AAPL 5"),
    ],
)
def test_a_kill_that_keeps_positions_is_not_called_flat(
    kill: dict[str, Any], held: list[str], said: str
) -> None:
    rows = [{"broker": "paper", "symbol": symbol} for symbol in held]
    elsewhere = [{"broker": "other", "symbol": "GLD"}]
    found = {"left": [], "unknown": []} | kill
    assert _killed("paper", found, [*rows, *elsewhere]) == f"kill in paper: {said}"


@pytest.mark.parametrize(
    "arguments",
    [
        ["status", "--bogus", "--json"],
        ["order", "buy", "--json"],
        ["cancel", "--json"],
        ["cancel", "a", "--all", "--json"],
        ["nosuch", "--json"],
        ["journal", "events", "--bogus", "--format", "json"],
        ["--for", "soon", "--json", "status"],
    ],
)
def test_a_line_that_cannot_be_read_is_a_document_too_where_json_is_asked_for(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == USAGE
    told = capsys.readouterr()
    found = json.loads(told.out)
    assert (found["ok"], found["code"]) == (False, "INVALID_INPUT")
    assert found["error"] in " ".join(told.err.split())
    assert main([word for word in arguments if word not in ("--json", "--format", "json")]) == USAGE
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("span", "count"),
    [
        (["--until", "2999-12-31T00:00:00Z"], 1),
        (["--until", "9999-12-31"], 1),
        (["--since", "0001-01-01"], 1),
        (["--since", "2999-01-01T00:00:00Z"], 0),
    ],
)
def test_a_span_beyond_all_that_can_be_is_all_there_is_on_that_side(
    span: list[str], count: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").mkdir()
    journal = open_journal(tmp_path / "state" / "journal.db", inline=True)
    paused = ev.Paused(by="test", reason="a reason")
    journal.append([ev.Record(1, 1_381_154_400_000_000_000, paused)])
    journal.close()
    for name in ("events", "orders", "fills", "trades", "daily", "signals"):
        assert main(["journal", name, "--json", *span]) == DONE
        rows = capsys.readouterr().out.splitlines()
        assert len(rows) == (count if name == "events" else 0)
