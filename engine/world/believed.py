"""What looks agree on of what nothing explains at a venue (X-71, X-75)."""

from collections.abc import Callable
from decimal import Decimal

from engine.domain.instant import Nanos
from engine.state.account import Unexplained
from engine.world.absence import LOOKS_AGREE_FOR


class Believed:
    """How far looks carry what one account has more, or less, at its venue than anything explains.

    One look may have a hole. As with prices, a fall is believed down to the highest, a rise up to
    the lowest of what an unbroken run of looks found that lasts for 5 s or more and reaches to the
    newest. Between the two what was believed before stays.
    """

    __slots__ = ("_run", "standing")

    def __init__(self, standing: Unexplained, found: Unexplained, at: Nanos) -> None:
        """`standing` is believed; `found` was found by the newest look, at the time `at`."""
        self.standing = standing
        self._run = [(at, found)]

    def see(
        self, found: Unexplained, at: Nanos, value_of: Callable[[Unexplained], Decimal]
    ) -> None:
        """Take what is unexplained after a look at the time `at`.

        `value_of` says what such a thing is worth now, in the base currency.
        """
        run, lasted = self._run, at - LOOKS_AGREE_FOR
        if found != run[-1][1]:
            run.append((at, found))
        while len(run) > 1 and run[1][0] <= lasted:
            del run[0]
        if run[0][0] > lasted:
            return
        values = [(value_of(one), one) for _, one in run]
        high = max(values, key=lambda pair: pair[0])
        low = min(values, key=lambda pair: pair[0])
        standing = value_of(self.standing)
        if len(run) == 1:
            self.standing = found
        elif high[0] < standing:
            self.standing = high[1]
        elif low[0] > standing:
            self.standing = low[1]

    def explain(
        self, left: Unexplained, at: Nanos, value_of: Callable[[Unexplained], Decimal]
    ) -> None:
        """A fill or an adoption explained a part, so that `left` is left: no look has said anything
        new, and what one look found is no more believed than before."""
        found = self._run[-1][1]
        if left == found:
            return
        self._run = [(at, left)]
        if self.standing == found or value_of(left) >= value_of(self.standing):
            self.standing = left
