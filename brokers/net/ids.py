"""Ids that a venue tells as text today and as a number tomorrow, or the reverse.

What cannot be read ends a stream and fails a whole list; an id is the same written either way. A
number with a point is none: its digits may have been rounded, and it would be another's id.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

if TYPE_CHECKING:
    TextId = str
    """An id that is text here: a whole number becomes the text of its digits."""
    NumberId = int
    """An id that is a whole number here: a text of its digits becomes that."""
else:
    TextId = Annotated[str | int, msgspec.Meta(description="an id as text")]
    NumberId = Annotated[str | int, msgspec.Meta(description="an id as a number")]

_DIGITS: Final = re.compile(r"-?[0-9]{1,40}")


class WithIds:
    """Stands before `msgspec.Struct` in a row whose fields of the two types above are read so."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Raises ValueError, which fails the row as another type of a field does."""
        if not isinstance(self, msgspec.Struct):
            return
        for name, is_number in _ids(type(self)):
            given = getattr(self, name)
            if is_number and isinstance(given, str):
                if _DIGITS.fullmatch(given) is None:
                    raise ValueError(f"{name} is no whole number")
                msgspec.structs.force_setattr(self, name, int(given))
            elif not is_number and isinstance(given, int):
                msgspec.structs.force_setattr(self, name, str(given))


@cache
def _ids(kind: type[msgspec.Struct]) -> tuple[tuple[str, bool], ...]:
    """The names of a row's ids, each with whether it is a number."""
    fields = msgspec.structs.fields(kind)
    return tuple((f.name, f.type == NumberId) for f in fields if f.type in (TextId, NumberId))
