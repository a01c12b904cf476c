"""What is wanted in several orders, and how far it has come (DESIGN, Intents and plans).

What is wanted in one order needs no entry here: that order, and those that took its place, are all
there is of it.
"""

from decimal import Decimal

import msgspec

from engine.domain.money import ZERO
from engine.domain.order import OrderTerms


class IntentLeg(msgspec.Struct, frozen=True, kw_only=True):
    """One part of an intent: what was decided, and the newest order made of it."""

    terms: OrderTerms
    client_order_id: str = ""
    """"" while it waits."""
    before: Decimal = ZERO
    """What the orders have filled whose place that one took."""

    refused: str = ""
    """Why no order will ever be made of it."""

    @property
    def waits(self) -> bool:
        """An order of it is still to be made."""
        return not self.client_order_id and not self.refused


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One intent until nothing of it works or waits."""

    intent_id: str
    plan: str
    signal_id: str = ""
    legs: tuple[IntentLeg, ...]

    def touches(self, account: str, symbol: str) -> bool:
        """Whether a leg is about this symbol in this account."""
        return any((leg.terms.account, leg.terms.symbol) == (account, symbol) for leg in self.legs)
