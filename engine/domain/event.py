"""Everything that can happen, in the past tense (DESIGN, The one idea).

An event is a fact with every number it leaned on. The state is the fold of events; the queryable
tables are projections of them. Fields are added with a default, never renamed or reused.
"""

import datetime
from decimal import Decimal
from typing import Any

import msgspec

from engine.domain.account import Account
from engine.domain.codes import Answer, Code, Outcome, Stage, Verdict
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.order import Fill, Order, OrderStatus
from engine.domain.position import ExitPlan, ExitReason, RoundTrip
from engine.domain.run import (
    Halt,
    LinkState,
    Mode,
    Phase,
    Severity,
    Trigger,
    TriggerAction,
)
from engine.domain.signal import Signal


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable fact. Its time is in the envelope the journal gives it."""


# --- the life of the process ---------------------------------------------------------------------


class EngineStarted(Event, frozen=True, kw_only=True):
    """A process took the account. The config is known by its digest."""

    mode: Mode
    profile: str
    config_digest: str
    version: str
    account_id: str
    broker: str


class PhaseChanged(Event, frozen=True, kw_only=True):
    """STARTING, RUNNING, STOPPED or ERROR, and why."""

    phase: Phase
    reason: str


class Paused(Event, frozen=True, kw_only=True):
    """No new entries until unpaused; exits go on."""

    by: str
    reason: str


class Unpaused(Event, frozen=True, kw_only=True):
    """Entries are allowed again as far as the pause is concerned."""

    by: str


class Restricted(Event, frozen=True, kw_only=True):
    """Reduce only until the named cause is lifted (U-41)."""

    cause: Trigger
    reason: str
    until: Nanos = 0
    """0: until lifted; else the end of the session it holds for."""


class Unrestricted(Event, frozen=True, kw_only=True):
    """A restriction was lifted."""

    cause: Trigger
    by: str


class OperatorActed(Event, frozen=True, kw_only=True):
    """A person, a script or a key asked for something; recorded before it is done."""

    command: str
    args: dict[str, Any]
    by: str


class CommandRefused(Event, frozen=True, kw_only=True):
    """An operator's command was not done, and why; `code` is stable."""

    command: str
    code: str
    reason: str
    by: str


# --- the latch -----------------------------------------------------------------------------------


class TriggerFired(Event, frozen=True, kw_only=True):
    """A kill trigger's condition held, with what was measured (U-52)."""

    trigger: Trigger
    action: TriggerAction
    measured: str
    limit: str
    reason: str


class Halted(Event, frozen=True, kw_only=True):
    """The latch is set, or raised to a higher level (X-52)."""

    halt: Halt


class HaltCleared(Event, frozen=True, kw_only=True):
    """A person cleared the latch after a clean reconcile; the state is PAUSED (X-69)."""

    by: str
    note: str
    epoch: int


class KillProgressed(Event, frozen=True, kw_only=True):
    """One read of the venue during a kill; done when enough reads in a row found nothing left."""

    epoch: int
    broker: str
    clean_reads: int
    left: tuple[str, ...]
    unknown: tuple[str, ...]


class KillProved(Event, frozen=True, kw_only=True):
    """A kill ended at one broker: VERIFIED, or DEGRADED with what is left (DESIGN, Kill)."""

    epoch: int
    broker: str
    state: str
    cancelled: int
    closed: int
    left: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


# --- account and session -------------------------------------------------------------------------


class InstrumentLearned(Event, frozen=True, kw_only=True):
    """The grid and calendar of a symbol, before its first order."""

    instrument: Instrument


class AccountSynced(Event, frozen=True, kw_only=True):
    """The venue's own balances, taken over; `flow` is the part trading does not explain."""

    broker: str
    account: Account
    flow: Decimal = Decimal(0)


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


class EquityMarked(Event, frozen=True, kw_only=True):
    """Equity at current marks, its high-water mark and the fall from it; the equity curve."""

    equity: Decimal
    peak: Decimal
    drawdown: Decimal
    """Fraction of the peak, 0 or more."""
    marks: dict[str, Decimal] = {}
    """Price of everything held that these leaned on."""


# --- signals -------------------------------------------------------------------------------------


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """One question and its answer, with the number seen and the limit it met."""

    code: Code
    answer: Answer
    measured: str
    limit: str
    max_quantity: Decimal | None = None


class InputRejected(Event, frozen=True, kw_only=True):
    """Something from outside that could not be read; recorded, and nothing else is lost."""

    source: str
    input_id: str
    reason: str
    line: int = 0


class SignalReceived(Event, frozen=True, kw_only=True):
    """A well-formed signal entered."""

    signal: Signal


class SignalDecided(Event, frozen=True, kw_only=True):
    """The verdict on a signal with every check that was asked (rule 6)."""

    signal_id: str
    symbol: str
    verdict: Verdict
    stage: Stage
    code: str
    measured: str
    limit: str
    reason: str
    checks: tuple[CheckResult, ...]
    client_order_ids: tuple[str, ...] = ()
    quantity: Decimal | None = None
    content: str = ""
    """Fingerprint for the duplicate window; empty when the guard did not accept it."""


class SignalEnded(Event, frozen=True, kw_only=True):
    """How an accepted signal ended; may be raised from CANCELLED to EXECUTED by a late fill."""

    signal_id: str
    symbol: str
    outcome: Outcome
    code: str
    reason: str
    previous: str = ""
    """The outcome or code under which it was counted before, when this one replaces it."""


# --- orders --------------------------------------------------------------------------------------


class OrderIntended(Event, frozen=True, kw_only=True):
    """We decided to send this order; durable before the send where it can add exposure (rule 1)."""

    order: Order


class OrderRefused(Event, frozen=True, kw_only=True):
    """A manual order did not pass; it never existed for a venue."""

    intent_id: str
    symbol: str
    by: str
    code: str
    measured: str
    limit: str
    reason: str
    checks: tuple[CheckResult, ...]


class OrderSent(Event, frozen=True, kw_only=True):
    """The order is being handed to the broker."""

    client_order_id: str


class OrderAccepted(Event, frozen=True, kw_only=True):
    """The venue works it."""

    client_order_id: str
    venue_order_id: str


class OrderRejected(Event, frozen=True, kw_only=True):
    """The venue refused it, or it provably never left (code NOT_SENT)."""

    client_order_id: str
    code: str
    text: str


class OrderUnclear(Event, frozen=True, kw_only=True):
    """Sent, and nothing proves what became of it: UNKNOWN, exposure stays reserved (rule 1)."""

    client_order_id: str
    reason: str


class OrderQueried(Event, frozen=True, kw_only=True):
    """The venue is being asked what became of an order."""

    client_order_id: str
    reason: str


class OrderFilled(Event, frozen=True, kw_only=True):
    """A fill, whatever state its order was in (rule 2)."""

    fill: Fill
    multiplier: Decimal
    cumulative: Decimal
    average_price: Decimal
    late: bool = False
    overfill: Decimal = Decimal(0)
    known_order: bool = True
    position_id: str = ""
    """The position that this fill opened; empty when it opened none."""


class CancelRequested(Event, frozen=True, kw_only=True):
    """We asked, or are about to ask, the venue to cancel."""

    client_order_id: str
    reason: str


class CancelRefused(Event, frozen=True, kw_only=True):
    """The venue did not take the cancel; the order is what its status says."""

    client_order_id: str
    status: OrderStatus
    text: str


class OrderCanceled(Event, frozen=True, kw_only=True):
    """The venue says it is gone."""

    client_order_id: str
    reason: str


class OrderExpired(Event, frozen=True, kw_only=True):
    """Its time in force ended."""

    client_order_id: str


class ReplaceRequested(Event, frozen=True, kw_only=True):
    """We asked the venue to change quantity or stop of a working order."""

    client_order_id: str
    quantity: Decimal
    stop_price: Decimal | None
    reason: str


class OrderReplaced(Event, frozen=True, kw_only=True):
    """The venue works it with the new quantity or stop."""

    client_order_id: str
    quantity: Decimal
    stop_price: Decimal | None


class OrderSettled(Event, frozen=True, kw_only=True):
    """A query proved the order's state at the venue (UNKNOWN resolved by evidence)."""

    client_order_id: str
    venue_order_id: str
    status: OrderStatus
    reason: str


class OrderAdopted(Event, frozen=True, kw_only=True):
    """An order of this account that we did not know, found at the venue."""

    order: Order


class DeadLettered(Event, frozen=True, kw_only=True):
    """A decision that could not be sent and is never retried by itself (C-430, X-10)."""

    letter_id: str
    order: Order
    error: str


class DeadLetterClosed(Event, frozen=True, kw_only=True):
    """An operator retried or dropped a dead letter."""

    letter_id: str
    action: str
    by: str


# --- positions -----------------------------------------------------------------------------------


class ExitPlanned(Event, frozen=True, kw_only=True):
    """A rule, a person or a kill decided to close (part of) a position."""

    symbol: str
    position_id: str
    plan: ExitPlan
    measured: str
    limit: str


class ExitAbandoned(Event, frozen=True, kw_only=True):
    """A close ended before all of it was closed; it is protected again and may exit again."""

    symbol: str
    position_id: str
    reason: ExitReason
    detail: str


class StopRemoved(Event, frozen=True, kw_only=True):
    """An operator took the stop away, typed; the position shows as unprotected."""

    symbol: str
    by: str


class PositionClosed(Event, frozen=True, kw_only=True):
    """From flat to flat: one finished trade (A-392)."""

    trade: RoundTrip
    loss_streak: int = 0
    """Losses in a row of at least the configured size, this one counted (A-184, X-05)."""


# --- reconcile -----------------------------------------------------------------------------------


class SnapshotRequested(Event, frozen=True, kw_only=True):
    """The venue is being asked for account, holdings, orders and fills."""

    broker: str
    reason: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on which we and the venue disagree; `kind` is a code of X-08."""

    symbol: str
    kind: str
    local: str
    venue: str
    client_order_id: str = ""


class Reconciled(Event, frozen=True, kw_only=True):
    """A comparison with the venue, after subtracting what is in flight (A-373)."""

    broker: str
    reason: str
    clean: bool
    differences: tuple[Difference, ...]
    matched: int
    failed: bool = False
    """The venue could not be asked: nothing is known that was not known before."""


class PositionAdjusted(Event, frozen=True, kw_only=True):
    """The venue's quantity was taken over where no fill explains it."""

    symbol: str
    broker: str
    quantity: Decimal
    price: Decimal
    multiplier: Decimal
    previous: Decimal
    reason: str
    by: str


class SymbolBlocked(Event, frozen=True, kw_only=True):
    """No entries in this symbol until the cause is resolved."""

    symbol: str
    cause: str
    reason: str


class SymbolUnblocked(Event, frozen=True, kw_only=True):
    """Entries are allowed again as far as this cause is concerned."""

    symbol: str
    cause: str
    by: str


# --- the rest ------------------------------------------------------------------------------------


class LinkChanged(Event, frozen=True, kw_only=True):
    """A broker connection came up or went down."""

    broker: str
    state: LinkState
    detail: str


class Alarmed(Event, frozen=True, kw_only=True):
    """Something an operator should see."""

    code: str
    severity: Severity
    subject: str
    text: str


EVENT_TYPES: dict[str, type[Event]] = {
    cls.__name__: cls
    for cls in (
        EngineStarted,
        PhaseChanged,
        Paused,
        Unpaused,
        Restricted,
        Unrestricted,
        OperatorActed,
        TriggerFired,
        Halted,
        CommandRefused,
        HaltCleared,
        KillProgressed,
        KillProved,
        InstrumentLearned,
        AccountSynced,
        SessionOpened,
        SessionClosed,
        EquityMarked,
        InputRejected,
        SignalReceived,
        SignalDecided,
        SignalEnded,
        OrderIntended,
        OrderRefused,
        OrderSent,
        OrderAccepted,
        OrderRejected,
        OrderUnclear,
        OrderQueried,
        OrderFilled,
        CancelRequested,
        CancelRefused,
        OrderCanceled,
        OrderExpired,
        ReplaceRequested,
        OrderReplaced,
        OrderSettled,
        OrderAdopted,
        DeadLettered,
        DeadLetterClosed,
        ExitPlanned,
        ExitAbandoned,
        StopRemoved,
        PositionClosed,
        SnapshotRequested,
        Reconciled,
        PositionAdjusted,
        SymbolBlocked,
        SymbolUnblocked,
        LinkChanged,
        Alarmed,
    )
}

_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODERS = {name: msgspec.json.Decoder(cls) for name, cls in EVENT_TYPES.items()}


class UnknownEventError(Exception):
    """The journal holds an event this program does not know: it was written by a newer one."""


def encode(event: Event) -> bytes:
    """The event's data as JSON, the same bytes on every machine and Python version."""
    return _ENCODER.encode(event)


def decode(name: str, data: bytes | str) -> Event:
    """The event of type `name` from its data.

    Raises `UnknownEventError` for a type that is not in `EVENT_TYPES`.
    """
    decoder = _DECODERS.get(name)
    if decoder is None:
        raise UnknownEventError(
            f"the journal holds an event of type {name}, which is not known here"
        )
    return decoder.decode(data)


class Record(msgspec.Struct, frozen=True):
    """An event with the place and time the journal gave it."""

    seq: int
    time: Nanos
    event: Event

    @property
    def type(self) -> str:
        """The event's stable name."""
        return type(self.event).__name__
