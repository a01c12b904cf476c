"""`reset`: a paper account begins afresh, and what was is set aside (INTERFACE, command line)."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.cli.program import main
from console.cli.resetting import demand_paper
from console.host.locks import AccountLock
from console.host.output import CommandFailed
from engine.domain import events as ev
from engine.domain.run import Mode
from storage.opening import open_journal
from tests.configs import parse
from tests.console.program import Program

DONE, FAILED, USAGE, NOT_RUNNING, REFUSED, HELD = 0, 1, 2, 3, 4, 5


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MERIDIAN_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("MERIDIAN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("MERIDIAN_LOCK_DIR", str(tmp_path / "locks"))
    (tmp_path / "config.toml").write_text("", encoding="utf-8")
    (tmp_path / "state").mkdir(mode=0o700)
    return tmp_path / "state"


def written(state: Path, mode: Mode = Mode.PAPER) -> None:
    """A journal of one event, a book, a halt and a log."""
    journal = open_journal(state / "journal.db", inline=True, mode=mode)
    journal.append([ev.Record(1, 1_381_154_400_000_000_000, ev.Paused(by="test", reason="why"))])
    journal.close()
    for name in ("paper.db", "paper-second.db", "HALT", "meridian.log", "meridian.log.1"):
        (state / name).write_text(name, encoding="utf-8")


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def beside(state: Path) -> list[Path]:
    return [one for one in state.parent.iterdir() if one.name.startswith("state.")]


def test_all_of_it_is_set_aside_and_the_folder_is_empty(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(state)
    before = {one.name: one.read_bytes() for one in state.iterdir()}
    assert main(["reset", "--confirm", "RESET", "--json"]) == DONE
    found = told(capsys)
    [aside] = beside(state)
    assert found == {
        "reset": True, "state_dir": str(state), "set_aside": str(aside), "kept": []
    }  # fmt: skip
    assert list(state.iterdir()) == []
    after = {one.name: one.read_bytes() for one in aside.iterdir()}
    assert {name: after[name] for name in before} == before
    assert aside.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("confirm", [[], ["--confirm", ""], ["--confirm", "reset"]])
def test_it_is_typed(state: Path, confirm: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    written(state)
    assert main(["reset", *confirm]) == REFUSED
    assert "--confirm RESET" in capsys.readouterr().err
    assert (state / "journal.db").exists()
    assert beside(state) == []


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.SHADOW])
def test_it_is_for_paper_alone(mode: Mode) -> None:
    demand_paper(parse(""))
    with pytest.raises(
        CommandFailed, match=f'mode = "{mode}": reset is for paper alone'
    ) as refused:
        demand_paper(parse("").model_copy(update={"mode": mode}))
    assert refused.value.exit_code == REFUSED


def test_a_journal_of_real_money_stays_whatever_the_config_says(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(state, Mode.LIVE)
    assert main(["reset", "--confirm", "RESET"]) == REFUSED
    assert "mode live" in capsys.readouterr().err
    assert (state / "HALT").exists()
    assert beside(state) == []


def test_a_journal_that_cannot_be_read_stays(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(state)
    (state / "journal.db").write_bytes(b"nothing that SQLite knows" * 100)
    assert main(["reset", "--confirm", "RESET"]) == REFUSED
    assert "by hand" in capsys.readouterr().err
    assert beside(state) == []


def test_an_account_that_is_kept_elsewhere_is_not_ours_to_reset(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(state)
    (state.parent / "config.toml").write_text(
        '[brokers.paper]\naddress = "/run/venue.sock"\n', encoding="utf-8"
    )
    assert main(["reset", "--confirm", "RESET"]) == REFUSED
    assert "/run/venue.sock" in capsys.readouterr().err
    assert beside(state) == []


def test_what_is_none_of_ours_stays_where_it_is(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(state)
    for name in ("config.toml", "signals.jsonl", "notes"):
        (state / name).write_text(name, encoding="utf-8")
    assert main(["reset", "--confirm", "RESET", "--json"]) == DONE
    assert told(capsys)["kept"] == ["config.toml", "notes", "signals.jsonl"]
    assert {one.name for one in state.iterdir()} == {"config.toml", "notes", "signals.jsonl"}


@pytest.mark.parametrize("there", [True, False])
def test_where_nothing_is_there_is_nothing_to_set_aside(
    state: Path, there: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if not there:
        state.rmdir()
    assert main(["reset", "--confirm", "RESET", "--json"]) == DONE
    assert told(capsys)["set_aside"] is None
    assert beside(state) == []


def test_a_halt_that_is_a_folder_goes_too(state: Path) -> None:
    (state / "HALT").mkdir()
    assert main(["reset", "--confirm", "RESET"]) == DONE
    assert list(state.iterdir()) == []


def test_two_in_one_second_have_names_of_their_own(state: Path) -> None:
    for _ in range(3):
        written(state)
        assert main(["reset", "--confirm", "RESET"]) == DONE
    assert len(beside(state)) == 3


def test_a_folder_that_cannot_be_made_is_told_in_a_sentence(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name of 250 characters has no room for a date."""
    long = state.rename(state.parent / ("s" * 250))
    written(long)
    monkeypatch.setenv("MERIDIAN_STATE_DIR", str(long))
    assert main(["reset", "--confirm", "RESET"]) == FAILED
    assert "was not wholly set aside: File name too long" in capsys.readouterr().err
    assert (long / "journal.db").exists()
    assert (long / "HALT").exists()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    made = Program(tmp_path)
    yield made
    made.stop()


@pytest.mark.slow
def test_a_halted_day_is_over_after_a_reset(program: Program) -> None:
    """A running engine holds its account (5); afterwards nothing is held, halted or remembered."""
    program.start()
    # its market is another one each time: the first trade may take a minute
    program.wait_for(lambda: program.ask("status")["oms"]["total_fills"] > 0, seconds=180)
    assert program.run("kill", "--flatten", "none").returncode == DONE
    held = program.run("reset", "--confirm", "RESET")
    assert (held.returncode, beside(program.folder)) == (HELD, [])
    assert program.run("stop").returncode == DONE
    assert program.ended() == DONE
    aside = Path(program.document("reset", "--confirm", "RESET")["set_aside"])
    assert {"journal.db", "paper.db", "HALT", "meridian.log"} <= {p.name for p in aside.iterdir()}
    assert program.rows("fills") == []
    status = program.document("status")
    assert (status["halt"], status["positions"], status["run_state"]) == (None, [], "STOPPED")
    killed = program.document("kill")
    assert killed["brokers"]["paper"]["state"] == "VERIFIED"
    assert program.run("reset", "--confirm", "RESET").returncode == DONE
    program.start()
    status = program.ask("status")
    assert (status["run_state"], status["account"]["starting_equity"]) == ("ACTIVE", "100000")


@pytest.mark.slow
def test_an_engine_whose_folder_was_moved_still_holds_it(program: Program, tmp_path: Path) -> None:
    program.start()
    moved = program.folder.rename(tmp_path / "elsewhere")
    done = program.run("--state-dir", str(moved), "reset", "--confirm", "RESET")
    assert done.returncode == HELD, done.stderr
    assert (moved / "journal.db").exists()


def test_the_lock_is_free_afterwards_and_remembers_nobody(state: Path, tmp_path: Path) -> None:
    written(state)
    assert main(["reset", "--confirm", "RESET"]) == DONE
    [lock] = (tmp_path / "locks").glob("*.lock")
    assert lock.read_bytes() == b""
    AccountLock.acquire(lock, state_dir=state).release()
