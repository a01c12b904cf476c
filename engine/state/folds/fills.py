"""Executions: what is held, the money, the order (U-17, rule 2)."""

from decimal import Decimal

import msgspec

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.money import ONE, ZERO
from engine.domain.order import Fill, OrderStatus, move
from engine.state.account import AccountState, Assumed, Unexplained
from engine.state.book import Book
from engine.state.cover import guard
from engine.state.folds import power
from engine.state.folds.rule import Rules
from engine.state.holdings import HoldingChange, change, fee_of, has_assumed
from engine.state.intents import IntentLeg
from engine.state.order import Order
from engine.state.position import Position
from engine.state.touched import AccountSeen, FillTaken
from engine.state.waiting import intents_at


def _filled(book: Book, event: ev.OrderFilled, at: Nanos) -> None:
    data, fill = book.data, event.fill
    book.hear(event.account, at)
    if not book.seen_executions.add(fill.key):
        return
    see(book, fill)
    order = book.order_in(event.account, fill.client_order_id)
    currency = book.currency_of(fill.symbol)
    book.touch(FillTaken(seq=data.seq, event=event, currency=currency), event.account)
    before = book.holding(event.account, fill.symbol)
    fee = fee_of(fill, currency, event.rate, event.fee_rate)
    outcome = change(before, fill, event.multiplier, order, fee=fee, seq=data.seq, at=at)
    if outcome.closed is not None:
        book.touch(outcome.closed, event.account)
    account = book.enter(event.account)
    _pay(book, account, event, outcome, currency)
    _move(account, fill.symbol, before, outcome, at)
    _found(account, fill)
    brought = _brought(event, currency)
    is_seen = _is_seen(account, fill, currency, brought)
    if not is_seen:
        power.fill(book, event, before, outcome, at)
    book.hold(event.account, fill.symbol, outcome.after)
    book.mark(fill.symbol, fill.price)
    account.last_fill = max(account.last_fill, min(fill.time, at))
    if fill.is_assumed:
        _assume(account, fill)
    if is_seen or fill.is_assumed:
        _explain(account, fill, currency, brought)
    if order is not None:
        if not is_seen:
            power.net(account, event, order, outcome.opened, at)
        _close_part(book, order, fill)
        book.put(_after_fill(book, order, fill, fee, at))
        if order.protects and before is not None and before.sign * fill.side.sign < 0:
            end_entries(book, before)
    guard(book, event.account, fill.symbol, at)


def see(book: Book, fill: Fill) -> None:
    """Remember what a fill says, to know it when it is told again (X-91)."""
    for text in fill.names():
        book.seen_fills.add(text)


def _assume(account: AccountState, fill: Fill) -> None:
    """Remember that this much was taken for filled."""
    before = account.assumed.get(fill.client_order_id)
    quantity, price = fill.quantity, fill.price
    if before is not None:
        quantity += before.quantity
        notional = before.quantity * before.price + fill.quantity * fill.price
        price = notional / quantity
    account.assumed[fill.client_order_id] = Assumed(quantity=quantity, price=price)


def _brought(event: ev.OrderFilled, currency: str) -> Decimal:
    """The cash in `currency`, that of the instrument, that a fill brought; below zero it cost."""
    fill = event.fill
    charged_in = fill.commission_currency or currency
    fee = fill.commission if charged_in == currency else ZERO
    return -fill.quantity * fill.price * event.multiplier * fill.side.sign - fee


def _is_seen(account: AccountState, fill: Fill, currency: str, brought: Decimal) -> bool:
    """Whether the last look saw what a fill brought, which is told only now: the venue had that
    much more, or less, than anything explained. Its buying power is after the fill then (X-79)."""
    there = account.unexplained.cash.get(currency, ZERO)
    is_there = there * brought > 0 and abs(there) >= abs(brought)
    return is_there and fill.time <= account.seen_at


def _explain(account: AccountState, fill: Fill, currency: str, brought: Decimal) -> None:
    """What the venue had more, or less, is explained now by so much as a fill moved (X-75)."""
    cash, holdings = dict(account.unexplained.cash), dict(account.unexplained.holdings)
    if currency in cash:
        cash[currency] -= brought
        if not cash[currency]:
            del cash[currency]
    held, moved = holdings.pop(fill.symbol, None), fill.quantity * fill.side.sign
    if held is not None:
        left = held.quantity - moved if held.quantity * moved > 0 else held.quantity
        if left * held.quantity > 0:
            holdings[fill.symbol] = msgspec.structs.replace(held, quantity=left)
    account.unexplained = Unexplained(cash=cash, holdings=holdings)


def _matched(book: Book, event: ev.FillMatched, at: Nanos) -> None:
    fill, account = event.fill, book.enter(event.account)
    book.hear(event.account, at)
    if event.quantity == fill.quantity:
        book.seen_executions.add(fill.key)
    see(book, fill)
    known = account.assumed.pop(fill.client_order_id, None)
    if known is not None and known.quantity > event.quantity:
        left = msgspec.structs.replace(known, quantity=known.quantity - event.quantity)
        account.assumed[fill.client_order_id] = left
    currency = book.currency_of(fill.symbol)
    dearer = (fill.price - event.price) * event.quantity * event.multiplier * fill.side.sign
    account.cash[currency] = account.cash.get(currency, ZERO) - dearer
    _gain(book, currency, -dearer, event.rate)
    _charge(book, account, fill.commission_currency or currency, fill.commission, event.fee_rate)
    position = book.holding(event.account, fill.symbol)
    if position is not None and has_assumed(position, fill.client_order_id):
        fee = fee_of(fill, currency, event.rate, event.fee_rate)
        charged = msgspec.structs.replace(position, commission=position.commission + fee)
        book.hold(event.account, fill.symbol, charged)
    book.touch(AccountSeen(account=event.account), event.account)


def _move(
    account: AccountState, symbol: str, before: Position | None, outcome: HoldingChange, at: Nanos
) -> None:
    """Remember from what to what a holding came by a fill."""
    held = before.quantity if before is not None else ZERO
    left = outcome.after.quantity if outcome.after is not None else ZERO
    account.moved(symbol, held, left, at)


def _found(account: AccountState, fill: Fill) -> None:
    """What looks did not find at the venue is explained by a fill of before them, told now.

    One without a time of the venue's is taken for such a fill: what is left of the difference is
    seen by the next look.
    """
    missing = account.missing.get(fill.symbol)
    if missing is None or (not fill.is_assumed and fill.time > missing.since):
        return
    moved = fill.quantity * fill.side.sign
    if abs(moved) < abs(missing.quantity) and moved * missing.quantity < 0:
        left = missing.quantity + moved
        account.missing[fill.symbol] = msgspec.structs.replace(missing, quantity=left)
    elif moved * missing.quantity < 0:
        del account.missing[fill.symbol]


def _close_part(book: Book, order: Order, fill: Fill) -> None:
    """What a fill of a close takes off the part that is still to be closed."""
    position = book.holding(order.account, fill.symbol)
    if position is None or position.exiting is None or position.exiting.quantity is None:
        return
    if order.closes:
        left = max(position.exiting.quantity - fill.quantity, ZERO)
        plan = msgspec.structs.replace(position.exiting, quantity=left)
        book.amend(position, exiting=plan)


def end_entries(book: Book, position: Position) -> None:
    """A stop of the position has traded: no order that was to build it up adds any more (X-78)."""
    account, symbol = position.account, position.symbol
    waiting = [
        found
        for key, where in book.account(account).replacing.items()
        if where == symbol and (found := book.order_in(account, key)) is not None
    ]
    for order in (*book.working(account, symbol), *waiting):
        if order.adds_exposure and order.side.sign == position.sign and not order.stopped:
            book.put(msgspec.structs.replace(order, stopped=True))
    for intent in intents_at(book, account, symbol):
        legs = tuple(_stopped(leg, position) for leg in intent.legs)
        book.data.intents[intent.intent_id] = msgspec.structs.replace(intent, legs=legs)


def _stopped(leg: IntentLeg, position: Position) -> IntentLeg:
    terms = leg.terms
    here = (terms.account, terms.symbol) == (position.account, position.symbol)
    if not (here and leg.waits and terms.adds_exposure and terms.side.sign == position.sign):
        return leg
    return msgspec.structs.replace(leg, refused="the stop of the position has traded")


def _pay(
    book: Book, account: AccountState, event: ev.OrderFilled, outcome: HoldingChange, currency: str
) -> None:
    """The money of a fill in an instrument that is paid in `currency`: each amount in its own
    currency, sums in the base currency."""
    fill, metrics = event.fill, book.data.metrics
    money = fill.quantity * fill.price * event.multiplier
    account.cash[currency] = account.cash.get(currency, ZERO) - money * fill.side.sign
    _gain(book, currency, outcome.realized, event.rate)
    _charge(book, account, fill.commission_currency or currency, fill.commission, event.fee_rate)
    metrics.fills += 1
    metrics.notional += money * event.rate


def _gain(book: Book, currency: str, amount: Decimal, rate: Decimal) -> None:
    """So much of a currency is realised; it waits for its worth where nobody knows that."""
    data, gained = book.data, amount * rate
    data.realized += gained
    if data.session is not None:
        data.session.realized += gained
    if amount and not rate:
        data.unvalued_in(currency).realized += amount


def _charge(book: Book, account: AccountState, asset: str, fee: Decimal, fee_rate: Decimal) -> None:
    """So much of an asset is taken as commission; it waits for its worth where nobody knows that.

    A rebate is below 0.
    """
    data, worth = book.data, fee * fee_rate
    account.cash[asset] = account.cash.get(asset, ZERO) - fee
    data.commission += worth
    data.metrics.commission += worth
    if data.session is not None:
        data.session.fees += worth
    if fee and not fee_rate:
        data.unvalued_in(asset).fees += fee


def _commission_taken(book: Book, event: ev.CommissionTaken, at: Nanos) -> None:
    data, account = book.data, book.enter(event.account)
    before = book.holding(event.account, event.symbol)
    outcome = change(before, event.execution, ONE, None, seq=data.seq, at=at)
    if outcome.closed is not None:
        book.touch(outcome.closed, event.account)
    account.cash[event.currency] = account.cash.get(event.currency, ZERO) + event.quantity
    if event.account_rate:
        # The fill used it, as a commission in cash would have.
        saved = event.quantity * event.price * event.rate / event.account_rate
        account.use_power(saved, at)
    _gain(book, book.currency_of(event.symbol), outcome.realized, event.rate)
    if event.currency in data.unvalued:
        # The coins are gone from a holding, at what that counted them as: nothing is owed for them.
        data.unvalued[event.currency].fees -= event.quantity
    _move(account, event.symbol, before, outcome, at)
    book.hold(event.account, event.symbol, outcome.after)
    if not book.held(event.symbol):
        data.marks.pop(event.symbol, None)
    guard(book, event.account, event.symbol, at)


def _extremes(order: Order, fill: Fill) -> tuple[Decimal, Decimal]:
    """The worst and the best price, for us, that an order has filled at once this fill is in it."""
    worst = fill.price if order.worst_price is None else order.worst_price
    best = fill.price if order.best_price is None else order.best_price
    dearest, cheapest = max(worst, best, fill.price), min(worst, best, fill.price)
    return (dearest, cheapest) if fill.side.sign > 0 else (cheapest, dearest)


def _after_fill(book: Book, order: Order, fill: Fill, fee: Decimal, at: Nanos) -> Order:
    """The order with this fill in it."""
    if not order.filled and order.sent_at:
        book.data.metrics.latency_ns += max(at - order.sent_at, 0)
        book.data.metrics.latency_count += 1
    filled = order.filled + fill.quantity
    worst, best = _extremes(order, fill)
    if filled >= order.most:
        status = OrderStatus.FILLED
    elif (
        fill.is_assumed
        or order.status.is_terminal
        or order.status
        in (
            OrderStatus.PENDING_CANCEL,
            OrderStatus.PENDING_REPLACE,
        )
    ):
        status = order.status
    else:
        status = OrderStatus.PARTIALLY_FILLED
    return msgspec.structs.replace(
        order,
        filled=filled,
        filled_at=at,
        worst_price=worst,
        best_price=best,
        notional=order.notional + fill.quantity * fill.price,
        commission=order.commission + fee,
        status=order.status if status is order.status else move(order.status, status),
        venue_order_id=fill.venue_order_id or order.venue_order_id,
        accepted_at=order.accepted_at or at,
        updated_at=at,
    )


RULES: Rules = {
    ev.OrderFilled: _filled,
    ev.FillMatched: _matched,
    ev.CommissionTaken: _commission_taken,
}
