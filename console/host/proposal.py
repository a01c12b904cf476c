"""What a config misses so that an account at a venue is traded: keys and routes.

Nothing is asked or written here; `console.cli.connecting` shows it to a person first.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from console.host.config_edit import Change, Edit, value_in
from engine.config import Config, opened
from engine.config.accounts import is_real
from engine.config.venue import RealVenueConfig
from engine.domain.account import Account
from engine.domain.instrument import parse

_DEFAULTS: Final = Config.model_construct()


def has_real(config: Config) -> bool:
    """Whether the primary account is at a real venue already."""
    return is_real(config, config.account.primary)


def fitting(symbols: Iterable[str], asset_classes: Sequence[str]) -> tuple[str, ...]:
    """Those symbols whose id has the shape of one of the kinds of instrument."""
    return tuple(symbol for symbol in symbols if class_of(symbol) in asset_classes)


def class_of(symbol: str) -> str:
    """The kind of instrument that an id stands for by its shape; "" for what is no id."""
    try:
        return str(parse(symbol)[0])
    except ValueError:
        return ""


def candidates(
    config: Config, name: str, asset_classes: Sequence[str], usual: Sequence[str]
) -> tuple[str, ...]:
    """The symbols to ask the venue about: what is watched already and may be traded there, else
    `usual`."""
    watched = fitting(config.market.symbols, asset_classes)
    if not has_real(config) or name == config.account.primary:
        return watched or tuple(usual)
    return tuple(symbol for symbol in usual if symbol not in config.market.symbols)


def proposed(
    config: Config,
    text: str,
    name: str,
    account: Account,
    symbols: Sequence[str],
    *,
    answers: Mapping[str, str | int],
    fresh: bool,
) -> Edit:
    """What to change in the config of `text` so that the account `name` is traded.

    `symbols` are to be watched for it, `answers` keys of its table that a person has told. `fresh`:
    no journal says in which currency is counted yet.
    The first account at a real venue becomes the primary one, for real accounts and paper accounts
    are not traded by one process; a further one gets the routes of its symbols.
    """
    tree = tomllib.loads(text)
    wanted: list[tuple[tuple[str, ...], Any]] = []
    routes: tuple[dict[str, str], ...] = ()
    settings = config.brokers.of(name)
    wanted.append((("brokers", name, "account_id"), account.account_id))
    if isinstance(settings, RealVenueConfig):
        wanted.append((("brokers", name, "environment"), settings.environment))
    told = {key for key, _ in wanted}
    answered = [(("brokers", name, key), value) for key, value in answers.items()]
    wanted += [(key, value) for key, value in answered if key not in told]
    if name == config.account.primary or not has_real(config):
        stated = value_in(tree, ("account", "currency"))
        other = config.account.currency != account.currency
        # The file of rates is against the currency that is counted in now: against another one
        # each of its rows would say something else, and that of the account's currency is refused.
        usual = stated in (None, _DEFAULTS.account.currency) and not config.data.rates
        if fresh and other and usual:
            wanted.append((("account", "currency"), account.currency))
        wanted.append((("account", "primary"), name))
        if symbols:
            wanted.append((("market", "symbols"), tuple(symbols)))
    else:
        added = [symbol for symbol in symbols if symbol not in config.market.symbols]
        wanted.append((("market", "symbols"), (*config.market.symbols, *added)))
        if name not in opened(config):
            routes = tuple(_routes(config, name, added))
    wanted.append((("market", "source"), "broker"))
    changes = []
    for key, value in wanted:
        was = value_in(tree, key)
        if (tuple(was) if isinstance(was, list) else was) != value:
            changes.append(Change(key, value, was))
    return Edit(tuple(changes), routes)


def is_decided(config: Config, change: Change) -> bool:
    """Whether something that somebody has set is taken away: the file says another thing than the
    default, and the new value does not merely add to it."""
    if change.was is None:
        return False
    was = tuple(change.was) if isinstance(change.was, list) else change.was
    if isinstance(was, tuple) and isinstance(change.value, tuple) and _begins(change.value, was):
        return False
    section, *names = change.key
    if section == "brokers":
        kind = config.brokers.kinds[config.brokers.kind_of(names[0])]
        usual = kind.settings.model_fields[names[1]].default
    else:
        usual = getattr(getattr(_DEFAULTS, section), names[0])
    return bool(was != usual)


def _begins(whole: tuple[str, ...], part: tuple[str, ...]) -> bool:
    return whole[: len(part)] == part


def _routes(config: Config, name: str, symbols: Sequence[str]) -> list[dict[str, str]]:
    """One row for each kind of instrument that nothing else trades, else one for each symbol."""
    watched = {class_of(symbol) for symbol in config.market.symbols}
    rows: list[dict[str, str]] = []
    for symbol in symbols:
        kind = class_of(symbol)
        row = {"symbol": symbol} if kind in watched else {"asset_class": kind}
        if (row := row | {"broker": name}) not in rows:
            rows.append(row)
    return rows
