"""How each event changes the book: one small rule an event, in one table.

Replaying the journal through `apply` rebuilds the state bit for bit, so the start-up path is the
recovery path (DESIGN, The one idea).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from engine.domain import events as ev
from engine.domain.codes import Code, Outcome, Stage, Verdict
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ONE, ZERO
from engine.domain.order import ADDING, Fill, OrderStatus, Purpose, move
from engine.domain.run import Level, LinkState, Phase, Trigger
from engine.state.account import KillWork, LinkStatus
from engine.state.book import RATE_WINDOW, Book, is_power_of_two
from engine.state.holdings import Change, adjusted, change, fee_of
from engine.state.intents import Intent, Leg
from engine.state.order import Order, Pending
from engine.state.portfolio import Restriction, SessionState
from engine.state.position import ExitPlan
from engine.state.touched import (
    DayTotals,
    FillTaken,
    LetterClosed,
    LetterOpened,
    SignalEntry,
    SignalLate,
    Touched,
    TradeFinished,
    TradeVanished,
)

OUR_OWN = frozenset({Code.NOT_SENT, Code.KILL_SWITCH})
"""Ends of orders that no venue ever saw: no sign of a venue that refuses."""

WINDOW_KEPT = 8_192
WINDOW_AGE = 24 * 3600 * NS_PER_SECOND
"""Contents of signals older than this are dropped once there are many; no window is longer."""

Rule = Callable[[Book, Any, Nanos], None]
_APPLY: dict[type[ev.Event], Rule] = {}


def apply(book: Book, record: ev.Record) -> list[Touched]:
    """Take one event into the state, and say which values it touched."""
    data = book.data
    data.seq, data.time = record.seq, record.time
    rule = _APPLY.get(type(record.event))
    if rule is None:
        return []
    rule(book, record.event, record.time)
    return book.take_touched()


def _on(kind: type[ev.Event]) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        _APPLY[kind] = rule
        return rule

    return register


@_on(ev.EngineStarted)
def _started(book: Book, event: ev.EngineStarted, at: Nanos) -> None:
    data = book.data
    data.mode, data.primary = event.mode, event.primary
    data.base_currency, data.calendar = event.currency, event.calendar
    data.phase, data.started_at = Phase.STARTING, at
    for account in data.accounts.values():
        account.open = False
        account.link = None
    for name, identity in event.accounts.items():
        account = book.enter(name)
        account.id, account.open = identity, True
        account.link = LinkStatus(state=LinkState.CONNECTING, since=at)
        account.compared = False
        account.snapshot_asked = 0


@_on(ev.PhaseChanged)
def _phase(book: Book, event: ev.PhaseChanged, at: Nanos) -> None:
    book.data.phase = event.phase
    if event.phase is Phase.RUNNING:
        book.data.running_at = at


@_on(ev.Paused)
def _paused(book: Book, event: ev.Paused, at: Nanos) -> None:
    book.data.paused, book.data.pause_reason = True, event.reason


@_on(ev.Unpaused)
def _unpaused(book: Book, event: ev.Unpaused, at: Nanos) -> None:
    book.data.paused, book.data.pause_reason = False, ""


@_on(ev.Restricted)
def _restricted(book: Book, event: ev.Restricted, at: Nanos) -> None:
    book.data.restrictions[event.cause] = Restriction(reason=event.reason, until=event.until)


@_on(ev.Unrestricted)
def _unrestricted(book: Book, event: ev.Unrestricted, at: Nanos) -> None:
    book.data.restrictions.pop(event.cause, None)
    if event.cause is Trigger.JOURNAL:
        book.data.journal_failed = False
    if event.cause is Trigger.LOSS_STREAK:
        book.data.loss_streak = 0


@_on(ev.Halted)
def _halted(book: Book, event: ev.Halted, at: Nanos) -> None:
    data, halt = book.data, event.halt
    data.halt, data.epoch = halt, halt.epoch
    if halt.level is Level.KILL:
        for account in book.accounts:
            work = sorted(o.client_order_id for o in account.orders.values() if not o.is_protective)
            account.kill = KillWork(epoch=halt.epoch, started_at=at, baseline=work)


@_on(ev.HaltCleared)
def _halt_cleared(book: Book, event: ev.HaltCleared, at: Nanos) -> None:
    data = book.data
    data.halt = None
    for account in data.accounts.values():
        account.kill = None
    data.paused, data.pause_reason = True, "halt cleared"
    data.loss_streak = 0


@_on(ev.TriggerFired)
def _fired(book: Book, event: ev.TriggerFired, at: Nanos) -> None:
    session = book.data.session
    book.data.alerted[event.trigger] = str(session.date) if session else ""
    if event.trigger is Trigger.JOURNAL:
        book.data.journal_failed = True


@_on(ev.KillProgressed)
def _kill_progressed(book: Book, event: ev.KillProgressed, at: Nanos) -> None:
    kill = book.enter(event.account).kill
    if kill is not None:
        kill.clean_reads = event.clean_reads
        if event.clean_reads == 1:
            kill.clean_since = at


@_on(ev.KillProved)
def _kill_proved(book: Book, event: ev.KillProved, at: Nanos) -> None:
    kill = book.enter(event.account).kill
    if kill is not None:
        kill.state = event.state


@_on(ev.InstrumentLearned)
def _instrument(book: Book, event: ev.InstrumentLearned, at: Nanos) -> None:
    book.data.instruments[event.instrument.symbol] = event.instrument


@_on(ev.AccountSynced)
def _account(book: Book, event: ev.AccountSynced, at: Nanos) -> None:
    data, told = book.data, event.balances
    account = book.enter(event.account)
    equity, flow = told.equity * event.rate, event.flow * event.rate
    if account.balances is None:
        data.starting_equity = (data.starting_equity or ZERO) + equity
        data.peak_equity += equity
        if data.session is not None:
            # An account that is seen for the first time brings what it had: it is no profit, and
            # the day's loss is measured against it too.
            data.session.starting_equity += equity
    else:
        data.flows += flow
        data.peak_equity += flow
        if data.session is not None:
            data.session.flows += flow
    account.balances = told
    account.cash = dict(told.balances) or {told.currency: told.cash}
    account.buying_power = told.buying_power


@_on(ev.SessionOpened)
def _session(book: Book, event: ev.SessionOpened, at: Nanos) -> None:
    data = book.data
    data.session = SessionState(
        date=event.date,
        starting_equity=event.starting_equity,
        starting_unrealized=event.unrealized,
    )


@_on(ev.SessionClosed)
def _session_closed(book: Book, event: ev.SessionClosed, at: Nanos) -> None:
    book.touch(DayTotals(event=event))


@_on(ev.CurrencyValued)
def _valued(book: Book, event: ev.CurrencyValued, at: Nanos) -> None:
    data = book.data
    data.rates[event.currency] = event.rate
    if data.starting_equity is not None:
        data.starting_equity += event.equity
        data.peak_equity += event.equity
    if data.session is not None:
        # It was there when the day began, and nobody knew what it was worth.
        data.session.starting_equity += event.equity
        data.session.starting_unrealized += event.unrealized


@_on(ev.EquityMarked)
def _marked(book: Book, event: ev.EquityMarked, at: Nanos) -> None:
    book.data.peak_equity = event.peak
    book.data.marked_at, book.data.marked_equity = at, event.equity
    book.data.marks.update(event.marks)
    book.data.rates.update(event.rates)
    if book.data.session is not None:
        book.data.session.max_drawdown = max(book.data.session.max_drawdown, event.drawdown)


@_on(ev.InputRejected)
def _input_rejected(book: Book, event: ev.InputRejected, at: Nanos) -> None:
    _count(book, Code.INVALID_INPUT)
    book.touch(
        SignalEntry(
            seq=book.data.seq,
            time=at,
            signal_id=event.input_id,
            verdict=Verdict.REJECTED,
            outcome=Outcome.REJECTED,
            stage=Stage.INTAKE,
            code=Code.INVALID_INPUT,
            reason=event.reason,
        )
    )


@_on(ev.SignalReceived)
def _received(book: Book, event: ev.SignalReceived, at: Nanos) -> None:
    signal = event.signal
    entry = SignalEntry(
        seq=book.data.seq,
        time=at,
        signal_id=signal.signal_id,
        symbol=signal.ticker,
        signal=signal,
    )
    book.data.heard[signal.signal_id] = entry
    book.touch(entry)


@_on(ev.SignalDecided)
def _decided(book: Book, event: ev.SignalDecided, at: Nanos) -> None:
    data = book.data
    if event.content:
        book.seen_signals.add(event.signal_id)
        if len(data.window) >= WINDOW_KEPT and is_power_of_two(len(data.window)):
            data.window = {key: t for key, t in data.window.items() if t > at - WINDOW_AGE}
        data.window[event.content] = at
    heard = data.heard.pop(event.signal_id, None) or SignalEntry(
        seq=data.seq, time=at, signal_id=event.signal_id, symbol=event.symbol
    )
    rejected = event.verdict is Verdict.REJECTED
    entry = msgspec.structs.replace(
        heard,
        verdict=event.verdict,
        outcome=Outcome.REJECTED if rejected else None,
        stage=event.stage,
        code=event.code,
        measured=event.measured,
        limit=event.limit,
        reason=event.reason,
        orders=event.client_order_ids,
    )
    book.touch(entry)
    if rejected:
        _count(book, event.code)
    else:
        data.signals[event.signal_id] = entry


@_on(ev.SignalEnded)
def _ended(book: Book, event: ev.SignalEnded, at: Nanos) -> None:
    data = book.data
    if event.previous:
        data.outcomes[event.previous] -= 1
        if not data.outcomes[event.previous]:
            del data.outcomes[event.previous]
    executed = event.outcome in (Outcome.EXECUTED, Outcome.RESIZED)
    _count(book, event.outcome if executed or not event.code else event.code)
    stage = Stage.COMPLETED if executed else Stage.ORDER
    entry = data.signals.get(event.signal_id)
    if entry is None:
        late = SignalLate(
            signal_id=event.signal_id,
            outcome=event.outcome,
            stage=stage,
            code=event.code,
            reason=event.reason,
        )
        book.touch(late)
        return
    entry = msgspec.structs.replace(
        entry, outcome=event.outcome, stage=stage, code=event.code, reason=event.reason
    )
    book.touch(entry)
    if book.concerns(entry):
        data.signals[event.signal_id] = entry
    else:
        del data.signals[event.signal_id]


def _count(book: Book, code: str) -> None:
    book.data.outcomes[code] = book.data.outcomes.get(code, 0) + 1


@_on(ev.OrderIntended)
def _intended(book: Book, event: ev.OrderIntended, at: Nanos) -> None:
    data = book.data
    order = Order.of(event.terms, seq=data.seq, at=at)
    book.put(order)
    data.metrics.total += 1
    if order.reserved:
        if data.session is not None:
            data.session.entries += 1
        book.stamp(order, at)
    _number(book, order)
    if data.intents:
        _lead(book, order)
    book.enter(order.account).replacing.pop(order.orig_client_order_id, None)
    entry = data.signals.get(order.signal_id)
    if entry is not None and order.purpose in ADDING and order.client_order_id not in entry.orders:
        entry = msgspec.structs.replace(entry, orders=(*entry.orders, order.client_order_id))
        data.signals[order.signal_id] = entry
        book.touch(entry)


def _lead(book: Book, order: Order) -> None:
    """An order that an intent of several waited for, or one that takes the place of such a one."""
    intent = book.data.intents.get(order.intent_id)
    if intent is None:
        return
    legs = tuple(_led(book, leg, order) for leg in intent.legs)
    book.data.intents[intent.intent_id] = msgspec.structs.replace(intent, legs=legs)


def _led(book: Book, leg: Leg, order: Order) -> Leg:
    key = order.client_order_id
    if leg.waits:
        mine = leg.terms.client_order_id == key
        return msgspec.structs.replace(leg, client_order_id=key) if mine else leg
    if leg.client_order_id != order.orig_client_order_id:
        return leg
    old = book.order(leg.client_order_id)
    before = leg.before + (old.filled if old is not None else ZERO)
    return msgspec.structs.replace(leg, client_order_id=key, before=before)


@_on(ev.IntentOpened)
def _intent_opened(book: Book, event: ev.IntentOpened, at: Nanos) -> None:
    book.data.intents[event.intent_id] = Intent(
        intent_id=event.intent_id,
        plan=event.plan,
        signal_id=event.signal_id,
        legs=tuple(Leg(terms=terms) for terms in event.legs),
    )


@_on(ev.IntentEnded)
def _intent_ended(book: Book, event: ev.IntentEnded, at: Nanos) -> None:
    book.data.intents.pop(event.intent_id, None)
    book.bury(event.signal_id)


@_on(ev.LegRefused)
def _leg_refused(book: Book, event: ev.LegRefused, at: Nanos) -> None:
    intent = book.data.intents.get(event.intent_id)
    if intent is None:
        return
    legs = tuple(
        msgspec.structs.replace(leg, refused=event.reason)
        if leg.terms.client_order_id == event.client_order_id
        else leg
        for leg in intent.legs
    )
    book.data.intents[event.intent_id] = msgspec.structs.replace(intent, legs=legs)


def _number(book: Book, order: Order) -> None:
    """A position counts the orders that reduce it, so that each has an id of its own."""
    position = book.holding(order.account, order.symbol)
    if position is None or not order.attempt:
        return
    leg = "protect_attempt" if order.is_protective else "exit_attempt"
    if order.attempt > getattr(position, leg):
        book.amend(position, **{leg: order.attempt})


@_on(ev.OrderAdopted)
def _adopted(book: Book, event: ev.OrderAdopted, at: Nanos) -> None:
    state = event.state
    seen = at if state.listed else 0
    order = msgspec.structs.replace(
        Order.of(event.terms, seq=book.data.seq, at=at),
        status=state.status,
        venue_order_id=state.venue_order_id,
        filled=state.filled,
        notional=state.notional,
        sent_at=seen,
        accepted_at=seen,
        unclear_at=at if state.status is OrderStatus.UNKNOWN else 0,
    )
    book.put(order)
    book.data.metrics.total += 1
    _number(book, order)
    book.guard(order.account, order.symbol, at)


@_on(ev.OrderSent)
def _sent(book: Book, event: ev.OrderSent, at: Nanos) -> None:
    order = book.order(event.client_order_id)
    if order is not None and order.status is OrderStatus.CREATED:
        book.update(event.client_order_id, at, status=OrderStatus.PENDING_NEW, sent_at=at)
    elif order is not None:
        book.update(event.client_order_id, at, sent_at=at)


@_on(ev.OrderAccepted)
def _accepted(book: Book, event: ev.OrderAccepted, at: Nanos) -> None:
    order = book.order(event.client_order_id)
    if order is None:
        return
    status = OrderStatus.PARTIALLY_FILLED if order.filled else OrderStatus.NEW
    book.update(
        event.client_order_id,
        at,
        status=status,
        venue_order_id=event.venue_order_id or order.venue_order_id,
        accepted_at=order.accepted_at or at,
        queries=0,
        pending=None,
    )
    if order.is_protective:
        book.guard(order.account, order.symbol, at)


@_on(ev.OrderRejected)
def _rejected(book: Book, event: ev.OrderRejected, at: Nanos) -> None:
    data = book.data
    book.end(
        event.client_order_id, at, OrderStatus.REJECTED, reject_code=event.code, reason=event.text
    )
    if event.code not in OUR_OWN:
        data.rejects = [t for t in data.rejects if t > at - RATE_WINDOW]
        data.rejects.append(at)


@_on(ev.OrderUnclear)
def _unclear(book: Book, event: ev.OrderUnclear, at: Nanos) -> None:
    book.update(
        event.client_order_id,
        at,
        status=OrderStatus.UNKNOWN,
        reason=event.reason,
        unclear_at=at,
    )
    book.data.metrics.failures += 1
    book.data.metrics.last_failure = at


@_on(ev.OrderQueried)
def _queried(book: Book, event: ev.OrderQueried, at: Nanos) -> None:
    order = book.order(event.client_order_id)
    if order is not None:
        book.update(event.client_order_id, at, queries=order.queries + 1)


def _mark(book: Book, symbol: str, price: Decimal) -> None:
    """The last price a holding was seen at, so that a restart does not value it at cost."""
    if book.held(symbol):
        book.data.marks[symbol] = price
    else:
        book.data.marks.pop(symbol, None)


@_on(ev.OrderFilled)
def _filled(book: Book, event: ev.OrderFilled, at: Nanos) -> None:
    data, fill = book.data, event.fill
    if fill.key in book.seen_executions:
        return
    book.seen_executions.add(fill.key)
    book.seen_fills.add(fill.content)
    order = book.order_in(event.account, fill.client_order_id)
    currency = book.currency_of(fill.symbol)
    book.touch(FillTaken(seq=data.seq, event=event, currency=currency), event.account)
    before = book.holding(event.account, fill.symbol)
    fee = fee_of(fill, currency, event.rate, event.fee_rate)
    outcome = change(before, fill, event.multiplier, order, fee=fee, seq=data.seq, at=at)
    if outcome.closed is not None:
        book.touch(outcome.closed, event.account)
    _pay(book, event, outcome)
    book.hold(event.account, fill.symbol, outcome.after)
    _mark(book, fill.symbol, fill.price)
    account = book.enter(event.account)
    account.last_fill = max(account.last_fill, min(fill.time, at))
    if order is not None:
        _close_part(book, order, fill)
        book.put(_after_fill(book, order, fill, fee, at))
    book.guard(event.account, fill.symbol, at)


def _close_part(book: Book, order: Order, fill: Fill) -> None:
    """What a fill of a close takes off the part that is still to be closed."""
    position = book.holding(order.account, fill.symbol)
    if position is None or position.exiting is None or position.exiting.quantity is None:
        return
    if order.purpose in (Purpose.EXIT, Purpose.FLATTEN):
        left = max(position.exiting.quantity - fill.quantity, ZERO)
        plan = msgspec.structs.replace(position.exiting, quantity=left)
        book.amend(position, exiting=plan)


def _pay(book: Book, event: ev.OrderFilled, outcome: Change) -> None:
    """The money of a fill: each amount in its own currency, sums in the base currency."""
    data, fill = book.data, event.fill
    account = book.enter(event.account)
    currency = book.currency_of(fill.symbol)
    charged_in = fill.commission_currency or currency
    money = fill.quantity * fill.price * event.multiplier
    cash = account.cash
    cash[currency] = cash.get(currency, ZERO) - money * fill.side.sign
    cash[charged_in] = cash.get(charged_in, ZERO) - fill.commission
    fee = fill.commission * event.fee_rate
    gained = outcome.realized * event.rate
    used = outcome.opened * fill.price * event.multiplier * event.rate + fee
    if event.account_rate:
        account.buying_power -= used / event.account_rate
    data.realized += gained
    data.commission += fee
    metrics = data.metrics
    metrics.fills += 1
    metrics.notional += money * event.rate
    metrics.commission += fee
    if data.session is not None:
        data.session.realized += gained
        data.session.fees += fee


@_on(ev.CommissionTaken)
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
        account.buying_power += saved
    gained = outcome.realized * event.rate
    data.realized += gained
    if data.session is not None:
        data.session.realized += gained
    book.hold(event.account, event.symbol, outcome.after)
    if not book.held(event.symbol):
        data.marks.pop(event.symbol, None)
    book.guard(event.account, event.symbol, at)


def _after_fill(book: Book, order: Order, fill: Fill, fee: Decimal, at: Nanos) -> Order:
    """The order with this fill in it."""
    if not order.filled and order.sent_at:
        book.data.metrics.latency_ns += max(at - order.sent_at, 0)
        book.data.metrics.latency_count += 1
    filled = order.filled + fill.quantity
    if filled >= order.most:
        status = OrderStatus.FILLED
    elif order.status.is_terminal or order.status in (
        OrderStatus.PENDING_CANCEL,
        OrderStatus.PENDING_REPLACE,
    ):
        status = order.status
    else:
        status = OrderStatus.PARTIALLY_FILLED
    return msgspec.structs.replace(
        order,
        filled=filled,
        notional=order.notional + fill.quantity * fill.price,
        commission=order.commission + fee,
        status=order.status if status is order.status else move(order.status, status),
        venue_order_id=fill.venue_order_id or order.venue_order_id,
        accepted_at=order.accepted_at or at,
        updated_at=at,
    )


@_on(ev.CancelRequested)
def _cancel_requested(book: Book, event: ev.CancelRequested, at: Nanos) -> None:
    order = book.order(event.client_order_id)
    if order is None or order.status.is_terminal:
        return
    fields: dict[str, Any] = {"reason": event.reason, "cancel_wanted": True}
    if book.enter(event.account).replacing.pop(event.client_order_id, None) is not None:
        fields["pending"] = None
    if order.status is not OrderStatus.UNKNOWN:
        fields["status"] = OrderStatus.PENDING_CANCEL
    book.update(event.client_order_id, at, **fields)


@_on(ev.CancelRefused)
def _cancel_refused(book: Book, event: ev.CancelRefused, at: Nanos) -> None:
    book.update(
        event.client_order_id,
        at,
        status=event.status,
        cancel_wanted=False,
        pending=None,
    )
    book.enter(event.account).replacing.pop(event.client_order_id, None)


@_on(ev.OrderCanceled)
def _canceled(book: Book, event: ev.OrderCanceled, at: Nanos) -> None:
    order = book.order(event.client_order_id)
    reason = event.reason or (order.reason if order else "")
    book.end(event.client_order_id, at, OrderStatus.CANCELED, reason=reason)


@_on(ev.OrderExpired)
def _expired(book: Book, event: ev.OrderExpired, at: Nanos) -> None:
    book.end(event.client_order_id, at, OrderStatus.EXPIRED)


@_on(ev.ReplaceRequested)
def _replace_requested(book: Book, event: ev.ReplaceRequested, at: Nanos) -> None:
    book.update(
        event.client_order_id,
        at,
        status=OrderStatus.PENDING_REPLACE,
        pending=Pending(
            quantity=event.quantity,
            limit_price=event.limit_price,
            stop_price=event.stop_price,
            time_in_force=event.time_in_force,
            reserved=event.reserved,
            new_client_order_id=event.new_client_order_id,
        ),
    )
    order = book.order(event.client_order_id)
    if order is not None and not event.native:
        book.enter(event.account).replacing[event.client_order_id] = order.symbol


@_on(ev.OrderReplaced)
def _replaced(book: Book, event: ev.OrderReplaced, at: Nanos) -> None:
    order = book.order(event.client_order_id)
    if order is None:
        return
    waits = order.pending is not None and not order.pending.native
    if order.filled >= event.quantity:
        status = OrderStatus.FILLED
    elif order.status is OrderStatus.PENDING_CANCEL or waits:
        status = order.status
    else:
        status = OrderStatus.PARTIALLY_FILLED if order.filled else OrderStatus.NEW
    book.update(
        event.client_order_id,
        at,
        status=status,
        quantity=event.quantity,
        limit_price=event.limit_price if event.limit_price is not None else order.limit_price,
        stop_price=event.stop_price if event.stop_price is not None else order.stop_price,
        time_in_force=event.time_in_force or order.time_in_force,
        reserved=event.reserved if event.reserved is not None else order.reserved,
        pending=order.pending if waits else None,
        queries=0,
    )
    if order.is_protective:
        book.guard(order.account, order.symbol, at)


@_on(ev.ReplaceAbandoned)
def _replace_abandoned(book: Book, event: ev.ReplaceAbandoned, at: Nanos) -> None:
    book.enter(event.account).replacing.pop(event.client_order_id, None)


@_on(ev.OrderSettled)
def _settled(book: Book, event: ev.OrderSettled, at: Nanos) -> None:
    fields: dict[str, Any] = {"venue_order_id": event.venue_order_id, "queries": 0}
    if event.status.is_terminal:
        book.end(event.client_order_id, at, event.status, reason=event.reason, **fields)
    else:
        order = book.update(
            event.client_order_id, at, status=event.status, accepted_at=at, **fields
        )
        if order is not None and order.is_protective:
            book.guard(order.account, order.symbol, at)


@_on(ev.DeadLettered)
def _dead(book: Book, event: ev.DeadLettered, at: Nanos) -> None:
    book.data.letters[event.letter_id] = event.terms
    letter = LetterOpened(
        seq=book.data.seq, at=at, letter_id=event.letter_id, terms=event.terms, error=event.error
    )
    book.touch(letter, event.account)


@_on(ev.DeadLetterClosed)
def _dead_closed(book: Book, event: ev.DeadLetterClosed, at: Nanos) -> None:
    book.data.letters.pop(event.letter_id, None)
    closed = LetterClosed(at=at, letter_id=event.letter_id, action=event.action, by=event.by)
    book.touch(closed, event.account)


@_on(ev.ExitPlanned)
def _exit_planned(book: Book, event: ev.ExitPlanned, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    if position is None:
        return
    decided, under_way = event.decision, position.exiting
    plan = ExitPlan(
        reason=decided.reason,
        detail=decided.detail,
        priority=decided.priority,
        quantity=decided.quantity,
        attempt=decided.attempt,
        started_at=at if under_way is None else under_way.started_at,
    )
    book.amend(position, exiting=plan, exit_attempt=plan.attempt)


@_on(ev.ExitAbandoned)
def _exit_abandoned(book: Book, event: ev.ExitAbandoned, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    if position is not None:
        book.amend(position, exiting=None)


@_on(ev.StopRemoved)
def _stop_removed(book: Book, event: ev.StopRemoved, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    if position is not None:
        book.amend(position, stop=None)


@_on(ev.StopMoved)
def _stop_moved(book: Book, event: ev.StopMoved, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    if position is not None:
        # A first stop has the usual time to rest at the venue.
        bare = position.unprotected_since if position.stop is not None else at
        book.amend(position, stop=event.after, unprotected_since=bare)


@_on(ev.TargetMoved)
def _target_moved(book: Book, event: ev.TargetMoved, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    if position is not None:
        book.amend(position, target=event.after, own_target=True)


@_on(ev.PositionClosed)
def _closed(book: Book, event: ev.PositionClosed, at: Nanos) -> None:
    data, trade = book.data, event.trade
    currency = book.currency_of(trade.symbol)
    finished = TradeFinished(seq=data.seq, at=at, trade=trade, currency=currency)
    book.touch(finished, event.account)
    if data.session is not None:
        data.session.trades += 1
        data.session.wins += 1 if trade.pnl > 0 else 0
        data.session.losses += 1 if trade.pnl < 0 else 0
    data.loss_streak = event.loss_streak
    kill = book.enter(event.account).kill
    if kill is not None:
        kill.closed += 1


@_on(ev.SnapshotRequested)
def _snapshot_requested(book: Book, event: ev.SnapshotRequested, at: Nanos) -> None:
    book.enter(event.account).snapshot_asked = at


@_on(ev.Reconciled)
def _reconciled(book: Book, event: ev.Reconciled, at: Nanos) -> None:
    account = book.enter(event.account)
    account.reconciled_at, account.reconciled_clean = at, event.clean
    account.reconcile_reason, account.differences = event.reason, event.differences
    if event.clean and not event.failed:
        account.clean_at = at
    if not event.failed:
        account.compared, account.seen_at = True, at
    account.snapshot_asked = 0


@_on(ev.PositionAdjusted)
def _adjusted(book: Book, event: ev.PositionAdjusted, at: Nanos) -> None:
    seq = book.data.seq
    previous = book.holding(event.account, event.symbol)
    new = adjusted(
        previous,
        symbol=event.symbol,
        account=event.account,
        quantity=event.quantity,
        price=event.price,
        mult=event.multiplier,
        seq=seq,
        at=at,
    )
    if previous is not None and (new is None or new.position_id != previous.position_id):
        gone = TradeVanished(seq=seq, position_id=previous.position_id, reason=event.reason)
        book.touch(gone, event.account)
    book.hold(event.account, event.symbol, new)
    _mark(book, event.symbol, event.price)


@_on(ev.SymbolBlocked)
def _blocked(book: Book, event: ev.SymbolBlocked, at: Nanos) -> None:
    blocked = book.enter(event.account).blocked
    blocked.setdefault(event.symbol, {})[event.cause] = event.reason


@_on(ev.SymbolUnblocked)
def _unblocked(book: Book, event: ev.SymbolUnblocked, at: Nanos) -> None:
    blocked = book.enter(event.account).blocked
    causes = blocked.get(event.symbol)
    if causes is not None:
        causes.pop(event.cause, None)
        if not causes:
            del blocked[event.symbol]


@_on(ev.LinkChanged)
def _link(book: Book, event: ev.LinkChanged, at: Nanos) -> None:
    account = book.enter(event.account)
    account.link = LinkStatus(state=event.state, since=at, detail=event.detail)
    if event.state is not LinkState.CONNECTED:
        account.compared = False
