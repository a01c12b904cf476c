"""What an account came to, said twice: by the venue's own books, and by the engine's journal."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple, Self

ZERO = Decimal(0)


class Trade(NamedTuple):
    """One execution, without the name that either side has for it."""

    order: str
    """The client order id."""
    symbol: str
    """Ours."""
    signed: Decimal
    price: Decimal
    fee: Decimal
    asset: str
    """What the fee was taken in; "" where there was none."""

    @classmethod
    def of(
        cls, order: str, symbol: str, signed: Decimal, price: Decimal, fee: tuple[Decimal, str]
    ) -> Self:
        """A trade whose equals are equal: a `fee` of nothing was taken in nothing."""
        amount, asset = fee
        return cls(order, symbol, signed, price, amount, asset if amount else "")


class Resting(NamedTuple):
    """An order that works."""

    order: str
    symbol: str
    left: Decimal
    limit: Decimal | None
    stop: Decimal | None


@dataclass(frozen=True)
class Books:
    """How an account stands."""

    trades: Counter[Trade]
    positions: Mapping[str, Decimal]
    cash: Mapping[str, Decimal]
    """By currency, nothing left out but what is nought."""
    working: frozenset[Resting]


def held(quantities: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """What is there of each, added up; what is nought is not there."""
    total: dict[str, Decimal] = {}
    for name, quantity in quantities:
        total[name] = total.get(name, ZERO) + quantity
    return {name: quantity for name, quantity in total.items() if quantity}
