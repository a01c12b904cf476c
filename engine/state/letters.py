"""A dead letter: an order that could not be sent, kept until a person decides (C-430, X-10)."""

from typing import Final

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import OrderTerms

LETTER_SECONDS: Final = 300
"""How long a dead letter may be sent again (C-430): by then it is too old to be decided anew."""

OPEN: Final = "OPEN"
EXPIRED: Final = "EXPIRED"


class DeadLetter(msgspec.Struct, frozen=True):
    """What was to be sent, and when it was given up."""

    terms: OrderTerms
    at: Nanos

    @property
    def expires_at(self) -> Nanos:
        """The moment from which it is EXPIRED: it is shown still, and may only be dropped."""
        return self.at + LETTER_SECONDS * NS_PER_SECOND


def state_at(now: Nanos, expires_at: Nanos) -> str:
    """`OPEN` while a dead letter may be sent again, `EXPIRED` from then on."""
    return EXPIRED if now >= expires_at else OPEN
