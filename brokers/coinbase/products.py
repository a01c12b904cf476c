"""What Coinbase says of a pair: its grid, its limits, and whether it is traded."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final
from urllib.parse import quote

import msgspec

from brokers.coinbase.api import Api
from brokers.net.numbers import number, number_or_none, price_or_none
from engine.domain.instrument import AssetClass, Instrument, parse
from engine.domain.instruments.kind import InstrumentError
from engine.domain.money import ZERO, is_positive
from engine.ports import Ambiguous, Rejected

ASKED_AT_ONCE: Final = 100
"""So many pairs are named in one request: its address stays short."""


class Product(msgspec.Struct, frozen=True):
    """One pair as the venue states it; numbers are texts."""

    product_id: str
    price: Any = None
    base_increment: Any = None
    quote_increment: Any = None
    price_increment: Any = None
    base_min_size: Any = None
    base_max_size: Any = None
    quote_min_size: Any = None
    quote_max_size: Any = None
    base_currency_id: str = ""
    quote_currency_id: str = ""
    product_type: str = "SPOT"
    is_disabled: bool | None = False
    trading_disabled: bool | None = False
    cancel_only: bool | None = False
    limit_only: bool | None = False
    post_only: bool | None = False
    view_only: bool | None = False
    auction_mode: bool | None = False

    @property
    def lot(self) -> Decimal:
        """The grid of quantities, in units of the base."""
        return number(self.base_increment)

    @property
    def tick(self) -> Decimal:
        """The grid of prices."""
        found = number_or_none(self.price_increment)
        return number(self.quote_increment) if found is None else found

    @property
    def smallest(self) -> Decimal:
        """The smallest quantity of an order."""
        return _limit(self.base_min_size)

    @property
    def largest(self) -> Decimal | None:
        """The largest quantity of an order, None where none is stated."""
        return price_or_none(self.base_max_size)

    @property
    def smallest_amount(self) -> Decimal:
        """The smallest amount of an order, in the quote currency."""
        return _limit(self.quote_min_size)

    @property
    def last(self) -> Decimal | None:
        """The last price; None where there is none."""
        return price_or_none(self.price)

    @property
    def fault(self) -> str:
        """Why nothing may be opened in it, in one sentence; "" where it may."""
        if self.product_type != "SPOT":
            return f"{self.product_id} is of type {self.product_type}: only spot is allowed here."
        shut = ("is_disabled", "trading_disabled", "cancel_only", "view_only", "post_only")
        for flag in (*shut, "auction_mode"):
            if getattr(self, flag):
                return f"Coinbase says {flag} of {self.product_id}: nothing is opened in it."
        return ""

    def instrument(self) -> Instrument:
        """It as the engine knows it. Raises Rejected where its grid is no number."""
        try:
            asset_class, contract = parse(self.product_id)
        except InstrumentError as error:
            raise Rejected("UNKNOWN_SYMBOL", str(error)) from error
        if asset_class is not AssetClass.CRYPTO:
            raise Rejected("UNKNOWN_SYMBOL", f"{self.product_id} is no pair of coins")
        for name, value in (("price", self.tick), ("quantity", self.lot)):
            if not is_positive(value):
                raise Rejected(
                    "BAD_FACTS", f"the grid of {name} of {self.product_id} is {value} at Coinbase"
                )
        return Instrument(
            symbol=self.product_id,
            asset_class=asset_class,
            tick=self.tick,
            lot=self.lot,
            currency=self.quote_currency_id or self.product_id.rpartition("-")[2],
            calendar=asset_class.kind.calendar,
            shortable=False,
            min_notional=self.smallest_amount,
            contract=contract,
            source="Coinbase",
            fault=self.fault,
            tick_stated=True,
        )


class _Products(msgspec.Struct, frozen=True):
    products: list[Product] = []


class Products:
    """The pairs that were asked for, by their id. What moves, as a price, is asked anew."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._known: dict[str, Product] = {}

    def tick_of(self, symbol: str) -> Decimal | None:
        """The grid of its prices, None for a pair that was not asked for yet."""
        known = self._known.get(symbol)
        return None if known is None else known.tick

    async def of(self, symbol: str) -> Product:
        """Its facts, asked once. Raises one of the six errors, Rejected for what is not traded."""
        return self._known.get(symbol) or await self.ask(symbol)

    async def ask(self, symbol: str) -> Product:
        """Its facts as they are now. Raises as `of`."""
        path = f"/products/{quote(symbol, safe='')}"
        found: Product = await self._api.get(path, Product)
        if found.product_id != symbol:
            raise Ambiguous(f"asked about {symbol}, Coinbase answers about {found.product_id}")
        self._known[symbol] = found
        return found

    async def prices(self, symbols: Iterable[str]) -> dict[str, Decimal]:
        """The last price of each pair that there is. Raises one of the six errors."""
        wanted = sorted(set(symbols))
        found: dict[str, Decimal] = {}
        for begin in range(0, len(wanted), ASKED_AT_ONCE):
            part = wanted[begin : begin + ASKED_AT_ONCE]
            query = [("product_ids", symbol) for symbol in part]
            answer: _Products = await self._api.get("/products", _Products, query)
            for product in answer.products:
                if product.product_id in part:
                    self._known[product.product_id] = product
                    if product.last is not None and is_positive(product.last):
                        found[product.product_id] = product.last
        return found


def _limit(given: Any) -> Decimal:
    """A smallest size; 0 where none is stated that is a number."""
    found = number(given)
    return found if found.is_finite() else ZERO
