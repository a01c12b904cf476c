"""Orders in OANDA's words and in ours: signed units, and an instrument's grid (C-270, D-45)."""

import datetime
from decimal import Decimal
from typing import Final

import msgspec

from brokers.net.numbers import NAN, number, price_or_none, written
from brokers.oanda import wire
from engine.domain.account import VenueOrder
from engine.domain.instrument import AssetClass, Facts, Instrument, instrument_of
from engine.domain.instruments.kind import InstrumentError
from engine.domain.money import ONE, ZERO, plain
from engine.domain.order import IMMEDIATE, OrderStatus, OrderTerms, OrderType, Side, TimeInForce
from engine.ports import Rejected

SHORT: Final = "SELL_SHORT"
"""The tag of an order that opens a short: its units say no more than that it sells."""

TYPES: Final[dict[str, OrderType]] = {
    "MARKET": OrderType.MARKET,
    "FIXED_PRICE": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "TAKE_PROFIT": OrderType.LIMIT,
    "STOP": OrderType.STOP,
    "MARKET_IF_TOUCHED": OrderType.STOP,
    "STOP_LOSS": OrderType.STOP,
    "GUARANTEED_STOP_LOSS": OrderType.STOP,
    "TRAILING_STOP_LOSS": OrderType.STOP,
}
"""Its types of order as ours. An order of another type is told with a quantity that is no number,
so that its symbol takes no entries until somebody has looked: nobody here knows what it would do.
"""

_WORDS: Final[dict[TimeInForce, str]] = {
    TimeInForce.DAY: "GFD",
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
}
TIMES: Final[dict[str, TimeInForce]] = {word: tif for tif, word in _WORDS.items()}
"""A GTD order, which somebody placed elsewhere, has none of ours: none is told."""

MARKET: Final = frozenset({OrderType.MARKET, None})

TRADED: Final = frozenset({"CURRENCY", "METAL"})
"""Its types of instrument that are pairs here. A CFD has hours and dividends of its own."""


class Pair(msgspec.Struct, frozen=True):
    """What OANDA says of an instrument. `least` and `most` are units of one order; None where it
    states none."""

    name: str
    type: str
    tick: Decimal
    lot: Decimal
    least: Decimal | None
    most: Decimal | None


def pair_of(row: wire.InstrumentRow) -> Pair:
    """The facts of a row."""
    most = number(row.maximum_order_units)
    least = number(row.minimum_trade_size)
    return Pair(
        name=row.name,
        type=row.type,
        tick=ONE.scaleb(-row.display_precision),
        lot=ONE.scaleb(-row.trade_units_precision),
        least=least if least.is_finite() else None,
        most=most if most.is_finite() and most > 0 else None,
    )


def instrument_from(pair: Pair, today: datetime.date) -> Instrument:
    """The instrument as the engine knows it. Raises Rejected for what is no pair."""
    if pair.type not in TRADED:
        raise _no_pair(pair)
    facts = Facts(
        asset_class=AssetClass.FX, tick=pair.tick, lot=pair.lot, as_of=today, source="OANDA"
    )
    try:
        return instrument_of(pair.name, facts)
    except InstrumentError as error:
        raise Rejected("INSTRUMENT_UNKNOWN", str(error)) from error


def _no_pair(pair: Pair) -> Rejected:
    return Rejected(
        "INSTRUMENT_TYPE",
        f"{pair.name} is of type {pair.type}: currencies and metals are traded here",
    )


def body_of(order: OrderTerms, pair: Pair) -> dict[str, object]:
    """The order as it is sent. Raises Rejected for what OANDA cannot hold or is off its grid."""
    _check(order, pair)
    units = order.quantity.quantize(pair.lot) * order.side.sign
    extensions = {"id": order.client_order_id}
    if order.side is Side.SELL_SHORT:
        extensions["tag"] = SHORT
    body: dict[str, object] = {
        "type": order.type.value,
        "instrument": order.symbol,
        "units": written(units),
        "timeInForce": _time_in_force(order),
        # What is held on the other side is reduced first, also where an account may hold both.
        "positionFill": "REDUCE_ONLY" if order.reduce_only else "REDUCE_FIRST",
        "clientExtensions": extensions,
    }
    price = order.limit_price if order.type is OrderType.LIMIT else order.stop_price
    if order.type is not OrderType.MARKET and price is not None:
        body["price"] = written(price.quantize(pair.tick))
        body["triggerCondition"] = "DEFAULT"
    return body


def _time_in_force(order: OrderTerms) -> str:
    """A market order is FOK or IOC, nothing else is allowed (E-06): one that only reduces takes
    what there is, any other all or nothing."""
    if order.type is OrderType.MARKET and order.time_in_force not in IMMEDIATE:
        return "IOC" if order.reduce_only else "FOK"
    return _WORDS[order.time_in_force]


def _check(order: OrderTerms, pair: Pair) -> None:
    if order.type is OrderType.STOP_LIMIT:
        raise Rejected("ORDER_TYPE", "a STOP_LIMIT order is refused: MARKET, LIMIT, STOP allowed")
    if pair.type not in TRADED and not order.reduce_only:
        raise _no_pair(pair)
    quantity = order.quantity
    if not quantity.is_finite() or quantity <= 0 or quantity % pair.lot:
        raise Rejected(
            "UNITS_PRECISION_EXCEEDED",
            f"{quantity} units of {pair.name}: a multiple of {plain(pair.lot)} is allowed",
        )
    if pair.least is not None and quantity < pair.least and not order.reduce_only:
        raise Rejected(
            "UNITS_MINIMUM_NOT_MET",
            f"{plain(quantity)} units of {pair.name}: {plain(pair.least)} or more are allowed",
        )
    if pair.most is not None and quantity > pair.most:
        raise Rejected(
            "UNITS_LIMIT_EXCEEDED",
            f"{plain(quantity)} units of {pair.name}: up to {plain(pair.most)} are allowed",
        )
    wanted = {OrderType.LIMIT: order.limit_price, OrderType.STOP: order.stop_price}
    if order.type not in wanted:
        return
    price = wanted[order.type]
    if price is None or not price.is_finite() or price <= 0 or price % pair.tick:
        raise Rejected(
            "PRICE_PRECISION_EXCEEDED",
            f"{price} is no price of {pair.name}: a multiple of {plain(pair.tick)} is allowed",
        )


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The terms of an order, from its row or from the transaction that created it."""

    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: TimeInForce | None
    reduce_only: bool


def terms_of(
    kind: str, row: wire.OrderRow | wire.Transaction, trade: wire.TradeRow | None = None
) -> Terms:
    """The terms of an order of type `kind`; `trade` is what it is tied to, which has the units."""
    type_ = TYPES.get(kind)
    given, symbol = number(row.units), row.instrument or ""
    if trade is not None:
        given, symbol = -number(trade.current_units), trade.instrument
    quantity = abs(given) if type_ is not None else NAN
    extensions = row.client_extensions or wire.Extensions()
    sells = given.is_finite() and given < 0
    side = Side.BUY if not sells else Side.SELL_SHORT if extensions.tag == SHORT else Side.SELL
    price = price_or_none(row.price)
    if price is None and isinstance(row, wire.OrderRow):
        price = price_or_none(row.trailing_stop_value)
    bound = price_or_none(row.price_bound)
    if type_ is OrderType.STOP and bound is not None:
        type_ = OrderType.STOP_LIMIT
    is_limit = type_ is OrderType.LIMIT
    return Terms(
        client_order_id=extensions.id or "",
        symbol=symbol,
        side=side,
        type=type_ or OrderType.MARKET,
        quantity=quantity,
        limit_price=price if is_limit else bound if type_ is OrderType.STOP_LIMIT else None,
        stop_price=price if type_ in {OrderType.STOP, OrderType.STOP_LIMIT} else None,
        # That of a market order is chosen here, and is no term that anybody asked for.
        time_in_force=None if type_ in MARKET else TIMES.get(row.time_in_force or ""),
        reduce_only=trade is not None or row.position_fill == "REDUCE_ONLY",
    )


def venue_order(
    row: wire.OrderRow,
    status: OrderStatus,
    *,
    filled: Decimal = ZERO,
    average_price: Decimal | None = None,
    trade: wire.TradeRow | None = None,
) -> VenueOrder:
    """An order as the port states it."""
    terms = terms_of(row.type, row, trade)
    return VenueOrder(
        client_order_id=terms.client_order_id,
        venue_order_id=str(row.id or ""),
        symbol=terms.symbol,
        side=terms.side,
        type=terms.type,
        quantity=terms.quantity,
        filled=filled,
        average_price=average_price,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        time_in_force=terms.time_in_force,
        status=status,
        reduce_only=terms.reduce_only,
    )
