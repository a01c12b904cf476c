"""Instruments, balances and the accounting day."""

import datetime
from decimal import Decimal

import msgspec

from engine.domain.account import Account, MovementKind
from engine.domain.events.base import Event
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.money import ONE, ZERO
from engine.domain.order import Fill


class InstrumentLearned(Event, frozen=True, kw_only=True):
    """The grid and calendar of a symbol, before its first order."""

    instrument: Instrument


class InstrumentStated(Event, frozen=True, kw_only=True):
    """What its venue states of a symbol: it counts in that account alone."""

    account: str
    instrument: Instrument


class AccountSynced(Event, frozen=True, kw_only=True):
    """The venue's own balances, taken over, but for cash that nothing explains (X-75).

    The first one of an account begins its history: what is held there was told before it.
    """

    account: str
    balances: Account
    flow: Decimal = Decimal(0)
    """In the account's own currency, as older programs booked what trading did not explain."""
    rate: Decimal = ONE
    """What one unit of the account's own currency was worth in the base currency."""
    asked_at: Nanos = 0
    """When the venue was asked; 0 where an older program wrote it."""
    worth: Decimal | None = None
    """At the first look: cash and what is held at its marks, in the base currency, without what is
    in a currency of which nobody has told the worth. None later, and where an older program wrote
    it: then it is the venue's equity."""
    history: tuple[Fill, ...] = ()
    """At the first look: executions that came with it and whose time does not tell that they were
    before it. They are part of what is held, and none of them is taken."""


class UnexplainedHolding(msgspec.Struct, frozen=True, kw_only=True):
    """What an account holds more, or less, at the venue than here."""

    symbol: str
    quantity: Decimal
    """The venue's less ours, signed."""
    price: Decimal
    """The average price it is counted at where the symbol has no mark."""
    multiplier: Decimal = ONE


class UnexplainedChanged(Event, frozen=True, kw_only=True):
    """What of an account's cash and holdings at the venue nothing explains, from this look on.

    It is part of equity, and of no profit, transfer or peak (X-75). Empty: all is explained.
    """

    account: str
    cash: dict[str, Decimal] = msgspec.field(default_factory=dict)
    """The venue's less ours, by currency."""
    holdings: tuple[UnexplainedHolding, ...] = ()


class CashAdjusted(Event, frozen=True, kw_only=True):
    """The venue's cash was taken over where nothing explains it: no profit, and no transfer."""

    account: str
    amounts: dict[str, Decimal]
    """What cash rises by, by currency."""
    value: Decimal
    """The same in the base currency."""
    reason: str
    by: str


class CashMoved(Event, frozen=True, kw_only=True):
    """Cash moved without a trade, as the venue's account history says.

    A transfer is neither profit nor loss; everything else is realised (X-75).
    """

    account: str
    movement_id: str
    kind: MovementKind
    currency: str
    amount: Decimal
    """What cash rose by, negative where it fell."""
    rate: Decimal
    """What one unit of the currency was worth in the base currency; 0 where nobody knows."""
    time: Nanos
    """When it was booked, by the venue's clock."""


class CashMovementLeftOut(Event, frozen=True, kw_only=True):
    """A person decided that a line of the venue's history of cash, which cannot be read, is waited
    for no longer: what it moved is cash that nothing explains, whatever the line says later (X-69).
    """

    account: str
    movement_id: str
    """The venue's id of the line; of one that has none, `fault`."""
    fault: str
    """Why it cannot be read."""
    by: str


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


class SessionOpened(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An accounting day began (X-12); the daily limits count from here."""

    date: datetime.date
    starting_equity: Decimal
    unrealized: Decimal
    unexplained: Decimal = ZERO
    """What of the starting equity nothing explained then."""


class SessionClosed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The accounting day as it ended, or so far when a kill struck (A-402, A-407)."""

    date: datetime.date
    starting_equity: Decimal
    ending_equity: Decimal
    realized_pnl: Decimal
    unrealized_pnl: Decimal
    """Change of unrealised profit over the day, what moves of rates made of it included."""
    total_trades: int
    winning_trades: int
    losing_trades: int
    max_drawdown: Decimal
    kill_switch_triggered: bool
    fees: Decimal
    flows: Decimal
    final: bool
    """False for the row a kill writes in the middle of the day."""
    adjustment: Decimal = ZERO
    """What was adopted from the venue, or stands unexplained, since the day began (X-75)."""


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
    day_peak: Decimal | None = None
    """The highest of the accounting day; None in an event from before it was told."""
    day_drawdown: Decimal | None = None
    """The same fall from the highest of the accounting day (A-402); None in an event from before
    it was told."""
    rate_times: dict[str, Nanos] = msgspec.field(default_factory=dict)
    """When the quote of a pair told it; a currency whose worth is of reference data is left out."""
