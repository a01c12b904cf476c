"""A whole engine on OANDA: what it counts and what the venue states are the same (X-75, C-270)."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instrument import default_instrument
from engine.domain.order import OrderType, Side
from engine.ports import Broker
from engine.runtime.clock import SystemClock
from engine.runtime.engine import Engine
from engine.runtime.send_gate import SendGate
from engine.state.book import STATE_FORMAT, Book
from engine.world import World
from storage import memory_database
from storage.opening import open_journal
from tests.configs import unruled
from tests.simulation.store import Disk, FileLatch
from tests.venues.oanda import ACCOUNT, SYMBOL, OandaServer
from tests.venues.oanda_lab import opened

D = Decimal
YEN = "USD_JPY"
PATIENCE_SECONDS = 10
TREE: dict[str, Any] = {
    "account": {"primary": "fx"},
    "market": {"symbols": [SYMBOL, YEN]},
    "brokers": {"fx": {"kind": "oanda", "account_id": ACCOUNT}},
    "execution": {"dedup_window_seconds": 0},
}


class Running:
    """An engine whose only account is at a local OANDA; prices are told when one is set."""

    def __init__(self, server: OandaServer, broker: Broker, engine: Engine) -> None:
        self.server = server
        self.broker = broker
        self.engine = engine
        self.events: list[ev.Event] = []
        self._news = asyncio.Event()
        engine.subscribe(self._heard)

    def _heard(self, record: ev.Record) -> None:
        self.events.append(record.event)
        self._news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Until it is so, looked at whenever something happened."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not true():
                self._news.clear()
                await self._news.wait()

    def count(self, kind: type[Any]) -> int:
        return sum(isinstance(event, kind) for event in self.events)

    def price(self, symbol: str, price: str) -> None:
        """Both sides are there, as the venue and its stream say."""
        half = self.server.exchange.rules[symbol].tick
        self.server.quote(symbol, f"{D(price) - half}", f"{D(price) + half}")

    async def trade(self, symbol: str, side: Side, quantity: str, **more: Any) -> None:
        """An order by hand, until it has filled."""
        filled = self.count(ev.OrderFilled)
        given = ask.PlaceOrder(by="test", symbol=symbol, side=side, quantity=D(quantity), **more)
        done = await self.engine.command(given)
        assert done.ok, done.error
        await self.until(lambda: self.count(ev.OrderFilled) > filled)

    async def compare(self) -> ev.Reconciled:
        """A comparison with the venue."""
        done = await self.engine.command(ask.Reconcile(by="test"))
        assert done.ok, done.error
        return [event for event in self.events if isinstance(event, ev.Reconciled)][-1]


@pytest.fixture
async def server() -> AsyncIterator[OandaServer]:
    async with OandaServer() as served:
        yield served


@pytest.fixture
async def running(server: OandaServer) -> AsyncIterator[Running]:
    server.exchange.set_price(SYMBOL, D(100))
    server.exchange.set_price(YEN, D(150))
    async with opened(server) as connection:
        broker = connection.broker
        world = World(
            Book(),
            unruled(TREE),
            {broker.name: broker.capabilities},
            instrument_of=lambda symbol: default_instrument(symbol, "SIM"),
            home_calendar="SIM",
        )
        journal = open_journal(memory_database(), inline=True, state_format=STATE_FORMAT)
        engine = Engine(
            world,
            brokers={broker.name: broker},
            store=journal,
            clock=SystemClock(),
            latch=FileLatch(Disk()),
            gate=SendGate(),
            market=connection.market,
            version="test",
            account_ids={broker.name: ACCOUNT},
            redact=str,
        )
        made = Running(server, broker, engine)
        await engine.start()
        task = asyncio.create_task(engine.run())
        await server.watched.wait()
        yield made
        await engine.stop("the test is over")
        await task
        journal.close()


async def test_nothing_is_left_unexplained_after_trades_interest_and_conversions(
    running: Running,
) -> None:
    """Cash, by currency and to the last digit, and no alarm about an order that fills as asked."""
    server, book = running.server, running.engine.book
    running.price(SYMBOL, "100")
    running.price(YEN, "150")
    await running.until(lambda: running.count(ev.EquityMarked) > 0)
    await running.trade(SYMBOL, Side.BUY, "10")
    running.price(SYMBOL, "101.37")
    await running.trade(SYMBOL, Side.BUY, "7")
    await running.trade(SYMBOL, Side.SELL, "4")
    await running.trade(YEN, Side.BUY, "20")
    running.price(YEN, "151.5")
    await running.trade(YEN, Side.SELL, "20")
    server.finance("-3.5000")
    server.transfer("250")
    compared = await running.compare()
    assert (compared.clean, compared.differences) == (True, ())
    account = book.account("fx")
    assert account.unexplained.is_nothing
    stated = await running.broker.get_account()
    assert {c: cash for c, cash in account.cash.items() if cash} == stated.balances
    alarms = {event.code for event in running.events if isinstance(event, ev.Alarmed)}
    assert alarms - {"SLIPPAGE"} == {"CASH_FLOW"}  # a price may move while an order is on its way


async def test_a_short_entry_is_recognised_when_its_answer_is_lost(running: Running) -> None:
    """It is told as the short that it opens, which its units alone do not say (A-245)."""
    running.price(SYMBOL, "100")
    await running.until(lambda: running.count(ev.EquityMarked) > 0)
    running.server.fault("create", "drop_after")
    await running.trade(SYMBOL, Side.SELL_SHORT, "5", type=OrderType.LIMIT, limit_price=D(99))
    assert running.server.count("create") == 1
    held = running.engine.book.holding("fx", SYMBOL)
    assert held is not None
    assert held.quantity == -5
    assert (await running.compare()).clean
