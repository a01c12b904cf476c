"""The styles a piece of text may be drawn in, by name; widgets that draw lines share them.

A name says what the text means. Shape carries it too where it must survive without colour: what is
live is reversed, what is stale is dim.
"""

from typing import Final

_RULES: Final = {
    "profit": "color: $profit;",
    "loss": "color: $loss;",
    "up": "color: $up;",
    "down": "color: $down;",
    "stale": "color: $stale; text-style: dim;",
    "live": "background: $live; color: $live-text; text-style: bold;",
    "paper": "color: $paper; text-style: bold;",
    "warn": "color: $warn;",
    "muted": "color: $muted;",
    "strong": "text-style: bold;",
    "error": "background: $live; color: $live-text; text-style: bold;",
}
_WITHOUT_COLOUR: Final = {
    "live": "text-style: bold reverse;",
    "error": "text-style: bold reverse;",
    "warn": "text-style: bold;",
}

STYLES: Final = tuple(_RULES)
"""Names of styles, besides "" for plain. `error` and `live` alone have a red background."""


def style_rules(widget: str, prefix: str) -> str:
    """The rules of every style as component classes `prefix--NAME` of `widget`."""
    lines = [f"{widget} > .{prefix}--{name} {{ {rule} }}" for name, rule in _RULES.items()]
    lines += [
        f"{widget}:nocolor > .{prefix}--{name} {{ {rule} }}"
        for name, rule in _WITHOUT_COLOUR.items()
    ]
    return "\n".join(lines)
