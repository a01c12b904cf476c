"""The seven invariants, held against what the venues executed and what the engine was told.

L loss limits; Q cash, quantities and profit; S stops and their entries; R what reduces; E what
enters; O outcomes and repetition; U every start; and T that time is right. Each finding begins
with its letter and a word.
"""

import re
import statistics
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from engine.domain import events as ev
from engine.domain.events import Record
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import Fill, OrderStatus, OrderTerms, Purpose, Side
from engine.domain.run import Phase, RunState, Trigger
from engine.domain.schema import decode
from engine.plans.kill import in_scope
from engine.runtime.engine import Engine
from engine.state.account import VERIFIED
from engine.state.book import Book
from engine.state.position import Position
from tests.simulation.harsh.sheet import Sheet
from tests.simulation.harsh.venue import SOMEBODY, HarshVenue
from tests.simulation.store import Disk, Row, change_key
from tests.simulation.venue import Working
from tests.simulation.watch import Watch

ZERO: Final = Decimal(0)
LOSS_SECONDS: Final = 2.5
"""A loss at its limit stops the engine within 2 s; two samples a second are taken."""
FAVOURABLE_SECONDS: Final = 2.5
FALSE_SHARE: Final = Decimal("0.8")
"""A loss of so much of the limit may be taken for one at the limit."""
LOSS_MARGIN: Final = Decimal("0.002")
"""Fees and the price of the very moment, as a share of equity."""
PROFIT_MARGIN: Final = Decimal("0.004")
PROFIT_SECONDS: Final = 4.0
SILENT_SECONDS: Final = 5.5
STOPPED_SECONDS: Final = 6.0
"""After the engine was told of a stop's fill, so long the cancel of its entry may take."""
PROTECT_SECONDS: Final = 8.0
BOOKED_SECONDS: Final = 20.0
ARMED_SECONDS: Final = 5
DECIDED_SECONDS: Final = 2.5
"""What follows from a fill or a state is decided within a tick of the engine."""
BRIEF_SECONDS: Final = 3
"""A clock that is wrong for no longer is not believed (X-92)."""
RIGHT_SECONDS: Final = 60
REPAIR_SECONDS: Final = 45.0
"""A comparison comes every 15 s, and may fail; then the flip is closed."""
KILL_SECONDS: Final = 75
CLOSING: Final = (Purpose.EXIT, Purpose.FLATTEN, Purpose.PROTECT)
REPEATS: Final = 8
"""So often the same alarm may come within a minute, where what it is about may have changed."""
PACE: Final = 10
"""So many requests of one kind about one place may leave within ten seconds."""
NO_NUMBER: Final = re.compile(rb'"-?(NaN|Infinity|[0-9.]*E\+30[0-9])"')
STRANGE_PASTS: Final = ("old",)

NO_ENTRIES: Final = (RunState.HALTED, RunState.REDUCE_ONLY, RunState.COOLDOWN)
Account = str
Place = tuple[Account, str]


class Invariants(Watch):
    """Sees every event, every send and all that the venues do, over all processes of a run."""

    def __init__(
        self,
        disk: Disk,
        venues: Mapping[str, HarshVenue],
        now: Callable[[], Nanos],
        *,
        daily_loss: Decimal,
        risk: Decimal,
    ) -> None:
        super().__init__(disk, venues, now, faultless=frozenset())
        self.venues = venues
        self.daily_loss = daily_loss
        self.risk = risk
        self.truth = {name: Sheet() for name in venues}
        """What each venue executed and somebody else did."""
        self.told = {name: Sheet() for name in venues}
        """What the engine knows by right: executions that it was told of, and what it took over."""
        self.clock_was_wrong = False
        self.clock_since: Nanos = 0
        """Since when it is wrong; 0 while it is right."""
        self.clock_believed = False
        """It was wrong for so long, or while a process began, that it may have been believed."""
        self.disputed = False
        """What the engine was told, and would not book, was taken over: nobody knows its profit."""
        self.split_symbols: set[str] = set()
        self.corporate_at: Nanos = 0
        self.first_worth: dict[str, Decimal] = {}
        """Equity of each account when it was first compared."""
        self.silent_for: Callable[[str], Nanos] = lambda account: 0
        """How long the oldest question to a venue has waited."""
        self.kill_asked: Nanos = 0
        self.resume_asked: Nanos = 0
        self.flips = 0
        """Fills of orders that were confirmed as ended, which nobody could foresee."""
        self._numbers: set[tuple[str, int]] = set()
        self._heard: dict[str, Decimal] = {}
        """What the engine was told of each order."""
        self._adopted_at: dict[Place, Decimal] = {}
        """The price at which what nobody traded was taken over."""
        self._assumed: dict[str, Decimal] = {}
        """What it assumed besides, as the venue never tells it."""
        self._prices: dict[str, deque[tuple[Nanos, Decimal]]] = {}
        self._since: dict[tuple[object, ...], Nanos] = {}
        self._stops: dict[Place, tuple[Nanos, set[str]]] = {}
        """By place, when the engine was told that its stop traded, and the entries that worked."""
        self._alarms: dict[tuple[str, str, str], deque[Nanos]] = {}
        self._sends: dict[tuple[str, str, str], deque[Nanos]] = {}
        self._running_since: Nanos = 0
        self._last_halt: Nanos = 0
        self._signals: dict[str, Nanos] = {}
        self._ending: set[str] = set()
        """Orders whose cancel was asked for."""
        self._exits: dict[Place, str] = {}
        """Closes without an end, by the position."""
        self._traded: dict[str, Nanos] = {}
        """When the engine was last told of a fill of each stop."""
        self._stopped_at: Nanos = 0
        """Since when no entry may rest, by the state of the run; 0 while they may."""
        for name, venue in venues.items():
            venue.on_work = lambda working: None
            venue.on_other = lambda symbol, bought, price, name=name: self.truth[name].take(  # type: ignore[misc]
                symbol, bought, price, ZERO
            )

    # --- the market and other people --------------------------------------------------------------

    def priced(self, symbol: str, price: Decimal) -> None:
        """A true price."""
        seen = self._prices.setdefault(symbol, deque(maxlen=12))
        seen.append((self.now(), price))

    def clock_set(self, seconds: float) -> None:
        """The clock of the machine is wrong by so much from now on."""
        self.clock_was_wrong = True
        since, self.clock_since = self.clock_since, self.now() if seconds else 0
        if since and self.now() - since > BRIEF_SECONDS * NS_PER_SECOND:
            self.clock_believed = True

    def split(self, symbol: str, ratio: int) -> None:
        """A split: what is true changes at once."""
        for sheet in (*self.truth.values(), *self.told.values()):
            sheet.split(symbol, ratio)
        self._prices.pop(symbol, None)
        self.split_symbols.add(symbol)

    def _last(self) -> dict[str, Decimal]:
        return {symbol: seen[-1][1] for symbol, seen in self._prices.items()}

    def _told_lately(self, symbol: str, price: Decimal | None) -> Decimal:
        """That price, where it is one of the newest three; else the usual one."""
        newest = [seen for _, seen in list(self._prices[symbol])[-3:]]
        return price if price is not None and price in newest else self._usual(symbol)

    def _usual(self, symbol: str) -> Decimal:
        """The middle one of the newest prices: one that jumped for a tick is not it."""
        return statistics.median([price for _, price in list(self._prices[symbol])[-3:]])

    def _favourable(self, symbol: str, quantity: Decimal) -> Decimal:
        """The best of the prices of the last seconds, three at least."""
        since = self.now() - round(FAVOURABLE_SECONDS * NS_PER_SECOND)
        seen = self._prices[symbol]
        recent = [p for at, p in seen if at >= since]
        if len(recent) < 3:
            recent = [p for _, p in list(seen)[-3:]]
        return max(recent) if quantity > 0 else min(recent)

    # --- processes --------------------------------------------------------------------------------

    def started(self, engine: Engine, records: list[Record]) -> None:
        self.engine = engine
        self.clock_believed = self.clock_believed or bool(self.clock_since)
        self._since.clear()
        self._running_since = self._stopped_at = 0
        for seen in self.accounts.values():
            seen.looked = seen.looked_over_link = False

    def crashed(self) -> None:
        young = self.now() - self.halted_at < 20_000_000
        if self.halted and young and self.disk.latch is None:
            self.halted = any(isinstance(r.event, ev.Halted) for r in self.disk.records(0))

    # --- what the engine is told ------------------------------------------------------------------

    def hears(self, account: str, number: int, fill: Fill) -> None:
        """The process was told of an execution, by a report or on a list."""
        if (account, number) in self._numbers or not fill.client_order_id:
            return
        if fill.client_order_id.startswith((SOMEBODY, *STRANGE_PASTS)):
            return  # whether it is taken over is the engine's to say, and it says so
        self._numbers.add((account, number))
        key = fill.client_order_id
        self._heard[key] = self._heard.get(key, ZERO) + fill.quantity
        bought = fill.quantity * fill.side.sign
        self.told[account].take(fill.symbol, bought, fill.price, fill.commission)
        working = self.venues[account].orders.get(fill.client_order_id)
        if working is not None and working.order.is_protective:
            place = (account, fill.symbol)
            self._traded[fill.client_order_id] = self.now()
            entries = self._stops.get(place, (0, set()))[1]
            self._stops[place] = (self.now(), entries)

    # --- events -----------------------------------------------------------------------------------

    def row(self, row: Row) -> None:
        self.events += 1
        self.seen.add(row[2])
        wrong = NO_NUMBER.search(row[3])
        if wrong is not None:
            self.broken("Q number", f"{row[2]} holds {wrong.group().decode()}")
        if row[2] in ("OrderFilled", "PositionAdjusted", "HoldingPriced", "AccountSynced"):
            self._journalled(decode(row[2], row[3]))

    def _journalled(self, event: ev.Event) -> None:
        """What the engine takes over that nobody else told."""
        match event:
            case ev.OrderFilled(fill=fill):
                self._booked(event.account, fill)
            case ev.PositionAdjusted():
                held = self.told[event.account].holdings.get(event.symbol)
                before = held.quantity if held is not None else ZERO
                price = self._told_lately(event.symbol, event.mark)
                if before != event.previous:
                    self.disputed = True
                self.told[event.account].adopt(event.symbol, event.quantity - before, price)
                self._adopted_at[event.account, event.symbol] = price
            case ev.HoldingPriced():
                # The price that it is taken over at is known only now: the first that was told.
                place, sheet = (event.account, event.symbol), self.told[event.account]
                price = self._told_lately(event.symbol, event.price)
                quantity = sheet.held().get(event.symbol, ZERO)
                sheet.adopt(event.symbol, -quantity, self._adopted_at[place])
                sheet.adopt(event.symbol, quantity, price)
                self._adopted_at[place] = price
            case ev.AccountSynced(flow=flow) if flow:
                self.broken("Q flow", f"{flow} of {event.account} is booked as a transfer")

    def _booked(self, account: str, fill: Fill) -> None:
        venue = self.venues[account]
        key, bought = fill.client_order_id, fill.quantity * fill.side.sign
        if key.startswith(STRANGE_PASTS):
            self.broken("Q history", f"{key} of before the first start was taken as a trade")
        elif key.startswith(SOMEBODY):
            self.told[account].take(fill.symbol, bought, fill.price, fill.commission)
        elif venue.number_of(fill) is None:
            working = venue.orders.get(key)
            filled = working.filled if working is not None else ZERO
            assumed = self._assumed[key] = self._assumed.get(key, ZERO) + fill.quantity
            if assumed + self._heard.get(key, ZERO) <= filled:
                self.told[account].take(fill.symbol, bought, fill.price, fill.commission)
            elif assumed <= filled:
                self.disputed = True
            else:
                self.broken("Q fill", f"{fill.side} {fill.quantity} {fill.symbol} never happened")

    def happened(self, record: Record) -> None:
        event = record.event
        self.note(f"#{record.seq} {type(event).__name__} {_words(event)}")
        self._of_run(event)
        self._of_exit(event)
        match event:
            case ev.Halted():
                self.halted, self.halted_at = True, self.now()
                self._unprove()
            case ev.HaltCleared():
                if self.kill_asked > self.resume_asked:
                    self.broken("E epoch", "a halt that came after the resume was cleared by it")
                self.halted = False
                self._unprove()
            case ev.OrderIntended():
                self._risked(event.terms)
            case ev.SignalDecided():
                if event.client_order_ids:
                    self._signals[event.signal_id] = self.now()
            case ev.SignalEnded():
                self._signals.pop(event.signal_id, None)
            case ev.CancelRequested():
                self._paced_at("cancel", event.account, event.client_order_id)
                self._touches(event.account, event.client_order_id)
                self._ending.add(event.client_order_id)
            case ev.ReplaceRequested():
                self._touches(event.account, event.client_order_id)
            case _:
                pass

    def _of_exit(self, event: ev.Event) -> None:
        match event:
            case ev.ExitPlanned():
                self._exits[event.account, event.symbol] = event.position_id
            case ev.ExitAbandoned():
                self._exits.pop((event.account, event.symbol), None)
            case ev.PositionClosed():
                self._exits.pop((event.account, event.trade.symbol), None)
            case _:
                pass

    def _of_run(self, event: ev.Event) -> None:
        match event:
            case ev.LinkChanged():
                self.accounts[event.account].looked_over_link = False
            case ev.Reconciled():
                self._compared(event)
            case ev.Alarmed():
                self._alarmed_again(event)
            case ev.KillProved():
                self._proof(event)
            case ev.TriggerFired(trigger=Trigger.DAILY_LOSS):
                self._really_lost()
            case _:
                pass

    def _touches(self, account: str, key: str) -> None:
        """S: a stop that trades is left alone for 5 s, but for what closes the position (X-78)."""
        engine, at = self.engine, self._traded.get(key, 0)
        order = engine.book.order(key) if engine is not None else None
        if engine is None or order is None or self.halted:
            return
        held = engine.book.holding(account, order.symbol)
        closing = held is None or held.exiting is not None
        if at and not closing and self.now() - at < ARMED_SECONDS * NS_PER_SECOND:
            self.broken("S armed", f"{key} trades, and is changed or cancelled")

    def _compared(self, event: ev.Reconciled) -> None:
        seen = self.accounts[event.account]
        if event.failed:
            return
        seen.looked = seen.looked_over_link = True
        if event.account not in self.first_worth:
            self.first_worth[event.account] = self.venues[event.account].worth

    def _alarmed_again(self, event: ev.Alarmed) -> None:
        """O: no alarm repeats without a change."""
        if event.code == "OBSERVER_FAILED":
            self.broken("error", f"the watch itself failed: {event.text}")
        if event.code.startswith("BAD_"):
            return  # each is about another number
        key = (event.code, event.subject, event.text)
        times = self._alarms.setdefault(key, deque(maxlen=REPEATS))
        times.append(self.now())
        if len(times) == REPEATS and times[-1] - times[0] < 60 * NS_PER_SECOND:
            self.broken("O alarm", f"{event.code} of {event.subject} comes again and again")

    def _paced_at(self, what: str, account: str, subject: str) -> None:
        """O: no action repeats faster than its back-off."""
        times = self._sends.setdefault((what, account, subject), deque(maxlen=PACE))
        times.append(self.now())
        if len(times) == PACE and times[-1] - times[0] < 10 * NS_PER_SECOND:
            self.broken("O pace", f"{what} of {subject} in {account} {PACE} times within 10 s")

    def _proof(self, event: ev.KillProved) -> None:
        """R: what is said to be proved is true, unless the venue has hidden it just now."""
        engine, venue = self.engine, self.venues[event.account]
        if event.state != VERIFIED or engine is None or engine.book.data.halt is None:
            return
        reach = engine.book.data.halt.flatten
        self.accounts[event.account].proved = reach
        recent = self.now() - round((venue.switches.lists_lag + 1) * NS_PER_SECOND)
        for symbol, quantity in venue.positions.items():
            held = engine.book.holding(event.account, symbol)
            if venue.moved_at > recent:
                continue
            if held is None or in_scope(held, reach):
                self.broken("R proof", f"{quantity} {symbol} in {event.account} after VERIFIED")
        for key, working in venue.open.items():
            stranger = venue.strangers.get(key)
            young = stranger is not None and self.now() - stranger.since < 5 * NS_PER_SECOND
            if not working.order.protects and not young and venue.moved_at <= recent:
                self.broken("R proof", f"{key} works in {event.account} after VERIFIED")

    def _risked(self, terms: OrderTerms) -> None:
        """S: with what it adds, the risk at the stop stays within the limit (X-82)."""
        engine = self.engine
        if engine is None or not terms.adds_exposure:
            return
        self._stop_ahead(terms)
        held = engine.book.holding(terms.account, terms.symbol)
        if held is None or held.sign != terms.side.sign or held.quantity == 0:
            return
        stops = [s for s in (held.stop, terms.stop_loss) if s is not None]
        if not stops:
            return
        stop = max(stops) if held.sign > 0 else min(stops)
        price = terms.reserved if terms.limit_price is None else terms.limit_price
        lost = max((held.average_price - stop) * held.quantity, ZERO)
        lost += max((price - stop) * terms.quantity * held.sign, ZERO)
        equity = engine.world.equity
        if lost > self.risk * equity * Decimal("1.05"):
            self.broken("S risk", f"{lost:.0f} of {equity:.0f} at the stop of {terms.symbol}")

    def _stop_ahead(self, terms: OrderTerms) -> None:
        """S: no entry is decided whose stop the market has passed already."""
        stop, seen = terms.stop_loss, self._prices.get(terms.symbol)
        if stop is None or not seen or terms.symbol in self.split_symbols:
            return
        sign = terms.side.sign
        if all((price - stop) * sign <= 0 for _, price in list(seen)[-2:]):
            self.broken("S passed", f"{terms.symbol} is at {seen[-1][1]}, and the stop at {stop}")

    # --- the lines --------------------------------------------------------------------------------

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

    # --- the venues -------------------------------------------------------------------------------

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

    def _flipped(self, place: Place, order: OrderTerms, before: Decimal, after: Decimal) -> None:
        """R: no order that reduces makes more of it, unless nobody could know."""
        account, symbol = place
        venue = self.venues[account]
        touched = venue.touched.get(symbol, 0)
        foreign = touched and self.now() - touched < REPAIR_SECONDS * NS_PER_SECOND
        after_all = order.client_order_id in venue.confirmed
        if foreign or after_all or symbol in self.split_symbols or self._late_there(place):
            self.flips += 1
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

    # --- twice a second ---------------------------------------------------------------------------

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
        self._lost(book)
        self._earned_so_far(engine)
        for name in self.venues:
            self._held_in(book, name)

    def _lasts(self, what: tuple[object, ...], holds: bool, seconds: float) -> bool:
        """Whether something has been so for longer than `seconds`; told once."""
        if not holds:
            self._since.pop(what, None)
            return False
        since = self._since.setdefault(what, self.now())
        return self.now() - since > seconds * NS_PER_SECOND

    def _lost(self, book: Book) -> None:
        """L: a loss at its limit stops the engine, however it came about."""
        start = sum(self.first_worth.values(), ZERO)
        if len(self.first_worth) < len(self.venues) or self.clock_was_wrong:
            return
        if self.split_symbols:
            return
        profit = ZERO
        for name, sheet in self.told.items():
            held = sheet.held()
            here = {p.symbol: p.quantity for p in book.account(name).positions.values()}
            if here != held or self.disputed:
                self._since.pop(("loss",), None)
                return  # what is in dispute is named, and is no profit before it is decided
            profit += sheet.profit({s: self._favourable(s, q) for s, q in held.items()})
        over = -profit >= (self.daily_loss + LOSS_MARGIN) * start
        stopped = book.run_state in (RunState.HALTED, RunState.REDUCE_ONLY)
        if self._lasts(("loss",), over and not stopped, LOSS_SECONDS):
            text = f"{profit:.0f} of {start:.0f} lost, and the state is {book.run_state}"
            self.broken("L loss", text)

    def _really_lost(self) -> None:
        """L: the limit is told of a loss that is one, at the worst of the newest prices."""
        if self.clock_was_wrong or len(self.first_worth) < len(self.venues):
            return
        if self.disputed:
            return
        start, profit = sum(self.first_worth.values(), ZERO), ZERO
        for sheet in self.told.values():
            worst = {s: self._worst(s, q) for s, q in sheet.held().items()}
            profit += sheet.profit(worst)
        if -profit < self.daily_loss * start * FALSE_SHARE:
            self.broken("L false", f"the loss limit fired, and the profit is {profit:.0f}")

    def _worst(self, symbol: str, quantity: Decimal) -> Decimal:
        recent = [price for _, price in list(self._prices[symbol])[-6:]]
        return min(recent) if quantity > 0 else max(recent)

    def _earned_so_far(self, engine: Engine) -> None:
        """Q: the profit of the day is that of what was traded, at the prices of now."""
        if self.clock_was_wrong or self.split_symbols or self.disputed:
            return
        if len(self.first_worth) < len(self.venues):
            return
        book = engine.book
        for name, sheet in self.told.items():
            here = {p.symbol: p.quantity for p in book.account(name).positions.values()}
            if here != sheet.held():
                self._since.pop(("profit",), None)
                return
        start, prices = sum(self.first_worth.values(), ZERO), self._last()
        profit = sum((sheet.profit(prices) for sheet in self.told.values()), ZERO)
        off = abs(engine.world.daily_pnl - profit) > PROFIT_MARGIN * start
        if self._lasts(("profit",), off, PROFIT_SECONDS):
            text = f"{engine.world.daily_pnl:.0f} is shown as the day's profit, {profit:.0f} it is"
            self.broken("Q profit", text)

    def _held_in(self, book: Book, name: str) -> None:
        account, venue, told = book.account(name), self.venues[name], self.told[name].held()
        named = set(account.blocked) | {d.symbol for d in account.differences}
        here = {p.symbol: p.quantity for p in account.positions.values()}
        unclear = {o.symbol for o in account.orders.values() if o.status is OrderStatus.UNKNOWN}
        for symbol in told.keys() | here.keys():
            off = told.get(symbol, ZERO) != here.get(symbol, ZERO)
            off = off and symbol not in named | unclear and symbol not in self.split_symbols
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

    def _entries(self, venue: HarshVenue) -> None:
        """S, E: what still would enter is cancelled once its stop traded or entries are stopped."""
        for key, working in venue.open.items():
            if not working.order.adds_exposure or venue.name not in self.first_worth:
                continue
            at, entries = self._stops.get((venue.name, working.order.symbol), (0, set()))
            asked = key in self._ending or key.startswith((SOMEBODY, "somebody"))
            traded = bool(at) and key in entries and not asked
            if self._lasts(("entry", key), traded, DECIDED_SECONDS):
                self.broken("S entry", f"{key} still works, and its stop has traded")
            stopped = bool(self._stopped_at) and not asked
            if self._lasts(("rests", key), stopped, DECIDED_SECONDS):
                self.broken("E rests", f"{key} still works, and no entry may")

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
        held = venue.positions.get(symbol, ZERO)
        there = [w for w in venue.open.values() if w.order.symbol == symbol]
        resting = sum((w.leaves for w in there if w.order.protects), ZERO)
        reducing = sum((w.leaves for w in there if not w.order.adds_exposure), ZERO)
        wanted = min(abs(held), abs(position.quantity)) if held * position.quantity > 0 else ZERO
        bare = position.stop is not None and max(resting, reducing) < wanted
        bare = bare and not position.told_unprotected and position.exiting is None
        # While the link is down nothing can be sent: it is told that the venue is lost.
        bare = bare and symbol not in venue.closed and venue.link_up
        if self._lasts(("bare", venue.name, symbol, position.position_id), bare, PROTECT_SECONDS):
            self.broken("S bare", f"{resting} of {held} {symbol} protected in {venue.name}")

    # --- the end ----------------------------------------------------------------------------------

    def unsettled(self) -> list[str]:
        return []

    def at_rest(self) -> None:
        """Q, O: faults are over and an operator took over what the venues say."""
        engine = self.engine
        if engine is None:
            self.broken("U start", "no engine runs")
            return
        for name, venue in self.venues.items():
            account = engine.book.account(name)
            here = {p.symbol: p.quantity for p in account.positions.values()}
            named = {d.symbol for d in account.differences} | set(account.blocked)
            for symbol in here.keys() | venue.positions.keys():
                ours, theirs = here.get(symbol, ZERO), venue.positions.get(symbol, ZERO)
                if ours != theirs:
                    said = "named" if symbol in named else "not named"
                    self.broken("Q held", f"{ours} {symbol} here, {theirs} in {name}, {said}")
            cash = account.cash.get("USD", ZERO)
            told = engine.status()["accounts"]
            unexplained = next(a["unexplained"] for a in told if a["broker"] == name)
            if cash != venue.cash and not unexplained:
                self.broken("Q cash", f"{cash} in {name}, {venue.cash} there, nothing is named")
            for position in account.positions.values():
                plan, minute = position.exiting, 60 * NS_PER_SECOND
                old = plan is not None and self.now() - plan.started_at > minute
                if old and not self.clock_was_wrong:
                    self.broken("O exit", f"the close of {position.symbol} never ends")
        self._started_with(engine.book)
        ahead = abs(engine.book.data.time - self.now()) / NS_PER_SECOND
        if self.clock_was_wrong and not self.clock_believed and ahead > RIGHT_SECONDS:
            self.broken("T clock", f"time is {ahead:.0f} s off, long after the clock was right")

    def _started_with(self, book: Book) -> None:
        """Q: the day began with what the venues said, holdings included (X-75)."""
        session, there = book.data.session, sum(self.first_worth.values(), ZERO)
        if session is None or self.clock_was_wrong:
            return
        start = session.starting_equity
        if abs(start - there) > there / 100:
            self.broken("Q start", f"the day is said to begin with {start:.0f}, it was {there:.0f}")

    def killed(self) -> bool:
        """Whether the last kill has done what it is for: nothing is held, nothing of ours works."""
        return not any(
            venue.positions or [k for k in venue.open if not k.startswith(("somebody", SOMEBODY))]
            for venue in self.venues.values()
        )

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
