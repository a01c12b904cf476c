"""An order that did not leave, and whether it is still to leave (C-400, C-401, C-402).

What was decided when it came in may hold no more when it is tried again. What keeps an entry here
then keeps this one: it has to pass the gate as it is now. Cancels, exits and stops are no entries,
and are never asked (C-404).
"""

from collections.abc import Iterator

from engine.core import circuit
from engine.core.fallback import fall_back, is_old
from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.inputs import SendAgain, SubmitPutOff
from engine.domain.instant import Nanos
from engine.domain.order import OrderStatus
from engine.pipeline.fallback import is_unreached
from engine.pipeline.request import again_request
from engine.pipeline.stages import decide
from engine.plans.outcome import after_end
from engine.ports import NotSent
from engine.risk import gate
from engine.state.order import Order
from engine.world import World


def submit_put_off(world: World, given: SubmitPutOff, now: Nanos) -> Iterator[ev.Event]:
    """Record that an order has not left yet, and when it is tried again (C-401).

    Of one that an earlier process may have sent that may be the question about it, before which it
    is not handed to the broker.
    """
    order = world.book.order_in(given.account, given.client_order_id)
    if order is None:
        return
    asks_first = order.status is OrderStatus.CREATED and order.check_first
    if asks_first or order.status is OrderStatus.PENDING_NEW:
        yield ev.SendPutOff(
            account=order.account,
            client_order_id=order.client_order_id,
            until=given.until,
            text=str(given.error),
        )


def send_again(world: World, given: SendAgain, now: Nanos) -> Iterator[ev.Event]:
    """Record that an entry is handed over once more, or end it where it must not leave any more.

    One that cannot reach its account goes to the fallback (A-242). One that goes nowhere is kept as
    a dead letter: a person may have it decided anew (C-430).
    """
    order = world.book.order_in(given.account, given.client_order_id)
    if order is None or order.status is not OrderStatus.PENDING_NEW:
        return
    key, against, unreached = order.client_order_id, *_against(world, order, now)
    if not against:
        yield ev.OrderSent(account=order.account, client_order_id=key)
        return
    text = f"not tried again after {given.error}: {against}"
    yield ev.OrderRejected(
        account=order.account, client_order_id=key, code=Code.NOT_SENT, text=text
    )
    falls = unreached and (yield from fall_back(world, order, str(given.error), now))
    if not falls:
        yield ev.DeadLettered(letter_id=key, terms=order.terms, error=text)
    if isinstance(given.error, NotSent):
        yield from circuit.failed(world, order, str(given.error), now)
    yield from after_end(world, order.account, key)


def _against(world: World, order: Order, now: Nanos) -> tuple[str, bool]:
    """Why an entry that waits for another attempt must not leave any more, "" where it may; and
    whether that is because it cannot reach its account, and for nothing else."""
    if is_old(world, order, now):
        limit = world.config.execution.max_signal_age_seconds
        return f"{Code.STALE_SIGNAL}: its signal came more than {limit} s ago", False
    ruling = decide(world, again_request(world, order), now, gate.OF_ANOTHER_TRY)
    if ruling.allowed:
        return "", False
    return f"{ruling.code}: {ruling.reason}", is_unreached(world, ruling)
