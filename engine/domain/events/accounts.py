"""Instruments, balances and the accounting day."""

import datetime
from decimal import Decimal

import msgspec

from engine.domain.account import Account
from engine.domain.events.base import Event
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.money import ONE


class InstrumentLearned(Event, frozen=True, kw_only=True):
    """The grid and calendar of a symbol, before its first order."""

    instrument: Instrument


class AccountSynced(Event, frozen=True, kw_only=True):
    """The venue's own balances, taken over; `flow` is the part trading does not explain."""

    account: str
    balances: Account
    flow: Decimal = Decimal(0)
    """In the account's own currency."""
    rate: Decimal = ONE
    """What one unit of the account's own currency was worth in the base currency."""


class AccountLeft(Event, frozen=True, kw_only=True):
    """This process works without an account that the one before it had; it holds nothing.

    What it is worth is no longer counted. That is a transfer, and no loss.
    """

    account: str
    equity: Decimal
    """What it was last worth, in the base currency."""


class AccountReturned(Event, frozen=True, kw_only=True):
    """An account that was left out counts again. What it is worth is a transfer, and no profit."""

    account: str
    equity: Decimal
    """What it was last worth, in the base currency."""


class SessionOpened(Event, frozen=True, kw_only=True):
    """An accounting day began (X-12); the daily limits count from here."""

    date: datetime.date
    starting_equity: Decimal
    unrealized: Decimal


class SessionClosed(Event, frozen=True, kw_only=True):
    """The accounting day as it ended, or so far when a kill struck (A-402, A-407)."""

    date: datetime.date
    starting_equity: Decimal
    ending_equity: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    """Change of unrealised profit over the day."""
    total_trades: int
    winning_trades: int
    losing_trades: int
    max_drawdown: Decimal
    kill_switch_triggered: bool
    fees: Decimal
    flows: Decimal
    final: bool
    """False for the row a kill writes in the middle of the day."""


class CurrencyValued(Event, frozen=True, kw_only=True):
    """What a currency is worth became known for the first time (X-86).

    What is held and owed in it counts from here on, as if it had when the day began: it is no
    profit.
    """

    currency: str
    rate: Decimal
    """Worth of one unit, in the base currency."""
    equity: Decimal
    """What it adds to equity, in the base currency."""
    unrealized: Decimal
    """What of that is unrealised profit."""


class EquityMarked(Event, frozen=True, kw_only=True):
    """Equity at current marks, its high-water mark and the fall from it; the equity curve.

    In the place of a price that is taken for a bad tick stands the one that has evidence (X-71).
    """

    equity: Decimal
    peak: Decimal
    drawdown: Decimal
    """Fraction of the peak, 0 or more."""
    marks: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """Price of everything held that these leaned on."""
    rates: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """Worth of every other currency that these leaned on, in the base currency."""
    day_drawdown: Decimal | None = None
    """The same fall from the highest of the accounting day (A-402); None in an event from before
    it was told."""
    rate_times: dict[str, Nanos] = msgspec.field(default_factory=dict)
    """When the quote of a pair told it; a currency whose worth is of reference data is left out."""
