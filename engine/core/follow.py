"""What follows from events, whatever input led to them: the triggers, then the plans."""

from collections.abc import Iterator

from engine.core.consequences import ask_triggers
from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.plans.table import advance
from engine.state.day import MOVES_EQUITY
from engine.state.order_index import Place
from engine.state.places import place_of, places_of
from engine.world import World

MAY_TRIP: frozenset[type[ev.Event]] = MOVES_EQUITY | {
    ev.OrderRejected,
    ev.Reconciled,
    ev.SymbolUnblocked,
}
"""Events after which a trigger may hold that did not before, whatever input led to them (X-74).

Beside what moves equity: a refusal may be one too many (U-52), and the price of a symbol that is
unblocked may prove a loss (X-71), as that of a holding may that a look finds again.
"""


def followed(
    world: World, events: Iterator[ev.Event], now: Nanos, *, judge: bool = False
) -> Iterator[ev.Event]:
    """Pass on the events, then ask the plans at every account and symbol that they concerned.

    With `judge` the triggers are asked before that, if any of the events may have tripped one.
    """
    places: dict[Place, None] = {}
    asks = False
    for event in events:
        yield event
        _note_places(world, event, places)
        asks = asks or (judge and type(event) in MAY_TRIP)
    if asks:
        for event in ask_triggers(world, now):
            yield event
            _note_places(world, event, places)
    for account, symbol in places:
        yield from advance(world, account, symbol, now)


def _note_places(world: World, event: ev.Event, places: dict[Place, None]) -> None:
    """Add the accounts and symbols that an event is about."""
    place = place_of(world.book, event)
    if place is not None:
        places[place] = None
    elif type(event) is ev.IntentOpened:
        places.update(dict.fromkeys(places_of(event)))
