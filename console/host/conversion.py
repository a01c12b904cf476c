"""The arguments of a command, as they came in, made values of their types (INTERFACE)."""

import dataclasses
from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import Enum
from types import NoneType
from typing import Any, Final, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from console.commands.arguments import LINE
from console.commands.model import Args
from console.host.requests import CommandError
from engine.config.kinds import as_decimal, within
from engine.domain.text import clean_text

A = TypeVar("A", bound=Args)


def convert(args: Mapping[str, Any], kind: type[A]) -> A:
    """The arguments as their type, their texts made safe (they are journalled). CommandError."""
    safe = {
        key: clean_text(value) if isinstance(value, str) and key not in LINE else value
        for key, value in args.items()
    }
    known = [field.name for field in dataclasses.fields(kind)]
    for name in safe:
        if name not in known:
            words = f"{clean_text(name, 32)} is no argument: {', '.join(known)} are allowed"
            raise CommandError("INVALID_INPUT", words)
    _read_numbers(safe, kind)
    try:
        return msgspec.convert(safe, kind)
    except (msgspec.ValidationError, ValueError, ArithmeticError) as error:
        raise CommandError("INVALID_INPUT", _sentence(safe, kind, str(error))) from error


def _read_numbers(args: dict[str, Any], kind: type[Args]) -> None:
    """Put the numbers in place of the texts that a person wrote them as. Raises CommandError."""
    for name, hint in get_type_hints(kind).items():
        text = args.get(name)
        if isinstance(text, str) and Decimal in (hint, *get_args(hint)):
            number = as_decimal(text)
            if number is None:
                allowed = within(_KINDS[Decimal], text)
                words = f'{name} "{clean_text(text, 64)}" is refused: allowed is {allowed}'
                raise CommandError("INVALID_INPUT", words)
            args[name] = number


def _sentence(args: Mapping[str, Any], kind: type[Args], found: str) -> str:
    """What was given, where, and what is allowed; `found` is what the conversion says."""
    for field in dataclasses.fields(kind):
        name, needed = field.name, field.default is dataclasses.MISSING
        if f"`$.{name}`" in found:
            shown = clean_text(str(args[name]), 64)
            return f'{name} "{shown}" is refused: allowed is {_allowed(field.type)}'
        if name not in args and needed:
            return f"{name} is missing: allowed is {_allowed(field.type)}"
    return clean_text(found, 300)


def _allowed(kind: Any) -> str:
    """The values of a type in words."""
    origin = get_origin(kind)
    if origin is Literal:
        return _either(get_args(kind))
    if (known := _KINDS.get(origin or kind)) is not None:
        return known
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _either(item.value for item in kind)
    return _either(_allowed(one) for one in get_args(kind) if one is not NoneType)


def _either(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


_KINDS: Final[Mapping[Any, str]] = {
    str: "text",
    bytes: "base64",
    bool: "true or false",
    int: "a whole number",
    dict: "an object",
    Decimal: "a finite number above 0",
}
