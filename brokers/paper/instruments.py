"""Which instrument an id stands for: by its shape, or as a table of the user's says.

The table is a CSV `symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable`, to which
`underlying,expiry,strike,right` may be added. An id that it does not name, and a field that it
leaves empty, is what the shape of the id and its kind say. An option is paid in what its underlying
is paid in, which a row of the table may say.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from engine.calendars import CALENDARS, Calendar, calendar
from engine.domain.instrument import (
    TERMS,
    AssetClass,
    Facts,
    Instrument,
    default_instrument,
    instrument_of,
    paid_as,
    symbol_of,
)
from engine.domain.instruments.kind import one_of, positive
from engine.domain.money import CURRENCY_WORDS, is_currency
from engine.domain.text import clean_text
from engine.reference.textfile import BadFile, read_lines, rows

COLUMNS: Final = (
    "symbol", "asset_class", "tick", "lot", "multiplier", "currency", "calendar", "shortable",
)  # fmt: skip
CONTRACT_COLUMNS: Final = tuple(TERMS)
"""May follow the others: the fields of the kinds that have some, a kind after the other."""

SOURCE: Final = "[data] instruments"
"""What an instrument of a table names as the source of its facts."""

_BOOLEANS: Final = {"true": True, "false": False}

T = TypeVar("T")


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
        """The instrument of an id; one that the table does not name and that says too little by
        itself, as a future, has a `fault`."""
        rules = self._known.get(symbol)
        if rules is None:
            rules = default_instrument(symbol, self._calendar_name)
            if rules.leans_on:
                rules = paid_as(rules, self.get(rules.leans_on), stated=False)
            self._known[symbol] = rules
        return rules

    def calendar(self, symbol: str) -> Calendar:
        """The calendar it trades under."""
        known = self._calendars.get(symbol)
        if known is None:
            known = self._calendars[symbol] = calendar(self.get(symbol).calendar)
        return known


def load_instruments(path: Path) -> dict[str, Instrument]:
    """Read a table of instruments. Raises BadFile for the first line that is not one."""
    return _read(path, rows(read_lines(path), str(path)))


def _read(path: Path, found: Iterable[tuple[int, list[str]]]) -> dict[str, Instrument]:
    table: dict[str, Instrument] = {}
    stated: dict[str, tuple[int, bool]] = {}
    """By symbol, the line and whether it states a currency."""
    columns: tuple[str, ...] = ()
    for number, row in found:
        if not columns:
            columns = tuple(row)
            if columns not in _headers():
                raise BadFile(
                    f"{path} line {number}: the header must be {','.join(COLUMNS)}, and "
                    f"{','.join(CONTRACT_COLUMNS)} may follow"
                )
            continue
        try:
            if len(row) != len(columns):
                raise ValueError(f"{len(columns)} fields are needed, {len(row)} are there")
            rules = _instrument(dict(zip(columns, row, strict=True)))
            if rules.symbol in table:
                raise ValueError(f"{rules.symbol} stands in the table twice")
        except ValueError as error:
            raise BadFile(f"{path} line {number}: {error}") from error
        table[rules.symbol] = rules
        stated[rules.symbol] = number, bool(row[COLUMNS.index("currency")])
    if not columns:
        raise BadFile(f"{path} is empty: the header {','.join(COLUMNS)} is needed")
    # A row may stand before that of its underlying.
    for symbol, (number, currency) in stated.items():
        try:
            table[symbol] = _paid(table, symbol, (), stated=currency)
        except ValueError as error:
            raise BadFile(f"{path} line {number}: {error}") from error
    return table


def _paid(
    table: Mapping[str, Instrument], symbol: str, after: tuple[str, ...], *, stated: bool
) -> Instrument:
    """The instrument of a row, paid as the row of its underlying says, if there is one.

    `after` are the symbols that lean on it, the last one directly. Raises ValueError where
    one of them is its own underlying in the end, or its currency contradicts that of the other.
    """
    rules = table[symbol]
    chain = (*after, symbol)
    if rules.leans_on in chain:
        raise ValueError(f"the underlying of {symbol} is {rules.leans_on}, which leans on it")
    if rules.leans_on not in table:
        return rules
    return paid_as(rules, _paid(table, rules.leans_on, chain, stated=False), stated=stated)


def _headers() -> Iterator[tuple[str, ...]]:
    """The headers that a table may have: a table without the fields of the last kinds stays one."""
    yield COLUMNS
    known: dict[str, None] = {}
    for row in AssetClass:
        known |= dict.fromkeys(row.kind.terms)
        yield COLUMNS + tuple(known)


def _instrument(row: Mapping[str, str]) -> Instrument:
    """The instrument of a row. Raises ValueError with one sentence."""
    symbol, currency = symbol_of(row["symbol"]), row["currency"]
    if currency and not is_currency(currency):
        raise ValueError(f"currency is {clean_text(currency, 32)!r}: {CURRENCY_WORDS}")
    if row["calendar"] and row["calendar"] not in CALENDARS:
        raise ValueError(_not_one_of("calendar", row["calendar"], CALENDARS))
    shortable = row["shortable"].lower()
    if shortable and shortable not in _BOOLEANS:
        raise ValueError(_not_one_of("shortable", row["shortable"], _BOOLEANS))
    facts = Facts(
        asset_class=_read_by(one_of(AssetClass), "asset_class", row),
        tick=_read_by(positive, "tick", row),
        lot=_read_by(positive, "lot", row),
        multiplier=_read_by(positive, "multiplier", row),
        currency=currency or None,
        calendar=row["calendar"] or None,
        shortable=_BOOLEANS[shortable] if shortable else None,
        terms={name: _read_by(reader, name, row) for name, reader in TERMS.items()},
        source=SOURCE,
    )
    return instrument_of(symbol, facts)


def _read_by(reader: Callable[[str, str], T], name: str, row: Mapping[str, str]) -> T | None:
    """A field as its reader takes it, None for one that is empty. Raises ValueError."""
    text = row.get(name, "")
    return reader(name, text) if text else None


def _not_one_of(name: str, text: str, allowed: Iterable[str]) -> str:
    return f"{name} is {clean_text(text, 32)!r}: {', '.join(allowed)} are allowed"
