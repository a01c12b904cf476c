"""What is held and works in the symbol, and in others of its underlying."""

from decimal import Decimal

import msgspec

from engine.risk.facts.asked import Asked
from engine.risk.facts.kept import kept
from engine.risk.facts.market import usable_mark
from engine.state.order import Order
from engine.state.position import Position


class Related(msgspec.Struct, frozen=True, kw_only=True):
    """Another symbol of the same underlying, and what is held of it and works in it."""

    symbol: str
    lean: int
    """Which way it leans on the underlying where it is bought: +1 or -1."""
    held: list[Position]
    """What is held of it, in any account."""
    entries: list[Order]
    """Working entries in it, in any account."""
    mark: Decimal | None
    """Its newest price; None where that is not a usable number."""
    is_fresh: bool
    """True while that may be traded on."""


class HoldingFacts(Asked):
    """What is known of positions and working orders, in any account."""

    __slots__ = ()

    @kept
    def held(self) -> list[Position]:
        """What is held of the symbol, in any account."""
        return self._book.held(self.request.symbol)

    @property
    def has_slot(self) -> bool:
        """True where the symbol is held or being opened already."""
        return bool(self.held) or self.request.symbol in self._book.reservations.by_symbol

    @property
    def opposing(self) -> Order | None:
        """A working entry the other way round, in any account."""
        symbol, sign = self.request.symbol, self.request.sign
        if not self._book.index.entries_of(symbol, -sign):
            return None
        entries = self._book.entries_in(symbol)
        return next((order for order in entries if order.side.sign != sign), None)

    @kept
    def entries_here(self) -> list[Order]:
        """Working entries in the symbol and account on the order's side, but for the one that it
        changes."""
        request = self.request
        if not self._book.index.entries_of(request.symbol, request.sign):
            return []
        return [
            order
            for order in self._book.working(request.account, request.symbol)
            if order.adds_exposure
            and order.side.sign == request.sign
            and order.client_order_id != request.changes
        ]

    @property
    def unlike(self) -> Position | Order | None:
        """What the order would become one position with, though only one of them is managed."""
        request = self.request
        held = request.position
        if held is not None:
            return held if held.managed is not request.managed else None
        others = (o for o in self.entries_here if o.is_managed is not request.managed)
        return next(others, None)

    @property
    def entries_working(self) -> int:
        """Working entries in the symbol, in any account and either way round."""
        return sum(self._book.index.entries_of(self.request.symbol, sign) for sign in (1, -1))

    @kept
    def related(self) -> list[Related]:
        """What is held and works in other symbols of the same underlying."""
        name, symbol = self.instrument.underlying, self.request.symbol
        symbols = [other for other in self._book.symbols.of_underlying(name) if other != symbol]
        if name != symbol and (self._book.held(name) or self._book.index.has_entries(name)):
            symbols.append(name)
        return [self._related(other) for other in symbols]

    def _related(self, symbol: str) -> Related:
        world = self._world
        return Related(
            symbol=symbol,
            lean=world.instrument(symbol).lean,
            held=self._book.held(symbol),
            entries=list(self._book.entries_in(symbol)),
            mark=usable_mark(world, symbol),
            is_fresh=world.market.is_fresh(symbol, self.now),
        )
