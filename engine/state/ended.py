"""Orders that have ended: the newest are at hand for late reports, the others in the journal."""

from collections.abc import Mapping

from engine.domain.instant import Nanos
from engine.state.account import AccountState
from engine.state.order import Order

CLOSED_KEPT = 2_000
"""Finished orders kept at hand for late reports; older ones live in the journal only."""


class EndedOrders:
    """When orders of each account that have ended last changed, and which of them is let go."""

    def __init__(self, accounts: Mapping[str, AccountState]) -> None:
        """`accounts` are those of the book, by name; their `closed` orders are what is kept."""
        self._accounts = accounts
        self._newest: dict[str, Nanos] = {
            name: max((order.updated_at for order in account.closed.values()), default=0)
            for name, account in accounts.items()
        }
        """By account, when an order that has ended last changed."""

    def newest(self, account: str) -> Nanos:
        """When something was last told of an order of one account that has ended."""
        return self._newest.get(account, 0)

    def since(self, account: str, at: Nanos) -> list[Order]:
        """Orders of one account that have ended, and that something was told of at `at` or later;
        of those that ended long ago not one is looked at."""
        if self.newest(account) < at:
            return []
        known = self._accounts.get(account)
        closed = () if known is None else known.closed.values()
        return [order for order in closed if order.updated_at >= at]

    def keep(self, account: AccountState, order: Order) -> str:
        """Keep an order that has ended, or its new version.

        Returns the id of the one to let go for it, "" for none: the oldest of which nothing under
        way is to be made.
        """
        account.closed[order.client_order_id] = order
        self._newest[account.name] = max(self.newest(account.name), order.updated_at)
        if len(account.closed) > CLOSED_KEPT:
            for ended in account.closed.values():
                if not _is_needed(account, ended):
                    return ended.client_order_id
        return ""


def _is_needed(account: AccountState, ended: Order) -> bool:
    """Whether something under way is to be made of an order that has ended, however late.

    What takes its place is made of it (X-88). The next attempt at a close follows from the end
    of the newest: without that the same id would be sent again (rule 1).
    """
    if ended.client_order_id in account.replacing:
        return True
    position = account.positions.get(ended.symbol) if ended.closes else None
    plan = None if position is None else position.exiting
    return (
        position is not None
        and plan is not None
        and (ended.intent_id, ended.attempt) == (position.reducing_intent, plan.attempt)
    )
