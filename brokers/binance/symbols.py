"""Our ids and Binance's symbols, and what the venue states of each (C-210, C-211).

`BTC-USDT` is `BTCUSDT` there. Where a venue's symbol is divided, only exchangeInfo says: each is
asked once and kept, until the venue refuses something by it.

Spot has balances and no positions. A coin that is held is a holding of one symbol, the first
configured one with that base; what a configured symbol is paid in is cash. A further symbol of the
same coin, or one that takes a coin for money, would book one balance twice: it takes no orders.
"""

import asyncio
import datetime
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers.binance.client import Client
from brokers.net.numbers import number
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos
from engine.domain.instrument import AssetClass, Facts, Instrument, instrument_of, parse
from engine.domain.instruments.kind import InstrumentError
from engine.domain.money import ZERO
from engine.domain.order import HAVE_LIMIT, HAVE_STOP, OrderTerms, OrderType
from engine.ports import Ambiguous, MarketClosed, Rejected

INFO_WEIGHT: Final = 20
TRADING: Final = "TRADING"
INVALID_SYMBOL: Final = "-1121"

WORDS: Final = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP_LOSS",
    OrderType.STOP_LIMIT: "STOP_LOSS_LIMIT",
}
"""Our types of order in the venue's words."""


class Row(msgspec.Struct, rename="camel"):
    """One symbol of exchangeInfo."""

    symbol: str
    status: str
    base_asset: str
    quote_asset: str
    quote_asset_precision: int = 8
    order_types: list[str] = []
    is_spot_trading_allowed: bool = True
    filters: list[dict[str, Any]] = []


class Info(msgspec.Struct):
    """The answer of exchangeInfo, as far as it is read."""

    symbols: list[Row]


class Grid(msgspec.Struct, frozen=True):
    """What a number must be: from `least` to `most` in steps; 0 is no such bound."""

    least: Decimal = ZERO
    most: Decimal = ZERO
    step: Decimal = ZERO

    def fault(self, value: Decimal) -> str:
        """Why a number is off it, in words; "" where it is not."""
        if value < self.least:
            return f"{value:f} is below {self.least:f}"
        if self.most and value > self.most:
            return f"{value:f} is above {self.most:f}"
        if self.step and value % self.step:
            return f"{value:f} is no multiple of {self.step:f}"
        return ""


class Listing(msgspec.Struct, frozen=True):
    """What the venue states of one symbol."""

    ours: str
    theirs: str
    base: str
    quote: str
    status: str
    order_types: frozenset[str]
    spot: bool
    price: Grid
    lot: Grid
    market_lot: Grid
    notional: Grid
    day: datetime.date

    def check(self, order: OrderTerms) -> None:
        """Raises Rejected for what the venue's filters refuse, MarketClosed where it takes no
        orders in the symbol now."""
        if not self.spot:
            raise Rejected("NOT_SPOT", f"{self.ours} is not traded on the spot market")
        if self.status != TRADING:
            raise MarketClosed(f"{self.ours} is in state {self.status}: {TRADING} takes orders")
        word = WORDS[order.type]
        if word not in self.order_types:
            raise Rejected("ORDER_TYPE", f"{self.ours} knows no {word} there")
        grids = [("LOT_SIZE", "quantity", self.lot, order.quantity)]
        if order.type in {OrderType.MARKET, OrderType.STOP}:
            grids.append(("MARKET_LOT_SIZE", "quantity", self.market_lot, order.quantity))
        if order.type in HAVE_LIMIT:
            grids.append(("PRICE_FILTER", "limit price", self.price, _price(order.limit_price)))
        if order.type in HAVE_STOP:
            grids.append(("PRICE_FILTER", "stop price", self.price, _price(order.stop_price)))
        if order.type in HAVE_LIMIT:
            amount = order.quantity * _price(order.limit_price)
            grids.append(("NOTIONAL", "amount", self.notional, amount))
        for code, name, grid, value in grids:
            if fault := grid.fault(value):
                raise Rejected(code, f"{name} of {self.ours}: {fault}")

    def instrument(self) -> Instrument:
        """The facts in the engine's words. Raises Rejected where they make no instrument."""
        lot = max(self.lot.step, self.market_lot.step)
        facts = Facts(
            tick=self.price.step or None,
            lot=lot or None,
            shortable=False,
            as_of=self.day,
            source="Binance exchangeInfo",
        )
        try:
            made = instrument_of(self.ours, facts)
        except InstrumentError as error:
            raise Rejected("INSTRUMENT", str(error)) from error
        return msgspec.structs.replace(made, min_notional=self.notional.least)


def _price(price: Decimal | None) -> Decimal:
    return ZERO if price is None else price


def _grid(row: Row, name: str, least: str, most: str, step: str = "") -> Grid:
    for given in row.filters:
        if given.get("filterType") == name:
            grid = Grid(*(number(given.get(field, "0")) for field in (least, most, step)))
            if not all(bound.is_finite() for bound in (grid.least, grid.most, grid.step)):
                raise Ambiguous(f"the filter {name} of {row.symbol} cannot be read: {given}")
            return grid
    return Grid()


def _listing(row: Row, now: Nanos) -> Listing:
    notional = _grid(row, "NOTIONAL", "minNotional", "maxNotional")
    if notional == Grid():
        notional = _grid(row, "MIN_NOTIONAL", "minNotional", "")
    return Listing(
        ours=f"{row.base_asset}-{row.quote_asset}",
        theirs=row.symbol,
        base=row.base_asset,
        quote=row.quote_asset,
        status=row.status,
        order_types=frozenset(row.order_types),
        spot=row.is_spot_trading_allowed,
        price=_grid(row, "PRICE_FILTER", "minPrice", "maxPrice", "tickSize"),
        lot=_grid(row, "LOT_SIZE", "minQty", "maxQty", "stepSize"),
        market_lot=_grid(row, "MARKET_LOT_SIZE", "minQty", "maxQty", "stepSize"),
        notional=notional,
        day=datetime.datetime.fromtimestamp(now // NS_PER_SECOND, datetime.UTC).date(),
    )


def is_pair(symbol: str) -> bool:
    """Whether one of our ids may be a symbol of Binance: a pair of coins."""
    try:
        kind, contract = parse(symbol)
    except InstrumentError:
        return False
    return kind is AssetClass.CRYPTO and contract is not None


class Symbols:
    """The symbols that are known, and which of them stands for a coin that is held."""

    def __init__(self, client: Client, configured: Iterable[str]) -> None:
        self._client = client
        self._configured = tuple(filter(is_pair, configured))
        self._by_theirs: dict[str, str] = {}
        self._listings: dict[str, Listing] = {}
        """By our id."""
        self._quotes: dict[str, None] = {}
        self._homes: dict[str, str] = {}
        """Coin -> the symbol that it is a holding of."""
        self._refused: dict[str, str] = {}
        """Our id -> why it takes no orders."""
        self._strange: dict[str, None] = {}
        """Symbols of the venue that were told of and are not known yet."""

    @property
    def known(self) -> tuple[str, ...]:
        """Every symbol of the venue that is known, in the order in which it became so."""
        return tuple(self._by_theirs)

    @property
    def currency(self) -> str:
        """What the account is counted in: the money of the first symbol."""
        return next(iter(self._quotes), "USDT")

    @property
    def quotes(self) -> tuple[str, ...]:
        """What is cash."""
        return tuple(self._quotes)

    def home(self, asset: str) -> str:
        """The symbol that a coin is a holding of; "" for money and for a coin without one."""
        return self._homes.get(asset, "")

    def ours(self, theirs: str) -> str:
        """Our id of a symbol of the venue; "" for one that is not known yet, which is kept in mind
        for the next `learn`."""
        known = self._by_theirs.get(theirs, "")
        if not known:
            self._strange[theirs] = None
        return known

    async def learn(self) -> None:
        """Ask for the configured symbols, and for those that were told of, that are not known yet.
        A configured one that the venue does not trade is left out."""
        wanted = [s for s in self._configured if s not in self._listings | self._refused]
        names = {symbol: symbol.replace("-", "") for symbol in wanted}
        try:
            rows = await self._rows(list(names.values()))
        except Rejected as error:
            if error.code != INVALID_SYMBOL:
                raise
            rows = await self._each(names)  # one that is not traded refuses them all
        for row in rows:
            self._take(row)
        for symbol, theirs in names.items():
            if self._by_theirs.get(theirs) != symbol:
                self._refused[symbol] = f"{symbol} is not traded at Binance"
        await self.resolve(tuple(self._strange))

    async def resolve(self, theirs: Iterable[str]) -> None:
        """Ask for those symbols of the venue that are not known yet."""
        wanted = [symbol for symbol in dict.fromkeys(theirs) if symbol not in self._by_theirs]
        for row in await self._rows(wanted):
            self._take(row)

    async def listing(self, symbol: str) -> Listing:
        """What the venue states of one of our ids. Raises Rejected for one it does not trade."""
        known = self._listings.get(symbol)
        if known is not None:
            return known
        if not is_pair(symbol):
            raise Rejected("SYMBOL", f"{symbol} is no pair of coins such as BTC-USDT")
        theirs = symbol.replace("-", "")
        row = next((row for row in await self._rows([theirs]) if row.symbol == theirs), None)
        if row is None:
            raise Ambiguous(f"exchangeInfo was asked for {theirs} and does not name it")
        found = self._keep(row)
        if found.ours != symbol:
            raise Rejected("SYMBOL", f"{symbol} is {found.ours} at Binance")
        return found

    def forget(self, symbol: str) -> None:
        """Ask for the symbol again when it is next needed: the venue refused something by it."""
        self._listings.pop(symbol, None)

    def fault(self, symbol: str, *, adds: bool) -> str:
        """Why the symbol takes no orders from here, in one sentence; "" where it does.

        What `adds` needs a configured symbol: after a restart nothing else tells that its coin is a
        holding.
        """
        if symbol in self._refused:
            return self._refused[symbol]
        if adds and symbol not in self._configured:
            return f"{symbol} is not among [market] symbols"
        return ""

    def use(self, listing: Listing) -> None:
        """The symbol is traded: what is told of it has our id, and its coin is a holding."""
        if listing.theirs not in self._by_theirs:
            self._by_theirs[listing.theirs] = listing.ours
            self._place(listing)

    async def _rows(self, theirs: list[str]) -> list[Row]:
        """The venue's facts, in the order in which they were asked for. They are urgent: a
        connection wants them, and what closes a holding that no config names."""
        if not theirs:
            return []
        params = {"symbols": msgspec.json.encode(theirs).decode()}
        if len(theirs) == 1:
            params = {"symbol": theirs[0]}
        told: Info = await self._client.ask_public(
            "/api/v3/exchangeInfo", params, Info, cost=INFO_WEIGHT, urgent=True
        )
        return sorted(
            (row for row in told.symbols if row.symbol in theirs),
            key=lambda row: theirs.index(row.symbol),
        )

    async def _each(self, names: Mapping[str, str]) -> list[Row]:
        """The facts of those that the venue trades, each asked for by itself."""
        asked = (self._rows([theirs]) for theirs in names.values())
        rows: list[Row] = []
        for found in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(found, Rejected) and found.code == INVALID_SYMBOL:
                continue
            if isinstance(found, BaseException):
                raise found
            rows += found
        return rows

    def _keep(self, row: Row) -> Listing:
        listing = _listing(row, self._client.now_ms() * NS_PER_MS)
        self._listings[listing.ours] = listing
        return listing

    def _take(self, row: Row) -> None:
        self._strange.pop(row.symbol, None)
        self.use(self._keep(row))

    def _place(self, listing: Listing) -> None:
        ours, base, quote = listing.ours, listing.base, listing.quote
        if base in self._quotes:
            self._refused[ours] = f"{base} is money here, as other symbols are paid in it"
        elif quote in self._homes:
            self._refused[ours] = f"{quote} is held as {self._homes[quote]}, and is no money here"
        elif base in self._homes:
            self._refused[ours] = f"{base} is held as {self._homes[base]}: one symbol a coin"
        else:
            self._homes[base] = ours
            self._quotes[quote] = None
