"""What the venue made of the terms of an order that works: changed as asked, left, or otherwise.

A change is proved by what the venue says the order is, and by nothing else (X-88).
"""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.money import ZERO, plain
from engine.domain.order import RESTING, VENUE, Replacement, Side
from engine.domain.run import Severity
from engine.plans import suspected_split
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


def works_as(world: World, order: Order, theirs: Replacement) -> Iterator[ev.Event]:
    """Take the terms over with which the venue says that an order works.

    Where it works a stop of ours at another price than that was asked for, one alarm names both.
    """
    if _is_news(world, order, theirs):
        yield ev.Alarmed(
            code="STOP_MOVED",
            severity=Severity.WARNING,
            subject=order.symbol,
            text=f"the venue works the stop of {order.symbol} in {order.account} at "
            f"{plain(theirs.stop_price or ZERO)}, and {plain(order.asked_stop or ZERO)} was asked "
            "for",
        )
    yield replaced(order, theirs)


def _is_news(world: World, order: Order, theirs: Replacement) -> bool:
    """Whether a venue says for the first time that it works a stop of ours at another price than
    the one asked for, and no split explains it."""
    asked, price = order.asked_stop, theirs.stop_price
    if not order.is_protective or asked is None or price is None or price == asked:
        return False
    position = world.book.holding(order.account, order.symbol)
    noted = position is None or position.stop_off == asked
    return not noted and _split_by(order, theirs) is None


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


def take_terms(
    world: World, order: Order, theirs: Replacement, now: Nanos, *, proved: bool
) -> Iterator[ev.Event]:
    """Apply the terms with which the venue says that the order works, or ask it again.

    `proved`: it was asked, by a look or about this order, after the order last changed here. A
    report that nobody asked for may be an old one that comes again: it is believed where the order
    can then do no less than before, and else the venue is asked (rule 1).

    Where nobody asked for the terms an alarm says so, once for each change. An entry of ours that
    may add more by them, or at a worse price, than the gate has passed is cancelled (rule 4). A
    protective stop is brought back by its plan, and a split is followed (X-93).
    """
    theirs = order.said(theirs)
    split = None if order.answered_by(theirs) else _split_by(order, theirs)
    unasked = not (order.is_protective or order.answered_by(theirs))
    grown = unasked and split is None and _is_more(order, theirs)
    before = order.told_otherwise
    if unasked and split is None and (before is None or before.contradicts(theirs)):
        yield _otherwise(order, theirs, ends=grown)
    if split is not None:
        yield from _follow_split(world, order, theirs, split, now)
    if proved or not (theirs.quantity < order.filled or (unasked and _is_less(order, theirs))):
        yield from works_as(world, order, theirs)
        if grown and not order.makes_room:
            yield from cancel(order, "its venue has enlarged it, which was not asked for")
        return
    key, otherwise = order.client_order_id, None
    text = f"{plain(theirs.quantity)} there, {plain(order.filled)} filled here"
    if unasked:
        otherwise = theirs
        if theirs.quantity >= order.filled:
            text = f"{plain(theirs.quantity)} there, which was not asked for"
    yield ev.OrderUnclear(
        account=order.account, client_order_id=key, reason=text, works_otherwise=otherwise
    )
    yield ev.OrderQueried(account=order.account, client_order_id=key, reason=text)


def _is_less(order: Order, theirs: Replacement) -> bool:
    """True where the order, with these terms, can fill or cost less than it counts as now."""
    return theirs.quantity < order.most or _cost(order, theirs) < order.exposure


def _is_more(order: Order, theirs: Replacement) -> bool:
    """True where an entry of ours may, with these terms, cost more than was passed for it, or trade
    at a worse price; what somebody else placed was passed by nobody here."""
    if not order.adds_exposure or order.intent_id == VENUE:
        return False
    if _cost(order, theirs) > order.exposure:
        return True
    passed: list[Replacement] = [order.replacement]
    if order.pending is not None:
        passed.append(order.pending)
    sign = order.side.sign
    for name in ("limit_price", "stop_price"):
        there = getattr(theirs, name)
        known = [price for terms in passed if (price := getattr(terms, name)) is not None]
        if there is not None and known and there * sign > max(price * sign for price in known):
            return True
    return False


def _cost(order: Order, theirs: Replacement) -> Decimal:
    """What the order may still add at worst with these terms, without the multiplier (U-51)."""
    reserved = replaced(order, theirs).reserved
    price = order.reserved if reserved is None else reserved
    return (theirs.quantity - order.filled) * price


def _otherwise(order: Order, theirs: Replacement, *, ends: bool) -> ev.Alarmed:
    """The alarm that an order works with terms that nobody asked for; `ends`: it is cancelled."""
    return ev.Alarmed(
        code="REPLACED_OTHERWISE",
        severity=Severity.CRITICAL,
        subject=order.symbol,
        text=f"the venue says that order {order.client_order_id} in {order.symbol} works for "
        f"{plain(theirs.quantity)}"
        + (f" at {plain(theirs.limit_price)}" if theirs.limit_price is not None else "")
        + ", which was not asked for"
        + (": it is cancelled" if ends else ""),
    )


def _follow_split(
    world: World, order: Order, theirs: Replacement, ratio: tuple[int, int], now: Nanos
) -> Iterator[ev.Event]:
    """What follows where its venue has changed an order to `theirs` as a split does (X-93).

    An entry is cancelled, since the stop and the target that it brings are of the old units. What
    is held may be listed in the new ones later: it is suspected of a split until then.
    """
    text = f"its venue has changed it as after a split {ratio[0]}:{ratio[1]}"
    if order.adds_exposure and not is_ending(order):
        yield from cancel(order, text)
        yield ev.Alarmed(
            code="CORPORATE_ACTION",
            severity=Severity.WARNING,
            subject=order.symbol,
            text=f"order {order.client_order_id} in {order.symbol} is cancelled: {text}",
        )
    yield from suspected_split.suspect_by_order(world, order, theirs, ratio, now)


def _split_by(order: Order, theirs: Replacement) -> tuple[int, int] | None:
    """The ratio of the split that makes the terms of an order the venue's; None where none does.

    One at the market has only its quantity to show it, where that is what was asked for: of one
    that was in doubt, as one that a dead process sent, it may be a guess.
    """
    if order.limit_price is None and order.stop_price is None:
        known = order.status in RESTING and not order.queries
        return split_of(order.quantity, theirs.quantity) if known else None
    prices = ((order.limit_price, theirs.limit_price), (order.stop_price, theirs.stop_price))
    return next(
        (
            split_between(before, after, order.quantity, theirs.quantity)
            for before, after in prices
            if before is not None and after is not None and jumped(before, after)
        ),
        None,
    )
