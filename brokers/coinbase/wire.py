"""The messages of Coinbase, and what they mean (research/venues.md §4).

The answers of REST and the messages of the user stream name the same things differently: types are
`LIMIT` there and `Limit` here, and only REST tells the whole quantity of an order that has ended.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

import msgspec

from brokers.coinbase.terms import is_wide
from brokers.net.ids import TextId, WithIds
from brokers.net.numbers import NAN, number, number_or_none, price_or_none, time_of
from engine.domain.account import VenueOrder
from engine.domain.money import ZERO, is_positive
from engine.domain.order import Fill, Liquidity, OrderStatus, OrderType, Side, TimeInForce

_S = OrderStatus
STATUSES: Final[Mapping[str, OrderStatus]] = {
    "PENDING": _S.PENDING_NEW,
    "QUEUED": _S.PENDING_NEW,
    "OPEN": _S.NEW,
    "EDIT_QUEUED": _S.NEW,
    "CANCEL_QUEUED": _S.PENDING_CANCEL,
    "FILLED": _S.FILLED,
    "CANCELLED": _S.CANCELED,
    "EXPIRED": _S.EXPIRED,
    "FAILED": _S.REJECTED,
}
"""Each word says one thing: what was cancelled is never read as filled (D-44).

A word that is not here ends nothing: it becomes SUSPENDED, which works for the engine as any order
that may still fill, and which a later word or a question may follow."""

WAITING: Final = ("PENDING", "QUEUED", "CANCEL_QUEUED", "EDIT_QUEUED")
"""What the list of OPEN orders leaves out although it may still fill."""

SIDES: Final = {"BUY": Side.BUY, "SELL": Side.SELL}

TIMES_IN_FORCE: Final = {
    "GOOD_UNTIL_CANCELLED": TimeInForce.GTC,
    "IMMEDIATE_OR_CANCEL": TimeInForce.IOC,
    "FILL_OR_KILL": TimeInForce.FOK,
}
"""Good until a date is none of ours: that the venue does not say."""

LIQUIDITY: Final = {"MAKER": Liquidity.MAKER, "TAKER": Liquidity.TAKER}

COINS: Final = Decimal("0.00000001")
"""The grid on which a quantity is told that the venue states as an amount of money."""


class Amount(msgspec.Struct, frozen=True):
    """A balance."""

    value: Any = None
    currency: str = ""


class Balance(msgspec.Struct, frozen=True):
    """What the account has of one asset."""

    currency: str
    available_balance: Amount = Amount()
    hold: Amount = Amount()
    type: str = ""
    retail_portfolio_id: str | None = ""

    @property
    def available(self) -> Decimal:
        return number(self.available_balance.value)

    @property
    def total(self) -> Decimal:
        """What is held back by working orders included."""
        held = number_or_none(self.hold.value)
        return self.available + (ZERO if held is None else held)


class Balances(msgspec.Struct, frozen=True):
    """A page of balances. One without its list, as of any of the lists here, cannot be read: the
    venue names a list that is empty too."""

    accounts: list[Balance]
    has_next: bool = False
    cursor: str | None = ""


class Permissions(msgspec.Struct, frozen=True):
    """What the key may do, and the one portfolio that it is for."""

    can_view: bool = False
    can_trade: bool = False
    can_transfer: bool = True
    """To send coins away; a venue that does not deny it may allow it."""
    portfolio_uuid: str = ""


class Order(WithIds, msgspec.Struct, frozen=True):
    """An order as a list or a question tells it."""

    order_id: TextId
    client_order_id: str | None = ""
    product_id: str = ""
    side: str = ""
    status: str = ""
    order_configuration: dict[str, dict[str, Any] | None] | None = None
    time_in_force: str | None = ""
    filled_size: Any = None
    average_filled_price: Any = None

    @property
    def terms(self) -> dict[str, Any]:
        """The fields of its configuration; the name of that says no more than they do."""
        named = (self.order_configuration or {}).values()
        return next((fields for fields in named if fields), {})

    def as_venue_order(self, tick: Decimal | None) -> VenueOrder:
        """It as the engine knows it; `tick` is the grid of its prices, None where not known."""
        fields, filled = self.terms, number_or_none(self.filled_size) or ZERO
        limit = price_or_none(fields.get("limit_price"))
        stop = price_or_none(fields.get("stop_price"))
        side = SIDES.get(self.side)
        # An order by an amount of money has no quantity until all of it has filled.
        quantity = number_or_none(fields.get("base_size"))
        if quantity is None:
            quantity = filled if STATUSES.get(self.status) in ENDED and filled else NAN
        kind, limit = kind_of(limit, stop, side, tick)
        tif = None if kind is OrderType.MARKET else TIMES_IN_FORCE.get(self.time_in_force or "")
        return VenueOrder(
            client_order_id=self.client_order_id or "",
            venue_order_id=self.order_id,
            symbol=self.product_id,
            side=side or Side.SELL,
            type=kind,
            quantity=quantity if side else NAN,
            filled=filled,
            average_price=price_or_none(self.average_filled_price),
            limit_price=limit,
            stop_price=stop,
            time_in_force=tif,
            status=status_of(self.status, filled),
        )


ENDED: Final = frozenset({_S.FILLED, _S.CANCELED, _S.EXPIRED, _S.REJECTED})


class Orders(msgspec.Struct, frozen=True):
    orders: list[Order]
    has_next: bool = False
    cursor: str | None = ""


class OneOrder(msgspec.Struct, frozen=True):
    order: Order


class Trade(WithIds, msgspec.Struct, frozen=True):
    """One execution."""

    trade_id: TextId
    order_id: TextId = ""
    entry_id: TextId = ""
    product_id: str = ""
    side: str = ""
    price: Any = None
    size: Any = None
    size_in_quote: bool | None = False
    commission: Any = None
    liquidity_indicator: str | None = ""
    trade_type: str | None = "FILL"
    trade_time: Any = None

    @property
    def execution_id(self) -> str:
        """The trade's own id: it is told only by this list, and the stream never makes one up.

        What corrects a trade has its id again, and is told by its entry: it takes no trade's place.
        """
        return self.trade_id if self.is_plain else f"{self.trade_type}-{self.entry_id}"

    @property
    def is_plain(self) -> bool:
        """Not a reversal, a correction or another word of which nobody knows what it does to what
        is held: such a row is handed on with a quantity that is none, so that the engine puts it
        aside, names it, and opens nothing in its symbol."""
        return self.trade_type in {"FILL", "", None}

    @property
    def quantity(self) -> Decimal:
        """What was traded, in units of the base."""
        size, price = number(self.size), number(self.price)
        if not self.is_plain or self.side not in SIDES:
            return NAN
        if not self.size_in_quote:
            return size
        if not is_positive(size) or not is_positive(price):
            return NAN
        return (size / price).quantize(COINS, ROUND_HALF_EVEN)

    def as_fill(self, account: str, client_order_id: str) -> Fill:
        """It as the engine knows it. A commission is in the currency that the pair is paid in."""
        commission = number_or_none(self.commission)
        return Fill(
            execution_id=self.execution_id,
            client_order_id=client_order_id,
            venue_order_id=self.order_id,
            account=account,
            symbol=self.product_id,
            side=SIDES.get(self.side, Side.SELL),
            quantity=self.quantity,
            price=number(self.price),
            commission=ZERO if commission is None else commission,
            liquidity=LIQUIDITY.get(self.liquidity_indicator or "", Liquidity.NONE),
            time=time_of(self.trade_time),
        )


class Trades(msgspec.Struct, frozen=True):
    """A page of executions; it ends with one without a cursor, or without executions."""

    fills: list[Trade]
    cursor: str | None = ""

    @property
    def has_next(self) -> bool:
        return bool(self.cursor and self.fills)


class Taken(WithIds, msgspec.Struct, frozen=True):
    """`success_response` of an order."""

    order_id: TextId = ""
    product_id: str = ""
    side: str = ""
    client_order_id: str = ""


class CancelResult(WithIds, msgspec.Struct, frozen=True):
    order_id: TextId = ""
    success: bool = False
    failure_reason: str | None = ""


class CancelResults(msgspec.Struct, frozen=True):
    results: list[CancelResult] = []


class Update(WithIds, msgspec.Struct, frozen=True):
    """An order as the user stream tells it: how things stand, never what happened."""

    order_id: TextId
    client_order_id: str | None = ""
    product_id: str = ""
    order_side: str = ""
    order_type: str = ""
    status: str = ""
    cumulative_quantity: Any = None
    leaves_quantity: Any = None
    limit_price: Any = None
    stop_price: Any = None
    time_in_force: str | None = ""
    reject_reason: str | None = ""
    cancel_reason: str | None = ""

    @property
    def filled(self) -> Decimal:
        """All that has filled."""
        found = number_or_none(self.cumulative_quantity)
        return ZERO if found is None else found

    @property
    def state(self) -> OrderStatus:
        return status_of(self.status, self.filled)

    def terms(self, tick: Decimal | None) -> dict[str, Any]:
        """Fields of a report: the terms of an order that works, where it says them.

        What is left is zero in the message of its end, and an amount of money for some orders at
        the market: both say nothing of its quantity.
        """
        left = number_or_none(self.leaves_quantity)
        limit, stop = price_or_none(self.limit_price), price_or_none(self.stop_price)
        if left is None or self.state in ENDED or (limit is None and stop is None):
            return {}
        _, limit = kind_of(limit, stop, SIDES.get(self.order_side), tick)
        return {
            "quantity": self.filled + left,
            "limit_price": limit,
            "stop_price": stop,
            "time_in_force": TIMES_IN_FORCE.get(self.time_in_force or ""),
        }


class UserEvent(msgspec.Struct, frozen=True):
    type: str = ""
    orders: list[Update] | None = None


def status_of(word: str, filled: Decimal) -> OrderStatus:
    """What a word means for an order of which so much has filled."""
    found = STATUSES.get(word, OrderStatus.SUSPENDED)
    if found is OrderStatus.NEW and is_positive(filled):
        return OrderStatus.PARTIALLY_FILLED
    return found


def kind_of(
    limit: Decimal | None, stop: Decimal | None, side: Side | None, tick: Decimal | None
) -> tuple[OrderType, Decimal | None]:
    """The type of an order, and its limit as far as it is one: see `terms.wide_limit`."""
    if stop is None:
        return (OrderType.MARKET if limit is None else OrderType.LIMIT), limit
    if limit is None or (side is not None and is_wide(stop, limit, side, tick)):
        return OrderType.STOP, None
    return OrderType.STOP_LIMIT, limit
