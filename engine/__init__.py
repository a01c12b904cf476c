"""The engine: it decides, purely, and carries out. `Engine` is its public API.

`Engine.submit(signal)` and `Engine.command(command)` are the ways in, `Engine.state` and
`Engine.events()` the ways out.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.runtime.engine import Engine

__all__ = ["Engine"]


def __getattr__(name: str) -> Any:
    """Load the engine when it is asked for: reading a journal or a config does not need it."""
    if name == "Engine":
        from engine.runtime.engine import Engine

        return Engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
