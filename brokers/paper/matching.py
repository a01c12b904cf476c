"""How an order meets a price: pure rules and an index that finds who is due (C-151, C-152, C-155).

Prices. A buy meets the ask where the price event shows one, else the last price; a sell the bid. A
market order, and a stop once it is armed, pays the slippage on top; a limit order fills at the
limit or better and never through it. Every fill price is rounded to the tick against the trader,
so that a market that prints between ticks (a mid price, a sub-penny print) never pays us for it.
"""

import heapq
from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.account import VenueOrder
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.market import Quote
from engine.domain.money import ONE, ZERO, is_positive, round_price
from engine.domain.order import IMMEDIATE, OrderStatus, OrderType, Side, TimeInForce

_COMPACT_AT_LEAST: Final = 64


class PaperOrder(msgspec.Struct, kw_only=True, eq=False):
    """An order as the venue keeps it."""

    sequence: int
    """Its place in the order of arrival; ids are made of it."""
    client_order_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce
    reduce_only: bool = False
    status: OrderStatus = OrderStatus.NEW
    armed: bool = False
    """A stop whose price has traded."""
    filled: Decimal = ZERO
    fills: int = 0
    reserved: Decimal = ZERO
    """Cash held back for each unit that is not filled yet."""
    code: str = ""
    text: str = ""
    accepted_at: Nanos
    updated_at: Nanos
    expires_at: Nanos = 0
    """When a DAY order ends; 0 is never."""
    version: int = 0
    """Tells a live entry of the index from one that is outdated."""

    @property
    def venue_order_id(self) -> str:
        return f"PAPER-{self.sequence}"

    @property
    def buy(self) -> bool:
        return self.side is Side.BUY

    @property
    def leaves(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def is_working(self) -> bool:
        return not self.status.is_terminal

    @property
    def trigger(self) -> Decimal | None:
        """The price it waits for; None for all but a stop that has not armed."""
        return None if self.armed else self.stop_price

    @property
    def tries_once(self) -> bool:
        """What does not fill at the first price it meets is cancelled."""
        return self.time_in_force in IMMEDIATE

    def as_venue_order(self) -> VenueOrder:
        """As the port states it."""
        return VenueOrder(
            client_order_id=self.client_order_id,
            venue_order_id=self.venue_order_id,
            symbol=self.symbol,
            side=self.side,
            type=self.type,
            quantity=self.quantity,
            filled=self.filled,
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            time_in_force=self.time_in_force,
            status=self.status,
            reduce_only=self.reduce_only,
        )


def market_price(quote: Quote, *, buy: bool) -> Decimal:
    """What the market asks of a buyer or bids a seller; the last price where no side is shown."""
    side = quote.ask if buy else quote.bid
    return quote.last if side is None else side


def slipped(price: Decimal, slippage: Decimal, rules: Instrument, *, buy: bool) -> Decimal:
    """A market order's price: worse by the slippage, then by rounding, never below one tick."""
    moved = price * (ONE + slippage if buy else ONE - slippage)
    return _rounded(moved, rules, up=buy)


def fill_price(
    order: PaperOrder, quote: Quote, slippage: Decimal, rules: Instrument
) -> Decimal | None:
    """The price at which the order fills at this event; None where its limit does not allow it.

    The order must not be a stop that still waits.
    """
    market = market_price(quote, buy=order.buy)
    limit = order.limit_price
    if limit is None:
        return slipped(market, slippage, rules, buy=order.buy)
    if order.buy:
        return _rounded(min(limit, market), rules, up=True) if market <= limit else None
    return _rounded(max(limit, market), rules, up=False) if market >= limit else None


def _rounded(price: Decimal, rules: Instrument, *, up: bool) -> Decimal:
    """On the grid, with the digits of the tick; a price that the grid cannot hold stays as it is,
    for what reduces must go and a tick far from the market is no price of it."""
    tick = rules.tick_at(price)
    if not tick:
        return price
    return round_price(max(price, tick), tick, up=up).quantize(tick)


def is_triggered(order: PaperOrder, last: Decimal) -> bool:
    """Whether a waiting stop arms: the last price is at its stop or beyond (D-41)."""
    trigger = order.trigger
    if trigger is None:
        return False
    return last >= trigger if order.buy else last <= trigger


def sane(quote: Quote) -> bool:
    """A price that may fill an order: every number finite and positive, sides not crossed."""
    if not is_positive(quote.last):
        return False
    bid, ask = quote.bid, quote.ask
    if (bid is not None and not is_positive(bid)) or (ask is not None and not is_positive(ask)):
        return False
    return bid is None or ask is None or bid <= ask


class Room:
    """What can still trade at one price event, on each side (the participation cap, C-155).

    `volume` is that of the event, zero for a bar that does not say; None where the sizes shown
    with the quote count instead. No number, or zero, means no cap.
    """

    __slots__ = ("buy", "sell")

    def __init__(self, quote: Quote, volume: Decimal | None, participation: Decimal) -> None:
        if volume is not None:
            self.buy = self.sell = volume * participation if volume > 0 else None
            return
        shown_ask, shown_bid = quote.ask_size, quote.bid_size
        self.buy = shown_ask * participation if shown_ask else None
        self.sell = shown_bid * participation if shown_bid else None

    def left(self, *, buy: bool) -> Decimal | None:
        """How much may still fill; None is without limit."""
        return self.buy if buy else self.sell

    def take(self, quantity: Decimal, *, buy: bool) -> None:
        """Use it up."""
        if buy:
            if self.buy is not None:
                self.buy -= quantity
        elif self.sell is not None:
            self.sell -= quantity


_Entry = tuple[Decimal, int, int, PaperOrder]


class _Ladder:
    """Orders by the price at which they act, the next one due on top; outdated entries stay
    until they surface or outnumber the living.

    The key of an order is that price, or its negative where a falling price makes it due.
    """

    __slots__ = ("_heap", "_live")

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self._live = 0

    def push(self, key: Decimal, order: PaperOrder) -> None:
        heapq.heappush(self._heap, (key, order.sequence, order.version, order))
        self._live += 1

    def dropped(self) -> None:
        """One of the entries became outdated."""
        self._live -= 1
        if len(self._heap) > max(_COMPACT_AT_LEAST, 2 * self._live):
            self._heap = [entry for entry in self._heap if entry[2] == entry[3].version]
            heapq.heapify(self._heap)

    def due(self, bound: Decimal) -> list[PaperOrder]:
        """The orders whose key is `bound` or less, best price first, oldest first; they stay."""
        heap = self._heap
        if not heap:
            return []
        found: list[_Entry] = []
        while heap:
            top = heap[0]
            if top[2] != top[3].version:
                heapq.heappop(heap)
            elif top[0] <= bound:
                found.append(heapq.heappop(heap))
            else:
                break
        for entry in found:
            heapq.heappush(heap, entry)
        return [entry[3] for entry in found]


class SymbolBook:
    """The working orders of one symbol, found by price without looking at the others."""

    def __init__(self) -> None:
        self.orders: dict[int, PaperOrder] = {}
        """By sequence, oldest first."""
        self.reducing: dict[int, PaperOrder] = {}
        """Those that are reduce-only."""
        self._leaves = {True: ZERO, False: ZERO}
        self._market: dict[int, PaperOrder] = {}
        """Those that meet every price: market orders, and all that get only one try."""
        self._limits = {True: _Ladder(), False: _Ladder()}
        self._stops = {True: _Ladder(), False: _Ladder()}

    def leaves(self, *, buy: bool) -> Decimal:
        """What may still fill on one side, reduce-only orders left out."""
        return self._leaves[buy]

    def filled(self, order: PaperOrder, quantity: Decimal) -> None:
        """So much of an order was filled; call it after the order has changed."""
        if not order.reduce_only:
            self._leaves[order.buy] -= quantity

    def add(self, order: PaperOrder) -> None:
        """Take an order in, or back in once its price, type or trigger has changed."""
        self.orders[order.sequence] = order
        if order.reduce_only:
            self.reducing[order.sequence] = order
        else:
            self._leaves[order.buy] += order.leaves
        trigger = order.trigger
        if trigger is not None:
            self._stops[order.buy].push(trigger if order.buy else -trigger, order)
        elif order.tries_once or order.limit_price is None:
            self._market[order.sequence] = order
        else:
            key = -order.limit_price if order.buy else order.limit_price
            self._limits[order.buy].push(key, order)

    def remove(self, order: PaperOrder) -> None:
        """Forget an order; call it before its price or trigger changes."""
        if self.orders.pop(order.sequence, None) is None:
            return
        if self.reducing.pop(order.sequence, None) is None:
            self._leaves[order.buy] -= order.leaves
        order.version += 1
        if order.trigger is not None:
            self._stops[order.buy].dropped()
        elif order.tries_once or order.limit_price is None:
            self._market.pop(order.sequence, None)
        else:
            self._limits[order.buy].dropped()

    def triggered(self, last: Decimal) -> list[PaperOrder]:
        """The stops that this price arms, in order of arrival."""
        due = self._stops[True].due(last) + self._stops[False].due(-last)
        return sorted(due, key=lambda order: order.sequence) if due else due

    def marketable(self, quote: Quote) -> Iterator[PaperOrder]:
        """Who may fill at this price: market orders, then limits by price, then by arrival."""
        ask, bid = market_price(quote, buy=True), market_price(quote, buy=False)
        due = list(self._market.values())
        due += self._limits[True].due(-ask)
        due += self._limits[False].due(bid)
        for order in due:
            if order.is_working:
                yield order
