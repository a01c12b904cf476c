"""What the engine is given to do while it is measured, and what came of it.

One plan is played headless or under the console, so that both are the same work.
"""

import asyncio
import contextlib
import time
from collections import deque
from decimal import Decimal

import msgspec

from console.host import wiring
from engine.domain import events as ev
from engine.domain.commands import PlaceOrder
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from engine.runtime.engine import Engine
from tests.bench import rig
from tests.bench.arrivals import Arrivals

SYMBOLS = 40
"""Symbols that signals take turns on; each is entered, protected, and left again."""

WARM_SECONDS = 1.0

FIRST_SECONDS = 6
"""So long after a start the venue is asked about every order that only reduces, before it is sent;
what is measured begins after that."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A load: quotes, signals and order lives a second, and orders that rest meanwhile."""

    seconds: float
    quotes: float = rig.QUOTES
    signals: float = 0.0
    lives: float = 0.0
    working: int = 0
    symbols: int = SYMBOLS
    latency_ms: int = 0
    orders: int = 0
    """Whole lives, as fast as they go, with `flood` quotes between them; nothing else then."""
    flood: int = 0
    meter: bool = True
    """Measure the lag; 500 wakes a second cost about 2 % of a core."""
    windows: bool = False
    """Under the console: report the lag four times a second from the start on."""
    kill: bool = False
    """Under the console: place `working` orders, and report what a halt does to them."""


class Found(msgspec.Struct, kw_only=True):
    """What was measured; times in milliseconds."""

    lag: list[float] = []
    handed: list[float] = []
    """From a signal, as it was sent, to its order handed to the venue, its intent durable."""
    handed_at: list[float] = []
    """When each of them was handed over, on the machine's monotonic clock."""
    filled: list[float] = []
    """From an order handed over to its fill taken in."""
    refused: int = 0
    lives: int = 0
    quotes: int = 0
    events: int = 0
    elapsed: float = 0.0
    cpu: float = 0.0
    """Seconds of processor time of the whole process."""
    rss_mb: float = 0.0
    memory: list[float] = []
    """MB before the first, at half and after the last order of `Plan.orders`."""


class Signals:
    """Turns arrivals into signals: enter a symbol that is free, leave one that is held."""

    def __init__(self, engine: Engine, symbols: list[str], found: Found) -> None:
        self._engine = engine
        self._found = found
        self._free = deque(symbols)
        self._held: deque[str] = deque()
        self._began: dict[str, float] = {}
        self._sent: dict[str, float] = {}
        self._count = 0
        engine.subscribe(self.seen)

    def arrive(self, sent: float) -> None:
        """One signal, sent at this moment."""
        self._count += 1
        if self._free and (len(self._free) >= len(self._held) or not self._held):
            symbol = self._free.popleft()
            verdict = self._engine.submit(rig.long_signal(self._engine, symbol, self._count))
            ids = getattr(verdict, "client_order_ids", ())
            if not ids:
                self._found.refused += 1
                self._free.append(symbol)
            for key in ids:
                self._began[key] = sent
        elif self._held:
            symbol = self._held.popleft()
            verdict = self._engine.submit(rig.flat_signal(self._engine, symbol, self._count))

    def seen(self, record: ev.Record) -> None:
        """Follow what became of it."""
        event, now = record.event, time.perf_counter()
        self._found.events += 1
        if isinstance(event, ev.OrderSent):
            began = self._began.pop(event.client_order_id, None)
            if began is not None:
                self._found.handed.append((now - began) * 1000)
                self._found.handed_at.append(now)
                self._sent[event.client_order_id] = now
        elif isinstance(event, ev.OrderFilled):
            sent = self._sent.pop(event.fill.client_order_id, None)
            if sent is not None:
                self._found.filled.append((now - sent) * 1000)
        elif isinstance(event, ev.OrderAccepted):
            order = self._engine.book.order(event.client_order_id)
            if order is not None and order.purpose is Purpose.PROTECT:
                self._held.append(order.symbol)
        elif isinstance(event, ev.PositionClosed):
            self._free.append(event.trade.symbol)


class Lives:
    """Turns arrivals into manual market orders, each a whole life."""

    def __init__(self, engine: Engine, symbols: list[str], found: Found) -> None:
        self._engine = engine
        self._symbols = symbols
        self._found = found
        self._count = 0
        self._began: dict[str, float] = {}
        engine.subscribe(self.seen)

    def arrive(self, sent: float) -> None:
        """One order, asked for at this moment."""
        self._count += 1
        records = self._engine.step(
            PlaceOrder(
                by="bench",
                symbol=self._symbols[self._count % len(self._symbols)],
                side=Side.BUY,
                quantity=Decimal(1),
                intent_id=f"life-{self._count}",
            )
        )
        for record in records:
            if isinstance(record.event, ev.OrderIntended):
                self._began[record.event.terms.client_order_id] = sent

    def seen(self, record: ev.Record) -> None:
        """Count those that ended filled."""
        event = record.event
        if isinstance(event, ev.OrderSent):
            began = self._began.pop(event.client_order_id, None)
            if began is not None:
                self._found.handed.append((time.perf_counter() - began) * 1000)
        elif isinstance(event, ev.OrderFilled):
            self._found.lives += 1


def symbols_of(plan: Plan) -> list[str]:
    """The symbols a plan wants: for signals, for lives and for orders that rest."""
    return rig.names(plan.symbols)


async def rest(engine: Engine, symbols: list[str], count: int) -> list[str]:
    """Place so many limit orders far below the market, and wait until all of them work."""
    keys: list[str] = []
    for n in range(count):
        symbol = symbols[n % len(symbols)]
        price = engine.world.market.quotes[symbol].last
        limit = (price * Decimal("0.5")).quantize(Decimal("0.01"))
        records = engine.step(
            PlaceOrder(
                by="bench",
                symbol=symbol,
                side=Side.BUY,
                quantity=Decimal(1),
                type=OrderType.LIMIT,
                limit_price=limit,
                intent_id=f"rest-{n}",
            )
        )
        keys += [
            r.event.terms.client_order_id for r in records if isinstance(r.event, ev.OrderIntended)
        ]
        if n % 100 == 99:
            await asyncio.sleep(0)
    if len(keys) != count:
        raise RuntimeError(f"{count} orders were to rest, {len(keys)} were taken")
    while any(_status(engine, key) is not OrderStatus.NEW for key in keys):
        await asyncio.sleep(0.05)
    return keys


def _status(engine: Engine, key: str) -> OrderStatus | None:
    order = engine.book.order(key)
    return None if order is None else order.status


async def play(house: wiring.House, plan: Plan) -> Found:
    """Do what the plan says on a running engine, and measure."""
    engine, symbols = house.engine, symbols_of(plan)
    if plan.quotes:
        await rig.priced(engine, symbols)
    if plan.orders:
        return await _soak(house, plan)
    if plan.signals:
        began = engine.book.data.started_at
        await asyncio.sleep(FIRST_SECONDS - (engine.clock.now() - began) / NS_PER_SECOND)
    if plan.working:
        await rest(engine, symbols, plan.working)
    found = Found()
    arrivals: list[Arrivals] = []
    if plan.signals:
        signals = Signals(engine, symbols[: plan.symbols // 2], found)
        arrivals.append(Arrivals(signals.arrive, plan.signals, plan.seconds + WARM_SECONDS))
    if plan.lives:
        lives = Lives(engine, symbols[plan.symbols // 2 :], found)
        arrivals.append(Arrivals(lives.arrive, plan.lives, plan.seconds + WARM_SECONDS))
    await asyncio.sleep(WARM_SECONDS)
    found.handed.clear()
    found.handed_at.clear()
    found.filled.clear()
    found.lives = 0
    found.refused = 0
    found.events = 0
    beats = rig.Beats()
    quotes, since, spent = engine.world.market.updates, time.perf_counter(), time.process_time()
    if plan.meter:
        beats.start()
    await asyncio.sleep(plan.seconds)
    found.lag = beats.stop()
    found.elapsed = time.perf_counter() - since
    found.cpu = time.process_time() - spent
    found.quotes = engine.world.market.updates - quotes
    found.rss_mb = rig.rss_mb()
    for source in arrivals:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await source.done.wait()
        source.stop()
    return found


CHUNK = 1_000

_ENDS = (ev.OrderRejected, ev.OrderCanceled, ev.OrderExpired)


class _Soak:
    """One order at a time on each symbol: what is flat is bought, what is held is sold."""

    def __init__(self, house: wiring.House, symbols: list[str], found: Found) -> None:
        self._engine, self._venue, self._found = house.engine, house.venue, found
        self._symbols = symbols
        self._idle = deque(symbols)
        self._count = 0
        self._prices = {symbol: house.engine.world.market.quotes[symbol] for symbol in symbols}
        house.engine.subscribe(self._seen)

    def _seen(self, record: ev.Record) -> None:
        event = record.event
        if isinstance(event, ev.OrderFilled):
            self._found.lives += 1
            self._idle.append(event.fill.symbol)
        elif isinstance(event, _ENDS):
            raise RuntimeError(f"an order of the bench ended without a fill: {event}")

    async def trade(self, count: int) -> None:
        """So many whole lives."""
        for _ in range(count):
            while not self._idle:
                await asyncio.sleep(0)
            symbol = self._idle.popleft()
            self._count += 1
            asked = PlaceOrder(
                by="bench",
                symbol=symbol,
                side=Side.SELL if self._engine.book.holding("paper", symbol) else Side.BUY,
                quantity=Decimal(1),
                intent_id=f"soak-{self._count}",
            )
            records = self._engine.step(asked)
            if not any(isinstance(record.event, ev.OrderIntended) for record in records):
                raise RuntimeError(f"an order of the bench was refused: {records[-1].event}")
        while len(self._idle) < len(self._symbols):
            await asyncio.sleep(0)

    async def quote(self, count: int) -> None:
        """So many prices, as fast as they go."""
        for n in range(count):
            symbol = self._symbols[n % len(self._symbols)]
            now = self._engine.clock.now()
            told = msgspec.structs.replace(self._prices[symbol], time=now)
            if self._venue is not None:
                self._venue.on_price(told)
            self._engine.step(told)
            if n % CHUNK == 0:
                await asyncio.sleep(0)


async def _soak(house: wiring.House, plan: Plan) -> Found:
    """Orders and quotes of a day as fast as they go; positions open and close all the time."""
    found = Found(memory=[rig.rss_mb()])
    soak = _Soak(house, symbols_of(plan), found)
    began = time.perf_counter()
    turns = max(plan.orders // CHUNK, 2)
    for turn in range(1, turns + 1):
        await soak.trade(plan.orders // turns)
        await soak.quote(plan.flood // turns)
        if turn in (turns // 2, turns):
            found.memory.append(rig.rss_mb())
    found.elapsed = time.perf_counter() - began
    found.quotes = plan.flood // turns * turns
    found.rss_mb = rig.rss_mb()
    return found


async def play_headless(plan: Plan) -> Found:
    """The plan on an engine without a console, in a folder that is gone afterwards."""
    symbols = symbols_of(plan)
    given = rig.config(symbols, latency_ms=(plan.latency_ms, plan.latency_ms))
    with rig.scratch() as folder:
        house = rig.open_house(folder, given, quotes=plan.quotes)
        async with rig.running(house):
            return await play(house, plan)
