"""What is held without a stop at its venue once no engine runs (C-504, rule 3).

An orderly end keeps protective stops and the orders by which a person takes something off. Where a
venue would fill both, our stop was made smaller for such an order, and it is not brought back to
its size beside it: the two together could open the other side. The order is a person's own, so
that it is not cancelled either. What no stop covers then is told, before the end and at it.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from engine.domain.money import ZERO, plain
from engine.exits.reducible import in_lots, working_for
from engine.plans.too_small import is_too_small
from engine.state.cover import uncovered
from engine.world import World


class Unattended(NamedTuple):
    """A part of a holding that no stop is known to cover at its venue."""

    account: str
    """Its name under `[brokers]`."""
    symbol: str
    quantity: Decimal
    """How much of it, unsigned."""
    ordered: Decimal
    """How much the orders that stay take off at prices of their own; stops are none of them."""
    sells: bool
    """Whether those orders sell: False where they buy back what is short."""
    wanted: bool
    """Whether a stop is wanted for it, which the engine goes by as long as it runs."""

    @property
    def text(self) -> str:
        """One sentence with the quantity, the symbol, the account, and what rests instead."""
        held = f"{plain(self.quantity)} {self.symbol} in {self.account}"
        if not self.ordered:
            return f"{held}: no stop rests at the venue"
        way = "sell" if self.sells else "buy back"
        return f"{held}: no stop, an order to {way} {plain(self.ordered)} stays at the venue"


def unattended(world: World) -> Iterator[Unattended]:
    """Every such part, in accounts of this process; what is too small for an order is none."""
    for position in world.holdings():
        if is_too_small(world, position):
            continue
        bare = in_lots(world, position, max(uncovered(world.book, position), ZERO))
        if not bare:
            continue
        others = (order.leaves for order in working_for(world, position) if not order.protects)
        yield Unattended(
            position.account,
            position.symbol,
            bare,
            ordered=sum(others, start=ZERO),
            sells=position.is_long,
            wanted=position.stop is not None,
        )
