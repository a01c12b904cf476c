"""Executions from myTrades, complete since a moment, each with the order it is of (C-210).

The venue answers by symbol alone, with at most 1,000 trades: the newest ones, those from an id on,
or those of a window of a day. Pages go by id, which is exact; a window only finds the first.
"""

from collections.abc import Iterable
from typing import Final

from brokers.binance.client import Client
from brokers.binance.known import KnownOrders
from brokers.binance.wire import Order, Trade
from brokers.net.numbers import time_of_millis
from engine.domain.instant import NS_PER_MS, Nanos

PAGE: Final = 1000
WEIGHT: Final = 20
DAY_MS: Final = 86_400_000


class Trades:
    """The executions of the account."""

    def __init__(self, client: Client, orders: KnownOrders) -> None:
        self._client = client
        self._orders = orders

    async def since(self, symbol: str, since: Nanos) -> list[Trade]:
        """Every trade in a symbol of the venue at or after `since`, oldest first.

        The newest page is all there is where it is not full, or reaches back far enough. Else the
        first trade in time is looked for, and everything from its id on is read.
        """
        rows = await self._page(symbol)
        if len(rows) == PAGE and _time(rows[0]) >= since:
            rows = await self._from(symbol, await self._first(symbol, since))
        return [row for row in rows if _time(row) >= since]

    async def newest(self, symbol: str) -> list[Trade]:
        """The newest trades in a symbol, at most a page, oldest first."""
        return await self._page(symbol)

    async def name_orders(self, symbol: str, rows: Iterable[Trade]) -> None:
        """Ask which orders trades are of, where that is not known: a trade names only the number.

        One that the venue does not list is left without; its list may be behind.
        """
        missing = {
            row.order_id
            for row in rows
            if not self._orders.client_order_id_of(symbol, row.order_id)
        }
        first = min(missing, default=0)
        while missing:
            params = {"symbol": symbol, "orderId": str(first), "limit": str(PAGE)}
            found: list[Order] = await self._client.ask_signed(
                "GET", "/api/v3/allOrders", params, list[Order], cost=WEIGHT, urgent=True
            )
            for order in found:
                self._orders.told(order.client_order_id, symbol, order.order_id)
                missing.discard(order.order_id)
            first = found[-1].order_id + 1 if found else 0
            if len(found) < PAGE or first > max(missing, default=0):
                return

    async def _first(self, symbol: str, since: Nanos) -> int:
        """The id of the first trade at or after `since`; there is one."""
        (oldest,) = await self._page(symbol, fromId="0", limit="1")
        if _time(oldest) >= since:
            return oldest.id
        begin, width = since // NS_PER_MS, DAY_MS
        while True:
            window = {"startTime": str(begin), "endTime": str(begin + width)}
            rows = await self._page(symbol, **window)
            rows = [row for row in rows if _time(row) >= since]
            if len(rows) == PAGE and width > 1:
                width //= 2  # which end of a full window was left out is not documented
            elif rows:
                return rows[0].id
            else:
                begin += width

    async def _from(self, symbol: str, first: int) -> list[Trade]:
        rows: list[Trade] = []
        while True:
            page = await self._page(symbol, fromId=str(first))
            rows += page
            if len(page) < PAGE:
                return rows
            first = page[-1].id + 1

    async def _page(self, symbol: str, **more: str) -> list[Trade]:
        params = {"symbol": symbol, "limit": str(PAGE), **more}
        rows: list[Trade] = await self._client.ask_signed(
            "GET", "/api/v3/myTrades", params, list[Trade], cost=WEIGHT, urgent=True
        )
        return sorted(rows, key=lambda row: row.id)


def _time(row: Trade) -> Nanos:
    return time_of_millis(row.time)
