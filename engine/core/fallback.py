"""An entry that its account definitely did not take goes to the fallback (A-240, A-242, X-44).

The order has ended by then, and can fill no more; the intent goes on as an order of its own id in
the fallback. An order of which anything was ever in doubt, or that its venue ever told of, does not
fall back: it may have been taken, and a second one would be the same trade twice (rule 1).
"""

from collections.abc import Generator, Iterator

import msgspec

from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import plain
from engine.domain.order import OrderStatus
from engine.domain.run import Severity
from engine.pipeline.intent import build, intend
from engine.pipeline.request import manual_request, placed_again, signal_request
from engine.pipeline.stages import decide
from engine.plans.reducing import cancel
from engine.risk import gate
from engine.risk.request import Request
from engine.routing.fallback import fallback_for, gone_on_as, stays_in
from engine.state.order import Order
from engine.world import World


def fall_back(world: World, order: Order, why: str, now: Nanos) -> Generator[ev.Event, None, bool]:
    """Decide in the fallback an entry that has just ended; True where it goes on there.

    `order` is as it was before its end, `why` is why its account did not take it.
    """
    name = fallback_for(world, order.account, order.symbol)
    if not name or not may_fall_back(world, order) or is_old(world, order, now):
        return False
    request = _request(world, order, name)
    if request is None or request.kind.reduces:
        return False
    stays = stays_in(world, order.account, order.symbol)
    if stays:
        yield _refused(order, why, f"it does not go to the fallback {name}: {stays}")
        return False
    ruling = decide(world, request, now, gate.OF_A_FALLBACK)
    if not ruling.allowed:
        said = f"{ruling.code}: {ruling.reason}"
        yield _refused(order, why, f"the fallback {name} does not take it either: {said}")
        return False
    ruling = msgspec.structs.replace(ruling, routed=f"{order.account} did not take it: {why}")
    facts = ("fallback", order.client_order_id)
    terms = build(world, ruling, now, signal_id=order.signal_id, facts=facts)
    terms = msgspec.structs.replace(
        terms,
        intent_id=order.intent_id,
        parent_id=order.client_order_id,
        signal_type=order.signal_type,
        timeframe=order.timeframe,
        resized=terms.resized or order.resized,
    )
    yield from intend(world, ruling, terms)
    return True


def _refused(order: Order, why: str, also: str) -> ev.Alarmed:
    return ev.Alarmed(
        code="FALLBACK_REFUSED",
        severity=Severity.WARNING,
        subject=order.symbol,
        text=f"{order.account} did not take order {order.client_order_id}: {why}; {also}",
    )


def may_fall_back(world: World, order: Order) -> bool:
    """Whether an order whose end is being recorded can be tried in another account.

    It adds exposure, nobody wanted its end or named its account, its venue never told of it, and
    nothing is in doubt about it or in its symbol there. It is the whole of its intent, and the
    first order of it: what took the place of one that worked is part of what was accepted.
    """
    account = world.book.account(order.account)
    told = order.accepted_at or order.filled or order.told_filled is not None
    doubted = order.unclear_at or order.check_first or order.status is OrderStatus.UNKNOWN
    follows = order.orig_client_order_id or order.parent_id
    if told or doubted or follows or order.cancel_wanted or order.named:
        return False
    if not order.adds_exposure or order.intent_id in world.book.data.intents:
        return False
    beside = world.book.working(order.account, order.symbol)
    return not account.blocked.get(order.symbol) and all(
        other.status is not OrderStatus.UNKNOWN for other in beside
    )


def taken_after_all(world: World, order: Order) -> Iterator[ev.Event]:
    """Withdraw from the fallback an entry that its first account turns out to have taken (A-242).

    `order` is that of the first account, of which the venue has told after its end. What of the
    other has filled is held, and is told where this one has filled as well.
    """
    if order.is_working or not order.adds_exposure:
        return
    for other in gone_on_as(world, order):
        withdrawn = other.is_working and not other.cancel_wanted
        if withdrawn or (other.filled and order.filled):
            yield ev.Alarmed(
                code="TAKEN_TWICE",
                severity=Severity.CRITICAL,
                subject=order.symbol,
                text=f"{order.account} took order {order.client_order_id} that it had refused, and "
                f"the fallback {other.account} has {other.client_order_id} of the same intent: "
                f"{plain(order.filled)} and {plain(other.filled)} {order.symbol} filled",
            )
        if withdrawn:
            yield from cancel(other, f"{order.account} took it after all")


def is_old(world: World, order: Order, now: Nanos) -> bool:
    """Whether the signal of an entry came too long ago for another attempt."""
    limit = world.config.execution.max_signal_age_seconds
    return bool(order.signal_id) and now - order.created_at > limit * NS_PER_SECOND


def _request(world: World, order: Order, name: str) -> Request | None:
    """What is asked of the fallback; None where what was asked for first is not known any more."""
    if not order.signal_id:
        return manual_request(world, placed_again(order.terms, by="", broker=name))
    life = world.book.data.signals.get(order.signal_id)
    if life is None or life.signal is None or life.outcome is not None:
        return None
    return signal_request(world, life.signal, account=name, most=order.quantity)
