"""What ends at its time: orders with their session or contract, holdings with theirs (C-155)."""

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from brokers.paper.account import PaperAccount
from brokers.paper.account_keeper import AccountKeeper
from brokers.paper.book import PaperBook
from brokers.paper.instruments import Instruments
from brokers.paper.orders import Orders
from brokers.paper.prices import Prices
from brokers.paper.settlement import EXPIRY, ends_at, settlement_price
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos
from engine.domain.order import Fill, OrderStatus, Side, TimeInForce
from engine.ports import Cancellable, Clock, OrderReport

EXPIRY_GRACE: Final[Nanos] = NS_PER_MS
"""The session's last trades print at its close; DAY orders end right after."""


class Expiry:
    """Ends the orders of the account named `name`, and settles what it holds.

    `tell` is called with the report of a settlement, `commit` once everything of one moment is
    done.
    """

    def __init__(
        self,
        name: str,
        book: PaperBook,
        account: PaperAccount,
        clock: Clock,
        *,
        orders: Orders,
        keeper: AccountKeeper,
        prices: Prices,
        instruments: Instruments,
        tell: Callable[[OrderReport], None],
        commit: Callable[[], object],
    ) -> None:
        self._name = name
        self._book = book
        self._account = account
        self._clock = clock
        self._orders = orders
        self._keeper = keeper
        self._prices = prices
        self._instruments = instruments
        self._tell = tell
        self._commit = commit
        self._timer: Cancellable | None = None
        self._at: Nanos = 0
        """When the timer looks for what has ended."""
        self._ends: dict[str, Nanos] = {}
        """When each contract that is held ends."""
        self.unpriced: set[str] = set()
        """Those that have ended, while no price tells what they are paid at."""

    def await_order(self, expires_at: Nanos) -> None:
        """End an order that rests when it expires; 0 is never."""
        if expires_at:
            self._look_by(expires_at)

    def await_holding(self, symbol: str) -> None:
        """Settle a contract when it ends, as long as it is held."""
        if symbol not in self._account.holdings:
            self._ends.pop(symbol, None)
            return
        at = ends_at(self._instruments.get(symbol), self._instruments.calendar(symbol))
        if at is not None:
            self._ends[symbol] = at
            self._look_by(at)

    def settle_ended(self) -> None:
        """Pay every contract that is held and has ended, and end what would reduce it."""
        now = self._clock.now()
        for symbol in [symbol for symbol, at in self._ends.items() if at < now]:
            price = settlement_price(self._instruments.get(symbol), self._prices.quotes)
            if price is None:
                self.unpriced.add(symbol)
                continue
            self.unpriced.discard(symbol)
            del self._ends[symbol]
            self._settle(symbol, price, now)
            self._orders.end_those_that_no_longer_reduce(symbol)

    def stop(self) -> None:
        """End nothing more; what expires meanwhile ends with the next start."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_by(self, at: Nanos) -> None:
        if self._timer is None or at < self._at:
            self._look_at(at)

    def _look_at(self, at: Nanos) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._at = at
        delay = (at + EXPIRY_GRACE - self._clock.now()) / NS_PER_SECOND
        self._timer = self._clock.call_later(max(delay, 0), self._expire)

    def _expire(self) -> None:
        """End every order whose session, or whose contract, is over, and settle what has ended."""
        self._timer = None
        now = self._clock.now()
        for order in [order for order in self._orders if 0 < order.expires_at < now]:
            day = order.time_in_force is TimeInForce.DAY
            text = "the session ended" if day else f"{order.symbol} has expired"
            self._orders.end(order, OrderStatus.EXPIRED, "", text)
        self.settle_ended()
        self._commit()
        left = [order.expires_at for order in self._orders if order.expires_at]
        left += [at for symbol, at in self._ends.items() if symbol not in self.unpriced]
        if left:
            self._look_at(min(left))

    def _settle(self, symbol: str, price: Decimal, now: Nanos) -> None:
        """Pay a holding that has ended, in one commit with what tells of it: never twice."""
        quantity = self._keeper.settle(symbol, price)
        fill = Fill(
            execution_id=f"{EXPIRY}{symbol}",
            client_order_id="",
            account=self._name,
            symbol=symbol,
            side=Side.SELL if quantity > 0 else Side.BUY,
            quantity=abs(quantity),
            price=price,
            time=now,
        )
        self._book.put_fill(fill)
        report = OrderReport(
            account=self._name,
            client_order_id="",
            venue_order_id="",
            symbol=symbol,
            status=OrderStatus.FILLED,
            fill=fill,
            text="the contract has expired",
            time=now,
        )
        self._tell(report)
