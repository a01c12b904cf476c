"""`doctor --record DIR` at a local server of each venue, and the recording played back (U-72)."""

import asyncio
import os
from pathlib import Path

import pytest

from brokers import venue_kinds
from console.host.look import look_at, setup_of
from console.host.secrets import Secret
from engine.config import parse
from tests.console.program import Program
from tests.process.servers import Server
from tests.process.test_venues import Seen
from tests.venues.player import Player, played
from tests.venues.serve import VENUES, config

pytestmark = pytest.mark.slow


def recorded(folder: Path, name: str, *, wrong: str = "") -> tuple[Path, Seen]:
    """The file of one session, and what was printed; `wrong` follows each key."""
    seen, server, program = Seen(folder), Server(name, folder), Program(folder)
    try:
        program.configure(server.told["config"])
        keys = server.told["environment"]
        program.environment |= {variable: key + wrong for variable, key in keys.items()}
        done = seen.run(program, "doctor", "--record", str(folder / "kept"), "--seconds", "1")
        assert done.returncode == (1 if wrong else 0), "what the doctor says after it"
        (file,) = (folder / "kept").iterdir()
        return file, seen
    finally:
        program.stop()
        server.kill()


@pytest.mark.parametrize("name", VENUES)
def test_U72_a_session_is_kept_without_a_key_and_plays_back(tmp_path: Path, name: str) -> None:
    file, seen = recorded(tmp_path, name)
    assert seen.marked() == []
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text(encoding="utf-8")
    account = {"oanda": "101-001-1234567-001", "alpaca": "PA3TEST", "ibkr": "DU1234567"}
    assert account.get(name, "354937868") not in text
    assert any(what in text for what in ('"heard"', '"answer"'))

    async def play() -> None:
        async with played(file) as player:
            await asyncio.to_thread(_look, player, name, tmp_path)
            assert player.unexpected == []

    asyncio.run(play())


def _look(player: Player, name: str, folder: Path) -> None:
    """The account that the recording tells of."""
    keys = VENUES[name].environment
    table = config(name, player, folder).replace("101-001-1234567-001", "000-000-0000000-001")
    found = parse(table, {}, venue_kinds())
    symbols = found.market.symbols
    look = look_at(setup_of(found, name, lambda variable: Secret(keys[variable]), symbols))
    assert look.account.equity == 100_000
    assert look.stream_refused == ""


def test_U72_a_session_that_is_refused_is_kept_too(tmp_path: Path) -> None:
    file, seen = recorded(tmp_path, "okx", wrong="-wrong")
    assert seen.marked() == []
    text = file.read_text(encoding="utf-8")
    assert '"ok-access-key": "REDACTED"' in text
    assert '"answer"' in text


def test_a_config_without_a_real_account_has_nothing_to_record(tmp_path: Path) -> None:
    program = Program(tmp_path)
    done = program.run("doctor", "--record", str(tmp_path / "kept"))
    assert done.returncode == 2
    assert "opens no account at a real venue" in done.stderr
    assert not (tmp_path / "kept").exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that nobody can write")
def test_a_folder_that_cannot_be_written_is_told_in_one_sentence(tmp_path: Path) -> None:
    server, program = Server("okx", tmp_path), Program(tmp_path)
    try:
        program.configure(server.told["config"])
        program.environment |= server.told["environment"]
        done = program.run("doctor", "--record", "/proc/none", "--seconds", "0")
    finally:
        program.stop()
        server.kill()
    assert done.returncode == 1
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"{os.sep}proc{os.sep}none")
    assert "cannot be written" in said
