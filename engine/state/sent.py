"""Orders that add exposure and were sent lately: for the rate and the duplicate limit (X-87)."""

from bisect import bisect_right

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.state.book import Book
from engine.state.order import Order
from engine.state.prints import print_of_order
from engine.state.sweep import is_power_of_two

RATE_WINDOW = 60 * NS_PER_SECOND
FAILURE_WINDOW = 300 * NS_PER_SECOND
"""How long a venue's refusal is among the recent failures (C-423)."""

PRINTS_KEPT = 1_024


def stamp(book: Book, order: Order, at: Nanos) -> None:
    """Note an order that adds exposure, for the rate and the duplicate limit."""
    data = book.data
    if data.sent and data.sent[0] <= at - RATE_WINDOW and is_power_of_two(len(data.sent)):
        del data.sent[: bisect_right(data.sent, at - RATE_WINDOW)]
    data.sent.append(at)
    if len(data.prints) >= PRINTS_KEPT and is_power_of_two(len(data.prints)):
        data.prints = {k: t for k, t in data.prints.items() if t > at - RATE_WINDOW}
    data.prints[print_of_order(order)] = at


def sent_since(book: Book, at: Nanos) -> int:
    """How many orders that add exposure were intended after `at`."""
    return len(book.data.sent) - bisect_right(book.data.sent, at)
