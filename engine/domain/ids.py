"""Client order ids: 31 characters of [0-9a-f], time-sortable, the same on every retry (C-405).

An order of somebody else that its venue lists without one, or with that of another order, is known
by what its venue calls it.
"""

from hashlib import blake2b
from typing import Final

from engine.domain.instant import NS_PER_MS, Nanos

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


VENUE_ORDER: Final = "venue-"
"""How the id begins by which an order is known that has no client order id of its own."""


def unnamed_order_id(account: str, venue_order_id: str) -> str:
    """The client order id by which an order is known here that its venue lists without one, or with
    one that another of its orders has.

    `account` is the name under `[brokers]`: venues number their orders alike. It is none of ours,
    which have no hyphen.
    """
    return f"{VENUE_ORDER}{account}-{venue_order_id}"


def venue_order_id_of(client_order_id: str) -> str:
    """What its venue calls the order of an id of `unnamed_order_id`; "" for any other id."""
    if not client_order_id.startswith(VENUE_ORDER):
        return ""
    return client_order_id.removeprefix(VENUE_ORDER).partition("-")[2]


def fingerprint(text: str) -> int:
    """64 bits that stand for an id in memory."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")
