"""What the engine is given to do while it is measured, and what came of it.

One plan is played headless or under the console, so that both are the same work. The quotes come
from the player, signals and orders from processes that send at random: none of it is made here.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

import msgspec

from console.host import wiring
from tests.bench import rig
from tests.bench.arrivals import Arrivals
from tests.bench.profile import Sampler
from tests.bench.rig import Engine, OrderStatus, OrderType, PlaceOrder, Purpose, Side, ev

SYMBOLS = 40
"""Symbols that signals take turns on; each is entered, protected, and left again."""

ASK_SECONDS = 0.2

WARM_SECONDS = 1.0
"""From a change of the load to the moment that it is measured."""

REST_SECONDS = 30

FIRST_SECONDS = 6
"""So long after a start the venue is asked about every order that only reduces, before it is sent;
what is measured begins after that."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of time with one load, measured by itself."""

    seconds: float
    warm: float = WARM_SECONDS
    """The load runs for so long before it is measured."""
    quotes: float = rig.QUOTES
    """A second, from the player; 0 is a market where nothing moves."""
    signals: float = 0.0
    """A second, at random."""
    lives: float = 0.0
    """Manual market orders a second, at random."""
    meter: bool = True
    """Measure the lag; 500 wakes a second cost about 2 % of a core."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All that the measured process is told."""

    windows: tuple[Window, ...] = ()
    symbols: int = SYMBOLS
    address: str = ""
    """The paper venue's socket; "" keeps venue and market in the measured process."""
    rates: int = -1
    """Descriptor of the pipe on which the player reads its rate; -1 without a player."""
    others: Mapping[str, int] = {}
    """The other processes that take part, and their ids: their processor time is noted too."""
    latency_ms: int = 0
    """The venue's, there and back."""
    console: bool = False
    kills: int = 0
    """So many halts, each of `working` orders."""
    offered: float = 0.0
    """Meanwhile so many manual orders a second come in, at random."""
    working: int = 0
    disk: bool = False
    """During a halt the journal and the latch cannot be written."""
    under_way: int = 0
    """Instead of arrivals: so many orders under way at any time, each that ends starts the next."""
    orders: int = 0
    """Whole lives, as fast as they go, with `flood` quotes between them; nothing else then."""
    flood: int = 0
    beats: bool = False
    """Report the lag four times a second from the start on."""


class Found(msgspec.Struct, kw_only=True):
    """What was measured in a window; times in milliseconds."""

    at: float = 0.0
    """When the window began, on the machine's monotonic clock."""
    lag: list[float] = []
    handed: list[float] = []
    """From a signal, as it was sent, to its order handed to the venue, its intent durable."""
    handed_at: list[float] = []
    """When each of them was handed over, on the machine's monotonic clock."""
    filled: list[float] = []
    """From an order handed over to its fill taken in."""
    taken: list[float] = []
    """From a manual order asked for to its fill taken in."""
    refused: int = 0
    codes: dict[str, int] = {}
    """What was refused, by its code."""
    lives: int = 0
    quotes: int = 0
    events: int = 0
    """While lives were counted: all events of the journal."""
    elapsed: float = 0.0
    cpu: dict[str, float] = {}
    """Seconds of processor time in the window, by process; the measured one is `engine`."""
    rss_mb: float = 0.0
    memory: list[float] = []
    """MB before the first, at half and after the last order of `Plan.orders`."""

    @property
    def share(self) -> float:
        """Of one core, that the measured process used."""
        return self.cpu.get(MEASURED, 0.0) / self.elapsed if self.elapsed else 0.0

    def processes(self) -> str:
        """The processor time of every process, for a note."""
        used = ", ".join(f"{name} {seconds:.2f}" for name, seconds in self.cpu.items())
        return f"CPU s in {self.elapsed:.1f} s: {used}"


MEASURED = "engine"


class Usage:
    """Processor time of the measured process and of those beside it, from now on."""

    def __init__(self, others: Mapping[str, int]) -> None:
        self._others = others
        self._began = time.perf_counter()
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        others = {name: rig.cpu_seconds(pid) for name, pid in self._others.items()}
        return {MEASURED: time.process_time(), **others}

    def into(self, found: Found) -> None:
        """Note what was used since."""
        found.elapsed = time.perf_counter() - self._began
        now = self._now()
        found.cpu = {name: now[name] - before for name, before in self._before.items()}


def _since(sent: float) -> int:
    """Nanoseconds since a moment of the machine's monotonic clock."""
    return max(round((time.perf_counter() - sent) * rig.NS_PER_SECOND), 0)


class Signals:
    """Turns arrivals into signals: enter a symbol that is free, leave one that is held."""

    def __init__(self, engine: Engine, symbols: list[str], found: Found) -> None:
        """Every result goes to `found`, which may be exchanged for another."""
        self.found = found
        self._engine = engine
        self._free = deque(symbols)
        self._held: deque[str] = deque()
        self._began: dict[str, float] = {}
        self._sent: dict[str, float] = {}
        self._entering: dict[str, str] = {}
        self._count = 0
        engine.subscribe(self._seen)

    def arrive(self, sent: float) -> None:
        """One signal, sent at this moment of the machine's monotonic clock."""
        self._count += 1
        if self._free and (len(self._free) >= len(self._held) or not self._held):
            symbol = self._free.popleft()
            asked = rig.long_signal(self._engine, symbol, self._count)
            verdict = self._engine.submit(asked, waited=_since(sent))
            ids = getattr(verdict, "client_order_ids", ())
            if not ids:
                self._refused(getattr(verdict, "code", ""))
                self._free.append(symbol)
            for key in ids:
                self._began[key] = sent
                self._entering[key] = symbol
        elif self._held:
            symbol = self._held.popleft()
            asked = rig.flat_signal(self._engine, symbol, self._count)
            self._engine.submit(asked, waited=_since(sent))

    def _refused(self, code: str) -> None:
        self.found.refused += 1
        self.found.codes[code] = self.found.codes.get(code, 0) + 1

    def _seen(self, record: ev.Record) -> None:
        """Follow what became of it."""
        event, now = record.event, time.perf_counter()
        if isinstance(event, ev.OrderSent):
            began = self._began.pop(event.client_order_id, None)
            if began is not None:
                self.found.handed.append((now - began) * 1000)
                self.found.handed_at.append(now)
                self._sent[event.client_order_id] = now
        elif isinstance(event, ev.OrderFilled):
            self._entering.pop(event.fill.client_order_id, None)
            sent = self._sent.pop(event.fill.client_order_id, None)
            if sent is not None:
                self.found.filled.append((now - sent) * 1000)
        elif isinstance(event, ev.OrderAccepted):
            order = self._engine.book.order(event.client_order_id)
            if order is not None and order.purpose is Purpose.PROTECT:
                self._held.append(order.symbol)
        elif isinstance(event, ev.PositionClosed):
            self._free.append(event.trade.symbol)
        elif isinstance(event, ev.OrderRejected | ev.OrderCanceled):
            # An entry that a halt kept from being sent, or withdrew: its symbol is free again.
            symbol = self._entering.pop(event.client_order_id, None)
            self._began.pop(event.client_order_id, None)
            if symbol is not None:
                self._free.append(symbol)


class Lives:
    """Turns arrivals into manual market orders, each a whole life."""

    def __init__(self, engine: Engine, symbols: list[str], found: Found) -> None:
        """Every result goes to `found`, which may be exchanged for another."""
        self.found = found
        self._engine = engine
        self._symbols = symbols
        self._count = 0
        self._began: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._sent: dict[str, float] = {}
        engine.subscribe(self._seen)

    @property
    def waiting(self) -> int:
        """Orders that were taken and have not been filled."""
        return len(self._asked)

    def arrive(self, sent: float) -> None:
        """One order, asked for at this moment of the machine's monotonic clock."""
        self._count += 1
        # No two of a minute are the same, or the later would be a repeat.
        quantity = 1 + self._count // len(self._symbols) % QUANTITIES
        records = self._engine.step(
            PlaceOrder(
                by="bench",
                symbol=self._symbols[self._count % len(self._symbols)],
                side=Side.BUY,
                quantity=Decimal(quantity),
                intent_id=f"life-{self._count}",
                waited=_since(sent),
            )
        )
        for record in records:
            if isinstance(record.event, ev.OrderIntended):
                self._began[record.event.terms.client_order_id] = sent
                self._asked[record.event.terms.client_order_id] = sent
                return
        self.found.refused += 1
        code = getattr(records[-1].event, "code", "") if records else ""
        self.found.codes[code] = self.found.codes.get(code, 0) + 1

    def _seen(self, record: ev.Record) -> None:
        """Count those that ended filled."""
        event, now = record.event, time.perf_counter()
        self.found.events += 1
        if isinstance(event, ev.OrderSent):
            began = self._began.pop(event.client_order_id, None)
            if began is not None:
                self.found.handed.append((now - began) * 1000)
                self.found.handed_at.append(now)
                self._sent[event.client_order_id] = now
        elif isinstance(event, ev.OrderFilled):
            sent = self._sent.pop(event.fill.client_order_id, None)
            if sent is not None:
                self.found.filled.append((now - sent) * 1000)
            asked = self._asked.pop(event.fill.client_order_id, None)
            if asked is not None:
                self.found.lives += 1
                self.found.taken.append((now - asked) * 1000)


class Flow:
    """Keeps a number of orders under way: each that is filled starts the next."""

    def __init__(self, engine: Engine, lives: Lives, under_way: int) -> None:
        """The orders are those of `lives`."""
        self._lives = lives
        self._wanted = under_way
        self._open = True
        self._loop = asyncio.get_running_loop()
        engine.subscribe(self._seen)
        self._fill_up()

    def _fill_up(self) -> None:
        if self._open:
            for _ in range(self._wanted - self._lives.waiting):
                self._lives.arrive(time.perf_counter())

    def _seen(self, record: ev.Record) -> None:
        if isinstance(record.event, ev.OrderFilled):
            self._loop.call_soon(self._fill_up)

    async def end(self) -> None:
        """Start no more, and wait for those under way."""
        self._open = False
        while self._lives.waiting:
            await asyncio.sleep(0.01)


QUANTITIES: Final = 4_999
"""So many different quantities are ordered in turn."""

OVERLOAD_TRIES: Final = 200
"""How often an order that is refused is tried again, 50 ms apart."""


def _intended(events: list[ev.Event]) -> list[ev.OrderIntended]:
    """What an order led to; nothing where it is refused."""
    return [event for event in events if isinstance(event, ev.OrderIntended)]


async def rest(engine: Engine, symbols: list[str], count: int, batch: int = 0) -> list[str]:
    """Place so many limit orders far below the market, and wait until all of them work.

    `batch` tells the orders of one call from those of another. Raises RuntimeError when one is
    refused, TimeoutError when one does not come to work.
    """
    keys: list[str] = []
    for n in range(count):
        symbol = symbols[n % len(symbols)]
        price = engine.world.market.quotes[symbol].last
        limit = (price * Decimal("0.5")).quantize(Decimal("0.01"))
        order = PlaceOrder(
            by="bench",
            symbol=symbol,
            side=Side.BUY,
            # No two of a symbol are the same, or the later would be a repeat.
            quantity=Decimal(1 + batch * count + n // len(symbols)),
            type=OrderType.LIMIT,
            limit_price=limit,
        )
        for attempt in range(OVERLOAD_TRIES):
            # A thousand in a row may hold up the ticks of a slow machine; what an id was refused
            # with stays its answer (fault 55).
            asked = msgspec.structs.replace(order, intent_id=f"rest-{batch}-{n}-{attempt}")
            told = [record.event for record in engine.step(asked)]
            intended = _intended(told)
            if intended:
                break
            await asyncio.sleep(0.05)
        if not intended:
            raise RuntimeError(f"order {n} of {count} was to rest, and is refused: {told}")
        keys += [event.terms.client_order_id for event in intended]
        if n % 25 == 24:
            await asyncio.sleep(0)
    async with asyncio.timeout(REST_SECONDS):
        while any(_status(engine, key) is not OrderStatus.NEW for key in keys):
            await asyncio.sleep(0.05)
    return keys


def _status(engine: Engine, key: str) -> OrderStatus | None:
    order = engine.book.order(key)
    return None if order is None else order.status


class Market:
    """The player's other end: how fast it plays."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        """`write` hands over a line."""
        self._write = write

    async def play(self, engine: Engine, symbols: list[str], rate: float) -> None:
        """So many quotes a second from now on, and a fresh price of every symbol first."""
        self._write(b"%g\n" % rate)
        while not rig.is_priced(engine, symbols):
            # The engine may not watch the venue's market yet, and what is told then is lost.
            await asyncio.sleep(ASK_SECONDS)
            self._write(b"%g\n" % rate)


async def settled(engine: Engine) -> None:
    """Wait until a start is far enough back that what reduces is not asked about first."""
    began = engine.book.data.started_at
    await asyncio.sleep(FIRST_SECONDS - (engine.clock.now() - began) / rig.NS_PER_SECOND)


async def play(
    house: wiring.House,
    plan: Plan,
    market: Market,
    tell: Callable[[Found], None],
    sampler: Sampler | None = None,
) -> None:
    """Play the windows of a plan one after the other on a running engine; `tell` of each.

    `sampler` looks on while a window is measured.
    """
    engine, symbols = house.engine, rig.names(plan.symbols)
    await market.play(engine, symbols, plan.windows[0].quotes)
    if any(window.signals for window in plan.windows):
        await settled(engine)
    half = plan.symbols // 2
    unmeasured = Found()
    signals = Signals(engine, symbols[:half], unmeasured)
    lives = Lives(engine, symbols[half:], unmeasured)
    flow = Flow(engine, lives, plan.under_way) if plan.under_way else None
    sources: list[Arrivals] = []
    for window in plan.windows:
        await market.play(engine, symbols, window.quotes)
        for arrive, rate in ((signals.arrive, window.signals), (lives.arrive, window.lives)):
            if rate:
                sources.append(Arrivals(arrive, rate, window.warm + window.seconds))
        await asyncio.sleep(window.warm)
        found = Found(at=time.perf_counter())
        signals.found = lives.found = found
        beats = rig.Beats()
        if sampler is not None:
            sampler.start()
        quotes, usage = engine.world.market.updates, Usage(plan.others)
        if window.meter:
            beats.start()
        await asyncio.sleep(window.seconds)
        found.lag = beats.stop()
        usage.into(found)
        if sampler is not None:
            sampler.stop()
        found.quotes = engine.world.market.updates - quotes
        found.rss_mb = rig.rss_mb()
        signals.found = lives.found = unmeasured
        tell(found)
    for source in sources:
        source.stop()
    if flow is not None:
        await flow.end()
