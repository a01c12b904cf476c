"""Which symbols are held, or awaited, and where: derived from holdings and orders, never stored.

`Book` keeps it true; whoever reads the book takes it from here.
"""

from collections.abc import Mapping

from engine.domain.instrument import Instrument, default_instrument
from engine.state.order_index import OrderIndex
from engine.state.reservations import Reservations


class SymbolIndex:
    """The symbols that are held, over all accounts, and those with an entry that works."""

    def __init__(
        self, instruments: Mapping[str, Instrument], orders: OrderIndex, reservations: Reservations
    ) -> None:
        """`instruments` are those that were learned, `orders` and `reservations` the book's own."""
        self._instruments = instruments
        self._orders = orders
        self._reservations = reservations
        self.held: dict[str, dict[str, None]] = {}
        """By symbol, the accounts that hold it."""
        self._leaning: dict[str, None] = {}
        """What is held of instruments whose exposure leans on the price of another."""
        self._derived: dict[str, str] = {}
        """By symbol, the underlying of what is held, or has a working entry, and derives from
        another symbol."""
        self._pending: set[str] = set()
        """Symbols with an entry that works, or is to follow, that no account holds."""

    def hold(self, symbol: str, account: str) -> None:
        """An account holds a symbol."""
        first = symbol not in self.held
        self.held.setdefault(symbol, {})[account] = None
        if first:
            self.lean(symbol)
        self._pending.discard(symbol)

    def release(self, symbol: str, account: str) -> None:
        """An account holds a symbol no more."""
        holders = self.held.get(symbol)
        if holders is not None:
            holders.pop(account, None)
            if not holders:
                del self.held[symbol]
                self._leaning.pop(symbol, None)
                self.derive(symbol)
                self.wait_for(symbol)

    def lean(self, symbol: str) -> None:
        """Note whether what is held of a symbol leans on another instrument."""
        known = self._instruments.get(symbol) or default_instrument(symbol)
        if known.leans_on and symbol in self.held:
            self._leaning[symbol] = None
        else:
            self._leaning.pop(symbol, None)
        self.derive(symbol)

    def derive(self, symbol: str) -> None:
        """Note whether a symbol that is held, or has a working entry, derives from another."""
        name = (self._instruments.get(symbol) or default_instrument(symbol)).underlying
        if name != symbol and (symbol in self.held or self._orders.has_entries(symbol)):
            self._derived[symbol] = name
        else:
            self._derived.pop(symbol, None)

    def wait_for(self, symbol: str) -> None:
        """Note whether an entry works, or is to follow, in a symbol that no account holds."""
        if symbol in self._reservations.by_symbol and symbol not in self.held:
            self._pending.add(symbol)
        else:
            self._pending.discard(symbol)

    @property
    def leaning(self) -> list[str]:
        """Symbols that are held, or have a working entry, and whose exposure leans on the price of
        another instrument."""
        entries = self._reservations.leaning
        return list(dict.fromkeys((*self._leaning, *entries))) if self._leaning or entries else []

    def of_underlying(self, name: str) -> list[str]:
        """The symbols that derive from another, `name`, and are held or have a working entry, in
        any account."""
        derived = self._derived
        if not derived:
            return []  # asked at every entry, and most portfolios hold no contract
        return [symbol for symbol, underlying in derived.items() if underlying == name]

    @property
    def slots_used(self) -> int:
        """Symbols that are held plus symbols with a working entry that are not held (A-081)."""
        return len(self.held) + len(self._pending)
