"""What a venue tells in one go is taken whole before anything is done about it (X-78, U-21).

A venue that was silent, or a link that was slow, hands over many reports at the same moment. The
first of them alone is not how things stand: a stop that the second one says is trading is not
changed on account of the first.
"""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import msgspec
import pytest

from engine.domain import events as ev
from engine.domain.order import OrderStatus, Purpose, Side
from engine.domain.run import LinkState
from engine.ports import Capabilities, LinkReport, OrderReport, Report
from engine.runtime.ahead import Ahead
from tests.engine.test_stop_trades import VENUES, ThinVenue, partly_filled, stops
from tests.engine.wires import Rig, Wire, play
from tests.simulation.venue import Venue

D = Decimal


class Held(Wire):
    """A wire that keeps reports back while it is asked to, and then hands over all at once."""

    def __init__(self, venue: Venue, name: str = "paper") -> None:
        super().__init__(venue, name)
        self.kept: list[Report] | None = None

    def _put(self, report: Report) -> None:
        if self.kept is not None and isinstance(report, OrderReport):
            self.kept.append(report)
        else:
            super()._put(report)

    def hand_over(self) -> None:
        kept, self.kept = self.kept or [], None
        for report in kept:
            super()._put(report)


def held(rig: Rig) -> Held:
    assert isinstance(rig.wire, Held)
    return rig.wire


def of_stop(rig: Rig, since: float) -> list[ev.Event]:
    """What was asked of the stop from then on."""
    (stop, *_) = stops(rig)
    kinds = ev.CancelRequested, ev.ReplaceRequested
    asked = [event for kind in kinds for event in rig.events(kind, since)]
    return [event for event in asked if event.client_order_id == stop.order.client_order_id]


async def fills(rig: Rig, key: str, *, of_stop_too: bool) -> None:
    """Ten more of the entry fill, and five of its stop where that trades, told at once."""
    (stop,) = stops(rig)
    held(rig).kept = []
    rig.venue._fill(rig.venue.orders[key], D(10), D(100))
    if of_stop_too:
        rig.venue._fill(stop, D(5), D(95))
    await rig.clock.sleep(1)
    held(rig).hand_over()
    await rig.clock.sleep(1)


@VENUES
def test_x78_a_stop_is_not_changed_for_an_entry_that_filled_just_before_it_traded(
    able: Capabilities,
) -> None:
    async def scene(rig: Rig) -> None:
        key = await partly_filled(rig)
        since = rig.now
        await fills(rig, key, of_stop_too=True)
        told = [e.fill.quantity for e in rig.events(ev.OrderFilled, since)]
        assert told[:2] == [10, 5]
        assert not of_stop(rig, since)
        assert rig.status(key) in (OrderStatus.PENDING_CANCEL, OrderStatus.CANCELED)

    play(scene, able=able, venue=ThinVenue, wire=Held)


@VENUES
def test_rule3_it_is_changed_at_once_where_it_does_not_trade(able: Capabilities) -> None:
    async def scene(rig: Rig) -> None:
        key = await partly_filled(rig)
        since = rig.now
        await fills(rig, key, of_stop_too=False)
        assert len(of_stop(rig, since)) == 1

    play(scene, able=able, venue=ThinVenue, wire=Held)


def test_x78_nothing_protects_what_was_closed_again_before_it_was_told() -> None:
    """A whole round trip in one go: no stop is sent for a position that is gone."""

    async def scene(rig: Rig) -> None:
        key = await rig.rest()
        working = rig.venue.orders[key]
        held(rig).kept = []
        rig.venue._fill(working, D(10), D(98))
        fill = rig.venue.fills[-1]
        sold = msgspec.structs.replace(
            fill,
            execution_id="sold",
            client_order_id="somebody",
            venue_order_id="else",
            side=Side.SELL,
        )
        held(rig)._put(
            OrderReport(
                account="paper",
                client_order_id="somebody",
                venue_order_id="else",
                symbol="AAA",
                status=OrderStatus.FILLED,
                fill=sold,
                time=fill.time,
            )
        )
        await rig.clock.sleep(1)
        held(rig).hand_over()
        await rig.clock.sleep(1)
        assert rig.events(ev.PositionClosed)
        assert not [order for order in rig.orders() if order.purpose is Purpose.PROTECT]

    play(scene, wire=Held)


def test_c441_a_break_among_the_reports_is_told_where_it_came() -> None:
    async def scene(rig: Rig) -> None:
        keys = [await rig.rest(symbol) for symbol in ("AAA", "BBB")]
        told = len(rig.records)
        held(rig).kept = []
        rig.venue.cancel(keys[0])
        rig.venue.cancel(keys[1])
        await rig.clock.sleep(1)
        first, second = held(rig).kept or []
        lost = LinkReport(account="paper", state=LinkState.DISCONNECTED, time=rig.clock.now())
        held(rig).kept = [first, lost, second]
        held(rig).hand_over()
        await rig.clock.sleep(0.1)
        seen = [r.event for r in rig.records[told:]]
        told_of = [type(e).__name__ for e in seen]
        wanted = [name for name in told_of if name in ("OrderCanceled", "LinkChanged")]
        assert wanted[:3] == ["OrderCanceled", "LinkChanged", "OrderCanceled"]

    play(scene, wire=Held)


# --- reading ahead --------------------------------------------------------------------------------


class Source:
    """A stream that a test fills."""

    def __init__(self, *values: int) -> None:
        self.values: asyncio.Queue[int | BaseException] = asyncio.Queue()
        for value in values:
            self.values.put_nowait(value)

    async def read(self) -> AsyncIterator[int]:
        while True:
            value = await self.values.get()
            if isinstance(value, StopAsyncIteration):
                return
            if isinstance(value, BaseException):
                raise value
            yield value


def test_what_has_come_is_read_whole_and_in_order() -> None:
    async def scene() -> None:
        source = Source(1, 2, 3)
        ahead = Ahead(source.read())
        assert await ahead.read(most=10) == [1, 2, 3]
        source.values.put_nowait(4)
        assert await ahead.read(most=10) == [4]

    asyncio.run(scene())


@pytest.mark.parametrize(("most", "first"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3])])
def test_no_more_is_read_at_a_time_than_is_asked_for(most: int, first: list[int]) -> None:
    async def scene() -> None:
        ahead = Ahead(Source(1, 2, 3).read())
        assert await ahead.read(most=most) == first

    asyncio.run(scene())


def test_what_has_not_come_is_waited_for_and_nothing_is_lost() -> None:
    async def scene() -> None:
        source = Source(1)
        ahead = Ahead(source.read())
        assert await ahead.read(most=10) == [1]
        waiting = asyncio.ensure_future(ahead.read(most=10))
        await asyncio.sleep(0)
        assert not waiting.done()
        source.values.put_nowait(2)
        source.values.put_nowait(3)
        assert await waiting == [2, 3]

    asyncio.run(scene())


@pytest.mark.parametrize(
    "end",
    [StopAsyncIteration(), ValueError("broken"), asyncio.CancelledError()],
    ids=["ends", "fails", "leaks a cancel"],
)
def test_an_end_is_told_after_what_came_before_it(end: BaseException) -> None:
    async def scene() -> None:
        source = Source(1, 2)
        source.values.put_nowait(end)
        ahead = Ahead(source.read())
        assert await ahead.read(most=10) == [1, 2]
        with pytest.raises(type(end)):
            await ahead.read(most=10)

    asyncio.run(scene())


@pytest.mark.parametrize("end", [StopAsyncIteration(), ValueError("broken")], ids=["ends", "fails"])
def test_an_end_that_comes_later_is_told_to_who_waits(end: Exception) -> None:
    async def scene() -> None:
        source = Source(1)
        ahead = Ahead(source.read())
        assert await ahead.read(most=10) == [1]
        waiting = asyncio.ensure_future(_caught(ahead))
        await asyncio.sleep(0)
        source.values.put_nowait(end)
        assert await waiting is type(end)

    asyncio.run(scene())


async def _caught(ahead: Ahead[int]) -> type[Exception] | None:
    try:
        await ahead.read(most=10)
    except (StopAsyncIteration, ValueError) as error:
        return type(error)
    return None


def test_who_waits_can_be_cancelled() -> None:
    async def scene() -> None:
        ahead = Ahead(Source(1).read())
        assert await ahead.read(most=10) == [1]
        waiting = asyncio.ensure_future(ahead.read(most=10))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(scene())
