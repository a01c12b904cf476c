"""The life of an order."""

from decimal import Decimal

from engine.domain.events.base import Event
from engine.domain.events.signals import CheckResult
from engine.domain.money import ONE
from engine.domain.order import Fill, OrderStatus, OrderTerms, VenueState


class OrderIntended(Event, frozen=True, kw_only=True):
    """We decided to send this order; durable before the send where it can add exposure (rule 1)."""

    terms: OrderTerms

    @property
    def account(self) -> str:
        """The account it is for."""
        return self.terms.account


class OrderRefused(Event, frozen=True, kw_only=True):
    """A manual order did not pass; it never existed for a venue."""

    account: str
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

    account: str
    client_order_id: str


class OrderAccepted(Event, frozen=True, kw_only=True):
    """The venue works it."""

    account: str
    client_order_id: str
    venue_order_id: str


class OrderRejected(Event, frozen=True, kw_only=True):
    """The venue refused it, or it provably never left (code NOT_SENT)."""

    account: str
    client_order_id: str
    code: str
    text: str


class OrderUnclear(Event, frozen=True, kw_only=True):
    """Sent, and nothing proves what became of it: UNKNOWN, exposure stays reserved (rule 1)."""

    account: str
    client_order_id: str
    reason: str


class OrderQueried(Event, frozen=True, kw_only=True):
    """The venue is being asked what became of an order."""

    account: str
    client_order_id: str
    reason: str


class OrderFilled(Event, frozen=True, kw_only=True):
    """A fill, whatever state its order was in (rule 2)."""

    account: str
    fill: Fill
    multiplier: Decimal
    cumulative: Decimal
    average_price: Decimal
    late: bool = False
    overfill: Decimal = Decimal(0)
    known_order: bool = True
    position_id: str = ""
    """The position that this fill opened; empty when it opened none."""
    rate: Decimal = ONE
    """What one unit of the instrument's currency was worth in the base currency."""
    fee_rate: Decimal = ONE
    """What one unit of the asset that the commission was taken in was worth in it."""
    account_rate: Decimal = ONE
    """What one unit of the account's own currency was worth in it."""


class CancelRequested(Event, frozen=True, kw_only=True):
    """We asked, or are about to ask, the venue to cancel."""

    account: str
    client_order_id: str
    reason: str


class CancelRefused(Event, frozen=True, kw_only=True):
    """The venue did not take the cancel; the order is what its status says."""

    account: str
    client_order_id: str
    status: OrderStatus
    text: str


class OrderCanceled(Event, frozen=True, kw_only=True):
    """The venue says it is gone."""

    account: str
    client_order_id: str
    reason: str


class OrderExpired(Event, frozen=True, kw_only=True):
    """Its time in force ended."""

    account: str
    client_order_id: str


class ReplaceRequested(Event, frozen=True, kw_only=True):
    """We asked the venue to change quantity or stop of a working order."""

    account: str
    client_order_id: str
    quantity: Decimal
    stop_price: Decimal | None
    reason: str


class OrderReplaced(Event, frozen=True, kw_only=True):
    """The venue works it with the new quantity or stop."""

    account: str
    client_order_id: str
    quantity: Decimal
    stop_price: Decimal | None


class OrderSettled(Event, frozen=True, kw_only=True):
    """A query proved the order's state at the venue (UNKNOWN resolved by evidence)."""

    account: str
    client_order_id: str
    venue_order_id: str
    status: OrderStatus
    reason: str


class OrderAdopted(Event, frozen=True, kw_only=True):
    """An order of this account that we did not know, found at the venue."""

    terms: OrderTerms
    state: VenueState

    @property
    def account(self) -> str:
        """The account it was found in."""
        return self.terms.account


class DeadLettered(Event, frozen=True, kw_only=True):
    """A decision that could not be sent and is never retried by itself (C-430, X-10)."""

    letter_id: str
    terms: OrderTerms
    error: str

    @property
    def account(self) -> str:
        """The account it was for."""
        return self.terms.account


class DeadLetterClosed(Event, frozen=True, kw_only=True):
    """An operator retried or dropped a dead letter."""

    account: str
    letter_id: str
    action: str
    by: str
