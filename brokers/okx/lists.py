"""What OKX lists: orders, stops, executions; page by page, to the end or not at all (C-130)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec

from brokers.net.numbers import time_of_millis
from brokers.okx.client import Client
from brokers.okx.places import Parent, Places
from brokers.okx.refusals import is_no_order
from brokers.okx.translation import fill_of_row, order_of, stop_of
from brokers.okx.wire import AlgoRow, FillRow, OrderRow
from engine.domain.account import VenueOrder
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import Fill
from engine.ports import Ambiguous, Rejected

PAGE: Final = 100
SPOT: Final = "SPOT"
STOP_KINDS: Final = ("conditional,oco", "trigger", "move_order_stop", "iceberg", "twap")
"""What waits for a price, as it is to be asked for: of one kind at a time."""

RECENT: Final = 3 * 86_400 * NS_PER_SECOND
"""How far back the list of the newest executions goes; the other one is behind it."""

MARGIN: Final = 60 * NS_PER_SECOND
"""Lists go by when a row was written, which is a little after the execution."""

STOPS_PENDING: Final = "/trade/orders-algo-pending"


class Lists:
    """The lists of one account; what they say of where orders are is noted in `places`."""

    def __init__(self, account: str, client: Client, places: Places) -> None:
        self._account = account
        self._client = client
        self._places = places

    async def open_orders(self) -> tuple[VenueOrder, ...]:
        """Every order and every stop that can still fill. Raises one of the six errors.

        Stops first: one that triggers meanwhile is then in both lists, and in none never.
        """
        found = {row.algo_id: stop_of(row) for row in await self._stops()}
        async for row in self._pending():
            found[row.venue_id] = order_of(row)
        return tuple(found.values())

    async def order(
        self, symbol: str, *, order_id: str = "", client_id: str = ""
    ) -> OrderRow | None:
        """One order by either of its ids; None where the venue knows none. Of several with one
        client order id the venue answers with the newest."""
        query = {"instId": symbol, "ordId": order_id, "clOrdId": "" if order_id else client_id}
        try:
            (row, *_) = await self._client.get(
                "/trade/order", OrderRow, query, urgent=True, at_least=1
            )
        except Rejected as error:
            if is_no_order(error):
                return None
            raise
        self._places.saw(row)
        found: OrderRow = row
        return found

    async def stop(self, *, client_id: str = "", algo_id: str = "") -> AlgoRow | None:
        """One stop by either of its ids; None where the venue knows none."""
        query = {"algoId": algo_id, "algoClOrdId": "" if algo_id else client_id}
        try:
            rows = await self._client.get("/trade/order-algo", AlgoRow, query, urgent=True)
        except Rejected as error:
            if is_no_order(error):
                return None
            raise
        for row in rows:
            self._places.saw_stop(row)
            found: AlgoRow = row
            return found
        return None

    async def search(self, client_id: str) -> OrderRow | None:
        """The newest order of an id of which nobody knows the symbol, in all lists that there are:
        what works, then what has ended in the last days."""
        async for row in self._pending():
            if row.client_id == client_id:
                return row
        async for row in self._rows("/trade/orders-history", OrderRow, "ord_id", instType=SPOT):
            if row.client_id == client_id:
                self._places.saw(row)
                found: OrderRow = row
                return found
        return None

    async def find(self, key: str) -> None:
        """Note where everything is that works: an order of that id may be among it."""
        async for _ in self._pending():
            pass
        if self._places.find(key) is None:
            await self._stops()

    async def fills_since(self, since: Nanos, now: Nanos) -> tuple[Fill, ...]:
        """Every execution at or after `since`, oldest first."""
        begin = str((since - MARGIN) // 1_000_000) if since > MARGIN else ""
        rows: dict[tuple[str, str, str], FillRow] = {}
        paths = ["/trade/fills"]
        if since < now - RECENT + 2 * MARGIN:
            paths.append("/trade/fills-history")
        for path in paths:
            async for row in self._rows(path, FillRow, "bill_id", instType=SPOT, begin=begin):
                rows.setdefault((row.inst_id, row.trade_id, row.ord_id), row)
        kept = [row for row in rows.values() if not 0 < _time(row) < since]
        kept.sort(key=lambda row: (_time(row), len(row.bill_id), row.bill_id))
        return tuple([await self._fill(row) for row in kept])

    async def fills_of(self, row: OrderRow) -> tuple[Fill, ...]:
        """Every execution of one order, oldest first."""
        found = [
            fill_of_row(self._account, fill, row.client_id, row.venue_id)
            async for fill in self._rows(
                "/trade/fills", FillRow, "bill_id", instId=row.inst_id, ordId=row.ord_id
            )
        ]
        return tuple(reversed(found))

    async def _fill(self, row: FillRow) -> Fill:
        """One execution. What a stop has become has no client order id in this list: the order is
        asked for which stop it was, once."""
        if row.cl_ord_id:
            return fill_of_row(self._account, row, row.cl_ord_id, row.ord_id)
        parent = self._places.parent(row.ord_id)
        if parent is None:
            await self.order(row.inst_id, order_id=row.ord_id)
            parent = self._places.parent(row.ord_id) or Parent()
        return fill_of_row(self._account, row, parent.client_id, parent.algo_id or row.ord_id)

    async def _pending(self) -> AsyncIterator[OrderRow]:
        async for row in self._rows("/trade/orders-pending", OrderRow, "ord_id", instType=SPOT):
            self._places.saw(row)
            yield row

    async def _stops(self) -> list[AlgoRow]:
        """Everything that waits for a price: its kinds are asked for beside each other, once there
        is room for all of them."""
        self._client.pay(STOPS_PENDING, len(STOP_KINDS), urgent=True)
        kinds = await asyncio.gather(*map(self._stops_of, STOP_KINDS), return_exceptions=True)
        found: list[AlgoRow] = []
        for rows in kinds:
            if isinstance(rows, BaseException):
                raise rows
            found += rows
        return found

    async def _stops_of(self, kind: str) -> list[AlgoRow]:
        query = {"instType": SPOT, "ordType": kind}
        found: list[AlgoRow] = []
        async for row in self._rows(STOPS_PENDING, AlgoRow, "algo_id", cost=0, **query):
            self._places.saw_stop(row)
            found.append(row)
        return found

    async def _rows(
        self, path: str, kind: type[msgspec.Struct], cursor: str, cost: int = 1, **query: str
    ) -> AsyncIterator[Any]:
        """The rows of a list, newest first, to its end; `cost` is that of its first page."""
        after = ""
        while True:
            page = query | {"after": after, "limit": str(PAGE)}
            rows = await self._client.get(path, kind, page, urgent=True, cost=1 if after else cost)
            for row in rows:
                yield row
            if len(rows) < PAGE:
                return
            before, after = after, str(getattr(rows[-1], cursor))
            if after in {"", before}:
                raise Ambiguous(f"{path} does not say where its next page begins")


def _time(row: FillRow) -> Nanos:
    return time_of_millis(row.fill_time) or time_of_millis(row.ts)
