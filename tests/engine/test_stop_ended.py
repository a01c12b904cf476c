"""A venue that ends our stop again and again, though nobody asked for that (rule 3, fault 51)."""

from decimal import Decimal

import pytest

from engine.domain import events as ev
from engine.domain.order import OrderStatus, OrderTerms
from engine.ports import Capabilities
from tests.engine.liar import Table, play
from tests.engine.test_rests_through_split import ABLES, Exchange


class Ending(Exchange):
    """It ends each stop after so many seconds."""

    after = 0.0

    async def submit_order(self, order: OrderTerms) -> None:
        await super().submit_order(order)
        key = order.client_order_id
        if order.stop_price is not None:
            self.clock.call_later(self.after, lambda: self._end_working(key))

    def _end_working(self, key: str) -> None:
        if not self.orders[key].status.is_terminal:
            self._end(key, OrderStatus.CANCELED)


class Desk(Table):
    makes = Ending
    venue: Ending


@ABLES
@pytest.mark.parametrize(("after", "ends"), [(0.5, True), (6.0, True), (59.0, True), (61.0, False)])
def test_fault51_stops_that_do_not_last_are_placed_again_after_pauses_and_then_it_is_closed(
    able: Capabilities, after: float, ends: bool
) -> None:
    """A stop that lasts less than a minute was dropped: each pause is longer than the one before,
    and what has none for more than 5 s is closed with one alarm."""

    async def scene(table: Table) -> None:
        assert isinstance(table, Desk)
        table.venue.after = after
        await table.wait(60)
        await table.buy(100, protect=Decimal(90))
        await table.wait(600)
        stops = [o for o in table.venue.orders.values() if o.stop_price is not None]
        if ends:
            assert len(stops) <= 6
            assert (table.there, table.held) == (0, 0)
            assert table.venue.sold == 100
            assert table.alarms().count("UNPROTECTED") == 1
        else:
            assert table.there == 100
            assert len(stops) == 10
            assert not table.events(ev.Unprotected)

    play(scene, table=Desk, able=able)
