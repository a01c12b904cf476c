"""The report of a replay (INTERFACE `replay --report`; A-392, A-421, A-422)."""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec

from engine.analytics import metrics
from engine.analytics.status import status_of
from engine.domain import events as ev
from engine.domain.instant import rfc3339
from engine.domain.money import ZERO, plain
from engine.domain.position import RoundTrip
from engine.runtime.engine import Engine

YEAR: Final = {"24/7": 365, "SIM": 365}
"""Accounting days of a year by the account's calendar; exchanges have 252."""

EXCHANGE_YEAR: Final = 252
_TIMES: Final = ("entry_time", "exit_time")


class Tally:
    """An observer that counts and keeps what the report needs."""

    def __init__(self) -> None:
        self.inputs = 0
        self.invalid = 0
        self.orders = 0
        self.fills = 0
        self.trips: list[RoundTrip] = []
        self.drawdown = ZERO
        self.ends: list[tuple[Decimal, Decimal]] = []
        """Equity at the start and the end of each accounting day."""

    def observe(self, record: ev.Record) -> None:
        """Takes one event into account."""
        match record.event:
            case ev.SignalReceived():
                self.inputs += 1
            case ev.InputRejected():
                self.inputs += 1
                self.invalid += 1
            case ev.SignalsRefused(count=count):
                self.inputs += count
            case ev.OrderIntended():
                self.orders += 1
            case ev.OrderFilled():
                self.fills += 1
            case ev.PositionClosed(trade=trade):
                self.trips.append(trade)
            case ev.EquityMarked(drawdown=drawdown):
                self.drawdown = max(self.drawdown, drawdown)
            case ev.SessionClosed() as day:
                self._day(day)
            case _:
                pass

    def _day(self, day: ev.SessionClosed) -> None:
        self.drawdown = max(self.drawdown, day.max_drawdown)
        row = (day.starting_equity + day.flows + day.adjustment, day.ending_equity)
        if self.ends and self._open_day == day.date:
            self.ends[-1] = row
        else:
            self.ends.append(row)
        self._open_day = None if day.final else day.date

    _open_day: Any = None
    """The day whose row is not final yet: its next row takes its place."""


def report_of(
    engine: Engine, tally: Tally, *, bars: int, symbols: tuple[str, ...]
) -> dict[str, Any]:
    """Everything but what the journal and the clocks know: events, digest, seconds."""
    world, data = engine.world, engine.book.data
    outcomes = Counter({str(code): n for code, n in data.outcomes.items() if n})
    starting = data.starting_equity if data.starting_equity is not None else world.money.cash
    status = status_of(world, engine.clock.now())
    year = YEAR.get(world.home.name, EXCHANGE_YEAR)
    performance = metrics.performance_of(tally.ends, year=year, worst=tally.drawdown)
    return {
        "bars": bars,
        "symbols": list(symbols),
        "signals": tally.inputs,
        "outcomes": dict(sorted(outcomes.items())),
        "orders": tally.orders,
        "fills": tally.fills,
        "round_trips": [
            round_trip(trip) | {"currency": engine.book.currency_of(trip.symbol)}
            for trip in tally.trips
        ],
        "starting_equity": plain(starting),
        "ending_equity": plain(world.money.equity),
        "cash": plain(world.money.cash),
        "positions": status["positions"],
        "realized_pnl": plain(data.realized - data.commission),
        "unrealized_pnl": plain(world.money.unrealized_ever),
        "flows": plain(data.flows),
        "adjustment": plain(data.adjustments),
        "commission": plain(data.commission),
        "max_drawdown_pct": plain(round(tally.drawdown, 8)),
        "sharpe": None if performance.sharpe is None else plain(performance.sharpe),
        "performance": _figures(performance),
        "trades": _trades(tally.trips, engine.book.currency_of),
        "halted": data.halt is not None,
    }


def _trades(trips: list[RoundTrip], currency_of: Callable[[str], str]) -> dict[str, Any]:
    """The figures of the trades in each currency, all and by the kind of signal."""
    by_currency: dict[str, list[RoundTrip]] = {}
    for trip in trips:
        by_currency.setdefault(currency_of(trip.symbol), []).append(trip)
    return {
        currency: {
            "all": _figures(metrics.statistics_of(known)),
            "by_signal": {
                kind: _figures(told)
                for kind, told in metrics.grouped(known, lambda trip: trip.signal_type).items()
            },
        }
        for currency, known in sorted(by_currency.items())
    }


def _figures(told: metrics.Performance | metrics.TradeStatistics) -> dict[str, Any]:
    """Figures as a report has them: decimals as text."""
    return {
        name: plain(value) if isinstance(value, Decimal) else value
        for name, value in msgspec.structs.asdict(told).items()
    }


def round_trip(trip: RoundTrip) -> dict[str, Any]:
    """A finished trade as the journal lists it: decimals as text, times as RFC 3339."""
    row: dict[str, Any] = {}
    for name, value in msgspec.structs.asdict(trip).items():
        if name == "account":
            row["broker"] = value  # as every list names it
        elif name in _TIMES:
            row[name] = rfc3339(value)
        elif name == "legs":
            row[name] = [
                {**msgspec.to_builtins(leg), "quantity": plain(leg.quantity)}
                | {"price": plain(leg.price), "commission": plain(leg.commission)}
                | {"time": rfc3339(leg.time)}
                for leg in value
            ]
        else:
            row[name] = plain(value) if isinstance(value, Decimal) else msgspec.to_builtins(value)
    return row
