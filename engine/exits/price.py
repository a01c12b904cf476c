"""The price that an exit rule goes by, and whether it may be believed (X-71)."""

from collections.abc import Callable
from decimal import Decimal

from engine.domain.market import Quote
from engine.state.position import Position
from engine.world import World
from engine.world.evidence import leaps


def close_price(quote: Quote, position: Position) -> Decimal:
    """The price a close would meet: the worse of last and the side it trades on."""
    if position.is_long:
        return min(quote.last, quote.bid) if quote.bid else quote.last
    return max(quote.last, quote.ask) if quote.ask else quote.last


def is_so(world: World, symbol: str, price: Decimal, holds: Callable[[Decimal], bool]) -> bool:
    """Whether something holds at a price. Where that is taken for a bad tick, it must hold at the
    one that has evidence (X-71)."""
    if not holds(price):
        return False
    proved = world.prices.proved(symbol)
    return proved is None or holds(proved) or not leaps(price, proved)
