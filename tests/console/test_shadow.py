"""Mode shadow in the host: paper accounts are opened, and prices alone of the venues (U-40)."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from brokers.paper.matched import MatchedMarket
from brokers.paper.settings import PaperConfig
from brokers.paper.setup import PaperConnection
from console.host import wiring
from console.host.memory_latch import MemoryLatch
from console.host.shadow import as_traded, demand_paper
from engine.config import Config
from engine.config.accounts import real_accounts
from engine.domain.market import Bar, MarketEvent, Quote
from engine.runtime.clock import SystemClock
from tests.configs import from_mapping

D = Decimal
TREE: dict[str, Any] = {
    "mode": "shadow",
    "account": {"primary": "alpaca", "fallback": "second"},
    "market": {"source": "broker", "symbols": ["AAPL", "BTC-USD"]},
    "routes": [{"asset_class": "crypto", "broker": "binance"}],
    "brokers": {
        "paper": {"initial_cash": "5000", "slippage_bps": "7", "participation": "0.2"},
        "alpaca": {"environment": "live", "account_id": "PA123"},
        "second": {"kind": "alpaca", "key_env": "OTHER_KEY", "account_id": "PA9"},
    },
}


def config() -> Config:
    return from_mapping(TREE)


def test_every_account_at_a_real_venue_is_a_paper_account_of_its_name() -> None:
    traded = as_traded(config())
    assert set(traded.brokers.kinds) == {"paper"}
    for name in ("alpaca", "second", "binance"):
        settings = traded.brokers.of(name)
        assert isinstance(settings, PaperConfig)
        assert traded.brokers.kind_of(name) == "paper"
        assert (settings.initial_cash, settings.slippage_bps) == (5000, 7)
        assert settings.participation == 1
        assert settings.account_id == "", "its id is its name: the real one is nobody's business"
    assert list(real_accounts(config())) == ["alpaca", "second", "binance"]


def test_another_mode_is_left_as_it_is() -> None:
    paper = from_mapping({})
    assert as_traded(paper) is paper


def test_an_account_that_is_none_of_paper_ends_it_before_anything_is_opened() -> None:
    with pytest.raises(RuntimeError, match="the account alpaca is no paper account"):
        demand_paper(config().brokers.of("alpaca"), "alpaca")
    elsewhere = PaperConfig.model_construct(address="/run/venue.sock")
    with pytest.raises(RuntimeError, match="no paper account of this process"):
        demand_paper(elsewhere, "alpaca")
    demand_paper(PaperConfig.model_construct(address=""), "alpaca")


async def test_nothing_that_is_wired_reaches_a_real_account(tmp_path: Path) -> None:
    """Every broker that the engine is given is a paper account; of the venues there are prices."""
    house = wiring.build(
        config(), clock=SystemClock(), state_dir=tmp_path, version="test", latch=MemoryLatch()
    )
    try:
        assert set(house.connections) == {"alpaca", "second", "binance"}
        assert all(isinstance(one, PaperConnection) for one in house.connections.values())
        modules = {type(one.broker).__module__ for one in house.connections.values()}
        assert modules == {"brokers.paper.adapter"}
        feeds = {feed.account: feed._market for feed in house.engine._feeds}
        assert set(feeds) == {"alpaca", "binance"}, "the fallback has no symbols of its own"
        assert all(isinstance(market, MatchedMarket) for market in feeds.values())
        assert {venue.book.path for venue in house.venues.values()} == {
            tmp_path / f"paper-{name}.db" for name in house.connections
        }
    finally:
        house.close()


class Told:
    """A source of the events that it is given."""

    def __init__(self, *events: MarketEvent) -> None:
        self._events = events

    async def events(self) -> AsyncIterator[MarketEvent]:
        for event in self._events:
            yield event

    async def history(self, symbol: str, bars: int) -> tuple[MarketEvent, ...]:
        return self._events[:bars]


async def test_the_paper_accounts_meet_each_sound_quote_before_the_engine_and_no_other_event() -> (
    None
):
    met: list[Quote] = []

    class Taker:
        def on_price(self, quote: Quote, *_: Any) -> None:
            met.append(quote)

    def quote(last: str) -> Quote:
        return Quote(symbol="AAPL", bid=None, ask=None, last=D(last), time=5)

    bar = Bar(
        symbol="AAPL", time=6, open=D(1), high=D(1), low=D(1), close=D(1), volume=D(1), seconds=60
    )
    market = MatchedMarket(Told(quote("100"), bar, quote("NaN"), quote("101")), Taker())  # type: ignore[arg-type]
    seen: list[MarketEvent] = []
    async for event in market.events():
        seen.append(event)
        assert len(met) == sum(isinstance(e, Quote) and not e.fault for e in seen)
    assert [q.last for q in met] == [100, 101]
    assert len(seen) == 4
    assert await market.history("AAPL", 1) == (quote("100"),)
