"""What makes two orders the same for the duplicate-order limit (X-87)."""

from decimal import Decimal

from engine.domain.money import plain
from engine.domain.order import OrderTerms, Side


def print_of(  # noqa: PLR0917 - the terms that count, in the order of the text
    account: str,
    symbol: str,
    side: Side,
    quantity: Decimal,
    limit_price: Decimal | None,
    stop_price: Decimal | None,
) -> str:
    """What makes two orders the same for the duplicate-order limit; in another account it is
    another order (X-87)."""
    limit = "" if limit_price is None else plain(limit_price)
    stop = "" if stop_price is None else plain(stop_price)
    return f"{account}|{symbol}|{side}|{plain(quantity)}|{limit}|{stop}"


def print_of_order(order: OrderTerms) -> str:
    """The same of an order that is made."""
    return print_of(
        order.account,
        order.symbol,
        order.side,
        order.quantity,
        order.limit_price,
        order.stop_price,
    )
