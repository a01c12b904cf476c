"""An engine in virtual time at the simulator's venue, whose link a test cuts and mends.

async def scene(rig: Rig) -> None:
    rig.cut()
    ...

play(scene)
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from console.host.secrets import Redactor
from engine.config import Config
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.account import VenueOrder
from engine.domain.instant import NS_PER_SECOND
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.market import Quote
from engine.domain.order import OrderStatus, OrderTerms, OrderType, Side
from engine.domain.run import LinkState
from engine.ports import Broker, BrokerError, Capabilities, MarketData
from engine.runtime.clock import VirtualClock
from engine.runtime.engine import Engine
from engine.runtime.send_gate import SendGate
from engine.runtime.virtual_time import VirtualLoop, run_virtual
from engine.state.book import Book
from engine.world import World
from tests.configs import from_mapping
from tests.engine.worlds import MIDDAY, signal
from tests.simulation.agenda import Agenda
from tests.simulation.line import Line
from tests.simulation.simulate import Feed
from tests.simulation.store import Disk, FileLatch, MemoryStore
from tests.simulation.venue import ACCOUNT, Venue, capabilities

ABLE = msgspec.structs.replace(
    capabilities(Random(1)), reduce_only=True, shorting=True, native_modify=True, deduplicates=False
)
TREE: dict[str, Any] = {
    "profile": "axion_aggressive",
    "risk": {"max_order_notional": "100000"},
    "execution": {"dedup_window_seconds": 0, "order_timeout_seconds": 3600},
}
CONFIG = from_mapping(TREE)
PRICE = Decimal(100)

STEADY = 5.0
"""A connection that stood so many seconds is steady: the first attempt after it comes at once."""


class Wire(Line):
    """The simulator's line, with a list of what was asked over it and when."""

    def __init__(self, venue: Venue, name: str = "paper") -> None:
        super().__init__(venue)
        self._own_name = name
        self.asked: list[tuple[str, float]] = []
        """What, and seconds since the start."""
        self.refusal: BrokerError | None = None
        """Raised by `connect` while it is set."""

    @property
    def name(self) -> str:
        return self._own_name

    def _note(self, what: str) -> None:
        self.asked.append((what, (self._venue.agenda.now - MIDDAY) / NS_PER_SECOND))

    def since(self, second: float) -> list[str]:
        """What was asked from then on, in order, attempts to connect left out."""
        return [w for w, at in self.asked if at >= second and w != "connect"]

    def attempts(self, second: float) -> list[float]:
        """When it was tried to connect, from then on, in seconds from then."""
        return [round(at - second, 3) for w, at in self.asked if w == "connect" and at >= second]

    async def connect(self) -> None:
        self._note("connect")
        if self.refusal is not None:
            raise self.refusal
        await super().connect()

    async def submit_order(self, order: OrderTerms) -> None:
        self._note(f"submit {order.purpose}")
        await super().submit_order(order)

    async def cancel_order(self, client_order_id: str) -> None:
        self._note("cancel")
        await super().cancel_order(client_order_id)

    async def get_order(self, client_order_id: str) -> VenueOrder | None:
        self._note("query")
        return await super().get_order(client_order_id)

    async def get_open_orders(self) -> tuple[VenueOrder, ...]:
        self._note("look")
        return await super().get_open_orders()


class Rig:
    """One account's engine, its venue and the wire between them."""

    def __init__(
        self,
        clock: VirtualClock,
        *,
        config: Config = CONFIG,
        wire: type[Wire] = Wire,
        more: Sequence[Broker] = (),
        commit_seconds: Callable[[], float] = lambda: 0.0,
        jitter: Random | None = None,
        market: MarketData | None = None,
        able: Capabilities = ABLE,
        venue: type[Venue] = Venue,
        after: "Rig | None" = None,
        instrument_of: Callable[[str], Instrument] = lambda s: default_instrument(s, "SIM"),
    ) -> None:
        """`after`: the next process with the journal, and at the venue, of one that is gone."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.clock = clock
        if after is None:
            self.agenda = Agenda(MIDDAY)
            self.agenda.attach(loop, clock)
            self.venue = venue(self.agenda, Random(7), able)
        else:
            self.agenda, self.venue = after.agenda, after.venue
        book = Book() if after is None else Book.restore(after.book.snapshot())
        self.wire = wire(self.venue)
        self.disk: Disk = Disk() if after is None else after.disk
        self.latch = FileLatch(self.disk)
        self.gate = SendGate()
        self.feed = Feed()
        world = World(
            book,
            config,
            {wire.name: wire.capabilities for wire in (self.wire, *more)},
            instrument_of=instrument_of,
            home_calendar="SIM",
        )
        self.book: Book = book
        self.engine = Engine(
            world,
            brokers={broker.name: broker for broker in (self.wire, *more)},
            store=MemoryStore(self.disk, self.agenda, commit_seconds),
            clock=clock,
            latch=self.latch,
            gate=self.gate,
            market=market or self.feed,
            version="test",
            account_ids={wire.name: ACCOUNT for wire in (self.wire, *more)},
            jitter=jitter,
            redact=Redactor().redact,
        )
        self.price = PRICE
        """What every quote from now on says."""
        self.records: list[ev.Record] = []
        self.engine.subscribe(self.records.append)
        self._signals = 0

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return (self.clock.now() - MIDDAY) / NS_PER_SECOND

    async def start(self) -> None:
        """Until it runs on a connection that is steady."""
        await self.engine.start()
        self._running = asyncio.create_task(self.engine.run())
        self._prices = asyncio.create_task(self._tell_prices())
        await self.clock.sleep(STEADY + 1)

    async def stop(self) -> None:
        self._prices.cancel()
        await self.engine.stop("the test is over")
        await self._running

    async def _tell_prices(self) -> None:
        while True:
            for symbol in ("AAA", "BBB"):
                self.tell(symbol)
            await self.clock.sleep(0.5)

    def tell(self, symbol: str = "AAA") -> None:
        """A quote of `price`, to the venue and to the engine."""
        price, now = self.price, self.clock.now()
        quote = Quote(symbol=symbol, bid=price, ask=price, last=price, time=now)
        self.venue.on_price(quote)
        self.feed.put(quote)

    def cut(self) -> None:
        """The link is down, and stays so."""
        self.venue.set_link(up=False)

    def mend(self) -> None:
        """The link can be connected to again."""
        self.venue.set_link(up=True)

    async def until(self, true: Callable[[], bool], seconds: float = 60) -> None:
        """Until it is so."""
        end = self.now + seconds
        while not true():
            assert self.now < end, [type(record.event).__name__ for record in self.records[-30:]]
            await self.clock.sleep(0.01)

    def signal(self, symbol: str = "AAA") -> ev.SignalDecided:
        """An entry by signal."""
        self._signals += 1
        made = signal(
            symbol,
            signal_id=f"s-{self._signals}",
            entry=PRICE,
            stop=PRICE - 5,
            at=self.clock.now(),
        )
        verdict = self.engine.submit(made)
        assert isinstance(verdict, ev.SignalDecided)
        return verdict

    async def rest(self, symbol: str = "AAA") -> str:
        """A buy by hand that rests at the venue; its client order id."""
        done = await self.engine.command(
            ask.PlaceOrder(
                by="test",
                symbol=symbol,
                side=Side.BUY,
                quantity=Decimal(10),
                type=OrderType.LIMIT,
                # Each at another price, or the later would be a repeat.
                limit_price=PRICE - 2 - Decimal("0.01") * len(self.orders(symbol)),
                protect=PRICE - 10,
            )
        )
        assert done.ok, done.error
        (key,) = done.data["client_order_ids"]
        await self.until(lambda: self.status(key) is OrderStatus.NEW)
        return str(key)

    def status(self, key: str) -> OrderStatus:
        order = self.engine.book.order(key)
        assert order is not None
        return order.status

    def orders(self, symbol: str = "AAA") -> list[OrderTerms]:
        """Every order of a symbol that was decided, as it was then."""
        intended = [r.event for r in self.records if isinstance(r.event, ev.OrderIntended)]
        return [event.terms for event in intended if event.terms.symbol == symbol]

    def events(self, kind: type[ev.Event], since: float = 0.0) -> list[Any]:
        """The events of a kind from that second on."""
        start = MIDDAY + round(since * NS_PER_SECOND)
        return [r.event for r in self.records if isinstance(r.event, kind) and r.time >= start]

    def links(self, since: float = 0.0) -> list[LinkState]:
        """What the link became, in order."""
        return [event.state for event in self.events(ev.LinkChanged, since)]

    @property
    def is_connected(self) -> bool:
        return self.engine.book.links_up

    @property
    def is_compared(self) -> bool:
        return self.engine.book.account("paper").compared


def play(scene: Callable[[Rig], Awaitable[None]], **options: Any) -> None:
    """Run a scene with an engine that is started and stopped around it."""

    async def main(clock: VirtualClock) -> None:
        rig = Rig(clock, **options)
        await rig.start()
        try:
            await scene(rig)
        finally:
            await rig.stop()

    run_virtual(main, MIDDAY, 3600)
