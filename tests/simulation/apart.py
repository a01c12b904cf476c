"""What keeps accounts apart, and what adds them up (X-87), checked on every event as its bytes say.

An order goes where its route or the person says and to no other venue; a symbol is never held or
bought one way here and the other way there; what an account lacks refuses nothing in another.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Code, Verdict
from engine.domain.inputs import Command
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import ADDING, OrderStatus, OrderTerms
from engine.state.book import Book
from tests.simulation.ledger import Place
from tests.simulation.scenario import HOMES
from tests.simulation.venue import Venue

KNOWN_SECONDS: Final = 20
"""How long a stranger's order that was withdrawn may still be found, compared every 15 s."""

Broken = Callable[[str, str], None]


class Apart:
    """Sees each event together with the command that led to it, if one did."""

    def __init__(
        self, venues: Mapping[str, Venue], now: Callable[[], Nanos], broken: Broken
    ) -> None:
        self._venues = venues
        self._now = now
        self._broken = partial(broken, "apart")
        self.asked: Command | None = None
        """The command that is being decided."""
        self._blocked: dict[Place, set[str]] = {}
        """By account and symbol, the causes that keep entries away."""

    def started(self, book: Book) -> None:
        """A process begins with what was durable."""
        self._blocked = {
            (account.name, symbol): set(causes)
            for account in book.accounts
            for symbol, causes in account.blocked.items()
        }

    def before(self, event: ev.Event, book: Book, *, looked: Callable[[str], bool]) -> None:
        """One event that is about to be applied to `book`.

        `looked` says whether the connection of an account that stands has had its first look.
        """
        account = getattr(event, "account", "")
        named = getattr(self.asked, "broker", "")
        if account and named in self._venues and account != named:
            self._broken(f"{type(event).__name__} in {account}, and {named} was asked for")
        match event:
            case ev.OrderIntended():
                self._intended(event.terms, book)
            case ev.OrderRefused():
                self._refused(event, (event.account, event.symbol), book, looked)
            case ev.SignalDecided() if event.verdict is Verdict.REJECTED:
                home = HOMES[event.symbol]
                self._refused(event, (home, event.symbol), book, looked)
            case ev.SymbolBlocked():
                self._blocked.setdefault((event.account, event.symbol), set()).add(event.cause)
                self._explained(event)
            case ev.SymbolUnblocked():
                self._blocked.get((event.account, event.symbol), set()).discard(event.cause)

    def reaches(self, account: str, order: OrderTerms) -> None:
        """An order is handed to the venue of `account`."""
        if order.account != account:
            self._broken(f"an order of {order.account} was sent to {account}")

    def asks_about(self, account: str, key: str, book: Book) -> None:
        """The venue of `account` is asked about an order, or asked to change it."""
        order = book.order(key)
        if order is not None and order.account != account:
            self._broken(f"{account} was asked about an order of {order.account}")

    def _intended(self, order: OrderTerms, book: Book) -> None:
        wanted = self._account_of(order, book)
        if wanted is not None and order.account != wanted:
            self._broken(f"{order.symbol} goes to {order.account}, and {wanted} is meant")
        if not order.reserved:
            return
        # What takes the place of an order goes on with what that one began.
        opens = order.purpose in ADDING and not order.orig_client_order_id
        for name in self._venues:
            state = book.account(name)
            held = state.positions.get(order.symbol)
            if (
                held is not None
                and held.sign != order.side.sign
                and not _cuts_anothers(order, book)
            ):
                self._broken(f"{order.side} {order.symbol}, and {held.quantity} is held in {name}")
            if held is not None and name != order.account and opens:
                self._broken(f"a signal opens {order.symbol}, which is held in {name}")
            for other in state.orders.values():
                if other.symbol != order.symbol or not other.reserved:
                    continue
                if other.side.sign != order.side.sign and other.intent_id != "venue":
                    self._broken(f"{order.side} {order.symbol}, the other side works in {name}")
                if opens:
                    self._broken(
                        f"a signal opens {order.symbol}, of which an entry works in {name}"
                    )

    def _account_of(self, order: OrderTerms, book: Book) -> str | None:
        """Where an order must go; None where a holding says so."""
        home = HOMES[order.symbol]
        if order.orig_client_order_id:
            first = book.order(order.orig_client_order_id)
            return None if first is None else first.account
        match self.asked:
            case ask.PlaceOrder(broker=broker):
                return broker or home
            case ask.RetryLetter(letter_id=key):
                # The letter names the account of the order that was not sent.
                letter = book.data.letters.get(key)
                return None if letter is None else letter.terms.account
            case _:
                return home if order.reserved else None

    def _refused(
        self,
        event: ev.OrderRefused | ev.SignalDecided,
        place: Place,
        book: Book,
        looked: Callable[[str], bool],
    ) -> None:
        """What speaks against an entry speaks of its own account and symbol."""
        (account, symbol), code = place, event.code
        if account not in self._venues:
            return
        silent = book.account(account).silent_since
        if code == Code.NO_ACCOUNT and looked(account) and not silent:
            self._broken(f"{symbol} was refused in {account}, which is connected: {event.reason}")
        if code == Code.UNKNOWN_STATE and not self._blocked.get((account, symbol)):
            unclear = (o for o in book.working(account, symbol) if o.status is OrderStatus.UNKNOWN)
            if next(unclear, None) is None:
                self._broken(f"{symbol} was refused in {account}, and nothing is unclear there")

    def _explained(self, event: ev.SymbolBlocked) -> None:
        """Only a stranger's order is a difference, of its own account and symbol."""
        since = self._now() - KNOWN_SECONDS * NS_PER_SECOND
        strangers = self._venues[event.account].strangers.values()
        known = (s for s in strangers if s.until is None or s.until >= since)
        if event.symbol not in {stranger.symbol for stranger in known}:
            self._broken(f"{event.symbol} was blocked in {event.account}: {event.reason}")


def _cuts_anothers(order: OrderTerms, book: Book) -> bool:
    """Whether it is what is left of an order that was taken over from the venue, made smaller.

    A stranger may have bought against what is held; that less of it works is no entry (X-88).
    """
    first = book.order(order.orig_client_order_id) if order.orig_client_order_id else None
    return (
        first is not None
        and first.intent_id == "venue"
        and order.quantity <= first.quantity - first.filled
    )
