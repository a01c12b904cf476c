"""A real engine on a real disk for the bench, and what the bench knows of the engine's names.

The limits of the gate are all asked, and set so wide that none refuses. What a load and a row need
of the engine they import from here, so that a name that moves there is one line here.
"""

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from console.host import wiring
from console.terminal.bootstrap import settle_collector, settle_threads
from engine.config import Config
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderStatus, OrderType, Purpose, Side
from engine.domain.signal import Direction, Signal, Timeframe
from engine.ports import Latch
from engine.runtime.clock import SystemClock
from engine.runtime.engine import Engine
from engine.runtime.send_gate import SendGate
from storage.latch import FileLatch
from tests.bench.figures import Row, emit
from tests.configs import from_mapping

__all__ = [
    "BEAT",
    "NS_PER_SECOND",
    "QUOTES",
    "Beats",
    "Engine",
    "OrderStatus",
    "OrderType",
    "PlaceOrder",
    "Purpose",
    "Side",
    "ask",
    "config",
    "cpu_seconds",
    "ev",
    "flat_signal",
    "is_long",
    "is_priced",
    "is_quick",
    "long_signal",
    "names",
    "open_house",
    "priced",
    "report",
    "rss_mb",
    "run",
    "running",
    "scratch",
]

T = TypeVar("T")

PlaceOrder = ask.PlaceOrder

QUOTES = 10_000.0
"""Quotes a second of a busy market."""

RATES = (0.0, 1_000.0, QUOTES, 50_000.0)
"""Quotes a second of the rows that are measured at several."""

BEAT = 0.002
"""Seconds between two looks of the lag meter."""

WIDE: dict[str, Any] = {
    "max_risk_per_trade": "0.000000001",
    "daily_loss_limit": "1",
    "max_concurrent_positions": 1_000_000,
    "max_single_stock_exposure": "1",
    "max_sector_exposure": "1",
    "max_gross_exposure": "1",
    "drawdown_limit": "1",
    "max_trades_per_day": 100_000_000,
    "min_account_equity": "0",
    "consecutive_loss_threshold": 1_000_000,
    "consecutive_loss_pct": "1",
    "max_order_notional": "1000000000",
    "max_orders_per_minute": 100_000_000,
    "price_collar_pct": "1",
    "max_open_orders": 10_000_000,
}


def terms(latency_ms: int) -> dict[str, Any]:
    """A paper account that fills whatever the price allows, `latency_ms` after it was sent."""
    return {
        "initial_cash": "1000000000000",
        "latency_ms": [latency_ms, latency_ms],
        "slippage_bps": "0",
        "fill_probability": "1",
        "participation": "1",
    }


def config(
    symbols: Sequence[str],
    *,
    latency_ms: int = 0,
    address: str = "",
    **sections: dict[str, Any],
) -> Config:
    """No built-in signals and wide limits, on the paper venue that listens at `address`.

    Without an address the venue and a simulated market are in this process.
    """
    tree: dict[str, Any] = {
        "profile": "custom",
        "market": {"symbols": list(symbols)},
        "signals": {"builtin": ""},
        "risk": WIDE,
        "execution": {"dedup_window_seconds": 0},
        "brokers": {"paper": terms(latency_ms) | {"address": address}},
    }
    return from_mapping(tree | sections)


def names(count: int) -> list[str]:
    """Symbols of nobody: A0000, A0001, ..."""
    return [f"A{n:04d}" for n in range(count)]


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="meridian-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def open_house(
    folder: Path,
    given: Config,
    *,
    quotes: float = 0,
    latch: Latch | None = None,
    gate: SendGate | None = None,
) -> wiring.House:
    """The account of a folder, wired as the program does it.

    `quotes` is the pace of the simulated market of an account in this process, over all symbols.
    """
    return wiring.build(
        given,
        clock=SystemClock(),
        state_dir=folder,
        version="bench",
        latch=latch or FileLatch(folder),
        gate=gate,
        quotes_per_second=quotes,
    )


@contextlib.asynccontextmanager
async def running(house: wiring.House) -> AsyncIterator[Engine]:
    """The engine, started and running, and stopped in order afterwards."""
    engine = house.engine
    await engine.start()
    settle_collector()
    settle_threads()
    task = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        await engine.stop("the bench has ended")
        await task
        house.close()


def is_priced(engine: Engine, symbols: Sequence[str]) -> bool:
    """Whether every symbol has a price."""
    return all(symbol in engine.world.market.quotes for symbol in symbols)


async def priced(engine: Engine, symbols: Sequence[str]) -> None:
    """Wait until every symbol has a price."""
    while not is_priced(engine, symbols):
        await asyncio.sleep(0.01)


class Beats:
    """How late a timer of 2 ms is, in milliseconds, while the loop does its work."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Measure from now on."""
        self._task = asyncio.create_task(self._beat())

    def stop(self) -> list[float]:
        """What was measured."""
        if self._task is not None:
            self._task.cancel()
        return self.late

    async def _beat(self) -> None:
        while True:
            due = time.perf_counter() + BEAT
            await asyncio.sleep(BEAT)
            self.late.append(max((time.perf_counter() - due) * 1000, 0.0))


def rss_mb(pid: int = 0) -> float:
    """What a process holds in memory now, in MB; this one without `pid`."""
    with Path(f"/proc/{pid or 'self'}/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used so far, all its threads; 0 when it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return 0.0
    user, system = text.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def long_signal(engine: Engine, symbol: str, number: int) -> Signal:
    """A signal that becomes a market order with a stop far below."""
    price = engine.world.market.quotes[symbol].last
    return _signal(
        engine, symbol, number, Direction.LONG, (price * Decimal("0.8")).quantize(Decimal("0.01"))
    )


def flat_signal(engine: Engine, symbol: str, number: int) -> Signal:
    """A signal that closes what is held."""
    price = engine.world.market.quotes[symbol].last
    return _signal(engine, symbol, number, Direction.FLAT, price)


def _signal(
    engine: Engine, symbol: str, number: int, direction: Direction, stop: Decimal
) -> Signal:
    return Signal(
        signal_id=f"bench-{number}",
        signal_type="bench",
        direction=direction,
        ticker=symbol,
        timeframe=Timeframe.H1,
        conviction=80,
        entry_price=engine.world.market.quotes[symbol].last,
        stop_loss=stop,
        timestamp=engine.clock.now(),
        source="bench",
    )


def run(main: Coroutine[Any, Any, T]) -> T:
    """The loop the program runs on."""
    return asyncio.run(main)


def is_quick() -> bool:
    """Whether this row's process was asked for the short form."""
    return "--quick" in sys.argv


def is_long() -> bool:
    """Whether it was asked for the long form."""
    return "--long" in sys.argv


def report(rows: Sequence[Row]) -> None:
    """Hand the figures over; the last thing a row's process does."""
    emit(rows)
