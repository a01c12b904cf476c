"""Venues behind the broker port, one folder each; the paper venue among them.

`FACTORIES` is the table of them: a further venue is its folder and one row, which names the model
of its settings and the function that opens it. The settings of every venue load with the config;
its adapter, and its library, only when an account of it is opened.
"""

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum, auto
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import msgspec

from engine.domain.instrument import Instrument
from engine.ports import Broker, Clock, MarketData

if TYPE_CHECKING:
    from brokers.guide import Guide
    from brokers.net.budget import Budget
    from brokers.net.identity import Identity
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


async def unclaimed(name: str, answered: str) -> None:
    """The claim of an account for who shares no accounts with another process."""


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
    claim: Callable[[str, str], Awaitable[None]] = unclaimed
    """Keeps a real account for this process: its name, and its id as the venue answers at each
    connect. Raises AuthFailed where another process has it: nothing is sent there then."""
    budgets: dict[str, "Budget"] = msgspec.field(default_factory=dict)
    """Of what venues count by our address, by host (`brokers.net.budget.budget_of`); a setup that
    is made of this one shares them."""
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


@runtime_checkable
class TellsIdentity(Protocol):
    """A broker at a venue of its own, which says who we are there."""

    @property
    def identity(self) -> "Identity":
        """What the venue answered, and what the key may do there."""
        ...


class LibraryUnusable(Exception):  # noqa: N818 - the caller reads it as a sentence
    """A library that a venue needs is not installed, or cannot be loaded: one sentence that says
    which, and what installs it."""


class Factory(msgspec.Struct, frozen=True):
    """Where a kind of venue is found, as `module:name`; nothing of it is loaded by this table."""

    settings: str
    """The model of its tables `[brokers.NAME]`, in a module that loads neither adapter nor SDK."""
    open: str = ""
    """The function that takes a `VenueSetup` and opens an account; empty: not built yet."""
    libraries: tuple[str, ...] = ()
    """The modules that its adapter needs beside those that the program needs anyway. The extra of
    the kind's name installs them. `a|b`: either of them."""
    guide: str = ""
    """The words by which a person sets it up; empty for a venue that nobody signs up at."""


FACTORIES: Final[dict[str, Factory]] = {
    "paper": Factory("brokers.paper.settings:PaperConfig", "brokers.paper.setup:open_paper"),
    "alpaca": Factory(
        "brokers.alpaca.settings:AlpacaConfig",
        "brokers.alpaca.setup:open_alpaca",
        ("alpaca", "httpx", "websockets"),
        "brokers.alpaca.guide:GUIDE",
    ),
    "ibkr": Factory(
        "brokers.ibkr.settings:IbkrConfig",
        "brokers.ibkr.setup:open_ibkr",
        ("ib_async|ib_insync",),
        "brokers.ibkr.guide:GUIDE",
    ),
    "binance": Factory(
        "brokers.binance.settings:BinanceConfig",
        "brokers.binance.setup:open_binance",
        ("httpx", "websockets"),
        "brokers.binance.guide:GUIDE",
    ),
    "coinbase": Factory(
        "brokers.coinbase.settings:CoinbaseConfig",
        "brokers.coinbase.setup:open_coinbase",
        ("httpx", "websockets", "jwt", "cryptography"),
        "brokers.coinbase.guide:GUIDE",
    ),
    "okx": Factory(
        "brokers.okx.settings:OkxConfig",
        "brokers.okx.setup:open_okx",
        ("httpx", "websockets"),
        "brokers.okx.guide:GUIDE",
    ),
    "oanda": Factory(
        "brokers.oanda.settings:OandaConfig",
        "brokers.oanda.setup:open_oanda",
        ("httpx",),
        "brokers.oanda.guide:GUIDE",
    ),
    "ccxt": Factory(
        "brokers.ccxt.settings:CcxtConfig",
        "brokers.ccxt.setup:open_ccxt",
        ("ccxt", "httpx", "cryptography"),
        "brokers.ccxt.guide:GUIDE",
    ),
}
"""Kind of a venue -> its settings and what opens it, in the order in which users read of them."""


def venue_kinds() -> "dict[str, VenueKind]":
    """What the config loader needs to know of each kind; no adapter is loaded for it."""
    from engine.config.venue import VenueKind

    return {
        kind: VenueKind(_found(row.settings), built=bool(row.open))
        for kind, row in FACTORIES.items()
    }


def missing_libraries(kind: str) -> str:
    """The sentence that says which libraries of the kind are not installed; "" where all are there.

    Nothing is loaded by that. `kind` is a row of `FACTORIES`.
    """
    missing = [names for names in FACTORIES[kind].libraries if not _installed(names)]
    if not missing:
        return ""
    words = ", ".join(names.replace("|", " or ") for names in missing)
    return f"{kind} needs {words}, not installed here: {_installing(kind)}"


def guide_of(kind: str) -> "Guide | None":
    """How a person sets up an account of that kind, a row of `FACTORIES`; None where there is
    nothing to set up."""
    row = FACTORIES[kind]
    found: Guide | None = _found(row.guide) if row.guide else None
    return found


def open_venue(plan: VenueSetup) -> Connection:
    """Open the venue of that kind.

    Raises LookupError for one that is not built, and LibraryUnusable for one whose library is not
    installed or cannot be loaded.
    """
    kind = plan.kind or plan.name
    row = FACTORIES.get(kind)
    if row is None or not row.open:
        built = ", ".join(name for name, known in FACTORIES.items() if known.open)
        raise LookupError(f"there is no broker named {kind!r} here: {built} are allowed")
    if missing := missing_libraries(kind):
        raise LibraryUnusable(missing)
    factory: Callable[[VenueSetup], Connection] = _library_loaded(kind, row.open)
    return factory(plan)


def open_prices(plan: VenueSetup) -> MarketData | None:
    """Open the prices of a venue and nothing of its account; None where it tells none.

    What it returns has no request about orders. Raises what `open_venue` raises.
    """
    return open_venue(plan).market


def _library_loaded(kind: str, place: str) -> Any:
    """What stands at `place`; raises LibraryUnusable where what it leans on does not load."""
    try:
        return _found(place)
    except ImportError as error:
        culprit = (error.name or "").partition(".")[0]
        if culprit in ("brokers", "engine"):
            raise  # a fault of this program, which no installing mends
        if not culprit:
            raise LibraryUnusable(str(error)) from error  # an adapter's own sentence
        raise LibraryUnusable(
            f"{kind} cannot load {culprit} ({error}): {_installing(kind)}"
        ) from error


def _installed(names: str) -> bool:
    from importlib.util import find_spec  # not at start-up: nothing needs it before

    return any(find_spec(name) is not None for name in names.split("|"))


def _installing(kind: str) -> str:
    return f"pip install '.[{kind}]' in the folder of meridian-tui brings what it needs"


def _found(place: str) -> Any:
    """What stands at `module:name`."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
