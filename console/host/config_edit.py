"""Changing keys of a config file that a person wrote: all else in it stays, comments too.

A key that is there is changed where it stands, a new one follows the head of its table, a new table
the end of the file. What comes out is read again and compared with what it has to say, so that a
file that is written in an unusual way is left alone rather than damaged. It is written whole beside
the old one and put in its place (rename), or not at all.
"""

import contextlib
import copy
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Array

from engine.config.render import bare, dotted, written
from storage.connection import sync_folder, write_durably

ROUTES: Final = "routes"


class EditError(Exception):
    """A config file that cannot be changed: one sentence; it is as it was."""


class Change(NamedTuple):
    """One key and the value that it gets."""

    key: tuple[str, ...]
    value: str | tuple[str, ...] | int
    was: object = None
    """What the file says now; None where it says nothing."""

    def __str__(self) -> str:
        return f"[{dotted(self.key[:-1])}] {bare(self.key[-1])} = {written(self.value)}"


class Edit(NamedTuple):
    """Everything that is changed at once."""

    changes: tuple[Change, ...] = ()
    routes: tuple[Mapping[str, str], ...] = ()
    """Rows that follow those of `[[routes]]`."""


def read_config(path: Path) -> str:
    """The text of a config file as it stands, its line ends too; "" where there is none.

    Raises EditError.
    """
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise EditError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError:
        raise EditError(f"{path} cannot be read: it is not UTF-8 text.") from None


def edited(text: str, edit: Edit) -> str:
    """The text of a config with other values in it.

    Raises EditError where it cannot be changed without changing anything else.
    """
    wanted = _wanted(text, edit)
    try:
        for change in edit.changes:
            text = _changed(text, change)
        for row in edit.routes:
            text = _appended(text, f"[[{ROUTES}]]", row)
        found = tomllib.loads(text)
    except (TOMLKitError, tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise EditError(_by_hand(edit)) from error
    if found != wanted:
        raise EditError(_by_hand(edit))
    return text


def replace_config(path: Path, before: str, text: str) -> None:
    """Put the text in the place of the file, whole and durable; links are followed.

    `before` is what it was made from: a file that says something else by now is left alone. The
    mode of the old file is kept, a new one is for this user alone. Raises EditError.
    """
    place = Path(os.path.realpath(path))
    temporary = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else 0o600
        if place.exists() and not os.access(place, os.W_OK):
            raise EditError(f"{path} cannot be written: this user may not change it.")
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            try:
                os.fchmod(handle, mode)
                write_durably(handle, text.encode())
            finally:
                os.close(handle)
            if read_config(place) != before:
                raise EditError(f"{path} was changed meanwhile, and is left as it is.")
            temporary.replace(place)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(place.parent)
    except OSError as error:
        raise EditError(f"{path} cannot be written: {error.strerror or error}.") from error


def value_in(tree: Mapping[str, Any], key: tuple[str, ...]) -> object:
    """The value of a key in nested tables; None where there is none."""
    here: Any = tree
    for part in key:
        here = here.get(part) if isinstance(here, Mapping) else None
    return here


def _wanted(text: str, edit: Edit) -> dict[str, Any]:
    """What the text has to say in the end."""
    tree = copy.deepcopy(tomllib.loads(text))
    for key, value, _ in edit.changes:
        here = tree
        for part in key[:-1]:
            here = here.setdefault(part, {})
        here[key[-1]] = _plain(value)
    if edit.routes:
        tree[ROUTES] = [*tree.get(ROUTES, []), *map(dict, edit.routes)]
    return tree


def _changed(text: str, change: Change) -> str:
    *parents, name = change.key
    tree = tomllib.loads(text)
    if value_in(tree, change.key) is not None:
        return _set(text, change)
    if value_in(tree, tuple(parents)) is None:
        return _appended(text, f"[{dotted(tuple(parents))}]", {name: change.value})
    return _below_head(text, tuple(parents), name, change.value) or _set(text, change)


def _set(text: str, change: Change) -> str:
    """With tomlkit, which keeps what stands around a value."""
    document = tomlkit.parse(text)
    table: Any = document
    for part in change.key[:-1]:
        table = table[part]
    name = change.key[-1]
    old = table.get(name)
    if isinstance(old, Array) and isinstance(change.value, tuple):
        _refill(old, change.value)
    else:
        table[name] = _plain(change.value)
    return tomlkit.dumps(document)


def _refill(array: Array, values: tuple[str, ...]) -> None:
    """The list with other values; those that stay keep their place and their comments."""
    for index in reversed(range(len(array))):
        if array[index] not in values:
            del array[index]
    for value in values:
        if value not in array:
            array.append(value)
    if array.unwrap() != list(values):
        array.clear()
        array.extend(values)


def _below_head(text: str, table: tuple[str, ...], name: str, value: object) -> str:
    """The text with a new key below the head of its table; "" where no line is that head."""
    spaced = r"[ \t]*\.[ \t]*".join(re.escape(bare(part)) for part in table)
    head = re.compile(rf"^[ \t]*\[[ \t]*{spaced}[ \t]*\][ \t]*(#.*)?$", re.MULTILINE)
    found = head.search(text.replace("\r", " "))
    if found is None:
        return ""
    end = text.find("\n", found.start())
    line = f"{bare(name)} = {written(value)}{_line_end(text)}"
    if end < 0:
        return text + _line_end(text) + line
    return text[: end + 1] + line + text[end + 1 :]


def _appended(text: str, head: str, rows: Mapping[str, Any]) -> str:
    """The text with a table at its end."""
    newline = _line_end(text)
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    lines = [head, *(f"{bare(name)} = {written(value)}" for name, value in rows.items())]
    return text + gap + newline.join(lines) + newline


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _plain(value: object) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _by_hand(edit: Edit) -> str:
    lines = [str(change) for change in edit.changes]
    lines += [f"[[{ROUTES}]] {written(row)}" for row in edit.routes]
    return (
        "The config is written in a way that cannot be changed without changing more: it is left "
        f"as it is, and {', '.join(lines)} has to be set in it by hand."
    )
