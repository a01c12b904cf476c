"""Running totals of what is held, at the newest marks."""

from collections.abc import Callable
from decimal import Decimal

from engine.state.position import Position


class Valuation:
    """Running totals of what is held, at the newest marks; one symbol's change costs the same
    however many are held."""

    def __init__(self, group_of: Callable[[str], str]) -> None:
        self._group_of = group_of
        self.gross_in: dict[str, Decimal] = {}
        """Gross value by group (sector)."""
        self._parts: dict[str, tuple[Decimal, Decimal]] = {}
        self.market_value = Decimal(0)
        self.unrealized = Decimal(0)
        self.gross = Decimal(0)

    def update(self, symbol: str, position: Position | None, mark: Decimal | None) -> None:
        """Put one symbol's share of the totals right; without a mark it counts at cost."""
        old = self._parts.pop(symbol, None)
        if old is not None:
            self.market_value -= old[0]
            self.unrealized -= old[1]
            self._count(symbol, -abs(old[0]))
        if position is None:
            return
        value = position.cost if mark is None else position.market_value(mark)
        self._parts[symbol] = (value, value - position.cost)
        self.market_value += value
        self.unrealized += value - position.cost
        self._count(symbol, abs(value))

    def _count(self, symbol: str, gross: Decimal) -> None:
        self.gross += gross
        group = self._group_of(symbol)
        self.gross_in[group] = self.gross_in.get(group, Decimal(0)) + gross

    def value_of(self, symbol: str) -> Decimal:
        """Signed value of one symbol as last updated."""
        part = self._parts.get(symbol)
        return part[0] if part is not None else Decimal(0)
