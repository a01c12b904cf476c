"""Balances of OKX as cash and holdings: all of it is coins, and one or a few of them are the money.

The account's currency and every currency in which a watched symbol is paid are cash. Of each other
coin what there is counts as held of its pair: the one that is watched, else that in the account's
currency.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

import msgspec

from brokers.net.numbers import NAN, number, number_or_none, time_of_millis
from brokers.okx.terms import is_pair
from brokers.okx.wire import BalanceRow, CoinRow
from engine.domain.account import Account, VenuePosition
from engine.domain.instant import Nanos
from engine.domain.money import ZERO, is_positive

USUAL: Final = "USDT"
DOLLAR: Final = "USD"
"""What all of its own sums are in."""

ENOUGH: Final = Decimal(1)
"""From so many dollars on two rounded values of one balance say what one unit is worth."""


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """Which coins are cash, and what the others are held as."""

    currency: str
    cash: frozenset[str]
    pairs: dict[str, str]
    """Base -> the symbol as which it is held, where that is not the one in `currency`."""

    def symbol_of(self, coin: str) -> str:
        """The symbol as which a coin is held."""
        return self.pairs.get(coin) or f"{coin}-{self.currency}"


def money_of(symbols: Iterable[str]) -> Money:
    """What is cash where these symbols are watched: the first pair's quote is the account's."""
    pairs = [symbol for symbol in symbols if is_pair(symbol)]
    quotes = [symbol.partition("-")[2] for symbol in pairs] or [USUAL]
    held: dict[str, str] = {}
    for symbol in pairs:
        held.setdefault(symbol.partition("-")[0], symbol)
    return Money(currency=quotes[0], cash=frozenset(quotes), pairs=held)


def rate_of(money: Money, row: BalanceRow) -> Decimal | None:
    """Dollars for one unit of the account's currency, None where balances cannot say."""
    if money.currency == DOLLAR:
        return Decimal(1)
    for coin in row.details:
        if coin.ccy == money.currency:
            return _worth(coin)
    return None


def _worth(coin: CoinRow) -> Decimal | None:
    dollars, there = number_or_none(coin.eq_usd), number_or_none(coin.eq)
    if dollars is None or there is None or not (is_positive(dollars) and is_positive(there)):
        return None
    return dollars / there if dollars >= ENOUGH else None


def account_of(
    account_id: str, money: Money, row: BalanceRow, rate: Decimal, now: Nanos
) -> Account:
    """The balances; `rate` is dollars for one unit of the account's currency.

    What can be spent is less what the working orders may cost: the venue holds that back.
    """
    coins = {coin.ccy: coin for coin in row.details}
    own = coins.get(money.currency)
    equity = number(row.total_eq)
    return Account(
        account_id=account_id,
        currency=money.currency,
        cash=ZERO if own is None else number(own.cash_bal),
        balances={
            name: number(coin.cash_bal) for name, coin in coins.items() if name in money.cash
        },
        equity=round(equity / rate, 8) if equity.is_finite() else NAN,
        buying_power=ZERO if own is None else number(own.avail_bal),
        as_of=time_of_millis(row.u_time) or now,
    )


def positions_of(money: Money, row: BalanceRow, rate: Decimal | None) -> tuple[VenuePosition, ...]:
    """Every coin that is no cash, as a holding.

    The venue states what it cost in dollars only, so that no price is told of it (0).
    """
    held = []
    for coin in row.details:
        quantity = number(coin.cash_bal)
        if coin.ccy in money.cash or quantity == 0:
            continue
        worth = _worth(coin)
        symbol, mark = money.symbol_of(coin.ccy), None
        if worth is not None and rate is not None and symbol.endswith(f"-{money.currency}"):
            mark = round(worth / rate, 8) or None
        held.append(VenuePosition(symbol=symbol, quantity=quantity, average_price=ZERO, mark=mark))
    return tuple(held)
