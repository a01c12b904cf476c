"""What each venue executed, added up by itself: it shares no code with the engine or the venue.

Holdings, cash and fees come from the executions alone (I8).
"""

from decimal import Decimal
from typing import Final

ZERO: Final = Decimal(0)

Place = tuple[str, str]
"""An account, and a symbol in it."""


class Ledger:
    """One sheet for each account. `cash` is what they begin with."""

    def __init__(self, cash: dict[str, Decimal]) -> None:
        self.cash = dict(cash)
        self.start = sum(cash.values(), ZERO)
        self.fees = ZERO
        self._held: dict[Place, Decimal] = {}
        self._orders: dict[str, Decimal] = {}

    def take(
        self, place: Place, *, order: str, bought: Decimal, price: Decimal, fee: Decimal
    ) -> tuple[Decimal, Decimal]:
        """One execution of an order, `bought` below zero where it sold; what was held before and
        after."""
        self._orders[order] = self._orders.get(order, ZERO) + bought
        account, _ = place
        self.cash[account] -= bought * price + fee
        self.fees += fee
        before = self._held.get(place, ZERO)
        self._held[place] = before + bought
        return before, before + bought

    def of_order(self, order: str) -> Decimal:
        """What was ever executed of one order, below zero where it sold."""
        return self._orders.get(order, ZERO)

    def shared(self) -> set[str]:
        """Symbols that more than one account has ever held."""
        symbols = [symbol for _, symbol in self._held]
        return {symbol for symbol in symbols if symbols.count(symbol) > 1}

    def held(self, account: str) -> dict[str, Decimal]:
        """Holdings of an account by symbol, without those that ended."""
        return {s: q for (name, s), q in self._held.items() if name == account and q}
