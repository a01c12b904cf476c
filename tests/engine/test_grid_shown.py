"""A price that is worked out is shown on the grid of its instrument, and a check with its own tick
(A-163, D-10)."""

from decimal import Decimal

import pytest

from engine.analytics.status import status_of
from engine.domain.codes import Answer
from engine.domain.instrument import default_instrument
from engine.exits.target import target_price
from engine.risk.checks.order import on_tick
from engine.risk.finding import Finding
from tests.engine.worlds import MIDDAY, Built

D = Decimal


@pytest.mark.parametrize(
    ("quantity", "entry", "stop", "exact", "shown"),
    [
        (9, "100", "98.335", "103.33", "103.33"),  # on the grid as it is
        (9, "100", "98.3349", "103.3302", "103.34"),  # a long is closed at the next tick above
        (-9, "100", "101.6651", "96.6698", "96.66"),  # a short at the next one below
    ],
)
def test_a_default_target_is_shown_at_the_first_price_that_closes_A163(
    quantity: int, entry: str, stop: str, exact: str, shown: str
) -> None:
    built = Built().hold("AAPL", quantity, entry)
    (position,) = built.book.holdings()
    built.book.amend(position, stop=D(stop), initial_stop=D(stop), default_target=True)
    (position,) = built.book.holdings()
    assert target_price(built.world, position) == D(exact)
    (row,) = status_of(built.world, MIDDAY)["positions"]
    assert row["target"] == shown


def _asked(limit: str | None, stop: str | None) -> Finding:
    return on_tick(
        default_instrument("AAPL"),
        "AAPL",
        None if limit is None else D(limit),
        None,
        None if stop is None else D(stop),
        None,
        None,
        False,
        D(240),
    )


@pytest.mark.parametrize(
    ("limit", "stop", "measured", "tick"),
    [
        ("240", "5", "240", "0.01"),
        ("240", "230", "240", "0.01"),
        (None, "5", "5", "0.001"),
        (None, None, "market", "0.01"),
    ],
)
def test_the_tick_that_is_shown_is_that_of_the_price_beside_it(
    limit: str | None, stop: str | None, measured: str, tick: str
) -> None:
    found = _asked(limit, stop)
    assert found.answer is Answer.PASS
    assert str(found.measured) == measured
    assert found.limit == D(tick)
