"""R: what reduces makes nothing more, and a kill closes everything and proves what is true."""

from decimal import Decimal
from typing import Final

from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import OrderTerms
from engine.domain.run import Flatten, KillState
from engine.plans.kill import in_scope
from engine.state.book import Book
from tests.simulation.harsh.facts import REPAIR_SECONDS, Facts, Holdings, Place
from tests.simulation.harsh.venue import SOMEBODY

LOOK_SECONDS: Final = 3
"""What happens within so long before a proof may have come after the answers that it leans on."""
REPAIRED_SECONDS: Final = 5.0
STANDS_SECONDS: Final = 3.0
"""So long a look may take, and what follows from it."""
DENIALS: Final = 2
"""What so many lists in a row do not show is not there, for all that anybody can know."""


class Reducing(Facts):
    """Holds what closes against what was held."""

    def _flipped(self, place: Place, order: OrderTerms, before: Decimal, after: Decimal) -> None:
        """R: no order that reduces makes more of it, unless nobody could know."""
        account, symbol = place
        venue = self.venues[account]
        touched = venue.touched.get(symbol, 0)
        foreign = touched and self.now() - touched < REPAIR_SECONDS * NS_PER_SECOND
        after_all = order.client_order_id in venue.confirmed
        late = after_all or self._late_there(place)
        if foreign or late or symbol in self.split_symbols:
            self.flips += 1
            if late and not foreign:
                self._turned.add(place)
            return
        hidden = any(venue.fills[int(n)].symbol == symbol for n in venue.missing)
        if hidden:
            self.flips += 1
            return
        self.broken(
            "R flip", f"{order.purpose} took {symbol} in {account} from {before} to {after}"
        )

    def _late_there(self, place: Place) -> bool:
        """Whether an order filled here after its end was confirmed, not long ago."""
        account, symbol = place
        venue = self.venues[account]
        since = self.now() - round(REPAIR_SECONDS * NS_PER_SECOND)
        return any(
            fill.symbol == symbol and fill.time >= since and fill.client_order_id in venue.confirmed
            for fill in venue.fills[-30:]
        )

    def _proof(self, event: ev.KillProved) -> None:
        """R: what is said to be proved is true, unless the venue has hidden it just now."""
        engine, venue = self.engine, self.venues[event.account]
        if event.state != KillState.VERIFIED or engine is None or engine.book.data.halt is None:
            return
        reach = engine.book.data.halt.flatten
        self.accounts[event.account].proved = reach
        recent = self.now() - round((venue.switches.lists_lag + LOOK_SECONDS) * NS_PER_SECOND)
        for symbol, quantity in venue.positions.items():
            held = engine.book.holding(event.account, symbol)
            if venue.moved_at > recent or venue.denied.get(symbol, 0) >= DENIALS:
                continue
            if held is None or in_scope(held, reach):
                self.broken("R proof", f"{quantity} {symbol} in {event.account} after VERIFIED")
        for key, working in venue.open.items():
            stranger = venue.strangers.get(key)
            young = stranger is not None and self.now() - stranger.since < 5 * NS_PER_SECOND
            if not working.order.protects and not young and venue.moved_at <= recent:
                self.broken("R proof", f"{key} works in {event.account} after VERIFIED")

    def _still_proved(self, book: Book, account: str) -> None:
        """R: what a look shows ends a proof, however long ago that was given."""
        work, halt, venue = book.account(account).kill, book.data.halt, self.venues[account]
        recent = self.now() - round((venue.switches.lists_lag + STANDS_SECONDS) * NS_PER_SECOND)
        held = [s for s in venue.positions if venue.denied.get(s, 0) < DENIALS]
        wrong = (
            work is not None
            and halt is not None
            and halt.flatten is Flatten.ALL
            and work.state == KillState.VERIFIED
            and bool(held)
            and venue.moved_at < recent
            and not (venue.silent or self.clock_was_wrong)
        )
        # what was asked for before it moved, or came from a list that is behind, does not show it
        asked = book.account(account).power_asked
        behind = NS_PER_SECOND + round(venue.switches.lists_lag * NS_PER_SECOND)
        looked = asked > venue.moved_at + behind
        if self._lasts(("proved", account), wrong and looked, STANDS_SECONDS):
            self.broken("R proof", f"{', '.join(held)} in {account}, which is said to be VERIFIED")

    def _repaired(self, book: Book, account: str, here: Holdings, told: Holdings) -> None:
        """R: what an order opened that was only to reduce is closed within 5 s, once it is told."""
        for place in [place for place in self._turned if place[0] == account]:
            symbol = place[1]
            held = book.holding(account, symbol)
            if held is None:
                if here == told:
                    self._turned.discard(place)
                continue
            left = held.exiting is None and held.stop is None and here == told
            left = left and symbol not in self.split_symbols and not self.disputed
            if self._lasts(("turned", account, symbol), left, REPAIRED_SECONDS):
                self.broken("R repair", f"{held.quantity} {symbol} in {account} is left as it is")

    def killed(self) -> bool:
        """Whether the last kill has done what it is for: nothing is held, nothing of ours works."""
        return not any(
            venue.positions or [k for k in venue.open if not k.startswith(("somebody", SOMEBODY))]
            for venue in self.venues.values()
        )
