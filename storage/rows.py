"""What row each value of the state makes in the queryable tables (A-400 to A-407, X-90).

One rule a type of value, in one table. A row is a function of its value alone, so that it does not
matter which of the values in between were ever written.
"""

from collections.abc import Callable, Hashable
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from engine.domain import events as ev
from engine.domain import money
from engine.domain.codes import Outcome, Verdict
from engine.domain.instant import EARLIEST, NS_PER_SECOND, Nanos, rfc3339, to_datetime
from engine.domain.order import NS_PER_DAY
from engine.domain.position import ExitReason
from engine.state.order import Order
from engine.state.position import Position
from engine.state.touched import (
    DayTotals,
    FillTaken,
    LetterClosed,
    LetterOpened,
    SignalEntry,
    SignalLate,
    SignalsTurnedAway,
    Touched,
    TradeFinished,
    TradeVanished,
)
from storage import bulk

Columns: TypeAlias = dict[str, Any]

PRICE_DIGITS: Final = 8

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")


class Put(NamedTuple):
    """Insert a row, or write it over the one of the same key."""

    table: str
    key: str
    """Column names, separated by commas."""
    columns: Callable[[Any], Columns | list[Columns]]
    """The columns of the value's row, or of each of its rows."""
    identity: Callable[[Any], Hashable]
    kept: str = ""
    """Columns of an existing row that stay as they are, separated by commas."""


class RowChange(NamedTuple):
    """Change some columns of a row that is there; nothing happens where there is none."""

    sql: str
    values: Callable[[Any], tuple[Any, ...]]
    identity: Callable[[Any], Hashable]


plain: Final = lru_cache(maxsize=4096)(money.plain)
"""A decimal as its plain text; SQLite's own numbers are binary. The same few come again and again,
and equal numbers have one text."""


def number(value: Decimal | None) -> str | None:
    """As `plain`, where there is one."""
    return None if value is None else plain(value)


def to_json(value: Any) -> str:
    """A value as JSON text, the same on every machine."""
    return _ENCODER.encode(value).decode()


def stamp(at: Nanos) -> str:
    """The instant as RFC 3339 with nine digits of fraction, so that text order is time order."""
    second, fraction = divmod(at, NS_PER_SECOND)
    return f"{_second(second)}.{fraction:09d}Z"


@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    return rfc3339(max(second * NS_PER_SECOND, EARLIEST))[:19]


def day_of(at: Nanos) -> str:
    """The UTC date of a venue's time; empty where it gives none (X-91)."""
    return _date(at // NS_PER_DAY) if at else ""


@lru_cache(maxsize=64)
def _date(day: int) -> str:
    return to_datetime(day * NS_PER_DAY).date().isoformat()


def _order(order: Order) -> Columns:
    return {
        "seq": order.seq,
        "client_order_id": order.client_order_id,
        "venue_order_id": order.venue_order_id,
        "intent_id": order.intent_id,
        "signal_id": order.signal_id,
        "parent_id": order.parent_id,
        "symbol": order.symbol,
        "side": order.side.value,
        "type": order.type.value,
        "quantity": plain(order.quantity),
        "filled": plain(order.filled),
        "average_price": number(_mean(order)),
        "limit_price": number(order.limit_price),
        "stop_price": number(order.stop_price),
        "time_in_force": order.time_in_force.value,
        "status": order.status.value,
        "purpose": order.purpose.value,
        "broker": order.account,
        "reject_code": order.reject_code,
        "created_at": order.created_at,
        "updated_at": order.updated_at,
        "trade_type": order.trade_type.value,
        "stop_loss": number(order.stop_loss),
        "target_price": number(order.target),
        "conviction": order.conviction,
        "signal_type": order.signal_type,
        "timeframe": order.timeframe,
    }


def _mean(order: Order) -> Any:
    average = order.average_price
    return None if average is None else round(average, PRICE_DIGITS)


def _fill(value: FillTaken) -> Columns:
    event, fill = value.event, value.event.fill
    return {
        "seq": value.seq,
        "execution_id": fill.execution_id,
        "client_order_id": fill.client_order_id,
        "venue_order_id": fill.venue_order_id,
        "symbol": fill.symbol,
        "side": fill.side.value,
        "quantity": plain(fill.quantity),
        "price": plain(fill.price),
        "currency": value.currency,
        "commission": plain(fill.commission),
        "commission_currency": fill.commission_currency,
        "liquidity": fill.liquidity.value,
        "broker": event.account,
        "time": fill.time,
        "day": day_of(fill.time),
        "late": int(event.late),
        "overfill": plain(event.overfill),
    }


def _position(held: Position) -> Columns:
    """The row of a trade that is not over, from the first fill on (A-391)."""
    first = held.legs[0].quantity if held.legs else held.quantity
    # A position that no order of ours opened has no signal, not an empty one.
    ordered = bool(held.signal_id) or held.origin == "manual"
    return {
        "seq": held.seq,
        "signal_id": held.signal_id if ordered else None,
        "ticker": held.symbol,
        "direction": "long" if first > 0 else "short",
        "trade_type": held.trade_type.value,
        "entry_price": plain(round(held.entry_price, PRICE_DIGITS)),
        "shares": plain(held.entry_quantity),
        "stop_loss": number(held.initial_stop),
        "target_price": number(held.target),
        "conviction": held.conviction,
        "broker": held.account,
        "order_id": held.order_id or None,
        "entry_time": stamp(held.opened_at),
        "created_at": stamp(held.recorded_at),
        "position_id": held.position_id,
        "origin": held.origin,
        "signal_type": held.signal_type if ordered else None,
        "timeframe": held.timeframe if ordered else None,
        "initial_stop": number(held.initial_stop),
        "fees": plain(held.commission),
        "held": plain(held.quantity),
        "entry_notional": plain(held.entry_notional),
        # What surrounded the signal when it was seen; its own row was written before.
        "metadata_json": held.signal_id,
    }


_CONTEXT: Final = (
    "(SELECT metadata_json FROM signals WHERE signal_id = nullif({}, '') AND verdict <> 'REJECTED' "
    "ORDER BY seq LIMIT 1)"
)

_LOOKED_UP: Final = {("trade_executions", "metadata_json"): _CONTEXT}
"""Columns that are looked up by the value given for them, and how."""


def _finished(value: TradeFinished) -> Columns:
    """The finished trade over its open row (A-392)."""
    trade = value.trade
    return {
        "seq": value.seq,
        "signal_id": trade.signal_id,
        "ticker": trade.symbol,
        "direction": trade.direction,
        "trade_type": trade.trade_type.value,
        "entry_price": plain(trade.entry_price),
        "exit_price": plain(trade.exit_price),
        "shares": plain(trade.quantity),
        "stop_loss": number(trade.initial_stop),
        "target_price": number(trade.target_price),
        "conviction": trade.conviction,
        "status": "closed",
        "exit_reason": trade.exit_reason,
        "pnl": plain(trade.pnl),
        "pnl_pct": plain(trade.pnl_pct),
        "broker": trade.account,
        "order_id": trade.order_id,
        "entry_time": stamp(trade.entry_time),
        "exit_time": stamp(trade.exit_time),
        "created_at": stamp(value.at),
        "position_id": trade.position_id,
        "origin": trade.origin,
        "instrument_type": trade.instrument_type,
        "currency": value.currency,
        "leverage": plain(trade.leverage),
        "trade_id": trade.trade_id,
        "strategy": trade.strategy,
        "signal_type": trade.signal_type,
        "timeframe": trade.timeframe,
        "exit_detail": trade.exit_detail,
        "initial_stop": number(trade.initial_stop),
        "r_multiple": number(trade.r_multiple),
        "fees": plain(trade.fees),
        "slippage_bps": number(trade.slippage_bps),
        "mae": number(trade.mae),
        "mfe": number(trade.mfe),
        "legs_json": to_json(trade.legs),
        "held": "0",
        "entry_notional": plain(trade.entry_price * trade.quantity),
    }


def _day(value: DayTotals) -> Columns:
    return day_row(value.event)


def day_row(event: ev.SessionClosed) -> Columns:
    """What the row of an accounting day says of its money (A-402)."""
    return {
        "date": event.date.isoformat(),
        "starting_equity": plain(event.starting_equity),
        "ending_equity": plain(event.ending_equity),
        "realized_pnl": plain(event.realized_pnl),
        "unrealized_pnl": plain(event.unrealized_pnl),
        "total_trades": event.total_trades,
        "winning_trades": event.winning_trades,
        "losing_trades": event.losing_trades,
        "max_drawdown": plain(event.max_drawdown),
        "kill_switch_triggered": int(event.kill_switch_triggered),
        "fees": plain(event.fees),
        "flows": plain(event.flows),
        "adjustment": plain(event.adjustment),
        "final": int(event.final),
    }


def _signal(entry: SignalEntry) -> Columns:
    context: Columns = {}
    if entry.signal is not None and entry.signal.cloud_states:
        context["cloud_states"] = entry.signal.cloud_states
    if entry.signal is not None and entry.signal.metadata:
        context["metadata"] = entry.signal.metadata
    return {
        "seq": entry.seq,
        "place": 0,
        "time": entry.time,
        "signal_id": entry.signal_id,
        "symbol": entry.symbol,
        "verdict": entry.verdict and entry.verdict.value,
        "outcome": entry.outcome and entry.outcome.value,
        "stage": entry.stage.value if entry.stage is not None else "",
        "code": entry.code,
        "measured": entry.measured,
        "limit": entry.limit,
        "reason": entry.reason,
        "client_order_ids": to_json(entry.orders),
        "metadata_json": to_json(context) if context else None,
    }


def _turned_away(value: SignalsTurnedAway) -> list[Columns]:
    """A row for each, with the time at which it came and its place in the event."""
    event = value.event
    return [
        {
            "seq": value.seq,
            "place": place,
            "time": refusal.at,
            "signal_id": refusal.signal_id,
            "symbol": refusal.symbol,
            "verdict": Verdict.REJECTED.value,
            "outcome": Outcome.REJECTED.value,
            "stage": event.stage.value,
            "code": event.code.value,
            "measured": refusal.measured,
            "limit": refusal.limit,
            "reason": event.reason,
            "client_order_ids": "[]",
            "metadata_json": None,
        }
        for place, refusal in enumerate(event.refusals)
    ]


def _letter(value: LetterOpened) -> Columns:
    return {
        "seq": value.seq,
        "letter_id": value.letter_id,
        "client_order_id": value.terms.client_order_id,
        "symbol": value.terms.symbol,
        "error": value.error,
        "order_json": to_json(value.terms),
        "created_at": value.at,
    }


RULES: Final[dict[type, Put | RowChange]] = {
    Order: Put("orders", "client_order_id", _order, lambda v: v.client_order_id),
    FillTaken: Put("fills", "broker,symbol,day,execution_id", _fill, lambda v: v.seq),
    SignalEntry: Put("signals", "seq,place", _signal, lambda v: v.seq),
    SignalsTurnedAway: Put("signals", "seq,place", _turned_away, lambda v: v.seq),
    # An id is accepted once only, so that the row is the accepted one, not a later duplicate's.
    SignalLate: RowChange(
        "UPDATE signals SET outcome = ?, stage = ?, code = ?, reason = ? WHERE seq = "
        "(SELECT max(seq) FROM signals WHERE signal_id = ? AND verdict <> 'REJECTED')",
        lambda v: (v.outcome.value, v.stage.value, v.code, v.reason, v.signal_id),
        lambda v: v.signal_id,
    ),
    Position: Put("trade_executions", "account_id,position_id", _position, lambda v: v.position_id),
    TradeFinished: Put(
        "trade_executions",
        "account_id,position_id",
        _finished,
        lambda v: v.trade.position_id,
        kept="created_at",
    ),
    TradeVanished: RowChange(
        "UPDATE trade_executions SET held = '0', status = 'cancelled', exit_reason = ?, "
        "exit_detail = ?, seq = ? WHERE position_id = ?",
        lambda v: (ExitReason.VENUE.value, v.reason, v.seq, v.position_id),
        lambda v: v.position_id,
    ),
    DayTotals: Put("daily_pnl", "account_id,date", _day, lambda v: v.event.date),
    LetterOpened: Put("dead_letters", "letter_id", _letter, lambda v: v.letter_id),
    LetterClosed: RowChange(
        "UPDATE dead_letters SET action = ?, closed_by = ?, closed_at = ? WHERE letter_id = ?",
        lambda v: (v.action, v.by, v.at, v.letter_id),
        lambda v: v.letter_id,
    ),
}
"""One rule a type of value, in the order in which rows are written: some look others up."""

RANK: Final = {kind: number for number, kind in enumerate(RULES)}


def has_row(touched: Touched) -> bool:
    """Whether a table tells of this value; others only say that a part of the state changed."""
    return type(touched.value) in RULES


def identity(touched: Touched) -> Hashable:
    """What makes a later value take the place of an earlier one that is not written yet."""
    kind = type(touched.value)
    return kind, touched.account_id, RULES[kind].identity(touched.value)


def written(put: Put, touched: Touched) -> list[Columns]:
    """The columns of a value's rows, with whose they are (A-405)."""
    columns = put.columns(touched.value)
    rows = columns if isinstance(columns, list) else [columns]
    for row in rows:
        row["account_id"], row["mode"] = touched.account_id, touched.mode
    return rows


@lru_cache(maxsize=64)
def upsert(put: Put, names: tuple[str, ...]) -> bulk.Shape:
    """The statement that writes rows of these columns."""
    fixed = {*put.key.split(","), *put.kept.split(",")}
    listed = ", ".join(f'"{name}"' for name in names)
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in fixed)
    given = ((name, f"column{number}") for number, name in enumerate(names, 1))
    return bulk.Shape(
        head=f"INSERT INTO {put.table} ({listed})",
        columns=", ".join(
            _LOOKED_UP.get((put.table, name), "{}").format(column) for name, column in given
        ),
        width=len(names),
        tail=f"ON CONFLICT ({put.key}) DO UPDATE SET {changed}",
    )
