"""The one market on which all paper accounts of the process trade (INTERFACE Several accounts)."""

from decimal import Decimal
from typing import Protocol

from brokers.paper.instruments import Instruments
from brokers.paper.venue import PaperVenue
from engine.domain.instant import Nanos
from engine.domain.market import Quote
from engine.domain.money import ZERO
from engine.ports import MarketData


class PriceTaker(Protocol):
    """Who meets a market's prices before anybody else sees them: one venue, or an exchange."""

    @property
    def instruments(self) -> Instruments:
        """What is traded there."""
        ...

    def on_price(
        self, quote: Quote, volume: Decimal | None = None, traded_at: Nanos | None = None
    ) -> None:
        """Take a price in, as `PaperVenue.on_price` does."""
        ...

    def position(self, symbol: str) -> Decimal:
        """Signed quantity held there."""
        ...


class Exchange:
    """Hands every price to each account that joined, in the order in which they did.

    The accounts share the prices and nothing else: orders, fills, cash and books are their own. A
    price's volume counts for each of them, as if the others were not there.
    """

    def __init__(self, instruments: Instruments) -> None:
        self._instruments = instruments
        self._venues: list[PaperVenue] = []
        self.market: MarketData | None = None
        """Where the prices come from; None where somebody tells them."""

    @property
    def instruments(self) -> Instruments:
        """What is traded here."""
        return self._instruments

    def join(self, venue: PaperVenue) -> None:
        """Let an account meet every price from now on."""
        self._venues.append(venue)

    def leave(self, venue: PaperVenue) -> None:
        """Let it meet no more prices."""
        self._venues.remove(venue)

    def on_price(
        self, quote: Quote, volume: Decimal | None = None, traded_at: Nanos | None = None
    ) -> None:
        """Let every account meet a price."""
        for venue in self._venues:
            venue.on_price(quote, volume, traded_at)

    def position(self, symbol: str) -> Decimal:
        """What all accounts together hold, signed."""
        return sum((venue.position(symbol) for venue in self._venues), ZERO)
