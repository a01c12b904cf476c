"""The open risk of a portfolio, as a value (X-82, INTERFACE `open_risk`)."""

from decimal import Decimal

import msgspec


class OpenRisk(msgspec.Struct, frozen=True, kw_only=True):
    """Money in the base currency."""

    at_stops: Decimal
    """What the positions that have a stop lose from their mean entry price to it."""
    entries: Decimal
    """What working entries lose from their worst price to their stop, once they are filled."""
    unprotected: tuple[str, ...]
    """Symbols held without a stop, sorted; what they may lose is in no figure here."""
