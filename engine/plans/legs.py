"""What plans of several orders have in common: to send a leg, and to say what became of all.

The outcome is that of the whole intent, never of one of its orders.
"""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.codes import Outcome
from engine.domain.instant import Nanos
from engine.domain.intent import LegDone
from engine.domain.money import ZERO, plain
from engine.domain.order import OrderStatus
from engine.pipeline.request import leg_request
from engine.pipeline.stages import decide
from engine.plans.outcome import ended_as
from engine.state.intents import Intent, IntentLeg
from engine.state.order import Order
from engine.world import World


def send(world: World, leg: IntentLeg, now: Nanos) -> Iterator[ev.Event]:
    """Make the order of a leg that waits, if it passes what is asked of it now.

    It was asked when the intent was opened, and the world may have changed since.
    """
    terms = leg.terms
    draft = Order.of(terms, seq=0, at=now)
    ruling = decide(world, leg_request(world, draft), now)
    if ruling.allowed:
        yield ev.OrderIntended(terms=terms)
        return
    yield ev.LegRefused(
        account=terms.account,
        symbol=terms.symbol,
        intent_id=terms.intent_id,
        client_order_id=terms.client_order_id,
        code=ruling.code,
        measured=ruling.measured,
        limit=ruling.limit,
        reason=ruling.reason,
    )


def is_over(world: World, leg: IntentLeg) -> bool:
    """Whether nothing of the leg can fill any more: its order has ended, or is never made."""
    if not leg.client_order_id:
        return bool(leg.refused)
    replacing = world.book.account(leg.terms.account).replacing
    return not world.book.works(leg.client_order_id) and leg.client_order_id not in replacing


def done(world: World, leg: IntentLeg) -> LegDone:
    """How far a leg has come."""
    order = (
        world.book.order_in(leg.terms.account, leg.client_order_id) if leg.client_order_id else None
    )
    return LegDone(
        client_order_id=leg.client_order_id or leg.terms.client_order_id,
        account=leg.terms.account,
        symbol=leg.terms.symbol,
        side=leg.terms.side,
        quantity=leg.terms.quantity if order is None else leg.before + order.quantity,
        filled=leg.before + (ZERO if order is None else order.filled),
        status=OrderStatus.CREATED if order is None else order.status,
    )


def end(world: World, intent: Intent) -> Iterator[ev.Event]:
    """The end of an intent, and of its signal; legs that still wait are never sent."""
    legs = tuple(done(world, leg) for leg in intent.legs)
    words = "; ".join([_words(legs), *(leg.refused for leg in intent.legs if leg.refused)])
    life = world.book.data.signals.get(intent.signal_id)
    whole = all(leg.filled >= leg.quantity for leg in legs)
    if life is not None and not (whole and life.outcome is not None):
        filled = any(leg.filled for leg in legs)
        outcome, code = (life.outcome, "") if filled else _outcome(world, intent)
        yield ev.SignalEnded(
            signal_id=intent.signal_id,
            symbol=life.symbol,
            outcome=outcome or Outcome.EXECUTED,
            code=code,
            reason=words,
            previous=life.outcome or "",
        )
    yield ev.IntentEnded(
        intent_id=intent.intent_id,
        plan=intent.plan,
        signal_id=intent.signal_id,
        reason=words,
        legs=legs,
    )


def _outcome(world: World, intent: Intent) -> tuple[Outcome, str]:
    """Of an intent that nothing filled: how the first leg that was sent ended."""
    for leg in intent.legs:
        order = (
            world.book.order_in(leg.terms.account, leg.client_order_id)
            if leg.client_order_id
            else None
        )
        if order is not None:
            return ended_as(order)
    return Outcome.CANCELLED, ""


def _words(legs: tuple[LegDone, ...]) -> str:
    whole = sum(1 for leg in legs if leg.filled >= leg.quantity)
    each = ", ".join(
        f"{leg.side} {plain(leg.filled)} of {plain(leg.quantity)} {leg.symbol} "
        + ("never sent" if leg.status is OrderStatus.CREATED else leg.status)
        for leg in legs
    )
    return f"{whole} of {len(legs)} legs filled: {each}"
