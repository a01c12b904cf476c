"""A config from a file and the environment: one sentence for every key that is refused.

Nothing else is read, and nothing starts on a config that has a problem.
"""

import tomllib
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import UnionType
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from engine.config.model import KIND_TABLES, BrokersConfig, Config
from engine.config.render import bare, dotted, plain_value, quoted
from engine.config.rules import problems as rule_problems

PREFIX: Final = "MERIDIAN_"
RESERVED: Final = frozenset(
    {"MERIDIAN_CONFIG", "MERIDIAN_STATE_DIR", "MERIDIAN_LOCK_DIR", "MERIDIAN_LOG_LEVEL"}
)
"""Variables of the program that are no config keys."""

LARGEST_FILE: Final = 1_048_576

Tree = dict[str, Any]
Key = tuple[str, ...]

_ALLOWED: Final = {
    "bool_type": "true or false",
    "model_type": "a table of keys",
    "string_type": "one line of text",
    "tuple_type": "a list",
}


BUILT: Final = ("paper",)
"""The brokers that have an adapter unless the caller knows more (`brokers.FACTORIES`)."""


class ConfigError(Exception):
    """A config that cannot be used; `problems` has one sentence for each refused key."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(path: Path | None, environ: Mapping[str, str], venues: Collection[str] = BUILT) -> Config:
    """The config of `path` (None = no file, all defaults) with `environ` laid over it.

    `venues` are the brokers that have an adapter.

    Raises ConfigError with every problem at once: a file that cannot be read or is not TOML, an
    unknown key, a wrong type, a value out of range, a limit looser than the profile's, a live
    broker in paper mode, a feature that is not built yet.
    """
    return from_mapping({} if path is None else _read(path), environ, venues)


def parse(text: str, environ: Mapping[str, str] | None = None, source: str = "config") -> Config:
    """The config that TOML text stands for. Raises ConfigError as `load` does."""
    return from_mapping(_tree(text, source), environ or {})


def from_mapping(
    tree: Mapping[str, Any],
    environ: Mapping[str, str] | None = None,
    venues: Collection[str] = BUILT,
) -> Config:
    """The config of nested keys, as TOML reads them. Raises ConfigError as `load` does."""
    merged = _copied(tree)
    origins = _overlay(merged, environ or {})
    if not merged:
        # The defaults need no validation (a test proves it), and building validators costs 30 ms.
        return Config.model_construct()
    found: list[str] = []
    refused: set[Key] = set()
    config = _validated(merged, origins, found, refused)
    for problem in rule_problems(config, venues):
        if problem.key in refused or any(problem.key[: len(k)] == k for k in refused):
            continue
        name = _label(problem.key, origins)
        if problem.missing:
            found.append(f"{name} is missing: {problem.allowed}.")
        else:
            value = quoted(problem.key, problem.value)
            found.append(f"{name} = {value} is refused: allowed is {problem.allowed}.")
    if found:
        raise ConfigError(tuple(found))
    return config


def amended(
    config: Config, changes: Mapping[str, object], venues: Collection[str] = BUILT
) -> Config:
    """The config with other values, by dotted key, judged again as a whole.

    Raises ConfigError as `load` does.
    """
    tree = _set_values(config)
    for key, value in changes.items():
        *parents, name = key.split(".")
        place = tree
        for part in parents:
            place = place.setdefault(part, {})
        place[name] = plain_value(value)
    return from_mapping(tree, None, venues)


def _set_values(section: BaseModel) -> Tree:
    """The keys that are not None, as TOML would read them."""
    tree = plain_value(section)
    assert isinstance(tree, dict)  # noqa: S101 - a section is a table
    return _without_none(tree)


def _without_none(tree: Tree) -> Tree:
    return {
        key: _without_none(value) if isinstance(value, dict) else value
        for key, value in tree.items()
        if value is not None
    }


def _read(path: Path) -> Tree:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise ConfigError((f"{path} is larger than a config may be: 1 MiB is allowed.",))
        text = content.decode("utf-8")
    except OSError as error:
        raise ConfigError(
            (f"{path} cannot be read as a config file: {error.strerror or error}.",)
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            (f"{path} is not UTF-8 text at byte {error.start}: a TOML file is allowed.",)
        ) from error
    return _tree(text, str(path))


def _tree(text: str, source: str) -> Tree:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        why = "it nests too deep" if isinstance(error, RecursionError) else str(error)
        # The message may quote the line's text, which is not ours.
        raise ConfigError(
            (f"{source} is not TOML: {why.encode('unicode_escape').decode()}.",)
        ) from (error)


def _copied(tree: Mapping[str, Any]) -> Tree:
    return {
        key: _copied(value) if isinstance(value, Mapping) else value for key, value in tree.items()
    }


def _overlay(tree: Tree, environ: Mapping[str, str]) -> dict[Key, str]:
    """Lays `MERIDIAN_*` over the tree; returns which variable set which key."""
    origins: dict[Key, str] = {}
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in RESERVED:
            continue
        key = tuple(name.removeprefix(PREFIX).lower().split("__"))
        value = environ[name]
        if _put(tree, key, _env_value(key, value)):
            origins[key] = name
    for name in set(_secret_variables(tree)):
        # A variable that holds a secret may be named with our prefix: it is no key.
        key = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if origins.get(key) == name:
            _drop(tree, key)
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


def _env_value(key: Key, text: str) -> object:
    """The value of a variable: TOML where it is TOML, else the text as it stands."""
    try:
        found = tomllib.loads(f"value = {text}", parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    value = found["value"] if len(found) == 1 else text
    return text if _takes_text(key) and not isinstance(value, str) else value


def _takes_text(key: Key) -> bool:
    """True where the key's type is text, so that a number on its own is text too."""
    section: Any = Config
    for part in key:
        fields = section.model_fields if _is_section(section) else {}
        if part not in fields and section is BrokersConfig:
            # Which kind an account of its own name is may be told by a variable read later.
            rows = (kind.model_fields.get(key[-1]) for kind in KIND_TABLES.values())
            return any(row is not None and row.annotation is str for row in rows)
        if part not in fields:
            return False
        section = fields[part].annotation
    return section is str or (isinstance(section, UnionType) and str in get_args(section))


def _is_section(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _secret_variables(tree: Tree) -> Iterator[str]:
    brokers = tree.get("brokers")
    for venue in brokers.values() if isinstance(brokers, dict) else ():
        for key, value in venue.items() if isinstance(venue, dict) else ():
            if key.endswith("_env") and isinstance(value, str) and value.startswith(PREFIX):
                yield value


def _validated(
    tree: Tree, origins: Mapping[Key, str], found: list[str], refused: set[Key]
) -> Config:
    """The config without the keys that are refused one by one; each adds a sentence."""
    while True:
        try:
            return Config.model_validate(tree)
        except ValidationError as failure:
            for error in failure.errors(include_url=False):
                place = _without_kind(error["loc"])
                key = tuple(str(part) for part in place)
                found.append(_sentence(key, error, origins))
                refused.add(key)
                _drop(tree, place)


def _without_kind(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """The place of an error in the file: of an account of its own name, its kind stands between."""
    named = len(place) > 2 and place[0] == "brokers" and place[1] not in KIND_TABLES
    return (*place[:2], *place[3:]) if named else place


def _drop(tree: Tree, key: tuple[int | str, ...]) -> None:
    """Removes a key; of a list, or of a row that misses a key, the whole list."""
    place: Any = tree
    for depth, part in enumerate(key):
        last = depth == len(key) - 1
        child = place.get(part) if isinstance(place, dict) else None
        if last or not isinstance(child, dict):
            place.pop(part, None)
            return
        place = child


def _sentence(key: Key, error: Any, origins: Mapping[Key, str]) -> str:
    name, value, kind = _label(key, origins), quoted(key, error["input"]), error["type"]
    if kind == "union_tag_not_found":
        return f"{name} = {value} is unknown: {_known(key)}, and any other name with its kind."
    if kind == "union_tag_invalid":
        wrong = quoted((*key, "kind"), error["input"]["kind"])
        allowed = "one of " + ", ".join(f'"{known}"' for known in KIND_TABLES)
        return f"{_label((*key, 'kind'), origins)} = {wrong} is refused: allowed is {allowed}."
    if kind == "extra_forbidden":
        return f"{name} = {value} is unknown: {_known(key, error['loc'])}."
    if kind == "missing":
        return f"{name} is missing: {dotted(key[:-1])} needs it."
    if kind == "literal_error":
        allowed = "one of " + error["ctx"]["expected"].replace("'", '"').replace(" or ", ", ")
    elif kind == "refused":
        allowed = error["ctx"]["allowed"]
    else:
        allowed = _ALLOWED.get(kind, error["msg"])
    return f"{name} = {value} is refused: allowed is {allowed}."


def _known(key: Key, place: tuple[int | str, ...] = ()) -> str:
    """What a table takes, and the key that was probably meant; `place` is its way by types."""
    import difflib

    section: Any = Config
    for part in [part for part in place[:-1] if isinstance(part, str)] or key[:-1]:
        if section is BrokersConfig and part not in KIND_TABLES:
            continue  # the name of an account; its kind follows
        section = section.model_fields[part].annotation if _is_section(section) else section
    if not _is_section(section):
        section = get_args(section)[0] if get_args(section) else Config
    names = list(section.model_fields)
    where = f"[{dotted(key[:-1])}]" if len(key) > 1 else "the file"
    close = difflib.get_close_matches(key[-1], names, n=1)
    meant = f"{bare(close[0])} may be meant, " if close else ""
    return f"{meant}{where} takes {', '.join(names)}"


def _label(key: Key, origins: Mapping[Key, str]) -> str:
    for depth in range(len(key), 0, -1):
        if key[:depth] in origins:
            return f"{dotted(key)} ({bare(origins[key[:depth]])})"
    return dotted(key)
