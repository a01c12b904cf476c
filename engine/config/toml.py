"""TOML as nested keys, whatever the size of its numbers.

A number that Python or `decimal` cannot read is read as its first digits. Those are too large, or
too fine, for every key, so that the key is refused by name, with what is allowed there.
"""

import re
import tomllib
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from engine.config.tree import Tree

_WHOLE: Final = re.compile(r"([0-9](?:_?[0-9]){99})[0-9_]*")
"""A whole number of a hundred digits or more, and its beginning."""
_EXPONENT: Final = re.compile(r"([eE][+-]?[0-9]{15})[0-9]*")
_MOST_BITS: Final = 1_024
"""A whole number of more bits is kept as a decimal, which is written out whatever its size."""


def read_toml(text: str) -> Tree:
    """The keys that a text in TOML holds, its decimals as `Decimal`.

    Raises `tomllib.TOMLDecodeError` for a text that is none, and for one that nests too deep.
    """
    try:
        return {key: _readable(value) for key, value in _tree(text).items()}
    except RecursionError as error:
        raise tomllib.TOMLDecodeError("it nests too deep") from error


def _tree(text: str) -> Tree:
    try:
        return tomllib.loads(text, parse_float=_decimal)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError:
        # Python reads no whole number of thousands of digits; nothing else of the text counts then.
        return tomllib.loads(_WHOLE.sub(r"\1", text), parse_float=_decimal)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal(_EXPONENT.sub(r"\1", text.replace("_", "")))


def _readable(value: Any) -> Any:
    """The value, its whole numbers such that they can be written out."""
    match value:
        case dict():
            return {key: _readable(item) for key, item in value.items()}
        case list():
            return [_readable(item) for item in value]
        case int() if value.bit_length() > _MOST_BITS:
            return Decimal(value)
        case _:
            return value
