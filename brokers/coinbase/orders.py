"""What is asked of Coinbase about orders: placing, cancelling, looking up, and their executions."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from brokers.coinbase.api import Api
from brokers.coinbase.known import KnownOrders
from brokers.coinbase.products import Products
from brokers.coinbase.refusals import ErrorResponse, cancel_refused, order_refused
from brokers.coinbase.terms import order_body
from brokers.coinbase.wire import (
    WAITING,
    CancelResults,
    OneOrder,
    Order,
    Orders,
    Taken,
    Trade,
    Trades,
)
from brokers.net.numbers import number, time_of
from brokers.net.unsent import nothing_sent_yet
from engine.domain.account import VenueOrder
from engine.domain.ids import FACT_DIGITS, MOMENT_DIGITS, moment_of, venue_order_id_of
from engine.domain.instant import NS_PER_SECOND, Nanos, rfc3339
from engine.domain.order import NS_PER_DAY, Fill, OrderTerms
from engine.ports import Ambiguous, BrokerError, Rejected

CANCELLED_AT_ONCE: Final = 100
"""The venue takes so many ids in one cancel."""

LISTED_AT_ONCE: Final = "100"
ASKED_AT_ONCE: Final = 50
BATCH: Final = "/orders/historical/batch"
FILLS: Final = "/orders/historical/fills"

EARLIER: Final = 60 * NS_PER_SECOND
"""The list of executions is asked for from so much before: it goes by when the venue wrote an
execution down, and what is wanted goes by when it happened."""


class OrderAnswer(msgspec.Struct, frozen=True):
    """The answer to an order, which is HTTP 200 for one that is refused too."""

    success: bool = False
    failure_reason: str | None = ""
    order_id: str | None = ""
    success_response: Taken | None = None
    error_response: ErrorResponse | None = None
    order_configuration: dict[str, dict[str, Any] | None] | None = None


class OrderDesk:
    """The orders of one account at the venue."""

    def __init__(self, account: str, api: Api, products: Products, known: KnownOrders) -> None:
        self._account = account
        self._api = api
        self._products = products
        self._known = known

    async def submit(self, order: OrderTerms) -> None:
        """Place an order. Raises as `Broker.submit_order`.

        The venue takes no second order of an id: it answers with the first one, as if that had just
        been placed. So it is refused as a duplicate where the id was known before it was sent, and
        where what comes back is another order than this one.
        """
        with nothing_sent_yet(f"the grid of {order.symbol} could not be asked for"):
            product = await self._products.of(order.symbol)
        body = order_body(order, product)
        key, before = order.client_order_id, self._known.there(order.client_order_id)
        answer: OrderAnswer = await self._api.post(
            "/orders", body, OrderAnswer, urgent=order.reduce_only or not order.adds_exposure
        )
        if not answer.success:
            said = answer.error_response or ErrorResponse()
            raise order_refused(said, answer.failure_reason or "")
        taken = answer.success_response or Taken()
        there = taken.order_id or answer.order_id or ""
        if not there:
            raise Ambiguous("the order was taken, and the venue does not say as which")
        self._known.learn(key, there)
        if before:
            raise Rejected("DUPLICATE_ID", f"the id {key} is that of order {before} already")
        if other := _difference(body, taken, answer.order_configuration):
            raise Rejected("DUPLICATE_ID", f"the id {key} is that of order {there}: {other}")

    async def cancel(self, keys: Sequence[str]) -> dict[str, BrokerError]:
        """Ask for the cancel of orders; why, by id, for each that was not taken. Raises one of the
        six errors where nothing was asked."""
        there = await self._named_there(keys)
        refused: dict[str, BrokerError] = {
            key: Rejected("UNKNOWN_ORDER", f"Coinbase works no order {key}")
            for key in keys
            if not there[key]
        }
        asked = [key for key in keys if there[key]]
        for begin in range(0, len(asked), CANCELLED_AT_ONCE):
            part = asked[begin : begin + CANCELLED_AT_ONCE]
            try:
                refused |= await self._cancel_part({there[key]: key for key in part})
            except BrokerError as error:
                if len(asked) <= CANCELLED_AT_ONCE:
                    raise
                refused |= dict.fromkeys(part, error)
        return refused

    async def _cancel_part(self, keys: Mapping[str, str]) -> dict[str, BrokerError]:
        """One request; `keys` are our ids by the venue's."""
        body = {"order_ids": list(keys)}
        answer: CancelResults = await self._api.post(
            "/orders/batch_cancel", body, CancelResults, urgent=True
        )
        refused: dict[str, BrokerError] = {
            key: Ambiguous(f"the venue says nothing of the cancel of order {there}")
            for there, key in keys.items()
        }
        for result in answer.results:
            key = keys.get(result.order_id)
            if key is None:
                continue
            error = None if result.success else cancel_refused(result.failure_reason or "")
            if error is None:
                refused.pop(key, None)
            else:
                refused[key] = error
        return refused

    async def _named_there(self, keys: Sequence[str]) -> dict[str, str]:
        """What the venue calls each order, "" for one that it does not work."""
        found = {key: venue_order_id_of(key) or self._known.there(key) for key in keys}
        if not all(found.values()):
            await self.working()
            found = {key: there or self._known.there(key) for key, there in found.items()}
        return found

    async def find(self, key: str) -> VenueOrder | None:
        """The order of that id as the venue states it, None for one that it does not know.

        It answers only by its own id. One that this process has not seen is looked for in the list
        of all orders, from the moment on that an id of the engine begins with.
        """
        there = venue_order_id_of(key) or self._known.there(key)
        if not there:
            listed = await self._listed(_created_since(key), wanted=key)
            same = (order for order in listed if order.client_order_id == key)
            return next((self._stated(order) for order in same), None)
        path = f"/orders/historical/{there}"
        try:
            answer: OneOrder = await self._api.get(path, OneOrder, urgent=True)
        except Rejected as error:
            if error.code in {"NOT_FOUND", "HTTP_404"}:
                return None
            raise
        if answer.order.order_id != there:
            raise Ambiguous(f"asked about order {there}, it answers about {answer.order.order_id}")
        return self._stated(answer.order)

    async def working(self) -> tuple[VenueOrder, ...]:
        """Every order that can still fill.

        The list of open orders leaves out those that wait for something to be done to them, which
        are asked for first: what becomes open meanwhile is then in one of the two lists.
        """
        waiting = await self._listed([("order_status", word) for word in WAITING])
        opened = await self._listed([("order_status", "OPEN")])
        newest = {order.order_id: order for order in (*waiting, *opened)}
        found = map(self._stated, newest.values())
        return tuple(order for order in found if not order.status.is_terminal)

    async def fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """Every execution at or after `since`, oldest first."""
        query = [("start_sequence_timestamp", rfc3339(since - EARLIER))] if since > EARLIER else []
        trades = await self._trades(query, urgent=True)
        await self._learn({trade.order_id for trade in trades})
        fills = [t.as_fill(self._account, self._known.here(t.order_id) or "") for t in trades]
        return tuple(fill for fill in fills if fill.time >= since or not fill.time)

    async def trades_of(self, order_id: str) -> list[Trade]:
        """Every execution of one order, oldest first. It can be asked again a second later, so that
        a storm of executions takes nothing of what is kept for cancels."""
        trades = await self._trades([("order_ids", order_id)], urgent=False)
        return [trade for trade in trades if trade.order_id == order_id]

    async def _trades(self, query: list[tuple[str, str]], *, urgent: bool) -> list[Trade]:
        """Executions, oldest first; the venue lists them the other way round."""
        limited = [*query, ("limit", LISTED_AT_ONCE)]
        pages = await self._api.pages(FILLS, Trades, limited, urgent=urgent)
        listed = [trade for page in pages for trade in page.fills]
        once = {(trade.order_id, trade.execution_id): trade for trade in reversed(listed)}
        return sorted(once.values(), key=lambda trade: time_of(trade.trade_time))

    async def _listed(self, query: list[tuple[str, str]], *, wanted: str = "") -> list[Order]:
        """Orders, newest first; with `wanted` no more than up to the one of that id."""

        def has_it(page: Orders) -> bool:
            return bool(wanted) and any(o.client_order_id == wanted for o in page.orders)

        limited = [*query, ("limit", LISTED_AT_ONCE)]
        pages = await self._api.pages(BATCH, Orders, limited, enough=has_it, urgent=True)
        listed = [order for page in pages for order in page.orders]
        for order in listed:
            self._known.learn(order.client_order_id or "", order.order_id)
        return listed

    def _stated(self, order: Order) -> VenueOrder:
        return order.as_venue_order(self._products.tick_of(order.product_id))

    async def _learn(self, order_ids: Iterable[str]) -> None:
        """Ask which orders those are of which that is not known: an execution names only what the
        venue calls its order."""
        unknown = sorted(i for i in order_ids if i and self._known.here(i) is None)
        for begin in range(0, len(unknown), ASKED_AT_ONCE):
            part = unknown[begin : begin + ASKED_AT_ONCE]
            await self._listed([("order_ids", order_id) for order_id in part])


def _difference(
    sent: Mapping[str, Any], taken: Taken, configured: Mapping[str, Mapping[str, Any] | None] | None
) -> str:
    """How what the venue answers with is not what was sent, in one clause; "" where it is, as far
    as the answer says."""
    for name in ("client_order_id", "product_id", "side"):
        there = getattr(taken, name)
        if there and there != sent[name]:
            return f"its {name} is {there}, and {sent[name]} was sent"
    for name, fields in (configured or {}).items():
        mine = sent["order_configuration"].get(name)
        if mine is None:
            return f"it is a {name}, and {', '.join(sent['order_configuration'])} was sent"
        for field, there in (fields or {}).items():
            if field in mine and not _same(there, mine[field]):
                return f"its {field} is {there}, and {mine[field]} was sent"
    return ""


def _same(there: Any, mine: Any) -> bool:
    """The same word, or the same number however it is written."""
    if there == mine:
        return True
    first, second = number(there), number(mine)
    return first.is_finite() and second.is_finite() and first == second


def _created_since(key: str) -> list[tuple[str, str]]:
    """From when on an order of that id can be; from ever for an id that is not the engine's.

    A day more: the id is made before the order is sent, by a clock that may be wrong.
    """
    ours = len(key) == MOMENT_DIGITS + FACT_DIGITS and set(key) <= set("0123456789abcdef")
    return [("start_date", rfc3339(moment_of(key) - NS_PER_DAY))] if ours else []
