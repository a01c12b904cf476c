"""Binance's messages, and what each means in the engine's words (C-210, C-212).

Numbers stay text until `brokers.net.numbers` reads them; a field that is missing becomes one that
the port refuses, so that no row is lost.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers.net.ids import NumberId, WithIds
from brokers.net.numbers import NAN, number, number_or_none, price_or_none, time_of_millis
from engine.domain.account import VenueOrder
from engine.domain.money import ZERO
from engine.domain.order import Fill, Liquidity, OrderStatus, OrderType, Side, TimeInForce
from engine.ports import OrderReport

_S = OrderStatus

STATUSES: Final = {
    "NEW": _S.NEW,
    # A leg that waits for another order to fill.
    "PENDING_NEW": _S.SUSPENDED,
    "PARTIALLY_FILLED": _S.PARTIALLY_FILLED,
    "FILLED": _S.FILLED,
    "CANCELED": _S.CANCELED,
    # The venue lists the word and does not use it: an order that is being cancelled works.
    "PENDING_CANCEL": _S.NEW,
    "REJECTED": _S.REJECTED,
    "EXPIRED": _S.EXPIRED,
    "EXPIRED_IN_MATCH": _S.EXPIRED,
}
"""The venue's word for how an order stands. One that is not among them is UNKNOWN: the engine
concludes nothing from such a report but takes its fill, and counts an order that is listed with it
as one that works, so that its exposure stays counted."""

_TYPES: Final = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
    "STOP_LOSS": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
    # No stop that protects: it waits at a better price, as a limit does.
    "TAKE_PROFIT": OrderType.LIMIT,
    "TAKE_PROFIT_LIMIT": OrderType.LIMIT,
}
_BY_PRICES: Final = {
    (False, False): OrderType.MARKET,
    (True, False): OrderType.LIMIT,
    (False, True): OrderType.STOP,
    (True, True): OrderType.STOP_LIMIT,
}
"""With a limit, with a price that it waits for -> what an order of a word that is not known is."""

SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}
"""Its word for a side. Which way it goes is never guessed: what has another word has no quantity,
so that the engine puts that one row aside and reads the others (fault 46)."""

_WITHOUT_TIF: Final = frozenset({"MARKET", "STOP_LOSS", "TAKE_PROFIT"})
_TIFS: Final = {"GTC": TimeInForce.GTC, "IOC": TimeInForce.IOC, "FOK": TimeInForce.FOK}
_NOTHING: Final = frozenset({"", "NONE", "null"})

EXECUTION: Final = "executionReport"
ENDS: Final = frozenset({"serverShutdown", "eventStreamTerminated"})
"""Events after which nothing more is told: a new connection and subscription are needed."""


class Order(WithIds, msgspec.Struct, rename="camel"):
    """One row about an order."""

    symbol: str
    order_id: NumberId
    client_order_id: str = ""
    price: Any = None
    orig_qty: Any = None
    executed_qty: Any = None
    cummulative_quote_qty: Any = None
    status: str = ""
    time_in_force: str = ""
    type: str = ""
    side: str = ""
    stop_price: Any = None


class Taken(WithIds, msgspec.Struct, rename="camel"):
    """The answer to an order or to a cancel."""

    symbol: str
    order_id: NumberId
    client_order_id: str = ""


class Trade(WithIds, msgspec.Struct, rename="camel"):
    """One row of myTrades."""

    symbol: str
    id: NumberId
    order_id: NumberId
    price: Any = None
    qty: Any = None
    commission: Any = None
    commission_asset: str | None = None
    time: Any = None
    is_buyer: bool = False
    is_maker: bool = False


class Balance(msgspec.Struct):
    """One asset of the account."""

    asset: str
    free: Any = None
    locked: Any = None

    @property
    def total(self) -> Decimal:
        return number(self.free) + number(self.locked)


class AccountRow(WithIds, msgspec.Struct, rename="camel"):
    """The account."""

    uid: NumberId
    balances: list[Balance]
    update_time: Any = None


class KeyRow(msgspec.Struct, rename="camel"):
    """What the key may do. Each has to be told: one that is missing is no right that is lacking."""

    enable_reading: bool
    enable_spot_and_margin_trading: bool
    enable_withdrawals: bool
    ip_restrict: bool


class Price(msgspec.Struct):
    """The newest price of a symbol."""

    symbol: str
    price: Any = None


class Execution(WithIds, msgspec.Struct, kw_only=True):
    """An executionReport; the fields have the venue's letters."""

    s: str
    i: NumberId
    c: str = ""
    C: str | None = None
    S: str = ""
    o: str = ""
    f: str = ""
    q: Any = None
    p: Any = None
    P: Any = None
    x: str = ""
    X: str = ""
    r: str = ""
    l: Any = None  # noqa: E741 - the venue's letter
    z: Any = None
    L: Any = None
    n: Any = None
    N: str | None = None
    T: Any = None
    t: NumberId = -1
    m: bool = False

    @property
    def client_order_id(self) -> str:
        """That of the order: on a cancel `c` is the cancel's own, and `C` the order's."""
        original = self.C or ""
        return self.c if original in _NOTHING or self.x != "CANCELED" else original


def venue_id(symbol: str, order_id: int) -> str:
    """What the venue calls an order; its numbers are unique in a symbol only."""
    return f"{symbol}:{order_id}"


def of_venue_id(text: str) -> tuple[str, str]:
    """The venue's symbol and number of `venue_id`; ("", "") for another text."""
    symbol, colon, order_id = text.rpartition(":")
    return (symbol, order_id) if colon and order_id.isdecimal() else ("", "")


def status_of(word: str) -> OrderStatus:
    """See `STATUSES`."""
    return STATUSES.get(word, _S.UNKNOWN)


def _side_of(word: str) -> Side:
    """The side by its word; of what has another word see `SIDES`."""
    return SIDES.get(word, Side.BUY)


def _quantity_of(side: str, given: Any) -> Decimal:
    return number(given) if side in SIDES else NAN


def _type_of(row: Order) -> OrderType:
    """The type by its word; of a word that is not known what its prices say."""
    known = _TYPES.get(row.type)
    if known is not None:
        return known
    prices = price_or_none(row.price) is not None, price_or_none(row.stop_price) is not None
    return _BY_PRICES[prices]


def _tif_of(kind: str, word: str) -> TimeInForce | None:
    """The venue writes GTC for an order that never rests at a price, too: that says nothing."""
    return _TIFS.get(word) if kind not in _WITHOUT_TIF else None


def _limit_of(kind: str, price: Any, trigger: Any) -> Decimal | None:
    """The limit; of an order that is sold at the market once a better price is there, that."""
    limit = price_or_none(price)
    return limit if limit is not None or kind != "TAKE_PROFIT" else price_or_none(trigger)


def _stop_of(kind: str, trigger: Any) -> Decimal | None:
    return price_or_none(trigger) if kind.startswith("STOP_LOSS") else None


def order_of(row: Order, symbol: str, client_order_id: str = "") -> VenueOrder:
    """A row in the engine's words. `symbol` is ours; `client_order_id`: it was asked by that."""
    filled, paid = number(row.executed_qty), number(row.cummulative_quote_qty)
    average = paid / filled if paid.is_finite() and filled.is_finite() and filled > 0 else None
    return VenueOrder(
        client_order_id=client_order_id or row.client_order_id,
        venue_order_id=venue_id(row.symbol, row.order_id),
        symbol=symbol,
        side=_side_of(row.side),
        type=_type_of(row),
        quantity=_quantity_of(row.side, row.orig_qty),
        filled=filled,
        # The venue writes a negative amount where it does not know it.
        average_price=None if average is None or average <= 0 else average,
        limit_price=_limit_of(row.type, row.price, row.stop_price),
        stop_price=_stop_of(row.type, row.stop_price),
        time_in_force=_tif_of(row.type, row.time_in_force),
        status=status_of(row.status),
    )


def fill_of_trade(row: Trade, account: str, symbol: str, client_order_id: str) -> Fill:
    """A row of myTrades; `client_order_id` is "" where it is not known."""
    return Fill(
        execution_id=str(row.id),
        client_order_id=client_order_id,
        venue_order_id=venue_id(row.symbol, row.order_id),
        account=account,
        symbol=symbol,
        side=Side.BUY if row.is_buyer else Side.SELL,
        quantity=number(row.qty),
        price=number(row.price),
        commission=number(row.commission),
        commission_currency=row.commission_asset or "",
        liquidity=Liquidity.MAKER if row.is_maker else Liquidity.TAKER,
        time=time_of_millis(row.time),
    )


def report_of(event: Execution, account: str, symbol: str) -> OrderReport:
    """A report in the engine's words."""
    time, key = time_of_millis(event.T), event.client_order_id
    there = venue_id(event.s, event.i)
    fill = None
    if event.x == "TRADE":
        fill = Fill(
            execution_id=str(event.t),
            client_order_id=key,
            venue_order_id=there,
            account=account,
            symbol=symbol,
            side=_side_of(event.S),
            quantity=_quantity_of(event.S, event.l),
            price=number(event.L),
            commission=ZERO if event.n is None else number(event.n),
            commission_currency=event.N or "",
            liquidity=Liquidity.MAKER if event.m else Liquidity.TAKER,
            time=time,
        )
    status = status_of(event.X)
    text = "" if event.r in _NOTHING else event.r
    if status is _S.UNKNOWN:
        text = f"the venue says {event.X}, a word that is not known here"
    quantity = number(event.q)
    return OrderReport(
        account=account,
        client_order_id=key,
        venue_order_id=there,
        symbol=symbol,
        status=status,
        fill=fill,
        filled=number_or_none(event.z),
        quantity=quantity if quantity else None,
        limit_price=_limit_of(event.o, event.p, event.P),
        stop_price=_stop_of(event.o, event.P),
        time_in_force=_tif_of(event.o, event.f),
        text=text,
        code=text if status is _S.REJECTED else "",
        time=time,
    )
