"""Venues behind the broker port, one folder each; the paper venue among them.

`FACTORIES` is the table of them: a further venue is its folder and one row, which names the model
of its settings and the function that opens it. The settings of every venue load with the config;
its adapter, and its library, only when an account of it is opened.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from engine.domain.instrument import Instrument
from engine.ports import Broker, Clock, MarketData

if TYPE_CHECKING:
    from engine.config.venue import VenueKind
    from engine.reference.rates import ReferenceRate


class PriceSource(Enum):
    """Where the prices of a venue come from."""

    MARKET = auto()
    """From its market data, as `[market]` says."""
    BY_HAND = auto()
    """Somebody tells them; no market is opened."""
    LAST_KNOWN = auto()
    """From what the venue has kept, however old: only to close what is held."""


class Secret(Protocol):
    """A secret value: everything but `reveal` shows `***`."""

    def reveal(self) -> str:
        """The value itself, for the one call that needs it."""
        ...


def _no_secret(name: str) -> Secret:
    raise LookupError(f"{name} is missing: no secrets are known here")


class VenueSetup(msgspec.Struct, frozen=True, kw_only=True):
    """What a venue is opened for. Each takes what it needs of it."""

    name: str
    """The name under `[brokers]`, which is the account's."""
    kind: str = ""
    """The row of `FACTORIES`; empty where it is the name."""
    settings: Any
    """The checked table `[brokers.NAME]`."""
    market: Any
    """The checked table `[market]`."""
    account_id: str
    clock: Clock
    state_dir: Path | None
    """Where a venue may keep files of its own; None leaves nothing behind."""
    threads: bool = True
    """False in virtual time: nothing may run beside the loop."""
    prices: PriceSource = PriceSource.MARKET
    instruments: Mapping[str, Instrument] = {}
    """What the user's table says of symbols."""
    base_currency: str = ""
    """The portfolio's, in which `reference_rates` are; empty where there are none."""
    reference_rates: tuple["ReferenceRate", ...] = ()
    """What currencies are worth by the user's file, where no price tells it (X-86)."""
    exchange: Any = None
    """The market that this account shares with others (`brokers.paper.setup.open_exchange`); None
    where it opens its own."""
    bars: Any = None
    """The checked recording of a replayed market (`brokers.paper.bars.BarFile`)."""
    quote_max_age_seconds: float = 15
    secret: Callable[[str], Secret] = _no_secret
    """Finds a secret by the name of its variable. Raises an error whose one sentence says where it
    was looked for."""
    quotes_per_second: float = 0
    """Pace of a simulated market over all symbols; 0 is the usual one."""


class Connection(Protocol):
    """An opened venue: not connected yet, and to be closed once its engine has stopped."""

    @property
    def broker(self) -> Broker: ...

    @property
    def market(self) -> MarketData | None:
        """Its market data, None where none is wanted."""
        ...

    def close(self) -> None:
        """Let go of its files."""
        ...


class Factory(msgspec.Struct, frozen=True):
    """Where a kind of venue is found, as `module:name`; nothing of it is loaded by this table."""

    settings: str
    """The model of its tables `[brokers.NAME]`, in a module that loads neither adapter nor SDK."""
    open: str = ""
    """The function that takes a `VenueSetup` and opens an account; empty: not built yet."""


FACTORIES: Final[dict[str, Factory]] = {
    "paper": Factory("brokers.paper.settings:PaperConfig", "brokers.paper.setup:open_paper"),
    "alpaca": Factory("brokers.alpaca.settings:AlpacaConfig", "brokers.alpaca.setup:open_alpaca"),
    "ibkr": Factory("brokers.ibkr.settings:IbkrConfig", "brokers.ibkr.setup:open_ibkr"),
    "binance": Factory(
        "brokers.binance.settings:BinanceConfig", "brokers.binance.setup:open_binance"
    ),
    "coinbase": Factory(
        "brokers.coinbase.settings:CoinbaseConfig", "brokers.coinbase.setup:open_coinbase"
    ),
    "okx": Factory("brokers.okx.settings:OkxConfig", "brokers.okx.setup:open_okx"),
    "oanda": Factory("brokers.oanda.settings:OandaConfig", "brokers.oanda.setup:open_oanda"),
}
"""Kind of a venue -> its settings and what opens it, in the order in which users read of them."""


def venue_kinds() -> "dict[str, VenueKind]":
    """What the config loader needs to know of each kind; no adapter is loaded for it."""
    from engine.config.venue import VenueKind

    return {
        kind: VenueKind(_found(row.settings), built=bool(row.open))
        for kind, row in FACTORIES.items()
    }


def open_venue(plan: VenueSetup) -> Connection:
    """Open the venue of that kind. Raises LookupError for one that is not built."""
    kind = plan.kind or plan.name
    row = FACTORIES.get(kind)
    if row is None or not row.open:
        built = ", ".join(name for name, known in FACTORIES.items() if known.open)
        raise LookupError(f"there is no broker named {kind!r} here: {built} are allowed")
    factory: Callable[[VenueSetup], Connection] = _found(row.open)
    return factory(plan)


def _found(place: str) -> Any:
    """What stands at `module:name`."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
