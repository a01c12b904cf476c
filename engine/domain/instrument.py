"""What can be traded: ticks, lots and calendars of a symbol (U-10)."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from engine.domain.money import ONE


class AssetClass(StrEnum):
    """The kinds of instrument; the first three are told from the symbol (INTERFACE Instruments)."""

    STOCK = "stock"
    CRYPTO = "crypto"
    FX = "fx"
    ETF = "etf"
    OPTION = "option"
    FUTURE = "future"


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable symbol. `tick` and `lot` are the grids of its price and quantity."""

    symbol: str
    asset_class: AssetClass
    tick: Decimal
    lot: Decimal
    multiplier: Decimal = ONE
    currency: str = "USD"
    calendar: str
    shortable: bool = True
    min_notional: Decimal = Decimal(0)


def class_of(symbol: str) -> AssetClass:
    """`A-B` is crypto, `A_B` is FX, anything else a US stock."""
    if "-" in symbol:
        return AssetClass.CRYPTO
    if "_" in symbol:
        return AssetClass.FX
    return AssetClass.STOCK


def default_instrument(symbol: str, calendar: str = "") -> Instrument:
    """The instrument a symbol stands for when no table says otherwise.

    Crypto spot cannot be sold short (C-157). `calendar` overrides that of the class; the simulated
    market has one of its own.
    """
    kind = class_of(symbol)
    match kind:
        case AssetClass.CRYPTO:
            return Instrument(
                symbol=symbol,
                asset_class=kind,
                tick=Decimal("0.01"),
                lot=Decimal("0.00000001"),
                currency=symbol.rpartition("-")[2],
                calendar=calendar or "24/7",
                shortable=False,
            )
        case AssetClass.FX:
            return Instrument(
                symbol=symbol,
                asset_class=kind,
                tick=Decimal("0.00001"),
                lot=ONE,
                currency=symbol.rpartition("_")[2],
                calendar=calendar or "FX",
            )
        case _:
            return Instrument(
                symbol=symbol,
                asset_class=kind,
                tick=Decimal("0.01"),
                lot=ONE,
                calendar=calendar or "XNYS",
            )
