"""What entries may still cost: sums that limits are held against (U-51)."""

from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from typing import TypeVar

from engine.domain.money import ZERO
from engine.state.order import Order

K = TypeVar("K")


class Reservations:
    """The value of what is unfilled of entries that work, or that are to take the place of one that
    has ended, at the dearest price each may come to.

    Every sum is in the currency that the instrument is paid in.
    """

    def __init__(self) -> None:
        self.by_symbol: dict[str, Decimal] = {}
        self.by_currency: dict[str, Decimal] = {}
        self.by_account: dict[tuple[str, str], Decimal] = {}
        """By account and currency."""
        self.by_group: dict[tuple[str, str], Decimal] = {}
        """By group and currency, see `group`."""
        self._counted: dict[tuple[str, str], tuple[str, Decimal]] = {}
        """What each order counts as, by account and id: its currency and the amount."""
        self._contained: dict[tuple[str, str], Decimal] = {}
        """What an order counted as when its venue last told what it is held back for, by account
        and id."""
        self.contained_in: dict[tuple[str, str], Decimal] = {}
        """The sum of that by account and currency, as far as it is counted still."""
        self._leaning: dict[str, dict[tuple[str, str], tuple[Decimal, Decimal]]] = {}
        """By symbol, of each order in what leans on another instrument: the quantity that is
        counted, times the multiplier, and the amount."""
        self._groups_of: Callable[[str], Iterable[str]] = lambda symbol: ()

    def group(
        self, groups_of: Callable[[str], Iterable[str]], currency_of: Callable[[str], str]
    ) -> None:
        """Keep `by_group` by the groups that each symbol belongs to from now on."""
        self._groups_of = groups_of
        self.by_group = {}
        for symbol, amount in self.by_symbol.items():
            self._count_in_groups(symbol, currency_of(symbol), amount)

    def take(
        self, order: Order, currency: str, amount: Decimal, units: Decimal | None = None
    ) -> None:
        """Count an order as `amount` of a currency.

        `units` is the quantity of it, times the multiplier, where the instrument leans on another.
        """
        key = (order.account, order.client_order_id)
        self._counted[key] = (currency, amount)
        if units is not None:
            self._leaning.setdefault(order.symbol, {})[key] = (units, amount)
        self._count(order, currency, amount)
        if key in self._contained:
            kept = self._contained[key] = min(self._contained[key], amount)
            _add(self.contained_in, (order.account, currency), kept)

    def release(self, order: Order) -> None:
        """Take off exactly what was counted, whatever is known of the instrument by now."""
        key = (order.account, order.client_order_id)
        currency, amount = self._counted.pop(key)
        if self._leaning and (orders := self._leaning.get(order.symbol)) is not None:
            orders.pop(key, None)
            if not orders:
                del self._leaning[order.symbol]
        self._count(order, currency, -amount)
        if key in self._contained:
            _add(self.contained_in, (order.account, currency), -self._contained[key])

    def contain(self, account: str, orders: Iterable[Order]) -> None:
        """The venue of an account has told a number in which these entries count already, where it
        nets what its orders may cost (X-79)."""
        self._contained = {key: kept for key, kept in self._contained.items() if key[0] != account}
        for place in [place for place in self.contained_in if place[0] == account]:
            del self.contained_in[place]
        for order in orders:
            key = (account, order.client_order_id)
            if key in self._counted:
                currency, amount = self._counted[key]
                self._contained[key] = amount
                _add(self.contained_in, (account, currency), amount)

    def of(self, order: Order) -> dict[str, Decimal]:
        """What an order is counted as, by currency; empty where it is not."""
        counted = self._counted.get((order.account, order.client_order_id))
        return {} if counted is None else {counted[0]: counted[1]}

    @property
    def leaning(self) -> Collection[str]:
        """Symbols of entries whose exposure leans on the price of another instrument."""
        return self._leaning

    def leaning_in(
        self, symbol: str, order: Order | None = None
    ) -> Iterable[tuple[Decimal, Decimal]]:
        """Of each entry in what leans on another instrument, or of one `order`: its quantity times
        the multiplier, and what it is counted as."""
        orders = self._leaning.get(symbol, {})
        if order is None:
            return orders.values()
        found = orders.get((order.account, order.client_order_id))
        return () if found is None else (found,)

    def _count(self, order: Order, currency: str, amount: Decimal) -> None:
        _add(self.by_symbol, order.symbol, amount)
        _add(self.by_currency, currency, amount)
        _add(self.by_account, (order.account, currency), amount)
        self._count_in_groups(order.symbol, currency, amount)

    def _count_in_groups(self, symbol: str, currency: str, amount: Decimal) -> None:
        for group in self._groups_of(symbol):
            _add(self.by_group, (group, currency), amount)


def _add(sums: dict[K, Decimal], key: K, amount: Decimal) -> None:
    total = sums.get(key, ZERO) + amount
    if total:
        sums[key] = total
    else:
        sums.pop(key, None)
