"""The log of transactions as it is followed: each is told once, whoever brings it (C-270).

Ids go up by one. The stream, the answer to a request and the list of what was missed bring the same
transactions, in any order; what follows the newest that was told is told, what was told before is
dropped, and what would leave a gap waits until the venue was asked for what is missing.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Final

from brokers.net.numbers import number_or_none, time_of
from brokers.oanda import wire
from brokers.oanda.money import FILL, fill_of
from brokers.oanda.orders import Terms, terms_of
from brokers.oanda.refusals import code_of, end_of, is_in_use
from engine.domain.money import ZERO
from engine.domain.order import IMMEDIATE, OrderStatus, OrderType
from engine.ports import OrderReport

_CREATED: Final = "_ORDER"
_REFUSED: Final = "_ORDER_REJECT"
_REPLACED: Final = frozenset({"CLIENT_REQUEST_REPLACED", "DIVIDEND_ADJUSTMENT_REPLACED"})

KEPT: Final = 5_000
"""So many orders are remembered: to answer for one that is not found by its own id any more."""


class KnownOrder:
    """What is known of an order: its terms, how much of it there is in all, and what of that has
    filled as far as was told.

    `whole`: everything about it was told, since it was created while the log was followed.
    """

    __slots__ = ("filled", "quantity", "terms", "whole")

    def __init__(self, terms: Terms, *, filled: Decimal = ZERO, whole: bool) -> None:
        """`filled` is what had filled before, under another id of the venue's."""
        self.terms = terms
        self.quantity = terms.quantity + filled
        self.filled = filled
        self.whole = whole


class TransactionLog:
    """The log of one account. `tell` gets what it means for the engine."""

    def __init__(self, account: str, tell: Callable[[OrderReport], None]) -> None:
        """`account` is the name under `[brokers]`."""
        self._account = account
        self._tell = tell
        self._home = ""
        self.last = 0
        """The id of the newest transaction that was told."""
        self._orders: dict[str, KnownOrder] = {}
        """By what the venue calls them, oldest first."""
        self._ids: dict[str, str] = {}
        """Client order id -> what the venue calls the newest order of it."""
        self._short: wire.Transaction | None = None
        """A fill for less of an order that never rests: the rest of it is gone."""

    def begin(self, account: wire.AccountRow) -> None:
        """From now on what comes after this moment of the account is told."""
        self._home = account.currency
        self.last = wire.id_of(account.last_transaction_id)
        self._short = None
        for row in account.orders:
            known = KnownOrder(terms_of(row.type, row), whole=False)
            known.filled = self.filled(str(row.id))
            self._know(str(row.id), known)

    def venue_id_of(self, client_order_id: str) -> str:
        """What the venue calls the newest order of that id; "" for one that is not remembered."""
        return self._ids.get(client_order_id, "")

    def client_id_of(self, venue_order_id: str) -> str:
        """The client order id of an order; "" where it has none or is not remembered."""
        known = self._orders.get(venue_order_id)
        return "" if known is None else known.terms.client_order_id

    def filled(self, venue_order_id: str) -> Decimal:
        """How much of an order has filled, as far as was told."""
        known = self._orders.get(venue_order_id)
        return ZERO if known is None else known.filled

    def take(self, told: Iterable[wire.Transaction]) -> bool:
        """Tell those that follow the newest; False where one is missing before the rest."""
        for each in sorted(told, key=lambda each: each.number):
            if each.number > self.last + 1:
                return False
            self._next(each)
        return True

    def take_all(self, told: Iterable[wire.Transaction]) -> None:
        """Tell all that are new: the venue was asked for what is missing, and has no more."""
        for each in sorted(told, key=lambda each: each.number):
            self._next(each)

    def batch_ended(self) -> None:
        """Nothing more belongs to the newest transaction: what of an order that never rests did not
        fill has ended, whether or not a transaction said so."""
        short, self._short = self._short, None
        if short is not None:
            order_id = str(short.order_id or "")
            why = "the rest of it did not fill at once"
            known = self._orders.get(order_id)
            self._report(short, OrderStatus.CANCELED, order_id, known, text=why)

    def _next(self, told: wire.Transaction) -> None:
        if told.number <= self.last:
            return
        self.last = told.number
        cancels = told.type == "ORDER_CANCEL"
        short = self._short if cancels or told.type == FILL else None
        if short is not None and str(short.order_id) == str(told.order_id):
            self._short = None  # more of it is told
        self.batch_ended()
        if told.type == FILL:
            self._filled(told)
        elif cancels:
            self._cancelled(told)
        elif told.type.endswith(_REFUSED):
            self._refused(told)
        elif told.type.endswith(_CREATED):
            self._created(told)

    def _created(self, told: wire.Transaction) -> None:
        """A new order; or one that takes the place of another, which is the same order here, with
        what of it has filled, unless it has another client id."""
        terms = terms_of(told.type.removesuffix(_CREATED), told)
        known = KnownOrder(terms, whole=True)
        old_id = str(told.replaces_order_id or "")
        old = self._orders.pop(old_id, None)
        if old is not None and old.terms.client_order_id == terms.client_order_id:
            known = KnownOrder(terms, filled=old.filled, whole=old.whole)
        elif old is not None:
            self._report(told, OrderStatus.CANCELED, old_id, old)
        order_id = str(told.id)
        self._know(order_id, known)
        if not terms.symbol:
            return  # it is tied to a trade, whose symbol the next look tells
        self._tell(
            OrderReport(
                account=self._account,
                client_order_id=terms.client_order_id,
                venue_order_id=order_id,
                symbol=terms.symbol,
                status=OrderStatus.PARTIALLY_FILLED if known.filled else OrderStatus.NEW,
                filled=known.filled if known.whole else None,
                quantity=known.quantity,
                limit_price=terms.limit_price,
                stop_price=terms.stop_price,
                time_in_force=terms.time_in_force,
                time=time_of(told.time),
            )
        )

    def _filled(self, told: wire.Transaction) -> None:
        known = self._orders.get(str(told.order_id or ""))
        client_id = self.client_id_of(str(told.order_id or ""))
        fill = fill_of(told, self._account, self._home, client_id)
        wanted = number_or_none(told.requested_units)
        wanted, filled = None if wanted is None else abs(wanted), fill.quantity
        if known is not None:
            known.filled += fill.quantity
            if known.whole:
                wanted, filled = known.quantity, known.filled
        # An order ends with its fill, unless it is known to have filled in part.
        short = wanted is not None and wanted.is_finite() and filled.is_finite() and filled < wanted
        self._tell(
            OrderReport(
                account=self._account,
                client_order_id=fill.client_order_id,
                venue_order_id=fill.venue_order_id,
                symbol=fill.symbol,
                status=OrderStatus.PARTIALLY_FILLED if short else OrderStatus.FILLED,
                fill=fill,
                filled=known.filled if known is not None and known.whole else None,
                text=told.reason or "",
                time=fill.time,
            )
        )
        if short and _never_rests(told, known):
            self._short = told

    def _cancelled(self, told: wire.Transaction) -> None:
        order_id, reason = str(told.order_id or ""), told.reason or ""
        known = self._orders.get(order_id)
        if reason in _REPLACED and told.replaced_by_order_id is not None and known is not None:
            return  # what takes its place says of which order it is
        status = end_of(reason, filled=known is not None and known.filled != 0)
        self._report(told, status, order_id, known, text=reason)

    def _refused(self, told: wire.Transaction) -> None:
        """An order that was refused; the request for it may have lost its answer.

        Where another order that works has its id, or it was to take the place of one, that order
        goes on: nothing is told of it.
        """
        terms = terms_of(told.type.removesuffix(_REFUSED), told)
        if is_in_use(told) or told.intended_replaces_order_id or not terms.client_order_id:
            return
        known = KnownOrder(terms, whole=True)
        self._report(told, OrderStatus.REJECTED, "", known, text=told.reject_reason or "")

    def _report(
        self,
        told: wire.Transaction,
        status: OrderStatus,
        order_id: str,
        known: KnownOrder | None,
        text: str = "",
    ) -> None:
        """Tell how an order ended."""
        client_id = known.terms.client_order_id if known is not None else told.client_order_id
        self._tell(
            OrderReport(
                account=self._account,
                client_order_id=client_id or "",
                venue_order_id=order_id,
                symbol=known.terms.symbol if known is not None else told.instrument or "",
                status=status,
                filled=known.filled if known is not None and known.whole else None,
                text=text,
                code=code_of(text) if status is OrderStatus.REJECTED else "",
                time=time_of(told.time),
            )
        )

    def _know(self, order_id: str, known: KnownOrder) -> None:
        self._orders[order_id] = known
        if known.terms.client_order_id:
            self._ids.pop(known.terms.client_order_id, None)
            self._ids[known.terms.client_order_id] = order_id
        for kept in (self._orders, self._ids):
            while len(kept) > KEPT:
                del kept[next(iter(kept))]


def _never_rests(told: wire.Transaction, known: KnownOrder | None) -> bool:
    """Whether what of the order did not fill at once has ended."""
    if known is not None:
        terms = known.terms
        return terms.type is OrderType.MARKET or terms.time_in_force in IMMEDIATE
    return (told.reason or "").startswith("MARKET_ORDER")
