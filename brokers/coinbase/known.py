"""What this process knows of which order is which: the venue answers by its own ids only."""

from collections import OrderedDict
from typing import Final

KEPT: Final = 20_000
"""So many orders are remembered. About an older one the venue's list of orders is asked."""


class KnownOrders:
    """Client order ids and what the venue calls those orders, from answers, lists and stream."""

    def __init__(self) -> None:
        self._there: OrderedDict[str, str] = OrderedDict()
        self._here: dict[str, str] = {}

    def learn(self, client_order_id: str, venue_order_id: str) -> None:
        """Both are of one order. Without one of them there is nothing to learn."""
        if not client_order_id or not venue_order_id:
            return
        before = self._there.pop(client_order_id, venue_order_id)
        if before != venue_order_id:
            self._here.pop(before, None)
        self._there[client_order_id] = venue_order_id
        self._here[venue_order_id] = client_order_id
        while len(self._there) > KEPT:
            _, oldest = self._there.popitem(last=False)
            self._here.pop(oldest, None)

    def there(self, client_order_id: str) -> str:
        """What the venue calls it; "" where that is not known."""
        return self._there.get(client_order_id, "")

    def here(self, venue_order_id: str) -> str | None:
        """Its client order id; None where that is not known."""
        return self._here.get(venue_order_id)
