"""The reports that follow from what TWS tells, in the order in which it told it (C-232).

A report of an execution waits for its commission, which comes in a message of its own, and whatever
else is told of the order waits behind it.
"""

import asyncio
from collections.abc import Callable
from decimal import Decimal

from brokers.ibkr import executions
from brokers.ibkr.codec import Execution, at_most
from brokers.ibkr.executions import NO_COMMISSION, Executions
from brokers.ibkr.known import Held, Known
from engine.domain.order import TERMINAL, OrderStatus
from engine.ports import Clock, OrderReport


class Reports:
    """Those of one account."""

    def __init__(
        self,
        *,
        name: str,
        client_id: int,
        clock: Clock,
        executed: Executions,
        put: Callable[[OrderReport], None],
    ) -> None:
        """`name` is the account's under `[brokers]`; `put` takes a report."""
        self._name = name
        self._client_id = client_id
        self._clock = clock
        self._executions = executed
        self._put = put
        self._waiting: dict[str, tuple[Known, Held]] = {}
        """The executions whose commission has not come, and who waits for it."""
        self._limits: dict[str, asyncio.TimerHandle] | None = {}
        """When each of them is waited for no longer; None while there is no connection, on which
        none can come."""

    def tell(self, known: Known, held: Held) -> None:
        """Report this of an order, after whatever was told of it before."""
        # It may be held, work again, and be held once more: each is news.
        if held.status is OrderStatus.SUSPENDED:
            known.told.discard(OrderStatus.NEW)
        elif held.status is OrderStatus.NEW:
            known.told.discard(OrderStatus.SUSPENDED)
        known.told.add(held.status)
        if held.execution is None and known.client_id != self._client_id:
            return  # of another program: it is told in lists alone, and these the engine asks for
        known.held.append(held)
        self._release(known)

    def tell_execution(self, known: Known, held: Held, told: Execution) -> None:
        """The same of an execution, once its commission is told, or does not come in time."""
        held.execution = told
        if not self._executions.is_charged(told.id):
            held.is_ready = False
            self._waiting[told.id] = (known, held)
            self._limit(told.id)
        self.tell(known, held)

    def ready(self, execution_id: str) -> None:
        """An execution waits no longer. Does nothing where it does not wait."""
        known, held = self._waiting.pop(execution_id, (None, None))
        limit = (self._limits or {}).pop(execution_id, None)
        if limit is not None:
            limit.cancel()
        if known is not None and held is not None:
            held.is_ready = True
            self._release(known)

    def _limit(self, execution_id: str) -> None:
        """Wait for a commission from now on, and not for long."""
        if self._limits is not None:
            loop = asyncio.get_running_loop()
            limit = loop.call_later(executions.COMMISSION_SECONDS, self.ready, execution_id)
            self._limits[execution_id] = limit

    def lost(self) -> None:
        """The connection has ended. An execution that waits for its commission waits on: told
        without it, it would cost nothing for ever."""
        limits, self._limits = self._limits or {}, None
        for limit in limits.values():
            limit.cancel()

    def found(self) -> None:
        """It stands again: the executions are asked for, and their commissions come with them."""
        self._limits = {}
        for execution_id in self._waiting:
            self._limit(execution_id)

    def _release(self, known: Known) -> None:
        """Hand on what waits for nothing, in the order in which it was told."""
        while known.held and known.held[0].is_ready:
            self._put(self._report(known, known.held.popleft()))

    def _report(self, known: Known, held: Held) -> OrderReport:
        told, text = held.execution, held.text
        fill = None if told is None else self._executions.fill(told)
        if told is not None and not self._executions.is_charged(told.id):
            text = NO_COMMISSION
        return OrderReport(
            account=self._name,
            client_order_id=known.ref,
            venue_order_id=known.venue_id,
            symbol=known.symbol,
            status=held.status,
            fill=fill,
            filled=_filled_by_then(known, held),
            quantity=known.quantity,
            limit_price=known.limit,
            stop_price=known.stop,
            time_in_force=known.tif,
            text=text,
            code=held.code,
            time=self._clock.now(),
        )


def _filled_by_then(known: Known, held: Held) -> Decimal | None:
    """How much of the order had filled by then; None where nobody has said it.

    What was told of it before it ended is less than that where an execution was lost: an end has a
    number only from what told the end, and the whole order only from a number that is as large.
    """
    if held.execution is not None and held.execution.total is not None:
        return held.execution.total
    if held.execution is not None or held.status not in TERMINAL:
        return known.filled
    if held.status is OrderStatus.FILLED:
        whole = known.quantity
        return known.filled if whole is not None and at_most(whole, known.filled) else None
    return known.filled if held.is_counted else None
