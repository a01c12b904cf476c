"""Paper accounts that are matched on the prices of another venue (mode shadow)."""

from collections.abc import AsyncIterator

from brokers.paper.exchange import PriceTaker
from engine.domain.market import MarketEvent, Quote
from engine.ports import MarketData


class MatchedMarket:
    """Market data of a venue, each sound quote of which the paper accounts meet first.

    So what the engine decides on a quote meets that quote, or a later one, and never an earlier.
    """

    def __init__(self, market: MarketData, venue: PriceTaker) -> None:
        self._market = market
        self._venue = venue

    async def events(self) -> AsyncIterator[MarketEvent]:
        """What the venue tells, in its order."""
        async for event in self._market.events():
            if isinstance(event, Quote) and not event.fault:
                self._venue.on_price(event)
            yield event

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        """The bars before now, as the venue tells them."""
        return await self._market.history(symbol, bars)
