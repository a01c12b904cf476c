"""Halts while a thousand orders work and signals come in: what is timed in the measured process.

The key is pressed by the process at the other end of the terminal, which knows when; every moment
is on the machine's monotonic clock, that all processes share.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from brokers.paper.remote import RemotePaper
from console.host import wiring
from engine.domain.run import Halt
from engine.ports import Latch
from engine.runtime.send_gate import Cause, SendGate
from tests.bench import rig
from tests.bench.arrivals import Arrivals
from tests.bench.load import WARM_SECONDS, Found, Lives, Market, Plan, Signals, Usage, rest, settled
from tests.bench.rig import Engine, ask, ev

SIGNALS = 100.0
"""A second, while the halt comes."""

SPACING_SECONDS = 3.2
"""Between two presses: a second one within 3 s would kill (X-52)."""

STUCK_SECONDS = 1.0
"""How long the disk of the third fault stands still after the key."""

FLOOD_SECONDS = 5.0
"""From the first order of a flood to the key: there is a backlog by then."""

LIMIT_SECONDS = 30.0

LOOK_SECONDS = 0.005
"""Between two looks at what notes its own moment: more of them would hold up what is measured."""


class Trial(msgspec.Struct, kw_only=True):
    """When each step of one halt was done, and what was sent; moments in seconds."""

    gate: float = 0.0
    """The gate was closed: the thread that reads the key closes it, ahead of the loop."""
    decided: float = 0.0
    """The loop had the key, and the halt was decided."""
    handed: float = 0.0
    """The last request to cancel was written to the venue's socket."""
    canceled: float = 0.0
    """The last cancel was acknowledged."""
    thawed: float = 0.0
    """The disk took writes again; 0 where it always did."""
    durable: float = 0.0
    """Every acknowledgement was on disk."""
    sent_after: int = 0
    """Orders that add exposure, sent once the gate had closed, as the engine saw it."""
    keys: list[str] = []
    """The orders that worked."""
    adding: list[str] = []
    """Ids of every order that adds exposure, decided since the halt before this one."""


class NotedGate(SendGate):
    """The gate, which notes when a halt closed it."""

    def __init__(self) -> None:
        super().__init__()
        self.closed_at = 0.0
        """On the machine's monotonic clock, read once the gate stood closed; 0 while it is open."""

    def close(self, reason: str, cause: Cause = Cause.HALT) -> None:
        """As the gate, in whatever thread."""
        super().close(reason, cause)
        if cause is Cause.HALT:
            self._note()

    def ask(self, reason: str) -> int:
        """As the gate, in whatever thread."""
        number = super().ask(reason)
        self._note()
        return number

    def _note(self) -> None:
        if not self.closed_at:
            self.closed_at = time.perf_counter()

    def open(self, cause: Cause) -> None:
        """As the gate; the next halt is noted again."""
        super().open(cause)
        if cause is Cause.HALT:
            self.closed_at = 0.0


class StuckDisk:
    """A disk that takes no writes while it is stuck: every commit, and the latch, waits."""

    def __init__(self) -> None:
        self._flows = threading.Event()
        self._flows.set()

    def stick(self) -> None:
        """No write ends from now on."""
        self._flows.clear()

    def thaw(self) -> None:
        """What waits goes on."""
        self._flows.set()

    def wait(self) -> None:
        """For as long as it is stuck; in the thread that writes."""
        self._flows.wait()

    def guard(self, latch: Latch) -> Latch:
        """The latch, on this disk."""
        return _GuardedLatch(latch, self)

    def guard_journal(self, house: wiring.House) -> None:
        """The journal of a house, on this disk: its writer's thread stands before each commit."""
        house.journal._writer._before_commit = self.wait


class _GuardedLatch:
    """A latch whose file is on a disk that can get stuck."""

    def __init__(self, latch: Latch, disk: StuckDisk) -> None:
        self._latch = latch
        self._disk = disk

    def set(self, halt: Halt) -> None:
        self._disk.wait()
        self._latch.set(halt)

    def read(self) -> Halt | None:
        return self._latch.read()

    def clear(self, epoch: int) -> None:
        self._disk.wait()
        self._latch.clear(epoch)


class Watch:
    """One halt after the other, seen from the engine's records."""

    def __init__(self, house: wiring.House) -> None:
        self._engine: Engine = house.engine
        self._journal = house.journal
        self._left: set[str] = set()
        self._last_seq = 0
        self.trial = Trial()
        self._engine.subscribe(self._seen)

    def arm(self, keys: list[str]) -> None:
        """These orders work; what was decided before belongs to this halt too."""
        self._left = set(keys)
        self.trial.keys = keys

    def next(self) -> None:
        """The next halt begins."""
        self.trial = Trial()

    def _seen(self, record: ev.Record) -> None:
        event, trial = record.event, self.trial
        if isinstance(event, ev.OrderIntended):
            if event.terms.reserved:
                trial.adding.append(event.terms.client_order_id)
        elif isinstance(event, ev.Halted):
            trial.decided = trial.decided or time.perf_counter()
        elif isinstance(event, ev.OrderCanceled):
            if event.client_order_id in self._left:
                self._left.discard(event.client_order_id)
                self._last_seq = record.seq
                trial.canceled = time.perf_counter()
        elif isinstance(event, ev.OrderSent) and self._engine.gate.closed:
            trial.sent_after += event.client_order_id in trial.adding

    async def halted(self) -> None:
        """Wait for the halt. Raises TimeoutError."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while not self.trial.decided:
                await asyncio.sleep(LOOK_SECONDS)

    async def canceled(self) -> None:
        """Wait until every cancel was acknowledged. Raises TimeoutError."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while self._left:
                await asyncio.sleep(LOOK_SECONDS)

    async def durable(self) -> None:
        """Wait until every acknowledgement is on disk. Raises TimeoutError."""
        async with asyncio.timeout(LIMIT_SECONDS):
            while self._journal.durable_seq < self._last_seq:
                await asyncio.sleep(0.0005)
        self.trial.durable = time.perf_counter()


class HandedOver:
    """When a request to cancel what works was last written to the socket, in whatever way it is
    asked: once the adapter was asked, the next write of its connection holds the request."""

    WAYS = ("cancel_order", "cancel_orders", "cancel_all")

    def __init__(self, house: wiring.House) -> None:
        self.last = 0.0
        self._asked = False
        self._keys: frozenset[str] = frozenset()
        broker = house.connections["paper"].broker
        assert isinstance(broker, RemotePaper)
        self._flush = broker._line._flush
        broker._line._flush = self._flushed  # type: ignore[method-assign]
        for way in self.WAYS:
            real = getattr(broker, way, None)
            if real is not None:
                setattr(broker, way, self._noted(real))

    def arm(self, keys: list[str]) -> None:
        """These are the orders that work."""
        self._keys = frozenset(keys)

    def _noted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        async def noted(*given: Any) -> Any:
            named = (given[0],) if given and isinstance(given[0], str) else (given or ((),))[0]
            if not given or not self._keys.isdisjoint(named):
                self._asked = True
            return await real(*given)

        return noted

    def _flushed(self) -> None:
        self._flush()
        if self._asked:
            self._asked, self.last = False, time.perf_counter()


async def halts(
    house: wiring.House,
    plan: Plan,
    market: Market,
    disk: StuckDisk,
    report: Callable[..., None],
) -> None:
    """As many halts as the plan asks for, each of so many working orders, with signals meanwhile.

    `report` says `armed` when the key may be pressed, `killed` with the trial, and at the end
    `used`, the processor time of every process.
    """
    engine, symbols = house.engine, rig.names(plan.symbols)
    gate = engine.gate
    assert isinstance(gate, NotedGate)
    half = plan.symbols // 2
    await market.play(engine, symbols, rig.QUOTES)
    await settled(engine)
    handed, watch = HandedOver(house), Watch(house)
    signals = Signals(engine, symbols[:half], Found())
    used, usage = Found(), Usage(plan.others)
    length = plan.kills * LIMIT_SECONDS
    sources = [Arrivals(signals.arrive, SIGNALS, length)]
    pressed = float("-inf")
    for number in range(plan.kills):
        keys = await rest(engine, symbols[half:], plan.working, number)
        await asyncio.sleep(max(pressed + SPACING_SECONDS - WARM_SECONDS - time.monotonic(), 0))
        watch.arm(keys)
        handed.arm(keys)
        if plan.offered and number == 0:
            lives = Lives(engine, symbols[half:], Found())
            sources.append(Arrivals(lives.arrive, plan.offered, length))
        await asyncio.sleep(FLOOD_SECONDS if plan.offered else WARM_SECONDS)
        if plan.disk:
            disk.stick()
        report(armed=number)
        await watch.halted()
        pressed = time.monotonic()
        watch.trial.gate = gate.closed_at
        await watch.canceled()
        if plan.disk:
            await asyncio.sleep(max(pressed + STUCK_SECONDS - time.monotonic(), 0))
            watch.trial.thawed = time.perf_counter()
            disk.thaw()
        await watch.durable()
        watch.trial.handed = handed.last
        await asyncio.sleep(0.3)
        report(killed=msgspec.to_builtins(watch.trial))
        watch.next()
        if number + 1 < plan.kills:
            await _resume(engine)
    usage.into(used)
    report(used=used.processes())
    for source in sources:
        source.stop()


async def _resume(engine: Engine) -> None:
    """Trade again, as an operator would. Raises RuntimeError when that is refused."""
    for _ in range(50):
        answer = await engine.command(ask.Resume(by="bench", confirm="RESUME"))
        if answer.ok:
            break
        await asyncio.sleep(0.1)
    else:
        raise RuntimeError(f"the halt could not be cleared: {answer.error}")
    answer = await engine.command(ask.Unpause(by="bench"))
    if not answer.ok:
        raise RuntimeError(f"the pause could not be ended: {answer.error}")
    while engine.gate.closed:
        await asyncio.sleep(0.01)
