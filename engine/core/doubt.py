"""Orders in doubt: the deadline that asks, and what the answer proves (C-300 to C-304, C-406)."""

from collections.abc import Collection, Iterator
from decimal import Decimal

from engine.core import circuit, fills
from engine.core.changes import again, take_terms, unchanged
from engine.core.told_before import Told, told_before
from engine.domain import events as ev
from engine.domain.account import VenueOrder, VenueSnapshot
from engine.domain.codes import Code
from engine.domain.inputs import QueryAnswered, QueryFailed
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.order import (
    CHANGE_ASKED,
    MAY_BE_HELD,
    REPLACED,
    REQUEST_UNDER_WAY,
    UNACKNOWLEDGED,
    Fill,
    OrderStatus,
)
from engine.plans.exit import is_left_to_trade
from engine.plans.outcome import after_end, fell_short
from engine.plans.reducing import is_in_doubt_since_start
from engine.reconcile.compare import QUESTIONS_FIRST
from engine.state import pauses
from engine.state.deadlines import due_at
from engine.state.order import Order
from engine.world import World

_S = OrderStatus


def deadlines(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Cancel or ask about every order of which nothing was heard until its deadline."""
    for order in world.book.deadlines.pop(now):
        if order.account not in world.accounts:
            continue  # nobody here can ask about it
        key = order.client_order_id
        match order.status:
            case _S.NEW | _S.PARTIALLY_FILLED | _S.SUSPENDED if order.cancel_wanted:
                yield _end_again(world, order, now)
            case _S.NEW | _S.PARTIALLY_FILLED | _S.SUSPENDED:
                yield ev.CancelRequested(
                    account=order.account, client_order_id=key, reason=Code.ORDER_TIMEOUT
                )
            case _S.UNKNOWN if not world.book.account(order.account).is_connected:
                pass  # the question waits for the connection: see `overdue`
            case _S.UNKNOWN:
                yield ev.OrderQueried(
                    account=order.account, client_order_id=key, reason="still unknown"
                )
            case _ if order.queries:
                yield ev.OrderUnclear(
                    account=order.account, client_order_id=key, reason="the venue does not answer"
                )
                yield ev.OrderQueried(
                    account=order.account, client_order_id=key, reason="still unanswered"
                )
            case _:
                yield ev.OrderQueried(
                    account=order.account, client_order_id=key, reason="no answer in time"
                )


def at_last(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Ask once more about each protective stop that an earlier process may have sent, as soon as it
    cannot arrive any more: what it was for has no other until then (rules 1 and 3)."""
    started = world.book.data.started_at
    for account in world.book.accounts:
        bound = started + world.able(account.name).arrival
        if not account.is_connected or now <= bound:
            continue
        for order in tuple(account.orders.values()):
            due = order.is_protective and order.asked_at <= bound
            if due and is_in_doubt_since_start(order, started):
                yield ev.OrderQueried(
                    account=account.name,
                    client_order_id=order.client_order_id,
                    reason="it cannot arrive any more",
                )


def overdue(world: World, account: str, now: Nanos) -> Iterator[ev.Event]:
    """Ask about UNKNOWN orders whose deadline passed while there was no connection."""
    for order in tuple(world.book.account(account).orders.values()):
        if order.status is _S.UNKNOWN and due_at(order) <= now:
            yield ev.OrderQueried(
                account=account,
                client_order_id=order.client_order_id,
                reason="the connection is back",
            )


def unheard(world: World, snapshot: VenueSnapshot, asked: Collection[str]) -> Iterator[ev.Event]:
    """Ask a venue without a stream about every order that is under way and that it does not list,
    beside those that are `asked` about anyway: nothing else tells what became of it (C-441)."""
    account = world.book.account(snapshot.account)
    if not account.is_polled:
        return
    known = {theirs.client_order_id for theirs in snapshot.orders} | set(asked)
    for order in tuple(account.orders.values()):
        due = order.updated_at + pauses.POLL <= snapshot.requested_at
        if order.status in REQUEST_UNDER_WAY and order.client_order_id not in known and due:
            yield ev.OrderQueried(
                account=account.name,
                client_order_id=order.client_order_id,
                reason="no stream tells what became of it",
            )


def doubtful(world: World) -> Iterator[ev.Event]:
    """Ask, after a start, about every order that was under way when the process ended (C-406)."""
    for order in tuple(world.orders()):
        if order.status in (_S.CREATED, _S.PENDING_NEW, *CHANGE_ASKED):
            yield ev.OrderUnclear(
                account=order.account,
                client_order_id=order.client_order_id,
                reason="the process ended before an answer",
            )
    for order in tuple(world.orders()):
        if order.status is _S.UNKNOWN:
            yield ev.OrderQueried(
                account=order.account, client_order_id=order.client_order_id, reason="after a start"
            )


def query_failed(world: World, given: QueryFailed, now: Nanos) -> Iterator[ev.Event]:
    """Mark an unacknowledged order UNKNOWN because the question failed; its deadline asks again."""
    order = world.book.order_in(given.account, given.client_order_id)
    if order is None or order.status.is_terminal or order.status is _S.UNKNOWN:
        return
    if order.status in UNACKNOWLEDGED or order.status in CHANGE_ASKED:
        yield ev.OrderUnclear(
            account=order.account, client_order_id=given.client_order_id, reason=str(given.error)
        )


def query_answered(world: World, given: QueryAnswered, now: Nanos) -> Iterator[ev.Event]:
    """Apply the venue's answer to a question: its fills first, then the state of the order."""
    for fill in given.fills:
        yield from fills.take(world, fill, now)
    order = world.book.order_in(given.account, given.client_order_id)
    if order is None or order.status.is_terminal:
        return
    if given.order is None:
        yield from _not_found(world, order, given.asked_at)
    elif _may_still_change(world, order, given) or _denies_its_end(order, given.order):
        return
    else:
        yield from circuit.answered(world, order)
        told = {f.of_order: f for f in given.fills if f.client_order_id == order.client_order_id}
        taken = [f for f in told.values() if told_before(world.book, f, now) is Told.AGAIN]
        yield from _settle(world, order, given.order, taken, given.asked_at, now)
    yield from fell_short(world, given.account, given.client_order_id)
    yield from after_end(world, given.account, given.client_order_id)


def unlisted(world: World, snapshot: VenueSnapshot) -> Iterator[ev.Event]:
    """End a stop that an earlier process may have sent, where a look proves that it did not.

    The answer to the question about it proves the same; a venue that answers looks alone must not
    keep what it protects from being closed (rule 3). It is proved by a look of after the moment
    until which the stop may arrive and lists may be behind, which neither lists it nor its fill,
    and shows all that is held.
    """
    able, account = world.able(snapshot.account), world.book.account(snapshot.account)
    if snapshot.requested_at <= world.book.data.started_at + able.arrival + able.lag:
        return
    listed = {order.client_order_id for order in snapshot.orders}
    listed |= {fill.client_order_id for fill in snapshot.fills}
    there = {position.symbol: position.quantity for position in snapshot.positions}
    for order in tuple(account.orders.values()):
        held = account.positions.get(order.symbol)
        if (
            order.status is _S.UNKNOWN
            and order.is_protective
            and order.terms.is_derived
            and not (order.sent_at or order.accepted_at or order.filled)
            and order.client_order_id not in listed
            and order.symbol not in snapshot.unreadable
            and held is not None
            and there.get(order.symbol) == held.quantity
        ):
            yield _never_received(order)
            yield from after_end(world, order.account, order.client_order_id)


def _may_still_change(world: World, order: Order, given: QueryAnswered) -> bool:
    """True while a change that nobody answered may reach the venue yet (X-88, rule 1).

    Until then the order stays UNKNOWN, and keeps the larger exposure.
    """
    there = given.order
    if there is None or there.status.is_terminal or order.status is not _S.UNKNOWN:
        return False
    return (
        _awaits_change(order)
        and not order.differs(there.terms)
        and not lost(world, order, given.asked_at)
    )


def _denies_its_end(order: Order, venue: VenueOrder) -> bool:
    """Whether the venue says of an order that had ended there that less of it has filled.

    Such an answer undoes no end: the order stays UNKNOWN until its fills are told or assumed.
    """
    told = order.told_filled
    return order.status is _S.UNKNOWN and told is not None and venue.filled < told


def _awaits_change(order: Order) -> bool:
    """The venue was asked to change it, and nothing has proved or refused that yet."""
    return order.pending is not None and order.pending.native and not order.is_protective


def lost(world: World, order: Order, asked_at: Nanos) -> bool:
    """Whether a request, or a change, of an order in doubt that the venue did not show when it was
    asked cannot arrive any more."""
    bound = world.able(order.account).late_arrival
    return asked_at - max(order.unclear_at, order.sent_at) > bound


def _not_found(world: World, order: Order, asked_at: Nanos) -> Iterator[ev.Event]:
    """Decide what it means that the venue does not know an order.

    Before the late-arrival bound has passed it may still arrive, and nothing is concluded. One that
    the venue had acknowledged, and that nobody saw end, is gone only once it was asked about it
    more than once, and for longer than its answers may be behind: one answer may be empty.

    The bound counts from the time-out, which is when the order became UNKNOWN. The time-out of a
    process that ended before it was never seen: it is taken to be the longest there is.
    """
    known = order.accepted_at or order.filled
    if not known and order.status is not _S.UNKNOWN:
        yield ev.OrderUnclear(
            account=order.account,
            client_order_id=order.client_order_id,
            reason="the venue does not know it yet",
        )
        return
    able = world.able(order.account)
    started = world.book.data.started_at
    # It was tried again when it was put off to, and a process that ended then did not record it.
    sent = max(order.sent_at, order.created_at, order.put_off_until)
    seen = sent >= started
    if not (seen or order.sent_at):
        sent = started  # decided before, it may have left in the last moment of that process
    timed_out = sent if seen else sent + able.timeout
    if order.check_first:
        # A process before the one that decided it may have sent it, in its last moment.
        timed_out = max(timed_out, order.created_at + able.timeout)
    if asked_at - max(timed_out, order.unclear_at) <= able.late_arrival:
        return
    key = order.client_order_id
    if known:
        if asked_at - order.accepted_at <= able.lag:
            return  # it told us of the order, and its answer is older than that
        if order.status is not _S.UNKNOWN:
            yield ev.OrderUnclear(
                account=order.account,
                client_order_id=key,
                reason="the venue does not know it any more",
            )
            return
        if order.queries < QUESTIONS_FIRST or asked_at - order.unclear_at <= able.lag:
            return
        yield ev.OrderSettled(
            account=order.account,
            client_order_id=key,
            venue_order_id=order.venue_order_id,
            status=_S.CANCELED,
            reason="the venue no longer knows it",
        )
        return
    yield _never_received(order)


def _never_received(order: Order) -> ev.OrderRejected:
    return ev.OrderRejected(
        account=order.account,
        client_order_id=order.client_order_id,
        code=Code.NOT_SENT,
        text="the venue never received it",
    )


def _settle(  # noqa: PLR0917  # two views of the order, its fills, and the two times
    world: World,
    order: Order,
    venue: VenueOrder,
    taken: list[Fill],
    asked_at: Nanos,
    now: Nanos,
) -> Iterator[ev.Event]:
    """Take over what the venue said of an order when it was asked at `asked_at`.

    `taken` are the fills of it that came with the answer and are counted in what is held. They add
    up to more than the order's own count where some came before the order was known here (U-21).
    """
    key, current = order.client_order_id, order.status
    filled, notional = _added_up(order, taken)
    known = filled or order.filled
    if venue.status.is_terminal and known < venue.filled:
        text = f"{venue.status} there, fills not reported yet"
        mean = venue.average_price
        news = mean is not None and mean != order.told_average
        if current is not _S.UNKNOWN or order.told_filled != venue.filled or news:
            yield ev.OrderUnclear(
                account=order.account,
                client_order_id=key,
                reason=text,
                filled=venue.filled,
                average_price=mean,
            )
            yield from fills.trades_untold(world, order.account, key)
        return
    if venue.status.is_terminal:
        if current is not venue.status:
            yield ev.OrderSettled(
                account=order.account,
                client_order_id=key,
                venue_order_id=venue.venue_order_id,
                status=venue.status,
                reason=REPLACED if order.makes_room else "as the venue says",
                filled=filled,
                notional=notional,
            )
        return
    theirs, lag = venue.terms, world.able(order.account).lag
    if order.differs(theirs):
        # An answer may be older than the newest report, and then it undoes nothing.
        if order.updated_at <= asked_at and order.replaced_at + lag < asked_at:
            yield from take_terms(world, order, theirs, now, proved=True)
            current = current if order.makes_room else _S.NEW
    elif _awaits_change(order) and not order.cancel_wanted:
        yield from unchanged(order, "it never reached the venue")
        return
    if now < order.cancel_at and order.makes_room:
        # It works, and its cancel failed a moment ago: the deadline of the doubt comes back to it.
        if current is not _S.UNKNOWN:
            yield ev.OrderUnclear(
                account=order.account, client_order_id=key, reason="its cancel was not answered"
            )
        return
    status = _S.PARTIALLY_FILLED if known else _S.NEW
    if venue.status is _S.SUSPENDED:
        status = _S.SUSPENDED
    if _is_news(current, status, order, asked_at):
        yield ev.OrderSettled(
            account=order.account,
            client_order_id=key,
            venue_order_id=venue.venue_order_id,
            status=status,
            reason="held there" if status is _S.SUSPENDED else "works there",
            filled=filled,
            notional=notional,
        )
    yield from _asked_again(world, order, now)


def _added_up(order: Order, taken: list[Fill]) -> tuple[Decimal | None, Decimal | None]:
    """How much of an order the fills that were taken come to, and the sum of price x quantity over
    them; None where they come to no more than is known of it."""
    counted = sum((fill.quantity for fill in taken), start=ZERO)
    if counted <= order.filled:
        return None, None
    return counted, sum((fill.quantity * fill.price for fill in taken), start=ZERO)


def _is_news(current: OrderStatus, status: OrderStatus, order: Order, asked_at: Nanos) -> bool:
    """Whether it was not known of an order that its venue works it, or holds it. An answer of
    before the newest report makes no protection of a stop that is held, nor takes it away."""
    if _S.SUSPENDED in {status, current} and order.updated_at > asked_at:
        return False
    if status is _S.SUSPENDED and current in MAY_BE_HELD:
        return True
    return current is not status and (current in UNACKNOWLEDGED or current in CHANGE_ASKED)


def _asked_again(world: World, order: Order, now: Nanos) -> Iterator[ev.Event]:
    """Ask again for the end of an order that works, unless that failed a moment ago (C-403)."""
    if order.cancel_wanted and now >= order.cancel_at:
        yield _end_again(world, order, now)
    elif order.pending is not None and order.makes_room:
        yield again(order, order.pending)


def _end_again(world: World, order: Order, now: Nanos) -> ev.CancelRequested | ev.CancelPutOff:
    """The event that asks once more for the end of an order, or puts that off while it is a stop
    that trades (X-78)."""
    key = order.client_order_id
    if not is_left_to_trade(world, order, now):
        return ev.CancelRequested(
            account=order.account, client_order_id=key, reason=order.cancel_reason
        )
    # Who closes by hand meanwhile waits no longer than that.
    return ev.CancelPutOff(
        account=order.account,
        client_order_id=key,
        until=now + pauses.DOUBT,
        text="the stop trades, and is left alone meanwhile",
    )
