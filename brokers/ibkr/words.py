"""The words of TWS for orders, and what they are to us (C-231, D-64)."""

from decimal import Decimal
from typing import Any, Final

from brokers.ibkr.codec import price_of
from brokers.net.numbers import NAN
from engine.domain.order import OrderStatus, OrderType, Side, TimeInForce

_S = OrderStatus

STATUSES: Final[dict[str, OrderStatus]] = {
    "ApiPending": _S.PENDING_NEW,
    "PendingSubmit": _S.PENDING_NEW,
    "PreSubmitted": _S.NEW,
    "Submitted": _S.NEW,
    "PendingCancel": _S.PENDING_CANCEL,
    "ApiCancelled": _S.CANCELED,
    "Cancelled": _S.CANCELED,
    "Filled": _S.FILLED,
    "Inactive": _S.SUSPENDED,
}
"""What a word says of an order that works. Inactive is held, unless an error has said that it was
refused (D-64). Another word is SUSPENDED too: the order is there, nobody can say that it has ended,
and the engine keeps its exposure."""

ENDED: Final[dict[str, OrderStatus]] = {
    "ApiCancelled": _S.CANCELED,
    "Cancelled": _S.CANCELED,
    "Filled": _S.FILLED,
    "Inactive": _S.REJECTED,
}
"""What a word says in the list of orders that have ended."""

SIDES: Final[dict[str, Side]] = {
    "BUY": Side.BUY, "SELL": Side.SELL, "SSHORT": Side.SELL_SHORT, "SLONG": Side.SELL,
}  # fmt: skip
"""What an order does. Of one with another word nobody knows it: its quantity is no number, and the
engine puts it aside with its symbol."""

TYPES: Final[dict[str, OrderType]] = {
    "MKT": OrderType.MARKET,
    "LMT": OrderType.LIMIT,
    "STP": OrderType.STOP,
    "STP LMT": OrderType.STOP_LIMIT,
}
WORDS: Final = {kind: word for word, kind in TYPES.items()}
TIMES: Final[dict[str, TimeInForce]] = {tif.value: tif for tif in TimeInForce}


def prices(kind: OrderType | None, order: Any) -> tuple[Decimal | None, Decimal | None]:
    """Limit and stop. A type that is none of ours, such as a trailing stop, has a limit that is no
    number: its row is put aside with its symbol, and nobody takes it for what it is not."""
    if kind is None:
        return NAN, None
    limit = price_of(order.lmtPrice) if kind in {OrderType.LIMIT, OrderType.STOP_LIMIT} else None
    stop = price_of(order.auxPrice) if kind in {OrderType.STOP, OrderType.STOP_LIMIT} else None
    return limit, stop
