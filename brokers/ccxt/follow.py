"""What happens to orders, found by asking: reports of an exchange without a stream (C-440).

While an order works, its symbol is asked about every second: the open orders first, then each order
that is not among them any more, then the executions, so that what an order has filled is in the
list that is read last. All open orders are asked for every 15 s: at many exchanges
that costs as much as ten other questions.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from brokers.ccxt.orders import WHOLE_SECONDS, OrderDesk
from engine.domain.account import VenueOrder
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ZERO
from engine.domain.order import TERMINAL, Fill, OrderStatus
from engine.ports import Ambiguous, Clock, OrderReport

EVERY_SECONDS: Final = 1.0
BEHIND_SECONDS: Final = 15.0
KEPT: Final = 50_000
"""So many executions are remembered as told."""


class _Watched:
    """An order that may still change, and what was told of it."""

    def __init__(self, symbol: str, venue_id: str) -> None:
        self.symbol = symbol
        self.venue_id = venue_id
        self.is_told = False
        self.filled = ZERO
        """By the executions told, or before this connection."""
        self.since: Nanos = 0
        """Since when executions are missing, on the monotonic clock; 0 where none are."""


class Follower:
    """Turns lists into reports."""

    def __init__(
        self, account: str, clock: Clock, desk: OrderDesk, tell: Callable[[OrderReport], None]
    ) -> None:
        self._account = account
        self._clock = clock
        self._desk = desk
        self._tell = tell
        self._watched: dict[tuple[str, str], _Watched] = {}
        self._told: dict[str, None] = {}
        self._whole_due: Nanos = 0

    async def begin(self) -> None:
        """Take how everything stands: the engine looks at that by itself."""
        self._watched.clear()
        self._told.clear()
        for order in await self._desk.working():
            watched = self.watch(order.symbol, order.venue_order_id)
            watched.is_told, watched.filled = True, order.filled
        listed: dict[tuple[str, str], Decimal] = {}
        for symbol in self._desk.symbols:
            for fill in await self._desk.newest_fills(symbol):
                self._note(fill)
                place = (symbol, fill.venue_order_id)
                listed[place] = listed.get(place, ZERO) + fill.quantity
        for place, watched in self._watched.items():  # it may have filled between the two lists
            watched.filled = max(watched.filled, listed.get(place, ZERO))
        self._whole_due = self._clock.monotonic() + round(WHOLE_SECONDS * NS_PER_SECOND)

    def watch(self, symbol: str, venue_id: str) -> _Watched:
        """Tell what becomes of an order."""
        return self._watched.setdefault((symbol, venue_id), _Watched(symbol, venue_id))

    async def look(self) -> None:
        """Ask once, and tell what is new. Raises one of the six errors."""
        now = self._clock.monotonic()
        orders: dict[tuple[str, str], VenueOrder] = {}
        symbols = dict.fromkeys(symbol for symbol, _ in self._watched)
        if now >= self._whole_due:
            self._whole_due = now + round(WHOLE_SECONDS * NS_PER_SECOND)
            rows = await self._desk.working()
            symbols |= dict.fromkeys(self._desk.symbols)
        else:
            rows = tuple([row for one in symbols for row in await self._desk.working_in(one)])
        for order in rows:
            self.watch(order.symbol, order.venue_order_id)
            orders[order.symbol, order.venue_order_id] = order
        for place in [one for one in self._watched if one not in orders]:
            found = await self._desk.ask(*place)
            if found is not None:
                orders[place] = found
        fills: dict[tuple[str, str], list[Fill]] = {}
        for symbol in symbols | dict.fromkeys(symbol for symbol, _ in orders):
            for fill in await self._desk.newest_fills(symbol):
                if fill.key not in self._told:
                    fills.setdefault((symbol, fill.venue_order_id), []).append(fill)
        for place in [one for one in fills if one not in orders]:
            found = await self._desk.ask(*place)  # it came and filled between two looks
            if found is None:
                raise Ambiguous(f"order {place[1]} in {place[0]} has executions and is not known")
            orders[place] = found
            self.watch(*place)
        for place, order in orders.items():
            self._report(self._watched[place], order, fills.get(place, []))

    def _report(self, watched: _Watched, order: VenueOrder, fills: list[Fill]) -> None:
        status = order.status
        if status is OrderStatus.UNKNOWN:
            return
        if not watched.is_told and status is not OrderStatus.REJECTED:
            self._put(order, OrderStatus.NEW, ZERO)
        watched.is_told = True
        for told in sorted(fills, key=lambda one: one.time):
            fill = msgspec.structs.replace(told, client_order_id=order.client_order_id)
            self._note(told)
            watched.filled += fill.quantity if fill.quantity.is_finite() else ZERO
            whole = status is OrderStatus.FILLED and watched.filled >= order.quantity
            state = OrderStatus.FILLED if whole else OrderStatus.PARTIALLY_FILLED
            self._put(order, state, watched.filled, fill)
            watched.since = 0
        if status not in TERMINAL:
            return
        if watched.filled < order.filled:
            self._wait(watched, order)
            return
        if status is not OrderStatus.FILLED:
            self._put(order, status, watched.filled)
        del self._watched[watched.symbol, watched.venue_id]

    def _wait(self, watched: _Watched, order: VenueOrder) -> None:
        """An order has ended, and not all of its executions are listed yet."""
        now = self._clock.monotonic()
        watched.since = watched.since or now
        if now - watched.since >= BEHIND_SECONDS * NS_PER_SECOND:
            raise Ambiguous(
                f"{order.filled} of order {order.venue_order_id} has filled, and the list of "
                f"executions shows {watched.filled} for {BEHIND_SECONDS:g} s"
            )

    def _put(
        self, order: VenueOrder, status: OrderStatus, filled: Decimal, fill: Fill | None = None
    ) -> None:
        self._tell(
            OrderReport(
                account=self._account,
                client_order_id=order.client_order_id,
                venue_order_id=order.venue_order_id,
                symbol=order.symbol,
                status=status,
                fill=fill,
                filled=filled,
                code="REJECTED" if status is OrderStatus.REJECTED else "",
                text="refused by the exchange" if status is OrderStatus.REJECTED else "",
                time=(fill.time if fill is not None else 0) or self._clock.now(),
            )
        )

    def _note(self, fill: Fill) -> None:
        self._told[fill.key] = None
        if len(self._told) > KEPT:
            del self._told[next(iter(self._told))]
