"""What is known of orders at TWS, and the reports that follow from it (C-231, C-232, D-64).

TWS tells of an order in several messages, in any order, some of them twice and some never. An
order is known by its `orderRef`, which is our id, and by its `permId`; its number says which order
it is only on this connection and with the client id, since TWS gives numbers out again. What filled
is the sum of the executions. A report of an execution waits for its commission, which comes in a
message of its own, and whatever else is told of the order waits behind it.
"""

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from brokers.ibkr.codec import Execution, price_of, stated
from brokers.ibkr.refusals import RATE_WAIT, Meaning, meaning_of
from brokers.ibkr.session import Status
from brokers.ibkr.symbols import Symbols
from brokers.net.numbers import NAN, number
from engine.domain.account import VenueOrder
from engine.domain.ids import venue_order_id_of
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.order import (
    TERMINAL,
    Fill,
    OrderStatus,
    OrderTerms,
    OrderType,
    Side,
    TimeInForce,
)
from engine.ports import Ambiguous, BrokerError, Clock, OrderReport, Rejected, Throttled

log = logging.getLogger(__name__)

_S = OrderStatus

STATUSES: Final[dict[str, OrderStatus]] = {
    "ApiPending": _S.PENDING_NEW,
    "PendingSubmit": _S.PENDING_NEW,
    "PreSubmitted": _S.NEW,
    "Submitted": _S.NEW,
    "PendingCancel": _S.PENDING_CANCEL,
    "ApiCancelled": _S.CANCELED,
    "Cancelled": _S.CANCELED,
    "Filled": _S.FILLED,
    "Inactive": _S.SUSPENDED,
}
"""What a word says of an order that works. Inactive is held, unless an error has said that it was
refused (D-64). Another word is SUSPENDED too: the order is there, nobody can say that it has ended,
and the engine keeps its exposure."""

ENDED: Final[dict[str, OrderStatus]] = {
    "ApiCancelled": _S.CANCELED,
    "Cancelled": _S.CANCELED,
    "Filled": _S.FILLED,
    "Inactive": _S.REJECTED,
}
"""What a word says in the list of orders that have ended."""

TYPES: Final[dict[str, OrderType]] = {
    "MKT": OrderType.MARKET,
    "LMT": OrderType.LIMIT,
    "STP": OrderType.STOP,
    "STP LMT": OrderType.STOP_LIMIT,
}
WORDS: Final = {kind: word for word, kind in TYPES.items()}
TIMES: Final[dict[str, TimeInForce]] = {tif.value: tif for tif in TimeInForce}

COMMISSION_SECONDS: Final = 1.0
"""How long an execution waits for its commission."""

EXECUTION_SECONDS: Final = 2.0
"""How long after the word Filled an execution may still be on its way."""

KEPT: Final = 4_096
"""So many orders that have ended, executions and commissions are remembered."""

NO_COMMISSION: Final = "its commission was not told in time, and counts as 0"


def fill_id(execution_id: str) -> str:
    """What is one execution, however often TWS corrects it.

    A correction has the same id but for what follows the last dot, which is one higher. The port
    has no corrections: under this id the engine finds that one execution is told with other
    numbers, takes it not a second time, and blocks the symbol until a person has looked (X-91).
    """
    return execution_id.rpartition(".")[0] or execution_id


def newest(executions: Iterable[Execution]) -> list[Execution]:
    """Each execution once, as it was corrected last, in the order in which they were told."""
    found: dict[str, Execution] = {}
    for told in executions:
        before = found.get(fill_id(told.id))
        if before is None or _revision(told.id) > _revision(before.id):
            # A fill is known by its day too: a correction happened when what it corrects did.
            found[fill_id(told.id)] = told if before is None else replace(told, time=before.time)
    return list(found.values())


def _revision(execution_id: str) -> tuple[int, str]:
    last = execution_id.rpartition(".")[2]
    return len(last), last


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
        """The statuses that were reported."""
        self.refusal: tuple[str, str] | None = None
        self.doubt = ""
        """What TWS has said of it that is in no row of the table."""
        self.executions: dict[str, Decimal] = {}
        self.held: deque[_Held] = deque()
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


class _Held:
    """A report that waits for its turn, or for the commission of its execution."""

    def __init__(self, status: OrderStatus, text: str = "", code: str = "") -> None:
        self.status = status
        self.text = text
        self.code = code
        self.execution: Execution | None = None
        self.is_ready = True


class Orders:
    """All orders of one account that TWS has told of, on whatever connection."""

    def __init__(
        self,
        name: str,
        client_id: int,
        symbols: Symbols,
        clock: Clock,
        put: Callable[[OrderReport], None],
    ) -> None:
        """`name` is the account's under `[brokers]`; `put` takes a report."""
        self._name = name
        self._client_id = client_id
        self._symbols = symbols
        self._clock = clock
        self._put = put
        self._by_number: dict[tuple[int, int], Known] = {}
        self._by_perm: dict[int, Known] = {}
        self._by_ref: dict[str, list[Known]] = {}
        self._ended: deque[Known] = deque()
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._times: OrderedDict[str, Nanos] = OrderedDict()
        """When each execution happened, as it was told first."""
        self._commissions: OrderedDict[str, tuple[Decimal, str]] = OrderedDict()
        self._commission_came = asyncio.Event()
        self._waiting: dict[str, tuple[Known, _Held]] = {}
        """The executions whose commission has not come, and who waits for it."""

    # --- by whom it is known

    def placed(self, order_id: int, order: OrderTerms) -> Known:
        """An order that is about to be sent under this number."""
        known = Known()
        known.ref, known.client_id, known.order_id = (
            order.client_order_id,
            self._client_id,
            order_id,
        )
        known.symbol, known.side, known.type = order.symbol, order.side, order.type
        known.quantity, known.tif = order.quantity, order.time_in_force
        known.limit, known.stop = order.limit_price, order.stop_price
        self._by_number[self._client_id, order_id] = known
        self._by_ref.setdefault(known.ref, []).append(known)
        return known

    def not_sent(self, known: Known) -> None:
        """It was not sent after all."""
        self._forget(known)

    def named(self, client_order_id: str) -> list[Known]:
        """The orders that the engine knows by this id, one unless TWS has two."""
        there = venue_order_id_of(client_order_id)
        if not there:
            return list(self._by_ref.get(client_order_id, ()))
        found = self._by_perm.get(int(there)) if there.isdecimal() else None
        return [] if found is None else [found]

    def known(self, order: Any) -> Known | None:
        """The order that a row of a list is about, None for one that was never told."""
        return self._find(order.clientId, order.orderId, order.permId, order.orderRef)

    def lost(self, why: str) -> None:
        """The connection has ended: numbers mean nothing any more, and nobody gets an answer."""
        for known in self._by_number.values():
            known.order_id = 0
            known.settle(Ambiguous(f"after it was sent: {why}"))
            known.settle_cancel(Ambiguous(f"after its cancel was asked for: {why}"))
        self._by_number.clear()

    def _find(self, client_id: int, order_id: int, perm_id: int, ref: str | None) -> Known | None:
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

    def _learn(self, known: Known, client_id: int, order_id: int, perm_id: int) -> None:
        if order_id:
            known.client_id, known.order_id = client_id, order_id
            self._by_number[client_id, order_id] = known
        if perm_id:
            known.perm_id = perm_id
            self._by_perm[perm_id] = known

    def _known(self, client_id: int, order_id: int, perm_id: int, ref: str) -> Known:
        known = self._find(client_id, order_id, perm_id, ref)
        if known is None:
            known = Known()
            known.ref = ref
            self._by_ref.setdefault(ref, []).append(known)
        self._learn(known, client_id, order_id, perm_id)
        return known

    # --- what is told of orders

    def order_told(self, contract: Any, order: Any, state: Any) -> Known:
        """An openOrder: everything but what has filled."""
        known = self._known(order.clientId, order.orderId, order.permId, order.orderRef)
        self._terms(known, contract, order)
        self._status(known, state.status)
        return known

    def _terms(self, known: Known, contract: Any, order: Any) -> None:
        known.account = order.account
        known.symbol = self._symbols.ours(contract)
        known.side = Side.BUY if order.action == "BUY" else Side.SELL
        known.type = TYPES.get(order.orderType)
        known.quantity = stated(order.totalQuantity)
        known.limit, known.stop = _prices(known.type, order)
        known.tif = TIMES.get(order.tif)

    def status_told(self, told: Status) -> Known | None:
        """An orderStatus, which does not say our id."""
        known = self._find(told.client_id, told.order_id, told.perm_id, None)
        if known is None:
            log.warning("TWS tells of order %s that it has not described", told.perm_id)
            return None
        self._learn(known, told.client_id, told.order_id, told.perm_id)
        filled = stated(told.filled)
        if filled is not None and not _at_most(filled, known.filled):
            known.filled = filled
            known.average = price_of(told.average)
        self._status(known, told.status)
        return known

    def _status(self, known: Known, word: str) -> None:
        status = STATUSES.get(word)
        if status is None:
            log.warning("TWS says %r of order %s, a word that is not known", word, known.ref)
            status = _S.SUSPENDED
        known.settle()
        if status in TERMINAL or status is _S.PENDING_CANCEL:
            is_late = status is _S.FILLED
            gone = Rejected("FILLED", f"order {known.ref} has filled") if is_late else None
            known.settle_cancel(gone)
        if known.status is _S.REJECTED and status is _S.NEW:
            # It lives all the same: the engine finds it in the list, and nobody hides it.
            log.error("TWS works order %s, which it has refused: %s", known.ref, known.refusal)
            known.status = status
        if known.has_ended:
            return  # an end stands, whatever is told later
        match status:
            case _S.CANCELED:
                self._end(known, _Held(status))
            case _S.FILLED:
                self._filled(known)
            case _S.NEW | _S.SUSPENDED:
                known.status = status
                self._once(known, status)
            case _:
                known.status = status

    def _once(self, known: Known, status: OrderStatus, text: str = "") -> None:
        if status not in known.told:
            self._tell(known, _Held(status, text))

    def _filled(self, known: Known) -> None:
        """TWS says that all of it has filled; the executions say it where they came."""
        if not known.executed or not _at_most(known.filled, known.executed):
            asyncio.get_running_loop().call_later(EXECUTION_SECONDS, self._filled_late, known)
        else:
            self._filled_late(known)

    def _filled_late(self, known: Known) -> None:
        """All of it has filled, whatever of that was told: the engine asks for what is missing."""
        if not known.has_ended:
            self._end(known, _Held(_S.FILLED))

    def _end(self, known: Known, last: _Held) -> None:
        known.status = last.status
        known.settle_cancel()
        self._ended.append(known)
        if last.status not in known.told:
            self._tell(known, last)
        while len(self._ended) > KEPT:
            self._forget(self._ended.popleft())

    def _forget(self, known: Known) -> None:
        number_there = (known.client_id, known.order_id)
        if self._by_number.get(number_there) is known:
            del self._by_number[number_there]
        self._by_perm.pop(known.perm_id, None)
        same = [k for k in self._by_ref.get(known.ref, ()) if k is not known]
        if same:
            self._by_ref[known.ref] = same
        else:
            self._by_ref.pop(known.ref, None)

    # --- errors

    def error_told(self, order_id: int, code: int, text: str) -> None:
        """An error with the number of an order of ours."""
        known = self._by_number.get((self._client_id, order_id))
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
                    self._end(known, _Held(_S.CANCELED, text, str(code)))
            case Meaning.CANCEL_REFUSED:
                known.settle_cancel(Rejected(str(code), text))
            case Meaning.RATE if waits:
                known.settle(Throttled(f"{code}: {text}", RATE_WAIT))
            case Meaning.RATE:
                known.settle_cancel(Throttled(f"{code}: {text}", RATE_WAIT))
            case Meaning.REFUSED if cancels and not waits:
                known.settle_cancel(Rejected(str(code), text))
            case Meaning.REFUSED if not known.has_ended:
                known.refusal = (str(code), text)
                if waits:  # who sent it hears of it
                    known.told.add(_S.REJECTED)
                known.settle(Rejected(str(code), text))
                self._end(known, _Held(_S.REJECTED, text, str(code)))
            case _:
                known.doubt = f"{code}: {text}"
                log.warning("order %s: %s %s", known.ref, code, text)

    # --- executions

    def execution_told(self, told: Execution) -> None:
        """An execution that has just happened."""
        if told.id in self._seen:
            return
        _keep(self._seen, told.id, None)
        if fill_id(told.id) in self._times:
            told = replace(told, time=self._times[fill_id(told.id)])
        _keep(self._times, fill_id(told.id), told.time)
        known = self._known(told.client_id, told.order_id, told.perm_id, told.ref)
        known.settle()
        if not known.symbol:
            known.symbol = self._symbols.ours(told.contract)
            known.side = Side.BUY if told.bought else Side.SELL
        if told.quantity.is_finite():
            known.executions[fill_id(told.id)] = told.quantity
        total = known.executed if told.total is None else told.total
        if not _at_most(total, known.filled):
            known.filled = total
        held = _Held(_S.PARTIALLY_FILLED)
        held.execution = told
        if known.quantity is not None and _at_most(known.quantity, total):
            held.status = _S.FILLED
            if not known.has_ended:
                known.status = _S.FILLED
                self._ended.append(known)
        if told.id not in self._commissions:
            held.is_ready = False
            self._waiting[told.id] = (known, held)
            asyncio.get_running_loop().call_later(COMMISSION_SECONDS, self._ready, told.id)
        self._tell(known, held)

    def commission_told(self, execution_id: str, fee: Decimal, currency: str) -> None:
        """The commission of an execution; the same may be told again."""
        _keep(self._commissions, execution_id, (fee, currency))
        self._commission_came.set()
        self._ready(execution_id)

    async def commissions_of(self, executions: list[Execution]) -> None:
        """Wait until the commissions of these are told, and no longer than for one of them."""
        try:
            async with asyncio.timeout(COMMISSION_SECONDS):
                while any(told.id not in self._commissions for told in executions):
                    self._commission_came.clear()
                    await self._commission_came.wait()
        except TimeoutError:
            log.warning("TWS has executions of which it does not tell the commission")

    def fill(self, told: Execution) -> Fill:
        """An execution as the engine knows it."""
        fee, currency = self._commissions.get(told.id, (ZERO, ""))
        return Fill(
            execution_id=fill_id(told.id),
            client_order_id=told.ref,
            venue_order_id=str(told.perm_id) if told.perm_id else "",
            account=self._name,
            symbol=self._symbols.ours(told.contract),
            side=Side.BUY if told.bought else Side.SELL,
            quantity=told.quantity,
            price=told.price,
            commission=fee,
            commission_currency=currency,
            time=told.time,
        )

    # --- reports

    def _tell(self, known: Known, held: _Held) -> None:
        known.told.add(held.status)
        if held.execution is None and known.client_id != self._client_id:
            return  # of another program: it is told in lists alone, and these the engine asks for
        known.held.append(held)
        self._release(known)

    def _ready(self, execution_id: str) -> None:
        """An execution waits no longer. Does nothing where it does not wait."""
        known, held = self._waiting.pop(execution_id, (None, None))
        if known is not None and held is not None:
            held.is_ready = True
            self._release(known)

    def _release(self, known: Known) -> None:
        """Hand on what waits for nothing, in the order in which it was told."""
        while known.held and known.held[0].is_ready:
            self._put(self._report(known, known.held.popleft()))

    def _report(self, known: Known, held: _Held) -> OrderReport:
        told, text = held.execution, held.text
        fill = None if told is None else self.fill(told)
        if told is not None and told.id not in self._commissions:
            text = NO_COMMISSION
        return OrderReport(
            account=self._name,
            client_order_id=known.ref,
            venue_order_id=known.venue_id,
            symbol=known.symbol,
            status=held.status,
            fill=fill,
            filled=known.filled if told is None or told.total is None else told.total,
            quantity=known.quantity,
            limit_price=known.limit,
            stop_price=known.stop,
            time_in_force=known.tif,
            text=text,
            code=held.code,
            time=self._clock.now(),
        )

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
        limit, stop = _prices(kind, order)
        filled, left = stated(order.filledQuantity) or ZERO, number(order.totalQuantity)
        known = self._by_perm.get(order.permId)
        whole = None if known is None else known.quantity
        status = ENDED.get(state.status, _S.SUSPENDED)
        if status is _S.REJECTED and filled:
            status = _S.CANCELED
        if known is not None and status in TERMINAL and not known.has_ended:
            known.status = status  # it ended while nobody told us: the answer tells it
            self._ended.append(known)
        return VenueOrder(
            client_order_id=order.orderRef or ("" if known is None else known.ref),
            venue_order_id=str(order.permId) if order.permId else "",
            symbol=self._symbols.ours(contract),
            side=Side.BUY if order.action == "BUY" else Side.SELL,
            type=kind or OrderType.MARKET,
            quantity=whole or filled + left,
            filled=filled,
            limit_price=limit,
            stop_price=stop,
            time_in_force=TIMES.get(order.tif),
            status=status,
        )


def _prices(kind: OrderType | None, order: Any) -> tuple[Decimal | None, Decimal | None]:
    """Limit and stop. A type that is none of ours, such as a trailing stop, has a limit that is no
    number: its row is put aside with its symbol, and nobody takes it for what it is not."""
    if kind is None:
        return NAN, None
    limit = price_of(order.lmtPrice) if kind in {OrderType.LIMIT, OrderType.STOP_LIMIT} else None
    stop = price_of(order.auxPrice) if kind in {OrderType.STOP, OrderType.STOP_LIMIT} else None
    return limit, stop


def _set(answer: asyncio.Future[None] | None, error: BrokerError | None) -> None:
    if answer is None or answer.done():
        return
    if error is None:
        answer.set_result(None)
        return
    answer.set_exception(error)
    answer.exception()  # nobody may be left to hear it


def _keep(kept: OrderedDict[str, Any], key: str, value: Any) -> None:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > KEPT:
        kept.popitem(last=False)


def _at_most(number: Decimal, limit: Decimal) -> bool:
    """Whether both are numbers, and the first is no more than the second."""
    return number.is_finite() and limit.is_finite() and number <= limit
