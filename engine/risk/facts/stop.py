"""The stop of an order and of its position, and what is lost where that is hit (X-82)."""

from decimal import Decimal

from engine.domain.money import ONE, ZERO, is_positive, tighter_stop
from engine.risk.facts.exposure import ExposureFacts
from engine.risk.facts.holding import HoldingFacts
from engine.risk.request import RequestKind
from engine.sizing.added import Added, AddedRisk
from engine.sizing.open_risk import at_stop, of_order, of_unfilled
from engine.state.brought import stop_to_come


class StopFacts(ExposureFacts, HoldingFacts):
    """What is known of the stop."""

    __slots__ = ()

    @property
    def fill_prices(self) -> tuple[Decimal | None, ...]:
        """What its fill may come to, as far as a stop is concerned: its limit and its trigger, the
        market's price unless that must reach the trigger first, and what its signal saw."""
        request = self.request
        prices: list[Decimal | None] = [request.entry]
        if request.stop_price is not None:
            prices.append(request.stop_price)
        elif self.mark is not None:
            prices.append(self.mark)
        if request.signal is not None:
            prices.append(request.signal.entry_price)
        return tuple(dict.fromkeys(prices))

    @property
    def stop_after(self) -> Decimal | None:
        """The stop that will protect all of the position once the order has filled (X-82)."""
        request = self.request
        held = request.position
        first = None if held is None or held.sign != request.sign else held.stop
        return tighter_stop(first, request.stop, sell=request.sign > 0)

    @property
    def adds_risk(self) -> AddedRisk | None:
        """What the order adds to the open risk of its position at that stop (X-82).

        Where neither what is held nor the order has one, that is asked at the loosest which a
        working entry brings, for a fill of that entry puts all of it under that stop. Under any
        other, which is tighter, less is at risk.

        None where there is no stop or no such limit, where it only reduces, and for a first entry
        that nothing else goes with: sizing holds a signal's to the limit by itself, and of a
        person's a first stop always passes (X-85), for the order would pass without one. A change
        of a working entry is held to the limit as far as more is risked by it (X-88).
        """
        request, share = self.request, self._world.limits.risk_per_trade
        if share is None or request.kind.reduces:
            return None
        after = self.stop_after
        stop = self._stop_of_entries if after is None else after
        if stop is None:
            return None
        held, multiplier = request.position, self.instrument.multiplier
        changes = request.kind is RequestKind.CHANGE
        if held is None and not changes and not self._joins_entries:
            return None
        buffer = self._world.config.execution.slippage_buffer
        before = ZERO if held is None else at_stop(held, stop)
        for order in self.entries_here:
            before += of_order(order, stop, multiplier, buffer)
        unit = (self._worst_entry - stop) * request.sign
        rate = self._worth
        changed = self._book.order_in(request.account, request.changes) if changes else None
        freed = ZERO if changed is None else of_unfilled(changed, stop, multiplier, buffer)
        return AddedRisk(
            adds=Added(
                leaves=max((request.quantity or ZERO) - request.filled, ZERO),
                filled=request.filled,
                unit_value=unit * multiplier * rate,
                freed=freed * rate,
                lot=self.instrument.lot,
            ),
            before=before * rate,
            limit=share * self.equity,
            stop=stop,
            of_entry=after is None,
        )

    @property
    def _stop_of_entries(self) -> Decimal | None:
        """The loosest stop that an entry which works beside the order brings; None without any."""
        held, sign = self.request.position, self.request.sign
        stops = (stop_to_come(held, order) for order in self.entries_here)
        return min((s for s in stops if s is not None), key=lambda s: s * sign, default=None)

    @property
    def _joins_entries(self) -> bool:
        """True for a change of an order beside another entry; a signal enters beside none."""
        return self.request.signal is None and bool(self.entries_here)

    @property
    def _worst_entry(self) -> Decimal:
        """The price of a fill that is furthest from its stop (U-51): dearest to buy, cheapest to
        sell."""
        request = self.request
        if request.sign > 0:
            return self.worst_price
        if request.limit_price is not None:
            return request.limit_price
        prices = [price for price in (request.entry, self.mark) if price is not None]
        quote = self.quote
        if quote is not None and quote.bid is not None and is_positive(quote.bid):
            prices.append(quote.bid)
        worst = min(prices, default=Decimal("NaN"))
        return worst * (ONE - self._world.config.execution.slippage_buffer)
