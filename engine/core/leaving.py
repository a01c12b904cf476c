"""Whether an order that has waited may still leave for its venue (rule 3, X-81)."""

from engine.domain.money import ZERO
from engine.domain.order import OrderStatus, OrderTerms
from engine.state.book import Book


def is_withdrawn(book: Book, order: OrderTerms) -> bool:
    """Whether an order that was never handed over is to leave no more: it has ended, or was sent or
    asked about by another way."""
    known = book.order_in(order.account, order.client_order_id)
    return known is None or known.status is not OrderStatus.CREATED


def may_leave_again(book: Book, order: OrderTerms) -> bool:
    """Whether an order that reduces, and which its venue has put off, may be handed over again.

    Not where it has ended or its cancel is wanted, and not where it is for more than is held by
    now on the side that it reduces: that would turn the position.
    """
    known = book.order_in(order.account, order.client_order_id)
    if known is None or known.status is not OrderStatus.PENDING_NEW:
        return False
    held = book.holding(order.account, order.symbol)
    left = ZERO if held is None else -held.quantity * order.side.sign
    return order.quantity <= left
