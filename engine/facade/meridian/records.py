"""Meridian's records (M-11 to M-13). Prices and money are Decimals, in the account's currency."""

from decimal import Decimal

import msgspec

from engine.facade.bridge import Number


class Order(msgspec.Struct, kw_only=False):
    """An order as its caller writes it (M-11); `time_in_force` is gtc unless it says otherwise."""

    symbol: str
    qty: Number
    side: str
    order_type: str = "market"
    limit_price: Number | None = None
    stop_price: Number | None = None
    time_in_force: str = "gtc"


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of a symbol (M-12)."""

    symbol: str
    qty: Decimal
    """Signed: below 0 it is short."""
    avg_entry_price: Decimal
    current_price: Decimal | None
    """None where no price is known."""
    market_value: Decimal
    unrealized_pnl: Decimal | None
    """None where no price is known."""


class AccountInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What an account is worth (M-13); NaN where the engine does not know it."""

    equity: Decimal
    cash: Decimal
    buying_power: Decimal
    portfolio_value: Decimal
