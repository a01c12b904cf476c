"""What is wanted in several orders (DESIGN, Intents and plans)."""

import msgspec

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.state.book import Book
from engine.state.cover import guard_anew
from engine.state.folds.rule import Rules
from engine.state.intents import Intent, IntentLeg
from engine.state.order import Order


def lead(book: Book, order: Order) -> None:
    """An order that an intent of several waited for, or one that takes the place of such a one."""
    intent = book.data.intents.get(order.intent_id)
    if intent is None:
        return
    legs = tuple(_led(book, leg, order) for leg in intent.legs)
    book.data.intents[intent.intent_id] = msgspec.structs.replace(intent, legs=legs)


def _led(book: Book, leg: IntentLeg, order: Order) -> IntentLeg:
    key = order.client_order_id
    if leg.waits:
        mine = leg.terms.client_order_id == key
        return msgspec.structs.replace(leg, client_order_id=key) if mine else leg
    if not leg.client_order_id or leg.client_order_id != order.orig_client_order_id:
        return leg  # one that was refused has no order, and none takes the place of that
    old = book.order_in(leg.terms.account, leg.client_order_id)
    before = leg.before + (old.filled if old is not None else ZERO)
    return msgspec.structs.replace(leg, client_order_id=key, before=before)


def _intent_opened(book: Book, event: ev.IntentOpened, at: Nanos) -> None:
    book.data.intents[event.intent_id] = Intent(
        intent_id=event.intent_id,
        plan=event.plan,
        signal_id=event.signal_id,
        legs=tuple(IntentLeg(terms=terms) for terms in event.legs),
    )


def _intent_ended(book: Book, event: ev.IntentEnded, at: Nanos) -> None:
    book.data.intents.pop(event.intent_id, None)
    book.bury(event.signal_id)


def _leg_refused(book: Book, event: ev.LegRefused, at: Nanos) -> None:
    intent = book.data.intents.get(event.intent_id)
    if intent is None:
        return
    legs = tuple(
        msgspec.structs.replace(leg, refused=event.reason)
        if leg.terms.client_order_id == event.client_order_id
        else leg
        for leg in intent.legs
    )
    book.data.intents[event.intent_id] = msgspec.structs.replace(intent, legs=legs)
    refused = [leg.terms for leg in legs if leg.refused and leg.terms.reduce_only]
    if refused:
        taken = sum((terms.quantity for terms in refused), start=ZERO)
        guard_anew(book, event.account, event.symbol, at, taken)


RULES: Rules = {
    ev.IntentOpened: _intent_opened,
    ev.IntentEnded: _intent_ended,
    ev.LegRefused: _leg_refused,
}
