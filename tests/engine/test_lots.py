"""A holding that is no multiple of its lot, where the venue takes whole lots alone (C-154)."""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Outcome
from engine.domain.order import Purpose, Side
from engine.domain.signal import Direction, TradeType
from tests.engine.driver import CoreDriver
from tests.engine.worlds import ABLE, BROKER, signal

D = Decimal
COIN = "BTC-USD"


def holding(quantity: str, *, odd_lots: bool) -> CoreDriver:
    """A coin bought whole, of which the venue took its commission."""
    desk = CoreDriver(capabilities=msgspec.structs.replace(ABLE, odd_lots=odd_lots))
    desk.quote(COIN, "50000")
    desk.give(
        ask.PlaceOrder(
            by="me",
            symbol=COIN,
            side=Side.BUY,
            quantity=D("0.00123"),
            hold=TradeType.SWING,
            protect=D(45_000),
        )
    )
    entry = desk.last(Purpose.MANUAL, COIN)
    desk.accept(entry)
    desk.filled(entry, quantity, "50000")
    return desk


@pytest.mark.parametrize(("odd_lots", "wanted"), [(True, "0.001228771"), (False, "0.00122877")])
def test_what_reduces_is_cut_to_the_lot_where_the_venue_wants_it(
    odd_lots: bool, wanted: str
) -> None:
    desk = holding("0.001228771", odd_lots=odd_lots)
    stop = desk.last(Purpose.PROTECT, COIN)
    assert stop.quantity == D(wanted)
    desk.accept(stop)
    for _ in range(10):
        desk.quote(COIN, "50000")
        desk.tick()
    held = desk.book.holding(BROKER, COIN)
    assert held is not None
    assert held.exiting is None, "what no stop can cover is no reason to close"
    desk.give(ask.ClosePosition(by="me", symbol=COIN))
    assert desk.last(Purpose.EXIT, COIN).quantity == D(wanted)


def test_less_than_a_lot_is_left_alone_and_said() -> None:
    desk = holding("0.000000009", odd_lots=False)
    events = desk.give(ask.ClosePosition(by="me", symbol=COIN))
    (abandoned,) = [e for e in events if isinstance(e, ev.ExitAbandoned)]
    assert "less than a lot" in abandoned.detail


def test_rule6_a_flat_signal_for_less_than_a_lot_ends_and_says_why() -> None:
    desk = CoreDriver(capabilities=msgspec.structs.replace(ABLE, odd_lots=False))
    desk.quote(COIN, "50000")
    desk.fill(desk.order(COIN, "0.01", "50000"), "0.000000009", "50000")
    desk.signal(signal(COIN, signal_id="out", direction=Direction.FLAT, at=desk.now))
    (ended,) = [e for e in desk.of(ev.SignalEnded) if e.signal_id == "out"]
    assert (ended.outcome, ended.code) == (Outcome.REJECTED, "BAD_LOT")
    assert ended.reason == (
        "0.000000009 BTC-USD in paper are not closed: less than a lot, which the venue does not "
        "take"
    )
