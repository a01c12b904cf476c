"""The faulty venue keeps to its own word, so that what the runs prove is proved."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import Any

import msgspec
import pytest

from engine.domain.instant import parse_rfc3339
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Purpose, Side, TimeInForce
from engine.ports import Ambiguous, Capabilities, Rejected
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import VirtualLoop, run_virtual
from tests.simulation.agenda import Agenda
from tests.simulation.faults import Faults
from tests.simulation.ledger import Ledger
from tests.simulation.line import Line
from tests.simulation.venue import LATE_SECONDS, TIMEOUTS, Venue, capabilities

START = parse_rfc3339("2013-10-07T16:00:00Z")
CLIPS = msgspec.structs.replace(
    capabilities(Random(1)), reduce_only=True, shorting=True, deduplicates=False
)
Scene = Callable[[Venue, Line, VirtualClock], Awaitable[None]]


def play(scene: Scene, able: Capabilities = CLIPS, faults: Faults | None = None) -> Venue:
    """Run a scene at a venue with a price of 100; the venue as it is a minute later."""
    agenda = Agenda(START)
    venue = Venue(agenda, Random(7), able)
    venue.faults = faults or Faults()

    async def main(clock: VirtualClock) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        agenda.attach(loop, clock)
        price(venue, "100")
        line = Line(venue)
        await line.connect()
        await scene(venue, line, clock)
        await clock.sleep(60)

    run_virtual(main, START, 300)
    return venue


def price(venue: Venue, last: str) -> None:
    quote = Quote(symbol="AAA", bid=None, ask=None, last=Decimal(last), time=venue.agenda.now)
    venue.on_price(quote)


def order(key: str, quantity: int = 10, side: Side = Side.BUY, **fields: Any) -> OrderTerms:
    made = OrderTerms(
        client_order_id=key,
        intent_id=key,
        account="paper",
        symbol="AAA",
        side=side,
        type=OrderType.MARKET,
        quantity=Decimal(quantity),
        time_in_force=TimeInForce.GTC,
        purpose=Purpose.ENTRY,
    )
    return msgspec.structs.replace(made, **fields)


@pytest.mark.parametrize("deduplicates", [True, False])
def test_an_id_is_refused_for_ever_only_where_the_venue_says_so(deduplicates: bool) -> None:
    refused = []

    async def scene(venue: Venue, line: Line, clock: VirtualClock) -> None:
        await line.submit_order(order("a"))
        await clock.sleep(5)
        try:
            await line.submit_order(order("a"))
        except Rejected as error:
            refused.append(error.code)

    venue = play(scene, msgspec.structs.replace(CLIPS, deduplicates=deduplicates))
    assert refused == (["DUPLICATE_ID"] if deduplicates else [])
    assert venue.positions["AAA"] == (10 if deduplicates else 20)


def test_an_open_order_keeps_its_id_everywhere() -> None:
    async def scene(venue: Venue, line: Line, clock: VirtualClock) -> None:
        resting: dict[str, Any] = {"type": OrderType.LIMIT, "limit_price": Decimal(90)}
        await line.submit_order(order("a", **resting))
        with pytest.raises(Rejected, match="used before"):
            await line.submit_order(order("a", **resting))

    assert len(play(scene).open) == 1


def test_reduce_only_is_clipped_where_the_venue_says_so_and_crosses_zero_where_it_does_not() -> (
    None
):
    async def scene(venue: Venue, line: Line, clock: VirtualClock) -> None:
        await line.submit_order(order("a", 10))
        await clock.sleep(5)
        await line.submit_order(order("b", 25, Side.SELL, reduce_only=True))

    assert play(scene).positions == {}
    assert play(scene, msgspec.structs.replace(CLIPS, reduce_only=False)).positions == {"AAA": -15}


def test_what_is_not_free_cannot_be_sold_where_nothing_may_be_shorted() -> None:
    async def scene(venue: Venue, line: Line, clock: VirtualClock) -> None:
        await line.submit_order(order("a", 10))
        await clock.sleep(5)
        stop = {"type": OrderType.STOP, "stop_price": Decimal(90)}
        await line.submit_order(order("b", 8, Side.SELL, **stop))
        with pytest.raises(Rejected, match="2 are free"):
            await line.submit_order(order("c", 3, Side.SELL))

    spot = msgspec.structs.replace(CLIPS, reduce_only=False, shorting=False)
    assert play(scene, spot).positions == {"AAA": 10}


def test_a_late_request_is_a_time_out_first_and_arrives_within_the_bound() -> None:
    seen: list[float] = []

    async def scene(venue: Venue, line: Line, clock: VirtualClock) -> None:
        venue.on_accept = lambda taken, again: seen.append(clock.monotonic() / 1e9)
        with pytest.raises(Ambiguous):
            await line.submit_order(order("a"))
        seen.append(clock.monotonic() / 1e9)

    play(scene, faults=Faults(late_request=1.0))
    timed_out, arrived = seen
    assert timed_out <= TIMEOUTS[1]
    assert timed_out <= arrived <= timed_out + LATE_SECONDS


def test_a_lost_answer_leaves_the_order_working() -> None:
    async def scene(venue: Venue, line: Line, clock: VirtualClock) -> None:
        with pytest.raises(Ambiguous):
            await line.submit_order(order("a"))

    assert play(scene, faults=Faults(lost_answer=1.0)).positions == {"AAA": 10}


def test_a_lost_request_never_arrives() -> None:
    async def scene(venue: Venue, line: Line, clock: VirtualClock) -> None:
        with pytest.raises(Ambiguous):
            await line.submit_order(order("a"))

    assert play(scene, faults=Faults(lost_request=1.0)).orders == {}


def test_a_question_that_fails_is_an_error_and_a_dropped_fill_is_there_for_who_asks() -> None:
    async def scene(venue: Venue, line: Line, clock: VirtualClock) -> None:
        await line.submit_order(order("a"))
        await clock.sleep(5)
        venue.faults = Faults()
        assert [fill.quantity for fill in await line.get_fills_since(START)] == [10]
        venue.faults = Faults(read_failed=1.0)
        with pytest.raises(Ambiguous):
            await line.get_positions()

    play(scene, faults=Faults(dropped=1.0))


def test_a_stop_triggers_at_its_price_and_not_before() -> None:
    async def scene(venue: Venue, line: Line, clock: VirtualClock) -> None:
        await line.submit_order(order("a", 10))
        await clock.sleep(5)
        stop = {"type": OrderType.STOP, "stop_price": Decimal(90), "reduce_only": True}
        await line.submit_order(order("b", 10, Side.SELL, **stop))
        price(venue, "90.01")
        assert venue.orders["b"].status is OrderStatus.NEW
        price(venue, "90")
        assert venue.orders["b"].status is OrderStatus.FILLED

    play(scene)


def test_cash_moves_by_price_and_fee_alone() -> None:
    async def scene(venue: Venue, line: Line, clock: VirtualClock) -> None:
        await line.submit_order(order("a", 10))

    venue = play(scene)
    fill = venue.fills[0]
    assert fill.price == Decimal("100.01")
    assert venue.cash == Decimal(100_000) - 10 * fill.price - fill.commission


def test_what_is_on_its_way_to_a_venue_that_starts_again_never_arrives() -> None:
    told: list[str] = []

    async def scene(venue: Venue, line: Line, clock: VirtualClock) -> None:
        asked = asyncio.ensure_future(line.submit_order(order("a")))
        await clock.sleep(0)
        venue.restart()
        with pytest.raises(Ambiguous, match="broke"):
            await asked
        venue.set_link(up=True)
        told.append(f"{venue.in_flight} on the way")

    venue = play(scene)
    assert told == ["0 on the way"]
    assert venue.orders == {}


def test_somebody_elses_order_rests_and_is_withdrawn_by_nobody_else() -> None:
    async def scene(venue: Venue, line: Line, clock: VirtualClock) -> None:
        venue.somebody_orders("AAA")
        await clock.sleep(5)
        (theirs,) = await line.get_open_orders()
        assert theirs.status is OrderStatus.NEW
        venue.somebody_withdraws()

    venue = play(scene)
    assert venue.open == {}
    assert [working.status for working in venue.orders.values()] == [OrderStatus.CANCELED]


def test_the_ledger_counts_executions_alone() -> None:
    ledger = Ledger({"a": Decimal(100), "b": Decimal(50)})
    one = Decimal(1)
    assert ledger.take(("a", "AAA"), order="x", bought=one * 3, price=one * 10, fee=one) == (0, 3)
    assert ledger.take(("b", "AAA"), order="y", bought=-one, price=one * 10, fee=one) == (0, -1)
    assert ledger.take(("a", "AAA"), order="x", bought=-one * 3, price=one * 11, fee=one) == (3, 0)
    assert (ledger.held("a"), ledger.held("b")) == ({}, {"AAA": -1})
    assert (ledger.cash, ledger.fees, ledger.start) == ({"a": 101, "b": 59}, 3, 150)
    assert ledger.shared() == {"AAA"}
    assert [ledger.of_order(order) for order in ("x", "y", "z")] == [0, -1, 0]
