"""The groups that limits add exposure up by: the name that a symbol derives from, its sector."""

from collections.abc import Callable, Mapping

from engine.domain.instrument import Instrument


class Groups:
    """The name and the sector of each symbol."""

    def __init__(self, instrument: Callable[[str], Instrument], sectors: Mapping[str, str]) -> None:
        """`instrument` gives the facts of a symbol, `sectors` the sector of a name."""
        self._instrument = instrument
        self._sectors = sectors

    def of(self, symbol: str) -> tuple[str, str]:
        """The groups that limits add exposure up by: the name and its sector."""
        name = self.name_of(symbol)
        return f"name:{name}", f"sector:{self._sector(name)}"

    def name_of(self, symbol: str) -> str:
        """What limits add a symbol up by: what it derives from in the end.

        An option on a future counts in the future's root, as the future does.
        """
        name, seen = self._instrument(symbol).underlying, {symbol}
        while name not in seen:
            seen.add(name)
            name = self._instrument(name).underlying
        return name

    def sector_of(self, symbol: str) -> str:
        """The sector of a symbol's name; the unknown share one bucket (A-085)."""
        return self._sector(self.name_of(symbol))

    def _sector(self, name: str) -> str:
        return self._sectors.get(name, "UNKNOWN")
