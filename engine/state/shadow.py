"""What mode shadow has measured so far: sums over the fills of the paper venue."""

from decimal import Decimal

import msgspec

from engine.domain.money import ZERO


class ShadowTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Rates are added up fill by fill, each counted alike; money is added up by currency."""

    fills: int = 0
    measured: int = 0
    """Those whose quote is known: the others are in `fills` alone."""
    slippage: Decimal = ZERO
    """The sum of their rates."""
    drifted: int = 0
    """Those of which the quote at the decision is known too."""
    drift: Decimal = ZERO
    cost: dict[str, Decimal] = {}
