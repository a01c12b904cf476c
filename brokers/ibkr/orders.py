"""What becomes of orders at TWS, by what it tells of them (C-231, C-232, D-64).

TWS tells of an order in several messages, in any order, some of them twice and some never. What
filled is the sum of the executions.
"""

import asyncio
import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from brokers.ibkr.codec import Execution, at_most, price_of, stated
from brokers.ibkr.executions import Executions, fill_id
from brokers.ibkr.known import Held, Known, KnownOrders
from brokers.ibkr.listener import Status
from brokers.ibkr.refusals import RATE_WAIT, Meaning, meaning_of
from brokers.ibkr.reports import Reports
from brokers.ibkr.symbols import Symbols
from brokers.ibkr.words import ENDED, SIDES, STATUSES, TIMES, TYPES, prices
from brokers.net.numbers import NAN, number
from engine.domain.account import VenueOrder
from engine.domain.money import ZERO
from engine.domain.order import TERMINAL, OrderStatus, OrderType, Side
from engine.ports import Clock, OrderReport, Rejected, Throttled

log = logging.getLogger(__name__)

_S = OrderStatus

WORD_SECONDS: Final = 2.0
"""How long after an error about an order that works its next word may still be on its way."""

_WORKS: Final = frozenset({_S.NEW, _S.PENDING_CANCEL})

_SAID_ALONE: Final = frozenset({_S.REJECTED, _S.CANCELED})
"""The ends that are only said; that an order has filled its executions show."""

EXECUTION_SECONDS: Final = 2.0
"""How long after the word Filled an execution may still be on its way."""


class Orders:
    """All orders of one account that TWS has told of, on whatever connection."""

    def __init__(
        self,
        *,
        name: str,
        client_id: int,
        symbols: Symbols,
        clock: Clock,
        known: KnownOrders,
        executed: Executions,
        put: Callable[[OrderReport], None],
    ) -> None:
        """`name` is the account's under `[brokers]`; `put` takes a report."""
        self._symbols = symbols
        self._orders = known
        self._executions = executed
        self._reports = Reports(
            name=name, client_id=client_id, clock=clock, executed=executed, put=put
        )

    # --- what is told of orders

    def order_told(self, contract: Any, order: Any, state: Any) -> Known:
        """An openOrder: everything but what has filled."""
        known = self._orders.of(order.clientId, order.orderId, order.permId, order.orderRef)
        self._terms(known, contract, order)
        self._status(known, state.status)
        return known

    def _terms(self, known: Known, contract: Any, order: Any) -> None:
        known.account = order.account
        known.symbol = self._symbols.ours(contract)
        known.side = SIDES.get(order.action, Side.BUY)
        known.type = TYPES.get(order.orderType)
        known.quantity = stated(order.totalQuantity) if order.action in SIDES else NAN
        known.limit, known.stop = prices(known.type, order)
        known.tif = TIMES.get(order.tif)

    def status_told(self, told: Status) -> Known | None:
        """An orderStatus, which does not say our id."""
        known = self._orders.find(told.client_id, told.order_id, told.perm_id, None)
        if known is None:
            log.warning("TWS tells of order %s that it has not described", told.perm_id)
            return None
        self._orders.learn(known, told.client_id, told.order_id, told.perm_id)
        filled = stated(told.filled)
        if filled is not None and not at_most(filled, known.filled):
            known.filled = filled
            known.average = price_of(told.average)
        self._status(known, told.status, is_counted=filled is not None)
        return known

    def _status(self, known: Known, word: str, *, is_counted: bool = False) -> None:
        """A word for the state of an order; `is_counted`: how much of it has filled came with
        it."""
        status = STATUSES.get(word)
        if status is None:
            log.warning("TWS says %r of order %s, a word that is not known", word, known.ref)
            status = _S.SUSPENDED
        known.settle()
        if status in TERMINAL or status is _S.PENDING_CANCEL:
            is_late = status is _S.FILLED
            gone = Rejected("FILLED", f"order {known.ref} has filled") if is_late else None
            known.settle_cancel(gone)
        if known.status in _SAID_ALONE and status is _S.NEW:
            # It lives all the same: the engine finds it in the list, and nobody hides it.
            log.error("TWS works order %s, which was %s there", known.ref, known.status)
            known.status = status
        if known.has_ended:
            return  # an end stands, whatever is told later
        if status is _S.NEW:
            known.refusal = None
        match status:
            case _S.CANCELED | _S.SUSPENDED if known.refusal is not None:
                self._refuse(known, *known.refusal)
            case _S.CANCELED:
                held = Held(status)
                held.is_counted = is_counted
                self._end(known, held)
            case _S.FILLED:
                self._filled(known)
            case _S.NEW | _S.SUSPENDED:
                known.status = status
                self._once(known, status)
            case _:
                known.status = status

    def _once(self, known: Known, status: OrderStatus, text: str = "") -> None:
        if status not in known.told:
            self._reports.tell(known, Held(status, text))

    def _filled(self, known: Known) -> None:
        """TWS says that all of it has filled; the executions say it where they came."""
        if not known.executed or not at_most(known.filled, known.executed):
            asyncio.get_running_loop().call_later(EXECUTION_SECONDS, self._filled_late, known)
        else:
            self._filled_late(known)

    def _filled_late(self, known: Known) -> None:
        """All of it has filled, whatever of that was told: the engine asks for what is missing."""
        if not known.has_ended:
            self._end(known, Held(_S.FILLED))

    def _end(self, known: Known, last: Held) -> None:
        known.status = last.status
        known.settle_cancel()
        self._orders.ended(known)
        if last.status not in known.told:
            self._reports.tell(known, last)

    # --- errors

    def error_told(self, order_id: int, code: int, text: str) -> None:
        """An error with the number of an order of ours."""
        known = self._orders.of_number(order_id)
        if known is None:
            log.warning(
                "TWS says %s of number %s, which is no order here: %s", code, order_id, text
            )
            return
        waits = known.answer is not None and not known.answer.done()
        cancels = known.cancel is not None and not known.cancel.done()
        match meaning_of(code):
            case Meaning.NOTICE:
                log.info("order %s: %s %s", known.ref, code, text)
            case Meaning.CANCELED:
                known.settle()
                if not known.has_ended:
                    self._end(known, Held(_S.CANCELED, text, str(code)))
            case Meaning.CANCEL_REFUSED:
                known.settle_cancel(Rejected(str(code), text))
            case Meaning.RATE if cancels and not waits:
                known.settle_cancel(Throttled(f"{code}: {text}", RATE_WAIT))
            case Meaning.REFUSED if cancels and not waits:
                known.settle_cancel(Rejected(str(code), text))
            case Meaning.REFUSED if known.status in _WORKS and not waits:
                known.refusal = (str(code), text)
                asyncio.get_running_loop().call_later(WORD_SECONDS, self._refused_late, known)
            case Meaning.REFUSED if not known.has_ended:
                if waits:  # who sent it hears of it
                    known.told.add(_S.REJECTED)
                known.settle(Rejected(str(code), text))
                self._refuse(known, str(code), text)
            case _:
                known.doubt = f"{code}: {text}"
                log.warning("order %s: %s %s", known.ref, code, text)

    def _refuse(self, known: Known, code: str, text: str) -> None:
        self._end(known, Held(_S.REJECTED, text, code))

    def _refused_late(self, known: Known) -> None:
        """It worked and was refused, unless TWS has said since then that it works: so it is where a
        change that somebody asked for in TWS was refused, and the order lives as it was."""
        if known.refusal is not None and not known.has_ended:
            self._refuse(known, *known.refusal)

    # --- executions

    def execution_told(self, execution: Execution) -> None:
        """An execution that has just happened."""
        told = self._executions.first(execution)
        if told is None:
            return
        known = self._orders.of(told.client_id, told.order_id, told.perm_id, told.ref)
        known.settle()
        if not known.symbol:
            known.symbol = self._symbols.ours(told.contract)
            known.side = Side.BUY if told.bought else Side.SELL
        if told.quantity.is_finite():
            known.executions[fill_id(told.id)] = told.quantity
        total = known.executed if told.total is None else told.total
        if not at_most(total, known.filled):
            known.filled = total
        held = Held(_S.PARTIALLY_FILLED)
        if known.quantity is not None and at_most(known.quantity, total):
            held.status = _S.FILLED
            if not known.has_ended:
                known.status = _S.FILLED
                self._orders.ended(known)
        self._reports.tell_execution(known, held, told)

    def commission_told(self, execution_id: str, fee: Decimal, currency: str) -> None:
        """The commission of an execution; the same may be told again."""
        self._executions.charged(execution_id, fee, currency)
        self._reports.ready(execution_id)

    def lost(self) -> None:
        """The connection has ended, see `Reports.lost`."""
        self._reports.lost()

    def found(self) -> None:
        """It stands again."""
        self._reports.found()

    # --- lists

    def listed(self, known: Known) -> VenueOrder:
        """An order that works, as TWS states it."""
        status = known.status
        if known.filled and status is _S.NEW:
            status = _S.PARTIALLY_FILLED
        return VenueOrder(
            client_order_id=known.ref,
            venue_order_id=known.venue_id,
            symbol=known.symbol,
            side=known.side,
            type=known.type or OrderType.MARKET,
            quantity=NAN if known.quantity is None else known.quantity,
            filled=known.filled,
            average_price=known.average,
            limit_price=known.limit,
            stop_price=known.stop,
            time_in_force=known.tif,
            status=status,
        )

    def completed(self, contract: Any, order: Any, state: Any) -> VenueOrder:
        """An order of the list of those that have ended: its quantity there is what was left."""
        kind = TYPES.get(order.orderType)
        limit, stop = prices(kind, order)
        filled, left = stated(order.filledQuantity) or ZERO, number(order.totalQuantity)
        known = self._orders.of_perm(order.permId)
        whole = None if known is None else known.quantity
        status = ENDED.get(state.status, _S.SUSPENDED)
        if status is _S.REJECTED and filled:
            status = _S.CANCELED
        if known is not None and status in TERMINAL and not known.has_ended:
            known.status = status  # it ended while nobody told us: the answer tells it
            self._orders.ended(known)
        return VenueOrder(
            client_order_id=order.orderRef or ("" if known is None else known.ref),
            venue_order_id=str(order.permId) if order.permId else "",
            symbol=self._symbols.ours(contract),
            side=SIDES.get(order.action, Side.BUY),
            type=kind or OrderType.MARKET,
            quantity=whole or filled + left if order.action in SIDES else NAN,
            filled=filled,
            limit_price=limit,
            stop_price=stop,
            time_in_force=TIMES.get(order.tif),
            status=status,
        )
