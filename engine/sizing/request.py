"""What sizing works out for each kind of request; the row SIZE_ZERO of the gate judges it."""

from decimal import Decimal

import msgspec

from engine.sizing.stock import SizedOrder
from engine.state.position import Position


class Closable(msgspec.Struct, frozen=True, kw_only=True):
    """What a flat signal may close (X-87)."""

    managed: tuple[Position, ...]
    """What signals opened of the symbol, in any account."""
    held: tuple[Position, ...]
    """All that is held of it."""


class Risked(msgspec.Struct, frozen=True, kw_only=True):
    """What a changed order would lose between its entry and its stop (A-104, X-88)."""

    quantity: Decimal
    entry: Decimal
    stop: Decimal
    amount: Decimal
    """What is lost at the stop, in the instrument's currency."""
    room: Decimal
    """What one trade may lose, in the instrument's currency; NaN without a rate (U-53)."""
    most: Decimal
    """The largest quantity that loses no more."""


class Unmeasured(msgspec.Struct, frozen=True):
    """A number that sizing leans on is not known, or is none (U-53)."""


Sizing = SizedOrder | Closable | Risked | Unmeasured
"""A signal's size, what a flat signal closes, what a change risks, or that nobody can say."""
