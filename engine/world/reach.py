"""How far equity went since it was last marked (X-71, X-74, A-402)."""

from decimal import Decimal

from engine.domain.money import ZERO, fall


class Reach:
    """The highest equity and the deepest fall since the journal last had a mark of it.

    Marks are a minute apart. What equity reached in between, as far as evidence carries it, is the
    high-water mark all the same; the next mark brings it into the state. Heights are kept as what
    they are above the state's, and falls as what they are below those, so that money that comes or
    goes, and what is adopted, moves them along (X-75).
    """

    __slots__ = ("_below", "above", "day_above", "day_fall")

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew: the state knows all of it."""
        self.above = ZERO
        self.forget_day()

    def forget_day(self) -> None:
        """Begin anew with the day."""
        self.day_above = ZERO
        self.day_fall = ZERO
        """The deepest fall from the day's highest, as a fraction of that."""
        self._below = ZERO

    def see(self, equity: Decimal, peak: Decimal, day_peak: Decimal) -> None:
        """Take the equity of a moment; the peaks are those in the state, ever and of the day."""
        self.above = max(self.above, equity - peak)
        below = day_peak + self.day_above - equity
        if below < ZERO:
            self.day_above -= below
            self._below = ZERO
        elif below > self._below:
            self._below = below
            self.day_fall = max(self.day_fall, fall(day_peak + self.day_above, equity))
