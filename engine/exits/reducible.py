"""How much may still be taken off a position (rule 3).

Every order that reduces is measured by it: when it is asked for, and again when one that waited is
sent; so is our stop.
"""

from decimal import Decimal

from engine.domain.money import ZERO, floor_to
from engine.domain.order import OrderStatus, OrderType
from engine.domain.position import ExitReason
from engine.state.order import Order
from engine.state.position import ExitPlan, Position
from engine.state.waiting import to_come
from engine.world import World
from engine.world.absence import LOOKS_AGREE_FOR


def against(world: World, position: Position) -> list[Order]:
    """Everything that works on the side that takes something off a position.

    An order that the venue lists without the reduce-only flag is among them.
    """
    working = world.book.working(position.account, position.symbol)
    return [order for order in working if order.side.sign * position.quantity < 0]


def working_for(world: World, position: Position) -> list[Order]:
    """The working orders that take something off a position, its stop among them."""
    reducing = world.book.reducing(position.account, position.symbol)
    return [o for o in reducing if o.reduce_only and o.side.sign * position.quantity < 0]


def in_lots(world: World, position: Position, quantity: Decimal) -> Decimal:
    """What the venue takes of a quantity that reduces: whole lots where it wants them.

    A commission taken in the coin that was bought leaves a holding that is no multiple of its lot;
    what is less than one lot can be neither protected nor closed there.
    """
    if world.able(position.account).odd_lots:
        return quantity
    return floor_to(quantity, world.instrument(position.symbol, position.account).lot)


def there(world: World, position: Position) -> Decimal:
    """How much of a position may be sold or bought back without going beyond what is held.

    Where the venue bounds what reduces, that is all of it. Elsewhere what its own list has left out
    for a while is no part of it: an order for that would open the other side (rule 3). A kill goes
    by the list at once (X-52).
    """
    held = abs(position.quantity)
    account = world.book.account(position.account)
    missing = account.missing.get(position.symbol)
    if missing is None or world.able(position.account).reduce_only:
        return held
    killed = position.exiting is not None and position.exiting.reason is ExitReason.KILL
    if account.seen_at - missing.since < LOOKS_AGREE_FOR and not killed:
        return held
    return max(held - max(missing.quantity * position.sign, ZERO), ZERO)


def _gone(world: World, position: Position) -> Decimal:
    """What of the orders that reduce is no part of `there` already: the venue says that they have
    ended and what filled, its list shows less, and the fills are still to be told."""
    ended = (
        order.told_filled - order.filled
        for order in against(world, position)
        if order.reduce_only and not order.is_protective
        if order.status is OrderStatus.UNKNOWN and order.told_filled is not None
    )
    return min(sum(ended, start=ZERO), abs(position.quantity) - there(world, position))


def room(world: World, position: Position) -> Decimal:
    """What may be taken off beside everything that works, our stop included (rule 3).

    It bounds every order that reduces, where the venue would fill each beside the others. A part
    that is being closed, and is not ordered yet, goes before what is asked for.
    """
    taken = (order.reach for order in against(world, position))
    left = there(world, position) + _gone(world, position)
    return left - sum(taken, start=to_close(world, position))


def most_reducible(world: World, position: Position, *, joined: bool = False) -> Decimal:
    """What may be taken off once our stop has made room for it.

    `joined`: no stop counts, whoever rests it, since the venue joins it with what reduces too.
    """
    others = (
        order.reach
        for order in against(world, position)
        if not (order.protects if joined else order.is_protective)
    )
    left = there(world, position) + _gone(world, position)
    return left - sum(others, start=to_close(world, position))


def reducible(
    world: World, position: Position, order_type: OrderType | None, *, but: str = ""
) -> Decimal:
    """What an order that is asked for now may take off a position.

    What is still to be made counts as what works does, but for what takes the place of `but`. Two
    stops that trade together take off both: they count against each other, and only a stop of ours
    makes room by itself.
    """
    joined = world.able(position.account).reduce_only and order_type is not OrderType.STOP
    coming = to_come(world.book, position.account, position.symbol, but=but)
    return most_reducible(world, position, joined=joined) - coming


def to_close(world: World, position: Position) -> Decimal:
    """What the close of a part is still to order; 0 while an order of it works, and without one."""
    plan = position.exiting
    if plan is None or plan.quantity is None:
        return ZERO
    if any(order.closes for order in working_for(world, position)):
        return ZERO
    return wanted_by(world, position, plan)


def wanted_by(world: World, position: Position, plan: ExitPlan) -> Decimal:
    """How much the order of a close is for, in what the venue takes."""
    held = there(world, position)
    wanted = held if plan.quantity is None else min(plan.quantity, held)
    return in_lots(world, position, wanted)


def to_protect(world: World, position: Position, part: Decimal = ZERO) -> Decimal:
    """How much a protective stop of ours should cover: what no stop of the operator's does (X-85).

    Where the venue would let both fill, it leaves room for every other order that takes something
    off, those that are still to be made among them, and for the `part` that is about to be closed.
    """
    held = there(world, position)
    others = [
        order
        for order in world.book.reducing(position.account, position.symbol)
        if order.reduce_only and not order.is_protective
    ]
    if world.able(position.account).reduce_only:
        taken = sum((order.covers for order in others), start=ZERO)
        taken = max(taken - _beside(world, position), ZERO)
    else:
        taken = sum((order.reach for order in others), start=part)
        taken -= _gone(world, position)
        taken += to_come(world.book, position.account, position.symbol)
    return in_lots(world, position, max(held - taken, ZERO))


def _beside(world: World, position: Position) -> Decimal:
    """What the venue holds beside a position and nothing explains: stops there may be for it."""
    account = world.book.account(position.account)
    found = account.unexplained.holdings.get(position.symbol)
    return max(found.quantity * position.sign, ZERO) if found is not None else ZERO
