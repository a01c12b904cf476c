"""A config from a file and the environment: one sentence for every key that is refused.

Nothing else is read, and nothing starts on a config that has a problem. The kinds of venue there
are come from the caller (`brokers.venue_kinds`).
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from engine.config.environment import overlay
from engine.config.judge import judged, label
from engine.config.model import Config
from engine.config.render import plain_value, quoted
from engine.config.rules import problems as rule_problems
from engine.config.toml import read_toml
from engine.config.tree import FILE, Key, Tree, copied
from engine.config.venue import BrokersConfig, VenueKinds
from engine.reference.textfile import BadFile, read_text

LARGEST_FILE: Final = 1_048_576


class ConfigError(Exception):
    """A config that cannot be used; `problems` has one sentence for each refused key."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(path: Path | None, environ: Mapping[str, str], kinds: VenueKinds) -> Config:
    """The config of `path` (None = no file, all defaults) with `environ` laid over it.

    `kinds` are the kinds of venue that an account may be of.

    Raises ConfigError with every problem at once: a file that cannot be read or is not TOML, an
    unknown key, a wrong type, a value out of range, a limit looser than the profile's, a live
    broker in paper mode, a feature that is not built yet.
    """
    if path is None:
        return from_mapping({}, environ, kinds)
    return from_mapping(_read(path), environ, kinds, str(path))


def parse(
    text: str, environ: Mapping[str, str] | None, kinds: VenueKinds, source: str = "config"
) -> Config:
    """The config that TOML text stands for. Raises ConfigError as `load` does."""
    return from_mapping(_tree(text, source), environ, kinds)


def from_mapping(
    tree: Mapping[str, Any],
    environ: Mapping[str, str] | None,
    kinds: VenueKinds,
    source: str = "",
) -> Config:
    """The config of nested keys, as TOML reads them. Raises ConfigError as `load` does.

    `source` is the file that they are from, as a sentence names it; "" where they are from none.
    """
    merged = copied(tree)
    origins = overlay(merged, environ or {}, kinds) | ({FILE: source} if source else {})
    if not merged:
        # The defaults need no validation (a test proves it), and building validators costs 30 ms.
        return Config.model_construct(brokers=BrokersConfig.default(kinds))
    found: list[str] = []
    refused: set[Key] = set()
    config = judged(merged, kinds, origins, found, refused)
    for problem in rule_problems(config):
        if problem.key in refused or any(problem.key[: len(k)] == k for k in refused):
            continue
        name = label(problem.key, origins)
        if problem.missing:
            found.append(f"{name} is missing: {problem.allowed}.")
        else:
            value = quoted(problem.key, problem.value)
            found.append(f"{name} = {value} is refused: allowed is {problem.allowed}.")
    if found:
        raise ConfigError(tuple(found))
    return config


def amended(config: Config, changes: Mapping[str, object]) -> Config:
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
    return from_mapping(tree, None, config.brokers.kinds)


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
        text = read_text(path, most=LARGEST_FILE)
    except BadFile as error:
        raise ConfigError((f"{error}.",)) from error
    return _tree(text, str(path))


def _tree(text: str, source: str) -> Tree:
    try:
        return read_toml(text)
    except tomllib.TOMLDecodeError as error:
        # The message may quote the line's text, which is not ours.
        why = str(error).encode("unicode_escape").decode()
        raise ConfigError((f"{source} is not TOML: {why}.",)) from error
