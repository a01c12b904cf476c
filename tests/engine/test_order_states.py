"""The table of order states: every pair, in words a venue would use (U-20)."""

import itertools
from decimal import Decimal

import msgspec
import pytest

from engine.domain.order import (
    TERMINAL,
    TRANSITIONS,
    IllegalTransitionError,
    OrderStatus,
    OrderTerms,
    OrderType,
    Purpose,
    Side,
    TimeInForce,
    move,
)
from engine.domain.signal import TradeType
from engine.state.order import Order

S = OrderStatus
ENDS = {S.FILLED, S.CANCELED, S.REJECTED, S.EXPIRED}

# What may follow what, written out independently of the table under test.
LEGAL = {
    S.CREATED: set(S) - {S.CREATED, S.PENDING_REPLACE},
    S.PENDING_NEW: set(S) - {S.CREATED, S.PENDING_NEW, S.PENDING_REPLACE},
    S.NEW: set(S) - {S.CREATED, S.PENDING_NEW, S.NEW},
    S.PARTIALLY_FILLED: set(S) - {S.CREATED, S.PENDING_NEW, S.NEW},
    S.SUSPENDED: set(S) - {S.CREATED, S.PENDING_NEW, S.SUSPENDED},
    S.PENDING_CANCEL: set(S) - {S.CREATED, S.PENDING_NEW, S.PENDING_REPLACE},
    S.PENDING_REPLACE: set(S) - {S.CREATED, S.PENDING_NEW},
    S.UNKNOWN: set(S) - {S.CREATED},
    S.FILLED: {S.FILLED},
    S.CANCELED: {S.CANCELED, S.FILLED},
    S.REJECTED: {S.CANCELED, S.FILLED},
    S.EXPIRED: {S.EXPIRED, S.FILLED},
}


@pytest.mark.parametrize(("current", "target"), itertools.product(S, S))
def test_u20_every_pair_of_states(current: OrderStatus, target: OrderStatus) -> None:
    if target in LEGAL[current]:
        assert move(current, target) is target
    else:
        with pytest.raises(IllegalTransitionError, match=f"from {current} to {target}"):
            move(current, target)


def test_u20_the_table_knows_every_state_and_the_four_ends() -> None:
    assert set(TRANSITIONS) == set(S)
    assert TERMINAL == ENDS


def test_u20_only_a_fill_leaves_an_end() -> None:
    for end in ENDS - {S.FILLED, S.REJECTED}:
        assert TRANSITIONS[end] == {end, S.FILLED}


def test_an_order_has_every_term_that_was_decided() -> None:
    terms = OrderTerms(
        client_order_id="c1",
        intent_id="i1",
        signal_id="s1",
        parent_id="p1",
        orig_client_order_id="c0",
        account="paper",
        symbol="NVDA",
        side=Side.SELL_SHORT,
        type=OrderType.STOP_LIMIT,
        quantity=Decimal(7),
        limit_price=Decimal(99),
        stop_price=Decimal(98),
        time_in_force=TimeInForce.GTC,
        reduce_only=True,
        purpose=Purpose.ADD,
        reserved=Decimal(101),
        reference=Decimal(100),
        trade_type=TradeType.SWING,
        stop_loss=Decimal(110),
        target=Decimal(80),
        managed=True,
        conviction=77,
        signal_type="t1",
        timeframe="5m",
        resized=True,
        reason="because",
        timeout_seconds=30,
        attempt=3,
        check_first=True,
        routed="another did not take it",
        named=True,
    )
    for field in msgspec.structs.fields(OrderTerms):
        assert getattr(terms, field.name) != field.default, (
            f"{field.name}: the default shows nothing"
        )
    order = Order.of(terms, seq=5, at=6)
    assert order.terms == terms
    assert (order.seq, order.created_at, order.updated_at) == (5, 6, 6)
