"""Makes `now/events.jsonl`: an example of every event type as this program writes it.

`python -m tests.corpus.examples` writes it anew, for as long as the version is not released. With
the release the folder takes the version's name and never changes again.
"""

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import inspect

from engine.domain.events import EVENT_TYPES, Event
from engine.domain.schema import VERSIONS, encode

NOW: Final = Path(__file__).parent / "now" / "events.jsonl"

PLAIN: Final[dict[type[inspect.Type], Any]] = {
    inspect.DecimalType: Decimal("123.45"),
    inspect.BoolType: True,
    inspect.IntType: 1_381_175_700_000_000_001,
    inspect.FloatType: 0.5,
    inspect.DateType: datetime.date(2026, 12, 18),
}
"""Values of the types that are neither texts nor made of others."""


def filled(kind: inspect.Type, name: str) -> Any:
    """A value of a type in which every optional part is there; texts say the field's name."""
    match kind:
        case inspect.StructType(cls=cls):
            return example(cls, whole=True)
        case inspect.EnumType(cls=cls):
            return [*cls][-1]
        case inspect.UnionType(types=types):
            return filled(next(t for t in types if not isinstance(t, inspect.NoneType)), name)
        case inspect.VarTupleType(item_type=item):
            return (filled(item, name),)
        case inspect.ListType(item_type=item):
            return [filled(item, name)]
        case inspect.DictType(key_type=key, value_type=value):
            return {filled(key, name): filled(value, name)}
        case _:
            return PLAIN.get(type(kind), f"the {name}")


def example(cls: type[Any], *, whole: bool) -> Any:
    """A struct with every field filled, or with those alone that have no default."""
    info = inspect.type_info(cls)
    assert isinstance(info, inspect.StructType)
    fields = [f for f in info.fields if whole or f.required]
    return cls(**{field.name: filled(field.type, field.name) for field in fields})


def examples() -> list[Event]:
    """Every event type twice: whole, and with nothing that may be left out."""
    types = [cls for _, cls in sorted(EVENT_TYPES.items())]
    return [example(cls, whole=whole) for cls in types for whole in (True, False)]


def line_of(event: Event) -> bytes:
    """The event as a line of the corpus: type, version, and the data as the journal holds it."""
    kind = type(event).__name__
    head = {"type": kind, "version": VERSIONS[kind], "data": msgspec.Raw(encode(event))}
    return msgspec.json.encode(head)


if __name__ == "__main__":
    NOW.parent.mkdir(exist_ok=True)
    NOW.write_bytes(b"".join(line_of(event) + b"\n" for event in examples()))
