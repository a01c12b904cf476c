"""Tables that can be asked, kept from events: one small rule an event, in one table (U-70).

They are written in the transaction of their events, hold nothing the events do not say, and
`rebuild` makes them again. Events without a rule, those of later versions too, change nothing.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from itertools import chain
from typing import Any, Final

from engine.domain import events as ev
from engine.domain import schema
from engine.domain.codes import Code, Outcome, Stage, Verdict
from engine.domain.instant import Nanos
from engine.domain.money import plain
from engine.domain.order import TRANSITIONS, Order, OrderStatus
from storage import bulk, trades
from storage.errors import is_content_error
from storage.rows import Target, number, to_json

TABLES: Final = (
    "trade_executions",
    "daily_pnl",
    "orders",
    "fills",
    "signals",
    "dead_letters",
    "stale_projections",
)
"""Everything `rebuild` empties and makes again."""

PAGE: Final = 2_000

Rule = Callable[[Target, ev.Record, Any], None]
_RULES: dict[type[ev.Event], Rule] = {}


def project(to: Target, record: ev.Record) -> None:
    """Bring the tables up to date with one event, inside the caller's transaction."""
    rule = _RULES.get(type(record.event))
    if rule is not None:
        rule(to, record, record.event)


def project_all(to: Target, records: Iterable[ev.Record]) -> None:
    """As `project`, one after the other; changes of one kind in a row to orders go together."""
    rule: _ById | None = None
    waiting: dict[str, Nanos] = {}
    for record in records:
        own = _RULES.get(type(record.event))
        if own is None:
            continue
        key = getattr(record.event, "client_order_id", "")
        if rule is not None and (own is not rule or key in waiting):
            rule.many(to, waiting)
            rule, waiting = None, {}
        if isinstance(own, _ById):
            rule = own
            waiting[key] = record.time
        else:
            own(to, record, record.event)
    if rule is not None:
        rule.many(to, waiting)


def project_carefully(to: Target, record: ev.Record) -> None:
    """As `project`, but an event whose rows cannot be made is named in `stale_projections`.

    The event itself is the truth and must not be lost because a table could not take its row.
    Raises what is the disk's fault.
    """
    to.run("SAVEPOINT projection")
    try:
        project(to, record)
    except Exception as error:  # whatever a rule can raise; recorded in the table below
        if not is_content_error(error):
            raise
        to.run("ROLLBACK TO projection")
        to.run(
            "INSERT OR REPLACE INTO stale_projections VALUES (?, ?, ?)",
            record.seq,
            record.type,
            f"{type(error).__name__}: {error}",
        )
    to.run("RELEASE projection")


def rebuild(connection: sqlite3.Connection) -> None:
    """Make every projection again from the events of the same database, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for table in TABLES:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608  # a name of our own
        _fill(connection, connection)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def derive(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Make the projections of `source`'s events in `target`, an empty migrated database."""
    target.execute("BEGIN")
    _fill(source, target)
    target.execute("COMMIT")


def differing(one: sqlite3.Connection, other: sqlite3.Connection) -> tuple[str, ...]:
    """The projections that are not the same in two databases."""
    return tuple(table for table in TABLES if _rows(one, table) != _rows(other, table))


def _rows(connection: sqlite3.Connection, table: str) -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # noqa: S608


def _fill(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    cursor = target.cursor()
    for mode, account, record in _projected(source):
        project_carefully(Target(cursor, mode, account), record)


def _projected(connection: sqlite3.Connection) -> Iterator[tuple[str, str, ev.Record]]:
    """The events that any rule reads, page by page, so that no cursor outlives a write."""
    names = tuple(kind.__name__ for kind in _RULES)
    marks = ",".join("?" * len(names))
    sql = (
        "SELECT seq, time, mode, account, type, data FROM events "  # noqa: S608  # marks only
        f"WHERE seq > ? AND type IN ({marks}) ORDER BY seq LIMIT {PAGE}"
    )
    last = 0
    while page := connection.execute(sql, (last, *names)).fetchall():
        for seq, time, mode, account, kind, data in page:
            yield mode, account, ev.Record(seq, time, schema.decode(kind, data))
        last = page[-1][0]


def _on(*kinds: type[ev.Event]) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        for kind in kinds:
            _RULES[kind] = rule
        return rule

    return register


# --- orders --------------------------------------------------------------------------------------


@_on(ev.OrderIntended, ev.OrderAdopted)
def _order(to: Target, record: ev.Record, event: ev.OrderIntended | ev.OrderAdopted) -> None:
    order: Order = event.order
    to.put(
        "orders",
        "client_order_id",
        {
            "seq": record.seq,
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
            "average_price": number(order.average_price),
            "limit_price": number(order.limit_price),
            "stop_price": number(order.stop_price),
            "time_in_force": order.time_in_force.value,
            "status": order.status.value,
            "purpose": order.purpose.value,
            "broker": order.broker,
            "reject_code": order.reject_code,
            "created_at": order.created_at,
            "updated_at": order.updated_at,
            "trade_type": order.trade_type.value,
            "stop_loss": number(order.stop_loss),
            "target_price": number(order.target),
            "conviction": order.conviction,
            "signal_type": order.signal_type,
            "timeframe": order.timeframe,
        },
        kept="seq",
    )


def _moved(target: OrderStatus, *, only: OrderStatus | None = None) -> str:
    """SQL: `target` where the transition table allows it, else the status that stands."""
    sources = [s for s in OrderStatus if target in TRANSITIONS[s] and only in (None, s)]
    allowed = ", ".join(f"'{s.value}'" for s in sources)
    return f"CASE WHEN status IN ({allowed}) THEN '{target.value}' ELSE status END"


class _ById:
    """A rule that needs only the order's id and the time; it can change many orders at once."""

    def __init__(self, status: str) -> None:
        self._one = _set_status(status)
        self._many = (
            f"UPDATE orders SET status = {status}, updated_at = told.column1 "  # noqa: S608
            "FROM (VALUES {}) AS told WHERE client_order_id = told.column2"
        )

    def __call__(self, to: Target, record: ev.Record, event: Any) -> None:
        to.run(self._one, record.time, event.client_order_id)

    def many(self, to: Target, waiting: Mapping[str, Nanos]) -> None:
        """Change all of these orders, each at its own time."""
        for part in bulk.pieces([(at, key) for key, at in waiting.items()]):
            if len(part) == 1:
                to.run(self._one, *part[0])
            else:
                sql = self._many.format(bulk.values(2, len(part)))
                to.run(sql, *chain.from_iterable(part))


def _set_status(status: str, more: str = "") -> str:
    return f"UPDATE orders SET status = {status}{more}, updated_at = ? WHERE client_order_id = ?"  # noqa: S608


_VENUE_ID: Final = ", venue_order_id = coalesce(nullif(?, ''), venue_order_id)"
_SETTLED: Final = {s: _set_status(_moved(s), _VENUE_ID) for s in OrderStatus}
_MOVED: Final = {s: _set_status(_moved(s)) for s in OrderStatus}
_REJECTED: Final = _set_status(_moved(OrderStatus.REJECTED), ", reject_code = ?")
_ACCEPTED: Final = _set_status(
    f"CASE WHEN filled = '0' THEN {_moved(OrderStatus.NEW)} "
    f"ELSE {_moved(OrderStatus.PARTIALLY_FILLED)} END",
    _VENUE_ID,
)

_RULES |= {
    ev.OrderSent: _ById(_moved(OrderStatus.PENDING_NEW, only=OrderStatus.CREATED)),
    ev.OrderUnclear: _ById(_moved(OrderStatus.UNKNOWN)),
    ev.OrderQueried: _ById("status"),
    ev.OrderCanceled: _ById(_moved(OrderStatus.CANCELED)),
    ev.OrderExpired: _ById(_moved(OrderStatus.EXPIRED)),
    ev.CancelRequested: _ById(
        f"CASE WHEN status = 'UNKNOWN' THEN status ELSE {_moved(OrderStatus.PENDING_CANCEL)} END"
    ),
    ev.ReplaceRequested: _ById(_moved(OrderStatus.PENDING_REPLACE)),
}


@_on(ev.OrderAccepted)
def _accepted(to: Target, record: ev.Record, event: ev.OrderAccepted) -> None:
    to.run(_ACCEPTED, event.venue_order_id, record.time, event.client_order_id)


@_on(ev.OrderRejected)
def _rejected(to: Target, record: ev.Record, event: ev.OrderRejected) -> None:
    to.run(_REJECTED, event.code, record.time, event.client_order_id)


@_on(ev.CancelRefused)
def _cancel_refused(to: Target, record: ev.Record, event: ev.CancelRefused) -> None:
    to.run(_MOVED[event.status], record.time, event.client_order_id)


@_on(ev.OrderSettled)
def _settled(to: Target, record: ev.Record, event: ev.OrderSettled) -> None:
    to.run(_SETTLED[event.status], event.venue_order_id, record.time, event.client_order_id)


@_on(ev.OrderReplaced)
def _replaced(to: Target, record: ev.Record, event: ev.OrderReplaced) -> None:
    row = to.run(
        "SELECT filled, status FROM orders WHERE client_order_id = ?", event.client_order_id
    ).fetchone()
    if row is None:
        return
    filled, status = Decimal(row[0]), OrderStatus(row[1])
    if filled >= event.quantity:
        target = OrderStatus.FILLED
    else:
        target = OrderStatus.PARTIALLY_FILLED if filled else OrderStatus.NEW
    to.run(
        "UPDATE orders SET status = ?, quantity = ?, stop_price = coalesce(?, stop_price), "
        "updated_at = ? WHERE client_order_id = ?",
        (target if target in TRANSITIONS[status] else status).value,
        plain(event.quantity),
        number(event.stop_price),
        record.time,
        event.client_order_id,
    )


# --- fills, trades, days -------------------------------------------------------------------------

_ASKED: Final = frozenset({OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE})


@_on(ev.OrderFilled)
def _filled(to: Target, record: ev.Record, event: ev.OrderFilled) -> None:
    fill = event.fill
    added = to.put(
        "fills",
        "broker,execution_id",
        {
            "seq": record.seq,
            "execution_id": fill.execution_id,
            "client_order_id": fill.client_order_id,
            "venue_order_id": fill.venue_order_id,
            "symbol": fill.symbol,
            "side": fill.side.value,
            "quantity": plain(fill.quantity),
            "price": plain(fill.price),
            "commission": plain(fill.commission),
            "liquidity": fill.liquidity.value,
            "broker": fill.broker,
            "time": fill.time,
            "late": int(event.late),
            "overfill": plain(event.overfill),
        },
        once=True,
    )
    if not added:
        return
    order = trades.order_of(to, fill.client_order_id)
    trades.filled(to, record, event, order)
    if order is None:
        return
    if event.cumulative >= order.quantity:
        status = OrderStatus.FILLED
    elif order.status.is_terminal or order.status in _ASKED:
        status = order.status
    else:
        status = OrderStatus.PARTIALLY_FILLED
    to.run(
        f"UPDATE orders SET status = ?, filled = ?, average_price = ?{_VENUE_ID}, "  # noqa: S608
        "updated_at = ? WHERE client_order_id = ?",
        status.value,
        plain(event.cumulative),
        plain(event.average_price),
        fill.venue_order_id,
        record.time,
        fill.client_order_id,
    )


@_on(ev.PositionClosed)
def _closed(to: Target, record: ev.Record, event: ev.PositionClosed) -> None:
    trades.closed(to, record, event.trade)


@_on(ev.PositionAdjusted)
def _adjusted(to: Target, record: ev.Record, event: ev.PositionAdjusted) -> None:
    trades.adjusted(to, record, event)


@_on(ev.SessionClosed)
def _session(to: Target, record: ev.Record, event: ev.SessionClosed) -> None:
    to.put(
        "daily_pnl",
        "account_id,date",
        {
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
            "final": int(event.final),
        },
    )


# --- signals -------------------------------------------------------------------------------------


def _put_signal(to: Target, record: ev.Record, **columns: Any) -> None:
    to.put("signals", "seq", {"seq": record.seq, "time": record.time, **columns})


@_on(ev.InputRejected)
def _input_rejected(to: Target, record: ev.Record, event: ev.InputRejected) -> None:
    _put_signal(
        to,
        record,
        signal_id=event.input_id,
        verdict=Verdict.REJECTED.value,
        outcome=Outcome.REJECTED.value,
        stage=Stage.INTAKE.value,
        code=Code.INVALID_INPUT.value,
        reason=event.reason,
    )


@_on(ev.SignalReceived)
def _received(to: Target, record: ev.Record, event: ev.SignalReceived) -> None:
    signal = event.signal
    context: dict[str, Any] = {}
    if signal.cloud_states:
        context["cloud_states"] = signal.cloud_states
    if signal.metadata:
        context["metadata"] = signal.metadata
    _put_signal(
        to,
        record,
        signal_id=signal.signal_id,
        symbol=signal.ticker,
        metadata_json=to_json(context) if context else None,
    )


@_on(ev.SignalDecided)
def _decided(to: Target, record: ev.Record, event: ev.SignalDecided) -> None:
    answer: dict[str, Any] = {
        "verdict": event.verdict.value,
        "outcome": Outcome.REJECTED.value if event.verdict is Verdict.REJECTED else None,
        "stage": event.stage.value,
        "code": event.code,
        "measured": event.measured,
        "limit": event.limit,
        "reason": event.reason,
        "client_order_ids": to_json(event.client_order_ids),
    }
    changes = ", ".join(f'"{name}" = ?' for name in answer)
    updated = to.run(
        f"UPDATE signals SET {changes} WHERE seq = "  # noqa: S608  # names of our own
        "(SELECT max(seq) FROM signals WHERE signal_id = ? AND verdict IS NULL)",
        *answer.values(),
        event.signal_id,
    )
    if not updated.rowcount:
        _put_signal(to, record, signal_id=event.signal_id, symbol=event.symbol, **answer)


_ENDED_IN: Final = {Outcome.EXECUTED: Stage.COMPLETED, Outcome.RESIZED: Stage.COMPLETED}


@_on(ev.SignalEnded)
def _ended(to: Target, record: ev.Record, event: ev.SignalEnded) -> None:
    # An id is accepted once only, so that the row is the accepted one, not a later duplicate's.
    to.run(
        "UPDATE signals SET outcome = ?, stage = ?, code = ?, reason = ? WHERE seq = "
        "(SELECT max(seq) FROM signals WHERE signal_id = ? AND verdict <> 'REJECTED')",
        event.outcome.value,
        _ENDED_IN.get(event.outcome, Stage.ORDER).value,
        event.code,
        event.reason,
        event.signal_id,
    )


# --- dead letters --------------------------------------------------------------------------------


@_on(ev.DeadLettered)
def _dead(to: Target, record: ev.Record, event: ev.DeadLettered) -> None:
    to.put(
        "dead_letters",
        "letter_id",
        {
            "seq": record.seq,
            "letter_id": event.letter_id,
            "client_order_id": event.order.client_order_id,
            "symbol": event.order.symbol,
            "error": event.error,
            "order_json": to_json(event.order),
            "created_at": record.time,
        },
    )


@_on(ev.DeadLetterClosed)
def _dead_closed(to: Target, record: ev.Record, event: ev.DeadLetterClosed) -> None:
    to.run(
        "UPDATE dead_letters SET action = ?, closed_by = ?, closed_at = ? WHERE letter_id = ?",
        event.action,
        event.by,
        record.time,
        event.letter_id,
    )
