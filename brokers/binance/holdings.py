"""Balances in the engine's words: what is cash, what is a holding, and what it cost (C-210).

Spot knows balances alone. A coin that a symbol stands for is a holding of that, locked parts
included, and dust of less than a lot as well: it is there, and cannot be sold, which the engine
knows by `odd_lots`. What symbols are paid in, and BNB where fees come out of it, is cash by
currency. A coin without a symbol here is in neither: nothing here trades it.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

from brokers.binance.symbols import Symbols
from brokers.binance.wire import AccountRow, Price, Trade
from brokers.net.numbers import NAN, number
from engine.domain.account import Account, VenuePosition
from engine.domain.instant import Nanos
from engine.domain.money import ZERO

FEES: Final = "BNB"
"""The coin in which the venue may take its fees."""


def prices_of(rows: Iterable[Price]) -> dict[str, Decimal]:
    """The newest price by the venue's symbol; one that is none is left out."""
    read = ((row.symbol, number(row.price)) for row in rows)
    return {symbol: price for symbol, price in read if price.is_finite() and price > 0}


def held(account: AccountRow, symbols: Symbols) -> dict[str, Decimal]:
    """How much of each symbol of ours is held; `NAN` for a number that cannot be read."""
    totals = ((symbols.home(row.asset), row.total) for row in account.balances)
    return {symbol: total for symbol, total in totals if symbol and total}


def cost_of(quantity: Decimal, trades: Iterable[Trade], mark: Decimal | None) -> Decimal:
    """What a unit cost on average, by the newest buys that make up what is held: what was sold was
    what was bought first.

    `trades` are those that are known, in any order; what they do not explain counts at the price
    of now, `mark`. `NAN` where that is not known either.
    """
    left, paid = quantity, ZERO
    for trade in sorted(trades, key=lambda row: -row.id):
        amount, price = number(trade.qty), number(trade.price)
        if not (trade.is_buyer and amount.is_finite() and price.is_finite()):
            continue
        taken = min(left, amount)
        paid += taken * price
        left -= taken
        if not left > 0:
            break
    if left > 0:
        paid += left * (NAN if mark is None else mark)
    return paid / quantity


def position(
    symbol: str, quantity: Decimal, trades: Iterable[Trade], mark: Decimal | None
) -> VenuePosition:
    """A holding with what it cost; one whose quantity cannot be read is told with that."""
    average = cost_of(quantity, trades, mark) if quantity.is_finite() else NAN
    return VenuePosition(symbol=symbol, quantity=quantity, average_price=average, mark=mark)


def account_of(
    row: AccountRow, symbols: Symbols, prices: Mapping[str, Decimal], as_of: Nanos
) -> Account:
    """The account in its own currency, what the first symbol is paid in."""
    currency = symbols.currency
    money = (*symbols.quotes, currency, *([] if symbols.home(FEES) else [FEES]))
    cash: dict[str, Decimal] = {currency: ZERO}
    free, equity = ZERO, ZERO
    for balance in row.balances:
        asset, total = balance.asset, balance.total
        if asset in money:
            cash[asset] = total
            free = number(balance.free) if asset == currency else free
        elif not symbols.home(asset):
            continue
        equity += total * worth(asset, currency, prices)
    return Account(
        account_id=str(row.uid),
        currency=currency,
        cash=cash[currency],
        balances=cash,
        equity=equity,
        buying_power=free,
        as_of=as_of,
    )


def worth(asset: str, currency: str, prices: Mapping[str, Decimal]) -> Decimal:
    """What one unit of an asset is worth in the currency, by the pair of the two; 0 where the venue
    has no price of that pair: equity is then without it, and not a guess."""
    if asset == currency:
        return Decimal(1)
    direct = prices.get(f"{asset}{currency}")
    if direct is not None:
        return direct
    inverse = prices.get(f"{currency}{asset}")
    return ZERO if inverse is None else 1 / inverse
