"""What OKX tells, as it stands in its messages, and what its words mean here.

Numbers are kept as they are written and read by `brokers.net.numbers`, so that one that is none
puts its row aside at the port and never the whole list.
"""

from decimal import Decimal
from typing import Any, Final, Generic, TypeVar

import msgspec

from brokers.net.ids import TextId, WithIds
from brokers.net.numbers import NAN, number, number_or_none, price_or_none
from engine.domain.money import ZERO
from engine.domain.order import OrderStatus, OrderType, Side

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

SIDES: Final = {"buy": Side.BUY, "sell": Side.SELL}
"""Its word for a side. Which way it goes is never guessed: what has another word has no quantity,
so that the engine puts that one row aside and reads the others (fault 46)."""

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


class ConfigRow(WithIds, msgspec.Struct, rename="camel"):
    """How the account is set up."""

    uid: TextId
    acct_lv: str
    pos_mode: str = ""
    perm: str = ""


class AckRow(WithIds, msgspec.Struct, rename="camel"):
    """That a request about one order was taken."""

    ord_id: TextId = ""
    algo_id: TextId = ""


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


class OrderRow(WithIds, msgspec.Struct, rename="camel"):
    """An order: of a list, of an answer, or of the channel `orders`."""

    inst_id: str
    ord_id: TextId
    cl_ord_id: TextId = ""
    algo_id: TextId = ""
    """Of an order that a stop has become: that of the stop."""
    algo_cl_ord_id: TextId = ""
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
    trade_id: TextId = ""
    exec_type: str = ""
    req_id: TextId = ""
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


class AlgoRow(WithIds, msgspec.Struct, rename="camel"):
    """A stop, or another order that waits for a price."""

    inst_id: str
    algo_id: TextId
    algo_cl_ord_id: TextId = ""
    ord_id: TextId = ""
    ord_id_list: list[TextId] = []
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
    req_id: TextId = ""
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
        listed = str(self.ord_id_list[0]) if self.ord_id_list else ""
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


class FillRow(WithIds, msgspec.Struct, rename="camel"):
    """An execution."""

    inst_id: str
    trade_id: TextId
    ord_id: TextId
    cl_ord_id: TextId = ""
    bill_id: TextId = ""
    side: str = ""
    fill_sz: Any = ""
    fill_px: Any = ""
    fee: Any = ""
    fee_ccy: str = ""
    exec_type: str = ""
    fill_time: Any = ""
    ts: Any = ""
