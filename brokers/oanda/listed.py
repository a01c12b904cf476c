"""The orders that OANDA lists, and one order by its id with what has become of it (C-130)."""

from collections.abc import Callable
from typing import Final
from urllib.parse import quote

import msgspec

from brokers.net.numbers import time_of
from brokers.oanda import wire
from brokers.oanda.api import ORDERS_AT_ONCE, OandaApi
from brokers.oanda.log import TransactionLog
from brokers.oanda.orders import venue_order
from brokers.oanda.refusals import UNKNOWN_ORDER, end_of
from engine.domain.account import VenueOrder
from engine.domain.ids import moment_of, venue_order_id_of
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ZERO
from engine.domain.order import Fill, OrderStatus
from engine.ports import Ambiguous, Rejected

PAGES: Final = 10
"""So many lists of orders are read at most for one that is not found by its id."""

NO_EXTENSIONS: Final = wire.Extensions()

_MARGIN: Final = 3_600 * NS_PER_SECOND
"""How far the clocks of an order's id and of the venue may be apart."""


class Listed:
    """The orders of one account as the venue states them; `log` says what has filled of each."""

    def __init__(self, api: OandaApi, log: TransactionLog) -> None:
        self._api = api
        self._log = log

    async def find(self, client_order_id: str) -> wire.OrderRow | None:
        """The row of an order; None where it is certain that there is none. Raises Ambiguous where
        it may be older than what can be read."""
        row = await self._row(specifier(client_order_id))
        known = self._log.venue_id_of(client_order_id)
        if row is None and known:
            row = await self._row(known)
        return await self._newest(client_order_id) if row is None else row

    async def stated(
        self, row: wire.OrderRow, fill_of: Callable[[wire.Transaction], Fill]
    ) -> VenueOrder:
        """The order of a row, with what filled and how it ended: the log says both.

        `fill_of` reads the transaction that filled it.

        Raises Ambiguous for a state that is not known here: nothing is concluded from it.
        """
        filled, mean, number = ZERO, None, str(row.id)
        if row.filling_transaction_id is not None:
            told = await self._api.transaction(wire.id_of(row.filling_transaction_id))
            fill = fill_of(told)
            filled, mean = fill.quantity, fill.price
            before = self._log.filled(number)
            if before.is_finite() and filled.is_finite() and before > filled:
                filled, mean = before, None  # it filled in several parts, and this is the last
        if row.state == "FILLED":
            # What never rests has ended with less where that was all there was at once.
            order = venue_order(row, OrderStatus.FILLED, filled=filled, average_price=mean)
            if filled.is_finite() and order.quantity.is_finite() and filled < order.quantity:
                return msgspec.structs.replace(order, status=OrderStatus.CANCELED)
            return order
        if row.state == "CANCELLED":
            filled = filled or self._log.filled(number)
            told = await self._api.transaction(wire.id_of(row.cancelling_transaction_id))
            status = end_of(told.reason or "", filled=filled != 0)
            return venue_order(row, status, filled=filled, average_price=mean)
        if row.state in {"PENDING", "TRIGGERED"}:
            return venue_order(row, OrderStatus.NEW, filled=self._log.filled(number))
        raise Ambiguous(f"order {number} is in state {row.state[:40]!r}, which is not known here")

    async def pending(self) -> tuple[VenueOrder, ...]:
        """Every pending order, those that are tied to a trade included; whatever state is stated of
        one in this list, it can still fill."""
        answer: wire.OrdersAnswer = await self._api.ask("/pendingOrders", wire.OrdersAnswer)
        trades: dict[str, wire.TradeRow] = {}
        if any(row.trade_id is not None for row in answer.orders):
            open_trades: wire.TradesAnswer = await self._api.ask("/openTrades", wire.TradesAnswer)
            trades = {str(trade.id): trade for trade in open_trades.trades}
        return tuple(self._pending(row, trades) for row in answer.orders)

    def _pending(self, row: wire.OrderRow, trades: dict[str, wire.TradeRow]) -> VenueOrder:
        trade = None
        if row.trade_id is not None:
            trade = trades.get(str(row.trade_id))
            if trade is None:  # it was closed between the two questions
                raise Ambiguous(f"order {row.id} is tied to trade {row.trade_id}: it is not open")
        filled = self._log.filled(str(row.id))
        return venue_order(row, OrderStatus.NEW, filled=filled, trade=trade)

    async def _row(self, named: str) -> wire.OrderRow | None:
        """The order that is named so in a path; None where the venue says that there is none."""
        try:
            answer: wire.OrderAnswer = await self._api.ask(
                f"/orders/{named}", wire.OrderAnswer, urgent=True
            )
        except Rejected as error:
            if error.code in UNKNOWN_ORDER or error.code == "HTTP_404":
                return None
            raise
        return answer.order

    async def _newest(self, client_order_id: str) -> wire.OrderRow | None:
        """The newest order of that client id among all of the account, those that have ended too:
        the venue may find by that id only what is pending.

        The lists go back to before the moment that the id was made in. Raises Ambiguous where that
        is further than can be read.
        """
        since, query = _made_at(client_order_id), {"state": "ALL", "count": f"{ORDERS_AT_ONCE}"}
        for _ in range(PAGES):
            answer: wire.OrdersAnswer = await self._api.ask(
                "/orders", wire.OrdersAnswer, query, urgent=True
            )
            rows = sorted(answer.orders, key=lambda row: -wire.id_of(row.id))
            for row in rows:
                if (row.client_extensions or NO_EXTENSIONS).id == client_order_id:
                    return row
            oldest = rows[-1] if rows else None
            if oldest is None or len(rows) < ORDERS_AT_ONCE or time_of(oldest.create_time) < since:
                return None
            query["beforeID"] = str(oldest.id)
        raise Ambiguous(
            f"{client_order_id} is not among the newest {PAGES * ORDERS_AT_ONCE} orders, and may "
            "be older"
        )


def specifier(client_order_id: str) -> str:
    """How an order is named in a path."""
    there = venue_order_id_of(client_order_id)
    return quote(there, safe="") if there else f"@{quote(client_order_id, safe='')}"


def _made_at(client_order_id: str) -> Nanos:
    """Before when no order of that id was sent; 0 for an id that does not say."""
    try:
        return max(moment_of(client_order_id) - _MARGIN, 0)
    except ValueError:
        return 0
