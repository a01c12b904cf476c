"""The table of the gate: its order, what each row declares, and that each row can refuse (X-65)."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.config import Config
from engine.config.profiles import ROWS, RiskLimits
from engine.domain import events as ev
from engine.domain.codes import Answer, Code, Stage, Verdict
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND
from engine.domain.order import OrderStatus
from engine.domain.run import CircuitState, Flatten, Halt, Level, Trigger
from engine.domain.signal import Direction, Timeframe
from engine.pipeline.request import signal_request
from engine.pipeline.stages import decide
from engine.risk.finding import Finding, passed, refused
from engine.risk.gate import CHECKS, Check
from engine.risk.request import RequestKind
from engine.sizing.added import Added
from engine.state.prints import print_of_order
from engine.world import exposure
from tests.engine.worlds import MIDDAY, Built, config_of, signal

X_65 = re.findall(
    r"\w+",
    """INVALID_INPUT KILL_SWITCH RUN_STATE OVERLOADED STALE_SIGNAL DUPLICATE_SIGNAL LOW_CONVICTION
NO_CALENDAR MARKET_CLOSED CONFLICT DUPLICATE_POSITION NO_ACCOUNT NO_RATE MIN_EQUITY DAILY_LOSS
DRAWDOWN MAX_TRADES MAX_POSITIONS NO_PRICE STALE_QUOTE INVALID_STOP INVALID_TARGET NO_CONTRACT
NOT_SHORTABLE SIZE_ZERO SINGLE_EXPOSURE SECTOR_EXPOSURE GROSS_EXPOSURE CORRELATION VAR_BUDGET
BUYING_POWER BAD_TICK BAD_LOT
MAX_NOTIONAL PRICE_COLLAR MAX_OPEN_ORDERS DUPLICATE_ORDER RATE_LIMIT CIRCUIT_OPEN""",
)

LATER = {"CORRELATION", "VAR_BUDGET"}

STRICT = config_of(
    profile="conservative", risk={"max_order_notional": "1000000", "max_trades_per_day": 5}
)
"""A config in which every limit is on."""


def built(config: Config = STRICT, **more: Any) -> Built:
    return Built(config, **more).price("NVDA", "100")


def test_the_rows_stand_in_the_order_of_x_65_and_x_96() -> None:
    codes = [check.code.value for check in CHECKS]
    assert codes.index("UNKNOWN_STATE") == codes.index("OVERLOADED") + 1
    codes.remove("UNKNOWN_STATE")
    assert codes == [code for code in X_65 if code not in LATER]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.code)
def test_a_row_declares_limits_that_exist(check: Check) -> None:
    """A limit is a field of RiskLimits, a key exists, and both mean the same limit."""
    if check.limit:
        assert check.limit in {field.name for field in msgspec.structs.fields(RiskLimits)}
        assert check.key
    if check.key:
        section, name = check.key.split(".")
        assert hasattr(getattr(Config.model_construct(), section), name)
    keys = {row.field: f"risk.{row.key}" for row in ROWS}
    if check.limit in keys:
        assert check.key == keys[check.limit]


# --- every row refuses, and says what it measured and what is allowed -----------------------------

Spoil = Callable[[Built], Built]


def event(happened: ev.Event) -> Spoil:
    return lambda world: world.event(happened)


def halted(world: Built) -> Built:
    halt = Halt(
        reason="test",
        at=MIDDAY,
        by="test",
        level=Level.KILL,
        trigger=Trigger.MANUAL,
        flatten=Flatten.DAY,
        epoch=1,
    )
    return world.event(ev.Halted(halt=halt))


def late(world: Built) -> Built:
    world.world.overload.see(251 * NS_PER_MS, MIDDAY)
    return world


def unclear(world: Built) -> Built:
    order = world.order("NVDA", 1, "100")
    return world.event(
        ev.OrderUnclear(account="paper", client_order_id=order.client_order_id, reason="time-out")
    )


def held(quantity: int) -> Spoil:
    return lambda world: world.hold("NVDA", quantity, "100")


def busy(count: int) -> Spoil:
    def spoil(world: Built) -> Built:
        for n in range(count):
            world.order(f"W{n}", 1, "10", at=MIDDAY - 61 * NS_PER_SECOND)
        return world

    return spoil


def learned(**changes: Any) -> Spoil:
    def spoil(world: Built) -> Built:
        instrument = msgspec.structs.replace(world.world.instrument("NVDA"), **changes)
        return world.event(ev.InstrumentLearned(instrument=instrument))

    return spoil


def limited(**changes: Any) -> Spoil:
    def spoil(world: Built) -> Built:
        world.world.limits = msgspec.structs.replace(world.world.limits, **changes)
        return world

    return spoil


def same_before(world: Built) -> Built:
    """The very order this signal makes was made a moment ago, and is done."""
    ruling = world.decide(signal(conviction=60))
    order = world.order("NVDA", ruling.quantity or 0, "100", limit="100.00")
    world.event(
        ev.OrderCanceled(account="paper", client_order_id=order.client_order_id, reason="test")
    )
    assert world.book.data.prints[print_of_order(order)] == MIDDAY
    return world


ROWS_THAT_REFUSE: dict[Code, tuple[Spoil, dict[str, Any]]] = {
    Code.INVALID_INPUT: (lambda w: w, {"entry": "NaN"}),
    Code.KILL_SWITCH: (halted, {}),
    Code.RUN_STATE: (event(ev.Paused(by="test", reason="lunch")), {}),
    Code.OVERLOADED: (late, {}),
    Code.UNKNOWN_STATE: (unclear, {}),
    Code.STALE_SIGNAL: (lambda w: w, {"at": MIDDAY - 121 * NS_PER_SECOND}),
    Code.LOW_CONVICTION: (lambda w: w, {"conviction": 49}),
    Code.NO_CALENDAR: (learned(calendar="MARS"), {}),
    Code.MARKET_CLOSED: (learned(calendar="XNYS"), {}),
    Code.CONFLICT: (held(-1), {}),
    Code.DUPLICATE_POSITION: (held(1), {}),
    Code.NO_ACCOUNT: (lambda w: w.account("0"), {}),
    Code.MIN_EQUITY: (limited(min_equity=Decimal(200_000)), {}),
    Code.DAILY_LOSS: (lambda w: w.account("98000"), {}),
    Code.DRAWDOWN: (lambda w: w.account("90000").session("90000"), {}),
    Code.MAX_TRADES: (limited(trades_per_day=0), {}),
    Code.MAX_POSITIONS: (limited(max_positions=0), {}),
    Code.NO_PRICE: (lambda w: w.price("NVDA", "NaN"), {}),
    Code.STALE_QUOTE: (lambda w: w.price("NVDA", "100", at=MIDDAY - 16 * NS_PER_SECOND), {}),
    Code.INVALID_STOP: (lambda w: w, {"stop": "101"}),
    Code.INVALID_TARGET: (lambda w: w, {"target": "99"}),
    Code.NOT_SHORTABLE: (learned(shortable=False), {"direction": Direction.SHORT, "stop": "105"}),
    Code.SIZE_ZERO: (learned(lot=Decimal(1_000)), {}),
    Code.SINGLE_EXPOSURE: (limited(single_name=Decimal("0.0001"), risk_per_trade=None), {}),
    Code.SECTOR_EXPOSURE: (limited(sector=Decimal("0.0001")), {}),
    Code.GROSS_EXPOSURE: (limited(gross=Decimal("0.0001")), {}),
    Code.BUYING_POWER: (lambda w: w.account("100000", cash="100000", buying_power="1"), {}),
    Code.BAD_LOT: (learned(min_notional=Decimal(1_000_000)), {}),
    Code.MAX_NOTIONAL: (limited(max_order_notional=Decimal(1)), {}),
    Code.PRICE_COLLAR: (lambda w: w, {"entry": "110", "stop": "99"}),
    Code.MAX_OPEN_ORDERS: (limited(max_open_orders=0), {}),
    Code.DUPLICATE_ORDER: (same_before, {}),
    Code.RATE_LIMIT: (limited(max_orders_per_minute=0), {}),
    Code.CIRCUIT_OPEN: (
        event(
            ev.CircuitMoved(
                account="paper", state=CircuitState.OPEN, failures=5, until=MIDDAY + NS_PER_SECOND
            )
        ),
        {},
    ),
}
"""What makes each row refuse while every row before it passes."""

ELSEWHERE = {
    Code.DUPLICATE_SIGNAL: "test_guard.py",
    Code.NO_RATE: "tests/console/test_two_accounts.py",
    Code.NO_CONTRACT: "tests/console/test_two_accounts.py",
    Code.BAD_TICK: "test_gate_manual.py: the prices of signals are moved to the grid",
}


def test_every_row_has_its_refusal() -> None:
    assert {check.code for check in CHECKS} == ROWS_THAT_REFUSE.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize("code", ROWS_THAT_REFUSE, ids=str)
def test_a_refusal_names_code_stage_measured_and_limit(code: Code) -> None:
    """Rule 6, U-13: and the trace ends with it; what was asked before has passed or resized."""
    spoil, changes = ROWS_THAT_REFUSE[code]
    world = built()
    if code is Code.MARKET_CLOSED:
        world.now = MIDDAY + 6 * 3600 * NS_PER_SECOND
        changes = {"at": world.now}
    words: dict[str, Any] = {"timeframe": Timeframe.H1, "conviction": 60}
    request = signal(**(words | changes))
    if code is Code.SINGLE_EXPOSURE:
        # Sized before its limit shrank: the exposure row is what catches it.
        asked = signal_request(world.world, request)
        rows = tuple(c for c in CHECKS if c.code not in (Code.SIZE_ZERO,))
        asked = msgspec.structs.replace(asked, quantity=Decimal(100))
        spoil(world)
        ruling = decide(world.world, asked, world.now, rows)
    else:
        ruling = spoil(world).decide(request)
    assert ruling.verdict is Verdict.REJECTED
    assert ruling.code == code
    row = next(check for check in CHECKS if check.code is code)
    assert ruling.stage is row.stage
    assert ruling.quantity is None
    last = ruling.checks[-1]
    assert (last.code, last.answer) == (code, Answer.REJECT)
    assert (last.measured, last.limit) == (ruling.measured, ruling.limit)
    assert ruling.reason.endswith(".")
    assert "\n" not in ruling.reason
    assert all(check.answer is Answer.PASS for check in ruling.checks[:-1])
    for check in ruling.checks:
        assert check.measured
        assert check.limit
    order = [check.code for check in CHECKS]
    named = [check.code for check in ruling.checks]
    assert named == sorted(named, key=order.index)


def test_a_blocked_symbol_takes_no_entries_and_others_do() -> None:
    world = built().price("AAPL", "100")
    world.event(
        ev.SymbolBlocked(account="paper", symbol="NVDA", cause="difference", reason="venue has 5")
    )
    ruling = world.decide(signal())
    assert ruling.code == "UNKNOWN_STATE"
    assert "venue has 5" in ruling.reason
    assert world.decide(signal("AAPL")).allowed


def test_an_order_that_became_clear_blocks_no_more() -> None:
    world = unclear(built())
    key = next(iter(world.book.account("paper").orders))
    world.event(
        ev.OrderSettled(
            account="paper",
            client_order_id=key,
            venue_order_id="",
            status=OrderStatus.REJECTED,
            reason="query",
        )
    )
    assert world.decide(signal()).allowed


# --- limits that are off, missing, or no number ---------------------------------------------------


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.field)
def test_a_limit_the_profile_does_not_have_is_not_asked(row: Any) -> None:
    """U-50: None is off."""
    world = built()
    world.world.limits = msgspec.structs.replace(world.world.limits, **{row.field: None})
    ruling = world.decide(signal(conviction=60))
    assert ruling.allowed
    codes = {check.code for check in CHECKS if check.limit == row.field}
    assert not codes & {check.code for check in ruling.checks}


@pytest.mark.parametrize(
    "field",
    [check.limit for check in CHECKS if check.limit and check.limit not in {r.field for r in ROWS}],
)
def test_a_hard_limit_that_is_missing_refuses(field: str) -> None:
    """U-53: a missing limit is no limit that is off."""
    world = built()
    world.world.limits = msgspec.structs.replace(world.world.limits, **{field: None})
    ruling = world.decide(signal(conviction=60))
    assert ruling.verdict is Verdict.REJECTED
    assert "missing" in ruling.reason


@pytest.mark.parametrize(
    "field", ["daily_loss", "drawdown", "single_name", "sector", "gross", "min_equity"]
)
def test_a_limit_that_is_no_number_refuses(field: str) -> None:
    """U-53."""
    world = built()
    nan = {field: Decimal("NaN")}
    world.world.limits = msgspec.structs.replace(world.world.limits, **nan)
    assert world.decide(signal(conviction=60)).verdict is Verdict.REJECTED


@pytest.mark.parametrize("field", ["entry_price", "stop_loss", "target_price"])
@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "0", "-1", "1e999999"])
def test_a_number_that_is_none_in_a_signal_of_a_program(field: str, value: str) -> None:
    request = msgspec.structs.replace(signal(), **{field: Decimal(value)})
    ruling = built().decide(request)
    assert (ruling.code, ruling.stage) == ("INVALID_INPUT", Stage.INTAKE)
    assert field in ruling.reason


# --- a ninth check --------------------------------------------------------------------------------


def share_of_buying_power(adds: Added, buying_power: Decimal, limit: Decimal) -> Finding | None:
    """A rule of somebody's own: one order takes at most a share of buying power."""
    share = adds.notional / buying_power
    if share <= limit:
        return passed(share, limit)
    return refused(share, limit, "The order takes too much of buying power.")


@pytest.mark.parametrize(("limit", "code"), [("0.15", ""), ("0.14", "VAR_BUDGET")])
def test_a_ninth_check_is_one_row(limit: str, code: str) -> None:
    """The row declares code, stage, limit and config key; nothing else moves."""
    ninth = Check(
        Code.VAR_BUDGET,
        Stage.RISK,
        share_of_buying_power,
        limit="price_collar_pct",
        key="risk.price_collar_pct",
    )
    at = [check.code for check in CHECKS].index(Code.BUYING_POWER)
    checks = (*CHECKS[:at], ninth, *CHECKS[at:])
    config = config_of(
        profile="axion_aggressive",
        risk={"max_order_notional": "1000000", "price_collar_pct": limit},
    )
    world = Built(config).price("NVDA", "100")
    asked = signal_request(world.world, signal(conviction=60))
    ruling = decide(world.world, asked, world.now, checks)
    assert ruling.code == code
    seen = next(check for check in ruling.checks if check.code is Code.VAR_BUDGET)
    assert (seen.measured, seen.limit) == ("0.15", limit)
    if code:
        assert ruling.stage is Stage.RISK


def test_a_row_is_asked_of_its_kinds_only() -> None:
    row = Check(
        Code.RWS_LIMIT,
        Stage.RISK,
        lambda: refused("", "", ""),
        frozenset({RequestKind.MANUAL}),
    )
    world = built()
    asked = signal_request(world.world, signal(conviction=60))
    assert decide(world.world, asked, world.now, (row, *CHECKS)).allowed


# --- properties -----------------------------------------------------------------------------------

MONEY = st.decimals("0", "40000", places=2)

NEARLY_FULL: dict[str, Any] = {
    "sector": Decimal("24990.01"),
    "other": Decimal(0),
    "power": Decimal(40_000),
    "notional": Decimal(30_000),
    "price": Decimal("5.00"),
    "gap": Decimal("0.02"),
    "ask": Decimal(0),
}
"""A sector with room for 9.99 where one share costs 5.00."""


@example(**NEARLY_FULL, held=Decimal(0), conviction=60, short=False)
@example(**NEARLY_FULL, held=Decimal(0), conviction=60, short=True)
@example(**NEARLY_FULL, held=Decimal(0), conviction=100, short=False)
@example(**NEARLY_FULL, held=Decimal(0), conviction=100, short=True)
@example(**NEARLY_FULL | {"ask": Decimal("0.04")}, held=Decimal(0), conviction=80, short=False)
@example(
    **NEARLY_FULL | {"sector": Decimal("15000.01")},
    held=Decimal("9990.00"),
    conviction=80,
    short=False,
)
@given(
    held=MONEY,
    sector=MONEY,
    other=MONEY,
    power=MONEY,
    notional=st.decimals("50", "30000", places=2),
    price=st.decimals("1", "900", places=2),
    gap=st.decimals("0.002", "0.2", places=3),
    conviction=st.integers(50, 100),
    short=st.booleans(),
    ask=st.decimals("0", "0.04", places=3),
)
def test_resize_never_increases_and_every_limit_holds_afterwards(
    *,
    held: Decimal,
    sector: Decimal,
    other: Decimal,
    power: Decimal,
    notional: Decimal,
    price: Decimal,
    gap: Decimal,
    conviction: int,
    short: bool,
    ask: Decimal,
) -> None:
    """U-13, U-51, X-19."""
    world = Built(STRICT, sectors={"NVDA": "A", "S": "A", "T": "B"}, buying_power=power)
    world.price("NVDA", price, ask=price * (1 + ask))
    world.world.limits = msgspec.structs.replace(world.world.limits, max_order_notional=notional)
    for symbol, amount in (("NVDA", held), ("S", sector), ("T", other)):
        world.reserve(symbol, amount)
    stop = price * (1 + gap) if short else price * (1 - gap)
    ruling = world.decide(
        signal(
            direction=Direction.SHORT if short else Direction.LONG,
            entry=price,
            stop=stop,
            conviction=conviction,
        )
    )
    steps = [check.max_quantity for check in ruling.checks if check.max_quantity is not None]
    assert steps == sorted(steps, reverse=True)
    if not ruling.allowed:
        assert ruling.quantity is None
        return
    assert ruling.quantity is not None
    assert ruling.size is not None
    assert all(ruling.quantity <= bound.quantity for bound in ruling.size.bounds)
    assert ruling.quantity == ruling.size.quantity
    adds = ruling.quantity * ruling.reserved
    equity, limits = world.world.money.equity, world.world.limits
    assert limits.single_name is not None
    assert limits.sector is not None
    assert limits.gross is not None
    assert held + adds <= limits.single_name * equity
    assert held + sector + adds <= limits.sector * equity
    assert held + sector + other + adds <= limits.gross * equity
    assert adds <= exposure.buying_power(world.world, "paper")
    assert adds <= notional


@pytest.mark.parametrize(
    ("conviction", "ask", "working", "quantity"),
    [
        (60, "5.00", "24990.00", 2),
        (60, "5.00", "24990.01", 1),
        (60, "5.00", "24995.00", 1),
        (60, "5.00", "24995.01", None),
        # A market order is counted at its worst price: 5.005, and 5.2052 where it is asked so.
        (80, "5.00", "24990.00", 1),
        (80, "5.00", "24994.995", 1),
        (80, "5.00", "24994.996", None),
        (80, "5.20", "24994.7948", 1),
        (80, "5.20", "24994.7949", None),
    ],
)
def test_the_last_shares_that_a_sector_has_room_for(
    conviction: int, ask: str, working: str, quantity: int | None
) -> None:
    """A-085, U-51: below, at and above, one share at a time."""
    world = Built(STRICT, sectors={"NVDA": "A", "S": "A"}, buying_power="1000000")
    world.price("NVDA", "5.00", ask=ask)
    world.order("S", 1, working)
    ruling = world.decide(signal(entry="5.00", stop="4.90", conviction=conviction))
    assert (ruling.code, ruling.quantity) == ("SECTOR_EXPOSURE", quantity)
