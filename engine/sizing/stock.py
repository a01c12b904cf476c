"""Size of a position in shares, coins or units of a currency (A-100..A-106, X-07, X-70)."""

from decimal import Decimal
from typing import Final, Literal

import msgspec

from engine.domain.money import ONE, ZERO, floor_to, is_positive

FULL_CONVICTION: Final = 75
"""From here on a signal gets its whole size and a market order (A-103, A-120)."""

MIN_CONVICTION: Final = 50
"""Below it nothing is traded (A-090)."""

HALF: Final = Decimal("0.5")

MIN_DISTANCE: Final = Decimal("0.001")
"""A stop closer than this fraction of the entry counts as `FLOOR_DISTANCE` away (A-101)."""

FLOOR_DISTANCE: Final = Decimal("0.02")

ConvictionMode = Literal["seed", "scaled_cap"]


class Bound(msgspec.Struct, frozen=True):
    """One upper bound of the quantity that was considered."""

    name: str
    quantity: Decimal


class SizedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """A quantity on the lot's grid, every bound that was considered, and the one that bound."""

    quantity: Decimal
    bounds: tuple[Bound, ...]
    binding: str
    """Name of the bound that decided; empty when there was none and the size is zero."""
    risk_amount: Decimal | None
    """Money lost at the stop that the limit allows; None where the profile has no such limit."""
    stop_distance: Decimal
    """Fraction of the entry price, after the floor rule."""
    conviction_multiplier: Decimal
    floored: bool
    """True when the stop was so close that the floor rule stood in for it."""


def conviction_multiplier(conviction: int) -> Decimal:
    """1 from 75 on, 0.5 from 50 on, else 0 (A-103, A-090, D-61)."""
    if conviction >= FULL_CONVICTION:
        return ONE
    return HALF if conviction >= MIN_CONVICTION else ZERO


def stop_distance(entry: Decimal, stop: Decimal) -> tuple[Decimal, bool]:
    """|entry - stop| / entry, or the floor in its place and True (A-101)."""
    distance = abs(entry - stop) / entry
    if distance < MIN_DISTANCE:
        return FLOOR_DISTANCE, True
    return distance, False


def size(
    *,
    equity: Decimal,
    entry: Decimal,
    stop: Decimal,
    conviction: int,
    risk_per_trade: Decimal | None,
    single_name: Decimal | None,
    lot: Decimal = ONE,
    multiplier: Decimal = ONE,
    mode: ConvictionMode = "seed",
    market: Decimal | None = None,
    exposed_at: Decimal | None = None,
) -> SizedOrder:
    """The quantity for one entry; zero when nothing may be bought (A-104: never forced to one).

    raw = equity x risk / (entry x stop distance), cap = floor(single name x equity / entry);
    `seed` takes min(raw x multiplier, cap), `scaled_cap` min(raw, cap) x multiplier (X-07).
    `market` adds the risk at the market's price where that is farther from the stop than `entry`
    (A-108: a further bound). The cap counts a unit at `exposed_at`, by default at `entry` (A-084).
    A limit that is None is off. Without any bound the size is zero.
    """
    factor = conviction_multiplier(conviction)
    distance, floored = stop_distance(entry, stop)
    before_cap = factor if mode == "seed" else ONE
    bounds: list[Bound] = []
    risk_amount = None
    if risk_per_trade is not None:
        risk_amount = equity * risk_per_trade
        raw = risk_amount / (entry * distance * multiplier)
        bounds.append(Bound("risk_per_trade", raw * before_cap))
        if market is not None and abs(market - stop) > abs(entry - stop):
            farther = market * stop_distance(market, stop)[0]
            at_market = risk_amount / (farther * multiplier)
            bounds.append(Bound("risk_at_market", at_market * before_cap))
    if single_name is not None:
        counted = entry if exposed_at is None else exposed_at
        cap = floor_to(single_name * equity / (counted * multiplier), lot)
        bounds.append(Bound("single_name", cap))
    if mode == "scaled_cap":
        bounds = [Bound(bound.name, bound.quantity * factor) for bound in bounds]
    least = min(bounds, key=lambda bound: bound.quantity, default=Bound("", ZERO))
    quantity = floor_to(least.quantity, lot) if is_positive(least.quantity) else ZERO
    return SizedOrder(
        quantity=quantity,
        bounds=tuple(bounds),
        binding=least.name,
        risk_amount=risk_amount,
        stop_distance=distance,
        conviction_multiplier=factor,
        floored=floored,
    )
