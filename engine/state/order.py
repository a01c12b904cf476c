"""An order as the state knows it: its terms, and what became of it (U-16, U-20)."""

from decimal import Decimal
from operator import attrgetter
from typing import Final, Self

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Quote
from engine.domain.money import ONE, ZERO
from engine.domain.order import (
    RESTING,
    TERMINAL,
    VENUE,
    OrderStatus,
    OrderTerms,
    OrderType,
    Replacement,
)
from engine.domain.suspicion import CLOSE_TO

_TERMS = OrderTerms.__struct_fields__
_values = attrgetter(*_TERMS)
_MARKET: Final = OrderType.MARKET


DROPPED_WITHIN: Final = 60 * NS_PER_SECOND
"""A stop that its venue ends, unasked, before it has rested for so long was dropped."""


class Pending(Replacement, frozen=True, kw_only=True):
    """A change that is under way.

    `reserved` is the price per unit at which what is unfilled then counts as exposure.
    """

    new_client_order_id: str = ""
    """The order that takes its place once its cancel is proved; "" where the venue changes it."""
    reserved: Decimal = ZERO

    @property
    def native(self) -> bool:
        """The venue changes the order itself (X-88)."""
        return not self.new_client_order_id


class Order(OrderTerms, frozen=True, kw_only=True):
    """One order with everything that is known of it. Changes make a new value.

    `quantity` and the prices are those in force: a replace changes them.
    """

    seq: int = 0
    """The event that made it."""
    status: OrderStatus = OrderStatus.CREATED
    venue_order_id: str = ""
    filled: Decimal = ZERO
    filled_at: Nanos = 0
    """When its newest fill was recorded, or its venue last said that it trades; 0 before that."""
    worst_price: Decimal | None = None
    """The price at which it filled that is the worst for us; None before its first fill."""
    best_price: Decimal | None = None
    """That which is the best for us; None before its first fill."""
    notional: Decimal = ZERO
    """Sum of price x quantity over its fills, without the multiplier."""
    commission: Decimal = ZERO
    """In the currency of the instrument, whatever it was taken in."""
    reject_code: str = ""
    created_at: Nanos
    updated_at: Nanos
    replaced_at: Nanos = 0
    """When the venue last told other terms of it: an answer may be older than that (A-373)."""
    sent_at: Nanos = 0
    put_off_until: Nanos = 0
    """It provably did not leave, and is tried again then; 0 where it was sent at once."""
    accepted_at: Nanos = 0
    unclear_at: Nanos = 0
    """When it last became UNKNOWN: a request may arrive for a while after its time-out."""
    told_filled: Decimal | None = None
    """How much of it filled in all, as the venue said when it had ended there and fills of it were
    missing here; None where that was not so."""
    told_average: Decimal | None = None
    """The mean price of all that filled of it, as the venue said then; None where it did not."""
    rested_until: Nanos = 0
    """When one that only reduces was last known to rest, and then no longer: its end or a change of
    it was asked for, it became unclear, or it ended."""
    queries: int = 0
    """How often the venue was asked about it since it became unclear."""
    asked_at: Nanos = 0
    """When the venue was last asked about it; 0 before that."""
    cancel_wanted: bool = False
    """We asked for its end and did not give that up; outlives every doubt about its state."""
    cancel_reason: str = ""
    """Why its end was first asked for; it stays the reason, whatever the venue says of the end."""
    refused_at: Nanos = 0
    """When the venue last refused a cancel or a change of it, or was not reached for one."""
    cancel_at: Nanos = 0
    """Before this no cancel that failed is asked for again; 0 where the last one did not fail."""
    cancel_barred_until: Nanos = 0
    """Before this the venue wants no other request to cancel it; 0 is never."""
    cancel_failures: int = 0
    """How many cancels of it failed since one was first asked for."""
    retry_at: Nanos = 0
    """The venue wants no change of it before this, and, where it was not taken, nothing in its
    place; 0 is at once."""
    stopped: bool = False
    """A stop of the position that it was to build up has traded: it adds no more (X-78)."""
    pending: Pending | None = None
    """The change that was asked for and that nothing has proved or refused yet."""
    unasked_from: Replacement | None = None
    """Its terms of before the newest change of it, where nobody had asked for that; else None."""
    rescaled: bool = False
    """The stop and the target that it brings are of the units of that change already (X-93)."""
    seen: Quote | None = None
    """In mode shadow, the real venue's quote when it was decided."""
    told_otherwise: Replacement | None = None
    """The terms that nobody asked for with which its venue said that it works, which an alarm has
    told and no answer has proved since its last change; else None."""

    @classmethod
    def of(cls, terms: OrderTerms, *, seq: int, at: Nanos) -> Self:
        """The order that these terms make, intended by event `seq` at `at`.

        Written out, since every order is made here, and a dict of the terms took three times as
        long. A test holds it to every field that the terms have.
        """
        return cls(
            client_order_id=terms.client_order_id,
            intent_id=terms.intent_id,
            signal_id=terms.signal_id,
            parent_id=terms.parent_id,
            orig_client_order_id=terms.orig_client_order_id,
            account=terms.account,
            symbol=terms.symbol,
            side=terms.side,
            type=terms.type,
            quantity=terms.quantity,
            limit_price=terms.limit_price,
            stop_price=terms.stop_price,
            time_in_force=terms.time_in_force,
            reduce_only=terms.reduce_only,
            purpose=terms.purpose,
            reserved=terms.reserved,
            reference=terms.reference,
            trade_type=terms.trade_type,
            stop_loss=terms.stop_loss,
            target=terms.target,
            managed=terms.managed,
            conviction=terms.conviction,
            signal_type=terms.signal_type,
            timeframe=terms.timeframe,
            resized=terms.resized,
            reason=terms.reason,
            timeout_seconds=terms.timeout_seconds,
            attempt=terms.attempt,
            check_first=terms.check_first,
            routed=terms.routed,
            named=terms.named,
            seq=seq,
            created_at=at,
            updated_at=at,
        )

    @property
    def terms(self) -> OrderTerms:
        """The terms in force."""
        return OrderTerms(**dict(zip(_TERMS, _values(self), strict=True)))

    @property
    def replacement(self) -> Replacement:
        """Those of the terms in force that can be changed."""
        return Replacement(
            quantity=self.quantity,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            time_in_force=self.time_in_force,
        )

    def said(self, theirs: Replacement) -> Replacement:
        """The venue's terms, without what says nothing of this order.

        How long a market order is in force means nothing once it was taken, and venues tell one as
        IOC or FOK that was sent as DAY (X-88). Where another time was asked for it is an answer.
        """
        wanted = self.pending
        if self.type is not _MARKET or (wanted is not None and wanted.time_in_force is not None):
            return theirs
        return msgspec.structs.replace(theirs, time_in_force=None)

    def differs(self, theirs: Replacement) -> bool:
        """True where the venue's terms, as far as it says them, are not these."""
        return self.changes_by(self.said(theirs))

    def changes_by(self, wanted: Replacement) -> bool:
        """True where a change to these terms, as far as they are given, would change any."""
        return wanted.quantity != self.quantity or any(
            given is not None and given != known
            for given, known in (
                (wanted.limit_price, self.limit_price),
                (wanted.stop_price, self.stop_price),
                (wanted.time_in_force, self.time_in_force),
            )
        )

    def answered_by(self, theirs: Replacement) -> bool:
        """True where the venue's terms are those of the change that it was asked for (X-88)."""
        wanted = self.pending
        if wanted is None or not wanted.native:
            return False
        changed = msgspec.structs.replace(
            self,
            quantity=wanted.quantity,
            limit_price=wanted.limit_price or self.limit_price,
            stop_price=wanted.stop_price or self.stop_price,
            time_in_force=wanted.time_in_force or self.time_in_force,
        )
        return not changed.differs(theirs)

    @property
    def asked_stop(self) -> Decimal | None:
        """The price at which it is to be a stop, once what was asked of its venue is done."""
        change = self.pending
        if change is not None and change.native and change.stop_price is not None:
            return change.stop_price
        return self.stop_price

    @property
    def asked_size(self) -> Decimal | None:
        """How much was to be left of it by what its venue has not answered yet: a change of it, or
        that it is made; None where nothing is open."""
        change = self.pending
        if change is not None and not change.native:
            return None
        if change is None and self.replaced_at:
            return None
        return (self.quantity if change is None else change.quantity) - self.filled

    def only_cut_by(self, wanted: Replacement) -> bool:
        """True where the change leaves its prices and its time in force, and adds no quantity."""
        return wanted.quantity <= self.quantity and not self.changes_by(
            Replacement(
                quantity=self.quantity,
                limit_price=wanted.limit_price,
                stop_price=wanted.stop_price,
                time_in_force=wanted.time_in_force,
            )
        )

    def grows_by(self, wanted: Pending) -> bool:
        """True where what is left of it may cost more after the change than was reserved for it."""
        left = (self.quantity - self.filled) * self.reserved
        return (wanted.quantity - self.filled) * wanted.reserved > left

    def was_split(self, numerator: int, denominator: int) -> bool:
        """Whether its venue has changed it as a split `numerator`:`denominator` does (X-93)."""
        was = self.unasked_from
        if was is None or self.quantity == was.quantity:
            return False
        quantity = was.quantity * numerator / denominator
        return abs(self.quantity - quantity) < ONE and all(
            before is None
            or after is None
            or abs(after * numerator / (before * denominator) - ONE) <= CLOSE_TO
            for before, after in (
                (was.limit_price, self.limit_price),
                (was.stop_price, self.stop_price),
            )
        )

    @property
    def was_dropped(self) -> bool:
        """The venue never worked it, or ended it soon after it did, and nobody asked for that."""
        if not self.status.is_terminal or self.status is OrderStatus.FILLED or self.cancel_wanted:
            return False
        return not self.accepted_at or self.updated_at - self.accepted_at < DROPPED_WITHIN

    @property
    def most(self) -> Decimal:
        """What the venue may fill of it: a replace under way may have enlarged it already."""
        return self.quantity if self.pending is None else max(self.quantity, self.pending.quantity)

    @property
    def leaves(self) -> Decimal:
        """What can still fill (FIX 151); nothing once terminal."""
        if self.status.is_terminal:
            return ZERO
        left = self.quantity - self.filled
        return left if left > 0 else ZERO

    @property
    def untold(self) -> Decimal:
        """What the venue counts as filled more than its fills that were told, of one that has ended
        there (U-21)."""
        if self.status is not OrderStatus.UNKNOWN or self.told_filled is None:
            return ZERO
        return max(self.told_filled - self.filled, ZERO)

    @property
    def reach(self) -> Decimal:
        """The most that can still fill, whether a change under way was taken or not."""
        if self.status.is_terminal:
            return ZERO
        return max(self.most - self.filled, ZERO)

    @property
    def least(self) -> Decimal:
        """The least that can still fill, whether a change under way was taken or not."""
        if self.pending is None:
            return self.leaves
        return min(self.leaves, max(self.pending.quantity - self.filled, ZERO))

    @property
    def rests(self) -> bool:
        """Whether the venue is known to work it, also while it changes it by itself."""
        changing = self.status is OrderStatus.PENDING_REPLACE
        return self.status in RESTING or (
            changing and self.pending is not None and self.pending.native
        )

    @property
    def covers(self) -> Decimal:
        """How much a stop protects: nothing while it is not known to rest at the venue (rule 3).

        One that is being changed there rests meanwhile, for the less of both quantities; one whose
        end was asked for may be gone. One that its venue holds waits for something and may not
        trade, unless it was taken over from there: the stop of a pair counts as held at Alpaca
        while the venue watches its price.
        """
        if not (self.accepted_at and self.protects):
            return ZERO  # asked of every order at every change of it, and most are no stops
        if self.status is OrderStatus.SUSPENDED and self.intent_id != VENUE:
            return ZERO
        if self.limit_price is not None and not self.is_protective:
            return ZERO  # it may trigger and not fill; one of ours has its limit far beyond
        return self.least if self.rests else ZERO

    @property
    def exposure(self) -> Decimal:
        """What it may still add at worst, without the multiplier (U-51).

        While a change is under way it is the larger of both: one of them is live, never both.
        """
        amount = self.leaves * self.reserved
        if self.pending is None or self.status.is_terminal:
            return amount
        return max(amount, max(self.pending.quantity - self.filled, ZERO) * self.pending.reserved)

    @property
    def may_add(self) -> Decimal:
        """The quantity that `exposure` is counted for, the larger of both likewise."""
        if self.pending is None or self.status.is_terminal:
            return self.leaves
        return max(self.leaves, self.pending.quantity - self.filled)

    @property
    def to_follow(self) -> Decimal:
        """What the order that is to take its place once it is cancelled may add at worst, without
        the multiplier (X-88)."""
        wanted = self.pending
        if wanted is None or wanted.native or self.status is not OrderStatus.CANCELED:
            return ZERO
        return max(wanted.quantity - self.filled, ZERO) * wanted.reserved

    @property
    def makes_room(self) -> bool:
        """It is being cancelled so that another order can take its place (X-88)."""
        return self.pending is not None and not self.pending.native

    @property
    def cancel_put_off(self) -> bool:
        """It rests as it did, and its cancel is asked for again once `cancel_at` has come."""
        return self.cancel_wanted and self.cancel_at > 0 and self.status in RESTING

    @property
    def works_as(self) -> OrderStatus:
        """What it is where the venue works it as it was and nothing is asked of it."""
        return OrderStatus.PARTIALLY_FILLED if self.filled else OrderStatus.NEW

    @property
    def is_working(self) -> bool:
        """True until terminal; UNKNOWN counts (rule 1 of the design)."""
        return self.status not in TERMINAL

    @property
    def average_price(self) -> Decimal | None:
        """Mean fill price, None before the first fill (U-21)."""
        return self.notional / self.filled if self.filled else None

    @property
    def signed_leaves(self) -> Decimal:
        """Leaves with the sign of the side."""
        return self.leaves * self.side.sign
