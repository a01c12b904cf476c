"""What a look at a venue, and its link, change (A-372)."""

from decimal import Decimal
from typing import Final

import msgspec

from engine.domain import events as ev
from engine.domain.instant import LATEST, Nanos
from engine.domain.money import COST_DIGITS, ZERO
from engine.domain.order import NS_PER_DAY
from engine.domain.suspicion import CORPORATE_ACTION, Suspicion
from engine.state.account import (
    LISTED_AGAIN,
    SETTLING,
    AccountState,
    Circuit,
    Left,
    LinkStatus,
    Missing,
    OldUnits,
    TakenForReal,
    Vanished,
)
from engine.state.book import Book
from engine.state.cover import guard
from engine.state.folds.order_update import in_new_units
from engine.state.folds.rule import Rules
from engine.state.holdings import adjusted, split
from engine.state.touched import AccountSeen, RunChanged, TradeVanished

BAD_FILL: Final = "bad_fill"
"""The cause that blocks a symbol whose fill could not be believed, until that fill is taken."""

BAD_FILLS_KEPT: Final = 1_000

REMEMBERED: Final = NS_PER_DAY
"""No list of a venue is behind its fills by more than this."""


def _snapshot_requested(book: Book, event: ev.SnapshotRequested, at: Nanos) -> None:
    book.enter(event.account).snapshot_asked = at


def _reconciled(book: Book, event: ev.Reconciled, at: Nanos) -> None:
    book.touch(AccountSeen(account=event.account), event.account)
    account = book.enter(event.account)
    account.reconciled_at, account.reconciled_clean = at, event.clean
    account.reconcile_reason, account.differences = event.reason, event.differences
    account.look_failed = event.failed
    if event.clean and not event.failed:
        account.clean_at = at
    if not event.failed:
        book.hear(event.account, at)
        account.compared, account.seen_at = True, at
        account.unsettled = {s: account.unsettled.get(s, at) for s in event.unsettled}
        account.missing = _missing(account, event, at)
        account.stops_beyond = event.stops_beyond or {}
        if account.freed_at + SETTLING <= account.snapshot_asked:
            account.freed_at = 0
    account.snapshot_asked = 0
    _forget(account, at)


def _forget(account: AccountState, at: Nanos) -> None:
    """Keep nothing of what can have no effect any more."""
    if account.old_units:
        working = account.orders
        account.old_units = {k: known for k, known in account.old_units.items() if k in working}
    if account.movements:
        newest = account.movements.items()
        account.movements = {s: moved for s, moved in newest if at - moved.at <= REMEMBERED}
    if account.vanished:
        newest_gone = account.vanished.items()
        account.vanished = {s: v for s, v in newest_gone if at - v.at <= LISTED_AGAIN}
    if account.taken_for_real:
        account.taken_for_real = {
            symbol: known
            for symbol, known in account.taken_for_real.items()
            if (held := account.positions.get(symbol)) is not None and known.concerns(held, at)
        }
    if account.adjusted:
        orders = (*account.orders.values(), *account.closed.values())
        concerned = account.positions.keys() | account.left.keys()
        concerned |= {order.symbol for order in orders}
        account.adjusted = {s: when for s, when in account.adjusted.items() if s in concerned}


def _missing(account: AccountState, event: ev.Reconciled, at: Nanos) -> dict[str, Missing]:
    """What is missing after a look; what is in flight is as it was before, unless it is listed."""
    left = set(event.unsettled) - set(event.listed_again or ())
    found = {s: known for s, known in account.missing.items() if s in left}
    for difference in (*event.differences, *(event.doubted or ())):
        if difference.missing:
            found[difference.symbol] = _still_missing(account, event, difference, at)
    return found


def _still_missing(
    account: AccountState, event: ev.Reconciled, found: ev.Difference, at: Nanos
) -> Missing:
    """What is missing of a symbol, since when and at which price: of what has been missing since an
    earlier look, at that of then."""
    quantity, before = found.missing, account.missing.get(found.symbol)
    told = event.missed_at or {}
    price = told.get(found.symbol)
    if before is None:
        return Missing(quantity=quantity, since=at, price=price)
    if price is None or before.price is None or before.quantity * quantity <= 0:
        kept = before.price if price is None else price
    else:
        more = quantity - before.quantity
        kept = (before.quantity * before.price + more * price) / quantity
    return Missing(quantity=quantity, since=before.since, price=kept)


def _adjusted(book: Book, event: ev.PositionAdjusted, at: Nanos) -> None:
    if event.numerator:
        _split(book, event, at)
        return
    seq, account = book.data.seq, book.enter(event.account)
    guessed = account.estimated.pop(event.symbol, None) is not None
    previous = book.holding(event.account, event.symbol)
    new = adjusted(
        previous,
        symbol=event.symbol,
        account=event.account,
        quantity=event.quantity,
        price=event.price,
        mult=event.multiplier,
        order=book.order_in(event.account, event.order_id) if event.order_id else None,
        keeps_average=event.value is None,
        seq=seq,
        at=at,
    )
    if account.kill is not None:
        before = ZERO if previous is None else previous.quantity
        account.kill.take_over(event.symbol, before, event.quantity)
    known = account.vanished.pop(event.symbol, None)
    if event.again and known is not None and new is not None:
        new = new.taken_up(known.position)
    if previous is not None and new is None:
        account.vanished[event.symbol] = Vanished(position=previous, at=at)
    if previous is not None and (new is None or new.position_id != previous.position_id):
        gone = TradeVanished(seq=seq, position_id=previous.position_id, reason=event.reason)
        book.touch(gone, event.account)
    book.hold(event.account, event.symbol, new)
    account.missing.pop(event.symbol, None)
    account.adjusted[event.symbol] = at
    if event.value is None:
        book.mark(event.symbol, event.price)
        return
    if event.mark is not None or new is None:
        book.mark(event.symbol, event.mark or event.price)
    left = {s: held for s, held in account.unexplained.holdings.items() if s != event.symbol}
    account.unexplained = msgspec.structs.replace(account.unexplained, holdings=left)
    if event.estimated and event.mark is not None:
        off = event.taken_off
        if off and not guessed:
            _leave(account, event.symbol, off, event.mark)
        if new is not None and (guessed or off in (ZERO, -event.previous)):
            account.estimated[event.symbol] = event.mark
    book.data.adjust(event.value)
    guard(book, event.account, event.symbol, at)


def _leave(account: AccountState, symbol: str, off: Decimal, price: Decimal) -> None:
    """So much left a holding at a price of before, with what waits for its price already."""
    before = account.left.get(symbol)
    if before is not None and before.quantity * off > 0:
        value, off = before.quantity * before.price + off * price, before.quantity + off
        price = value / off
    account.left[symbol] = Left(quantity=off, price=price)


def _priced(book: Book, event: ev.HoldingPriced, at: Nanos) -> None:
    account = book.enter(event.account)
    if event.left is not msgspec.UNSET:
        account.left.pop(event.symbol, None)
        book.data.adjust(event.value)
        return
    if event.unproved or event.early:
        account.estimated[event.symbol] = event.price
    else:
        account.estimated.pop(event.symbol, None)
    position = book.holding(event.account, event.symbol)
    if position is None:
        return
    if not position.cost:
        # Its average price was not known either.
        position = msgspec.structs.replace(
            position,
            cost=position.market_value(event.price),
            entry_notional=position.entry_quantity * event.price,
        )
        book.hold(event.account, event.symbol, position)
    book.mark(event.symbol, event.price)
    if account.adjusted.get(event.symbol, 0) > account.begun_at:
        book.data.adjust(event.value)  # it is part of no start
        return
    book.data.find(event.value)


def _split(book: Book, event: ev.PositionAdjusted, at: Nanos) -> None:
    """A holding was split: it cost what it cost, and its prices are those of the new units.

    Where its price had been taken for real, what was set or sent since is of the new units already.
    """
    position = book.holding(event.account, event.symbol)
    if position is None:
        return
    account = book.enter(event.account)
    real = account.taken_for_real.pop(event.symbol, None)
    if event.restated is None:
        real = None
    after = split(position, event.quantity, event.numerator, event.denominator)
    if real is not None:
        after = msgspec.structs.replace(
            after,
            stop=after.stop if position.stop == real.position.stop else position.stop,
            target=after.target if position.target == real.position.target else position.target,
        )
    book.hold(event.account, event.symbol, after)
    account.missing.pop(event.symbol, None)
    account.adjusted[event.symbol] = at
    left = {s: held for s, held in account.unexplained.holdings.items() if s != event.symbol}
    account.unexplained = msgspec.structs.replace(account.unexplained, holdings=left)
    account.estimated.pop(event.symbol, None)
    gone, n, m = account.left.get(event.symbol), event.numerator, event.denominator
    if gone is not None:
        price = round(gone.price * m / n, COST_DIGITS)
        account.left[event.symbol] = Left(quantity=gone.quantity * n / m, price=price)
    if event.mark is not None:
        book.mark(event.symbol, event.mark)
    _outdate(book, account, event, at, LATEST if real is None else real.at)
    if real is not None and event.restated is not None:
        book.data.restate(event.restated, real)
    guard(book, event.account, event.symbol, at)


def _outdate(
    book: Book, account: AccountState, event: ev.PositionAdjusted, at: Nanos, until: Nanos
) -> None:
    """What works in a symbol and was made up to `until` is of before its split; what only we know
    of it is of the new units at once: the stop and the target that an entry brings, and what its
    fills are held against."""
    n, m = event.numerator, event.denominator
    for order in tuple(book.working(account.name, event.symbol)):
        if order.created_at > until:
            continue
        before = account.old_units.get(order.client_order_id)
        told = before is None and order.was_split(n, m)
        changes = {} if told and order.rescaled else in_new_units(order, n, m)
        if told:
            # its venue told that before the holding was split
            changes |= {"unasked_from": None, "rescaled": False}
        else:
            account.old_units[order.client_order_id] = OldUnits(
                symbol=event.symbol,
                at=at,
                numerator=n * (before.numerator if before is not None else 1),
                denominator=m * (before.denominator if before is not None else 1),
            )
        if changes:
            book.put(msgspec.structs.replace(order, **changes))


def _blocked(book: Book, event: ev.SymbolBlocked, at: Nanos) -> None:
    book.touch(RunChanged())
    account = book.enter(event.account)
    account.blocked.setdefault(event.symbol, {})[event.cause] = event.reason
    if event.suspicion is not None:
        account.suspected[event.symbol] = event.suspicion
        account.taken_for_real.pop(event.symbol, None)
    if event.cause.startswith(BAD_FILL):
        account.bad_fills[event.reason] = None
        if len(account.bad_fills) > BAD_FILLS_KEPT:
            del account.bad_fills[next(iter(account.bad_fills))]


def _unblocked(book: Book, event: ev.SymbolUnblocked, at: Nanos) -> None:
    book.touch(RunChanged())
    account = book.enter(event.account)
    if event.cause == CORPORATE_ACTION:
        known = account.suspected.pop(event.symbol, None)
        if known is not None and event.real is True:
            _taken_for_real(book, account, event.symbol, known, at)
    blocked = account.blocked
    causes = blocked.get(event.symbol)
    if causes is not None:
        causes.pop(event.cause, None)
        if not causes:
            del blocked[event.symbol]


def _taken_for_real(
    book: Book, account: AccountState, symbol: str, known: Suspicion, at: Nanos
) -> None:
    """The split that a price looked like may still be listed, unless it was taken over already."""
    position, data = account.positions.get(symbol), book.data
    if position is None or known.awaits_price:
        return
    session = data.session
    account.taken_for_real[symbol] = TakenForReal(
        suspicion=known,
        at=at,
        position=position,
        peak=data.peak_equity - data.brought,
        day_peak=ZERO if session is None else session.peak_equity - session.brought,
        date=None if session is None else session.date,
    )


def _silent(book: Book, event: ev.VenueSilent, at: Nanos) -> None:
    book.touch(RunChanged())
    book.enter(event.account).silent_since = event.since


def _link(book: Book, event: ev.LinkChanged, at: Nanos) -> None:
    book.touch(RunChanged())
    account = book.enter(event.account)
    if account.is_polled:
        account.compared = False  # what it did until its stream stands is seen by the next look
    account.link = LinkStatus(state=event.state, since=at, detail=event.detail)
    account.silent_since = 0
    if not event.state.is_up:
        account.compared = False
        account.unsettled = {}


def _circuit(book: Book, event: ev.CircuitMoved, at: Nanos) -> None:
    book.touch(RunChanged())
    book.enter(event.account).circuit = Circuit(
        state=event.state,
        failures=event.failures,
        failed_at=at if event.failures else 0,
        until=event.until,
    )


RULES: Rules = {
    ev.SnapshotRequested: _snapshot_requested,
    ev.Reconciled: _reconciled,
    ev.PositionAdjusted: _adjusted,
    ev.HoldingPriced: _priced,
    ev.SymbolBlocked: _blocked,
    ev.SymbolUnblocked: _unblocked,
    ev.VenueSilent: _silent,
    ev.LinkChanged: _link,
    ev.CircuitMoved: _circuit,
}
