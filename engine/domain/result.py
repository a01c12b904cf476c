"""What a command came to."""

from typing import Any

import msgspec


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a command; `code` and `error` say why it was refused."""

    ok: bool
    code: str = ""
    error: str = ""
    data: dict[str, Any] = {}
    orders: tuple[str, ...] = ()
    """The orders that it made, by client order id."""
    changes: bool = False
    """Whether it asks for a change of an order that can add exposure."""
