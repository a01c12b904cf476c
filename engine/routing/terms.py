"""What a decision between venues is asked of: the order, the best prices, and the rules of it."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from engine.domain.instant import Nanos
from engine.domain.money import ONE, ZERO, is_positive
from engine.domain.order import HAVE_LIMIT, OrderType, Side


class Strategy(StrEnum):
    """What a route is to be best at (A-461)."""

    BEST_PRICE = "best_price"
    LOWEST_COST = "lowest_cost"
    FASTEST_FILL = "fastest_fill"
    LOWEST_IMPACT = "lowest_impact"
    SMART = "smart"


class Priority(StrEnum):
    """How an order meets the market (A-461)."""

    AGGRESSIVE = "aggressive"
    """It trades at once with what waits at the best price of the other side."""
    NEUTRAL = "neutral"
    """It waits, at a price better than the best of its own side."""
    PASSIVE = "passive"
    """It waits at the best price of its own side, or behind it."""


class Nbbo(msgspec.Struct, frozen=True, kw_only=True):
    """The best bid and offer over all venues, or those of one venue; `time` is their venue's."""

    bid: Decimal
    ask: Decimal
    time: Nanos = 0

    @property
    def is_usable(self) -> bool:
        """Whether both are prices and the market is not crossed: no bid above the offer."""
        return is_positive(self.bid) and is_positive(self.ask) and self.bid <= self.ask

    @property
    def mid(self) -> Decimal:
        """The price in the middle."""
        return (self.bid + self.ask) / 2

    def far(self, side: Side) -> Decimal:
        """The best price of the other side: what an order of this side trades at if at once."""
        return self.ask if side.sign > 0 else self.bid


class RoutedOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What of an order matters for where it goes; quantities are in units of the instrument."""

    order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    reference: Decimal
    """The price that costs are counted at, in the currency of the instrument."""
    lot: Decimal = ONE
    average_daily_volume: Decimal | None = None
    """Units a day; None where it is not known: size is then not counted."""

    @property
    def participation(self) -> Decimal:
        """The order's part of a day's volume, 0 where that is not known."""
        volume = self.average_daily_volume
        return ZERO if volume is None else self.quantity / volume

    @property
    def fault(self) -> str:
        """Which number of it can be none, in words; "" where all can (DESIGN rule 4)."""
        numbers: list[tuple[str, Decimal | None]] = [
            ("quantity", self.quantity),
            ("reference", self.reference),
            ("lot", self.lot),
        ]
        if self.type in HAVE_LIMIT:
            numbers.append(("limit_price", self.limit_price))
        if self.average_daily_volume is not None:
            numbers.append(("average_daily_volume", self.average_daily_volume))
        for name, number in numbers:
            if not is_positive(number):
                return f"{name} is {number}; a number above 0 is allowed"
        return ""


class RoutingRules(msgspec.Struct, frozen=True, kw_only=True):
    """The limits and coefficients of a decision between venues (A-465, A-468, A-469)."""

    max_venues: int = 5
    max_slices: int = 10
    min_slice: Decimal = Decimal(100)
    """No slice is smaller, in units, but for an order that is itself smaller."""
    dark_share: Decimal = Decimal("0.30")
    """The part of an order that goes to venues that do not show their orders."""
    nbbo_check: bool = True
    """Without a best bid and offer nothing is compared: the order goes to its broker as it is."""
    trade_through_prevention: bool = True
    """A venue whose own price is worse than the best one gets nothing of an order that would trade
    there at once."""
    spread: Decimal = Decimal("0.0002")
    """The assumed spread, as a fraction of the price: half of it is paid."""
    impact: Decimal = Decimal("0.1")
    """Times the square root of the part of a day's volume: the fraction of the notional that the
    order itself moves the price by. 0.1 is 100 bps at 1 % of a day's volume."""
    unfilled: Decimal = Decimal("0.0002")
    """What a part that does not fill costs, as a fraction of its notional."""
