"""A kill while a thousand orders work and signals come in: what is timed, headless and not."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from console.host import wiring
from engine.domain import events as ev
from engine.runtime.engine import Engine
from tests.bench import rig
from tests.bench.arrivals import Arrivals
from tests.bench.load import SYMBOLS, Found, Signals, rest

ORDERS = 1_000
SIGNALS = 100.0
RTT = 10
"""Milliseconds to the venue and back."""


class Trial(msgspec.Struct, kw_only=True):
    """When each step was done, on the machine's monotonic clock."""

    gate: float = 0.0
    handed: float = 0.0
    """The last cancel was given to the venue's adapter."""
    durable: float = 0.0
    """The last was acknowledged, and that is on disk."""
    sent_after: int = 0
    """Orders that add exposure, sent once the gate had closed."""


class Watch:
    """When every cancel is acknowledged, and what was sent after the gate had closed."""

    def __init__(self, house: wiring.House, keys: list[str]) -> None:
        self._engine: Engine = house.engine
        self._journal = house.journal
        self._left = set(keys)
        self._last_seq = 0
        self.sent_after = 0
        self.gate_at = 0.0
        self._close = self._engine.gate.close
        self._engine.gate.close = self._closed  # type: ignore[method-assign,assignment]
        self._engine.subscribe(self._seen)

    def _closed(self, *why: Any) -> None:
        self._close(*why)
        self.gate_at = self.gate_at or time.perf_counter()

    def _seen(self, record: ev.Record) -> None:
        event = record.event
        if isinstance(event, ev.OrderCanceled):
            self._left.discard(event.client_order_id)
            self._last_seq = record.seq
        elif isinstance(event, ev.OrderSent) and self._engine.gate.closed:
            order = self._engine.book.order(event.client_order_id)
            if order is not None and order.reserved:
                self.sent_after += 1

    async def durable(self) -> None:
        """Wait until every cancel was acknowledged and is on disk."""
        while self._left or self._journal.durable_seq < self._last_seq:
            await asyncio.sleep(0.0005)


class HandedOver:
    """When the venue's adapter was given a cancel of each order."""

    def __init__(self, house: wiring.House) -> None:
        self.at: dict[str, float] = {}
        broker = house.connection.broker
        self._cancel = broker.cancel_order
        broker.cancel_order = self._noted  # type: ignore[method-assign]

    async def _noted(self, client_order_id: str) -> None:
        self.at[client_order_id] = time.perf_counter()
        await self._cancel(client_order_id)


@contextlib.asynccontextmanager
async def under_load(house: wiring.House) -> AsyncIterator[list[str]]:
    """The ids of orders that work, with signals coming in all the while."""
    engine, symbols = house.engine, rig.names(SYMBOLS)
    await rig.priced(engine, symbols)
    keys = await rest(engine, symbols[SYMBOLS // 2 :], ORDERS)
    signals = Signals(engine, symbols[: SYMBOLS // 2], Found())
    source = Arrivals(signals.arrive, SIGNALS, 60)
    await asyncio.sleep(0.5)
    try:
        yield keys
    finally:
        source.stop()
