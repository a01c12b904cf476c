"""The life of an order."""

from decimal import Decimal

import msgspec

from engine.domain.events.base import Event
from engine.domain.events.signals import CheckResult
from engine.domain.instant import Nanos
from engine.domain.money import ONE, ZERO
from engine.domain.order import (
    Fill,
    OrderStatus,
    OrderTerms,
    Replacement,
    Side,
    TimeInForce,
    VenueState,
)


class OrderIntended(Event, frozen=True, kw_only=True):
    """We decided to send this order; durable before the send where it can add exposure (rule 1)."""

    terms: OrderTerms

    @property
    def account(self) -> str:
        """The account it is for."""
        return self.terms.account


class JudgedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account that an order could have gone to."""

    account: str
    score: Decimal = ZERO
    """From 0 to 1; more is better (A-465)."""
    expected_cost: Decimal | None = None
    """Of `AccountChoice.quantity` there, in the currency of the instrument; None where it was not
    compared."""
    excluded: str = ""
    """Why it could not get the order, in words; "" where it could."""


class AccountChoice(msgspec.Struct, frozen=True, kw_only=True):
    """Which of several accounts an order goes to, and everything that decided it (A-471)."""

    chosen: str
    reason: str
    accounts: tuple[JudgedAccount, ...]
    quantity: Decimal
    """What it was judged by: the order's, or one lot of one that was not sized yet."""
    priority: str
    """How the order meets the market: aggressive, neutral or passive."""
    bid: Decimal | None
    ask: Decimal | None
    """The best prices that were known."""


class OrderRouted(Event, frozen=True, kw_only=True):
    """The account of an order was chosen among several; the order follows."""

    account: str
    symbol: str
    client_order_id: str
    choice: AccountChoice


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


class SendPutOff(Event, frozen=True, kw_only=True):
    """The order provably did not leave, and is tried again at `until` (C-401)."""

    account: str
    client_order_id: str
    until: Nanos
    text: str = ""


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
    retry_at: Nanos = 0
    """The venue asked to wait until then; 0 where it did not."""


class OrderUnclear(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Sent, and nothing proves what became of it: UNKNOWN, exposure stays reserved (rule 1)."""

    account: str
    client_order_id: str
    reason: str
    filled: Decimal | None = None
    """How much of it filled as the venue says, where it has ended there and no fills tell that."""
    average_price: Decimal | None = None
    """At which mean price, where the venue says so too."""
    works_otherwise: Replacement | None = None
    """The terms with which the venue says that it works, which nobody asked for (X-88)."""


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


class FillMatched(Event, frozen=True, kw_only=True):
    """A fill was told that had been assumed before: it counts once (rules 1 and 2).

    What it costs otherwise than was assumed, and its commission, are booked as realised.
    """

    account: str
    fill: Fill
    """What the venue told."""
    quantity: Decimal
    """How much of it had been assumed; the rest is a fill of its own."""
    price: Decimal
    """At what price that was assumed."""
    multiplier: Decimal
    rate: Decimal
    """What one unit of the instrument's currency was worth in the base currency."""
    fee_rate: Decimal
    """What one unit of the asset that the commission was taken in was worth in it."""


class CommissionTaken(Event, frozen=True, kw_only=True):
    """The commission of a fill came out of a holding of the asset that it was charged in.

    The holding gives `quantity` at `price`, as if it had been sold for the commission, and the cash
    that the fill was charged to gets it back. A rebate has a quantity below 0 and adds to it.
    """

    account: str
    symbol: str
    """The holding, a pair whose base is the asset."""
    currency: str
    """The asset."""
    quantity: Decimal
    price: Decimal
    """What one unit of the asset was worth in the currency of the holding."""
    rate: Decimal
    """What one unit of that currency was worth in the base currency; 0 where nobody knew."""
    account_rate: Decimal
    """What one unit of the account's own currency was worth in it; 0 where the fill used no buying
    power that this gives back."""
    execution_id: str
    """The fill that it was charged for."""
    time: Nanos
    """The venue's own time of that fill."""

    @property
    def execution(self) -> Fill:
        """What it does to the holding: a sale, or for a rebate a purchase."""
        return Fill(
            execution_id=self.execution_id,
            client_order_id="",
            account=self.account,
            symbol=self.symbol,
            side=Side.SELL if self.quantity > 0 else Side.BUY,
            quantity=abs(self.quantity),
            price=self.price,
            time=self.time,
        )


class CancelRequested(Event, frozen=True, kw_only=True):
    """We asked, or are about to ask, the venue to cancel."""

    account: str
    client_order_id: str
    reason: str


class CancelRefused(Event, frozen=True, kw_only=True):
    """The venue did not change the order; it works as it was, and is what its status says.

    It is named after the cancel, and says what became of a refused change too.
    """

    account: str
    client_order_id: str
    status: OrderStatus
    text: str
    retry_at: Nanos = 0
    """The venue asked to wait until then; 0 where it did not."""


class CancelPutOff(Event, frozen=True, kw_only=True):
    """A cancel that was asked for did not get through, or would end a stop that trades; it is asked
    for again at `until` (C-403, X-78).

    `status` is what the order is where that is known: a venue that asked to wait did not act on the
    request. None leaves it as it was, and the venue is asked. A halt that comes meanwhile does not
    wait for `until`, but for `barred_until`, before which the venue wants no request; 0 is none.
    """

    account: str
    client_order_id: str
    until: Nanos
    barred_until: Nanos = 0
    status: OrderStatus | None = None
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
    """A working order is to change; durable before the request where it can add exposure (rule 1).

    None leaves a price or the time in force as it is. `quantity` is the new total.
    """

    account: str
    client_order_id: str
    quantity: Decimal
    stop_price: Decimal | None
    limit_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    reserved: Decimal = ZERO
    """Price per unit at which what is unfilled then counts as exposure; 0 if it only reduces."""
    new_client_order_id: str = ""
    """The order that takes its place once its cancel is proved; "" where the venue changes it."""
    reason: str

    @property
    def adds_exposure(self) -> bool:
        """Whether the order can add exposure once it is changed (U-51)."""
        return self.reserved > 0

    @property
    def native(self) -> bool:
        """The venue changes the order itself (X-88)."""
        return not self.new_client_order_id


class OrderReplaced(Event, frozen=True, kw_only=True):
    """The venue works it with other terms; None is a term that is as it was."""

    account: str
    client_order_id: str
    quantity: Decimal
    stop_price: Decimal | None
    limit_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    reserved: Decimal | None = None
    """Price per unit at which what is unfilled counts as exposure from now on."""
    numerator: int | msgspec.UnsetType = msgspec.UNSET
    """With `denominator`, n new for m old: the split by which its venue has changed it (X-93). Left
    out where it was not changed like one."""
    denominator: int | msgspec.UnsetType = msgspec.UNSET


class ReplaceAbandoned(Event, frozen=True, kw_only=True):
    """An order was cancelled to make room for another, and the other is not sent (X-88)."""

    account: str
    client_order_id: str
    """The one that was cancelled."""
    code: str
    reason: str


class OrderSettled(Event, frozen=True, kw_only=True):
    """A query proved the order's state at the venue (UNKNOWN resolved by evidence)."""

    account: str
    client_order_id: str
    venue_order_id: str
    status: OrderStatus
    reason: str
    filled: Decimal | None = None
    """What its fills add up to, where some were taken before the order was known here."""
    notional: Decimal | None = None
    """Sum of price x quantity over them, without the multiplier."""


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
    """An operator retried or dropped a dead letter, or its venue turned out to have the order."""

    account: str
    letter_id: str
    action: str
    by: str
