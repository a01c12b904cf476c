"""The paper account: cash by currency and holdings, exact to the last digit (C-153, C-157, T-10).

A fill moves the cash of the instrument's currency, which may become negative: the account then owes
it, as a margin account does (INTERFACE, Several accounts). Longs are paid in full, so that all cash
together, at the rates of the market, is never borrowed to open. A short's proceeds go to cash and
stay bound there together with its margin. Nothing is liquidated by force.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec

from engine.domain.market import Quote
from engine.domain.money import ZERO, apportion


class Holding(msgspec.Struct, kw_only=True):
    """What is held of one symbol. `quantity` and `cost` are signed alike."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    """In `currency`."""
    multiplier: Decimal
    currency: str

    @property
    def average_price(self) -> Decimal:
        """Cost per unit; zero when flat."""
        return self.cost / self.quantity / self.multiplier if self.quantity else ZERO

    def value(self, price: Decimal) -> Decimal:
        """Signed value at a price, in `currency`."""
        return self.quantity * price * self.multiplier


class Balance(msgspec.Struct, kw_only=True):
    """The money of the account in one currency.

    At all times `cash == deposited + realized - commission - sum of the cost of the holdings` that
    are paid in this currency.
    """

    deposited: Decimal = ZERO
    cash: Decimal = ZERO
    realized: Decimal = ZERO
    """Profit of what was closed, before commission."""
    commission: Decimal = ZERO


class PaperAccount:
    """Cash and holdings, changed by fills alone.

    `balance` is the money in the account's own `currency`, `foreign` that in others.
    """

    def __init__(
        self,
        balance: Balance,
        holdings: Mapping[str, Holding] | None = None,
        *,
        currency: str = "USD",
        foreign: Mapping[str, Balance] | None = None,
    ) -> None:
        self.currency = currency
        self.balances: dict[str, Balance] = {currency: balance, **(foreign or {})}
        """By currency, the account's own first."""
        self.holdings: dict[str, Holding] = dict(holdings or {})
        self._shorts = {symbol for symbol, held in self.holdings.items() if held.quantity < 0}

    @property
    def balance(self) -> Balance:
        """The money in the account's own currency."""
        return self.balances[self.currency]

    @property
    def is_foreign(self) -> bool:
        """Whether it ever held or owed money in another currency."""
        return len(self.balances) > 1

    def cash(self) -> dict[str, Decimal]:
        """Cash by currency; negative where the account owes."""
        return {currency: balance.cash for currency, balance in self.balances.items()}

    def position(self, symbol: str) -> Decimal:
        """Signed quantity held; zero when flat."""
        held = self.holdings.get(symbol)
        return held.quantity if held is not None else ZERO

    def reducible(self, symbol: str, *, buy: bool) -> Decimal:
        """How much a buy or a sell can take off the position before it is flat."""
        position = self.position(symbol)
        reduces = position < 0 if buy else position > 0
        return abs(position) if reduces else ZERO

    def short_value(self, quotes: Mapping[str, Quote]) -> dict[str, Decimal]:
        """Negative value by currency of all that is short, at the last prices, else at cost."""
        return self._value(self._shorts, quotes)

    def market_value(self, quotes: Mapping[str, Quote]) -> dict[str, Decimal]:
        """Signed value by currency of all holdings, at the last prices, else at cost."""
        return self._value(self.holdings, quotes)

    def _value(self, symbols: Iterable[str], quotes: Mapping[str, Quote]) -> dict[str, Decimal]:
        totals: dict[str, Decimal] = {}
        for symbol in symbols:
            held, quote = self.holdings[symbol], quotes.get(symbol)
            value = held.cost if quote is None else held.value(quote.last)
            totals[held.currency] = totals.get(held.currency, ZERO) + value
        return totals

    def charge(self, commission: Decimal, currency: str) -> None:
        """Take a commission out of cash."""
        balance = self.balances[currency]
        balance.cash -= commission
        balance.commission += commission

    def spend(self, symbol: str, quantity: Decimal, price: Decimal) -> Holding:
        """Take a commission out of a holding: so much of it is sold at `price` and paid at once.

        Returns the holding, of quantity zero when nothing is left.
        """
        held = self.holdings[symbol]
        paid = quantity * price * held.multiplier
        return self.book_fill(
            symbol, -quantity, price, held.multiplier, paid, currency=held.currency
        )

    def book_fill(
        self,
        symbol: str,
        signed: Decimal,
        price: Decimal,
        multiplier: Decimal,
        commission: Decimal,
        *,
        currency: str = "",
    ) -> Holding:
        """Take a fill in: `signed` is positive for a buy. Opens, adds, reduces or flips (D-42).

        Price and commission are in `currency`, by default the account's own. Returns the holding,
        of quantity zero when flat.
        """
        currency = currency or self.currency
        held = self.holdings.get(symbol)
        if held is None:
            held = self.holdings[symbol] = Holding(multiplier=multiplier, currency=currency)
        amount = signed * price * multiplier
        balance = self.balances.get(currency)
        if balance is None:
            balance = self.balances[currency] = Balance()
        balance.cash -= amount + commission
        balance.commission += commission
        before = held.quantity
        if before * signed >= 0:
            held.quantity = before + signed
            held.cost += amount
        elif abs(signed) <= abs(before):
            part = apportion(held.cost, -signed, before)
            balance.realized += -amount - part
            held.quantity = before + signed
            held.cost -= part
        else:
            # Through zero: the old cost is settled whole, the rest opens at this price.
            closing = -before * price * multiplier
            balance.realized += -closing - held.cost
            held.quantity = before + signed
            held.cost = amount - closing
        if held.quantity < 0:
            self._shorts.add(symbol)
        else:
            self._shorts.discard(symbol)
            if not held.quantity:
                del self.holdings[symbol]
        return held
