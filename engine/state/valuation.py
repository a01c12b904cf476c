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
    unproved: Decimal
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
        self.unproved: dict[str, Decimal] = {}
        """By currency, what of the market value rests on prices without evidence (X-71)."""
        self.leaps: dict[tuple[str, str], tuple[str, Decimal]] = {}
        """By holding whose price is taken for a bad tick, its currency and what of its value rests
        on that."""
        self._missing: set[tuple[str, str]] = set()
        """Holdings of which looks do not find a part, and whose price has moved since."""
        self.gross: dict[str, Decimal] = {}
        """By currency, long and short added."""
        self.gross_in: dict[tuple[str, str], Decimal] = {}
        """The same by group and currency."""

    def missing_in(self, account: str) -> set[str]:
        """The symbols of an account of which a part counts as if its price had not moved."""
        return {symbol for name, symbol in self._missing if name == account}

    def update(  # noqa: PLR0917  # one holding and what it is valued by
        self,
        account: str,
        symbol: str,
        position: Position | None,
        mark: Decimal | None,
        currency: str,
        proved: Decimal | None = None,
        *,
        leaps: bool = False,
        missing: Decimal = ZERO,
    ) -> None:
        """Put one holding's share of the totals right; without a mark it counts at cost.

        `proved` is the price that has evidence, None where every mark is believed; `leaps`: the
        mark is so far from it that it is taken for a bad tick. `missing`: what of the value at the
        proved price is gained, or lost, by a part that looks do not find.
        """
        place = (account, symbol)
        if missing:
            self._missing.add(place)
        else:
            self._missing.discard(place)
        old = self._parts.pop(place, None)
        self.leaps.pop(place, None)
        if old is not None and (position is None or old.currency != currency):
            self._add(
                old.groups,
                old.currency,
                -old.value,
                -old.unrealized,
                -abs(old.value),
                -old.unproved,
            )
            old = None
        if position is None:
            return
        value = position.cost if mark is None else position.market_value(mark)
        unrealized = value - position.cost
        unproved = ZERO
        if proved is not None and mark is not None and proved != mark:
            unproved = value - position.market_value(proved)
            if leaps:
                self.leaps[place] = (currency, unproved)
        unproved += missing
        before = old or ValuedPart(currency, ZERO, ZERO, ZERO, tuple(self._groups_of(symbol)))
        self._parts[place] = ValuedPart(currency, value, unrealized, unproved, before.groups)
        # One sum of differences: every price of what is held comes through here.
        self._add(
            before.groups,
            currency,
            value - before.value,
            unrealized - before.unrealized,
            abs(value) - abs(before.value),
            unproved - before.unproved,
        )

    def _add(  # noqa: PLR0917  # the sums of one holding, each in its place
        self,
        groups: tuple[str, ...],
        currency: str,
        value: Decimal,
        unrealized: Decimal,
        gross: Decimal,
        unproved: Decimal,
    ) -> None:
        self.market_value[currency] = self.market_value.get(currency, ZERO) + value
        self.unrealized[currency] = self.unrealized.get(currency, ZERO) + unrealized
        self.gross[currency] = self.gross.get(currency, ZERO) + gross
        if unproved:
            self.unproved[currency] = self.unproved.get(currency, ZERO) + unproved
        for group in groups:
            key = (group, currency)
            self.gross_in[key] = self.gross_in.get(key, ZERO) + gross
