"""An order as Binance spot takes it (C-210)."""

from typing import Final

from brokers.binance.symbols import WORDS
from brokers.net.numbers import written
from engine.domain.order import HAVE_LIMIT, HAVE_STOP, OrderTerms, OrderType, TimeInForce
from engine.ports import Rejected

TIMES_IN_FORCE: Final = frozenset({TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK})

_OF_TYPE: Final = {
    # It fills what it can at once and lives no day; all or nothing is not known there.
    OrderType.MARKET: frozenset(TimeInForce) - {TimeInForce.FOK},
    OrderType.STOP: frozenset({TimeInForce.GTC}),
}
"""What an order may ask for where that is not `TIMES_IN_FORCE`."""


def refuse_time_in_force(order: OrderTerms) -> None:
    """Refuse a time in force that the venue has not for such an order. Raises Rejected."""
    allowed = _OF_TYPE.get(order.type, TIMES_IN_FORCE)
    if order.time_in_force not in allowed:
        words = f"{', '.join(sorted(allowed))} can be kept"
        raise Rejected("TIME_IN_FORCE", f"{order.type} {order.time_in_force} cannot: {words}")


def parameters(order: OrderTerms, symbol: str) -> dict[str, str]:
    """The parameters of POST order; `symbol` is the venue's. A number is written without an
    exponent: 1e-05 is refused."""
    terms = {
        "symbol": symbol,
        "side": "BUY" if order.side.sign > 0 else "SELL",
        "type": WORDS[order.type],
        "quantity": written(order.quantity),
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "ACK",
    }
    if order.type in HAVE_LIMIT and order.limit_price is not None:
        terms |= {"price": written(order.limit_price), "timeInForce": str(order.time_in_force)}
    if order.type in HAVE_STOP and order.stop_price is not None:
        terms["stopPrice"] = written(order.stop_price)
    return terms
