"""The gate: one table of checks in the order of X-65, and the ruling they add up to (U-13, X-17).

A check is one function and one row here. The row says its code, the stage it belongs to, the limit
it asks (a field of `RiskLimits`, or the config key), and of which kinds of request it is asked.
Requests that only reduce meet none of the entry gates (A-089, X-20).
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

import msgspec

from engine.config.profiles import ROWS
from engine.domain.codes import Answer, Code, Stage, Verdict
from engine.domain.money import ZERO, floor_to, plain
from engine.risk import guard
from engine.risk.case import Case, Finding, Limit, RequestKind, Ruling, refused, words
from engine.risk.checks import account, exposure, holding, order, permission, price, session
from engine.risk.request import change_case, manual_case, signal_case
from engine.sizing.stock import Bound

__all__ = ["CHECKS", "Check", "change_case", "evaluate", "manual_case", "signal_case"]

ENTRIES: Final = frozenset({RequestKind.SIGNAL, RequestKind.MANUAL, RequestKind.CHANGE})
NEW: Final = frozenset({RequestKind.SIGNAL, RequestKind.MANUAL})
"""Rows that count orders: a change of one that works adds none."""
SIGNALS: Final = frozenset({RequestKind.SIGNAL, RequestKind.FLAT})
OPENING_SIGNALS: Final = frozenset({RequestKind.SIGNAL})
SIZED: Final = frozenset({RequestKind.SIGNAL, RequestKind.FLAT, RequestKind.CHANGE})
SESSION: Final = ENTRIES | {RequestKind.FLAT}
EVERY: Final = frozenset(RequestKind)

OPTIONAL: Final = frozenset(row.field for row in ROWS)
"""Limits that a profile may not have: None is off. Any other missing limit refuses (U-53)."""


class Check(msgspec.Struct, frozen=True):
    """One row. `limit` names a field of `RiskLimits`, `key` the config key it is set by."""

    code: Code
    stage: Stage
    ask: Callable[[Case, Limit], Finding | None]
    kinds: frozenset[RequestKind] = ENTRIES
    limit: str = ""
    key: str = ""

    def limit_for(self, case: Case) -> Limit:
        """The limit in force; None where there is none."""
        if self.limit:
            return getattr(case.world.limits, self.limit)
        if self.key:
            section, _, name = self.key.partition(".")
            return getattr(getattr(case.world.config, section), name)
        return None


_C, _S = Code, Stage

CHECKS: Final = (
    Check(_C.INVALID_INPUT, _S.INTAKE, permission.fault, EVERY),
    Check(_C.KILL_SWITCH, _S.KILL_SWITCH, permission.kill_switch),
    Check(_C.RUN_STATE, _S.KILL_SWITCH, permission.run_state, EVERY),
    Check(_C.OVERLOADED, _S.KILL_SWITCH, permission.overloaded),
    Check(_C.UNKNOWN_STATE, _S.RISK, permission.unknown_state),
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
    Check(_C.LOW_CONVICTION, _S.RISK, permission.conviction, OPENING_SIGNALS),
    Check(_C.NO_CALENDAR, _S.RISK, session.known_calendar),
    Check(
        _C.MARKET_CLOSED,
        _S.RISK,
        session.market_open,
        SESSION,
        key="exits.eod_close_minutes_before",
    ),
    Check(_C.CONFLICT, _S.RISK, holding.conflict),
    Check(_C.DUPLICATE_POSITION, _S.RISK, holding.duplicate_position, OPENING_SIGNALS),
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
    Check(_C.INVALID_STOP, _S.RISK, price.valid_stop),
    Check(_C.INVALID_TARGET, _S.RISK, price.valid_target, OPENING_SIGNALS),
    Check(_C.NO_CONTRACT, _S.INSTRUMENT, price.sound_instrument),
    Check(_C.NOT_SHORTABLE, _S.INSTRUMENT, price.shortable),
    Check(_C.SIZE_ZERO, _S.SIZING, exposure.sized, SIZED),
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
        exposure.sector,
        limit="sector",
        key="risk.max_sector_exposure",
    ),
    Check(_C.GROSS_EXPOSURE, _S.RISK, exposure.gross, limit="gross", key="risk.max_gross_exposure"),
    Check(_C.BUYING_POWER, _S.RISK, exposure.buying_power),
    Check(_C.BAD_TICK, _S.ORDER, order.on_tick, EVERY),
    Check(_C.BAD_LOT, _S.ORDER, order.on_lot, EVERY),
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
)
"""The order is X-65 with X-96.

CORRELATION, VAR_BUDGET and CIRCUIT_OPEN have no subject yet.
"""


def evaluate(case: Case, checks: tuple[Check, ...] | None = None) -> Ruling:
    """Ask every check of the case's kind in order; the first that refuses ends it.

    RESIZE binds: later checks and the order see the smaller quantity. A person's number is never
    silently changed, so for MANUAL a resize is a refusal that says what would fit (X-24).
    """
    trace: list[tuple[Code, Finding]] = []
    bound: tuple[Check, Finding] | None = None
    for check in CHECKS if checks is None else checks:
        if case.kind not in check.kinds:
            continue
        finding = _ask(check, case)
        if finding is None:
            continue
        if finding.answer is Answer.RESIZE:
            finding = _resized(case, check, finding)
            bound = (check, finding)
        trace.append((check.code, finding))
        if finding.answer is Answer.REJECT:
            return _ruling(case, Verdict.REJECTED, finding, trace, check)
    if bound is not None:
        check, finding = bound
        return _ruling(case, Verdict.RESIZED, finding, trace, check)
    return _ruling(case, Verdict.ACCEPTED, _accepted(case), trace)


def _ask(check: Check, case: Case) -> Finding | None:
    limit = check.limit_for(case)
    if limit is None and check.limit:
        if check.limit in OPTIONAL:
            return None
        return refused("none", "none", f"The limit {check.key or check.limit} is missing.")
    try:
        return check.ask(case, limit)
    except ArithmeticError:
        # NaN and infinities do not compare: what cannot be measured opens nothing (U-53).
        return refused(
            "not a number", str(limit), f"{check.code} cannot be measured in {case.symbol}."
        )


def _resized(case: Case, check: Check, finding: Finding) -> Finding:
    """The smaller quantity taken over, or a refusal where not one lot of it is left."""
    most = finding.max_quantity or ZERO
    quantity = floor_to(min(case.quantity or ZERO, most), case.instrument.lot)
    kept: dict[str, object] = {"max_quantity": most}
    if case.kind is not RequestKind.SIGNAL:
        hint = f"{finding.reason} At most {plain(most)} would fit."
        return msgspec.structs.replace(finding, answer=Answer.REJECT, reason=hint, **kept)
    if quantity <= ZERO:
        return msgspec.structs.replace(finding, answer=Answer.REJECT, **kept)
    case.quantity = quantity
    if case.size is not None:
        case.size = msgspec.structs.replace(
            case.size,
            quantity=quantity,
            bounds=(*case.size.bounds, Bound(check.code, most)),
            binding=str(check.code),
        )
    return msgspec.structs.replace(finding, **kept)


def _accepted(case: Case) -> Finding:
    quantity = plain(case.quantity or ZERO)
    what = f"{case.side} {quantity} {case.symbol}"
    if case.size is None:
        return Finding(
            answer=Answer.PASS,
            measured=quantity,
            limit=quantity,
            reason=f"{what} passes every check.",
        )
    most = min((bound.quantity for bound in case.size.bounds), default=Decimal(0))
    return Finding(
        answer=Answer.PASS,
        measured=quantity,
        limit=plain(floor_to(most, case.instrument.lot)),
        reason=f"{what} passes every check; {case.size.binding} binds its size.",
    )


def _ruling(
    case: Case,
    verdict: Verdict,
    finding: Finding,
    trace: list[tuple[Code, Finding]],
    by: Check | None = None,
) -> Ruling:
    """The ruling; `by` is the check that refused or resized."""
    allowed = verdict is not Verdict.REJECTED
    heard = case.signal is not None and any(
        code is Code.DUPLICATE_SIGNAL and found.answer is Answer.PASS for code, found in trace
    )
    return Ruling(
        kind=case.kind,
        account=case.account,
        verdict=verdict,
        stage=by.stage if by is not None and not allowed else Stage.ORDER,
        code=str(by.code) if by is not None else "",
        measured=words(finding.measured),
        limit=words(finding.limit),
        reason=finding.reason,
        trace=tuple(trace),
        symbol=case.symbol,
        instrument=case.instrument,
        side=case.side,
        quantity=case.quantity if allowed else None,
        size=case.size,
        order_type=case.order_type,
        limit_price=case.limit_price,
        stop_price=case.stop_price,
        time_in_force=case.time_in_force,
        reserved=case.worst_price if allowed and not case.kind.reduces else ZERO,
        stop_loss=case.stop,
        target=case.target,
        trade_type=case.trade_type,
        conviction=case.conviction,
        adding=case.adding,
        content=case.signal.content if case.signal is not None and heard else "",
    )
