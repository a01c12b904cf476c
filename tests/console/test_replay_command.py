"""`replay`: two runs with one digest, money that adds up, one outcome an input (X-68)."""

import datetime
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from brokers.paper.bars import check_bars
from console.cli.program import main
from console.host import replay
from engine.analytics.metrics import performance_of
from engine.config import Config
from engine.reference.textfile import BadFile
from storage.connection import memory_database
from storage.verify import verify
from tests.configs import from_mapping
from tests.console.program import MAIN

HEADER = "time,symbol,open,high,low,close,volume,bid,bid_size,ask,ask_size\n"
MONDAY = datetime.datetime(2013, 10, 7, 13, 30, tzinfo=datetime.UTC)
REPORT = {
    "bars", "symbols", "signals", "outcomes", "orders", "fills", "round_trips", "starting_equity",
    "ending_equity", "cash", "positions", "realized_pnl", "unrealized_pnl", "commission",
    "flows", "adjustment", "max_drawdown_pct", "sharpe", "performance", "trades", "halted",
    "events", "digest", "wall_seconds", "virtual_seconds",
}  # fmt: skip
TRIP = {
    "symbol", "direction", "trade_type", "quantity", "entry_price", "exit_price", "entry_time",
    "exit_time", "exit_reason", "pnl", "fees", "r_multiple", "mae", "mfe", "signal_id",
}  # fmt: skip
Market = Callable[..., Path]


@pytest.fixture
def market(tmp_path: Path) -> Market:
    """A file of bars that walk at random, seeded, from the opening in New York on."""

    def made(name: str = "bars.csv", *, minutes: int = 380, symbols: str = "SPY AIG") -> Path:
        random = Random(5)
        price = dict.fromkeys(symbols.split(), 100.0)
        rows = []
        for minute in range(1, minutes + 1):
            time = (MONDAY + datetime.timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
            for symbol, opened in price.items():
                closed = opened * (1 + random.gauss(0.0001, 0.0015))
                high, low = max(opened, closed) * 1.0004, min(opened, closed) * 0.9996
                price[symbol] = closed
                numbers = ",".join(f"{value:.2f}" for value in (opened, high, low, closed))
                rows.append(f"{time},{symbol},{numbers},20000,,,,\n")
        path = tmp_path / name
        path.write_text(HEADER + "".join(rows), encoding="utf-8")
        return path

    return made


def line(**changes: Any) -> str:
    given = {
        "signal_id": "s-1", "signal_type": "mine", "direction": "long", "ticker": "SPY",
        "timeframe": "10m", "conviction": 80, "entry_price": "100", "stop_loss": "90",
        "timestamp": "2013-10-07T14:00:00Z",
    } | changes  # fmt: skip
    return json.dumps(given)


def quiet() -> Config:
    return from_mapping({"signals": {"builtin": ""}})


def assert_adds_up(found: dict[str, Any]) -> None:
    """`cash + market value = starting equity + realised + unrealised`, to the cent."""
    held = sum((Decimal(p["market_value"]) for p in found["positions"]), start=Decimal(0))
    earned = Decimal(found["realized_pnl"]) + Decimal(found["unrealized_pnl"])
    assert Decimal(found["cash"]) + held == Decimal(found["starting_equity"]) + earned
    assert Decimal(found["cash"]) + held == Decimal(found["ending_equity"])


def test_a_file_that_was_changed_while_it_is_replayed_ends_it_in_words(market: Market) -> None:
    """It was checked, and cannot be read any further now; begun anew, it would tell prices twice
    and the replay never end."""
    path = market(minutes=30)
    file = check_bars(path)
    text = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join([*text[:-6], "no,bar,at,all\n"]), encoding="utf-8")
    with pytest.raises(BadFile):
        replay.run(quiet(), file, [])


def test_a_day_of_bars_trades_and_adds_up(market: Market) -> None:
    found = replay.run(from_mapping({}), check_bars(market()), [])
    assert set(found) == REPORT
    assert found["bars"] == 760
    assert found["symbols"] == ["SPY", "AIG"]
    assert found["fills"] > 0
    assert found["round_trips"]
    assert set(found["round_trips"][0]) >= TRIP
    assert found["round_trips"][0]["broker"] == "paper"
    assert "account" not in found["round_trips"][0]
    assert sum(found["outcomes"].values()) == found["signals"]
    assert found["halted"] is False
    assert_adds_up(found)


@pytest.mark.slow
def test_two_runs_have_one_digest_and_another_seed_another(market: Market) -> None:
    file = check_bars(market())
    first, second = (replay.run(from_mapping({}), file, []) for _ in range(2))
    assert first["digest"] == second["digest"]
    other = replay.run(from_mapping({"market": {"seed": 8}}), file, [])
    assert other["digest"] != first["digest"]


def test_a_signal_enters_at_its_time_and_meets_the_next_price(market: Market) -> None:
    found = replay.run(quiet(), check_bars(market(minutes=60)), [line()])
    assert found["outcomes"] == {"RESIZED": 1} or found["outcomes"] == {"EXECUTED": 1}
    opened = found["positions"] or found["round_trips"]
    when = opened[0].get("opened_at") or opened[0]["entry_time"]
    assert when.startswith("2013-10-07T14:00:01"), "the open of the bar after the signal"
    assert_adds_up(found)


@pytest.mark.slow
def test_what_cannot_be_read_or_comes_too_early_is_recorded_and_the_rest_goes_on(
    market: Market,
) -> None:
    lines = [
        "garbage",
        "",
        line(signal_id="old", timestamp="2013-10-01T14:00:00Z"),
        line(signal_id="nan", entry_price="NaN"),
        line(),
        line(signal_id="late", timestamp="2014-10-01T14:00:00Z"),
    ]
    found = replay.run(quiet(), check_bars(market(minutes=60)), lines)
    assert found["signals"] == 5
    assert sum(found["outcomes"].values()) == 5
    assert found["outcomes"]["INVALID_INPUT"] == 2
    assert found["outcomes"]["STALE_SIGNAL"] == 2


def test_the_same_signal_twice_is_taken_once(market: Market) -> None:
    found = replay.run(quiet(), check_bars(market(minutes=60)), [line(), line()])
    assert found["outcomes"]["DUPLICATE_SIGNAL"] == 1
    assert found["signals"] == 2


def test_the_command_writes_report_and_journal_into_a_fresh_folder(
    market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bars, report = market(minutes=60), tmp_path / "report.json"
    state = tmp_path / "state"
    arguments = ["replay", str(bars), "--report", str(report), "--json", "--state-dir", str(state)]
    assert main(arguments) == 0
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert json.loads(report.read_text(encoding="utf-8")) == found
    assert str(state) in printed.err
    checked = verify(state / "journal.db", tables=True)
    assert (checked.ok, checked.digest, checked.events) == (True, found["digest"], found["events"])
    assert main(["--state-dir", str(state), "journal", "signals", "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == found["signals"]
    assert main(arguments) == 2
    assert "holds a journal already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("2013-10-07T13:31:00Z,SPY,1,1,1,nan,1,,,,", "close"),
        ("2013-10-07T13:31:00Z,SPY,1,1,1,-1,1,,,,", "close"),
        ("2013-10-07T13:31:00Z,SPY,5,4,1,2,1,,,,", "enclose"),
        ("2199-10-07T13:31:00Z,SPY,1,1,1,1,1,,,,", "future"),
        ("yesterday,SPY,1,1,1,1,1,,,,", "time"),
        ("2013-10-07T13:31:00Z,SPY,1,1,1,1,1,1.1,,1,", "bid 1.1 is above ask 1"),
    ],
)
def test_a_bad_row_is_named_by_its_line_before_anything_trades(
    row: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, report = tmp_path / "bars.csv", tmp_path / "report.json"
    path.write_text(f"{HEADER}{row}\n", encoding="utf-8")
    assert main(["replay", str(path), "--report", str(report)]) == 2
    printed = capsys.readouterr()
    assert "line 2" in printed.err
    assert says in printed.err
    assert not report.exists()


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where fresh state folders are made."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("fault", ["bars", "signals", "report", "instruments"])
def test_a_replay_that_ends_early_leaves_no_folder_behind(
    fault: str, market: Market, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if fault == "instruments":
        monkeypatch.setenv("MERIDIAN_DATA__INSTRUMENTS", str(tmp_path / "nowhere.csv"))
    more = {"signals": ["--signals", "/nowhere"], "report": ["--report", "/nowhere/report.json"]}
    bars = "/nowhere" if fault == "bars" else str(market(minutes=3))
    assert main(["replay", bars, *more.get(fault, [])]) != 0
    assert list(temporary.iterdir()) == []


def test_a_replay_leaves_one_folder_with_its_journal_and_says_which(
    market: Market, temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(market(minutes=3)), "--json"]) == 0
    (folder,) = temporary.iterdir()
    assert f"state folder: {folder}" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["journal.db"]


def test_where_no_folder_can_be_made_the_answer_is_given_all_the_same(
    market: Market, temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    temporary.rmdir()
    assert main(["replay", str(market(minutes=3)), "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["bars"] == 6
    assert "no state folder can be made for the journal" in printed.err


def test_a_report_that_cannot_be_written_is_known_before_the_replay(
    market: Market, tmp_path: Path
) -> None:
    assert main(["replay", str(market()), "--report", str(tmp_path / "no" / "r.json")]) == 1


def test_a_report_that_the_disk_does_not_take_is_one_sentence_beside_the_answer(
    market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    arguments = ["--state-dir", str(state), "replay", str(market(minutes=3))]
    assert main([*arguments, "--report", "/dev/full", "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["bars"] == 6
    assert "/dev/full cannot be written: No space left on device." in printed.err
    assert "Traceback" not in printed.err
    assert verify(state / "journal.db", tables=True).ok


def test_a_journal_that_the_disk_does_not_take_leaves_none_and_the_next_replay_goes(
    market: Market, tmp_path: Path, root: Path
) -> None:
    state, bars = tmp_path / "state", market(minutes=3)
    command = [sys.executable, "-c", MAIN, "--state-dir", str(state), "replay", str(bars), "--json"]
    environment = {**os.environ, "MERIDIAN_CONFIG": os.devnull}

    def replayed(bound: int) -> "subprocess.CompletedProcess[str]":
        limit = (bound, resource.RLIM_INFINITY)
        return subprocess.run(
            command,
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        )

    failed = replayed(20_000)
    assert failed.returncode == 1, failed.stderr
    assert "cannot be written" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert [path.name for path in state.iterdir()] == []
    done = replayed(resource.RLIM_INFINITY)
    assert done.returncode == 0, done.stderr


def test_an_empty_file_that_a_full_disk_left_is_no_journal(
    market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "journal.db").touch()
    assert main(["--state-dir", str(state), "replay", str(market(minutes=3)), "--json"]) == 0
    assert verify(state / "journal.db", tables=True).ok


def test_lines_of_signals_are_taken_as_they_are_meant_and_bad_bytes_are_refused(
    market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signals = tmp_path / "signals.jsonl"
    first, last = line(signal_id="first").encode(), line(signal_id="last", ticker="AIG").encode()
    bad = line(signal_id="b_d").encode().replace(b"b_d", b"b\xffd")
    signals.write_bytes(b"\xef\xbb\xbf" + first + b"\r\n\r\n" + bad + b"\n" + last)
    state, bars = tmp_path / "state", market(minutes=60)
    config = tmp_path / "config.toml"
    config.write_text('[signals]\nbuiltin = ""\n', encoding="utf-8")
    options = ["--config", str(config), "--state-dir", str(state)]
    assert main([*options, "replay", str(bars), "--signals", str(signals), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["signals"] == 3
    assert found["outcomes"]["INVALID_INPUT"] == 1
    assert found["orders"] >= 2


@pytest.mark.slow
def test_the_digest_does_not_depend_on_the_hash_seed_or_the_folder(
    market: Market, tmp_path: Path, root: Path
) -> None:
    digests = set()
    for seed in ("0", "1", "4242"):
        elsewhere = tmp_path / f"folder {seed}"
        elsewhere.mkdir()
        bars = elsewhere / "bars.csv"
        bars.write_bytes(market().read_bytes())
        options = ["--state-dir", str(elsewhere / "state")]
        done = subprocess.run(
            [sys.executable, "-c", MAIN, *options, "replay", str(bars), "--json"],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": seed, "MERIDIAN_CONFIG": os.devnull},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        digests.add(json.loads(done.stdout)["digest"])
    assert len(digests) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["us-equities-2013-10-07-1m", "fx-eurusd-2014-05-05-1m", "crypto-2018-04-04-1m"]
)
def test_the_recorded_markets_trade_and_add_up(name: str, shared_market: Path) -> None:
    found = replay.run(from_mapping({}), check_bars(shared_market / f"{name}.csv"), [])
    assert len(found["round_trips"]) >= 3
    assert sum(found["outcomes"].values()) == found["signals"]
    assert_adds_up(found)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([], None),
        ([("100", "101")], None),
        ([("100", "101"), ("100", "101")], None),
        ([("0", "1"), ("100", "101")], None),
        # returns 1 % and 3 %: mean 2 %, sample deviation 1.414214 %, times the root of 252
        ([("100", "101"), ("100", "103")], "22.449944"),
    ],
)
def test_D30_sharpe_is_of_daily_returns_and_null_where_undefined(
    days: list[tuple[str, str]], expected: str | None
) -> None:
    ends = [(Decimal(a), Decimal(b)) for a, b in days]
    told = performance_of(ends, year=252, worst=Decimal("0.1")).sharpe
    assert told == (None if expected is None else Decimal(expected))


GOLDEN = "eaf3a2ba049be22bb065d5695f201bc8727720a55b7a32425a504fca5befea38"
"""The day's digest. It changes with what the engine decides or writes, never with the machine."""


def test_the_digest_is_the_same_on_every_python_and_machine(market: Market) -> None:
    """The suite runs on several versions of Python: each must come to this one."""
    found = replay.run(from_mapping({}), check_bars(market()), [])
    assert found["digest"] == GOLDEN, "if the engine changed on purpose, write the new one here"


@pytest.mark.parametrize("kind", ["pipe", "folder", "endless"])
def test_signals_that_are_no_file_are_refused_and_never_waited_for(
    market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    path = Path("/dev/zero") if kind == "endless" else tmp_path / "signals"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    assert main(["replay", str(market(minutes=5)), "--signals", str(path)]) == 2
    said = capsys.readouterr().err
    assert f"{path} cannot be read: it is a" in said, said


def test_a_pipe_that_nobody_reads_is_no_report_and_is_not_waited_for(
    market: Market, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "report"
    os.mkfifo(path)
    assert main(["replay", str(market(minutes=5)), "--report", str(path)]) == 1
    assert f"{path} cannot be written" in capsys.readouterr().err


# --- a gap of the recording -----------------------------------------------------------------------


def over_a_gap(folder: Path, days: int, *, at: str = "", symbol: str = "SPY") -> dict[str, Any]:
    """The report of an hour's bars, a gap of so many days, and another hour's; `kinds` counts the
    journal's events by type. With `at` a swing trade is entered then."""
    rows = []
    for first in (MONDAY, MONDAY + datetime.timedelta(days=days)):
        for minute in range(1, 61):
            time = (first + datetime.timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ")
            rows.append(f"{time},{symbol},100,100.1,99.9,100,20000,,,,\n")
    path = folder / "gap.csv"
    path.write_text(HEADER + "".join(rows), encoding="utf-8")
    lines = [line(timestamp=at, timeframe="1d", stop_loss="98")] if at else []
    database = memory_database()
    found = replay.run(quiet(), check_bars(path), lines, database=database)
    kinds = database.execute("SELECT type, COUNT(*) FROM events GROUP BY type")
    return found | {"kinds": dict(kinds.fetchall())}


@pytest.mark.parametrize("held", [False, True])
def test_x68_the_looks_in_a_gap_of_a_recording_are_few_however_long_it_is(
    tmp_path: Path, held: bool
) -> None:
    at = "2013-10-07T14:00:00Z" if held else ""
    weeks, years = (over_a_gap(tmp_path, days, at=at) for days in (14, 728))
    assert weeks["kinds"].get("OrderFilled", 0) == years["kinds"].get("OrderFilled", 0)
    assert bool(weeks["fills"]) is held
    looks = [found["kinds"]["Reconciled"] for found in (weeks, years)]
    # Each look more is at twice the silence: 7 of them make 14 days into 5 years.
    assert looks[0] <= looks[1] <= looks[0] + 7
    assert looks[0] < 8 * 24 + 60


def test_x68_a_signal_with_the_first_bar_after_a_gap_is_taken(tmp_path: Path) -> None:
    found = over_a_gap(tmp_path, 364, at="2014-10-06T13:31:00Z")
    assert found["fills"] == 1, found["outcomes"]
