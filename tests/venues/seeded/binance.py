"""Binance in seeded runs."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from random import Random
from typing import Any

from tests.venues.binance import UID, BinanceServer
from tests.venues.exchange import Execution, Rules
from tests.venues.seeded.books import ZERO
from tests.venues.seeded.place import Web

LOT = Decimal("0.00001")


class Binance(Web):
    """Spot; fees are taken of what is received, or in the money."""

    name = "binance"
    currency = "USDT"
    account_id = str(UID)
    symbols = {"BTC-USDT": "BTCUSDT", "ETH-USDT": "ETHUSDT"}  # noqa: RUF012 - never changed
    step = Decimal("0.001")
    late = 12.0
    submits = ("submit",)
    cancels = ("cancel",)
    asks = ("order", "openOrders", "myTrades", "account", "time", "price")
    server: BinanceServer

    def make(self) -> None:
        """With or without fees, in fills of several parts or in one."""
        rules = (
            Rules("BTCUSDT", lot=LOT, base="BTC", quote="USDT"),
            Rules("ETHUSDT", lot=LOT, base="ETH", quote="USDT"),
        )
        self.server = server = BinanceServer(*rules)
        server.fee_rate = self.random.choice((ZERO, Decimal("0.001")))
        server.fee_asset = self.random.choice(("", "USDT"))
        server.exchange.slices = self.random.choice((1, 1, 3))
        for rule in rules:
            book = {"lastUpdateId": 10, "bids": [["99", "1"]], "asks": [["101", "2"]]}
            server.depth[rule.symbol] = book

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of its table."""
        return {
            "rest_url": self.server.url,
            "ws_api_url": f"{self.server.ws_url}/ws-api/v3",
            "stream_url": self.server.ws_url,
        }

    def fee(self, done: Execution) -> tuple[Decimal, str]:
        """A part of what was received, or as much in money, to eight decimals."""
        rules = self.exchange.rules[done.symbol]
        received = rules.base if done.sign > 0 else rules.quote
        amount = done.quantity if done.sign > 0 else done.quantity * done.price
        fee = (amount * self.server.fee_rate).quantize(Decimal("1e-8"))
        return fee, self.server.fee_asset or received

    def positions(self) -> Iterable[tuple[str, Decimal]]:
        """What was bought, less what of it was taken."""
        yield from super().positions()
        for done in self.exchange.executions:
            fee, asset = self.fee(done)
            if asset == self.exchange.rules[done.symbol].base:
                yield done.symbol, -fee

    def states(self) -> dict[str, dict[str, Decimal]]:
        """Holdings and cash as the server states them."""
        totals = {a: free + locked for a, (free, locked) in self.server.balances().items()}
        bases = {rule.base: symbol for symbol, rule in self.exchange.rules.items()}
        coins = {self.ours[bases[a]]: t for a, t in totals.items() if a in bases and t}
        return {"positions": coins, "cash": {a: t for a, t in totals.items() if a not in bases}}

    async def hang_up(self) -> None:
        """End every stream."""
        await self.server.hang_up()

    async def fault_gap(self, random: Random) -> None:
        """Reports of a while are never told, and the connection may go on."""
        self.server.held_reports = []
        await asyncio.sleep(random.uniform(0.5, 6))
        self.server.held_reports = None
        if random.random() < 0.5:
            await self.hang_up()

    async def fault_out_of_order(self, random: Random) -> None:
        """Reports are held back, and then told, mostly the last one first."""
        self.server.held_reports = []
        await asyncio.sleep(random.uniform(0.5, 6))
        self.server.release(reverse=random.random() < 0.7)

    async def fault_twice(self, random: Random) -> None:
        """Reports are told twice for a while."""
        self.server.dup_reports = True
        await asyncio.sleep(random.uniform(2, 10))
        self.server.dup_reports = False

    async def fault_trades_behind(self, random: Random) -> None:
        """The newest trades are in no list for a while."""
        self.server.trades_lag = random.randint(1, 4)
        await asyncio.sleep(random.uniform(1, 9))
        self.server.trades_lag = 0

    async def fault_database_behind(self, random: Random) -> None:
        """Orders are not known yet where they are asked about."""
        self.server.unknown_orders = True
        await asyncio.sleep(random.uniform(1, 9))
        self.server.unknown_orders = False

    async def fault_ended(self, random: Random) -> None:
        """The subscription ends, or the venue says that it will shut down."""
        random.choice((self.server.terminate, self.server.shut_down))()

    async def fault_refused_stream(self, random: Random) -> None:
        """The streams end, and are refused for a while."""
        self.server.refuses_subscription = True
        await self.hang_up()
        await asyncio.sleep(random.uniform(0.5, 8))
        self.server.refuses_subscription = False

    async def fault_clock(self, random: Random) -> None:
        """The venue's clock is some seconds off for a while."""
        self.server.clock_offset_ms = random.choice((-8000, -2500, 3000, 9000))
        await asyncio.sleep(random.uniform(2, 10))
        self.server.clock_offset_ms = 0

    def sound(self) -> None:
        """Every switch as it is where nothing is wrong."""
        server = self.server
        server.dup_reports = server.unknown_orders = server.refuses_subscription = False
        server.trades_lag = server.clock_offset_ms = 0
        server.release()
