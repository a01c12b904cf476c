"""Futures: delivery of something in a month (U-10)."""

import datetime
import re
from calendar import monthrange
from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.instruments.kind import (
    WORD,
    Contract,
    Kind,
    Terms,
    agree,
    any_text,
    date_of,
)
from engine.domain.instruments.months import MONTH_LETTERS, MONTHS
from engine.domain.money import ONE


class FutureContract(Contract, frozen=True, kw_only=True, tag="future"):
    """Delivery of `root` at `expiry`."""

    root: str
    expiry: str = ""
    """`YYYY-MM`, or `YYYY-MM-DD` where the day is known; empty where nobody says, which is a series
    that never expires."""

    def counts_as(self, symbol: str) -> str:
        return self.root

    @property
    def last_day(self) -> datetime.date | None:
        """Where only the month is known, that is the last day of the month."""
        if not self.expiry:
            return None
        if len(self.expiry) != 7:
            return datetime.date.fromisoformat(self.expiry)
        year, month = int(self.expiry[:4]), int(self.expiry[5:])
        return datetime.date(year, month, monthrange(year, month)[1])

    @property
    def short_name(self) -> str:
        if not self.expiry:
            return ""
        year, month, *days = self.expiry.split("-")
        return f"{self.root} {''.join(days)}{MONTHS[int(month) - 1]}{year[2:]}"

    @property
    def least_name(self) -> str:
        """Where the day is known, it does not tell the month that the contract is named by."""
        if len(self.expiry) != 7:
            return ""
        return f"{self.root}{MONTH_LETTERS[int(self.expiry[5:]) - 1]}{self.expiry[2:4]}"


def _read(found: re.Match[str], symbol: str) -> FutureContract:
    month = found["future_month"]
    date_of(f"{month}-01", symbol)
    return FutureContract(root=found["future_of"], expiry=month)


def _make(symbol: str, told: Contract | None, terms: Terms) -> FutureContract:
    expiry = terms.get("expiry") or ""
    if expiry:
        date_of(expiry if len(expiry) != 7 else f"{expiry}-01", symbol)
    if isinstance(told, FutureContract):
        agree(symbol, "underlying", told.root, terms.get("underlying"))
        # A day may be stated beside the month of the id.
        agree(symbol, "expiry", told.expiry, expiry[:7] or None)
        return msgspec.structs.replace(told, expiry=expiry or told.expiry)
    return FutureContract(root=terms.get("underlying") or symbol, expiry=expiry)


FUTURE: Final = Kind(
    noun="a future",
    plural="futures",
    shape=rf"(?P<future_of>{WORD}) (?P<future_month>\d{{4}}-\d{{2}})",
    only_by_id=True,
    example="ES 2026-12",
    tick=Decimal("0.01"),
    lot=ONE,
    multiplier=None,
    calendar="XNYS",
    contract=FutureContract,
    read=_read,
    terms={"underlying": any_text, "expiry": any_text},
    make=_make,
)
