"""What an overload refuses is one event a second, each signal with one outcome (X-89, rule 6)."""

import pytest

from engine.domain import events as ev
from engine.domain.codes import Code, Outcome, Stage, Verdict
from engine.domain.commands import Kill, Pause
from engine.domain.inputs import SignalArrived, Start, Stop
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND
from engine.state.book import Book
from engine.state.fold import apply
from engine.world import World
from tests.engine.driver import CoreDriver, kinds, one
from tests.engine.test_calm import look
from tests.engine.test_fold import play
from tests.engine.worlds import ABLE, config_of, signal

WAIT = 300 * NS_PER_MS


def desk() -> CoreDriver:
    return CoreDriver(config_of(profile="axion_aggressive")).price("NVDA", "100")


def offer(desk: CoreDriver, signal_id: str, waited: int = WAIT) -> list[ev.Event]:
    """The events that one signal leads to."""
    return desk.give(SignalArrived(signal("NVDA", signal_id=signal_id, conviction=60), waited))


def ids(event: ev.SignalsRefused) -> list[str]:
    return [refusal.signal_id for refusal in event.refusals]


def told(desk: CoreDriver) -> list[list[str]]:
    """The ids of every event that told of refusals, in order."""
    return [ids(event) for event in desk.of(ev.SignalsRefused)]


def after(desk: CoreDriver, *, running: bool = False) -> CoreDriver:
    """The process that starts on the state another one left."""
    again = CoreDriver(running=running)
    again.now = desk.now
    again.book = Book.restore(desk.book.snapshot())
    again.world = World(again.book, desk.world.config, {"paper": ABLE}, home_calendar="XNYS")
    again.core.world = again.world
    return again


START = Start(version="test", accounts={"paper": "test-account"}, config_digest="")


# --- one event a second ---------------------------------------------------------------------------


def test_below_capacity_a_signal_has_the_events_it_always_had() -> None:
    made = desk()
    assert kinds(offer(made, "a", 250 * NS_PER_MS))[:2] == ["SignalReceived", "SignalDecided"]
    assert told(made) == []


def test_the_first_refusal_is_recorded_at_once() -> None:
    made = desk()
    event = one(offer(made, "a"), ev.SignalsRefused)
    assert (event.code, event.stage, event.count) == (Code.OVERLOADED, Stage.KILL_SWITCH, 1)
    (refusal,) = event.refusals
    assert (refusal.signal_id, refusal.symbol, refusal.at) == ("a", "NVDA", made.now)
    assert (refusal.measured, refusal.limit) == ("300 ms", "250 ms")


def test_the_refusals_of_a_second_are_one_event_in_the_order_they_came() -> None:
    made = desk()
    offer(made, "a")
    for n in range(5):
        assert offer(made.later(0.15), f"b{n}") == []
    events = made.tick(0.25)
    event = one(events, ev.SignalsRefused)
    assert ids(event) == ["b0", "b1", "b2", "b3", "b4"]
    assert event.count == 5
    assert {refusal.limit for refusal in event.refusals} == {"50 ms"}
    assert [r.at for r in event.refusals] == sorted({r.at for r in event.refusals})


@pytest.mark.parametrize(("seconds", "events"), [(0.999, 1), (1.0, 2), (1.001, 2)])
def test_a_second_after_the_last_event_the_next_may_come(seconds: float, events: int) -> None:
    made = desk()
    offer(made, "a")
    offer(made.later(seconds), "b")
    assert len(told(made)) == events


def test_the_next_second_has_the_next_event() -> None:
    made = desk()
    for n in range(31):
        offer(made, f"s{n}")
        made.later(0.1)
    made.tick()
    assert told(made) == [
        ["s0"],
        [f"s{n}" for n in range(1, 10)],
        [f"s{n}" for n in range(10, 20)],
        [f"s{n}" for n in range(20, 30)],
        ["s30"],
    ]


def test_nothing_is_decided_after_the_second_before_its_refusals_are_recorded() -> None:
    made = desk()
    offer(made, "a")
    offer(made.later(0.5), "b")
    events = made.later(0.5).give(Pause(by="test"))
    assert kinds(events)[0] == "SignalsRefused"
    assert "Paused" in kinds(events)


def test_a_tick_is_asked_for_when_the_second_ends() -> None:
    made = desk()
    assert made.core.due_at is None
    offer(made, "a")
    assert made.core.due_at is None
    first = made.now
    offer(made.later(0.4), "b")
    assert made.core.due_at == first + NS_PER_SECOND
    made.tick(0.6)
    assert made.core.due_at is None


def test_a_tick_that_would_lead_to_nothing_still_records_them() -> None:
    """The core leaves out ticks while nothing can have changed; this is none of them."""
    made = play([("signal", 0, 30, 100), ("report", 0, 0, 80), ("fill", 0, 24, 100)])
    look(made)
    for order in tuple(made.book.account("paper").orders.values()):
        made.accept(order)
    made.tick()
    offer(made, "a")
    offer(made.later(0.5), "b")
    assert made.tick(0.1) == []
    assert made.core.calm_until > made.now + NS_PER_SECOND
    assert kinds(made.tick(0.4)) == ["SignalsRefused"]
    assert told(made) == [["a"], ["b"]]


def test_an_engine_that_stops_records_what_is_gathered_first() -> None:
    made = desk()
    offer(made, "a")
    offer(made.later(0.1), "b")
    events = made.later(0.1).give(Stop("the end"))
    assert kinds(events)[0] == "SignalsRefused"
    assert told(made) == [["a"], ["b"]]


def test_a_kill_does_not_wait_for_what_is_gathered() -> None:
    made = desk()
    offer(made, "a")
    offer(made.later(0.1), "b")
    assert "Halted" in kinds(made.give(Kill(by="test")))
    made.tick()
    assert told(made) == [["a"], ["b"]]


def test_a_signal_refused_for_another_reason_meanwhile_is_an_event_of_its_own() -> None:
    made = desk()
    offer(made, "a")
    made.give(Pause(by="test"))
    decided = one(offer(made.later(0.1), "b"), ev.SignalDecided)
    assert decided.code == Code.RUN_STATE


# --- exactly one outcome --------------------------------------------------------------------------


def test_whoever_asked_gets_the_verdict_at_once() -> None:
    made = desk()
    offer(made, "a")
    asked = signal("NVDA", signal_id="b", conviction=60)
    step = made.core.handle(SignalArrived(asked, WAIT), made.now)
    assert step.records == []
    assert step.refused is not None
    assert (step.refused.signal_id, step.refused.symbol) == ("b", "NVDA")
    assert (step.refused.verdict, step.refused.code) == (Verdict.REJECTED, Code.OVERLOADED)
    assert (step.refused.measured, step.refused.limit) == ("300 ms", "50 ms")
    assert step.refused.client_order_ids == ()


def test_the_verdict_is_that_of_the_signal_and_not_of_those_it_made_due() -> None:
    made = desk()
    offer(made, "a")
    offer(made.later(0.5), "b")
    made.later(0.5)
    asked = signal("NVDA", signal_id="c", conviction=60)
    step = made.core.handle(SignalArrived(asked, WAIT), made.now)
    assert [ids(r.event) for r in step.records if isinstance(r.event, ev.SignalsRefused)] == [["b"]]
    assert step.refused is not None
    assert step.refused.signal_id == "c"


def test_a_flood_counts_every_signal_once() -> None:
    made = desk()
    for n in range(250):
        offer(made.later(0.01), f"s{n}")
    made.tick()
    listed = [signal_id for event in told(made) for signal_id in event]
    assert listed == [f"s{n}" for n in range(250)]
    assert made.book.data.outcomes == {Code.OVERLOADED: 250}
    assert sum(event.count for event in made.of(ev.SignalsRefused)) == 250


def test_an_id_that_was_refused_is_free_and_one_offered_twice_has_two_outcomes() -> None:
    made = desk()
    offer(made, "a")
    offer(made.later(0.1), "a")
    taken = one(offer(made.later(0.1), "a", 10 * NS_PER_MS), ev.SignalDecided)
    assert taken.verdict is not Verdict.REJECTED
    again = one(offer(made.later(0.1), "a", 10 * NS_PER_MS), ev.SignalDecided)
    assert again.code == Code.DUPLICATE_SIGNAL
    made.tick()
    assert told(made) == [["a"], ["a"]]
    assert made.book.data.outcomes == {Code.OVERLOADED: 2, Code.DUPLICATE_SIGNAL: 1}


def test_an_accepted_id_that_is_offered_in_the_flood_keeps_its_own_outcome() -> None:
    made = desk()
    offer(made, "a", 0)
    accepted = made.book.data.signals["a"]
    offer(made.later(0.1), "a")
    assert made.book.data.signals["a"] == accepted
    assert accepted.outcome is not Outcome.REJECTED


def test_the_fold_of_the_events_is_the_state() -> None:
    made = desk()
    base = Book.restore(made.book.snapshot())
    records = []
    for n in range(15):
        made.later(0.1)
        asked = signal("NVDA", signal_id=f"s{n}", conviction=60)
        records += made.core.handle(SignalArrived(asked, WAIT), made.now).records
    for record in records:
        apply(base, record)
    assert base.snapshot() == made.book.snapshot()


# --- a restart ------------------------------------------------------------------------------------


def lost(again: CoreDriver) -> list[ev.Alarmed]:
    events = again.give(START)
    return [e for e in events if isinstance(e, ev.Alarmed) and e.code == "REFUSALS_LOST"]


def test_a_process_that_died_within_the_second_may_have_lost_some_and_the_start_says_so() -> None:
    made = desk()
    offer(made, "a")
    offer(made.later(0.5), "b")
    (alarm,) = lost(after(made.later(60)))
    assert "2013-10-07T16:00:00Z" in alarm.text


@pytest.mark.parametrize(("seconds", "said"), [(0.999, True), (1.0, False), (1.001, False)])
def test_an_event_after_the_second_proves_that_none_was_lost(seconds: float, said: bool) -> None:
    made = desk()
    offer(made, "a")
    made.later(seconds).give(Pause(by="test"))
    assert bool(lost(after(made.later(60)))) is said


def test_an_orderly_stop_lost_none_and_a_state_that_never_refused_says_nothing() -> None:
    made = desk()
    offer(made, "a")
    offer(made.later(0.1), "b")
    made.give(Stop("the end"))
    assert lost(after(made)) == []
    assert lost(after(desk())) == []


def test_it_is_said_once() -> None:
    made = desk()
    offer(made, "a")
    first = after(made.later(60))
    assert lost(first)
    assert lost(after(first.later(1))) == []


def test_a_restart_within_the_second_does_not_make_a_second_event_of_it() -> None:
    made = desk()
    offer(made, "a")
    again = after(made.later(0.5), running=False)
    assert offer(again, "b") == []
    events = again.tick(0.5)
    assert ids(one(events, ev.SignalsRefused)) == ["b"]
