"""What G18 makes of what it measured."""

import pytest

from tests.bench.load import Found
from tests.bench.rows import flood


def test_the_time_to_recover_is_that_of_the_last_order_that_was_late() -> None:
    after = Found(at=100.0)
    after.handed_at, after.handed = [100.2, 100.9, 103.0], [80.0, 5.1, 5.0]
    assert flood.recovered(after) == pytest.approx(0.9)
    after.handed = [5.0, 5.0, 5.0]
    assert flood.recovered(after) == 0
