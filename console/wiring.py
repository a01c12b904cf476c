"""One account's engine with everything it needs, for console, headless, replay and tests.

`build` restores the state (snapshot and tail of the journal), opens the paper account and its
market, and hands all of it to the engine. It starts nothing.
"""

import sqlite3
from pathlib import Path
from random import Random
from typing import Final

from brokers.paper.adapter import PaperBroker
from brokers.paper.bars import BarFile
from brokers.paper.book import PaperBook
from brokers.paper.instruments import Instruments, load_instruments
from brokers.paper.replay import ReplayMarket
from brokers.paper.terms import Arrival, Terms
from brokers.paper.venue import PaperVenue
from console.sectors import SectorFileError, sectors
from engine.config import Config, digest
from engine.domain.instrument import AssetClass, class_of
from engine.domain.signal import Timeframe
from engine.engine import Engine
from engine.gate import Gate
from engine.intake.builtin import BuiltinSignals
from engine.ports import Clock, Latch, MarketData
from engine.state.book import Book
from engine.state.fold import apply
from engine.world import World
from storage.journal import Journal, open_journal
from storage.snapshots import Loaded

JOURNAL: Final = "journal.db"
PAPER_BOOK: Final = "paper.db"
SOCKET: Final = "control.sock"
LOG: Final = "meridian.log"
STATE_FORMAT: Final = 1
"""Raised whenever the state's shape changes so that an older snapshot no longer fits."""

PAPER_ACCOUNT: Final = "paper"
"""The id of the paper account of a state folder; it says nothing of where the folder is."""


class House:
    """What `build` made; `close` lets go of the files once the engine has stopped."""

    def __init__(
        self,
        *,
        config: Config,
        engine: Engine,
        journal: Journal,
        latch: Latch,
        venue: PaperVenue,
        warning: str,
    ) -> None:
        self.config = config
        self.engine = engine
        self.journal = journal
        self.latch = latch
        self.venue = venue
        self.warning = warning
        """One sentence when a snapshot could not be used, else empty."""

    def close(self) -> None:
        """Writes what waits, and closes the journal and the paper account."""
        self.venue.close()
        self.journal.close()


def account_id(config: Config) -> str:
    """The id of the account that the config trades."""
    return str(getattr(config.brokers, config.account.primary).account_id) or PAPER_ACCOUNT


def instruments(config: Config, *, simulated: bool) -> Instruments:
    """The instruments in force. Raises `brokers.paper.instruments.BadFile`."""
    named = config.data.instruments
    table = load_instruments(Path(named)) if named else {}
    return Instruments(table, "SIM" if simulated else "")


def home_calendar(symbols: tuple[str, ...]) -> str:
    """The calendar of the account's day: of the strictest market among the symbols (X-12)."""
    classes = {class_of(symbol) for symbol in symbols}
    if not classes or AssetClass.STOCK in classes:
        return "XNYS"
    return "FX" if AssetClass.FX in classes else "24/7"


def book_of(loaded: Loaded) -> tuple[Book, str]:
    """The book that a snapshot and the events after it tell, and what was wrong with a snapshot.

    Raises `storage.errors.JournalError` kinds, and UnknownEvent for a newer program's event.
    """
    book, warning = Book(), loaded.warning
    if loaded.snapshot is not None:
        book = Book.restore(loaded.snapshot)
    for record in loaded.records:
        apply(book, record)
    return book, warning


def build(
    config: Config,
    *,
    clock: Clock,
    state_dir: Path | None,
    version: str,
    latch: Latch,
    gate: Gate | None = None,
    bars: BarFile | None = None,
    database: sqlite3.Connection | None = None,
    threads: bool = True,
    flatten_only: bool = False,
    by_hand: bool = False,
    quotes_per_second: float = 0,
) -> House:
    """Wires one account on a running loop; the account lock must be held.

    `database` keeps the journal in memory instead of `state_dir`. Without `threads` every commit
    runs inline (virtual time). `flatten_only` opens no market: what must close meets the last
    prices the paper account has seen. `by_hand` opens no market either: somebody tells the prices.
    `quotes_per_second` is the pace of a simulated market over all symbols; 0 is the usual one.

    Raises JournalError kinds, BookError, BadFile, SectorFileError; nothing stays open then.
    """
    account = account_id(config)
    simulated = config.market.source == "simulated" and bars is None and not by_hand
    source = database if database is not None else _in(state_dir, JOURNAL)
    journal = open_journal(
        source,
        inline=not threads,
        mode=config.mode,
        account=account,
        state_format=STATE_FORMAT,
    )
    try:
        book, warning = book_of(journal.load())
        rules = instruments(config, simulated=simulated)
        venue = _venue(
            config, clock, state_dir, rules, account, threads, _arrival(bars, flatten_only)
        )
        untold = flatten_only or by_hand
        market = None if untold else _market(config, clock, venue, bars, quotes_per_second)
        symbols = bars.symbols if bars is not None else config.market.symbols
        broker = PaperBroker(venue, clock, Random(f"latency {config.market.seed}"))
        world = World(
            book,
            config,
            broker.capabilities,
            instrument_of=rules.get,
            sectors=sectors(config.data.sectors),
            home_calendar="SIM" if simulated else home_calendar(symbols),
        )
        engine = Engine(
            world,
            broker=broker,
            store=journal,
            clock=clock,
            latch=latch,
            gate=gate or Gate(),
            market=market,
            builtin=None if flatten_only else _builtin(config, rules),
            version=version,
            account_id=account,
            config_digest=digest(config),
        )
    except BaseException:
        journal.close()
        raise
    return House(
        config=config, engine=engine, journal=journal, latch=latch, venue=venue, warning=warning
    )


def _in(state_dir: Path | None, name: str) -> Path:
    if state_dir is None:
        raise ValueError(f"{name} needs a state folder or a database in memory")
    return state_dir / name


def _arrival(bars: BarFile | None, flatten_only: bool) -> Arrival:
    if flatten_only:
        return Arrival.LAST_KNOWN
    return Arrival.STANDING_QUOTE if bars is None else Arrival.NEXT_PRICE


def _venue(  # noqa: PLR0917 - the parts of one account
    config: Config,
    clock: Clock,
    state_dir: Path | None,
    rules: Instruments,
    account: str,
    threads: bool,
    arrival: Arrival,
) -> PaperVenue:
    path = None if state_dir is None else state_dir / PAPER_BOOK
    return PaperVenue(
        clock=clock,
        random=Random(f"venue {config.market.seed}"),
        terms=terms(config),
        book=PaperBook(path, wait="thread" if threads and path is not None else "inline"),
        instruments=rules,
        arrival=arrival,
        name=config.account.primary,
        account_id=account,
    )


def terms(config: Config) -> Terms:
    """The conditions of the paper account, as `[brokers.paper]` says."""
    given = config.brokers.paper
    return Terms(
        initial_cash=given.initial_cash,
        latency_ms=given.latency_ms,
        slippage_bps=given.slippage_bps,
        commission_bps=given.commission_bps,
        fill_probability=given.fill_probability,
        participation=given.participation,
    )


def _market(
    config: Config, clock: Clock, venue: PaperVenue, bars: BarFile | None, rate: float
) -> MarketData | None:
    if bars is not None:
        return ReplayMarket(
            bars, clock, venue=venue, quote_max_age_seconds=config.risk.quote_max_age_seconds
        )
    from brokers.paper.simulated import SimulatedMarket

    given = config.market
    return SimulatedMarket(
        given.symbols,
        clock,
        venue=venue,
        seed=given.seed,
        bar_seconds=given.bar_seconds,
        quotes_per_second=rate,
    )


def _builtin(config: Config, rules: Instruments) -> BuiltinSignals | None:
    if not config.signals.builtin:
        return None
    named = config.signals.timeframe
    return BuiltinSignals(rules.get, Timeframe(named) if named else None)


__all__ = [
    "JOURNAL",
    "LOG",
    "PAPER_BOOK",
    "SOCKET",
    "STATE_FORMAT",
    "House",
    "SectorFileError",
    "account_id",
    "book_of",
    "build",
    "home_calendar",
    "instruments",
    "terms",
]
