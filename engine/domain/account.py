"""What the venue says of the account, its orders and holdings (A-041, C-126, C-127)."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from engine.domain.instant import Nanos
from engine.domain.order import Fill, OrderStatus, OrderType, Replacement, Side, TimeInForce


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Balances at one moment, in `currency` unless a field says otherwise."""

    account_id: str
    currency: str = "USD"
    """The account's own."""
    cash: Decimal
    """Cash in the account's own currency alone."""
    balances: dict[str, Decimal] = {}
    """Cash by currency, negative where it is owed; empty where all of it is in `currency`."""
    equity: Decimal
    """All cash and everything held."""
    buying_power: Decimal
    """What new exposure may cost."""
    as_of: Nanos


class MovementKind(StrEnum):
    """Why cash moved without a trade, as the venue's account history says."""

    TRANSFER = "transfer"
    DIVIDEND = "dividend"
    INTEREST = "interest"
    FEE = "fee"
    FUNDING = "funding"


class CashMovement(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the venue's account history that is no trade (DESIGN, Broker port)."""

    movement_id: str
    """The venue's own id, unique in the account."""
    kind: MovementKind
    currency: str
    amount: Decimal
    """What cash rose by, negative where it fell."""
    time: Nanos
    """When it was booked, by the venue's clock."""


class VenuePosition(msgspec.Struct, frozen=True, kw_only=True):
    """A holding as the venue states it, signed."""

    symbol: str
    quantity: Decimal
    average_price: Decimal
    mark: Decimal | None = None
    """The price that the venue values it at, None where it does not say."""


class VenueOrder(msgspec.Struct, frozen=True, kw_only=True):
    """An order as the venue states it."""

    client_order_id: str
    """Unique in the account by the time it reaches the core (see `Broker`); an adapter gives it as
    its venue does, "" for none."""
    venue_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    filled: Decimal
    average_price: Decimal | None = None
    """Mean price of what filled (FIX 6); None where the venue does not say."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    """None where the venue does not say."""
    status: OrderStatus
    reduce_only: bool = False

    @property
    def terms(self) -> Replacement:
        """The terms that a replace can change, as they stand there."""
        return Replacement(
            quantity=self.quantity,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            time_in_force=self.time_in_force,
        )


UNREADABLE: Final = "unreadable"
"""The cause that keeps entries away from a symbol of which a holding or an order is listed with a
number that is none, until it is listed with one."""


LINES_NAMED: Final = 5
"""So many lines of a history that cannot be read are named one by one."""


class VenueSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one reconcile compares with. A part that failed is never an empty part.

    A look goes by what can be known. Holdings and orders of which a number is none are left out
    with all else of their symbols, which `unreadable` has, each with why. `history_fault` says why
    the history of cash could not be had, and `unread_movements` why a line of it cannot be read, by
    its id: cash is then compared with nothing, until a person leaves such lines out (X-69). A kill
    goes on without balances too, `balances` is then None. Nothing that leans on what is missing is
    concluded; `without` says why it is, but for those lines, and `faults` with them (fault 46,
    X-52).

    `contradicts` says why the balances cannot be true beside what is held: they are compared with
    nothing. A venue that goes on to say such a thing counts in another way, and it is "" again.
    """

    account: str
    balances: Account | None
    without: str = ""
    contradicts: str = ""
    unreadable: Mapping[str, str] = {}
    history_fault: str = ""
    unread_movements: Mapping[str, str] = {}
    positions: tuple[VenuePosition, ...]
    orders: tuple[VenueOrder, ...]
    fills: tuple[Fill, ...]
    movements: tuple[CashMovement, ...] = ()
    """Cash that moved without a trade; none where the venue has no such history."""
    requested_at: Nanos
    as_of: Nanos

    @property
    def missing(self) -> tuple[str, ...]:
        """The parts that this look is without: balances, history, and symbols."""
        parts = ["balances"] if self.balances is None else []
        parts += ["history"] if self.history_fault or self.unread_movements else []
        return (*parts, *sorted(self.unreadable))

    @property
    def faults(self) -> str:
        """Why each part that is missing is so, for people; of many lines the first."""
        lines = tuple(self.unread_movements.values())
        more = len(lines) - LINES_NAMED
        rest = f"and {more} more lines of the history of cash" if more > 0 else ""
        return "; ".join(filter(None, (self.without, *lines[:LINES_NAMED], rest)))
