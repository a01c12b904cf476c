"""T-06: SIGKILL at every step of an order's life, on a venue that outlives the process.

After a restart nothing was sent twice, positions, fills and working orders are the venue's, what
is held is protected by exactly one stop, and the journal is whole. MERIDIAN_CRASH_ROUNDS=n repeats
every step n times.
"""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from console.host.client import NoAnswer, NoEngine, Refused
from tests.process.driver import PRICE, ProcessDriver, rounds
from tests.process.steps import BY_NAME, STEPS, Held, Step

pytestmark = pytest.mark.slow

SYMBOLS = ("AAPL", "MSFT", "NVDA")


class Desks:
    """One desk for all steps of a worker; a new one after a failure."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._desk: ProcessDriver | None = None
        self.is_whole = True

    def take(self) -> ProcessDriver:
        if not self.is_whole:
            self.close()
        if self._desk is None:
            self._desk = ProcessDriver(self._factory.mktemp("desk"), SYMBOLS)
            self._desk.start()
        self.is_whole = False
        return self._desk

    def close(self) -> None:
        if self._desk is not None:
            self._desk.close()
        self._desk = None


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desks]:
    made = Desks(tmp_path_factory)
    yield made
    made.close()


def live_through(desk: ProcessDriver, step: Step, *, while_dead: bool) -> None:
    """Bring orders to the step, kill, restart, and see that everything is as it must be."""
    held = step.bring(desk, desk.symbols)
    desk.kill()
    if step.away is not None:
        step.away(desk, desk.symbols)
    if while_dead:
        desk.hand.release_all()
    desk.start()
    desk.hand.release_all()
    expect(desk, held)
    desk.clear()


def expect(desk: ProcessDriver, held: Held) -> None:
    """What must be held in the end is held, and all else is as it must be."""
    wanted = {symbol: quantity for symbol, quantity in held.items() if quantity}
    desk.until(lambda: desk.hand.positions() == wanted, f"{wanted} is held")
    desk.check()
    assert desk.hand.positions() == wanted


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name.replace(" ", "-"))
def test_T06_killed_at_a_step_nothing_is_sent_twice_and_the_position_is_the_venues(
    desks: Desks, step: Step
) -> None:
    desk = desks.take()
    for number in range(rounds(2 if step.held else 1)):
        live_through(desk, step, while_dead=number % 2 == 0)
    desks.is_whole = True


TWICE = (
    "intent durable",
    "sent, answer lost",
    "partly filled",
    "stop not in the journal",
    "exit received",
    "exit not in the journal",
)


@pytest.mark.parametrize("name", TWICE, ids=lambda name: name.replace(" ", "-"))
def test_T06_killed_again_while_it_recovers(desks: Desks, name: str) -> None:
    desk = desks.take()
    random = Random(name)
    for _ in range(rounds(1)):
        held = BY_NAME[name].bring(desk, desk.symbols)
        desk.kill()
        for _ in range(2):
            starts = count_starts(desk)
            desk.start(wait=False)
            desk.until(lambda s=starts: count_starts(desk) > s, "it has begun")  # type: ignore[misc]
            time.sleep(random.uniform(0, 0.3))
            desk.kill()
        desk.hand.release_all()
        desk.start()
        expect(desk, held)
        desk.clear()
    desks.is_whole = True


def count_starts(desk: ProcessDriver) -> int:
    (row,) = desk.rows("SELECT count(*) FROM events WHERE type = 'EngineStarted'")
    return int(row[0])


@pytest.mark.parametrize("place", ["held requests", "frozen disk"])
def test_T06_T05_killed_in_the_middle_of_a_kill_it_is_carried_through(
    desks: Desks, place: str
) -> None:
    desk = desks.take()
    for _ in range(rounds(1)):
        for symbol in desk.symbols[:2]:
            desk.hold_position(symbol)
        resting = desk.buy(desk.symbols[2], limit=PRICE - 1)
        desk.until(lambda r=resting: desk.order_status(r) == "NEW", "it rests")  # type: ignore[misc]
        if place == "frozen disk":
            desk.park("frozen")
        else:
            desk.hand.hold("requests")
        latched = desk.program.ask("kill", reason="test", wait=False)
        assert latched["latched"]
        assert latched["acknowledged"]
        desk.kill()
        desk.hand.release_all()
        desk.start()
        desk.until(lambda: not desk.hand.positions() and not desk.hand.orders(), "it is flat")
        desk.check("HALTED")
        desk.until(
            lambda: desk.program.ask("kill-report")["brokers"]["paper"]["state"] == "VERIFIED",
            "the kill is proved",
        )
        desk.program.ask("resume", confirm="RESUME")
        desk.program.ask("unpause")
        desk.check()
    desks.is_whole = True


def test_T06_C503_a_dead_engine_is_killed_at_its_venue_from_a_second_shell(desks: Desks) -> None:
    desk = desks.take()
    for symbol in desk.symbols:
        desk.hold_position(symbol)
    desk.kill()
    found = desk.program.document("kill")
    assert found["latched"]
    assert found["brokers"]["paper"]["state"] == "VERIFIED"
    assert found["brokers"]["paper"]["closed"] == len(desk.symbols)
    assert not desk.hand.positions()
    assert not desk.hand.orders()
    desk.start()
    desk.check("HALTED")
    desk.program.ask("resume", confirm="RESUME")
    desk.program.ask("unpause")
    desk.check()
    desks.is_whole = True


class Trader(threading.Thread):
    """Orders, cancels, closes and moving prices without a pause, until told to stop."""

    def __init__(self, desk: ProcessDriver, random: Random) -> None:
        super().__init__(name="trader")
        self._desk = desk
        self._random = random
        self.over = threading.Event()
        self.asked = 0

    def run(self) -> None:
        while not self.over.is_set():
            try:
                self._act()
                self.asked += 1
            except (NoEngine, NoAnswer):
                time.sleep(0.002)
            except Refused:
                pass

    def _act(self) -> None:
        ask, random = self._desk.program.ask, self._random
        symbol = random.choice(self._desk.symbols)
        match random.randrange(6):
            case 0 | 1:
                ask("order", side="buy", symbol=symbol, quantity="10", protect="90")
            case 2:
                ask("order", side="buy", symbol=symbol, quantity="10", limit="99", protect="90")
            case 3:
                ask("cancel", all=True)
            case 4 | 5:
                ask("close", symbol=symbol)


@pytest.mark.parametrize("seed", [1, 2])
def test_T06_killed_at_any_moment(tmp_path: Path, seed: int) -> None:
    """The venue takes up to 20 ms, so that every step has a width."""
    desk = ProcessDriver(tmp_path, SYMBOLS, latency_ms=[0, 20])
    random = Random(seed)
    try:
        desk.start()
        for _ in range(rounds(10)):
            trader = Trader(desk, Random(random.random()))
            trader.start()
            time.sleep(random.uniform(0.05, 0.5))
            desk.kill()
            trader.over.set()
            trader.join()
            desk.start()
            desk.check()
        desk.clear()
        found = desk.program.run("journal", "verify", "--json")
        assert json.loads(found.stdout)["ok"], found.stdout
    finally:
        desk.close()
