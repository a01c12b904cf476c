"""What is wanted in more than one order (DESIGN, Intents and plans)."""

from engine.domain.events.base import Event
from engine.domain.intent import LegDone
from engine.domain.order import OrderTerms


class IntentOpened(Event, frozen=True, kw_only=True):
    """Something is wanted that takes several orders; its plan sends them, one by one or together.

    What is wanted in a single order is opened by that order's `OrderIntended` alone.
    """

    intent_id: str
    plan: str
    """The row of the plans' table that carries it."""
    signal_id: str = ""
    by: str = ""
    legs: tuple[OrderTerms, ...]
    """Every order as it was decided, in order; an id that is never sent stays unused."""


class LegRefused(Event, frozen=True, kw_only=True):
    """A leg did not pass when it was to be sent: no order will ever be made of it."""

    account: str
    symbol: str
    intent_id: str
    client_order_id: str
    code: str
    measured: str
    limit: str
    reason: str


class IntentEnded(Event, frozen=True, kw_only=True):
    """Nothing of it works or waits any more."""

    intent_id: str
    plan: str
    signal_id: str = ""
    reason: str
    """What became of it, in words."""
    legs: tuple[LegDone, ...]
