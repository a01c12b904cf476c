"""What the embedded default earns and loses in the simulated market, over many seeds.

`make first-hours` runs it. The gross result values every fill at the middle of the quote that stood
then, so that commission, spread and slippage are left out: in a fair market its mean is 0 within
two standard errors, whatever the signals do.
"""

import argparse
import asyncio
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any, Final

import msgspec

from brokers import venue_kinds
from console.host import wiring
from console.host.memory_latch import MemoryLatch
from engine.config import from_mapping
from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, parse_rfc3339
from engine.ports import Clock
from engine.runtime.virtual_time import run_virtual
from storage.connection import memory_database

START: Final = parse_rfc3339("2026-03-02T14:00:00Z")
APART_SECONDS: Final = 97_711
"""Each seed starts so much later than the one before: at another hour, on another day."""
PACE: Final = 6.0
"""Quotes a second over all symbols; the usual 27 take four times as long to run."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One seed: what became of the account; money in US dollars."""

    seed: int
    fills: int
    gross: Decimal
    """Of every fill at the middle of the quote then, marked at the middle at the end."""
    net: Decimal
    """The venue's equity less what it began with."""
    halted_after: float | None
    """Minutes until the halt, None without one."""
    halt: str

    def line(self) -> str:
        """One line of a report."""
        ended = "" if self.halted_after is None else f" {self.halted_after:.0f} min: {self.halt}"
        return (
            f"seed {self.seed:>3} fills {self.fills:>4} gross {self.gross:>+9.2f} "
            f"net {self.net:>+9.2f}{ended}"
        )


class Ledger:
    """Counts fills at the middle of the quotes; shares nothing with the engine's books."""

    def __init__(self, house: wiring.House) -> None:
        self._venue = house.venues[house.config.account.primary]
        self.fills = 0
        self.cash = Decimal(0)
        self.held: dict[str, Decimal] = {}
        self.halted_at: int | None = None
        self.halt = ""

    def middle(self, symbol: str) -> Decimal:
        """Of the newest quote."""
        quote = self._venue.quotes[symbol]
        if quote.bid is None or quote.ask is None:
            raise ValueError(f"{symbol} has a quote without two sides")
        return (quote.bid + quote.ask) / 2

    def take(self, record: ev.Record) -> None:
        """Count a fill; notice the first halt."""
        event = record.event
        if isinstance(event, ev.OrderFilled):
            fill = event.fill
            signed = fill.side.sign * fill.quantity
            self.fills += 1
            self.cash -= signed * self.middle(fill.symbol)
            self.held[fill.symbol] = self.held.get(fill.symbol, Decimal(0)) + signed
        elif isinstance(event, ev.Halted) and self.halted_at is None:
            self.halted_at, self.halt = record.time, event.halt.reason

    def gross(self) -> Decimal:
        """What the fills earned so far."""
        return self.cash + sum(
            (quantity * self.middle(symbol) for symbol, quantity in self.held.items()), Decimal(0)
        )


def play(
    seed: int, *, hours: float, pace: float = PACE, config: Mapping[str, Any] | None = None
) -> Outcome:
    """So many hours of the embedded default in virtual time; `config` holds changed keys."""
    tree = {**(config or {})}
    tree["market"] = {"seed": seed, **tree.get("market", {})}

    async def main(clock: Clock) -> Outcome:
        house = wiring.build(
            from_mapping(tree, None, venue_kinds()),
            clock=clock,
            state_dir=None,
            version="first hours",
            latch=MemoryLatch(),
            database=memory_database(),
            threads=False,
            quotes_per_second=pace,
        )
        ledger = Ledger(house)
        house.engine.subscribe(ledger.take)
        await house.engine.start()
        running = asyncio.ensure_future(house.engine.run())
        began = clock.now()
        primary = house.config.account.primary
        opening = (await house.connections[primary].broker.get_account()).equity
        await asyncio.wait({running}, timeout=hours * 3600)
        if running.done():
            running.result()
        gross = ledger.gross()
        ending = (await house.connections[primary].broker.get_account()).equity
        await house.engine.stop("the hours are over")
        await asyncio.gather(running, return_exceptions=True)
        house.close()
        halted_at = ledger.halted_at
        return Outcome(
            seed=seed,
            fills=ledger.fills,
            gross=gross,
            net=ending - opening,
            halted_after=None if halted_at is None else (halted_at - began) / NS_PER_SECOND / 60,
            halt=ledger.halt,
        )

    start = START + seed * APART_SECONDS * NS_PER_SECOND
    return run_virtual(main, start, hours * 3600 + 3600)


def standard_errors(values: Sequence[float]) -> float:
    """How many standard errors the mean of these values lies from 0."""
    error = statistics.stdev(values) / len(values) ** 0.5
    return statistics.fmean(values) / error if error else 0.0


def summary(outcomes: Sequence[Outcome]) -> str:
    """What the outcomes say together."""
    gross = [float(one.gross) for one in outcomes]
    halts = sum(one.halted_after is not None for one in outcomes)
    return (
        f"{len(outcomes)} seeds: gross mean {statistics.fmean(gross):+.2f}, "
        f"sd {statistics.stdev(gross):.2f}, {standard_errors(gross):+.2f} standard errors; "
        f"net mean {statistics.fmean(float(one.net) for one in outcomes):+.2f}; "
        f"fills {statistics.fmean(one.fills for one in outcomes):.1f}; halted {halts}"
    )


def main() -> int:
    """Print a line a seed, then the summary; 1 where the market is not fair or halts too often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--pace", type=float, default=PACE, help="quotes a second, all symbols")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds)
    outcomes = []
    with ProcessPoolExecutor(given.workers) as pool:
        for outcome in pool.map(partial(play, hours=given.hours, pace=given.pace), seeds):
            outcomes.append(outcome)
            print(outcome.line(), flush=True)
    print(summary(outcomes))
    fair = abs(standard_errors([float(one.gross) for one in outcomes])) <= 2
    rarely = sum(one.halted_after is not None for one in outcomes) * 20 <= len(outcomes)
    return 0 if fair and rarely else 1


if __name__ == "__main__":
    raise SystemExit(main())
