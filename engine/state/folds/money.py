"""Instruments, balances, days and what things are worth (U-18, X-12, X-86)."""

from decimal import Decimal

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.state.book import Book
from engine.state.folds.rule import Rules
from engine.state.portfolio import SessionState, UnvaluedMoney
from engine.state.touched import AccountSeen, DayTotals, EquityMeasured, RunChanged


def _instrument(book: Book, event: ev.InstrumentLearned, at: Nanos) -> None:
    book.learn(event.instrument)


def _account(book: Book, event: ev.AccountSynced, at: Nanos) -> None:
    book.touch(AccountSeen(account=event.account), event.account)
    book.hear(event.account, at)
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
            data.session.peak_equity += equity
    else:
        _transferred(book, flow)
    account.balances = told
    account.cash = dict(told.balances) or {told.currency: told.cash}
    account.buying_power = told.buying_power


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
        starting_unrealized=event.unrealized,
        peak_equity=event.starting_equity,
        halted=data.halt is not None,
    )


def _session_closed(book: Book, event: ev.SessionClosed, at: Nanos) -> None:
    book.touch(DayTotals(event=event))


def _valued(book: Book, event: ev.CurrencyValued, at: Nanos) -> None:
    book.touch(RunChanged())
    data = book.data
    data.rates[event.currency] = event.rate
    waited = data.unvalued.pop(event.currency, UnvaluedMoney())
    realized, fees = waited.realized * event.rate, waited.fees * event.rate
    data.realized += realized
    data.commission += fees
    # The rest was there when the day began, and nobody knew what it was worth.
    before = event.equity - realized + fees
    if data.starting_equity is not None:
        data.starting_equity += before
        data.peak_equity += before
    if data.session is not None:
        data.session.realized += realized
        data.session.fees += fees
        data.session.starting_equity += before
        data.session.starting_unrealized += event.unrealized
        data.session.peak_equity += before


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
        session.peak_equity = max(session.peak_equity, event.equity)
        session.max_drawdown = max(session.max_drawdown, below)


RULES: Rules = {
    ev.InstrumentLearned: _instrument,
    ev.AccountSynced: _account,
    ev.AccountLeft: _left,
    ev.AccountReturned: _returned,
    ev.SessionOpened: _session,
    ev.SessionClosed: _session_closed,
    ev.CurrencyValued: _valued,
    ev.EquityMarked: _marked,
}
