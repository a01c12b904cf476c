"""The same signals on the same prices get the same decisions, whatever the venue.

Each venue's local server is told a path of prices, and signals come in between. Then the paper
venue is told the same path, with the facts of the instrument that the venue had stated: every
verdict, every order, every exit and what was earned must be equal.
"""

import asyncio
import json
import os
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from console.host import wiring
from console.host.memory_latch import MemoryLatch
from engine.domain import events as ev
from engine.domain.instant import rfc3339
from engine.domain.market import Quote
from engine.domain.order import Purpose
from engine.domain.run import Phase
from engine.runtime.clock import SystemClock
from engine.state.account import AccountStatus
from storage.connection import memory_database
from tests.configs import from_mapping
from tests.venues.serve import VENUES, config

pytestmark = pytest.mark.slow

D = Decimal
TRADING: Final = ("alpaca", "binance", "ibkr", "oanda", "okx")
PATIENCE_SECONDS: Final = 30
GRID: Final = {"EUR_USD": D("0.0001")}
"""What prices are rounded to here: a tick of every venue that trades the symbol."""


class Trader:
    """A running engine, what tells it prices, and all that it decided."""

    def __init__(
        self, house: wiring.House, symbol: str, tell: Callable[[Decimal], Awaitable[None]]
    ) -> None:
        self.engine = house.engine
        self.symbol = symbol
        self._tell = tell
        self._records: list[ev.Record] = []
        self.engine.subscribe(self._records.append)

    @property
    def _account(self) -> Any:
        (account,) = self.engine.book.accounts
        return account

    @property
    def is_ready(self) -> bool:
        """Whether an entry would be looked at."""
        return self.engine.book.data.phase is Phase.RUNNING and (
            self._account.status is AccountStatus.READY
        )

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until that holds."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():
                await asyncio.sleep(0.02)

    async def price(self, price: Decimal) -> None:
        """The market is there now, and the engine knows it."""

        def known() -> bool:
            quote = self.engine.world.market.quotes.get(self.symbol)
            return quote is not None and quote.last == price

        async with asyncio.timeout(PATIENCE_SECONDS):
            while not known():
                await self._tell(price)
                await asyncio.sleep(0.02)

    async def signal(
        self, name: str, direction: str, price: Decimal, stop: Decimal, *, like: str = ""
    ) -> None:
        """One line of a signal file, with the time of now; `like` names one of the same type."""
        line = {
            "signal_id": name, "signal_type": like or name, "direction": direction,
            "ticker": self.symbol, "timeframe": "10m", "conviction": 80,
            "entry_price": str(price), "stop_loss": str(stop),
            "timestamp": rfc3339(self.engine.clock.now()),
        }  # fmt: skip
        self.engine.submit(json.dumps(line))

    async def until_protected(self) -> None:
        """What was bought is held, and its stop works."""
        working = self.engine.book.orders
        await self.until(lambda: any(o.is_protective and o.accepted_at for o in working()))

    async def until_flat(self) -> None:
        """Nothing is held and nothing works."""
        await self.until(lambda: not self._account.positions and not self._account.orders)

    def decided(self) -> list[tuple[Any, ...]]:
        """Verdicts, orders, exits and results, in the order in which they were decided."""
        found: list[tuple[Any, ...]] = []
        for record in self._records:
            match record.event:
                case ev.SignalDecided() as it:
                    checks = [(check.code, check.answer) for check in it.checks]
                    found.append(("signal", it.signal_id, it.verdict, it.code, it.quantity, checks))
                case ev.OrderIntended(terms=it) if it.purpose is not Purpose.EXIT:
                    prices = (it.limit_price, it.stop_price)
                    found.append(("order", it.purpose, it.side, it.type, it.quantity, *prices))
                case ev.ExitPlanned(decision=it):
                    found.append(("exit", it.reason))
                case ev.PositionClosed(trade=it):
                    prices = (it.entry_price, it.exit_price)
                    found.append(("closed", it.quantity, *map(Decimal.normalize, prices)))
        return found


async def play(trader: Trader, base: Decimal) -> list[tuple[Any, ...]]:
    """A day in short: entries that are taken and refused, a signal that closes, a stop."""
    grid = GRID.get(trader.symbol, D("0.01"))

    def at(share: str) -> Decimal:
        return (base * D(share)).quantize(grid)

    await trader.price(base)
    await trader.until(lambda: trader.is_ready)
    await trader.signal("wrong-side", "long", base, at("1.01"))
    await trader.signal("first", "long", base, at("0.95"))
    await trader.until_protected()
    await trader.signal("again", "long", base, at("0.95"), like="first")
    await trader.price(at("1.005"))
    await trader.signal("added", "long", at("1.005"), at("0.96"))
    await trader.signal("out", "flat", at("1.005"), at("1.01"))
    await trader.until_flat()
    await trader.price(at("1.03"))
    await trader.signal("second", "long", at("1.03"), at("1.01"))
    await trader.until_protected()
    await trader.price(at("1.02"))
    await trader.price(at("1.005"))
    await trader.until_flat()
    await trader.signal("far", "long", at("1.2"), at("0.95"))
    return trader.decided()


@asynccontextmanager
async def running(
    text: str, symbol: str, tell: Callable[[wiring.House, Decimal], Awaitable[None]], *, paper: bool
) -> AsyncIterator[Trader]:
    """An engine on the account of a config."""
    house = wiring.build(
        from_mapping(tomllib.loads(text)),
        clock=SystemClock(),
        state_dir=None,
        version="test",
        latch=MemoryLatch(),
        database=memory_database(),
        by_hand=paper,
    )
    await house.engine.start()
    task = asyncio.create_task(house.engine.run())
    try:
        yield Trader(house, symbol, lambda price: tell(house, price))
    finally:
        await house.engine.stop("the test has ended")
        await task
        house.close()


PAPER: Final = """\
[account]
primary = "paper"

[signals]
builtin = ""

[data]
instruments = {instruments}
rates = {rates}

[brokers.paper]
initial_cash = "{cash}"
currency = "{currency}"
latency_ms = [0, 0]
slippage_bps = "0"
commission_bps = "0"
fill_probability = "1"
participation = "1"
"""


async def at_venue(name: str, folder: Path) -> tuple[list[tuple[Any, ...]], str]:
    """What is decided at the local server of a venue, and the paper account that is like it."""
    venue = VENUES[name]
    server = venue.make()
    server.exchange.fee_rate = D(0)
    await server.start()
    (symbol, (theirs, base)), *_ = venue.symbols.items()
    text = config(name, server, folder)

    async def tell(house: wiring.House, price: Decimal) -> None:
        await venue.tell(server, theirs, price)

    try:
        async with running(text, symbol, tell, paper=False) as trader:
            decided = await play(trader, base)
            like = trader.engine.world.instrument(symbol)
            (account,) = trader.engine.book.accounts
    finally:
        await server.stop()
    table = folder / "like.csv"
    table.write_text(
        "symbol,asset_class,tick,lot,multiplier,currency,calendar,shortable\n"
        f"{symbol},{like.asset_class},{like.tick},{like.lot},1,{like.currency},24/7,true\n",
        encoding="utf-8",
    )
    given = {"instruments": table, "rates": folder / "rates.csv"}
    paper = PAPER.format(
        cash=D(100_000),
        currency=account.currency,
        **{key: json.dumps(str(path)) for key, path in given.items()},
    )
    return decided, paper


async def on_paper(text: str, symbol: str, base: Decimal) -> list[tuple[Any, ...]]:
    """What is decided on the paper venue."""

    async def tell(house: wiring.House, price: Decimal) -> None:
        at = house.engine.clock.now()
        quote = Quote(symbol=symbol, bid=price, ask=price, last=price, time=at, trade=True)
        for venue in house.venues.values():
            venue.on_price(quote)
        house.engine.step(quote)

    async with running(text, symbol, tell, paper=True) as trader:
        return await play(trader, base)


@pytest.mark.parametrize("name", TRADING)
async def test_a_strategy_gets_the_same_decisions_at_a_venue_as_on_paper(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in VENUES[name].environment.items():
        monkeypatch.setitem(os.environ, variable, value)
    (symbol, (_, base)), *_ = VENUES[name].symbols.items()
    there, paper = await at_venue(name, tmp_path)
    here = await on_paper(paper, symbol, base)
    refused = {row[1]: row[3] for row in there if row[:1] == ("signal",) and row[4] is None}
    assert refused == {
        "wrong-side": "INVALID_STOP", "again": "DUPLICATE_SIGNAL", "added": "SINGLE_EXPOSURE",
        "far": "PRICE_COLLAR",
    }  # fmt: skip
    assert [row[0] for row in there].count("closed") == 2
    assert there == here
