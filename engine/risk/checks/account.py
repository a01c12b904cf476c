"""Does the account allow another entry today (A-080, A-087, X-13, X-15, X-55, U-53)?"""

from collections.abc import Mapping
from decimal import Decimal

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ONE, ZERO, is_positive, plain
from engine.domain.run import CircuitState
from engine.risk.finding import Finding, Limit, fraction, in_seconds, passed, percent, refused
from engine.state.account import AccountState
from engine.state.portfolio import SessionState
from engine.state.rates import Rate

MAX_SILENCE_SECONDS = 5
"""Balances are as old as the link that keeps them true; older ones open nothing (U-53)."""


def unbroken(venue_account: AccountState, changes: str, now: Nanos, limit: Limit) -> Finding:
    """CIRCUIT_OPEN: orders that add exposure get through to the venue (C-420).

    Once it has been open for its time, one is let through that tries it, each time it is sent.
    """
    circuit, name = venue_account.circuit, venue_account.name
    if circuit.state is CircuitState.CLOSED:
        return passed(circuit.failures, limit)
    left = circuit.until - now
    text = f"{circuit.failures} orders in a row did not get through to {name}"
    if left > 0:
        age = in_seconds(left)
        return refused(age, 0, f"{text}: it takes no entries for another {plain(age)} s.")
    if circuit.probe in venue_account.orders and circuit.probe != changes:
        return refused("a trial", "an answer", f"{text}: one is under way that tries it.")
    return passed(circuit.failures, limit)


def known_account(
    venue_account: AccountState,
    session: SessionState | None,
    equity: Decimal,
    rates: Mapping[str, Rate | None],
    account_max_age: int,
    account_seen_at: Nanos,
    now: Nanos,
) -> Finding:
    """NO_ACCOUNT: balances, the session's starting equity and a link that keeps them true.

    And no restriction of the account by itself, as after its credentials were refused.

    All of it is asked of the account that the order goes to, and of no other. Equity that is not
    known for want of a rate is left to NO_RATE, which refuses the order and names the currency.
    """
    if venue_account.balances is None:
        return refused("none", "an account", "The account's balances are not known yet.")
    unvalued = None in rates.values()
    if session is None or not (unvalued or is_positive(session.loss_basis)):
        start = "none" if session is None else plain(session.loss_basis)
        return refused(start, "> 0", "The session's starting equity is not known or not above 0.")
    if not (unvalued or is_positive(equity)):
        return refused(equity, "> 0", "Equity is not above 0.")
    link = venue_account.link
    if link is None:
        return refused("no link", "a link", "No broker is connected.")
    silent = now - link.since
    if not venue_account.is_connected and silent > MAX_SILENCE_SECONDS * NS_PER_SECOND:
        age = in_seconds(silent)
        return refused(
            age,
            MAX_SILENCE_SECONDS,
            f"{venue_account.name} is {link.state} for {plain(age)} s: balances are not to be "
            "trusted.",
        )
    if venue_account.is_polled:
        text = f"{venue_account.name} opens no stream: what happens there is known by asking alone."
        return refused(link.state, "a stream", text)
    if not venue_account.compared:
        text = "The venue was not seen since the start, or since the connection broke."
        return refused("not compared", "a comparison", text)
    silent = now - venue_account.silent_since
    if venue_account.silent_since and silent > MAX_SILENCE_SECONDS * NS_PER_SECOND:
        age = in_seconds(silent)
        text = f"{venue_account.name} has given no usable answer for {plain(age)} s."
        return refused(age, MAX_SILENCE_SECONDS, text)
    old = now - account_seen_at
    if old > account_max_age * NS_PER_SECOND:
        age = in_seconds(old)
        text = f"What {venue_account.name} holds was last seen {plain(age)} s ago."
        return refused(age, account_max_age, text)
    if venue_account.barred:
        why = "; ".join(venue_account.barred.values())
        return refused(
            ", ".join(venue_account.barred),
            "no restriction",
            f"{venue_account.name} takes no entries: {why}.",
        )
    return passed(equity, "> 0")


def known_rates(rates: Mapping[str, Rate | None], base: str, now: Nanos) -> Finding | None:
    """NO_RATE: what the order is paid in, and what its account is kept in, has a fresh rate (X-86).

    Nothing is asked where both are the base currency.
    """
    for currency, rate in rates.items():
        if rate is None:
            text = f"What one {currency} is worth in {base} is not known."
            return refused("none", "a rate", text)
        if not rate.fresh:
            age = in_seconds(now - rate.time)
            return refused(
                age,
                "a fresh rate",
                f"The rate of {currency} ({rate.source}) is {plain(age)} s old.",
            )
    return passed(", ".join(rates), "a fresh rate") if rates else None


def min_equity(equity: Decimal, limit: Decimal) -> Finding:
    """MIN_EQUITY: equity at or above the floor, a floor of the user's, no regulation (X-15)."""
    if equity >= limit:
        return passed(equity, limit)
    return refused(equity, limit, f"Equity {plain(equity)} is below the floor {plain(limit)}.")


def daily_loss(session: SessionState | None, daily_pnl: Decimal, limit: Decimal) -> Finding:
    """DAILY_LOSS: the day's loss, unrealised included, below `limit` of its starting equity."""
    if session is None:
        return refused("none", limit, "No session is open: the day's loss cannot be measured.")
    loss = max(-daily_pnl, ZERO)
    measured = fraction(loss, session.loss_basis, up=False)
    if loss < limit * session.loss_basis:
        return passed(measured, limit)
    return refused(
        measured,
        limit,
        f"The day's loss {plain(loss)} reached {percent(limit)} of starting equity.",
    )


def drawdown(fallen: Decimal, limit: Decimal) -> Finding:
    """DRAWDOWN: the fall from the highest equity, below `limit` of it."""
    measured = fraction(fallen, ONE, up=False)
    if fallen < limit:
        return passed(measured, limit)
    return refused(
        measured,
        limit,
        f"Equity fell {percent(measured)} from its highest; {percent(limit)} is the end.",
    )


def trades_today(session: SessionState | None, limit: int) -> Finding:
    """MAX_TRADES: entries intended since the session opened."""
    if session is None:
        return refused("none", limit, "No session is open: its entries cannot be counted.")
    if session.entries < limit:
        return passed(session.entries, limit)
    return refused(session.entries, limit, f"{session.entries} entries today; {limit} are allowed.")
