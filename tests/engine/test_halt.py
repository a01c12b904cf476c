"""A second halt raises the first and never lowers it, wherever the two meet (C-503)."""

from itertools import product

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.inputs import LatchFound
from engine.domain.run import Flatten, Halt, Level, Trigger
from tests.engine.driver import CoreDriver

FURTHER = [
    (Level.HALT, Flatten.NONE),
    (Level.KILL, Flatten.NONE),
    (Level.KILL, Flatten.DAY),
    (Level.KILL, Flatten.ALL),
]
"""Every way to stop, each going further than the one before."""


def halt(level: Level, flatten: Flatten, by: str = "test") -> Halt:
    return Halt(
        reason=f"by {by}",
        at=1,
        by=by,
        level=level,
        trigger=Trigger.MANUAL,
        flatten=flatten,
        epoch=0,
    )


def test_a_reach_says_which_of_two_goes_further() -> None:
    reaches = [halt(*each).reach for each in FURTHER]
    assert reaches == sorted(set(reaches))


@pytest.mark.parametrize(("first", "second"), tuple(product(range(4), repeat=2)))
def test_what_stands_is_never_lowered_and_says_who_was_last(first: int, second: int) -> None:
    standing = halt(*FURTHER[first], by="ann")
    after = standing.raised_by(halt(*FURTHER[second], by="bob"))
    assert (after.level, after.flatten) == FURTHER[max(first, second)]
    assert (after.by, after.reason) == ("bob", "by bob")


@pytest.mark.parametrize(("first", "second"), tuple(product(range(4), repeat=2)))
def test_the_core_records_what_goes_further_and_nothing_else(first: int, second: int) -> None:
    desk = CoreDriver()
    desk.give(LatchFound(halt(*FURTHER[first])))
    told = desk.give(LatchFound(halt(*FURTHER[second])))
    assert any(isinstance(event, ev.Halted) for event in told) is (second > first)
    stands = desk.book.data.halt
    assert stands is not None
    assert (stands.level, stands.flatten) == FURTHER[max(first, second)]


def test_a_halt_closes_nothing_whatever_its_file_says() -> None:
    desk = CoreDriver()
    desk.give(LatchFound(halt(Level.HALT, Flatten.ALL)))
    assert desk.book.data.halt is not None
    assert desk.book.data.halt.flatten is Flatten.NONE


def test_one_that_is_raised_has_the_epoch_of_the_last() -> None:
    standing = msgspec.structs.replace(halt(Level.KILL, Flatten.ALL), epoch=4)
    assert standing.raised_by(halt(Level.HALT, Flatten.NONE)).epoch == 0
