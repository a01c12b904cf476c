"""Text from outside, made safe to store and to show.

Symbols, reasons and venue messages reach a terminal, a log and a journal. Control characters and
invisible direction marks in them can forge what a person reads, so they never get in.
"""

import re
from typing import Final

REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"
"""What stands where a character was refused."""

TEXT_LIMIT: Final = 500
"""The longest text taken from outside, in characters."""

UNSAFE: Final = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # C0, DEL, C1: ESC and CSI among them
    "\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff"  # direction marks, joiners, separators
    "\ud800-\udfff"  # lone surrogates: no terminal encoding has them
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # interlinear and tag characters: invisible
    "]"
)
"""One character that no text from outside may carry."""


def clean_text(text: str, limit: int = TEXT_LIMIT) -> str:
    """`text` with every unsafe character as U+FFFD and at most `limit` characters long.

    Tabs and line ends count as unsafe: a value is one line. A text that was cut ends in `…`.
    Cleaning twice changes nothing.
    """
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return UNSAFE.sub(REPLACEMENT, cut)


def clean_id(text: str) -> str:
    """`text` with every unsafe character as its number, such as `<U+001B>`.

    Ids that differ stay different, and one that is clean stays as it is.
    """
    if text.isprintable():
        return text
    return UNSAFE.sub(lambda match: f"<U+{ord(match[0]):04X}>", text)
