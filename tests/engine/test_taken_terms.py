"""What a venue does not take of a kind of instrument, or of a part, is refused in words (C-131)."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.instrument import AssetClass
from engine.domain.order import OrderType, Purpose, Side, TimeInForce
from engine.ports import Capabilities, Taken
from tests.engine.driver import CoreDriver
from tests.engine.worlds import ABLE, config_of

D = Decimal
T, F = OrderType, TimeInForce

DAY = Taken(frozenset(OrderType), frozenset({F.DAY}))
NO_STOP = Taken(frozenset({T.MARKET, T.LIMIT}), frozenset({F.GTC, F.IOC}))


def able(**more: Any) -> Capabilities:
    return msgspec.structs.replace(ABLE, fractional=True, **more)


def refused(desk: CoreDriver, quantity: int = 10, **asked: Any) -> str:
    """Why an order is refused; "" where it is not."""
    desk.price("NVDA", "100")
    seen = desk.place(Side.BUY, quantity, protect=D(95), **asked)
    said = [event.reason for event in seen if isinstance(event, ev.OrderRefused)]
    return said[0] if said else ""


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (
            {"type": T.STOP, "stop_price": D(101)},
            "the broker takes no STOP orders for 10 NVDA; LIMIT, MARKET are allowed.",
        ),
        (
            {"time_in_force": F.DAY},
            "the broker takes no DAY for 10 NVDA; GTC, IOC are allowed.",
        ),
        ({"time_in_force": F.GTC}, ""),
    ],
)
def test_what_the_kind_does_not_take_is_refused_before_it_is_sent(
    asked: dict[str, Any], reason: str
) -> None:
    desk = CoreDriver(capabilities=able(by_kind={AssetClass.STOCK: NO_STOP}))
    assert refused(desk, **asked) == reason


@pytest.mark.parametrize("default", ["DAY", "GTC"])
@pytest.mark.parametrize(("taken", "expected"), [(DAY, F.DAY), (NO_STOP, F.GTC)])
def test_what_nobody_asked_for_is_what_is_taken(
    default: str, taken: Taken, expected: TimeInForce
) -> None:
    config = config_of(execution={"default_time_in_force": default.lower()})
    desk = CoreDriver(config=config, capabilities=able(by_kind={AssetClass.STOCK: taken}))
    assert refused(desk) == ""
    assert desk.last(Purpose.MANUAL).time_in_force is expected


@pytest.mark.parametrize("default", [F.DAY, F.GTC])
def test_where_all_is_taken_the_default_is_that_of_the_config(default: TimeInForce) -> None:
    desk = CoreDriver(config=config_of(execution={"default_time_in_force": default.lower()}))
    assert refused(desk) == ""
    assert desk.last(Purpose.MANUAL).time_in_force is default
