"""What must hold of what is staged, by what the venues did and the engine was told."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from engine.domain import events as ev
from engine.domain.events import Record
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import Fill, OrderStatus, OrderTerms, Purpose
from engine.domain.position import ExitReason
from engine.domain.run import Flatten, Level, Phase, RunState, Trigger
from engine.domain.schema import decode
from engine.runtime.engine import Engine
from engine.state.book import Book
from tests.simulation.harsh.facts import Place
from tests.simulation.harsh.invariants import CLOSING, Invariants
from tests.simulation.harsh.staged.venue import StagedVenue
from tests.simulation.store import Row
from tests.simulation.venue import Working

GROWN_SECONDS: Final = 5.0
"""So long the cancel of an entry that was enlarged may take."""
UNREAD_SECONDS: Final = 12.0
"""So long after a kill what is held may be left where the venue answers no question: that is told
after 5 s, and a close may be refused and tried again."""
THEIRS_SECONDS: Final = 20.0
"""So long a kill may take to find and to cancel what somebody else has placed: once it was proved a
look comes every 15 s."""
LATE_SECONDS: Final = 2.5
"""So long what ends with the session may take to be asked for."""
TAKEN_SECONDS: Final = 3.0
"""So long a fill that was reported may take to be booked."""
FLOOR_SECONDS: Final = 12.0
"""So long equity may be below its floor: where that is tried an operator looks every 3 s, and what
is less at the venue than is explained counts once looks of 5 s agree on it."""
SOLD_SECONDS: Final = 25.0
"""So long it may take until what somebody sold is named: a look comes every 15 s, and one of which
something was in flight says nothing of that."""
GARBLED_SECONDS: Final = 2.0
"""So long a list that was answered may take to have its consequences."""
UNTOLD_SECONDS: Final = 5.0
"""So long it may take to tell that an order has filled whose fill never came (rule 3)."""
RISKED: Final = Decimal("1.05")
"""How many times the limit of a trade may be at risk, by equity that moves."""
AGAIN_SECONDS: Final = 60
"""What is listed again within so long is what it was."""
FAR: Final = Decimal("0.3")
"""No price moves by so much of itself at once."""
OTHER_UNITS: Final = Decimal("0.6")
"""A price that is so much of itself away from another is in units of before or after a split."""
STOPPED: Final = (RunState.HALTED, RunState.REDUCE_ONLY)


class StagedInvariants(Invariants):
    """As the invariants of the harsh runs, and what is staged beside them."""

    staged_venues: Mapping[str, StagedVenue] = {}
    ends_at: Nanos = 0
    """When what ends with the session is to be asked to end; 0 for not in this run."""
    floor = Decimal(0)
    """Equity below which the engine stops, over all accounts."""
    looked = 0
    """The newest epoch of a halt that somebody looked at who then asked to clear it."""
    fills_missing: tuple[str, ...] = ()
    """What was told of orders that have filled, and of which the fill never came."""
    kill_all: Nanos = 0
    """When a kill of everything was last asked for."""

    def started(self, engine: Engine) -> None:
        super().started(engine)
        self._untaken: dict[tuple[str, str], Nanos] = {}
        """Executions that were reported and are not booked, by account and id. One that is on a
        list is known only with the rest of the look, or of the answer."""
        self._known_stops: dict[Place, Decimal | None] = {}
        """The stop of each position, as of the newest sample."""
        self._gone: dict[Place, tuple[Nanos, Decimal, Decimal | None]] = {}
        """Holdings that were taken off whole without a fill: when, how much, and their stop."""

    # --- what fills -------------------------------------------------------------------------------

    def filled(
        self, account: str, working: Working, fill: Fill, before: Decimal, after: Decimal
    ) -> None:
        super().filled(account, working, fill, before, after)
        order, venue = working.order, self.staged_venues[account]
        if not venue.staged.adjusts or order.symbol not in self.split_symbols:
            return
        reducing = order.purpose in CLOSING or order.reduce_only
        if reducing and (before * after < 0 or abs(after) > abs(before)):
            self.broken("R units", f"{order.purpose} took {order.symbol} from {before} to {after}")
        stop = working.stop_price
        if stop is not None and abs(fill.price - stop) > OTHER_UNITS * max(stop, fill.price):
            self.broken("S units", f"a stop of {order.symbol} at {stop} fills at {fill.price}")

    # --- what is told and decided -----------------------------------------------------------------

    def hears(self, account: str, number: int, fill: Fill, listed: bool) -> None:
        new = (account, number) not in self._numbers and fill.client_order_id in self.disk.intents
        if new and not listed:
            self._untaken.setdefault((account, fill.execution_id), self.now())
        super().hears(account, number, fill, listed)

    def row(self, row: Row) -> None:
        super().row(row)
        if row[2] in {"OrderFilled", "FillMatched"}:
            event = decode(row[2], row[3])
            assert isinstance(event, ev.OrderFilled | ev.FillMatched)
            self._untaken.pop((event.account, event.fill.execution_id), None)

    def happened(self, record: Record) -> None:
        super().happened(record)
        match record.event:
            case ev.HaltCleared(epoch=epoch):
                self._may_clear(epoch)
            case ev.ExitPlanned() as event if event.decision.reason is ExitReason.TARGET:
                self._reached(event)
            case ev.PositionAdjusted() as event:
                self._adjusted_again(event)
                self._adjusted_unread(event)
            case ev.Alarmed(code="FILL_MISSING", text=text):
                self.fills_missing += (text,)
            case ev.TriggerFired(trigger=Trigger.MIN_EQUITY):
                self._really_below()
            case ev.Halted(halt=halt) if halt.level is Level.KILL:
                self.kill_all = self.now() if halt.flatten is Flatten.ALL else 0

    def _may_clear(self, epoch: int) -> None:
        """E: a halt is cleared by who looked at it, with nothing unexplained (C-503, X-69)."""
        if self.looked and epoch > self.looked:
            self.broken("E looked", f"halt {epoch} is cleared, and {self.looked} was looked at")
        told = self.engine.status()["accounts"] if self.engine is not None else []
        for account in told:
            if account["unexplained"]:
                self.broken(
                    "E cash", f"cleared with {account['unexplained']} in {account['broker']}"
                )

    def _reached(self, event: ev.ExitPlanned) -> None:
        """S: no price that only one tick shows closes a position at its target (X-71)."""
        measured = event.decision.measured
        if not measured or measured in OrderStatus.__members__:
            return  # it goes on with what was decided before, after an order that ended
        price = Decimal(measured)
        seen = [p for _, p in list(self._prices.get(event.symbol, ()))[-3:]]
        if seen and all(abs(price - p) > FAR * p for p in seen):
            self.broken("S tick", f"{event.symbol} is closed at {price}, and it was at {seen[-1]}")

    def _risked(self, terms: OrderTerms) -> None:
        super()._risked(terms)
        target, seen = terms.target, self._prices.get(terms.symbol)
        if target is None or not seen or not terms.adds_exposure:
            return
        entries = [price for _, price in list(seen)[-2:]]
        if terms.limit_price is not None:
            entries.append(terms.limit_price)
        if all((target - price) * terms.side.sign <= 0 for price in entries):
            self.broken("S target", f"{terms.symbol} has its target at {target}, entry {entries}")

    def _adjusted_unread(self, event: ev.PositionAdjusted) -> None:
        """Q: a row that cannot be read is not one that is missing (X-52, fault 46)."""
        venue = self.staged_venues[event.account]
        held = venue.positions.get(event.symbol, Decimal(0))
        if event.symbol == venue.garbled and event.quantity != held:
            self.broken("Q unread", f"{event.symbol} is {event.quantity} here, and {held} there")

    def _really_below(self) -> None:
        """L: equity is said to be below its floor where it is (A-183)."""
        worth = self._worth()
        if worth > self.floor * Decimal("1.01"):
            self.broken("L unseen", f"{worth:.0f} are there, and {self.floor:.0f} is the floor")

    def _worth(self) -> Decimal:
        return sum((venue.worth for venue in self.staged_venues.values()), Decimal(0))

    def sending(self, account: str, order: OrderTerms) -> None:
        super().sending(account, order)
        venue = self.staged_venues[account]
        known = (
            venue.garbled_told and self.now() - venue.garbled_told > GARBLED_SECONDS * NS_PER_SECOND
        )
        if order.adds_exposure and order.symbol == venue.garbled and known:
            self.broken("E unread", f"{order.client_order_id} enters what {account} cannot state")

    def _adjusted_again(self, event: ev.PositionAdjusted) -> None:
        place = (event.account, event.symbol)
        if event.previous and not event.quantity:
            stop = self._known_stops.get(place)
            self._gone[place] = self.now(), event.previous, stop
        elif event.quantity and not event.previous and place in self._gone:
            at, quantity, stop = self._gone.pop(place)
            engine = self.engine
            held = engine.book.holding(*place) if engine is not None else None
            young = self.now() - at < AGAIN_SECONDS * NS_PER_SECOND
            if held is None or not young or event.quantity != quantity or stop is None:
                return
            if held.stop != stop:
                self.broken("S again", f"{event.symbol} is back with {held.stop}, it had {stop}")

    # --- twice a second ---------------------------------------------------------------------------

    def sample(self) -> None:
        super().sample()
        engine = self.engine
        if engine is None or engine.book.data.phase is not Phase.RUNNING or self.up_for < 2:
            return
        book = engine.book
        for name, venue in self.staged_venues.items():
            for position in book.account(name).positions.values():
                self._known_stops[name, position.symbol] = position.stop
            self._grown(venue)
            self._ends_late(book, venue)
            self._killed_unread(book, venue)
            self._kept_theirs(book, venue)
            self._sold_by_somebody(book, venue)
            self._never_told(book, venue)
            self._at_risk(engine, venue)
        self._above_floor(book)
        for (account, key), at in self._untaken.items():
            if self.now() - at > TAKEN_SECONDS * NS_PER_SECOND:
                self.broken("Q taken", f"{key} of {account} was reported, and is not booked")

    def _grown(self, venue: StagedVenue) -> None:
        """E: what somebody enlarged of what enters is cancelled (X-88, rule 4)."""
        for key in venue.enlarged:
            left = key in venue.open and key not in self._ending
            if self._lasts(("grown", key), left, GROWN_SECONDS):
                self.broken("E grown", f"{key} works on, and somebody has enlarged it")

    def _ends_late(self, book: Book, venue: StagedVenue) -> None:
        """E, R: nothing enters any more that ends with the session, and what is held of it is being
        closed (X-83)."""
        if not self.ends_at or self.now() < self.ends_at:
            return
        for key, working in venue.open.items():
            order = working.order
            enters = order.adds_exposure and order.trade_type.ends_with_session
            left = enters and key not in self._ending and key not in venue.strangers
            if self._lasts(("late", key), left, LATE_SECONDS):
                self.broken("E late", f"{key} still works, and its session ends")
        for symbol, held in book.account(venue.name).positions.items():
            # What a person holds without handing it over to the rules is theirs to close.
            left = held.trade_type.ends_with_session and held.managed and held.exiting is None
            left = left and symbol in venue.positions
            if self._lasts(("late", venue.name, symbol), left, LATE_SECONDS):
                self.broken("R late", f"{symbol} in {venue.name} is held, and its session ends")

    def _killed_unread(self, book: Book, venue: StagedVenue) -> None:
        """R: a kill closes what is held though its venue cannot be looked at (rule 3, X-52)."""
        asked = self.kill_all if book.halted else 0
        for symbol, quantity in venue.positions.items():
            held = book.holding(venue.name, symbol)
            left = bool(asked) and venue.unread and venue.link_up and not venue.silent
            left = left and held is not None and held.quantity == quantity and held.exiting is None
            since = min(self.now() - asked, self.now() - self._running_since)
            if left and since > UNREAD_SECONDS * NS_PER_SECOND:
                self.broken("R unread", f"{quantity} {symbol} in {venue.name} is left by a kill")

    def _kept_theirs(self, book: Book, venue: StagedVenue) -> None:
        """R: a kill cancels the orders of others too, whatever their ids are (rule 6, X-08)."""
        for key in venue.strangers:
            left = book.halted and bool(self.kill_all) and key in venue.open and venue.link_up
            if self._lasts(("theirs", key), left, THEIRS_SECONDS):
                self.broken("R theirs", f"{key} in {venue.name} is left by a kill")

    def _sold_by_somebody(self, book: Book, venue: StagedVenue) -> None:
        """Q: that somebody has sold something is named, whatever else a list holds (fault 46)."""
        account = book.account(venue.name)
        for symbol in venue.sold_off:
            held = account.positions.get(symbol)
            here = Decimal(0) if held is None else held.quantity
            off = here != venue.positions.get(symbol, Decimal(0))
            off = off and symbol not in account.missing and not self._is_named(account, symbol)
            if self._lasts(("sold", venue.name, symbol), off, SOLD_SECONDS):
                self.broken("Q sold", f"{here} {symbol} in {venue.name} were sold by somebody")

    def _never_told(self, book: Book, venue: StagedVenue) -> None:
        """S: what an order bought or sold, and nobody told, is told within 5 s (fault 44)."""
        account = book.account(venue.name)
        for key, working in venue.orders.items():
            symbol, held = working.order.symbol, account.positions.get(working.order.symbol)
            here = Decimal(0) if held is None else held.quantity
            missing = not working.is_open and working.filled > self._heard.get(key, Decimal(0))
            missing = missing and here != venue.positions.get(symbol, Decimal(0))
            missing = missing and not any(key in text for text in self.fills_missing)
            if self._lasts(("untold", key), missing, UNTOLD_SECONDS):
                self.broken("S untold", f"{key} filled {working.filled} {symbol}, nothing is told")

    def _at_risk(self, engine: Engine, venue: StagedVenue) -> None:
        """S: where a person's orders alone entered, which had a limit each, no more is lost at the
        stops of a venue than a trade may lose (X-82)."""
        for symbol, quantity in venue.positions.items() if venue.staged.beside else ():
            there = [w for w in venue.orders.values() if w.order.symbol == symbol]
            entered = [w for w in there if w.order.adds_exposure and w.filled]
            if any(working.order.purpose is not Purpose.MANUAL for working in entered):
                continue
            away = sum(
                (
                    (venue.costs[symbol] - working.stop_price) * working.leaves
                    for working in there
                    if working.is_open and working.order.protects and working.stop_price
                ),
                Decimal(0),
            )
            lost = away if quantity > 0 else -away
            if lost > self.risk * engine.world.money.equity * RISKED:
                self.broken("S beside", f"{lost:.0f} at the stops of {quantity} {symbol}")

    def _above_floor(self, book: Book) -> None:
        """L: equity below its floor stops the engine, whatever explains that (A-183)."""
        worth = self._worth()
        below = worth < self.floor * Decimal("0.99") and book.run_state not in STOPPED
        if self._lasts(("floor",), below, FLOOR_SECONDS):
            self.broken("L floor", f"{worth:.0f} are left, and the state is {book.run_state}")
