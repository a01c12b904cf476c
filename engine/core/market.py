"""What comes from the market: quotes, bars live and past, and the order book."""

from collections.abc import Iterator

from engine.core import adoption
from engine.core.consequences import ask_triggers
from engine.core.exits import ask_exits
from engine.core.follow import followed
from engine.domain import events as ev
from engine.domain.inputs import History
from engine.domain.instant import NS_PER_SECOND, Nanos, rfc3339
from engine.domain.market import Bar, Depth, Quote
from engine.domain.run import Severity
from engine.plans import suspected_split
from engine.world import World
from engine.world.market import SET_BACK


def quote(world: World, given: Quote, now: Nanos) -> Iterator[ev.Event]:
    """Ask the exit rules of every position in the symbol, then the triggers that use prices.

    A quote whose numbers cannot be prices is ignored; the first of several raises an alarm. One
    that is told again, or is older than the newest, is no event of the market; where nothing else
    comes for a minute, that is an alarm as well (X-71).
    """
    if world.market.news is None:
        if world.market.newly_bad == given.symbol:
            yield ev.Alarmed(
                code="BAD_QUOTE",
                severity=Severity.ERROR,
                subject=given.symbol,
                text=f"a quote of {given.symbol} is left aside: {given.fault}",
            )
        elif world.market.newly_old == given.symbol:
            yield _only_old(world, given)
        return
    if suspected_split.may_suspect(world, given.symbol):
        yield from followed(world, suspected_split.suspect(world, given, now), now)
    priced = False
    if any(given.symbol in account.left for account in world.book.data.accounts.values()):
        for event in adoption.left_price(world, given, now):
            priced = True
            yield event
    if not world.book.held(given.symbol):
        if (
            priced
            or world.currencies.rate_told == given.symbol
            or world.prices.is_unexplained(given.symbol)
        ):
            yield from ask_triggers(world, now)  # equity is another one, though it is not held
        return
    if any(account.estimated for account in world.book.data.accounts.values()):
        yield from adoption.first_price(world, given, now)
    for position in world.held(given.symbol):
        yield from ask_exits(world, position, now)
    yield from ask_triggers(world, now)


def _only_old(world: World, given: Quote) -> ev.Alarmed:
    """The alarm that a symbol tells nothing but prices older than its newest."""
    newest = world.market.quotes[given.symbol].time
    return ev.Alarmed(
        code="OLD_QUOTES",
        severity=Severity.ERROR,
        subject=given.symbol,
        text=f"prices of {given.symbol} are left aside: for {SET_BACK // NS_PER_SECOND} s and more "
        f"none has come that is newer than the one of {rfc3339(newest)}, the last one is of "
        f"{rfc3339(given.time)}; look at the clock of its source",
    )


def bar(world: World, given: Bar, now: Nanos) -> Iterator[ev.Event]:
    """Ask the exit rules of every position in the symbol; its signals come next (`leads_to`)."""
    yield from _left_aside(world, given.symbol)
    for position in world.held(given.symbol):
        yield from ask_exits(world, position, now)


def depth(world: World, given: Depth, now: Nanos) -> Iterator[ev.Event]:
    """Do nothing: the order book is shown to people, and no rule reads it."""
    yield from ()


def history(world: World, given: History, now: Nanos) -> Iterator[ev.Event]:
    """Raise an alarm if a bar of the past could not be taken in (`driver.observe`)."""
    if given.bars:
        yield from _left_aside(world, given.bars[0].symbol)


def _left_aside(world: World, symbol: str) -> Iterator[ev.Event]:
    """The alarm that a bar is ignored because its numbers cannot be those of one."""
    why = world.indicators.left_aside if world.follows_bars else ""
    if why:
        yield ev.Alarmed(
            code="BAD_BAR",
            severity=Severity.ERROR,
            subject=symbol,
            text=f"a bar of {symbol} is left aside: {why}",
        )
