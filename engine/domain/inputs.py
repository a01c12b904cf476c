"""Everything that can come from outside and makes the core decide (DESIGN, The one idea)."""

from enum import StrEnum

import msgspec

from engine.domain import suspicion
from engine.domain.account import VenueOrder, VenueSnapshot
from engine.domain.failure import BrokerError
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.market import Bar, Depth, Quote
from engine.domain.order import Fill
from engine.domain.report import LinkReport, OrderReport
from engine.domain.run import Halt, Severity
from engine.domain.signal import Signal


class SignalArrived(msgspec.Struct, frozen=True):
    """A signal that could be read.

    `waited` is the age of the oldest input that was not decided when this one was handed in, in
    nanoseconds of the machine's time; 0 in virtual time and recordings (X-89).
    """

    signal: Signal
    waited: Nanos = 0


class History(msgspec.Struct, frozen=True):
    """Completed bars of one symbol from before the start, oldest first. They lead to no signal."""

    bars: tuple[Bar, ...]


class InvalidArrived(msgspec.Struct, frozen=True, kw_only=True):
    """Something that could not be read as what it claims to be."""

    source: str
    input_id: str
    reason: str
    line: int = 0


class Sending(msgspec.Struct, frozen=True):
    """The order is about to be handed to the broker."""

    account: str
    client_order_id: str


class SubmitFailed(msgspec.Struct, frozen=True):
    """The broker did not take an order, or nobody knows."""

    account: str
    client_order_id: str
    error: BrokerError


class SubmitPutOff(msgspec.Struct, frozen=True):
    """The broker did not take an order, which provably did not reach it and is tried again at
    `until`, nanoseconds UTC."""

    account: str
    client_order_id: str
    until: Nanos
    error: BrokerError


class SendAgain(msgspec.Struct, frozen=True):
    """Another attempt of an entry that was put off is due; the last one ended with `error`.

    It is made only where the order is handed over once more after this (`OrderSent`).
    """

    account: str
    client_order_id: str
    error: BrokerError


class GateClosed(msgspec.Struct, frozen=True):
    """The last gate before the socket was shut: the order provably did not leave.

    `halted` says whether a halt shut it, `reason` what did.
    """

    account: str
    client_order_id: str
    halted: bool = True
    reason: str = "halted before it was sent"


class CancelFailed(msgspec.Struct, frozen=True):
    """A cancel was not taken, or nobody knows."""

    account: str
    client_order_id: str
    error: BrokerError


class ModifyFailed(msgspec.Struct, frozen=True):
    """A replace was not taken, or nobody knows."""

    account: str
    client_order_id: str
    error: BrokerError


class QueryAnswered(msgspec.Struct, frozen=True):
    """What the venue knows of an order (None: nothing), with fills of every order since."""

    account: str
    client_order_id: str
    order: VenueOrder | None
    fills: tuple[Fill, ...]
    asked_at: Nanos


class QueryFailed(msgspec.Struct, frozen=True):
    """The venue could not be asked."""

    account: str
    client_order_id: str
    error: BrokerError


class LookReason(StrEnum):
    """Why the venue is looked at (`SnapshotRequested.reason`; A-372)."""

    START = "start"
    """A process starts and has not seen the account yet."""
    SCHEDULED = "scheduled"
    RECONNECT = "reconnect"
    KILL = "kill"
    """A kill is under way, and is sized and proved by what the venue shows."""
    OPERATOR = "operator"
    """A person compares, or takes over what the comparison proposes."""
    REVERSED = "reversed"
    """A fill went beyond what was held and may be in what was taken over."""
    FILLS_MISSING = "fills missing"
    """An order has ended there, and fills of it were never told (rule 3)."""
    USED_ID = "used id"
    """A fill came under the id of another one (X-91)."""
    CORPORATE_ACTION = suspicion.CORPORATE_ACTION
    """A symbol is suspected of a split, or no longer is."""


class SnapshotTaken(msgspec.Struct, frozen=True):
    """The venue's view, as far as it can be read."""

    snapshot: VenueSnapshot
    reason: str
    apply: bool = False
    """Take over what the comparison proposes (operator's decision)."""
    by: str = ""


class SnapshotFailed(msgspec.Struct, frozen=True):
    """A part of the venue's view that nothing can do without could not be had; a failed part is
    never an empty part."""

    account: str
    reason: str
    error: BrokerError
    known: bool = False
    """Looks before it have failed in the same way, and that was told."""


class Unanswered(msgspec.Struct, frozen=True):
    """The first question that a venue has not answered was asked at `since`, long enough ago; 0
    where it answers again. `badly`: it did answer that, and nothing of it could be used."""

    account: str
    since: Nanos
    badly: bool = False


class Tick(msgspec.Struct, frozen=True):
    """A timer came due."""


class JournalFailed(msgspec.Struct, frozen=True):
    """A write to the journal failed (rule: no journal, no new risk)."""

    error: str


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """Something beside the decisions failed, or works again, and must be seen all the same."""

    code: str
    subject: str
    text: str
    severity: Severity = Severity.ERROR


class JournalRecovered(msgspec.Struct, frozen=True):
    """The journal writes again."""


class ClockSet(msgspec.Struct, frozen=True):
    """The machine's clock was set by so much and is not followed yet; `by` 0: it is followed, or
    goes on as before."""

    by: Nanos


class LatchFound(msgspec.Struct, frozen=True):
    """The latch was set from outside the loop: a file, a thread, another process."""

    halt: Halt


class OrdersReported(msgspec.Struct, frozen=True):
    """Reports that came one behind the other and were at hand together, in their order."""

    reports: tuple[OrderReport, ...]


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """The process took the accounts; `accounts` maps each name under `[brokers]` to its id."""

    version: str
    accounts: dict[str, str]
    config_digest: str
    latch: Halt | None = None


class InstrumentTold(msgspec.Struct, frozen=True):
    """What a venue states of an instrument; `instrument` None where it does not trade it, and
    `fault` says so in one sentence."""

    account: str
    symbol: str
    instrument: Instrument | None
    fault: str = ""


class Ready(msgspec.Struct, frozen=True):
    """Wired and reconciled as far as it goes: trade."""


class Stop(msgspec.Struct, frozen=True):
    """The process ends in order."""

    reason: str


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Base of what an operator asks (`engine.domain.commands`)."""

    by: str


Input = (
    Quote
    | Bar
    | Depth
    | History
    | OrderReport
    | OrdersReported
    | LinkReport
    | SignalArrived
    | InvalidArrived
    | Sending
    | SubmitFailed
    | SubmitPutOff
    | SendAgain
    | InstrumentTold
    | GateClosed
    | CancelFailed
    | ModifyFailed
    | QueryAnswered
    | QueryFailed
    | SnapshotTaken
    | SnapshotFailed
    | Unanswered
    | Tick
    | JournalFailed
    | JournalRecovered
    | ClockSet
    | Trouble
    | LatchFound
    | Start
    | Ready
    | Stop
    | Command
)
