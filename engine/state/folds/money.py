"""Instruments, balances, days and what things are worth (U-18, X-12, X-86)."""

from decimal import Decimal

import msgspec

from engine.domain import events as ev
from engine.domain.account import MovementKind
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.state.account import MOVEMENTS_KEPT, AccountState, Unexplained
from engine.state.book import Book
from engine.state.folds import power
from engine.state.folds.fills import see
from engine.state.folds.rule import Rules
from engine.state.portfolio import SessionState, UnvaluedMoney
from engine.state.touched import AccountSeen, DayTotals, EquityMeasured, RunChanged


def _instrument(book: Book, event: ev.InstrumentLearned, at: Nanos) -> None:
    book.learn(event.instrument)


def _stated(book: Book, event: ev.InstrumentStated, at: Nanos) -> None:
    book.enter(event.account).instruments[event.instrument.symbol] = event.instrument


def _account(book: Book, event: ev.AccountSynced, at: Nanos) -> None:
    book.touch(AccountSeen(account=event.account), event.account)
    book.hear(event.account, at)
    data, told = book.data, event.balances
    account = book.enter(event.account)
    if account.balances is None:
        # An account that is seen for the first time brings what it had: it is no profit, and the
        # day's loss is measured against it too.
        worth = told.equity * event.rate if event.worth is None else event.worth
        data.starting_equity = data.starting_equity or ZERO
        book.data.find(worth)
        account.known_since, account.begun_at = event.asked_at, at
        for fill in event.history:
            book.seen_executions.add(fill.key)
            see(book, fill)
    else:
        _transferred(book, event.flow * event.rate)
    account.balances = told
    cash = dict(told.balances) or {told.currency: told.cash}
    for currency, amount in account.unexplained.cash.items():
        cash[currency] = cash.get(currency, ZERO) - amount
    account.cash = cash
    power.learn(book, account, event, at)


def _unexplained(book: Book, event: ev.UnexplainedChanged, at: Nanos) -> None:
    book.touch(AccountSeen(account=event.account), event.account)
    holdings = {holding.symbol: holding for holding in event.holdings}
    book.enter(event.account).unexplained = Unexplained(cash=event.cash, holdings=holdings)


def _cash_adjusted(book: Book, event: ev.CashAdjusted, at: Nanos) -> None:
    book.touch(AccountSeen(account=event.account), event.account)
    account = book.enter(event.account)
    left = dict(account.unexplained.cash)
    for currency, amount in event.amounts.items():
        account.cash[currency] = account.cash.get(currency, ZERO) + amount
        left[currency] = left.get(currency, ZERO) - amount
        if not left[currency]:
            del left[currency]
    account.unexplained = msgspec.structs.replace(account.unexplained, cash=left)
    book.data.adjust(event.value)


def _cash_moved(book: Book, event: ev.CashMoved, at: Nanos) -> None:
    book.touch(AccountSeen(account=event.account), event.account)
    account = book.enter(event.account)
    _remember(account, event.movement_id, event.time)
    account.cash[event.currency] = account.cash.get(event.currency, ZERO) + event.amount
    worth = event.amount * event.rate
    if event.kind is MovementKind.TRANSFER:
        _transferred(book, worth)
        return
    book.data.realized += worth
    if book.data.session is not None:
        book.data.session.realized += worth


def _left_out(book: Book, event: ev.CashMovementLeftOut, at: Nanos) -> None:
    book.touch(AccountSeen(account=event.account), event.account)
    _remember(book.enter(event.account), event.movement_id, at)


def _remember(account: AccountState, movement_id: str, at: Nanos) -> None:
    """Whatever the history says of this movement later, it is dealt with."""
    account.cash_movements[movement_id] = at
    while len(account.cash_movements) > MOVEMENTS_KEPT:
        del account.cash_movements[next(iter(account.cash_movements))]


def _left(book: Book, event: ev.AccountLeft, at: Nanos) -> None:
    _transferred(book, -event.equity)


def _returned(book: Book, event: ev.AccountReturned, at: Nanos) -> None:
    _transferred(book, event.equity)
    account, halt = book.enter(event.account), book.data.halt
    if halt is not None and (account.kill is None or account.kill.epoch != halt.epoch):
        # It was halted while this account was left out: it reaches it now (rule 5).
        account.stop(halt, at, raised=True)


def _transferred(book: Book, amount: Decimal) -> None:
    """Money that came or went and is neither profit nor loss (X-13)."""
    data = book.data
    data.flows += amount
    data.peak_equity += amount
    if data.session is not None:
        data.session.flows += amount
        data.session.peak_equity += amount


def _session(book: Book, event: ev.SessionOpened, at: Nanos) -> None:
    book.touch(RunChanged())
    data = book.data
    data.session = SessionState(
        date=event.date,
        starting_equity=event.starting_equity,
        starting_unexplained=event.unexplained,
        peak_equity=event.starting_equity - event.unexplained,
        halted=data.halt is not None,
    )


def _session_closed(book: Book, event: ev.SessionClosed, at: Nanos) -> None:
    book.touch(DayTotals(event=event))
    if book.data.session is not None:
        book.data.session.written = True


def _valued(book: Book, event: ev.CurrencyValued, at: Nanos) -> None:
    book.touch(RunChanged())
    data = book.data
    data.rates[event.currency] = event.rate
    waited = data.unvalued.pop(event.currency, UnvaluedMoney())
    realized, fees = waited.realized * event.rate, waited.fees * event.rate
    data.realized += realized
    data.commission += fees
    if data.session is not None:
        data.session.realized += realized
        data.session.fees += fees
    if data.starting_equity is not None:
        # The rest was there when the day began, and nobody knew what it was worth.
        book.data.find(event.equity - realized + fees)


def _marked(book: Book, event: ev.EquityMarked, at: Nanos) -> None:
    book.touch(EquityMeasured(at=at, equity=event.equity))
    book.data.peak_equity = event.peak
    book.data.marked_at, book.data.marked_equity = at, event.equity
    book.data.marks.update(event.marks)
    book.data.rates.update(event.rates)
    for currency in event.rates:
        if currency in event.rate_times:
            book.data.rate_times[currency] = event.rate_times[currency]
        else:
            book.data.rate_times.pop(currency, None)
    session = book.data.session
    if session is not None:
        below = event.drawdown if event.day_drawdown is None else event.day_drawdown
        highest = max(session.peak_equity, event.equity)
        session.peak_equity = highest if event.day_peak is None else event.day_peak
        session.max_drawdown = max(session.max_drawdown, below)


RULES: Rules = {
    ev.InstrumentLearned: _instrument,
    ev.InstrumentStated: _stated,
    ev.AccountSynced: _account,
    ev.UnexplainedChanged: _unexplained,
    ev.CashAdjusted: _cash_adjusted,
    ev.CashMoved: _cash_moved,
    ev.CashMovementLeftOut: _left_out,
    ev.AccountLeft: _left,
    ev.AccountReturned: _returned,
    ev.SessionOpened: _session,
    ev.SessionClosed: _session_closed,
    ev.CurrencyValued: _valued,
    ev.EquityMarked: _marked,
}
