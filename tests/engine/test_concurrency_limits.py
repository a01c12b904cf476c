"""Signals that arrive together never exceed a limit together (A-084, U-51, T-01).

No `await` stands between a ruling and the reservation it leads to, so "concurrent" means: each is
decided on a book that holds the orders of all before it, and nothing has filled yet. Order rate,
position count and duplicate window are lifted, so that exposure alone holds them.
"""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.config import Config
from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.order import OrderTerms, Purpose
from engine.domain.signal import Direction, Signal
from engine.pipeline.request import signal_request
from engine.pipeline.ruling import Ruling
from engine.pipeline.stages import decide
from engine.risk.gate import CHECKS
from engine.world import exposure
from tests.engine.worlds import BROKER, Built, config_of, signal


def lifted(**risk: str) -> Config:
    """Profile custom: exposure limits as given, the three counts out of the way."""
    limits: dict[str, object] = {
        "max_risk_per_trade": "0.01",
        "daily_loss_limit": "0.5",
        "drawdown_limit": "0.5",
        "max_concurrent_positions": 1_000_000,
        "max_single_stock_exposure": "0.10",
        "max_sector_exposure": "0.25",
        "max_gross_exposure": "1.0",
        "max_trades_per_day": 1_000_000,
        "min_account_equity": "0",
        "consecutive_loss_threshold": 1_000_000,
        "consecutive_loss_pct": "0.03",
        "max_orders_per_minute": 1_000_000,
        "max_open_orders": 1_000_000,
        "max_order_notional": "1000000",
    }
    return config_of(
        profile="custom",
        risk=limits | risk,
        execution={"dedup_window_seconds": 0},
    )


def intend(world: Built, request: Signal, ruling: Ruling) -> None:
    """Reserve as the core does: the order, then the verdict."""
    assert ruling.quantity is not None
    key = f"o-{request.signal_id}"
    world.event(
        ev.OrderIntended(
            terms=OrderTerms(
                client_order_id=key,
                intent_id=key,
                signal_id=request.signal_id,
                account=BROKER,
                symbol=ruling.symbol,
                side=ruling.side,
                type=ruling.order_type,
                quantity=ruling.quantity,
                limit_price=ruling.limit_price,
                time_in_force=ruling.time_in_force,
                purpose=Purpose.ADD if ruling.adding else Purpose.ENTRY,
                reserved=ruling.reserved,
            )
        )
    )


def assert_within(world: Built, *entered: str) -> None:
    """The limits on exposure hold at the worst prices of all that works, for what was `entered`."""
    view, limits = world.world, world.world.limits
    equity = view.money.equity
    assert limits.single_name is not None
    assert limits.sector is not None
    assert limits.gross is not None
    for symbol in entered:
        assert exposure.of_name(view, symbol) <= limits.single_name * equity
    for sector in {view.groups.sector_of(symbol) for symbol in entered}:
        assert exposure.of_sector(view, sector) <= limits.sector * equity
    assert exposure.gross(view) <= limits.gross * equity
    assert exposure.buying_power(view, "paper") >= 0


def stacked(world: Built, request: Signal) -> Ruling:
    """A ruling in which one symbol may be entered again and again: exposure alone decides."""
    rows = tuple(check for check in CHECKS if check.code is not Code.DUPLICATE_POSITION)
    return decide(world.world, signal_request(world.world, request), world.now, rows)


@pytest.mark.parametrize("conviction", [60, 80])
def test_a_hundred_signals_on_one_symbol_stay_within_the_single_name(conviction: int) -> None:
    world = Built(lifted()).price("NVDA", "97.31", ask="97.35")
    for n in range(100):
        request = signal(
            signal_id=f"s-{n}", entry="97.31", stop=str(60 + n % 30), conviction=conviction
        )
        ruling = stacked(world, request)
        if ruling.allowed:
            intend(world, request, ruling)
        assert_within(world, "NVDA")
    assert world.book.reservations.by_symbol["NVDA"] > Decimal(9_800)


def test_a_hundred_signals_on_one_symbol_make_one_entry() -> None:
    """The whole gate: the first enters, the others are duplicates of a working entry."""
    world = Built(lifted()).price("NVDA", "97.31")
    codes = []
    for n in range(100):
        request = signal(signal_id=f"s-{n}", entry="97.31", stop="95")
        ruling = world.decide(request)
        codes.append(ruling.code)
        if ruling.allowed:
            intend(world, request, ruling)
    assert codes.count("DUPLICATE_POSITION") == 99
    assert len(world.book.account("paper").orders) == 1
    assert_within(world, "NVDA")


def test_a_thousand_signals_on_many_symbols_exceed_nothing() -> None:
    symbols = [f"S{n}" for n in range(250)]
    sectors = {symbol: f"sector-{n % 7}" for n, symbol in enumerate(symbols[:-20])}
    world = Built(lifted(), sectors=sectors)
    for n, symbol in enumerate(symbols):
        world.price(symbol, Decimal(10 + n * 7 % 400))
    taken = 0
    for n in range(1_000):
        symbol = symbols[n * 37 % 250]
        price = Decimal(10 + symbols.index(symbol) * 7 % 400)
        long = n % 3 > 0
        request = signal(
            symbol,
            signal_id=f"s-{n}",
            direction=Direction.LONG if long else Direction.SHORT,
            entry=price,
            stop=price * (Decimal("0.97") if long else Decimal("1.03")),
            conviction=50 + n % 50,
        )
        ruling = world.decide(request)
        if ruling.allowed:
            intend(world, request, ruling)
            taken += 1
    assert_within(world, *symbols)
    assert taken >= 10
    assert exposure.gross(world.world) > Decimal("0.98") * world.world.money.equity


@settings(max_examples=40)
@given(
    plan=st.lists(
        st.tuples(
            st.sampled_from(["A", "B", "C", "D"]),
            st.booleans(),
            st.integers(50, 100),
            st.sampled_from(["0.5", "1", "3", "15"]),
            st.sampled_from(["intend", "fill", "cancel", "move"]),
        ),
        max_size=60,
    )
)
def test_any_mix_of_signals_fills_cancels_and_prices_adds_nothing_beyond_a_limit(
    plan: list[tuple[str, bool, int, str, str]],
) -> None:
    """A price may carry a holding beyond a limit; a new entry never does."""
    world = Built(lifted(), sectors={"A": "x", "B": "x"})
    prices = dict.fromkeys("ABCD", Decimal(100))
    for symbol, price in prices.items():
        world.price(symbol, price)
    for n, (symbol, long, conviction, gap, then) in enumerate(plan):
        price, distance = prices[symbol], Decimal(gap)
        request = signal(
            symbol,
            signal_id=f"s-{n}",
            direction=Direction.LONG if long else Direction.SHORT,
            entry=price,
            stop=price - distance if long else price + distance,
            conviction=conviction,
        )
        ruling = world.decide(request)
        if ruling.allowed:
            intend(world, request, ruling)
            assert_within(world, symbol)
        working = list(world.book.account("paper").orders.values())
        if then == "fill" and working:
            world.fill(working[0], None, working[0].limit_price or prices[working[0].symbol])
        elif then == "cancel" and working:
            world.event(
                ev.OrderCanceled(
                    account="paper", client_order_id=working[0].client_order_id, reason="test"
                )
            )
        elif then == "move":
            prices[symbol] = price + distance
            world.price(symbol, prices[symbol])
