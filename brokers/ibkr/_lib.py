"""The one place where the library of Interactive Brokers is imported: `ib_async`, else `ib_insync`.

Both speak the same protocol with the same names; `ib_async` is the one that is maintained (E-11).
Only its socket client and its decoder are used (`codec`, `session`): what the library keeps of
orders and holdings is not trusted, and is not there.
"""

import importlib
import importlib.metadata
import logging
from typing import Any, Final

NAMES: Final = ("ib_async", "ib_insync")
_BOTH_OWN_EVENTKIT: Final = ("aeventkit", "eventkit")


def load() -> Any:
    """The library. Raises ImportError, whose one sentence says what to install."""
    there = [name for name in _BOTH_OWN_EVENTKIT if _version(name)]
    if len(there) > 1:
        raise ImportError(
            "ib_async and ib_insync are installed together: both bring a folder eventkit, and one "
            "overwrites the other. Uninstall both with aeventkit and eventkit, then install one"
        )
    for name in NAMES:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    raise ImportError("Interactive Brokers needs ib_async: install meridian-tui[ibkr]")


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


lib: Final[Any] = load()
"""The module itself; its classes are used under their own names."""

# Whatever ends a connection is raised or reported by `session`: it is not said twice.
logging.getLogger(f"{lib.__name__}.client").setLevel(logging.CRITICAL)
