"""Our ids and Alpaca's symbols: shares alike, coins with a slash, options in the OCC's way.

| ours | Alpaca's |
|---|---|
| `AAPL`, `BRK.B` | `AAPL`, `BRK.B` |
| `BTC-USD` | `BTC/USD` in orders, `BTCUSD` in positions |
| `AAPL 2026-12-18 200 C` | `AAPL261218C00200000` |
"""

import re
from decimal import Decimal
from typing import Final

from engine.domain.instrument import AssetClass, parse
from engine.domain.instruments.kind import InstrumentError
from engine.domain.instruments.option import OptionContract, OptionRight
from engine.domain.instruments.pair import Pair
from engine.domain.money import plain
from engine.ports import Rejected

_OCC: Final = re.compile(r"([A-Z0-9.]{1,6})(\d\d)(\d\d)(\d\d)([CP])(\d{8})", re.ASCII)
_THOUSANDTH: Final = Decimal("0.001")

_QUOTES: Final = ("USDT", "USDC", "USD", "BTC", "EUR")
"""What coins are paid in at Alpaca, the longer first."""

_SHORTEST_PAIR: Final = 6
"""No share has so many letters without a dot: a shorter word is none of `BTCUSD`."""

_NOT_HERE: Final = "Alpaca trades shares, options and coins"


def kind_of(symbol: str) -> AssetClass:
    """What an id of ours is at Alpaca. Raises Rejected for what is not traded there."""
    try:
        kind, _ = parse(symbol)
    except InstrumentError as error:
        raise Rejected("SYMBOL", f"{error}") from error
    if kind in {AssetClass.STOCK, AssetClass.CRYPTO, AssetClass.OPTION}:
        return kind
    raise Rejected("SYMBOL", f"{symbol} is {kind.kind.noun}: {_NOT_HERE}")


def to_venue(symbol: str) -> str:
    """Alpaca's symbol for an id of ours. Raises Rejected for what is not traded there."""
    kind_of(symbol)
    contract = parse(symbol)[1]
    if isinstance(contract, Pair):
        return f"{contract.base}/{contract.quote}"
    if isinstance(contract, OptionContract):
        day, letter = contract.expiry, "C" if contract.right is OptionRight.CALL else "P"
        strike = contract.strike / _THOUSANDTH
        if (
            strike != strike.to_integral_value()
            or strike >= 10**8
            or not 1 <= len(contract.underlying) <= 6
        ):
            raise Rejected("SYMBOL", f"{symbol} cannot be written as an OCC symbol")
        return f"{contract.underlying}{day:%y%m%d}{letter}{int(strike):08d}"
    return symbol


def asset_path(symbol: str) -> str:
    """What Alpaca's list of assets calls an id of ours: a pair with the dollar as positions do."""
    there = to_venue(symbol)
    return there.replace("/", "") if there.endswith("/USD") else there


def from_venue(symbol: str, asset_class: str = "") -> str:
    """Our id for a symbol of Alpaca's; what has none of its shapes is told as it is.

    `asset_class` is Alpaca's word where it says one: lists of executions do not.
    """
    if "/" in symbol:
        return symbol.replace("/", "-")
    found = _OCC.fullmatch(symbol)
    if found is not None:
        root, year, month, day, right, strike = found.groups()
        price = plain((Decimal(strike) * _THOUSANDTH).normalize())
        return f"{root} 20{year}-{month}-{day} {price} {right}"
    is_coin = asset_class == "crypto" or (not asset_class and len(symbol) >= _SHORTEST_PAIR)
    if is_coin and symbol.isalnum():
        for quote in _QUOTES:
            if symbol.endswith(quote) and len(symbol) > len(quote):
                return f"{symbol.removesuffix(quote)}-{quote}"
    return symbol
