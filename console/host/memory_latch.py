"""The halt latch of a run that leaves nothing on the disk: replays, rehearsals, tests."""

from engine.domain.run import Halt


class MemoryLatch:
    """The halt latch of a run that leaves nothing behind (`engine.ports.Latch`)."""

    def __init__(self) -> None:
        self._halt: Halt | None = None

    def set(self, halt: Halt) -> None:
        """Keeps it."""
        self._halt = halt

    def read(self) -> Halt | None:
        """What stands."""
        return self._halt

    def clear(self, epoch: int) -> None:
        """Nothing stands any more, unless it was set later."""
        if self._halt is not None and 0 < self._halt.epoch <= epoch:
            self._halt = None
