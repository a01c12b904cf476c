"""What a kind of instrument says of itself, and the words that kinds share."""

import datetime
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

import msgspec

from engine.domain.money import ONE, is_positive, number_fault, written_number
from engine.domain.text import clean_text

E = TypeVar("E", bound=StrEnum)

WORD: Final = "[A-Za-z0-9][A-Za-z0-9._/-]{0,31}"
"""Regular expression of an id that is one word, and of the word that begins a contract's id."""

FIRST_YEAR: Final = 1970
LAST_YEAR: Final = 2199
"""Nanoseconds in 64 bits hold every moment of these years."""

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class InstrumentError(ValueError):
    """An id or its facts do not make an instrument; one sentence says what and what is allowed."""


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a kind that has fields of its own.

    Each kind derives a struct of it, with a `tag` that names it in the journal. What a kind does
    not say otherwise is what is said here.
    """

    def counts_as(self, symbol: str) -> str:
        """What risk adds up the instrument `symbol` by: an underlying, a root, or the id itself."""
        return symbol

    @property
    def paid_in(self) -> str:
        """The currency that it can only be paid in; "" where its facts say which."""
        return ""

    @property
    def leans_on(self) -> str:
        """The id of the instrument whose price says what it counts as exposure; "" for its own."""
        return ""

    @property
    def lean(self) -> int:
        """Which way what is held of it is a bet on what it counts as: +1 where it gains as that
        rises, -1 where it loses."""
        return 1

    def exposed_at(self, price: Decimal, spot: Decimal, newest: Decimal | None) -> Decimal:
        """The price at which one unit that costs `price` counts as exposure, never less (A-084).

        `spot` is the newest price of what it leans on, `newest` its own of the same time; None
        where there is none. Only a contract that leans on another instrument is asked.
        """
        return price

    @property
    def last_day(self) -> datetime.date | None:
        """The last day on which it trades; None for what does not expire."""
        return None

    def settled_at(self, own: Decimal | None, spot: Decimal | None) -> Decimal | None:
        """What one unit is paid at when it has expired; None while nobody can tell.

        `own` is its own newest price, `spot` that of what it leans on; None where there is none.
        """
        return own

    @property
    def short_name(self) -> str:
        """The contract as traders write it, for where its id does not fit; "" for none."""
        return ""

    @property
    def least_name(self) -> str:
        """The fewest letters that tell it from others of its underlying; "" for none."""
        return ""


Terms = Mapping[str, Any]
"""What is stated of a contract's fields, by name; what is not stated is missing."""

Reader = Callable[[str, str], Any]
"""Reads a field's text. Takes its name and the text, which is not empty; raises ValueError."""


def _no_contract(symbol: str, told: Contract | None, terms: Terms) -> Contract | None:
    return None


def _nothing(found: re.Match[str], symbol: str) -> Contract | None:
    return None


GRID_SHARE: Final = Decimal("0.001")
"""A tick above this share of the price is no grid of that price: every fill would be rounded far
from the market."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of instrument: the shape of its ids, its fields, and its facts by default."""

    noun: str
    """In a sentence: `a future`."""
    plural: str
    """In a sentence: `futures`."""
    tick: Decimal
    """Grid of the price."""
    lot: Decimal
    """Grid of the quantity."""
    coarsest: Decimal | None = None
    """The largest share of its price that a tick may be; None where the tick is a term of the
    contract, as an option's, whose price may be a few ticks."""
    calendar: str
    """Name of the calendar of its sessions (`engine.calendars`)."""
    multiplier: Decimal | None = ONE
    """None where it must be stated."""
    shortable: bool = True
    is_coin: bool = False
    """Whether what is bought is an asset that can be spent, as for a commission: the base of its
    pair. A position in a pair of currencies is a contract on margin, and money of its name is cash.
    """
    shape: str = ""
    """Regular expression of its ids; "" where only a table says that an id is of this kind. No id
    has the shape of two kinds. Names of its groups are of this kind alone."""
    only_by_id: bool = False
    """Whether an id of this shape is of this kind whatever is stated."""
    example: str = ""
    """An id of more than one word, for the sentence that says what an id is; "" for none."""
    contract: type[Contract] | None = None
    """The struct of its fields; None where it has none."""
    read: Callable[[re.Match[str], str], Contract | None] = _nothing
    """The contract that an id of this shape states, from the match of `shape` and the id. Raises
    InstrumentError for an id that states what cannot be."""
    terms: Mapping[str, Reader] = {}
    """The fields that may be stated, by name, with what reads them from a text; they are columns
    of the table of instruments in this order."""
    make: Callable[[str, Contract | None, Terms], Contract | None] = _no_contract
    """The contract of an id, from the id, what the id states and what else is stated. Raises
    InstrumentError where these contradict each other or miss what the kind needs."""


def agree(symbol: str, name: str, told: object, stated: object | None) -> None:
    """Raises InstrumentError where what is `stated` is not what the id `told`."""
    if stated is not None and stated != told:
        raise InstrumentError(
            f"{name} is {clean_text(str(stated), 32)}, but the id {symbol} says {told}"
        )


def date_of(text: str, symbol: str) -> datetime.date:
    """The day on which `symbol` expires, from `YYYY-MM-DD`.

    Raises InstrumentError for a date that does not exist.
    """
    try:
        if not _DAY.fullmatch(text) or not FIRST_YEAR <= int(text[:4]) <= LAST_YEAR:
            raise ValueError
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise InstrumentError(
            f"the expiry of {symbol} is {clean_text(text, 32)!r}: a date that exists, from "
            f"{FIRST_YEAR} to {LAST_YEAR}, is allowed (2026-12-18)"
        ) from None


# --- what reads a field's text --------------------------------------------------------------------


def any_text(name: str, text: str) -> str:
    """The text itself; what makes a contract of it judges it."""
    return text


def positive(name: str, text: str) -> Decimal:
    """A number above 0 that an amount may be. Raises ValueError with one sentence."""
    value = written_number(text)
    if value is None or not is_positive(value):
        raise ValueError(f"{name} is {clean_text(text, 32)!r}: a number above 0 is allowed")
    if fault := number_fault(value):
        raise ValueError(f"{name} is {fault}")
    return value


def one_of(members: type[E]) -> Callable[[str, str], E]:
    """Reads a member of an enumeration."""

    def read(name: str, text: str) -> E:
        if text not in list(members):
            allowed = ", ".join(members)
            raise ValueError(f"{name} is {clean_text(text, 32)!r}: {allowed} are allowed")
        return members(text)

    return read
