"""A first stop that comes with an add has the usual time to rest at the venue (rule 3, X-82)."""

import pytest

from engine.domain import events as ev
from engine.domain.order import Purpose, Side
from engine.domain.signal import TradeType
from engine.plans.protect import PROTECT_SECONDS
from tests.brokers.kit import D
from tests.engine.driver import CoreDriver


@pytest.mark.parametrize(
    ("seconds", "closes"), [(1, False), (PROTECT_SECONDS, False), (PROTECT_SECONDS + 1, True)]
)
def test_what_had_no_stop_for_long_is_closed_only_if_that_does_not_rest_in_time(
    seconds: int, closes: bool
) -> None:
    desk = CoreDriver()
    for quantity, protect in ((10, None), (5, D(95))):
        desk.quote("NVDA", "100")
        desk.place(Side.BUY, quantity, hold=TradeType.SWING, protect=protect)
        order = desk.last(Purpose.MANUAL)
        desk.accept(order)
        desk.filled(order, quantity, "100")
        if protect is None:
            for _ in range(60):
                desk.tick()
    stop = desk.last(Purpose.PROTECT)
    assert (stop.quantity, stop.stop_price) == (15, 95)
    for _ in range(seconds):
        desk.tick()
    assert bool(desk.of(ev.ExitPlanned)) is closes
