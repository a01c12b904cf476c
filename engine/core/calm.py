"""Until when no tick can lead to anything (DESIGN, Time and determinism).

A tick asks every rule again, once a second while anything is held, and nearly always in vain: in a
replay that was more than half of all work. After a tick that led to nothing, the state stays what
it is until something comes in, and only a rule that looks at the clock can find more than it just
did. A price that leads to nothing leaves most of that as it is: what it may bring is the next mark
of equity, and the tick of that mark asks for nothing else. What is said here may be too early a
moment, never too late a one.
"""

from collections.abc import Sequence

from engine.core.day import MARK_SECONDS
from engine.domain import events as ev
from engine.domain.codes import Verdict
from engine.domain.instant import LATEST, NS_PER_SECOND, Nanos
from engine.domain.money import fall
from engine.domain.run import Phase
from engine.exits import table as exits
from engine.exits.hours import late_from
from engine.plans import table as plans
from engine.risk import triggers
from engine.state.account import AccountState
from engine.state.position import Position
from engine.state.waiting import waiting_places
from engine.world import World
from engine.world.looks import next_look


class Calm:
    """What a core knows of the ticks that lead to nothing; one calm ends and another begins."""

    __slots__ = ("_breaches", "rest", "until")

    def __init__(self) -> None:
        self.until: Nanos = 0
        """Ticks before this moment lead to nothing, unless something else comes in first that does
        not leave it as it is."""
        self.rest: Nanos = 0
        """Those before this one lead to nothing but a mark of equity. It is never before `until`.
        """
        self._breaches = 0
        """`Breaches.changes` when that was found."""

    def end(self) -> None:
        """Nothing is known any more."""
        self.until = self.rest = 0

    def after_tick(self, world: World, records: Sequence[ev.Record], now: Nanos) -> None:
        """After a tick that asked every rule."""
        if not records or (_is_mark(records) and _settles(world, now)):
            self._breaches = world.breaches.changes
            self._begin(world, rest_until(world, now), now)

    def after_mark(
        self, world: World, rest: Nanos, records: Sequence[ev.Record], now: Nanos
    ) -> None:
        """After a tick that could lead to a mark alone, in a `rest`."""
        if not records or _settles(world, now):
            self._begin(world, rest, now)

    def after_price(
        self, world: World, until: Nanos, rest: Nanos, records: Sequence[ev.Record], now: Nanos
    ) -> None:
        """After a price, or a signal, where these moments were known before it."""
        if now >= rest or now == world.market.resumed or not all(map(_is_refusal, records)):
            return
        if self._breaches == world.breaches.changes and not price_moves(world):
            self.rest = rest
            if now < until and not _may_mark(world, now):
                self.until = until

    def _begin(self, world: World, rest: Nanos, now: Nanos) -> None:
        self.rest, self.until = rest, min(rest, next_mark(world, now))


def _is_refusal(record: ev.Record) -> bool:
    """Whether an event only tells of a signal that was refused: no rule of a tick looks at it."""
    event = record.event
    if type(event) is ev.SignalDecided:
        return event.verdict is Verdict.REJECTED
    return type(event) is ev.SignalReceived


def _is_mark(records: Sequence[ev.Record]) -> bool:
    """Whether equity was marked, and nothing else happened."""
    return len(records) == 1 and type(records[0].event) is ev.EquityMarked


def rest_until(world: World, now: Nanos) -> Nanos:
    """Before which moment a tick leads to nothing but a mark, if nothing else comes in; `now`: any
    may lead to more.

    To be asked after a tick at `now` that led to nothing more.
    """
    data = world.book.data
    if data.phase is not Phase.RUNNING or data.halt is not None or data.restrictions:
        return now
    if world.rates.ageing or any(rule.by_time for rule in triggers.RULES):
        return now
    if triggers.is_waiting(world, now):
        return now
    moments = [world.home.constant_until(now)]
    if (due := world.book.deadlines.next()) is not None:
        moments.append(due)
    if any(account.barred or account.suspected for account in world.book.accounts):
        return now
    if world.book.index.unclear:
        return now  # whose fills are missing is told, and looked for, at its time
    moments += [next_look(world, a) if _is_quiet(a) else now for a in world.book.accounts]
    moments += data.queued.values()
    moments += [late_from(world, symbol, now) for symbol in world.book.index.day_entries]
    for position in world.holdings():
        moments += _moments(world, position, now)
        moments.append(plans.same_until(world, position.account, position.symbol, now))
    for account, symbol in waiting_places(world.book):
        moments.append(plans.same_until(world, account, symbol, now))
    return min(moments)


def next_mark(world: World, now: Nanos) -> Nanos:
    """When equity is marked next, if no price comes in before that moves it.

    A mark that was due and was not made found equity unchanged, which it stays.
    """
    due = world.book.data.marked_at + MARK_SECONDS * NS_PER_SECOND
    return due if due > now else LATEST


def price_moves(world: World) -> bool:
    """Whether a price that led to no event may lead the next tick to more than a mark.

    The rules that lean on prices were asked when it came; what rates and what nothing explains make
    of equity is left to the tick. What a breach of a stop leads to is told by `Breaches.changes`.
    """
    if world.rates.ageing:
        return True
    return any(not a.unexplained.is_nothing for a in world.book.data.accounts.values())


def _may_mark(world: World, now: Nanos) -> bool:
    """Whether a mark is due that a price may have moved."""
    data = world.book.data
    if now < data.marked_at + MARK_SECONDS * NS_PER_SECOND:
        return False
    return any(a.positions or a.cash.keys() - {world.base} for a in data.accounts.values())


def _settles(world: World, now: Nanos) -> bool:
    """Whether triggers that are asked again after a mark find nothing new, nor learn how far equity
    went: the peaks that the mark told are no lower than the equity that has evidence."""
    data, equity = world.book.data, world.money.proved
    explained, session = equity.explained, data.session
    if explained > data.peak_equity:
        return False
    if session is not None:
        peak = session.peak_equity
        if explained > peak or fall(peak, explained) > session.max_drawdown:
            return False
    return all(rule.ask(world, now, equity) is None for rule in triggers.RULES)


def _is_quiet(account: AccountState) -> bool:
    """Connected and compared, with no question open and no kill under way."""
    under_way = account.snapshot_asked or account.kill is not None or account.silent_since
    return account.is_connected and account.compared and not under_way


def _moments(world: World, position: Position, now: Nanos) -> list[Nanos]:
    """When a rule may find something new about a position."""
    if position.stop is not None and position.unprotected_since:
        return [now]  # what has no stop in time is closed, or told
    moments = [
        now if rule.same_until is None else rule.same_until(world, position, now)
        for rule in exits.EXITS
    ]
    known = world.calendar(world.instrument(position.symbol).calendar)
    if known is not None:
        moments.append(known.constant_until(now))
    return moments
