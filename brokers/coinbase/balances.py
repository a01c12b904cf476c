"""The balances of a Coinbase portfolio, as cash and as holdings."""

from collections.abc import Iterable
from decimal import Decimal

from brokers.coinbase.api import Api
from brokers.coinbase.products import Products
from brokers.coinbase.symbols import Assets
from brokers.coinbase.wire import Balance, Balances
from engine.domain.account import Account, VenuePosition
from engine.domain.instant import Nanos
from engine.domain.money import ZERO

LISTED_AT_ONCE = "250"
VAULT = "ACCOUNT_TYPE_VAULT"
"""What lies there is not traded by this key."""


class Treasury:
    """What one portfolio has."""

    def __init__(
        self, api: Api, products: Products, assets: Assets, *, has_prices: bool = True
    ) -> None:
        """`has_prices`: the venue tells prices, which its sandbox does not."""
        self._has_prices = has_prices
        self._api = api
        self._products = products
        self._assets = assets

    async def balances(self, portfolio: str, *, urgent: bool = False) -> list[Balance]:
        """Every balance of the portfolio, "" for any. Raises one of the six errors."""
        query = [("limit", LISTED_AT_ONCE)]
        pages = await self._api.pages("/accounts", Balances, query, urgent=urgent)
        rows = [row for page in pages for row in page.accounts]
        ours = {portfolio, "", None} if portfolio else {row.retail_portfolio_id for row in rows}
        return [row for row in rows if row.type != VAULT and row.retail_portfolio_id in ours]

    async def positions(self, portfolio: str) -> tuple[VenuePosition, ...]:
        """Every coin that is held. What it cost is not told by the venue: 0 says nothing of it."""
        totals = self._coins(await self.balances(portfolio))
        held = {self._assets.symbol_of(asset): total for asset, total in totals.items()}
        prices = await self._prices(held)
        return tuple(
            VenuePosition(
                symbol=symbol, quantity=total, average_price=ZERO, mark=prices.get(symbol)
            )
            for symbol, total in held.items()
        )

    async def account(self, portfolio: str, now: Nanos) -> Account:
        """Cash by currency, and what everything is worth in the account's own currency.

        Coins without a price in that are worth nothing here.
        """
        rows, currency = await self.balances(portfolio), self._assets.currency
        cash: dict[str, Decimal] = {currency: ZERO}
        available = ZERO
        for row in rows:
            if not self._assets.is_cash(row.currency, row.type):
                continue
            if row.currency == currency:
                available += row.available
            if row.total or row.currency == currency:
                cash[row.currency] = cash.get(row.currency, ZERO) + row.total
        others = {asset: total for asset, total in cash.items() if asset != currency}
        others |= self._coins(rows)
        prices = await self._prices(f"{asset}-{currency}" for asset in others)
        worth = sum(
            (total * prices.get(f"{asset}-{currency}", ZERO) for asset, total in others.items()),
            ZERO,
        )
        return Account(
            account_id=portfolio,
            currency=currency,
            cash=cash[currency],
            balances=cash,
            equity=cash[currency] + worth,
            buying_power=available,
            as_of=now,
        )

    async def _prices(self, symbols: Iterable[str]) -> dict[str, Decimal]:
        return await self._products.prices(symbols) if self._has_prices else {}

    def _coins(self, rows: list[Balance]) -> dict[str, Decimal]:
        """What is held of each coin; a number that cannot be read is one that is none."""
        found: dict[str, Decimal] = {}
        for row in rows:
            if not self._assets.is_cash(row.currency, row.type):
                found[row.currency] = found.get(row.currency, ZERO) + row.total
        return {asset: total for asset, total in found.items() if total}
