"""What every event is."""

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An immutable fact. Its time is in the envelope the journal gives it."""
