"""What happened lately is counted and forgotten by its moment (X-66, X-87, C-423)."""

import pytest

from engine.state.recent import count_after, forget, swept


@pytest.mark.parametrize(
    ("at", "left"),
    [(9, [10, 20, 20, 30]), (10, [20, 20, 30]), (20, [30]), (29, [30]), (30, []), (31, [])],
)
def test_a_moment_counts_only_after_the_bound_and_is_forgotten_up_to_it(
    at: int, left: list[int]
) -> None:
    moments = [10, 20, 20, 30]
    assert count_after(moments, at) == len(left)
    forget(moments, at)
    assert moments == left


def test_nothing_is_counted_or_forgotten_where_nothing_happened() -> None:
    moments: list[int] = []
    forget(moments, 10)
    assert (moments, count_after(moments, 10)) == ([], 0)


@pytest.mark.parametrize(("size", "left"), [(7, 7), (8, 3), (9, 9), (15, 15), (16, 11)])
def test_what_has_keys_is_swept_only_once_there_are_many_and_then_at_each_doubling(
    size: int, left: int
) -> None:
    moments = {str(number): number for number in range(size)}
    found = swept(moments, 4, least=8)
    assert len(found) == left
    assert [*found] == [*moments][size - left :]
