"""OKX in seeded runs."""

import asyncio
from collections.abc import Iterable
from decimal import Decimal
from random import Random

from tests.venues.exchange import Execution
from tests.venues.okx import UID, OkxServer
from tests.venues.seeded.place import Web


class Okx(Web):
    """Spot in cash mode; fees are taken in the money, or of a buy in the coin."""

    name = "okx"
    currency = "USDT"
    account_id = UID
    symbols = {"BTC-USDT": "BTC-USDT", "ETH-USDT": "ETH-USDT"}  # noqa: RUF012 - never changed
    step = Decimal("0.01")
    late = 2.0
    submits = ("order", "order-algo")
    cancels = ("cancel", "cancel-algos")
    changes = ("amend", "amend-algos")
    asks = ("get-order", "pending", "fills", "balance", "get-algo", "pending-algos", "time")
    server: OkxServer

    def make(self) -> None:
        """With or without fees, in fills of several parts or in one."""
        self.server = server = OkxServer()
        draw = self.random.random()
        server.exchange.fee_rate = Decimal("0.001") if draw < 0.6 else Decimal(0)
        server.fee_in_base = Decimal("0.0008") if draw < 0.3 else Decimal(0)
        server.exchange.slices = self.random.choice((1, 1, 3))

    def fee(self, done: Execution) -> tuple[Decimal, str]:
        """As its rule says: a part of what is bought, or of what is paid."""
        if self.server.fee_in_base and done.sign > 0:
            coin = self.server.exchange.rules[done.symbol].base
            return done.quantity * self.server.fee_in_base, coin
        return done.fee, done.fee_currency

    def positions(self) -> Iterable[tuple[str, Decimal]]:
        """What was bought, less what of it was taken."""
        yield from super().positions()
        for done in self.exchange.executions:
            fee, asset = self.fee(done)
            if asset == self.exchange.rules[done.symbol].base:
                yield done.symbol, -fee

    async def hang_up(self) -> None:
        """End every stream."""
        for name in ("private", "business", "public"):
            await self.server.hang_up(name)

    async def fault_half_open(self, random: Random) -> None:
        """The streams stand, and say nothing."""
        self.server.mute = True
        await asyncio.sleep(random.uniform(1, 12))
        self.server.mute = False

    async def fault_gap(self, random: Random) -> None:
        """Some reports are never told."""
        self.server.skip_events += random.randint(1, 3)

    async def fault_twice(self, random: Random) -> None:
        """Reports are told twice for a while."""
        self.server.double_events = True
        await asyncio.sleep(random.uniform(2, 10))
        self.server.double_events = False

    async def fault_out_of_order(self, random: Random) -> None:
        """Reports are held back, and then told, mostly the last one first."""
        self.server.hold_events = True
        await asyncio.sleep(random.uniform(0.5, 6))
        self.server.release(reverse=random.random() < 0.7)

    async def fault_no_numbers(self, random: Random) -> None:
        """The event of a fill comes without the fill."""
        self.server.zero_fills = True
        await asyncio.sleep(random.uniform(1, 8))
        self.server.zero_fills = False

    async def fault_logged_out(self, random: Random) -> None:
        """The venue says that nobody is logged in, or that it will hang up."""
        random.choice((self.server.log_out, self.server.notice))()

    async def fault_refused_login(self, random: Random) -> None:
        """The streams end, and are refused for a while."""
        self.server.refuse_login = "60006"
        await self.hang_up()
        await asyncio.sleep(random.uniform(0.5, 6))
        self.server.refuse_login = ""

    async def fault_change_fails(self, random: Random) -> None:
        """A change is taken and fails, or nothing is told of it."""
        silent = random.random() < 0.5
        self.server.amend_silent, self.server.amend_fails = silent, "" if silent else "51131"
        await asyncio.sleep(random.uniform(2, 8))
        self.server.amend_silent, self.server.amend_fails = False, ""

    def sound(self) -> None:
        """Every switch as it is where nothing is wrong."""
        server = self.server
        server.mute = server.double_events = server.zero_fills = server.amend_silent = False
        server.skip_events, server.refuse_login, server.amend_fails = 0, "", ""
        if server.hold_events:
            server.release()
