"""What a screen is shown: plain frozen values, made anew from the state whenever they change.

Money is Decimal in the currency that stands beside it, times are UTC nanoseconds, shares are
fractions of 1. Values of `engine.domain` appear as they are.
"""

from decimal import Decimal

import msgspec

from engine.domain.codes import Answer, Outcome, Verdict
from engine.domain.events import CheckResult, Difference, Refusal, SignalDecided
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.market import Depth, Quote
from engine.domain.order import Liquidity, OrderStatus, OrderType, Purpose, Side, TimeInForce
from engine.domain.run import Flatten, Halt, KillState, LinkState, Mode, Phase, RunState
from engine.domain.signal import Signal, TradeType


class Settings(msgspec.Struct, frozen=True):
    """What is fixed for the life of the process."""

    mode: Mode
    profile: str
    account: str
    """The name of the primary account under `[brokers]`."""
    currency: str
    """The base currency: what is paid in another one says so."""
    symbols: tuple[str, ...]
    flatten: Flatten
    """What a kill closes unless it says otherwise (`kill.flatten`)."""
    quote_max_age_seconds: int
    gross_limit: Decimal | None
    """Gross exposure allowed, as a fraction of equity; None is no limit."""
    loss_counts_from: Decimal | None
    """The smallest loss, as a share of the entry, that counts as one of those in a row."""
    drawdown_limit: Decimal | None
    kept_here: bool
    """The books of every account are in this state folder, so that `reset` begins all of them
    afresh."""


class LinkRow(msgspec.Struct, frozen=True):
    """The connection of one account."""

    account: str
    state: LinkState
    since: Nanos
    detail: str
    silent_since: Nanos
    """When the question was asked that the venue does not answer (X-84); 0: it answers."""
    unseen_since: Nanos
    """When the account was last seen, where that is too long ago for an entry (X-84); else 0."""


class RunView(msgspec.Struct, frozen=True):
    """What the engine may do now, and why no more."""

    state: RunState
    phase: Phase
    paused: bool
    pause_reason: str
    halt: Halt | None
    journal_failed: bool
    unknown: int
    """Orders that are UNKNOWN."""
    positions: int
    orders: int
    """Orders that work, UNKNOWN ones included."""
    cancellable: int
    """Working orders that protect nothing."""
    letters: int
    """Orders that could not be sent."""
    blocked: tuple[tuple[str, tuple[str, ...]], ...]
    """Symbols whose entries are blocked, each with its causes."""
    restrictions: tuple[tuple[str, str], ...]
    """Causes that allow only reducing, each with its reason."""
    barred: tuple[tuple[str, tuple[str, ...]], ...]
    """Accounts that take no entries, each with why."""


class PortfolioView(msgspec.Struct, frozen=True):
    """All accounts together, in the base currency."""

    currency: str
    equity: Decimal
    cash: Decimal
    market_value: Decimal
    """Signed value of everything held."""
    gross: Decimal
    """Gross value of everything held, and of the entries that work."""
    unrealized: Decimal
    day: Decimal
    """Profit of the session, fees included, transfers not (X-13)."""
    day_start: Decimal | None
    """Equity when the session began; None before the first."""
    drawdown: Decimal
    """Fall from the highest equity, as a fraction of it."""
    unvalued: tuple[str, ...]
    """Currencies that something is held or owed in and that have no fresh rate (X-86)."""


class AccountRow(msgspec.Struct, frozen=True):
    """One account, in its own currency."""

    account: str
    """Its name under `[brokers]`."""
    account_id: str
    currency: str
    equity: Decimal
    cash: Decimal
    buying_power: Decimal


class PositionRow(msgspec.Struct, frozen=True):
    """One holding at the newest price known. `key` names it to the desk."""

    key: str
    account: str
    currency: str
    instrument: Instrument
    quantity: Decimal
    """Signed: positive is long."""
    average_price: Decimal
    last: Decimal | None
    fresh: bool
    """False when the price is too old to trade on."""
    price_age: Nanos | None
    """How old it is; None without a price."""
    unrealized: Decimal | None
    unrealized_share: Decimal | None
    """Of what it cost."""
    realized: Decimal
    """Profit of what was closed since it was opened, fees taken off."""
    value: Decimal
    """Signed, at the newest price."""
    equity_share: Decimal | None
    stop: Decimal | None
    target: Decimal | None
    covered: Decimal
    """How much of it the venue's own stops protect."""
    closing: bool
    r_multiple: Decimal | None
    """Profit in units of the risk taken at entry; None without an initial stop."""
    hold: TradeType
    opened_at: Nanos
    age: Nanos
    split: str = ""
    """The ratio of a split that its price looks like, as 7:1: it is frozen (X-93)."""

    @property
    def symbol(self) -> str:
        """The instrument's id."""
        return self.instrument.symbol


class OrderRow(msgspec.Struct, frozen=True):
    """One order, as it was asked for and as it stands."""

    client_order_id: str
    venue_order_id: str
    account: str
    currency: str
    instrument: Instrument
    side: Side
    type: OrderType
    quantity: Decimal
    filled: Decimal
    average_price: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    time_in_force: TimeInForce
    status: OrderStatus
    purpose: Purpose
    reject_code: str
    reason: str
    created_at: Nanos
    updated_at: Nanos

    @property
    def symbol(self) -> str:
        """The instrument's id."""
        return self.instrument.symbol

    @property
    def protective(self) -> bool:
        """True for a stop that rests at the venue to protect a position."""
        return self.purpose is Purpose.PROTECT

    @property
    def working(self) -> bool:
        """True until it is terminal; UNKNOWN counts."""
        return not self.status.is_terminal


class FillRow(msgspec.Struct, frozen=True):
    """One fill; `seq` is its place in the journal."""

    seq: int
    time: Nanos
    account: str
    currency: str
    instrument: Instrument
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal
    commission_currency: str
    """The asset it was taken in."""
    liquidity: Liquidity
    client_order_id: str
    late: bool
    overfill: Decimal
    known_order: bool


class SignalRow(msgspec.Struct, frozen=True):
    """One signal from its arrival to its outcome, with every check that was asked."""

    signal: Signal | Refusal
    """What was asked; of a signal that an overload refused its id and symbol alone (X-89)."""
    instrument: Instrument
    time: Nanos
    seq: int
    decided: SignalDecided | None = None
    outcome: Outcome | None = None
    outcome_code: str = ""

    @property
    def state(self) -> str:
        """The code that ended it, its outcome, or its verdict so far."""
        if self.decided is not None and self.decided.verdict is Verdict.REJECTED:
            return self.decided.code
        if self.outcome is not None:
            return self.outcome_code or str(self.outcome)
        return "NEW" if self.decided is None else str(self.decided.verdict)


class LimitRow(msgspec.Struct, frozen=True):
    """One limit in force: its key under `[risk]`, what is measured, and the used share of it."""

    name: str
    measured: Decimal
    limit: Decimal
    used: Decimal


class Prices(msgspec.Struct, frozen=True):
    """What the market last said of one symbol, and what of ours works and is held there."""

    instrument: Instrument
    quote: Quote | None
    depth: Depth | None
    fresh: bool
    mine: dict[Decimal, Decimal]
    """Working quantity by price, signed: bought positive; stops at their trigger."""
    held: Decimal
    """Signed quantity held, over all accounts."""


class Unprotected(msgspec.Struct, frozen=True):
    """A position without a stop for all of it."""

    symbol: str
    since: Nanos
    partly: bool
    """True where a stop covers a part."""


class Unattended(msgspec.Struct, frozen=True):
    """What no stop covers at its venue once the engine has ended, as a sentence."""

    symbol: str
    text: str


class Stale(msgspec.Struct, frozen=True):
    """A position whose newest price is too old to trade on; `age` is None without a price."""

    symbol: str
    age: Nanos | None


class KillRow(msgspec.Struct, frozen=True):
    """What a kill has shown at one account, and when it was last seen."""

    state: str = KillState.WORKING
    cancelled: int | None = None
    closed: int | None = None
    clean_reads: int = 0
    left: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    at: Nanos = 0
    proved_at: Nanos = 0


class HaltedAccount(msgspec.Struct, frozen=True):
    """What a halt ended and left at one account, and how far a kill is there."""

    account: str
    entries_working: int
    positions: int
    stops: int
    """Protective orders that work."""
    entries_cancelled: int
    """Since the halt."""
    stops_cancelled: int
    working: bool
    """True once the kill works the account; before, entries are still being cancelled."""
    state: str
    """WORKING, VERIFIED or DEGRADED."""
    closed: int
    """Positions that the kill closed."""
    kept: tuple[str, ...]
    """Holdings that are out of the kill's scope, and which of them have no stop."""
    vanished: tuple[str, ...]
    """What the venue does not list any more, though no fill was told."""
    kill: KillRow
    """What the kill has shown."""


class HaltView(msgspec.Struct, frozen=True):
    """The halt that stands; None where nothing is halted."""

    halt: Halt | None
    state: RunState
    accounts: tuple[HaltedAccount, ...]


class ComparisonView(msgspec.Struct, frozen=True):
    """The newest comparison of one account with its venue."""

    account: str
    at: Nanos
    failed: bool
    """True when a part of the venue could not be read: nothing is concluded."""
    differences: tuple[Difference, ...]
    blocked: tuple[str, ...]
    """Symbols whose entries are blocked."""


class Review(msgspec.Struct, frozen=True):
    """An order before it is sent: what the gate says now, and what it would mean."""

    allowed: bool
    reason: str
    """Why it is not allowed; empty where it is."""
    account: str
    """The account that it goes to: the one that was named, else that of the first route."""
    side: Side
    """A sell of what is not held is SELL_SHORT."""
    time_in_force: TimeInForce
    reduce_only: bool
    checks: tuple[CheckResult, ...]
    """Every check that is asked of it, each answered by itself."""
    currency: str
    """Of price, notional and risk."""
    price: Decimal | None
    """What it is valued at: its limit, its stop, or the newest price."""
    notional: Decimal | None
    equity_share: Decimal | None
    """The notional as a fraction of equity."""
    stop: Decimal | None
    """The protective stop under which it will be: of its own and that of the position it adds to
    the tighter one (X-82)."""
    stop_grows: bool
    """True where that is the stop of a position, which grows by what the order adds."""
    stop_moves: bool
    """True where it is the order's own, and that of a whole position then."""
    risk: Decimal | None
    """What of it is lost at `stop`; None without one."""
    risk_share: Decimal | None
    open_risk: Decimal
    """What everything held and every working entry loses at its stop once this order has filled, in
    the base currency (X-82)."""
    managed: bool
    """Whether what it opens is managed as what signals open is (X-80)."""
    hold: TradeType
    """How what it opens is held: as what it adds to, where something is held, else as asked."""
    risk_limit: Decimal | None
    """What a trade may risk as a fraction of equity, None without such a limit. A person's first
    order may rest on a stop that risks more (X-82, X-85)."""

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that refuse it."""
        return tuple(check for check in self.checks if check.answer is Answer.REJECT)


class Counts(msgspec.Struct, frozen=True):
    """How many came since this console opened."""

    signals: int = 0
    orders: int = 0
    fills: int = 0


class Lag(msgspec.Struct, frozen=True):
    """How late the engine's loop is, in milliseconds."""

    p50: float
    p99: float
