"""A day's orders and quotes as fast as they go, with the paper venue in the measured process."""

import asyncio
from collections import deque
from decimal import Decimal

import msgspec

from console.host import wiring
from tests.bench import rig
from tests.bench.load import QUANTITIES, Found, Plan, Usage
from tests.bench.rig import PlaceOrder, Side, ev

CHUNK = 1_000

_ENDS = (ev.OrderRejected, ev.OrderCanceled, ev.OrderExpired)


class _Day:
    """One order at a time on each symbol: what is flat is bought, what is held is sold."""

    def __init__(self, house: wiring.House, symbols: list[str], found: Found) -> None:
        self._engine, self._venue, self._found = house.engine, house.venues["paper"], found
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
            held = sum(position.quantity for position in self._engine.book.held(symbol))
            # No two of a minute are the same, or the later would be a repeat.
            fresh = Decimal(1 + self._count // len(self._symbols) % QUANTITIES)
            asked = PlaceOrder(
                by="bench",
                symbol=symbol,
                side=Side.SELL if held else Side.BUY,
                quantity=held or fresh,
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


async def soak(house: wiring.House, plan: Plan) -> Found:
    """Orders and quotes of a day as fast as they go; positions open and close all the time."""
    found = Found(memory=[rig.rss_mb()])
    day = _Day(house, rig.names(plan.symbols), found)
    usage = Usage({})
    turns = max(plan.orders // CHUNK, 2)
    for turn in range(1, turns + 1):
        await day.trade(plan.orders // turns)
        await day.quote(plan.flood // turns)
        if turn in (turns // 2, turns):
            found.memory.append(rig.rss_mb())
    usage.into(found)
    found.quotes = plan.flood // turns * turns
    found.rss_mb = rig.rss_mb()
    return found
