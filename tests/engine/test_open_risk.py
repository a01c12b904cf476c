"""Open risk: quantity x max(0, mean entry - stop) x multiplier, mirrored for shorts (X-82)."""

from decimal import Decimal

import pytest

from console.desk.replica import Replica
from console.desk.world_view import WorldView
from engine.analytics.open_risk import open_risk
from engine.analytics.status import status_of
from engine.domain import commands as ask
from engine.domain.open_risk import OpenRisk
from engine.domain.order import Purpose
from engine.domain.signal import Direction
from tests.engine.driver import CoreDriver, holding, protected
from tests.engine.worlds import Built, signal

D = Decimal


def shown(desk: Built) -> OpenRisk:
    """The figure of the console's desk, which is that of `status`."""
    view = WorldView(desk.world, Replica(desk.world), now=lambda: desk.now, lag=lambda: None)
    risk = view.open_risk()
    told = status_of(desk.world, desk.now)["open_risk"]
    assert (D(told["at_stops"]), D(told["entries"])) == (risk.at_stops, risk.entries)
    assert told["unprotected"] == [*risk.unprotected]
    assert risk == open_risk(desk.world)
    return risk


@pytest.mark.parametrize("price", ["150", "100", "96", "95", "94"])
def test_at_stops_counts_from_the_entry_wherever_the_price_is(price: str) -> None:
    desk = protected(100)  # entered at 100, its stop at 95
    desk.quote("NVDA", price)
    assert desk.held().quantity == 100
    assert shown(desk).at_stops == 500


def test_at_stops_is_known_before_the_first_price_of_a_day() -> None:
    desk = protected(100)
    desk.world.market.quotes.clear()
    assert shown(desk).at_stops == 500


@pytest.mark.parametrize(("stop", "lost"), [("99", 100), ("100", 0), ("101", 0)])
def test_a_stop_at_the_entry_or_beyond_it_loses_nothing(stop: str, lost: int) -> None:
    desk = protected(100)
    desk.quote("NVDA", "105")
    desk.give(ask.Protect(symbol="NVDA", price=D(stop), by="test"))
    assert desk.held().stop == D(stop)
    assert shown(desk).at_stops == lost


def test_a_short_loses_from_its_entry_up_to_its_stop() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", direction=Direction.SHORT, entry="100", stop="104", at=desk.now))
    entry = desk.last(Purpose.ENTRY)
    desk.accept(entry)
    desk.filled(entry, 10, "100")
    assert desk.held().quantity == -10
    assert shown(desk).at_stops == 40


def test_what_has_no_stop_is_named_and_in_no_figure() -> None:
    desk = protected(100)
    desk.give(ask.Protect(symbol="NVDA", price=None, confirm="UNPROTECT", by="test"))
    risk = shown(desk)
    assert (risk.at_stops, risk.unprotected) == (0, ("NVDA",))


def test_working_entries_are_counted_for_themselves() -> None:
    desk = CoreDriver().price("NVDA", "100")
    desk.signal(signal("NVDA", entry="100", stop="95", at=desk.now))
    entry = desk.last(Purpose.ENTRY)
    risk = shown(desk)
    order = desk.current(entry)
    assert risk.entries == order.leaves * (order.reserved - 95)
    assert risk.at_stops == 0


@pytest.mark.parametrize("resting", [True, False])
def test_what_the_venues_stops_cover_is_one_figure(resting: bool) -> None:
    """A stop covers what is held and no more; one that is not known to rest covers nothing."""
    desk = protected(100) if resting else holding(100)
    view = WorldView(desk.world, Replica(desk.world), now=lambda: desk.now, lag=lambda: None)
    row = view.position("NVDA")
    assert row is not None
    (position,) = status_of(desk.world, desk.now)["positions"]
    assert f"{row.covered:f}" == position["protected"] == ("100" if resting else "0")
