"""Balances in the engine's words: what is cash, what is a holding, and what it cost.

A coin that a symbol of the config stands for is a holding of that, dust and locked parts included;
what symbols are paid in is cash. A coin without a symbol here is in neither.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from brokers.net.numbers import NAN, number
from engine.domain.account import Account, VenuePosition
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.order import Fill


class Money:
    """Which coins the symbols of one account are made of; the first says what money is."""

    def __init__(self, symbols: Iterable[str]) -> None:
        pairs = [symbol for symbol in symbols if "-" in symbol]
        quotes = [symbol.rpartition("-")[2] for symbol in pairs]
        self.currency = quotes[0] if quotes else "USD"
        self.quotes = tuple(dict.fromkeys([self.currency, *quotes]))
        self.homes: dict[str, str] = {}
        """Coin -> the first symbol that stands for it."""
        for symbol in pairs:
            coin = symbol.rpartition("-")[0]
            if coin not in self.quotes:
                self.homes.setdefault(coin, symbol)

    def held(self, balance: Mapping[str, Any]) -> dict[str, Decimal]:
        """How much of each symbol is held."""
        totals = balance.get("total") or {}
        read = {symbol: number(totals.get(coin, "0")) for coin, symbol in self.homes.items()}
        return {symbol: total for symbol, total in read.items() if total}

    def account(
        self, balance: Mapping[str, Any], prices: Mapping[str, Decimal], key: str, as_of: Nanos
    ) -> Account:
        """The account in its own currency. What cannot be valued by a pair with that is NaN in
        `equity`, which the engine refuses, and not a guess."""
        totals, free = balance.get("total") or {}, balance.get("free") or {}
        cash = {coin: number(totals.get(coin, "0")) for coin in self.quotes}
        cash = {coin: sum_ for coin, sum_ in cash.items() if sum_ or coin == self.currency}
        equity = ZERO
        for coin, total in cash.items():
            equity += total * self._worth(coin, prices)
        for symbol, quantity in self.held(balance).items():
            coin, _, quote = symbol.rpartition("-")
            price = prices.get(symbol, NAN)
            equity += quantity * price * self._worth(quote, prices)
        return Account(
            account_id=key,
            currency=self.currency,
            cash=cash[self.currency],
            balances=cash,
            equity=equity,
            buying_power=number(free.get(self.currency, "0")),
            as_of=as_of,
        )

    def _worth(self, coin: str, prices: Mapping[str, Decimal]) -> Decimal:
        return Decimal(1) if coin == self.currency else prices.get(f"{coin}-{self.currency}", NAN)


def position(
    symbol: str, quantity: Decimal, fills: Iterable[Fill], mark: Decimal | None
) -> VenuePosition:
    """A holding with what it cost: by the newest buys that make it up, and at the price of now for
    what those do not explain."""
    left, paid = quantity, ZERO
    for fill in sorted(fills, key=lambda one: -one.time):
        if fill.side.sign < 0 or not (fill.quantity.is_finite() and fill.price.is_finite()):
            continue
        taken = min(left, fill.quantity)
        paid += taken * fill.price
        left -= taken
        if not left > 0:
            break
    if left > 0:
        paid += left * (NAN if mark is None else mark)
    average = paid / quantity if quantity.is_finite() and quantity else NAN
    return VenuePosition(symbol=symbol, quantity=quantity, average_price=average, mark=mark)
