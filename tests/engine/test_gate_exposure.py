"""Exposure and buying power at their boundaries: after the trade, what works included (T-01)."""

from decimal import Decimal
from typing import Any

import pytest

from engine.domain.codes import Answer, Code, Verdict
from tests.engine.worlds import AXION, Built, config_of, signal

SECTORS = {"AAPL": "Technology", "MSFT": "Technology", "NVDA": "Semiconductors"}


def built(**more: Any) -> Built:
    return Built(sectors=SECTORS, **more).price("NVDA", "100")


# --- exposure and buying power (A-084, A-085, A-088, X-19, U-51, D-05, D-06, D-08) ---------------


@pytest.mark.parametrize(
    ("extra", "quantity"), [("0", 150), ("0.01", 149), ("100", 149), ("100.01", 148)]
)
def test_single_name_equal_is_allowed_more_is_resized(extra: str, quantity: int) -> None:
    """T-01, A-084, X-19: 15.00 % after the trade, what works in the symbol included."""
    world = built()
    world.reserve("NVDA", Decimal(extra))
    ruling = world.decide(signal(conviction=60))
    assert ruling.quantity == quantity
    assert ruling.code == ("" if quantity == 150 else "SINGLE_EXPOSURE")


def test_resize_binds_and_says_so() -> None:
    """D-05, U-13: the smaller quantity is the one that is ordered, and the trace names it."""
    world = built()
    world.reserve("NVDA", Decimal(5_000))
    ruling = world.decide(signal(conviction=60))
    assert ruling.verdict is Verdict.RESIZED
    assert (ruling.code, ruling.measured, ruling.limit) == ("SINGLE_EXPOSURE", "0.2", "0.15")
    assert ruling.quantity == 100
    assert ruling.size is not None
    assert (ruling.size.quantity, ruling.size.binding) == (Decimal(100), "SINGLE_EXPOSURE")
    seen = next(check for check in ruling.checks if check.code is Code.SINGLE_EXPOSURE)
    assert (seen.answer, seen.max_quantity) == (Answer.RESIZE, Decimal(100))


def test_less_than_one_lot_left_is_a_refusal() -> None:
    """A-084: reject only below one lot."""
    world = built()
    world.reserve("NVDA", Decimal("14900"))
    assert world.decide(signal(conviction=60)).quantity == 1
    world.reserve("NVDA", Decimal("14900.01"))
    ruling = world.decide(signal(conviction=60))
    assert (ruling.verdict, ruling.code) == (Verdict.REJECTED, "SINGLE_EXPOSURE")
    assert ruling.quantity is None


@pytest.mark.parametrize(
    ("working", "quantity"), [("15000", 150), ("15000.01", 149), ("29900", 1), ("29900.01", None)]
)
def test_sector_equal_is_allowed_more_is_resized(working: str, quantity: int | None) -> None:
    """T-01, D-06, A-084: the sector is checked, and working entries in it count."""
    world = built()
    world.order("MSFT", 1, working)
    ruling = world.price("AAPL", "100").decide(signal("AAPL", conviction=60))
    assert ruling.quantity == quantity
    assert ruling.code == ("" if quantity == 150 else "SECTOR_EXPOSURE")


def test_another_sector_does_not_count() -> None:
    world = built()
    world.order("MSFT", 1, "29999")
    assert world.decide(signal(conviction=60)).verdict is Verdict.ACCEPTED


def test_symbols_without_a_sector_share_one() -> None:
    """A-085."""
    world = built().price("ZZZ", "100")
    world.order("YYY", 1, "29000")
    ruling = world.decide(signal("ZZZ", conviction=60))
    assert (ruling.code, ruling.quantity) == ("SECTOR_EXPOSURE", Decimal(10))
    assert "UNKNOWN" in ruling.reason


@pytest.mark.parametrize(
    ("working", "quantity"), [("90000", 100), ("90000.01", 99), ("99900.01", None)]
)
def test_gross(working: str, quantity: int | None) -> None:
    """U-50: long and short added, working entries included."""
    config = config_of(risk={"max_order_notional": "1000000"})
    world = Built(config, sectors=SECTORS, buying_power="500000").price("NVDA", "100")
    world.order("MSFT", 1, working)
    ruling = world.decide(signal(conviction=60, stop="99"))
    assert ruling.quantity == quantity
    assert ruling.code == ("" if quantity == 100 else "GROSS_EXPOSURE")


FREE = AXION | {"brokers": {"paper": {"commission_bps": "0"}}}


@pytest.mark.parametrize(
    ("power", "quantity"),
    [("15000", 150), ("14999.99", 149), ("100", 1), ("99.99", None), ("0", None)],
)
def test_buying_power_is_that_of_the_sized_order(power: str, quantity: int | None) -> None:
    """T-01, D-08: not 100 shares whatever the size, and exactly enough is enough."""
    ruling = built(config=config_of(**FREE), buying_power=power).decide(signal(conviction=60))
    assert ruling.quantity == quantity
    assert ruling.code == ("" if quantity == 150 else "BUYING_POWER")


def test_buying_power_less_what_is_reserved_and_with_the_fee() -> None:
    """A-088: reservations of working orders, and 10 bps of commission on top."""
    world = built(buying_power="20000")
    world.order("AAPL", 1, "10000")
    ruling = world.decide(signal(conviction=60))
    assert (ruling.code, ruling.quantity) == ("BUYING_POWER", Decimal(99))
    assert (ruling.measured, ruling.limit) == ("15015", "10000")


def test_a_market_order_is_counted_at_its_worst_price() -> None:
    """A-066: entry x (1 + slippage buffer), and never below the ask."""
    ruling = built().decide(signal(conviction=80))
    assert (ruling.code, ruling.quantity, ruling.reserved) == (
        "SINGLE_EXPOSURE",
        Decimal(149),
        Decimal("100.1"),
    )
    dear = built().price("NVDA", "100", ask="102").decide(signal(conviction=80))
    assert dear.reserved == Decimal("102.102")
    assert built().decide(signal(conviction=60)).reserved == 100
