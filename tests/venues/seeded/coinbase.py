"""Coinbase in seeded runs: the exchange itself, whose sandbox trades nothing."""

import asyncio
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.venues.coinbase import PORTFOLIO, CoinbaseVenue
from tests.venues.exchange import Order
from tests.venues.seeded.books import Resting
from tests.venues.seeded.place import Web
from tests.venues.serve import COINBASE_SEED


class Coinbase(Web):
    """Spot; a fee of 0.6 % is taken in the money."""

    name = "coinbase"
    account_id = PORTFOLIO.replace("-", "")
    symbols = {"BTC-USD": "BTC-USD", "ETH-USD": "ETH-USD"}  # noqa: RUF012 - never changed
    late = 4.5
    submits = ("create",)
    cancels = ("cancel",)
    asks = ("orders", "fills", "accounts", "products", "order", "time", "key_permissions")
    server: CoinbaseVenue

    def make(self) -> None:
        """In fills of several parts or in one."""
        key = Ed25519PrivateKey.from_private_bytes(COINBASE_SEED)
        self.server = server = CoinbaseVenue(key.public_key(), "EdDSA")
        server.heartbeat_seconds = 1.0
        server.exchange.slices = self.random.choice((1, 1, 3))

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of its table."""
        return super().settings | {"environment": "live", "account_id": self.account_id}

    def resting(self, order: Order) -> Resting:
        """A stop rests with a limit far beyond it, which the engine does not know of."""
        known = super().resting(order)
        return known._replace(limit=None) if order.kind == "stop_limit" else known

    async def hang_up(self) -> None:
        """End every stream."""
        for stream in tuple(self.server.streams):
            await stream.socket.close()

    async def fault_gap(self, random: Random) -> None:
        """A message is lost on every stream, which its numbers tell."""
        self.server.skip()

    async def fault_repeated(self, random: Random) -> None:
        """The next message has the number of the last one."""
        self.server.repeat()

    async def fault_held_back(self, random: Random) -> None:
        """Nothing is told for a while, and then how things stand."""
        self.server.holds = True
        await asyncio.sleep(random.uniform(0.5, 6))
        self.server.release()

    async def fault_half_open(self, random: Random) -> None:
        """The streams stand, and say nothing."""
        self.server.muted = True
        await asyncio.sleep(random.uniform(1, 12))
        self.server.muted = False

    async def fault_fills_behind(self, random: Random) -> None:
        """Executions are in no list for a while."""
        self.server.hides_fills = True
        await asyncio.sleep(random.uniform(1, 4.5))
        self.server.hides_fills = False

    async def fault_cancel_hangs(self, random: Random) -> None:
        """A cancel is taken, and nothing more happens."""
        self.server.cancels_hang = True
        await asyncio.sleep(random.uniform(1, 6))
        self.server.cancels_hang = False

    async def fault_refused(self, random: Random) -> None:
        """The next order is refused, or taken and refused later."""
        reason = random.choice(("INSUFFICIENT_FUND", "UNKNOWN_FAILURE_REASON"))
        if random.random() < 0.5:
            self.server.refuse_next = reason
        else:
            self.server.fail_next = reason

    async def fault_stream_refused(self, random: Random) -> None:
        """The streams end, and are refused for a while."""
        self.server.user_refused = "no"
        await self.hang_up()
        await asyncio.sleep(random.uniform(0.5, 6))
        self.server.user_refused = ""

    def sound(self) -> None:
        """Every switch as it is where nothing is wrong."""
        server = self.server
        server.muted = server.hides_fills = server.cancels_hang = False
        server.refuse_next = server.fail_next = server.user_refused = ""
        server.release()
