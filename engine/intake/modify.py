"""An operator's change of a working order (X-88, C-305)."""

from collections.abc import Iterator
from decimal import Decimal

from engine.config.kinds import is_usable, within
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.order import (
    HAVE_LIMIT,
    HAVE_STOP,
    IMMEDIATE,
    RESTING,
    OrderStatus,
    Replacement,
)
from engine.exits.reducible import room
from engine.intake.operator import REFUSED, acted, refuse
from engine.intake.protection import move_stop
from engine.pipeline.request import change_request
from engine.pipeline.stages import decide
from engine.plans.successor import new_id
from engine.routing.named import not_open
from engine.state.order import Order
from engine.world import World

_S = OrderStatus


def modify(world: World, given: ask.ModifyOrder, now: Nanos) -> Iterator[ev.Event]:
    """Change a working order where it passes what is asked of the difference.

    On a protective stop it is `protect`. A quantity that has filled already means cancel.
    """
    yield acted(given)
    order = world.book.order(given.client_order_id)
    fault = _fault(world, order, given)
    if order is None or fault:
        yield refuse(given, REFUSED, fault)
        return
    if order.is_protective:
        position = world.book.holding(order.account, order.symbol)
        if position is not None and given.stop_price is not None:
            yield from move_stop(world, given, position, given.stop_price, now)
        return
    wanted = Replacement(
        quantity=order.quantity if given.quantity is None else given.quantity,
        limit_price=given.limit_price,
        stop_price=given.stop_price,
        time_in_force=given.time_in_force,
    )
    if wanted.quantity <= order.filled:
        yield ev.CancelRequested(
            account=order.account, client_order_id=order.client_order_id, reason=given.by
        )
        return
    if not order.changes_by(wanted):
        return
    native = world.able(order.account).native_modify and _fits(world, order, wanted)
    ruling = decide(world, change_request(world, order, wanted), now)
    if not ruling.allowed:
        yield refuse(given, ruling.code, ruling.reason)
        return
    yield ev.ReplaceRequested(
        account=order.account,
        client_order_id=order.client_order_id,
        quantity=wanted.quantity,
        limit_price=wanted.limit_price,
        stop_price=wanted.stop_price,
        time_in_force=wanted.time_in_force,
        # A cut leaves the prices as they are, and what a unit may cost with them.
        reserved=(ruling.reserved or order.reserved) if order.reserved else order.reserved,
        new_client_order_id="" if native else new_id(order),
        reason=given.by,
    )


def _fits(world: World, order: Order, wanted: Replacement) -> bool:
    """Whether nothing has to make room for what is asked; else another order takes its place."""
    position = world.book.holding(order.account, order.symbol)
    if not order.reduce_only or position is None or world.able(order.account).reduce_only:
        return True
    return wanted.quantity - order.quantity <= max(room(world, position), ZERO)


def _fault(world: World, order: Order | None, given: ask.ModifyOrder) -> str:
    """One sentence on what keeps this order from being changed like this; "" where nothing does."""
    if order is None or order.status.is_terminal:
        return f"no working order has the id {given.client_order_id}"
    if shut := not_open(world, order.account):
        return f"it works in {shut}"
    if order.closes:
        return "it closes a position: it cannot be changed, only cancelled"
    under_way = "a cancel" if order.cancel_wanted else "a change" if order.pending else ""
    if order.status not in RESTING or under_way:
        also = f", and {under_way} of it is not proved" if order.status in RESTING else ""
        return (
            f"it is {order.status}{also}: an order can be changed while the venue works it and "
            "nothing else is under way"
        )
    return _number_fault(world, order, given)


def _number_fault(world: World, order: Order, given: ask.ModifyOrder) -> str:
    numbers = {
        "quantity": given.quantity,
        "limit_price": given.limit_price,
        "stop_price": given.stop_price,
    }
    if all(value is None for value in (*numbers.values(), given.time_in_force)):
        return "nothing is to be changed: give a quantity, a limit, a stop or a time in force"
    for name, number in numbers.items():
        if number is not None and not _is_usable(name, number):
            return f"{name} is {number}; {within('a number above 0', number)} is allowed"
    if order.is_protective:
        others = (given.quantity, given.limit_price)
        if given.stop_price is None or any(value is not None for value in others):
            return f"it protects {order.symbol}, all that is held of it: only its stop can be moved"
        fixed = "how long a protective stop stands is not changed by hand"
        return "" if given.time_in_force is None else fixed
    if given.limit_price is not None and order.type not in HAVE_LIMIT:
        return f"a {order.type} order has no limit_price; LIMIT and STOP_LIMIT have one"
    if given.stop_price is not None and order.type not in HAVE_STOP:
        return f"a {order.type} order has no stop_price; STOP and STOP_LIMIT have one"
    allowed = world.able(order.account).times_in_force
    if given.time_in_force is not None and given.time_in_force not in allowed:
        return f"the broker does not know {given.time_in_force}; {', '.join(sorted(allowed))} are"
    if given.time_in_force in IMMEDIATE:
        return f"it rests, so that it cannot become {given.time_in_force}; DAY and GTC are allowed"
    return ""


def _is_usable(name: str, number: Decimal) -> bool:
    """Finite and above 0; a quantity of 0 cancels, and is not read as nothing said (D-47)."""
    if name == "quantity" and number == 0:
        return True
    return is_usable(number)
