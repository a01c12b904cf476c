"""The account that a book tells, or a new one."""

from brokers.paper.account import Balance, PaperAccount
from brokers.paper.book import BookError, Contents
from brokers.paper.instruments import Instruments
from brokers.paper.terms import Terms


def account_of(
    contents: Contents, terms: Terms, instruments: Instruments, title: str
) -> PaperAccount:
    """The account of a book's contents; a new one holds `terms.initial_cash`.

    `title` names the book in a sentence. Raises BookError where the book was kept in another
    currency than that of `terms`, or its holdings by other facts than those of `instruments`: their
    cost would count in the wrong money.
    """
    own = terms.currency
    if contents.currency not in ("", own):
        raise BookError(
            f"{title} is kept in {contents.currency}: its account's currency stays "
            f"{contents.currency}, {own} needs a new book"
        )
    for symbol, held in contents.holdings.items():
        rules = instruments.get(symbol)
        if (held.currency, held.multiplier) != (rules.currency, rules.multiplier):
            raise BookError(
                f"{title} holds {symbol} with multiplier {held.multiplier} in {held.currency}, "
                f"but its instrument has multiplier {rules.multiplier} in {rules.currency}: "
                "both must agree while it is held"
            )
    foreign = dict(contents.balances)
    deposit = Balance(deposited=terms.initial_cash, cash=terms.initial_cash)
    return PaperAccount(foreign.pop(own, deposit), contents.holdings, currency=own, foreign=foreign)
