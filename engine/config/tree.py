"""Nested keys, as TOML reads them, before they are judged."""

from collections.abc import Mapping
from typing import Any, Final

Tree = dict[str, Any]
Key = tuple[str, ...]
"""The path of a key."""

FILE: Final[Key] = ()
"""Among the origins of keys: the file from which those are that no variable has set."""


def copied(tree: Mapping[str, Any]) -> Tree:
    """A tree of its own, which may be changed."""
    return {
        key: copied(value) if isinstance(value, Mapping) else value for key, value in tree.items()
    }


def drop(tree: Tree, place: tuple[int | str, ...]) -> None:
    """Removes a key; of a list, or of a row that misses a key, the whole list."""
    here: Any = tree
    for depth, part in enumerate(place):
        last = depth == len(place) - 1
        child = here.get(part) if isinstance(here, dict) else None
        if last or not isinstance(child, dict):
            here.pop(part, None)
            return
        here = child
