"""A market whose prices gap, halt and split, and are now and then no prices at all."""

from decimal import Decimal
from random import Random
from typing import Final

from engine.domain.market import Quote
from tests.simulation.agenda import Agenda
from tests.simulation.harsh.switches import Switches
from tests.simulation.scenario import CENT, Market

STRANGE: Final = ("NaN", "Infinity", "0", "-3.7", "1.8e308")
RATIO: Final = 7


class HarshMarket(Market):
    """As the market of the other runs, with switches."""

    def __init__(
        self,
        agenda: Agenda,
        random: Random,
        jumps: float,
        symbols: tuple[str, ...],
        switches: Switches,
    ) -> None:
        super().__init__(agenda, random, jumps, symbols)
        self.switches = switches
        self.halted: set[str] = set()

    def tell(self, symbol: str) -> None:
        if symbol in self.halted:
            return
        super().tell(symbol)
        random = self._random
        if not self.calm and random.random() < self.switches.strange_quotes:
            price = Decimal(random.choice(STRANGE))
            self.on_strange(
                Quote(
                    symbol=symbol,
                    bid=price,
                    ask=price,
                    last=price,
                    time=self._agenda.now,
                    trade=True,
                )
            )

    def on_strange(self, quote: Quote) -> None:
        """A quote that no venue trades at."""
        self.on_quote(quote)

    def gap(self, symbol: str) -> None:
        """The price moves far, and stays there."""
        share = Decimal(self._random.choice((70, 85, 90, 93, 107, 110, 115, 130))) / 100
        self._true[symbol] = max((self._true[symbol] * share).quantize(CENT), Decimal(1))

    def set_price(self, symbol: str, price: Decimal) -> None:
        """The price moves there, and walks on from there."""
        self._true[symbol] = max(price.quantize(CENT), Decimal(1))

    def split(self, symbol: str) -> None:
        """Each becomes seven, and is worth a seventh."""
        self._true[symbol] = (self._true[symbol] / RATIO).quantize(CENT)
