"""One fold: every event has one rule at most, in the file of its subject (DESIGN, Journal)."""

from engine.state.fold import RULES
from engine.state.folds import (
    fills,
    intents,
    money,
    orders,
    positions,
    process,
    replacing,
    shadow,
    signals,
    venue,
)

SUBJECTS = (fills, intents, money, orders, positions, process, replacing, shadow, signals, venue)


def test_no_event_is_folded_by_two_subjects() -> None:
    assert sum(len(subject.RULES) for subject in SUBJECTS) == len(RULES)
