"""What the venue made of the terms of an order that works: changed as asked, left, or otherwise.

A change is proved by what the venue says the order is, and by nothing else (X-88).
"""

from collections.abc import Iterator

import msgspec

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.money import plain
from engine.domain.order import Replacement, Side
from engine.domain.run import Severity
from engine.plans import corporate
from engine.plans.reducing import cancel, is_ending
from engine.state.order import Order, Pending
from engine.world import World
from engine.world.gaps import jumped, split_between, split_of


def unchanged(order: Order, why: str) -> Iterator[ev.Event]:
    """Record that a change was refused and the order works as before, and raise an alarm."""
    yield ev.CancelRefused(
        account=order.account,
        client_order_id=order.client_order_id,
        status=order.works_as,
        text=why,
    )
    yield ev.Alarmed(
        code="MODIFY_REFUSED",
        severity=Severity.WARNING,
        subject=order.symbol,
        text=f"order {order.client_order_id} in {order.symbol} was not changed and works as it "
        f"was: {why}",
    )


def replaced(order: Order, theirs: Replacement) -> ev.OrderReplaced:
    """The event that gives the order the venue's terms and the exposure they mean."""
    asked, reserved = order.pending, None
    ratio = None if order.answered_by(theirs) else _split_by(order, theirs)
    if order.adds_exposure and asked is not None and asked.limit_price == theirs.limit_price:
        reserved = asked.reserved
    elif order.adds_exposure and theirs.limit_price not in (None, order.limit_price):
        reserved = theirs.limit_price
        if order.side is not Side.BUY and reserved is not None:
            reserved = max(order.reserved, reserved)
    return ev.OrderReplaced(
        account=order.account,
        client_order_id=order.client_order_id,
        quantity=theirs.quantity,
        limit_price=theirs.limit_price,
        stop_price=theirs.stop_price,
        time_in_force=theirs.time_in_force,
        reserved=reserved,
        numerator=ratio[0] if ratio else msgspec.UNSET,
        denominator=ratio[1] if ratio else msgspec.UNSET,
    )


def again(order: Order, wanted: Pending) -> ev.ReplaceRequested:
    """The event that asks once more for a cancel that never reached the venue."""
    return ev.ReplaceRequested(
        account=order.account,
        client_order_id=order.client_order_id,
        quantity=wanted.quantity,
        limit_price=wanted.limit_price,
        stop_price=wanted.stop_price,
        time_in_force=wanted.time_in_force,
        reserved=wanted.reserved,
        new_client_order_id=wanted.new_client_order_id,
        reason="the venue still works it",
    )


def told(world: World, order: Order, theirs: Replacement, now: Nanos) -> Iterator[ev.Event]:
    """Apply the terms with which the venue says that the order works, or ask it again.

    Where nobody asked for them the report may be an old one that comes again: it is believed where
    the order can then do no less than before, and else the venue is asked (rule 1).
    """
    unasked = not order.is_protective and not order.answered_by(theirs)
    if unasked:
        yield _otherwise(order, theirs)
    yield from follow_split(world, order, theirs, now)
    if theirs.quantity < order.filled:
        text = f"{plain(theirs.quantity)} there, {plain(order.filled)} filled here"
    elif unasked and _is_less(order, theirs):
        text = f"{plain(theirs.quantity)} there, which was not asked for"
    else:
        yield replaced(order, theirs)
        return
    key = order.client_order_id
    yield ev.OrderUnclear(account=order.account, client_order_id=key, reason=text)
    yield ev.OrderQueried(account=order.account, client_order_id=key, reason=text)


def _is_less(order: Order, theirs: Replacement) -> bool:
    """True where the order, with these terms, can fill or cost less than it counts as now."""
    if theirs.quantity < order.most:
        return True
    reserved = replaced(order, theirs).reserved
    price = order.reserved if reserved is None else reserved
    return (theirs.quantity - order.filled) * price < order.exposure


def _otherwise(order: Order, theirs: Replacement) -> ev.Alarmed:
    """The alarm that an order works with terms that nobody asked for."""
    return ev.Alarmed(
        code="REPLACED_OTHERWISE",
        severity=Severity.CRITICAL,
        subject=order.symbol,
        text=f"the venue says that order {order.client_order_id} in {order.symbol} works for "
        f"{plain(theirs.quantity)}"
        + (f" at {plain(theirs.limit_price)}" if theirs.limit_price is not None else "")
        + ", which was not asked for",
    )


def follow_split(world: World, order: Order, theirs: Replacement, now: Nanos) -> Iterator[ev.Event]:
    """What follows where its venue has changed an order as a split does (X-93).

    An entry is cancelled, since the stop and the target that it brings are of the old units. What
    is held may be listed in the new ones later: it is suspected of a split until then.
    """
    ratio = None if order.answered_by(theirs) else _split_by(order, theirs)
    if ratio is None:
        return
    text = f"its venue has changed it as after a split {ratio[0]}:{ratio[1]}"
    if order.adds_exposure and not is_ending(order):
        yield from cancel(order, text)
        yield ev.Alarmed(
            code="CORPORATE_ACTION",
            severity=Severity.WARNING,
            subject=order.symbol,
            text=f"order {order.client_order_id} in {order.symbol} is cancelled: {text}",
        )
    yield from corporate.suspect_by_order(world, order, theirs, ratio, now)


def _split_by(order: Order, theirs: Replacement) -> tuple[int, int] | None:
    """The ratio of the split that makes the terms of an order the venue's; None where none does.

    One at the market has only its quantity to show it.
    """
    if order.limit_price is None and order.stop_price is None:
        return split_of(order.quantity, theirs.quantity)
    prices = ((order.limit_price, theirs.limit_price), (order.stop_price, theirs.stop_price))
    return next(
        (
            split_between(before, after, order.quantity, theirs.quantity)
            for before, after in prices
            if before is not None and after is not None and jumped(before, after)
        ),
        None,
    )
