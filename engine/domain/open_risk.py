"""The open risk of a portfolio, as a value (X-82, INTERFACE `open_risk`)."""

from decimal import Decimal

import msgspec


class OpenRisk(msgspec.Struct, frozen=True, kw_only=True):
    """Money in the base currency."""

    at_stops: Decimal
    """What the positions that have a stop lose from the mean price of what is held to it."""
    entries: Decimal
    """What working entries lose from their worst price to their stop, once they are filled."""
    unprotected: tuple[str, ...]
    """Symbols of what is held, or is being bought, without a stop for all of it, sorted; what that
    may lose is in no figure here."""
