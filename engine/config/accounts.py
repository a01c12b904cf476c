"""Which accounts a config opens, and what each is known by (INTERFACE, Several accounts)."""

from collections.abc import Callable
from fnmatch import fnmatchcase

from engine.config.model import Config
from engine.config.trading import RouteConfig
from engine.config.venue import RealVenueConfig
from engine.domain.instrument import Instrument


def opened(config: Config) -> tuple[str, ...]:
    """The names of the accounts that the engine opens, the primary first.

    Those are the primary, the fallback, what a route names, and every table that states its kind:
    a table that only sets a key of a broker nobody names opens nothing.
    """
    brokers = config.brokers
    named = [config.account.primary, config.account.fallback]
    named += [name for route in config.routes for name in (route.broker, *route.also)]
    named += [name for name in brokers.names if brokers.of(name).kind]
    return tuple(dict.fromkeys(name for name in named if name))


def is_real(config: Config, name: str) -> bool:
    """Whether the account of that name is at a real venue, its test environment included."""
    return isinstance(config.brokers.of(name), RealVenueConfig)


def real_accounts(config: Config) -> dict[str, RealVenueConfig]:
    """The settings of the opened accounts that are at real venues, by name, the primary first.

    Every name that the config opens must have its table, as in a config that was loaded.
    """
    found = {name: config.brokers.of(name) for name in opened(config)}
    return {name: one for name, one in found.items() if isinstance(one, RealVenueConfig)}


def kept_elsewhere(config: Config) -> tuple[str, ...]:
    """The names of the accounts that the engine opens whose books are not in its state folder.

    Those are at a real venue, or in the paper venue of another process.
    """
    brokers = config.brokers
    return tuple(
        name for name in opened(config) if is_real(config, name) or brokers.address_of(name)
    )


def routed(config: Config, symbol: str, asset_class: str) -> str:
    """The name of the account of the first of `[[routes]]` that matches the symbol and its asset
    class; without a match the primary account's."""
    return routed_among(config, symbol, asset_class)[0]


def routed_among(config: Config, symbol: str, asset_class: str) -> tuple[str, ...]:
    """The names of all accounts of that route, its `broker` first; without a match the primary
    account's alone."""
    route = _route(config, symbol, asset_class)
    return (config.account.primary,) if route is None else (route.broker, *route.also)


def routed_symbols(
    config: Config, name: str, instrument_of: Callable[[str], Instrument]
) -> tuple[str, ...]:
    """The watched symbols whose orders go to the account of that name.

    `instrument_of` tells the instrument of a symbol, whose asset class a route may go by.
    """
    return tuple(
        symbol
        for symbol in config.market.symbols
        if routed(config, symbol, instrument_of(symbol).asset_class) == name
    )


def _route(config: Config, symbol: str, asset_class: str) -> RouteConfig | None:
    for route in config.routes:
        if route.asset_class and route.asset_class != asset_class:
            continue
        if route.symbol and not fnmatchcase(symbol, route.symbol):
            continue
        return route
    return None


def account_id(config: Config, name: str) -> str:
    """The id of the account of that name: as configured, else the name.

    So a paper account without one says nothing of where its folder is.
    """
    return config.brokers.of(name).account_id or name
