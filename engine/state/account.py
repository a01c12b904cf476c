"""One account: its link, its money, what it holds and what works in it (DESIGN, Accounts)."""

import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from engine.domain import events as ev
from engine.domain.account import Account
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.domain.order import NS_PER_DAY
from engine.domain.run import CircuitState, Halt, KillState, Level, LinkState
from engine.domain.suspicion import Suspicion
from engine.state.order import Order
from engine.state.position import Position


class AccountStatus(StrEnum):
    """What an account can be used for now (INTERFACE `accounts[].state`)."""

    CONNECTING = "CONNECTING"
    READY = "READY"
    REDUCE_ONLY = "REDUCE_ONLY"
    LOST = "LOST"


class Circuit(msgspec.Struct, frozen=True, kw_only=True):
    """The breaker of one account: it stops what adds exposure, and nothing else (C-420)."""

    state: CircuitState = CircuitState.CLOSED
    failures: int = 0
    """How many orders that add exposure failed in a row on their way to the venue."""
    failed_at: Nanos = 0
    """When the newest of them failed; 0 where none did."""
    until: Nanos = 0
    """Before this it lets nothing through; 0 where it is closed."""
    probe: str = ""
    """The client order id of the one that tries whether the venue takes orders again."""


class LinkStatus(msgspec.Struct, kw_only=True):
    """The connection to the venue of one account."""

    state: LinkState
    since: Nanos
    detail: str = ""


NEW_MOVEMENT_AFTER = 60 * NS_PER_SECOND
"""A fill that comes so long after the one before begins a new `Movement`: no list is behind by
more."""


LISTED_AGAIN: Final = 600 * NS_PER_SECOND
"""What is listed again within so much after it vanished is what it was: the looks that took its
absence over were behind, or empty."""


class Vanished(msgspec.Struct, frozen=True, kw_only=True):
    """What was held when it was taken over, at `at`, that the venue holds none of it."""

    position: Position
    at: Nanos


LISTED_LATE: Final = 7 * NS_PER_DAY
"""A split that is listed so long after a price was taken for real is another one."""


class TakenForReal(msgspec.Struct, frozen=True, kw_only=True):
    """A price that looked like a split of a holding, and was taken for real at `at` (X-93): the
    venue may list that split later.

    The peaks are those of then, ever and of the day `date`, without what the portfolio or that day
    began with, transfers and adjustments; in the base currency.
    """

    suspicion: Suspicion
    at: Nanos
    position: Position
    """What was held then."""
    peak: Decimal
    day_peak: Decimal = ZERO
    date: datetime.date | None = None

    def concerns(self, position: Position, at: Nanos) -> bool:
        """Whether it is that holding still, and a split that is listed at `at` may be this one."""
        return self.position.position_id == position.position_id and at - self.at <= LISTED_LATE


class Assumed(msgspec.Struct, frozen=True, kw_only=True):
    """What of an order was taken for filled, though no fill of it was told; `price` is the mean."""

    quantity: Decimal
    price: Decimal


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """The fills of one symbol that came close behind one another: the newest, and between which
    quantities the holding was, signed. A list that is behind them shows one in between."""

    at: Nanos
    lowest: Decimal
    highest: Decimal

    def includes(self, quantity: Decimal) -> bool:
        """Whether a list that is behind may show so much."""
        return self.lowest <= quantity <= self.highest


class KillWork(msgspec.Struct, kw_only=True):
    """A kill under way in one account; done when `clean_reads` is enough (DESIGN, Kill)."""

    epoch: int
    started_at: Nanos
    closed: int = 0
    clean_reads: int = 0
    clean_since: Nanos = 0
    state: str = KillState.WORKING
    """One of `KillState`."""
    reduced: dict[str, Decimal] = {}
    """By symbol, how much was taken off what was held since it began."""
    vanished: dict[str, Decimal] = {}
    """By symbol, what was held and was taken off since it began because the venue's lists do not
    show it, signed as it was held; what a fill that came later explains, or what is listed again,
    is not in it."""

    def take_over(self, symbol: str, before: Decimal, after: Decimal) -> None:
        """A holding of a symbol is taken over as the venue lists it, from `before` to `after`, both
        signed, without a fill."""
        kept = min(before, after, key=abs) if before * after > 0 else ZERO
        gone, more = self.vanished.pop(symbol, ZERO) + before - kept, after - kept
        if gone * more > 0:
            gone -= min(gone, more, key=abs)
        if gone:
            self.vanished[symbol] = gone


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """So much more is held here than at the venue, and no fill explains it; signed."""

    quantity: Decimal
    since: Nanos
    """The first of the looks in a row that found a difference."""
    price: Decimal | None = None
    """The price that had evidence then: what is not there loses nothing, and gains nothing, by a
    newer one (X-74). None in states of an older program."""


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """So much was taken off a holding without a fill, signed as a trade is, at a price that nobody
    had told this process."""

    quantity: Decimal
    price: Decimal


class OldUnits(msgspec.Struct, frozen=True, kw_only=True):
    """A working order that was made before a split, `numerator` new for `denominator` old, and that
    its venue has not said to have changed since `at` (X-93)."""

    symbol: str
    at: Nanos
    numerator: int
    denominator: int


class PowerMove(msgspec.Struct, frozen=True):
    """How a fill changed what new exposure may cost, in the account's own currency."""

    at: Nanos
    amount: Decimal


SMALL: Final = Decimal("0.01")
"""A difference of cash below this, in its currency, is counted and not told."""


class Unexplained(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has more, or less, at the venue than anything explains (X-75)."""

    cash: dict[str, Decimal] = {}
    """By currency."""
    holdings: dict[str, ev.UnexplainedHolding] = {}
    """By symbol."""

    @property
    def is_nothing(self) -> bool:
        """All of it is explained."""
        return not (self.cash or self.holdings)

    @property
    def told_cash(self) -> dict[str, Decimal]:
        """The cash that is told, by currency in their order: it keeps a comparison from being clean
        and a halt from being cleared."""
        return {c: self.cash[c] for c in sorted(self.cash) if abs(self.cash[c]) >= SMALL}


NOTHING: Final = Unexplained()

SETTLING: Final = NS_PER_SECOND
"""What was told so shortly before a look may not be whole in it: cash moves after its fill."""

POWER_STEP: Final = NS_PER_SECOND
"""Changes of the buying power within so much are kept as one."""

MOVES_KEPT: Final = 600
MOVEMENTS_KEPT: Final = 1_000


class AccountState(msgspec.Struct, kw_only=True):
    """What is true of one account. `name` is that under `[brokers]`, `id` the venue's own."""

    name: str
    id: str = ""
    open: bool = False
    """This process works with it; an account of an earlier configuration stays, and is not open."""
    link: LinkStatus | None = None
    balances: Account | None = None
    """The venue's balances as they were last taken over."""
    cash: dict[str, Decimal] = {}
    """By currency, as far as it is explained; an amount below zero is owed."""
    unexplained: Unexplained = NOTHING
    """The rest of what the venue says: part of equity, and of no profit, transfer or peak."""
    estimated: dict[str, Decimal] = {}
    """By symbol, the price that a holding was taken over at and that nobody had told."""
    left: dict[str, Left] = {}
    """By symbol, what was taken off at a price of before this process: the first that is told then
    takes its place (X-75)."""
    known_since: Nanos = 0
    """When the venue was asked for the first look: what happened before is history (X-75). 0 in
    accounts that an older program began."""
    begun_at: Nanos = 0
    """When what the first look told was taken over; 0 in accounts that an older program began."""
    cash_movements: dict[str, Nanos] = {}
    """The newest movements of cash that were booked, or left out by a person, by the venue's id,
    and when (X-69)."""
    buying_power: Decimal = ZERO
    """In the account's own currency: the venue's number, less what entry fills have used since it
    was asked, and with what closing fills have given back (X-79)."""
    power_asked: Nanos = 0
    """When it was asked for the number; 0 where an older program took it over."""
    power_moves: list[PowerMove] = []
    """The newest of these changes."""
    bound: Decimal = ZERO
    """What shorts bind of the number, their proceeds included, in the account's own currency."""
    freed_at: Nanos = 0
    """When a short was bought back of which nobody here knows what it had bound, as where the venue
    lends; 0 once the venue was asked since."""
    netted: Decimal = ZERO
    """What fills since then have cost of orders that the number already left room for, where the
    venue does that."""
    instruments: dict[str, Instrument] = {}
    """By symbol, what its venue states; what it does not state is known for all accounts."""
    positions: dict[str, Position] = {}
    """By symbol."""
    movements: dict[str, Movement] = {}
    """By symbol, its newest fills; a list that is older than they are proves nothing."""
    orders: dict[str, Order] = {}
    """Those that work, by client order id."""
    closed: dict[str, Order] = {}
    """Those that ended not long ago."""
    replacing: dict[str, str] = {}
    """The symbol of each order that is cancelled to make room for another, by its id (X-88)."""
    blocked: dict[str, dict[str, str]] = {}
    """By symbol, the causes that keep entries away, and why."""
    old_units: dict[str, OldUnits] = {}
    """Orders, by their id, that were made before a split and are still to be changed or ended."""
    suspected: dict[str, Suspicion] = {}
    """Holdings by symbol whose price looks as after a split: they are frozen (X-93)."""
    taken_for_real: dict[str, TakenForReal] = {}
    """By symbol, the last such price that was taken for real."""
    bad_fills: dict[str, None] = {}
    """Why fills were not taken, each as it was told: looks bring them again and again."""
    barred: dict[str, str] = {}
    """The causes that keep all entries away from the account, and why."""
    kill: KillWork | None = None
    stopped: list[str] = []
    """The orders, but for protective stops, that worked here when the halt was set or raised."""
    assumed: dict[str, Assumed] = {}
    """By client order id; what the venue tells of it later is no other fill."""
    last_fill: Nanos = 0
    circuit: Circuit = Circuit()
    silent_since: Nanos = 0
    """When the question was asked that the venue has not answered for too long; 0: it answers."""
    heard_at: Nanos = 0
    """When the venue last said anything of an order or of the account."""
    reconciled_at: Nanos = 0
    """When the venue was last looked at, whether or not it could be read (`look_failed`)."""
    seen_at: Nanos = 0
    """When the venue's view was last taken in."""
    reconciled_clean: bool = False
    clean_at: Nanos = 0
    """When a comparison last found nothing unexplained."""
    compared: bool = False
    """Whether the venue's holdings and orders were seen since the start and since the connection
    last broke; until then nothing opens."""
    reconcile_reason: str = ""
    look_failed: bool = False
    """The newest look at the venue failed: its differences are those of the one before."""
    differences: tuple[ev.Difference, ...] = ()
    missing: dict[str, Missing] = {}
    """By symbol, what looks do not find there of what is held here."""
    stops_beyond: dict[str, Decimal] = {}
    """By symbol, how much more than is held the stops are for that somebody else rests (X-85)."""
    adjusted: dict[str, Nanos] = {}
    """By symbol, when the venue's quantity was last taken over without a fill to explain it."""
    vanished: dict[str, Vanished] = {}
    """By symbol, what was taken off whole without a fill, not long ago."""
    unsettled: dict[str, Nanos] = {}
    """Since which look every look over this connection found something in flight in a symbol."""
    snapshot_asked: Nanos = 0
    """When the venue was asked for its view, and has not answered; 0 when no question is open."""

    def moved(self, symbol: str, before: Decimal, after: Decimal, at: Nanos) -> None:
        """A fill at `at` took the holding of a symbol from one quantity to another, both signed."""
        last = self.movements.get(symbol)
        low, high = min(before, after), max(before, after)
        if last is not None and at - last.at <= NEW_MOVEMENT_AFTER:
            low, high = min(low, last.lowest), max(high, last.highest)
        self.movements[symbol] = Movement(at=at, lowest=low, highest=high)
        if self.kill is not None:
            off = max(abs(before) - abs(after), ZERO) if before * after >= 0 else abs(before)
            if off:
                self.kill.reduced[symbol] = self.kill.reduced.get(symbol, ZERO) + off

    def listed_again(self, symbol: str, quantity: Decimal, at: Nanos) -> Position | None:
        """What vanished of a symbol shortly before `at`, where the venue lists no more of it than
        that on the same side, signed, and nothing of the symbol has filled since; None elsewhere.
        """
        known, moved = self.vanished.get(symbol), self.movements.get(symbol)
        if known is None or at - known.at > LISTED_AGAIN:
            return None
        if moved is not None and moved.at > known.at:
            return None
        before = known.position.quantity
        return known.position if before * quantity > 0 and abs(quantity) <= abs(before) else None

    def stop(self, halt: Halt, at: Nanos, *, raised: bool) -> None:
        """A halt begins here at `at`, or one that stands is `raised`: what works is noted, and a
        kill has its work to do.

        What a lower level cancelled and closed before is part of what this one proves.
        """
        working = {o.client_order_id for o in self.orders.values() if not o.protects}
        self.stopped = sorted(working.union(self.stopped if raised else ()))
        if halt.level is Level.KILL:
            work = KillWork(epoch=halt.epoch, started_at=at)
            if self.kill is not None:
                work.closed, work.reduced = self.kill.closed, self.kill.reduced
                work.vanished = self.kill.vanished
            self.kill = work

    def use_power(self, amount: Decimal, at: Nanos) -> None:
        """A fill at `at` changes what new exposure may cost by `amount`, below zero if it adds; one
        of before the number was asked for is in that already."""
        if at < self.power_asked:
            return
        self.buying_power += amount
        moves = self.power_moves
        if moves and at - moves[-1].at < POWER_STEP:
            moves[-1] = PowerMove(moves[-1].at, moves[-1].amount + amount)
            return
        moves.append(PowerMove(at, amount))
        if len(moves) > MOVES_KEPT:
            del moves[: -MOVES_KEPT // 2]

    def learn_power(self, told: Decimal, asked_at: Nanos) -> None:
        """Take the venue's number over, which was asked for at `asked_at`; what fills changed from
        then on counts beside it."""
        self.power_moves = [move for move in self.power_moves if move.at >= asked_at]
        self.buying_power = told + sum((m.amount for m in self.power_moves), start=ZERO)
        self.netted = ZERO

    @property
    def currency(self) -> str:
        """The account's own currency, as the venue states it; "" before it did."""
        return self.balances.currency if self.balances is not None else ""

    @property
    def is_connected(self) -> bool:
        """The link is up: what is asked is answered."""
        return self.link is not None and self.link.state.is_up

    @property
    def is_polled(self) -> bool:
        """The link is up without its stream: what happens at the venue is known by asking alone."""
        return self.link is not None and self.link.state is LinkState.POLLED

    @property
    def status(self) -> AccountStatus:
        """READY once it is connected and was compared, REDUCE_ONLY where something keeps entries
        away from it, or its venue does not answer; LOST where that is its link (X-77, X-84)."""
        if self.is_connected:
            if self.barred or self.silent_since or self.is_polled:
                return AccountStatus.REDUCE_ONLY
            return AccountStatus.READY if self.compared else AccountStatus.CONNECTING
        if self.link_is_down and self.barred:
            return AccountStatus.LOST
        return AccountStatus.CONNECTING

    @property
    def link_is_down(self) -> bool:
        """A link that was up is down."""
        return self.link is not None and self.link.state is LinkState.DISCONNECTED

    @property
    def may_enter(self) -> bool:
        """Nothing keeps entries away from the account as a whole, and it was connected once."""
        connecting = self.link is None or self.link.state is LinkState.CONNECTING
        return not self.barred and not connecting

    @property
    def exposed(self) -> bool:
        """It holds something, or something works in it."""
        return bool(self.positions or self.orders)
