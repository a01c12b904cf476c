"""An independent ledger: what was executed, by whom, and what it is worth. It imports no engine."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

ZERO: Final = Decimal(0)


class Holding:
    """What is held of one symbol, signed, and what it cost."""

    __slots__ = ("cost", "quantity")

    def __init__(self) -> None:
        self.quantity = ZERO
        self.cost = ZERO

    @property
    def average(self) -> Decimal:
        """Cost of one."""
        return self.cost / self.quantity if self.quantity else ZERO


class Sheet:
    """One account: cash that moved, holdings and what they cost, and what is no profit.

    The profit is what everything is worth less what was put in. It does not depend on the order in
    which executions are entered.
    """

    def __init__(self) -> None:
        self.put_in = ZERO
        """Worth of what came from outside, when it came: adopted holdings, transfers."""
        self.cash = ZERO
        """What trading moved, fees included; an adoption is paid from it."""
        self.fees = ZERO
        self.holdings: dict[str, Holding] = {}
        self._assumed: dict[str, list[tuple[Decimal, Decimal]]] = {}
        """What was assumed of each order and not told since: how much, below zero where it sold,
        and at which price."""

    def take(self, symbol: str, bought: Decimal, price: Decimal, fee: Decimal) -> None:
        """One execution; `bought` below zero where it sold."""
        self.cash -= bought * price + fee
        self.fees += fee
        self._move(symbol, bought, price)

    def assume(self, order: str, symbol: str, bought: Decimal, price: Decimal) -> None:
        """An execution of an order that nobody has told, for a price that is not known."""
        self._assumed.setdefault(order, []).append((bought, price))
        self.take(symbol, bought, price, ZERO)

    def assumed(self, order: str) -> Decimal:
        """How much of an order was assumed and was not told since."""
        return sum((abs(bought) for bought, _ in self._assumed.get(order, ())), ZERO)

    def told(self, order: str, symbol: str, bought: Decimal, price: Decimal, fee: Decimal) -> None:
        """An execution of an order that was told; what had been assumed of it is no other one."""
        earlier, left = self._assumed.get(order, []), abs(bought)
        while earlier and left:
            was, at = earlier.pop(0)
            part = min(left, abs(was)) * (1 if was > 0 else -1)
            self.take(symbol, -part, at, ZERO)
            left -= abs(part)
            if was != part:
                earlier.insert(0, (was - part, at))
        self.take(symbol, bought, price, fee)

    def adopt(self, symbol: str, quantity: Decimal, price: Decimal) -> None:
        """So much more, or less, is held than was known; no profit comes of that."""
        self.cash -= quantity * price
        self._move(symbol, quantity, price)

    def split(self, symbol: str, ratio: int) -> None:
        """Each becomes so many."""
        if symbol in self.holdings:
            self.holdings[symbol].quantity *= ratio

    def held(self) -> dict[str, Decimal]:
        """What is held, without what ended."""
        return {s: h.quantity for s, h in self.holdings.items() if h.quantity}

    def profit(self, prices: Mapping[str, Decimal]) -> Decimal:
        """Of all trades since the start, at these prices."""
        worth = sum((h.quantity * prices[s] for s, h in self.holdings.items() if h.quantity), ZERO)
        return self.cash + worth

    def _move(self, symbol: str, change: Decimal, price: Decimal) -> None:
        held = self.holdings.setdefault(symbol, Holding())
        before, after = held.quantity, held.quantity + change
        if not after:
            held.cost = ZERO
        elif before * after <= 0:
            held.cost = after * price
        elif abs(after) > abs(before):
            held.cost += change * price
        else:
            held.cost = held.average * after
        held.quantity = after
