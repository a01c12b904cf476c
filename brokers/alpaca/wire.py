"""Alpaca's messages as they come, and what they mean (specs: trading-api.json, trade_updates).

Every field is optional and of any type: a row with one that cannot be read is told with a number
that is none, and never dropped. Numbers stand in texts; one that does not is taken digit for digit.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers.alpaca.symbols import from_venue
from brokers.net.numbers import NAN, number, number_or_none, price_or_none
from engine.domain.account import Account, VenueOrder, VenuePosition
from engine.domain.instant import Nanos
from engine.domain.order import OrderStatus, OrderType, Side, TimeInForce

_S = OrderStatus

STATUSES: Final = {
    "new": _S.NEW,
    # It has the order, and works it once the session begins: it can be cancelled, and a stop that
    # waits for the morning is no stop that was not acknowledged.
    "accepted": _S.NEW,
    "accepted_for_bidding": _S.NEW,
    # A trade is guaranteed and has not happened yet.
    "stopped": _S.NEW,
    "pending_new": _S.PENDING_NEW,
    "partially_filled": _S.PARTIALLY_FILLED,
    "filled": _S.FILLED,
    "canceled": _S.CANCELED,
    # Another order, with an id of its own, stands in its place: this one does nothing any more.
    "replaced": _S.CANCELED,
    "expired": _S.EXPIRED,
    "rejected": _S.REJECTED,
    "pending_cancel": _S.PENDING_CANCEL,
    "pending_replace": _S.PENDING_REPLACE,
    "suspended": _S.SUSPENDED,
    # A leg that waits for another order to fill.
    "held": _S.SUSPENDED,
    # Over for today; one that is good till cancelled works again tomorrow, so that it is no end.
    "done_for_day": _S.SUSPENDED,
    "calculated": _S.SUSPENDED,
}
"""Alpaca's word for the state of an order -> ours."""

UNKNOWN_STATUS: Final = _S.SUSPENDED
"""For a word that is not in the table: it is nothing that the venue is known to work, and no end.
The order keeps what it reserves until the venue says a word that is known, or a person decides."""

EVENTS: Final = {
    "new": _S.NEW,
    "fill": _S.FILLED,
    "partial_fill": _S.PARTIALLY_FILLED,
    "canceled": _S.CANCELED,
    "expired": _S.EXPIRED,
    "rejected": _S.REJECTED,
    "replaced": _S.CANCELED,
}
"""What an event says by itself. Others leave it to the state of the order beside them."""

_TYPES: Final = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP,
    "stop_limit": OrderType.STOP_LIMIT,
    # It stands at `stop_price`, and moves by itself.
    "trailing_stop": OrderType.STOP,
}
_BY_PRICES: Final = {
    (False, False): OrderType.MARKET,
    (True, False): OrderType.LIMIT,
    (False, True): OrderType.STOP,
    (True, True): OrderType.STOP_LIMIT,
}
_TIFS: Final = {
    "day": TimeInForce.DAY,
    "gtc": TimeInForce.GTC,
    "ioc": TimeInForce.IOC,
    "fok": TimeInForce.FOK,
}
_SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL, "sell_short": Side.SELL_SHORT}
OPENS_SHORT: Final = "sell_to_open"


class OrderRow(msgspec.Struct, kw_only=True, frozen=True):
    """An order, from a list, an answer or the stream."""

    id: Any = ""
    client_order_id: Any = ""
    symbol: Any = ""
    asset_class: Any = ""
    side: Any = ""
    position_intent: Any = None
    type: Any = ""
    qty: Any = None
    filled_qty: Any = None
    filled_avg_price: Any = None
    limit_price: Any = None
    stop_price: Any = None
    time_in_force: Any = ""
    status: Any = ""
    submitted_at: Any = None
    replaced_by: Any = None
    legs: "list[OrderRow] | None" = None


class PositionRow(msgspec.Struct, kw_only=True, frozen=True):
    """A holding."""

    symbol: Any = ""
    asset_class: Any = ""
    side: Any = ""
    qty: Any = None
    avg_entry_price: Any = None
    current_price: Any = None


class AccountRow(msgspec.Struct, kw_only=True, frozen=True):
    """The account; what was withdrawn with the day-trading rule in 2026-07 is not read."""

    account_number: Any = ""
    """The id by which people know it."""
    currency: Any = "USD"
    cash: Any = None
    equity: Any = None
    buying_power: Any = None


class ClockRow(msgspec.Struct, kw_only=True, frozen=True):
    """The venue's clock."""

    timestamp: Any = ""
    is_open: Any = None


class AssetRow(msgspec.Struct, kw_only=True, frozen=True):
    """What can be traded: a share or a coin."""

    symbol: Any = ""
    status: Any = ""
    tradable: Any = False
    shortable: Any = False
    fractionable: Any = False
    min_order_size: Any = None
    min_trade_increment: Any = None
    price_increment: Any = None


class ContractRow(msgspec.Struct, kw_only=True, frozen=True):
    """An option."""

    symbol: Any = ""
    status: Any = ""
    tradable: Any = False
    size: Any = None
    multiplier: Any = None


class ActivityRow(msgspec.Struct, kw_only=True, frozen=True):
    """A line of the account's history: a trade, or something else that moved it."""

    id: Any = ""
    activity_type: Any = ""
    transaction_time: Any = None
    created_at: Any = None
    date: Any = None
    order_id: Any = ""
    symbol: Any = ""
    side: Any = ""
    qty: Any = None
    price: Any = None
    cum_qty: Any = None
    net_amount: Any = None
    currency: Any = None
    status: Any = None


class CancelRow(msgspec.Struct, kw_only=True, frozen=True):
    """What became of one order in the answer to the cancel of all."""

    id: Any = ""
    status: Any = 0


class ErrorRow(msgspec.Struct, kw_only=True, frozen=True):
    """A refusal."""

    code: Any = None
    message: Any = ""


class TradeUpdate(msgspec.Struct, kw_only=True, frozen=True):
    """What happened to an order. The last three are there for executions only."""

    event: Any = ""
    timestamp: Any = None
    order: OrderRow
    price: Any = None
    qty: Any = None
    execution_id: Any = None


class Frame(msgspec.Struct, kw_only=True, frozen=True):
    """A message of the stream of an account."""

    stream: Any = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class Authorization(msgspec.Struct, kw_only=True, frozen=True):
    """Whether the stream takes our key."""

    status: Any = ""


class Listening(msgspec.Struct, kw_only=True, frozen=True):
    """What is listened to from now on."""

    streams: list[Any] = []


def decode(body: bytes | msgspec.Raw, kind: Any) -> Any:
    """A message as `kind`, no number through a float. Raises msgspec.DecodeError."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        decoder = _DECODERS[kind] = msgspec.json.Decoder(kind, float_hook=Decimal)
    return decoder.decode(body)


_DECODERS: Final[dict[Any, msgspec.json.Decoder[Any]]] = {}


def text(given: Any) -> str:
    """A text of the venue's; "" for none, and anything else as it would be written."""
    return "" if given is None else str(given)


def status_of(row: OrderRow, event: str = "") -> OrderStatus:
    """The state of an order by an event, else by its own word."""
    found = EVENTS.get(event) or STATUSES.get(text(row.status), UNKNOWN_STATUS)
    filled = filled_of(row)
    if found is _S.NEW and filled.is_finite() and filled > 0:
        return _S.PARTIALLY_FILLED
    return found


def symbol_in(row: OrderRow | PositionRow) -> str:
    """Our id for what an order or a holding is in."""
    return from_venue(text(row.symbol), text(row.asset_class))


def side_of(row: OrderRow) -> Side:
    """The side of an order: Alpaca knows buy and sell, and says in `position_intent` which sells
    open a short."""
    side = side_of_activity(row)
    return Side.SELL_SHORT if side is Side.SELL and row.position_intent == OPENS_SHORT else side


def side_of_activity(row: OrderRow | ActivityRow) -> Side:
    """The side as a row says it; of one that says none, see `quantity_of`."""
    return _SIDES.get(text(row.side), Side.BUY)


def quantity_of(row: OrderRow | ActivityRow, given: Any) -> Decimal:
    """A quantity of an order or an execution; no number where nobody says on which side it is, so
    that the engine puts it aside."""
    return number(given) if text(row.side) in _SIDES else NAN


def type_of(row: OrderRow) -> OrderType:
    """The type of an order; one that we have no word for goes by the prices that it has."""
    prices = price_or_none(row.limit_price) is not None, price_or_none(row.stop_price) is not None
    return _TYPES.get(text(row.type)) or _BY_PRICES[prices]


def time_in_force_of(row: OrderRow) -> TimeInForce | None:
    """None for one that we have no word for, and of a market order: it does not wait."""
    return None if type_of(row) is OrderType.MARKET else _TIFS.get(text(row.time_in_force))


def filled_of(row: OrderRow) -> Decimal:
    """All that has filled by then."""
    return Decimal(0) if row.filled_qty is None else number(row.filled_qty)


def order_of(row: OrderRow, side: Side) -> VenueOrder:
    """An order as the port tells it. One for an amount of money has no quantity, and is put aside
    with its symbol by the engine."""
    return VenueOrder(
        client_order_id=text(row.client_order_id),
        venue_order_id=text(row.id),
        symbol=symbol_in(row),
        side=side,
        type=type_of(row),
        quantity=quantity_of(row, row.qty),
        filled=filled_of(row),
        average_price=price_or_none(row.filled_avg_price),
        limit_price=price_or_none(row.limit_price),
        stop_price=price_or_none(row.stop_price),
        time_in_force=time_in_force_of(row),
        status=status_of(row),
    )


def position_of(row: PositionRow) -> VenuePosition:
    """A holding, signed; one whose sign and side contradict each other has no number."""
    quantity = number(row.qty)
    if row.side == "short":
        quantity = -abs(quantity)
    elif row.side != "long" or (quantity.is_finite() and quantity < 0):
        quantity = NAN
    return VenuePosition(
        symbol=symbol_in(row),
        quantity=quantity,
        average_price=number(row.avg_entry_price),
        mark=number_or_none(row.current_price),
    )


def account_of(row: AccountRow, at: Nanos) -> Account:
    """The balances; all cash of an account is in its currency."""
    return Account(
        account_id=text(row.account_number),
        currency=text(row.currency) or "USD",
        cash=number(row.cash),
        equity=number(row.equity),
        buying_power=number(row.buying_power),
        as_of=at,
    )


def flat(rows: list[OrderRow]) -> list[OrderRow]:
    """The orders of a list with the legs of each beside it, each once.

    An order of several legs has neither symbol nor side: its legs have, and stand for it.
    """
    found: dict[str, OrderRow] = {}
    for row in rows:
        legs = row.legs or []
        alone = [row] if text(row.symbol) or not legs else []
        for one in (*alone, *legs):
            found.setdefault(text(one.id) or f"#{len(found)}", one)
    return list(found.values())
