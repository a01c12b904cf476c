"""Options: the right to buy or sell an underlying at a strike (U-10)."""

import datetime
import re
from decimal import Decimal
from enum import StrEnum
from typing import Final

from engine.domain.instruments.delta import call_delta
from engine.domain.instruments.kind import (
    WORD,
    Contract,
    InstrumentError,
    Kind,
    Terms,
    agree,
    any_text,
    date_of,
    one_of,
    positive,
)
from engine.domain.instruments.months import MONTHS
from engine.domain.money import ONE, ZERO, is_positive, plain


class OptionRight(StrEnum):
    """FIX 201: what the holder of an option may do."""

    CALL = "call"
    PUT = "put"


class OptionContract(Contract, frozen=True, kw_only=True, tag="option"):
    """The right to buy or sell `underlying` at `strike`, up to and including `expiry`."""

    underlying: str
    expiry: datetime.date
    strike: Decimal
    """In the currency of the instrument, for one unit of the underlying."""
    right: OptionRight

    def counts_as(self, symbol: str) -> str:
        return self.underlying

    @property
    def leans_on(self) -> str:
        return self.underlying

    @property
    def lean(self) -> int:
        return 1 if self.right is OptionRight.CALL else -1

    def exposed_at(self, price: Decimal, spot: Decimal, newest: Decimal | None) -> Decimal:
        """|delta| x the underlying's price; where no price of its own tells delta, that is 1, and
        an option moves by no more."""
        return max(price, spot if newest is None else spot * self._delta(spot, newest))

    @property
    def last_day(self) -> datetime.date | None:
        return self.expiry

    def settled_at(self, own: Decimal | None, spot: Decimal | None) -> Decimal | None:
        """What exercising it brings, zero where that is nothing."""
        if spot is None:
            return None
        gain = spot - self.strike if self.right is OptionRight.CALL else self.strike - spot
        return max(gain, ZERO)

    @property
    def short_name(self) -> str:
        day = self.expiry
        return f"{self.underlying} {day.day}{MONTHS[day.month - 1]}{day:%y} {self._end}"

    @property
    def least_name(self) -> str:
        return f"{self.underlying}…{self._end}"

    def _delta(self, spot: Decimal, price: Decimal) -> Decimal:
        """By how much it moves with its underlying, whichever way, from 0 to 1."""
        if self.right is OptionRight.CALL:
            return call_delta(price, spot, self.strike)
        if price <= max(self.strike - spot, ZERO) or price >= self.strike:
            # No volatility explains it.
            return ONE
        # Without interest a call is worth spot - strike more than the put.
        return ONE - call_delta(price + spot - self.strike, spot, self.strike)

    @property
    def _end(self) -> str:
        return f"{plain(self.strike)}{self.right[0].upper()}"


_RIGHTS: Final = {"C": OptionRight.CALL, "P": OptionRight.PUT}
_EXAMPLE: Final = "AAPL 2026-12-18 200 C"


def _read(found: re.Match[str], symbol: str) -> OptionContract:
    return OptionContract(
        underlying=found["option_of"],
        expiry=date_of(found["option_day"], symbol),
        strike=Decimal(found["option_strike"]),
        right=_RIGHTS[found["option_right"]],
    )


def _make(symbol: str, told: Contract | None, terms: Terms) -> OptionContract:
    if isinstance(told, OptionContract):
        agree(symbol, "underlying", told.underlying, terms.get("underlying"))
        agree(symbol, "expiry", told.expiry.isoformat(), terms.get("expiry"))
        agree(symbol, "strike", told.strike, terms.get("strike"))
        agree(symbol, "right", told.right, terms.get("right"))
        return told
    if any(terms.get(name) is None for name in OPTION.terms):
        raise InstrumentError(
            f"{symbol} is an option without underlying, expiry, strike and right: all four are "
            f"needed, in the id ({_EXAMPLE}) or in their columns"
        )
    if not is_positive(terms["strike"]):
        raise InstrumentError(
            f"strike of {symbol} is {terms['strike']}: a number above 0 is allowed"
        )
    return OptionContract(
        underlying=terms["underlying"],
        expiry=date_of(terms["expiry"], symbol),
        strike=terms["strike"],
        right=terms["right"],
    )


OPTION: Final = Kind(
    noun="an option",
    plural="options",
    # There is one way to write a strike: without a sign, an exponent or a trailing zero.
    shape=rf"(?P<option_of>{WORD}) (?P<option_day>\d{{4}}-\d{{2}}-\d{{2}}) "
    r"(?P<option_strike>0\.\d{0,7}[1-9]|[1-9]\d{0,8}(?:\.\d{0,7}[1-9])?) (?P<option_right>[CP])",
    only_by_id=True,
    example=_EXAMPLE,
    tick=Decimal("0.01"),
    lot=ONE,
    multiplier=Decimal(100),
    calendar="XNYS",
    # What a sold option may cost has no bound, and its premium says nothing of that: it can only
    # be bought, unless a table says otherwise.
    shortable=False,
    contract=OptionContract,
    read=_read,
    terms={
        "underlying": any_text,
        "expiry": any_text,
        "strike": positive,
        "right": one_of(OptionRight),
    },
    make=_make,
)
