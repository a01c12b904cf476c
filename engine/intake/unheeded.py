"""What of a person's order has no effect where it goes: said, never dropped in silence (rule 6)."""

from collections.abc import Iterator
from typing import Final

from engine.domain.commands import PlaceOrder
from engine.domain.money import plain
from engine.pipeline.ruling import Ruling
from engine.state.holdings import stop_with
from engine.world import World

NOT_HEEDED: Final = "NOT_HEEDED"
"""The code of the alarm that says so."""


def unheeded(world: World, order: PlaceOrder, ruling: Ruling) -> Iterator[str]:
    """A sentence on each part of an order that passed and that changes nothing (X-80, X-82)."""
    symbol, held = order.symbol, world.book.holding(ruling.account, order.symbol)
    if ruling.reduce_only:
        given = (("protect", order.protect), ("target", order.target))
        names = [name for name, price in given if price is not None]
        if names:
            is_not = "are" if len(names) > 1 else "is"
            told = f"it only reduces {symbol}: {' and '.join(names)} {is_not} not used"
            yield f"{told}; `meridian-tui protect` and `target` change those of what is held"
        return
    if held is None or held.sign != order.side.sign:
        return
    if order.hold is not held.trade_type:
        yield (
            f"{symbol} is held as {held.trade_type}, and what is added is {held.trade_type} too, "
            f"not {order.hold}"
        )
    stop = stop_with(held, order.protect)
    if order.protect is not None and stop is not None and stop != order.protect:
        yield f"the stop of {symbol} stays at {plain(stop)}, which is tighter than the new one"
