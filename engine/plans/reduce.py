"""The plan of an order of a person's that reduces, where nothing joins it with our stop (rule 3).

The stop is cut to what the order leaves, or cancelled. Once the venue has proved that, the order is
sent. What it does not take off is covered again when it has ended.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.ids import moment_of
from engine.domain.instant import Nanos
from engine.domain.money import ZERO, plain
from engine.domain.order import OrderTerms
from engine.domain.run import Severity
from engine.exits.reducible import in_lots, most_reducible, room
from engine.plans.legs import end, is_over
from engine.plans.reducing import hindrance, may_send
from engine.state.intents import IntentLeg
from engine.state.waiting import intents_at
from engine.world import World

REDUCE: Final = "reduce"
"""Its name in the table and in `IntentOpened`."""


def stop_makes_room_first(world: World, terms: OrderTerms) -> bool:
    """Whether our stop has to make room before an order that reduces may be sent."""
    position = world.book.holding(terms.account, terms.symbol)
    if position is None or not terms.reduce_only or world.able(terms.account).reduce_only:
        return False
    return terms.quantity > room(world, position)


def advance(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """Send what waits once there is room for it, and say what became of it once it has ended."""
    for intent in intents_at(world.book, account, symbol):
        if intent.plan != REDUCE:
            continue
        for leg in intent.legs:
            if leg.waits:
                yield from _send(world, leg)
        newest = world.book.data.intents[intent.intent_id]
        if all(is_over(world, leg) for leg in newest.legs):
            yield from end(world, newest)


def _send(world: World, leg: IntentLeg) -> Iterator[ev.Event]:
    """The order, as it was asked for; a person's number is changed only for what the stop has
    taken meanwhile, and that is told (X-24)."""
    terms = leg.terms
    against = hindrance(world, terms)
    if against:
        yield from withdraw(leg, Code.NOT_SENT, against)
        return
    position = world.book.holding(terms.account, terms.symbol)
    if position is None or not may_send(world, terms.account):
        return
    most = most_reducible(world, position)
    quantity = in_lots(world, position, min(terms.quantity, most))
    if quantity <= 0 or terms.quantity - most > _stop_took(world, terms):
        text = f"only {plain(max(most, ZERO))} {terms.symbol} can still be reduced"
        yield from withdraw(leg, Code.NOT_SENT, text)
    elif quantity <= room(world, position):
        # An earlier process may have sent it in its last moment.
        before = moment_of(terms.client_order_id) < world.book.data.started_at
        sent = msgspec.structs.replace(terms, quantity=quantity, check_first=before)
        yield ev.OrderIntended(terms=sent)
        if quantity < terms.quantity:
            yield ev.Alarmed(
                code="ORDER_CUT",
                severity=Severity.WARNING,
                subject=terms.symbol,
                text=f"order {terms.client_order_id} to {terms.side} {plain(terms.quantity)} "
                f"{terms.symbol} is sent for {plain(quantity)}: the stop has filled meanwhile",
            )


def _stop_took(world: World, terms: OrderTerms) -> Decimal:
    """What stops of ours have filled since an order was asked for."""
    account, since = world.book.account(terms.account), moment_of(terms.client_order_id)
    stops = (
        order.filled
        for order in (*account.orders.values(), *account.closed.values())
        if order.is_protective and order.symbol == terms.symbol and order.filled_at >= since
    )
    return sum(stops, start=ZERO)


def withdraw(leg: IntentLeg, code: str, reason: str) -> Iterator[ev.Event]:
    """No order is ever made of a leg that waits, and whoever asked for it is told."""
    terms = leg.terms
    yield ev.LegRefused(
        account=terms.account,
        symbol=terms.symbol,
        intent_id=terms.intent_id,
        client_order_id=terms.client_order_id,
        code=code,
        measured="",
        limit="",
        reason=reason,
    )
    yield ev.Alarmed(
        code="ORDER_NOT_SENT",
        severity=Severity.WARNING,
        subject=terms.symbol,
        text=f"order {terms.client_order_id} to {terms.side} {plain(terms.quantity)} "
        f"{terms.symbol} is not sent: {reason}",
    )
