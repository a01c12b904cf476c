"""Does the account allow another entry today (A-080, A-087, X-13, X-15, X-55, U-53)?"""

from engine.domain.instant import NS_PER_SECOND
from engine.domain.money import ONE, ZERO, is_positive, plain
from engine.risk.case import Case, Finding, Limit, fraction, passed, refused
from engine.risk.guard import in_seconds

MAX_SILENCE_SECONDS = 5
"""Balances are as old as the link that keeps them true; older ones open nothing (U-53)."""


def known_account(case: Case, _: Limit) -> Finding | None:
    """NO_ACCOUNT: balances, the session's starting equity and a link that keeps them true.

    All of it is asked of the account that the order goes to, and of no other.
    """
    account = case.world.book.account(case.account)
    if account.balances is None:
        return refused("none", "an account", "The account's balances are not known yet.")
    session = case.world.book.data.session
    if session is None or not is_positive(session.starting_equity):
        start = "none" if session is None else plain(session.starting_equity)
        return refused(start, "> 0", "The session's starting equity is not known or not above 0.")
    if not is_positive(case.equity):
        return refused(case.equity, "> 0", "Equity is not above 0.")
    link = account.link
    if link is None:
        return refused("no link", "a link", "No broker is connected.")
    silent = case.now - link.since
    if not account.is_connected and silent > MAX_SILENCE_SECONDS * NS_PER_SECOND:
        age = in_seconds(silent)
        return refused(
            age,
            MAX_SILENCE_SECONDS,
            f"{account.name} is {link.state} for {plain(age)} s: balances are not to be trusted.",
        )
    if not account.compared:
        text = "The venue was not seen since the start, or since the connection broke."
        return refused("not compared", "a comparison", text)
    return passed(case.equity, "> 0")


def known_rates(case: Case, _: Limit) -> Finding | None:
    """NO_RATE: what the order is paid in, and what its account is kept in, has a fresh rate (X-86).

    Nothing is asked where both are the base currency.
    """
    world = case.world
    account = world.book.account(case.account)
    needed = {case.instrument.currency, account.currency or world.base} - {world.base}
    if not needed:
        return None
    for currency in sorted(needed):
        rate = world.rates.rate(currency, case.now)
        if rate is None:
            return refused(
                "none", "a rate", f"What one {currency} is worth in {world.base} is not known."
            )
        if not rate.fresh:
            age = in_seconds(case.now - rate.time)
            return refused(
                age,
                "a fresh rate",
                f"The rate of {currency} ({rate.source}) is {plain(age)} s old.",
            )
    return passed(", ".join(sorted(needed)), "a fresh rate")


def min_equity(case: Case, limit: Limit) -> Finding | None:
    """MIN_EQUITY: equity at or above the floor, a floor of the user's, no regulation (X-15)."""
    if case.equity >= limit:
        return passed(case.equity, limit)
    return refused(
        case.equity, limit, f"Equity {plain(case.equity)} is below the floor {plain(limit)}."
    )


def daily_loss(case: Case, limit: Limit) -> Finding | None:
    """DAILY_LOSS: the day's loss, unrealised included, below `limit` of its starting equity."""
    session = case.world.book.data.session
    if session is None:
        return refused("none", limit, "No session is open: the day's loss cannot be measured.")
    loss = max(-case.world.daily_pnl, ZERO)
    measured = fraction(loss, session.starting_equity, up=False)
    if loss < limit * session.starting_equity:
        return passed(measured, limit)
    return refused(
        measured, limit, f"The day's loss {plain(loss)} reached {plain(limit)} of starting equity."
    )


def drawdown(case: Case, limit: Limit) -> Finding | None:
    """DRAWDOWN: the fall from the highest equity, below `limit` of it."""
    fall = case.world.drawdown
    measured = fraction(fall, ONE, up=False)
    if fall < limit:
        return passed(measured, limit)
    return refused(
        measured,
        limit,
        f"Equity fell {plain(measured)} from its highest; {plain(limit)} is the end.",
    )


def trades_today(case: Case, limit: Limit) -> Finding | None:
    """MAX_TRADES: entries intended since the session opened."""
    session = case.world.book.data.session
    if session is None:
        return refused("none", limit, "No session is open: its entries cannot be counted.")
    if session.entries < limit:
        return passed(session.entries, limit)
    return refused(session.entries, limit, f"{session.entries} entries today; {limit} are allowed.")
