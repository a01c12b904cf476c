"""A real engine on a real disk for the bench: journal, paper account, simulated market, no limits.

The limits of the gate are all asked, and set so wide that none refuses.
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
from console.terminal.bootstrap import settle_collector
from engine.config import Config, from_mapping
from engine.domain.signal import Direction, Signal, Timeframe
from engine.runtime.clock import SystemClock
from engine.runtime.engine import Engine
from storage.latch import FileLatch
from tests.bench.figures import Row, emit

T = TypeVar("T")

QUOTES = 10_000.0
"""Quotes a second of a busy market."""

BEAT = 0.002
"""Seconds between two looks of the lag meter."""

WIDE: dict[str, Any] = {
    "max_risk_per_trade": "0.0000001",
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
    "max_order_notional": "1000000",
    "max_orders_per_minute": 100_000_000,
    "price_collar_pct": "1",
    "max_open_orders": 10_000_000,
}


def config(
    symbols: Sequence[str],
    *,
    latency_ms: tuple[int, int] = (0, 0),
    **sections: dict[str, Any],
) -> Config:
    """No built-in signals, wide limits, a paper venue that fills whatever the price allows."""
    tree: dict[str, Any] = {
        "profile": "custom",
        "market": {"symbols": list(symbols)},
        "signals": {"builtin": ""},
        "risk": WIDE,
        "execution": {"dedup_window_seconds": 0},
        "brokers": {
            "paper": {
                "initial_cash": "10000000000",
                "latency_ms": list(latency_ms),
                "slippage_bps": "0",
                "fill_probability": "1",
                "participation": "1",
            }
        },
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


def open_house(folder: Path, given: Config, *, quotes: float) -> wiring.House:
    """The account of a folder, wired as the program does it.

    The market makes `quotes` a second over all symbols; at 0 there is none, and nothing moves.
    """
    return wiring.build(
        given,
        clock=SystemClock(),
        state_dir=folder,
        version="bench",
        latch=FileLatch(folder),
        quotes_per_second=quotes,
        by_hand=not quotes,
    )


@contextlib.asynccontextmanager
async def running(house: wiring.House) -> AsyncIterator[Engine]:
    """The engine, started and running, and stopped in order afterwards."""
    engine = house.engine
    await engine.start()
    settle_collector()
    task = asyncio.create_task(engine.run())
    try:
        yield engine
    finally:
        await engine.stop("the bench has ended")
        await task
        house.close()


async def priced(engine: Engine, symbols: Sequence[str]) -> None:
    """Wait until every symbol has a price."""
    while not all(symbol in engine.world.market.quotes for symbol in symbols):
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


def rss_mb() -> float:
    """What this process holds in memory now, in MB."""
    with Path("/proc/self/statm").open(encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def long_signal(engine: Engine, symbol: str, number: int) -> Signal:
    """A signal that becomes a market order with a stop far below."""
    price = engine.world.market.quotes[symbol].last
    return Signal(
        signal_id=f"bench-{number}",
        signal_type="bench",
        direction=Direction.LONG,
        ticker=symbol,
        timeframe=Timeframe.H1,
        conviction=80,
        entry_price=price,
        stop_loss=(price * Decimal("0.8")).quantize(Decimal("0.01")),
        timestamp=engine.clock.now(),
        source="bench",
    )


def flat_signal(engine: Engine, symbol: str, number: int) -> Signal:
    """A signal that closes what is held."""
    price = engine.world.market.quotes[symbol].last
    return Signal(
        signal_id=f"bench-{number}",
        signal_type="bench",
        direction=Direction.FLAT,
        ticker=symbol,
        timeframe=Timeframe.H1,
        conviction=80,
        entry_price=price,
        stop_loss=price,
        timestamp=engine.clock.now(),
        source="bench",
    )


def run(main: Coroutine[Any, Any, T]) -> T:
    """The loop the program runs on."""
    return asyncio.run(main)


def is_quick() -> bool:
    """Whether this row's process was asked for the short form."""
    return "--quick" in sys.argv


def report(rows: Sequence[Row]) -> None:
    """Hand the figures over; the last thing a row's process does."""
    emit(rows)
