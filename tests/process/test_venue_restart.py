"""The venue's process is killed and started again under a running engine (C-402, C-441, P-05).

The engine finds it by itself, looks, and trades on; nothing is sent twice and nothing is lost.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest

from console.host.client import Refused
from tests.console.program import PATIENCE
from tests.process.driver import PRICE, ProcessDriver

pytestmark = pytest.mark.slow

SYMBOLS = ("AAPL", "MSFT", "NVDA")
RECONNECTION = 5.0
"""Seconds within which a venue that is back is traded with again (P-05)."""


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ProcessDriver]:
    made = ProcessDriver(tmp_path, SYMBOLS)
    made.start()
    yield made
    made.close()


def lose_the_venue(desk: ProcessDriver) -> None:
    """SIGKILL, and the engine has noticed."""
    desk.venue.kill()
    desk.until(lambda: desk.links()[-1:] == ["DISCONNECTED"], "the engine notices the break")


def bring_it_back(desk: ProcessDriver) -> None:
    """The venue again, and the engine has looked at it."""
    looks = desk.looks()
    desk.venue.start()
    back = time.monotonic()
    desk.until(lambda: desk.links()[-1:] == ["CONNECTED"], "the engine is connected again")
    assert time.monotonic() - back < RECONNECTION
    desk.until(lambda: desk.looks() > looks, "the engine has looked at the venue")


def refusal(desk: ProcessDriver, symbol: str) -> str:
    """The code of a manual order that is refused."""
    with pytest.raises(Refused) as refused:
        desk.program.ask("order", side="buy", symbol=symbol, quantity="1", protect="90")
    return refused.value.code


def test_a_venue_that_is_killed_and_started_again_is_found_looked_at_and_traded_with(
    desk: ProcessDriver,
) -> None:
    desk.hold_position("AAPL")
    assert set(desk.hand.submits().values()) == {1}
    lose_the_venue(desk)
    assert refusal(desk, "MSFT") == "NO_ACCOUNT"
    time.sleep(3)
    bring_it_back(desk)
    desk.hold_position("MSFT")
    desk.check()
    assert desk.hand.positions() == {"AAPL": Decimal(10), "MSFT": Decimal(10)}
    # The process that came back was sent one entry and one stop, nothing of what was before it.
    assert list(desk.hand.submits().values()) == [1, 1]


def test_it_is_found_every_time(desk: ProcessDriver) -> None:
    for number, symbol in enumerate(SYMBOLS, start=1):
        lose_the_venue(desk)
        bring_it_back(desk)
        desk.hold_position(symbol)
        assert len(desk.hand.positions()) == number
    desk.check()


def test_an_order_the_venue_never_took_is_known_to_be_lost(desk: ProcessDriver) -> None:
    desk.hand.hold("requests")
    key = desk.buy("AAPL")
    desk.until(lambda: key in desk.hand.submits(), "it reached the venue")
    lose_the_venue(desk)
    assert desk.order_status(key) == "UNKNOWN"
    bring_it_back(desk)
    desk.until(lambda: desk.has_event("OrderRejected", key), "it is known to be lost")
    assert key not in desk.hand.submits()
    desk.check()
    assert desk.hand.positions() == {}


def test_a_fill_whose_report_died_with_the_venue_is_found_and_protected(
    desk: ProcessDriver,
) -> None:
    desk.hand.hold("reports")
    key = desk.buy("AAPL")
    desk.until(lambda: desk.hand.positions() == {"AAPL": Decimal(10)}, "it filled there")
    lose_the_venue(desk)
    assert desk.order_status(key) == "UNKNOWN"
    bring_it_back(desk)
    desk.until(lambda: desk.is_protected("AAPL"), "its position is protected")
    assert key not in desk.hand.submits()
    desk.check()


def test_cancels_of_the_gap_leave_once_the_venue_is_back(desk: ProcessDriver) -> None:
    key = desk.buy("AAPL", limit=PRICE - 1)
    desk.until(lambda: desk.order_status(key) == "NEW", "it rests")
    lose_the_venue(desk)
    desk.program.ask("cancel", id=key)
    assert desk.order_status(key) == "PENDING_CANCEL"
    bring_it_back(desk)
    desk.until(lambda: not desk.hand.orders(), "it is cancelled there")
    desk.check()


def test_a_kill_in_the_gap_works_what_is_reachable_and_is_verified_when_the_venue_is_back(
    desk: ProcessDriver,
) -> None:
    desk.hold_position("AAPL")
    resting = desk.buy("MSFT", limit=PRICE - 1)
    desk.until(lambda: desk.order_status(resting) == "NEW", "it rests")
    lose_the_venue(desk)
    with ThreadPoolExecutor(1) as person:
        # The command answers with what is proved, and waits for it.
        report = person.submit(lambda: desk.program.ask("kill", flatten="all"))
        desk.until((desk.folder / "HALT").exists, "the latch is set")
        desk.until(lambda: desk.status()["run_state"] == "HALTED", "the gate is shut")
        assert refusal(desk, "NVDA") == "KILL_SWITCH"
        assert not report.done()
        bring_it_back(desk)
        proved = report.result(PATIENCE)["brokers"]["paper"]
    assert (proved["state"], proved["left"], proved["unknown"]) == ("VERIFIED", [], [])
    assert desk.hand.positions() == {}
    assert desk.hand.orders() == {}
    assert list(desk.hand.submits().values()) == [1]  # the close
    desk.check(run_state="HALTED")
