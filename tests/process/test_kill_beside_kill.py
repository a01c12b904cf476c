"""`kill` is pressed again while another one works the accounts without an engine (X-52, C-503)."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.host.locks import AccountLock, Work
from console.host.paths import lock_dir
from engine.domain.order import Side
from tests.console.program import MAIN, PATIENCE, ROOT
from tests.process.driver import ProcessDriver

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ProcessDriver]:
    made = ProcessDriver(tmp_path, ("AAPL",))
    made.start()
    yield made
    made.close()


def press(desk: ProcessDriver) -> "subprocess.Popen[str]":
    """A kill that closes all, in a process of its own."""
    command = [sys.executable, "-c", MAIN, "--state-dir", str(desk.folder)]
    return subprocess.Popen(
        [*command, "kill", "--flatten", "all", "--json"],
        cwd=ROOT,
        env=desk.program.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(kill: "subprocess.Popen[str]") -> tuple[int, dict[str, Any], str]:
    """Exit code, document and what was told of a kill that ends by itself."""
    told, warned = kill.communicate(timeout=PATIENCE * 3)
    return kill.returncode, json.loads(told), warned


def test_x52_a_second_kill_waits_for_the_first_and_both_tell_what_is_proved(
    desk: ProcessDriver,
) -> None:
    desk.hold_position("AAPL")
    before = set(desk.hand.submits())
    desk.kill()
    desk.hand.hold("requests")
    first = press(desk)
    desk.program.engine = None
    desk.until(lambda: desk.hand.submits().keys() > before, "the first kill has sent its order")
    second = press(desk)
    assert second.stderr is not None
    said = second.stderr.readline()
    assert f"a kill (process {first.pid}) is at work" in said
    desk.hand.release("requests")
    for code, document, warned in (ended(first), ended(second)):
        assert code == 0, warned
        assert document["fenced"] is None
        assert document["brokers"]["paper"]["state"] == "VERIFIED"
        assert "engine" not in warned
    assert desk.hand.positions() == {}
    traded = {side: sum(f.quantity for f in desk.hand.fills() if f.side is side) for side in Side}
    assert traded[Side.SELL] == traded[Side.BUY]


def test_x52_the_latch_stands_though_a_reset_that_is_waited_for_sets_it_aside(
    desk: ProcessDriver,
) -> None:
    desk.hold_position("AAPL")
    desk.kill()
    desk.program.engine = None
    (account,) = lock_dir(desk.program.environment).iterdir()
    latch = desk.folder / "HALT"
    with AccountLock.acquire(account, state_dir=desk.folder, work=Work.RESET):
        kill = press(desk)
        assert kill.stderr is not None
        assert "is waited for" in kill.stderr.readline()
        latch.rename(desk.folder.parent / "HALT.aside")
    _, document, warned = ended(kill)
    assert document["latched"], warned
    assert json.loads(latch.read_text())["level"] == "kill"
