"""Which instrument a symbol stands for: by its shape, or as a table of the user's says.

The table is a CSV `symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable`; a symbol it
does not name, and a field it leaves empty, is what the symbol's shape says.
"""

import csv
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import msgspec

from engine.calendars import CALENDARS, Calendar, calendar
from engine.domain.instrument import AssetClass, Instrument, default_instrument
from engine.domain.money import is_positive
from engine.domain.text import clean_text

COLUMNS: Final = (
    "symbol", "asset_class", "tick", "lot", "multiplier", "currency", "calendar", "shortable",
)  # fmt: skip
SYMBOL_LENGTH: Final = 32
_BOOLEANS: Final = {"true": True, "false": False}


class BadFile(ValueError):  # noqa: N818 - the caller reads it as a sentence
    """A file of the user's does not hold what it should; one sentence with path and line."""


class Instruments:
    """The instruments of one venue. `calendar_name` puts every symbol under one calendar."""

    def __init__(
        self, table: Mapping[str, Instrument] | None = None, calendar_name: str = ""
    ) -> None:
        self._known: dict[str, Instrument] = dict(table or {})
        self._calendar_name = calendar_name
        if calendar_name:
            for symbol, rules in self._known.items():
                self._known[symbol] = msgspec.structs.replace(rules, calendar=calendar_name)
        self._calendars: dict[str, Calendar] = {}

    def get(self, symbol: str) -> Instrument:
        """The instrument of a symbol."""
        rules = self._known.get(symbol)
        if rules is None:
            rules = self._known[symbol] = default_instrument(symbol, self._calendar_name)
        return rules

    def calendar(self, symbol: str) -> Calendar:
        """The calendar it trades under."""
        known = self._calendars.get(symbol)
        if known is None:
            known = self._calendars[symbol] = calendar(self.get(symbol).calendar)
        return known


def load_instruments(path: Path) -> dict[str, Instrument]:
    """Read a table of instruments. Raises BadFile for the first line that is not one."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return _read(path, csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{path}: the instruments cannot be read: {error}") from error


def _read(path: Path, rows: Iterable[list[str]]) -> dict[str, Instrument]:
    table: dict[str, Instrument] = {}
    for number, row in enumerate(rows, 1):
        if number == 1:
            if tuple(row) != COLUMNS:
                raise BadFile(f"{path} line 1: the header must be {','.join(COLUMNS)}")
            continue
        try:
            rules = _instrument(row)
            if rules.symbol in table:
                raise ValueError(f"{rules.symbol} stands in the table twice")
        except ValueError as error:
            raise BadFile(f"{path} line {number}: {error}") from error
        table[rules.symbol] = rules
    return table


def _instrument(row: list[str]) -> Instrument:
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(COLUMNS)} fields are needed, {len(row)} are there")
    symbol, kind, tick, lot, multiplier, currency, calendar_name, shortable = row
    rules = default_instrument(symbol_of(symbol))
    if kind and kind not in list(AssetClass):
        raise ValueError(_not_one_of("asset_class", kind, AssetClass))
    if calendar_name and calendar_name not in CALENDARS:
        raise ValueError(_not_one_of("calendar", calendar_name, CALENDARS))
    if shortable and shortable.lower() not in _BOOLEANS:
        raise ValueError(_not_one_of("shortable", shortable, _BOOLEANS))
    if currency and not (currency.isascii() and currency.isalnum()):
        raise ValueError(
            f"currency is {clean_text(currency, 32)!r}: letters and digits are allowed"
        )
    return msgspec.structs.replace(
        rules,
        asset_class=AssetClass(kind) if kind else rules.asset_class,
        tick=_positive("tick", tick, rules.tick),
        lot=_positive("lot", lot, rules.lot),
        multiplier=_positive("multiplier", multiplier, rules.multiplier),
        currency=currency or rules.currency,
        calendar=calendar_name or rules.calendar,
        shortable=_BOOLEANS[shortable.lower()] if shortable else rules.shortable,
    )


def symbol_of(text: str) -> str:
    """A symbol as a file may name it. Raises ValueError."""
    if not text or len(text) > SYMBOL_LENGTH or not text.isascii() or not text.isprintable():
        raise ValueError(
            f"{clean_text(text, 48)!r} is not a symbol: 1 to {SYMBOL_LENGTH} printable ASCII "
            "characters are allowed"
        )
    if any(sign in text for sign in " ,\"'"):
        raise ValueError(f"{text!r} is not a symbol: no spaces, commas or quotation marks")
    return text


def _positive(name: str, text: str, default: Decimal) -> Decimal:
    if not text:
        return default
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not is_positive(value):
        raise ValueError(f"{name} is {clean_text(text, 32)!r}: a number above 0 is allowed")
    return value


def _not_one_of(name: str, text: str, allowed: Iterable[str]) -> str:
    return f"{name} is {clean_text(text, 32)!r}: {', '.join(allowed)} are allowed"
