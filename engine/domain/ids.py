"""Client order ids: 31 characters of [0-9a-f], time-sortable, the same on every retry (C-405)."""

from hashlib import blake2b

from engine.domain.instant import NS_PER_MS, Nanos

ID_LENGTH = 31
FACT_DIGITS = 20
"""The digits at the end of an id that stand for its facts, whenever it was made."""
MOMENT_DIGITS = 11


def order_id(at: Nanos, *facts: str) -> str:
    """An id from a moment and the facts it stands for.

    11 hex digits of milliseconds, then 20 of a hash: equal facts give the equal id, so an order
    that only reduces is found again after a crash although its intent was never written.
    """
    digest = blake2b("\x1f".join(facts).encode(), digest_size=10).hexdigest()
    return f"{at // NS_PER_MS:011x}{digest}"


def moment_of(identifier: str) -> Nanos:
    """The moment that an id of `order_id` begins with, in whole milliseconds."""
    return int(identifier[:MOMENT_DIGITS], 16) * NS_PER_MS


def fingerprint(text: str) -> int:
    """64 bits that stand for an id in memory."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
