"""Alpaca in seeded runs."""

import asyncio
import contextlib
from collections.abc import Iterator
from random import Random
from types import SimpleNamespace
from unittest import mock

from brokers.alpaca import client, sdk
from tests.venues.alpaca import ACCOUNT, AlpacaServer
from tests.venues.seeded.loop import CountedPool, SkippingLoop
from tests.venues.seeded.place import Web


class Alpaca(Web):
    """Shares, long and short, without fees. The adapter's requests run in threads."""

    name = "alpaca"
    account_id = ACCOUNT
    symbols = {"AAPL": "AAPL", "SOFI": "SOFI"}  # noqa: RUF012 - never changed
    shorts = True
    late = 9.0
    submits = ("submit",)
    cancels = ("cancel",)
    asks = ("by_client_id", "orders", "order", "positions", "account", "fills", "movements")
    server: AlpacaServer

    def make(self) -> None:
        """In fills of several parts or in one."""
        self.server = AlpacaServer()
        self.server.exchange.slices = self.random.choice((1, 1, 3))

    @contextlib.contextmanager
    def in_skipped_time(self, loop: SkippingLoop) -> Iterator[None]:
        """The threads are counted, and go by the loop's clock."""
        clock = SimpleNamespace(monotonic=loop.time)
        with (
            mock.patch.object(client, "ThreadPoolExecutor", CountedPool),
            mock.patch.object(client, "time", clock),
            mock.patch.object(sdk, "time", clock),
        ):
            yield

    async def hang_up(self) -> None:
        """End every stream."""
        await self.server.hang_up()

    async def fault_gap(self, random: Random) -> None:
        """Some reports are never told."""
        self.server.drop_events += random.randint(1, 4)

    async def fault_twice(self, random: Random) -> None:
        """Executions are told twice for a while."""
        self.server.twice = True
        await asyncio.sleep(random.uniform(2, 10))
        self.server.twice = False

    async def fault_out_of_order(self, random: Random) -> None:
        """Reports are held back, and then told, mostly the last one first."""
        self.server.hold = True
        await asyncio.sleep(random.uniform(0.5, 6))
        self.server.release(reverse=random.random() < 0.7)

    async def fault_history_behind(self, random: Random) -> None:
        """The newest executions are not in the history for a while."""
        self.server.lag = random.randint(1, 4)
        await asyncio.sleep(random.uniform(1, 9))
        self.server.lag = 0

    async def fault_cancel_races(self, random: Random) -> None:
        """An order fills while it is cancelled, or the cancel is refused after it was taken."""
        self.server.race = random.choice(("fill", "reject"))
        await asyncio.sleep(random.uniform(1, 6))
        self.server.race = ""

    async def fault_stream_refused(self, random: Random) -> None:
        """The stream ends, and its place is taken by a connection that nobody closed."""
        self.server.dead_slot = True
        await self.hang_up()
        await asyncio.sleep(random.uniform(0.5, 8))
        self.server.dead_slot = False

    async def fault_half_open(self, random: Random) -> None:
        """The stream that comes next answers no pings, and tells nothing."""
        self.server.mute = True
        await self.hang_up()
        await asyncio.sleep(random.uniform(1, 8))
        self.server.mute = False

    async def fault_says_little(self, random: Random) -> None:
        """Orders are told as not yet accepted, or without what they are meant for."""
        self.server.ack_status, self.server.no_intent = random.choice(
            (("pending_new", False), ("accepted", True), ("", True))
        )
        await asyncio.sleep(random.uniform(1, 10))
        self.server.ack_status, self.server.no_intent = "", False

    def sound(self) -> None:
        """Every switch as it is where nothing is wrong."""
        server = self.server
        server.twice = server.dead_slot = server.mute = server.no_intent = False
        server.drop_events = server.lag = server.refuse_stream = 0
        server.race = server.ack_status = ""
        server.release()
