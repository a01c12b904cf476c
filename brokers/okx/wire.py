"""What OKX tells, as it stands in its messages, and what each part of it means here.

Numbers are kept as they are written and read by `brokers.net.numbers`, so that one that is none
puts its row aside at the port and never the whole list.
"""

from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

import msgspec

from brokers.net.numbers import NAN, number, number_or_none, price_or_none, time_of_millis
from engine.domain.account import VenueOrder
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.order import Fill, Liquidity, OrderStatus, OrderType, Side, TimeInForce
from engine.ports import OrderReport

T = TypeVar("T")

STATES: Final = {
    "live": OrderStatus.NEW,
    "partially_filled": OrderStatus.PARTIALLY_FILLED,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "mmp_canceled": OrderStatus.CANCELED,
}
"""Its word for the state of an order. Any other word is UNKNOWN: a report of that changes no state
here, a deadline then asks, and an order that is found in such a state counts as one that works.
Nothing ends by it, and its fills are taken all the same (`engine.core.reports`)."""

STOP_STATES: Final = {
    "live": OrderStatus.NEW,
    "pause": OrderStatus.SUSPENDED,
    "canceled": OrderStatus.CANCELED,
    "order_failed": OrderStatus.REJECTED,
}
"""The same of a stop. One that is `effective` has triggered: what becomes of it is told of the
order that it has become."""

TRIGGERED: Final = frozenset({"effective", "partially_effective"})

SOURCES: Final = {
    "0": "cancelled by the venue",
    "1": "cancelled by the account",
    "13": "fill or kill: not all of it could fill",
    "14": "immediate or cancel: the rest did not fill",
    "20": "cancelled by the venue's own timer (cancel all after)",
    "31": "post only: it would have taken liquidity",
    "32": "it would have traded with an order of the same account",
}
"""Why an order was cancelled, in words."""

_TYPES: Final[dict[str, tuple[OrderType, TimeInForce | None]]] = {
    "market": (OrderType.MARKET, None),
    "limit": (OrderType.LIMIT, TimeInForce.GTC),
    "post_only": (OrderType.LIMIT, TimeInForce.GTC),
    "ioc": (OrderType.LIMIT, TimeInForce.IOC),
    "fok": (OrderType.LIMIT, TimeInForce.FOK),
    "optimal_limit_ioc": (OrderType.MARKET, None),
}
SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
"""Its word for a side. Which way it goes is never guessed: what has another word has no quantity,
so that the engine puts that one row aside and reads the others (fault 46)."""

_LIQUIDITY: Final = {"M": Liquidity.MAKER, "T": Liquidity.TAKER}

BASE: Final = "base_ccy"
"""A quantity is in units of the base. A market buy without it is for an amount of the quote."""

AT_MARKET: Final = "-1"
"""The price of what a stop becomes that trades at the market."""


class Reply(msgspec.Struct, Generic[T]):
    """An answer over REST; `code` is "0" by the time it is read (`brokers.okx.refusals`)."""

    code: str
    data: list[T]
    msg: str = ""


class Message(msgspec.Struct, rename="camel"):
    """A message of a stream: an event of the connection, or data of a channel."""

    event: str = ""
    code: str = ""
    msg: str = ""
    arg: dict[str, Any] = {}
    data: msgspec.Raw = msgspec.Raw(b"[]")
    action: str = ""
    channel: str = ""
    conn_count: str = ""


class TimeRow(msgspec.Struct):
    ts: Any = ""


class ConfigRow(msgspec.Struct, rename="camel"):
    """How the account is set up."""

    uid: str
    acct_lv: str
    pos_mode: str = ""
    perm: str = ""


class AckRow(msgspec.Struct, rename="camel"):
    """That a request about one order was taken."""

    ord_id: str = ""
    algo_id: str = ""


class InstrumentRow(msgspec.Struct, rename="camel"):
    """What is traded, and on which grid."""

    inst_id: str
    base_ccy: str = ""
    quote_ccy: str = ""
    tick_sz: Any = ""
    lot_sz: Any = ""
    min_sz: Any = ""
    state: str = ""


class CoinRow(msgspec.Struct, rename="camel"):
    """What there is of one currency."""

    ccy: str
    cash_bal: Any = ""
    avail_bal: Any = ""
    eq: Any = ""
    eq_usd: Any = ""


class BalanceRow(msgspec.Struct, rename="camel"):
    """All balances. The venue names `details` where nothing is held too; without them nobody knows
    what is held, and the row cannot be read."""

    details: list[CoinRow]
    total_eq: Any = ""
    u_time: Any = ""


class IndexRow(msgspec.Struct, rename="camel"):
    """What a currency is worth in another."""

    inst_id: str
    idx_px: Any = ""


class OrderRow(msgspec.Struct, rename="camel"):
    """An order: of a list, of an answer, or of the channel `orders`."""

    inst_id: str
    ord_id: str
    cl_ord_id: str = ""
    algo_id: str = ""
    """Of an order that a stop has become: that of the stop."""
    algo_cl_ord_id: str = ""
    side: str = ""
    ord_type: str = ""
    sz: Any = ""
    px: Any = ""
    tgt_ccy: str = ""
    state: str = ""
    acc_fill_sz: Any = ""
    avg_px: Any = ""
    u_time: Any = ""
    cancel_source: str = ""
    fill_sz: Any = ""
    fill_px: Any = ""
    fill_fee: Any = ""
    fill_fee_ccy: str = ""
    fill_time: Any = ""
    trade_id: str = ""
    exec_type: str = ""
    req_id: str = ""
    amend_result: str = ""
    code: str = ""
    msg: str = ""

    @property
    def why_code(self) -> str:
        """The code with which a change of it failed; "" for none."""
        return self.code if self.code != "0" else ""

    @property
    def why(self) -> str:
        """Why that was, in words."""
        return f"{self.msg} ({self.why_code})" if self.why_code else self.msg

    @property
    def of_stop(self) -> bool:
        return bool(self.algo_id or self.algo_cl_ord_id)

    @property
    def client_id(self) -> str:
        """Our id: what a stop has become goes by that of the stop."""
        return self.cl_ord_id or self.algo_cl_ord_id

    @property
    def venue_id(self) -> str:
        """What it is called here from its beginning to its end."""
        return self.algo_id or self.ord_id

    @property
    def status(self) -> OrderStatus:
        return STATES.get(self.state, OrderStatus.UNKNOWN)

    @property
    def quantity(self) -> Decimal:
        """In units of the base; of a market buy for an amount of the quote what has filled, since
        nobody can say more, and no number where that is nothing, nor where its side is none."""
        if self.side not in SIDES:
            return NAN
        if self.ord_type == "market" and self.side == "buy" and self.tgt_ccy != BASE:
            return number(self.acc_fill_sz) or NAN
        return number(self.sz)

    @property
    def filled(self) -> Decimal:
        return number_or_none(self.acc_fill_sz) or ZERO


class AlgoRow(msgspec.Struct, rename="camel"):
    """A stop, or another order that waits for a price."""

    inst_id: str
    algo_id: str
    algo_cl_ord_id: str = ""
    ord_id: str = ""
    ord_id_list: list[str] = []
    side: str = ""
    ord_type: str = ""
    sz: Any = ""
    state: str = ""
    sl_trigger_px: Any = ""
    sl_ord_px: Any = ""
    tp_trigger_px: Any = ""
    trigger_px: Any = ""
    order_px: Any = ""
    ord_px: Any = ""
    move_trigger_px: Any = ""
    px_limit: Any = ""
    tgt_ccy: str = ""
    fail_code: str = ""
    req_id: str = ""
    amend_result: str = ""
    u_time: Any = ""

    @property
    def why_code(self) -> str:
        """The code with which a change of it failed; "" for none."""
        return self.fail_code

    @property
    def why(self) -> str:
        return self.fail_code

    @property
    def child_id(self) -> str:
        """What the venue calls the order that it has become; "" before that."""
        listed = self.ord_id_list[0] if self.ord_id_list else ""
        return listed or (self.ord_id if self.ord_id != "0" else "")

    @property
    def stop_price(self) -> Decimal | None:
        """The price it waits for; of one that has two the loss's."""
        for given in (self.sl_trigger_px, self.trigger_px, self.move_trigger_px):
            price = price_or_none(given)
            if price is not None:
                return price
        return price_or_none(self.tp_trigger_px)

    @property
    def limit_price(self) -> Decimal | None:
        """The worst price at which it may trade then; None where it trades at the market."""
        for given in (self.sl_ord_px, self.order_px, self.ord_px, self.px_limit):
            if given not in {"", AT_MARKET, None}:
                return price_or_none(given)
        return None

    @property
    def quantity(self) -> Decimal:
        """In units of the base; no number where it buys for an amount of the quote, nor where its
        side is none."""
        if self.side not in SIDES:
            return NAN
        buys_for = self.side == "buy" and self.limit_price is None and self.tgt_ccy != BASE
        return NAN if buys_for else number(self.sz)

    @property
    def type(self) -> OrderType:
        return OrderType.STOP if self.limit_price is None else OrderType.STOP_LIMIT

    @property
    def status(self) -> OrderStatus:
        return STOP_STATES.get(self.state, OrderStatus.UNKNOWN)


class FillRow(msgspec.Struct, rename="camel"):
    """An execution."""

    inst_id: str
    trade_id: str
    ord_id: str
    cl_ord_id: str = ""
    bill_id: str = ""
    side: str = ""
    fill_sz: Any = ""
    fill_px: Any = ""
    fee: Any = ""
    fee_ccy: str = ""
    exec_type: str = ""
    fill_time: Any = ""
    ts: Any = ""


def execution_id(symbol: str, trade_id: str) -> str:
    """The id of an execution: the venue numbers the trades of each symbol by themselves."""
    return f"{symbol}:{trade_id}"


def fill_of_event(account: str, row: OrderRow) -> Fill | None:
    """The execution that an event of the channel tells; None where it tells none."""
    if not row.trade_id or number_or_none(row.fill_sz) in {None, ZERO}:
        return None
    return _fill(account, row, FillRow(
        inst_id=row.inst_id, trade_id=row.trade_id, ord_id=row.ord_id, side=row.side,
        fill_sz=row.fill_sz, fill_px=row.fill_px, fee=row.fill_fee, fee_ccy=row.fill_fee_ccy,
        exec_type=row.exec_type, fill_time=row.fill_time,
    ))  # fmt: skip


def fill_of_row(account: str, row: FillRow, client_id: str, venue_id: str) -> Fill:
    """The execution that a list tells, of the order with these ids."""
    fee = number_or_none(row.fee)
    return Fill(
        execution_id=execution_id(row.inst_id, row.trade_id),
        client_order_id=client_id,
        venue_order_id=venue_id,
        account=account,
        symbol=row.inst_id,
        side=_side(row.side),
        quantity=number(row.fill_sz) if row.side in SIDES else NAN,
        price=number(row.fill_px),
        # The venue counts a charge below zero, and a rebate above.
        commission=ZERO if fee is None else -fee,
        commission_currency=row.fee_ccy if fee is not None else "",
        liquidity=_LIQUIDITY.get(row.exec_type, Liquidity.NONE),
        time=time_of_millis(row.fill_time) or time_of_millis(row.ts),
    )


def _fill(account: str, order: OrderRow, row: FillRow) -> Fill:
    return fill_of_row(account, row, order.client_id, order.venue_id)


def report_of(account: str, row: OrderRow, fill: Fill | None, now: Nanos) -> OrderReport:
    """What an event of the channel `orders` reports of an order.

    Of what a stop has become only its state is told: its terms are those of the stop.
    """
    tells = not row.of_stop and row.quantity.is_finite()
    status, text = row.status, ""
    if status is OrderStatus.CANCELED:
        source = SOURCES.get(row.cancel_source, f"cancel source {row.cancel_source or 'not told'}")
        text = f"{source}; {row.msg}" if row.msg else source
    elif status is OrderStatus.UNKNOWN:
        text = f"the venue calls its state {row.state!r}"
    return OrderReport(
        account=account,
        client_order_id=row.client_id,
        venue_order_id=row.venue_id,
        symbol=row.inst_id,
        status=status,
        fill=fill,
        filled=row.filled,
        quantity=row.quantity if tells else None,
        limit_price=_limit(row) if tells else None,
        time_in_force=_type(row)[1] if tells else None,
        text=text,
        time=time_of_millis(row.u_time) or now,
    )


def report_of_stop(account: str, row: AlgoRow, now: Nanos) -> OrderReport | None:
    """What an event of the channel `orders-algo` reports; None once the stop has become an order,
    which has reports of its own."""
    if row.state in TRIGGERED:
        return None
    status = row.status
    ended, tells = status is OrderStatus.CANCELED, row.quantity.is_finite()
    return OrderReport(
        account=account,
        client_order_id=row.algo_cl_ord_id,
        venue_order_id=row.algo_id,
        symbol=row.inst_id,
        status=status,
        # One that is cancelled had not triggered: nothing of it has filled.
        filled=ZERO if ended else None,
        quantity=row.quantity if tells else None,
        limit_price=row.limit_price if tells else None,
        stop_price=row.stop_price if tells else None,
        time_in_force=TimeInForce.GTC if tells else None,
        code=row.fail_code if status is OrderStatus.REJECTED else "",
        text=""
        if status is not OrderStatus.UNKNOWN
        else f"the venue calls its state {row.state!r}",
        time=time_of_millis(row.u_time) or now,
    )


def order_of(row: OrderRow) -> VenueOrder:
    """An order as a list or an answer states it."""
    kind, tif = _type(row)
    return VenueOrder(
        client_order_id=row.client_id,
        venue_order_id=row.venue_id,
        symbol=row.inst_id,
        side=_side(row.side),
        type=kind,
        quantity=row.quantity,
        filled=row.filled,
        average_price=price_or_none(row.avg_px),
        limit_price=_limit(row),
        time_in_force=tif,
        status=row.status,
    )


def stop_of(row: AlgoRow, child: OrderRow | None = None) -> VenueOrder:
    """A stop as a list or an answer states it; `child` is the order that it has become."""
    return VenueOrder(
        client_order_id=row.algo_cl_ord_id,
        venue_order_id=row.algo_id,
        symbol=row.inst_id,
        side=_side(row.side),
        type=row.type,
        quantity=row.quantity,
        filled=ZERO if child is None else child.filled,
        average_price=None if child is None else price_or_none(child.avg_px),
        limit_price=row.limit_price,
        stop_price=row.stop_price,
        time_in_force=TimeInForce.GTC,
        status=row.status if child is None else child.status,
    )


def _type(row: OrderRow) -> tuple[OrderType, TimeInForce | None]:
    """Its type and time in force; of a word that is not known what its price says."""
    known = _TYPES.get(row.ord_type)
    if known is not None:
        return known
    return (OrderType.MARKET if _limit(row) is None else OrderType.LIMIT), None


def _limit(row: OrderRow) -> Decimal | None:
    """The limit; what is written as the price of a market order is none."""
    return None if row.ord_type == "market" else price_or_none(row.px)


def _side(word: str) -> Side:
    """The side by its word; of what has another word see `SIDES`."""
    return SIDES.get(word, Side.BUY)
