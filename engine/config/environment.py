"""`MERIDIAN_<SECTION>__<KEY>`: variables laid over the keys of the file."""

import tomllib
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, Final, get_args

from pydantic import BaseModel

from engine.config.model import Config
from engine.config.toml import read_toml
from engine.config.tree import Key, Tree, drop
from engine.config.venue import VenueKinds

PREFIX: Final = "MERIDIAN_"
RESERVED: Final = frozenset(
    {"MERIDIAN_CONFIG", "MERIDIAN_STATE_DIR", "MERIDIAN_LOCK_DIR", "MERIDIAN_LOG_LEVEL"}
)
"""Variables of the program that are no config keys."""


def overlay(tree: Tree, environ: Mapping[str, str], kinds: VenueKinds) -> dict[Key, str]:
    """Lays `MERIDIAN_*` over the tree; returns which variable set which key."""
    origins: dict[Key, str] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in RESERVED:
            continue
        key = tuple(name.removeprefix(PREFIX).lower().split("__"))
        value = environ[name]
        if _put(tree, key, _value(key, value, kinds)):
            origins[key] = name
    for name in set(_secret_variables(tree)):
        # A variable that holds a secret may be named with our prefix: it is no key.
        key = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if origins.get(key) == name:
            drop(tree, key)
            del origins[key]
    return origins


def _put(tree: Tree, key: Key, value: object) -> bool:
    place: Any = tree
    for part in key[:-1]:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            return False  # the file has a value where a table belongs, and is told so
    place[key[-1]] = value
    return True


def _value(key: Key, text: str, kinds: VenueKinds) -> object:
    """The value of a variable: TOML where it is TOML, else the text as it stands."""
    try:
        found = read_toml(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = found["value"] if len(found) == 1 else text
    return text if _takes_text(key, kinds) and not isinstance(value, str) else value


def _takes_text(key: Key, kinds: VenueKinds) -> bool:
    """True where the key's type is text, so that a number on its own is text too."""
    if key[0] == "brokers":
        if len(key) != 3:
            return False
        # Which kind an account of its own name is may be told by a variable read later.
        own = kinds.get(key[1])
        models = [own.settings] if own is not None else [kind.settings for kind in kinds.values()]
        return any(_is_text(model, key[2]) for model in models)
    section: Any = Config
    for part in key[:-1]:
        field = section.model_fields.get(part)
        section = None if field is None else field.annotation
        if not isinstance(section, type) or not issubclass(section, BaseModel):
            return False
    return _is_text(section, key[-1])


def _is_text(model: type[BaseModel], name: str) -> bool:
    field = model.model_fields.get(name)
    kind: Any = None if field is None else field.annotation
    return kind is str or (isinstance(kind, UnionType) and str in get_args(kind))


def _secret_variables(tree: Tree) -> Iterator[str]:
    brokers = tree.get("brokers")
    for venue in brokers.values() if isinstance(brokers, dict) else ():
        for key, value in venue.items() if isinstance(venue, dict) else ():
            if key.endswith("_env") and isinstance(value, str) and value.startswith(PREFIX):
                yield value
