"""How much more may be held: after this trade, working orders included, at worst prices.

(A-084, A-085, A-088, X-19, U-51; D-06, D-08.) Equal to a limit is allowed; more is resized to fit.
"""

from decimal import Decimal

from engine.domain.money import ONE, plain
from engine.risk.finding import Finding, fitting, fraction, refused
from engine.sizing.added import Added


def _share(
    exposes: Added, *, held: Decimal, unmeasured: str, equity: Decimal, limit: Decimal, what: str
) -> Finding:
    """`held` and this order together are at most `limit` of equity.

    `unmeasured` says why nobody can tell what is held; empty where it can be told.
    """
    if unmeasured:
        return refused("unknown", limit, unmeasured)
    measured = fraction(held + exposes.value, equity, up=True)
    return fitting(
        exposes,
        room=limit * equity - held + exposes.freed,
        unit=exposes.unit_value,
        measured=measured,
        limit=limit,
        reason=lambda: f"{what} would be {plain(measured)} of equity; {plain(limit)} is allowed.",
    )


def single_name(
    exposes: Added,
    name_exposure: Decimal,
    unmeasured_name: str,
    equity: Decimal,
    name: str,
    limit: Decimal,
) -> Finding:
    """SINGLE_EXPOSURE: one name, which is a stock with its options, or a root with its futures."""
    return _share(
        exposes,
        held=name_exposure,
        unmeasured=unmeasured_name,
        equity=equity,
        limit=limit,
        what=name,
    )


def sector_share(
    exposes: Added,
    sector: str,
    sector_exposure: Decimal,
    unmeasured_sector: str,
    equity: Decimal,
    limit: Decimal,
) -> Finding:
    """SECTOR_EXPOSURE: one sector; symbols without a sector share the sector UNKNOWN (A-085)."""
    return _share(
        exposes,
        held=sector_exposure,
        unmeasured=unmeasured_sector,
        equity=equity,
        limit=limit,
        what=f"Sector {sector}",
    )


def gross(
    exposes: Added, gross_exposure: Decimal, unmeasured: str, equity: Decimal, limit: Decimal
) -> Finding:
    """GROSS_EXPOSURE: everything, long and short added."""
    return _share(
        exposes,
        held=gross_exposure,
        unmeasured=unmeasured,
        equity=equity,
        limit=limit,
        what="Gross exposure",
    )


def affordable(adds: Added, buying_power: Decimal, fee_rate: Decimal) -> Finding:
    """BUYING_POWER: the sized order at its worst price with its fee (A-088)."""
    unit = adds.unit_value * (ONE + fee_rate)
    needed = adds.leaves * unit
    return fitting(
        adds,
        room=buying_power,
        unit=unit,
        measured=needed,
        limit=buying_power,
        reason=lambda: (
            f"The order may cost {plain(needed)}; buying power is {plain(buying_power)}."
        ),
    )
