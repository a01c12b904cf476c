"""Where an order is at OKX: its symbol, and which kind it is, without which nothing can be asked.

OKX asks for the symbol with every question about an order, and stops are orders of another kind
with ids of their own. This is a memory of answers: what is not in it is looked for in the lists.
"""

from typing import Final, TypeVar

import msgspec

from brokers.okx.wire import AlgoRow, OrderRow
from engine.domain.ids import venue_order_id_of

T = TypeVar("T")

KEPT: Final = 20_000
"""So many orders are remembered."""


class Place(msgspec.Struct, kw_only=True):
    """Where one order is."""

    symbol: str
    is_stop: bool = False
    order_id: str = ""
    """What the venue calls the order; of a stop the order that it has become, "" before that."""
    algo_id: str = ""
    """What the venue calls the stop."""


class Parent(msgspec.Struct, frozen=True):
    """The stop that an order was, or nothing."""

    client_id: str = ""
    algo_id: str = ""


class Places:
    """The orders of one account, by our id, or by what the venue calls them."""

    def __init__(self) -> None:
        self._by_client: dict[str, Place] = {}
        self._by_venue: dict[str, Place] = {}
        self._parents: dict[str, Parent] = {}

    def find(self, key: str) -> Place | None:
        """The place of an order by its id, or by that of one without a client order id."""
        venue_id = venue_order_id_of(key)
        return self._by_venue.get(venue_id) if venue_id else self._by_client.get(key)

    def parent(self, order_id: str) -> Parent | None:
        """The stop that an order without a client order id was; None where nobody knows."""
        return self._parents.get(order_id)

    def sent(self, key: str, symbol: str, *, is_stop: bool) -> Place:
        """An order is about to be sent."""
        place = Place(symbol=symbol, is_stop=is_stop)
        _keep(self._by_client, key, place)
        return place

    def saw(self, row: OrderRow) -> None:
        """The venue has told of an order."""
        if not row.cl_ord_id:
            _keep(self._parents, row.ord_id, Parent(row.algo_cl_ord_id, row.algo_id))
        place = Place(
            symbol=row.inst_id, is_stop=row.of_stop, order_id=row.ord_id, algo_id=row.algo_id
        )
        self._note(row.client_id, row.venue_id, place)

    def saw_stop(self, row: AlgoRow) -> None:
        """The venue has told of a stop."""
        place = Place(symbol=row.inst_id, is_stop=True, order_id=row.child_id, algo_id=row.algo_id)
        if row.child_id:
            _keep(self._parents, row.child_id, Parent(row.algo_cl_ord_id, row.algo_id))
        else:
            known = self._by_venue.get(row.algo_id)
            place.order_id = "" if known is None else known.order_id
        self._note(row.algo_cl_ord_id, row.algo_id, place)

    def _note(self, client_id: str, venue_id: str, place: Place) -> None:
        if venue_id:
            _keep(self._by_venue, venue_id, place)
        if client_id:
            _keep(self._by_client, client_id, place)


def _keep(memory: dict[str, T], key: str, value: T) -> None:
    """Remember it as the newest, and forget the oldest of too many."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > KEPT:
        del memory[next(iter(memory))]
