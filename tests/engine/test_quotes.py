"""How far the time of a quote is believed (U-53, X-68)."""

from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.codes import Verdict
from engine.domain.instant import NS_PER_SECOND
from engine.domain.market import Quote
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import signal

D = Decimal


@pytest.mark.parametrize(
    ("ahead", "later", "fresh"),
    [
        (0, 15, True),
        (5 * NS_PER_SECOND, 0, True),
        (5 * NS_PER_SECOND + 1, 0, False),
        (3_600 * NS_PER_SECOND, 0, False),
        (3_600 * NS_PER_SECOND, 3_600, False),
    ],
)
def test_U53_a_price_dated_in_the_future_is_never_fresh(
    ahead: int, later: int, fresh: bool
) -> None:
    """As of a signal, 5 s ahead are a clock that differs (A-300); the next price counts again."""
    desk = CoreDriver()
    desk.give(Quote(symbol="NVDA", bid=D(100), ask=D(100), last=D(100), time=desk.now + ahead))
    desk.later(later)
    request = signal("NVDA", entry="100", stop="95", at=desk.now)
    decided = one(desk.signal(request), ev.SignalDecided)
    assert (decided.code == "STALE_QUOTE") is not fresh
    assert (decided.verdict is Verdict.REJECTED) is not fresh
    assert fresh or "dated in the future" in decided.reason
    desk.quote("NVDA", "100")
    assert desk.world.market.is_fresh("NVDA", desk.now)
