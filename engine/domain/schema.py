"""How an event becomes the text of a journal row, and comes back from it."""

import msgspec

from engine.domain.events import EVENT_TYPES, Event

_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODERS = {name: msgspec.json.Decoder(cls) for name, cls in EVENT_TYPES.items()}


class UnknownEventError(Exception):
    """The journal holds an event this program does not know: it was written by a newer one."""


def encode(event: Event) -> bytes:
    """The event's data as JSON, the same bytes on every machine and Python version."""
    return _ENCODER.encode(event)


def decode(name: str, data: bytes | str) -> Event:
    """The event of type `name` from its data.

    Raises `UnknownEventError` for a type that is not in `EVENT_TYPES`.
    """
    decoder = _DECODERS.get(name)
    if decoder is None:
        raise UnknownEventError(
            f"the journal holds an event of type {name}, which is not known here"
        )
    return decoder.decode(data)
