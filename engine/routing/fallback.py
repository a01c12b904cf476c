"""The account for entries that the one of their route did not take (A-240, A-242, X-44)."""

from collections.abc import Iterator

from engine.domain.run import Trigger
from engine.routing.route import is_in
from engine.state.order import Order
from engine.world import World


def fallback_for(world: World, account: str, symbol: str) -> str:
    """The account that an entry in a symbol is for where `account` does not take it; "" for none.

    It is that of `[account] fallback`, where that is another one, and its venue trades the class.
    """
    name = world.config.account.fallback
    if not name or name == account or not world.has(name):
        return ""
    trades = world.config.brokers.of(name).asset_classes
    return name if world.instrument(symbol).asset_class in trades else ""


def stays_in(world: World, account: str, symbol: str) -> str:
    """Why an entry that `account` did not take goes to no other one, in words; "" where it may.

    One symbol in two accounts has two stops and two closes, and what works out of reach may fill
    there yet (A-242).
    """
    if not is_in(world, account, symbol):
        return ""
    return f"{symbol} is held in {account}, or an order in it works there"


def is_out_of_reach(world: World, account: str) -> bool:
    """Whether nothing that opens can reach an account: its link is down, or its venue does not
    accept the credentials."""
    state = world.book.account(account)
    up = state.link is not None and state.link.state.is_up
    return not up or Trigger.BROKER_LOST in state.barred


def gone_on_as(world: World, order: Order) -> Iterator[Order]:
    """The order in another account by which an entry that `order` did not get taken went on."""
    for account in world.book.accounts:
        for other in (*account.orders.values(), *account.closed.values()):
            if other.parent_id == order.client_order_id and account.name != order.account:
                yield other
