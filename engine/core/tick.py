"""What is due by time."""

from collections.abc import Iterator

from engine.core import comparison, doubt, untold
from engine.core.consequences import ask_triggers
from engine.core.day import lift_expired, mark, roll, with_the_day
from engine.core.exits import ask_exits
from engine.core.follow import followed
from engine.core.life import ready
from engine.core.links import lose_links
from engine.core.withdraw import end_late_entries, end_withheld_entries
from engine.domain import events as ev
from engine.domain.inputs import Ready, Tick
from engine.domain.instant import Nanos
from engine.domain.run import Phase
from engine.intake import queue
from engine.plans import kill as work
from engine.plans import suspected_split
from engine.plans.protect import give_up, overdue, tell, why_bare
from engine.plans.table import advance
from engine.state.waiting import waiting_places
from engine.world import World


def tick(world: World, given: Tick, now: Nanos) -> Iterator[ev.Event]:
    """Do what is due by time: a new day, deadlines, exits, triggers, comparisons, a kill's step."""
    data = world.book.data
    yield from roll(world, now)
    yield from lift_expired(world, now)
    yield from lose_links(world, now)
    yield from followed(world, end_withheld_entries(world), now)
    yield from doubt.deadlines(world, now)
    yield from doubt.at_last(world, now)
    yield from untold.due(world, now)
    if data.phase is Phase.STARTING:
        yield from ready(world, Ready(), now)
    if data.phase is Phase.RUNNING:
        for position in tuple(world.holdings()):
            if overdue(world, position, now):
                yield from give_up(position, why_bare(world, position))
            else:
                yield from tell(world, position, now)
            yield from ask_exits(world, position, now)
            yield from advance(world, position.account, position.symbol, now)
        for account, symbol in waiting_places(world.book):
            yield from advance(world, account, symbol, now)
        yield from followed(world, end_late_entries(world, now), now)
        yield from followed(world, queue.release(world, now), now)
        yield from ask_triggers(world, now)
        yield from mark(world, now)
    yield from followed(world, suspected_split.due(world, now), now)
    yield from comparison.due(world, now)
    yield from with_the_day(world, work.advance(world, now))
