"""What a fill makes of a holding: open, add, reduce, close, flip (U-18, C-155, D-42, A-393)."""

from decimal import Decimal

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from engine.domain.instrument import AssetClass
from engine.domain.order import Fill, Side
from engine.state.holdings import (
    change,
    is_closed_by,
    is_opened_by,
    opened_by,
    position_id_of,
    round_trip,
)
from engine.state.position import Position

ONE = Decimal(1)


def fill(
    quantity: int | str, price: int | str, *, fee: int | str = 0, n: int = 1, at: int = 1
) -> Fill:
    amount = Decimal(quantity)
    return Fill(
        execution_id=f"x{n}",
        client_order_id="o1",
        account="paper",
        symbol="SPY",
        side=Side.BUY if amount > 0 else Side.SELL,
        quantity=abs(amount),
        price=Decimal(price),
        commission=Decimal(fee),
        time=at,
    )


def held(*fills: Fill) -> Position:
    position: Position | None = None
    for one in fills:
        position = change(position, one, ONE, None).after
    assert position is not None
    return position


def test_d42_a_short_has_its_average_price() -> None:
    short = held(fill(-10, 100), fill(-10, 110, n=2))
    assert short.quantity == -20
    assert short.average_price == 105
    assert short.unrealized(Decimal(100)) == 100


def test_adding_moves_the_average_and_reducing_does_not() -> None:
    long = held(fill(10, 100), fill(10, 110, n=2), fill(-5, 120, n=3))
    assert (long.quantity, long.average_price, long.realized) == (15, 105, 75)


def test_d42_a_flip_closes_one_side_and_opens_the_other_at_the_fill_price() -> None:
    outcome = change(held(fill(10, 100)), fill(-25, 90, fee=5, n=2), ONE, None)
    assert outcome.closed is not None
    assert outcome.after is not None
    assert (outcome.closed.quantity, outcome.closed.realized) == (0, -100)
    assert (outcome.after.quantity, outcome.after.average_price) == (-15, 90)
    assert outcome.closed.commission + outcome.after.commission == 5
    assert outcome.opened == 15
    assert outcome.after.position_id != outcome.closed.position_id


def test_a393_a_round_trip_counts_fees_and_the_multiplier() -> None:
    bought = change(None, fill(2, 10, fee=1), Decimal(100), None).after
    sold = fill(-2, 12, fee=1, n=2, at=9)
    closed = change(bought, sold, Decimal(100), None).closed
    assert closed is not None
    trade = round_trip(
        closed,
        sold,
        asset_class=AssetClass.OPTION,
        reason="target",
        detail="",
        mae=None,
        mfe=None,
    )
    assert (trade.pnl, trade.fees, trade.direction) == (398, 2, "long")
    assert trade.instrument_type == "option"
    assert trade.pnl_pct == Decimal("0.199")


def test_d10_r_is_measured_from_the_initial_stop() -> None:
    bought = held(fill(10, 100))
    bought = msgspec.structs.replace(bought, initial_stop=Decimal(95), stop=Decimal(100))
    sold = fill(-10, 110, n=2)
    closed = change(bought, sold, ONE, None).closed
    assert closed is not None
    trade = round_trip(
        closed,
        sold,
        asset_class=AssetClass.OPTION,
        reason="target",
        detail="",
        mae=None,
        mfe=None,
    )
    assert trade.r_multiple == 2


quantities = st.integers(-50, 50).filter(bool)
prices = st.decimals(Decimal("0.01"), Decimal(1000), places=2)
fees = st.decimals(Decimal(0), Decimal(5), places=4)


@given(st.lists(st.tuples(quantities, prices, fees), min_size=1, max_size=25), prices)
def test_cash_and_positions_conserve_exactly(
    legs: list[tuple[int, Decimal, Decimal]], mark: Decimal
) -> None:
    """Cash spent plus value held equals realised plus unrealised less commission, to the digit."""
    position: Position | None = None
    cash = realized = commission = Decimal(0)
    for n, (quantity, price, fee) in enumerate(legs):
        one = fill(quantity, str(price), fee=str(fee), n=n)
        outcome = change(position, one, ONE, None)
        cash -= quantity * price + fee
        realized += outcome.realized
        commission += fee
        position = outcome.after
    value = position.market_value(mark) if position else Decimal(0)
    unrealized = position.unrealized(mark) if position else Decimal(0)
    assert cash + value == realized + unrealized - commission
    assert (position.quantity if position else 0) == sum(q for q, _, _ in legs)


@given(st.lists(st.tuples(quantities, prices), min_size=1, max_size=25))
def test_what_a_fill_will_do_is_what_it_does(legs: list[tuple[int, Decimal]]) -> None:
    position: Position | None = None
    for n, (quantity, price) in enumerate(legs):
        one = fill(quantity, str(price), n=n)
        outcome = change(position, one, ONE, None)
        assert opened_by(position, one) == outcome.opened
        assert is_closed_by(position, one) is (outcome.closed is not None)
        will_open = position_id_of(one, None) if is_opened_by(position, one) else ""
        assert will_open == outcome.position_id
        position = outcome.after
