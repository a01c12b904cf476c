"""What of an order OKX takes, and how it is written: grids, types, bodies of requests."""

import re
from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers.net.numbers import number, number_or_none, written
from brokers.okx.wire import AT_MARKET, BASE, InstrumentRow
from engine.domain.instrument import AssetClass, Facts, Instrument, instrument_of
from engine.domain.money import ZERO, is_positive
from engine.domain.order import HAVE_LIMIT, HAVE_STOP, OrderTerms, OrderType, Side, TimeInForce
from engine.ports import Ambiguous, Rejected

CASH: Final = "cash"
LIVE: Final = "live"

ORDER_TYPES: Final = frozenset(OrderType)
TIMES_IN_FORCE: Final = frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK})

_CLIENT_ID: Final = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
_PAIR: Final = re.compile(r"[A-Z0-9]+-[A-Z0-9]+", re.ASCII)
_LIMITS: Final = {
    TimeInForce.GTC: "limit",
    TimeInForce.IOC: "ioc",
    TimeInForce.FOK: "fok",
}


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """The venue's facts of one symbol."""

    symbol: str
    tick: Decimal
    lot: Decimal
    least: Decimal
    """The smallest quantity of an order, in units of the base."""
    quote: str
    state: str

    @property
    def instrument(self) -> Instrument:
        """The same as the engine knows it.

        Its lot is the smallest quantity of an order where that is one of whole lots: what is less,
        as the fee of a buy leaves it behind, can be neither sold nor closed.
        """
        lot = self.least if not self.least % self.lot else self.lot
        facts = Facts(
            asset_class=AssetClass.CRYPTO, tick=self.tick, lot=lot, currency=self.quote,
            shortable=False, source="okx",
        )  # fmt: skip
        made = instrument_of(self.symbol, facts)
        if self.state == LIVE:
            return made
        return msgspec.structs.replace(made, fault=f"{self.symbol} is in state {self.state} at OKX")


def is_pair(symbol: str) -> bool:
    """Whether an id can be one of the venue's spot market."""
    return _PAIR.fullmatch(symbol) is not None


def grid_of(row: InstrumentRow) -> Grid:
    """The grid of a symbol. Raises Ambiguous where a number of it is none."""
    tick, lot = number(row.tick_sz), number(row.lot_sz)
    least = number_or_none(row.min_sz)
    least = lot if least is None else least
    for name, value in (("tickSz", tick), ("lotSz", lot), ("minSz", least)):
        if not is_positive(value):
            raise Ambiguous(f"{name} of {row.inst_id} is {value}")
    return Grid(
        symbol=row.inst_id, tick=tick, lot=lot, least=least, quote=row.quote_ccy, state=row.state
    )


def refuse_wrong(order: OrderTerms, grid: Grid) -> None:
    """Refuse what the venue would not take, before it is sent. Raises Rejected."""
    if _CLIENT_ID.fullmatch(order.client_order_id) is None:
        raise Rejected(
            "CLIENT_ID",
            f"the id {order.client_order_id!r}: 1 to 32 letters and digits are allowed",
        )
    if order.side is Side.SELL_SHORT:
        raise Rejected("SHORT", f"{order.symbol} cannot be sold short in cash mode")
    if order.type is OrderType.LIMIT:
        allowed = TIMES_IN_FORCE
    elif order.type is OrderType.MARKET:
        allowed = frozenset({TimeInForce.GTC, TimeInForce.IOC})
    else:
        allowed = frozenset({TimeInForce.GTC})
    if order.time_in_force not in allowed:
        names = ", ".join(sorted(allowed))
        raise Rejected(
            "TIME_IN_FORCE", f"{order.type} {order.time_in_force}: {names} are allowed at OKX"
        )
    for has, name, price in (
        (HAVE_LIMIT, "limit price", order.limit_price),
        (HAVE_STOP, "stop price", order.stop_price),
    ):
        if (order.type in has) is (price is None):
            raise Rejected("PRICE", f"{order.type} {order.symbol}: its {name} is {price}")
    refuse_off_grid(grid, order.quantity, order.limit_price, order.stop_price)
    if order.quantity < grid.least:
        raise Rejected(
            "MIN_QUANTITY",
            f"quantity {order.quantity} of {order.symbol}: {grid.least} or more is allowed",
        )


def refuse_off_grid(
    grid: Grid, quantity: Decimal, limit_price: Decimal | None, stop_price: Decimal | None
) -> None:
    """Refuse a quantity off the lot, and a price off the tick. Raises Rejected."""
    if quantity <= ZERO or quantity % grid.lot:
        raise Rejected(
            "LOT", f"quantity {quantity} of {grid.symbol}: multiples of {grid.lot} are allowed"
        )
    for name, price in (("limit price", limit_price), ("stop price", stop_price)):
        if price is not None and (price <= ZERO or price % grid.tick):
            raise Rejected(
                "TICK", f"{name} {price} of {grid.symbol}: multiples of {grid.tick} are allowed"
            )


def is_stop(order: OrderTerms) -> bool:
    """Whether the venue keeps it among its orders that wait for a price."""
    return order.type in HAVE_STOP


def order_body(order: OrderTerms) -> dict[str, Any]:
    """The body of POST trade/order."""
    body = _common(order) | {"clOrdId": order.client_order_id}
    if order.type is OrderType.MARKET:
        # Without it a market buy is for an amount of the quote currency.
        return body | {"ordType": "market", "tgtCcy": BASE}
    return body | {"ordType": _LIMITS[order.time_in_force], "px": _price(order.limit_price)}


def stop_body(order: OrderTerms) -> dict[str, Any]:
    """The body of POST trade/order-algo.

    As a stop loss, whose direction follows from its side: one that the price has passed already is
    refused. A trigger order would wait for the price to come back from the other side.
    """
    body = _common(order) | {
        "ordType": "conditional",
        "algoClOrdId": order.client_order_id,
        "slTriggerPx": _price(order.stop_price),
        "slTriggerPxType": "last",
        "slOrdPx": AT_MARKET if order.limit_price is None else _price(order.limit_price),
    }
    buys_at_market = order.side is Side.BUY and order.limit_price is None
    return body | ({"tgtCcy": BASE} if buys_at_market else {})


def _price(price: Decimal | None) -> str:
    """A price that `refuse_wrong` has found to be there."""
    return "" if price is None else written(price)


def _common(order: OrderTerms) -> dict[str, Any]:
    return {
        "instId": order.symbol,
        "tdMode": CASH,
        "side": "buy" if order.side is Side.BUY else "sell",
        "sz": written(order.quantity),
    }
