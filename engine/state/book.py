"""The book: everything that is true now, changed by `engine.state.fold.apply` and nothing else.

Its `data` is plain and goes into snapshots; the indexes beside it are derived and rebuilt. Work
per event does not depend on how many orders there are.
"""

from bisect import bisect_right
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from engine.domain.ids import FACT_DIGITS
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.money import ONE, ZERO
from engine.domain.order import OrderStatus, move
from engine.domain.run import Mode, Phase, RunState, Trigger
from engine.state.account import AccountState
from engine.state.deadlines import Deadlines
from engine.state.intents import Intent, IntentLeg
from engine.state.order import Order
from engine.state.order_index import OrderIndex, Place
from engine.state.portfolio import Portfolio
from engine.state.position import Position
from engine.state.prints import print_of_order
from engine.state.reservations import Reservations
from engine.state.seen import SeenIds
from engine.state.touched import HoldingAmended, SignalEntry, Touched, Value

STATE_FORMAT = 9
"""Raised whenever what a snapshot holds, or what an event does to it, changes its meaning.

An older snapshot is then left aside and the state folded from the events. A test compares the
shape with the one this number stands for.
"""

CLOSED_KEPT = 2_000
"""Finished orders kept at hand for late reports; older ones live in the journal only."""

RATE_WINDOW = 60 * NS_PER_SECOND

PRINTS_KEPT = 1_024

# Members of an enum that are asked for at each order: to look one up costs several times as much as
# a name of the module.
_RUNNING, _ACTIVE = Phase.RUNNING, RunState.ACTIVE
_OVER = {Phase.STOPPED: RunState.STOPPED, Phase.ERROR: RunState.ERROR}

_COUNTED_AS = {
    OrderStatus.FILLED: "filled",
    OrderStatus.CANCELED: "cancelled",
    OrderStatus.REJECTED: "rejected",
    OrderStatus.EXPIRED: "expired",
}
"""The count of `Metrics` that each end adds to."""

MODE_NAMES = {mode: mode.value for mode in Mode}
"""The names of the modes: to look one up costs a fifth of `.value`, at each value touched."""


class Book:
    """The state. Read it freely; only `apply` changes it."""

    def __init__(self, data: Portfolio | None = None) -> None:
        self.data = data or Portfolio()
        self.seen_signals = SeenIds.load(self.data.seen_signals)
        self.seen_commands = SeenIds.load(self.data.seen_commands)
        self.seen_executions = SeenIds.load(self.data.seen_executions)
        """Keys of the fills that were taken (X-91)."""
        self.seen_fills = SeenIds.load(self.data.seen_fills)
        """The same with what they said, to tell a fill that comes again from a false one."""
        self._touched: list[Touched] = []
        self.index = OrderIndex()
        self._held: dict[str, dict[str, None]] = {}
        """By symbol, the accounts that hold it."""
        self._leaning: dict[str, None] = {}
        """What is held of instruments whose exposure leans on the price of another."""
        self._derived: dict[str, str] = {}
        """By symbol, the underlying of what is held, or has a working entry, and derives from
        another symbol."""
        self.deadlines = Deadlines(self._works)
        self.reservations = Reservations()
        self._pending: set[str] = set()
        """Symbols with an entry that works, or is to follow, that no account holds."""
        self._ended_at: dict[str, Nanos] = {}
        """By account, when an order that has ended last changed."""
        self._facts: dict[str, tuple[str, str]] = {}
        """By the digits of an id that stand for its facts, the account and the id."""
        for account in self.data.accounts.values():
            ended = (order.updated_at for order in account.closed.values())
            self._ended_at[account.name] = max(ended, default=0)
            for key in (*account.closed, *account.orders):
                self._facts[key[-FACT_DIGITS:]] = (account.name, key)
            for symbol in account.positions:
                self._held.setdefault(symbol, {})[account.name] = None
        for symbol in self._held:
            self._lean(symbol)
        for account in self.data.accounts.values():
            for order in account.orders.values():
                self._index(order)
                self.index.cover(order, order.covers)
            for key in account.replacing:
                self._await_successor(account, key)
            asked = account.power_asked
            entries = (o for o in account.orders.values() if o.adds_exposure)
            self.reservations.contain(
                account.name, (o for o in entries if 0 < o.accepted_at < asked)
            )

    # --- reading ----------------------------------------------------------------------------------

    @property
    def run_state(self) -> RunState:
        """The one state shown, the strictest cause first (U-41)."""
        data = self.data
        if data.phase in _OVER:
            return _OVER[data.phase]
        if data.halt is not None:
            return RunState.HALTED
        if data.phase is not _RUNNING:
            return RunState.STARTING
        if data.restrictions:
            cooling = set(data.restrictions) == {Trigger.LOSS_STREAK}
            return RunState.COOLDOWN if cooling else RunState.REDUCE_ONLY
        if self._none_may_enter():
            return RunState.REDUCE_ONLY
        if data.paused:
            return RunState.PAUSED
        return _ACTIVE

    def _none_may_enter(self) -> bool:
        """Entries are kept away from every account, and from one at least by more than that it was
        not connected yet (X-77)."""
        barred = False
        for account in self.data.accounts.values():
            if account.open:
                if account.may_enter:
                    return False
                barred = barred or bool(account.barred)
        return barred

    @property
    def halted(self) -> bool:
        """True while the latch stands."""
        return self.data.halt is not None

    @property
    def accounts(self) -> list[AccountState]:
        """Every account of this process, in the order of their names in the configuration."""
        return [account for account in self.data.accounts.values() if account.open]

    def account(self, name: str) -> AccountState:
        """The account of that name; an empty one where nothing was ever told of it."""
        known = self.data.accounts.get(name)
        return AccountState(name=name) if known is None else known

    def order(self, client_order_id: str) -> Order | None:
        """A working or recently finished order of any account."""
        for account in self.data.accounts.values():
            found = account.orders.get(client_order_id) or account.closed.get(client_order_id)
            if found is not None:
                return found
        return None

    def order_in(self, account: str, client_order_id: str) -> Order | None:
        """The same of one account: only our own ids differ from account to account."""
        state = self.data.accounts.get(account)
        if state is None:
            return None
        return state.orders.get(client_order_id) or state.closed.get(client_order_id)

    def of_facts(self, client_order_id: str) -> Order | None:
        """A known order that stands for the same facts as this id, whenever it was made."""
        found = self._facts.get(client_order_id[-FACT_DIGITS:])
        return None if found is None else self.order(found[1])

    def siblings(self, order: Order) -> list[Order]:
        """The other orders of an order's intent that are still at hand, in any account.

        This looks at every order: it is for what happens rarely.
        """
        return [
            other
            for account in self.data.accounts.values()
            for other in (*account.orders.values(), *account.closed.values())
            if other.intent_id == order.intent_id and other.client_order_id != order.client_order_id
        ]

    def waiting_places(self) -> list[Place]:
        """Where a plan waits although nothing may be held: for a leg, or for an order's end."""
        places: set[Place] = set()
        for account in self.data.accounts.values():
            if account.replacing:
                places |= {(account.name, symbol) for symbol in account.replacing.values()}
        for intent in self.data.intents.values():
            places |= {(leg.terms.account, leg.terms.symbol) for leg in intent.legs}
        return sorted(places)

    def intents_at(self, account: str, symbol: str) -> list[Intent]:
        """Intents of several orders that are about this symbol in this account."""
        intents = self.data.intents.values()
        return [intent for intent in intents if intent.touches(account, symbol)] if intents else []

    def waiting_legs(self) -> list[IntentLeg]:
        """The legs of intents of which no order was made yet."""
        intents = self.data.intents.values()
        return [leg for intent in intents for leg in intent.legs if leg.waits]

    def waiting_leg(self, client_order_id: str) -> IntentLeg | None:
        """The leg that waits for an order of this id to be made."""
        for leg in self.waiting_legs():
            if leg.terms.client_order_id == client_order_id:
                return leg
        return None

    def to_come(self, account: str, symbol: str, *, but: str = "") -> Decimal:
        """What orders that only reduce, and are still to be made, will take off in one place.

        They wait until a stop has made room, or take the place of one that has ended; the order
        `but`, or what takes its place, is left out.
        """
        found = ZERO
        for intent in self.intents_at(account, symbol):
            for leg in intent.legs:
                here = (leg.terms.account, leg.terms.symbol) == (account, symbol)
                if here and leg.waits and leg.terms.reduce_only:
                    found += ZERO if leg.terms.client_order_id == but else leg.terms.quantity
        for key, where in self.account(account).replacing.items():
            order = self.order_in(account, key) if where == symbol and key != but else None
            if order is not None and order.pending is not None and order.status.is_terminal:
                left = order.pending.quantity - order.filled
                found += max(left, ZERO) if order.reduce_only else ZERO
        return found

    def orders(self) -> Iterator[Order]:
        """Every working order of every account, UNKNOWN ones included."""
        for account in tuple(self.data.accounts.values()):
            yield from tuple(account.orders.values())

    def working(self, account: str, symbol: str) -> Iterator[Order]:
        """Orders of one symbol in one account that are not terminal, UNKNOWN ones included."""
        keys = tuple(self.index.at(account, symbol))
        if keys:
            orders = self.data.accounts[account].orders
            for key in keys:
                yield orders[key]

    def ended_at(self, account: str) -> Nanos:
        """When something was last told of an order of one account that has ended."""
        return self._ended_at.get(account, 0)

    def ended_since(self, account: str, at: Nanos) -> list[Order]:
        """Orders of one account that have ended, and that something was told of at `at` or later;
        of those that ended long ago not one is looked at."""
        if self.ended_at(account) < at:
            return []
        closed = self.account(account).closed.values()
        return [order for order in closed if order.updated_at >= at]

    def works_in(self, symbol: str) -> bool:
        """Whether any order of a symbol works in any account."""
        return any(self.index.at(account, symbol) for account in self.data.accounts)

    def working_symbols(self, account: str) -> list[str]:
        """The symbols in which orders of one account work."""
        return self.index.symbols(account)

    def holding(self, account: str, symbol: str) -> Position | None:
        """What one account holds of one symbol."""
        state = self.data.accounts.get(account)
        return None if state is None else state.positions.get(symbol)

    def held(self, symbol: str) -> list[Position]:
        """What is held of one symbol in every account, those of no process of ours included."""
        names = self._held.get(symbol)
        if not names:
            return []  # asked at every price, and most symbols are not held
        return [self.data.accounts[name].positions[symbol] for name in names]

    @property
    def leaning(self) -> list[str]:
        """Symbols that are held, or have a working entry, and whose exposure leans on the price of
        another instrument."""
        entries = self.reservations.leaning
        return list(dict.fromkeys((*self._leaning, *entries))) if self._leaning or entries else []

    def of_underlying(self, name: str) -> list[str]:
        """The symbols that derive from another, `name`, and are held or have a working entry, in
        any account."""
        derived = self._derived
        if not derived:
            return []  # asked at every entry, and most portfolios hold no contract
        return [symbol for symbol, underlying in derived.items() if underlying == name]

    def holdings(self) -> Iterator[Position]:
        """Everything that is held, in every account."""
        for account in tuple(self.data.accounts.values()):
            yield from tuple(account.positions.values())

    def instrument(self, symbol: str) -> Instrument | None:
        """The learned instrument."""
        return self.data.instruments.get(symbol)

    def multiplier(self, symbol: str) -> Decimal:
        """Contract multiplier, one where nothing else is known."""
        known = self.data.instruments.get(symbol)
        return known.multiplier if known else ONE

    def currency_of(self, symbol: str) -> str:
        """The currency that a symbol is paid in, as learned, else as its symbol says."""
        known = self.data.instruments.get(symbol)
        return known.currency if known else default_instrument(symbol).currency

    def reduces_in(self, account: str, symbol: str) -> bool:
        """Whether any order that adds no exposure works in one place."""
        return bool(self.index.reducing_at(account, symbol))

    def reducing(self, account: str, symbol: str) -> list[Order]:
        """Working orders of one place that add no exposure: stops, exits, a person's closes."""
        keys = self.index.reducing_at(account, symbol)
        if not keys:
            return []
        orders = self.data.accounts[account].orders
        return [orders[key] for key in keys]

    def count_entries(self, symbol: str, sign: int) -> int:
        """How many orders that add exposure work on one side (+1 buys, -1 sells) of one symbol,
        over all accounts."""
        return self.index.entries_of(symbol, sign)

    def has_entries(self, symbol: str) -> bool:
        """Whether any order that adds exposure works in one symbol, in any account."""
        return bool(self.count_entries(symbol, 1) or self.count_entries(symbol, -1))

    def entries_in(self, symbol: str) -> Iterator[Order]:
        """Working orders that add exposure in one symbol, in any account."""
        for account in self.data.accounts:
            yield from (order for order in self.working(account, symbol) if order.adds_exposure)

    @property
    def slots_used(self) -> int:
        """Symbols that are held plus symbols with a working entry that are not held (A-081)."""
        return len(self._held) + len(self._pending)

    def sent_since(self, at: Nanos) -> int:
        """How many orders that add exposure were intended after `at`."""
        return len(self.data.sent) - bisect_right(self.data.sent, at)

    @property
    def links_up(self) -> bool:
        """True while every account of this process is connected."""
        accounts = self.accounts
        return bool(accounts) and all(account.is_connected for account in accounts)

    def snapshot(self) -> bytes:
        """The state as bytes that `restore` reads."""
        self.data.seen_signals = self.seen_signals.dump()
        self.data.seen_commands = self.seen_commands.dump()
        self.data.seen_executions = self.seen_executions.dump()
        self.data.seen_fills = self.seen_fills.dump()
        return msgspec.json.encode(self.data)

    @classmethod
    def restore(cls, snapshot: bytes) -> "Book":
        """The book a snapshot holds.

        Raises `msgspec.ValidationError` when it was written by another version of the program.
        """
        return cls(msgspec.json.decode(snapshot, type=Portfolio))

    # --- writing: for `engine.state.fold` alone ---------------------------------------------------

    def enter(self, name: str) -> AccountState:
        """The account of that name, made where nothing was told of it before."""
        account = self.data.accounts.get(name)
        if account is None:
            account = self.data.accounts[name] = AccountState(name=name)
        return account

    def hear(self, account: str, at: Nanos) -> None:
        """Note that the venue of this account said something at `at`."""
        self.enter(account).heard_at = at

    def _index(self, order: Order) -> None:
        self.index.add(order)
        if order.adds_exposure:
            self._reserve(order, order.exposure, order.may_add)
            self._derive(order.symbol)
        self._schedule(order)

    def _reindex(self, old: Order, new: Order) -> None:
        """As `_unindex` and `_index`, where most often only the status is new."""
        if (
            old.filled != new.filled
            or old.quantity != new.quantity
            or old.reserved != new.reserved
            or old.pending is not new.pending
            or old.purpose is not new.purpose
            or old.reduce_only is not new.reduce_only
            or old.type is not new.type
            or old.stopped is not new.stopped
        ):
            self._unindex(old)
            self._index(new)
            return
        if old.status is not new.status:
            self.index.change_status(old.status, new.status)
        self._schedule(new)

    def _schedule(self, order: Order) -> None:
        self.deadlines.schedule(order)
        if self.deadlines.is_crowded(self.index.count):
            self.deadlines.sweep(self.orders())

    def _works(self, key: str) -> Order | None:
        """A working order of any account."""
        for account in self.data.accounts.values():
            order = account.orders.get(key)
            if order is not None:
                return order
        return None

    def _unindex(self, order: Order) -> None:
        self.index.remove(order)
        if order.adds_exposure:
            self.reservations.release(order)
            self._await(order.symbol)
            self._derive(order.symbol)

    def _await_successor(self, account: AccountState, key: str) -> None:
        """Count what takes the place of an order that has ended until it is made or given up.

        Its room would else be another's before it is sent (U-51, X-88).
        """
        order = account.closed.get(key)
        if order is None:
            return
        self._release(order)
        wanted = order.pending
        if key in account.replacing and wanted is not None and order.to_follow:
            self._reserve(order, order.to_follow, wanted.quantity - order.filled)

    def learn(self, instrument: Instrument) -> None:
        """Take the facts of an instrument."""
        self.data.instruments[instrument.symbol] = instrument
        self._lean(instrument.symbol)

    def _lean(self, symbol: str) -> None:
        """Note whether what is held of a symbol leans on another instrument."""
        known = self.data.instruments.get(symbol) or default_instrument(symbol)
        if known.leans_on and symbol in self._held:
            self._leaning[symbol] = None
        else:
            self._leaning.pop(symbol, None)
        self._derive(symbol)

    def _derive(self, symbol: str) -> None:
        """Note whether a symbol that is held, or has a working entry, derives from another."""
        name = (self.data.instruments.get(symbol) or default_instrument(symbol)).underlying
        if name != symbol and (symbol in self._held or self.has_entries(symbol)):
            self._derived[symbol] = name
        else:
            self._derived.pop(symbol, None)

    def _reserve(self, order: Order, amount: Decimal, quantity: Decimal) -> None:
        """Count an order as `amount`, which is that of `quantity` without the multiplier."""
        known = self.data.instruments.get(order.symbol) or default_instrument(order.symbol)
        multiplier = self.multiplier(order.symbol)
        units = quantity * multiplier if known.leans_on else None
        self.reservations.take(order, known.currency, amount * multiplier, units)
        self._await(order.symbol)

    def _release(self, order: Order) -> None:
        if self.reservations.of(order):
            self.reservations.release(order)
            self._await(order.symbol)

    def _await(self, symbol: str) -> None:
        """Whether an entry works, or is to follow, in a symbol that no account holds."""
        if symbol in self.reservations.by_symbol and symbol not in self._held:
            self._pending.add(symbol)
        else:
            self._pending.discard(symbol)

    def touch(self, value: Value, account: str = "") -> None:
        """Say that an event made or changed this value; "" is one of the portfolio."""
        owner = self.data.accounts.get(account or self.data.primary)
        identity = owner.id if owner is not None else ""
        self._touched.append(Touched(value, identity, MODE_NAMES[self.data.mode]))

    def take_touched(self) -> list[Touched]:
        """What was touched since the last call."""
        touched = self._touched
        if touched:
            self._touched = []
        return touched

    def hold(self, account: str, symbol: str, position: Position | None) -> None:
        """Open, change or end what an account holds of a symbol."""
        state = self.enter(account)
        before = state.positions.get(symbol)
        if before is not None and (position is None or position.position_id != before.position_id):
            # Only of what was taken over was the price a guess.
            state.estimated.pop(symbol, None)
        if position is not None:
            self.touch(position, account)
            state.positions[symbol] = position
            first = symbol not in self._held
            self._held.setdefault(symbol, {})[account] = None
            if first:
                self._lean(symbol)
            self._pending.discard(symbol)
            return
        self.touch(HoldingAmended(account=account, symbol=symbol), account)
        state.positions.pop(symbol, None)
        holders = self._held.get(symbol)
        if holders is not None:
            holders.pop(account, None)
            if not holders:
                del self._held[symbol]
                self._leaning.pop(symbol, None)
                self._derive(symbol)
                self._await(symbol)

    def mark(self, symbol: str, price: Decimal) -> None:
        """Keep the last price of a holding, so that a restart does not value it at cost."""
        if symbol in self._held:
            self.data.marks[symbol] = price
        else:
            self.data.marks.pop(symbol, None)

    def amend(self, position: Position, **fields: Any) -> None:
        """A new version of a position that no row tells of: its stop, its close, its counts."""
        account, symbol = position.account, position.symbol
        self.touch(HoldingAmended(account=account, symbol=symbol), account)
        positions = self.data.accounts[account].positions
        positions[symbol] = msgspec.structs.replace(position, **fields)

    def stamp(self, order: Order, at: Nanos) -> None:
        """Note an order that adds exposure, for the rate and the duplicate limit."""
        data = self.data
        if data.sent and data.sent[0] <= at - RATE_WINDOW and is_power_of_two(len(data.sent)):
            del data.sent[: bisect_right(data.sent, at - RATE_WINDOW)]
        data.sent.append(at)
        if len(data.prints) >= PRINTS_KEPT and is_power_of_two(len(data.prints)):
            data.prints = {k: t for k, t in data.prints.items() if t > at - RATE_WINDOW}
        data.prints[print_of_order(order)] = at

    def put(self, order: Order) -> None:
        """Store a new version of an order and keep every index and count true."""
        self.touch(order, order.account)
        account, key = self.enter(order.account), order.client_order_id
        old = account.orders.get(key)
        self.index.cover(order, order.covers - (ZERO if old is None else old.covers))
        if order.is_working:
            account.orders[key] = order
            if old is None:
                self._facts[key[-FACT_DIGITS:]] = (account.name, key)
                ended = account.closed.pop(key, None)
                if ended is not None:
                    self._release(ended)
                self._index(order)
            else:
                self._reindex(old, order)
            return
        if old is not None:
            del account.orders[key]
            self._unindex(old)
        account.closed[key] = order
        self._ended_at[account.name] = max(self._ended_at.get(account.name, 0), order.updated_at)
        self._await_successor(account, key)
        self._facts[key[-FACT_DIGITS:]] = (account.name, key)
        if len(account.closed) > CLOSED_KEPT:
            for ended in account.closed.values():
                if not self._is_needed(account, ended):
                    self._forget(account, ended.client_order_id)
                    break
        if old is not None:
            self._count_end(order)
            self.bury(order.signal_id)

    def bury(self, signal_id: str) -> None:
        """Forget a signal that has its outcome once its last order is done."""
        life = self.data.signals.get(signal_id)
        if life is None or life.outcome is None:
            return
        if not self.concerns(life):
            del self.data.signals[signal_id]

    def concerns(self, life: SignalEntry) -> bool:
        """Whether an order of a signal still works, or is still to be made."""
        return any(self._works(key) for key in life.orders) or any(
            intent.signal_id == life.signal_id for intent in self.data.intents.values()
        )

    def end_replacing(self, account: str, client_order_id: str) -> bool:
        """Nothing is to take the place of an order any more; whether anything was."""
        state = self.enter(account)
        if state.replacing.pop(client_order_id, None) is None:
            return False
        self._await_successor(state, client_order_id)
        return True

    def works(self, client_order_id: str) -> bool:
        """Whether an order of that id is not terminal."""
        return self._works(client_order_id) is not None

    def _is_needed(self, account: AccountState, ended: Order) -> bool:
        """Whether something under way is to be made of an order that has ended, however late.

        What takes its place is made of it (X-88). The next attempt at a close follows from the end
        of the newest: without that the same id would be sent again (rule 1).
        """
        if ended.client_order_id in account.replacing:
            return True
        position = account.positions.get(ended.symbol) if ended.closes else None
        plan = None if position is None else position.exiting
        return (
            position is not None
            and plan is not None
            and (ended.intent_id, ended.attempt) == (position.reducing_intent, plan.attempt)
        )

    def _forget(self, account: AccountState, key: str) -> None:
        del account.closed[key]
        facts = key[-FACT_DIGITS:]
        if self._facts.get(facts) == (account.name, key):
            del self._facts[facts]

    def _count_end(self, order: Order) -> None:
        metrics, name = self.data.metrics, _COUNTED_AS[order.status]
        setattr(metrics, name, getattr(metrics, name) + 1)

    def update(self, order: Order, at: Nanos, **fields: Any) -> None:
        """A new version of an order; a status moves along the table only.

        A position that loses its stop by it counts as unprotected from now.
        """
        status = fields.get("status", order.status)
        if status is not order.status:
            move(order.status, status)
        new = msgspec.structs.replace(order, updated_at=at, **fields)
        if order.reduce_only and order.rests and not new.rests:
            new = msgspec.structs.replace(new, rested_until=at)
        self.put(new)
        if new.status.is_terminal and order.is_protective:
            self._count_dropped(new)
        if order.covers != new.covers:
            self.guard(order.account, order.symbol, at)

    def _count_dropped(self, stop: Order) -> None:
        """The next stop waits the longer, the more of them ended at once before it."""
        position = self.holding(stop.account, stop.symbol)
        if position is not None and stop.attempt == position.protect_attempt:
            dropped = position.stops_dropped + 1 if stop.was_dropped else 0
            if dropped != position.stops_dropped:
                self.amend(position, stops_dropped=dropped)

    def guard(self, account: str, symbol: str, at: Nanos) -> None:
        """Set or clear since when a position lacks a stop that is known to rest for all of it.

        What is not known to rest does not protect (A-172, rule 3).
        """
        position = self.holding(account, symbol)
        if position is None:
            return
        since = position.unprotected_since or at if self.uncovered(position) > 0 else 0
        if since != position.unprotected_since:
            told = position.told_unprotected and bool(since)
            self.amend(position, unprotected_since=since, told_unprotected=told)

    def guard_anew(self, account: str, symbol: str, at: Nanos, quantity: Decimal) -> None:
        """The `quantity` that an order was to take off is a stop's to cover again, from now on.

        Where that is all that no stop covers, the stop has its time from `at`. What lacked one
        before goes on being counted, and so does a position that is being closed.
        """
        position = self.holding(account, symbol)
        if position is None or not position.unprotected_since or position.exiting is not None:
            return
        if self.uncovered(position) <= quantity:
            self.amend(position, unprotected_since=at)

    def uncovered(self, position: Position) -> Decimal:
        """How much of a position no stop is known to cover."""
        return abs(position.quantity) - self.index.covered(position.account, position.symbol)

    def own_stops(self, position: Position) -> list[tuple[Decimal, Decimal]]:
        """The stops that an operator rests for a position, the tightest first (X-85): how much of
        it each covers, and its price. More than is held is covered by none."""
        orders = self.reducing(position.account, position.symbol)
        stops = [
            (order.stop_price, order.covers)
            for order in orders
            if order.covers and not order.is_protective and order.stop_price is not None
        ]
        left, found = abs(position.quantity), []
        for price, covers in sorted(stops, reverse=position.is_long):
            part = min(covers, left)
            left -= part
            if part:
                found.append((part, price))
        return found

    def stop_of(self, position: Position) -> Decimal | None:
        """The price at which the last of a position is stopped: where stops of the operator's cover
        all of it that of the loosest, else its own, else that of a stop which covers a part."""
        own = self.own_stops(position)
        whole = sum((part for part, _ in own), start=ZERO) == abs(position.quantity)
        if position.stop is not None and not whole:
            return position.stop
        return own[-1][1] if own else None

    def covered(self, position: Position) -> Decimal:
        """How much of a position stops that rest at the venue cover (INTERFACE `protected`)."""
        return abs(position.quantity) - max(self.uncovered(position), ZERO)


def is_power_of_two(number: int) -> bool:
    """When a growing list is swept: often enough to stay small, rarely enough to cost nothing."""
    return number & (number - 1) == 0
