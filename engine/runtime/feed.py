"""Market data on its way into the engine."""

import asyncio
from collections.abc import Callable

from engine.domain.inputs import History, Input, Trouble
from engine.domain.market import Bar
from engine.domain.text import clean_text
from engine.indicators.bars import PAST_BARS
from engine.ports import MarketData
from engine.runtime.outside import named_event

HISTORY_SECONDS = 2
"""How long a source is waited for that should tell its past, in seconds, before its prices."""


class MarketFeed:
    """One source of market events. `step` hands an input to the core."""

    def __init__(self, market: MarketData, *, step: Callable[[Input], object]) -> None:
        self._market = market
        self._step = step
        self.exhausted = False
        """True once a recorded market has told all it has."""

    async def _recall(self, symbols: tuple[str, ...]) -> None:
        """Hand over the bars before the start, symbol by symbol; all are asked for at once."""
        for past in await asyncio.gather(*(self._past(symbol) for symbol in symbols)):
            self._step(past)

    async def _past(self, symbol: str) -> Input:
        """The past of a symbol; a source that fails or hangs only delays its signals."""
        try:
            async with asyncio.timeout(HISTORY_SECONDS):
                past = await self._market.history(symbol, PAST_BARS)
        except Exception as error:  # without a past they begin later; trading does not wait
            text = clean_text(f"no history: {type(error).__name__} {error}")
            return Trouble(code="NO_HISTORY", subject=symbol, text=text)
        return History(tuple(named_event(bar) for bar in past if isinstance(bar, Bar)))

    async def run(self, symbols: tuple[str, ...]) -> None:
        """The past of `symbols`, then every event in order."""
        await self._recall(symbols)
        async for event in self._market.events():
            self._step(named_event(event))
        self.exhausted = True
