"""What new exposure may still cost: how fills and the venue's own number change it (X-79)."""

from collections.abc import Mapping
from decimal import Decimal

from engine.domain import events as ev
from engine.domain.instant import CLOCKS_APART, Nanos
from engine.domain.money import COST_QUANTUM, ONE, ZERO, floor_to
from engine.domain.order import Fill
from engine.state.account import AccountState
from engine.state.book import Book
from engine.state.holdings import HoldingChange
from engine.state.order import Order
from engine.state.position import Position


def learn(book: Book, account: AccountState, event: ev.AccountSynced, at: Nanos) -> None:
    """Take over the venue's number, what of its orders it contains, and what shorts bind of it."""
    account.learn_power(event.balances.buying_power, event.asked_at or at)
    account.power_asked = asked_at = event.asked_at
    book.reservations.contain(
        event.account,
        (o for o in account.orders.values() if o.adds_exposure and 0 < o.accepted_at < asked_at),
    )
    account.bound = _bound_there(book, account)


def fill(
    book: Book,
    event: ev.OrderFilled,
    before: Position | None,
    outcome: HoldingChange,
    at: Nanos,
) -> None:
    """A fill costs what it opens and its commission, and gives back what it closes: the proceeds
    of a sale, and of a short what it had bound, less what it cost to buy it back. One of before the
    number was asked for is in that already."""
    account, filled, moment = book.enter(event.account), event.fill, _moment(event.fill, at)
    if not event.account_rate or moment < account.power_asked:
        return
    price = filled.price * event.multiplier * event.rate / event.account_rate
    change = -outcome.opened * price - filled.commission * event.fee_rate / event.account_rate
    # Older programs counted nothing back, and a journal of theirs says what they knew.
    if account.power_asked:
        closed = filled.quantity - outcome.opened if before is not None else ZERO
        if before is not None and closed:
            proceeds = closed * price
            freed = proceeds if before.is_long else _unbind(book, account, before, closed)
            change += freed - (ZERO if before.is_long else proceeds)
            if not freed:
                account.freed_at = at
        if filled.side.sign < 0:
            # Its proceeds, and as much again: the venue may ask for less, and says so when it is
            # looked at.
            account.bound += 2 * outcome.opened * price
    account.use_power(change, moment)


def net(
    account: AccountState, event: ev.OrderFilled, order: Order, opened: Decimal, at: Nanos
) -> None:
    """A fill of an entry that the venue's number left room for already."""
    if not (event.account_rate and order.adds_exposure):
        return
    if 0 < order.accepted_at < account.power_asked <= _moment(event.fill, at):
        held_back = opened * order.reserved * event.multiplier * event.rate
        account.netted += held_back / event.account_rate


def _moment(fill: Fill, at: Nanos) -> Nanos:
    """When a fill that was told at `at` changed the venue's numbers, by our clock: then, unless it
    was told too late for that. The time of one that is assumed is ours."""
    if fill.is_assumed:
        return min(fill.time, at)
    return fill.time if 0 < fill.time < at - CLOCKS_APART else at


def _bound_there(book: Book, account: AccountState) -> Decimal:
    """What shorts bind of the venue's number: the cash that it has, and lets nobody spend, though
    no order holds it back. Nothing where its number is above the cash, or a rate is missing."""
    told = account.balances
    if told is None:
        return ZERO
    amounts = dict(told.balances) or {told.currency: told.cash}
    for (name, currency), reserved in book.reservations.contained_in.items():
        if name == account.name:
            amounts[currency] = amounts.get(currency, ZERO) - reserved
    rates = _rates(book)
    if any(amount and not rates.get(currency) for currency, amount in amounts.items()):
        return ZERO
    free = sum((amount * rates[c] for c, amount in amounts.items() if amount), start=ZERO)
    own = rates.get(told.currency)
    return max(free / own - told.buying_power, ZERO) if own else ZERO


def _unbind(book: Book, account: AccountState, short: Position, closed: Decimal) -> Decimal:
    """What a short that is bought back had bound; taken off what is bound. Several shorts share
    that as they share their value."""
    shorts = [p for p in account.positions.values() if not p.is_long]
    whole = sum((_worth(book, p, abs(p.quantity)) for p in shorts), start=ZERO)
    if not whole:
        return ZERO
    mine = _worth(book, short, closed)
    part = account.bound
    if mine != whole:
        part = floor_to(account.bound * mine / whole, COST_QUANTUM)
    account.bound -= part
    return part


def _worth(book: Book, position: Position, quantity: Decimal) -> Decimal:
    """What so much of a holding is worth at its last known price, in the base currency."""
    price = book.data.marks.get(position.symbol, position.average_price)
    rate = _rates(book).get(book.currency_of(position.symbol), ZERO)
    return quantity * price * position.multiplier * rate


def _rates(book: Book) -> Mapping[str, Decimal]:
    """The last known worth of each currency in the base currency."""
    return {**book.data.rates, book.data.base_currency: ONE}
