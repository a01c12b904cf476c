"""What the user stream says of orders, as reports (C-250, D-44).

The stream tells how much of an order has filled, and not by which executions. So it is a hint, and
the venue's list of executions is what counts: whenever more has filled than was told, that list is
asked about this order, and what it names is told, by the id of the trade. `get_fills_since` reads
the same list, so that one execution has one id whichever way it comes. Nothing is worked out from
the difference of two messages.

What a message says of the state of an order is told after the executions that it counts. Where the
list does not have them yet it is asked again with the next heartbeat; a list that is behind for
`BEHIND_SECONDS` ends the stream, and the engine looks at everything.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final

import msgspec

from brokers.coinbase.wire import ENDED, Trade, Update
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ONE, ZERO
from engine.domain.order import OrderStatus
from engine.ports import BrokerError, Clock, OrderReport

BEHIND_SECONDS: Final = 5.0
KEPT: Final = 5_000
"""So many orders are remembered, those that ended included: an execution is not told twice."""

ROUGHLY: Final = Decimal("0.999")
"""So much of what has filled is all of it, where executions are told in money."""

_S = OrderStatus
_UNTOLD: Final = frozenset({_S.PENDING_NEW, _S.PENDING_CANCEL})
"""States that are news to nobody: the order, or its cancel, was taken, and has not happened."""


class _Entry:
    """One order: what was told of it, and what waits to be."""

    def __init__(self) -> None:
        self.told: dict[str, Decimal] = {}
        """Executions told, by id, with their quantity."""
        self.before = ZERO
        """So much had filled before this connection: the engine looks for that by itself."""
        self.said: tuple[Any, ...] = ()
        """The last report without an execution."""
        self.waits: tuple[Update, Nanos] | None = None
        """The newest message whose executions are not all told, and its time."""
        self.since: Nanos = 0
        """Since when executions are missing, on the monotonic clock."""
        self.asking = False
        self.in_money = False
        """Some of its executions are told as amounts of money, which are rounded."""

    def covers(self, filled: Decimal) -> bool:
        """Whether the executions that are known add up to so much."""
        return self.known >= filled * (ROUGHLY if self.in_money else ONE)

    @property
    def known(self) -> Decimal:
        """How much of it has filled by all that was told, or will be found by a look."""
        return max(self.before, sum(self.told.values(), ZERO))


class Follower:
    """Turns messages about orders into reports."""

    def __init__(
        self,
        account: str,
        clock: Clock,
        *,
        ask: Callable[[str], Awaitable[list[Trade]]],
        tick_of: Callable[[str], Decimal | None],
        tell: Callable[[OrderReport], None],
        behind: Callable[[str], None],
    ) -> None:
        """`ask` gives every execution of an order, oldest first, or raises one of the six errors;
        `tick_of` the grid of a pair's prices, None where it is not known; `behind`
        is told why the stream is not enough any more."""
        self._account = account
        self._clock = clock
        self._ask = ask
        self._tick_of = tick_of
        self._tell = tell
        self._behind = behind
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._owing: dict[str, _Entry] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def snapshot(self, update: Update) -> None:
        """How an order stood when the stream began: the engine looks at it by itself."""
        entry = self._entry(update.order_id)
        if update.filled.is_finite():
            entry.before = max(entry.before, update.filled)

    def heard(self, update: Update, at: Nanos) -> None:
        """A message about an order, of the venue's time `at`."""
        entry = self._entry(update.order_id)
        unreadable = not update.filled.is_finite()  # the engine puts such a report aside, and asks
        if unreadable or (not entry.asking and entry.covers(update.filled)):
            self._settle(entry, update, at)
            return
        if entry.waits is None:
            entry.since = self._clock.monotonic()
        entry.waits = (update, at)
        self._owing[update.order_id] = entry
        self._ask_about(update.order_id, entry)

    def beat(self) -> None:
        """A heartbeat: what is still missing is asked for again."""
        now = self._clock.monotonic()
        for order_id, entry in tuple(self._owing.items()):
            if now - entry.since >= BEHIND_SECONDS * NS_PER_SECOND:
                self._behind(
                    f"more of order {order_id} has filled than the list of executions shows for "
                    f"{BEHIND_SECONDS:g} s"
                )
                return
            self._ask_about(order_id, entry)

    async def stop(self) -> None:
        """The stream is over: nothing more is told of what waits, the engine will look."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        self._owing.clear()
        for entry in self._entries.values():
            entry.waits, entry.said = None, ()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _entry(self, order_id: str) -> _Entry:
        entry = self._entries.get(order_id)
        if entry is None:
            entry = self._entries[order_id] = _Entry()
        self._entries.move_to_end(order_id)
        while len(self._entries) > KEPT:
            self._entries.popitem(last=False)
        return entry

    def _ask_about(self, order_id: str, entry: _Entry) -> None:
        if not entry.asking:
            entry.asking = True
            task = asyncio.create_task(self._tell_trades(order_id, entry), name="fills of an order")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell_trades(self, order_id: str, entry: _Entry) -> None:
        try:
            while (asked_for := entry.waits) is not None:
                try:
                    trades = await self._ask(order_id)
                except BrokerError:
                    return  # the next heartbeat asks again
                newest = entry.waits or asked_for
                update, at = newest
                self._take(entry, update, at, trades)
                if entry.covers(update.filled):
                    entry.waits = None
                    self._owing.pop(order_id, None)
                    self._settle(entry, update, at)
                elif newest is asked_for:
                    return  # the list is behind: the next heartbeat asks again
        except Exception as error:  # an execution that cannot be told is one that is missed
            self._behind(f"the executions of order {order_id} cannot be read: {error}")
        finally:
            entry.asking = False

    def _take(self, entry: _Entry, update: Update, at: Nanos, trades: list[Trade]) -> None:
        """Tell what was not told. The one that completes an order tells that, too."""
        filled = ZERO
        for trade in trades:
            fill = trade.as_fill(self._account, update.client_order_id or "")
            counts = fill.quantity if fill.quantity.is_finite() else ZERO
            filled += counts
            entry.in_money = entry.in_money or bool(trade.size_in_quote)
            if fill.execution_id in entry.told:
                continue
            entry.told[fill.execution_id] = counts
            entry.since = self._clock.monotonic()
            whole = update.state is _S.FILLED and filled >= update.filled
            self._tell(
                OrderReport(
                    account=self._account,
                    client_order_id=fill.client_order_id,
                    venue_order_id=update.order_id,
                    symbol=update.product_id,
                    status=_S.FILLED if whole else _S.PARTIALLY_FILLED,
                    fill=fill,
                    filled=filled,
                    time=fill.time or at,
                )
            )
            still = (_S.PARTIALLY_FILLED, filled, *self._terms(update).values())
            entry.said = (_S.FILLED,) if whole else still

    def _settle(self, entry: _Entry, update: Update, at: Nanos) -> None:
        """Tell the state of an order all of whose executions were told, where it is news."""
        state, terms = update.state, self._terms(update)
        if state in _UNTOLD:
            return
        said = (state,) if state in ENDED else (state, update.filled, *terms.values())
        if said == entry.said:
            return
        entry.said = said
        refused = update.reject_reason if state is _S.REJECTED else update.cancel_reason
        report = OrderReport(
            account=self._account,
            client_order_id=update.client_order_id or "",
            venue_order_id=update.order_id,
            symbol=update.product_id,
            status=state,
            filled=update.filled,
            text=refused or "",
            code=(refused or "FAILED") if state is _S.REJECTED else "",
            time=at,
        )
        self._tell(msgspec.structs.replace(report, **terms))

    def _terms(self, update: Update) -> dict[str, Any]:
        return update.terms(self._tick_of(update.product_id))
