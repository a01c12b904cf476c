"""Several venues' markets as one: none goes missing unseen (U-53)."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from brokers.merged import MergedMarket
from engine.domain.market import MarketEvent, Quote

D = Decimal


class Source:
    """A market that tells what it is given, and notes whether somebody still listens."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[MarketEvent | Exception | None] = asyncio.Queue()
        self.listens = False
        self.asked: list[tuple[str, int]] = []

    async def events(self) -> AsyncIterator[MarketEvent]:
        self.listens = True
        try:
            while (event := await self.told.get()) is not None:
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.listens = False

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        self.asked.append((symbol, bars))
        return (quote(symbol),)


def quote(symbol: str) -> Quote:
    return Quote(symbol=symbol, bid=None, ask=None, last=D(1), time=1)


def made() -> tuple[MergedMarket, Source, Source]:
    coins, pairs = Source(), Source()
    accounts = {"BTC-USD": "coins", "EUR_USD": "pairs", "AAPL": "shares"}
    return MergedMarket({"coins": coins, "pairs": pairs}, accounts), coins, pairs


async def test_what_each_says_comes_through() -> None:
    market, coins, pairs = made()
    events = market.events()
    coins.told.put_nowait(quote("BTC-USD"))
    assert await anext(events) == quote("BTC-USD")
    pairs.told.put_nowait(quote("EUR_USD"))
    assert await anext(events) == quote("EUR_USD")
    await events.aclose()  # type: ignore[attr-defined]
    assert not coins.listens
    assert not pairs.listens


@pytest.mark.parametrize("failure", [OSError("gone"), None], ids=["fails", "ends"])
async def test_one_that_fails_or_ends_is_not_hidden_by_the_others(
    failure: Exception | None,
) -> None:
    market, coins, pairs = made()
    events = market.events()
    coins.told.put_nowait(quote("BTC-USD"))
    await anext(events)
    pairs.told.put_nowait(failure)
    with pytest.raises(StopAsyncIteration if failure is None else OSError):
        await anext(events)
    assert not coins.listens, "they are asked again together"


async def test_the_past_is_told_by_the_venue_of_the_symbol() -> None:
    market, coins, pairs = made()
    assert await market.history("EUR_USD", 5) == (quote("EUR_USD"),)
    assert (coins.asked, pairs.asked) == ([], [("EUR_USD", 5)])
    assert await market.history("AAPL", 5) == ()
    assert await market.history("XXX", 5) == ()
