"""What a tape holds, and what a player sends of it."""

import socket
import subprocess
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from brokers.paper import wire
from engine.domain.market import Quote
from tests.bench import tape
from tests.bench.child import module
from tests.console.program import PATIENCE

SYMBOLS = ["A0000", "A0001", "A0002"]


def quote(line: tape.Line, time: int) -> Quote:
    return msgspec.json.decode(line.head + b"%d}" % time, type=Quote)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tape") / "tape"
    tape.write(path, SYMBOLS, 3_000, seed=5)
    return path


def test_the_same_seed_makes_the_same_tape(written: Path, tmp_path: Path) -> None:
    tape.write(tmp_path / "again", SYMBOLS, 3_000, seed=5)
    tape.write(tmp_path / "other", SYMBOLS, 3_000, seed=6)
    assert (tmp_path / "again").read_bytes() == written.read_bytes()
    assert (tmp_path / "other").read_bytes() != written.read_bytes()


def test_a_tape_opens_with_every_symbol_at_once_and_goes_on_at_random(written: Path) -> None:
    lines = tape.read(written)
    assert len(lines) == 3_000
    assert [quote(line, 7).symbol for line in lines[:3]] == SYMBOLS
    assert [line.gap for line in lines[:3]] == [0, 0, 0]
    gaps = [line.gap for line in lines[3:]]
    assert min(gaps) >= 0
    assert 0.9 < sum(gaps) / len(gaps) < 1.1


def test_the_quotes_of_a_tape_are_sane_and_stay_where_no_resting_order_is(written: Path) -> None:
    for line in tape.read(written):
        found = quote(line, 7)
        assert found.time == 7
        assert found.bid is not None
        assert found.ask == found.bid + Decimal("0.01")
        assert abs(found.bid - 100) <= 2


def test_a_player_opens_the_market_with_each_rate_and_plays_the_tape_in_order_of_time(
    written: Path, tmp_path: Path
) -> None:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(tmp_path / "s"))
    listener.listen(1)
    listener.settimeout(PATIENCE)
    player = subprocess.Popen(
        module("player", str(written), str(tmp_path / "s")), stdin=subprocess.PIPE
    )
    assert player.stdin is not None
    connection, _ = listener.accept()
    connection.settimeout(PATIENCE)
    lines = connection.makefile("rb")

    def frame() -> tuple[Quote, ...]:
        call = msgspec.json.decode(lines.readline(), type=wire.Call)
        assert call.op == "quotes"
        return msgspec.json.decode(call.args, type=wire.Quotes).quotes

    player.stdin.write(b"0\n")
    player.stdin.flush()
    assert [q.symbol for q in frame()] == SYMBOLS
    player.stdin.write(b"20000\n")
    player.stdin.flush()
    assert [q.symbol for q in frame()] == SYMBOLS
    played: list[Quote] = []
    while len(played) < 500:
        played += frame()
    recorded = [quote(line, 0).symbol for line in tape.read(written)[3:]]
    assert [q.symbol for q in played] == recorded[: len(played)]
    times = [q.time for q in played]
    assert times == sorted(times)
    player.stdin.close()
    for _ in lines:
        pass  # it looks at its input between two frames: one that nobody reads would hold it up
    assert player.wait(PATIENCE) == 0
    lines.close()
    connection.close()
    listener.close()
