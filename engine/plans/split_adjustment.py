"""A holding that was split is taken over as such: n new for m old, at the same cost (X-93).

A look at the venue shows it, or a fill in the new units does. No profit is made by it, and what was
decided in the old units and not sent yet is withdrawn.
"""

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from typing import Final

import msgspec

from engine.domain import events as ev
from engine.domain.account import VenuePosition, VenueSnapshot
from engine.domain.codes import Code
from engine.domain.inputs import LookReason
from engine.domain.instant import Nanos
from engine.domain.money import ZERO, is_positive, plain
from engine.domain.order import Fill
from engine.domain.run import Severity
from engine.domain.suspicion import CLOSE_TO, CORPORATE_ACTION, Suspicion
from engine.plans.reduce import withdraw
from engine.plans.replace import given_up
from engine.plans.suspected_split import end, freeze_entries, is_unseen, leaning, may_be_new
from engine.state.account import AccountState
from engine.state.position import Position
from engine.state.waiting import waiting_legs
from engine.world import World
from engine.world.gaps import apart, jumped, ratios, split_between

COST_CLOSE_TO: Final = Decimal("0.001")
"""So close to the ratio the cost of a holding is that was split, as a fraction of it, or to a tick:
it is no price, and only rounded."""

_SPLIT: Final = "it was split"


def shown_by_look(world: World, snapshot: VenueSnapshot, now: Nanos) -> Iterator[ev.Event]:
    """Take over each holding that the venue shows split: at the cost of before, whatever its price
    did, or by the price that raised the suspicion."""
    account = world.book.account(snapshot.account)
    for theirs in snapshot.positions:
        ours = account.positions.get(theirs.symbol)
        if ours is None or not may_be_new(world, account, ours.symbol, snapshot.requested_at):
            continue  # a list may be behind one that was taken over a moment ago
        known = account.suspected.get(theirs.symbol)
        if known is not None and known.awaits_price:
            continue
        ratio = _proved_by_cost(world, ours, theirs)
        if ratio is not None:
            yield from _at_the_cost_of_before(world, ours, theirs, ratio, now)
            continue
        if known is not None:
            ratio = split_between(known.before, known.price, ours.quantity, theirs.quantity)
        if known is not None and ratio is not None:
            yield from _taken_over(world, account, ours, known, theirs.quantity, ratio, now)


def proved_by_fill(world: World, fill: Fill, now: Nanos) -> Iterator[ev.Event]:
    """Take over the split of what is held before a fill that proves it is booked.

    Its venue had changed an order to the new units already, and the fill is at a price of them:
    without that it would sell many times what is known here, or a part of it.
    """
    account = world.book.account(fill.account)
    known, ours = account.suspected.get(fill.symbol), account.positions.get(fill.symbol)
    if known is None or ours is None or not known.by_order or known.awaits_price:
        return
    if apart(fill.price, known.price) >= apart(fill.price, known.before):
        return
    n, m = known.numerator, known.denominator
    exact = ours.quantity * n / m
    if ours.quantity == ours.quantity.to_integral_value():
        exact = exact.to_integral_value(ROUND_DOWN)  # a fraction is paid out, as a look will show
    if exact:
        yield from _taken_over(world, account, ours, known, exact, (n, m), now)


def _proved_by_cost(world: World, ours: Position, theirs: VenuePosition) -> tuple[int, int] | None:
    """The ratio n:m by which the venue shows a holding split, n new for m old of which each costs
    m/n; None where it shows none. Whoever buys or sells does not change what is held like this.

    Where the cost moved no further than a price does that has not jumped, some purchase would bring
    it there too if units were rounded up, and some sale: what came has to have cost nothing.
    """
    before, after = ours.average_price, theirs.average_price
    if not (is_positive(before) and is_positive(after)):
        return None
    rounded = world.instrument(ours.symbol, ours.account).tick_at(after) / after
    close = min(max(COST_CLOSE_TO, rounded), CLOSE_TO)
    ratio = split_between(before, after, ours.quantity, theirs.quantity, close)
    if ratio is None or jumped(before, after):
        return ratio
    n, m = ratio
    there, exact = abs(theirs.quantity) * m, abs(ours.quantity) * n
    return ratio if there == exact or (n > m and there < exact) else None


def _at_the_cost_of_before(
    world: World, ours: Position, theirs: VenuePosition, ratio: tuple[int, int], now: Nanos
) -> Iterator[ev.Event]:
    """Take over a split that the cost of a holding proves, at the last price, where that is one of
    the new units already, or else at what the split makes of it."""
    symbol, account = ours.symbol, world.book.account(ours.account)
    last = world.prices.mark(symbol) or ours.average_price
    known, real = account.suspected.get(symbol), account.taken_for_real.get(symbol)
    if known is not None:
        looked_like = ratio in ratios(known.before, known.price)
        if looked_like or (known.seen and _is_of_new_units(known, ratio, last)):
            yield from _taken_over(world, account, ours, known, theirs.quantity, ratio, now)
            return
        last = known.mark
    elif real is not None and real.concerns(ours, now):
        if ours.quantity != real.position.quantity:
            return  # a part of it was traded in the other units: a person decides
        if _is_of_new_units(real.suspicion, ratio, last):
            yield from _listed_late(world, ours, theirs, ratio, last)
            return
    yield from _before_a_price(world, ours, theirs, ratio, last, now)


def _before_a_price(  # noqa: PLR0917  # what is held, what it becomes, and when
    world: World,
    ours: Position,
    theirs: VenuePosition,
    ratio: tuple[int, int],
    last: Decimal,
    now: Nanos,
) -> Iterator[ev.Event]:
    """Take over a split that no price has shown yet, where the last one was `last`.

    Until one shows it, what is held counts at the price that the split makes of that, and stands
    still; its stop, and what else rests, is brought to the new units at once.
    """
    n, m = ratio
    symbol, account = ours.symbol, world.book.account(ours.account)
    price = round(last * m / n, 8)
    told = f"{plain(abs(ours.quantity))} to {plain(abs(theirs.quantity))}"
    text = f"{symbol} went from {told} in {ours.account} at the cost of before"
    reason = f"split {n}:{m}, as the venue's cost of it says"
    # What another account holds counts as before until its own venue shows it split.
    others = [
        position.account
        for position in world.held(symbol)
        if position.account != ours.account
        and symbol not in world.book.account(position.account).suspected
    ]
    jump = Suspicion(
        at=now, before=last, price=price, numerator=n, denominator=m, mark=last, seen=False
    )
    for name in others:
        yield ev.SymbolBlocked(
            account=name, symbol=symbol, cause=CORPORATE_ACTION, reason=text, suspicion=jump
        )
    yield _adjustment(ours, theirs.quantity, ratio, price, reason)
    yield _awaiting(ours, price, ratio, text, now)
    yield from freeze_entries(world, [symbol, *leaning(world, symbol)], text)
    yield from _withdraw(world, account, symbol, ratio)
    yield ev.Alarmed(
        code="CORPORATE_ACTION",
        severity=Severity.CRITICAL,
        subject=symbol,
        text=f"{text}: it is taken over as a split {n}:{m}, and what rests is brought to the new "
        "units; until a price shows it nothing is entered or closed by an older one",
    )
    for name in others:
        if not world.book.account(name).snapshot_asked:
            yield ev.SnapshotRequested(account=name, reason=LookReason.CORPORATE_ACTION)


def _taken_over(  # noqa: PLR0917  # where, what is held, and what it becomes
    world: World,
    account: AccountState,
    ours: Position,
    known: Suspicion,
    quantity: Decimal,
    ratio: tuple[int, int],
    now: Nanos,
) -> Iterator[ev.Event]:
    """A suspected holding becomes a `quantity` by a split, and the suspicion ends, or waits for the
    first price of the new units.

    Of a contract on what was split, only its own price tells of which units that is.
    """
    last = world.prices.mark(ours.symbol)
    mark, unseen = known.price, is_unseen(world, ours.symbol, known)
    if known.mark != known.before:
        unseen = last is not None and not _is_nearer_to_new(known.mark, ratio, last)
        mark = round(known.mark * ratio[1] / ratio[0], 8) if unseen or last is None else last
    text = f"split {ratio[0]}:{ratio[1]}"
    yield _adjustment(ours, quantity, ratio, mark, text)
    if unseen:
        yield _awaiting(ours, mark, ratio, text, now)
    else:
        yield from end(world, account, ours.symbol, _SPLIT)
    yield from _withdraw(world, account, ours.symbol, ratio)


def _adjustment(
    ours: Position, quantity: Decimal, ratio: tuple[int, int], mark: Decimal | None, reason: str
) -> ev.PositionAdjusted:
    """The split of a holding: it costs what it cost, and no profit is made."""
    n, m = ratio
    return ev.PositionAdjusted(
        symbol=ours.symbol,
        account=ours.account,
        quantity=quantity,
        price=round(ours.average_price * m / n, 8),
        multiplier=ours.multiplier,
        previous=ours.quantity,
        reason=reason,
        by=CORPORATE_ACTION,
        value=ZERO,
        mark=mark,
        numerator=n,
        denominator=m,
    )


def _is_of_new_units(known: Suspicion, ratio: tuple[int, int], last: Decimal) -> bool:
    """Whether the last price is one of after a split: it jumped there, but for what a price moves
    beside it, and has not come back since."""
    n, m = ratio
    if jumped(known.before * m / n, known.price):
        return False
    return _is_nearer_to_new(known.mark, ratio, last)


def _is_nearer_to_new(mark: Decimal, ratio: tuple[int, int], last: Decimal) -> bool:
    """Whether a price is nearer to what a split makes of a `mark` of before than to that."""
    return apart(last, mark * ratio[1] / ratio[0]) < apart(last, mark)


def _listed_late(
    world: World, ours: Position, theirs: VenuePosition, ratio: tuple[int, int], last: Decimal
) -> Iterator[ev.Event]:
    """Take over a split whose price was taken for real before its venue listed it: that price is
    the one of the new units, and what was lost or made by it never was."""
    symbol, account = ours.symbol, world.book.account(ours.account)
    text = f"split {ratio[0]}:{ratio[1]}"
    rate = world.currencies.worth.get(world.book.currency_of(symbol)) or ZERO
    more = (theirs.quantity - ours.quantity) * last * ours.multiplier * rate
    reason = f"{text}, listed after its price was taken for real"
    adjustment = _adjustment(ours, theirs.quantity, ratio, last, reason)
    yield msgspec.structs.replace(adjustment, restated=more)
    yield from _withdraw(world, account, symbol, ratio)
    told = f"{plain(abs(ours.quantity))} to {plain(abs(theirs.quantity))}"
    yield ev.Alarmed(
        code="CORPORATE_ACTION",
        severity=Severity.CRITICAL,
        subject=symbol,
        text=f"{symbol} went from {told} in {ours.account} at the cost of before, after its price "
        f"of {plain(last)} was taken for real: it is taken over as a {text}, and that price is one "
        f"of the new units; equity changes by {plain(round(more, 2))}, which is no profit or loss, "
        "and what fired by the wrong value stays as it is until an operator resumes",
    )
    for other in world.book.accounts:
        if symbol in other.taken_for_real and not other.snapshot_asked:
            yield ev.SnapshotRequested(account=other.name, reason=LookReason.CORPORATE_ACTION)


def _awaiting(
    ours: Position, price: Decimal, ratio: tuple[int, int], why: str, now: Nanos
) -> ev.SymbolBlocked:
    """A holding that was taken over as split stands still, at the `price` that the split makes of
    the last one, until one is told that shows it."""
    n, m = ratio
    return ev.SymbolBlocked(
        account=ours.account,
        symbol=ours.symbol,
        cause=CORPORATE_ACTION,
        reason=why,
        suspicion=Suspicion(
            at=now, before=price, price=price, numerator=n, denominator=m, mark=price
        ),
    )


def _withdraw(
    world: World, account: AccountState, symbol: str, ratio: tuple[int, int]
) -> Iterator[ev.Event]:
    """What was decided in the old units and not sent yet never is: it would be another order."""
    why = f"the holding was split {ratio[0]}:{ratio[1]}"
    for leg in waiting_legs(world.book):
        if (leg.terms.account, leg.terms.symbol) == (account.name, symbol):
            yield from withdraw(leg, Code.NOT_SENT, why)
    for key in [key for key, where in account.replacing.items() if where == symbol]:
        order = world.book.order_in(account.name, key)
        if order is not None and order.status.is_terminal:
            yield from given_up(world, order, Code.NOT_SENT, why)
