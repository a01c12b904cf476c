"""Which orders work where, and how many of each kind: derived from the orders, never stored.

What is asked at each price and each order must not cost a look at every order. `Book` keeps it
true; whoever reads the book takes the counts from here.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import TypeAlias

from engine.domain.money import ZERO
from engine.domain.order import OrderStatus
from engine.state.order import Order

Place: TypeAlias = tuple[str, str]
"""An account and a symbol."""

# To look a member of an enum up costs several times as much as a name of the module.
_UNKNOWN = OrderStatus.UNKNOWN


class OrderIndex:
    """The orders that work, over all accounts."""

    def __init__(self) -> None:
        self.count = 0
        """All of them."""
        self.entries = 0
        """Those that add exposure."""
        self.unclear = 0
        """Those of which nobody knows what became."""
        self.stopped = 0
        """Entries of positions whose stop has traded."""
        self.closable: dict[str, int] = {}
        """By account, those that are not protective: what a kill cancels."""
        self.day_entries: dict[str, dict[str, str]] = {}
        """By symbol, the entries that end with the session, and the account of each."""
        self._by_place: dict[Place, dict[str, None]] = {}
        self._reducing: dict[Place, dict[str, None]] = {}
        self._covered: dict[Place, Decimal] = {}
        """How much stops that rest cover, by place: there may be thousands of one symbol."""
        self._entries: dict[tuple[str, int], int] = {}
        """Those that add exposure, by symbol and sign."""

    def at(self, account: str, symbol: str) -> Iterable[str]:
        """The ids of those in one place."""
        return self._by_place.get((account, symbol), ())

    def reducing_at(self, account: str, symbol: str) -> Iterable[str]:
        """The ids of those in one place that add no exposure."""
        return self._reducing.get((account, symbol), ())

    def symbols(self, account: str) -> list[str]:
        """The symbols of one account in which any works."""
        return [symbol for name, symbol in self._by_place if name == account]

    def entries_of(self, symbol: str, sign: int) -> int:
        """How many add exposure on one side of a symbol, +1 buys and -1 sells."""
        return self._entries.get((symbol, sign), 0)

    def has_entries(self, symbol: str) -> bool:
        """Whether any that works adds exposure in a symbol."""
        return bool(self.entries_of(symbol, 1) or self.entries_of(symbol, -1))

    def covered(self, account: str, symbol: str) -> Decimal:
        """How much stops that rest cover in one place."""
        return self._covered.get((account, symbol), ZERO)

    def cover(self, order: Order, change: Decimal) -> None:
        """A stop that rests covers so much more, or less, than before."""
        if change:
            place = (order.account, order.symbol)
            self._covered[place] = self._covered.get(place, ZERO) + change
            if not self._covered[place]:
                del self._covered[place]

    def add(self, order: Order) -> None:
        """Take in an order that works."""
        place = (order.account, order.symbol)
        self._by_place.setdefault(place, {})[order.client_order_id] = None
        if not order.adds_exposure:
            self._reducing.setdefault(place, {})[order.client_order_id] = None
        self._count(order, 1)

    def remove(self, order: Order) -> None:
        """Leave out an order as it was taken in."""
        _drop(self._by_place, order)
        if not order.adds_exposure:
            _drop(self._reducing, order)
        self._count(order, -1)

    def change_status(self, old: OrderStatus, new: OrderStatus) -> None:
        """An order goes on with another status, and is else what it was."""
        self.unclear += (new is _UNKNOWN) - (old is _UNKNOWN)

    def _count(self, order: Order, change: int) -> None:
        self.count += change
        if order.adds_exposure:
            self._count_entry(order, change)
        if order.status is _UNKNOWN:
            self.unclear += change
        if order.stopped:
            self.stopped += change
        if not order.protects:
            count = self.closable.get(order.account, 0) + change
            if count:
                self.closable[order.account] = count
            else:
                self.closable.pop(order.account, None)

    def _count_entry(self, order: Order, change: int) -> None:
        key = (order.symbol, order.side.sign)
        self._entries[key] = self._entries.get(key, 0) + change
        self.entries += change
        if not order.trade_type.ends_with_session:
            return
        entries = self.day_entries.setdefault(order.symbol, {})
        if change > 0:
            entries[order.client_order_id] = order.account
        else:
            entries.pop(order.client_order_id, None)
            if not entries:
                del self.day_entries[order.symbol]


def _drop(keys_of: dict[Place, dict[str, None]], order: Order) -> None:
    place = (order.account, order.symbol)
    keys = keys_of.get(place)
    if keys is not None:
        keys.pop(order.client_order_id, None)
        if not keys:
            del keys_of[place]
