"""Which fills can be facts; one that cannot is not taken, and blocks its symbol (rule 2, U-17)."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from engine.domain import events as ev
from engine.domain.money import FARTHEST_PRICE, is_near, number_fault, plain
from engine.domain.order import Fill
from engine.domain.run import Severity
from engine.state.folds.venue import BAD_FILL
from engine.state.order import Order
from engine.world import World

MORE_BAD_FILLS = "bad_fill and more"

MOST_CAUSES: Final = 10
"""A symbol with so many causes is blocked by all further fills as one, until somebody looks."""

MOST_OVERFILL: Final = 1_000
"""A fill for more than so many times its order is none. An order that was sent twice, or enlarged
by hand at the venue, fills a few times what was ordered; an error of units (lots of 100,000 for
units, satoshi for coins) is beyond it."""


def fault_of(world: World, fill: Fill) -> str:
    """Why a fill can be no fact; "" where it can, however odd (rule 2; DESIGN, Broker port).

    Its commission is no part of that: see `fee_fault`.
    One that settles a contract has the price that its underlying makes, which may be zero.
    """
    for name, number in (("quantity", fill.quantity), ("price", fill.price)):
        if fault := number_fault(number):
            return f"{name} is {fault}"
        if number < 0 or (not number and name != "price"):
            return f"{name} is {number}; a number above 0 is allowed"
    if pays_contract(world, fill):
        return ""
    if not fill.price:
        return f"price is {fill.price}; a number above 0 is allowed"
    order = world.book.order_in(fill.account, fill.client_order_id)
    if order is not None and order.symbol != fill.symbol:
        order = None
    if order is not None and fill.quantity > MOST_OVERFILL * order.most:
        return f"more than {MOST_OVERFILL} times the {plain(order.most)} that were ordered"
    known = _prices_known(world, fill, order)
    if known and not any(is_near(fill.price, price) for price in known):
        return f"{plain(known[0])} was the last price, and {FARTHEST_PRICE} times that is allowed"
    return ""


def _prices_known(world: World, fill: Fill, order: Order | None) -> list[Decimal]:
    """What a price is measured by: one that is near any of these can be.

    The newest price may be the wrong one, and what it is measured by would stay so.
    """
    seen = [world.prices.mark(fill.symbol)]
    if order is not None:
        seen += [order.reference, order.limit_price, order.stop_price]
    held = world.book.holding(fill.account, fill.symbol)
    if held is not None:
        seen.append(held.average_price)
    return [price for price in seen if price is not None and price > 0]


def pays_contract(world: World, fill: Fill) -> bool:
    """Whether a fill pays a contract that has ended: it is of no order, after the last session, and
    takes off exactly what is held. Its price may be zero."""
    if fill.client_order_id or not world.is_over(world.instrument(fill.symbol), fill.time):
        return False
    held = world.book.holding(fill.account, fill.symbol)
    return held is not None and held.quantity == -fill.quantity * fill.side.sign


def quarantine(world: World, fill: Fill, why: str) -> Iterator[ev.Event]:
    """A fill that cannot be believed is not taken; its symbol takes no entries until resolved."""
    text = (
        f"fill {fill.execution_id} has quantity {fill.quantity!s:.40} at {fill.price!s:.40}: {why}"
    )
    account = world.book.data.accounts.get(fill.account)
    if account is not None and text in account.bad_fills:
        return  # also where a person has looked at it since
    causes = _causes(world, fill)
    yield ev.Alarmed(code="BAD_FILL", severity=Severity.CRITICAL, subject=fill.symbol, text=text)
    cause = _cause(causes, fill)
    yield ev.SymbolBlocked(account=fill.account, symbol=fill.symbol, cause=cause, reason=text)


def resolved(world: World, fill: Fill) -> Iterator[ev.Event]:
    """A fill that could not be believed has been taken: it blocks its symbol no more."""
    for cause, reason in tuple(_causes(world, fill).items()):
        if cause.startswith(BAD_FILL) and cause != MORE_BAD_FILLS and _is_of(reason, fill):
            yield ev.SymbolUnblocked(
                account=fill.account, symbol=fill.symbol, cause=cause, by=BAD_FILL
            )


def _cause(causes: dict[str, str], fill: Fill) -> str:
    """The cause under which a fill blocks its symbol: each has its own, up to a number of them."""
    if BAD_FILL not in causes or _is_of(causes[BAD_FILL], fill):
        return BAD_FILL
    own = f"{BAD_FILL} {fill.execution_id}"
    return own if own in causes or len(causes) < MOST_CAUSES else MORE_BAD_FILLS


def _is_of(reason: str, fill: Fill) -> bool:
    """Whether a block says that it is for this execution."""
    return reason.startswith(f"fill {fill.execution_id} has ")


def _causes(world: World, fill: Fill) -> dict[str, str]:
    """What blocks the symbol of a fill in its account, and why."""
    account = world.book.data.accounts.get(fill.account)
    return {} if account is None else account.blocked.get(fill.symbol, {})
