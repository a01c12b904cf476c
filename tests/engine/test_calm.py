"""A tick that is cut short leads to what the whole tick leads to: nothing (engine.core.calm)."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from engine.core.calm import next_mark, rest_until
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Verdict
from engine.domain.inputs import ModifyFailed, Tick
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import Purpose
from engine.domain.position import ExitReason
from engine.plans import table
from engine.plans.exit import plan_exit
from engine.plans.table import PLANS, Plan
from engine.ports import NotSent
from engine.state.book import Book
from engine.world import World
from tests.engine.driver import CoreDriver, one, protected
from tests.engine.test_fold import Recorded, moves, play
from tests.engine.test_looks import TELLS_ALL
from tests.engine.worlds import BROKER, signal

D = Decimal

WHOLE = "engine.core.calm.rest_until"

MOVED = 0
"""In place of seconds: every stop is moved, and the change does not reach the venue."""

PRICES = {-1: ("100.5", False), -2: ("97", False), -3: ("94.9", False), -4: ("94.5", True)}
"""In place of seconds: a price of NVDA comes, two of them beyond its stop, one as proved."""

RISES = {-5: ("102", False), -6: ("103", True), -7: ("104.5", False)}
"""As `PRICES`, around the highest equity so far."""

REFUSED = -10
"""In place of seconds: a signal comes that is refused for its conviction."""

rests = st.lists(
    st.sampled_from([1, 1, 1, 0.4, MOVED, REFUSED, 59, 60, 61, 600, 7_200, *PRICES, *PRICES]),
    max_size=120,
)
"""Seconds between ticks: through minutes that are marked, the close, and the next days."""


def rest(desk: Recorded, pauses: Sequence[float]) -> list[ev.Record]:
    """Ticks, moves of the stops, and the venue's answers to what they ask for."""
    for pause in pauses:
        if pause == MOVED:
            move_in_vain(desk)
            continue
        if pause == REFUSED:
            signal_comes(desk)
            continue
        for event in price_comes(desk, int(pause)) if pause < 0 else desk.tick(pause):
            if isinstance(event, ev.OrderIntended):
                desk.accept(event.terms)
            elif isinstance(event, ev.ReplaceRequested):
                refuse(desk, event)
            elif isinstance(event, ev.SnapshotRequested):
                look(desk)
    return desk.records


def signal_comes(desk: Recorded) -> None:
    number = f"weak-{len(desk.records)}"
    weak = signal("AAPL", signal_id=number, signal_type=number, conviction=1, at=desk.now)
    decided = desk.signal(weak)[-1]
    assert isinstance(decided, ev.SignalDecided)
    assert decided.verdict is Verdict.REJECTED


def price_comes(desk: Recorded, which: int) -> list[ev.Event]:
    last, proved = (PRICES | RISES)[which]
    return desk.quote("NVDA", last, ask=last if proved else None, trade=proved)


def move_in_vain(desk: Recorded) -> None:
    for position in tuple(desk.book.holdings()):
        stop = position.stop
        if stop is None:
            continue
        further = ask.Protect(symbol=position.symbol, price=stop - position.sign, by="t")
        for event in desk.give(further):
            if isinstance(event, ev.ReplaceRequested):
                refuse(desk, event)


def refuse(desk: Recorded, asked: ev.ReplaceRequested) -> None:
    desk.give(ModifyFailed(asked.account, asked.client_order_id, NotSent("the write failed")))


def look(desk: CoreDriver) -> None:
    """The venue holds and works what the book does."""
    account = desk.book.account("paper")
    held: dict[str, int | str] = {s: str(p.quantity) for s, p in account.positions.items()}
    desk.snapshot(positions=held, orders=tuple(map(desk.works, account.orders.values())))


class Strict(Recorded):
    """A thousandth of equity is the most that a day may lose, so that prices trip it. The venue
    tells all, so that looks at it are rare."""

    def __init__(self) -> None:
        super().__init__(capabilities=TELLS_ALL)
        self.world.limits = msgspec.structs.replace(
            self.world.limits,
            daily_loss=D("0.001"),
            drawdown=D("0.0009"),
            account_max_age_seconds=0,
        )


HELD = [("signal", 0, 30, 100), ("report", 0, 0, 80), ("fill", 0, 24, 100), ("report", 0, 1, 80)]
"""NVDA is held, and its stop rests."""


@settings(max_examples=60, deadline=None)
@example(HELD, [60, 1, 1, MOVED, 0.4, 0.4, 0.4, 0.4])
@example(HELD, [60, 1, 1, -1, 1, -4, 1, 1, 1, 1, 1, 1])
@example(HELD, [60, 1, 1, -1, 59, 1, -2, 1, 60, 1])
@given(moves, rests)
def test_a_tick_in_calm_leads_to_what_a_whole_one_leads_to(
    steps: list[tuple[str, int, int, int]], pauses: list[float]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WHOLE, lambda world, now: now)
        whole = rest(play(steps), pauses)
    assert rest(play(steps), pauses) == whole


@settings(max_examples=60, deadline=None)
@example(HELD, [60, 1, 1, -1, 59, -7, 1, 1, 1, 60, 1])
@example(HELD, [60, 1, 1, -1, 61, -7, 1, 1, 1, 60, 1])
@given(
    moves, st.lists(st.sampled_from([1, 0.4, 59, 60, 61, REFUSED, *PRICES, *RISES]), max_size=120)
)
def test_after_a_mark_triggers_are_left_out_only_where_they_learn_nothing(
    steps: list[tuple[str, int, int, int]], pauses: list[float]
) -> None:
    """The day's limits are narrow here, and equity goes beyond its peaks by prices without
    evidence: the next ticks ask again wherever that matters (X-71, X-74)."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WHOLE, lambda world, now: now)
        whole = rest(play(steps, Strict()), pauses)
    assert rest(play(steps, Strict()), pauses) == whole


@settings(max_examples=60, deadline=None)
@example(HELD, [60, 1, 1, -1, 1, -4, 1, 1, 1, 1, 1, 1])
@given(moves, rests)
def test_triggers_that_are_not_asked_again_would_not_have_held(
    steps: list[tuple[str, int, int, int]], pauses: list[float]
) -> None:
    """X-74: they are left out only where nothing that they look at has changed."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("engine.risk.triggers", "engine.core.consequences"):
            patch.setattr(f"{module}.none_trips", lambda world: False)
        asked = rest(play(steps, Strict()), pauses)
    assert rest(play(steps, Strict()), pauses) == asked


def test_a_protected_position_rests_until_the_next_mark_and_the_end_of_the_day() -> None:
    desk = play([("signal", 0, 30, 100), ("report", 0, 0, 80), ("fill", 0, 24, 100)])
    look(desk)
    for order in tuple(desk.book.account("paper").orders.values()):
        desk.accept(order)
    desk.tick()
    desk.tick()
    calm = min(rest_until(desk.world, desk.now), next_mark(desk.world, desk.now))
    assert 0 < calm - desk.now <= 60 * NS_PER_SECOND
    desk.quote("NVDA", "101")
    assert desk.core.handle(Tick(), desk.now).records == []


def in_calm() -> CoreDriver:
    """149 NVDA with their stop at 95 resting, compared with the venue; ticks lead to nothing."""
    desk = protected(149)
    look(desk)
    desk.tick()
    desk.tick()
    assert desk.core.calm_until > desk.now + NS_PER_SECOND
    return desk


@pytest.mark.parametrize(("later", "asked"), [(0.9, False), (1, True), (1.1, True)])
def test_a_stop_that_was_not_moved_is_asked_for_again_a_second_later(
    later: float, asked: bool
) -> None:
    """Rule 3, X-85; a tick in between, at which nothing is due, changes nothing of it."""
    desk = in_calm()
    one(desk.give(ask.Protect(symbol="NVDA", price=D(97), by="me")), ev.ReplaceRequested)
    stop = desk.last(Purpose.PROTECT)
    desk.give(ModifyFailed(BROKER, stop.client_order_id, NotSent("the write failed")))
    assert desk.tick(0.5) == []
    again = [e.stop_price for e in desk.tick(later - 0.5) if isinstance(e, ev.ReplaceRequested)]
    assert again == [97] * asked


AGE = 10 * NS_PER_SECOND


def aged(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """A plan with a clock: it closes what is held for ten seconds."""
    held = world.book.holding(account, symbol)
    if held is not None and held.exiting is None and now >= held.opened_at + AGE:
        yield from plan_exit(held, reason=ExitReason.TIME_STOP, priority=9)


def of_age(world: World, account: str, symbol: str, now: Nanos) -> Nanos:
    held = world.book.holding(account, symbol)
    assert held is not None
    return held.opened_at + AGE


@pytest.mark.parametrize(("same_until", "rests_until"), [(None, 0), (of_age, AGE)])
def test_a_plan_with_a_clock_is_one_row_and_acts_in_time(
    monkeypatch: pytest.MonkeyPatch,
    same_until: Callable[[World, str, str, Nanos], Nanos] | None,
    rests_until: Nanos,
) -> None:
    row = Plan("aged", aged, Book.holding, same_until)
    monkeypatch.setattr(table, "PLANS", (row, *PLANS))
    desk = protected(149)
    opened = desk.held().opened_at
    look(desk)
    desk.tick()
    assert desk.tick() == []
    assert desk.core.calm_until == (opened + rests_until if rests_until else desk.now)
    desk.now = opened + AGE - 1
    assert desk.tick(0) == []
    desk.now = opened + AGE
    assert one(desk.tick(0), ev.ExitPlanned).decision.reason is ExitReason.TIME_STOP
