"""The seven invariants, held against what the venues executed and what the engine was told.

L loss limits; Q cash, quantities and profit; S stops and their entries; R what reduces; E what
enters; O outcomes and repetition; U every start; and T that time is right. Each finding begins
with its letter and a word.
"""

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Final

from engine.domain import events as ev
from engine.domain.events import Record
from engine.domain.instant import NS_PER_SECOND
from engine.domain.order import Fill, OrderStatus, OrderTerms, Purpose, Side
from engine.domain.run import Phase, RunState, Trigger
from engine.domain.schema import decode
from engine.runtime.engine import Engine
from engine.state.account import AccountState
from engine.state.book import Book
from tests.simulation.harsh.facts import ZERO, Holdings
from tests.simulation.harsh.money import Money
from tests.simulation.harsh.outcomes import Outcomes
from tests.simulation.harsh.reducing import Reducing
from tests.simulation.harsh.stops import Stops
from tests.simulation.harsh.venue import SOMEBODY
from tests.simulation.scenario import BY, RESTING
from tests.simulation.store import Row, change_key
from tests.simulation.venue import Working

SILENT_SECONDS: Final = 5.5
STOPPED_SECONDS: Final = 6.0
"""After the engine was told of a stop's fill, so long the cancel of its entry may take."""
BOOKED_SECONDS: Final = 20.0
REOPEN_SECONDS: Final = 10
"""So long after a halt of its symbol a close may take to go out again."""
DECIDED_SECONDS: Final = 2.5
"""What follows from a fill or a state is decided within a tick of the engine."""
RIGHT_SECONDS: Final = 60
CLOSING: Final = (Purpose.EXIT, Purpose.FLATTEN, Purpose.PROTECT)
NO_NUMBER: Final = re.compile(rb'"-?(NaN|Infinity|[0-9.]*E\+30[0-9])"')
STRANGE_PASTS: Final = ("old",)
JOURNALLED: Final = (
    "OrderFilled",
    "PositionAdjusted",
    "CashAdjusted",
    "HoldingPriced",
    "AccountSynced",
)
NO_ENTRIES: Final = (RunState.HALTED, RunState.REDUCE_ONLY, RunState.COOLDOWN)


class Invariants(Money, Stops, Reducing, Outcomes):
    """Sees every event, every send and all that the venues do, over all processes of a run."""

    def started(self, engine: Engine) -> None:
        self.engine, self.began = engine, self.now()
        self.clock_believed = self.clock_believed or bool(self.clock_since)
        self._since.clear()
        self._running_since = self._stopped_at = 0
        for seen in self.accounts.values():
            seen.looked = seen.looked_over_link = False

    @property
    def up_for(self) -> float:
        """For how many seconds the engine has been running, 0 while it does not."""
        since = self._running_since if self.engine is not None else 0
        return (self.now() - since) / NS_PER_SECOND if since else 0.0

    def crashed(self) -> None:
        young = self.now() - self.halted_at < 20_000_000
        if self.halted and young and self.disk.latch is None:
            self.halted = any(isinstance(r.event, ev.Halted) for r in self.disk.records(0))

    def hears(self, account: str, number: int, fill: Fill, listed: bool) -> None:
        """The process was told of an execution, by a report or on a list."""
        if (account, number) in self._numbers or not fill.client_order_id:
            return
        if fill.client_order_id.startswith((SOMEBODY, *STRANGE_PASTS)):
            return  # whether it is taken over is the engine's to say, and it says so
        self._numbers.add((account, number))
        key = fill.client_order_id
        self._heard[key] = self._heard.get(key, ZERO) + fill.quantity
        bought = fill.quantity * fill.side.sign
        self.told[account].told(key, fill.symbol, bought, fill.price, fill.commission)
        # What is held is another quantity now, and so is what its stop is for.
        self._sends.pop((Purpose.PROTECT.value, account, fill.symbol), None)
        working = self.venues[account].orders.get(fill.client_order_id)
        if working is not None and working.order.is_protective:
            place = (account, fill.symbol)
            if listed:
                self._listed.setdefault(account, {})[fill.client_order_id] = self.now()
            else:
                self._traded[fill.client_order_id] = self.now()
            entries = self._stops.get(place, (0, set()))[1]
            self._stops[place] = (self.now(), entries)

    def row(self, row: Row) -> None:
        self.events += 1
        self.seen.add(row[2])
        if row[1] < self._newest:
            back = (self._newest - row[1]) / NS_PER_SECOND
            self.broken("T backward", f"{row[2]} is dated {back:.3f} s before what came before it")
        self._newest = row[1]
        data = row[3]
        # One of these is in every such number, and to look for them is quick.
        suspect = b'NaN"' in data or b'Infinity"' in data or b"E+30" in data
        if suspect and (wrong := NO_NUMBER.search(data)) is not None:
            self.broken("Q number", f"{row[2]} holds {wrong.group().decode()}")
        if row[2] in JOURNALLED:
            event = decode(row[2], data)
            self._journalled(event)
            if isinstance(event, ev.PositionAdjusted) and event.numerator:
                self._split_taken_over(event.account, event.symbol)

    def happened(self, record: Record) -> None:
        event = record.event
        self._trace.append((self.now(), record))
        check = _CHECKS.get(type(event))
        if check is not None:
            check(self, event)

    def words(self, event: ev.Event) -> str:
        return _words(event)

    def _looked(self, event: ev.Reconciled) -> None:
        self._compared(event)
        self._traded |= self._listed.pop(event.account, {})

    def _halted(self, event: ev.Halted) -> None:
        self.halted, self.halted_at = True, self.now()
        self._unprove()

    def _cleared(self, event: ev.HaltCleared) -> None:
        if self.kill_asked > self.resume_asked:
            self.broken("E epoch", "a halt that came after the resume was cleared by it")
        self.halted = False
        self._unprove()

    def _intended(self, event: ev.OrderIntended) -> None:
        self._risked(event.terms)

    def _signal_decided(self, event: ev.SignalDecided) -> None:
        if event.client_order_ids:
            self._signals[event.signal_id] = self.now()

    def _signal_ended(self, event: ev.SignalEnded) -> None:
        self._signals.pop(event.signal_id, None)

    def _cancel_asked(self, event: ev.CancelRequested) -> None:
        self._paced_at("cancel", event.account, event.client_order_id)
        if event.reason != BY:
            self._touches(event.account, event.client_order_id)
        self._ending.add(event.client_order_id)

    def _change_asked(self, event: ev.ReplaceRequested) -> None:
        self._touches(event.account, event.client_order_id)

    def _fired(self, event: ev.TriggerFired) -> None:
        if event.trigger is Trigger.DAILY_LOSS:
            self._really_lost()

    def sending(self, account: str, order: OrderTerms) -> None:
        self.note(
            f"send {order.client_order_id[-6:]} {order.side} {order.quantity} {order.symbol} "
            f"{order.purpose} to {account}"
        )
        self._paced_at(order.purpose.value, account, order.symbol)
        if not order.adds_exposure:
            return
        if order.client_order_id not in self.disk.intents:
            self.broken("E durable", f"{order.client_order_id} left before it was durable")
        if self.halted or self.disk.latch is not None:
            self.broken("E halt", f"{order.client_order_id} left after the halt")
        if not self.accounts[account].looked_over_link:
            self.broken("E unseen", f"{order.client_order_id} left before the first look")
        self._affordable(account, order)
        waited = self.silent_for(account) / NS_PER_SECOND
        if waited > SILENT_SECONDS:
            text = (
                f"{order.client_order_id} left, and {account} has said nothing for {waited:.0f} s"
            )
            self.broken("E silent", text)

    def changing(self, key: str, quantity: Decimal) -> None:
        book = self.engine.book if self.engine is not None else None
        order = book.order(key) if book is not None else None
        if order is None or not order.adds_exposure:
            return
        if change_key(key, quantity) not in self.disk.intents:
            self.broken("E durable", f"the change of {key} left before it was durable")
        if self.halted or self.disk.latch is not None:
            self.broken("E halt", f"the change of {key} left after the halt")

    def asking_about(self, account: str, key: str) -> None:
        return

    def accepted(self, account: str, order: OrderTerms, again: bool) -> None:
        self.note(f"{account} accepts {order.client_order_id[-6:]} {order.purpose}")
        if again:
            self.broken("E twice", f"{order.client_order_id} was accepted twice")

    def filled(
        self, account: str, working: Working, fill: Fill, before: Decimal, after: Decimal
    ) -> None:
        order, venue = working.order, self.venues[account]
        place, key = (account, order.symbol), order.client_order_id
        self.note(
            f"{account} fills {key[-6:]} {fill.quantity} of {order.symbol}: {before} to {after}"
        )
        self._of_old_units(account, working)
        bought = fill.quantity * order.side.sign
        self.truth[account].take(order.symbol, bought, fill.price, fill.commission)
        if order.client_order_id.startswith(SOMEBODY):
            venue.touched[order.symbol] = self.now()
            return
        reducing = order.purpose in CLOSING or order.reduce_only
        if reducing and (before * after < 0 or abs(after) > abs(before)):
            self._flipped(place, order, before, after)
        if order.is_protective:
            side = Side.BUY if before > 0 else Side.SELL
            entries = {
                k
                for k, w in venue.open.items()
                if w.order.symbol == order.symbol
                and w.order.adds_exposure
                and (w.order.side is Side.BUY) == (side is Side.BUY)
            }
            self._stops[place] = (0, entries | self._stops.get(place, (0, set()))[1])
        at, entries = self._stops.get(place, (0, set()))
        refuses = venue.switches.cancels_refused or venue.switches.silences
        refuses = refuses or key in venue.confirmed or not venue.link_up
        late = at and self.now() - at > STOPPED_SECONDS * NS_PER_SECOND
        if key in entries and late and not refuses:
            self.broken("S entry", f"{key} bought {order.symbol} after its stop traded")

    def sample(self) -> None:
        engine = self.engine
        if engine is None or engine.book.data.phase is not Phase.RUNNING:
            self._since.clear()
            return
        self._running_since = self._running_since or self.now()
        if self.now() - self._running_since < 2 * NS_PER_SECOND:
            return
        book = engine.book
        if book.run_state not in NO_ENTRIES:
            self._stopped_at = 0
        elif not self._stopped_at:
            self._stopped_at = self.now()
        held = {name: self._held(book, name) for name in self.venues}
        agreed = all(here == told for here, told in held.values())
        self._lost(book, agreed=agreed)
        self._earned_so_far(engine, agreed=agreed)
        for name, (here, told) in held.items():
            self._held_in(book, name, here, told)
            self._power_now(engine, self.venues[name])
            self._repaired(book, name, here, told)
            self._still_proved(book, name)

    def _held(self, book: Book, name: str) -> tuple[Holdings, Holdings]:
        """What the engine holds in an account, and what it holds by what it was told."""
        positions = book.account(name).positions.values()
        return {p.symbol: p.quantity for p in positions}, self.told[name].held()

    def _is_named(self, account: AccountState, symbol: str) -> bool:
        """Whether it is said that what is held of a symbol is in doubt."""
        return (
            symbol in account.blocked
            or any(d.symbol == symbol for d in account.differences)
            or any(
                o.symbol == symbol and o.status is OrderStatus.UNKNOWN
                for o in account.orders.values()
            )
        )

    def _held_in(self, book: Book, name: str, here: Holdings, told: Holdings) -> None:
        account, venue = book.account(name), self.venues[name]
        for symbol in told.keys() | here.keys():
            off = told.get(symbol, ZERO) != here.get(symbol, ZERO)
            off = off and symbol not in self.split_symbols and not self.disputed
            off = off and not self._is_named(account, symbol)
            if self._lasts(("booked", name, symbol), off, BOOKED_SECONDS):
                text = f"{here.get(symbol, ZERO)} {symbol} here, {told.get(symbol, ZERO)} was told"
                self.broken("Q booked", f"{text} in {name}")
        for symbol, position in account.positions.items():
            self._protected(venue, position, symbol)
        self._orphans(venue)
        self._entries(venue)
        for symbol, position in account.positions.items():
            planned = self._exits.get((name, symbol)) == position.position_id
            lost = planned and position.exiting is None
            if self._lasts(("exit", name, symbol, position.position_id), lost, DECIDED_SECONDS):
                self.broken("O exit", f"the close of {symbol} in {name} is gone without an end")

    def unsettled(self) -> list[str]:
        return []

    def is_settled(self) -> bool:
        """Whether nothing is under way or in doubt, so that time alone changes nothing more."""
        engine = self.engine
        if engine is None or engine.book.data.phase is not Phase.RUNNING:
            return False
        return not any(True for _ in self._restless(engine)) and all(
            self._is_settled_in(engine.book.account(name)) for name in self.venues
        )

    def _is_settled_in(self, account: AccountState) -> bool:
        doubtful = account.blocked or account.differences or account.snapshot_asked
        orders, positions = account.orders.values(), account.positions.values()
        return (
            account.is_connected
            and not doubtful
            and all(order.status in RESTING for order in orders)
            and not any(order.adds_exposure for order in orders)
            and not any(position.exiting for position in positions)
        )

    def at_rest(self) -> None:
        """Q, O: faults are over and an operator took over what the venues say."""
        if self.engine is None:
            self.broken("U start", "no engine runs")
            return
        for which, text in self._restless(self.engine):
            self.broken(which, text)

    def _restless(self, engine: Engine) -> Iterator[tuple[str, str]]:
        """What is not as it must be at rest."""
        for name, venue in self.venues.items():
            account = engine.book.account(name)
            here = {p.symbol: p.quantity for p in account.positions.values()}
            named = {d.symbol for d in account.differences} | set(account.blocked)
            # What moved while the newest look was under way is told as doubted, until the next.
            seconds = BOOKED_SECONDS * NS_PER_SECOND
            doubted = {s for s, m in account.missing.items() if self.now() - m.since < seconds}
            for symbol in (here.keys() | venue.positions.keys()) - doubted:
                ours, theirs = here.get(symbol, ZERO), venue.positions.get(symbol, ZERO)
                if ours != theirs:
                    said = "named" if symbol in named else "not named"
                    yield "Q held", f"{ours} {symbol} here, {theirs} in {name}, {said}"
            cash = account.cash.get("USD", ZERO)
            yield from self._power(engine, venue, venue.free)
            if cash != venue.cash and not _names_cash(engine, name):
                yield "Q cash", f"{cash} in {name}, {venue.cash} there, nothing is named"
            for position in account.positions.values():
                plan, minute = position.exiting, 60 * NS_PER_SECOND
                old = plan is not None and self.now() - plan.started_at > minute
                # It waits for the market, and goes on soon after that trades again.
                traded = self.now() - self.trades_again.get(position.symbol, 0)
                old = old and position.symbol not in venue.closed
                old = old and traded > REOPEN_SECONDS * NS_PER_SECOND
                if old and not self.clock_was_wrong:
                    yield "O exit", f"the close of {position.symbol} never ends"
        yield from self._started_with(engine.book)
        ahead = abs(engine.book.data.time - self.now()) / NS_PER_SECOND
        if self.clock_was_wrong and not self.clock_believed and ahead > RIGHT_SECONDS:
            yield "T clock", f"time is {ahead:.0f} s off, long after the clock was right"

    def at_end(self) -> None:
        """R, O: a kill closes everything, whatever went wrong before it."""
        engine = self.engine
        if engine is None:
            self.broken("U start", "no engine runs")
            return
        if not self.killed() and not self.clock_believed:
            for name, venue in self.venues.items():
                work = engine.book.account(name).kill
                state = "no kill" if work is None else work.state
                keys = [k[-6:] for k in venue.open if not k.startswith(("somebody", SOMEBODY))]
                if venue.positions or keys:
                    what = ", ".join(f"{q} {s}" for s, q in venue.positions.items())
                    self.broken("R kill", f"{what} {keys} in {name} after a minute: {state}")
        for key, since in self._signals.items():
            self.broken("O signal", f"{key} of {since / 1e9 % 1e5:.0f} has no outcome")


def _names_cash(engine: Engine, name: str) -> bool:
    """Whether people are told of cash in an account that nothing explains."""
    told = engine.status()["accounts"]
    return bool(next(a["unexplained"] for a in told if a["broker"] == name))


_CHECKS: Final[dict[type[ev.Event], Callable[[Invariants, Any], None]]] = {
    ev.Halted: Invariants._halted,
    ev.HaltCleared: Invariants._cleared,
    ev.OrderIntended: Invariants._intended,
    ev.SignalDecided: Invariants._signal_decided,
    ev.SignalEnded: Invariants._signal_ended,
    ev.CancelRequested: Invariants._cancel_asked,
    ev.ReplaceRequested: Invariants._change_asked,
    ev.LinkChanged: Invariants._linked,
    ev.Reconciled: Invariants._looked,
    ev.Alarmed: Invariants._alarmed_again,
    ev.KillProved: Invariants._proof,
    ev.TriggerFired: Invariants._fired,
    ev.SessionOpened: Invariants._row_written,
    ev.SessionClosed: Invariants._row_written,
    ev.ExitPlanned: Invariants._exit_planned,
    ev.ExitAbandoned: Invariants._exit_abandoned,
    ev.PositionClosed: Invariants._exit_done,
}


def _words(event: ev.Event) -> str:
    parts = [
        str(value)
        for name in ("account", "symbol", "code", "state", "status", "reason", "text")
        if (value := getattr(event, name, None)) not in (None, "")
    ]
    match event:
        case ev.OrderIntended(terms=order):
            parts = [order.client_order_id[-6:], order.purpose, order.side]
            parts += [str(order.quantity), order.symbol, order.type]
        case ev.OrderFilled(fill=fill):
            parts = [fill.client_order_id[-6:], fill.side, str(fill.quantity), fill.symbol]
        case ev.PositionAdjusted():
            parts += [f"{event.previous} to {event.quantity} at {event.price}"]
        case _:
            parts.insert(0, getattr(event, "client_order_id", "")[-6:])
    return " ".join(parts).strip()
