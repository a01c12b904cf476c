"""Kinds of value that the settings of real venues take, each with what is allowed in words."""

import re
from typing import Annotated, Final

from engine.config.kinds import text

_VARIABLE: Final = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+", re.ASCII)
_URL: Final = re.compile(r"(https?|wss?)://[^\s/@?#]+(/[^\s@]*)?", re.ASCII)

Variable = Annotated[
    str,
    text(
        "the name of an environment variable such as ALPACA_API_KEY, never the secret itself",
        lambda value: len(value) <= 128 and _VARIABLE.fullmatch(value) is not None,
    ),
]
Url = Annotated[
    str,
    text(
        '"" or an address that starts with http://, https://, ws:// or wss:// and holds no user',
        lambda value: not value or _URL.fullmatch(value) is not None,
    ),
]
