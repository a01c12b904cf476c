"""The accounting day: when it turns, its row, and the equity curve (X-12, X-13, A-284, A-407)."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ZERO, fall, plain
from engine.domain.run import Severity, Trigger
from engine.state.day import day_of
from engine.world import World

MARK_SECONDS = 60
"""How often equity is marked while anything is held."""

BEYOND = Decimal("0.05")
"""Where equity went further than this share of the drawdown limit since the last mark, it is marked
at once."""


def roll(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Close the day that ended and open the one that began; neither clears a halt (X-06, A-187).

    A day that has begun is not begun again, should another calendar be behind (X-95).
    """
    data = world.book.data
    if data.starting_equity is None:
        return
    date = world.home.session_date(now)
    session = data.session
    if session is not None and session.date >= date:
        return
    if session is not None:
        yield from close_day(world, final=True)
    equity, unrealized = world.money.believed
    yield ev.SessionOpened(
        date=date,
        starting_equity=equity,
        unrealized=unrealized,
        unexplained=world.money.unexplained,
    )
    if Trigger.DAILY_LOSS in data.restrictions:
        yield ev.Unrestricted(cause=Trigger.DAILY_LOSS, by="the next session")
    yield from _expired(world, now)


def _expired(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Once a day: contracts that have ended and that their venue still says are held, or says
    nothing of."""
    for position in sorted(world.holdings(), key=lambda held: (held.symbol, held.account)):
        instrument = world.instrument(position.symbol)
        if world.is_over(instrument, now):
            yield ev.Alarmed(
                code="EXPIRED_HOLDING",
                severity=Severity.ERROR,
                subject=position.symbol,
                text=f"{plain(position.quantity)} {position.symbol} are still held in "
                f"{position.account}: it traded until {instrument.last_day}, and the venue has "
                "not told what became of it",
            )


def lift_expired(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Lift restrictions whose time has passed, as a cooldown (U-50)."""
    for cause, until in world.book.data.ends_by_time():
        if until <= now:
            yield ev.Unrestricted(cause=cause, by="time")


def close_day(world: World, *, final: bool) -> Iterator[ev.Event]:
    """The day's row (A-407, X-75)."""
    session = world.book.data.session
    if session is None:
        return
    equity, _ = world.money.believed
    row = day_of(session, equity, world.money.unexplained, final=final)
    deepest = _deepest(world, equity - world.money.unexplained)
    yield msgspec.structs.replace(row, max_drawdown=deepest)


def with_the_day(world: World, steps: Iterator[ev.Event]) -> Iterator[ev.Event]:
    """Pass on the steps of a kill, and write the day's row again once the kill ended (A-407)."""
    for event in steps:
        yield event
        if isinstance(event, ev.KillProved):
            yield from close_day(world, final=False)


def _went_beyond(world: World) -> bool:
    """Whether equity was since the last mark where the state does not know it to have been: above a
    peak, or deeper below the day's than ever. A fall that goes on is known."""
    data, reach = world.book.data, world.money.reach
    if world.money.peak_equity > data.peak_equity or reach.day_above:
        return True
    return data.session is not None and reach.day_fall > data.session.max_drawdown


def _deepest(world: World, explained: Decimal) -> Decimal:
    """The deepest fall of the day so far, that to `explained` included."""
    session, peak = world.book.data.session, world.money.peak_of_day
    if session is None or peak is None:
        return ZERO
    now = fall(max(peak, explained), explained)
    return max(session.max_drawdown, world.money.reach.day_fall, now)


def first_rates(world: World) -> Iterator[ev.Event]:
    """Currencies whose worth has become known: what is held in them is no profit (X-86)."""
    for currency, rate in sorted(world.currencies.first_told.items()):
        amount, unrealized = world.currencies.amounts_in(currency)
        yield ev.CurrencyValued(
            currency=currency, rate=rate, equity=amount * rate, unrealized=unrealized * rate
        )


def mark_beyond(world: World, now: Nanos) -> Iterator[ev.Event]:
    """A point of the equity curve at once where equity went far beyond what the journal knows: a
    later process would measure its drawdown from too low a peak (X-73, X-74).

    Far is a share of the drawdown limit, so that a long way is marked seldom; without such a limit
    the minute is soon enough.
    """
    limit, data, reach = world.limits.drawdown, world.book.data, world.money.reach
    if limit is None:
        return
    step = limit * BEYOND
    higher = world.money.peak_equity - data.peak_equity
    deeper = ZERO if data.session is None else reach.day_fall - data.session.max_drawdown
    if higher >= step * data.peak_equity > ZERO or deeper >= step:
        yield from mark(world, now, always=True)


def mark(world: World, now: Nanos, *, always: bool = False) -> Iterator[ev.Event]:
    """A point of the equity curve, once a minute while it can move; `always`: whenever it was."""
    data = world.book.data
    early = now - data.marked_at < MARK_SECONDS * NS_PER_SECOND
    if data.starting_equity is None or (early and not always):
        return
    equity, _ = world.money.believed
    day_peak = world.money.peak_of_day
    if equity == data.marked_equity and not _went_beyond(world):
        return
    explained = equity - world.money.unexplained
    peak = max(world.money.peak_equity, explained)
    day_peak = None if day_peak is None else max(day_peak, explained)
    held = ((p.symbol, world.prices.believed(p.symbol)) for p in world.book.holdings())
    marks = {symbol: price for symbol, price in held if price is not None}
    rates = world.currencies.believed()
    yield ev.EquityMarked(
        equity=equity,
        peak=peak,
        drawdown=fall(peak, explained),
        day_peak=day_peak,
        day_drawdown=None if day_peak is None else _deepest(world, explained),
        marks=marks,
        rates=rates,
        rate_times=world.rates.quoted_at(rates, now),
    )
