"""The pump, on a loop whose time is moved by hand: how often, in which slots, and what waits."""

import heapq
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, cast

import pytest

from console.ui.pump import LOCAL_HZ, SLOW_HZ, Pump, Timers


class Handle:
    def __init__(self, when: float, call: Callable[[], None]) -> None:
        self._when, self.call, self.cancelled = when, call, False

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self.cancelled = True

    def __lt__(self, other: "Handle") -> bool:
        return self._when < other._when


class HandLoop:
    """Just enough of a loop: a clock and timers."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Handle] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None]) -> Handle:
        handle = Handle(when, call)
        heapq.heappush(self.timers, handle)
        return handle

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.timers and self.timers[0].when() <= end:
            handle = heapq.heappop(self.timers)
            self.now = max(self.now, handle.when())
            if not handle.cancelled:
                handle.call()
        self.now = end

    @property
    def waiting(self) -> int:
        return sum(not t.cancelled for t in self.timers)


class Pane:
    def __init__(self, loop: HandLoop, *, showing: bool = True) -> None:
        self.loop, self.showing, self.at = loop, showing, list[float]()
        self.error: Exception | None = None

    @property
    def is_showing(self) -> bool:
        return self.showing

    def paint(self) -> None:
        if self.error:
            raise self.error
        self.at.append(self.loop.now)


class Host:
    def __init__(self) -> None:
        self.batches = 0

    @contextmanager
    def batch_update(self) -> Iterator[None]:
        self.batches += 1
        yield


@pytest.fixture
def loop() -> HandLoop:
    return HandLoop()


def started(loop: HandLoop, *panes: Pane, **options: Any) -> Pump:
    pump = Pump(Host(), environ={}, **options)
    for pane in panes:
        pump.register(pane)
    pump.start(cast(Timers, loop))
    loop.run(1.0)
    for pane in panes:
        assert len(pane.at) == int(pane.showing)
        pane.at.clear()
    return pump


def test_without_news_there_is_no_timer(loop: HandLoop) -> None:
    started(loop, Pane(loop), Pane(loop))
    assert loop.waiting == 0


def test_the_first_news_after_quiet_is_painted_at_once(loop: HandLoop) -> None:
    pane = Pane(loop)
    pump = started(loop, pane)
    pump.mark(pane)
    before = loop.now
    loop.run(0.001)
    assert pane.at == [before]


def test_constant_news_is_painted_ten_times_a_second(loop: HandLoop) -> None:
    pane = Pane(loop)
    pump = started(loop, pane)
    for _ in range(1_000):
        pump.mark(pane)
        loop.run(0.001)
    assert len(pane.at) in (10, 11)


def test_two_panes_never_share_a_slot(loop: HandLoop) -> None:
    panes = [Pane(loop) for _ in range(5)]
    pump = started(loop, *panes)
    for _ in range(1_000):
        for pane in panes:
            pump.mark(pane)
        loop.run(0.001)
    times = sorted(at for pane in panes for at in pane.at)
    assert all(b - a > 0.019 for a, b in pairwise(times))
    assert all(len(pane.at) >= 9 for pane in panes)


def test_a_hidden_pane_waits_and_costs_nothing(loop: HandLoop) -> None:
    pane = Pane(loop, showing=False)
    pump = started(loop, pane)
    pump.mark(pane)
    loop.run(5.0)
    assert pane.at == []
    assert loop.waiting == 0
    pane.showing = True
    pump.wake()
    loop.run(0.2)
    assert len(pane.at) == 1


def test_urgent_news_does_not_wait_for_a_slot(loop: HandLoop) -> None:
    pane, hidden = Pane(loop), Pane(loop, showing=False)
    pump = started(loop, pane, hidden)
    pump.mark(pane)
    loop.run(0.001)
    pump.urgent(pane, hidden)
    assert pane.at == [pane.at[0], loop.now]
    assert hidden.at == []


def test_ages_are_painted_without_news(loop: HandLoop) -> None:
    pane = Pane(loop)
    pump = Pump(Host(), environ={})
    pump.register(pane, every=1.0)
    pump.start(cast(Timers, loop))
    loop.run(10.01)
    assert len(pane.at) == 11


def test_a_pane_that_fails_stops_no_other_and_recovers(loop: HandLoop) -> None:
    broken, sound = Pane(loop), Pane(loop)
    pump = started(loop, broken, sound)
    broken.error = RuntimeError("drawn badly")
    for _ in range(10):
        pump.mark(broken)
        pump.mark(sound)
        loop.run(0.1)
    assert pump.failures >= 9
    assert len(sound.at) >= 9
    broken.error = None
    pump.mark(broken)
    loop.run(0.2)
    assert len(broken.at) == 1


def test_everything_is_painted_inside_a_batch(loop: HandLoop) -> None:
    host, pane = Host(), Pane(loop)
    pump = Pump(host, environ={})
    pump.register(pane)
    pump.start(cast(Timers, loop))
    loop.run(1.0)
    pump.urgent(pane)
    assert host.batches == len(pane.at) == 2


def test_stopped_it_paints_nothing(loop: HandLoop) -> None:
    pane = Pane(loop)
    pump = started(loop, pane)
    pump.mark(pane)
    pump.stop()
    pump.mark(pane)
    loop.run(1.0)
    assert pane.at == []


@pytest.mark.parametrize(
    ("hz", "environ", "slow", "expected"),
    [
        (0.0, {}, False, LOCAL_HZ),
        (0.0, {}, True, SLOW_HZ),
        (0.0, {"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}, False, SLOW_HZ),
        (20.0, {"SSH_CONNECTION": "x"}, True, 20.0),
    ],
)
def test_the_link_chooses_the_rate_unless_the_config_does(
    hz: float, environ: dict[str, str], slow: bool, expected: float
) -> None:
    assert Pump(Host(), hz=hz, link_is_slow=lambda: slow, environ=environ).hz == expected


@pytest.mark.parametrize(("after", "painted"), [(0.099, False), (0.1, True), (0.101, True)])
def test_a_pump_that_rests_paints_what_is_marked_and_what_is_urgent_afterwards(
    loop: HandLoop, after: float, painted: bool
) -> None:
    marked, urgent = Pane(loop), Pane(loop)
    pump = started(loop, marked, urgent)
    pump.mark(marked)
    pump.rest(0.1)
    pump.urgent(urgent)
    loop.run(after)
    pump.urgent(urgent)
    loop.run(0)
    assert bool(urgent.at) is painted
    loop.run(0.2)
    assert marked.at
    assert urgent.at
    assert min(marked.at + urgent.at) >= 101.1 - 0.001
