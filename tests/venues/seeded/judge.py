"""What must hold of a seeded run: worked out from the venue's books and the engine's journal.

Nothing of the engine takes part in it but the events of its journal and, for what it says of an
account now, the values of its state; whatever is added up is added up here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Final

from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.order import TERMINAL, OrderStatus, OrderTerms, Purpose
from engine.state.account import AccountState
from tests.venues.exchange import Execution, Order
from tests.venues.seeded.books import ZERO, Books, Resting, Trade, held
from tests.venues.seeded.place import Place

REDUCING: Final = frozenset({Purpose.EXIT, Purpose.FLATTEN, Purpose.PROTECT})
"""The purposes of orders that may only take off what is held."""


def told(place: Place, events: Iterable[ev.Event]) -> list[Trade]:
    """Every execution that the journal has by the venue's word, as often as it has it."""
    found: list[Trade] = []
    matched: set[str] = set()
    for event in events:
        if not isinstance(event, ev.OrderFilled | ev.FillMatched) or event.fill.is_assumed:
            continue
        fill = event.fill
        if isinstance(event, ev.FillMatched):
            matched.add(fill.execution_id)
        elif fill.execution_id in matched:
            continue  # the rest of one that was assumed in part, which was told whole
        fee = fill.commission, fill.commission_currency or place.quote_of(fill.symbol)
        signed = fill.side.sign * fill.quantity
        found.append(Trade.of(fill.client_order_id, fill.symbol, signed, fill.price, fee))
    return found


def assumed(events: Iterable[ev.Event]) -> Decimal:
    """How much was taken for filled that no venue has told since."""
    left = ZERO
    for event in events:
        if isinstance(event, ev.OrderFilled) and event.fill.is_assumed:
            left += event.fill.quantity
        elif isinstance(event, ev.FillMatched):
            left -= event.quantity
    return left


def intended(events: Iterable[ev.Event]) -> dict[str, OrderTerms]:
    """Every order that was decided on, by its id."""
    return {e.terms.client_order_id: e.terms for e in events if isinstance(e, ev.OrderIntended)}


def given_up(events: Iterable[ev.Event]) -> set[str]:
    """The orders that were concluded never to have reached the venue."""
    return {
        e.client_order_id
        for e in events
        if isinstance(e, ev.OrderRejected) and e.code == Code.NOT_SENT
    }


def wanted(events: Iterable[ev.Event]) -> dict[str, Decimal]:
    """The most that each order was ever for."""
    most: dict[str, Decimal] = {}
    for event in events:
        match event:
            case ev.OrderIntended(terms=terms):
                most[terms.client_order_id] = terms.quantity
            case ev.ReplaceRequested() if event.native:
                most[event.client_order_id] = max(most[event.client_order_id], event.quantity)
    return most


class Judge:
    """Watches the venue while a run goes on, and says at its end what is wrong."""

    def __init__(self, place: Place, events: Sequence[ev.Event]) -> None:
        self._place = place
        self._events = events
        """The journal, which grows."""
        self._accepted: Counter[str] = Counter()
        self._intents: Counter[str] = Counter()
        self._held: dict[str, Decimal] = {}
        self.broken: list[str] = []
        place.exchange.listeners.append(self._heard)

    # --- while it goes on

    def _heard(self, change: str, order: Order, done: Execution | None) -> None:
        if change == "new":
            self._accepted[order.client_id] += 1
            if self._accepted[order.client_id] > 1:
                self.broken.append(f"twice: {order.client_id} was accepted again")
            self._accepts(order)
        if done is not None:
            before = self._held.get(done.symbol, ZERO)
            self._held[done.symbol] = before + done.sign * done.quantity
            self._fills(order, before, before + done.sign * done.quantity)

    def _accepts(self, order: Order) -> None:
        """What is accepted was decided on before, in just those terms."""
        terms = intended(self._events).get(order.client_id)
        if terms is None:
            self.broken.append(f"unintended: nobody decided on {order.client_id!r}")
            return
        if order.client_id in given_up(self._events):
            self.broken.append(f"given up: {order.client_id} counts as never sent, and came")
        if terms.purpose is Purpose.MANUAL and not terms.orig_client_order_id:
            # One order of a person's; what takes its place is another id of the same intent.
            self._intents[terms.intent_id] += 1
            if self._intents[terms.intent_id] > 1:
                self.broken.append(f"twice: the intent {terms.intent_id} was accepted again")
        symbol = self._place.ours[order.symbol]
        ours = (terms.symbol, terms.side.sign)
        if ours != (symbol, order.sign) or order.quantity > wanted(self._events)[order.client_id]:
            text = f"{order.sign * order.quantity} {symbol} were accepted of {terms}"
            self.broken.append(f"unintended: {text}")

    def _fills(self, order: Order, before: Decimal, after: Decimal) -> None:
        """Nothing fills more than it was for, and what closes takes off and never turns round."""
        most = wanted(self._events).get(order.client_id, ZERO)
        if order.filled > most:
            self.broken.append(f"more: {order.filled} of {order.client_id}, which was for {most}")
        terms = intended(self._events).get(order.client_id)
        reduces = terms is not None and (terms.purpose in REDUCING or terms.reduce_only)
        if reduces and (before * after < 0 or abs(after) > abs(before)):
            symbol = self._place.ours[order.symbol]
            self.broken.append(
                f"turned: {order.client_id} only reduces, and {before} {symbol} became {after}"
            )

    # --- at the end

    def unsettled(self, account: AccountState) -> list[str]:
        """What is still in doubt or under way, so that time alone may change it."""
        orders = account.orders.values()
        found = [
            f"unknown: {o.client_order_id} is {o.status}"
            for o in orders
            if o.status in (OrderStatus.UNKNOWN, OrderStatus.PENDING_NEW, OrderStatus.CREATED)
        ]
        if not account.is_connected:
            found.append("link: the account is not connected")
        return found

    def different(self, account: AccountState) -> list[str]:
        """Where engine and venue do not say the same."""
        there = self._place.books()
        return [*self._trades(there), *self._sums(there, account)]

    def _trades(self, there: Books) -> Iterator[str]:
        ours = Counter(told(self._place, self._events))
        for missing in (there.trades - ours).elements():
            yield f"lost: {missing}"
        for extra in (ours - there.trades).elements():
            yield f"counted: {extra} is not at the venue, or not so often"
        left = assumed(self._events)
        if left:
            yield f"assumed: {left} filled that no venue has told"
        adjusted = [e for e in self._events if isinstance(e, ev.PositionAdjusted)]
        if adjusted:
            yield f"adjusted: {adjusted[0]}"

    def _sums(self, there: Books, account: AccountState) -> Iterator[str]:
        stated = self._place.states()
        for name, sums in (("positions", there.positions), ("cash", there.cash)):
            if stated[name] != sums:
                yield f"books: the server has {name} {stated[name]}, its trades say {dict(sums)}"
        positions = held((p.symbol, p.quantity) for p in account.positions.values())
        if positions != there.positions:
            yield f"held: {positions} here, {dict(there.positions)} there"
        cash = held(account.cash.items())
        if cash != there.cash:
            yield f"cash: {cash} here, {dict(there.cash)} there"
        if not account.unexplained.is_nothing:
            yield f"cash: {account.unexplained} is unexplained"
        working = frozenset(
            Resting(o.client_order_id, o.symbol, o.quantity - o.filled, o.limit_price, o.stop_price)
            for o in account.orders.values()
            if o.status not in TERMINAL
        )
        if working != there.working:
            here, away = working - there.working, there.working - working
            yield f"working: {sorted(map(str, here))} here, {sorted(map(str, away))} there"
