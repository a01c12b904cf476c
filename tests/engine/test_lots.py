"""A holding that is no multiple of its lot, where the venue takes whole lots alone (C-154)."""

from decimal import Decimal

import msgspec
import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Outcome
from engine.domain.instrument import default_instrument
from engine.domain.money import floor_to
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.domain.signal import Direction, TradeType
from engine.plans.protect import PROTECT_SECONDS
from engine.ports import OrderReport
from engine.runtime.result import result_of
from tests.engine.driver import CoreDriver, one
from tests.engine.worlds import ABLE, BROKER, signal

D = Decimal
COIN = "BTC-USD"
LOT = default_instrument(COIN).lot


def holding(quantity: str, *, odd_lots: bool, native_modify: bool = True) -> CoreDriver:
    """A coin bought whole, of which the venue took its commission."""
    able = msgspec.structs.replace(ABLE, odd_lots=odd_lots, native_modify=native_modify)
    desk = CoreDriver(capabilities=able)
    desk.quote(COIN, "50000")
    desk.place(Side.BUY, "0.00123", symbol=COIN, hold=TradeType.SWING, protect=D(45_000))
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


@pytest.mark.parametrize("seconds", [1, PROTECT_SECONDS, PROTECT_SECONDS + 1])
def test_rule3_a_stop_that_is_moved_has_its_seconds_though_less_than_a_lot_had_none(
    seconds: int,
) -> None:
    """What no order can cover has had no stop for a long time, and says nothing of the rest."""
    desk = holding("0.001228771", odd_lots=False, native_modify=False)
    desk.accept(desk.last(Purpose.PROTECT, COIN))
    for _ in range(60):
        desk.tick()
    desk.quote(COIN, "50000")
    desk.give(ask.Protect(by="ann", symbol=COIN, price=D(46_000)))
    assert one(desk.seen, ev.CancelRequested).account == BROKER
    for _ in range(seconds):
        desk.tick()
    assert bool(desk.of(ev.Unprotected)) is (seconds > PROTECT_SECONDS)


CLOSES: tuple[ask.ClosePosition | ask.CloseAll, ...] = (
    ask.ClosePosition(by="me", symbol=COIN),
    ask.ClosePosition(by="me", symbol=COIN, intent_id="mine"),
    ask.ClosePosition(by="me", symbol=COIN, broker=BROKER),
    ask.CloseAll(by="me"),
)


@pytest.mark.parametrize("command", CLOSES, ids=repr)
def test_a_close_of_less_than_a_lot_is_refused_and_says_why(
    command: ask.ClosePosition | ask.CloseAll,
) -> None:
    """Nothing can be sent for it: whoever asks is told what, where, and what is allowed."""
    desk = holding("0.000000009", odd_lots=False)
    events = desk.give(command)
    assert one(events, ev.CommandRefused).code == "BAD_LOT"
    assert [e for e in events if isinstance(e, ev.ExitPlanned | ev.OrderIntended)] == []
    answer = result_of([ev.Record(seq=n, time=0, event=e) for n, e in enumerate(events, 1)])
    assert (answer.ok, answer.code) == (False, "BAD_LOT")
    assert answer.error == (
        "0.000000009 BTC-USD in paper are not closed: the venue takes multiples of 0.00000001"
    )


def test_a_close_of_everything_closes_the_rest_and_says_what_it_leaves() -> None:
    desk = holding("0.000000009", odd_lots=False)
    desk.quote("ETH-USD", "3000")
    desk.place(Side.BUY, "0.01", symbol="ETH-USD", hold=TradeType.SWING, protect=D(2_700))
    entry = desk.last(Purpose.MANUAL, "ETH-USD")
    desk.accept(entry)
    desk.filled(entry, "0.01", "3000")
    events = desk.give(ask.CloseAll(by="me"))
    assert one(events, ev.ExitPlanned).symbol == "ETH-USD"
    refused = one(events, ev.CommandRefused)
    assert refused.reason.endswith("multiples of 0.00000001; the close of ETH-USD is under way")


def flat_of(**held: str) -> CoreDriver:
    """A flat signal for the coin that signals opened, by account; its route is `paper`."""
    able = msgspec.structs.replace(ABLE, odd_lots=False)
    others = tuple(name for name in held if name != BROKER)
    desk = CoreDriver(capabilities=able, others=others)
    desk.quote(COIN, "50000")
    for name, quantity in held.items():
        bought = OrderTerms(
            client_order_id=f"in-{name}",
            intent_id=f"in-{name}",
            signal_id="in",
            account=name,
            symbol=COIN,
            side=Side.BUY,
            type=OrderType.MARKET,
            quantity=D(quantity),
            time_in_force=TimeInForce.GTC,
            purpose=Purpose.ENTRY,
            reserved=D(50_000),
        )
        desk.event(ev.OrderIntended(terms=bought))
        fill = msgspec.structs.replace(desk.execution(bought, quantity, "50000"), account=name)
        desk.event(
            ev.OrderFilled(
                account=name,
                fill=fill,
                multiplier=D(1),
                cumulative=D(quantity),
                average_price=D(50_000),
            )
        )
        desk.event(
            ev.Reconciled(account=name, reason="start", clean=True, differences=(), matched=0)
        )
    desk.signal(signal(COIN, signal_id="out", direction=Direction.FLAT, at=desk.now))
    return desk


def ends(desk: CoreDriver) -> list[tuple[str, str]]:
    """How the flat signal ended: its outcome and the code of it."""
    return [(e.outcome, e.code) for e in desk.of(ev.SignalEnded) if e.signal_id == "out"]


@pytest.mark.parametrize("quantity", ["0.00000001", "0.000000011", "0.099913009", "0.09991301"])
def test_x87_a_flat_signal_is_never_refused_for_a_lot(quantity: str) -> None:
    """Wherever it is held: what it closes is worked out for each account by itself."""
    for held in ({"paper": quantity}, {"second": quantity}, {"paper": "1", "second": quantity}):
        desk = flat_of(**held)
        assert desk.of(ev.SignalDecided)[-1].code == ""
        closes = {order.account: order.quantity for order in desk.intended(Purpose.EXIT, COIN)}
        assert closes == {name: floor_to(D(held[name]), LOT) for name in held}


def test_rule6_a_flat_signal_for_less_than_a_lot_ends_and_says_why() -> None:
    desk = flat_of(paper="0.000000009")
    assert ends(desk) == [(Outcome.REJECTED, "BAD_LOT")]
    assert desk.of(ev.SignalEnded)[-1].reason == (
        "0.000000009 BTC-USD in paper are not closed: less than a lot, which the venue does not "
        "take"
    )


def test_rule6_and_with_the_close_elsewhere_where_another_account_holds_enough() -> None:
    desk = flat_of(paper="0.000000009", second="1")
    assert ends(desk) == []
    exit_ = desk.last(Purpose.EXIT, COIN)
    assert exit_.account == "second"
    fill = msgspec.structs.replace(desk.execution(exit_, "1", "50000"), account="second")
    desk.give(
        OrderReport(
            account="second",
            client_order_id=exit_.client_order_id,
            venue_order_id="v",
            symbol=COIN,
            status=OrderStatus.FILLED,
            fill=fill,
            time=desk.now,
        )
    )
    assert ends(desk) == [(Outcome.EXECUTED, "")]


def test_rule6_a_flat_signal_of_which_no_account_holds_a_lot_ends_once() -> None:
    desk = flat_of(paper="0.000000009", second="0.000000009")
    assert ends(desk) == [(Outcome.REJECTED, "BAD_LOT")]


@pytest.mark.parametrize(
    ("sold", "again"),
    [("2", "1"), ("2.4", None), ("2.5", None), ("3", None)],
)
def test_rule6_what_is_left_of_a_part_is_closed_in_lots_or_not_at_all(
    sold: str, again: str | None
) -> None:
    """Never an order for nothing: the close of the part ends, says why, and the rest stays."""
    desk = CoreDriver(capabilities=msgspec.structs.replace(ABLE, odd_lots=False))
    desk.price("NVDA", "100")
    desk.place(Side.BUY, 10)
    bought = desk.last(Purpose.MANUAL)
    desk.accept(bought)
    desk.filled(bought, 10, "100")
    desk.give(ask.ClosePosition(by="me", symbol="NVDA", quantity=D(3)))
    first = desk.last(Purpose.EXIT)
    desk.accept(first)
    desk.filled(first, sold, "100")
    desk.report(first, OrderStatus.CANCELED)
    for _ in range(3):
        desk.quote("NVDA", "100")
        desk.tick()
    orders = [order.quantity for order in desk.intended(Purpose.EXIT)]
    assert orders == [D(3), *([D(again)] if again else [])]
    held = desk.book.holding(BROKER, "NVDA")
    assert held is not None
    assert (held.exiting is None) is (again is None)
    ends = [event.detail for event in desk.of(ev.ExitAbandoned)]
    if D(sold) < 3 and again is None:
        assert ends == ["less than a lot is left of the part, which the venue does not take"]
    else:
        assert ends == ([] if again else ["the part is closed"])


@pytest.mark.parametrize(("odd_lots", "tries"), [(True, 1), (False, 0)])
def test_c403_a_rule_does_not_try_at_every_price_to_close_less_than_a_lot(
    odd_lots: bool, tries: int
) -> None:
    """Below its stop for a minute, at a venue that would not take an order for it."""
    desk = holding("0.000000009", odd_lots=odd_lots)
    for _ in range(60):
        desk.later(0.5).quote(COIN, "44000")
        desk.tick(0.5)
    assert len(desk.of(ev.ExitPlanned)) == tries
    assert len(desk.of(ev.ExitAbandoned)) == 0
