"""A config written down: as TOML, with secrets masked, and as one digest."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec
from pydantic import BaseModel

from engine.config.model import Config
from engine.config.profiles import PROFILES, ROWS, limits
from engine.config.venue import BrokersConfig, VenueKinds
from engine.domain.money import plain
from engine.domain.run import ProfileName

MASK: Final = "***"

_SECRET: Final = re.compile(
    r"(^|_|-)(api)?(key|secret|token|passphrase|password|passwd|pwd|signature|credentials?|private|"
    r"mnemonic|bearer|auth)s?(_|-|$)",
    re.IGNORECASE,
)
_SECRET_VALUE: Final = re.compile(
    r"//.*@"  # a user or a password before a host, which may hold what an address may not
    r"|^\s*[^/\s:@]+:.+@"
    r"|[?&;#][\w-]*(key|secret|token|pass|pwd|sig|auth|cred)[\w-]*=",
    re.IGNORECASE | re.DOTALL,
)
"""Text that holds something secret, whatever key it stands under."""
_VARIABLE_KEY: Final = re.compile(r"(key|secret|passphrase|token)_env")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_COMMENT_COLUMN: Final = 40
_SHOWN: Final = 80


def written(value: object) -> str:
    """A value as TOML writes it; decimals are strings."""
    match value:
        case None:
            return '""'
        case bool():
            return "true" if value else "false"
        case StrEnum():
            return written(value.value.lower())
        case Decimal():
            return f'"{plain(value) if value.is_finite() else value}"'
        case str():
            return "".join(map(_escaped, json.dumps(value, ensure_ascii=False)))
        case list() | tuple():
            return "[" + ", ".join(written(item) for item in value) + "]"
        case Mapping():
            inside = ", ".join(f"{bare(str(k))} = {written(v)}" for k, v in value.items())
            return f"{{ {inside} }}" if inside else "{}"
        case int() | float():
            return str(value)
        case _:
            return written(str(value))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def bare(key: str) -> str:
    """One part of a key, in quotes where TOML wants them, and never longer than is readable."""
    return key if _BARE.fullmatch(key) else written(key[:64])


def dotted(key: tuple[str, ...]) -> str:
    """A key's path as one name."""
    return ".".join(bare(part) for part in key)


def masked(key: tuple[str, ...], value: object) -> object:
    """The value as it may be shown: nothing secret, and of an account id its last 4 characters.

    The name of an environment variable is no secret; whatever else a key-like name holds is. A list
    or a table where an account id belongs is masked as a whole: its end is not that of an id.
    """
    name = key[-1] if key else ""
    if name == "account_id" and value and isinstance(value, list | tuple | Mapping):
        return MASK
    if isinstance(value, Mapping):
        return {str(k): masked((*key, str(k)), v) for k, v in value.items()}
    if value in ("", (), []) or value is None:
        return value
    if key[:2] == ("alerts", "urls") or any(map(_SECRET.search, _names(key))):
        return MASK
    if name == "account_id":
        text = str(value)
        return MASK + text[-4:] if len(text) > 4 else MASK
    if name.endswith("url") and any(mark in str(value) for mark in "@?"):
        return MASK
    if isinstance(value, list | tuple):
        return [masked(key, item) for item in value]
    if isinstance(value, str) and _SECRET_VALUE.search(value):
        return MASK
    return value


def _names(key: tuple[str, ...]) -> tuple[str, ...]:
    """The parts of a key that say what it holds: the name of an account does not."""
    return key if key[:1] != ("brokers",) else (key[0], *key[2:])


def quoted(key: tuple[str, ...], value: object) -> str:
    """A refused value as a sentence shows it: masked, on one line, and cut to a readable length."""
    safe = masked(key, value)
    shown = str(safe) if isinstance(safe, Decimal) else written(safe)
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…"


def plain_value(value: object) -> object:
    """A value in the terms of JSON: decimals as strings, tables as dicts, lists as lists."""
    match value:
        case BaseModel():
            return {name: plain_value(item) for name, item in value}
        case BrokersConfig():
            return {name: plain_value(item) for name, item in value.tables.items()}
        case Decimal():
            return plain(value)
        case StrEnum():
            return value.value.lower()
        case tuple():
            return [plain_value(item) for item in value]
        case _:
            return value


def digest(config: Config) -> str:
    """SHA-256 over everything that can change what is traded: all but `[console]`.

    The same on every machine and Python version; "0.010" and "0.01" are one value.
    """
    return _digest({name: plain_value(item) for name, item in config if name != "console"})


def limits_digest(config: Config) -> str:
    """SHA-256 over what a person accepts with a sign-off: profile, limits and what a kill does."""
    return _digest(
        {name: plain_value(getattr(config, name)) for name in ("profile", "risk", "kill")}
    )


def _digest(values: dict[str, object]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def show(config: Config) -> dict[str, object]:
    """The effective config in the terms of JSON: limits of the profile filled in (null = off),
    account ids cut, everything secret masked."""
    tree: dict[str, object] = {name: plain_value(item) for name, item in config}
    effective = limits(config)
    risk = {row.key: plain_value(getattr(effective, row.field)) for row in ROWS}
    tree["risk"] = {name: risk.get(name, plain_value(item)) for name, item in config.risk}
    return {name: _shown((name,), value) for name, value in tree.items()}


def _shown(key: tuple[str, ...], value: object) -> object:
    if isinstance(value, dict):
        return {name: _shown((*key, name), item) for name, item in value.items()}
    # The checked name of a variable says where a secret is, not what it is.
    return value if _VARIABLE_KEY.fullmatch(key[-1]) else masked(key, value)


def show_text(config: Config) -> str:
    """What `show` says, as TOML; a limit that the profile does not have is a comment."""
    return "\n".join(_lines(show(config))) + "\n"


def _lines(tree: Mapping[str, object], path: tuple[str, ...] = ()) -> Iterator[str]:
    for key, value in tree.items():
        if value is None:
            yield f"# {bare(key)} is off"
        elif not isinstance(value, Mapping) and not _is_rows(value):
            yield f"{bare(key)} = {written(value)}"
    for key, value in tree.items():
        here = (*path, key)
        if isinstance(value, Mapping):
            if any(not isinstance(item, Mapping) for item in value.values()):
                yield from ("", f"[{dotted(here)}]")
            yield from _lines(value, here)
        elif _is_rows(value):
            for row in value if isinstance(value, list) else []:
                yield from ("", f"[[{dotted(here)}]]")
                yield from _lines(row, here)


def _is_rows(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


_HEAD: Final = """\
# Configuration of meridian-tui. Every key below stands at its default.
# Any key can be set from the environment as MERIDIAN_<SECTION>__<KEY>, and MERIDIAN_MODE.
# Secrets are never written here: only the names of the variables that hold them.
# Rates are fractions of 1: 0.02 is 2 %.
"""

_RISK_NOTE: Final = (
    "# Absent = the limit of the profile; present only tightens it. The values shown are those of",
    "# conservative. Profile custom takes all of them from here.",
)

_ROUTES: Final = (
    "# [[routes]]                          # first match wins; no routes = primary",
    '# asset_class = "crypto"              # and/or symbol = "BTC*"',
)


def init_text(kinds: VenueKinds, *, example: str) -> str:
    """The file that `config init` writes: every key, commented, and equal to the defaults.

    `example` is the broker that the commented example of a route names.
    """
    config = Config.model_construct(brokers=BrokersConfig.default(kinds))
    return _HEAD + "\n" + "\n".join(_init_lines(config, example)) + "\n"


def _init_lines(config: Config, example: str) -> Iterator[str]:
    yield from _init_keys(config)
    for name, section in config:
        if name == "routes":
            yield from ("", *_ROUTES, f"# broker = {written(example)}")
        elif isinstance(section, BrokersConfig):
            for account in section.names:
                yield from _init_table((name, account), section.of(account))
        elif isinstance(section, BaseModel):
            yield from _init_table((name,), section)


def _init_table(path: tuple[str, ...], table: BaseModel) -> Iterator[str]:
    yield from ("", f"# {(type(table).__doc__ or '').splitlines()[0]}")
    yield f"[{dotted(path)}]"
    if path == ("risk",):
        yield from _RISK_NOTE
    yield from _init_keys(table)


def _init_keys(table: BaseModel) -> Iterator[str]:
    for name, info in type(table).model_fields.items():
        value = getattr(table, name)
        if isinstance(value, BaseModel | BrokersConfig) or name == "routes":
            continue  # a table of its own
        off = "# " if value is None else ""
        if value is None:
            value = _conservative(name)
        line = f"{off}{name} = {written(value)}"
        yield f"{line:<{_COMMENT_COLUMN - 1}} # {info.description}"


def _conservative(key: str) -> object:
    profile = PROFILES[ProfileName.CONSERVATIVE]
    fields = {row.key: row.field for row in ROWS}
    return msgspec.structs.asdict(profile)[fields[key]]
