"""Interactive Brokers in seeded runs."""

import asyncio
from decimal import Decimal
from random import Random

from tests.venues.ibkr import ACCOUNT, Tws, exchange
from tests.venues.seeded.books import ZERO
from tests.venues.seeded.place import Place


class Ibkr(Place):
    """Shares, long and short, over a local TWS."""

    name = "ibkr"
    account_id = ACCOUNT
    symbols = {"AAPL": "AAPL", "MSFT": "MSFT"}  # noqa: RUF012 - never changed
    shorts = True
    late = 2.0
    server: Tws

    def make(self) -> None:
        """With or without commissions, in fills of several parts or in one."""
        rate = self.random.choice((ZERO, Decimal("0.0005")))
        self.server = Tws(exchange(fee_rate=rate))
        self.server.exchange.slices = self.random.choice((1, 1, 3))

    async def fault_answer_lost(self, random: Random) -> None:
        """It is carried out, and nothing of it is told; the connection may be reset."""
        op = "place" if random.random() < 0.7 else "cancel"
        self.server.fault(op, random.choice(("mute", "drop_after")))

    async def fault_request_lost(self, random: Random) -> None:
        """It is read and never heard of again, or the connection is reset before."""
        op = "place" if random.random() < 0.7 else "cancel"
        self.server.fault(op, random.choice(("swallow", "drop_before")))

    async def fault_asked_in_vain(self, random: Random) -> None:
        """Questions are not answered."""
        op = random.choice(("executions", "open_orders", "completed", "positions", "summary"))
        self.server.fault(op, "swallow", times=random.randint(1, 3))

    async def fault_reset(self, random: Random) -> None:
        """Every connection is reset."""
        self.server.drop()

    async def fault_restart(self, random: Random) -> None:
        """TWS ends, and starts again."""
        if self.server.listens:
            await self.server.stop()
            await asyncio.sleep(random.uniform(0.2, 6))
            await self.server.start()

    async def fault_without_ib(self, random: Random) -> None:
        """TWS loses its own connection for a while, and tells nothing of what happens then."""
        self.server.lose_connection()
        await asyncio.sleep(random.uniform(0.5, 8))
        self.server.find_connection(data_lost=random.random() < 0.5)

    async def fault_no_status(self, random: Random) -> None:
        """No order status comes for a while."""
        self.server.tells_status = False
        await asyncio.sleep(random.uniform(1, 8))
        self.server.tells_status = True

    async def fault_gap(self, random: Random) -> None:
        """Executions of a while are not told."""
        self.server.tells_executions = False
        await asyncio.sleep(random.uniform(0.5, 6))
        self.server.tells_executions = True

    async def fault_late_commissions(self, random: Random) -> None:
        """Commissions of a while come late; one that is later than a second counts as nothing and
        shows as a difference of cash (docs/venues/ibkr.md)."""
        self.server.commission_seconds = random.uniform(0.1, 0.9)
        await asyncio.sleep(random.uniform(0.5, 6))
        self.server.commission_seconds = 0.0

    async def fault_out_of_order(self, random: Random) -> None:
        """What belongs together comes in another order for a while."""
        self.server.commission_first = random.random() < 0.7
        self.server.status_first = random.random() < 0.7
        await asyncio.sleep(random.uniform(2, 10))
        self.server.commission_first = self.server.status_first = False

    async def fault_cancel_races(self, random: Random) -> None:
        """A cancel is not answered, or comes after the order has filled."""
        self.server.answers_cancels = random.random() < 0.5
        self.server.fills_before_cancel = self.server.answers_cancels
        await asyncio.sleep(random.uniform(1, 6))
        self.server.answers_cancels, self.server.fills_before_cancel = True, False

    async def fault_hangs(self, random: Random) -> None:
        """TWS lets programs in for a while, and tells them nothing."""
        self.server.hangs = True
        self.server.drop()
        await asyncio.sleep(random.uniform(0.5, 6))
        self.server.hangs = False

    async def heal(self) -> None:
        """Nothing goes wrong any more."""
        server = self.server
        server.faults.clear()
        server.hangs = server.commission_first = server.status_first = False
        server.fills_before_cancel = False
        server.answers_cancels = server.tells_status = server.tells_executions = True
        server.commission_seconds = 0.0
        if not server.is_connected:
            server.find_connection()
        if not server.listens:
            await server.start()
