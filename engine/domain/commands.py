"""What an operator may ask: one value a command, the same from keys, CLI and socket."""

from decimal import Decimal
from typing import Any, Final, Literal

import msgspec

from engine.domain.account import VenueOrder
from engine.domain.inputs import Command, SignalArrived
from engine.domain.instant import Nanos
from engine.domain.order import OrderType, Side, TimeInForce
from engine.domain.run import Flatten, Level, SignOff, Trigger
from engine.domain.signal import TradeType


class Pause(Command, frozen=True, kw_only=True):
    """No new automatic entries (X-81)."""

    reason: str = "operator"


class Unpause(Command, frozen=True, kw_only=True):
    """Entries again: the pause ends, and so does every restriction whose cause is gone."""


class Kill(Command, frozen=True, kw_only=True):
    """Halt, or halt and cancel and flatten (X-52)."""

    level: Level = Level.KILL
    flatten: Flatten = Flatten.DAY
    reason: str = "operator"
    trigger: Trigger = Trigger.MANUAL


RESUME_WORD: Final = "RESUME"
UNPROTECT_WORD: Final = "UNPROTECT"
RESOLVE_WORD: Final = "RESOLVE"
"""What a person types to confirm a resume, taking a protective stop away, and what became of an
order; with real money the last 4 of the account id follow the word of a resume (X-52)."""

REBASE: Final = "REBASE"
"""The word that accepts a drawdown (X-73)."""


class Resume(Command, frozen=True, kw_only=True):
    """Clear the latch, typed; refused while anything is unexplained (X-69).

    `rebase`: accept the fall from the highest equity, which is today's from then on (X-73).
    `epoch` is that of the halt which was looked at, and no other one is cleared; left out by who
    does not say it, and what is checked is then of the halt that stood when it was asked for
    (C-503). `against` says why that halt
    cannot be cleared any more, "" where it can: the engine finds it out, and it is no argument of
    the operator's.
    """

    confirm: str
    note: str = ""
    rebase: bool = False
    epoch: int | msgspec.UnsetType = msgspec.UNSET
    against: str = ""


class PlaceOrder(Command, frozen=True, kw_only=True):
    """A manual order.

    `target` is the price at which what it opens is closed with a profit. `managed` hands that over
    to the rules that manage what signals open; without it they leave it alone (X-80). `waited` is
    as in `SignalArrived`, and no argument of the operator's.
    """

    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    protect: Decimal | None = None
    target: Decimal | None = None
    managed: bool = False
    hold: TradeType = TradeType.DAY
    time_in_force: TimeInForce | None = None
    broker: str = ""
    intent_id: str = ""
    """An id of the asker's, "" for none: the second command of one id gets the first one's answer
    and does nothing."""
    waited: Nanos = 0


class CancelOrder(Command, frozen=True, kw_only=True):
    """Cancel one order; a protective stop wants the word UNPROTECT."""

    client_order_id: str
    confirm: str = ""


class ModifyOrder(Command, frozen=True, kw_only=True):
    """Change a working order; what is None stays as it is (X-88).

    `quantity` is the new total, the filled part included; at or below that it means cancel.
    `waited` is as in `SignalArrived`, and no argument of the operator's.
    """

    client_order_id: str
    quantity: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    waited: Nanos = 0


class ResolveOrder(Command, frozen=True, kw_only=True):
    """What became of an UNKNOWN order, as the operator decides; wants the word RESOLVE (rule 1).

    `filled` needs `quantity`, all that filled of it, and `price`, the mean of that; `venue` takes
    what the venue says. The rest is the venue's answer, and no argument of the operator's:
    `answered` is False where there was none, and `there` is None where it knows no such order.
    """

    client_order_id: str
    decision: Literal["filled", "canceled", "venue"]
    quantity: Decimal | None = None
    price: Decimal | None = None
    confirm: str = ""
    answered: bool = False
    there: VenueOrder | None = None
    asked_at: Nanos = 0


class CancelAll(Command, frozen=True, kw_only=True):
    """Cancel everything but protective stops; in one account where it is named."""

    broker: str = ""


class Protect(Command, frozen=True, kw_only=True):
    """Attach, move or, with `price` None, remove the stop of a position (X-85).

    To remove it wants the word UNPROTECT. `broker` names the account where two hold the symbol.
    """

    symbol: str
    price: Decimal | None
    confirm: str = ""
    broker: str = ""


class SetTarget(Command, frozen=True, kw_only=True):
    """Attach, move or, with `price` None, remove the target of a position (X-85).

    `broker` names the account where two hold the symbol.
    """

    symbol: str
    price: Decimal | None
    broker: str = ""


class ClosePosition(Command, frozen=True, kw_only=True):
    """Reduce-only close of one symbol, in every account that holds it or in the one named.

    `quantity` closes so much of one position and leaves the rest; None closes all of it.
    """

    symbol: str
    broker: str = ""
    quantity: Decimal | None = None
    intent_id: str = ""
    """As in `PlaceOrder`."""


class CloseAll(Command, frozen=True, kw_only=True):
    """Reduce-only close of everything; in one account where it is named."""

    broker: str = ""


class Reconcile(Command, frozen=True, kw_only=True):
    """Compare with the venue; `apply` takes over what the comparison proposes."""

    apply: bool = False
    broker: str = ""
    """The account to compare; "" is every one."""


class RetryLetter(Command, frozen=True, kw_only=True):
    """Decide a dead letter anew, with a fresh price and the whole gate (C-430).

    `waited` is as in `SignalArrived`, and no argument of the operator's.
    """

    letter_id: str
    waited: Nanos = 0


class DropLetter(Command, frozen=True, kw_only=True):
    """Forget a dead letter."""

    letter_id: str


class Sign(Command, frozen=True, kw_only=True):
    """A person signs a dry run off, for real money at its kind of venue (C-707)."""

    sign_off: SignOff
    passed: bool
    """Whether the run passed: one that did not is not signed off."""


AGED: Final = (SignalArrived, PlaceOrder, ModifyOrder, RetryLetter)
"""The inputs that may add exposure; each carries how long it waited (X-89)."""


_FOUND_OUT: Final = ("waited", "against", "answered", "there", "asked_at")
"""What the engine finds out for a command: no argument of the operator's."""


def args_of(command: Command) -> dict[str, Any]:
    """The command's arguments as plain data, for the journal."""
    data: dict[str, Any] = msgspec.to_builtins(command)
    for name in ("by", *_FOUND_OUT):
        data.pop(name, None)
    return data
