"""An order as Coinbase takes it, or why it takes it not.

The venue has no stop that becomes an order at the market. A stop of ours is a stop with a limit
that lies `STOP_REACH` beyond it: once triggered it fills like one at the market, unless the price
has jumped further than that. Such an order is told as a stop again (`is_wide`).
"""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

from brokers.coinbase.products import Product
from brokers.net.numbers import written
from engine.domain.money import ONE, is_multiple, is_positive, plain
from engine.domain.order import OrderTerms, OrderType, Side, TimeInForce
from engine.ports import Rejected

STOP_REACH: Final = Decimal("0.05")
"""How far beyond its stop the limit of a stop order lies, as a fraction of the stop."""

_LIMITS: Final = {
    TimeInForce.GTC: "limit_limit_gtc",
    TimeInForce.IOC: "sor_limit_ioc",
    TimeInForce.FOK: "limit_limit_fok",
}


def order_body(order: OrderTerms, product: Product) -> dict[str, Any]:
    """The body that places an order. Raises Rejected for what the venue would refuse by its own
    rules of grid and size, with the number and what is allowed."""
    if order.side is Side.SELL_SHORT:
        raise Rejected("SHORT_SALE", "Coinbase spot sells nothing short: BUY and SELL are allowed")
    _check_quantity(order, product)
    for name in ("limit_price", "stop_price"):
        price = getattr(order, name)
        if price is not None:
            _check_grid(name, price, product.tick, "INVALID_PRICE_PRECISION")
    _check_amount(order, product)
    return {
        "client_order_id": order.client_order_id,
        "product_id": order.symbol,
        "side": order.side.value,
        "order_configuration": _configuration(order, product),
    }


def wide_limit(stop: Decimal, side: Side, tick: Decimal) -> Decimal:
    """The limit of a stop that is to fill at whatever price, on the grid `tick`."""
    beyond = stop * (ONE + side.sign * STOP_REACH)
    rounding = ROUND_CEILING if side is Side.BUY else ROUND_FLOOR
    return max((beyond / tick).to_integral_value(rounding) * tick, tick)


def is_wide(stop: Decimal, limit: Decimal, side: Side, tick: Decimal | None = None) -> bool:
    """Whether `wide_limit` made this limit, on the grid `tick`.

    Where the grid is not known, it is taken to be the one that the limit is written on: the venue
    leaves out zeros at the end, so that a rounder limit near it may be taken for it, too.
    """
    if not is_positive(stop) or not is_positive(limit):
        return False
    if tick is None:
        exponent = limit.normalize().as_tuple().exponent
        tick = Decimal(1).scaleb(min(exponent, 0) if isinstance(exponent, int) else 0)
    return is_positive(tick) and limit == wide_limit(stop, side, tick)


def _configuration(order: OrderTerms, product: Product) -> dict[str, dict[str, Any]]:
    size = {"base_size": written(order.quantity)}
    match order.type:
        case OrderType.MARKET:
            if order.time_in_force is TimeInForce.FOK:
                raise _unsupported(order, "no order at the market that fills whole or not at all")
            return {"market_market_ioc": size}
        case OrderType.LIMIT:
            name = _LIMITS.get(order.time_in_force)
            if name is None:
                raise _unsupported(order, "GTC, IOC and FOK for a limit")
            rest = {} if name == "sor_limit_ioc" else {"post_only": False}
            if name == "limit_limit_fok":
                rest = {}
            return {name: size | {"limit_price": _price(order.limit_price)} | rest}
        case OrderType.STOP | OrderType.STOP_LIMIT:
            if order.time_in_force is not TimeInForce.GTC or order.stop_price is None:
                raise _unsupported(order, "GTC for a stop")
            limit = order.limit_price
            if order.type is OrderType.STOP:
                limit = wide_limit(order.stop_price, order.side, product.tick)
            up = order.side is Side.BUY
            return {
                "stop_limit_stop_limit_gtc": size
                | {
                    "limit_price": _price(limit),
                    "stop_price": _price(order.stop_price),
                    "stop_direction": "STOP_DIRECTION_STOP_UP"
                    if up
                    else "STOP_DIRECTION_STOP_DOWN",
                }
            }


def _price(price: Decimal | None) -> str:
    if price is None:
        raise Rejected("INVALID_PRICE", "an order of this type has a price")
    return written(price)


def _check_quantity(order: OrderTerms, product: Product) -> None:
    quantity = order.quantity
    _check_grid("quantity", quantity, product.lot, "INVALID_SIZE_PRECISION")
    if quantity < product.smallest:
        raise Rejected(
            "QUANTITY_TOO_SMALL",
            f"quantity is {plain(quantity)}; at least {plain(product.smallest)} "
            f"{order.symbol} is allowed",
        )
    if product.largest is not None and quantity > product.largest:
        raise Rejected(
            "QUANTITY_TOO_LARGE",
            f"quantity is {plain(quantity)}; at most {plain(product.largest)} "
            f"{order.symbol} is allowed",
        )


def _check_amount(order: OrderTerms, product: Product) -> None:
    price = order.limit_price or order.stop_price
    if price is None or not product.smallest_amount:
        return
    amount = order.quantity * price
    if amount < product.smallest_amount:
        raise Rejected(
            "AMOUNT_TOO_SMALL",
            f"the amount is {plain(amount)}; at least {plain(product.smallest_amount)} is allowed",
        )


def _check_grid(name: str, value: Decimal, grid: Decimal, code: str) -> None:
    if not is_positive(grid):
        raise Rejected("BAD_FACTS", f"Coinbase states {grid} as the grid of {name}")
    if not is_positive(value) or not is_multiple(value, grid):
        raise Rejected(code, f"{name} is {value}; whole multiples of {plain(grid)} are allowed")


def _unsupported(order: OrderTerms, allowed: str) -> Rejected:
    what = f"{order.type} {order.time_in_force}"
    return Rejected("UNSUPPORTED_ORDER_CONFIGURATION", f"Coinbase takes no {what}: {allowed}")
