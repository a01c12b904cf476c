"""The prices of one account's market, and what they tell of currencies and of volume (C-153)."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from brokers.paper.book import PaperBook
from brokers.paper.instruments import Instruments
from brokers.paper.matching import Room
from brokers.paper.terms import Terms
from engine.domain.instrument import Instrument
from engine.domain.instruments.pair import Pair
from engine.domain.market import Quote
from engine.domain.money import ZERO
from engine.reference.rates import ReferenceRate
from engine.state.rates import Rates


class Prices:
    """The newest price of each symbol."""

    def __init__(
        self,
        known: Mapping[str, Quote],
        *,
        terms: Terms,
        instruments: Instruments,
        reference_rates: Iterable[ReferenceRate] = (),
    ) -> None:
        """`known` are those that the book tells, from before this process.

        `reference_rates` are in the account's currency, for where no price tells a rate (X-86).
        """
        self._participation = terms.participation
        self._instruments = instruments
        self.quotes: dict[str, Quote] = dict(known)
        """By symbol; after a restart those of the book, with their times."""
        self.rates = Rates(terms.currency, max_age_seconds=0)
        """What the prices here, and reference data, tell of currencies. A price stands until the
        next one."""
        self.rates.take_reference(reference_rates)
        self._volumes: dict[str, Decimal | None] = {}
        """Volume of the newest price, for the symbols this process has seen a price of."""
        self._rooms: dict[str, Room] = {}
        """What still trades at the newest price, once an order has met it."""
        self._pairs: dict[str, Instrument] = {}
        """Those whose prices tell what a currency is worth; only they cost time on a price."""
        for symbol, quote in self.quotes.items():
            self._learn(symbol)
            if symbol in self._pairs:
                self.rates.take_quote(self._pairs[symbol], quote)

    def take(self, quote: Quote, volume: Decimal | None) -> None:
        """A price; `volume` as `PaperVenue.on_price` has it."""
        symbol = quote.symbol
        self.quotes[symbol] = quote
        if symbol not in self._volumes:
            self._learn(symbol)
        self._volumes[symbol] = volume
        if symbol in self._pairs:
            self.rates.take_quote(self._pairs[symbol], quote)
        if self._rooms:
            self._rooms.pop(symbol, None)

    def is_seen(self, symbol: str) -> bool:
        """Whether a price of it came in while this process ran."""
        return symbol in self._volumes

    def room(self, quote: Quote) -> Room:
        """What still trades at the newest price of a symbol."""
        room = self._rooms.get(quote.symbol)
        if room is None:
            # A price out of the book says nothing of what trades now.
            volume = self._volumes.get(quote.symbol, ZERO)
            room = self._rooms[quote.symbol] = Room(quote, volume, self._participation)
        return room

    def save(self, book: PaperBook) -> None:
        """Write every price of this process to the book."""
        for symbol in self._volumes:
            book.put_quote(self.quotes[symbol])

    def _learn(self, symbol: str) -> None:
        """Remember a symbol that has a price for the first time, where it is a pair."""
        rules = self._instruments.get(symbol)
        if isinstance(rules.contract, Pair):
            self._pairs[symbol] = rules
