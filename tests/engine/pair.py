"""Two accounts at venues of their own, one of which a test cuts off or makes mute."""

import asyncio
from collections import Counter
from decimal import Decimal
from random import Random
from typing import Any

from engine.config import Config
from engine.domain import commands as ask
from engine.domain.market import Quote
from engine.domain.order import OrderType, Side
from engine.domain.run import Flatten
from engine.ports import Ambiguous, Rejected
from engine.runtime.clock import VirtualClock
from engine.runtime.virtual_time import VirtualLoop
from tests.configs import from_mapping
from tests.engine.wires import ABLE, PRICE, TREE, Rig, Wire
from tests.engine.worlds import MIDDAY
from tests.simulation.agenda import Agenda
from tests.simulation.venue import Venue

SECOND = {"brokers": {"second": {"kind": "paper"}}}
CONFIG = from_mapping({**TREE, **SECOND})


class Mute(Wire):
    """Looks fail while it is told to be mute, though the connection stands."""

    mute = ""
    """Why they fail; empty while they do not."""
    withheld = ""
    """Why it does not say what the account is worth; empty while it does."""

    async def get_positions(self) -> Any:
        if self.mute:
            raise Ambiguous(self.mute)
        return await super().get_positions()

    async def get_account(self) -> Any:
        if self.withheld:
            raise Rejected("FORBIDDEN", self.withheld)
        return await super().get_account()


class Pair:
    """The rig with a second account at a venue of its own, which a test cuts off."""

    def __init__(self, clock: VirtualClock, config: Config = CONFIG) -> None:
        agenda = Agenda(MIDDAY)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        agenda.attach(loop, clock)
        self.far = Venue(agenda, Random(8), ABLE)
        self.wire = Mute(self.far, "second")
        self.rig = Rig(clock, config=config, more=(self.wire,))

    def cut(self) -> None:
        self.far.set_link(up=False)

    def mend(self) -> None:
        self.far.set_link(up=True)

    def price(self) -> None:
        quote = Quote(symbol="AAA", bid=PRICE, ask=PRICE, last=PRICE, time=self.rig.clock.now())
        self.far.on_price(quote)

    async def hold(self) -> None:
        """Five of AAA in both, with a limit order that rests in both."""
        for broker in ("paper", "second"):
            await self._order(broker, 5 if broker == "paper" else 6, None)
            await self._order(broker, 7 if broker == "paper" else 8, PRICE - 2)
        await self.rig.until(lambda: len(self.rig.engine.book.held("AAA")) == 2)

    async def _order(self, broker: str, quantity: int, limit: Decimal | None) -> None:
        asked = ask.PlaceOrder(
            by="test",
            symbol="AAA",
            side=Side.BUY,
            quantity=Decimal(quantity),
            type=OrderType.MARKET if limit is None else OrderType.LIMIT,
            limit_price=limit,
            protect=PRICE - 10,
            broker=broker,
        )
        done = await self.rig.engine.command(asked)
        assert done.ok, done.error
        for _ in range(4):
            self.price()
            await self.rig.clock.sleep(0.5)

    async def kill(self) -> None:
        await self.rig.engine.command(ask.Kill(by="test", flatten=Flatten.ALL, reason="drill"))

    def state(self, name: str) -> str:
        work = self.rig.engine.book.account(name).kill
        return "" if work is None else work.state

    @property
    def told(self) -> dict[str, Any]:
        """What `status` says of the kill, by account."""
        return {row["broker"]: row["kill"] for row in self.rig.engine.status()["accounts"]}

    def counted(self, since: float) -> Counter[str]:
        """Events about the second account by type, from that second on."""
        start = MIDDAY + round(since * 1e9)
        return Counter(
            type(r.event).__name__
            for r in self.rig.records
            if r.time >= start
            and "second" in (getattr(r.event, "account", ""), getattr(r.event, "subject", ""))
        )
