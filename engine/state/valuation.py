"""Running totals of what is held, at the newest marks, each in its own currency."""

from collections.abc import Callable, Iterable
from decimal import Decimal

import msgspec

from engine.domain.money import ZERO
from engine.state.position import Position


class ValuedPart(msgspec.Struct, frozen=True):
    """One holding's share of the totals."""

    currency: str
    value: Decimal
    unrealized: Decimal
    groups: tuple[str, ...]
    """Those it was counted in: a symbol's stay the same while it is held."""


class Valuation:
    """Totals over all accounts; one holding's change costs the same however many are held.

    `groups_of` names the groups of a symbol whose gross values are kept beside the total.
    """

    def __init__(self, groups_of: Callable[[str], Iterable[str]]) -> None:
        self._groups_of = groups_of
        self._parts: dict[tuple[str, str], ValuedPart] = {}
        self.market_value: dict[str, Decimal] = {}
        """By currency, signed."""
        self.unrealized: dict[str, Decimal] = {}
        """By currency, before commission."""
        self.gross: dict[str, Decimal] = {}
        """By currency, long and short added."""
        self.gross_in: dict[tuple[str, str], Decimal] = {}
        """The same by group and currency."""

    def update(
        self,
        account: str,
        symbol: str,
        position: Position | None,
        mark: Decimal | None,
        currency: str,
    ) -> None:
        """Put one holding's share of the totals right; without a mark it counts at cost."""
        place = (account, symbol)
        old = self._parts.pop(place, None)
        if old is not None and (position is None or old.currency != currency):
            self._add(old.groups, old.currency, -old.value, -old.unrealized, -abs(old.value))
            old = None
        if position is None:
            return
        value = position.cost if mark is None else position.market_value(mark)
        unrealized = value - position.cost
        before = old or ValuedPart(currency, ZERO, ZERO, tuple(self._groups_of(symbol)))
        self._parts[place] = ValuedPart(currency, value, unrealized, before.groups)
        # One sum of differences: every price of what is held comes through here.
        self._add(
            before.groups,
            currency,
            value - before.value,
            unrealized - before.unrealized,
            abs(value) - abs(before.value),
        )

    def _add(
        self,
        groups: tuple[str, ...],
        currency: str,
        value: Decimal,
        unrealized: Decimal,
        gross: Decimal,
    ) -> None:
        self.market_value[currency] = self.market_value.get(currency, ZERO) + value
        self.unrealized[currency] = self.unrealized.get(currency, ZERO) + unrealized
        self.gross[currency] = self.gross.get(currency, ZERO) + gross
        for group in groups:
            key = (group, currency)
            self.gross_in[key] = self.gross_in.get(key, ZERO) + gross
