"""The plan of an entry in several orders: all of them at once, and one outcome (U-30)."""

from collections.abc import Iterator
from typing import Final

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.plans.legs import end, is_over, send
from engine.state.waiting import intents_at
from engine.world import World

ENTRY: Final = "entry"
"""Its name in the table and in `IntentOpened`."""


def advance(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """Send the legs that wait; once none of them can fill any more, say what became of all."""
    for intent in intents_at(world.book, account, symbol):
        if intent.plan != ENTRY:
            continue
        for leg in intent.legs:
            if leg.waits:
                yield from send(world, leg, now)
        newest = world.book.data.intents[intent.intent_id]
        if all(is_over(world, leg) for leg in newest.legs):
            yield from end(world, newest)
