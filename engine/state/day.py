"""The accounting day so far, from the state alone: the row of a day that goes on (A-402, X-90)."""

from decimal import Decimal

from engine.domain import events as ev
from engine.domain.money import ONE, ZERO, fall
from engine.state.book import Book

MOVES_THE_DAY: frozenset[type[ev.Event]] = frozenset(
    {
        ev.OrderFilled,
        ev.FillMatched,
        ev.CommissionTaken,
        ev.PositionClosed,
        ev.PositionAdjusted,
        ev.AccountSynced,
        ev.AccountLeft,
        ev.AccountReturned,
        ev.CashAdjusted,
        ev.CashMoved,
        ev.CurrencyValued,
        ev.HoldingPriced,
        ev.UnexplainedChanged,
        ev.SessionOpened,
        ev.EquityMarked,
    }
)
"""Events after which the row of the day says something else."""


def so_far(book: Book) -> ev.SessionClosed | None:
    """The numbers of the day in progress at the last prices and rates that the journal knows.

    None before the first day. A currency without a rate is left out, as the totals leave it out.
    """
    session = book.data.session
    if session is None:
        return None
    equity, unrealized, unexplained = _worth(book)
    adjustment = session.adjustments + unexplained - session.starting_unexplained
    gained = unrealized - session.starting_unrealized
    if book.data.rates:
        # What moves of rates made of cash and of cost is part of it.
        earned = equity - session.starting_equity - session.flows - adjustment
        gained = earned - session.realized + session.fees
    explained = equity - unexplained
    peak = max(session.peak_equity, explained)
    return ev.SessionClosed(
        date=session.date,
        starting_equity=session.starting_equity,
        ending_equity=equity,
        realized_pnl=session.realized - session.fees,
        unrealized_pnl=gained,
        total_trades=session.trades,
        winning_trades=session.wins,
        losing_trades=session.losses,
        max_drawdown=max(session.max_drawdown, fall(peak, explained)),
        kill_switch_triggered=session.halted,
        fees=session.fees,
        flows=session.flows,
        final=False,
        adjustment=adjustment,
    )


def _worth(book: Book) -> tuple[Decimal, Decimal, Decimal]:
    """Equity, the unrealised profit in it, and what of it nothing explains, in base currency."""
    data = book.data
    rates = {**data.rates, data.base_currency: ONE}
    equity = unrealized = unexplained = ZERO
    for account in book.accounts:
        for currency, amount in account.cash.items():
            equity += amount * rates.get(currency, ZERO)
        for symbol, position in account.positions.items():
            rate, mark = rates.get(book.currency_of(symbol), ZERO), data.marks.get(symbol)
            value = position.cost if mark is None else position.market_value(mark)
            equity += value * rate
            unrealized += (value - position.cost) * rate
        for currency, amount in account.unexplained.cash.items():
            unexplained += amount * rates.get(currency, ZERO)
        for held in account.unexplained.holdings.values():
            price = data.marks.get(held.symbol, held.price)
            rate = rates.get(book.currency_of(held.symbol), ZERO)
            unexplained += held.quantity * price * held.multiplier * rate
    return equity + unexplained, unrealized, unexplained
