"""One fill that is told twice counts once, whatever its two times are (X-91, rule 2)."""

from collections.abc import Callable
from itertools import permutations

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.domain.order import Fill, OrderStatus, Side
from tests.engine.driver import CoreDriver

MIDNIGHT = parse_rfc3339("2013-10-08T00:00:00Z")
HOUR = 3600 * NS_PER_SECOND

TIMES: dict[str, Callable[[int], int]] = {
    "right": lambda time: time,
    "none": lambda time: 0,
    "in microseconds": lambda time: time // 1_000,
    "in milliseconds": lambda time: time // 1_000_000,
    "in seconds": lambda time: time // NS_PER_SECOND,
}


def bought(at: int) -> tuple[CoreDriver, Fill]:
    """A day trade's order of 20 that works, and the first fill of it, for 5 at `at`."""
    desk = CoreDriver().price("NVDA", "100")
    desk.place(Side.BUY, 20)
    order = desk.of(ev.OrderIntended)[-1].terms
    desk.accept(order)
    desk.now = at
    return desk, desk.execution(order, 5, "100")


def tell(desk: CoreDriver, fill: Fill, **changes: object) -> int:
    """It is reported; how many count by now."""
    told = msgspec.structs.replace(fill, **changes)
    order = desk.of(ev.OrderIntended)[-1].terms
    desk.report(order, OrderStatus.PARTIALLY_FILLED, fill=told)
    return len(desk.of(ev.OrderFilled))


@pytest.mark.parametrize(
    ("first", "second"), [("right", name) for name in TIMES if name != "right"]
)
@pytest.mark.parametrize("turned", [False, True])
def test_x91_a_time_that_is_missing_or_in_another_unit_makes_no_second_fill(
    first: str, second: str, turned: bool
) -> None:
    names = (second, first) if turned else (first, second)
    desk, fill = bought(MIDNIGHT - 4 * HOUR)
    for name in names:
        assert tell(desk, fill, time=TIMES[name](fill.time)) == 1
    assert desk.held().quantity == 5


@pytest.mark.parametrize("apart", list(permutations((-1, 0, 1, 4), 2)))
def test_x91_a_fill_that_is_told_on_both_sides_of_midnight_is_one(apart: tuple[int, int]) -> None:
    desk, fill = bought(MIDNIGHT)
    for seconds in apart:
        assert tell(desk, fill, time=MIDNIGHT + seconds * NS_PER_SECOND) == 1


@pytest.mark.parametrize(
    ("time", "changes"),
    [
        (MIDNIGHT + 6 * NS_PER_SECOND, {}),
        (MIDNIGHT + 1, {"price": 101}),
        (MIDNIGHT + 1, {"quantity": 6}),
        (MIDNIGHT + 20 * HOUR, {}),
    ],
)
def test_x91_an_id_that_is_used_again_on_the_next_day_is_another_fill(
    time: int, changes: dict[str, int]
) -> None:
    desk, fill = bought(MIDNIGHT - 2 * NS_PER_SECOND)
    assert tell(desk, fill) == 1
    desk.now = time
    numbers = {name: type(fill.price)(value) for name, value in changes.items()}
    assert tell(desk, fill, time=time, **numbers) == 2
    assert "bad_fill" not in desk.book.account("paper").blocked.get("NVDA", {})


def test_x91_an_id_that_is_used_again_by_another_order_at_midnight_is_another_fill() -> None:
    desk, fill = bought(MIDNIGHT - 1)
    assert tell(desk, fill) == 1
    desk.now = MIDNIGHT + 1
    assert tell(desk, fill, time=MIDNIGHT + 1, client_order_id="another") == 2


@pytest.mark.parametrize("changes", [{}, {"time": 0}, {"time": 12 * HOUR}, {"client_order_id": ""}])
def test_x91_what_is_remembered_of_a_fill_is_every_name_that_it_is_asked_by(
    changes: dict[str, object],
) -> None:
    _, fill = bought(MIDNIGHT - 1)
    fill = msgspec.structs.replace(fill, **changes)
    asked = (fill.content, fill.of_order, fill.about(), fill.midnight)
    assert fill.names() == [name for name in asked if name]
    times = [0, 1, fill.time, MIDNIGHT]
    assert fill.contents_at(times) == [
        msgspec.structs.replace(fill, time=time).content for time in times
    ]
