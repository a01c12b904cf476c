"""Market data on its way into the engine, and to the built-in signals."""

import asyncio
from collections.abc import Callable

from engine.domain.inputs import Input, SignalArrived, Trouble
from engine.domain.market import Bar
from engine.intake.builtin import BuiltinSignals
from engine.ports import MarketData

HISTORY_BARS = 120
HISTORY_SECONDS = 2
"""How long a source is waited for that should tell its past, in seconds, a symbol."""


class MarketFeed:
    """One source of market events. `step` hands an input to the core."""

    def __init__(
        self,
        market: MarketData,
        builtin: BuiltinSignals | None,
        *,
        step: Callable[[Input], object],
    ) -> None:
        self._market = market
        self._builtin = builtin
        self._step = step
        self.exhausted = False
        """True once a recorded market has told all it has."""

    async def warm(self, symbols: tuple[str, ...]) -> None:
        """Give the built-in signals their past; a source that fails or hangs only delays them."""
        if self._builtin is None:
            return
        for symbol in symbols:
            try:
                async with asyncio.timeout(HISTORY_SECONDS):
                    bars = await self._market.history(symbol, HISTORY_BARS)
            except Exception as error:  # without a past they begin later; trading does not wait
                text = f"no history: {type(error).__name__} {error}"
                self._step(Trouble(code="NO_HISTORY", subject=symbol, text=text))
                continue
            self._builtin.warm([bar for bar in bars if isinstance(bar, Bar)])

    async def run(self) -> None:
        """Every event in order, each bar followed by the signals it leads to."""
        async for event in self._market.events():
            self._step(event)
            if isinstance(event, Bar) and self._builtin is not None:
                for signal in self._builtin.on_bar(event):
                    self._step(SignalArrived(signal))
        self.exhausted = True
