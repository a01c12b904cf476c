"""What is known of an instrument, and who says so: the user's table, its venue, or its id (U-10).

Facts that change while the instrument, or what derives from it, is held or works are told and not
taken over: what was decided leans on them.
"""

from collections.abc import Iterator

import msgspec

from engine.domain import events as ev
from engine.domain.inputs import InstrumentTold
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.run import Severity
from engine.world import World


def at_start(world: World) -> Iterator[ev.Event]:
    """Take over the instruments that the configuration now describes otherwise.

    What a venue has stated stands, where no table of the user's names the symbol.
    """
    for symbol, known in tuple(world.book.data.instruments.items()):
        told = world.configured(symbol)
        if told != known and (told.source or not known.source):
            yield from _take(world, told, "in the configuration")


def told(world: World, given: InstrumentTold, now: Nanos) -> Iterator[ev.Event]:
    """Take over what a venue states of an instrument; what it does not trade is not opened.

    What the user's table says of a symbol stands against any venue.
    """
    configured = world.configured(given.symbol)
    if configured.source:
        return
    found = given.instrument
    if found is None:
        source = f"the venue of {given.account}"
        found = msgspec.structs.replace(configured, fault=given.fault, source=source)
    else:
        found = msgspec.structs.replace(found, tick_of_venue=True)
    if found == world.instrument(given.symbol):
        return
    if given.symbol in world.book.data.instruments:
        yield from _take(world, found, f"at the venue of {given.account}")
    else:
        yield ev.InstrumentLearned(instrument=found)


def _take(world: World, found: Instrument, where: str) -> Iterator[ev.Event]:
    """Facts that are other ones than those that are known, and an alarm about them."""
    book, symbol = world.book, found.symbol
    # An option or a future leans on the facts of what it derives from.
    leaning = book.symbols.of_underlying(symbol)
    kept = any(bool(book.held(name)) or book.works_in(name) for name in (symbol, *leaning))
    if not kept:
        yield ev.InstrumentLearned(instrument=found)
    text = f"changed {where}"
    if kept:
        text += ", and not taken over while it is held or has working orders"
    yield ev.Alarmed(
        code="INSTRUMENT_CHANGED", severity=Severity.WARNING, subject=symbol, text=text
    )
