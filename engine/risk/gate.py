"""The gate: one table of checks in the order of X-65 (U-13, X-17).

A check is one function and one row here. The row says its code, the stage it belongs to, the limit
it asks (a field of `RiskLimits`, or the config key), and of which kinds of request it is asked.
What it reads is what its function takes: each parameter is a field of the request or a fact of
`engine.risk.facts`, and `limit` is its limit. A function never asks whether its limit exists: a row
whose limit is off is not asked. Requests that only reduce meet none of the entry gates (A-089,
X-20).
"""

import inspect
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from typing import Final

from engine.config.profiles import ROWS
from engine.domain.codes import Code, Stage
from engine.risk.checks import (
    account,
    exposure,
    guard,
    holding,
    order,
    permission,
    price,
    session,
    sizing,
)
from engine.risk.facts import Facts
from engine.risk.finding import Finding, Limit, refused
from engine.risk.request import Request, RequestKind
from engine.world import World

ENTRIES: Final = frozenset({RequestKind.SIGNAL, RequestKind.MANUAL, RequestKind.CHANGE})
NEW: Final = frozenset({RequestKind.SIGNAL, RequestKind.MANUAL})
"""Rows that count orders: a change of one that works adds none."""
CHANGES: Final = frozenset({RequestKind.CHANGE})
SIGNALS: Final = frozenset({RequestKind.SIGNAL, RequestKind.FLAT})
OPENING_SIGNALS: Final = frozenset({RequestKind.SIGNAL})
EVERY: Final = frozenset(RequestKind)
ONE_ORDER: Final = EVERY - {RequestKind.FLAT}
"""All that become the order that was asked for: the closes of a flat signal come to their lots in
each account by themselves."""

OPTIONAL_LIMITS: Final = frozenset(row.field for row in ROWS)
"""Limits that a profile may not have: None is off. Any other missing limit refuses (U-53)."""


LIMIT: Final = "limit"
"""The parameter that a row's own limit is handed to."""


class Check:
    """One row. `limit` names a field of `RiskLimits`, `key` the config key it is set by."""

    def __init__(
        self,
        code: Code,
        stage: Stage,
        ask: Callable[..., Finding | None],
        kinds: frozenset[RequestKind] = ENTRIES,
        *,
        limit: str = "",
        key: str = "",
        resizes: bool = False,
    ) -> None:
        """`resizes`: what it finds leans on the quantity, so that it is asked once more after
        sizing where that works the quantity out.

        Raises TypeError for a function that takes what is neither asked nor a fact, or its limit
        before another."""
        self.code, self.stage, self.ask, self.kinds = code, stage, ask, kinds
        self.limit, self.key, self.resizes = limit, key, resizes
        named = tuple(inspect.signature(ask).parameters)
        self.reads = tuple(name for name in named if name != LIMIT)
        """The names of what the row reads."""
        if LIMIT in named[:-1]:
            raise TypeError(f"the row {code} takes its limit before {named[-1]!r}: it comes last")
        self._of = _reader(code, ask, self.reads, takes_limit=LIMIT in named)
        where = f"limits.{limit}" if limit else f"config.{key}"
        self.limit_in: Callable[[World], Limit] | None = attrgetter(where) if limit or key else None
        """The limit in force; None for a row that has none."""

    def judge(self, facts: Facts, limit: Limit) -> Finding | None:
        """What the row finds of the facts; None where its question does not arise."""
        if limit is None and self.limit:
            if self.limit in OPTIONAL_LIMITS:
                return None
            return refused("none", "none", f"The limit {self.key or self.limit} is missing.")
        try:
            return self._of(facts, limit)
        except ArithmeticError:
            # NaN and infinities do not compare: what cannot be measured opens nothing (U-53).
            return refused(
                "not a number",
                str(limit),
                f"{self.code} cannot be measured in {facts.request.symbol}.",
            )


def _reader(
    code: Code, ask: Callable[..., Finding | None], names: tuple[str, ...], *, takes_limit: bool
) -> Callable[[Facts, Limit], Finding | None]:
    """What asks a row: its facts in their order, then its limit.

    It is compiled, as `namedtuple` compiles its classes: `lambda facts, limit: ask(facts.mark,
    facts.request.symbol, limit)`. To look the same names up by an `attrgetter` took three times as
    long, which was a sixth of a ruling.
    """
    values: list[str] = []
    for name in names:
        if hasattr(Facts, name):
            values.append(f"facts.{name}")
        elif hasattr(Request, name):
            values.append(f"facts.request.{name}")
        else:
            raise TypeError(f"the row {code} reads {name!r}, which is neither asked nor a fact")
    if takes_limit:
        values.append(LIMIT)
    source = f"lambda facts, {LIMIT}: ask({', '.join(values)})"
    compiled: Callable[[Facts, Limit], Finding | None] = eval(  # noqa: S307 - names of our own
        source, {"ask": ask}
    )
    return compiled


_C, _S = Code, Stage

CHECKS: Final[tuple[Check, ...]] = (
    Check(_C.INVALID_INPUT, _S.INTAKE, permission.readable, EVERY),
    Check(_C.KILL_SWITCH, _S.KILL_SWITCH, permission.kill_switch),
    Check(_C.RUN_STATE, _S.KILL_SWITCH, permission.active, EVERY),
    Check(_C.OVERLOADED, _S.KILL_SWITCH, permission.overloaded),
    Check(_C.UNKNOWN_STATE, _S.RISK, permission.explained),
    Check(
        _C.STALE_SIGNAL,
        _S.SIGNAL_GUARD,
        guard.stale,
        SIGNALS,
        key="execution.max_signal_age_seconds",
    ),
    Check(
        _C.DUPLICATE_SIGNAL,
        _S.SIGNAL_GUARD,
        guard.duplicate,
        SIGNALS,
        key="execution.dedup_window_seconds",
    ),
    Check(_C.LOW_CONVICTION, _S.RISK, permission.convinced, OPENING_SIGNALS),
    Check(_C.NO_CALENDAR, _S.RISK, session.known_calendar),
    Check(
        _C.MARKET_CLOSED,
        _S.RISK,
        session.market_open,
        key="exits.eod_close_minutes_before",
    ),
    Check(_C.CONFLICT, _S.RISK, holding.conflict),
    Check(_C.DUPLICATE_POSITION, _S.RISK, holding.duplicate_position, NEW),
    Check(_C.NO_ACCOUNT, _S.RISK, account.known_account),
    Check(_C.NO_RATE, _S.RISK, account.known_rates),
    Check(
        _C.MIN_EQUITY,
        _S.RISK,
        account.min_equity,
        limit="min_equity",
        key="risk.min_account_equity",
    ),
    Check(
        _C.DAILY_LOSS, _S.RISK, account.daily_loss, limit="daily_loss", key="risk.daily_loss_limit"
    ),
    Check(_C.DRAWDOWN, _S.RISK, account.drawdown, limit="drawdown", key="risk.drawdown_limit"),
    Check(
        _C.MAX_TRADES,
        _S.RISK,
        account.trades_today,
        NEW,
        limit="trades_per_day",
        key="risk.max_trades_per_day",
    ),
    Check(
        _C.MAX_POSITIONS,
        _S.RISK,
        holding.slots,
        NEW,
        limit="max_positions",
        key="risk.max_concurrent_positions",
    ),
    Check(_C.NO_PRICE, _S.RISK, price.known_price),
    Check(
        _C.STALE_QUOTE,
        _S.RISK,
        price.fresh_price,
        limit="quote_max_age_seconds",
        key="risk.quote_max_age_seconds",
    ),
    Check(_C.INVALID_STOP, _S.RISK, price.valid_stop, ONE_ORDER, resizes=True),
    Check(_C.INVALID_TARGET, _S.RISK, price.valid_target),
    Check(_C.NO_CONTRACT, _S.INSTRUMENT, price.sound_instrument),
    Check(_C.NOT_SHORTABLE, _S.INSTRUMENT, price.shortable),
    Check(_C.SIZE_ZERO, _S.SIZING, sizing.sized, SIGNALS),
    Check(
        _C.SINGLE_EXPOSURE,
        _S.RISK,
        exposure.single_name,
        limit="single_name",
        key="risk.max_single_stock_exposure",
    ),
    Check(
        _C.SECTOR_EXPOSURE,
        _S.RISK,
        exposure.sector_share,
        limit="sector",
        key="risk.max_sector_exposure",
    ),
    Check(_C.GROSS_EXPOSURE, _S.RISK, exposure.gross, limit="gross", key="risk.max_gross_exposure"),
    Check(_C.BUYING_POWER, _S.RISK, exposure.affordable),
    Check(_C.BAD_TICK, _S.ORDER, order.on_tick, EVERY),
    Check(_C.BAD_LOT, _S.ORDER, order.on_lot, ONE_ORDER),
    Check(
        _C.MAX_NOTIONAL,
        _S.ORDER,
        order.max_notional,
        limit="max_order_notional",
        key="risk.max_order_notional",
    ),
    Check(
        _C.PRICE_COLLAR,
        _S.ORDER,
        price.collar,
        limit="price_collar_pct",
        key="risk.price_collar_pct",
    ),
    Check(
        _C.MAX_OPEN_ORDERS,
        _S.ORDER,
        order.open_orders,
        NEW,
        limit="max_open_orders",
        key="risk.max_open_orders",
    ),
    Check(
        _C.DUPLICATE_ORDER,
        _S.ORDER,
        order.repeated,
        NEW,
        key="execution.dedup_window_seconds",
    ),
    Check(
        _C.RATE_LIMIT,
        _S.ORDER,
        order.rate,
        NEW,
        limit="max_orders_per_minute",
        key="risk.max_orders_per_minute",
    ),
    Check(_C.CIRCUIT_OPEN, _S.ORDER, account.unbroken, key="resiliency.circuit_breaker_threshold"),
)
"""The order is X-65 with X-96.

CORRELATION and VAR_BUDGET have no subject yet.
"""

OF_ANOTHER_TRY: Final[tuple[Check, ...]] = (
    *CHECKS,
    Check(
        _C.DUPLICATE_POSITION, _S.RISK, holding.duplicate_position, frozenset({RequestKind.CHANGE})
    ),
)
"""What is asked of an entry that did not leave and is tried again: all that is asked of a change of
an order, as it is counted among those that work, and what it would become one position with."""

OF_A_FALLBACK: Final[tuple[Check, ...]] = tuple(
    row for row in CHECKS if row.stage is not _S.SIGNAL_GUARD and row.code is not _C.MAX_TRADES
)
"""What is asked of an entry that its account definitely did not take, in the fallback: its signal
was accepted already, and is among the trades of the day."""

OF_A_CUT: Final[tuple[Check, ...]] = (
    Check(_C.INVALID_STOP, _S.RISK, price.placed_stop, ONE_ORDER),
)
"""What is asked again of an order that was cut and goes out anew: the market may have passed its
stop meanwhile. Whatever else is asked of an entry, a smaller one needs no more than it had."""


@lru_cache(maxsize=64)
def asked_of(kind: RequestKind, checks: tuple[Check, ...]) -> tuple[Check, ...]:
    """Those of the rows that are asked of a kind of request, in their order."""
    return tuple(check for check in checks if kind in check.kinds)
