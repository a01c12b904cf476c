"""A close that an operator asks for, of one position, a part of it, or everything (rule 3).

Closing is never refused for what a check of the gate would say; only where no order can close it.
"""

from collections.abc import Iterator
from decimal import Decimal

from engine.config.kinds import is_usable
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.inputs import Command
from engine.domain.instant import Nanos
from engine.domain.money import is_multiple, plain
from engine.domain.position import ExitReason
from engine.exits.reducible import in_lots
from engine.intake.operator import REFUSED, acted, no_account, refuse
from engine.plans.exit import close_now, plan_exit
from engine.state.position import Position
from engine.world import World


def not_held(world: World, symbol: str, broker: str) -> str:
    """That nothing is held of a symbol, with what is held if only its letters' size differs.

    A symbol in small letters must not be taken for a position that is gone.
    """
    accounts = world.book.accounts
    held = {p.symbol for a in accounts if broker in ("", a.name) for p in a.positions.values()}
    meant = sorted(name for name in held - {symbol} if name.casefold() == symbol.casefold())
    where = f" in {broker}" if broker else ""
    is_held = f": {' and '.join(meant)} is held" if meant else ""
    return f"nothing is held of {symbol}{where}{is_held}"


def close_position(world: World, given: ask.ClosePosition, now: Nanos) -> Iterator[ev.Event]:
    """Close a position or a part of it with reduce-only orders, in any run state (rule 3)."""
    yield acted(given)
    fault = no_account(world, given.broker)
    if fault:
        yield refuse(given, Code.INVALID_INPUT, fault)
        return
    held = [p for p in world.held(given.symbol) if given.broker in ("", p.account)]
    if not held:
        yield refuse(given, REFUSED, not_held(world, given.symbol, given.broker))
    if given.quantity is not None:
        yield from _close_part(world, held, given, given.quantity)
        return
    yield from _close(world, held, given)


def _close_part(
    world: World, held: list[Position], given: ask.ClosePosition, quantity: Decimal
) -> Iterator[ev.Event]:
    """So much of one position; a second part waits until the first is closed."""
    if not held:
        return
    position, *others = held
    lot = world.instrument(given.symbol, position.account).lot
    if others:
        names = " and ".join(sorted(p.account for p in held))
        text = f"{given.symbol} is held in {names}: name one of them as the broker"
        yield refuse(given, REFUSED, text)
    elif not is_usable(quantity) or not is_multiple(quantity, lot):
        text = (
            f"quantity {quantity!s:.40} of {given.symbol} is refused: allowed is a multiple of "
            f"{plain(lot)} above 0"
        )
        yield refuse(given, Code.BAD_LOT, text)
    elif position.exiting is not None:
        yield refuse(given, REFUSED, f"{given.symbol} is being closed")
    elif quantity > abs(position.quantity):
        most = plain(abs(position.quantity))
        text = f"{most} {given.symbol} are held: at most that can be closed, not {plain(quantity)}"
        yield refuse(given, REFUSED, text)
    else:
        yield from plan_exit(
            position,
            reason=ExitReason.MANUAL,
            priority=0,
            detail=given.by,
            quantity=quantity,
        )


def close_all(world: World, given: ask.CloseAll, now: Nanos) -> Iterator[ev.Event]:
    """Close every position with reduce-only orders."""
    yield acted(given)
    fault = no_account(world, given.broker)
    if fault:
        yield refuse(given, Code.INVALID_INPUT, fault)
        return
    held = [p for p in tuple(world.holdings()) if given.broker in ("", p.account)]
    yield from _close(world, held, given)


def _close(world: World, held: list[Position], given: Command) -> Iterator[ev.Event]:
    """Close them; those of which no order can close anything are refused by name (rule 3)."""
    left = []
    closed: dict[str, None] = {}
    for position in held:
        if position.exiting is None and not in_lots(world, position, abs(position.quantity)):
            lot = plain(world.instrument(position.symbol, position.account).lot)
            left.append(
                f"{plain(abs(position.quantity))} {position.symbol} in {position.account} are not "
                f"closed: the venue takes multiples of {lot}"
            )
            continue
        closed[position.symbol] = None
        yield from close_now(world, position, ExitReason.MANUAL, given.by)
    if left:
        also = f"the close of {', '.join(closed)} is under way"
        yield refuse(given, Code.BAD_LOT, "; ".join([*left, also] if closed else left))
