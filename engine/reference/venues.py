"""What is known of trading venues: kind, fees, speed, and how often they fill (A-461 to A-463).

The text is a CSV with the columns of `COLUMNS`, one venue a row. Fees change, so every row has the
date that it is of.
"""

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Final

import msgspec

from engine.domain.money import ONE, ZERO, written_number
from engine.domain.text import clean_text
from engine.reference.textfile import BadFile, lines_of, rows


class VenueType(StrEnum):
    """The kinds of venue (A-461). Only a lit exchange shows its orders."""

    LIT_EXCHANGE = "lit_exchange"
    DARK_POOL = "dark_pool"
    ATS = "ats"
    INTERNALIZER = "internalizer"
    MIDPOINT = "midpoint"


class FeeModel(StrEnum):
    """How a venue takes its fees (A-461)."""

    MAKER_TAKER = "maker_taker"
    """Who takes liquidity pays at least as much as who makes it, who may be paid."""
    FLAT = "flat"
    """Both pay the same."""
    INVERTED = "inverted"
    """Who makes liquidity pays more than who takes it."""
    FREE = "free"
    """Nobody pays."""


class FeeUnit(StrEnum):
    """What a fee is counted by."""

    UNIT = "unit"
    """Money for each unit of the instrument, such as dollars a share."""
    NOTIONAL = "notional"
    """A fraction of price x quantity."""


class Venue(msgspec.Struct, frozen=True, kw_only=True):
    """One venue, as of a date. A fee below 0 is a rebate: the venue pays it."""

    name: str
    type: VenueType
    fee_model: FeeModel
    fee_unit: FeeUnit
    maker: Decimal
    """The fee of an order that waits in the book, in `fee_unit`."""
    taker: Decimal
    """The fee of an order that trades at once, in `fee_unit`."""
    latency_ms: Decimal | None = None
    """Milliseconds until it answers; None where that was not measured."""
    fill_rate: Decimal | None = None
    """The fraction of what is sent there that fills; None where that was not measured."""
    price_improvement: Decimal = ZERO
    """By which fraction of the price its fills are better than the quote."""
    adverse_selection: Decimal = ZERO
    """The fraction of its fills after which the price moves against who was filled."""
    as_of: datetime.date

    @property
    def is_lit(self) -> bool:
        """Whether it shows its orders."""
        return self.type is VenueType.LIT_EXCHANGE

    def fee(self, price: Decimal, *, takes: bool) -> Decimal:
        """The fee of one unit at a price, in the currency of the price; below 0 it is a rebate.

        `takes`: the order trades at once with what waits there.
        """
        rate = self.taker if takes else self.maker
        return rate * price if self.fee_unit is FeeUnit.NOTIONAL else rate


COLUMNS: Final = (
    "venue",
    "type",
    "fee_model",
    "fee_unit",
    "maker",
    "taker",
    "latency_ms",
    "fill_rate",
    "price_improvement",
    "adverse_selection",
    "as_of",
)
"""The header of the CSV. The four from `latency_ms` on may be empty: not measured, or 0."""

US_EQUITIES: Final = """\
venue,type,fee_model,fee_unit,maker,taker,latency_ms,fill_rate,price_improvement,adverse_selection,as_of
NYSE,lit_exchange,maker_taker,unit,-0.0020,0.0030,0.8,0.85,,,2026-11-30
NASDAQ,lit_exchange,maker_taker,unit,-0.0025,0.0030,0.5,0.88,,,2026-11-30
ARCA,lit_exchange,maker_taker,unit,-0.0024,0.0030,0.6,0.82,,,2026-11-30
BZX,lit_exchange,maker_taker,unit,-0.0025,0.0030,0.4,0.80,,,2026-11-30
BYX,lit_exchange,inverted,unit,0.0003,-0.0002,0.5,0.75,,,2026-11-30
IEX,lit_exchange,maker_taker,unit,0,0.0009,1.5,0.78,,,2026-11-30
EDGX,lit_exchange,maker_taker,unit,-0.0020,0.0030,,,,,2026-11-30
EDGA,lit_exchange,inverted,unit,0.0004,-0.0002,,,,,2026-11-30
MEMX,lit_exchange,maker_taker,unit,-0.0020,0.0025,0.3,0.76,,,2026-11-30
DARK_MIDPOINT,midpoint,maker_taker,unit,0,0.0010,2.0,0.45,,,2026-11-30
SIGMA_X,dark_pool,maker_taker,unit,0,0.0008,3.0,0.40,,,2026-11-30
"""
"""Dollars a share, milliseconds and fractions of A-462 and A-463. They illustrate, and are no
venue's price list: the date is that on which the table was written down. Of EDGX and EDGA only the
fees are given."""

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

_LARGEST_FEE: Final = ONE
"""No venue takes, or pays, a dollar a share or all of the notional."""


class VenuesError(ValueError):
    """A text that does not hold venues; `problems` has one sentence for each bad line."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@cache
def us_equities() -> tuple[Venue, ...]:
    """The venues of `US_EQUITIES`."""
    return read_venues(US_EQUITIES, "US_EQUITIES")


def read_venues(text: str, where: str) -> tuple[Venue, ...]:
    """The venues of a CSV, in its order; `where` names the text in a sentence.

    Raises VenuesError with every bad line: a wrong number of fields, a name that is empty or there
    twice, a word that is none of those allowed, a number that is none or out of range, fees that
    contradict their model, a date that does not exist.
    """
    found: dict[str, Venue] = {}
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
                venue = _venue(row)
                if venue.name in found:
                    raise ValueError(f"{_shown(venue.name)} has a row already")
            except ValueError as error:
                problems.append(f"{where} line {line}: {error}")
            else:
                found[venue.name] = venue
    except BadFile as error:
        problems.append(str(error))
    if not text.strip():
        problems.append(f"{where} is empty: the header {','.join(COLUMNS)} is needed")
    if problems:
        raise VenuesError(tuple(problems))
    return tuple(found.values())


def _venue(row: list[str]) -> Venue:
    """The venue of a row. Raises ValueError with one sentence."""
    if len(row) != len(COLUMNS):
        raise ValueError(f"{len(COLUMNS)} fields are needed, {len(row)} are there")
    told = dict(zip(COLUMNS, row, strict=True))
    name = told["venue"]
    if not name or name != clean_text(name, 32).strip():
        raise ValueError(f"venue is {_shown(name)}: a text of 1 to 32 characters is allowed")
    venue = Venue(
        name=name,
        type=VenueType(_word(told, "type", VenueType)),
        fee_model=FeeModel(_word(told, "fee_model", FeeModel)),
        fee_unit=FeeUnit(_word(told, "fee_unit", FeeUnit)),
        maker=_number(told, "maker", -_LARGEST_FEE, _LARGEST_FEE),
        taker=_number(told, "taker", -_LARGEST_FEE, _LARGEST_FEE),
        latency_ms=_measured(told, "latency_ms", Decimal(60_000)),
        fill_rate=_measured(told, "fill_rate", ONE),
        price_improvement=_measured(told, "price_improvement", ONE) or ZERO,
        adverse_selection=_measured(told, "adverse_selection", ONE) or ZERO,
        as_of=_date(told["as_of"]),
    )
    if not _FITS[venue.fee_model](venue.maker, venue.taker):
        raise ValueError(
            f"a maker's fee of {venue.maker} and a taker's of {venue.taker} are not "
            f"{venue.fee_model}"
        )
    return venue


_FITS: Final[dict[FeeModel, Callable[[Decimal, Decimal], bool]]] = {
    FeeModel.MAKER_TAKER: lambda maker, taker: maker <= taker,
    FeeModel.FLAT: lambda maker, taker: maker == taker,
    FeeModel.INVERTED: lambda maker, taker: maker > taker,
    FeeModel.FREE: lambda maker, taker: not maker and not taker,
}


def _word(told: dict[str, str], column: str, words: type[StrEnum]) -> str:
    if told[column] not in list(words):
        raise ValueError(
            f"{column} is {_shown(told[column])}: one of {', '.join(words)} is allowed"
        )
    return told[column]


def _measured(told: dict[str, str], column: str, most: Decimal) -> Decimal | None:
    """The number from 0 on in a column that may be empty."""
    return _number(told, column, ZERO, most) if told[column] else None


def _number(told: dict[str, str], column: str, least: Decimal, most: Decimal) -> Decimal:
    number = written_number(told[column])
    if number is None or not least <= number <= most:
        raise ValueError(
            f"{column} is {_shown(told[column])}: a number from {least} to {most} is allowed"
        )
    return number


def _date(text: str) -> datetime.date:
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"as_of is {_shown(text)}: a date that exists is allowed, such as 2026-11-30"
        ) from None


def _shown(text: str) -> str:
    return repr(clean_text(text, 32))
