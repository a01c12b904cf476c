"""What an order costs and exposes at worst, and the exposure that is there (A-066, A-084)."""

from decimal import Decimal

import msgspec

from engine.domain.money import ONE, ZERO, is_positive
from engine.risk.facts.kept import kept, kept_for_quantity
from engine.risk.facts.market import MarketFacts
from engine.risk.facts.portfolio import PortfolioFacts
from engine.sizing.added import Added
from engine.world import exposure


class ExposureFacts(MarketFacts, PortfolioFacts):
    """What is known of cost and exposure, in the base currency."""

    __slots__ = ()

    @kept
    def worst_price(self) -> Decimal:
        """The dearest price a unit may come to, at which its cost is counted (A-066).

        A buy with a limit costs its limit at most; anything else the worse of its reference and
        the market, and `execution.slippage_buffer` on top. NaN without any price: every comparison
        with it fails, and the check with it (U-53).
        """
        request = self.request
        if request.sign > 0 and request.limit_price is not None:
            return request.limit_price
        prices = [price for price in (request.entry, self.mark) if price is not None]
        quote = self.quote
        if request.sign > 0 and quote is not None and quote.ask is not None:
            prices += [quote.ask] if is_positive(quote.ask) else []
        worst = max(prices, default=Decimal("NaN"))
        return worst * (ONE + self._world.config.execution.slippage_buffer)

    @kept
    def unit_value(self) -> Decimal:
        """What one unit is worth at worst, in the base currency; NaN without a rate."""
        return self._valued(self.worst_price)

    @property
    def _worth(self) -> Decimal:
        """What the instrument's currency is worth in the base currency; NaN without a rate."""
        currency = self.instrument.currency
        return (
            ONE
            if currency == self.base
            else self._world.currencies.worth.get(currency) or Decimal("NaN")
        )

    def _valued(self, price: Decimal) -> Decimal:
        """One unit at a price, in the base currency; NaN without a rate."""
        return price * self.instrument.multiplier * self._worth

    @kept_for_quantity
    def adds(self) -> Added:
        """What the order costs at worst."""
        request = self.request
        return Added(
            leaves=(request.quantity or ZERO) - request.filled,
            filled=request.filled,
            unit_value=self.unit_value,
            freed=request.freed,
            lot=request.instrument.lot,
        )

    @kept_for_quantity
    def exposes(self) -> Added:
        """What the order adds to exposure at worst: what it costs, or more where it leans on
        another instrument (A-084); NaN while nobody can tell."""
        if not self.instrument.leans_on:
            return self.adds
        price = exposure.exposed_at(self._world, self.instrument, self.worst_price)
        return msgspec.structs.replace(
            self.adds,
            unit_value=self._valued(Decimal("NaN") if price is None else price),
            freed=self.request.freed_exposure,
        )

    @property
    def name(self) -> str:
        """What limits add the instrument up by: a stock with its options, a root with its futures
        and the options on them."""
        return self._world.groups.name_of(self.request.symbol)

    @property
    def name_exposure(self) -> Decimal:
        """Gross exposure to the name, working entries included, in the base currency."""
        return exposure.of_name(self._world, self.request.symbol)

    @property
    def unmeasured_name(self) -> str:
        """Why nobody can tell the exposure to the name; empty where it can be told."""
        if not self._book.symbols.leaning:
            return ""
        return exposure.unmeasured(self._world, self._world.groups.of(self.request.symbol)[0])

    @property
    def unmeasured_sector(self) -> str:
        """Why nobody can tell that to its sector; empty where it can be told."""
        if not self._book.symbols.leaning:
            return ""
        return exposure.unmeasured(self._world, self._world.groups.of(self.request.symbol)[1])

    @property
    def unmeasured(self) -> str:
        """Why nobody can tell that to everything; empty where it can be told."""
        return exposure.unmeasured(self._world)

    @kept
    def sector(self) -> str:
        """The sector of the name."""
        return self._world.groups.sector_of(self.request.symbol)

    @property
    def sector_exposure(self) -> Decimal:
        """Gross exposure to that sector, working entries included, in the base currency."""
        return exposure.of_sector(self._world, self.sector)

    @property
    def gross_exposure(self) -> Decimal:
        """Gross exposure to everything, working entries included, in the base currency."""
        return exposure.gross(self._world)
