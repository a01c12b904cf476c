"""`kill` in forty states of engine, venue, output and machine: real processes (C-503, X-52).

Each leaves the latch set, ends within bounds, and says truthfully what is proved: exit 0 if and
only if the venue itself shows that nothing is held and nothing works, and never more than was held
is sold.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import combinations, product
from pathlib import Path
from typing import Final

import pytest

from tests.console.program import BLOCKING_HOST, MAIN, PATIENCE, ROOT
from tests.process.disk import full_for, make_full
from tests.process.driver import ProcessDriver
from tests.process.outputs import KINDS

pytestmark = [pytest.mark.slow, pytest.mark.long]

ENGINES: Final = (
    "healthy", "stopped", "blocked", "dead", "starting", "stopping", "mid-resume", "mid-reconcile",
)  # fmt: skip
VENUES: Final = ("up", "down", "restarting", "silent")
OUTPUTS: Final = ("closed", "full", "hung up")
MACHINES: Final = ("disk full", "folder moved", "no HOME")

Row = tuple[str, str, str, str]

ROWS: Final[tuple[Row, ...]] = (
    *(
        (ENGINES[e], VENUES[v], OUTPUTS[(e + v) % 3], MACHINES[(e + 2 * v) % 3])
        for e, v in product(range(8), range(4))
    ),
    *((ENGINES[e], "up", OUTPUTS[(e + 1) % 3], MACHINES[(e + 1) % 3]) for e in range(8)),
)

DOWN_SECONDS: Final = 1.5
"""How long a venue that restarts is away."""

MOST_SECONDS: Final = 100.0
"""After so long a kill hangs."""


def test_every_pair_of_states_is_among_the_rows() -> None:
    factors = (ENGINES, VENUES, OUTPUTS, MACHINES)
    for one, other in combinations(range(4), 2):
        wanted = set(product(factors[one], factors[other]))
        assert {(row[one], row[other]) for row in ROWS} == wanted
    assert len(set(ROWS)) == 40


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ProcessDriver]:
    made = ProcessDriver(tmp_path, ("AAPL", "MSFT"))
    yield made
    made.venue.process.send_signal(signal.SIGCONT)
    made.close()


class Scene:
    """One row: what is prepared before the kill, and what is so after it."""

    def __init__(self, desk: ProcessDriver, row: Row) -> None:
        self.desk = desk
        self.engine, self.venue, self.output, self.machine = row
        self.folder = desk.folder
        self.asked: list[threading.Thread] = []
        self.frozen = False

    def prepare(self) -> None:
        """A position with its stop and an entry that rests; then everything goes wrong."""
        desk = self.desk
        module = ("-m", BLOCKING_HOST) if self.engine == "blocked" else ("-c", MAIN)
        desk.program.start(module=module)
        desk.hold_position("AAPL")
        resting = desk.buy("MSFT", limit=95)
        desk.until(lambda: desk.order_status(resting) == "NEW", "an entry rests")
        if self.engine == "mid-resume":
            (desk.folder / "HALT").touch()
            desk.until(lambda: desk.status()["run_state"] == "HALTED", "it is halted")
            desk.until(lambda: resting not in desk.hand.orders(), "the entry is cancelled")
        BRINGS[self.engine](self)
        self.break_machine()
        self.break_venue()

    def ask(self, command: str, **args: str) -> None:
        """Ask the engine for what it does not answer while the venue answers nothing."""
        self.freeze()

        def asked() -> None:
            try:
                self.desk.program.ask(command, **args)
            except Exception:
                return  # it is ended meanwhile, or refuses

        self.asked.append(threading.Thread(target=asked, daemon=True))
        self.asked[-1].start()
        time.sleep(0.3)

    def freeze(self) -> None:
        self.desk.venue.freeze()
        self.frozen = True

    def send(self, number: int) -> None:
        self.desk.program.send(number)

    def die(self) -> None:
        self.send(signal.SIGKILL)
        self.desk.program.ended()

    def block(self) -> None:
        (self.folder / "block").touch()
        self.desk.program.wait_for((self.folder / "blocked").exists)

    def restart(self) -> None:
        self.die()
        self.freeze()
        (self.folder / "control.sock").unlink(missing_ok=True)
        self.desk.program.launch()
        self.desk.until((self.folder / "control.sock").exists, "it starts")

    def break_machine(self) -> None:
        match self.machine:
            case "disk full":
                engine = self.desk.program.engine
                if engine is not None and engine.poll() is None:
                    make_full(engine.pid)
            case "folder moved":
                self.folder.rename(self.folder.with_name("elsewhere"))
            case _:
                del self.desk.program.environment["HOME"]

    def break_venue(self) -> None:
        venue = self.desk.venue
        match self.venue:
            case "up":
                if self.frozen:
                    venue.thaw()
            case "silent":
                if not self.frozen:
                    venue.freeze()
            case "down":
                venue.kill()
            case _:
                venue.kill()
                self.asked.append(threading.Timer(DOWN_SECONDS, venue.start))
                self.asked[-1].start()

    def kill(self) -> int:
        """Its exit code."""
        command = [sys.executable, "-c", MAIN, "--state-dir", str(self.folder)]
        command += ["kill", "--flatten", "all"]
        if self.machine == "disk full":
            command = full_for(command)
        with KINDS[self.output]() as (target, begun):
            return subprocess.run(
                begun(command),
                cwd=ROOT,
                env=self.desk.program.environment,
                stdin=subprocess.DEVNULL,
                stdout=target,
                stderr=target,
                timeout=MOST_SECONDS,
                start_new_session=True,
            ).returncode

    def held(self) -> tuple[dict[str, Decimal], set[str]]:
        """What the venue holds, and what works there."""
        for one in self.asked:
            one.join(PATIENCE)
        match self.venue:
            case "down":
                self.desk.venue.start()
            case "silent":
                self.desk.venue.thaw()
            case _:
                pass
        return self.desk.hand.positions(), set(self.desk.hand.orders())


BRINGS: Final[dict[str, Callable[[Scene], None]]] = {
    "healthy": lambda scene: None,
    "stopped": lambda scene: scene.send(signal.SIGSTOP),
    "blocked": Scene.block,
    "dead": Scene.die,
    "starting": Scene.restart,
    "stopping": lambda scene: scene.send(signal.SIGTERM),
    "mid-resume": lambda scene: scene.ask("resume", confirm="RESUME"),
    "mid-reconcile": lambda scene: scene.ask("reconcile"),
}


@pytest.mark.parametrize("row", ROWS, ids="-".join)
def test_a_kill_latches_and_tells_the_truth(desk: ProcessDriver, row: Row) -> None:
    scene = Scene(desk, row)
    scene.prepare()
    code = scene.kill()
    latch = scene.folder / "HALT"
    assert os.path.lexists(latch), "the latch is set where it was asked for"
    if row[3] == "folder moved" and row[0] != "dead":
        there = scene.folder.with_name("elsewhere") / "HALT"
        assert os.path.lexists(there), "and where the engine keeps its state"
    positions, orders = scene.held()
    if row[1] in ("up", "restarting"):
        assert code == 0, "it can be reached: it is proved"
    else:
        assert code == 1, "nothing is proved of a venue that does not answer"
    if code == 0:
        assert (positions, orders) == ({}, set())
    assert all(quantity >= 0 for quantity in positions.values()), "nothing is sold twice"
