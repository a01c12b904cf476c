"""From when on a venue is asked for fills (X-69, X-75).

All moments are nanoseconds UTC.
"""

from typing import Final

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.state import pauses
from engine.state.account import AccountState
from engine.state.book import Book

MARGIN: Final[Nanos] = 600 * NS_PER_SECOND
"""How far before what is known the venue is asked for fills; the overlap is dropped by id."""


def is_whole_due(account: AccountState, whole_at: Nanos, now: Nanos) -> bool:
    """Whether it is time to ask for all fills again that may explain what differs: a list may show
    one however late, and a kill begins with what there is to know.

    `whole_at`: when they were asked for last, and answered; 0 for never.
    """
    kill = account.kill
    if kill is not None and whole_at < kill.started_at:
        return True
    return now - whole_at >= pauses.LONGEST


def look_since(account: AccountState, now: Nanos, *, lag: Nanos, whole: bool) -> Nanos:
    """From when on a look asks for fills.

    A `whole` one asks for all since the last that left nothing unexplained, which may be long ago;
    another for what the last one that was answered can have missed. `lag`: by how much the lists of
    the venue may be behind what it has told.
    """
    if account.balances is None:
        known = now  # what was before is history, and comes as what is held
    else:
        begins = account.clean_at if whole else max(account.clean_at, account.seen_at - lag)
        known = max(min(account.last_fill, begins), account.known_since)
    return max(known - MARGIN, 0)


def order_since(book: Book, account: str, client_order_id: str, now: Nanos) -> Nanos:
    """From when on a question about an order asks for fills: since it was made, since the position
    was opened that an earlier process may have closed by it, and since the newest fill known."""
    known = book.order_in(account, client_order_id)
    if known is None:
        return now - MARGIN
    position = book.holding(known.account, known.symbol) if known.check_first else None
    opened = position.opened_at if position else now
    return min(known.created_at, opened, book.account(account).last_fill or now) - MARGIN
