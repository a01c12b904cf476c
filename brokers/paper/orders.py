"""The orders of a paper account: what works, what became of the rest, and who hears of it (C-151).

Those that work stand in memory, found by price; every order of any age stands in the book.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from brokers.paper.account import PaperAccount
from brokers.paper.book import PaperBook
from brokers.paper.matching import PaperOrder, SymbolBook
from brokers.paper.terms import Refusal
from engine.domain.market import Quote
from engine.domain.money import ZERO
from engine.domain.order import Fill, Liquidity, OrderStatus
from engine.ports import Clock, OrderReport, Rejected


class Orders:
    """The orders of the account named `name`; `tell` is called with every report of one."""

    def __init__(
        self,
        name: str,
        book: PaperBook,
        account: PaperAccount,
        clock: Clock,
        *,
        tell: Callable[[OrderReport], None],
    ) -> None:
        self._name = name
        self._book = book
        self._account = account
        self._clock = clock
        self._tell = tell
        self._working: dict[str, PaperOrder] = {}
        self.by_symbol: dict[str, SymbolBook] = {}
        """Those that work, found by price."""
        self.reserved = ZERO
        """Cash held back for all that works, in the account's currency."""

    def __iter__(self) -> Iterator[PaperOrder]:
        """Those that work, in the order in which they came to rest."""
        return iter(self._working.values())

    def __len__(self) -> int:
        """How many work."""
        return len(self._working)

    def known(self, client_order_id: str) -> PaperOrder | None:
        """The order, of any age; None when it never arrived."""
        return self._working.get(client_order_id) or self._book.order(client_order_id)

    def working(self, client_order_id: str) -> PaperOrder:
        """The order, which works. Raises Rejected where it does not."""
        order = self._working.get(client_order_id)
        if order is not None:
            return order
        past = self._book.order(client_order_id)
        if past is None:
            raise Rejected(Refusal.ORDER_NOT_FOUND, f"no order has the id {client_order_id}")
        raise Rejected(Refusal.ORDER_CLOSED, f"order {client_order_id} is {past.status} already")

    def reducible(self, order: PaperOrder) -> Decimal:
        """How much of the position it can take off before that is flat."""
        return self._account.reducible(order.symbol, buy=order.buy)

    # --- changes ----------------------------------------------------------------------------------

    def rest(self, order: PaperOrder) -> None:
        """Into the working set."""
        self._working[order.client_order_id] = order
        self.by_symbol.setdefault(order.symbol, SymbolBook()).add(order)
        self.reserved += order.reserved * order.leaves

    def unrest(self, order: PaperOrder) -> None:
        """Out of the working set, before anything of the order changes."""
        del self._working[order.client_order_id]
        self.by_symbol[order.symbol].remove(order)
        self.reserved -= order.reserved * order.leaves

    def arm(self, order: PaperOrder, book: SymbolBook) -> None:
        """Turn a stop whose price has traded into what it waits to be."""
        book.remove(order)
        order.armed = True
        book.add(order)
        self._book.put_order(order)

    def fill(
        self,
        order: PaperOrder,
        quantity: Decimal,
        price: Decimal,
        liquidity: Liquidity,
        *,
        quote: Quote,
        commission: Decimal,
        commission_currency: str,
    ) -> None:
        """Fill this much of an order at a quote; the account has taken it in already."""
        now = self._clock.now()
        order.fills += 1
        fill = Fill(
            execution_id=f"{order.venue_order_id}-{order.fills}",
            client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id,
            account=self._name,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            commission=commission,
            commission_currency=commission_currency,
            liquidity=liquidity,
            time=now,
        )
        self._book.put_fill(fill)
        self.reserved -= order.reserved * quantity
        order.filled += quantity
        book = self.by_symbol[order.symbol]
        book.filled(order, quantity)
        done = order.filled >= order.quantity
        if done:
            book.remove(order)
            del self._working[order.client_order_id]
        order.status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
        order.updated_at = now
        self._book.put_order(order)
        self.report(order, fill=fill, met=quote)

    def end(self, order: PaperOrder, status: OrderStatus, code: str, text: str) -> None:
        """It works no more: it is what `status` says, and `text` says why."""
        self.unrest(order)
        order.status = status
        order.code, order.text = code, text
        order.updated_at = self._clock.now()
        self._book.put_order(order)
        self.report(order)

    def cancel(self, order: PaperOrder) -> None:
        """End it as its owner asks."""
        self.end(order, OrderStatus.CANCELED, "", "cancelled on request")

    def end_those_that_no_longer_reduce(self, symbol: str) -> None:
        """A reduce-only order ends with the position it would reduce; siblings go together."""
        book = self.by_symbol.get(symbol)
        for order in () if book is None else list(book.reducing.values()):
            if not self.reducible(order):
                text = f"{symbol} is flat: nothing is left to reduce"
                self.end(order, OrderStatus.CANCELED, Refusal.REDUCE_ONLY, text)

    def report(
        self,
        order: PaperOrder,
        *,
        fill: Fill | None = None,
        met: Quote | None = None,
        changed: bool = False,
    ) -> None:
        """`met` is the quote of the fill; `changed`: a replace made its terms what they are now."""
        self._tell(
            OrderReport(
                account=self._name,
                client_order_id=order.client_order_id,
                venue_order_id=order.venue_order_id,
                symbol=order.symbol,
                status=order.status,
                fill=fill,
                quantity=order.quantity if changed else None,
                limit_price=order.limit_price if changed else None,
                stop_price=order.stop_price if changed else None,
                time_in_force=order.time_in_force if changed else None,
                text=order.text,
                code=order.code,
                met=met,
                time=order.updated_at,
            )
        )
