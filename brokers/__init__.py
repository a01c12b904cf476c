"""Venues behind the broker port, one package or module each; the paper venue among them.

`FACTORIES` is the table of them: a further venue is one row, naming the function that opens it.
A venue's module, and its library, load only when that venue is opened.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from engine.domain.instrument import Instrument
from engine.ports import Broker, Clock, MarketData


class PriceSource(Enum):
    """Where the prices of a venue come from."""

    MARKET = auto()
    """From its market data, as `[market]` says."""
    BY_HAND = auto()
    """Somebody tells them; no market is opened."""
    LAST_KNOWN = auto()
    """From what the venue has kept, however old: only to close what is held."""


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
    exchange: Any = None
    """The market that this account shares with others (`brokers.paper.setup.open_exchange`); None
    where it opens its own."""
    bars: Any = None
    """The checked recording of a replayed market (`brokers.paper.bars.BarFile`)."""
    quote_max_age_seconds: float = 15
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


FACTORIES: Final[dict[str, str]] = {
    "paper": "brokers.paper.setup:open_paper",
}
"""Kind of a broker -> `module:function`; the function takes a `VenueSetup`."""


def open_venue(plan: VenueSetup) -> Connection:
    """Open the venue of that kind. Raises LookupError for one that is not built."""
    kind = plan.kind or plan.name
    known = FACTORIES.get(kind)
    if known is None:
        raise LookupError(
            f"there is no broker named {kind!r} here: {', '.join(FACTORIES)} are allowed"
        )
    module, _, function = known.partition(":")
    factory: Callable[[VenueSetup], Connection] = getattr(import_module(module), function)
    return factory(plan)
