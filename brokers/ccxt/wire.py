"""What ccxt makes of markets, orders and executions, in the engine's words.

ccxt is told to keep numbers as text, so that none was ever a float; a number that is one all the
same cannot be read (`brokers.net.numbers`).
"""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any, Final

import ccxt

from brokers.net.numbers import number, price_or_none, time_of_millis
from engine.domain.account import VenueOrder
from engine.domain.instrument import Instrument, parse
from engine.domain.money import ZERO, is_positive
from engine.domain.order import Fill, OrderStatus, OrderTerms, OrderType, Side, TimeInForce
from engine.ports import Ambiguous, Rejected

Row = Mapping[str, Any]

_S = OrderStatus
_STATES: Final = {
    "open": _S.NEW,
    "closed": _S.FILLED,
    "canceled": _S.CANCELED,
    "cancelled": _S.CANCELED,
    "canceling": _S.PENDING_CANCEL,
    "expired": _S.EXPIRED,
    "rejected": _S.REJECTED,
}
_TIFS: Final = {word.value: word for word in TimeInForce}


def theirs(symbol: str) -> str:
    """What ccxt calls a pair of ours: BTC/USDT is BTC-USDT."""
    return symbol.replace("-", "/", 1)


def ours(symbol: str) -> str:
    """What we call a spot pair of ccxt's."""
    return symbol.replace("/", "-", 1)


class Listing:
    """A spot market: its grids and bounds, and whether an order is within them."""

    def __init__(self, market: Row, mode: int, source: str) -> None:
        """`mode` is how the exchange's precision is to be read. Raises Rejected where its facts
        cannot be used."""
        self.theirs = str(market["symbol"])
        self.symbol = ours(self.theirs)
        self.source = source
        self.quote = str(market["quote"])
        self.base = str(market["base"])
        self.is_active = market.get("active") is not False
        precision = market.get("precision") or {}
        self.tick = _grid(precision.get("price"), mode)
        self.lot = _grid(precision.get("amount"), mode)
        if not (market.get("spot") and is_positive(self.tick) and is_positive(self.lot)):
            raise Rejected(
                "BAD_FACTS",
                f"{self.symbol} at {source} is no spot market with a grid of prices and quantities",
            )
        limits = market.get("limits") or {}
        self.bounds = {
            name: tuple(price_or_none((limits.get(name) or {}).get(end)) for end in ("min", "max"))
            for name in ("amount", "price", "cost")
        }

    def instrument(self) -> Instrument:
        """The facts as the engine takes them. Raises Rejected for what is no pair of coins."""
        asset_class, contract = parse(self.symbol)
        if contract is None:
            raise Rejected("UNKNOWN_SYMBOL", f"{self.symbol} is no pair such as BTC-USDT")
        return Instrument(
            symbol=self.symbol,
            asset_class=asset_class,
            tick=self.tick,
            lot=self.lot,
            currency=self.quote,
            calendar=asset_class.kind.calendar,
            shortable=False,
            min_notional=self.bounds["cost"][0] or ZERO,
            contract=contract,
            source=f"{self.source} by ccxt",
            fault="" if self.is_active else f"{self.symbol} is not traded at {self.source} now",
            tick_stated=True,
        )

    def check(self, order: OrderTerms) -> None:
        """Raises Rejected for an order off the grids or out of the bounds: ccxt would round it and
        say nothing."""
        self._check("quantity", "amount", order.quantity, self.lot)
        for name, price in (("limit_price", order.limit_price), ("stop_price", order.stop_price)):
            if price is not None:
                self._check(name, "price", price, self.tick)
        price = order.limit_price or order.stop_price
        if price is not None and not order.reduce_only:
            self._bound("amount of money", "cost", order.quantity * price)

    def _check(self, name: str, bound: str, value: Decimal, grid: Decimal) -> None:
        if value % grid:
            raise Rejected(
                "PRECISION",
                f"{name} {value:f} of {self.symbol} is off the grid {grid:f} of {self.source}: "
                f"{(value / grid).to_integral_value(ROUND_DOWN) * grid:f} is on it",
            )
        self._bound(name, bound, value)

    def _bound(self, name: str, bound: str, value: Decimal) -> None:
        least, most = self.bounds[bound]
        if least is not None and value < least:
            said = f"{name} {value:f} of {self.symbol} is below {least:f}, the least"
            raise Rejected("LIMIT", f"{said} that {self.source} takes")
        if most is not None and value > most:
            said = f"{name} {value:f} of {self.symbol} is above {most:f}, the most"
            raise Rejected("LIMIT", f"{said} that {self.source} takes")


def _grid(given: Any, mode: int) -> Decimal:
    """The step of a number: as it is, or as a count of decimals; NaN for any other way."""
    read = number(given)
    if mode == ccxt.TICK_SIZE or not read.is_finite():
        return read
    if mode == ccxt.DECIMAL_PLACES and read == int(read) and abs(read) <= 18:
        return Decimal(1).scaleb(-int(read))
    return Decimal("NaN")


def order_of(row: Row, key: str) -> VenueOrder:
    """An order; `key` is our id of it, "" where it has none."""
    filled, quantity = number(row.get("filled")), number(row.get("amount"))
    status = _STATES.get(str(row.get("status")), _S.UNKNOWN)
    if status is _S.NEW and filled > 0:
        status = _S.PARTIALLY_FILLED
    if status is _S.FILLED and filled < quantity:
        status = _S.CANCELED  # "closed" says that it works no more
    word = str(row.get("type") or "")
    limit, stop = price_or_none(row.get("price")), price_or_none(row.get("triggerPrice"))
    has_limit = "limit" in word or (stop is None and limit is not None and word != "market")
    kinds = {(False, False): OrderType.MARKET, (True, False): OrderType.LIMIT,
             (False, True): OrderType.STOP, (True, True): OrderType.STOP_LIMIT}  # fmt: skip
    return VenueOrder(
        client_order_id=key,
        venue_order_id=str(row.get("id") or ""),
        symbol=ours(str(row.get("symbol"))),
        side=_side(row),
        type=kinds[has_limit, stop is not None],
        quantity=quantity,
        filled=filled,
        average_price=price_or_none(row.get("average")),
        limit_price=limit if has_limit else None,
        stop_price=stop,
        time_in_force=_TIFS.get(str(row.get("timeInForce"))),
        status=status,
    )


def fill_of(row: Row, account: str, key: str) -> Fill:
    """One execution; `key` is our id of its order, "" where it has none."""
    fee = row.get("fee") or {}
    cost = number(fee.get("cost")) if fee.get("cost") is not None else ZERO
    return Fill(
        execution_id=str(row.get("id") or ""),
        client_order_id=key,
        venue_order_id=str(row.get("order") or ""),
        account=account,
        symbol=ours(str(row.get("symbol"))),
        side=_side(row),
        quantity=number(row.get("amount")),
        price=number(row.get("price")),
        commission=cost,
        commission_currency=str(fee.get("currency") or ""),
        time=time_of_millis(row.get("timestamp")),
    )


def _side(row: Row) -> Side:
    """Raises Ambiguous for a row that does not say it: no side is the usual one."""
    match row.get("side"):
        case "buy":
            return Side.BUY
        case "sell":
            return Side.SELL
        case other:
            raise Ambiguous(f"order or execution {row.get('id')} states the side {other!r}")
