"""The engine trades at the local Binance through the adapter: what it is all for (C-210, T-07)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from console.host.kill_report import KillReport
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instrument import default_instrument
from engine.domain.order import OrderStatus, Side
from engine.domain.run import Flatten
from engine.plans.kill import CLEAN_READS
from engine.ports import Settled
from engine.runtime.clock import SystemClock
from engine.runtime.engine import Engine
from engine.runtime.send_gate import SendGate
from engine.state.book import Book
from engine.world import World
from tests.configs import from_mapping
from tests.simulation.store import Disk, FileLatch
from tests.venues.binance import UID, BinanceServer
from tests.venues.binance_account import opened
from tests.venues.exchange import Rules

D = Decimal
SYMBOL, THEIRS = "BTC-USD", "BTCUSD"
"""In the currency of the portfolio, so that no rate is needed."""


class Kept:
    """A journal in memory."""

    last_commit_seconds = 0.0
    maintenance_trouble = ""

    def __init__(self) -> None:
        self.last_seq = 0

    def append(self, records: Sequence[ev.Record], touched: Sequence[Any] = ()) -> Settled:
        self.last_seq += len(records)
        return Settled()

    def recover(self) -> bool:
        return True

    def save_snapshot(self, seq: int, state: bytes) -> None:
        """Nothing is kept."""


class Desk:
    """A running engine, its venue, and every record so far."""

    def __init__(self, server: BinanceServer) -> None:
        self.server = server
        config = from_mapping(
            {
                "profile": "axion_aggressive",
                "account": {"primary": "binance"},
                "market": {"symbols": [SYMBOL], "source": "broker"},
                "risk": {"max_order_notional": "100000"},
                "execution": {"dedup_window_seconds": 0, "order_timeout_seconds": 3600},
            }
        )
        account = opened(server, symbols=(SYMBOL,))
        self.broker = account.broker
        disk = Disk()
        self.book = Book()
        self.engine = Engine(
            World(
                self.book,
                config,
                {"binance": account.broker.capabilities},
                instrument_of=default_instrument,
                home_calendar="24/7",
            ),
            brokers={"binance": account.broker},
            store=Kept(),
            clock=SystemClock(),
            latch=FileLatch(disk),
            gate=SendGate(),
            market=account.market,
            version="test",
            account_ids={"binance": str(UID)},
        )
        self.records: list[ev.Record] = []
        self._news = asyncio.Event()
        self.engine.subscribe(self._heard)

    def _heard(self, record: ev.Record) -> None:
        self.records.append(record)
        self._news.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait for an event after which that holds; prices go on meanwhile."""
        async with asyncio.timeout(8):
            while not holds():
                self._news.clear()
                self.tell_price()
                try:
                    await asyncio.wait_for(self._news.wait(), 0.3)
                except TimeoutError:
                    continue

    def tell_price(self) -> None:
        ticker = {"b": "99.99", "B": "300", "a": "100.01", "A": "400"}
        self.server.publish("btcusd@bookTicker", ticker)

    @property
    def held(self) -> Decimal:
        positions = self.book.account("binance").positions
        return positions[SYMBOL].quantity if SYMBOL in positions else D(0)

    async def buy(self, quantity: str) -> str:
        """Place an order by hand; its id."""
        told = await self.engine.command(
            ask.PlaceOrder(by="test", symbol=SYMBOL, side=Side.BUY, quantity=D(quantity))
        )
        assert told.ok, told.error
        return told.orders[0]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    rules = Rules(THEIRS, lot=D("0.00001"), base="BTC", quote="USD")
    async with BinanceServer(rules) as server:
        server.exchange.cash, server.exchange.currency = {"USD": D(100_000)}, "USD"
        server.exchange.set_price(THEIRS, D(100))
        server.depth[THEIRS] = {"lastUpdateId": 1, "bids": [["99", "1"]], "asks": [["101", "1"]]}
        made = Desk(server)
        running = asyncio.create_task(made.engine.run())
        await asyncio.wait_for(server.watched.wait(), 5)
        await made.until(lambda: made.engine.world.prices.mark(SYMBOL) is not None)
        yield made
        await made.engine.stop("the test is over")
        await running
        await made.broker.disconnect()


async def test_an_order_is_placed_and_filled(desk: Desk) -> None:
    await desk.buy("0.5")
    await desk.until(lambda: desk.held == D("0.5"))
    assert desk.server.count("submit") == 1


async def test_a_fill_that_nobody_was_told_of_is_found_after_the_connection_is_back(
    desk: Desk,
) -> None:
    desk.server.held_reports = []
    await desk.buy("0.5")
    desk.server.held_reports = None  # what was held back is lost
    await desk.server.hang_up(1001)
    await desk.until(lambda: desk.held == D("0.5"))
    assert desk.server.subscriptions == 1
    assert desk.server.count("submit") == 1


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_reports_that_are_never_told_while_the_stream_stands_lose_no_fill(
    desk: Desk, lost: int
) -> None:
    """NEW and two executions: what is lost is shown by the next report, or where there is none by
    the order, which is asked about once it was silent for too long."""
    desk.server.exchange.slices = 2
    desk.server.loses = lost
    await desk.buy("0.5")
    await desk.until(lambda: desk.held == D("0.5"))
    assert [r.event for r in desk.records if isinstance(r.event, ev.LinkChanged)][1:] == []
    fills = [r.event.fill for r in desk.records if isinstance(r.event, ev.OrderFilled)]
    assert [fill.quantity for fill in fills] == [D("0.25"), D("0.25")]
    assert len({fill.execution_id for fill in fills}) == 2
    assert desk.server.count("submit") == 1


async def test_T07_an_order_whose_answer_was_lost_ends_as_one_order(desk: Desk) -> None:
    desk.server.held_reports = []
    desk.server.fault("submit", "drop_after")
    key = await desk.buy("0.5")
    await desk.until(lambda: desk.held == D("0.5"))
    assert desk.server.count("submit") == 1
    assert len(desk.server.exchange.executions) == 1
    desk.server.release()
    await desk.buy("0.25")
    await desk.until(lambda: desk.held == D("0.75"))
    known = await desk.broker.get_order(key)
    assert known is not None
    assert known.status is OrderStatus.FILLED


async def test_C211_an_order_whose_time_was_refused_goes_through_with_the_next_attempt(
    desk: Desk,
) -> None:
    """It did not reach the venue's engine, and the clock is set by then (C-401)."""
    desk.server.clock_offset_ms = 5_000
    key = await desk.buy("0.5")
    await desk.until(lambda: desk.held == D("0.5"))
    (put_off,) = [r.event for r in desk.records if isinstance(r.event, ev.SendPutOff)]
    assert put_off.client_order_id == key
    assert desk.server.refused == [-1021]


async def test_a_fee_in_the_coin_leaves_the_account_and_the_book_alike(desk: Desk) -> None:
    desk.server.fee_rate = D("0.001")
    await desk.buy("0.5")
    await desk.until(lambda: desk.held == D("0.4995"))
    (position,) = await desk.broker.get_positions()
    assert position.quantity == desk.held


async def test_x52_a_kill_names_what_a_fee_in_the_coin_has_left_and_tries_no_more(
    desk: Desk,
) -> None:
    """An order is for a multiple of 0.00001: the rest of the coin can be sold in none."""
    desk.server.fee_rate = D("0.001")
    await desk.buy("0.12345")
    await desk.until(lambda: desk.held == D("0.12332655"))
    desk.server.fee_rate = D(0)
    before = desk.server.count("submit")
    await desk.engine.command(ask.Kill(by="test", flatten=Flatten.ALL))
    report = KillReport(desk.engine.world)
    await desk.until(lambda: desk.held == D("0.00000655"))
    work = desk.book.account("binance").kill
    assert work is not None
    await desk.until(lambda: work.clean_reads >= CLEAN_READS)
    told = report.brokers()["binance"]
    assert (told["left"], told["unknown"]) == ([], [])
    assert told["kept"] == [f"{SYMBOL} 0.00000655 too small to sell"]
    assert desk.server.count("submit") == before + 1
    assert len([r for r in desk.records if isinstance(r.event, ev.ExitPlanned)]) == 1
