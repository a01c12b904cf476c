"""An event in its place."""

import msgspec

from engine.domain.events.base import Event
from engine.domain.instant import Nanos


class Record(msgspec.Struct, frozen=True):
    """An event with the place and time the journal gave it."""

    seq: int
    time: Nanos
    event: Event

    @property
    def type(self) -> str:
        """The event's stable name."""
        return type(self.event).__name__
