"""Real money, at local servers that are the live environment of each venue (C-201, M-80, C-707).

A dry run in the test environment is made first, by the same program; its report is signed off with
the live config, in the state folder that trades live.
"""

import json
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.console.program import Program
from tests.process.servers import MARK, Server
from tests.process.terminal import Terminal
from tests.venues.serve import LIVE

pytestmark = pytest.mark.slow

VENUES = ("alpaca", "binance", "ibkr", "oanda", "okx")
DONE, FAILED, USAGE, REFUSED = 0, 1, 2, 4


@dataclass
class Desk:
    """A program with a live config, the server of its account, and a report of a dry run."""

    name: str
    program: Program
    server: Server
    report: Path

    def sign(self, *more: str, by: str = "Ann Trader") -> tuple[int, dict[str, Any]]:
        phrase = f"SIGN {json.loads(self.report.read_text(encoding='utf-8'))['sha256'][:8]}"
        confirm = more or ("--confirm", phrase)
        done = self.program.run("dryrun", "sign", str(self.report), "--by", by, *confirm, "--json")
        return done.returncode, json.loads(done.stdout)

    def start(self) -> tuple[int, str]:
        """A start that is to be refused, or to end by itself after a moment."""
        done = self.program.run("--headless", "--for", "1")
        assert MARK not in (done.stdout + done.stderr).lower().encode()
        return done.returncode, done.stderr

    @property
    def account_id(self) -> str:
        return LIVE[self.name]["account_id"]


def rehearsed(folder: Path, name: str) -> Path:
    """The report of a dry run in the test environment."""
    folder.mkdir()
    server, program = Server(name, folder), Program(folder)
    try:
        program.configure(server.told["config"])
        program.environment |= server.told["environment"]
        told = program.document("dryrun", "--rounds", "1", "--steady", "0")
        assert told["content"]["passed"], told
        return Path(told["report"])
    finally:
        program.stop()
        server.kill()


@pytest.fixture(scope="module", params=VENUES)
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    name: str = request.param
    return rehearsed(tmp_path_factory.mktemp("rehearsed") / name, name)


@pytest.fixture(scope="module")
def binance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rehearsed(tmp_path_factory.mktemp("rehearsed") / "binance", "binance")


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[list[Desk]]:
    found: list[Desk] = []
    yield found
    for desk in found:
        desk.program.stop()
        desk.server.kill()


def live(desks: list[Desk], folder: Path, report: Path, *options: str, **switches: object) -> Desk:
    """A desk whose report is that one; its server is the live environment."""
    name = report.name.split("-")[1]
    server, program = Server(name, folder, "--live", *options, **switches), Program(folder)
    program.configure(server.told["config"])
    program.environment |= server.told["environment"]
    desks.append(Desk(name, program, server, report))
    return desks[-1]


def test_M80_real_money_is_traded_after_a_dry_run_and_its_sign_off_and_not_before(
    tmp_path: Path, desks: list[Desk], report: Path
) -> None:
    desk = live(desks, tmp_path, report)
    code, said = desk.start()
    assert code == REFUSED
    assert said.splitlines() == [
        f"Real money is not traded: {desk.name}: no dry run of {desk.name} is signed off here: run "
        "`dryrun` in its test environment, then `dryrun sign REPORT` with this config."
    ]
    looked = json.loads(desk.program.run("doctor", "--json").stdout)
    (journal,) = [row for row in looked["checks"] if row["check"] == "journal"]
    assert journal["ok"] is True, "a start that was refused is no journal that is lost"
    code, told = desk.sign("--confirm", "SIGN")
    assert (code, told["code"]) == (REFUSED, "NOT_CONFIRMED")
    assert "real money" in told["error"]
    assert desk.start()[0] == REFUSED
    code, told = desk.sign()
    assert (code, told["by"], told["kind"]) == (DONE, "Ann Trader", desk.name)
    (event,) = [row for row in desk.program.rows("events") if row["type"] == "SignedOff"]
    assert event["data"]["by"] == "Ann Trader"
    assert event["data"]["sign_off"]["report"] == told["report"]

    program = desk.program.start()
    program.wait_for(
        lambda: {row["state"] for row in program.ask("status")["accounts"]} == {"READY"}
    )
    status = program.ask("status")
    assert (status["mode"], status["account"]["id"]) == ("live", desk.account_id)
    killed = program.run("kill", "--flatten", "none", "--json")
    assert killed.returncode == DONE, killed.stdout
    wrong = program.run("resume", "--confirm", "RESUME", "--json")
    assert wrong.returncode == REFUSED
    assert f"RESUME {desk.account_id[-4:]}" in json.loads(wrong.stdout)["error"]
    right = program.run("resume", "--confirm", f"RESUME {desk.account_id[-4:]}", "--json")
    assert right.returncode == DONE, right.stdout
    program.send(signal.SIGTERM)
    assert program.ended() == DONE
    assert program.run("journal", "verify").returncode == DONE
    assert desk.start()[0] == DONE, "the sign-off outlives the process"


def test_C201_an_account_that_answers_with_another_id_is_refused_in_live_mode(
    tmp_path: Path, desks: list[Desk], binance: Path
) -> None:
    desk = live(desks, tmp_path, binance)
    file = Path(desk.program.environment["MERIDIAN_CONFIG"])
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace(f'"{desk.account_id}"', '"99999999"'), encoding="utf-8")
    assert desk.sign()[0] == DONE
    code, said = desk.start()
    assert code == FAILED
    assert 'account_id = "99999999", and the venue answers with 354937868' in said
    assert "nothing is sent to another account" in said


def test_P47_a_key_that_may_withdraw_is_refused_in_live_mode(
    tmp_path: Path, desks: list[Desk], binance: Path
) -> None:
    desk = live(desks, tmp_path, binance, may_withdraw=True)
    assert desk.sign()[0] == DONE
    code, said = desk.start()
    assert code == FAILED
    assert "may withdraw" in said
    looked = desk.program.run("doctor", "--json")
    rows = {(row["account"], row["check"]): row for row in json.loads(looked.stdout)["checks"]}
    assert looked.returncode == FAILED
    assert "may withdraw" in rows["binance", "link"]["text"]
    assert rows["", "rollout"]["result"] == "ok"


def test_C707_a_report_that_was_changed_or_is_of_another_kind_or_has_failed_is_not_signed(
    tmp_path: Path, desks: list[Desk], binance: Path
) -> None:
    desk = live(desks, tmp_path, binance)
    changed = tmp_path / "changed.json"
    text = binance.read_text(encoding="utf-8")
    changed.write_text(text.replace('"passed": true', '"passed": false'), encoding="utf-8")
    desk.report = changed
    code, told = desk.sign()
    assert (code, told["code"]) == (USAGE, "REPORT")
    assert "was changed after it was written" in told["error"]
    assert desk.start()[0] == REFUSED


def test_M80_limits_that_change_want_another_sign_off(
    tmp_path: Path, desks: list[Desk], binance: Path
) -> None:
    desk = live(desks, tmp_path, binance)
    assert desk.sign()[0] == DONE
    assert desk.start()[0] == DONE
    desk.program.environment["MERIDIAN_RISK__MAX_OPEN_ORDERS"] = "7"
    code, said = desk.start()
    assert code == REFUSED
    assert "sign it again with this config" in said
    assert desk.sign()[0] == DONE
    assert desk.start()[0] == DONE


def test_a_journal_keeps_its_mode_for_its_life(
    tmp_path: Path, desks: list[Desk], binance: Path
) -> None:
    """A test account's money, orders and losses are no real account's."""
    desk = live(desks, tmp_path, binance)
    file = Path(desk.program.environment["MERIDIAN_CONFIG"])
    real = file.read_text(encoding="utf-8")
    file.write_text("", encoding="utf-8")
    assert desk.start()[0] == DONE
    file.write_text(real, encoding="utf-8")
    code, told = desk.sign()
    assert code == USAGE
    assert 'This journal is of mode "paper" and the config says mode = "live"' in told["error"]
    code, said = desk.start()
    assert code == USAGE
    assert "or begin another journal with --state-dir." in said


def test_C706_a_dry_run_never_trades_real_money_and_a_paper_config_signs_nothing(
    tmp_path: Path, desks: list[Desk], binance: Path
) -> None:
    desk = live(desks, tmp_path, binance)
    done = desk.program.run("dryrun", "--json")
    assert (done.returncode, json.loads(done.stdout)["code"]) == (REFUSED, "LIVE")
    desk.program.configure("")
    code, told = desk.sign()
    assert (code, told["code"]) == (REFUSED, "MODE")


def test_row_0_says_real_money_and_a_resume_wants_the_end_of_the_account_s_id(
    tmp_path: Path, desks: list[Desk], binance: Path
) -> None:
    desk = live(desks, tmp_path, binance)
    assert desk.sign()[0] == DONE
    terminal = Terminal(desk.program, 120, 40)
    try:
        terminal.wait_for(lambda: "LIVE · REAL MONEY" in terminal.banner, "that it is live")
        terminal.press("ctrl+k")
        terminal.wait_for(lambda: "HALTED" in terminal.banner, "the halt")
        assert "LIVE · REAL MONEY" in terminal.banner
        terminal.press("h")
        terminal.until(lambda text: f"RESUME {desk.account_id[-4:]}" in text, "what to type")
    finally:
        terminal.close()
