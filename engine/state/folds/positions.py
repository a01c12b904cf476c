"""Closes, stops and targets of what is held (rule 3, X-85)."""

import msgspec

from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.state.book import Book
from engine.state.cover import guard
from engine.state.folds.fills import end_entries
from engine.state.folds.order_update import update_order
from engine.state.folds.rule import Rules
from engine.state.position import ExitPlan
from engine.state.touched import (
    TradeFinished,
)


def _exit_planned(book: Book, event: ev.ExitPlanned, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    if position is None:
        return
    decided, under_way = event.decision, position.exiting
    goes_on = (
        under_way is not None
        and (under_way.reason, under_way.detail) == (decided.reason, decided.detail)
        and under_way.is_whole is (decided.quantity is None)
    )
    plan = ExitPlan(
        reason=decided.reason,
        detail=decided.detail,
        priority=decided.priority,
        quantity=decided.quantity,
        attempt=decided.attempt,
        started_at=at if under_way is None else under_way.started_at,
        failures=under_way.failures + 1 if under_way is not None and goes_on else 0,
        refused="" if under_way is None else under_way.refused,
    )
    book.amend(position, exiting=plan, exit_attempt=plan.attempt)


def _exit_refused(book: Book, event: ev.ExitRefused, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    if position is not None and position.exiting is not None:
        plan = msgspec.structs.replace(position.exiting, refused=event.code)
        book.amend(position, exiting=plan)


def _exit_abandoned(book: Book, event: ev.ExitAbandoned, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    if position is not None:
        book.amend(position, exiting=None)


def _stop_removed(book: Book, event: ev.StopRemoved, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    if position is not None:
        book.amend(position, stop=None)


def _stop_moved(book: Book, event: ev.StopMoved, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    if position is not None:
        # A first stop has the usual time to rest at the venue, where nothing covers it all yet.
        bare = position.unprotected_since if position.stop is not None else 0
        book.amend(position, stop=event.after, unprotected_since=bare)
        guard(book, event.account, event.symbol, at)


def _unprotected(book: Book, event: ev.Unprotected, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    if position is not None:
        book.amend(position, told_unprotected=True)


def _stop_traded(book: Book, event: ev.StopTraded, at: Nanos) -> None:
    order = book.order_in(event.account, event.client_order_id)
    if order is None or not order.is_working:
        return
    update_order(book, order, at, filled_at=at)
    position = book.holding(event.account, event.symbol)
    if position is not None and position.sign * order.side.sign < 0:
        end_entries(book, position)


def _target_moved(book: Book, event: ev.TargetMoved, at: Nanos) -> None:
    position = book.holding(event.account, event.symbol)
    if position is not None:
        book.amend(position, target=event.after, default_target=False)


def _closed(book: Book, event: ev.PositionClosed, at: Nanos) -> None:
    data, trade = book.data, event.trade
    currency = book.currency_of(trade.symbol)
    finished = TradeFinished(seq=data.seq, at=at, trade=trade, currency=currency)
    book.touch(finished, event.account)
    if data.session is not None:
        data.session.trades += 1
        data.session.wins += 1 if trade.pnl > 0 else 0
        data.session.losses += 1 if trade.pnl < 0 else 0
    data.loss_streak = event.loss_streak
    kill = book.enter(event.account).kill
    if kill is not None:
        kill.closed += 1


RULES: Rules = {
    ev.ExitPlanned: _exit_planned,
    ev.ExitAbandoned: _exit_abandoned,
    ev.ExitRefused: _exit_refused,
    ev.StopRemoved: _stop_removed,
    ev.StopTraded: _stop_traded,
    ev.StopMoved: _stop_moved,
    ev.TargetMoved: _target_moved,
    ev.Unprotected: _unprotected,
    ev.PositionClosed: _closed,
}
