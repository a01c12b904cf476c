"""What the private streams tell of orders and stops, as reports with every execution (C-260).

An event of an order says how much of it has filled in all. Where that is more than was told of it
before, an event was missed, and the executions of the order are asked for.
"""

import asyncio
import contextlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers.inbox import AccountInbox
from brokers.net.numbers import number, number_or_none
from brokers.okx.lists import Lists
from brokers.okx.translation import fill_of_event, report_of, report_of_stop
from brokers.okx.wire import AlgoRow, OrderRow
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.order import Fill
from engine.ports import BrokerError

REMEMBERED: Final = 20_000
"""Of so many orders it is remembered how much was told as filled, the newest."""


class Reports:
    """Puts what the streams of one account tell into its inbox; `now` is the venue's time."""

    def __init__(
        self, account: str, inbox: AccountInbox, lists: Lists, now: Callable[[], Nanos]
    ) -> None:
        self._account = account
        self._inbox = inbox
        self._lists = lists
        self._now = now
        self._told: dict[str, Decimal] = {}
        """How much of each order the stream has told as filled, by the venue's id."""
        self._tasks: set[asyncio.Task[None]] = set()

    def order(self, row: OrderRow) -> None:
        """An event of the channel `orders`.

        Where it counts more as filled than was told, an event was missed, or it comes without its
        execution, as that of a market order may: the executions of the order are asked for.
        """
        filled, part = number(row.acc_fill_sz), number_or_none(row.fill_sz) or ZERO
        if filled.is_finite() and part.is_finite():
            before = self._told.pop(row.ord_id, ZERO)
            self._told[row.ord_id] = max(filled, before)
            if len(self._told) > REMEMBERED:
                del self._told[next(iter(self._told))]
            if filled - part > before:
                self._later(lambda: self._top_up(row))
                return
        self._put(row, fill_of_event(self._account, row))

    def stop(self, row: AlgoRow) -> None:
        """An event of the channel `orders-algo`; a stop that has triggered is told as an order."""
        report = report_of_stop(self._account, row, self._now())
        if report is not None:
            self._inbox.put(report)

    def forget(self) -> None:
        """The stream has ended: the next one tells anew how much has filled."""
        self._told.clear()

    async def end(self) -> None:
        """Leave off asking for executions; returns once nothing is asked any more."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _put(self, row: OrderRow, fill: Fill | None) -> None:
        self._inbox.put(report_of(self._account, row, fill, self._now()))

    async def _top_up(self, row: OrderRow) -> None:
        """Tell every execution of an order, and its state with the last. Where they cannot be had
        the state is told all the same: the engine then asks by itself (U-21)."""
        fills: tuple[Fill, ...] = ()
        with contextlib.suppress(BrokerError):
            fills = await self._lists.fills_of(row)
        own = fill_of_event(self._account, row)
        if own is not None and own not in fills:
            fills = (*fills, own)
        counted = ZERO
        for fill in fills[:-1]:
            counted += fill.quantity
            state = {"state": "partially_filled", "acc_fill_sz": counted}
            self._put(msgspec.structs.replace(row, **state), fill)
        self._put(row, fills[-1] if fills else None)

    def _later(self, work: Callable[[], Any]) -> None:
        task = asyncio.create_task(work(), name=f"executions at {self._account}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
