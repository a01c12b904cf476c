"""Which order is which: what a row of trades, a cancel or a question must know of an order.

It is no more than a memory of what the venue said: what is not in it is asked again.
"""

from typing import Final

KEPT: Final = 50_000
"""So many orders are kept in mind, the newest."""


class KnownOrders:
    """Client order id -> symbol, and symbol with number -> client order id; symbols as the venue
    writes them."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._symbols: dict[str, str] = {}
        self._ids: dict[tuple[str, int], str] = {}

    def sent(self, client_order_id: str, symbol: str) -> None:
        """An order of that id is on its way in that symbol."""
        self._symbols[client_order_id] = symbol
        if len(self._symbols) > self._kept:
            del self._symbols[next(iter(self._symbols))]

    def told(self, client_order_id: str, symbol: str, order_id: int) -> None:
        """The venue has named an order; the first id that it told of it stays."""
        if not client_order_id or (symbol, order_id) in self._ids:
            return
        self.sent(client_order_id, symbol)
        self._ids[symbol, order_id] = client_order_id
        if len(self._ids) > self._kept:
            del self._ids[next(iter(self._ids))]

    def symbol_of(self, client_order_id: str) -> str:
        """The symbol of an order; "" where it is not known."""
        return self._symbols.get(client_order_id, "")

    def client_order_id_of(self, symbol: str, order_id: int) -> str:
        """The client order id; "" where it is not known."""
        return self._ids.get((symbol, order_id), "")
