"""A harsh venue at which something is staged, and the line to it."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import ROUND_UP, Decimal
from random import Random
from typing import Final, TypeVar

import msgspec

from engine.domain.account import Account, VenueOrder, VenuePosition
from engine.domain.ids import venue_order_id_of
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import OrderStatus, OrderTerms
from engine.ports import Ambiguous, BrokerError, OrderReport, Rejected
from tests.simulation.harsh.line import HarshLine
from tests.simulation.harsh.staged.switches import Staged
from tests.simulation.harsh.venue import HarshVenue
from tests.simulation.venue import ZERO, Working

T = TypeVar("T")
ENLARGED: Final = 3
"""So many times as large is what somebody enlarges."""
LOTS: Final = (Decimal("0.5"), Decimal("0.1"), Decimal("-0.3"))
"""What the second row of a holding is of it; where that is below 0 it is the leg of a hedge."""


class StagedVenue(HarshVenue):
    """As the harsh venue; what it holds and executes is true as before."""

    staged: Staged
    draws: Random
    """What the stage draws on."""

    def stage(self, staged: Staged, draws: Random) -> None:
        """Say what is staged; the chances are drawn from `draws`."""
        self.staged, self.draws = staged, draws
        if staged.adjusts:
            self.at_split = 1.0
        self.enlarged: set[str] = set()
        """Entries that somebody has enlarged."""
        self.unread_until: Nanos = 0
        self.forgotten = ""
        """The symbol that it does not tell of."""
        self.shown: dict[str, str] = {}
        """The client order ids under which it lists orders, by the ids they are known by here."""
        self.garbled = ""
        """The symbol that it lists with a quantity that is no number."""
        self.garbled_told: Nanos = 0
        """When it first listed that; 0 before."""
        self.sold_off: set[str] = set()
        """What somebody else has sold while that went on."""
        self.on_cancelled: Callable[[OrderTerms], None] = lambda order: None
        """Told of an entry that was cancelled, before anybody else is."""

    def _staged(self, chance: float) -> bool:
        return not self.sound and bool(chance) and self.draws.random() < chance

    # --- orders -----------------------------------------------------------------------------------

    def accept(self, order: OrderTerms) -> None:
        key, enters = order.client_order_id, order.adds_exposure
        if enters and key not in self.orders and self._staged(self.staged.fills_refused):
            self._ids += 1
            working = Working(order, f"v{self._ids}")
            working.status, self.orders[key] = OrderStatus.REJECTED, working
            self.agenda.after(self.draws.uniform(1, 6), lambda: self._fills_refused(working))
            raise Rejected("REFUSED", "the venue does not like it")
        super().accept(order)
        working = self.orders[key]
        if enters and self._staged(self.staged.enlarges):
            self.agenda.after(self.draws.uniform(0.5, 4), lambda: self._enlarge(working))
        if order.is_protective and self._staged(self.staged.drops_stops):
            self.agenda.after(self.draws.uniform(0.1, 0.4), lambda: self._drop(working))

    def _fills_refused(self, working: Working) -> None:
        if not self.sound:
            price = self.prices[working.order.symbol]
            self._fill(working, working.quantity, working.limit_price or price)

    def _enlarge(self, working: Working) -> None:
        if working.is_open and not self.sound:
            working.quantity *= ENLARGED
            self.enlarged.add(working.order.client_order_id)
            self._report(working, changed=True)
            self._happened()

    def _drop(self, working: Working) -> None:
        if working.is_open and not working.filled and not self.sound:
            self._end(working, OrderStatus.CANCELED, "the venue ends it")

    def _adjust(self, working: Working, ratio: int) -> None:
        super()._adjust(working, ratio)
        if self.staged.adjusts:
            self._report(working, changed=True)

    def cancel(self, key: str) -> None:
        super().cancel(key)
        working = self.orders[key]
        ended = working.order.adds_exposure and not working.is_open
        if ended and self._staged(self.staged.falls):
            self.on_cancelled(working.order)

    # --- orders of others without an id of their own ----------------------------------------------

    def somebody_orders(self, symbol: str) -> None:
        if self.staged.unnamed:
            self.shown[f"somebody{len(self.strangers) + 1}"] = ""
        super().somebody_orders(symbol)

    def known_by(self, key: str) -> str:
        """The id here of the order that is asked for by a client order id, or by what it is called
        here where that is all that tells it from others."""
        there = venue_order_id_of(key)
        if not there:
            return key
        return next((k for k, w in self.orders.items() if w.venue_id == there), key)

    def _stated(self, working: Working) -> VenueOrder:
        told, key = super()._stated(working), working.order.client_order_id
        return msgspec.structs.replace(told, client_order_id=self.shown.get(key, key))

    # --- what is said -----------------------------------------------------------------------------

    @property
    def unread(self) -> bool:
        """Whether it answers no question now."""
        return self.agenda.now < self.unread_until

    def goes_unread(self, seconds: float) -> None:
        """Answer no question from now on, for so long; orders are taken."""
        self.unread_until = self.agenda.now + round(seconds * NS_PER_SECOND)

    def listed_positions(self) -> tuple[VenuePosition, ...]:
        rows = [p for p in super().listed_positions() if p.symbol != self.forgotten]
        if self.staged.lots:
            rows = [part for row in rows for part in self._in_lots(row)]
        if not self.garbled:
            return tuple(rows)
        self.garbled_told = self.garbled_told or self.agenda.now
        price = self.prices[self.garbled]
        no_number = VenuePosition(symbol=self.garbled, quantity=Decimal("NaN"), average_price=price)
        return (*(row for row in rows if row.symbol != self.garbled), no_number)

    def _in_lots(self, row: VenuePosition) -> tuple[VenuePosition, ...]:
        """A holding as it is, or in two rows that it is the sum of."""
        if self.draws.random() >= self.staged.lots:
            return (row,)
        share = self.draws.choice(LOTS) * row.quantity
        second = share.to_integral_value(ROUND_UP)
        return (
            msgspec.structs.replace(row, quantity=row.quantity - second),
            msgspec.structs.replace(row, quantity=second),
        )

    def garbles(self, symbol: str) -> None:
        """List that symbol, held or not, with a quantity that is no number; "" for none again."""
        self.garbled, self.garbled_told = symbol, 0

    def somebody_sells(self, symbol: str) -> None:
        """Somebody closes what is held of a symbol, and it is on no list of executions."""
        held = self.positions.get(symbol, ZERO)
        if not held or self.sound:
            return
        self.sold_off.add(symbol)
        self._traded_by_somebody(symbol, -held, self.prices[symbol])
        self._happened()

    def account(self) -> Account:
        told = super().account()
        held = self.positions.get(self.forgotten, ZERO)
        if not held:
            return told
        worth: Decimal = held * self.prices[self.forgotten]
        return msgspec.structs.replace(told, equity=told.equity - worth)


class StagedLine(HarshLine):
    """The line to it."""

    _venue: StagedVenue

    async def _read(self, look: Callable[[], T]) -> T:
        if self._venue.unread:
            await asyncio.sleep(self._venue.draws.uniform(0.5, 3))
            raise Ambiguous("no answer")
        return await super()._read(look)

    async def cancel_order(self, client_order_id: str) -> None:
        await super().cancel_order(self._venue.known_by(client_order_id))

    async def cancel_orders(self, client_order_ids: Sequence[str]) -> dict[str, BrokerError]:
        asked = {self._venue.known_by(key): key for key in client_order_ids}
        refused = await super().cancel_orders(tuple(asked))
        return {asked[key]: error for key, error in refused.items()}

    def carry(self, report: OrderReport) -> None:
        shown = self._venue.shown.get(report.client_order_id)
        if shown is not None:
            report = msgspec.structs.replace(report, client_order_id=shown)
        super().carry(report)
