"""The markets of several venues as one: each tells the symbols that are traded there."""

import asyncio
from collections.abc import AsyncIterator, Mapping

from engine.domain.market import MarketEvent
from engine.ports import MarketData


class MergedMarket:
    """One source of prices made of several, by the account whose venue tells them."""

    def __init__(self, markets: Mapping[str, MarketData], accounts: Mapping[str, str]) -> None:
        """`accounts`: symbol to the name of the account that it is routed to."""
        self._markets = dict(markets)
        self._accounts = dict(accounts)

    async def events(self) -> AsyncIterator[MarketEvent]:
        """What each of them says, as it comes. One that fails or ends takes the others with it:
        they are asked again together, and none goes missing unseen."""
        told: asyncio.Queue[MarketEvent | Exception | None] = asyncio.Queue(maxsize=1024)

        async def follow(market: MarketData) -> None:
            try:
                async for event in market.events():
                    await told.put(event)
            except Exception as error:  # handed to whoever reads
                await told.put(error)
            else:
                await told.put(None)

        tasks = [asyncio.create_task(follow(market)) for market in self._markets.values()]
        try:
            while (event := await told.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """Completed bars of a symbol, oldest first, from the venue that it is routed to."""
        market = self._markets.get(self._accounts.get(symbol, ""))
        return () if market is None else await market.history(symbol, bars)
