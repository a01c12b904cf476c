"""What takes a holding off and what protects it, against the executions of the venue (rule 3).

A close of a part sells exactly that part, unless a close of the whole goes before it. What has a
stop keeps one for all of it, or it is being closed; and no stop covers more than is held.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.inputs import Command
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import RESTING, OrderStatus, OrderTerms, OrderType, Purpose
from engine.domain.run import Phase
from engine.ports import Capabilities
from engine.state.book import Book
from engine.state.order import Order
from tests.simulation.ledger import Place
from tests.simulation.venue import Venue, Working

ZERO: Final = Decimal(0)
CLOSING: Final = (Purpose.EXIT, Purpose.FLATTEN)
PROTECT_SECONDS: Final = 5
"""DESIGN rule 3."""
SLACK_SECONDS: Final = 1.5
"""A tick of the engine, and what lies between two samples."""
FOUND_SECONDS: Final = 45
"""So long the venue's truth may differ from what is known here, while its reports are lost: the
comparison comes every 15 s and may fail."""

Broken = Callable[[str, str], None]


class Part:
    """A close of a part as it was decided, and what the venue has sold of it."""

    __slots__ = ("done", "position_id", "quantity", "restarted", "sold", "spoiled")

    def __init__(self, position_id: str, quantity: Decimal | None) -> None:
        self.position_id = position_id
        self.quantity = quantity
        """None is the whole."""
        self.sold = ZERO
        self.done = False
        """It ended; nothing more may be sold."""
        self.restarted = False
        """A process began meanwhile, which hears later what was sold."""
        self.spoiled = False
        """A crash lost the decision: what is decided next comes on top of what that one sold."""


class Reductions:
    """Follows every close and every stop of all accounts, over all processes of a run."""

    def __init__(
        self,
        venues: Mapping[str, Venue],
        now: Callable[[], Nanos],
        faultless: frozenset[str],
        broken: Broken,
    ) -> None:
        self._venues = venues
        self._now = now
        self._faultless = faultless
        self._broken = broken
        self._parts: dict[Place, Part] = {}
        self._since: dict[tuple[str, Place], tuple[str, Nanos]] = {}
        """Since when something is as it should not stay, by what it is and of which position."""
        self.closed_parts = 0
        """How many parts were closed to the end."""

    def started(self, book: Book) -> None:
        """A process begins: a close that was decided in the last moment may be forgotten."""
        self._since.clear()
        for (account, symbol), part in self._parts.items():
            part.restarted = True
            held = book.holding(account, symbol)
            known = held is not None and held.position_id == part.position_id
            if not known or held is None or held.exiting is None:
                part.spoiled = part.spoiled or not part.done
            elif held.exiting.is_whole:
                part.quantity = None
            elif part.quantity is None:
                part.spoiled = (
                    True  # the decision to close the whole was lost, that of the part not
                )

    # --- closes of a part -------------------------------------------------------------------------

    def before(self, event: ev.Event, book: Book, asked: Command | None) -> None:
        """One event that is about to be applied to `book`."""
        match event:
            case ev.ExitPlanned():
                self._planned(event, asked)
            case ev.ExitAbandoned():
                self._ended(event, book)
            case ev.OrderSettled(status=status) if not status.is_terminal:
                # The venue has said that it rests; it may be cancelled in the same moment.
                order = book.order(event.client_order_id)
                place = (event.account, order.symbol if order is not None else "")
                self._since.pop(("untold", place), None)
            case ev.PositionClosed():
                self._parts.pop((event.account, event.trade.symbol), None)

    def _planned(self, event: ev.ExitPlanned, asked: Command | None) -> None:
        place, quantity = (event.account, event.symbol), event.decision.quantity
        part = self._parts.get(place)
        if part is not None and part.position_id != event.position_id:
            part = None
        if isinstance(asked, ask.ClosePosition) and quantity != asked.quantity:
            self._broken("part", f"{asked.quantity} {event.symbol} was asked, {quantity} planned")
        if part is None or quantity is None:
            whole = self._parts[place] = Part(event.position_id, quantity)
            whole.spoiled = part is not None and part.spoiled
        elif part.done:
            self._parts[place] = Part(event.position_id, quantity)
        elif part.spoiled:
            if part.quantity is not None:
                part.quantity += quantity
        elif part.quantity is None:
            self._broken("part", f"a part of {event.symbol} is closed while the whole is")
        elif quantity != (left := part.quantity - part.sold) and not part.restarted:
            self._broken("part", f"{quantity} {event.symbol} are to be closed, {left} are left")

    def _ended(self, event: ev.ExitAbandoned, book: Book) -> None:
        part = self._parts.get((event.account, event.symbol))
        held = book.holding(event.account, event.symbol)
        plan = held.exiting if held is not None else None
        if part is None or part.done or part.position_id != event.position_id:
            return
        part.done = True
        if part.quantity is None or part.spoiled or plan is None:
            return
        if not plan.quantity:
            self.closed_parts += 1
            if part.sold != part.quantity:
                text = f"{part.sold} {event.symbol} sold, {part.quantity} were to be"
                self._broken("part", text)
        elif event.account in self._faultless:
            self._broken("part", f"the close of {event.symbol} was given up: {event.detail}")

    def filled(self, account: str, order: OrderTerms, quantity: Decimal) -> None:
        """The venue executed so much of an order."""
        part = self._parts.get((account, order.symbol))
        if part is None or order.purpose not in CLOSING:
            return
        part.sold += quantity
        if part.quantity is not None and part.sold > part.quantity:
            text = f"{part.sold} {order.symbol} sold, {part.quantity} were to be closed"
            self._broken("part", text)
        elif part.done and part.quantity is not None and not part.spoiled:
            self._broken("part", f"{quantity} {order.symbol} sold after the part was closed")

    def works(self, account: str, working: Working) -> None:
        """Rule 3 in the venue's own book: where it would fill all that reduces, together they are
        for no more than is held."""
        venue, order = self._venues[account], working.order
        if venue.capabilities.reduce_only or not order.reduce_only:
            return
        held = -venue.positions.get(order.symbol, ZERO) * order.side.sign
        there = [w for w in venue.open.values() if w.order.symbol == order.symbol]
        against = [w for w in there if w.order.side.sign == order.side.sign]
        most = sum((w.leaves for w in against if w.order.reduce_only), ZERO)
        if held > 0 and most > held:
            self._broken("room", f"orders for {most} of {held} {order.symbol} work in {account}")

    # --- stops ------------------------------------------------------------------------------------

    def sample(self, book: Book | None, looked: Callable[[str], bool]) -> None:
        """Twice a second: what is not protected, and what is protected twice."""
        for account, venue in self._venues.items():
            if book is None or not looked(account) or book.data.phase is not Phase.RUNNING:
                for key in [key for key in self._since if key[1][0] == account]:
                    del self._since[key]
                continue
            symbols = {w.order.symbol for w in venue.open.values() if w.order.is_protective}
            symbols |= {symbol for _, (name, symbol) in self._since if name == account}
            for symbol in symbols | set(book.account(account).positions):
                self._sample_one(book, venue, (account, symbol))

    def happened(self, book: Book) -> None:
        """After a step: a stop that is acknowledged, and gone again before the next sample."""
        for what, place in [key for key in self._since if key[0] == "here"]:
            held = book.holding(*place)
            if held is None or _acknowledged(book, place) >= abs(held.quantity):
                del self._since[what, place]

    def _sample_one(self, book: Book, venue: Venue, place: Place) -> None:
        account, symbol = place
        there = [w for w in venue.open.values() if w.order.symbol == symbol]
        resting = sum((w.leaves for w in there if w.order.is_protective), ZERO)
        truth = abs(venue.positions.get(symbol, ZERO))
        bound = PROTECT_SECONDS if account in self._faultless else FOUND_SECONDS
        held = book.holding(account, symbol)
        position = held.position_id if held is not None else ""
        self._may_last(
            "too much",
            place,
            position,
            holds=resting > truth,
            seconds=bound,
            text=f"stops for {resting} of {truth} {symbol}",
        )
        others = sum(
            (w.leaves for w in there if w.order.reduce_only and not w.order.is_protective), ZERO
        )
        if held is not None and held.exiting is not None:
            position += " while a part is closed"  # which a stop has its own seconds for, as after
        # Beside the close of a part the stop stays, for what that leaves where nothing joins them.
        wants = held is not None and held.stop is not None and not held.is_closing
        if held is not None and held.exiting is not None and held.told_unprotected:
            # A stop in doubt beside the close of a part: the alarm stands. No stop is no doubt.
            wants = wants and not any(o.is_protective for o in book.working(*place))
        part = _part_to_order(book, place)
        others += part
        own = sum((w.leaves for w in there if is_own_stop(w.order)), ZERO)
        wanted = truth - (own if venue.capabilities.reduce_only else others)
        self._may_last(
            "there",
            place,
            position,
            holds=wants and resting < wanted,
            seconds=bound,
            text=f"{resting} of {truth} {symbol}",
        )
        self._told(book, place)
        # What the engine itself can know is bound by the rule's own seconds wherever it fails.
        known = _acknowledged(book, place)
        left = abs(held.quantity) if held is not None else ZERO
        if not venue.capabilities.reduce_only:
            # Nor may a stop cover what another order may sell, whatever became of that one.
            left -= _taken(book, place) + part
        free = self._now() > _settled_by(book, place, venue.capabilities)
        short = free and known < left and known < wanted
        self._may_last(
            "here",
            place,
            position,
            holds=wants and short,
            seconds=PROTECT_SECONDS,
            text=f"{known} of {truth} {symbol}",
        )

    def _told(self, book: Book, place: Place) -> None:
        """What is not known to be protected is told, as long as nothing changes about it."""
        held = book.holding(*place)
        working = [o for o in book.working(*place) if o.reduce_only]
        known = sum((o.leaves for o in working if o.accepted_at and _rests(o)), ZERO)
        bare = held is not None and held.stop is not None and known < abs(held.quantity)
        told = held is not None and held.told_unprotected
        states = " ".join(f"{o.client_order_id} {o.status}" for o in working)
        self._may_last(
            "untold",
            place,
            "" if held is None else f"{held.position_id} {states}",
            holds=bare and not told,
            seconds=PROTECT_SECONDS,
            text=f"{known} of {held.quantity if held else 0} {place[1]} known and nobody told, not",
        )

    def _may_last(
        self, what: str, place: Place, position: str, *, holds: bool, seconds: float, text: str
    ) -> None:
        """Something may be so of one position for `seconds`, and no longer."""
        if not holds:
            self._since.pop((what, place), None)
            return
        known, since = self._since.get((what, place), (position, self._now()))
        if known != position:
            since = self._now()
        self._since[what, place] = (position, since)
        if self._now() - since > (seconds + SLACK_SECONDS) * NS_PER_SECOND:
            rule = "untold" if what == "untold" else "protect"
            self._broken(rule, f"{text} protected in {place[0]} ({what})")
            self._since.pop((what, place), None)


def is_own_stop(order: OrderTerms) -> bool:
    """A stop that the operator rests: it protects what it covers (X-85)."""
    return order.reduce_only and order.type is OrderType.STOP and not order.is_protective


def _part_to_order(book: Book, place: Place) -> Decimal:
    """What the close of a part has still to order."""
    held = book.holding(*place)
    plan = held.exiting if held is not None else None
    if plan is None or plan.quantity is None:
        return ZERO
    return ZERO if any(o.closes for o in book.working(*place)) else plan.quantity


def _rests(order: Order) -> bool:
    """The venue works it as far as is known here, or is changing it."""
    changing = order.status is OrderStatus.PENDING_REPLACE
    return order.status in RESTING or (changing and bool(order.pending and order.pending.native))


def _taken(book: Book, place: Place) -> Decimal:
    """What the orders beside the stops may take off, as far as is known here."""
    return sum(
        (o.leaves for o in book.working(*place) if o.reduce_only and not o.is_protective),
        start=ZERO,
    )


def _settled_by(book: Book, place: Place, able: Capabilities) -> Nanos:
    """Until when a stop that the process before may have sent may arrive: none is sent meanwhile,
    and what it may protect is not closed. One that takes its place has its own seconds."""
    started = book.data.started_at
    stops = [o for o in book.working(*place) if o.is_protective and not o.accepted_at]
    doubted = any(o.status is OrderStatus.UNKNOWN and o.created_at < started for o in stops)
    wait = able.arrival if doubted or not able.deduplicates else 0
    return max([started + wait, *(o.created_at for o in stops if o.check_first)])


def _acknowledged(book: Book, place: Place) -> Decimal:
    """How much the stops cover that the venue is known to have taken."""
    return sum(
        (o.leaves for o in book.working(*place) if o.is_protective and o.accepted_at),
        start=ZERO,
    )
