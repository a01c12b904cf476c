"""What a kill believes of its venue's lists, and what it leaves to the next look (X-52, fault 42).

It is sized from them, and a list may be behind, or empty for a moment: it closes no more than was
held, and drops nothing that only one list does not show.
"""

from collections.abc import Iterator
from decimal import Decimal

from engine.domain import events as ev
from engine.domain.account import VenueSnapshot
from engine.domain.money import ZERO, plain
from engine.domain.order import Fill
from engine.domain.run import Severity
from engine.reconcile.compare import PRICE_DRIFT, Comparison
from engine.state.account import AccountState
from engine.world import World
from engine.world.absence import CONTRADICTED_LOOKS_AGREE_FOR, LOOKS_AGREE_FOR

_SOLD_FOR = Decimal("0.5")
"""What was sold has brought at least so much of its worth."""


def exceeds(world: World, found: ev.PositionAdjusted) -> bool:
    """Whether a list shows more of a symbol than is left of what the kill has reduced.

    No fill explains that, and what is listed may be what was closed: closing it again would open a
    position the other way. A kill never closes more than what was held and what filled since.
    """
    work = world.book.account(found.account).kill
    if work is None or found.symbol not in work.reduced:
        return False
    return found.quantity * found.previous < 0 or abs(found.quantity) > abs(found.previous)


def vanishes(world: World, found: ev.PositionAdjusted, snapshot: VenueSnapshot) -> bool:
    """Whether a look is not to be believed yet: it shows nothing of what is held, or the other side
    of it.

    No fill explains that. The holding would lose its stop by what may be wrong in one list, and the
    close of the other side would make more of it: lists have to agree for as long as anything is
    believed that they leave out, and for longer while the same look contradicts them: by balances
    that cannot be true beside them, or by the stop of what would be gone. Of what a list shows to
    be less, that much is closed.
    """
    if not turns(found):
        return False
    missing = world.book.account(found.account).missing.get(found.symbol)
    if missing is None or shown_first(world, found):
        return True
    bound = (
        CONTRADICTED_LOOKS_AGREE_FOR
        if _is_contradicted(world, found, snapshot)
        else LOOKS_AGREE_FOR
    )
    return snapshot.requested_at - missing.since < bound


def _is_contradicted(world: World, found: ev.PositionAdjusted, snapshot: VenueSnapshot) -> bool:
    """Whether a look shows more than one list does of what would be gone: balances that cannot be
    true beside the list, its stop, or a cash that no sale has changed."""
    if snapshot.contradicts:
        return True
    if found.quantity:
        return False
    stops = (o for o in snapshot.orders if o.symbol == found.symbol and o.stop_price is not None)
    if any(order.side.sign * found.previous < 0 for order in stops):
        return True
    position = world.book.holding(found.account, found.symbol)
    told, instrument = snapshot.balances, world.instrument(found.symbol, found.account)
    if position is None or told is None or instrument.contract:
        return False
    currency = instrument.currency
    own = told.cash if currency == told.currency else ZERO
    came = told.balances.get(currency, own) - world.book.account(found.account).cash.get(
        currency, ZERO
    )
    worth = world.prices.market_value(position)
    return bool(worth) and came / worth < _SOLD_FOR


def turns(found: ev.PositionAdjusted) -> bool:
    """Whether nothing of what is held is left by an adjustment, or it is on the other side then."""
    return bool(found.previous) and found.quantity * found.previous <= 0


def shown_first(world: World, found: ev.PositionAdjusted) -> bool:
    """Whether the look before listed another quantity of a symbol than an adjustment has."""
    return listed_before(world, found) != plain(found.quantity)


def listed_before(world: World, found: ev.PositionAdjusted) -> str:
    """What the look before listed of the symbol of an adjustment, signed: what is held here, where
    that look found no difference."""
    differences = world.book.account(found.account).differences
    told = [
        d.venue or "0"
        for d in differences
        if d.symbol == found.symbol and d.kind != PRICE_DRIFT and d.is_of_holding
    ]
    return told[-1] if told else plain(found.previous)


def denied_once(world: World, fill: Fill, found: Comparison, *, contradicted: bool) -> bool:
    """Whether a `fill` is to be assumed because this list alone shows nothing of what is held, or
    the other side of it: no venue told of an end of its order, and the list before said otherwise,
    or the equity that was told with it does (`contradicted`).
    """
    order = world.book.order_in(fill.account, fill.client_order_id)
    if order is None or order.told_filled is not None:
        return False
    if world.book.holding(fill.account, fill.symbol) is None:
        return False
    now = [d for d in found.differences if d.symbol == fill.symbol and _denies(d)]
    before = {(d.symbol, d.venue) for d in world.book.account(fill.account).differences}
    return any(contradicted or (d.symbol, d.venue) not in before for d in now)


def tell_excess(world: World, found: ev.PositionAdjusted) -> Iterator[ev.Event]:
    """Say of a symbol that the venue lists what a kill must not close; not again while it does."""
    account = world.book.account(found.account)
    work, there = account.kill, plain(found.quantity)
    if work is None or (found.symbol, there) in {(d.symbol, d.venue) for d in account.differences}:
        return
    closed = plain(work.reduced[found.symbol])
    yield ev.Alarmed(
        code="KILL_UNEXPLAINED",
        severity=Severity.CRITICAL,
        subject=found.symbol,
        text=f"{account.name} lists {there} {found.symbol} after {closed} were closed, and no fill "
        "explains it: the kill does not close that; look at the venue, then reconcile --apply",
    )


def denied(account: AccountState) -> set[str]:
    """The symbols of what is held of which the last list showed nothing, or the other side."""
    return {d.symbol for d in account.differences if _denies(d)}


def _denies(found: ev.Difference) -> bool:
    """Whether the venue lists nothing of what is held, or the other side of it."""
    return bool(found.missing) and Decimal(found.local or 0) * Decimal(found.venue or 0) <= 0
