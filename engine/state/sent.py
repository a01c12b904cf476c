"""Orders that add exposure and were sent lately: for the rate and the duplicate limit (X-87)."""

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.state.book import Book
from engine.state.order import Order
from engine.state.prints import print_of_order
from engine.state.recent import count_after, forget, is_sweep_due, swept

RATE_WINDOW = 60 * NS_PER_SECOND
"""How long an order counts against the rate limit, and a refusal towards a storm of them."""

FAILURE_WINDOW = 300 * NS_PER_SECOND
"""How long an order that did not get through to its venue is among the recent failures (C-423)."""

FAILURES_KEPT = 10_000
"""No more recent failures are kept (C-451)."""

PRINTS_KEPT = 1_024


def stamp(book: Book, order: Order, at: Nanos) -> None:
    """Note an order that adds exposure, for the rate and the duplicate limit."""
    data = book.data
    if is_sweep_due(len(data.sent)):
        forget(data.sent, at - RATE_WINDOW)
    data.sent.append(at)
    data.prints = swept(data.prints, at - RATE_WINDOW, least=PRINTS_KEPT)
    data.prints[print_of_order(order)] = at


def sent_lately(book: Book, now: Nanos) -> int:
    """How many orders that add exposure were intended within the last minute."""
    return count_after(book.data.sent, now - RATE_WINDOW)
