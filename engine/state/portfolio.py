"""What spans the accounts: session, peak, halt, restrictions, signals (DESIGN, Accounts).

Its fields go into snapshots as they stand.
"""

import datetime
from decimal import Decimal

import msgspec

from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.domain.run import Halt, Mode, Phase, SignOff, Trigger
from engine.state.account import AccountState, TakenForReal
from engine.state.answers import Answers
from engine.state.intents import Intent
from engine.state.letters import DeadLetter
from engine.state.shadow import ShadowTotals
from engine.state.touched import SignalEntry


class SessionState(msgspec.Struct, kw_only=True):
    """Counters of the accounting day (X-12, X-13); money in the base currency."""

    date: datetime.date
    starting_equity: Decimal
    realized: Decimal = ZERO
    fees: Decimal = ZERO
    flows: Decimal = ZERO
    adjustments: Decimal = ZERO
    """What was adopted from venues without anything that explains it (X-75)."""
    starting_unexplained: Decimal = ZERO
    """What of the starting equity nothing explained then."""
    written: bool = False
    """Its row was written: the starting equity stays what it is (X-75)."""
    halted: bool = False
    """A halt stood at some time of the day, whatever became of it."""
    entries: int = 0
    trades: int = 0
    wins: int = 0
    losses: int = 0
    peak_equity: Decimal = ZERO
    """Highest equity of the day; a transfer moves it."""
    max_drawdown: Decimal = ZERO
    """Largest fall from it, as a fraction of it (A-402)."""

    def adjusted(self, unexplained: Decimal) -> Decimal:
        """What of the day's change of equity was adopted, or is `unexplained` now (X-75)."""
        return self.adjustments + unexplained - self.starting_unexplained

    def earned(self, equity: Decimal, unexplained: Decimal) -> Decimal:
        """The day's profit at an equity: less its start, transfers and adjustments (X-13, X-75)."""
        return equity - self.starting_equity - self.flows - self.adjusted(unexplained)

    @property
    def brought(self) -> Decimal:
        """What of equity was not earned in the day: its start, transfers and adjustments."""
        return self.starting_equity + self.flows + self.adjustments

    @property
    def loss_basis(self) -> Decimal:
        """What the day's loss is a share of: what it began with, and what was adopted (X-75)."""
        return self.starting_equity + self.adjustments


class UnvaluedMoney(msgspec.Struct, kw_only=True):
    """What was gained and charged in a currency whose worth nobody has told yet, in it."""

    realized: Decimal = ZERO
    fees: Decimal = ZERO


class Restriction(msgspec.Struct, kw_only=True):
    """A cause that allows only reducing."""

    reason: str
    until: Nanos


class Metrics(msgspec.Struct, kw_only=True):
    """Counts over the life of the portfolio (C-307, C-308); money in the base currency."""

    total: int = 0
    filled: int = 0
    cancelled: int = 0
    rejected: int = 0
    expired: int = 0
    fills: int = 0
    notional: Decimal = ZERO
    commission: Decimal = ZERO
    latency_ns: int = 0
    latency_count: int = 0
    failures: int = 0
    """Orders that did not get through to their venue; what it refuses is none (C-421)."""
    last_failure: Nanos = 0


class Portfolio(msgspec.Struct, kw_only=True):
    """Everything that is true, as a snapshot holds it; money in the base currency."""

    seq: int = 0
    time: Nanos = 0
    mode: Mode = Mode.PAPER
    accounts: dict[str, AccountState] = {}
    """By name."""
    primary: str = ""
    """The account that orders go to where no route says otherwise, and whose id the rows of the
    portfolio carry."""
    base_currency: str = ""
    """The base currency, fixed for the life of the journal (X-86); "" before it is known."""
    calendar: str = ""
    """The calendar of the portfolio's day (X-95); "" before it is known."""
    phase: Phase = Phase.STOPPED
    started_at: Nanos = 0
    """When this process took the accounts."""
    running_at: Nanos = 0
    """When it began to trade."""
    paused: bool = False
    pause_reason: str = ""
    restrictions: dict[str, Restriction] = {}
    halt: Halt | None = None
    epoch: int = 0
    instruments: dict[str, Instrument] = {}
    starting_equity: Decimal | None = None
    """Equity when the accounts were first seen."""
    realized: Decimal = ZERO
    commission: Decimal = ZERO
    flows: Decimal = ZERO
    adjustments: Decimal = ZERO
    """What was adopted from venues without anything that explains it (X-75)."""
    peak_equity: Decimal = ZERO
    marked_at: Nanos = 0
    marked_equity: Decimal = ZERO
    marks: dict[str, Decimal] = {}
    """Last known price of what is held, as of the newest mark or fill."""
    rates: dict[str, Decimal] = {}
    """Last known worth of each currency that is held or owed, as of the newest mark."""
    rate_times: dict[str, Nanos] = {}
    """When a quote told it; without those whose worth is of reference data."""
    keeps_day: bool = False
    """The row of the day in progress follows its events; earlier programs wrote it at ends only."""
    unvalued: dict[str, UnvaluedMoney] = {}
    """By currency, what counts in the totals once its worth is told (X-74, X-86)."""
    session: SessionState | None = None
    queued: dict[str, Nanos] = {}
    """By id, the opening that each signal waits for which came while its market was closed."""
    heard: dict[str, SignalEntry] = {}
    """Signals that arrived and have no verdict yet."""
    signals: dict[str, SignalEntry] = {}
    """Accepted signals until they have their outcome and all their orders are done."""
    refused_at: Nanos = 0
    """When refusals of an overload were recorded last; 0 never (X-89)."""
    intents: dict[str, Intent] = {}
    """What is wanted in several orders, until it has ended, by its id."""
    window: dict[str, Nanos] = {}
    """Content of accepted signals and when (X-66)."""
    sent: list[Nanos] = []
    """When the orders of the last minute that add exposure were intended."""
    prints: dict[str, Nanos] = {}
    """Fingerprint of recent orders (duplicate order)."""
    rejects: list[Nanos] = []
    """When venues refused orders, within the last minute."""
    failed: list[Nanos] = []
    """When orders of the last five minutes failed on their way to their venue (C-423)."""
    loss_streak: int = 0
    letters: dict[str, DeadLetter] = {}
    """What could not be sent and was neither retried nor dropped, by its id."""
    answers: Answers = {}
    """Answers of the last day to commands that carried an id of their asker's."""
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    shadow: ShadowTotals = ShadowTotals()
    """What mode shadow measured; nothing in another mode."""
    outcomes: dict[str, int] = {}
    alerted: dict[Trigger, str] = {}
    """Trigger to the session date on which it last fired as an alert."""
    journal_failed: bool = False
    sign_offs: dict[str, SignOff] = {}
    """By kind of venue, the dry run that was signed off last for real money there (C-707)."""
    seen_signals: str = ""
    seen_commands: str = ""
    seen_executions: str = ""
    seen_fills: str = ""

    def ends_by_time(self) -> list[tuple[Trigger, Nanos]]:
        """Restrictions that end at a time of their own, as a cooldown (U-50), each with that time;
        that of a day's loss ends with the day that it is about, whatever time it names (X-76)."""
        return [
            (Trigger(cause), one.until)
            for cause, one in self.restrictions.items()
            if one.until and cause != Trigger.DAILY_LOSS
        ]

    def unvalued_in(self, currency: str) -> UnvaluedMoney:
        """What waits for the worth of a currency to be told; it is changed where it stands."""
        return self.unvalued.setdefault(currency, UnvaluedMoney())

    def find(self, amount: Decimal) -> None:
        """What was there before it was counted: it belongs to the start, of the life and of the
        day.

        The starting equity of a day's row that was written stays what it is (X-75).
        """
        self.starting_equity = (self.starting_equity or ZERO) + amount
        self.peak_equity += amount
        session = self.session
        if session is None:
            return
        session.peak_equity += amount
        if session.written:
            session.adjustments += amount
        else:
            session.starting_equity += amount

    @property
    def brought(self) -> Decimal:
        """What of equity was never earned: the start, transfers and adjustments."""
        return (self.starting_equity or ZERO) + self.flows + self.adjustments

    def restate(self, value: Decimal, real: TakenForReal) -> None:
        """Correct what a holding counted for since its price was taken for real (X-93): `value`
        more equity, in the base currency.

        A profit that was never made is no peak to fall from; a peak of before stays. In the day in
        which the price was taken for real the profit corrects itself; a later day has begun with
        the mistake, and is corrected where it began, or as an adjustment once its row was written.
        """
        self.peak_equity = _lowered(self.peak_equity, value, self.brought + real.peak)
        session = self.session
        if session is None:
            return
        if session.date == real.date:
            session.peak_equity = _lowered(
                session.peak_equity, value, session.brought + real.day_peak
            )
            return
        session.peak_equity += value
        if session.written:
            session.adjustments += value
        else:
            session.starting_equity += value

    def adjust(self, value: Decimal) -> None:
        """Count what was adopted from a venue: `value` more equity.

        It is no profit and no transfer, and the fall from the peak stays what it was (X-75).
        """
        self.adjustments += value
        self.peak_equity += value
        if self.session is not None:
            self.session.adjustments += value
            self.session.peak_equity += value


def _lowered(peak: Decimal, value: Decimal, floor: Decimal) -> Decimal:
    """A peak after a correction of equity by `value`: lower by what that takes off, and never below
    `floor`, where it was before the mistake."""
    return min(peak, max(peak + value, floor))
