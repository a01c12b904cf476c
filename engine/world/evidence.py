"""Evidence against one bad tick: a breach counts once it is confirmed (X-71)."""

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Quote

CONFIRM_NS = NS_PER_SECOND
"""Two price events at least this far apart."""


class Breaches:
    """Since when each watched condition has held at every price event."""

    def __init__(self) -> None:
        self._since: dict[str, Nanos] = {}
        self._confirmed: set[str] = set()

    def see(self, key: str, *, breached: bool, at: Nanos, traded_both_sides: bool = False) -> None:
        """Take one price event; `traded_both_sides`: a trade that the quote's other side confirms.

        A single event in between that does not breach starts the count anew.
        """
        if not breached:
            if key in self._since:
                self.forget(key)
            return
        first = self._since.setdefault(key, at)
        if traded_both_sides or at - first >= CONFIRM_NS:
            self._confirmed.add(key)

    def confirmed(self, key: str) -> bool:
        """True once the breach stands on evidence."""
        return key in self._confirmed

    def forget(self, key: str) -> None:
        """Drop what was seen under a key."""
        self._since.pop(key, None)
        self._confirmed.discard(key)


def both_sides(quote: Quote, *, falling: bool) -> bool:
    """True if a real trade and the far side of the quote agree on a move down (or up)."""
    other = quote.ask if falling else quote.bid
    if not quote.trade or other is None:
        return False
    return other <= quote.last if falling else other >= quote.last
