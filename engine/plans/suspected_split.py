"""A price, or an order, that looks like a split: what is held of the symbol is frozen (X-93).

Every account that holds the symbol is suspected by itself, since each venue tells of its own
holdings. Meanwhile the holding counts at the price before the gap, no exit is asked of it, its stop
stays as it rests, and nothing is entered in the symbol anywhere. What a person closes, a kill, and
what fills realise go on as ever. It ends by the split (`split_adjustment`), by prices, by an
operator, or once the venue has shown the holding unchanged for ten minutes.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from engine.domain import events as ev
from engine.domain.account import VenueSnapshot
from engine.domain.inputs import LookReason
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Quote
from engine.domain.money import ZERO, plain
from engine.domain.order import Replacement, Side
from engine.domain.run import Severity
from engine.domain.suspicion import CORPORATE_ACTION, Suspicion
from engine.plans.reducing import cancel
from engine.state.account import AccountState
from engine.state.order import Order
from engine.world import World
from engine.world.gaps import apart, jumped, suspected

UNCHANGED: Final = 600 * NS_PER_SECOND
"""A position that the venue shows unchanged for so long was not split: the price is real."""


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
        back = _is_back(known, quote.last)
        if _confirmed(world, account, quote, back=back, now=now):
            if back:
                yield from end(world, account, symbol, _SHOWN if known.awaits_price else _BACK)
                explained |= {account.name} if known.awaits_price else set()
            elif not known.seen:
                yield from _seen(world, account, symbol, known, now)
    names = [symbol, *leaning(world, symbol)]
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
    yield from freeze_entries(world, names, text)
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
            yield ev.SnapshotRequested(account=name, reason=LookReason.CORPORATE_ACTION)


def _is_back(known: Suspicion, price: Decimal) -> bool:
    """Whether a price is one of before the jump, or, where a split was taken over, of after that.

    The last price may have been one of after a split so close to 1 that none was suspected: then it
    is where it was.
    """
    if not jumped(known.before, price):
        return True
    last = known.before * known.numerator / known.denominator
    return known.awaits_price and not jumped(last, known.before) and not jumped(last, price)


def _confirmed(
    world: World, account: AccountState, quote: Quote, *, back: bool, now: Nanos
) -> bool:
    """Whether prices that are back at the one before a jump, or still beyond it, are no bad tick:
    two of them a second apart with none between that says otherwise, or the close of a bar (X-71).
    """
    bar = quote.trade and not (quote.bid or quote.ask)
    told_at = world.market.told_at[quote.symbol]
    for way, holds in (("back", back), ("seen", not back)):
        key = _key(way, account.name, quote.symbol)
        world.breaches.see(key, breached=holds, at=now, told_at=told_at, traded_both_sides=bar)
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
    if order.client_order_id in account.old_units or not may_be_new(world, account, symbol, now):
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
    yield from freeze_entries(world, [symbol, *leaning(world, symbol)], text)
    yield ev.Alarmed(
        code="CORPORATE_ACTION",
        severity=Severity.CRITICAL,
        subject=symbol,
        text=f"{text}: what rests there stays as it is, and nothing is entered or closed by a "
        "price until the venue shows the holding split, or a price shows that it was not",
    )
    if not account.snapshot_asked:
        yield ev.SnapshotRequested(account=order.account, reason=LookReason.CORPORATE_ACTION)


def may_be_new(world: World, account: AccountState, symbol: str, now: Nanos) -> bool:
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
    return was is not None and now is not None and apart(price, now) < apart(price, was)


def leaning(world: World, symbol: str) -> list[str]:
    """The contracts on a symbol that are held: a split of it changes them too."""
    derived = world.book.symbols.of_underlying(symbol)
    return [name for name in derived if name != symbol and world.book.held(name)]


def _is_contradicted(world: World, symbol: str, before: Nanos) -> bool:
    """Whether what a contract leans on is quoted after the gap too, and did not jump: an option's
    price moves that far by itself."""
    underlying = world.instrument(symbol).leans_on
    newest = world.market.quotes.get(underlying) if underlying else None
    return newest is not None and newest.time > before


def freeze_entries(world: World, names: list[str], why: str) -> Iterator[ev.Event]:
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


def end(
    world: World, account: AccountState, symbol: str, by: str, *, real: bool = False
) -> Iterator[ev.Event]:
    """The suspicion ends in one account, and with the last of them what kept entries away; `real`:
    the price is taken for real, and the split may be listed later."""
    why = account.blocked.get(symbol, {}).get(CORPORATE_ACTION, "")
    for way in ("back", "seen"):
        world.breaches.forget(_key(way, account.name, symbol))
    yield ev.SymbolUnblocked(
        account=account.name,
        symbol=symbol,
        cause=CORPORATE_ACTION,
        by=by,
        real=real or msgspec.UNSET,
    )
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
    """An operator has decided that the price is real: the suspicion ends in an account, if there is
    one.

    Of a split that was taken over nothing is left to decide before a price shows it.
    """
    state = world.book.account(account)
    if symbol in state.suspected and not awaits_price(world, state, symbol):
        yield from end(world, state, symbol, by, real=True)


def due(world: World, now: Nanos) -> Iterator[ev.Event]:
    """End what is about nothing any more, and ask the venue once its time has passed."""
    for account in world.book.accounts:
        for symbol, known in tuple(account.suspected.items()):
            if symbol not in account.positions:
                yield from end(world, account, symbol, _GONE)
            elif now >= known.at + UNCHANGED > account.reconciled_at and not account.snapshot_asked:
                yield ev.SnapshotRequested(account=account.name, reason=LookReason.CORPORATE_ACTION)
    yield from _thaw(world, _DECIDED)


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
        if awaits_price(world, account, symbol) or is_unseen(world, symbol, known):
            continue
        if theirs.get(symbol, ZERO) == ours.quantity:
            yield from end(world, account, symbol, _REAL, real=True)


def awaits_price(world: World, account: AccountState, symbol: str) -> bool:
    """Whether a split was taken over of which no price is known yet: the last one is of before."""
    known, quote = account.suspected.get(symbol), world.market.quotes.get(symbol)
    if known is None or not known.awaits_price:
        return False
    return quote is None or quote.time <= known.at


def is_unseen(world: World, symbol: str, known: Suspicion) -> bool:
    """Whether no price shows the jump of a suspicion: the venue's orders or another account did."""
    return not known.seen or world.market.mark(symbol) is None
