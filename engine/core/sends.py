"""What becomes of an order on its way to the venue: sent, held back, failed (C-402, C-403)."""

from collections.abc import Iterator

from engine.core import circuit
from engine.core.changes import unchanged
from engine.core.fallback import fall_back
from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.inputs import (
    CancelFailed,
    GateClosed,
    ModifyFailed,
    Sending,
    SubmitFailed,
)
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import OrderStatus
from engine.domain.run import Severity, Trigger
from engine.plans.exit import is_left_to_trade
from engine.plans.outcome import after_end
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    MarketClosed,
    NotSent,
    Rejected,
    Throttled,
)
from engine.state import pauses
from engine.state.order import Order
from engine.world import World

DUPLICATE_ID = "DUPLICATE_ID"
"""How an adapter says that the venue knows the client order id already: it is live, ask."""

FAILED_BEFORE_ALARM = 3
"""The cancel of an order has failed so often in a row when that is told, once."""


def sending(world: World, given: Sending, now: Nanos) -> Iterator[ev.Event]:
    """Record that the order is being handed to the broker."""
    order = world.book.order_in(given.account, given.client_order_id)
    if order is not None:
        yield ev.OrderSent(account=order.account, client_order_id=order.client_order_id)


def gate_closed(world: World, given: GateClosed, now: Nanos) -> Iterator[ev.Event]:
    """End an order that was held back between decision and socket: it was provably not sent.

    Unless an earlier process sent it, as the venue has told meanwhile, or may have: it is asked for
    until that one can arrive no more (X-88).
    """
    order = world.book.order_in(given.account, given.client_order_id)
    if order is None or order.accepted_at or order.filled or order.status.is_terminal:
        return
    arrival = world.book.data.started_at + world.able(order.account).arrival
    if order.check_first and now <= arrival:
        if order.status is not OrderStatus.UNKNOWN:
            key, reason = order.client_order_id, "an earlier process may have sent it"
            yield ev.OrderUnclear(account=order.account, client_order_id=key, reason=reason)
            yield ev.OrderQueried(account=order.account, client_order_id=key, reason=reason)
        return
    if order.cancel_wanted:
        yield ev.OrderCanceled(
            account=order.account, client_order_id=order.client_order_id, reason=order.cancel_reason
        )
    else:
        yield ev.OrderRejected(
            account=order.account,
            client_order_id=given.client_order_id,
            code=Code.KILL_SWITCH if given.halted else Code.NOT_SENT,
            text=given.reason,
        )
    yield from after_end(world, given.account, given.client_order_id)


def submit_failed(world: World, given: SubmitFailed, now: Nanos) -> Iterator[ev.Event]:
    """Decide what a failed submit means for the order, by the kind of failure (C-402, C-403).

    What its account definitely did not take, for a reason that is not the order, may go to the
    fallback (A-242). A refusal of the order itself is final, and what is ambiguous is asked about.
    """
    order = world.book.order_in(given.account, given.client_order_id)
    if order is None or order.status.is_terminal:
        return
    key, error = given.client_order_id, given.error
    match error:
        case Rejected(code=code) if code == DUPLICATE_ID:
            yield from circuit.answered(world, order)
            yield ev.OrderUnclear(
                account=order.account, client_order_id=key, reason="the venue knows this id already"
            )
            yield ev.OrderQueried(account=order.account, client_order_id=key, reason="duplicate id")
            return
        case Rejected():
            yield from circuit.answered(world, order)
            yield ev.OrderRejected(
                account=order.account, client_order_id=key, code=error.code, text=error.text
            )
        case MarketClosed():
            yield from circuit.answered(world, order)
            yield ev.OrderRejected(
                account=order.account, client_order_id=key, code=Code.MARKET_CLOSED, text=str(error)
            )
            yield from fall_back(world, order, str(error), now)
            if order.is_protective and world.is_shut(order.symbol, now):
                yield _stop_waits(order, str(error))
        case NotSent() | Throttled() if _is_known_there(order):
            return
        case NotSent() | Throttled() if order.cancel_wanted:
            yield ev.OrderCanceled(
                account=order.account, client_order_id=key, reason=order.cancel_reason
            )
        case NotSent() | Throttled():
            yield ev.OrderRejected(
                account=order.account,
                client_order_id=key,
                code=Code.NOT_SENT,
                text=str(error),
                retry_at=_barred_until(error, now),
            )
            falls = yield from fall_back(world, order, str(error), now)
            if order.adds_exposure and not falls:
                yield ev.DeadLettered(letter_id=key, terms=order.terms, error=str(error))
            if isinstance(error, NotSent):
                yield from circuit.failed(world, order, str(error), now)
        case AuthFailed():
            yield ev.OrderRejected(
                account=order.account, client_order_id=key, code="AUTH_FAILED", text=str(error)
            )
            yield from _credentials_refused(world, order.account)
            yield from fall_back(world, order, str(error), now)
        case _:
            yield ev.OrderUnclear(account=order.account, client_order_id=key, reason=str(error))
            yield ev.OrderQueried(
                account=order.account, client_order_id=key, reason="no answer to the submit"
            )
            yield from circuit.failed(world, order, str(error), now)
            return
    yield from after_end(world, order.account, key)


def _stop_waits(order: Order, why: str) -> ev.Event:
    return ev.Alarmed(
        code="STOP_WAITS",
        severity=Severity.WARNING,
        subject=order.symbol,
        text=f"{order.account} takes no stop of {order.symbol} while its market is closed ({why}): "
        "it is placed when that opens, and until then none rests there",
    )


def _is_known_there(order: Order) -> bool:
    """Whether its venue has told of an order: it was sent then, by whichever attempt, and lives or
    ends as the venue says (rule 2)."""
    return bool(order.accepted_at or order.filled) or order.told_filled is not None


def _credentials_refused(world: World, account: str) -> Iterator[ev.Event]:
    """Stop entries in this account (C-403), and say so once; where no account takes any, the
    portfolio only reduces (X-77)."""
    if Trigger.BROKER_LOST in world.book.account(account).barred:
        return
    yield ev.Restricted(
        cause=Trigger.BROKER_LOST, reason="its credentials are not accepted", account=account
    )
    text = f"{account} does not accept the credentials"
    yield ev.Alarmed(code="AUTH_FAILED", severity=Severity.CRITICAL, subject=account, text=text)


def cancel_failed(world: World, given: CancelFailed, now: Nanos) -> Iterator[ev.Event]:
    """Ask the venue about an order whose cancel failed: the failure proves nothing about it.

    Where it was to make room for another order, and was refused, the change is given up. Any other
    cancel is asked for again after a pause. A venue that asks to wait did not act on the request,
    and is asked nothing before that.
    """
    order = world.book.order_in(given.account, given.client_order_id)
    if order is None or order.status.is_terminal:
        return
    if order.makes_room and not isinstance(given.error, Ambiguous):
        yield from unchanged(order, str(given.error))
    else:
        barred, failed = _barred_until(given.error, now), order.cancel_failures + 1
        rests = isinstance(given.error, Throttled) and order.accepted_at > 0
        rests = rests and order.status is OrderStatus.PENDING_CANCEL
        yield ev.CancelPutOff(
            account=order.account,
            client_order_id=order.client_order_id,
            until=max(now + _pause(world, order), barred),
            barred_until=barred,
            status=order.works_as if rests else None,
            text=str(given.error),
        )
        if failed == FAILED_BEFORE_ALARM:
            yield ev.Alarmed(
                code="CANCEL_REFUSED",
                severity=Severity.ERROR,
                subject=order.symbol,
                text=f"order {order.client_order_id} in {order.symbol} works on, "
                f"{failed} cancels in a row have failed and more are tried: {given.error}",
            )
        if rests:
            return
    yield ev.OrderQueried(
        account=order.account, client_order_id=given.client_order_id, reason=str(given.error)
    )


def _barred_until(error: BrokerError, now: Nanos) -> Nanos:
    """Until when the venue wants no other such request; 0 where it did not ask to wait."""
    if not isinstance(error, Throttled):
        return 0
    return now + int(error.retry_after * NS_PER_SECOND)


def _pause(world: World, order: Order) -> Nanos:
    """How long a cancel that failed waits before it is asked for again.

    The pauses grow as those between questions about an order in doubt. Under a halt, and for what
    may be in the way of a close, they stay the shortest.
    """
    if world.book.data.halt is not None or order.reduce_only:
        return pauses.DOUBT
    return pauses.doubled(pauses.DOUBT, order.cancel_failures)


def modify_failed(world: World, given: ModifyFailed, now: Nanos) -> Iterator[ev.Event]:
    """Keep the old terms after a refused change; a protective stop is cancelled and placed anew."""
    order = world.book.order_in(given.account, given.client_order_id)
    if order is None or order.status.is_terminal:
        return
    key = given.client_order_id
    if isinstance(given.error, Ambiguous):
        yield ev.OrderUnclear(account=order.account, client_order_id=key, reason=str(given.error))
        yield ev.OrderQueried(
            account=order.account, client_order_id=key, reason="no answer to the replace"
        )
        return
    if order.status is not OrderStatus.PENDING_REPLACE:
        return  # a cancel is under way, or the venue is being asked
    if not order.is_protective:
        yield from unchanged(order, str(given.error))
        return
    yield ev.CancelRefused(
        account=order.account,
        client_order_id=key,
        status=order.works_as,
        text=str(given.error),
        retry_at=_barred_until(given.error, now),
    )
    if isinstance(given.error, NotSent | Throttled) or is_left_to_trade(world, order, now):
        return  # the stop rests as it did, and its plan asks again
    yield ev.CancelRequested(
        account=order.account, client_order_id=key, reason="the venue would not replace it"
    )
