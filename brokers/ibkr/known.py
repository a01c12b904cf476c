"""The orders that TWS has told of, and by what each of them is known (C-232).

An order is known by its `orderRef`, which is our id, and by its `permId`; its number says which
order it is only on this connection and with the client id, since TWS gives numbers out again.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterable
from decimal import Decimal
from itertools import chain
from typing import Any, Final, TypeVar

from brokers.ibkr.codec import Execution
from engine.domain.ids import venue_order_id_of
from engine.domain.money import ZERO
from engine.domain.order import (
    TERMINAL,
    OrderStatus,
    OrderTerms,
    OrderType,
    Side,
    TimeInForce,
)
from engine.ports import Ambiguous, BrokerError

T = TypeVar("T")

_S = OrderStatus

KEPT: Final = 4_096
"""So many orders that have ended, executions and commissions are remembered."""


class Known:
    """One order at TWS."""

    def __init__(self) -> None:
        self.ref = ""
        self.client_id = 0
        self.order_id = 0
        """Its number on this connection; 0 where none is known."""
        self.perm_id = 0
        self.account = ""
        self.symbol = ""
        self.side = Side.BUY
        self.type: OrderType | None = None
        self.quantity: Decimal | None = None
        self.limit: Decimal | None = None
        self.stop: Decimal | None = None
        self.tif: TimeInForce | None = None
        self.status = _S.PENDING_NEW
        self.filled = ZERO
        self.average: Decimal | None = None
        self.told: set[OrderStatus] = set()
        """The statuses that were reported; of held and working only the newer one."""
        self.refusal: tuple[str, str] | None = None
        """Code and text of an error that says that this order, which worked, was refused; None
        once TWS has said again that it works."""
        self.doubt = ""
        """What TWS has said of it that is in no row of the table."""
        self.executions: dict[str, Decimal] = {}
        self.held: deque[Held] = deque()
        self.answer: asyncio.Future[None] | None = None
        """Who sent it waits for a word about it."""
        self.cancel: asyncio.Future[None] | None = None
        """Who asked for its cancel waits."""

    @property
    def venue_id(self) -> str:
        return str(self.perm_id) if self.perm_id else ""

    @property
    def has_ended(self) -> bool:
        return self.status in TERMINAL

    @property
    def executed(self) -> Decimal:
        return sum(self.executions.values(), ZERO)

    def settle(self, error: BrokerError | None = None) -> None:
        """Answer who sent it."""
        _set(self.answer, error)

    def settle_cancel(self, error: BrokerError | None = None) -> None:
        """Answer who asked for its cancel."""
        _set(self.cancel, error)


class Held:
    """A report that waits for its turn, or for the commission of its execution."""

    def __init__(self, status: OrderStatus, text: str = "", code: str = "") -> None:
        self.status = status
        self.text = text
        self.code = code
        self.execution: Execution | None = None
        self.is_counted = False
        """What told it also told how much of the order has filled."""
        self.is_ready = True


class KnownOrders:
    """All of them, on whatever connection."""

    def __init__(self, client_id: int) -> None:
        self._client_id = client_id
        self._by_number: dict[tuple[int, int], Known] = {}
        self._by_perm: dict[int, Known] = {}
        self._by_ref: dict[str, list[Known]] = {}
        self._ended: deque[Known] = deque()

    def __len__(self) -> int:
        """How many are remembered."""
        return sum(map(len, self._by_ref.values()))

    def placed(self, order_id: int, order: OrderTerms) -> Known:
        """An order that is about to be sent under this number."""
        known = Known()
        known.ref = order.client_order_id
        known.client_id, known.order_id = self._client_id, order_id
        known.symbol, known.side, known.type = order.symbol, order.side, order.type
        known.quantity, known.tif = order.quantity, order.time_in_force
        known.limit, known.stop = order.limit_price, order.stop_price
        self._by_number[self._client_id, order_id] = known
        self._by_ref.setdefault(known.ref, []).append(known)
        return known

    def named(self, client_order_id: str) -> list[Known]:
        """The orders that the engine knows by this id, one unless TWS has two."""
        there = venue_order_id_of(client_order_id)
        if not there:
            return list(self._by_ref.get(client_order_id, ()))
        found = self._by_perm.get(int(there)) if there.isdecimal() else None
        return [] if found is None else [found]

    def row(self, order: Any) -> Known | None:
        """The order that a row of a list is about, None for one that was never told."""
        return self.find(order.clientId, order.orderId, order.permId, order.orderRef)

    def listed(self, rows: Iterable[Any]) -> list[Known]:
        """The orders of the rows of a whole list, each once.

        An order of another program that is not among them has ended, which nobody tells us: it is
        forgotten.
        """
        found = {id(known): known for row in rows if (known := self.row(row)) is not None}
        for known in tuple(chain.from_iterable(self._by_ref.values())):
            if known.client_id != self._client_id and id(known) not in found:
                self.forget(known)
        return list(found.values())

    def lost(self, why: str) -> None:
        """The connection has ended: numbers mean nothing any more, and nobody gets an answer."""
        for known in chain.from_iterable(self._by_ref.values()):
            known.order_id = 0
            known.settle(Ambiguous(f"after it was sent: {why}"))
            known.settle_cancel(Ambiguous(f"after its cancel was asked for: {why}"))
        self._by_number.clear()

    def find(self, client_id: int, order_id: int, perm_id: int, ref: str | None) -> Known | None:
        """The order that a message is about. `ref` None: the message does not say."""
        known = self._by_perm.get(perm_id) if perm_id else None
        if known is None and order_id:
            known = self._by_number.get((client_id, order_id))
            if known is not None and (
                (known.perm_id and perm_id and known.perm_id != perm_id)
                or (ref is not None and known.ref != ref)
            ):
                known = None  # a number that was given out again
        if known is None and ref:
            # Sent on a connection that broke before anything was told of it.
            known = next((k for k in self._by_ref.get(ref, ()) if not k.perm_id), None)
        return known

    def learn(self, known: Known, client_id: int, order_id: int, perm_id: int) -> None:
        """By what else an order is known."""
        if order_id:
            before = (known.client_id, known.order_id)
            if self._by_number.get(before) is known:
                del self._by_number[before]
            known.client_id, known.order_id = client_id, order_id
            self._by_number[client_id, order_id] = known
        if perm_id:
            known.perm_id = perm_id
            self._by_perm[perm_id] = known

    def of(self, client_id: int, order_id: int, perm_id: int, ref: str) -> Known:
        """The order that a message is about, from now on known by all that it says."""
        known = self.find(client_id, order_id, perm_id, ref)
        if known is None:
            known = Known()
            known.ref = ref
            self._by_ref.setdefault(ref, []).append(known)
        self.learn(known, client_id, order_id, perm_id)
        return known

    def of_number(self, order_id: int) -> Known | None:
        """Our order with this number on this connection."""
        return self._by_number.get((self._client_id, order_id))

    def of_perm(self, perm_id: int) -> Known | None:
        return self._by_perm.get(perm_id)

    def ended(self, known: Known) -> None:
        """It has ended: it is remembered for as long as not too many have ended after it."""
        self._ended.append(known)
        while len(self._ended) > KEPT:
            self.forget(self._ended.popleft())

    def forget(self, known: Known) -> None:
        """It was not sent after all, or ended long ago."""
        number_there = (known.client_id, known.order_id)
        if self._by_number.get(number_there) is known:
            del self._by_number[number_there]
        self._by_perm.pop(known.perm_id, None)
        same = [k for k in self._by_ref.get(known.ref, ()) if k is not known]
        if same:
            self._by_ref[known.ref] = same
        else:
            self._by_ref.pop(known.ref, None)


def _set(answer: asyncio.Future[None] | None, error: BrokerError | None) -> None:
    if answer is None or answer.done():
        return
    if error is None:
        answer.set_result(None)
        return
    answer.set_exception(error)
    answer.exception()  # nobody may be left to hear it


def keep(kept: OrderedDict[str, T], key: str, value: T) -> None:
    """Remember a value under a key; what was remembered first is forgotten where it is too much."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > KEPT:
        kept.popitem(last=False)
