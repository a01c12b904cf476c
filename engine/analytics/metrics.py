"""What a result is worth: figures of days and of trades, one definition each (A-421…A-423, D-30).

Those of days go by the returns of equity, so that deposits and the size of an account change
nothing; those of trades are told beside them and are never made into a year. A figure that is not
defined is None, which is neither 0 nor very good. Ratios are rounded to six places.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Context, Decimal
from typing import Final

import msgspec

from engine.domain.money import ZERO
from engine.domain.position import RoundTrip

PLACES: Final = Decimal("0.000001")
_WIDE: Final = Context(prec=64)
"""A deviation that is nothing but rounding makes a ratio of more digits than money has."""


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of days, for a year."""

    days: int
    """That began with something."""
    sharpe: Decimal | None
    sortino: Decimal | None
    calmar: Decimal | None


class TradeStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of finished trades in one currency, after commission.

    A trade that came to exactly nothing is neither a win nor a loss. Losses are amounts above 0.
    """

    trades: int
    wins: int
    losses: int
    scratches: int
    win_rate: Decimal | None
    """Wins by wins and losses."""
    total_pnl: Decimal
    gross_profit: Decimal
    gross_loss: Decimal
    expectancy: Decimal | None
    """The mean of all trades."""
    profit_factor: Decimal | None
    """The gross profit by the gross loss."""
    payoff: Decimal | None
    """The mean win by the mean loss."""
    average_r: Decimal | None
    """The mean, in R, of the trades that had a stop at their entry."""
    largest_win: Decimal | None
    largest_loss: Decimal | None


# --- of days


def returns_of(days: Iterable[tuple[Decimal, Decimal]]) -> list[Decimal]:
    """What each day gained as a fraction of what it began with, transfers included there; a day
    that began with nothing has none. `days`: equity at the start and the end."""
    return [end / start - 1 for start, end in days if start > 0]


def sharpe(returns: Sequence[Decimal], year: int, risk_free: Decimal = ZERO) -> Decimal | None:
    """The mean of daily returns beyond the risk-free rate, by their sample deviation, for a year of
    so many days. `risk_free` is a fraction a year. None for less than two, or without deviation."""
    if len(returns) < 2:
        return None
    mean = _mean(returns)
    variance = sum(((r - mean) ** 2 for r in returns), ZERO) / (len(returns) - 1)
    return _of_a_year(mean - risk_free / year, variance, year)


def sortino(returns: Sequence[Decimal], year: int, risk_free: Decimal = ZERO) -> Decimal | None:
    """As `sharpe`, by the root of the mean square of what fell short of the risk-free rate. None
    for less than two, or where nothing fell short."""
    if len(returns) < 2:
        return None
    beyond = [r - risk_free / year for r in returns]
    short = sum((r**2 for r in beyond if r < 0), ZERO) / len(beyond)
    return _of_a_year(_mean(beyond), short, year)


def calmar(returns: Sequence[Decimal], year: int, worst: Decimal) -> Decimal | None:
    """The mean of daily returns for a year by the worst fall, a fraction of the highest equity
    before it. None for less than two, or without a fall."""
    if len(returns) < 2 or not worst:
        return None
    return _rounded(_mean(returns) * year / worst)


def performance_of(
    days: Iterable[tuple[Decimal, Decimal]], *, year: int, worst: Decimal
) -> Performance:
    """The figures of days. `year`: days a year; `worst`: the worst fall, also within a day."""
    returns = returns_of(days)
    return Performance(
        days=len(returns),
        sharpe=sharpe(returns, year),
        sortino=sortino(returns, year),
        calmar=calmar(returns, year, worst),
    )


def _of_a_year(mean: Decimal, square: Decimal, year: int) -> Decimal | None:
    return _rounded(mean / square.sqrt() * Decimal(year).sqrt()) if square else None


# --- of trades


def statistics_of(trips: Iterable[RoundTrip]) -> TradeStatistics:
    """The figures of trades, which are all in one currency."""
    known = list(trips)
    wins = [trip.pnl for trip in known if trip.pnl > 0]
    losses = [-trip.pnl for trip in known if trip.pnl < 0]
    multiples = [trip.r_multiple for trip in known if trip.r_multiple is not None]
    won, lost = sum(wins, ZERO), sum(losses, ZERO)
    decided = len(wins) + len(losses)
    return TradeStatistics(
        trades=len(known),
        wins=len(wins),
        losses=len(losses),
        scratches=len(known) - decided,
        win_rate=_ratio(Decimal(len(wins)), Decimal(decided)),
        total_pnl=won - lost,
        gross_profit=won,
        gross_loss=lost,
        expectancy=_ratio(won - lost, Decimal(len(known))),
        profit_factor=_ratio(won, lost),
        payoff=_ratio(_mean(wins), _mean(losses)) if wins and losses else None,
        average_r=_rounded(_mean(multiples)) if multiples else None,
        largest_win=max(wins, default=None),
        largest_loss=max(losses, default=None),
    )


def grouped(
    trips: Iterable[RoundTrip], key: Callable[[RoundTrip], str]
) -> dict[str, TradeStatistics]:
    """The figures of the trades of each key, in its order."""
    groups: defaultdict[str, list[RoundTrip]] = defaultdict(list)
    for trip in trips:
        groups[key(trip)].append(trip)
    return {name: statistics_of(groups[name]) for name in sorted(groups)}


def _mean(values: Sequence[Decimal]) -> Decimal:
    return sum(values, ZERO) / len(values)


def _ratio(part: Decimal, of: Decimal) -> Decimal | None:
    return _rounded(part / of) if of else None


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(PLACES, context=_WIDE)
