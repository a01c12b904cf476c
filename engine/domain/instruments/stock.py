"""Stocks and funds: one share of something, whose id is a word (U-10)."""

from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.instruments.kind import GRID_SHARE, Kind
from engine.domain.money import ONE

STOCK: Final = Kind(
    noun="a stock",
    plural="stocks",
    shape="[A-Za-z0-9][A-Za-z0-9./]{0,31}",
    tick=Decimal("0.01"),
    coarsest=GRID_SHARE,
    lot=ONE,
    calendar="XNYS",
)

ETF: Final = msgspec.structs.replace(STOCK, noun="an etf", plural="etfs", shape="")
"""A fund has a stock's ids; only a table can say that it is one."""
