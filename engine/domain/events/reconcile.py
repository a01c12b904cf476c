"""What a comparison with the venue found, and what was taken over."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from engine.domain.events.base import Event
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.suspicion import Suspicion


class SnapshotRequested(Event, frozen=True, kw_only=True):
    """The venue is being asked for account, holdings, orders and fills, until it answers."""

    account: str
    reason: str
    """One of `LookReason`."""


class VenueSilent(Event, frozen=True, kw_only=True):
    """The venue has given no usable answer to a question that was asked at `since`, for too long
    (X-84)."""

    account: str
    since: Nanos
    """Nanoseconds UTC; 0 where it answers again."""


_OF_QUANTITY = frozenset({"LOCAL_ONLY", "BROKER_ONLY", "QTY_MISMATCH", "SIDE_MISMATCH"})
"""The kinds of difference that are about how much is held."""


class Compared(StrEnum):
    """What of an account is compared with its venue's (A-370)."""

    HOLDING = "holding"
    ORDER = "order"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on which we and the venue disagree; `kind` is a code of X-08.

    Of a holding `local` and `venue` are what is held, a signed quantity, or its average price; of
    an order they are words.
    """

    symbol: str
    kind: str
    local: str
    venue: str
    client_order_id: str = ""
    """Of the order that it is about; "" where it is about a holding."""
    about: Compared = Compared.HOLDING

    @property
    def is_of_holding(self) -> bool:
        """Whether it is about what is held. A row of before `about` was written names its order."""
        return self.about is Compared.HOLDING and not self.client_order_id

    @property
    def missing(self) -> Decimal:
        """How much more is held here than there, signed; 0 where it is about something else."""
        if not self.is_of_holding or self.kind not in _OF_QUANTITY:
            return ZERO
        return Decimal(self.local or "0") - Decimal(self.venue or "0")


class Reconciled(Event, frozen=True, kw_only=True):
    """A comparison with the venue, after subtracting what is in flight (A-373)."""

    account: str
    reason: str
    clean: bool
    differences: tuple[Difference, ...]
    matched: int
    failed: bool = False
    """The venue could not be asked: nothing is known that was not known before."""
    unsettled: tuple[str, ...] = ()
    """Symbols with anything in flight or in doubt."""
    doubted: tuple[Difference, ...] | msgspec.UnsetType = msgspec.UNSET
    """How holdings in those symbols differ, where no late list explains it: nothing is taken over,
    and no order that reduces goes beyond what is listed. Left out where there is none."""
    missed_at: dict[str, Decimal] | msgspec.UnsetType = msgspec.UNSET
    """By symbol of which this look finds less than is held here, and less than looks before it did:
    the price as far as evidence carries it. Left out where there is none."""
    listed_again: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    """Those of `unsettled` that were missing at the venue and are listed now as they are held: they
    are missing no more. Left out where there is none."""
    stops_beyond: dict[str, Decimal] | msgspec.UnsetType = msgspec.UNSET
    """By symbol, how much more than is held the stops are for that somebody else rests there and
    that could open the other side (X-85). Left out where there is none."""


class PositionAdjusted(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The venue's quantity and average price were taken over where no fill explains them."""

    symbol: str
    account: str
    quantity: Decimal
    price: Decimal
    multiplier: Decimal
    previous: Decimal
    reason: str
    by: str
    value: Decimal | None = None
    """What it adds to equity, in the base currency; 0 at the first look, whose balances hold it.
    None where an older program wrote it, which kept our average and booked the cash as a flow."""
    unrealized: Decimal = ZERO
    """How the unrealised profit changes, in the base currency: that is no profit of a day."""
    mark: Decimal | None = None
    """The price that it was valued at."""
    estimated: bool = False
    """Nobody had told that price: the first one that is told takes its place (`HoldingPriced`)."""
    order_id: str = ""
    """The order of ours whose fills it stands for: stop, target and signal are that order's."""
    numerator: int = 0
    """n of a split n:m, n new for m old, that explains it (X-93); 0 where none does."""
    denominator: int = 0
    restated: Decimal | None = None
    """Of a split that is listed after its price was taken for real (X-93): how equity changes, in
    the base currency. It corrects what was counted in the units of before, and is no profit."""
    again: bool = False
    """It is listed again, shortly after it was taken off without a fill: trade type, stop, target
    and signal are what they were."""

    @property
    def taken_off(self) -> Decimal:
        """How much of what was held is not any more, signed as a trade that takes it off is."""
        if self.previous * self.quantity < 0:
            return -self.previous
        off = self.quantity - self.previous
        return off if off * self.previous < 0 else ZERO


class HoldingPriced(Event, frozen=True, kw_only=True):
    """The first price of something that was taken over without one.

    It was worth that when it was taken over, as far as anybody knows: it is no profit (X-75).
    """

    account: str
    symbol: str
    price: Decimal
    value: Decimal
    """What it adds to equity, in the base currency; of what was taken off, to what that counted
    for, so that equity stays and the profit moves the other way."""
    unrealized: Decimal
    """What of that is unrealised profit: none where the average price was not known either."""
    unproved: bool | msgspec.UnsetType = msgspec.UNSET
    """It is far from what was estimated and has no evidence yet: another price takes its place as
    the first one (X-71). Left out where it has."""
    early: bool | msgspec.UnsetType = msgspec.UNSET
    """It is of before the look that told of the holding, and has waited since: the next one takes
    its place. Left out where it is not."""
    left: Decimal | msgspec.UnsetType = msgspec.UNSET
    """How much of it was taken off without a fill, below 0 where that was long: it is about that
    part alone. Left out where it is about what is held."""


class SymbolBlocked(Event, frozen=True, kw_only=True):
    """No entries in this symbol until the cause is resolved."""

    account: str
    symbol: str
    cause: str
    reason: str
    suspicion: Suspicion | None = None
    """What is held of it is suspected of a split: it is frozen with the symbol (X-93)."""


class SymbolUnblocked(Event, frozen=True, kw_only=True):
    """Entries are allowed again as far as this cause is concerned."""

    account: str
    symbol: str
    cause: str
    by: str
    real: bool | msgspec.UnsetType = msgspec.UNSET
    """A price that looked like a split is taken for real (X-93): ten minutes with an unchanged
    holding have passed, or a person has decided so. Left out elsewhere."""
