"""Which values an event touched: the tables are rows of them, and a screen hears by them of what
changed (DESIGN, Journal: one fold).

`apply` names each value as it is after the event. Values are frozen, so that a row can be made of
one later and in another thread; of two values of one identity the later counts. Those at the end
have no row: they say which part of the state changed.
"""

from decimal import Decimal
from typing import TypeAlias

import msgspec

from engine.domain import events as ev
from engine.domain.codes import Outcome, Stage, Verdict
from engine.domain.instant import Nanos
from engine.domain.order import OrderTerms
from engine.domain.position import RoundTrip
from engine.domain.run import Halt
from engine.domain.signal import Signal
from engine.state.order import Order
from engine.state.position import Position


class FillTaken(msgspec.Struct, frozen=True, kw_only=True):
    """One execution, as event `seq` told it. `currency` is that of its price."""

    seq: int
    event: ev.OrderFilled
    currency: str


class TradeFinished(msgspec.Struct, frozen=True, kw_only=True):
    """A position became flat: the trade that it was, by event `seq` recorded at `at`.

    `currency` is that of its prices, its P&L and its fees.
    """

    seq: int
    at: Nanos
    trade: RoundTrip
    currency: str


class TradeVanished(msgspec.Struct, frozen=True, kw_only=True):
    """A position is gone without a fill that explains it: the venue's quantity was taken over."""

    seq: int
    position_id: str
    reason: str


class DayTotals(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of an accounting day, final or so far (A-402)."""

    event: ev.SessionClosed


class SignalEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One input that asked for a trade, and what is known of it by now (U-30, A-310).

    `seq` and `time` are those of its arrival; `orders` the client ids of what it led to.
    """

    seq: int
    time: Nanos
    signal_id: str
    symbol: str = ""
    signal: Signal | None = None
    """What was asked, None where it could not be read."""
    verdict: Verdict | None = None
    outcome: Outcome | None = None
    stage: Stage | None = None
    code: str = ""
    measured: str = ""
    limit: str = ""
    reason: str = ""
    orders: tuple[str, ...] = ()

    @property
    def resized(self) -> bool:
        """It was accepted with a smaller size than it asked for."""
        return self.verdict is Verdict.RESIZED


class SignalLate(msgspec.Struct, frozen=True, kw_only=True):
    """A signal that was over and forgotten ended another way, as by a late fill."""

    signal_id: str
    outcome: Outcome
    stage: Stage
    code: str
    reason: str


class SignalsTurnedAway(msgspec.Struct, frozen=True, kw_only=True):
    """Signals that ended in event `seq`, each with a row of its own (X-89).

    They are one value: a flood has thousands a second, and their rows are made where they are
    written.
    """

    seq: int
    event: ev.SignalsRefused


class LetterOpened(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that could not be sent (C-430)."""

    seq: int
    at: Nanos
    letter_id: str
    terms: OrderTerms
    error: str


class LetterClosed(msgspec.Struct, frozen=True, kw_only=True):
    """A dead letter was retried or dropped."""

    at: Nanos
    letter_id: str
    action: str
    by: str


class HoldingAmended(msgspec.Struct, frozen=True, kw_only=True):
    """What the account of this name holds of a symbol is gone, or has another stop, target or
    close."""

    account: str
    symbol: str


class RunChanged(msgspec.Struct, frozen=True, kw_only=True):
    """What may be done changed: a phase, pause, restriction, halt, link or blocked symbol, the
    accounting day, or what a currency is worth."""


class HaltSet(msgspec.Struct, frozen=True, kw_only=True):
    """A halt was set or raised."""

    halt: Halt


class AccountSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Balances of the account of this name were taken over, or it was compared with its venue."""

    account: str


class KillShown(msgspec.Struct, frozen=True, kw_only=True):
    """What a kill has shown at one account, by an event recorded at `at`."""

    at: Nanos
    event: ev.KillProgressed | ev.KillProved


class EquityMeasured(msgspec.Struct, frozen=True, kw_only=True):
    """The equity of the portfolio at `at`, in the base currency."""

    at: Nanos
    equity: Decimal


Value: TypeAlias = (
    Order
    | Position
    | FillTaken
    | TradeFinished
    | TradeVanished
    | DayTotals
    | SignalEntry
    | SignalLate
    | SignalsTurnedAway
    | LetterOpened
    | LetterClosed
    | HoldingAmended
    | RunChanged
    | HaltSet
    | AccountSeen
    | KillShown
    | EquityMeasured
)


class Touched(msgspec.Struct, frozen=True):
    """A value that an event touched, and whose it is: every row carries it (A-405)."""

    value: Value
    account_id: str
    mode: str
