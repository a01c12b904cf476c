"""The books of a local venue server in a file, so that it may be killed and started again."""

import asyncio
import itertools
import pickle
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

EVERY_SECONDS: Final = 0.25
"""Between two writings; each change of an order is written at once too."""

PLAIN: Final = (int, str, Decimal, list, dict, set, tuple, itertools.count)
PASSING: Final = frozenset({"port", "requests", "handled", "bodies", "uris", "faults", "streams"})
"""What is no book: where it listens, and what tests look at or put in its way."""


class Books:
    """What `server` and its exchange know, kept in the file at `path`. Connections are not kept."""

    def __init__(self, server: Any, path: Path) -> None:
        self._server = server
        self._path = path

    def open(self) -> None:
        """Take over what the file holds, where it is there, and write it from now on."""
        if self._path.exists():
            mine, exchange = pickle.loads(self._path.read_bytes())
            vars(self._server).update(mine)
            vars(self._server.exchange).update(exchange)
        self._server.exchange.listeners.append(lambda *_: self._heard())

    def write(self) -> None:
        """Write it whole, so that a process that is killed leaves the old file or the new one."""
        new = self._path.with_suffix(".new")
        new.write_bytes(pickle.dumps((_plain(self._server), _plain(self._server.exchange))))
        new.replace(self._path)

    def _heard(self) -> None:
        """Now, and once the server has noted what else it keeps of the order."""
        self.write()
        asyncio.get_running_loop().call_soon(self.write)

    async def keep(self) -> None:
        """Write it every now and then."""
        while True:
            self.write()
            await asyncio.sleep(EVERY_SECONDS)


def _plain(thing: Any) -> dict[str, Any]:
    """The attributes that are data."""
    return {
        name: value
        for name, value in vars(thing).items()
        if name not in PASSING and isinstance(value, PLAIN) and _is_data(value)
    }


def _is_data(value: object) -> bool:
    try:
        pickle.dumps(value)
    except (TypeError, AttributeError, pickle.PicklingError):
        return False  # it holds a connection, or somebody who listens
    return True
