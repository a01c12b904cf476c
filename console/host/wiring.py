"""An engine with everything it needs, for console, headless, replay and tests.

`build` restores the state (snapshot and tail of the journal), opens every account of the config
and the market, and hands all of it to the engine. It starts nothing.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from brokers import (
    Connection,
    PriceSource,
    unclaimed,
)
from brokers.paper.adapter import paper_capabilities
from brokers.paper.bars import BarFile
from brokers.paper.instruments import Instruments
from brokers.paper.settings import PaperConfig
from brokers.paper.setup import PaperConnection
from brokers.paper.venue import PaperVenue
from console.host.account_opening import account_setup, open_accounts
from console.host.data_files import (
    instrument_table,
    instruments,
    rates_of,
    sectors_of,
    venues_of,
)
from console.host.restoring import Behind, restored
from console.host.secrets import KNOWN
from console.host.sectors import SectorFileError
from console.host.shadow import as_traded
from engine.config import Config, account_id, digest, opened
from engine.core.fixed import calendar_of, contradiction, other_mode
from engine.ports import Capabilities, Clock, Latch
from engine.runtime.engine import Engine
from engine.runtime.send_gate import SendGate
from engine.state.book import STATE_FORMAT, Book
from engine.world import World
from storage.journal import Journal
from storage.opening import open_journal

JOURNAL: Final = "journal.db"
SOCKET: Final = "control.sock"
LOG: Final = "meridian.log"
STRICTEST: Final = ("XNYS", "FX", "24/7")
"""Calendars, the one that decides the portfolio's day first (X-95)."""


class AccountNotOpened(Exception):  # noqa: N818 - the caller reads it as a sentence
    """The journal knows of something in an account that the config does not open."""


class FixedOtherwise(Exception):  # noqa: N818 - the caller reads it as a sentence
    """The config says something else than what the journal has fixed for its life."""


class House:
    """What `build` made; `close` lets go of the files once the engine has stopped."""

    def __init__(
        self,
        *,
        config: Config,
        engine: Engine,
        journal: Journal,
        latch: Latch,
        connections: Mapping[str, Connection],
        left_out: Mapping[str, str],
        warning: str,
    ) -> None:
        self.config = config
        self.engine = engine
        self.journal = journal
        self.latch = latch
        self.connections = connections
        """The opened accounts by name."""
        self.left_out = left_out
        """Accounts that a kill cannot work, since they are not opened: why, by name."""
        self.warning = warning
        """One sentence when a snapshot could not be used, else empty."""

    @property
    def venues(self) -> Mapping[str, PaperVenue]:
        """The paper accounts in this process by name; those of another one are not among them."""
        opened = self.connections.items()
        return {name: one.venue for name, one in opened if isinstance(one, PaperConnection)}

    def close(self) -> None:
        """Writes what waits, and closes the journal and the accounts."""
        _close(self.connections)
        self.journal.close()


def _close(connections: Mapping[str, Connection]) -> None:
    for connection in connections.values():
        connection.close()


def home_calendar(config: Config, rules: Instruments, symbols: tuple[str, ...]) -> str:
    """The calendar of the portfolio's day: as configured, else of the strictest market (X-95).

    That is the first in `STRICTEST` that one of the symbols trades on, else the first symbol's own.
    """
    if config.account.calendar:
        return config.account.calendar
    found = list(dict.fromkeys(rules.get(symbol).calendar for symbol in symbols))
    return next((name for name in STRICTEST if name in found), found[0] if found else STRICTEST[0])


def as_counted(config: Config, *, currency: str, calendar: str) -> Config:
    """The config with the base currency and the calendar of a journal, as far as they are known."""
    known = {"currency": currency, "calendar": calendar}
    fixed = {name: value for name, value in known.items() if value}
    return config.model_copy(update={"account": config.account.model_copy(update=fixed)})


def world_at_rest(config: Config, book: Book) -> World:
    """The world of a state that no engine runs on: to be looked at, nothing is decided in it.

    It counts as the journal does, whatever the config says by now.

    Raises BadFile and SectorFileError for the files that `config` names.
    """
    config = as_counted(config, currency=book.data.base_currency, calendar=book.data.calendar)
    config = as_traded(config)
    rules = instruments(config, simulated=config.market.source == "simulated")
    known = set(config.brokers.names) & {*opened(config), *book.data.accounts}
    tables = {name: config.brokers.of(name) for name in known}
    able = {
        name: paper_capabilities(table.latency_ms)
        for name, table in tables.items()
        if isinstance(table, PaperConfig)
    }
    return _world(config, book, able, rules, config.market.symbols)


def _world(
    config: Config,
    book: Book,
    able: Mapping[str, Capabilities],
    rules: Instruments,
    symbols: tuple[str, ...],
) -> World:
    return World(
        book,
        config,
        able,
        instrument_of=rules.get,
        sectors=sectors_of(config),
        home_calendar=calendar_of(
            book,
            named=config.account.calendar,
            usual=home_calendar(config, rules, symbols),
        ),
        reference_rates=rates_of(config),
        venues=venues_of(config),
    )


def build(
    config: Config,
    *,
    clock: Clock,
    state_dir: Path | None,
    version: str,
    latch: Latch,
    gate: SendGate | None = None,
    bars: BarFile | None = None,
    database: sqlite3.Connection | None = None,
    gathers: bool = False,
    threads: bool = True,
    flatten_only: bool = False,
    by_hand: bool = False,
    quotes_per_second: float = 0,
    claim: Callable[[str, str], Awaitable[None]] = unclaimed,
) -> House:
    """Wires every account of the config on a running loop; their locks must be held.

    `database` keeps the journal in memory instead of `state_dir`, every commit inline, or with
    `gathers` many appends in one. Without
    `threads` those of the accounts do too (virtual time). `flatten_only` opens no market: what must
    close meets the last prices the paper accounts have seen, and an account that the config leaves
    out, or that cannot be opened here, keeps nobody from closing in the others. `by_hand` opens no
    market either: somebody tells prices.
    `quotes_per_second` is the pace of a simulated market over all symbols; 0 is the usual one.
    `claim` keeps a real account for this process (`brokers.VenueSetup`).

    Raises JournalError kinds, BookError, BadFile, SectorFileError,
    FixedOtherwise, AccountNotOpened; nothing stays open then.
    """
    own = by_hand or bars is not None or not threads
    simulated = config.market.source == "simulated" and bars is None and not by_hand
    source = database if database is not None else _in(state_dir, JOURNAL)
    journal = open_journal(
        source,
        inline=not threads or database is not None,
        gathers=gathers,
        mode=config.mode,
        engine=version,
        state_format=STATE_FORMAT,
    )
    connections: dict[str, Connection] = {}
    try:
        behind = Behind(journal)
        book, warning = restored(source, behind)
        behind.flush()
        asked = _agreed(config, book, flatten_only=flatten_only)
        config = as_traded(asked)
        table = instrument_table(config)
        rules = Instruments(table, "SIM" if simulated else "")
        prices = PriceSource.BY_HAND if by_hand else PriceSource.MARKET
        first = msgspec.structs.replace(
            account_setup(config, config.account.primary, table, clock, own=own),
            state_dir=state_dir,
            threads=threads,
            prices=PriceSource.LAST_KNOWN if flatten_only else prices,
            bars=bars,
            quotes_per_second=quotes_per_second,
            claim=claim,
        )
        left_out = _left_out(book, opened(config))
        if left_out and not flatten_only:
            raise AccountNotOpened("\n".join(left_out.values()))
        market = open_accounts(
            config,
            first,
            connections,
            asked=asked,
            own=own,
            unopened=left_out if flatten_only else None,
        )
        engine = Engine(
            _world(
                config,
                book,
                {name: one.broker.capabilities for name, one in connections.items()},
                rules,
                bars.symbols if bars is not None else config.market.symbols,
            ),
            brokers={name: one.broker for name, one in connections.items()},
            store=journal,
            clock=clock,
            latch=latch,
            gate=gate or SendGate(),
            market=market,
            recorded=bars is not None,
            version=version,
            account_ids={name: account_id(config, name) for name in connections},
            config_digest=digest(asked),
            jitter=Random(f"{first.account_id} {state_dir}".encode("utf-8", "surrogateescape")),
            redact=KNOWN.redact,
        )
    except BaseException:
        _close(connections)
        journal.close()
        raise
    return House(
        config=config,
        engine=engine,
        journal=journal,
        latch=latch,
        connections=connections,
        left_out=left_out,
        warning=warning,
    )


def _agreed(config: Config, book: Book, *, flatten_only: bool) -> Config:
    """The config, which must not contradict the journal; what only closes counts as that does.

    Raises FixedOtherwise.
    """
    data = book.data
    if fault := other_mode(book, config.mode):
        raise FixedOtherwise(fault)
    if flatten_only:
        return as_counted(config, currency=data.base_currency, calendar=data.calendar)
    fault = contradiction(
        book,
        mode=config.mode,
        accounts={name: account_id(config, name) for name in opened(config)},
        currency=config.account.currency,
        calendar=config.account.calendar,
    )
    if fault:
        raise FixedOtherwise(fault)
    return config


def _left_out(book: Book, names: tuple[str, ...]) -> dict[str, str]:
    """The accounts in which something is held or works and that are not opened: why, by name."""
    return {
        name: f"The account {name} holds {len(account.positions)} positions and "
        f"{len(account.orders)} working orders, and the config does not open it: "
        f"[brokers.{name}] with its kind is needed until it is empty."
        for name, account in book.data.accounts.items()
        if name not in names and (account.positions or account.orders)
    }


def _in(state_dir: Path | None, name: str) -> Path:
    if state_dir is None:
        raise ValueError(f"{name} needs a state folder or a database in memory")
    return state_dir / name


__all__ = [
    "JOURNAL",
    "LOG",
    "SOCKET",
    "STATE_FORMAT",
    "AccountNotOpened",
    "FixedOtherwise",
    "House",
    "SectorFileError",
    "build",
    "home_calendar",
    "world_at_rest",
]
