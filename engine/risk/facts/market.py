"""The market that an order meets: its prices, and that of what the instrument leans on."""

from decimal import Decimal

import msgspec

from engine.domain.instant import Nanos
from engine.domain.market import Quote
from engine.domain.money import is_positive
from engine.risk.facts.asked import Asked
from engine.risk.facts.kept import kept
from engine.world import World

PRICED_NAMED = 12
"""Symbols with a price that a refusal names at most."""


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """The price of the instrument that another one's exposure leans on."""

    symbol: str
    usable: bool
    """Whether there is one that is a usable number, fresh or not."""
    age: Nanos | None
    """How old the newest is; None where no feed told one."""
    is_fresh: bool
    """True while it may be leaned on."""


class MarketFacts(Asked):
    """What is known of prices."""

    __slots__ = ()

    @property
    def last(self) -> Decimal | None:
        """The newest price, usable or not."""
        return self._world.market.mark(self.request.symbol)

    @kept
    def mark(self) -> Decimal | None:
        """The newest price, fresh or not; None where it is not a usable number."""
        return usable_mark(self._world, self.request.symbol)

    @property
    def priced_instead(self) -> tuple[str, ...]:
        """Where the symbol has no price: what has one and differs in the size of its letters alone,
        else the symbols that are configured. Nothing where it has one."""
        symbol, market = self.request.symbol, self._world.market
        if self.mark is not None:
            return ()
        alike = [name for name in market.quotes if name.casefold() == symbol.casefold()]
        names = [n for n in alike if n != symbol] or self._world.config.market.symbols
        return tuple(n for n in names if market.mark(n) is not None)[:PRICED_NAMED]

    @property
    def quote(self) -> Quote | None:
        """The newest quote."""
        return self._world.market.quotes.get(self.request.symbol)

    @property
    def quote_age(self) -> Nanos | None:
        """How old the newest quote is."""
        return self._world.market.age(self.request.symbol, self.now)

    @property
    def is_fresh(self) -> bool:
        """True while the newest price may be traded on."""
        return self._world.market.is_fresh(self.request.symbol, self.now)

    @property
    def spot(self) -> Spot | None:
        """The price of the instrument that this one's exposure leans on; None where it leans on
        none."""
        name = self.instrument.leans_on
        if not name:
            return None
        market = self._world.market
        return Spot(
            symbol=name,
            usable=usable_mark(self._world, name) is not None,
            age=market.age(name, self.now),
            is_fresh=market.is_fresh(name, self.now),
        )


def usable_mark(world: World, symbol: str) -> Decimal | None:
    """The newest price of a symbol, fresh or not; None where it is not a usable number."""
    last = world.market.mark(symbol)
    return last if is_positive(last) else None
