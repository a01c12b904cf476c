"""An order that is asked for again by the same id, over the socket and across a crash."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.host.client import Refused
from tests.process.driver import ProcessDriver

pytestmark = pytest.mark.slow


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ProcessDriver]:
    made = ProcessDriver(tmp_path, ("AAPL", "MSFT"))
    made.start()
    yield made
    made.close()


def test_an_order_is_sent_once_however_often_its_asker_asks(desk: ProcessDriver) -> None:
    desk.hold_position("MSFT")  # there are prices
    key = desk.buy("AAPL", id="mine")
    assert desk.buy("AAPL", intent_id="mine") == key
    desk.until(lambda: desk.is_protected("AAPL"), "AAPL is held and protected")
    desk.restart()
    assert desk.buy("AAPL", intent_id="mine") == key
    told = desk.program.run(
        "order", "buy", "AAPL", "10", "--protect", "90", "--id", "mine", "--json"
    )
    assert (told.returncode, key in told.stdout) == (0, True), told.stderr
    with pytest.raises(Refused) as refused:
        desk.program.ask("order", side="buy", symbol="AAPL", quantity="11", intent_id="mine")
    assert refused.value.code == "DUPLICATE_ORDER"
    desk.check()
    assert desk.hand.positions() == {"AAPL": 10, "MSFT": 10}
    assert set(desk.hand.submits().values()) == {1}


def test_a_part_is_closed_once_however_often_its_asker_asks(desk: ProcessDriver) -> None:
    desk.hold_position("AAPL")
    for _ in range(3):
        desk.program.ask("close", symbol="AAPL", quantity="4", id="part")
    desk.until(lambda: desk.hand.positions() == {"AAPL": 6}, "four are sold")
    desk.restart()
    desk.program.ask("close", symbol="AAPL", quantity="4", intent_id="part")
    desk.until(lambda: desk.is_protected("AAPL"), "AAPL is protected again")
    desk.check()
    assert desk.hand.positions() == {"AAPL": 6}
