"""Pairs: a price of one asset in another, as of a coin or of a currency (U-10)."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Final

from engine.domain.instruments.kind import GRID_SHARE, Contract, InstrumentError, Kind, Terms
from engine.domain.money import ONE


class Pair(Contract, frozen=True, kw_only=True, tag="pair"):
    """A price of one unit of `base` in `quote`."""

    base: str
    quote: str

    @property
    def paid_in(self) -> str:
        return self.quote


def _read(separator: str) -> Callable[[re.Match[str], str], Pair | None]:
    """Reads the last `separator` of an id as what stands between base and quote; None for an id
    that names only one of them."""

    def read(found: re.Match[str], symbol: str) -> Pair | None:
        base, _, quote = symbol.rpartition(separator)
        return Pair(base=base, quote=quote) if base and quote else None

    return read


def _make(separator: str, name: str) -> Callable[[str, Contract | None, Terms], Contract | None]:
    """What an id states; only the id can name the pair."""

    def make(symbol: str, told: Contract | None, terms: Terms) -> Contract | None:
        if told is None:
            raise InstrumentError(
                f"{symbol} names no pair of currencies: BASE{separator}QUOTE is allowed for {name}"
            )
        return told

    return make


CRYPTO: Final = Kind(
    noun="a crypto pair",
    plural="crypto pairs",
    shape=r"(?=[^ -]*-)[A-Za-z0-9][A-Za-z0-9._/-]{0,31}",
    tick=Decimal("0.01"),
    coarsest=GRID_SHARE,
    lot=Decimal("0.00000001"),
    calendar="24/7",
    # Crypto spot cannot be sold short (C-157).
    shortable=False,
    is_coin=True,
    contract=Pair,
    read=_read("-"),
    make=_make("-", "crypto"),
)

FX: Final = Kind(
    noun="an fx pair",
    plural="fx pairs",
    shape="(?=[^ _]*_)[A-Za-z0-9][A-Za-z0-9._/]{0,31}",
    tick=Decimal("0.00001"),
    coarsest=GRID_SHARE,
    lot=ONE,
    calendar="FX",
    contract=Pair,
    read=_read("_"),
    make=_make("_", "fx"),
)
