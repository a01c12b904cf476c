"""What one process of the engine is to do."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from console.host.claims import Claims
from console.host.detach import Tether
from console.host.wiring import House
from engine.config import Config
from engine.ports import Clock

Task = Callable[[House, Clock], Coroutine[Any, Any, None]]
"""Work with a running engine. Where the process is to end before it is done, it is cancelled, and
the engine ends after it."""


class Launch:
    """What one process is to do."""

    def __init__(
        self,
        config: Config,
        folder: Path,
        *,
        headless: bool,
        seconds: float | None = None,
        until_idle: bool = False,
        accept_clock: bool = False,
        tether: Tether | None = None,
        claims: Claims | None = None,
        task: Task | None = None,
    ) -> None:
        self.claims = claims
        """The locks of its real accounts; None where nobody else could have them."""
        self.tether = tether
        """What the process has in common with the one that the shell waits for."""
        self.task = task
        """What is to be done with the engine once it runs; the process ends in order with it."""
        self.config = config
        self.folder = folder
        self.headless = headless
        self.seconds = seconds
        self.until_idle = until_idle
        self.accept_clock = accept_clock
