"""Rates of exchange from reference data, where no quote tells them (X-86).

The text is a CSV `currency,rate,date`: the base currency for one unit of the currency, on that day.
"""

import datetime
import re
from bisect import bisect_right
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.money import CURRENCY_WORDS, ONE, is_currency, is_positive
from engine.domain.text import clean_text
from engine.reference.textfile import BadFile, lines_of, rows

COLUMNS: Final = ("currency", "rate", "date")

_RATE: Final = re.compile(r"\d{1,18}(\.\d{1,18})?", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class ReferenceRate(msgspec.Struct, frozen=True, kw_only=True):
    """What one unit of a currency is worth in the base currency on a day."""

    currency: str
    value: Decimal
    date: datetime.date


class RatesError(ValueError):
    """A text that does not hold rates; `problems` has one sentence for each bad line."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_rates(text: str, base: str, where: str) -> tuple[ReferenceRate, ...]:
    """The rates of a CSV, in its order.

    `base` is the base currency, `where` names the text in a sentence. Raises RatesError with every
    bad line: not three fields, no currency or the base itself, a rate that is no finite number
    above 0, a date that does not exist, a second rate of a currency for one day.
    """
    found: dict[tuple[str, datetime.date], ReferenceRate] = {}
    problems: list[str] = []
    header: tuple[str, ...] = ()
    try:
        for line, row in rows(lines_of(text, where), where):
            if not header:
                header = tuple(row)
                if header != COLUMNS:
                    problems.append(f"{where} line {line}: the header must be {','.join(COLUMNS)}")
                    break
                continue
            try:
                rate = _rate(row, base)
                key = rate.currency, rate.date
                if key in found:
                    raise ValueError(f"{rate.currency} has a rate for {rate.date} already")
            except ValueError as error:
                problems.append(f"{where} line {line}: {error}")
            else:
                found[key] = rate
    except BadFile as error:
        problems.append(str(error))
    if not text.strip():
        problems.append(f"{where} is empty: the header {','.join(COLUMNS)} is needed")
    if problems:
        raise RatesError(tuple(problems))
    return tuple(found.values())


def restated(rates: Sequence[ReferenceRate], base: str, currency: str) -> tuple[ReferenceRate, ...]:
    """The rates against another currency, where `rates` are against `base`.

    Each is divided by the newest rate of `currency` that its day knew, and left out where that is
    none; the base currency has a rate for every day on which `currency` has one.
    """
    if currency == base:
        return tuple(rates)
    own = sorted((r for r in rates if r.currency == currency), key=lambda rate: rate.date)
    days = [rate.date for rate in own]
    found = [ReferenceRate(currency=base, value=ONE / r.value, date=r.date) for r in own]
    for rate in rates:
        known = bisect_right(days, rate.date)
        if rate.currency != currency and known:
            found.append(msgspec.structs.replace(rate, value=rate.value / own[known - 1].value))
    return tuple(found)


def _rate(row: list[str], base: str) -> ReferenceRate:
    """The rate of a row. Raises ValueError with one sentence."""
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(COLUMNS)} fields are needed, {len(row)} are there")
    currency, rate, date = row
    if not is_currency(currency):
        raise ValueError(f"currency is {_shown(currency)}: {CURRENCY_WORDS}")
    if currency == base:
        raise ValueError(f"currency is {base}, which is the base currency: it needs no rate")
    if not _RATE.fullmatch(rate) or not is_positive(value := Decimal(rate)):
        raise ValueError(f"rate is {_shown(rate)}: a number above 0 is allowed, such as 1.0842")
    try:
        if not _DATE.fullmatch(date):
            raise ValueError
        day = datetime.date.fromisoformat(date)
    except ValueError:
        raise ValueError(
            f"date is {_shown(date)}: a date that exists is allowed, such as 2026-11-27"
        ) from None
    return ReferenceRate(currency=currency, value=value, date=day)


def _shown(text: str) -> str:
    return repr(clean_text(text, 32))
