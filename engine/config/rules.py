"""What the keys of a config say together: modes, profiles, references, and what is not built yet.

Each rule reads a config whose keys are valid one by one, and yields a `Problem` for every key it
refuses. A feature that comes later is one row of `NOT_BUILT`; it leaves the table when it is built.
"""

import re
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

import msgspec

from engine.config.accounts import account_id, opened, routed
from engine.config.model import Config
from engine.config.profiles import PROFILES, ROWS
from engine.config.render import written
from engine.config.venue import (
    LIVE,
    BrokersConfig,
    RealVenueConfig,
    SimulatedVenueConfig,
    VenueKinds,
    host_of,
)
from engine.domain.instrument import AssetClass, default_instrument
from engine.domain.run import Mode

LONGEST_NAME: Final = 32
_ACCOUNT_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
"""No double underscore: a variable `MERIDIAN_BROKERS__NAME__KEY` ends the name there."""


class Problem(msgspec.Struct, frozen=True):
    """A key that is refused: its path, its value, and what is allowed instead."""

    key: tuple[str, ...]
    value: object
    allowed: str
    missing: bool = False


class NotBuilt(msgspec.Struct, frozen=True):
    """A key whose feature comes later: it is taken at `allowed` and refused otherwise."""

    key: tuple[str, ...]
    allowed: tuple[object, ...]
    feature: str


def _table(section: str, feature: str, **allowed: object) -> tuple[NotBuilt, ...]:
    return tuple(NotBuilt((section, key), (value,), feature) for key, value in allowed.items())


_DEFAULTS: Final = Config.model_construct()

NOT_BUILT: Final = (
    *_table("risk", "the rules of margin accounts", account_rule="off"),
    *_table("execution", "options and leveraged funds", instrument_mode="stock"),
    *_table("execution", "the decision front end", cycle_time_ms=100),
    *_table("execution", "another answer to a lost terminal", on_hangup="continue"),
    *_table(
        "entries",
        "the choice of entry orders",
        high_conviction_order_type="market",
        medium_conviction_order_type="limit",
    ),
    *_table(
        "entries",
        "scaling in by choice",
        scale_in_enabled=True,
        scale_in_initial_pct=_DEFAULTS.entries.scale_in_initial_pct,
    ),
    *_table("exits", "the trailing stop", trailing_stop_cloud="pullback"),
    *_table("exits", "the structure stop", stop_mode="both"),
    *_table("exits", "moving a stop to breakeven", breakeven=False),
    *_table("exits", "scaling out", scale_out=False),
    *_table(
        "pipeline",
        "leaving out a part of the pipeline",
        enable_signal_recording=True,
        enable_unified_risk=True,
        enable_feedback_loop=True,
        enable_alerting=True,
        enable_analytics=True,
    ),
    *_table("pipeline", "feedback on signal sources", feedback_adjust_every_n_trades=50),
    *_table("strategy", "the decision front end", module="", config=""),
    *_table("data", "leveraged funds", etf_catalogue=""),
    *_table("data", "the calendar of events", events=""),
    *_table("data", "price history", history=""),
    *_table("data", "the regime", regime=""),
    *_table("kill", "the watch over clock skew", clock_skew=_DEFAULTS.kill.clock_skew),
    *_table("alerts", "sending alerts", urls=(), minimum="warning"),
)


def not_built(kinds: VenueKinds) -> Iterator[NotBuilt]:
    """`NOT_BUILT`, and the tables of the venues that have no adapter."""
    yield from NOT_BUILT
    for name, kind in kinds.items():
        if not kind.built:
            for key, value in kind.settings.model_construct():
                yield NotBuilt(("brokers", name, key), (value,), f"the broker {name}")


def value_at(config: Config, key: tuple[str, ...]) -> object:
    """The value of a key, given as its path."""
    value: object = config
    for part in key:
        value = value.of(part) if isinstance(value, BrokersConfig) else getattr(value, part)
    return value


def unbuilt(config: Config) -> Iterator[Problem]:
    """Keys of features that are not built yet, away from their default."""
    for row in not_built(config.brokers.kinds):
        value = value_at(config, row.key)
        if value not in row.allowed:
            taken = " or ".join(written(item) for item in row.allowed)
            yield Problem(row.key, value, f"{taken} ({row.feature}: not built yet)")
    yield from _without_adapter(config)


def _without_adapter(config: Config) -> Iterator[Problem]:
    """The accounts whose kind of broker has no adapter, at the key that opens each."""
    built = [name for name, kind in config.brokers.kinds.items() if kind.built]
    taken = " or ".join(written(name) for name in built)
    for key, name in _selected(config):
        kind = config.brokers.kind_of(name) if name in config.brokers.names else ""
        if kind and kind not in built:
            yield Problem(key, name, f"{taken} (the broker {kind}: not built yet)")
    for name in config.brokers.names:
        stated = config.brokers.of(name).kind
        if stated and stated not in built:
            key = ("brokers", name, "kind")
            yield Problem(key, stated, f"{taken} (the broker {stated}: not built yet)")


def tightening(config: Config) -> Iterator[Problem]:
    """`[risk]` only tightens a profile; `custom` misses none of its limits (X-67, U-50)."""
    profile = PROFILES.get(config.profile)
    for row in ROWS:
        own = getattr(config.risk, row.key)
        key = ("risk", row.key)
        if profile is None:
            if own is None:
                allowed = "profile custom takes every limit from [risk]"
                yield Problem(key, None, allowed, missing=True)
            continue
        ceiling = getattr(profile, row.field)
        if own is not None and ceiling is not None and row.looser(own, ceiling):
            limit = f"{row.tighter.value} {written(ceiling)} of profile {config.profile.value}"
            yield Problem(key, own, f"{limit}, which [risk] may only tighten")


def _selected(config: Config) -> Iterator[tuple[tuple[str, ...], str]]:
    """The brokers that may trade, each with the key that names it."""
    yield ("account", "primary"), config.account.primary
    if config.account.fallback:
        yield ("account", "fallback"), config.account.fallback
    for index, route in enumerate(config.routes):
        yield ("routes", str(index), "broker"), route.broker
        for name in route.also:
            yield ("routes", str(index), "also"), name


def named_brokers(config: Config) -> Iterator[Problem]:
    """Every broker that is named has its section, and the fallback is another one."""
    known = config.brokers.names
    for key, name in _selected(config):
        if name not in known:
            yield Problem(key, name, "a name under [brokers]: " + ", ".join(known))
    if config.account.fallback == config.account.primary:
        yield Problem(
            ("account", "fallback"), config.account.fallback, "a broker other than the primary"
        )


def account_names(config: Config) -> Iterator[Problem]:
    """An account's name is a word, and the name of a kind is not that of another kind."""
    for name in config.brokers.names:
        stated = config.brokers.of(name).kind
        if name in config.brokers.kinds and stated not in ("", name):
            key = ("brokers", name, "kind")
            yield Problem(key, stated, f'"{name}", or another name for the table')
        elif len(name) > LONGEST_NAME or not _ACCOUNT_NAME.fullmatch(name):
            words = "a name of small letters and digits, joined by single underscores, at most 32"
            yield Problem(("brokers", name), name, words)


def one_account_twice(config: Config) -> Iterator[Problem]:
    """No account is opened under two names: two would trade it without knowing of each other."""
    seen: dict[tuple[str, ...], str] = {}
    for name in opened(config):
        if name not in config.brokers.names:
            continue  # told by another rule
        settings, kind = config.brokers.of(name), config.brokers.kind_of(name)
        address = config.brokers.address_of(name)
        environment = config.brokers.environment_of(name)
        marks = [("address", address)] if address else []
        if settings.account_id or isinstance(settings, SimulatedVenueConfig):
            marks.append(("account_id", account_id(config, name)))
        for key, value in marks:
            other = seen.setdefault((kind, environment, key, value), name)
            if other != name:
                allowed = f"another than that of [brokers.{other}], which is the same account"
                yield Problem(("brokers", name, key), value, allowed)
    yield from _opened_alike(config)


def _opened_alike(config: Config) -> Iterator[Problem]:
    """Two accounts that the venue is asked for with the same key, and that no id tells apart."""
    seen: dict[tuple[str, ...], list[str]] = {}
    for name in opened(config):
        settings = config.brokers.tables.get(name)
        if not isinstance(settings, RealVenueConfig) or not settings.opened_with:
            continue
        values = [str(getattr(settings, key)) for key in settings.opened_with]
        alike = seen.setdefault(
            (config.brokers.kind_of(name), config.brokers.environment_of(name), *values), []
        )
        for other in alike:
            if not settings.account_id or not config.brokers.of(other).account_id:
                key = settings.opened_with[-1]
                allowed = f"another than that of [brokers.{other}], or an account_id in each"
                yield Problem(("brokers", name, key), getattr(settings, key), allowed)
                break
        alike.append(name)


def environments(config: Config) -> Iterator[Problem]:
    """No live broker in paper mode, and none but live brokers in live mode (X-30)."""
    for name in config.brokers.names:
        environment = config.brokers.environment_of(name)
        if config.mode is Mode.PAPER and environment == LIVE:
            kind = config.brokers.kinds[config.brokers.kind_of(name)]
            default = kind.settings.model_fields["environment"].default
            key = ("brokers", name, "environment")
            yield Problem(key, environment, f'"{default}" while mode is "paper"')
        if config.mode is Mode.LIVE and name in opened(config):
            yield from _not_live(config, name)


def _not_live(config: Config, name: str) -> Iterator[Problem]:
    """Why an account cannot be traded in live mode: it is no live one, its venue is not traded live
    yet, or nobody says which account is meant (C-201)."""
    settings, kind = config.brokers.of(name), config.brokers.kind_of(name)
    if not isinstance(settings, RealVenueConfig):
        place = {named: key for key, named in _selected(config)}
        key = place.get(name, ("brokers", name, "kind"))
        yield Problem(key, name, 'a live broker while mode is "live"')
    elif not settings.trades_live:
        key = ("brokers", name, "environment")
        others = f"another kind of venue: {kind} is not traded live yet"
        yield Problem(key, settings.environment, others)
    elif not settings.is_live:
        key = ("brokers", name, "environment")
        yield Problem(key, settings.environment, '"live" while mode is "live"')
    elif not settings.account_id:
        wanted = 'the id of the account that the venue answers with, while mode is "live"'
        yield Problem(("brokers", name, "account_id"), "", wanted)


def places(config: Config) -> Iterator[Problem]:
    """No address of the venue's other environment beside the one that is stated (C-201, X-30).

    A venue has more hosts than are named here, so that outside of the live environment no other
    host of the domain of its live ones is taken either.
    """
    for name in config.brokers.names:
        settings = config.brokers.of(name)
        if not isinstance(settings, RealVenueConfig):
            continue
        wanted = f'an address of environment "{settings.environment}", or ""'
        for key, url in settings.addresses.items():
            there = [one for one, hosts in settings.hosts.items() if host_of(url) in hosts]
            if there and settings.environment not in there:
                yield Problem(("brokers", name, key), url, f"{wanted}: it is {there[0]}")
            elif not settings.is_live and settings.may_be_live(url):
                yield Problem(("brokers", name, key), url, f"{wanted}: it may be live")


def prices(config: Config) -> Iterator[Problem]:
    """An account at a real venue is traded by the prices of real venues, and by no others (X-68).

    A paper account is matched on a market of this process. In mode shadow real venues tell the
    prices, and only those whose prices need no connection of the account.
    """
    source = config.market.source
    if config.mode is Mode.SHADOW and source != "broker":
        yield Problem(("market", "source"), source, '"broker" while mode is "shadow"')
        return
    for name in opened(config):
        if name not in config.brokers.names:
            continue  # told by another rule
        settings = config.brokers.of(name)
        if isinstance(settings, RealVenueConfig):
            if source != "broker":
                wanted = f'"broker" while the account {name} is at a real venue'
                yield Problem(("market", "source"), source, wanted)
            elif config.mode is Mode.SHADOW and not settings.prices_apart:
                selected = {chosen: key for key, chosen in _selected(config)}
                key = selected.get(name, ("brokers", name, "kind"))
                kind = config.brokers.kind_of(name)
                wanted = f'another kind than {kind} while mode is "shadow": its prices come over '
                yield Problem(key, name, f"{wanted}the connection of the account")
        elif source == "broker":
            selected = {chosen: key for key, chosen in _selected(config)}
            key = selected.get(name, ("brokers", name, "kind"))
            wanted = 'an account at a real venue while market.source is "broker"'
            yield Problem(key, name, wanted)


def replays(config: Config) -> Iterator[Problem]:
    """A replay names its file."""
    if config.market.source == "replay" and not config.market.file:
        yield Problem(("market", "file"), "", 'a bars CSV while market.source is "replay"')


def addresses(config: Config) -> Iterator[Problem]:
    """A simulated venue in another process has the market it trades on, and a full path."""
    for name in config.brokers.names:
        address = config.brokers.address_of(name)
        key = ("brokers", name, "address")
        if address and not address.startswith("/"):
            yield Problem(key, address, '"" or the full path of a unix socket')
        elif address and config.market.source == "replay":
            yield Problem(key, address, '"" while market.source is "replay"')


def routes(config: Config) -> Iterator[Problem]:
    """A route says what it matches."""
    for index, route in enumerate(config.routes):
        if not route.asset_class and not route.symbol:
            key = ("routes", str(index), "symbol")
            yield Problem(key, "", "a symbol, an asset_class or both")
        known = [str(kind) for kind in AssetClass]
        if route.asset_class and route.asset_class not in known:
            key = ("routes", str(index), "asset_class")
            yield Problem(key, route.asset_class, f'"" or {", ".join(known)}')
        if route.broker in route.also:
            key = ("routes", str(index), "also")
            yield Problem(key, route.broker, "names other than the broker of the route")
        if route.also and not config.data.venues:
            yield Problem(("data", "venues"), "", "a file with a row for each account of a route")


def fallbacks(config: Config) -> Iterator[Problem]:
    """The fallback trades a kind of what may go to it: what is routed to another account (A-240).

    The kind of a symbol is what its name says; a table of instruments is not read here.
    """
    name = config.account.fallback
    if not name or name not in config.brokers.names:
        return
    kinds = {symbol: default_instrument(symbol).asset_class for symbol in config.market.symbols}
    others = {kind for symbol, kind in kinds.items() if routed(config, symbol, kind) != name}
    trades = config.brokers.of(name).asset_classes
    if others and others.isdisjoint(trades):
        wanted = ", ".join(sorted(others))
        yield Problem(
            ("account", "fallback"),
            name,
            f"an account that trades {wanted}, as market.symbols do that go to other accounts; "
            f"{name} trades {', '.join(sorted(trades))}",
        )


RULES: Final[tuple[Callable[[Config], Iterator[Problem]], ...]] = (
    named_brokers,
    account_names,
    one_account_twice,
    environments,
    places,
    tightening,
    replays,
    prices,
    addresses,
    routes,
    fallbacks,
)


def problems(config: Config) -> Iterator[Problem]:
    """What the rules refuse; a key that one of them refused is not judged again.

    A mode that is not built yet is told first, and nobody is told to fit the rest to it.
    """
    seen: set[tuple[str, ...]] = set()
    later = tuple(unbuilt(config))
    mode = tuple(problem for problem in later if problem.key == ("mode",))
    rules = tuple(rule for rule in RULES if not mode or rule is not environments)
    for problem in chain(mode, *(rule(config) for rule in rules), later):
        if problem.key not in seen:
            seen.add(problem.key)
            yield problem
