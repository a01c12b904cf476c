"""What the engine reads of an account's table `[brokers.NAME]`, of whatever venue.

A venue's folder derives its own table from `RealVenueConfig` or `SimulatedVenueConfig`; the host
hands the loader every kind there is. Nothing in the engine knows which those are.
"""

from collections.abc import Mapping
from decimal import Decimal
from ipaddress import ip_address
from typing import ClassVar, Final
from urllib.parse import urlsplit

import msgspec
from pydantic import Field

from engine.config.kinds import FilePath, OptionalName
from engine.config.section import Section
from engine.domain.instrument import AssetClass
from engine.domain.money import ZERO

LIVE: Final = "live"
"""The environment of real money, at every venue."""


def host_of(url: str) -> str:
    """The host of an address as it is compared: small letters, without the dot of the root."""
    return (urlsplit(url).hostname or "").rstrip(".")


def _domain(host: str) -> str:
    """The last two labels of a host."""
    return ".".join(host.split(".")[-2:])


def _is_here(url: str) -> bool:
    """Whether an address is one of this machine alone."""
    host = host_of(url)
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class KindConfig(Section):
    """The first key of every account's table.

    Apart from `VenueConfig`, so that a venue may show keys of its own between the two: keys are
    written in the order of the bases, the last base first.
    """

    kind: OptionalName = Field("", description='"" = the name of this table')


class VenueConfig(KindConfig):
    """What every account's table takes."""

    asset_classes: ClassVar[frozenset[AssetClass]] = frozenset(AssetClass)
    """The kinds of instrument that can be traded there."""
    is_experimental: ClassVar[bool] = False
    """Whether what is traded there was never shown for the venue itself, not even by a local
    server of its protocol."""

    account_id: OptionalName = Field("", description="live: must equal what the venue answers")

    @property
    def fee_rate(self) -> Decimal:
        """What the venue charges of a traded amount, as a fraction of 1, as far as it is stated."""
        return ZERO

    @property
    def slippage_rate(self) -> Decimal:
        """What a simulated venue adds to the price of a market order, as a fraction of 1."""
        return ZERO


class RealVenueConfig(VenueConfig):
    """An account at a venue of its own; it states which of the venue's worlds it is in."""

    opened_with: ClassVar[tuple[str, ...]] = ()
    """The keys that say with what the venue is asked for the account.

    Two tables that agree in them open one account, unless each states its `account_id`.
    """

    prices_apart: ClassVar[bool] = True
    """The venue tells prices without a connection of the account, so that mode shadow can follow
    them."""
    hosts: ClassVar[Mapping[str, frozenset[str]]] = {}
    """Environment -> the venue's own hosts that serve it and no other environment."""
    shared_hosts: ClassVar[frozenset[str]] = frozenset()
    """The venue's own hosts that serve more than one environment."""
    canned: ClassVar[frozenset[str]] = frozenset()
    """Environments that give the same answers to everybody and take no orders (X-61)."""
    trades_live: ClassVar[bool] = True
    """Whether real money can be traded there by now."""

    proof_left: ClassVar[str] = ""
    """What a dry run cannot show of the venue's identity, as it is told in its report: "" where
    the addresses are the venue's own, and so show it."""

    environment: str = Field(description='"live" is real money')

    @property
    def is_live(self) -> bool:
        """Whether real money is traded there."""
        return self.environment == LIVE

    @property
    def asked_at(self) -> str:
        """Where the venue is asked, in words: the addresses that the table states, else its own."""
        stated = ", ".join(f"{key} {url}" for key, url in self.addresses.items())
        return stated or "the addresses of the venue"

    @property
    def addresses(self) -> dict[str, str]:
        """The addresses that the table states, by their keys: every key that ends in `_url`."""
        stated = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: url for name, url in stated.items() if name.endswith("_url") and url}

    @property
    def is_canned(self) -> bool:
        """Whether its environment only gives canned answers."""
        return self.environment in self.canned

    @property
    def is_at_venue(self) -> bool:
        """Whether all of it is asked at the venue's own addresses: none is stated, or only such."""
        own = self.shared_hosts.union(*self.hosts.values())
        return all(host_of(url) in own for url in self.addresses.values())

    @property
    def may_be_at_venue(self) -> bool:
        """Whether any of it may be asked at the venue: an address is not stated, which is then the
        venue's own, or it is none of this machine. What no address says of may be the venue."""
        keys = [name for name in type(self).model_fields if name.endswith("_url")]
        return not keys or not all(map(_is_here, (getattr(self, name) for name in keys)))

    def may_be_live(self, url: str) -> bool:
        """Whether an address may be the venue's live environment: its host lies in the domain of a
        live one, and is none that is known to serve this account's environment."""
        host, live = host_of(url), self.hosts.get(LIVE, frozenset())
        known = self.shared_hosts | self.hosts.get(self.environment, frozenset())
        return host not in known and _domain(host) in set(map(_domain, live))

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The variables that hold what the venue lets us in by: every key that ends in `_env`.

        Empty where the venue asks for none.
        """
        fields = type(self).model_fields
        return tuple(getattr(self, name) for name in fields if name.endswith("_env"))


class SimulatedVenueConfig(VenueConfig):
    """An account whose venue is a program of ours, which never trades real money.

    Its id is its name unless `account_id` says otherwise.
    """

    address: FilePath = Field("", description="socket of the venue in another process")


class VenueKind(msgspec.Struct, frozen=True):
    """One kind of venue: what its tables take, and whether an account of it can be opened."""

    settings: type[VenueConfig]
    """Every key of it has a default: an account of each kind is there without being written."""
    built: bool


VenueKinds = Mapping[str, VenueKind]
"""The kinds of venue there are, by the word that `kind` takes."""


class BrokersConfig(msgspec.Struct, frozen=True):
    """The accounts that may be named: one of each kind, and those that state theirs."""

    kinds: VenueKinds = {}
    tables: Mapping[str, VenueConfig] = {}

    @classmethod
    def default(cls, kinds: VenueKinds) -> "BrokersConfig":
        """The accounts of a file that says nothing of them: one of each kind."""
        # The defaults need no validation, and building validators costs 30 ms.
        return cls(kinds, {name: kind.settings.model_construct() for name, kind in kinds.items()})

    @property
    def names(self) -> tuple[str, ...]:
        """Every table there is: one of each kind, and those with a name of their own."""
        return tuple(self.tables)

    def of(self, name: str) -> VenueConfig:
        """The settings of an account by its name. Raises KeyError for a name not there."""
        return self.tables[name]

    def kind_of(self, name: str) -> str:
        """The kind of an account: its name where that is one, else as its table states.

        Raises KeyError for a name not there.
        """
        return name if name in self.kinds else self.of(name).kind

    def address_of(self, name: str) -> str:
        """The socket of the account's venue in another process; "" for any other venue."""
        settings = self.of(name)
        return settings.address if isinstance(settings, SimulatedVenueConfig) else ""

    def environment_of(self, name: str) -> str:
        """The world of its venue that the account is in; "" where the venue has but one."""
        settings = self.of(name)
        return settings.environment if isinstance(settings, RealVenueConfig) else ""
