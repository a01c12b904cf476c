"""What an order costs or adds to exposure, and how much of it a limit has room for (U-51)."""

from decimal import Decimal

import msgspec

from engine.domain.money import ZERO, floor_to


class Added(msgspec.Struct, frozen=True, kw_only=True):
    """What one order can still add: to what is paid, each unit at the dearest price it may come to;
    or to exposure, each unit at what it counts as then."""

    leaves: Decimal
    """How much of it can still fill."""
    filled: Decimal
    """How much has filled already, where a working order is changed."""
    unit_value: Decimal
    """What one unit adds at worst, in the base currency; NaN where that is not known."""
    freed: Decimal
    """What the order counts as until it is changed, in the base currency."""
    lot: Decimal

    @property
    def value(self) -> Decimal:
        """What it adds at worst beyond what it counts as already, in the base currency."""
        return self.leaves * self.unit_value - self.freed

    @property
    def notional(self) -> Decimal:
        """What all of it is worth at worst, the filled part included, in the base currency."""
        return (self.leaves + self.filled) * self.unit_value

    def affordable(self, room: Decimal, unit: Decimal) -> Decimal:
        """The largest quantity on the lot's grid that costs at most `room`, zero if none does."""
        if room <= 0 or unit <= 0:
            return ZERO
        fitting = floor_to(room / unit, self.lot)
        # A quotient is cut at 28 digits and may have been rounded up to the next lot.
        return fitting - self.lot if fitting * unit > room else fitting


class AddedRisk(msgspec.Struct, frozen=True, kw_only=True):
    """What one order can still add to the open risk of its position, in the base currency (X-82).

    The risk is what is lost at `stop` from the price that is paid; a stop that locks a profit in
    makes room by that.
    """

    adds: Added
    before: Decimal
    """The open risk at that stop of what is held and works already."""
    limit: Decimal
    """What one position may risk."""
    stop: Decimal
    of_entry: bool
    """A working entry alone brings that stop: neither what is held nor the order has one."""

    @property
    def room(self) -> Decimal:
        """What the order may risk: what the position leaves of the limit, and never less than it
        risks already until it is changed."""
        return max(self.limit - self.before, self.adds.freed)

    @property
    def total(self) -> Decimal:
        """The open risk once the order has filled."""
        return max(self.before + self.adds.leaves * self.adds.unit_value, ZERO)
