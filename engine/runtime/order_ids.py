"""One id for every order of an account, whatever its venue gives it (rule 1; `Broker`).

Somebody may have placed an order by hand, without a client order id, or with one that another
order has. All that the engine does with orders goes by that id.
"""

from collections import Counter
from collections.abc import Iterable

import msgspec

from engine.domain.account import VenueOrder
from engine.domain.ids import unnamed_order_id
from engine.domain.order import Fill
from engine.domain.report import OrderReport
from engine.state.book import Book


class OrderIds:
    """The ids by which the orders of one account are known."""

    def __init__(self, account: str, book: Book) -> None:
        """`account` is the name under `[brokers]`."""
        self._account = account
        self._book = book

    def of_list(self, orders: Iterable[VenueOrder]) -> tuple[VenueOrder, ...]:
        """The orders that a venue lists, each once and with an id of its own.

        Of those with one id the order keeps it that is known here by what the venue calls it, else
        the first by that. One that the venue gives nothing to tell it by has the id "".
        """
        once = {(o.client_order_id, o.venue_order_id, o.symbol, o.side): o for o in orders}
        alike: dict[str, list[VenueOrder]] = {}
        for order in once.values():
            alike.setdefault(order.client_order_id, []).append(order)
        named: list[VenueOrder] = []
        for same in alike.values():
            keeper = self._keeper(same)
            named += [o if o is keeper else self._by_venue(o) for o in same]
        found = Counter(order.client_order_id for order in named)
        return tuple(
            o if found[o.client_order_id] == 1 else msgspec.structs.replace(o, client_order_id="")
            for o in named
        )

    def of_report(self, report: OrderReport) -> OrderReport:
        """The report about the order of that id. Its fill is left as it is."""
        key, there = report.client_order_id, report.venue_order_id
        if not there or (key and not self._is_another(key, there, report.symbol)):
            return report
        return msgspec.structs.replace(report, client_order_id=self._unnamed(there))

    def of_fill(self, fill: Fill) -> Fill:
        """The fill of the order of that id; one of an order that is not known is left as it is,
        since a list may not say of which order a fill is."""
        key, there = fill.client_order_id, fill.venue_order_id
        if not there or not self._is_another(key, there, fill.symbol):
            return fill
        return msgspec.structs.replace(fill, client_order_id=self._unnamed(there))

    def _keeper(self, same: list[VenueOrder]) -> VenueOrder | None:
        """Which of the orders that a venue lists with one id is known by it; None for none."""
        key = same[0].client_order_id
        if not key:
            return None
        if len(same) == 1:
            (order,) = same
            return None if self._is_another(key, order.venue_order_id, order.symbol) else order
        ours = self._book.order_in(self._account, key)
        known = "" if ours is None else ours.venue_order_id
        first = min(same, key=lambda order: (order.venue_order_id, order.symbol))
        return next((o for o in same if known and o.venue_order_id == known), first)

    def _is_another(self, key: str, there: str, symbol: str) -> bool:
        """Whether what a venue calls `there` is not the order of id `key` but one that is known
        here by what the venue calls it."""
        named = self._book.order_in(self._account, key) if key else None
        if named is not None and named.venue_order_id in {"", there}:
            return False
        known = self._book.order_in(self._account, self._unnamed(there)) if there else None
        return known is not None and known.symbol == symbol

    def _by_venue(self, order: VenueOrder) -> VenueOrder:
        there = order.venue_order_id
        key = self._unnamed(there) if there else ""
        return msgspec.structs.replace(order, client_order_id=key)

    def _unnamed(self, there: str) -> str:
        return unnamed_order_id(self._account, there)
