"""A line of text whose keys act in the order in which they were pressed."""

import re
from decimal import Decimal
from typing import Final

from textual import events
from textual.binding import Binding
from textual.widgets import Input

from console.ui.keyboard import Typed

LATER: Final = frozenset({"enter", "ctrl+k"})
"""Keys that are not the field's alone: they send, and they halt."""


def _edits() -> dict[str, str]:
    """The action of each key that edits a field or moves in it."""
    found: dict[str, str] = {}
    for binding in Input.BINDINGS:
        keys, action = (
            (binding.key, binding.action) if isinstance(binding, Binding) else binding[:2]
        )
        found |= {key.strip(): action for key in keys.split(",")}
    return {key: action for key, action in found.items() if key not in LATER}


EDITS: Final = _edits()


class Field(Input):
    """An `Input` that acts on every key itself, as soon as it comes to it.

    Textual puts in a character as soon as the key comes, and asks for the binding of any other key
    on its way up the screen.
    """

    def edits(self, event: Typed) -> bool:
        """True where `event` changes the text or moves in it, and leads to nothing else."""
        return isinstance(event, events.Paste) or event.is_printable or event.key in EDITS

    async def _on_key(self, event: events.Key) -> None:
        action = EDITS.get(event.key)
        if action is None:
            await super()._on_key(event)
            return
        event.stop()
        event.prevent_default()
        await self.run_action(action)


_NUMBER: Final = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")


def number_in(name: str, text: str) -> Decimal | None:
    """The number in a field called `name`, None where it is empty.

    A field takes every character, so that what is sent is what stands there: a text that is no
    plain number is told, and never becomes another one. Raises ValueError with a sentence.
    """
    text = text.strip()
    if not text:
        return None
    if _NUMBER.fullmatch(text) is None:
        raise ValueError(f"{name} is {text!r}: only digits and a point are allowed, as in 1000.5")
    return Decimal(text)
