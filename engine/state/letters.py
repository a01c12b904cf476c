"""A dead letter: an order that could not be sent, kept until a person decides (C-430, X-10)."""

import msgspec

from engine.domain.instant import Nanos
from engine.domain.order import OrderTerms


class DeadLetter(msgspec.Struct, frozen=True):
    """What was to be sent, and when it was given up."""

    terms: OrderTerms
    at: Nanos
