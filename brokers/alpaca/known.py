"""Which order is which: a client order id, Alpaca's own, and the side that we sent.

Cancels go by Alpaca's id, and the list of executions names it alone. What is not in here any more,
as after a restart, is asked: nothing depends on it.
"""

from collections import OrderedDict
from typing import Final

import msgspec

from brokers.alpaca.wire import OrderRow, side_of, text
from engine.domain.order import Side

KEPT: Final = 20_000
"""So many orders are known at most, the newest."""


class Named(msgspec.Struct, frozen=True):
    """What an execution does not say of its order."""

    client_order_id: str
    side: Side


class KnownOrders:
    """The orders that have been seen."""

    def __init__(self) -> None:
        self._named: OrderedDict[str, Named] = OrderedDict()
        self._ids: dict[str, str] = {}
        self._sent: OrderedDict[str, Side] = OrderedDict()

    def sent(self, client_order_id: str, side: Side) -> None:
        """An order of ours is about to leave. Alpaca may not tell which sells open a short."""
        self._sent[client_order_id] = side
        if len(self._sent) > KEPT:
            self._sent.popitem(last=False)

    def see(self, row: OrderRow) -> Named:
        """Take in an order, and what its executions are told with."""
        there, ours = text(row.id), text(row.client_order_id)
        side = side_of(row)
        wanted = self._sent.get(ours)
        if wanted is not None and wanted.sign == side.sign:
            side = wanted
        named = Named(ours, side)
        if there:
            self._named[there] = named
            self._named.move_to_end(there)
            if ours:
                self._ids[ours] = there
        if len(self._named) > KEPT:
            _, gone = self._named.popitem(last=False)
            self._ids.pop(gone.client_order_id, None)
        return named

    def named(self, venue_order_id: str) -> Named | None:
        """What is known of an order of Alpaca's id."""
        return self._named.get(venue_order_id)

    def venue_id(self, client_order_id: str) -> str:
        """What Alpaca calls an order of ours; "" where that is not known."""
        return self._ids.get(client_order_id, "")
