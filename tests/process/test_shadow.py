"""Mode shadow at local servers of venues: their prices are followed, their accounts never asked.

The whole program runs beside a server that keeps every request. It buys, protects, rests an order,
is killed, is ended and killed again from outside; what the account at the venue holds and works
for somebody else stays as it was.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import pytest

from tests.console.program import Program
from tests.venues.serve import VENUES, config, tell_prices

pytestmark = pytest.mark.slow

D = Decimal
CASES: Final = {
    "alpaca": ("AAPL", "2", "190", "195"),
    "binance": ("BTC-USDT", "0.01", "59000", "59500"),
    "okx": ("BTC-USDT", "0.01", "59000", "59500"),
    "oanda": ("EUR_USD", "100", "1.05", "1.08"),
}
"""What is bought, how much of it, where it is protected, and at what price another order rests."""

TOUCHES: Final = (
    "order", "/trade/", "openorders", "account", "positions", "wallet", "balance", "private",
    "ws-api", "mytrades", "activities", "transactions", "summary", "userdatastream",
)  # fmt: skip
"""What is in the path of a request that asks about an account, or asks something of it."""

PRICES: Final = {"oanda": ("/pricing", "/candles", "/instruments")}
"""Paths below that of an account which are prices all the same."""

READ_ONLY: Final = {"oanda": {"/v3/accounts"}}
"""Which accounts there are is asked where the path of the prices holds the id of one."""


def touching(name: str, requests: list[tuple[str, str, str]]) -> list[tuple[str, str]]:
    """The requests that change something, or that are about the account."""

    def is_about_it(path: str) -> bool:
        prices = any(word in path for word in PRICES.get(name, ()))
        named = any(word in path.lower() for word in TOUCHES)
        return named and not prices and path not in READ_ONLY.get(name, ())

    return [(method, path) for _, method, path in requests if method != "GET" or is_about_it(path)]


@asynccontextmanager
async def serving(name: str) -> AsyncIterator[Any]:
    """A server whose prices walk, and whose account is somebody's."""
    venue = VENUES[name]
    server = venue.make()
    await server.start()
    telling = asyncio.create_task(tell_prices(venue, server, walk=True))
    yield server
    telling.cancel()
    await server.stop()


async def until(program: Program, true: Callable[[Any], object]) -> Any:
    """The first `status` of which that holds."""
    found: list[Any] = []

    def seen() -> bool:
        found[:] = [program.ask("status")]
        return bool(true(found[0]))

    await asyncio.to_thread(program.wait_for, seen)
    return found[0]


async def told(program: Program, *arguments: str) -> Any:
    """The document that a command prints."""
    return await asyncio.to_thread(program.document, *arguments)


@pytest.mark.parametrize("name", CASES)
async def test_U40_no_order_cancel_or_change_ever_reaches_the_venue(
    name: str, tmp_path: Path
) -> None:
    symbol, quantity, protect, low = CASES[name]
    theirs = VENUES[name].symbols[symbol][0]
    async with serving(name) as server:
        server.exchange.positions[theirs] = D(7)  # traded by hand, or by another program
        program = Program(tmp_path)
        program.environment |= VENUES[name].environment
        program.configure('mode = "shadow"\n' + config(name, server, tmp_path))
        await asyncio.to_thread(program.start)
        try:
            await until(program, lambda s: s["accounts"][0]["state"] == "READY")

            async def bought() -> bool:
                done = await asyncio.to_thread(
                    program.run, "order", "buy", symbol, quantity, "--protect", protect
                )
                return done.returncode == 0

            while not await bought():  # before the market has spoken
                await asyncio.sleep(0.3)
            status = await until(program, lambda s: s["positions"] and s["positions"][0]["stop"])
            (held,) = status["positions"]
            assert (held["broker"], held["quantity"]) == (name, quantity), "and not 7 more of it"
            assert status["mode"] == "shadow"
            shadow = status["shadow"]
            assert shadow["fills"] == shadow["measured"] >= 1
            assert shadow["assumed"] == {name: "0.0005"}
            assert 0 <= D(shadow["slippage"]) < D("0.002")
            rests = ("order", "buy", symbol, quantity, "--limit", low, "--protect", protect)
            assert (await asyncio.to_thread(program.run, *rests)).returncode == 0
            killed = await told(program, "kill", "--flatten", "all")
            assert killed["brokers"][name]["state"] == "VERIFIED", killed
            assert (await until(program, lambda s: not s["positions"]))["orders"] == []
            program.send(9)
            program.ended()
            again = await told(program, "kill", "--flatten", "all")
            assert again["brokers"][name]["state"] == "VERIFIED", again
        finally:
            if program.engine is not None and program.engine.poll() is None:
                program.engine.kill()
                program.ended()
        filled = [
            event["data"]
            for event in await asyncio.to_thread(program.rows, "events")
            if event["type"] == "ShadowFilled"
        ]
        assert len(filled) == 2, "the entry and the close"
        for row in filled:
            side = "ask" if row["side"] == "BUY" else "bid"
            shown = row["met"][side] or row["met"]["last"]
            assert row["expected"] == shown, "the real book's price of that moment"
            worse = D(row["price"]) - D(row["expected"])
            worse = worse if row["side"] == "BUY" else -worse
            assert D(row["slippage"]) == round(worse / D(row["expected"]), 8)
            assert D(row["cost"]) == worse * D(row["quantity"])
        assert server.exchange.positions[theirs] == 7
        assert touching(name, server.requests) == []
        assert server.requests, "its prices were asked for"
        locks = {path.name.split("-")[0] for path in (tmp_path / "locks").glob("*.lock")}
        assert locks == {"paper"}, "another engine may have the real account"


async def test_a_journal_of_another_mode_is_refused_before_anything_is_opened(
    tmp_path: Path,
) -> None:
    async with serving("alpaca") as server:
        program = Program(tmp_path)
        program.environment |= VENUES["alpaca"].environment
        program.configure('[signals]\nbuiltin = ""\n')
        done = await asyncio.to_thread(program.run, "--headless", "--for", "1")
        assert done.returncode == 0, done.stderr
        program.configure('mode = "shadow"\n' + config("alpaca", server, tmp_path))
        done = await asyncio.to_thread(program.run, "--headless", "--for", "1")
        assert done.returncode == 2
        assert 'This journal is of mode "paper" and the config says mode = "shadow"' in done.stderr
        assert server.requests == []


@pytest.mark.parametrize("name", CASES)
async def test_U40_doctor_asks_nothing_about_the_account_and_says_so(
    name: str, tmp_path: Path
) -> None:
    async with serving(name) as server:
        program = Program(tmp_path)
        program.environment |= VENUES[name].environment
        program.configure('mode = "shadow"\n' + config(name, server, tmp_path))
        done = await asyncio.to_thread(program.run, "doctor", "--json")
        assert server.requests == [], "another engine may trade that account"
        rows = [row for row in json.loads(done.stdout)["checks"] if row["account"] == name]
        assert [(row["check"], row["result"]) for row in rows] == [("link", "warn")], rows
        assert "mode shadow" in rows[0]["text"]
