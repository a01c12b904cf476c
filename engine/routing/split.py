"""A quantity in slices that add up to it, always (A-470, D-37)."""

from collections.abc import Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Final

from engine.domain.money import ZERO

_DIGITS: Final = 200
"""More than any sum of quantities has: every one of them is exact."""


def split(
    quantity: Decimal, weights: Sequence[Decimal], *, lot: Decimal, least: Decimal
) -> tuple[Decimal, ...]:
    """How much of a quantity each weight gets, in their order; 0 is nothing. The sum is `quantity`.

    Whole lots are given by the largest remainder: each weight gets the whole part of its share, and
    what is left goes, a lot each, to those that were cut most. What is no whole lot goes to the
    largest slice. While a slice is smaller than `least` the smallest one gets nothing and the
    others share it, down to one, which gets all. Of equal slices that of the greater weight is the
    larger, then the first. Weights are 0 or more; where all are 0 they count the same. Raises
    ValueError without a weight, and for a quantity or a lot that is not above 0.
    """
    if not weights or quantity <= 0 or lot <= 0 or min(weights) < 0:
        raise ValueError(
            f"{quantity} in lots of {lot} cannot be split by the weights "
            f"{', '.join(map(str, weights)) or '(none)'}"
        )
    kept = [place for place, weight in enumerate(weights) if weight > 0] or [*range(len(weights))]
    with localcontext(prec=_DIGITS):
        lots = int(quantity // lot)
        odd = quantity - lots * lot
        while True:
            shares = largest_remainder(lots, [weights[place] for place in kept])
            slices = [share * lot for share in shares]
            ranks = [(part, weights[at], -at) for part, at in zip(slices, kept, strict=True)]
            slices[ranks.index(max(ranks))] += odd
            if len(kept) == 1 or min(slices) >= max(least, lot):
                break
            del kept[ranks.index(min(ranks))]
        found = [ZERO] * len(weights)
        for place, part in zip(kept, slices, strict=True):
            found[place] = part
        if sum(found, start=ZERO) != quantity:
            raise ArithmeticError(f"the slices of {quantity} are {', '.join(map(str, found))}")
    return tuple(found)


def largest_remainder(units: int, weights: Sequence[Decimal]) -> list[int]:
    """So many units shared out by weight (Hamilton's method); of equal remainders the first gets
    the unit. Where all weights are 0 they count the same."""
    parts = [Fraction(weight) for weight in weights]
    if not any(parts):
        parts = [Fraction(1)] * len(parts)
    whole = sum(parts)
    exact = [units * part / whole for part in parts]
    shares = [int(share) for share in exact]
    cut = sorted(range(len(parts)), key=lambda i: (shares[i] - exact[i], i))
    for place in cut[: units - sum(shares)]:
        shares[place] += 1
    return shares
