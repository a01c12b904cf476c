"""The rows of `trade_executions`: one position from its first fill to flat (A-391, A-395, A-396).

An open row is there from the first fill on, so that a trade is in the journal whatever happens
next; it is keyed by the position's id, which is derived from that fill.
"""

from decimal import Decimal
from typing import Any, Final, NamedTuple

from engine.domain import events as ev
from engine.domain.ids import order_id
from engine.domain.instant import Nanos
from engine.domain.money import ZERO, apportion, plain
from engine.domain.order import OrderStatus
from engine.domain.position import ExitReason, RoundTrip
from storage.rows import Target, number, stamp, to_json

PRICE_DIGITS: Final = 8
KEY: Final = "account_id,position_id"


class OrderFacts(NamedTuple):
    """What a fill needs to know of its order."""

    quantity: Decimal
    status: OrderStatus
    signal_id: str
    trade_type: str
    stop_loss: str | None
    target_price: str | None
    conviction: int | None
    signal_type: str
    timeframe: str


class _Open(NamedTuple):
    """A row whose position is not flat."""

    row: int
    shares: Decimal
    held: Decimal
    notional: Decimal
    fees: Decimal


def order_of(to: Target, client_order_id: str) -> OrderFacts | None:
    """The order of a fill; None for one we never knew."""
    row = to.run(
        "SELECT quantity, status, signal_id, trade_type, stop_loss, target_price, conviction, "
        "signal_type, timeframe FROM orders WHERE client_order_id = ?",
        client_order_id,
    ).fetchone()
    return None if row is None else OrderFacts(Decimal(row[0]), OrderStatus(row[1]), *row[2:])


def filled(to: Target, record: ev.Record, event: ev.OrderFilled, order: OrderFacts | None) -> None:
    """Open, extend or reduce the symbol's row; a fill beyond flat opens the other side's."""
    fill = event.fill
    signed = fill.quantity * fill.side.sign
    current = _held(to, fill.symbol)
    if current is None:
        _open(to, record, event, order, signed=signed, fees=fill.commission)
    elif current.held * signed > 0:
        shares = current.shares + fill.quantity
        notional = current.notional + fill.quantity * fill.price
        to.run(
            "UPDATE trade_executions SET shares = ?, held = ?, entry_notional = ?, "
            "entry_price = ?, fees = ? WHERE id = ?",
            plain(shares),
            plain(current.held + signed),
            plain(notional),
            plain(round(notional / shares, PRICE_DIGITS)),
            plain(current.fees + fill.commission),
            current.row,
        )
    elif abs(signed) <= abs(current.held):
        _hold(to, current, current.held + signed, fill.commission)
    else:
        share = apportion(fill.commission, abs(current.held), fill.quantity)
        _hold(to, current, ZERO, share)
        rest = current.held + signed
        _open(to, record, event, order, signed=rest, fees=fill.commission - share)


def closed(to: Target, record: ev.Record, trade: RoundTrip) -> None:
    """Write the finished trade over its open row (A-392)."""
    to.put(
        "trade_executions",
        KEY,
        {
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
            "broker": trade.broker,
            "order_id": trade.order_id,
            "entry_time": stamp(trade.entry_time),
            "exit_time": stamp(trade.exit_time),
            "created_at": stamp(record.time),
            "position_id": trade.position_id,
            "origin": trade.origin,
            "instrument_type": trade.instrument_type,
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
            "seq": record.seq,
        },
        kept="created_at",
    )


def adjusted(to: Target, record: ev.Record, event: ev.PositionAdjusted) -> None:
    """Take over the venue's quantity where no fill explains it; what vanished is cancelled."""
    current = _held(to, event.symbol)
    if current is not None and current.held * event.quantity > 0:
        _hold(to, current, event.quantity, ZERO)
        return
    if current is not None:
        to.run(
            "UPDATE trade_executions SET held = '0', status = 'cancelled', exit_reason = ?, "
            "exit_detail = ?, seq = ? WHERE id = ?",
            ExitReason.VENUE.value,
            event.reason,
            record.seq,
            current.row,
        )
    if event.quantity:
        to.put(
            "trade_executions",
            KEY,
            {
                "position_id": _position_id(record.time, "adjusted", event.broker, event.symbol),
                "ticker": event.symbol,
                "direction": "long" if event.quantity > 0 else "short",
                "trade_type": "swing",
                "entry_price": plain(event.price),
                "shares": plain(abs(event.quantity)),
                "held": plain(event.quantity),
                "entry_notional": plain(abs(event.quantity) * event.price),
                "broker": event.broker,
                "origin": "venue",
                "entry_time": stamp(record.time),
                "created_at": stamp(record.time),
                "seq": record.seq,
            },
        )


def _open(
    to: Target,
    record: ev.Record,
    event: ev.OrderFilled,
    order: OrderFacts | None,
    *,
    signed: Decimal,
    fees: Decimal,
) -> None:
    fill = event.fill
    columns: dict[str, Any] = {
        "position_id": event.position_id,
        "ticker": fill.symbol,
        "direction": "long" if signed > 0 else "short",
        "trade_type": "swing",
        "entry_price": plain(fill.price),
        "shares": plain(abs(signed)),
        "held": plain(signed),
        "entry_notional": plain(abs(signed) * fill.price),
        "fees": plain(fees),
        "broker": fill.broker,
        "order_id": fill.client_order_id,
        "entry_time": stamp(fill.time),
        "created_at": stamp(record.time),
        "seq": record.seq,
    }
    if order is not None:
        columns |= {
            "signal_id": order.signal_id,
            "trade_type": order.trade_type,
            "stop_loss": order.stop_loss,
            "initial_stop": order.stop_loss,
            "target_price": order.target_price,
            "conviction": order.conviction,
            "signal_type": order.signal_type,
            "timeframe": order.timeframe,
            "origin": "bot" if order.signal_id else "manual",
            "metadata_json": _signal_context(to, order.signal_id),
        }
    to.put("trade_executions", KEY, columns)


def _hold(to: Target, current: _Open, held: Decimal, fees: Decimal) -> None:
    to.run(
        "UPDATE trade_executions SET held = ?, fees = ? WHERE id = ?",
        plain(held),
        plain(current.fees + fees),
        current.row,
    )


def _held(to: Target, symbol: str) -> _Open | None:
    row = to.run(
        "SELECT id, shares, held, entry_notional, fees FROM trade_executions "
        "WHERE ticker = ? AND status = 'open' AND account_id = ? AND held <> '0'",
        symbol,
        to.account,
    ).fetchone()
    return None if row is None else _Open(row[0], *(Decimal(text) for text in row[1:]))


def _signal_context(to: Target, signal_id: str) -> str | None:
    """What surrounded the signal when it was seen: cloud states and its own metadata (A-400)."""
    if not signal_id:
        return None
    row = to.run(
        "SELECT metadata_json FROM signals WHERE signal_id = ? ORDER BY seq LIMIT 1", signal_id
    ).fetchone()
    return None if row is None or row[0] is None else str(row[0])


def _position_id(at: Nanos, kind: str, *facts: str) -> str:
    """The id the state gives a position, from the fact that opened it (`engine.state.holdings`)."""
    return "p" + order_id(at, kind, *facts)
