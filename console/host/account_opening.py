"""The accounts of a config, opened: on paper, at real venues, or on paper by the prices of those.

What each is opened for is a `VenueSetup`; without an engine too, where an account is only asked.
"""

import os
from collections.abc import Mapping
from typing import Any

import msgspec

from brokers import Connection, LibraryUnusable, PriceSource, VenueSetup, open_prices, open_venue
from brokers.paper.exchange import Exchange
from brokers.paper.instruments import Instruments
from brokers.paper.matched import MatchedMarket
from brokers.paper.settings import PaperConfig
from brokers.paper.setup import open_exchange
from console.host.data_files import instrument_table, rates_of
from console.host.secrets import SecretError, SecretStore
from console.host.shadow import demand_paper
from engine.config import Config, account_id, opened
from engine.config.accounts import real_accounts, routed_symbols
from engine.config.venue import RealVenueConfig
from engine.domain.instrument import Instrument
from engine.domain.run import Mode
from engine.ports import Clock, MarketData
from engine.reference.textfile import BadFile


def account_setup(
    config: Config, name: str, table: Mapping[str, Instrument], clock: Clock, *, own: bool
) -> VenueSetup:
    """What the account of that name is opened for, by the config alone. `own` is as in
    `_settings`."""
    return VenueSetup(
        name=name,
        kind=config.brokers.kind_of(name),
        settings=_settings(config, name, own=own),
        market=config.market,
        account_id=account_id(config, name),
        clock=clock,
        state_dir=None,
        instruments=table,
        quote_max_age_seconds=config.risk.quote_max_age_seconds,
        base_currency=config.account.currency,
        reference_rates=rates_of(config),
        secret=SecretStore(os.environ).get,
    )


def real_setups(config: Config, clock: Clock) -> dict[str, VenueSetup]:
    """What each account at a real venue is opened for, to be asked without an engine and without
    prices; its market's symbols are those that are routed there.

    Raises BadFile for the files that the config names.
    """
    table = instrument_table(config)
    known = Instruments(table)
    found = {}
    for name in real_accounts(config):
        plan = account_setup(config, name, table, clock, own=False)
        market = _market_of(config, known, name)
        found[name] = msgspec.structs.replace(plan, market=market, prices=PriceSource.BY_HAND)
    return found


def _market_of(config: Config, known: Instruments, name: str) -> Any:
    """`[market]` with those symbols alone that are routed to the account of that name."""
    symbols = routed_symbols(config, name, known.get)
    return config.market.model_copy(update={"symbols": symbols})


def open_accounts(
    config: Config,
    first: VenueSetup,
    connections: dict[str, Connection],
    *,
    asked: Config,
    own: bool,
    unopened: dict[str, str] | None,
) -> MarketData | Mapping[str, MarketData] | None:
    """Open every account into `connections`, so that a failure leaves none unknown; the market.

    All paper accounts of this process trade on one market, which is then the engine's. One of
    another process is matched on the prices there, and is the engine's market where it is primary
    and no account is in this process. Real venues each tell the symbols that are routed there; in
    mode shadow, as it was `asked` for, they tell them to the paper accounts too.

    `unopened` is told, by name, why an account at a real venue cannot be opened, as without its
    library; None: it keeps the others from being opened too.
    """
    shadows = asked.mode is Mode.SHADOW
    follows = shadows and first.prices is PriceSource.MARKET
    if follows:
        first = msgspec.structs.replace(first, prices=PriceSource.BY_HAND)
    plans = [first]
    for name in opened(config)[1:]:
        replaced = {
            "name": name,
            "kind": config.brokers.kind_of(name),
            "settings": _settings(config, name, own=own),
            "account_id": account_id(config, name),
        }
        plans.append(msgspec.structs.replace(first, **replaced))
    if shadows:
        for plan in plans:
            demand_paper(plan.settings, plan.name)
    if isinstance(first.settings, RealVenueConfig):
        return _open_real(config, plans, connections, unopened)
    here = [plan for plan in plans if _in_process(plan)]
    exchange = open_exchange(here[0]) if here else None
    for plan in plans:
        if plan in here:
            shared = msgspec.structs.replace(plan, exchange=exchange)
        elif exchange is not None or connections:
            shared = msgspec.structs.replace(plan, prices=PriceSource.BY_HAND)
        else:
            shared = plan
        connections[plan.name] = open_venue(shared)
    if follows and exchange is not None:
        return _followed(asked, first, exchange)
    return exchange.market if exchange is not None else connections[first.name].market


def _open_real(
    config: Config,
    plans: list[VenueSetup],
    connections: dict[str, Connection],
    unopened: dict[str, str] | None,
) -> Mapping[str, MarketData]:
    """Open accounts at real venues into `connections`; the markets of those that are routed to, by
    the account's name. Where none can be opened, raises what kept the last from it."""
    known = Instruments(plans[0].instruments)
    markets: dict[str, MarketData] = {}
    for plan in plans:
        own = _market_of(config, known, plan.name)
        try:
            connection = open_venue(msgspec.structs.replace(plan, market=own))
        except (LibraryUnusable, BadFile, SecretError) as error:
            if unopened is None or (plan is plans[-1] and not connections):
                raise
            unopened[plan.name] = f"{plan.name} could not be worked from here: {error}"
            continue
        connections[plan.name] = connection
        if own.symbols and connection.market is not None:
            markets[plan.name] = connection.market
    return markets


def _followed(config: Config, plan: VenueSetup, exchange: Exchange) -> Mapping[str, MarketData]:
    """The prices of the real venues that are routed to, by the account's name, which `exchange`
    meets too; nothing of the accounts there is opened (mode shadow)."""
    known, markets = Instruments(plan.instruments), dict[str, MarketData]()
    for name, settings in real_accounts(config).items():
        market = _market_of(config, known, name)
        if not market.symbols:
            continue
        real = msgspec.structs.replace(
            plan,
            name=name,
            kind=config.brokers.kind_of(name),
            settings=settings,
            market=market,
            account_id=account_id(config, name),
            prices=PriceSource.MARKET,
        )
        prices = open_prices(real)
        if prices is not None:
            markets[name] = MatchedMarket(prices, exchange)
    return markets


def _in_process(plan: VenueSetup) -> bool:
    return isinstance(plan.settings, PaperConfig) and not plan.settings.address


def _settings(config: Config, name: str, *, own: bool) -> Any:
    """A broker's table; a recording, prices by hand and virtual time have accounts of their own."""
    settings = config.brokers.of(name)
    return settings.model_copy(update={"address": ""}) if own else settings
