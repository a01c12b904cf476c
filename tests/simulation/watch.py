"""The invariants I1 to I9, checked against the venues' truth after everything that happens."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Final

from engine.domain import events as ev
from engine.domain.codes import Verdict
from engine.domain.events import Record
from engine.domain.inputs import Command
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos
from engine.domain.order import TRANSITIONS, Fill, OrderStatus, OrderTerms, Purpose
from engine.domain.position import ExitReason
from engine.domain.run import Flatten, KillState, Level
from engine.domain.schema import decode
from engine.plans.kill import in_scope
from engine.runtime.engine import Engine
from engine.state.book import Book
from engine.state.fold import apply
from engine.state.order import Order
from tests.simulation.apart import Apart
from tests.simulation.floods import Floods
from tests.simulation.ledger import Ledger
from tests.simulation.pairs import Pairs
from tests.simulation.reductions import Reductions, is_own_stop
from tests.simulation.replaces import Replaces, most, worst
from tests.simulation.store import Disk, Row, change_key
from tests.simulation.venue import CENT, Venue, Working

ZERO: Final = Decimal(0)
CANCEL_BUDGET: Final = NS_PER_SECOND
"""Where nothing fails, no entry works longer than this after a halt."""
PROOF_BUDGET: Final = 20 * NS_PER_SECOND
"""Where nothing fails, a kill is proved within this."""
MOST_CANCELS: Final = 3
"""So many cancels of one order in a second: by its time, after a break of the link, by a person."""
UNSEEN: Final = 3 * NS_PER_SECOND
"""A stranger's order that is younger than this may have come after the last look."""
TRACE: Final = 60
LATCH_BUDGET: Final = 20 * NS_PER_MS
"""A halt that is older than this survives everything."""


class Broken(Exception):  # noqa: N818 - the outcome of a run
    """An invariant does not hold."""


class Seen:
    """One account as it is watched: its venue, and what this process has seen of it."""

    def __init__(self, venue: Venue, *, faultless: bool) -> None:
        self.venue = venue
        self.faultless = faultless
        self.proved: Flatten | None = None
        """How far a kill that is proved here reaches."""
        self.looked = False
        """Whether this process has compared with the venue."""
        self.looked_over_link = False
        """The same of the connection that stands."""


class Watch:
    """Sees every event, every send and everything the venues do, over all processes of a run.

    `faultless` names the accounts whose venue never fails: there, more is asked.
    """

    def __init__(
        self,
        disk: Disk,
        venues: Mapping[str, Venue],
        now: Callable[[], Nanos],
        *,
        faultless: frozenset[str],
    ) -> None:
        self.disk = disk
        self.accounts = {
            name: Seen(venue, faultless=name in faultless) for name, venue in venues.items()
        }
        self.now = now
        self.engine: Engine | None = None
        self._unproved: dict[str, Nanos] = {}
        """Since when the kill in each account may be without its proof."""
        self._changes: dict[str, tuple[object, ...]] = {}
        """What each order was asked to become, by its id."""
        self._cancels: dict[str, list[Nanos]] = {}
        """When the cancel of each order was asked for, in the last second before the newest."""
        self.shadow = Book()
        """The fold of what was journalled, from its bytes."""
        self.ledger = Ledger({name: venue.cash for name, venue in venues.items()})
        self.apart = Apart(venues, now, self.broken)
        self.reductions = Reductions(venues, now, faultless, self.broken)
        self.replaces = Replaces(venues, self.broken)
        self.floods = Floods(self.broken)
        self.pairs = Pairs(venues, self.ledger, self.broken)
        self.halted = False
        self.halted_at: Nanos = 0
        self.found: list[str] = []
        self._trace: deque[tuple[Nanos, str | Record]] = deque(maxlen=TRACE)
        self.events = 0
        self.seen: set[str] = set()
        self.intents: dict[str, list[str]] = {}
        """Intents that add exposure, and the orders of each that a venue accepted."""
        for name, venue in venues.items():
            venue.on_accept = partial(self.accepted, name)
            venue.on_fill = partial(self.filled, name)
            venue.on_work = partial(self.reductions.works, name)

    def broken(self, which: str, text: str) -> None:
        """Remember the violation; the run ends with it."""
        self.found.append(f"{which}: {text}")
        self.note(f"!! {which}: {text}")

    def note(self, text: str) -> None:
        """One line of the trace."""
        self._trace.append((self.now(), text))

    @property
    def trace(self) -> list[str]:
        """What happened last, a line each."""
        return [f"{at / 1e9 % 100_000:.3f} {self._said(what)}" for at, what in self._trace]

    def _said(self, what: str | Record) -> str:
        if isinstance(what, str):
            return what
        return f"#{what.seq} {type(what.event).__name__} {self.words(what.event)}"

    def words(self, event: ev.Event) -> str:
        """An event in the trace."""
        return _short(event)

    def second(self, verdict: ev.SignalDecided | ev.InputRejected) -> None:
        """I1: the same signal is not taken twice."""
        if isinstance(verdict, ev.SignalDecided) and verdict.verdict is not Verdict.REJECTED:
            self.broken("I1", f"signal {verdict.signal_id} was accepted twice")

    # --- the engine's side ------------------------------------------------------------------------

    def started(self, engine: Engine) -> None:
        """A process begins: what was durable is all there is."""
        self.engine = engine
        self.shadow = Book()
        for record in self.disk.records(0):
            apply(self.shadow, record)
        for seen in self.accounts.values():
            seen.looked = seen.looked_over_link = False
        self.apart.started(self.shadow)
        self.reductions.started(self.shadow)
        self.floods.started(self.shadow.data.refused_at)
        self.same("I4", "after a start")

    @contextmanager
    def hearing(self, given: Command | None) -> Iterator[None]:
        """What is decided meanwhile follows from this command."""
        self.apart.asked = given
        try:
            yield
        finally:
            self.apart.asked = None

    def sample(self) -> None:
        """Twice a second."""
        book = self.engine.book if self.engine is not None else None
        self.reductions.sample(book, lambda name: self.accounts[name].looked_over_link)
        self._kill_in_time()
        self.floods.running()

    def _kill_in_time(self) -> None:
        """I5: where nothing fails a kill is proved soon, whatever happens in another account.

        So is one that is asked for again: the time begins anew where its proof had been given.
        """
        engine = self.engine
        if not self.halted:
            self._unproved.clear()
        if engine is None or not self.halted:
            return
        for name, seen in self.accounts.items():
            work = engine.book.account(name).kill
            if work is None or work.state == KillState.VERIFIED:
                self._unproved[name] = self.now()
            since = self._unproved.setdefault(name, self.halted_at)
            if seen.faultless and work is not None and self.now() - since > PROOF_BUDGET:
                self.broken("I5", f"the kill in {name} is {work.state} after so long")

    def row(self, row: Row) -> None:
        """I4, I9: every event as its bytes say, along legal edges."""
        seq, time, name, data = row
        self.events += 1
        event = decode(name, data)
        key = getattr(event, "client_order_id", "")
        if isinstance(event, ev.OrderFilled):
            key = event.fill.client_order_id
        before = self.shadow.order(key) if key else None
        self.apart.before(
            event, self.shadow, looked=lambda name: self.accounts[name].looked_over_link
        )
        self.reductions.before(event, self.shadow, self.apart.asked)
        self.replaces.before(event)
        if isinstance(event, ev.CancelRequested):
            self._paced(event.client_order_id, time)
        self.floods.before(event, time)
        apply(self.shadow, Record(seq, time, event))
        self.seen.add(name)
        if before is not None:
            self._moved(before, self.shadow.order(key), event)

    def _paced(self, key: str, time: Nanos) -> None:
        """C-403: no cancel is asked for again without a pause, whatever becomes of it."""
        asked = [at for at in self._cancels.get(key, ()) if time - at < NS_PER_SECOND]
        self._cancels[key] = [*asked, time]
        if len(asked) >= MOST_CANCELS:
            self.broken("pace", f"the cancel of {key} was asked for {len(asked) + 1} times in 1 s")

    def _moved(self, before: Order, after: Order | None, event: ev.Event) -> None:
        if after is None:
            return
        legal = TRANSITIONS[before.status] | {before.status}
        if after.status not in legal:
            self.broken("I9", f"{type(event).__name__}: {before.status} to {after.status}")
        if before.status.is_terminal and not after.status.is_terminal:
            self.broken("I9", f"{type(event).__name__} brought back a {before.status} order")
        if after.filled < before.filled:
            self.broken("I9", f"{before.filled} filled fell to {after.filled}")

    def happened(self, record: Record) -> None:
        """One event, after the whole step was applied."""
        event = record.event
        self._trace.append((self.now(), record))
        check = _CHECKS.get(type(event))
        if check is not None:
            check(self, event)
        self._bounded()
        if self.engine is not None:
            self.reductions.happened(self.engine.book)

    def _halted(self, event: ev.Halted) -> None:
        self.halted = True
        self.halted_at = self.now()
        self._unprove()

    def _cleared(self, event: ev.HaltCleared) -> None:
        self.halted = False
        self._unprove()

    def _unprove(self) -> None:
        for seen in self.accounts.values():
            seen.proved = None

    def _linked(self, event: ev.LinkChanged) -> None:
        self.accounts[event.account].looked_over_link = False

    def _reconciled(self, event: ev.Reconciled) -> None:
        seen = self.accounts[event.account]
        if not event.failed:
            seen.looked = seen.looked_over_link = True
        for difference in event.differences:
            known = difference.client_order_id in seen.venue.strangers
            if difference.kind != "PRICE_DRIFT" and event.reason != "start" and not known:
                self.broken("I3", f"a difference that is not there: {difference}")

    def _alarmed(self, event: ev.Alarmed) -> None:
        if event.code == "OBSERVER_FAILED":
            self.broken("error", f"the watch itself failed: {event.text}")

    def _adjusted(self, event: ev.PositionAdjusted) -> None:
        self.broken("I3", f"a holding was invented: {event.symbol} {event.quantity}")

    def _synced(self, event: ev.AccountSynced) -> None:
        if event.flow:
            self.broken("I8", f"a transfer was invented: {event.flow}")

    def _overfilled(self, event: ev.OrderFilled) -> None:
        if event.overfill:
            self.broken("I9", f"{event.fill.client_order_id} filled {event.overfill} too much")

    def _planned(self, event: ev.ExitPlanned) -> None:
        faultless = self.accounts[event.account].faultless
        if faultless and event.decision.reason is ExitReason.UNPROTECTED:
            self.broken("protect", f"{event.symbol} had no stop for all of it, and nothing failed")

    def _proved(self, event: ev.KillProved) -> None:
        """I5: a proof is true, in the account that it speaks of."""
        engine, seen = self.engine, self.accounts[event.account]
        if event.state != KillState.VERIFIED or engine is None or engine.book.data.halt is None:
            return
        seen.proved = engine.book.data.halt.flatten
        for key, working in seen.venue.open.items():
            stranger = seen.venue.strangers.get(key)
            if stranger is not None and self.now() - stranger.since < UNSEEN:
                continue
            # A stop that the operator rests protects too, and stays while the position does.
            if not working.order.protects:
                self.broken("I5", f"{key} works in {event.account} after VERIFIED")
        for symbol, quantity in seen.venue.positions.items():
            held = engine.book.holding(event.account, symbol)
            if held is None or in_scope(held, seen.proved):
                where = f"in {event.account} after VERIFIED"
                self.broken("I5", f"{quantity} {symbol} are held {where}")

    def _intended(self, event: ev.OrderIntended) -> None:
        """I7: what is intended and adds exposure keeps every limit."""
        terms = event.terms
        self.pairs.made(terms)
        first = self.shadow.order(terms.orig_client_order_id)
        if first is not None:
            left = (first.quantity - first.filled) * first.reserved
            if terms.quantity * terms.reserved <= left:
                return  # it adds nothing to what worked in its place
        if terms.reserved:
            self._limited(terms, takes_slot=not terms.orig_client_order_id)

    def _changing(self, event: ev.ReplaceRequested) -> None:
        """I7: so does a change that makes an order larger or dearer."""
        wanted = (event.quantity, event.limit_price, event.stop_price, event.new_client_order_id)
        again = self._changes.get(event.client_order_id) == wanted
        self._changes[event.client_order_id] = wanted
        if again:
            return  # its cancel was lost: it has counted since it was asked for first
        order = self.shadow.order(event.client_order_id)
        if order is not None and event.reserved and worst(order) > order.leaves * order.reserved:
            self._limited(order, takes_slot=False)

    def _ended(self, event: ev.IntentEnded) -> None:
        """U-30: what is said of an intent is true of all its legs."""
        self.pairs.told(event)

    def _limited(self, changed: OrderTerms, *, takes_slot: bool) -> None:
        """I7: the limits hold over all accounts, with everything that works and is unknown."""
        engine = self.engine
        if engine is None:
            return
        world = engine.world
        equity, limits = world.money.equity, world.limits
        accounts = [world.book.account(name) for name in self.accounts]
        worth: dict[str, Decimal] = {}
        taken: set[str] = set()
        for account in accounts:
            for working in account.orders.values():
                worth[working.symbol] = worth.get(working.symbol, ZERO) + worst(working)
                if working.reserved and working.client_order_id != changed.client_order_id:
                    taken.add(working.symbol)
            for symbol, position in account.positions.items():
                mark = world.prices.mark(symbol)
                value = position.cost if mark is None else position.market_value(mark)
                worth[symbol] = worth.get(symbol, ZERO) + abs(value)
                taken.add(symbol)
        single, here = limits.single_name, worth.get(changed.symbol, ZERO)
        if single is not None and here > single * equity:
            self.broken("I7", f"{changed.symbol} at {here}, {single * equity} is allowed")
        gross = sum(worth.values(), ZERO)
        if limits.gross is not None and gross > limits.gross * equity:
            self.broken("I7", f"gross at {gross}, {limits.gross * equity} is allowed")
        # What is changed, and a symbol that is held or worked already, takes no other slot; what a
        # start takes over from the venue may be more than is allowed.
        slots = len(taken) + 1
        if not takes_slot or changed.symbol in taken or limits.max_positions is None:
            return
        if slots > limits.max_positions:
            self.broken("I7", f"{slots} slots, {limits.max_positions} are allowed")

    def _bounded(self) -> None:
        """I7: what a venue holds and works never exceeds what we count in its account."""
        if self.engine is None:
            return
        for name, seen in self.accounts.items():
            if seen.looked:
                self._bounded_in(self.engine.book, name, seen.venue)

    def _bounded_in(self, book: Book, name: str, venue: Venue) -> None:
        there: dict[str, Decimal] = {s: abs(q) for s, q in venue.positions.items()}
        for working in venue.open.values():
            if working.order.reserved:
                symbol = working.order.symbol
                there[symbol] = there.get(symbol, ZERO) + working.leaves
        for symbol, amount in there.items():
            position = book.holding(name, symbol)
            here = abs(position.quantity) if position is not None else ZERO
            for order in book.working(name, symbol):
                if order.reserved:
                    here += most(order)
            if amount > here:
                self.broken("I7", f"{symbol} in {name}: {amount} there, {here} counted here")

    def same(self, which: str, when: str) -> None:
        """I4: the fold of the journal is the live state, to the byte."""
        if self.engine is None:
            return
        live, folded = self.engine.book.snapshot(), self.shadow.snapshot()
        if live != folded:
            self.broken(which, f"{when} the state is not the fold: {_differ(live, folded)}")

    def crashed(self) -> None:
        """The process is gone: I4, and a halt of the last moment may be lost with it."""
        self.same("I4", "at the crash")
        young = self.now() - self.halted_at < LATCH_BUDGET
        if self.halted and young and self.disk.latch is None:
            self.halted = any(isinstance(r.event, ev.Halted) for r in self.disk.records(0))

    # --- the lines --------------------------------------------------------------------------------

    def sending(self, account: str, order: OrderTerms) -> None:
        """I2 and I5, in the instant before the socket."""
        self.note(
            f"send {order.client_order_id[-6:]} {order.side} {order.quantity} {order.symbol} "
            f"{order.purpose} to {account}"
        )
        self.apart.reaches(account, order)
        if order.reduce_only and not order.reserved:
            if order.purpose is Purpose.MANUAL and not self._journal_fails:
                self._durable(order)
            return
        self._durable(order)
        if self.halted or self.disk.latch is not None:
            self.broken("I5", f"{order.client_order_id} left after the halt")
        if not self.accounts[account].looked_over_link:
            self.broken("I3", f"{order.client_order_id} left before the connection's first look")

    @property
    def _journal_fails(self) -> bool:
        """What only reduces is not kept back by a journal that cannot be written."""
        engine = self.engine
        failed = engine is not None and (engine.book.data.journal_failed or engine._journal.is_down)
        return failed or self.disk.full

    def _durable(self, order: OrderTerms) -> None:
        """I2: an order that another process could not work out is known before it leaves."""
        if order.client_order_id not in self.disk.intents:
            self.broken("I2", f"{order.client_order_id} left before its intent was durable")

    def asking_about(self, account: str, key: str) -> None:
        """A venue is asked about an order, or asked to change it."""
        self.apart.asks_about(account, key, self.shadow)

    def changing(self, key: str, quantity: Decimal) -> None:
        """I2 and I5 of a change, in the instant before the socket."""
        order = self.shadow.order(key)
        if order is None or not order.reserved:
            return
        if change_key(key, quantity) not in self.disk.intents:
            self.broken("I2", f"the change of {key} left before it was durable")
        if self.halted or self.disk.latch is not None:
            self.broken("I5", f"the change of {key} left after the halt")

    # --- the venues' side -------------------------------------------------------------------------

    def accepted(self, account: str, order: OrderTerms, again: bool) -> None:
        """I1: one intent, one order there."""
        self.note(f"{account} accepts {order.client_order_id[-6:]} {order.purpose}")
        self.apart.reaches(account, order)
        if again:
            self.broken("I1", f"{order.client_order_id} was accepted twice")
        self.replaces.accepted(account, order)
        if order.reserved:
            # A leg of an intent is about one symbol, here.
            earlier = self.intents.setdefault(f"{order.intent_id} {order.symbol}", [])
            if earlier and order.orig_client_order_id != earlier[-1]:
                self.broken("I1", f"intent {order.intent_id} was accepted twice")
            earlier.append(order.client_order_id)

    def filled(
        self, account: str, working: Working, fill: Fill, before: Decimal, after: Decimal
    ) -> None:
        """I6: what reduces never crosses zero and never adds."""
        order, seen = working.order, self.accounts[account]
        self.note(
            f"{account} fills {order.client_order_id[-6:]} {fill.quantity} of {order.symbol}: "
            f"{before} to {after}"
        )
        counted = self.ledger.take(
            (account, order.symbol),
            order=order.client_order_id,
            bought=fill.quantity * order.side.sign,
            price=fill.price,
            fee=fill.commission,
        )
        if counted != (before, after):
            self.broken("I8", f"{order.symbol} from {before} to {after}, {counted} by the ledger")
        self.pairs.filled(order)
        self.reductions.filled(account, order, fill.quantity)
        if order.reduce_only and (before * after < 0 or abs(after) > abs(before)):
            self.broken("I6", f"{order.purpose} took {order.symbol} from {before} to {after}")
        since = self.now() - self.halted_at
        if seen.faultless and self.halted and order.reserved and since > CANCEL_BUDGET:
            self.broken("I5", f"{order.client_order_id} filled long after the halt")
        if seen.proved is not None and not order.reduce_only:
            self.broken("I5", f"{order.client_order_id} filled in {account} after VERIFIED")

    # --- the end ----------------------------------------------------------------------------------

    def unsettled(self) -> list[str]:
        """What is still under way."""
        engine = self.engine
        if engine is None:
            return ["no engine runs"]
        return [
            f"{what} in {name}"
            for name, seen in self.accounts.items()
            for what in self._unsettled(engine.book, name, seen.venue)
        ]

    def _unsettled(self, book: Book, name: str, venue: Venue) -> list[str]:
        account, halt = book.account(name), book.data.halt
        left = [
            f"order {o.client_order_id[-6:]} {o.purpose} {o.symbol} is {o.status}"
            for o in account.orders.values()
            if o.status
            not in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.SUSPENDED)
        ]
        left += [f"{p.symbol} is exiting" for p in account.positions.values() if p.exiting]
        left += self._unprotected(book, name, venue)
        if halt is not None:
            left += [f"entry {k[-6:]} works" for k, w in venue.open.items() if w.order.reserved]
            if halt.level is Level.KILL and (
                account.kill is None or account.kill.state != KillState.VERIFIED
            ):
                left.append(f"the kill is {account.kill.state if account.kill else 'not begun'}")
        if not account.compared or account.balances is None:
            left.append("the venue was not seen")
        left += self._differences(book, name, venue)
        if venue.in_flight:
            left.append(f"{venue.in_flight} requests are in flight")
        if not account.is_connected:
            left.append("the link is down")
        if account.blocked:
            left.append(f"{', '.join(account.blocked)} blocked")
        if account.snapshot_asked:
            left.append("a comparison is under way")
        return left

    def _unprotected(self, book: Book, name: str, venue: Venue) -> list[str]:
        left = []
        for position in book.account(name).positions.values():
            if position.exiting is not None:
                continue
            there = [w for w in venue.open.values() if w.order.symbol == position.symbol]
            stops = [w for w in there if w.order.is_protective]
            resting = sum((w.leaves for w in stops), ZERO)
            others = sum(
                (w.leaves for w in there if w.order.reduce_only and not w.order.is_protective), ZERO
            )
            wanted = abs(position.quantity) if position.stop is not None else ZERO
            own = sum((w.leaves for w in there if is_own_stop(w.order)), ZERO)
            taken = own if venue.capabilities.reduce_only else others
            wanted = max(wanted - taken, ZERO)
            if resting != wanted:
                left.append(f"{position.symbol} {position.quantity}: stops for {resting}")
            for working in stops:
                # Prices here have whole cents, and a stop is moved to no other price than its own.
                if (
                    position.stop is None
                    or abs((working.stop_price or ZERO) - position.stop) >= CENT
                ):
                    at = f"{working.stop_price}, {position.stop} is wanted"
                    left.append(f"the stop of {position.symbol} rests at {at}")
        return left

    def _differences(self, book: Book, name: str, venue: Venue) -> list[str]:
        left = []
        account = book.account(name)
        here = {p.symbol: p.quantity for p in account.positions.values()}
        counted = self.ledger.held(name)
        if here != counted or venue.positions != counted:
            left.append(
                f"holdings {_text(here)} here, {_text(venue.positions)} there, "
                f"{_text(counted)} by the ledger"
            )
        ours, theirs = set(account.orders), set(venue.open)
        if ours != theirs:
            left.append(
                f"orders only here {[k[-6:] for k in sorted(ours - theirs)]}, "
                f"only there {[k[-6:] for k in sorted(theirs - ours)]}"
            )
        for key in ours & theirs:
            order, working = account.orders[key], venue.open[key]
            known = (order.quantity, order.limit_price, order.stop_price)
            if known != (working.quantity, working.limit_price, working.stop_price):
                left.append(f"order {key[-6:]} is {known} here and other there")
        return left

    def at_end(self) -> None:
        """I3, I4, I8 and liveness, once all is quiet."""
        engine = self.engine
        for what in self.unsettled():
            self.broken("I3 or liveness", what)
        if engine is None:
            return
        self.same("I4", "at the end")
        self.floods.at_end()
        for name, seen in self.accounts.items():
            self._paid(engine.book, name, seen.venue)
        self._earned(engine.book)
        self._counts(engine.book)

    def _paid(self, book: Book, name: str, venue: Venue) -> None:
        """I8 and I7 in one account."""
        account, counted = book.account(name), self.ledger.cash[name]
        if account.cash != {"USD": counted} or venue.cash != counted:
            text = f"cash {account.cash} in {name}, {venue.cash} there, {counted} by the ledger"
            self.broken("I8", text)
        reserved = sum((worst(o) for o in account.orders.values()), ZERO)
        here = sum((a for (n, _), a in book.reservations.by_account.items() if n == name), ZERO)
        if here != reserved:
            self.broken("I7", f"{here} is counted as reserved in {name}, {reserved} is")

    def _earned(self, book: Book) -> None:
        """I8 over all accounts."""
        ledger, data = self.ledger, book.data
        accounts = [book.account(name) for name in self.accounts]
        cost = sum((p.cost for a in accounts for p in a.positions.values()), ZERO)
        cash = sum((a.cash["USD"] for a in accounts), ZERO)
        earned = data.realized - data.commission
        if cash + cost != ledger.start + earned or data.starting_equity != ledger.start:
            start = data.starting_equity
            self.broken("I8", f"cash {cash} + cost {cost} is not {start} + {earned}")
        if data.commission != ledger.fees:
            self.broken("I8", f"fees {data.commission}, {ledger.fees} by the ledger")

    def _counts(self, book: Book) -> None:
        metrics = book.data.metrics
        ended = metrics.filled + metrics.cancelled + metrics.rejected + metrics.expired
        working = sum(len(book.account(name).orders) for name in self.accounts)
        if metrics.total != ended + working:
            self.broken(
                "I8",
                f"{metrics.total} orders, {ended} ended, {book.index.count} open (C-308)",
            )


def _short(event: ev.Event) -> str:
    parts = []
    for name in ("symbol", "reason", "code", "text", "state", "status", "phase", "clean"):
        value = getattr(event, name, None)
        if value not in (None, ""):
            parts.append(f"{value}")
    key = getattr(event, "client_order_id", "")
    if isinstance(event, ev.OrderIntended):
        order = event.terms
        key = order.client_order_id
        parts.append(f"{order.purpose} {order.side} {order.quantity} {order.symbol} {order.type}")
    if isinstance(event, ev.OrderFilled):
        key = event.fill.client_order_id
        parts.append(f"{event.fill.side} {event.fill.quantity} {event.fill.symbol}")
    return " ".join([key[-6:], *parts]).strip()


def _text(holdings: dict[str, Decimal]) -> str:
    return ", ".join(f"{s} {q}" for s, q in sorted(holdings.items())) or "none"


def _differ(live: bytes, folded: bytes) -> str:
    at = next((i for i, (a, b) in enumerate(zip(live, folded, strict=False)) if a != b), 0)
    return f"{live[max(at - 60, 0) : at + 60]!r} against {folded[max(at - 60, 0) : at + 60]!r}"


_CHECKS: dict[type[ev.Event], Callable[[Watch, ev.Event], None]] = {
    ev.Halted: Watch._halted,  # type: ignore[dict-item]
    ev.HaltCleared: Watch._cleared,  # type: ignore[dict-item]
    ev.LinkChanged: Watch._linked,  # type: ignore[dict-item]
    ev.Reconciled: Watch._reconciled,  # type: ignore[dict-item]
    ev.Alarmed: Watch._alarmed,  # type: ignore[dict-item]
    ev.PositionAdjusted: Watch._adjusted,  # type: ignore[dict-item]
    ev.AccountSynced: Watch._synced,  # type: ignore[dict-item]
    ev.OrderFilled: Watch._overfilled,  # type: ignore[dict-item]
    ev.KillProved: Watch._proved,  # type: ignore[dict-item]
    ev.ExitPlanned: Watch._planned,  # type: ignore[dict-item]
    ev.ReplaceRequested: Watch._changing,  # type: ignore[dict-item]
    ev.IntentEnded: Watch._ended,  # type: ignore[dict-item]
    ev.OrderIntended: Watch._intended,  # type: ignore[dict-item]
}
