"""S: what is held is protected, at a risk within the limit, and a stop that trades stays."""

from decimal import Decimal
from typing import Final

from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderTerms
from engine.state.position import Position
from tests.simulation.harsh.facts import REPAIR_SECONDS, ZERO, Facts
from tests.simulation.harsh.venue import ADJUSTS, HarshVenue
from tests.simulation.venue import Working

PROTECT_SECONDS: Final = 8.0
LOOK_EVERY: Final = 15.0
"""The engine looks at the venue so often (`reconcile_seconds` of these runs)."""
ARMED_SECONDS: Final = 5
RENEWED_SECONDS: Final = 3.0
"""So long what rests through a split may take to be changed or cancelled."""


class Stops(Facts):
    """Holds the stops at the venues against what is held."""

    def _touches(self, account: str, key: str) -> None:
        """S: a stop that trades is left alone for 5 s, but for what closes the position (X-78)."""
        engine, at = self.engine, self._traded.get(key, 0)
        order = engine.book.order(key) if engine is not None else None
        if engine is None or order is None or self.halted:
            return
        held = engine.book.holding(account, order.symbol)
        # A person may close it, or take the stop away. What is held by now may also be on
        # the other side, and the stop would add to that.
        protects = held is not None and held.sign * order.side.sign < 0
        closing = held is None or not protects or held.exiting is not None or held.stop is None
        if at and not closing and self.now() - at < ARMED_SECONDS * NS_PER_SECOND:
            self.broken("S armed", f"{key} trades, and is changed or cancelled")

    def _risked(self, terms: OrderTerms) -> None:
        """S: with what it adds, the risk at the stop stays within the limit (X-82).

        What takes the place of an order, and is for no more of it at no worse price, adds nothing
        to that: of a change only the difference is asked (X-88).
        """
        engine = self.engine
        if engine is None or not terms.adds_exposure:
            return
        self._stop_ahead(terms)
        if self._only_takes_its_place(terms):
            return
        held = engine.book.holding(terms.account, terms.symbol)
        if held is None or held.sign != terms.side.sign or held.quantity == 0:
            return
        stops = [s for s in (held.stop, terms.stop_loss) if s is not None]
        if not stops:
            return
        stop = max(stops) if held.sign > 0 else min(stops)
        price = terms.reserved if terms.limit_price is None else terms.limit_price
        # From the mean price of all of it: a stop that locks a profit in makes room by that.
        lost = (held.average_price - stop) * held.quantity
        lost += (price - stop) * terms.quantity * held.sign
        equity = engine.world.money.equity
        if lost > self.risk * equity * Decimal("1.05"):
            self.broken("S risk", f"{lost:.0f} of {equity:.0f} at the stop of {terms.symbol}")

    def _only_takes_its_place(self, terms: OrderTerms) -> bool:
        """Whether the order is one that was changed, with nothing more in it."""
        before = self.venues[terms.account].orders.get(terms.orig_client_order_id)
        if before is None or terms.quantity > before.leaves:
            return False
        old, new = before.limit_price, terms.limit_price
        if old is None or new is None:
            return old == new
        return (new - old) * terms.side.sign <= 0

    def _stop_ahead(self, terms: OrderTerms) -> None:
        """S: no entry is decided whose stop the market has passed already."""
        stop, seen = terms.stop_loss, self._prices.get(terms.symbol)
        if stop is None or not seen or terms.symbol in self.split_symbols:
            return
        sign = terms.side.sign
        if all((price - stop) * sign <= 0 for _, price in list(seen)[-2:]):
            self.broken("S passed", f"{terms.symbol} is at {seen[-1][1]}, and the stop at {stop}")

    def _orphans(self, venue: HarshVenue) -> None:
        """S: what only reduces does not outlive for long what it was for."""
        for key, working in venue.open.items():
            order = working.order
            gone = venue.positions.get(order.symbol, ZERO) * order.side.sign >= 0
            gone = gone and order.is_protective and not venue.silent and venue.link_up
            if self._lasts(("orphan", key), gone, REPAIR_SECONDS):
                self.broken("S orphan", f"{key} would open a position in {order.symbol}")

    def _protected(self, venue: HarshVenue, position: Position, symbol: str) -> None:
        """S: what should have a stop has one, or is being closed, or that it has none is told."""
        bare = self._lacks(venue, position, symbol)
        # Of what was not told of a stop, or of what it is for, the next look says more.
        agreed = venue.positions.get(symbol, ZERO) == position.quantity
        seconds = PROTECT_SECONDS + (0 if agreed else LOOK_EVERY)
        if self._lasts(_bare_key(venue, position), bool(bare), seconds):
            self.broken("S bare", f"{bare} of {position.quantity} {symbol} bare in {venue.name}")

    def _split_taken_over(self, account: str, symbol: str) -> None:
        """The engine knows of a split from now on: what rests there rests in the old units, but
        where its venue has adjusted it itself."""
        if self.venues[account].at_split > ADJUSTS:
            return
        there = self.venues[account].open.items()
        terms = {k: (w.limit_price, w.stop_price) for k, w in there if w.order.symbol == symbol}
        self.old_terms[account, symbol] = self.now(), terms

    def _of_old_units(self, account: str, working: Working) -> None:
        """S: nothing fills that rested through a split and rests on as it was (X-93)."""
        order, venue = working.order, self.venues[account]
        at, terms = self.old_terms.get((account, order.symbol), (0, {}))
        same = terms.get(order.client_order_id) == (working.limit_price, working.stop_price)
        cut_off = not venue.link_up or venue.switches.silences or self._is_cut_off(venue)
        late = self.now() - at > RENEWED_SECONDS * NS_PER_SECOND
        if same and late and not cut_off:
            self.broken("S split", f"{order.client_order_id} fills as it was before the split")

    def works(self, account: str, working: Working) -> None:
        """An order works from now on, or with other terms: a stop for all of it, for however short
        a time, ends what lacked one."""
        venue, symbol = self.venues[account], working.order.symbol
        position = self.engine.book.holding(account, symbol) if self.engine is not None else None
        if position is not None and not self._lacks(venue, position, symbol):
            self._since.pop(_bare_key(venue, position), None)

    def _lacks(self, venue: HarshVenue, position: Position, symbol: str) -> Decimal:
        """How much of a position should have a stop at the venue now, and has none."""
        if position.stop is None or position.told_unprotected or position.exiting is not None:
            return ZERO
        # While the link is down nothing can be sent: it is told that the venue is lost.
        if symbol in venue.closed or not venue.link_up or self._is_cut_off(venue):
            return ZERO
        held, told = venue.positions.get(symbol, ZERO), self.told[venue.name].held()
        # Nor can it know what a silent venue has not told it; once that it is silent is told, that
        # alarm stands for whatever is bare there.
        if venue.silent and told.get(symbol, ZERO) != held:
            return ZERO
        if self.engine is not None and self.engine.book.account(venue.name).silent_since:
            return ZERO
        there = [w for w in venue.open.values() if w.order.symbol == symbol]
        resting = sum((w.leaves for w in there if w.order.protects), ZERO)
        reducing = sum((w.leaves for w in there if not w.order.adds_exposure), ZERO)
        # What is held there, here, and by what was told; each may be wrong for a while.
        amounts = (held, position.quantity, told.get(symbol, ZERO))
        same = all(amount * position.sign > 0 for amount in amounts)
        wanted = min(map(abs, amounts)) if same else ZERO
        return max(wanted - max(resting, reducing), ZERO)

    def _is_cut_off(self, venue: HarshVenue) -> bool:
        """Whether the engine has no connection, and has said so."""
        return self.engine is None or not self.engine.book.account(venue.name).is_connected


def _bare_key(venue: HarshVenue, position: Position) -> tuple[object, ...]:
    return "bare", venue.name, position.symbol, position.position_id
