"""A price that looks like a split: what leans on it stands still until it is explained (X-93).

Every account that holds the symbol is suspected by itself, since each venue tells of its own
holdings. Meanwhile the holding counts at the price before the gap, no exit is asked of it, its stop
stays as it rests, and nothing is entered in the symbol anywhere. What a person closes, a kill, and
what fills realise go on as ever.
"""

from collections.abc import Iterator
from decimal import ROUND_DOWN, Decimal
from typing import Final

import msgspec

from engine.domain import events as ev
from engine.domain.account import VenuePosition, VenueSnapshot
from engine.domain.codes import Code
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Quote
from engine.domain.money import ZERO, is_positive, plain
from engine.domain.order import Fill, Replacement, Side
from engine.domain.run import Severity
from engine.domain.suspicion import CLOSE_TO, CORPORATE_ACTION, Suspicion
from engine.plans.reduce import withdraw
from engine.plans.reducing import cancel
from engine.plans.replace import given_up
from engine.state.account import AccountState
from engine.state.order import Order
from engine.state.position import Position
from engine.state.waiting import waiting_legs
from engine.world import World
from engine.world.gaps import jumped, split_between, suspected

UNCHANGED: Final = 600 * NS_PER_SECOND
"""A position that the venue shows unchanged for so long was not split: the price is real."""

COST_CLOSE_TO: Final = Decimal("0.001")
"""So close to the ratio the cost of a holding is that was split, as a fraction of it, or to a tick:
it is no price, and only rounded."""

_SPLIT: Final = "it was split"
_REAL: Final = "the price is real"
_BACK: Final = "the price came back"
_SHOWN: Final = "the price shows the split"
_DECIDED: Final = "what was suspected is decided"
_GONE: Final = "nothing is held of it"


def may_suspect(world: World, symbol: str) -> bool:
    """Whether a price of a symbol can begin or end a suspicion: it comes after a gap, or there is
    one. That is asked at every price, and hardly ever so."""
    if symbol in world.prices.gaps:
        return True
    return any(account.suspected for account in world.book.data.accounts.values())


def suspect(world: World, quote: Quote, now: Nanos) -> Iterator[ev.Event]:
    """Freeze what is held of a symbol whose price has jumped to a ratio across a gap, and what
    leans on it; let go again where the price came back."""
    symbol = quote.symbol
    explained: set[str] = set()
    for account in world.book.accounts:
        known = account.suspected.get(symbol)
        if known is None or quote.time <= known.at:
            continue  # an older price, or one that is told again, says nothing of it
        back = not jumped(known.before, quote.last)
        if _confirmed(world, account, quote, back=back, now=now):
            if back:
                yield from _end(world, account, symbol, _SHOWN if known.awaits_price else _BACK)
                explained |= {account.name} if known.awaits_price else set()
            elif not known.seen:
                yield from _seen(world, account, symbol, known, now)
    names = [symbol, *_leaning(world, symbol)]
    unexplained = [
        position
        for name in names
        for position in world.held(name)
        if name != symbol or position.account not in explained
    ]
    if explained and not unexplained:
        world.prices.gaps.pop(symbol, None)
    gap = world.prices.gaps.get(symbol)
    ratio = None if gap is None else suspected(gap, quote)
    if gap is None or ratio is None or _is_contradicted(world, symbol, gap.seen):
        return
    places = [
        position
        for position in unexplained
        if position.symbol not in world.book.account(position.account).suspected
    ]
    world.prices.gaps.pop(symbol)
    told = f"{plain(gap.before)} to {plain(quote.last)} across a gap"
    text = f"{symbol} went from {told}, as after a split {ratio[0]}:{ratio[1]}"
    if not places:
        yield from _end_entries(world, symbol, text)
        return
    for position in places:
        mark = gap.before if position.symbol == symbol else world.prices.mark(position.symbol)
        yield ev.SymbolBlocked(
            account=position.account,
            symbol=position.symbol,
            cause=CORPORATE_ACTION,
            reason=text,
            suspicion=Suspicion(
                at=now,
                before=gap.before,
                price=quote.last,
                numerator=ratio[0],
                denominator=ratio[1],
                mark=position.average_price if mark is None else mark,
            ),
        )
    yield from _freeze_entries(world, names, text)
    yield ev.Alarmed(
        code="CORPORATE_ACTION",
        severity=Severity.CRITICAL,
        subject=symbol,
        text=f"{text}: its stops stay as they rest, and nothing is entered or closed by that price "
        f"until the venue shows the holding split, somebody decides (reconcile --apply, protect), "
        f"or {UNCHANGED // (60 * NS_PER_SECOND)} minutes have passed with the holding unchanged",
    )
    for name in dict.fromkeys(position.account for position in places):
        if not world.book.account(name).snapshot_asked:
            yield ev.SnapshotRequested(account=name, reason=CORPORATE_ACTION)


def _confirmed(
    world: World, account: AccountState, quote: Quote, *, back: bool, now: Nanos
) -> bool:
    """Whether prices that are back at the one before a jump, or still beyond it, are no bad tick:
    two of them a second apart with none between that says otherwise, or the close of a bar (X-71).
    """
    bar = quote.trade and not (quote.bid or quote.ask)
    for way, holds in (("back", back), ("seen", not back)):
        key = _key(way, account.name, quote.symbol)
        world.breaches.see(key, breached=holds, at=now, traded_both_sides=bar)
    return world.breaches.confirmed(_key("back" if back else "seen", account.name, quote.symbol))


def _key(way: str, account: str, symbol: str) -> str:
    return f"split {way} {account} {symbol}"


def _seen(
    world: World, account: AccountState, symbol: str, known: Suspicion, now: Nanos
) -> Iterator[ev.Event]:
    """A price shows a jump of which orders or another account told: its ten minutes begin."""
    yield ev.SymbolBlocked(
        account=account.name,
        symbol=symbol,
        cause=CORPORATE_ACTION,
        reason=account.blocked.get(symbol, {}).get(CORPORATE_ACTION, ""),
        suspicion=msgspec.structs.replace(known, at=now, seen=True),
    )


def suspect_by_order(
    world: World, order: Order, theirs: Replacement, ratio: tuple[int, int], now: Nanos
) -> Iterator[ev.Event]:
    """Freeze what is held where an order was made, since its venue has changed that to the terms of
    `theirs` as a split `ratio` does, and may list the holding later; its stop stays as the venue
    has made it."""
    account, symbol = world.book.account(order.account), order.symbol
    position = account.positions.get(symbol)
    if position is None:
        return
    if order.client_order_id in account.old_units or not _may_be_new(world, account, symbol, now):
        return  # it is of a split that was taken over already, or a report of before that
    n, m = ratio
    known = account.suspected.get(symbol)
    if known is not None:
        same = (known.numerator, known.denominator) == ratio and not known.awaits_price
        if same and not known.by_order:
            yield ev.SymbolBlocked(
                account=order.account,
                symbol=symbol,
                cause=CORPORATE_ACTION,
                reason=account.blocked.get(symbol, {}).get(CORPORATE_ACTION, ""),
                suspicion=msgspec.structs.replace(known, by_order=True),
            )
        return
    last = world.prices.mark(symbol) or position.average_price
    seen = _is_of_new_units(order, theirs, last)
    before, price = (last * n / m, last) if seen else (last, last * m / n)
    text = (
        f"the venue of {order.account} has changed order {order.client_order_id} in {symbol} "
        f"as after a split {n}:{m}"
    )
    yield ev.SymbolBlocked(
        account=order.account,
        symbol=symbol,
        cause=CORPORATE_ACTION,
        reason=text,
        suspicion=Suspicion(
            at=now,
            before=round(before, 8),
            price=round(price, 8),
            numerator=n,
            denominator=m,
            mark=round(before, 8),
            seen=seen,
            by_order=True,
        ),
    )
    yield from _freeze_entries(world, [symbol, *_leaning(world, symbol)], text)
    yield ev.Alarmed(
        code="CORPORATE_ACTION",
        severity=Severity.CRITICAL,
        subject=symbol,
        text=f"{text}: what rests there stays as it is, and nothing is entered or closed by a "
        "price until the venue shows the holding split, or a price shows that it was not",
    )
    if not account.snapshot_asked:
        yield ev.SnapshotRequested(account=order.account, reason=CORPORATE_ACTION)


def _may_be_new(world: World, account: AccountState, symbol: str, now: Nanos) -> bool:
    """Whether what the venue says of a symbol may be newer than what was last taken over of it: its
    lists may be behind, and a report may come again."""
    able = world.able(account.name)
    return now - account.adjusted.get(symbol, 0) > max(able.lag, able.longest_under_way)


def _is_of_new_units(order: Order, theirs: Replacement, price: Decimal) -> bool:
    """Whether a price is one of after the split by which an order was changed to `theirs`.

    A stop rests on the far side of the market, so that a price beyond the old one is new; an order
    rests nearer to the market of its own units than to the other.
    """
    was, now = order.stop_price, theirs.stop_price
    if was is not None and now is not None:
        if price >= was if order.side is Side.BUY else price <= was:
            return True
    else:
        was, now = order.limit_price, theirs.limit_price
    return was is not None and now is not None and _apart(price, now) < _apart(price, was)


def _apart(price: Decimal, other: Decimal) -> Decimal:
    """How many times one price is the other, from 1."""
    return max(price / other, other / price)


def proved_by_fill(world: World, fill: Fill, now: Nanos) -> Iterator[ev.Event]:
    """Take over the split of what is held before a fill that proves it is booked.

    Its venue had changed an order to the new units already, and the fill is at a price of them:
    without that it would sell many times what is known here, or a part of it.
    """
    account = world.book.account(fill.account)
    known, ours = account.suspected.get(fill.symbol), account.positions.get(fill.symbol)
    if known is None or ours is None or not known.by_order or known.awaits_price:
        return
    if _apart(fill.price, known.price) >= _apart(fill.price, known.before):
        return
    n, m = known.numerator, known.denominator
    exact = ours.quantity * n / m
    if ours.quantity == ours.quantity.to_integral_value():
        exact = exact.to_integral_value(ROUND_DOWN)  # a fraction is paid out, as a look will show
    if exact:
        yield from _taken_over(world, account, ours, known, exact, (n, m), now)


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
    first price of the new units."""
    mark = known.price if known.mark == known.before else None
    text = f"split {ratio[0]}:{ratio[1]}"
    yield _adjustment(ours, quantity, ratio, mark, text)
    if mark is not None and _is_unseen(world, ours.symbol, known):
        yield _awaiting(ours, mark, ratio, text, now)
    else:
        yield from _end(world, account, ours.symbol, _SPLIT)
    yield from _withdraw(world, account, ours.symbol, ratio)


def _leaning(world: World, symbol: str) -> list[str]:
    """The contracts on a symbol that are held: a split of it changes them too."""
    derived = world.book.symbols.of_underlying(symbol)
    return [name for name in derived if name != symbol and world.book.held(name)]


def _is_contradicted(world: World, symbol: str, before: Nanos) -> bool:
    """Whether what a contract leans on is quoted after the gap too, and did not jump: an option's
    price moves that far by itself."""
    underlying = world.instrument(symbol).leans_on
    newest = world.market.quotes.get(underlying) if underlying else None
    return newest is not None and newest.time > before


def _freeze_entries(world: World, names: list[str], why: str) -> Iterator[ev.Event]:
    """Nothing is entered in these symbols in any account, and what was to enter is cancelled."""
    for account in world.book.accounts:
        for name in names:
            if CORPORATE_ACTION not in account.blocked.get(name, {}):
                yield ev.SymbolBlocked(
                    account=account.name, symbol=name, cause=CORPORATE_ACTION, reason=why
                )
            for order in tuple(world.book.working(account.name, name)):
                if order.adds_exposure:
                    yield from cancel(order, why)


def _end_entries(world: World, symbol: str, text: str) -> Iterator[ev.Event]:
    """Cancel what was to enter a symbol that nobody holds, at a size and a price of before."""
    entries = [order for order in world.orders() if order.symbol == symbol and order.adds_exposure]
    for order in entries:
        yield from cancel(order, text)
    if entries:
        yield ev.Alarmed(
            code="CORPORATE_ACTION",
            severity=Severity.WARNING,
            subject=symbol,
            text=f"{text}: what was to enter there is cancelled",
        )


def _end(world: World, account: AccountState, symbol: str, by: str) -> Iterator[ev.Event]:
    """The suspicion ends in one account, and with the last of them what kept entries away."""
    why = account.blocked.get(symbol, {}).get(CORPORATE_ACTION, "")
    for way in ("back", "seen"):
        world.breaches.forget(_key(way, account.name, symbol))
    yield ev.SymbolUnblocked(account=account.name, symbol=symbol, cause=CORPORATE_ACTION, by=by)
    if symbol in _suspected(world):
        yield ev.SymbolBlocked(
            account=account.name, symbol=symbol, cause=CORPORATE_ACTION, reason=why
        )
    yield from _thaw(world, by)


def _suspected(world: World) -> set[str]:
    """The symbols that entries are kept away from: what is suspected, and what that leans on."""
    found = {symbol for account in world.book.accounts for symbol in account.suspected}
    return found | {world.instrument(symbol).leans_on for symbol in found}


def _thaw(world: World, by: str) -> Iterator[ev.Event]:
    """Entries are free again in every symbol of which nothing is suspected any more."""
    kept = _suspected(world)
    for account in world.book.accounts:
        for symbol, causes in tuple(account.blocked.items()):
            if CORPORATE_ACTION in causes and symbol not in kept:
                yield ev.SymbolUnblocked(
                    account=account.name, symbol=symbol, cause=CORPORATE_ACTION, by=by
                )


def decided(world: World, account: str, symbol: str, by: str) -> Iterator[ev.Event]:
    """An operator has decided: the suspicion ends in an account, if there is one.

    Of a split that was taken over nothing is left to decide before a price shows it.
    """
    state = world.book.account(account)
    if symbol in state.suspected and not awaits_price(world, state, symbol):
        yield from _end(world, state, symbol, by)


def due(world: World, now: Nanos) -> Iterator[ev.Event]:
    """End what is about nothing any more, and ask the venue once its time has passed."""
    for account in world.book.accounts:
        for symbol, known in tuple(account.suspected.items()):
            if symbol not in account.positions:
                yield from _end(world, account, symbol, _GONE)
            elif now >= known.at + UNCHANGED > account.reconciled_at and not account.snapshot_asked:
                yield ev.SnapshotRequested(account=account.name, reason=CORPORATE_ACTION)
    yield from _thaw(world, _DECIDED)


# --- what a look at the venue says ----------------------------------------------------------------


def split(world: World, snapshot: VenueSnapshot, now: Nanos) -> Iterator[ev.Event]:
    """Take over each holding that the venue shows split: by the price that raised the suspicion, or
    at the cost of before where no price shows it yet."""
    account = world.book.account(snapshot.account)
    for theirs in snapshot.positions:
        ours = account.positions.get(theirs.symbol)
        if ours is None or not _may_be_new(world, account, ours.symbol, snapshot.requested_at):
            continue  # a list may be behind one that was taken over a moment ago
        known = account.suspected.get(theirs.symbol)
        if known is None:
            yield from _at_the_cost_of_before(world, ours, theirs, now)
            continue
        ratio = split_between(known.before, known.price, ours.quantity, theirs.quantity)
        if ratio is not None:
            yield from _taken_over(world, account, ours, known, theirs.quantity, ratio, now)


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


def _at_the_cost_of_before(
    world: World, ours: Position, theirs: VenuePosition, now: Nanos
) -> Iterator[ev.Event]:
    """Take over a split that no price has shown yet: n new for m old, of which each costs m/n.

    Whoever buys or sells does not change what is held like this. Until a price shows it, what is
    held counts at the price that the split makes of the last one, and stands still; its stop, and
    what else rests, is brought to the new units at once.
    """
    before, after = ours.average_price, theirs.average_price
    if not (is_positive(before) and is_positive(after) and jumped(before, after)):
        return
    rounded = world.instrument(ours.symbol).tick_at(after) / after
    close = min(max(COST_CLOSE_TO, rounded), CLOSE_TO)
    ratio = split_between(before, after, ours.quantity, theirs.quantity, close)
    if ratio is None:
        return
    n, m = ratio
    symbol, account = ours.symbol, world.book.account(ours.account)
    last = world.prices.mark(symbol) or before
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
    yield from _freeze_entries(world, [symbol, *_leaning(world, symbol)], text)
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
            yield ev.SnapshotRequested(account=name, reason=CORPORATE_ACTION)


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


def _is_unseen(world: World, symbol: str, known: Suspicion) -> bool:
    """Whether no price shows the jump of a suspicion: the venue's orders or another account did."""
    return not known.seen or world.market.mark(symbol) is None


def awaits_price(world: World, account: AccountState, symbol: str) -> bool:
    """Whether a split was taken over of which no price is known yet: the last one is of before."""
    known, quote = account.suspected.get(symbol), world.market.quotes.get(symbol)
    if known is None or not known.awaits_price:
        return False
    return quote is None or quote.time <= known.at


def unchanged(
    world: World, snapshot: VenueSnapshot, skipped: tuple[str, ...]
) -> Iterator[ev.Event]:
    """End each suspicion of a holding that the venue has shown unchanged for long enough.

    `skipped`: the symbols in flux, of which the look says nothing.
    """
    account = world.book.account(snapshot.account)
    theirs = {position.symbol: position.quantity for position in snapshot.positions}
    for symbol, known in tuple(account.suspected.items()):
        ours = account.positions.get(symbol)
        if ours is None or symbol in skipped or snapshot.requested_at < known.at + UNCHANGED:
            continue
        if awaits_price(world, account, symbol) or _is_unseen(world, symbol, known):
            continue
        if theirs.get(symbol, ZERO) == ours.quantity:
            yield from _end(world, account, symbol, _REAL)
