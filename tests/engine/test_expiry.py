"""No contract is opened after its last day (U-10, U-53)."""

from decimal import Decimal

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import parse_rfc3339
from engine.domain.instrument import Facts, instrument_of
from engine.domain.order import Side
from tests.engine.driver import CoreDriver

D = Decimal
CALL = "AAPL 2013-10-07 480 C"
MONTH = instrument_of("ES 2013-10", Facts(multiplier=D(5)))
DAY = instrument_of("NQ 2013-10", Facts(multiplier=D(5), terms={"expiry": "2013-10-07"}))


@pytest.mark.parametrize(
    ("symbol", "at", "code"),
    [
        (CALL, "2013-10-04T15:00:00Z", ""),
        (CALL, "2013-10-07T19:30:00Z", ""),
        (CALL, "2013-10-08T14:00:00Z", "NO_CONTRACT"),
        # of a future whose day nobody states, the last day of its month
        (MONTH.symbol, "2013-10-31T15:00:00Z", ""),
        (MONTH.symbol, "2013-11-01T15:00:00Z", "NO_CONTRACT"),
        (DAY.symbol, "2013-10-07T15:00:00Z", ""),
        (DAY.symbol, "2013-10-08T15:00:00Z", "NO_CONTRACT"),
        ("AAPL", "2013-11-01T15:00:00Z", ""),
    ],
)
def test_the_last_day_is_the_last_on_which_it_is_opened(symbol: str, at: str, code: str) -> None:
    desk = CoreDriver(now=parse_rfc3339(at))
    for known in (MONTH, DAY):
        desk.event(ev.InstrumentLearned(instrument=known))
    desk.quote("AAPL", "5")
    desk.quote(symbol, "5")
    events = desk.place(Side.BUY, 1, symbol=symbol)
    refused = [event for event in events if isinstance(event, ev.OrderRefused)]
    assert [event.code for event in refused] == ([code] if code else [])
    assert all("traded until 2013-10-" in event.reason for event in refused)


def test_what_is_held_of_it_may_still_be_closed() -> None:
    desk = CoreDriver(now=parse_rfc3339("2013-10-08T15:00:00Z")).hold(CALL, 2, "5")
    desk.quote(CALL, "5")
    events = desk.give(ask.ClosePosition(by="t", symbol=CALL))
    assert [e.terms.quantity for e in events if isinstance(e, ev.OrderIntended)] == [D(2)]
