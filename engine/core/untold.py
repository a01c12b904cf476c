"""Orders that have ended at their venue, and whose fills are missing here (fault 44, rule 3).

What they bought is held there without a stop, and what they sold is held no more. The venue is
asked about them meanwhile (`core/doubt.py`); here it is told, and the account is looked at as soon
as a look can say more.
"""

from collections.abc import Iterator
from typing import Final

from engine.domain import events as ev
from engine.domain.inputs import LookReason
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import plain
from engine.domain.run import Severity
from engine.reconcile.assumed import in_doubt_since
from engine.state.account import SETTLING, AccountState
from engine.state.order import Order
from engine.world import World

TOLD_AFTER: Final = 4 * NS_PER_SECOND
"""A fill that is missing for so long is told: with the next beat, so within the five seconds of
rule 3."""


def due(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Tell once of each order that its fills are missing, and ask for the looks that are due."""
    told = world.missing_told
    if not (world.book.index.unclear or told):
        return
    found = [order for order in world.orders() if order.untold]
    told.intersection_update((order.account, order.client_order_id) for order in found)
    for order in found:
        key = (order.account, order.client_order_id)
        if key not in told and now - in_doubt_since(order) >= TOLD_AFTER:
            told.add(key)
            yield _alarm(order)
        account = world.book.account(order.account)
        if account.is_connected and not account.snapshot_asked:
            yield from _look(world, account, order, now)


def _look(world: World, account: AccountState, order: Order, now: Nanos) -> Iterator[ev.Event]:
    """A look once a list can no longer be behind the fill, and one once nothing can be under way:
    what the venue holds is compared from then on, whatever is in doubt."""
    able = world.able(account.name)
    for bound in sorted({able.lag, able.longest_under_way}):
        at = in_doubt_since(order) + bound + SETTLING
        if account.reconciled_at <= at < now:
            yield ev.SnapshotRequested(account=account.name, reason=LookReason.FILLS_MISSING)
            return


def _alarm(order: Order) -> ev.Alarmed:
    bare = ", and no stop covers what it opened there" if order.adds_exposure else ""
    return ev.Alarmed(
        code="FILL_MISSING",
        severity=Severity.CRITICAL,
        subject=order.symbol,
        text=f"{order.account} says that order {order.client_order_id} has filled "
        f"({order.side} {plain(order.quantity)} {order.symbol}), and fills of "
        f"{plain(order.untold)} were never told: nothing here counts them{bare}; `reconcile "
        "--apply` takes over what the venue holds",
    )
