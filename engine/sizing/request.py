"""What sizing works out for each kind of request; the row SIZE_ZERO of the gate judges it."""

import msgspec

from engine.sizing.stock import SizedOrder
from engine.state.position import Position


class Closable(msgspec.Struct, frozen=True, kw_only=True):
    """What a flat signal may close (X-87)."""

    managed: tuple[Position, ...]
    """What signals opened of the symbol, in any account."""
    held: tuple[Position, ...]
    """All that is held of it."""


class Unmeasured(msgspec.Struct, frozen=True):
    """A number that sizing leans on is not known, or is none (U-53)."""


Sizing = SizedOrder | Closable | Unmeasured
"""A signal's size, what a flat signal closes, or that nobody can say."""
