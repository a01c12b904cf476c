"""The table of order states: every pair, in words a venue would use (U-20)."""

import itertools

import pytest

from engine.domain.order import TERMINAL, TRANSITIONS, IllegalTransitionError, OrderStatus, move

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
