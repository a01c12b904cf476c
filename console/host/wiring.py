"""One account's engine with everything it needs, for console, headless, replay and tests.

`build` restores the state (snapshot and tail of the journal), opens the paper account and its
market, and hands all of it to the engine. It starts nothing.
"""

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec

from brokers import Connection, Plan, Prices, open_venue
from brokers.paper.adapter import paper_capabilities
from brokers.paper.bars import BarFile
from brokers.paper.instruments import Instruments, load_instruments
from brokers.paper.setup import BOOK, PaperConnection
from brokers.paper.venue import PaperVenue
from console.host.sectors import SectorFileError, sectors
from engine.config import Config, digest
from engine.domain.instrument import AssetClass, Instrument, class_of
from engine.domain.signal import Timeframe
from engine.intake.builtin import BuiltinSignals
from engine.ports import Clock, Latch
from engine.runtime.engine import Engine
from engine.runtime.send_gate import Gate
from engine.state.book import STATE_FORMAT, Book
from engine.state.fold import apply
from engine.state.touched import Touched
from engine.world import World
from storage.journal import Journal, open_journal
from storage.snapshots import Loaded, load, load_from

JOURNAL: Final = "journal.db"
PAPER_BOOK: Final = BOOK
SOCKET: Final = "control.sock"
LOG: Final = "meridian.log"
NO_SNAPSHOT: Final = -1
"""A format that no snapshot has: the state is folded from the first event."""

PAPER_ACCOUNT: Final = "paper"
"""The id of the paper account of a state folder; it says nothing of where the folder is."""


ROWS_AT_ONCE: Final = 4_096
"""Values handed over together when rows are made again."""

Heard = Callable[[list[Touched], int], None]
"""Is told, event by event, which values it touched and its number."""


class House:
    """What `build` made; `close` lets go of the files once the engine has stopped."""

    def __init__(
        self,
        *,
        config: Config,
        engine: Engine,
        journal: Journal,
        latch: Latch,
        connection: Connection,
        warning: str,
    ) -> None:
        self.config = config
        self.engine = engine
        self.journal = journal
        self.latch = latch
        self.connection = connection
        self.warning = warning
        """One sentence when a snapshot could not be used, else empty."""

    @property
    def venue(self) -> PaperVenue | None:
        """The paper account in this process; None where it is in another one."""
        opened = self.connection
        return opened.venue if isinstance(opened, PaperConnection) else None

    def close(self) -> None:
        """Writes what waits, and closes the journal and the account."""
        self.connection.close()
        self.journal.close()


def account_id(config: Config) -> str:
    """The id of the account that the config trades."""
    return str(getattr(config.brokers, config.account.primary).account_id) or PAPER_ACCOUNT


def instruments(config: Config, *, simulated: bool) -> Instruments:
    """The instruments in force. Raises `brokers.paper.instruments.BadFile`."""
    return Instruments(_table(config), "SIM" if simulated else "")


def _table(config: Config) -> Mapping[str, Instrument]:
    named = config.data.instruments
    return load_instruments(Path(named)) if named else {}


def home_calendar(symbols: tuple[str, ...]) -> str:
    """The calendar of the account's day: of the strictest market among the symbols (X-12)."""
    classes = {class_of(symbol) for symbol in symbols}
    if not classes or AssetClass.STOCK in classes:
        return "XNYS"
    return "FX" if AssetClass.FX in classes else "24/7"


def world_at_rest(config: Config, book: Book) -> World:
    """The world of a state that no engine runs on: to be looked at, nothing is decided in it.

    Raises BadFile and SectorFileError for the files that `config` names.
    """
    simulated = config.market.source == "simulated"
    return World(
        book,
        config,
        {config.account.primary: paper_capabilities(config.brokers.paper.latency_ms)},
        instrument_of=instruments(config, simulated=simulated).get,
        sectors=sectors(config.data.sectors),
        home_calendar="SIM" if simulated else home_calendar(config.market.symbols),
    )


def restored(source: Path | sqlite3.Connection) -> tuple[Book, str]:
    """The book that a journal tells, and one sentence where a snapshot of it was of no use.

    Raises `storage.errors.JournalError` kinds, and UnknownEvent for a newer program's event.
    """
    return _restored(source, lambda touched, seq: None)


def _restored(source: Path | sqlite3.Connection, heard: Heard) -> tuple[Book, str]:
    try:
        return _book_of(_load(source, STATE_FORMAT), heard)
    except msgspec.ValidationError as error:
        # Written before the state had its present shape: the events tell the same, more slowly.
        book, _ = _book_of(_load(source, NO_SNAPSHOT), heard)
        return book, f"the newest snapshot has another shape and was not used: {error}"


def _load(source: Path | sqlite3.Connection, state_format: int) -> Loaded:
    if isinstance(source, Path):
        return load(source, state_format)
    return load_from(source, state_format, where="in memory")


def _book_of(loaded: Loaded, heard: Heard) -> tuple[Book, str]:
    book = Book() if loaded.snapshot is None else Book.restore(loaded.snapshot)
    for record in loaded.records:
        heard(apply(book, record), record.seq)
    return book, loaded.warning


class _Behind:
    """Hands over, in pieces, what the events touched whose rows are not in the tables yet."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._values: list[Touched] = []
        self._seq = self._from = journal.watermark

    def __call__(self, touched: list[Touched], seq: int) -> None:
        if seq > self._from:
            self._values += touched
            self._seq = seq
            if len(self._values) >= ROWS_AT_ONCE:
                self.flush()

    def flush(self) -> None:
        """Hand over what is left."""
        if self._seq > self._from:
            self._journal.write_behind(self._values, self._seq)
            self._values, self._from = [], self._seq


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
        engine=version,
        state_format=STATE_FORMAT,
    )
    try:
        behind = _Behind(journal)
        book, warning = _restored(source, behind)
        behind.flush()
        table = _table(config)
        rules = Instruments(table, "SIM" if simulated else "")
        prices = Prices.BY_HAND if by_hand else Prices.MARKET
        connection = open_venue(
            Plan(
                name=config.account.primary,
                settings=_settings(config, own=by_hand or bars is not None or not threads),
                market=config.market,
                account_id=account,
                clock=clock,
                state_dir=state_dir,
                threads=threads,
                prices=Prices.LAST_KNOWN if flatten_only else prices,
                instruments=table,
                bars=bars,
                quote_max_age_seconds=config.risk.quote_max_age_seconds,
                quotes_per_second=quotes_per_second,
            )
        )
    except BaseException:
        journal.close()
        raise
    try:
        symbols = bars.symbols if bars is not None else config.market.symbols
        world = World(
            book,
            config,
            {config.account.primary: connection.broker.capabilities},
            instrument_of=rules.get,
            sectors=sectors(config.data.sectors),
            home_calendar="SIM" if simulated else home_calendar(symbols),
        )
        engine = Engine(
            world,
            brokers={connection.broker.name: connection.broker},
            store=journal,
            clock=clock,
            latch=latch,
            gate=gate or Gate(),
            market=connection.market,
            builtin=None if flatten_only else _builtin(config, rules),
            version=version,
            account_ids={config.account.primary: account},
            config_digest=digest(config),
            jitter=Random(f"{account} {state_dir}"),
        )
    except BaseException:
        connection.close()
        journal.close()
        raise
    return House(
        config=config,
        engine=engine,
        journal=journal,
        latch=latch,
        connection=connection,
        warning=warning,
    )


def _in(state_dir: Path | None, name: str) -> Path:
    if state_dir is None:
        raise ValueError(f"{name} needs a state folder or a database in memory")
    return state_dir / name


def _settings(config: Config, *, own: bool) -> Any:
    """The broker's table; a recording, prices by hand and virtual time have their own account."""
    settings = getattr(config.brokers, config.account.primary)
    return settings.model_copy(update={"address": ""}) if own else settings


def _builtin(config: Config, rules: Instruments) -> BuiltinSignals | None:
    if not config.signals.builtin:
        return None
    named = config.signals.timeframe
    return BuiltinSignals(rules.get, Timeframe(named) if named else None)


__all__ = [
    "JOURNAL",
    "LOG",
    "SOCKET",
    "STATE_FORMAT",
    "House",
    "SectorFileError",
    "account_id",
    "build",
    "home_calendar",
    "instruments",
    "restored",
    "world_at_rest",
]
