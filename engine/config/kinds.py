"""The kinds of value a config key takes, each with the one phrase that says what is allowed.

TOML decimals reach these kinds as `Decimal`, as written in the file; a float given by a program is
read through its repr. A rate is a fraction of 1, whatever its key is called (X-46, D-03).
"""

import re
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, TypeVar

from pydantic import BeforeValidator, PlainValidator
from pydantic_core import PydanticCustomError

from engine.domain.instrument import SYMBOL_WORDS, is_symbol
from engine.domain.money import LARGEST, ZERO, is_positive, plain, written_number

LARGEST_GIVEN: Final = LARGEST
"""No money, size or count that a person gives is above this."""

FINEST_EXPONENT: Final = -18
"""No decimal has more than this many places."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,31}", re.ASCII)
_CURRENCY: Final = re.compile(r"(?=[0-9]*[A-Z])[A-Z0-9]{3,8}", re.ASCII)
"""What an account may be kept in: a currency, or a coin such as USDT (X-86)."""

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


def refusal(allowed: str) -> PydanticCustomError:
    """The error of a value that is not allowed; `allowed` says what is."""
    return PydanticCustomError("refused", "{allowed}", {"allowed": allowed})


def as_decimal(value: object) -> Decimal | None:
    """The finite decimal that a config value stands for; None where it is none, or is out of what
    any number may be (`within`)."""
    number = _number(value)
    return None if number is None or _bound(number) else number or ZERO


def within(allowed: str, value: object) -> str:
    """What is allowed in place of a value that is refused: `allowed`, and for a number above 0 that
    is larger or finer than any may be the bound that it breaks."""
    number = _number(value)
    bound = "" if number is None else _bound(number)
    return f"{allowed} {bound}" if bound and number is not None and number > 0 else allowed


def _number(value: object) -> Decimal | None:
    """The finite number that a value is, however large or fine; else None."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            value = repr(value)
        except ValueError:  # an int of more digits than Python writes
            return None
    if isinstance(value, str):
        return written_number(value)
    return value if isinstance(value, Decimal) and value.is_finite() else None


def _bound(number: Decimal) -> str:
    """The bound that a finite number breaks, in words; "" where it breaks none."""
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < FINEST_EXPONENT:
        return f"with at most {-FINEST_EXPONENT} digits after the point"
    if number.adjusted() > LARGEST_GIVEN.adjusted() or number.copy_abs() > LARGEST_GIVEN:
        return f"and at most {plain(LARGEST_GIVEN)}"
    return ""


def is_usable(number: Decimal | None) -> bool:
    """Whether a quantity or price that a person gives can be one: above zero, finite, and neither
    so large nor so fine that arithmetic cuts it."""
    return is_positive(number) and as_decimal(number) is not None


def decimals(allowed: str, fits: Callable[[Decimal], bool]) -> PlainValidator:
    """A decimal for which `fits` holds; whole numbers, text and TOML decimals are taken."""

    def check(value: object) -> Decimal:
        number = as_decimal(value)
        if number is None or not fits(number):
            # What is bounded lower than any number is named by its own bound alone.
            too_large = (_number(value) or ZERO).copy_abs() > LARGEST_GIVEN
            own = too_large and not fits(LARGEST_GIVEN)
            raise refusal(allowed if own else within(allowed, value))
        return number

    return PlainValidator(check)


def whole(low: int, high: int = 1_000_000_000) -> PlainValidator:
    """A whole number from `low` to `high`; no decimal, no text, no boolean."""

    def check(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise refusal(f"a whole number from {low} to {high}")
        return value

    return PlainValidator(check)


def real(low: str, high: str) -> PlainValidator:
    """A number from `low` to `high` that is no money: a speed, a factor, seconds to wait."""

    def check(value: object) -> float:
        number = as_decimal(value)
        if isinstance(value, str) or number is None or not Decimal(low) <= number <= Decimal(high):
            raise refusal(f"a number from {low} to {high}")
        return float(number)

    return PlainValidator(check)


def member(kind: type[E], *members: E) -> PlainValidator:
    """One of the members of an enumeration (all without `members`), written in lower case."""
    taken = {str(item).lower(): item for item in members or tuple(kind)}

    def check(value: object) -> E:
        found = taken.get(value) if isinstance(value, str) else None
        if found is None:
            raise refusal("one of " + ", ".join(f'"{name}"' for name in taken))
        return found

    return PlainValidator(check)


def text(allowed: str, fits: Callable[[str], bool]) -> PlainValidator:
    """One line of text for which `fits` holds."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not value.isprintable() or len(value) > 4096:
            raise refusal(allowed)
        if not fits(value):
            raise refusal(allowed)
        return value

    return PlainValidator(check)


def several(fits: Callable[[tuple[object, ...]], bool], allowed: str) -> BeforeValidator:
    """A list, read as a tuple, for which `fits` holds."""

    def check(value: object) -> tuple[object, ...]:
        items = tuple(value) if isinstance(value, list | tuple) else None
        if items is None or not fits(items):
            raise refusal(allowed)
        return items

    return BeforeValidator(check)


def _span(items: tuple[object, ...]) -> bool:
    """Two whole milliseconds, the lower one first."""
    low, high = items if len(items) == 2 else (None, None)
    if not isinstance(low, int) or not isinstance(high, int):
        return False
    if isinstance(low, bool) or isinstance(high, bool):
        return False
    return 0 <= low <= high <= 60_000


Share = Annotated[
    Decimal,
    decimals("a fraction of 1, above 0 and at most 1 (0.02 is 2 %)", lambda n: 0 < n <= 1),
]
ShareOrNone = Annotated[
    Decimal, decimals("a fraction of 1, from 0 to 1 (0.02 is 2 %)", lambda n: 0 <= n <= 1)
]
BasisPoints = Annotated[
    Decimal, decimals("basis points from 0 to 10000 (5 is 0.05 %)", lambda n: 0 <= n <= 10_000)
]
Money = Annotated[Decimal, decimals("an amount of 0 or more", lambda n: n >= 0)]
PositiveMoney = Annotated[Decimal, decimals("an amount above 0", lambda n: n > 0)]
Multiple = Annotated[
    Decimal, decimals("a number above 0 and at most 1000", lambda n: 0 < n <= 1000)
]

Seconds = Annotated[int, whole(1, 86_400)]
SecondsOrNone = Annotated[int, whole(0, 86_400)]
Count = Annotated[int, whole(1)]

Text = Annotated[str, text("one line of text", lambda _: True)]
Name = Annotated[
    str,
    text(
        "a name of letters, digits, dot, dash, slash or underscore, at most 32",
        lambda value: _NAME.fullmatch(value) is not None,
    ),
]
OptionalName = Annotated[
    str,
    text(
        '"" or a name of letters, digits, dot, dash, slash or underscore, at most 32',
        lambda value: not value or _NAME.fullmatch(value) is not None,
    ),
]
Currency = Annotated[
    str,
    text(
        "3 to 8 capital letters or digits such as USD or USDT",
        lambda value: _CURRENCY.fullmatch(value) is not None,
    ),
]
Symbol = Annotated[str, text(f"a symbol of {SYMBOL_WORDS}", is_symbol)]
Symbols = Annotated[
    tuple[Symbol, ...],
    several(
        lambda items: 1 <= len(items) <= 500 and len({str(i) for i in items}) == len(items),
        "a list of 1 to 500 different symbols",
    ),
]
FilePath = Annotated[
    str,
    text("the path of a file, no address on a network", lambda value: "://" not in value),
]
"""Whatever reads the file tells its path: an address may hold a password (U-72)."""
Texts = Annotated[tuple[Text, ...], several(lambda items: len(items) <= 100, "a list of texts")]
Span = Annotated[
    tuple[int, int],
    several(_span, "two whole numbers of milliseconds up to 60000, the lower one first"),
]
