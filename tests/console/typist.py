"""What a form holds after a row of keys, by a model that shares nothing with the console."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

KEYS: Final = {
    "backspace": b"\x7f",
    "delete": b"\x1b[3~",
    "left": b"\x1b[D",
    "right": b"\x1b[C",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "ctrl+a": b"\x01",
    "ctrl+e": b"\x05",
    "ctrl+u": b"\x15",
    "ctrl+w": b"\x17",
    "tab": b"\t",
    "shift+tab": b"\x1b[Z",
    "enter": b"\r",
    "escape": b"\x1b[27u",
    "space": b" ",
}
"""What a terminal that tells escape apart sends for a key that is no character."""

PASTE: Final = "paste:"
"""Before a text that comes as a bracketed paste."""

MOVES: Final = ("left", "left", "right", "home", "end", "ctrl+a", "ctrl+e")
CUTS: Final = ("backspace", "backspace", "backspace", "delete", "ctrl+u", "ctrl+w")
LETTERS: Final = "xcCpmbsFrzoh/?!123456.-XOM"
"""Among them every key of the panes."""
DIGITS: Final = "0123456789."
WIDEST: Final = 12
"""Characters that a text has at most, so that the screen shows all of it."""


def sent(key: str) -> bytes:
    """A key as its terminal sends it."""
    if key.startswith(PASTE):
        return b"\x1b[200~" + key.removeprefix(PASTE).encode() + b"\x1b[201~"
    return KEYS.get(key, key.encode())


@dataclass
class Text:
    """A line of text; `allowed` is what it may be made of. With the focus all of it is selected."""

    value: str = ""
    allowed: str = ".*"
    cursor: int = 0
    selected: bool = False

    def enter(self) -> None:
        """The focus comes here."""
        self.cursor, self.selected = len(self.value), bool(self.value)

    def press(self, key: str) -> None:
        before, after = self.value[: self.cursor], self.value[self.cursor :]
        was_selected, self.selected = self.selected, False
        if was_selected:
            before = after = ""
        match key:
            case "left" | "right" if was_selected:
                self.cursor = 0 if key == "left" else len(self.value)
            case "left":
                self.cursor = max(self.cursor - 1, 0)
            case "right":
                self.cursor = min(self.cursor + 1, len(self.value))
            case "home" | "ctrl+a":
                self.cursor = 0
            case "end" | "ctrl+e":
                self.cursor = len(self.value)
            case "backspace":
                self._set(before[:-1], after)
            case "delete":
                self._set(before, after[1:])
            case "ctrl+u":
                self._set("", after)
            case "ctrl+w":
                words = [found.start() for found in re.finditer(r"(?<=\W)\w", before)]
                self._set(before[: words[-1]] if words else "", after)
            case "enter" | "up" | "down":
                pass
            case _:
                self._set(before + key.removeprefix(PASTE), after)

    def _set(self, before: str, after: str) -> None:
        if re.fullmatch(self.allowed, before + after):
            self.value, self.cursor = before + after, len(before)


@dataclass
class Chooser:
    """One value of a few."""

    values: Sequence[str]
    place: int = 0

    @property
    def value(self) -> str:
        return self.values[self.place]

    def enter(self) -> None:
        """The focus comes here."""

    def press(self, key: str) -> None:
        step = {"left": -1, "right": 1, "space": 1}.get(key, 0)
        self.place = (self.place + step) % len(self.values)


@dataclass
class Other:
    """Something that takes the focus and no text."""

    value: str = ""

    def enter(self) -> None:
        """The focus comes here."""

    def press(self, key: str) -> None:
        """Nothing that shows."""


Part = Text | Chooser | Other


@dataclass
class Form:
    """Fields in the order in which Tab goes through them."""

    parts: dict[str, Part]
    focus: str
    steps: tuple[str, ...] = ("tab", "shift+tab")
    """Keys that go from field to field."""
    pressed: list[str] = field(default_factory=list)
    onward: str = "tab"
    """The key towards every other field."""

    def __post_init__(self) -> None:
        self.parts[self.focus].enter()

    def open(self, name: str) -> bool:
        """Whether a field can have the focus now."""
        return True

    def press(self, key: str) -> None:
        self.pressed.append(key)
        part = self.parts[self.focus]
        if key in self.steps and not (key in ("up", "down") and isinstance(part, Other)):
            there = [name for name in self.parts if self.open(name)]
            by = 1 if key in ("tab", "down") else -1
            self.focus = there[(there.index(self.focus) + by) % len(there)]
            self.parts[self.focus].enter()
        else:
            part.press(key)

    @property
    def values(self) -> dict[str, str]:
        """What the screen must show."""
        return {n: part.value for n, part in self.parts.items() if not isinstance(part, Other)}

    def key(self, random: Random) -> str:
        """A key that somebody may press now."""
        part = self.parts[self.focus]
        if self.steps and random.random() < 0.15:
            return random.choice(self.steps)
        if isinstance(part, Chooser):
            return random.choice(("left", "right", "space"))
        if isinstance(part, Other):
            return "tab"
        if len(part.value) >= WIDEST:
            return random.choice(("ctrl+u", "backspace", "ctrl+w", "delete", "home"))
        kind = random.random()
        if kind < 0.2:
            return random.choice(MOVES)
        if kind < 0.45:
            return random.choice(CUTS)
        letters = random.choice((DIGITS, LETTERS)) if part.allowed == ".*" else DIGITS
        if kind < 0.5:
            return PASTE + "".join(random.choices(letters, k=3))
        return random.choice(letters)

    def type(self, random: Random, count: int, last: str) -> None:
        """`count` keys, then the way to the field `last` and three digits at its end."""
        for _ in range(count):
            self.press(self.key(random))
        while self.focus != last:
            self.press(self.onward)
        self.press("ctrl+e")
        while len(self.parts[last].value) > WIDEST - 3:
            self.press("backspace")
        for _ in range(3):
            self.press(random.choice("0123456789"))


class Filter(Form):
    """The filter of a pane: enter goes to its table, escape empties it first, `/` comes back."""

    def press(self, key: str) -> None:
        if self.focus == "text" and key not in ("enter", "escape"):
            super().press(key)
            return
        self.pressed.append(key)
        if key == "escape":
            self.parts["text"] = Text()
        self.focus = "table" if self.focus == "text" else "text"
        self.parts[self.focus].enter()

    def key(self, random: Random) -> str:
        if self.focus == "table":
            return "/"
        return random.choice(("enter", "escape")) if random.random() < 0.08 else super().key(random)


class Ticket(Form):
    """The order ticket: what can be filled in depends on the type."""

    USES: Final = {
        "MARKET": (),
        "LIMIT": ("limit",),
        "STOP": ("stop",),
        "STOP_LIMIT": ("limit", "stop"),
    }

    def open(self, name: str) -> bool:
        return name not in ("limit", "stop") or name in self.USES[self.parts["type"].value]


def ticket(symbol: str) -> Ticket:
    """A new one, as it opens."""
    parts: dict[str, Part] = {
        "symbol": Text(symbol),
        "quantity": Text(),
        "type": Chooser(("MARKET", "LIMIT", "STOP", "STOP_LIMIT")),
        "limit": Text(),
        "stop": Text(),
        "protect": Text(),
        "target": Text(),
        "hold": Chooser(("day", "swing")),
        "tif": Chooser(("default", "DAY", "GTC", "IOC", "FOK")),
        "checks": Other(),
    }
    return Ticket(parts, "quantity", ("tab", "shift+tab", "up", "down"))


def filter_line() -> Filter:
    """A filter, as `/` opens it."""
    parts: dict[str, Part] = {"text": Text(), "table": Other()}
    return Filter(parts, "text", (), onward="/")


def line(allowed: str = ".*") -> Form:
    """A screen with one line of text."""
    return Form({"": Text(allowed=allowed)}, "", ())
