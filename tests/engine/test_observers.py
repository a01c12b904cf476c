"""Observers are told of every record once, in the order of the journal, whatever one does."""

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from tests.engine.wires import Rig, play


class Broken:
    """An observer that raises at every pause it is told of."""

    def __init__(self) -> None:
        self.told = 0

    def __call__(self, record: ev.Record) -> None:
        self.told += 1
        if isinstance(record.event, ev.Paused):
            raise ValueError("a row is missing")


def alarms(records: list[ev.Record]) -> list[ev.Alarmed]:
    found = [r.event for r in records if isinstance(r.event, ev.Alarmed)]
    return [event for event in found if event.code == "OBSERVER_FAILED"]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_those_behind_one_that_fails_hear_every_record_in_its_order(count: int) -> None:
    async def scene(rig: Rig) -> None:
        for _ in range(count):
            rig.engine.subscribe(Broken())
        behind: list[ev.Record] = []
        rig.engine.subscribe(behind.append)
        await rig.engine.command(ask.Pause(by="ann"))
        numbers = [record.seq for record in behind]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert numbers[-1] == rig.engine.book.data.seq
        assert len(alarms(behind)) == count
        assert all("ValueError: a row is missing" in alarm.text for alarm in alarms(behind))

    play(scene)


def at_an_alarm(record: ev.Record) -> None:
    if isinstance(record.event, ev.Alarmed):
        raise KeyError("again")


def test_one_that_fails_is_told_no_more_and_trading_goes_on() -> None:
    async def scene(rig: Rig) -> None:
        broken = Broken()
        rig.engine.subscribe(broken)
        await rig.engine.command(ask.Pause(by="ann"))
        told = broken.told
        await rig.engine.command(ask.Unpause(by="ann"))
        rig.signal()
        await rig.until(lambda: rig.engine.book.holding("paper", "AAA") is not None)
        assert broken.told == told

    play(scene)


@pytest.mark.parametrize("fails", [False, True])
def test_one_may_be_ended_whether_it_failed_or_not_and_more_than_once(fails: bool) -> None:
    async def scene(rig: Rig) -> None:
        observer = Broken()
        end = rig.engine.subscribe(observer)
        behind: list[ev.Record] = []
        rig.engine.subscribe(behind.append)
        if fails:
            await rig.engine.command(ask.Pause(by="ann"))
        end()
        end()
        told, heard = observer.told, len(behind)
        await rig.engine.command(ask.Unpause(by="ann"))
        assert observer.told == told
        assert len(behind) > heard

    play(scene)


def test_of_one_that_follows_twice_each_is_ended_for_itself() -> None:
    async def scene(rig: Rig) -> None:
        told: list[ev.Record] = []

        def hear(record: ev.Record, touched: object) -> None:
            told.append(record)

        first, second = rig.engine.follow(hear), rig.engine.follow(hear)
        first()
        first()
        await rig.engine.command(ask.Pause(by="ann"))
        numbers = [record.seq for record in told]
        assert numbers
        assert numbers == sorted(set(numbers))
        second()
        await rig.engine.command(ask.Unpause(by="ann"))
        assert [record.seq for record in told] == numbers

    play(scene)


def test_one_that_fails_at_the_news_of_the_failure_is_told_of_too() -> None:
    async def scene(rig: Rig) -> None:
        rig.engine.subscribe(Broken())
        rig.engine.subscribe(at_an_alarm)
        await rig.engine.command(ask.Pause(by="ann"))
        raised = [alarm.text.partition(":")[0] for alarm in alarms(rig.records)]
        assert raised == ["ValueError", "KeyError"]
        numbers = [record.seq for record in rig.records]
        assert numbers == sorted(numbers)

    play(scene)
