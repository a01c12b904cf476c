"""The accounting day so far, from the state alone: the row of a day that goes on (A-402, X-90)."""

from decimal import Decimal

from engine.domain import events as ev
from engine.domain.money import ONE, ZERO, fall
from engine.state.book import Book
from engine.state.portfolio import SessionState

MOVES_EQUITY: frozenset[type[ev.Event]] = frozenset(
    {
        ev.OrderFilled,
        ev.FillMatched,
        ev.CommissionTaken,
        ev.PositionClosed,
        ev.PositionAdjusted,
        ev.AccountSynced,
        ev.CashAdjusted,
        ev.CashMoved,
        ev.CurrencyValued,
        ev.HoldingPriced,
        ev.UnexplainedChanged,
    }
)
"""Events after which money, what is held, at what it counts, or a result is another one: the row of
the day says something else, and a trigger may hold (X-74)."""

MOVES_THE_DAY: frozenset[type[ev.Event]] = MOVES_EQUITY | {
    ev.AccountLeft,
    ev.AccountReturned,
    ev.SessionOpened,
    ev.EquityMarked,
}
"""Events after which the row of the day says something else.

After those that are named here no trigger is asked (X-74): an account that leaves takes its equity
out as a flow and one that returns brings it in, a day that opens has lost nothing yet, and a mark
records what prices had made of equity before.
"""


def so_far(book: Book) -> ev.SessionClosed | None:
    """The numbers of the day in progress at the last prices and rates that the journal knows.

    None before the first day. A currency without a rate is left out, as the totals leave it out.
    """
    session = book.data.session
    return None if session is None else day_of(session, *_worth(book), final=False)


def day_of(
    session: SessionState, equity: Decimal, unexplained: Decimal, *, final: bool
) -> ev.SessionClosed:
    """The row of a day at an equity, of which so much is `unexplained` (A-407, X-75, X-86).

    ending = starting + realised - fees + change of unrealised + flows + adjustment. What moves of
    rates made of cash and of cost in other currencies is part of the change of unrealised.
    """
    realized = session.realized - session.fees
    explained = equity - unexplained
    peak = max(session.peak_equity, explained)
    return ev.SessionClosed(
        date=session.date,
        starting_equity=session.starting_equity,
        ending_equity=equity,
        realized_pnl=realized,
        unrealized_pnl=session.earned(equity, unexplained) - realized,
        total_trades=session.trades,
        winning_trades=session.wins,
        losing_trades=session.losses,
        max_drawdown=max(session.max_drawdown, fall(peak, explained)),
        kill_switch_triggered=session.halted,
        fees=session.fees,
        flows=session.flows,
        final=final,
        adjustment=session.adjusted(unexplained),
    )


def _worth(book: Book) -> tuple[Decimal, Decimal]:
    """Equity, and what of it nothing explains, in base currency."""
    data = book.data
    rates = {**data.rates, data.base_currency: ONE}
    equity = unexplained = ZERO
    for account in book.accounts:
        for currency, amount in account.cash.items():
            equity += amount * rates.get(currency, ZERO)
        for symbol, position in account.positions.items():
            rate, mark = rates.get(book.currency_of(symbol), ZERO), data.marks.get(symbol)
            value = position.cost if mark is None else position.market_value(mark)
            equity += value * rate
        for currency, amount in account.unexplained.cash.items():
            unexplained += amount * rates.get(currency, ZERO)
        for held in account.unexplained.holdings.values():
            price = data.marks.get(held.symbol, held.price)
            rate = rates.get(book.currency_of(held.symbol), ZERO)
            unexplained += held.quantity * price * held.multiplier * rate
    return equity + unexplained, unexplained
