"""A person's order: no guard, no conviction, but every limit, and its number is never changed."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.codes import Code, Verdict
from engine.domain.commands import PlaceOrder
from engine.domain.instant import NS_PER_SECOND
from engine.domain.instrument import Facts, instrument_of
from engine.domain.order import OrderType, Purpose, Side, TimeInForce
from engine.domain.run import Flatten, Halt, Level, LinkState, Trigger
from engine.domain.signal import TradeType
from engine.pipeline.request import manual_request
from engine.pipeline.ruling import Ruling
from engine.pipeline.stages import decide
from engine.risk.request import RequestKind
from tests.engine.worlds import ABLE, MIDDAY, Built, config_of

NEVER = {
    Code.STALE_SIGNAL,
    Code.DUPLICATE_SIGNAL,
    Code.LOW_CONVICTION,
    Code.DUPLICATE_POSITION,
    Code.SIZE_ZERO,
}


def built(**more: Any) -> Built:
    config = config_of(
        risk={"max_order_notional": "50000"}, brokers={"paper": {"commission_bps": "0"}}
    )
    return Built(config, **more).price("NVDA", "100")


def ask(world: Built, side: Side = Side.BUY, quantity: str = "10", **more: Any) -> Ruling:
    numbers: dict[str, Any] = {
        key: Decimal(value) if key in ("limit_price", "stop_price", "protect") else value
        for key, value in more.items()
    }
    command = PlaceOrder(
        by="test",
        symbol=numbers.pop("symbol", "NVDA"),
        side=side,
        quantity=Decimal(quantity),
        **numbers,
    )
    return decide(world.world, manual_request(world.world, command), world.now)


def limit(price: str) -> dict[str, Any]:
    return {"type": OrderType.LIMIT, "limit_price": price}


def test_a_plain_order_passes_without_guard_and_conviction() -> None:
    ruling = ask(built())
    assert (ruling.kind, ruling.verdict, ruling.quantity) == (
        RequestKind.MANUAL,
        Verdict.ACCEPTED,
        Decimal(10),
    )
    assert not NEVER & {check.code for check in ruling.checks}
    assert ruling.stop_loss is None
    assert ruling.content == ""
    assert ruling.reserved == Decimal("100.1")


def test_its_own_words_are_kept() -> None:
    ruling = ask(
        built(), **limit("99"), protect="95", hold=TradeType.SWING, time_in_force=TimeInForce.IOC
    )
    assert ruling.allowed
    assert (ruling.order_type, ruling.limit_price, ruling.stop_loss) == (
        OrderType.LIMIT,
        Decimal(99),
        Decimal(95),
    )
    assert (ruling.trade_type, ruling.time_in_force) == (TradeType.SWING, TimeInForce.IOC)


@pytest.mark.parametrize(("quantity", "passes"), [("99", True), ("100", True), ("101", False)])
def test_over_an_exposure_limit_it_is_refused_and_told_what_fits(
    quantity: str, passes: bool
) -> None:
    """X-24: never resized."""
    ruling = ask(built(), quantity=quantity, **limit("100"))
    assert ruling.allowed is passes
    if not passes:
        assert (ruling.verdict, ruling.code) == (Verdict.REJECTED, "SINGLE_EXPOSURE")
        assert (ruling.measured, ruling.limit) == ("0.101", "0.1")
        assert "At most 100 would fit." in ruling.reason


@pytest.mark.parametrize(("power", "passes"), [("1000", True), ("999.99", False)])
def test_buying_power_exactly(power: str, passes: bool) -> None:
    ruling = ask(built(buying_power=power), **limit("100"))
    assert ruling.allowed is passes
    assert ruling.code == ("" if passes else "BUYING_POWER")


@pytest.mark.parametrize(("most", "passes"), [("1000", True), ("999.99", False)])
def test_notional_exactly(most: str, passes: bool) -> None:
    world = Built(config_of(risk={"max_order_notional": most})).price("NVDA", "100")
    ruling = ask(world, **limit("100"))
    assert ruling.allowed is passes
    assert ruling.code == ("" if passes else "MAX_NOTIONAL")


@pytest.mark.parametrize(
    ("order", "code"),
    [
        (limit("100.001"), "BAD_TICK"),
        ({"type": OrderType.STOP, "stop_price": "101.005"}, "BAD_TICK"),
        ({"protect": "95.001"}, "BAD_TICK"),
        ({"quantity": "1.5"}, "BAD_LOT"),
        (limit("94.99"), "PRICE_COLLAR"),
        (limit("105.01"), "PRICE_COLLAR"),
        ({"type": OrderType.STOP, "stop_price": "106"}, "PRICE_COLLAR"),
        ({"type": OrderType.STOP_LIMIT, "stop_price": "101", "limit_price": "106"}, "PRICE_COLLAR"),
        ({"protect": "100"}, "INVALID_STOP"),
        ({"protect": "101"}, "INVALID_STOP"),
        ({"symbol": "AAPL"}, "NO_PRICE"),
    ],
)
def test_hard_limits(order: dict[str, Any], code: str) -> None:
    ruling = ask(built(), **order)
    assert ruling.code == code
    assert ruling.measured
    assert ruling.limit


@pytest.mark.parametrize("price", ["95", "105"])
def test_the_collar_may_be_reached(price: str) -> None:
    assert ask(built(), **limit(price)).allowed


@pytest.mark.parametrize(
    "order",
    [
        {"quantity": "0"},
        {"quantity": "-1"},
        {"quantity": "NaN"},
        {"quantity": "Infinity"},
        {"quantity": "1e999999"},
        {"quantity": "1e-999999"},
        {"type": OrderType.LIMIT},
        {"type": OrderType.STOP},
        {"type": OrderType.STOP_LIMIT, "limit_price": "100"},
        {"limit_price": "100"},
        {"stop_price": "100"},
        limit("NaN"),
        limit("-1"),
        {"protect": "NaN"},
        {"protect": "0"},
        {"symbol": "NV DA"},
        {"symbol": ""},
        {"symbol": "\x1b[31m"},
        {"broker": "nowhere"},
    ],
)
def test_what_cannot_be_an_order(order: dict[str, Any]) -> None:
    ruling = ask(built(), **order)
    assert ruling.code == "INVALID_INPUT"
    assert ruling.reason.endswith(".")
    assert ruling.reason.isprintable()


def test_an_order_in_a_contract_whose_date_does_not_exist_says_that() -> None:
    ruling = ask(built(), symbol="AAPL 2026-02-30 100 C")
    assert ruling.code == "INVALID_INPUT"
    assert ruling.reason == (
        "the expiry of AAPL 2026-02-30 100 C is '2026-02-30': a date that exists, from 1970 to "
        "2199, is allowed (2026-12-18)."
    )


def test_what_the_venue_cannot_do() -> None:
    unable = msgspec.structs.replace(
        ABLE,
        order_types=frozenset({OrderType.MARKET}),
        times_in_force=frozenset({TimeInForce.DAY}),
    )
    world = built(capabilities=unable)
    assert "LIMIT" in ask(world, **limit("100")).reason
    assert ask(world, time_in_force=TimeInForce.FOK).code == "INVALID_INPUT"


def test_run_state_and_latch_hold_for_a_person_too() -> None:
    world = built()
    restricted = ev.Restricted(cause=Trigger.DIVERGENCE, reason="lunch")
    world.event(restricted)
    ruling = ask(world)
    assert (ruling.code, ruling.measured, ruling.limit) == ("RUN_STATE", "REDUCE_ONLY", "ACTIVE")
    assert "lunch" in ruling.reason
    assert ask(halted(built())).code == "KILL_SWITCH"


def halted(world: Built) -> Built:
    halt = Halt(
        reason="test",
        at=MIDDAY,
        by="test",
        level=Level.HALT,
        trigger=Trigger.MANUAL,
        flatten=Flatten.NONE,
        epoch=1,
    )
    return world.event(ev.Halted(halt=halt))


def test_adding_by_hand_is_no_duplicate() -> None:
    """A person may add to a loser, within the limits."""
    world = built().hold("NVDA", 10, "100", mark="99")
    ruling = ask(world, managed=True)
    assert ruling.allowed
    assert ruling.adding
    assert ruling.side is Side.BUY


def test_the_same_order_within_a_minute_is_a_repeat() -> None:
    world = built()
    ruling = ask(world, **limit("100.00"))
    order = world.order("NVDA", ruling.quantity or 0, "100", limit="100")
    world.event(
        ev.OrderCanceled(account="paper", client_order_id=order.client_order_id, reason="test")
    )
    assert ask(world, **limit("100")).code == "DUPLICATE_ORDER"
    assert ask(world, **limit("100.01")).allowed
    world.now += 60 * NS_PER_SECOND
    assert ask(world.price("NVDA", "100"), **limit("100")).allowed


@pytest.mark.parametrize("window", [0, 30, 60, 300])
@pytest.mark.parametrize(("after", "passes"), [(59, False), (60, True)])
def test_the_window_of_signals_has_no_say_in_it(window: int, after: int, passes: bool) -> None:
    world = Built(config_of(execution={"dedup_window_seconds": window})).price("NVDA", "100")
    order = world.order("NVDA", 10, "100", limit="100")
    world.event(
        ev.OrderCanceled(account="paper", client_order_id=order.client_order_id, reason="test")
    )
    world.now += after * NS_PER_SECOND
    assert ask(world.price("NVDA", "100"), **limit("100")).allowed is passes


# --- selling --------------------------------------------------------------------------------------


def test_selling_what_is_not_held_is_selling_short() -> None:
    ruling = ask(built(), Side.SELL)
    assert (ruling.kind, ruling.side, ruling.allowed) == (RequestKind.MANUAL, Side.SELL_SHORT, True)
    unable = built(capabilities=msgspec.structs.replace(ABLE, shorting=False))
    assert ask(unable, Side.SELL).code == "NOT_SHORTABLE"


@pytest.mark.parametrize(
    ("stated", "code"), [(None, "NOT_SHORTABLE"), (True, ""), (False, "NOT_SHORTABLE")]
)
def test_an_option_is_sold_short_only_where_a_table_says_that_it_may_be(
    stated: bool | None, code: str
) -> None:
    """What it may cost has no bound, and no row measures it before there is a delta (A-084)."""
    call = "NVDA 2013-12-20 100 C"
    world = built()
    world.event(ev.InstrumentLearned(instrument=instrument_of(call, Facts(shortable=stated))))
    world.price(call, "3")
    assert ask(world, Side.SELL, "1", symbol=call).code == code
    assert ask(world, Side.BUY, "1", symbol=call).allowed


@pytest.mark.parametrize(
    ("quantity", "kind"),
    [("9", RequestKind.REDUCE), ("10", RequestKind.REDUCE), ("11", RequestKind.MANUAL)],
)
def test_what_only_reduces_is_told_by_its_quantity(quantity: str, kind: RequestKind) -> None:
    """Rule 3: |position| never grows and never changes sign."""
    for held, side in ((10, Side.SELL), (-10, Side.BUY)):
        ruling = ask(built().hold("NVDA", held, "100"), side, quantity)
        assert ruling.kind is kind
        assert ruling.allowed is ruling.reduce_only is (kind is RequestKind.REDUCE)
        if kind is RequestKind.MANUAL:
            assert ruling.code == "CONFLICT"
        else:
            assert ruling.side is side
            assert ruling.reserved == 0


def test_what_is_leaving_already_cannot_leave_again() -> None:
    world = built().hold("NVDA", 10, "100")
    world.order("NVDA", 6, "100", side=Side.SELL, purpose=Purpose.EXIT, reserves=False)
    world.order("NVDA", 10, "95", side=Side.SELL, purpose=Purpose.PROTECT, reserves=False)
    assert ask(world, Side.SELL, "4").kind is RequestKind.REDUCE
    assert ask(world, Side.SELL, "5").code == "CONFLICT"


def test_reducing_passes_every_entry_gate() -> None:
    """Rule 3, A-089, X-20, U-42: halted, broke, silent, unknown and without a price."""
    world = halted(built().hold("NVDA", 10, "100"))
    unclear = world.order("NVDA", 1, "100")
    world.event(
        ev.OrderUnclear(account="paper", client_order_id=unclear.client_order_id, reason="time-out")
    )
    world.account("1").link(LinkState.DISCONNECTED, at=MIDDAY - 60 * NS_PER_SECOND)
    world.price("NVDA", "NaN", at=MIDDAY - 600 * NS_PER_SECOND)
    ruling = ask(world, Side.SELL, "10", **limit("1"))
    assert ruling.allowed
    assert {check.code for check in ruling.checks} == {
        Code.INVALID_INPUT,
        Code.RUN_STATE,
        Code.BAD_TICK,
        Code.BAD_LOT,
    }


def test_an_odd_lot_may_be_closed_whole_but_not_in_parts() -> None:
    world = built().hold("NVDA", "10.5", "100")
    assert ask(world, Side.SELL, "10.5").allowed
    assert ask(world, Side.SELL, "0.5").code == "BAD_LOT"


def test_the_collar_says_percent_and_measures_a_share() -> None:
    """A share beside two prices reads as money."""
    ruling = ask(built(), **limit("120.79"))
    assert ruling.reason == "120.79 is 20.79 % away from the last price 100; 5 % is allowed."
    assert (ruling.measured, ruling.limit) == ("0.2079", "0.05")
