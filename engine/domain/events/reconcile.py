"""What a comparison with the venue found, and what was taken over."""

from decimal import Decimal

import msgspec

from engine.domain.events.base import Event
from engine.domain.instant import Nanos
from engine.domain.money import ZERO


class SnapshotRequested(Event, frozen=True, kw_only=True):
    """The venue is being asked for account, holdings, orders and fills, until it answers."""

    account: str
    reason: str


class VenueSilent(Event, frozen=True, kw_only=True):
    """The venue has not answered a question that was asked at `since`, for too long (X-84)."""

    account: str
    since: Nanos
    """Nanoseconds UTC; 0 where it answers again."""


_OF_QUANTITY = frozenset({"LOCAL_ONLY", "BROKER_ONLY", "QTY_MISMATCH", "SIDE_MISMATCH"})
"""The kinds of difference that are about how much is held."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on which we and the venue disagree; `kind` is a code of X-08."""

    symbol: str
    kind: str
    local: str
    venue: str
    client_order_id: str = ""

    @property
    def missing(self) -> Decimal:
        """How much more is held here than there, signed; 0 where it is about something else."""
        if self.client_order_id or self.kind not in _OF_QUANTITY:
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


class PositionAdjusted(Event, frozen=True, kw_only=True):
    """The venue's quantity was taken over where no fill explains it."""

    symbol: str
    account: str
    quantity: Decimal
    price: Decimal
    multiplier: Decimal
    previous: Decimal
    reason: str
    by: str


class SymbolBlocked(Event, frozen=True, kw_only=True):
    """No entries in this symbol until the cause is resolved."""

    account: str
    symbol: str
    cause: str
    reason: str


class SymbolUnblocked(Event, frozen=True, kw_only=True):
    """Entries are allowed again as far as this cause is concerned."""

    account: str
    symbol: str
    cause: str
    by: str
