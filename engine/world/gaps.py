"""Prices that jump across a gap, as a split makes them: whether one is suspected (X-93)."""

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from math import gcd
from typing import Final

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Quote
from engine.domain.money import ONE
from engine.domain.suspicion import CLOSE_TO

MOST_PARTS: Final = 20
"""The largest n and m of a ratio n:m."""

GAP_AFTER: Final = 60 * NS_PER_SECOND
"""A time without prices that is longer than this is a gap, as a halt of a symbol makes it; a symbol
that is merely quoted seldom has none. That of a bar is told for as long as the next is not due."""

JUMP: Final = Decimal("0.15")
"""A price that moved by no more than this fraction has not jumped: 6:5 and 5:6 are beyond it."""

LOOKED_AT: Final = 60 * NS_PER_SECOND
"""For so long after a gap prices are held against the one before it: the first may be no evidence,
as where only one side of the book is there yet."""

RATIOS: Final = sorted(
    (
        (n, m)
        for n in range(1, MOST_PARTS + 1)
        for m in range(1, MOST_PARTS + 1)
        if n != m and gcd(n, m) == 1
    ),
    key=lambda ratio: (sum(ratio), ratio),
)
"""Every n new for m old, the simplest first."""


class Gap(msgspec.Struct, frozen=True):
    """The last price before a time without any, and when prices came again."""

    before: Decimal
    seen: Nanos
    """When that price was."""
    ended: Nanos


def jumped(before: Decimal, after: Decimal) -> bool:
    """Whether a price moved further than an ordinary one does across a gap."""
    return abs(after - before) > JUMP * before


def apart(price: Decimal, other: Decimal) -> Decimal:
    """How many times the lower of two prices the higher one is: 1 where they are the same."""
    return max(price / other, other / price)


def ratios(before: Decimal, after: Decimal, close: Decimal = CLOSE_TO) -> list[tuple[int, int]]:
    """Every ratio n:m, n new for m old, that the move of a price is close to, the simplest first.

    A price that is 1/7 of what it was is that of 7 new for 1 old.
    """
    return [(n, m) for n, m in RATIOS if abs(after * n / (before * m) - ONE) <= close]


def split_between(
    before: Decimal, after: Decimal, quantity: Decimal, new: Decimal, close: Decimal = CLOSE_TO
) -> tuple[int, int] | None:
    """The ratio n:m of the split that makes of a `quantity` the `new` one, where a price went from
    `before` to `after`, that of the ratio but for the fraction `close`; None where none does.

    What is less than one may have been paid out, or rounded up.
    """
    if quantity * new <= 0 or quantity == new:
        return None
    for n, m in ratios(before, after, close):
        exact = abs(quantity) * n / m
        whole = exact.to_integral_value(ROUND_FLOOR), exact.to_integral_value(ROUND_CEILING)
        if abs(new) in whole or round(exact - abs(new), 8) == 0:
            return n, m
    return None


def split_of(quantity: Decimal, new: Decimal) -> tuple[int, int] | None:
    """The ratio n:m that makes of a `quantity` exactly the `new` one, where that is far from it;
    None where none does."""
    if not jumped(quantity, new):
        return None
    return next(((n, m) for n, m in RATIOS if quantity * n == new * m), None)


def suspected(gap: Gap, quote: Quote) -> tuple[int, int] | None:
    """The ratio of the split that a quote after a gap looks like; None where it looks like none.

    The far side of the quote has to confirm it: after a fall nobody offers at the old price any
    more, after a rise somebody bids far above it. The close of a bar has no sides, and is a trade.
    """
    before, last = gap.before, quote.last
    if not jumped(before, last):
        return None
    far = quote.ask if last < before else quote.bid
    one_price = quote.trade and not (quote.bid or quote.ask)
    if not one_price and not (far and jumped(before, far) and (far < before) is (last < before)):
        return None
    return next(iter(ratios(before, last)), None)
