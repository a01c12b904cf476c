"""What is said of an account at a real venue before it connects, and without its library."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from brokers import FACTORIES
from console.cli import main
from tests.console.program import ROOT, Program

DONE, FAILED, USAGE = 0, 1, 2
REAL = [kind for kind in FACTORIES if kind != "paper"]
VARIABLES = {
    "alpaca": ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
    "ibkr": (),
    "binance": ("BINANCE_API_KEY", "BINANCE_SECRET_KEY"),
    "coinbase": (),  # its sandbox asks for none
    "okx": ("OKX_API_KEY", "OKX_SECRET_KEY", "OKX_PASSPHRASE"),
    "oanda": ("OANDA_API_TOKEN",),
    "ccxt": ("CCXT_API_KEY", "CCXT_SECRET_KEY"),
}
ALL_VARIABLES = sorted({name for names in VARIABLES.values() for name in names})


NOBODY = {
    "alpaca": 'trading_url = "http://127.0.0.1:9"\n',
    "ibkr": "port = 9\n",
    "binance": 'rest_url = "http://127.0.0.1:9"\n',
    "coinbase": 'rest_url = "http://127.0.0.1:9"\n',
    "okx": 'rest_url = "http://127.0.0.1:9"\nstream_url = "ws://127.0.0.1:9/private"\n'
    'public_stream_url = "ws://127.0.0.1:9/public"\n',
    "oanda": 'rest_url = "http://127.0.0.1:9"\n',
    "ccxt": 'exchange = "binanceus"\nrest_url = "http://127.0.0.1:9"\n',
}
"""The port that discards: nobody listens there."""


def config_of(kind: str) -> str:
    """The least that an account of the kind needs, at an address where nobody listens."""
    return (
        f'[account]\nprimary = "{kind}"\n[market]\nsource = "broker"\nsymbols = ["AAPL"]\n'
        f"[brokers.{kind}]\n{NOBODY[kind]}"
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MERIDIAN_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("MERIDIAN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("MERIDIAN_LOCK_DIR", str(tmp_path / "locks"))
    # no keyring of whoever runs the tests is asked
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ALL_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def diagnosed(capsys: pytest.CaptureFixture[str], check: str) -> tuple[int, dict[str, Any]]:
    code = main(["doctor", "--json"])
    rows = json.loads(capsys.readouterr().out)["checks"]
    (row,) = [row for row in rows if row["check"] == check]
    return code, row | {"asked": [one for one in rows if one["account"]]}


@pytest.mark.parametrize("kind", REAL)
def test_c200_the_doctor_looks_for_the_keys_of_a_real_account(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (place / "config.toml").write_text(config_of(kind), encoding="utf-8")
    if VARIABLES[kind]:
        code, row = diagnosed(capsys, "broker")
        assert (code, row["ok"]) == (FAILED, False)
        assert [name for name in ALL_VARIABLES if name in row["text"]] == sorted(VARIABLES[kind])
        assert not row["asked"], "what has no key is not asked"
    for name in VARIABLES[kind]:
        monkeypatch.setenv(name, f"the-value-of-{name}")
    code, row = diagnosed(capsys, "broker")
    assert (code, row["ok"]) == (FAILED, True), row
    assert row["text"].startswith(f"{kind} at {kind}, ")
    (link,) = [one for one in row["asked"] if one["check"] == "link"]
    assert (link["account"], link["result"]) == (kind, "fail")
    assert "it cannot be reached" in link["text"]
    assert "the-value-of" not in str(row)
    assert "paper account" not in row["text"]


def test_the_doctor_says_of_an_account_by_ccxt_that_it_is_experimental(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "config.toml").write_text(config_of("ccxt"), encoding="utf-8")
    _, row = diagnosed(capsys, "broker")
    assert row["text"].startswith("ccxt at ccxt, sandbox, experimental: its library is here")
    (place / "config.toml").write_text(config_of("oanda"), encoding="utf-8")
    _, row = diagnosed(capsys, "broker")
    assert row["text"].startswith("oanda at oanda, practice: its library is here")


def test_the_doctor_names_the_missing_library_of_a_real_account(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "config.toml").write_text(config_of("oanda"), encoding="utf-8")
    monkeypatch.setenv("OANDA_API_TOKEN", "the token of a test")
    monkeypatch.setitem(sys.modules, "httpx", None)
    code, row = diagnosed(capsys, "broker")
    assert (code, row["ok"]) == (FAILED, False)
    assert "pip install '.[oanda]'" in row["text"]


def test_the_doctor_says_where_prices_come_from(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "config.toml").write_text(config_of("oanda"), encoding="utf-8")
    monkeypatch.setenv("OANDA_API_TOKEN", "the token of a test")
    _, row = diagnosed(capsys, "market")
    assert row["text"] == "told by oanda: AAPL"


def test_U40_the_doctor_names_the_paper_account_that_shadow_trades_and_the_keys_of_its_prices(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = config_of("oanda") + 'account_id = "101-4"\n'
    (place / "config.toml").write_text(f'mode = "shadow"\n{text}', encoding="utf-8")
    _, row = diagnosed(capsys, "account")
    assert row["text"] == "oanda account oanda, mode shadow: free"
    _, row = diagnosed(capsys, "broker")
    assert "OANDA_API_TOKEN" in row["text"]


def without(libraries: str, program: Program, *command: str) -> subprocess.CompletedProcess[str]:
    """The program on a machine on which these are not installed."""
    start = (
        f"import sys; sys.modules.update(dict.fromkeys({libraries.split()!r})); "
        "from console.cli import main; sys.exit(main())"
    )
    return subprocess.run(
        [sys.executable, "-c", start, "--state-dir", str(program.folder), *command],
        cwd=ROOT,
        env=program.environment,
        capture_output=True,
        text=True,
        timeout=90,
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", REAL)
def test_a_start_without_the_library_ends_in_one_sentence(tmp_path: Path, kind: str) -> None:
    program = Program(tmp_path)
    program.configure(config_of(kind))
    libraries = "alpaca httpx websockets ib_async ib_insync jwt cryptography"
    done = without(libraries, program, "--headless", "--for", "1")
    assert done.returncode == USAGE, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert f"pip install '.[{kind}]'" in done.stderr
    assert list(program.folder.glob("meridian-error-*")) == []


@pytest.mark.slow
def test_a_kill_without_the_library_latches_and_says_what_is_missing(tmp_path: Path) -> None:
    program = Program(tmp_path)
    program.configure(config_of("okx"))
    done = without("httpx websockets", program, "kill")
    assert done.returncode == FAILED
    assert "okx could not be worked from here: okx needs httpx, websockets" in done.stderr
    assert "nobody foresaw" not in done.stderr
    assert "HALTED" in done.stdout
    assert (program.folder / "HALT").exists()


@pytest.mark.parametrize("kind", [*REAL, "paper"])
def test_status_says_whose_venue_is_experimental(
    place: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """A person who reads it later has not read the page of the venue."""
    (place / "config.toml").write_text("" if kind == "paper" else config_of(kind))
    main(["status", "--json"])
    found = json.loads(capsys.readouterr().out)["brokers"]
    assert found[kind]["experimental"] is (kind == "ccxt")
    main(["status"])
    assert ("ccxt is experimental" in capsys.readouterr().out) is (kind == "ccxt")


@pytest.mark.slow
def test_status_shows_the_breaker_of_each_account(tmp_path: Path) -> None:
    """C-420: beside the state of its link, for people and not only as JSON."""
    program = Program(tmp_path).start()
    try:
        told = program.run("status").stdout.splitlines()
        at = told.index("brokers")
        assert told[at + 1].split()[:3] == ["name", "state", "circuit_state"]
        assert told[at + 2].split()[:3] == ["paper", "CONNECTED", "CLOSED"]
    finally:
        program.run("stop")
        program.ended()
