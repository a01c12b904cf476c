"""What is known of an instrument, and who says so: the user's table, its venue, or its id (U-10).

What a venue states counts in its own account: two venues have grids of their own. What is known for
all accounts is the first that was stated, and what the user's table says stands against any venue.

Facts that change while the instrument, or what derives from it, is held or works are told and not
taken over: what was decided leans on them.
"""

from collections.abc import Iterator

import msgspec

from engine.domain import events as ev
from engine.domain.inputs import InstrumentTold
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.money import plain
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
    for account in tuple(world.book.data.accounts.values()):
        for symbol, known in tuple(account.instruments.items()):
            told = world.configured(symbol)
            if told.source and told != known and not _is_kept(world, symbol, account.name):
                yield ev.InstrumentStated(account=account.name, instrument=told)


def told(world: World, given: InstrumentTold, now: Nanos) -> Iterator[ev.Event]:
    """Take over what a venue states of an instrument; what it does not trade is not opened there.

    What the user's table says of a symbol stands against any venue.
    """
    symbol, name = given.symbol, given.account
    configured = world.configured(symbol)
    if configured.source:
        return
    others = [
        account
        for account in world.book.data.accounts.values()
        if account.name != name and symbol in account.instruments
    ]
    found = _stated(world, given, configured, others[0].name if others else "")
    account = world.book.data.accounts.get(name)
    known = None if account is None else account.instruments.get(symbol)
    if found == known:
        return
    shared = world.book.data.instruments.get(symbol)
    if others:
        counts = shared if known is None else known
        if counts is not None and counts != found and _is_kept(world, symbol, name):
            yield _changed(symbol, f"at the venue of {name}", kept=True)
            return
        yield ev.InstrumentStated(account=name, instrument=found)
        if known is not None:
            yield _changed(symbol, f"at the venue of {name}", kept=False)
        return
    if found == world.instrument(symbol, name):
        yield ev.InstrumentStated(account=name, instrument=found)
    elif shared is None:
        yield ev.InstrumentLearned(instrument=found)
        yield ev.InstrumentStated(account=name, instrument=found)
    else:
        if not _is_kept(world, symbol):
            yield ev.InstrumentStated(account=name, instrument=found)
        yield from _take(world, found, f"at the venue of {name}")


def _stated(world: World, given: InstrumentTold, configured: Instrument, other: str) -> Instrument:
    """What the venue states, as it counts in its account; `other` is one whose venue states the
    same symbol, "" for none.

    What is held is added up over accounts: where a venue counts a unit in another way than another
    does, nothing is opened there.
    """
    source = f"the venue of {given.account}"
    if given.instrument is None:
        return msgspec.structs.replace(configured, fault=given.fault, source=source)
    found = msgspec.structs.replace(given.instrument, tick_of_venue=True)
    if not other:
        return found
    theirs = world.instrument(given.symbol, other)
    if theirs.fault or (found.currency, found.multiplier) == (theirs.currency, theirs.multiplier):
        return found
    fault = (
        f"one {given.symbol} is {plain(found.multiplier)} in {found.currency} at {source}, and "
        f"{plain(theirs.multiplier)} in {theirs.currency} in {other}"
    )
    return msgspec.structs.replace(configured, fault=fault, source=source)


def _take(world: World, found: Instrument, where: str) -> Iterator[ev.Event]:
    """Facts that are other ones than those that are known, and an alarm about them."""
    kept = _is_kept(world, found.symbol)
    if not kept:
        yield ev.InstrumentLearned(instrument=found)
    yield _changed(found.symbol, where, kept=kept)


def _is_kept(world: World, symbol: str, account: str = "") -> bool:
    """Whether the symbol, or an option or a future that leans on its facts, is held or works: in
    the account, or in any."""
    book = world.book
    names = (symbol, *book.symbols.of_underlying(symbol))
    if not account:
        return any(bool(book.held(name)) or book.works_in(name) for name in names)
    return any(
        book.holding(account, name) is not None or any(book.working(account, name))
        for name in names
    )


def _changed(symbol: str, where: str, *, kept: bool) -> ev.Event:
    text = f"changed {where}"
    if kept:
        text += ", and not taken over while it is held or has working orders"
    return ev.Alarmed(
        code="INSTRUMENT_CHANGED", severity=Severity.WARNING, subject=symbol, text=text
    )
