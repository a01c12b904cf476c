"""Orders at one exchange: sent, cancelled, asked about and found again (C-405).

An order is sent with our client order id, and asked about by what the exchange called it. Where
that was never heard, as after an answer that was lost, it is looked for in the lists of orders.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from brokers.ccxt.client import Client
from brokers.ccxt.refusals import ORDER_UNKNOWN
from brokers.ccxt.wire import Listing, Row, fill_of, order_of
from brokers.net.numbers import time_of_millis, written
from engine.domain.account import VenueOrder
from engine.domain.ids import venue_order_id_of
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import HAVE_LIMIT, HAVE_STOP, Fill, OrderTerms
from engine.ports import Ambiguous, Clock, Rejected

KEPT: Final = 50_000
"""So many orders are kept in mind, the newest."""

USUAL_PAGE: Final = 50
"""How many rows a list has at most where ccxt does not say it."""

WHOLE_SECONDS: Final = 15.0
"""How often the open orders of all symbols are asked for."""

FEW_SYMBOLS: Final = 10
"""With more of them, asking for each costs as much as asking for all."""

_LISTS: Final = ("fetchOrders", "fetchClosedOrders", "fetchCanceledOrders")
_CALLS: Final = {
    "fetchOrders": "fetch_orders",
    "fetchClosedOrders": "fetch_closed_orders",
    "fetchCanceledOrders": "fetch_canceled_orders",
}


class OrderDesk:
    """The orders of one account. It remembers only what the exchange said: the rest is asked."""

    def __init__(self, account: str, client: Client, clock: Clock) -> None:
        self._account = account
        self._clock = clock
        self._whole_due: Nanos = 0
        """When the open orders of all symbols are to be asked for, on the monotonic clock."""
        self._client = client
        self.listings: Mapping[str, Listing] = {}
        """The markets by our symbol, as of the newest connection."""
        self.symbols: tuple[str, ...] = ()
        """Those in which orders and executions are looked for; more join as they are seen."""
        self._places: dict[str, tuple[str, str]] = {}
        """Client order id -> our symbol, and what the exchange calls the order."""
        self._keys: dict[tuple[str, str], str] = {}

    def listing(self, symbol: str) -> Listing:
        """The market of a symbol. Raises Rejected for one that is not traded there."""
        found = self.listings.get(symbol)
        if found is None:
            raise Rejected("UNKNOWN_SYMBOL", f"{symbol} is not traded at {self._client.name}")
        return found

    # --- requests

    async def submit(self, order: OrderTerms) -> None:
        """Send an order that is within every grid and bound, with our id."""
        listing = self.listing(order.symbol)
        if not listing.is_active and not order.reduce_only:
            raise Rejected("SYMBOL", f"{order.symbol} is not traded at {self._client.name} now")
        listing.check(order)
        params: dict[str, Any] = {"clientOrderId": order.client_order_id}
        if order.type in HAVE_LIMIT:
            params["timeInForce"] = str(order.time_in_force)
        if order.type in HAVE_STOP and order.stop_price is not None:
            # Named by what it is for: a plain trigger may be taken for the other direction.
            params["stopLossPrice"] = written(order.stop_price)
        self._see_symbol(order.symbol)
        row = await self._client.ask(
            "create_order",
            listing.theirs,
            "limit" if order.type in HAVE_LIMIT else "market",
            "buy" if order.side.sign > 0 else "sell",
            written(order.quantity),
            None if order.limit_price is None else written(order.limit_price),
            params,
            urgent=order.reduce_only,
        )
        told = str(row.get("clientOrderId") or "")
        if told and told != order.client_order_id:
            raise Ambiguous(f"{self._client.name} answered with the order {told}")
        if not row.get("id"):
            raise Ambiguous(f"{self._client.name} took {order.client_order_id} and named no order")
        self.learn(order.client_order_id, order.symbol, str(row["id"]))

    async def cancel(self, key: str) -> None:
        """Ask for the cancel of an order; one that is not known is looked for first."""
        place = self.place_of(key)
        if place is None:
            await self.find(key)
            place = self.place_of(key)
        if place is None:
            raise Rejected(ORDER_UNKNOWN, f"no order {key} is known at {self._client.name}")
        symbol, venue_id = place
        theirs = self.listing(symbol).theirs
        await self._client.ask("cancel_order", venue_id, theirs, urgent=True)

    # --- questions

    async def find(self, key: str) -> VenueOrder | None:
        """The order of an id as it stands now; None where the exchange has none.

        Raises Ambiguous where the lists cannot show it: an order that is listed without an id of
        its sender may be the one.
        """
        place = self.place_of(key)
        if place is not None:
            symbol, venue_id = place
            return await self.ask(symbol, venue_id)
        if venue_order_id_of(key):
            wanted = venue_order_id_of(key)
            found = [one for one in await self.working() if one.venue_order_id == wanted]
            return found[0] if found else None
        return await self._search(key)

    async def ask(self, symbol: str, venue_id: str) -> VenueOrder | None:
        """The order that the exchange calls so; None where it has none."""
        try:
            row = await self._client.ask(
                "fetch_order", venue_id, self.listing(symbol).theirs, urgent=True
            )
        except Rejected as error:
            if error.code == ORDER_UNKNOWN:
                return None
            raise
        return self._read(row)

    async def working(self) -> tuple[VenueOrder, ...]:
        """Every open order: in the symbols that are known where all were asked a moment ago.

        All at once costs as much as ten other questions at many exchanges, which a kill that looks
        again and again cannot afford; whoever follows the account asks for all in between.
        """
        now = self._clock.monotonic()
        if now < self._whole_due and len(self.symbols) <= FEW_SYMBOLS:
            return tuple([row for one in self.symbols for row in await self.working_in(one)])
        rows = await self._client.ask("fetch_open_orders", urgent=True)
        self._whole_due = now + round(WHOLE_SECONDS * NS_PER_SECOND)
        return tuple(self._read(row) for row in rows)

    def forget(self) -> None:
        """A new connection: all open orders are asked for first."""
        self._whole_due = 0

    async def working_in(self, symbol: str) -> tuple[VenueOrder, ...]:
        """Every open order in a symbol."""
        theirs = self.listing(symbol).theirs
        rows = await self._client.ask("fetch_open_orders", theirs, urgent=True)
        return tuple(self._read(row) for row in rows)

    async def fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """Every execution at or after then in the symbols that are known, oldest first. Raises
        Ambiguous where the newest page does not reach back so far."""
        fills: list[Fill] = []
        for symbol in self.symbols:
            found = await self.newest_fills(symbol, since)
            fills += await self._named(symbol, [fill for fill in found if fill.time >= since])
        return tuple(sorted(fills, key=lambda fill: fill.time))

    async def newest_fills(self, symbol: str, reach: Nanos | None = None) -> list[Fill]:
        """The newest page of executions in a symbol, those of orders that are not known yet without
        our id; `reach` is how far back it must go."""
        theirs, most = self.listing(symbol).theirs, self._page(symbol, "fetchMyTrades")
        rows = await self._client.ask("fetch_my_trades", theirs, None, most)
        times = [time_of_millis(row.get("timestamp")) for row in rows]
        if reach is not None and len(rows) >= most and min(times) > reach:
            raise Ambiguous(
                f"{self._client.name} lists the newest {len(rows)} executions in {symbol}, and "
                "more may have happened since the time that is asked for"
            )
        return [
            fill_of(row, self._account, self._keys.get((symbol, str(row.get("order"))), ""))
            for row in rows
        ]

    async def _named(self, symbol: str, fills: list[Fill]) -> list[Fill]:
        """Executions with our id of their orders, which are asked about where they are not known:
        all at once as far as one list shows them."""
        theirs = self.listing(symbol).theirs
        strange = {fill.venue_order_id for fill in fills if not fill.client_order_id}
        strange = {one for one in strange if (symbol, one) not in self._keys}
        if strange and self._client.exchange.has.get("fetchOrders") is True:
            most = self._page(symbol, "fetchOrders")
            for row in await self._client.ask("fetch_orders", theirs, None, most):
                self._read(row)
        for one in strange:
            if (symbol, one) not in self._keys and await self.ask(symbol, one) is None:
                self._keys[symbol, one] = ""  # nobody can say whose it was
        return [
            msgspec.structs.replace(
                fill, client_order_id=self._keys.get((symbol, fill.venue_order_id), "")
            )
            for fill in fills
        ]

    async def _search(self, key: str) -> VenueOrder | None:
        unnamed = False
        for order in await self.working():
            if order.client_order_id == key:
                return order
            unnamed = unnamed or not order.client_order_id
        has = self._client.exchange.has
        lists = [name for name in _LISTS if has.get(name) is True]
        if "fetchOrders" in lists:
            lists = ["fetchOrders"]
        elif lists != ["fetchClosedOrders", "fetchCanceledOrders"]:
            raise Ambiguous(f"{self._client.name} has no list that shows every order that ended")
        for symbol in self.symbols:
            for name in lists:
                theirs, most = self.listing(symbol).theirs, self._page(symbol, name)
                rows = await self._client.ask(_CALLS[name], theirs, None, most, urgent=True)
                for order in map(self._read, reversed(rows)):
                    if order.client_order_id == key:
                        return order
                    unnamed = unnamed or not order.client_order_id
        if unnamed:
            raise Ambiguous(
                f"{self._client.name} lists orders without the id of their sender: whether {key} "
                "is one of them cannot be told"
            )
        return None

    def _page(self, symbol: str, name: str) -> int:
        theirs = self.listing(symbol).theirs
        return int(self._client.exchange.feature_value(theirs, name, "limit") or USUAL_PAGE)

    # --- what is known

    def _read(self, row: Row) -> VenueOrder:
        order = order_of(row, "")
        told = str(row.get("clientOrderId") or "")
        key = told or self._keys.get((order.symbol, order.venue_order_id), "")
        if key:
            self.learn(key, order.symbol, order.venue_order_id)
        self._see_symbol(order.symbol)
        return order_of(row, key)

    def learn(self, key: str, symbol: str, venue_id: str) -> None:
        """The exchange has named an order; of two with one id the first stays."""
        if not venue_id or key in self._places:
            self._keys.setdefault((symbol, venue_id), key)
            return
        self._places[key] = (symbol, venue_id)
        self._keys[symbol, venue_id] = key
        if len(self._places) > KEPT:
            del self._places[next(iter(self._places))]
        if len(self._keys) > KEPT:
            del self._keys[next(iter(self._keys))]

    def place_of(self, key: str) -> tuple[str, str] | None:
        """Our symbol of an order and what the exchange calls it; None where it is not known."""
        return self._places.get(key)

    def _see_symbol(self, symbol: str) -> None:
        if symbol in self.listings and symbol not in self.symbols:
            self.symbols = (*self.symbols, symbol)
