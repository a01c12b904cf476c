"""The broker port over the paper venue: conformance, latency in virtual time, a disk that fails."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest

from brokers.paper.adapter import PaperBroker
from brokers.paper.book import PaperBook
from brokers.paper.instruments import Instruments
from brokers.paper.terms import Terms
from brokers.paper.venue import PaperVenue
from engine.domain.order import OrderStatus
from engine.domain.run import LinkState
from engine.ports import Clock, LinkReport, NotSent, OrderReport, Rejected, Report
from engine.runtime.clock import SystemClock, VirtualClock
from engine.runtime.virtual_time import run_virtual
from tests.brokers.conformance import Lab, PaperConformance
from tests.brokers.kit import FREE, MONDAY_10AM, D, order

SLOW = msgspec.structs.replace(FREE, latency_ms=(10, 50))


def make(clock: Clock, terms: Terms = FREE, book: PaperBook | None = None) -> PaperBroker:
    venue = PaperVenue(
        clock=clock,
        random=Random(1),
        terms=terms,
        book=book or PaperBook(),
        instruments=Instruments(calendar_name="SIM"),
    )
    return PaperBroker(venue, clock, Random(2))


def virtual(main: Any) -> Any:
    def coroutine(clock: VirtualClock) -> Coroutine[Any, Any, Any]:
        made: Coroutine[Any, Any, Any] = main(clock)
        return made

    return run_virtual(coroutine, MONDAY_10AM, 3600)


class TestPaperConformance(PaperConformance):
    @pytest.fixture(params=["immediate", "slow", "threaded"])
    async def lab(self, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
        book = PaperBook(tmp_path / "p.db", wait="thread") if request.param == "threaded" else None
        terms = (
            msgspec.structs.replace(FREE, latency_ms=(1, 2)) if request.param == "slow" else FREE
        )
        broker = make(SystemClock(), terms, book)

        async def set_price(symbol: str, price: Decimal) -> None:
            broker.venue.set_price(symbol, price)

        yield Lab(broker, set_price)
        broker.venue.close()
        await asyncio.sleep(0)


def test_C150_an_order_that_fills_at_once_is_known_within_the_latency() -> None:
    async def main(clock: VirtualClock) -> list[tuple[str, int]]:
        broker = make(clock, SLOW)
        await broker.connect()
        broker.venue.set_price("AAPL", D(100))
        lab = Lab(broker, None)  # type: ignore[arg-type]
        took = []
        for n in range(100):
            sent = clock.monotonic()
            await broker.submit_order(order(f"o{n}", "BUY", "1"))
            taken = clock.monotonic() - sent
            report = await lab.until(f"o{n}", OrderStatus.FILLED)
            assert report.time == MONDAY_10AM + sent + taken
            whole = clock.monotonic() - sent
            took.append((report.client_order_id, whole))
            assert 5_000_000 <= taken <= 25_000_000
            assert 10_000_000 <= whole <= 50_001_000
        return took

    first, second = virtual(main), virtual(main)
    assert first == second
    assert len({whole for _, whole in first}) > 90


def test_requests_and_reports_do_not_overtake_each_other() -> None:
    async def main(clock: VirtualClock) -> None:
        broker = make(clock, SLOW)
        await broker.connect()
        broker.venue.set_price("AAPL", D(100))
        requests = [
            asyncio.create_task(
                broker.submit_order(order(f"o{n}", limit="50"))
                if what == "submit"
                else broker.cancel_order(f"o{n}")
            )
            for n in range(50)
            for what in ("submit", "cancel")
        ]
        for request in requests:
            await request
        await clock.sleep(1)
        seen = [
            (r.client_order_id, str(r.status))
            for r in broker._inbox._reports
            if isinstance(r, OrderReport)
        ]
        assert seen == [(f"o{n}", s) for n in range(50) for s in ("NEW", "CANCELED")]

    virtual(main)


def test_a_request_whose_sender_gave_up_arrives_all_the_same() -> None:
    async def main(clock: VirtualClock) -> None:
        broker = make(clock, SLOW)
        await broker.connect()
        broker.venue.set_price("AAPL", D(100))
        for name in ("a", "a"):  # the second is refused with nobody there to hear it
            request = asyncio.create_task(broker.submit_order(order(name)))
            await clock.sleep(0.001)
            request.cancel()
            assert await broker.get_order("b") is None
            await clock.sleep(broker.capabilities.late_arrival_seconds)
        known = await broker.get_order("a")
        assert known is not None
        assert known.status is OrderStatus.FILLED

    virtual(main)


def test_what_the_venue_refuses_is_refused_after_the_way_there() -> None:
    async def main(clock: VirtualClock) -> None:
        broker = make(clock, SLOW)
        await broker.connect()
        with pytest.raises(Rejected):
            await broker.submit_order(order("a"))
        assert clock.monotonic() >= 5_000_000

    virtual(main)


def test_reports_under_way_are_lost_with_the_connection() -> None:
    async def main(clock: VirtualClock) -> None:
        broker = make(clock, SLOW)
        await broker.connect()
        broker.venue.set_price("AAPL", D(100))
        await broker.submit_order(order("a"))
        await broker.disconnect()
        await clock.sleep(1)
        await broker.connect()
        states = [
            report.state for report in broker._inbox._reports if isinstance(report, LinkReport)
        ]
        assert states == [LinkState.CONNECTED, LinkState.DISCONNECTED, LinkState.CONNECTED]
        assert len(broker._inbox) == 3
        assert len(await broker.get_fills_since(0)) == 1

    virtual(main)


async def test_nothing_is_reported_before_it_is_durable_and_a_full_disk_stops_entries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brokers.paper.book.BUSY_SECONDS", 0.01)
    monkeypatch.setattr("brokers.paper.book.RETRY_SECONDS", 0.01)
    path = tmp_path / "p.db"
    book = PaperBook(path, wait="thread")
    broker = make(SystemClock(), FREE, book)
    await broker.connect()
    broker.venue.set_price("AAPL", D(100))
    reports = broker.reports()
    await anext(reports)
    await broker.submit_order(order("resting", limit="50"))
    await anext(reports)
    # Somebody else holds the file: to the writer that is a disk that does not take anything.
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    cancel = asyncio.create_task(broker.cancel_order("resting"))
    link = await asyncio.wait_for(anext(reports), 10)
    assert isinstance(link, LinkReport)
    assert (link.state, "cannot be written" in link.detail) == (LinkState.DISCONNECTED, True)
    with pytest.raises(NotSent, match="cannot be written"):
        await broker.submit_order(order("a"))
    assert not cancel.done()
    blocker.execute("ROLLBACK")
    blocker.close()
    later: list[Report] = [await asyncio.wait_for(anext(reports), 10) for _ in range(2)]
    assert [type(report) for report in later] == [LinkReport, OrderReport]
    await cancel
    await broker.submit_order(order("b"))
    broker.venue.close()
    await asyncio.sleep(0)
