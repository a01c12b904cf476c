"""A tick that is cut short leads to what the whole tick leads to: nothing (engine.core.calm)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.calm import calm_until
from engine.domain import events as ev
from engine.domain.inputs import Tick
from engine.domain.instant import NS_PER_SECOND
from tests.engine.test_fold import Recorded, moves, play

WHOLE = "engine.core.decide.calm_until"

rests = st.lists(st.sampled_from([1, 1, 1, 59, 60, 61, 600, 7_200]), max_size=120)
"""Seconds between ticks: through minutes that are marked, the close, and the next days."""


def rest(desk: Recorded, pauses: list[int]) -> list[ev.Record]:
    """Ticks alone, and the venue's answers to what they ask for."""
    for pause in pauses:
        for event in desk.tick(pause):
            if isinstance(event, ev.OrderIntended):
                desk.accept(event.terms)
            elif isinstance(event, ev.SnapshotRequested):
                look(desk)
    return desk.records


def look(desk: Recorded) -> None:
    """The venue holds and works what the book does."""
    account = desk.book.account("paper")
    held: dict[str, int | str] = {s: str(p.quantity) for s, p in account.positions.items()}
    desk.snapshot(positions=held, orders=tuple(map(desk.works, account.orders.values())))


@settings(max_examples=60, deadline=None)
@given(moves, rests)
def test_a_tick_in_calm_leads_to_what_a_whole_one_leads_to(
    steps: list[tuple[str, int, int, int]], pauses: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WHOLE, lambda world, now: now)
        whole = rest(play(steps), pauses)
    assert rest(play(steps), pauses) == whole


def test_a_protected_position_rests_until_the_next_mark_and_the_end_of_the_day() -> None:
    desk = play([("signal", 0, 30, 100), ("report", 0, 0, 80), ("fill", 0, 24, 100)])
    look(desk)
    for order in tuple(desk.book.account("paper").orders.values()):
        desk.accept(order)
    desk.tick()
    desk.tick()
    calm = calm_until(desk.world, desk.now)
    assert 0 < calm - desk.now <= 60 * NS_PER_SECOND
    desk.quote("NVDA", "101")
    assert desk.core.handle(Tick(), desk.now).records == []
