"""What the paper venue charges, how slow it is, and the words it refuses with (C-150)."""

from decimal import Decimal
from enum import Enum, StrEnum, auto

import msgspec

from engine.domain.money import ONE

BPS = Decimal("1e-4")
"""One basis point as a fraction of 1."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions of a paper account; the defaults are those of `[brokers.paper]`."""

    initial_cash: Decimal = Decimal(100_000)
    """In `currency`."""
    currency: str = "USD"
    """The account's own: equity and buying power are counted in it."""
    latency_ms: tuple[float, float] = (10, 50)
    """Round trip of an order, from and to; each leg takes half of a draw of its own."""
    slippage_bps: Decimal = Decimal(5)
    commission_bps: Decimal = Decimal(10)
    commission_currency: str = ""
    """The coin that commissions are taken in while enough of it is held, as Binance takes BNB; else
    they are paid in the currency of what was traded. Empty is no coin."""
    fill_probability: Decimal = Decimal("0.95")
    participation: Decimal = Decimal("0.10")
    short_margin: Decimal = Decimal("1.5")
    """Share of a short's value that must be held in cash, its proceeds included (C-157)."""

    @property
    def slippage(self) -> Decimal:
        """As a fraction of the price."""
        return self.slippage_bps * BPS

    @property
    def commission(self) -> Decimal:
        """As a fraction of the traded amount."""
        return self.commission_bps * BPS

    def long_cost(self, amount: Decimal) -> Decimal:
        """Cash that a purchase of this amount takes."""
        return amount * (ONE + self.commission)

    def short_cost(self, amount: Decimal) -> Decimal:
        """Free cash that a short of this amount binds beyond its own proceeds."""
        return amount * (self.short_margin - ONE + self.commission)


class Arrival(Enum):
    """Which price an order may meet when it arrives, besides every price that comes later."""

    NEXT_PRICE = auto()
    """None: a bar's price is past, so an order never meets the bar that caused it (X-68)."""
    STANDING_QUOTE = auto()
    """The newest price this process has seen: a quoted market stands until it moves."""
    LAST_KNOWN = auto()
    """Any price in the book, however old: the engine is dead and somebody must get flat."""


class Refusal(StrEnum):
    """Stable codes of what the venue refuses or ends; U-31's word where it has one."""

    NO_PRICE = "NO_PRICE"
    NOT_SHORTABLE = "NOT_SHORTABLE"
    BUYING_POWER = "BUYING_POWER"
    BAD_TICK = "BAD_TICK"
    BAD_LOT = "BAD_LOT"
    MIN_NOTIONAL = "MIN_NOTIONAL"
    INVALID_ORDER = "INVALID_ORDER"
    MARKET_CLOSED = "MARKET_CLOSED"
    CURRENCY = "CURRENCY"
    """No price tells what the currency is worth in that of the account."""
    NO_CONTRACT = "NO_CONTRACT"
    DUPLICATE_ID = "DUPLICATE_ID"
    REDUCE_ONLY = "REDUCE_ONLY"
    NOT_FILLED_AT_ONCE = "NOT_FILLED_AT_ONCE"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    ORDER_CLOSED = "ORDER_CLOSED"
