"""What can be traded: the kinds of instrument, their ids and their facts (U-10).

An id is ours, never a venue's, and its shape says the kind:

| id | kind |
|---|---|
| `AAPL 2026-12-18 200 C` | option: underlying, expiry, strike, call or put |
| `ES 2013-12` | future: root, month of expiry |
| `BTC-USD` | crypto pair: base, quote |
| `EUR_USD` | FX pair: base, quote |
| `AAPL` | stock |

A table of the user's may name further ids, such as `ESZ3`, and say what they are.
"""

import datetime
import re
from calendar import monthrange
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, TypeVar

import msgspec

from engine.domain.money import ONE, is_positive
from engine.domain.text import clean_text

T = TypeVar("T")


class AssetClass(StrEnum):
    """The kinds of instrument. All but ETF can be told from the id."""

    STOCK = "stock"
    CRYPTO = "crypto"
    FX = "fx"
    ETF = "etf"
    OPTION = "option"
    FUTURE = "future"


class OptionRight(StrEnum):
    """FIX 201: what the holder of an option may do."""

    CALL = "call"
    PUT = "put"


class InstrumentError(ValueError):
    """An id or its facts do not make an instrument; one sentence says what and what is allowed."""


class OptionContract(msgspec.Struct, frozen=True, kw_only=True, tag="option"):
    """The right to buy or sell `underlying` at `strike`, up to and including `expiry`."""

    underlying: str
    expiry: datetime.date
    strike: Decimal
    """In the currency of the instrument, for one unit of the underlying."""
    right: OptionRight


class FutureContract(msgspec.Struct, frozen=True, kw_only=True, tag="future"):
    """Delivery of `root` at `expiry`."""

    root: str
    expiry: str = ""
    """`YYYY-MM`, or `YYYY-MM-DD` where the day is known; empty where nobody says, which is a series
    that never expires."""


class Pair(msgspec.Struct, frozen=True, kw_only=True, tag="pair"):
    """A price of one unit of `base` in `quote`."""

    base: str
    quote: str


Contract = OptionContract | FutureContract | Pair


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One tradable id with its facts. `tick` and `lot` are the grids of its price and quantity."""

    symbol: str
    """The id."""
    asset_class: AssetClass
    tick: Decimal
    lot: Decimal
    multiplier: Decimal = ONE
    """Money that a change of the price by 1 is worth for a quantity of 1."""
    currency: str = "USD"
    """What it is paid in: price, value and fees unless a fill says otherwise."""
    calendar: str
    """Name of the calendar of its sessions (`engine.calendars`)."""
    shortable: bool = True
    min_notional: Decimal = Decimal(0)
    """The smallest amount of an order that opens exposure, in `currency`."""
    contract: Contract | None = None
    """The fields of its kind; None for a stock or a fund."""
    as_of: datetime.date | None = None
    """The day of the facts; None where their source has no date."""
    source: str = ""
    """Where the facts come from; empty for what the id alone says."""
    fault: str = ""
    """Why nothing may be opened in it, in one sentence: its facts contradict each other or miss
    what its kind needs. Empty where they do not."""

    @property
    def underlying(self) -> str:
        """What risk adds up by: an option's underlying, a future's root, else the id itself."""
        if self.contract is None:
            return self.symbol  # most are stocks, and every sum of exposure asks
        match self.contract:
            case OptionContract(underlying=underlying):
                return underlying
            case FutureContract(root=root):
                return root
            case _:
                return self.symbol

    @property
    def coin(self) -> str:
        """The asset that a holding of it consists of; "" for what is a share, a contract or money.

        A coin that was bought can be spent, as for a commission. A position in a pair of currencies
        is a contract on margin, and money of its name is cash.
        """
        if self.asset_class is AssetClass.CRYPTO and isinstance(self.contract, Pair):
            return self.contract.base if self.multiplier == ONE else ""
        return ""

    @property
    def last_day(self) -> datetime.date | None:
        """The last day on which it trades; None for what does not expire.

        Where only the month of a future is known, that is the last day of the month.
        """
        match self.contract:
            case OptionContract(expiry=day):
                return day
            case FutureContract(expiry=expiry) if expiry:
                return _last_day(expiry)
            case _:
                return None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody states of an instrument; None where nothing is stated."""

    asset_class: AssetClass | None = None
    tick: Decimal | None = None
    lot: Decimal | None = None
    multiplier: Decimal | None = None
    currency: str | None = None
    calendar: str | None = None
    shortable: bool | None = None
    underlying: str | None = None
    """Of an option; of a future, its root."""
    expiry: str | None = None
    """`YYYY-MM-DD`, or `YYYY-MM` of a future."""
    strike: Decimal | None = None
    right: OptionRight | None = None
    as_of: datetime.date | None = None
    source: str = ""


class _Defaults(NamedTuple):
    """The facts of a kind where nobody states others; a multiplier of None must be stated."""

    tick: Decimal
    lot: Decimal
    multiplier: Decimal | None
    calendar: str
    shortable: bool


_CENT: Final = Decimal("0.01")
_SHARE: Final = _Defaults(_CENT, ONE, ONE, "XNYS", shortable=True)

_DEFAULTS: Final[dict[AssetClass, _Defaults]] = {
    AssetClass.STOCK: _SHARE,
    AssetClass.ETF: _SHARE,
    # Crypto spot cannot be sold short (C-157).
    AssetClass.CRYPTO: _Defaults(_CENT, Decimal("0.00000001"), ONE, "24/7", shortable=False),
    AssetClass.FX: _Defaults(Decimal("0.00001"), ONE, ONE, "FX", shortable=True),
    # What a sold option may cost has no bound, and its premium says nothing of that: it adds to
    # exposure as its underlying does, which needs a delta. Until there is one it can only
    # be bought, unless a table says otherwise.
    AssetClass.OPTION: _Defaults(_CENT, ONE, Decimal(100), "XNYS", shortable=False),
    AssetClass.FUTURE: _Defaults(_CENT, ONE, None, "XNYS", shortable=True),
}

_SEPARATORS: Final = {AssetClass.CRYPTO: "-", AssetClass.FX: "_"}
_RIGHTS: Final = {"C": OptionRight.CALL, "P": OptionRight.PUT}

_FIRST_YEAR: Final = 1970
_LAST_YEAR: Final = 2199
"""Nanoseconds in 64 bits hold every moment of these years."""

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_ID: Final = re.compile(
    r"(?P<word>[A-Za-z0-9][A-Za-z0-9._/-]{0,31})"
    r"(?: (?P<day>\d{4}-\d{2}-\d{2})"
    r" (?P<strike>0\.\d{0,7}[1-9]|[1-9]\d{0,8}(?:\.\d{0,7}[1-9])?)"
    r" (?P<right>[CP])"
    r"| (?P<month>\d{4}-\d{2}))?",
    re.ASCII,
)

SYMBOLS_KEPT: Final = 4_096
"""So many answers about symbols are kept. They follow from the text alone, and one that was not
traded yet was read ten times in a ruling, a sixth of its time."""

SYMBOL_WORDS: Final = (
    "letters, digits, dot, dash, slash or underscore, at most 32, and for a contract its terms "
    "(AAPL 2026-12-18 200 C, ES 2026-12)"
)
"""What an id may be, for a sentence that refuses one."""


def symbol_of(text: str) -> str:
    """The id that a text is: one word, or one with the terms of an option or a future.

    There is one way to write a contract: a strike has no sign, exponent or trailing zero. Raises
    InstrumentError for any other text, and for a date that does not exist.
    """
    if _ID.fullmatch(text) is None:
        raise InstrumentError(f"{clean_text(text, 64)!r} is not a symbol: {SYMBOL_WORDS}")
    parse(text)
    return text


@lru_cache(maxsize=SYMBOLS_KEPT)
def is_symbol(text: str) -> bool:
    """Whether `symbol_of` takes a text."""
    try:
        symbol_of(text)
    except InstrumentError:
        return False
    return True


def parse(symbol: str) -> tuple[AssetClass, Contract | None]:
    """The kind of an id and the fields that it states, by its shape alone.

    What has no other shape, or is no id, is a stock. Raises InstrumentError for a date that does
    not exist.
    """
    match = _ID.fullmatch(symbol)
    if match is None:
        return AssetClass.STOCK, None
    if match["day"]:
        contract = OptionContract(
            underlying=match["word"],
            expiry=_date(match["day"], symbol),
            strike=Decimal(match["strike"]),
            right=_RIGHTS[match["right"]],
        )
        return AssetClass.OPTION, contract
    if match["month"]:
        _date(f"{match['month']}-01", symbol)
        return AssetClass.FUTURE, FutureContract(root=match["word"], expiry=match["month"])
    for asset_class, separator in _SEPARATORS.items():
        if separator in symbol:
            return asset_class, _pair(symbol, separator)
    return AssetClass.STOCK, None


def class_of(symbol: str) -> AssetClass:
    """The kind of an id, by its shape alone. Raises InstrumentError as `parse` does."""
    return parse(symbol)[0]


@lru_cache(maxsize=SYMBOLS_KEPT)
def default_instrument(symbol: str, calendar: str = "") -> Instrument:
    """The instrument that a text stands for when no table says otherwise.

    `calendar` replaces that of the kind; the simulated market has one of its own. It never fails:
    what makes no instrument, such as a future, whose multiplier is in no id, has a `fault`.
    """
    try:
        return instrument_of(symbol, Facts(calendar=calendar or None))
    except InstrumentError as error:
        return _faulty(symbol, calendar, str(error))


def instrument_of(symbol: str, facts: Facts) -> Instrument:
    """The instrument of an id: what is stated, else what the id says, else what its kind is.

    Raises InstrumentError for what is no id, and where facts contradict the id or each other, or
    miss what the kind needs.
    """
    shape, told = parse(symbol_of(symbol))
    asset_class = facts.asset_class or shape
    if isinstance(told, OptionContract | FutureContract):
        _agree(symbol, "asset_class", shape, asset_class)
    contract = _contract(symbol, asset_class, told if asset_class is shape else None, facts)
    default = _DEFAULTS[asset_class]
    multiplier = default.multiplier if facts.multiplier is None else facts.multiplier
    if multiplier is None:
        raise InstrumentError(
            f"{symbol} is a future without a multiplier: the table of instruments must state it"
        )
    currency = facts.currency
    if isinstance(contract, Pair):
        currency = currency or contract.quote
        if currency != contract.quote:
            raise InstrumentError(
                f"currency is {currency}, but {symbol} is paid in {contract.quote}"
            )
    made = Instrument(
        symbol=symbol,
        asset_class=asset_class,
        tick=_or(facts.tick, default.tick),
        lot=_or(facts.lot, default.lot),
        multiplier=multiplier,
        currency=currency or "USD",
        calendar=facts.calendar or default.calendar,
        shortable=_or(facts.shortable, default.shortable),
        contract=contract,
        as_of=facts.as_of,
        source=facts.source,
    )
    for name in ("tick", "lot", "multiplier"):
        if not is_positive(value := getattr(made, name)):
            raise InstrumentError(f"{name} of {symbol} is {value}: a number above 0 is allowed")
    return made


def _faulty(symbol: str, calendar: str, fault: str) -> Instrument:
    """What is known of a text that makes no instrument."""
    try:
        asset_class, contract = parse(symbol)
    except InstrumentError:
        asset_class, contract = AssetClass.STOCK, None
    default = _DEFAULTS[asset_class]
    return Instrument(
        symbol=symbol,
        asset_class=asset_class,
        tick=default.tick,
        lot=default.lot,
        calendar=calendar or default.calendar,
        shortable=default.shortable,
        contract=contract,
        fault=fault,
    )


def completed(instrument: Instrument) -> Instrument:
    """An instrument as version 0.1.0 wrote it, with the contract that its id states.

    Version 0.1.0 knew no contracts. Where id, kind and currency do not agree it stays without one.
    """
    if instrument.contract is not None:
        return instrument
    symbol, kind = instrument.symbol, instrument.asset_class
    contract: Contract | None = None
    if kind is AssetClass.FUTURE:
        contract = FutureContract(root=symbol)
    elif kind in _SEPARATORS and _SEPARATORS[kind] in symbol:
        pair = _pair(symbol, _SEPARATORS[kind])
        contract = pair if pair is not None and pair.quote == instrument.currency else None
    return msgspec.structs.replace(instrument, contract=contract)


def _contract(
    symbol: str, asset_class: AssetClass, told: Contract | None, facts: Facts
) -> Contract | None:
    """The fields of the kind, from the id and from what is stated."""
    match asset_class:
        case AssetClass.OPTION:
            return _option(symbol, told, facts)
        case AssetClass.FUTURE:
            return _future(symbol, told, facts)
    for name in ("underlying", "expiry", "strike", "right"):
        if getattr(facts, name) is not None:
            raise InstrumentError(
                f"{name} is stated of {symbol}, which is of class {asset_class}: only options and "
                "futures have one"
            )
    if asset_class in _SEPARATORS and told is None:
        separator = _SEPARATORS[asset_class]
        raise InstrumentError(
            f"{symbol} names no pair of currencies: "
            f"BASE{separator}QUOTE is allowed for {asset_class}"
        )
    return told


def _option(symbol: str, told: Contract | None, facts: Facts) -> OptionContract:
    if isinstance(told, OptionContract):
        _agree(symbol, "underlying", told.underlying, facts.underlying)
        _agree(symbol, "expiry", told.expiry.isoformat(), facts.expiry)
        _agree(symbol, "strike", told.strike, facts.strike)
        _agree(symbol, "right", told.right, facts.right)
        return told
    if not facts.underlying or not facts.expiry or facts.strike is None or facts.right is None:
        raise InstrumentError(
            f"{symbol} is an option without underlying, expiry, strike and right: all four are "
            "needed, in the id (AAPL 2026-12-18 200 C) or in their columns"
        )
    if not is_positive(facts.strike):
        raise InstrumentError(f"strike of {symbol} is {facts.strike}: a number above 0 is allowed")
    return OptionContract(
        underlying=facts.underlying,
        expiry=_date(facts.expiry, symbol),
        strike=facts.strike,
        right=facts.right,
    )


def _future(symbol: str, told: Contract | None, facts: Facts) -> FutureContract:
    for name in ("strike", "right"):
        if getattr(facts, name) is not None:
            raise InstrumentError(f"{name} is stated of {symbol}, which is a future and has none")
    expiry = facts.expiry or ""
    if expiry:
        _date(expiry if len(expiry) != 7 else f"{expiry}-01", symbol)
    if isinstance(told, FutureContract):
        _agree(symbol, "underlying", told.root, facts.underlying)
        # A day may be stated beside the month of the id.
        _agree(symbol, "expiry", told.expiry, expiry[:7] or None)
        return msgspec.structs.replace(told, expiry=expiry or told.expiry)
    return FutureContract(root=facts.underlying or symbol, expiry=expiry)


def _agree(symbol: str, name: str, told: object, stated: object | None) -> None:
    if stated is not None and stated != told:
        raise InstrumentError(
            f"{name} is {clean_text(str(stated), 32)}, but the id {symbol} says {told}"
        )


def _pair(symbol: str, separator: str) -> Pair | None:
    base, _, quote = symbol.rpartition(separator)
    return Pair(base=base, quote=quote) if base and quote else None


def _date(text: str, symbol: str) -> datetime.date:
    try:
        if not _DAY.fullmatch(text) or not _FIRST_YEAR <= int(text[:4]) <= _LAST_YEAR:
            raise ValueError
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise InstrumentError(
            f"the expiry of {symbol} is {clean_text(text, 32)!r}: a date that exists, from "
            f"{_FIRST_YEAR} to {_LAST_YEAR}, is allowed (2026-12-18)"
        ) from None


def _last_day(expiry: str) -> datetime.date:
    if len(expiry) != 7:
        return datetime.date.fromisoformat(expiry)
    year, month = int(expiry[:4]), int(expiry[5:])
    return datetime.date(year, month, monthrange(year, month)[1])


def _or(stated: T | None, default: T) -> T:
    return default if stated is None else stated
