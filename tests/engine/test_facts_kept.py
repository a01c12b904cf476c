"""Facts of an instrument stay in force while anything that is held, or works, leans on them."""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.inputs import Start
from engine.domain.instrument import default_instrument
from tests.engine.driver import CoreDriver
from tests.engine.worlds import ACCOUNT, BROKER

CALL = "NVDA 2014-01-17 100 C"


def taken_over(desk: CoreDriver) -> bool:
    """Whether a start takes over facts of NVDA that the configuration now tells otherwise."""
    known = msgspec.structs.replace(default_instrument("NVDA"), lot=Decimal(10))
    desk.event(ev.InstrumentLearned(instrument=known))
    events = desk.give(Start(version="test", accounts={BROKER: ACCOUNT}, config_digest=""))
    told = [e for e in events if isinstance(e, ev.Alarmed) and e.code == "INSTRUMENT_CHANGED"]
    assert [alarm.subject for alarm in told] == ["NVDA"]
    learned = [e for e in events if isinstance(e, ev.InstrumentLearned)]
    assert ("not taken over" in told[0].text) is not bool(learned)
    return bool(learned)


def test_they_are_taken_over_where_nothing_leans_on_them() -> None:
    desk = CoreDriver().price("NVDA", "100").price("MSFT", "100")
    desk.hold("MSFT", 5, "100")
    assert taken_over(desk)


@pytest.mark.parametrize("symbol", ["NVDA", CALL])
def test_they_stay_while_it_is_held(symbol: str) -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.hold(symbol, 1, "10")
    assert not taken_over(desk)


@pytest.mark.parametrize("symbol", ["NVDA", CALL])
def test_they_stay_while_an_order_works(symbol: str) -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.order(symbol, 1, "10")
    assert not taken_over(desk)
