"""`--at` on a real terminal beside a running engine, which it leaves alone (INTERFACE)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.host.client import Refused
from storage.latch import FileLatch
from tests.console.program import Program
from tests.process.terminal import Terminal
from tests.process.test_console_pty import CONFIG

pytestmark = pytest.mark.slow


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Program]:
    """An engine without a console, holding a position with its stop."""
    program = Program(tmp_path)
    program.configure(CONFIG)
    program.start()

    def taken() -> bool:
        try:
            program.ask("order", side="buy", symbol="AAPL", quantity="10", protect="1")
        except Refused:
            return False  # there is no price yet
        return True

    program.wait_for(taken)
    program.wait_for(lambda: program.ask("status")["positions"])
    yield program
    program.stop()


def test_a_past_console_beside_a_running_engine(engine: Program, tmp_path: Path) -> None:
    at = engine.rows("events")[-1]["time"]
    names = {path.name for path in engine.folder.iterdir()}
    viewer = Program(tmp_path)
    viewer.configure(CONFIG)
    terminal = Terminal(viewer, 120, 40, "--at", at)
    try:
        when = f"PAPER ▌ PAST {at[:19].replace('T', ' ')}Z"
        terminal.wait_for(lambda: when in terminal.banner, "the moment")
        terminal.until(lambda text: "LONG" in text, "the position")
        terminal.press("ctrl+k")
        terminal.until(lambda text: "refused: this is the past" in text, "the refusal")
        assert FileLatch(engine.folder).read() is None
        assert engine.ask("status")["run_state"] == "ACTIVE"
        engine.ask("close", symbol="AAPL")
        engine.wait_for(lambda: not engine.ask("status")["positions"])
        assert "LONG" in terminal.text
        terminal.press("\x11")
        assert viewer.ended() == 0
        assert engine.ask("status")["run_state"] == "ACTIVE"
        assert {path.name for path in engine.folder.iterdir()} == names
    finally:
        terminal.close()
