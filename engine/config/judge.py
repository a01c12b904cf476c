"""Every key judged by its section, one by one: what is left, and a sentence for what is refused."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final, get_args

import msgspec
from pydantic import BaseModel, ValidationError

from engine.config.model import Config
from engine.config.render import MASK, bare, dotted, quoted, written
from engine.config.tree import FILE, Key, Tree, drop
from engine.config.venue import BrokersConfig, VenueConfig, VenueKinds
from engine.domain.text import clean_text

_ALLOWED: Final = {
    "bool_type": "true or false",
    "model_type": "a table of keys",
    "string_type": "one line of text",
    "tuple_type": "a list",
}
_ORDER: Final = {name: place for place, name in enumerate(Config.model_fields)}


class _Fault(msgspec.Struct, frozen=True):
    """A key that its section refuses."""

    place: tuple[int | str, ...]
    """Where in the file; a number is a row of a list."""
    type: str
    """Pydantic's word for what is wrong, or `unknown_account` or `unknown_kind`."""
    value: object
    allowed: str = ""
    takes: tuple[str, ...] = ()
    """What the table takes that the key stands in."""


def judged(
    tree: Tree,
    kinds: VenueKinds,
    origins: Mapping[Key, str],
    found: list[str],
    refused: set[Key],
) -> Config:
    """The config of `tree` without the keys that are refused one by one.

    Each of those adds a sentence to `found` and its path to `refused`, and leaves `tree`.
    `origins` says which variable has set which key, and the file of the others.
    """
    while True:
        brokers, faults = _accounts(tree.get("brokers", {}), kinds)
        try:
            config = Config.model_validate({**tree, "brokers": brokers})
        except ValidationError as failure:
            faults += _faults(failure, (), Config)
        else:
            if not faults:
                return config
        # Told as the sections stand; unknown ones come last.
        for fault in sorted(faults, key=lambda one: _ORDER.get(str(one.place[0]), len(_ORDER))):
            key = tuple(str(part) for part in fault.place)
            found.append(_sentence(key, fault, origins))
            refused.add(key)
            drop(tree, fault.place)


def label(key: Key, origins: Mapping[Key, str]) -> str:
    """A key as a sentence names it, with the variable that has set it, or else its file."""
    for depth in range(len(key), 0, -1):
        if key[:depth] in origins:
            return f"{dotted(key)} ({bare(origins[key[:depth]])})"
    return f"{clean_text(origins[FILE])}: {dotted(key)}" if FILE in origins else dotted(key)


def _accounts(given: object, kinds: VenueKinds) -> tuple[BrokersConfig, list[_Fault]]:
    """`[brokers]`, each table by the model of its kind; one that is refused stands at its default
    or is left out."""
    faults: list[_Fault] = []
    brokers = BrokersConfig.default(kinds)
    if not isinstance(given, Mapping):
        return brokers, [_Fault(("brokers",), "model_type", given, _ALLOWED["model_type"])]
    tables: dict[str, VenueConfig] = dict(brokers.tables)
    own = [name for name in given if name not in kinds]
    for name in [*(name for name in kinds if name in given), *own]:
        place, table = ("brokers", name), given[name]
        stated = name if name in kinds else _stated(table)
        if not stated:
            faults.append(_Fault(place, "unknown_account", table, takes=tuple(kinds)))
        elif stated not in kinds:
            faults.append(_Fault(place, "unknown_kind", table["kind"], takes=tuple(kinds)))
        else:
            model = kinds[stated].settings
            try:
                tables[name] = model.model_validate(table)
            except ValidationError as failure:
                faults += _faults(failure, place, model)
    return BrokersConfig(kinds, tables), faults


def _stated(table: object) -> str:
    """The kind that a table of another name states; "" where it states none."""
    kind = table.get("kind") if isinstance(table, Mapping) else None
    return "" if kind is None else str(kind)


def _faults(
    failure: ValidationError, above: tuple[str, ...], model: type[BaseModel]
) -> Iterator[_Fault]:
    """What a model refuses of the table at `above`."""
    for error in failure.errors(include_url=False):
        place, kind = error["loc"], error["type"]
        context = error.get("ctx", {})
        if kind == "literal_error":
            allowed = "one of " + context["expected"].replace("'", '"').replace(" or ", ", ")
        elif kind == "refused":
            allowed = context["allowed"]
        else:
            allowed = _ALLOWED.get(kind, error["msg"])
        takes = _takes(model, place[:-1]) if kind == "extra_forbidden" else ()
        yield _Fault((*above, *place), kind, error["input"], allowed, takes)


def _takes(model: type[BaseModel], place: tuple[int | str, ...]) -> tuple[str, ...]:
    """The keys of the table at `place` in a model; a number is a row of a list."""
    section: Any = model
    for part in place:
        section = get_args(section)[0] if isinstance(part, int) else _field(section, part)
    return tuple(section.model_fields)


def _field(section: type[BaseModel], name: str) -> Any:
    return section.model_fields[name].annotation


def _is_untold(fault: _Fault) -> bool:
    """True where the value is never shown: it may be a secret that was put astray.

    An unknown key's is, and text or keys where something else belongs.
    """
    if fault.type in ("extra_forbidden", "unknown_account") or isinstance(fault.value, Mapping):
        return True
    return fault.type == "model_type" and not isinstance(fault.value, int | Decimal)


def _sentence(key: Key, fault: _Fault, origins: Mapping[Key, str]) -> str:
    if fault.type == "unknown_kind":
        inner = (*key, "kind")
        allowed = "one of " + ", ".join(f'"{known}"' for known in fault.takes)
        wrong = quoted(inner, fault.value)
        return f"{label(inner, origins)} = {wrong} is refused: allowed is {allowed}."
    name = label(key, origins)
    value = written(MASK) if _is_untold(fault) else quoted(key, fault.value)
    if fault.type == "unknown_account":
        known = _known(key, fault.takes)
        return f"{name} = {value} is unknown: {known}, and any other name with its kind."
    if fault.type == "extra_forbidden":
        return f"{name} = {value} is unknown: {_known(key, fault.takes)}."
    if fault.type == "missing":
        return f"{name} is missing: {dotted(key[:-1])} needs it."
    return f"{name} = {value} is refused: allowed is {fault.allowed}."


def _known(key: Key, takes: tuple[str, ...]) -> str:
    """What a table takes, and the key that was probably meant."""
    import difflib

    where = f"[{dotted(key[:-1])}]" if len(key) > 1 else "the file"
    close = difflib.get_close_matches(key[-1], takes, n=1)
    meant = f"{bare(close[0])} may be meant, " if close else ""
    return f"{meant}{where} takes {', '.join(takes)}"
