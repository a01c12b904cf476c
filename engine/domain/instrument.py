"""What can be traded: the kinds of instrument, their ids and their facts (U-10).

An id is ours, never a venue's, and its shape says the kind:

| id | kind |
|---|---|
| `AAPL 2026-12-18 200 C` | option: underlying, expiry, strike, call or put |
| `ES 2013-12` | future: root, month of expiry |
| `BTC-USD` | crypto pair: base, quote |
| `EUR_USD` | FX pair: base, quote |
| `AAPL` | stock |

A table of the user's may name further ids, such as `ESZ3`, and say what they are. A kind is a file
in `engine.domain.instruments` and a row of `AssetClass`.
"""

import datetime
import re
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache, reduce
from operator import or_
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import msgspec

from engine.domain.instruments.future import FUTURE
from engine.domain.instruments.kind import Contract, InstrumentError, Kind, Reader, Terms, agree
from engine.domain.instruments.option import OPTION
from engine.domain.instruments.pair import CRYPTO, FX, Pair
from engine.domain.instruments.stock import ETF, STOCK
from engine.domain.money import ONE, ZERO, grid_within, is_positive, plain
from engine.domain.text import clean_text

T = TypeVar("T")


class AssetClass(StrEnum):
    """The kinds of instrument: a row is a kind's name and what it says of itself.

    The first is what an id stands for that has the shape of none.
    """

    kind: Kind

    STOCK = "stock", STOCK
    CRYPTO = "crypto", CRYPTO
    FX = "fx", FX
    ETF = "etf", ETF
    OPTION = "option", OPTION
    FUTURE = "future", FUTURE

    def __new__(cls, name: str, kind: Kind) -> Self:
        """A row of the table."""
        row = str.__new__(cls, name)
        row._value_ = name
        row.kind = kind
        return row


_UNSHAPED: Final = next(iter(AssetClass))

if TYPE_CHECKING:
    AnyContract = Contract
else:
    # A schema lists those first that only an id of their own can name, as it always did.
    _rows = sorted(AssetClass, key=lambda row: not row.kind.only_by_id)
    AnyContract = reduce(or_, {row.kind.contract: None for row in _rows if row.kind.contract})
    """The contracts of all kinds: what a journal is read by."""


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
    contract: AnyContract | None = None
    """The fields of its kind; None for a kind without any, as a stock or a fund."""
    as_of: datetime.date | None = None
    """The day of the facts; None where their source has no date."""
    source: str = ""
    """Where the facts come from; empty for what the id alone says."""
    fault: str = ""
    """Why nothing may be opened in it, in one sentence: its facts contradict each other or miss
    what its kind needs. Empty where they do not."""
    tick_stated: bool = False
    """Whether a table or a venue states `tick`; else it is its kind's, and follows the price."""
    tick_of_venue: bool | msgspec.UnsetType = msgspec.UNSET
    """Whether its own venue states `tick`: orders are on that grid there, however coarse it is.
    Unset says that it does not."""

    def tick_at(self, price: Decimal) -> Decimal:
        """The grid of prices near this one.

        A kind's tick becomes finer for a price that it cannot hold, as that of a coin at 0.00001.
        One that is stated stays; 0 where it cannot hold the price, so that nothing is rounded to a
        number far from it.
        """
        widest = self.widest_tick(price)
        if widest is None or self.tick <= widest:
            return self.tick
        return ZERO if self.tick_stated else grid_within(widest)

    def widest_tick(self, price: Decimal) -> Decimal | None:
        """The largest tick that can hold this price; None where its kind has no such limit, and
        for what is no price."""
        coarsest = None if self.tick_of_venue is True else self.asset_class.kind.coarsest
        return None if coarsest is None or not is_positive(price) else price * coarsest

    def tick_fault(self, price: Decimal) -> str:
        """Why the tick that is stated cannot hold this price, in one sentence without its full
        stop; "" where it can."""
        widest = self.widest_tick(price)
        if widest is None or self.tick_at(price):
            return ""
        return (
            f"the tick of {self.symbol} is {plain(self.tick)}, {self.tick / price:.4%} of its "
            f"price {plain(price)}; at most {widest / price:.1%} is allowed"
        )

    @property
    def underlying(self) -> str:
        """What it derives from: an option's underlying, a future's root, else the id itself."""
        contract = self.contract
        return self.symbol if contract is None else contract.counts_as(self.symbol)

    @property
    def leans_on(self) -> str:
        """The id of the instrument whose price says what it counts as exposure; "" for its own."""
        contract = self.contract
        return "" if contract is None else contract.leans_on

    @property
    def lean(self) -> int:
        """Which way what is held of it is a bet on `underlying`: +1 where it gains as that rises,
        -1 where it loses."""
        contract = self.contract
        return 1 if contract is None else contract.lean

    @property
    def coin(self) -> str:
        """The asset that a holding of it consists of; "" for what is a share, a contract or money.

        A coin that was bought can be spent, as for a commission. What moves by more than its own
        price is a contract.
        """
        pair = self.contract
        if isinstance(pair, Pair) and self.asset_class.kind.is_coin and self.multiplier == ONE:
            return pair.base
        return ""

    @property
    def last_day(self) -> datetime.date | None:
        """The last day on which it trades; None for what does not expire."""
        contract = self.contract
        return None if contract is None else contract.last_day


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody states of an instrument; None where nothing is stated."""

    asset_class: AssetClass | None = None
    tick: Decimal | None = None
    lot: Decimal | None = None
    multiplier: Decimal | None = None
    currency: str | None = None
    calendar: str | None = None
    shortable: bool | None = None
    terms: dict[str, Any] = {}
    """Fields of its kind, by name: those of `TERMS`."""
    as_of: datetime.date | None = None
    source: str = ""


TERMS: Final[dict[str, Reader]] = {}
"""Fields that may be stated of one kind or another, with what reads each from a text. A name means
the same in every kind that has it."""
for _row in AssetClass:
    for _name, _reader in _row.kind.terms.items():
        TERMS.setdefault(_name, _reader)

_ID: Final = re.compile(
    "|".join(f"(?P<{row.name}>{row.kind.shape})" for row in AssetClass if row.kind.shape), re.ASCII
)

SYMBOLS_KEPT: Final = 4_096
"""So many answers about symbols are kept. They follow from the text alone, and one that was not
traded yet was read ten times in a ruling, a sixth of its time."""

_EXAMPLES: Final = ", ".join(row.kind.example for row in AssetClass if row.kind.example)

SYMBOL_WORDS: Final = (
    "letters, digits, dot, dash, slash or underscore, at most 32, and for a contract its terms "
    f"({_EXAMPLES})"
)
"""What an id may be, for a sentence that refuses one."""


def is_symbol(text: str) -> bool:
    """Whether `symbol_of` takes a text."""
    return not symbol_fault(text)


@lru_cache(maxsize=SYMBOLS_KEPT)
def symbol_fault(text: str) -> str:
    """Why `symbol_of` takes a text not, in one sentence without its full stop; "" where it does."""
    try:
        _read(text)
    except InstrumentError as error:
        return str(error)
    return ""


def symbol_of(text: str) -> str:
    """The id that a text is: one word, or one with the terms of an option or a future.

    There is one way to write a contract: a strike has no sign, exponent or trailing zero. Raises
    InstrumentError for any other text, and for a date that does not exist.
    """
    _read(text)
    return text


def parse(symbol: str) -> tuple[AssetClass, Contract | None]:
    """The kind of an id and the fields that it states, by its shape alone.

    What is no id is a stock. Raises InstrumentError for a date that does not exist.
    """
    if _ID.fullmatch(symbol) is None:
        return _UNSHAPED, None
    return _read(symbol)


def _read(text: str) -> tuple[AssetClass, Contract | None]:
    """The kind of an id and the fields that it states. Raises InstrumentError for what is no id."""
    found = _ID.fullmatch(text)
    if found is None or found.lastgroup is None:
        raise InstrumentError(f"{clean_text(text, 64)!r} is not a symbol: {SYMBOL_WORDS}")
    # The groups of a shape close before the shape's own.
    row = AssetClass[found.lastgroup]
    return row, row.kind.read(found, text)


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
    shape, told = _read(symbol)
    asset_class = facts.asset_class or shape
    if shape.kind.only_by_id:
        agree(symbol, "asset_class", shape, asset_class)
    kind = asset_class.kind
    terms = {name: value for name, value in facts.terms.items() if value is not None}
    _check_terms(symbol, asset_class, terms)
    contract = kind.make(symbol, told if asset_class is shape else None, terms)
    multiplier = kind.multiplier if facts.multiplier is None else facts.multiplier
    if multiplier is None:
        raise InstrumentError(
            f"{symbol} is {kind.noun} without a multiplier: the table of instruments must state it"
        )
    paid_in = "" if contract is None else contract.paid_in
    currency = facts.currency or paid_in
    if paid_in and currency != paid_in:
        raise InstrumentError(f"currency is {currency}, but {symbol} is paid in {paid_in}")
    if contract is not None and contract.leans_on:
        currency = _paid_by_id(symbol, contract.leans_on, currency)
    made = Instrument(
        symbol=symbol,
        asset_class=asset_class,
        tick=_or(facts.tick, kind.tick),
        lot=_or(facts.lot, kind.lot),
        multiplier=multiplier,
        currency=currency or "USD",
        calendar=facts.calendar or kind.calendar,
        shortable=_or(facts.shortable, kind.shortable),
        contract=contract,
        as_of=facts.as_of,
        source=facts.source,
        tick_stated=facts.tick is not None,
    )
    for name in ("tick", "lot", "multiplier"):
        if not is_positive(value := getattr(made, name)):
            raise InstrumentError(f"{name} of {symbol} is {value}: a number above 0 is allowed")
    return made


def paid_as(instrument: Instrument, underlying: Instrument, *, stated: bool) -> Instrument:
    """The instrument, paid in the currency of what it leans on.

    Its strike and its price are amounts of one unit of that, and so is what exercising it brings.
    `stated` is whether somebody states its own currency: raises InstrumentError where that is
    another one.
    """
    if instrument.currency == underlying.currency:
        return instrument
    if stated:
        raise InstrumentError(
            _other_currency(instrument.currency, underlying.symbol, underlying.currency)
        )
    return msgspec.structs.replace(instrument, currency=underlying.currency)


def _paid_by_id(symbol: str, leans_on: str, stated: str) -> str:
    """The currency of what leans on another instrument as far as ids say; "" where they do not.

    Raises InstrumentError where it leans on itself, or the other id says another than is stated.
    """
    if leans_on == symbol:
        raise InstrumentError(f"the underlying of {symbol} is itself: another id is allowed")
    try:
        underlying = parse(leans_on)[1]
    except InstrumentError:
        return stated
    paid_in = "" if underlying is None else underlying.paid_in
    if stated and paid_in and stated != paid_in:
        raise InstrumentError(_other_currency(stated, leans_on, paid_in))
    return stated or paid_in


def _other_currency(stated: str, underlying: str, paid_in: str) -> str:
    return f"currency is {stated}, but the underlying {underlying} is paid in {paid_in}"


def _faulty(symbol: str, calendar: str, fault: str) -> Instrument:
    """What is known of a text that makes no instrument."""
    try:
        asset_class, contract = parse(symbol)
    except InstrumentError:
        asset_class, contract = _UNSHAPED, None
    kind = asset_class.kind
    return Instrument(
        symbol=symbol,
        asset_class=asset_class,
        tick=kind.tick,
        lot=kind.lot,
        calendar=calendar or kind.calendar,
        shortable=kind.shortable,
        contract=contract,
        fault=fault,
    )


def _check_terms(symbol: str, asset_class: AssetClass, terms: Terms) -> None:
    """Every field that is stated is one of the kind. Raises InstrumentError."""
    kind = asset_class.kind
    for name, value in terms.items():
        if name not in kind.terms and kind.terms:
            raise InstrumentError(
                f"{name} is stated of {symbol}, which is {kind.noun} and has none"
            )
        if name not in kind.terms:
            *others, last = [row.kind.plural for row in AssetClass if row.kind.terms]
            raise InstrumentError(
                f"{name} is stated of {symbol}, which is of class {asset_class}: only "
                f"{', '.join(others)} and {last} have one"
            )
        if name == "underlying" and not is_symbol(value):
            raise InstrumentError(f"underlying is {clean_text(value, 48)!r}: {SYMBOL_WORDS}")


def _or(stated: T | None, default: T) -> T:
    return default if stated is None else stated
