"""What the keys of a config say together: modes, profiles, references, and what is not built yet.

Each rule reads a config whose keys are valid one by one, and yields a `Problem` for every key it
refuses. A feature that comes later is one row of `NOT_BUILT`; it leaves the table when it is built.
"""

from collections.abc import Callable, Collection, Iterator
from itertools import chain
from typing import Final

import msgspec

from engine.config.model import Config, VenueConfig
from engine.config.profiles import PROFILES, ROWS
from engine.config.render import written
from engine.domain.run import Mode

VENUES: Final = ("alpaca", "ibkr", "binance", "coinbase", "okx", "oanda")


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

_REFUSED: Final = (
    *_table("account", "a second broker", fallback=""),
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
    *_table("exits", "the time stop", time_stop_minutes=120),
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

NOT_BUILT: Final = (
    NotBuilt(("mode",), (Mode.PAPER,), "a live venue"),
    NotBuilt(("market", "source"), ("simulated", "replay"), "the market data of a broker"),
    *_REFUSED,
    NotBuilt(("routes",), ((),), "routing to several brokers"),
)


def not_built(venues: Collection[str]) -> Iterator[NotBuilt]:
    """`NOT_BUILT`, and what concerns brokers without an adapter; `venues` have one."""
    yield from NOT_BUILT
    yield NotBuilt(("account", "primary"), tuple(venues), "another broker")
    for venue in VENUES:
        if venue not in venues:
            for key, value in getattr(_DEFAULTS.brokers, venue):
                yield NotBuilt(("brokers", venue, key), (value,), f"the broker {venue}")


def value_at(config: Config, key: tuple[str, ...]) -> object:
    """The value of a key, given as its path."""
    value: object = config
    for part in key:
        value = getattr(value, part)
    return value


def unbuilt(config: Config, venues: Collection[str]) -> Iterator[Problem]:
    """Keys of features that are not built yet, away from their default."""
    for row in not_built(venues):
        value = value_at(config, row.key)
        if value not in row.allowed:
            taken = " or ".join(written(item) for item in row.allowed)
            yield Problem(row.key, value, f"{taken} ({row.feature}: not built yet)")


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


def named_brokers(config: Config) -> Iterator[Problem]:
    """Every broker that is named has its section, and the fallback is another one."""
    known = tuple(type(config.brokers).model_fields)
    for key, name in _selected(config):
        if name not in known:
            yield Problem(key, name, "a name under [brokers]: " + ", ".join(known))
    if config.account.fallback == config.account.primary:
        yield Problem(
            ("account", "fallback"), config.account.fallback, "a broker other than the primary"
        )


def environments(config: Config) -> Iterator[Problem]:
    """No live broker in paper mode, and none but live brokers in live mode (X-30)."""
    selected = {name: key for key, name in _selected(config)}
    for name in VENUES:
        broker: VenueConfig = getattr(config.brokers, name)
        environment = getattr(broker, "environment", "")
        default = getattr(getattr(_DEFAULTS.brokers, name), "environment", "")
        key = ("brokers", name, "environment")
        if config.mode is Mode.PAPER and environment == "live":
            yield Problem(key, environment, f'"{default}" while mode is "paper"')
        if config.mode is Mode.LIVE and name in selected and environment != "live":
            yield Problem(key, environment, '"live" while mode is "live"')
    if config.mode is Mode.LIVE and "paper" in selected:
        yield Problem(selected["paper"], "paper", 'a live broker while mode is "live"')


def replays(config: Config) -> Iterator[Problem]:
    """A replay names its file."""
    if config.market.source == "replay" and not config.market.file:
        yield Problem(("market", "file"), "", 'a bars CSV while market.source is "replay"')


def addresses(config: Config) -> Iterator[Problem]:
    """A paper venue in another process has the market it trades on, and a full path."""
    address = config.brokers.paper.address
    key = ("brokers", "paper", "address")
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


RULES: Final[tuple[Callable[[Config], Iterator[Problem]], ...]] = (
    named_brokers,
    environments,
    tightening,
    replays,
    addresses,
    routes,
)


def problems(config: Config, venues: Collection[str]) -> Iterator[Problem]:
    """What the rules refuse; a key that one of them refused is not judged again.

    A mode that is not built yet is told first, and nobody is told to fit the rest to it.
    """
    seen: set[tuple[str, ...]] = set()
    later = tuple(unbuilt(config, venues))
    mode = tuple(problem for problem in later if problem.key == ("mode",))
    rules = tuple(rule for rule in RULES if not mode or rule is not environments)
    for problem in chain(mode, *(rule(config) for rule in rules), later):
        if problem.key not in seen:
            seen.add(problem.key)
            yield problem
