"""The book: everything that is true now, changed by `engine.state.fold.apply` and nothing else.

Its `data` is plain and goes into snapshots; the indexes beside it are derived and rebuilt. Work
per event does not depend on how many orders there are.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from engine.domain.ids import FACT_DIGITS
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.money import ONE, ZERO
from engine.domain.order import OrderStatus
from engine.domain.run import Mode, Phase, RunState, Trigger
from engine.state.account import AccountState
from engine.state.deadlines import Deadlines
from engine.state.ended import EndedOrders
from engine.state.order import Order
from engine.state.order_index import OrderIndex
from engine.state.portfolio import Portfolio
from engine.state.position import Position
from engine.state.reservations import Reservations
from engine.state.seen import SeenIds
from engine.state.symbol_index import SymbolIndex
from engine.state.touched import HoldingAmended, SignalEntry, Touched, Value

STATE_FORMAT = 27
"""Raised whenever what a snapshot holds, or what an event does to it, changes its meaning.

An older snapshot is then left aside and the state folded from the events. A test compares the
shape with the one this number stands for.
"""

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
        self.deadlines = Deadlines(self._works)
        self.reservations = Reservations()
        self.symbols = SymbolIndex(self.data.instruments, self.index, self.reservations)
        self.ended = EndedOrders(self.data.accounts)
        self._facts: dict[str, tuple[str, str]] = {}
        """By the digits of an id that stand for its facts, the account and the id."""
        for account in self.data.accounts.values():
            for key in (*account.closed, *account.orders):
                self._facts[key[-FACT_DIGITS:]] = (account.name, key)
            for symbol in account.positions:
                self.symbols.hold(symbol, account.name)
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
        names = self.symbols.held.get(symbol)
        if not names:
            return []  # asked at every price, and most symbols are not held
        return [self.data.accounts[name].positions[symbol] for name in names]

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

    def entries_in(self, symbol: str) -> Iterator[Order]:
        """Working orders that add exposure in one symbol, in any account."""
        for account in self.data.accounts:
            yield from (order for order in self.working(account, symbol) if order.adds_exposure)

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
            self.symbols.derive(order.symbol)
        self._schedule(order)

    def _reindex(self, old: Order, new: Order) -> None:
        """As `_unindex` and `_index`, where most often only the status, or what filled, is new."""
        if (
            old.quantity != new.quantity
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
        if old.filled != new.filled and new.adds_exposure:
            self.reservations.release(old)
            self._reserve(new, new.exposure, new.may_add)
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
            self.symbols.wait_for(order.symbol)
            self.symbols.derive(order.symbol)

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
        self.symbols.lean(instrument.symbol)

    def _reserve(self, order: Order, amount: Decimal, quantity: Decimal) -> None:
        """Count an order as `amount`, which is that of `quantity` without the multiplier."""
        known = self.data.instruments.get(order.symbol) or default_instrument(order.symbol)
        multiplier = self.multiplier(order.symbol)
        units = quantity * multiplier if known.leans_on else None
        self.reservations.take(order, known.currency, amount * multiplier, units)
        self.symbols.wait_for(order.symbol)

    def _release(self, order: Order) -> None:
        if self.reservations.of(order):
            self.reservations.release(order)
            self.symbols.wait_for(order.symbol)

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
            changes = before is None or before.quantity != position.quantity
            if changes and position.stop_resized is not None:
                position = msgspec.structs.replace(position, stop_resized=None)
            self.touch(position, account)
            state.positions[symbol] = position
            self.symbols.hold(symbol, account)
            return
        self.touch(HoldingAmended(account=account, symbol=symbol), account)
        state.positions.pop(symbol, None)
        self.symbols.release(symbol, account)

    def mark(self, symbol: str, price: Decimal) -> None:
        """Keep the last price of a holding, so that a restart does not value it at cost."""
        if symbol in self.symbols.held:
            self.data.marks[symbol] = price
        else:
            self.data.marks.pop(symbol, None)

    def amend(self, position: Position, **fields: Any) -> None:
        """A new version of a position that no row tells of: its stop, its close, its counts."""
        account, symbol = position.account, position.symbol
        self.touch(HoldingAmended(account=account, symbol=symbol), account)
        positions = self.data.accounts[account].positions
        positions[symbol] = msgspec.structs.replace(position, **fields)

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
        let_go = self.ended.keep(account, order)
        self._await_successor(account, key)
        self._facts[key[-FACT_DIGITS:]] = (account.name, key)
        if let_go:
            self._forget(account, let_go)
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

    def _forget(self, account: AccountState, key: str) -> None:
        del account.closed[key]
        facts = key[-FACT_DIGITS:]
        if self._facts.get(facts) == (account.name, key):
            del self._facts[facts]

    def _count_end(self, order: Order) -> None:
        metrics, name = self.data.metrics, _COUNTED_AS[order.status]
        setattr(metrics, name, getattr(metrics, name) + 1)
