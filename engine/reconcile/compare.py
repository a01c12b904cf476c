"""The comparison: local and venue in, differences and proposed events out (A-370 to A-373, X-08).

Pure; it speaks of one account and touches no other. What is in flight is left out: a symbol with an
order whose state is not settled, or that changed since the venue was asked, is compared the next
time. What has been left out for longer than a request or a fill is under way is in flight no more.
A list may also be behind the venue's own fills: what it shows is then what was true a moment ago.
"""

from collections.abc import Container, Iterator
from decimal import Decimal

import msgspec

from engine.domain import events as ev
from engine.domain.account import VenueOrder, VenuePosition, VenueSnapshot
from engine.domain.instant import Nanos
from engine.domain.money import ZERO, plain
from engine.domain.order import (
    HAVE_STOP,
    RESTING,
    VENUE,
    OrderStatus,
    OrderTerms,
    Purpose,
    TimeInForce,
    VenueState,
)
from engine.domain.signal import TradeType
from engine.reconcile.assumed import (
    awaited,
    in_doubt_since,
    price_of,
    proposed_fill,
    told_of,
    was_asked,
)
from engine.state.account import AccountState
from engine.state.book import Book
from engine.state.order import Order
from engine.state.position import Position

LOCAL_ONLY = "LOCAL_ONLY"
BROKER_ONLY = "BROKER_ONLY"
QTY_MISMATCH = "QTY_MISMATCH"
SIDE_MISMATCH = "SIDE_MISMATCH"
PRICE_DRIFT = "PRICE_DRIFT"


_ALIASES = {BROKER_ONLY: "ghost", LOCAL_ONLY: "orphan"}
"""The words of the first design, which people still see (X-08)."""

QUESTIONS_FIRST = 3
"""So often the venue is asked about an order that it does not list, before what it holds is taken
over without the fills that the order may have had."""

DRIFT = Decimal("0.05")
"""Average prices further apart than this are reported; they block nothing (A-370)."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at the venue found."""

    differences: tuple[ev.Difference, ...]
    matched: int
    skipped: tuple[str, ...]
    """Symbols in flux, compared the next time."""
    unsettled: tuple[str, ...]
    """Those, and the symbols that were in flux for so long that they were compared all the same."""
    doubted: tuple[ev.Difference, ...]
    """What is held and listed of symbols with something in flight, where that differs."""
    listed_again: tuple[str, ...]
    """Symbols with something in flight that were missing, and are listed as they are held."""
    missing: tuple[str, ...]
    """Client ids of ours that the venue does not work: to be queried, never inferred.

    A question is harmless, so whatever else its symbol does, an order that stood still is asked
    about.
    """
    changed: tuple[VenueOrder, ...]
    """Orders of ours that work there with another quantity or stop than here."""
    proposals: tuple[ev.Event, ...]
    """What taking the venue's side would record."""

    @property
    def clean(self) -> bool:
        """True when nothing unexplained is left; a drifted average price is no more (A-370)."""
        return all(difference.kind == PRICE_DRIFT for difference in self.differences)


def compare(
    book: Book, snapshot: VenueSnapshot, bound: Nanos, lag: Nanos, by: str = "reconcile"
) -> Comparison:
    """Compare holdings and working orders. The snapshot's fills were taken in before.

    A symbol may be left out for so long as `bound`, the longest that anything is under way. The
    venue's lists may be behind what it has told by `lag`: what moved in that time before they were
    asked for, and differs as a late list would, is left out likewise. Both are in nanoseconds.
    """
    account = book.account(snapshot.account)
    theirs = {p.symbol: p for p in snapshot.positions if p.quantity}
    works = {o.client_order_id: o for o in snapshot.orders}
    # Symbols with anything in flight since the venue was asked are not compared.
    ended = {order.symbol for order in book.ended.since(account.name, snapshot.requested_at)}
    moving = {o.symbol for o in account.orders.values() if _is_moving(o, snapshot)}
    unsettled = moving | ended | snapshot.unreadable.keys()
    busy = ended | {s for s in unsettled if not _is_stuck(account, snapshot, s, bound)}
    busy |= snapshot.unreadable.keys()
    differences: list[ev.Difference] = []
    proposals: list[ev.Event] = []
    matched = 0
    behind: set[str] = set()
    unasked: list[str] = []
    fresh = snapshot.requested_at - lag
    for symbol in sorted({*theirs, *account.positions, *_untold(account)}):
        if symbol in busy:
            continue
        found = _holding(symbol, account.positions.get(symbol), theirs.get(symbol))
        if found is None:
            matched += symbol in theirs or symbol in account.positions
            # What was never told may cancel out: a purchase and its sale.
            told = tuple(_as_told(book, snapshot, symbol, theirs.get(symbol)))
            proposals += told or _over_all_the_same(account, symbol)
            continue
        if _is_behind(account, snapshot, theirs.get(symbol), found, lag):
            behind.add(symbol)
            continue
        differences.append(found)
        unanswered = awaited(account, snapshot, found, bound)
        unasked += [o.client_order_id for o in unanswered if not was_asked(o, bound)]
        if found.kind != PRICE_DRIFT and not unanswered:
            proposals += _explained(book, snapshot, symbol, theirs.get(symbol), by)
    changed: list[VenueOrder] = []
    unguarded = {symbol: held.quantity for symbol, held in theirs.items()}
    for key, order in works.items():
        ours = book.order_in(snapshot.account, key)
        if order.symbol in busy and ours is not None:
            continue
        if ours is not None and ours.is_working:
            matched += 1
            if ours.differs(order.terms) and ours.replaced_at < fresh:
                changed.append(order)
        elif ours is not None and ours.updated_at >= fresh:
            behind.add(order.symbol)  # it ended, and the list shows it as it was before
        else:
            differences.append(_foreign(order))
            # An id that another account has taken cannot be taken over: the difference stays.
            if ours is not None or book.order(key) is None:
                protects = _protects(order, unguarded)
                proposals.append(_adopted(order, snapshot.account, protects=protects))
    unlisted = [k for k, order in account.orders.items() if _is_unlisted(order, snapshot, works)]
    return Comparison(
        differences=tuple(differences),
        matched=matched,
        skipped=tuple(sorted(busy | behind)),
        unsettled=tuple(sorted(unsettled | behind)),
        doubted=tuple(_doubted(account, snapshot, theirs, busy, lag)),
        listed_again=tuple(_listed_again(account, snapshot, theirs, busy)),
        missing=(*unlisted, *unasked),
        changed=tuple(changed),
        proposals=tuple(proposals),
    )


def _is_behind(
    account: AccountState,
    snapshot: VenueSnapshot,
    theirs: VenuePosition | None,
    found: ev.Difference,
    lag: Nanos,
) -> bool:
    """Whether a list that differs shows what was held before fills that it cannot know yet."""
    moved = account.movements.get(found.symbol)
    if found.kind == PRICE_DRIFT or moved is None or snapshot.requested_at - moved.at > lag:
        return False
    return moved.includes(theirs.quantity if theirs is not None else ZERO)


def _doubted(
    account: AccountState,
    snapshot: VenueSnapshot,
    theirs: dict[str, VenuePosition],
    busy: set[str],
    lag: Nanos,
) -> Iterator[ev.Difference]:
    """How the holdings differ that are left out for what is in flight, where no late list explains
    it: a close for more than is listed could open the other side (rule 3)."""
    for symbol in sorted(busy - snapshot.unreadable.keys()):
        found = _holding(symbol, account.positions.get(symbol), theirs.get(symbol))
        if found is None or not found.missing:
            continue
        if not _is_behind(account, snapshot, theirs.get(symbol), found, lag):
            yield found


def _listed_again(
    account: AccountState,
    snapshot: VenueSnapshot,
    theirs: dict[str, VenuePosition],
    busy: set[str],
) -> Iterator[str]:
    """What a list before did not show, and this one does: it is held, whatever is in flight."""
    for symbol in sorted(account.missing.keys() & busy - snapshot.unreadable.keys()):
        found = _holding(symbol, account.positions.get(symbol), theirs.get(symbol))
        if found is None or not found.missing:
            yield symbol


def _is_moving(order: Order, snapshot: VenueSnapshot) -> bool:
    return order.status not in RESTING or order.updated_at >= snapshot.requested_at


def _is_stuck(account: AccountState, snapshot: VenueSnapshot, symbol: str, bound: Nanos) -> bool:
    """Whether nothing of a symbol is on its way, though an order of it is in doubt; to be asked of
    one in which none has ended since the venue was asked.

    For longer than `bound` its orders have been UNKNOWN on a connection that stood so long, and are
    not worked there: a fill of such an order was never told, or could not be believed.
    """
    asked_at = snapshot.requested_at
    connected = account.link.since if account.link is not None else 0
    if asked_at - connected <= bound:
        return False
    works = {order.client_order_id for order in snapshot.orders}
    return all(
        order.status is OrderStatus.UNKNOWN
        and order.client_order_id not in works
        and asked_at - in_doubt_since(order) > bound
        for order in account.orders.values()
        if order.symbol == symbol and _is_moving(order, snapshot)
    )


def _holding(
    symbol: str, ours: Position | None, theirs: VenuePosition | None
) -> ev.Difference | None:
    mine = ours.quantity if ours else ZERO
    other = theirs.quantity if theirs else ZERO
    if mine == other:
        if ours and theirs and _drifted(ours.average_price, theirs.average_price):
            return ev.Difference(
                symbol=symbol,
                kind=PRICE_DRIFT,
                local=plain(round(ours.average_price, 6)),
                venue=plain(round(theirs.average_price, 6)),
            )
        return None
    if not other:
        kind = LOCAL_ONLY
    elif not mine:
        kind = BROKER_ONLY
    else:
        kind = SIDE_MISMATCH if mine * other < 0 else QTY_MISMATCH
    return ev.Difference(symbol=symbol, kind=kind, local=plain(mine), venue=plain(other))


def _drifted(mine: Decimal, other: Decimal) -> bool:
    return bool(other) and abs(mine - other) / abs(other) > DRIFT


def _explained(
    book: Book, snapshot: VenueSnapshot, symbol: str, theirs: VenuePosition | None, by: str
) -> Iterator[ev.Event]:
    """Fills that were not told, as far as they explain a holding; the rest is adjusted.

    They are of orders that are UNKNOWN, and of those of which the venue counts more as filled than
    it told. A fill that is told of such an order after that is the same again, which an adjustment
    would not know (rule 1).
    """
    account = book.account(snapshot.account)
    ours = account.positions.get(symbol)
    held = ours.quantity if ours is not None else ZERO
    missing = (theirs.quantity if theirs is not None else ZERO) - held
    told = tuple(_as_told(book, snapshot, symbol, theirs))
    if told:
        yield from told
        return
    listed = {order.client_order_id: order for order in snapshot.orders}
    for order in account.orders.values():
        if order.symbol != symbol:
            continue
        filled, mean = told_of(order, listed.get(order.client_order_id))
        quantity = min(abs(missing), filled - order.filled)
        price = price_of(book, order, theirs, filled, mean)
        if quantity <= 0 or order.side.sign * missing <= 0 or price is None:
            continue
        yield proposed_fill(book, order, quantity, price, snapshot)
        missing -= quantity * order.side.sign
    if missing:
        yield _adjust(book, snapshot, symbol, theirs, by)


def may_be_told(account: AccountState, snapshot: VenueSnapshot, found: ev.PositionAdjusted) -> bool:
    """Whether an order that rests here and is not listed there may explain an adjustment.

    The venue is asked about it; an answer that explains nothing counts once it was given so often.
    A stop of ours is no such order: it ends with its holding, however that went.
    """
    works = {order.client_order_id for order in snapshot.orders}
    return any(
        order.symbol == found.symbol
        and not order.is_protective
        and order.side.sign * (found.quantity - found.previous) > 0
        and _is_unlisted(order, snapshot, works)
        and order.queries < QUESTIONS_FIRST
        for order in account.orders.values()
    )


def _is_unlisted(order: Order, snapshot: VenueSnapshot, works: Container[str]) -> bool:
    """Whether an order that rests here, and did when the venue was asked, is none of those that it
    lists; a fill that came meanwhile makes it no younger."""
    since = order.accepted_at or order.updated_at
    rested = order.status in RESTING and since < snapshot.requested_at
    unread = order.symbol in snapshot.unreadable
    return rested and not unread and order.client_order_id not in works


def _over_all_the_same(account: AccountState, symbol: str) -> Iterator[ev.OrderSettled]:
    """The ends of orders that have ended there, and of which fills are missing here, where the
    venue holds what is held here: those fills are in what was taken over before."""
    for order in account.orders.values():
        ended = order.status is OrderStatus.UNKNOWN and order.told_filled is not None
        if not ended or order.symbol != symbol or order.told_filled == order.filled:
            continue
        whole = order.told_filled is not None and order.told_filled >= order.quantity
        yield ev.OrderSettled(
            account=account.name,
            client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id,
            status=OrderStatus.FILLED if whole else OrderStatus.CANCELED,
            reason="it has ended there, and the venue holds what is held here",
        )


def _untold(account: AccountState) -> set[str]:
    """The symbols of orders of which the venue counts more as filled than it told."""
    return {
        order.symbol
        for order in account.orders.values()
        if order.status is OrderStatus.UNKNOWN and order.told_filled is not None
    }


def _as_told(
    book: Book, snapshot: VenueSnapshot, symbol: str, theirs: VenuePosition | None
) -> Iterator[ev.Event]:
    """The fills that are missing of orders that have ended there, as the venue counts them; none
    where they do not add up to what it holds."""
    account = book.account(snapshot.account)
    ours = account.positions.get(symbol)
    missing = (theirs.quantity if theirs is not None else ZERO) - (ours.quantity if ours else ZERO)
    untold = [
        (
            order,
            order.told_filled - order.filled,
            price_of(book, order, theirs, order.told_filled, order.told_average),
        )
        for order in account.orders.values()
        if order.symbol == symbol
        and order.status is OrderStatus.UNKNOWN
        and order.told_filled is not None
        and order.told_filled > order.filled
    ]
    if missing != sum((quantity * order.side.sign for order, quantity, _ in untold), start=ZERO):
        return
    # What opens comes before what closes.
    for order, quantity, price in sorted(untold, key=lambda each: each[0].reduce_only):
        if price is not None:
            yield proposed_fill(book, order, quantity, price, snapshot)


def _adjust(
    book: Book, snapshot: VenueSnapshot, symbol: str, theirs: VenuePosition | None, by: str
) -> ev.PositionAdjusted:
    ours = book.holding(snapshot.account, symbol)
    price = theirs.average_price if theirs else (ours.average_price if ours else ZERO)
    return ev.PositionAdjusted(
        symbol=symbol,
        account=snapshot.account,
        quantity=theirs.quantity if theirs else ZERO,
        price=price,
        multiplier=book.multiplier(symbol),
        previous=ours.quantity if ours else ZERO,
        reason="the venue's quantity, not explained by any fill",
        by=by,
    )


def _foreign(order: VenueOrder) -> ev.Difference:
    return ev.Difference(
        symbol=order.symbol,
        kind=BROKER_ONLY,
        local="",
        venue=f"{order.side} {plain(order.quantity)} {order.type}",
        client_order_id=order.client_order_id,
        about=ev.Compared.ORDER,
    )


def _protects(order: VenueOrder, unguarded: dict[str, Decimal]) -> bool:
    """Whether a stop there takes off what its venue holds, flagged so or not.

    `unguarded` is by symbol what no such stop was found for yet, signed; its leaves come off it. A
    venue without a reduce-only flag says no more of a stop than that.
    """
    if order.type not in HAVE_STOP:
        return False
    held = unguarded.get(order.symbol, ZERO)
    if order.side.sign * held < 0:
        left = held + (order.quantity - order.filled) * order.side.sign
        unguarded[order.symbol] = left if left * held > 0 else ZERO
        return True
    return order.reduce_only


def _adopted(order: VenueOrder, account: str, *, protects: bool) -> ev.OrderAdopted:
    """The order as somebody else's: a stop that protects counts as one of the operator (X-85)."""
    reduces = protects or order.reduce_only
    price = order.limit_price or order.stop_price or ZERO
    terms = OrderTerms(
        client_order_id=order.client_order_id,
        intent_id=VENUE,
        account=account,
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        quantity=order.quantity,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
        time_in_force=order.time_in_force or TimeInForce.GTC,
        reduce_only=reduces,
        purpose=Purpose.MANUAL,
        reserved=ZERO if reduces else price,
        trade_type=TradeType.SWING,
        timeout_seconds=0,
    )
    state = VenueState(
        status=order.status,
        venue_order_id=order.venue_order_id,
        filled=order.filled,
        notional=order.filled * price,
    )
    return ev.OrderAdopted(terms=terms, state=state)


def shown_kind(kind: str) -> str:
    """The kind of a difference as people read it, with the first design's word where it had one."""
    return f"{kind} ({_ALIASES[kind]})" if kind in _ALIASES else kind
