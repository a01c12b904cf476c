"""The plan that ends the entries of a position whose stop has traded (X-78)."""

from collections.abc import Iterator

from engine.domain import events as ev
from engine.domain.instant import LATEST, Nanos
from engine.plans.reducing import cancel
from engine.state.book import Book
from engine.world import World


def concerns(book: Book, account: str, symbol: str) -> object:
    """Whether any such entry works."""
    return book.index.stopped


def advance(world: World, account: str, symbol: str, now: Nanos) -> Iterator[ev.Event]:
    """Cancel what is left of them: each would open again what the stop has just closed."""
    for order in tuple(world.book.working(account, symbol)):
        if order.stopped:
            yield from cancel(order, "the stop of its position has traded")


def same_until(world: World, account: str, symbol: str, now: Nanos) -> Nanos:
    """No step of it comes by time alone."""
    return LATEST
