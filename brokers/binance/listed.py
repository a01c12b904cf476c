"""The orders that Binance lists, and one order by its id (C-210).

The venue asks for the symbol with every question about an order. Where it is not known, the order
is looked for in one symbol after the other, and then among all that are open.
"""

from typing import Final

from brokers.binance.client import Client
from brokers.binance.known import KnownOrders
from brokers.binance.refusals import ORDER_UNKNOWN
from brokers.binance.symbols import Symbols
from brokers.binance.wire import Order, of_venue_id
from engine.domain.ids import venue_order_id_of
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.ports import Clock, Rejected

ORDER_WEIGHT, OPEN_WEIGHT, OPEN_IN_WEIGHT = 4, 80, 6
"""What a question takes of the venue's limit: one order, all open orders, those of one symbol."""

WHOLE: Final = 60 * NS_PER_SECOND
"""How often the open orders of all symbols are asked for, beside once a connection."""


class Listed:
    """The orders of one account, as rows of the venue; each is noted in `known`."""

    def __init__(self, client: Client, symbols: Symbols, known: KnownOrders, clock: Clock) -> None:
        self._client = client
        self._symbols = symbols
        self._known = known
        self._clock = clock
        self._whole_due: Nanos = 0
        """When the open orders of all symbols are to be asked for, on the monotonic clock."""

    def forget(self) -> None:
        """Begin anew: the next question about open orders is for those of all symbols."""
        self._whole_due = 0

    async def open(self) -> list[Order]:
        """Every open order; in the symbols that are known where all were asked a moment ago.

        All at once is 80 of weight, which a kill that looks again and again cannot afford, and one
        symbol 6. An order in another symbol is told by the stream, which makes that one known.
        """
        symbols, now = self._symbols.known, self._clock.monotonic()
        if now >= self._whole_due or len(symbols) * OPEN_IN_WEIGHT >= OPEN_WEIGHT:
            rows = await self.open_anywhere(urgent=False)
            self._whole_due = now + WHOLE
            return rows
        return [row for symbol in symbols for row in await self._open_in(symbol)]

    async def open_anywhere(self, *, urgent: bool) -> list[Order]:
        """Every open order in all symbols; `urgent` questions may use what is kept in reserve."""
        return await self._rows({}, OPEN_WEIGHT, urgent=urgent)

    async def find(self, client_order_id: str) -> Order | None:
        """The row of an order; None where the venue has it in no symbol."""
        named = self._name_here(client_order_id)
        if named is not None:
            return await self._row(named)
        for symbol in self._symbols.known:
            found = await self._row({"symbol": symbol, "origClientOrderId": client_order_id})
            if found is not None:
                self._known.told(client_order_id, symbol, found.order_id)
                return found
        for row in await self.open_anywhere(urgent=True):
            if row.client_order_id == client_order_id:
                return row
        return None

    async def name(self, client_order_id: str) -> dict[str, str] | None:
        """How the venue is told which order is meant; None for one that is nowhere."""
        named = self._name_here(client_order_id)
        if named is None:
            found = await self.find(client_order_id)
            if found is not None:
                named = {"symbol": found.symbol, "orderId": str(found.order_id)}
        return named

    def _name_here(self, client_order_id: str) -> dict[str, str] | None:
        """The same without asking; None where the symbol is not known."""
        symbol, order_id = of_venue_id(venue_order_id_of(client_order_id))
        if symbol:
            return {"symbol": symbol, "orderId": order_id}
        symbol = self._known.symbol_of(client_order_id)
        return {"symbol": symbol, "origClientOrderId": client_order_id} if symbol else None

    async def _row(self, named: dict[str, str]) -> Order | None:
        try:
            row: Order = await self._client.ask_signed(
                "GET", "/api/v3/order", named, Order, cost=ORDER_WEIGHT, urgent=True
            )
        except Rejected as error:
            if error.code == ORDER_UNKNOWN:
                return None
            raise
        return row

    async def _open_in(self, symbol: str) -> list[Order]:
        return await self._rows({"symbol": symbol}, OPEN_IN_WEIGHT, urgent=False)

    async def _rows(self, params: dict[str, str], cost: float, *, urgent: bool) -> list[Order]:
        rows: list[Order] = await self._client.ask_signed(
            "GET", "/api/v3/openOrders", params, list[Order], cost=cost, urgent=urgent
        )
        for row in rows:
            self._known.told(row.client_order_id, row.symbol, row.order_id)
        return rows
