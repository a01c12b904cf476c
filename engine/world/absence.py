"""What is held here and not found at the venue: from when on that is believed, and what its price
counts for then (X-74).

Nobody knows that such a part is held, so that what its price does is neither profit nor loss by
evidence, until a fill tells what became of it, somebody takes the venue's side, or it is listed
again. The newest price still counts in what is shown, and where a resume is asked for.
"""

from decimal import Decimal
from typing import Final

from engine.domain.instant import NS_PER_SECOND
from engine.domain.money import ONE, ZERO
from engine.domain.order import OrderStatus
from engine.state.account import AccountState
from engine.state.position import Position

LOOKS_AGREE_FOR: Final = 5 * NS_PER_SECOND
"""How long looks have to agree before it is believed what they show: that something is not held at
the venue, or that nothing explains a part of its cash."""

CONTRADICTED_LOOKS_AGREE_FOR: Final = 10 * NS_PER_SECOND
"""The same for a kill while the look that shows it gone contradicts that: its balances cannot be
true beside it, the stop of what would be gone is still listed, or no cash came for it."""


def is_believed(account: AccountState, symbol: str) -> bool:
    """Whether it is believed that the venue holds less of a symbol than is held here.

    Looks have agreed on it for long enough, or the venue says of an order too that it took so much
    off, though its fills are not here.
    """
    missing = account.missing.get(symbol)
    if missing is None:
        return False
    if account.seen_at - missing.since >= LOOKS_AGREE_FOR:
        return True
    untold = ZERO
    for order in account.orders.values():
        told = order.told_filled
        if order.symbol == symbol and order.status is OrderStatus.UNKNOWN and told is not None:
            untold += (told - order.filled) * order.side.sign
    return untold * missing.quantity < 0 and abs(untold) >= abs(missing.quantity)


def moved_since(
    account: AccountState, symbol: str, position: Position | None, proved: Decimal | None
) -> Decimal:
    """What the part of a holding that is not found has gained since then at a price that evidence
    carries, below 0 where it lost, in the currency of the symbol."""
    missing = account.missing.get(symbol)
    if missing is None or missing.price is None or position is None or proved is None:
        return ZERO
    if missing.quantity * position.quantity <= 0 or not is_believed(account, symbol):
        return ZERO
    part = min(missing.quantity / position.quantity, ONE)
    return (position.market_value(proved) - position.market_value(missing.price)) * part
