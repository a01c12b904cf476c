"""A real engine for tests of the console: paper venue, memory journal, a clock moved by hand.

`Host` runs everything on the loop of the test. Nothing passes but what the test lets pass, so that
two runs draw the same picture.
"""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from random import Random
from typing import Any

from msgspec.structs import replace
from textual import events
from textual.keys import _character_to_key
from textual.pilot import Pilot

from brokers.paper.adapter import PaperBroker
from brokers.paper.book import PaperBook
from brokers.paper.instruments import Instruments
from brokers.paper.terms import Terms
from brokers.paper.venue import PaperVenue
from console.commands.table import PANES
from console.desk.local import LocalDesk
from console.host.memory_latch import MemoryLatch
from console.host.wiring import House, build
from console.ui.app import MeridianApp
from console.ui.panes.base import Pane
from console.ui.widgets.painted import Painted
from engine.config import Config
from engine.domain.commands import ClosePosition
from engine.domain.events import Record
from engine.domain.instant import NS_PER_SECOND, Nanos, parse_rfc3339
from engine.domain.instrument import Instrument
from engine.domain.market import Depth, DepthLevel, MarketEvent, Quote
from engine.domain.run import Mode
from engine.domain.signal import Direction, Signal, Timeframe
from engine.ports import Cancellable
from engine.runtime.engine import Engine
from engine.runtime.send_gate import SendGate
from engine.state.book import Book
from engine.world import World
from storage import memory_database, open_journal
from tests.configs import from_mapping
from tests.console.helpers import lines

D = Decimal
NOON = parse_rfc3339("2026-03-02T15:30:00Z")
"""A Monday; the simulated calendar never closes."""

SETTLE_TURNS = 60
MOUNT_TURNS = 200
"""Turns of the loop after which everything that could run without time has run."""

SYMBOLS = ("AAPL", "MSFT", "NVDA", "JPM", "XOM", "SPY")


class _Alarm:
    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class HandClock:
    """A clock that stands until `advance` moves it, timer by timer."""

    is_real = False

    def __init__(self, start: Nanos = NOON) -> None:
        self._now = start
        self._origin = start
        self._alarms: list[tuple[Nanos, int, _Alarm]] = []
        self._numbers = count()

    def now(self) -> Nanos:
        return self._now

    def monotonic(self) -> Nanos:
        return self._now - self._origin

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        alarm = self._set(seconds, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            alarm.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Cancellable:
        return self._set(max(seconds, 0), callback)

    def _set(self, seconds: float, callback: Callable[[], None]) -> _Alarm:
        alarm = _Alarm(callback)
        due = self._now + round(seconds * NS_PER_SECOND)
        heapq.heappush(self._alarms, (due, next(self._numbers), alarm))
        return alarm

    def stall(self, seconds: float) -> None:
        """Time passes while the loop stands still: what falls due has not run."""
        self._now += round(seconds * NS_PER_SECOND)

    async def advance(self, seconds: float) -> None:
        """Let this much time pass; whatever falls due runs, in order."""
        end = self._now + round(seconds * NS_PER_SECOND)
        await settle()
        while self._alarms and self._alarms[0][0] <= end:
            due, _, alarm = heapq.heappop(self._alarms)
            if alarm.callback is None:
                continue
            self._now = max(self._now, due)
            alarm.callback()
            await settle()
        self._now = end
        await settle()


async def settle(turns: int = SETTLE_TURNS) -> None:
    """Let everything run that needs no time."""
    for _ in range(turns):
        await asyncio.sleep(0)


class Tape:
    """Market data that a test writes."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[MarketEvent] = asyncio.Queue()

    def put(self, event: MarketEvent) -> None:
        self._events.put_nowait(event)

    async def events(self) -> AsyncIterator[MarketEvent]:
        while True:
            yield await self._events.get()

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        return ()


class Host:
    """One engine and its venue. Orders cross without latency unless `latency_ms` says otherwise."""

    def __init__(
        self,
        *,
        latency_ms: tuple[float, float] = (0, 0),
        engine_class: type[Engine] = Engine,
        instruments: Mapping[str, Instrument] | None = None,
        commission_currency: str = "",
        reduce_only: bool = True,
        **sections: Any,
    ) -> None:
        wanted = {"profile": "axion_aggressive", "risk": {"max_order_notional": "500000"}}
        self.config: Config = from_mapping({**wanted, **sections})
        self.clock = HandClock()
        self.tape = Tape()
        self.gate = SendGate()
        self.latch = MemoryLatch()
        self.records: list[Record] = []
        self.running: asyncio.Future[None] | None = None
        terms = Terms(
            latency_ms=latency_ms,
            slippage_bps=D(0),
            commission_bps=D(10),
            commission_currency=commission_currency,
            fill_probability=D(1),
            participation=D(1),
        )
        self.rules = Instruments(instruments, "SIM")
        self.venue = PaperVenue(
            clock=self.clock,
            random=Random(7),
            terms=terms,
            book=PaperBook(None, wait="inline"),
            instruments=self.rules,
        )
        self.broker = PaperBroker(self.venue, self.clock, Random(7))
        self.journal = open_journal(memory_database(), inline=True, mode=Mode.PAPER)
        self.world = World(
            Book(),
            self.config,
            {"paper": replace(self.broker.capabilities, reduce_only=reduce_only)},
            instrument_of=self.rules.get,
            sectors={
                "AAPL": "TECH",
                "MSFT": "TECH",
                "NVDA": "TECH",
                "JPM": "FIN",
                "XOM": "ENERGY",
                "KO": "STAPLES",
            },
            home_calendar="SIM",
        )
        self.engine = engine_class(
            self.world,
            brokers={self.broker.name: self.broker},
            store=self.journal,
            clock=self.clock,
            latch=self.latch,
            gate=self.gate,
            market=self.tape,
            version="test",
        )
        self.engine.subscribe(self.records.append)

    async def __aenter__(self) -> "Host":
        await self.begin()
        return self

    async def begin(self) -> None:
        """Start the engine beside whatever runs."""
        self.running = asyncio.ensure_future(self.engine.run())
        await settle()

    async def __aexit__(self, *error: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """End the engine in order; raises what made it fail."""
        stopping = asyncio.ensure_future(self.engine.stop("the test ends"))
        for _ in range(100):
            if stopping.done():
                break
            await self.clock.advance(0.1)
        await stopping
        if self.running is not None:
            await self.running
        self.venue.close()
        self.journal.close()

    def price(
        self, symbol: str, last: str, *, spread: str = "0.02", at: Nanos | None = None
    ) -> None:
        """One price of `symbol`, with a book of five levels a side."""
        mid, half = D(last), D(spread) / 2
        now = self.clock.now() if at is None else at
        quote = Quote(
            symbol=symbol,
            bid=mid - half,
            ask=mid + half,
            last=mid,
            bid_size=D(400),
            ask_size=D(500),
            time=now,
            trade=True,
        )
        self.venue.on_price(quote)
        self.tape.put(quote)
        steps = range(5)
        self.tape.put(
            Depth(
                symbol=symbol,
                bids=tuple(DepthLevel(mid - half - n * D("0.01"), D(400 + 130 * n)) for n in steps),
                asks=tuple(DepthLevel(mid + half + n * D("0.01"), D(500 + 70 * n)) for n in steps),
                time=now,
            )
        )

    def signal(
        self,
        ticker: str,
        entry: str,
        stop: str,
        *,
        direction: Direction = Direction.LONG,
        conviction: int = 80,
        signal_id: str = "",
        target: str | None = None,
        timeframe: Timeframe = Timeframe.M10,
    ) -> None:
        """Submit one signal now."""
        self.engine.submit(
            Signal(
                signal_id=signal_id or f"s-{ticker}-{len(self.records)}",
                signal_type="cloud_cross_bullish"
                if direction is Direction.LONG
                else "cloud_cross_bearish",
                direction=direction,
                ticker=ticker,
                timeframe=timeframe,
                conviction=conviction,
                entry_price=D(entry),
                stop_loss=D(stop),
                target_price=None if target is None else D(target),
                timestamp=self.clock.now(),
                source="test",
            )
        )

    def events(self, name: str) -> list[Any]:
        """Every event of one type so far."""
        return [record.event for record in self.records if record.type == name]


async def morning(host: Host) -> None:
    """What the pictures show: a trade done, three positions, a resting limit, two refusals."""
    prices = {
        "AAPL": "229.00",
        "MSFT": "417.10",
        "NVDA": "134.20",
        "JPM": "241.50",
        "XOM": "114.80",
        "KO": "63.10",
    }
    for symbol, price in prices.items():
        host.price(symbol, price)
    await settle()
    host.signal("KO", "63.10", "62.20", conviction=77)
    await host.clock.advance(3)
    host.signal("NVDA", "134.20", "130.50", target="142.00")
    await host.clock.advance(7)
    host.signal("AAPL", "229.00", "225.00", conviction=82)
    await host.clock.advance(4)
    host.signal("XOM", "114.80", "117.30", direction=Direction.SHORT)
    await host.clock.advance(9)
    host.price("KO", "63.55")
    await settle()
    await host.engine.command(ClosePosition(by="console", symbol="KO"))
    await host.clock.advance(2)
    host.price("JPM", "241.62")
    await settle()
    host.signal("JPM", "240.60", "236.00", conviction=60)
    await host.clock.advance(5)
    host.signal("SPY", "590.00", "585.00", conviction=31)
    await host.clock.advance(6)
    host.signal("MSFT", "417.10", "411.00")
    await host.clock.advance(14)
    for symbol, price in {"NVDA": "134.88", "AAPL": "229.61", "XOM": "114.10"}.items():
        host.price(symbol, price)
        await host.clock.advance(1)
    host.price("MSFT", "417.32")
    await host.clock.advance(3)
    host.price("JPM", "241.90")
    host.price("AAPL", "229.34")
    await host.clock.advance(2)


async def simulated(seconds: float, **sections: Any) -> tuple[House, HandClock]:
    """The embedded default, run this long by hand: the simulated market and its own signals."""
    clock = HandClock()
    house = build(
        from_mapping(sections),
        clock=clock,
        state_dir=None,
        version="test",
        latch=MemoryLatch(),
        database=memory_database(),
        threads=False,
    )
    await house.engine.start()
    await clock.advance(seconds)
    return house, clock


@asynccontextmanager
async def console(
    host: Host, size: tuple[int, int] = (120, 40), **options: Any
) -> AsyncIterator[tuple[MeridianApp, Pilot[str]]]:
    """The console over a running host, in a window of `size`."""
    app = MeridianApp(LocalDesk(host.engine), **options)
    async with app.run_test(size=size) as pilot:
        for _ in range(MOUNT_TURNS):  # on a slow machine the panes come after the screen
            if len(app.main.query(Pane)) == len(PANES):
                break
            await pilot.pause()
        await drawn(app, pilot)
        yield app, pilot


async def drawn(app: MeridianApp, pilot: Pilot[str]) -> None:
    """Let the loop settle, then paint all that shows, whatever the pump's slots say."""
    await settle()
    await pilot.pause()
    for screen in app.screen_stack:
        for widget in screen.walk_children():
            if isinstance(widget, Painted) and widget.is_showing:
                widget.paint()
    app.header.paint()
    await pilot.pause()


def shown(app: MeridianApp) -> str:
    """The top screen as text."""
    return "\n".join(lines(app))


async def press(app: MeridianApp, pilot: Pilot[str], *keys: str) -> None:
    """Press keys and draw what came of them."""
    await pilot.press(*keys)
    await drawn(app, pilot)


async def write(app: MeridianApp, pilot: Pilot[str], text: str) -> None:
    """Type a text into whatever has the focus."""
    await pilot.press(*text)
    await drawn(app, pilot)


async def burst(app: MeridianApp, pilot: Pilot[str], keys: str) -> None:
    """Hand all keys to the app before it looks at the first one."""
    for key in keys.split():
        named = _character_to_key(key) if len(key) == 1 else key
        app.post_message(events.Key(named, key if len(key) == 1 else None))
    await drawn(app, pilot)
    await drawn(app, pilot)


def asked(host: Host) -> list[str]:
    """What was done to positions and orders since the morning, by the type of the event."""
    done = ("ExitDecided", "OrderIntended", "CancelRequested", "ModifyRequested", "Paused")
    return [record.type for record in host.records if record.type in done]
