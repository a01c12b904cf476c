"""How the orders of a paper account fill at a price (C-151, C-152, C-155)."""

from decimal import Decimal
from random import Random

from brokers.paper.account_keeper import AccountKeeper
from brokers.paper.admission import Admission
from brokers.paper.expiry import Expiry
from brokers.paper.instruments import Instruments
from brokers.paper.matching import PaperOrder, SymbolBook, fill_price, is_triggered
from brokers.paper.orders import Orders
from brokers.paper.prices import Prices
from brokers.paper.terms import Refusal, Terms
from engine.domain.market import Quote
from engine.domain.money import ZERO, floor_to
from engine.domain.order import Liquidity, OrderStatus, TimeInForce


class Filling:
    """Lets orders meet prices; `random` draws whether a limit that is touched fills."""

    def __init__(
        self,
        orders: Orders,
        prices: Prices,
        *,
        admission: Admission,
        keeper: AccountKeeper,
        expiry: Expiry,
        terms: Terms,
        instruments: Instruments,
        random: Random,
    ) -> None:
        self._orders = orders
        self._prices = prices
        self._admission = admission
        self._keeper = keeper
        self._expiry = expiry
        self._terms = terms
        self._instruments = instruments
        self._random = random

    def arrive(self, order: PaperOrder, quote: Quote) -> None:
        """Let an order that has just come meet the price that stands."""
        if is_triggered(order, quote.last):
            self._orders.arm(order, self._orders.by_symbol[order.symbol])
        if order.trigger is None:
            self._try(order, quote, Liquidity.TAKER)

    def match(self, book: SymbolBook, quote: Quote) -> None:
        """Let what rests meet a price."""
        for order in book.triggered(quote.last):
            self._orders.arm(order, book)
        for order in book.marketable(quote):
            maker = order.limit_price is not None
            self._try(order, quote, Liquidity.MAKER if maker else Liquidity.TAKER)

    def fill_part(self, order: PaperOrder, quantity: Decimal, quote: Quote) -> None:
        """Fill this much of an order, at the last price where its own terms allow none."""
        rules = self._instruments.get(order.symbol)
        price = fill_price(order, quote, self._terms.slippage, rules)
        part = min(quantity, order.leaves)
        self._fill(order, part, quote.last if price is None else price, Liquidity.TAKER, quote)

    def _try(self, order: PaperOrder, quote: Quote, liquidity: Liquidity) -> None:
        """Let one order meet one price."""
        rules = self._instruments.get(order.symbol)
        price = fill_price(order, quote, self._terms.slippage, rules)
        leaves = order.leaves
        if order.reduce_only:
            leaves = min(leaves, self._orders.reducible(order))
        room = self._prices.room(quote)
        left = room.left(buy=order.buy)
        # A rest smaller than a lot may go; a share of the volume is cut to whole lots.
        quantity = (
            leaves if left is None or leaves <= left else floor_to(max(left, ZERO), rules.lot)
        )
        if price is not None and self._skips(order):
            price = None
        if order.time_in_force is TimeInForce.FOK and quantity < order.leaves:
            price = None
        if price is not None and quantity > 0:
            payable, obstacle = self._admission.payable(
                order, quantity, price, self._prices.quotes, self._orders.reserved
            )
            if payable > 0:
                room.take(payable, buy=order.buy)
                self._fill(order, payable, price, liquidity, quote)
            if obstacle is not None and order.is_working:
                status = OrderStatus.CANCELED if order.filled else OrderStatus.REJECTED
                self._orders.end(order, status, obstacle.code, obstacle.text)
        if order.is_working and order.tries_once:
            text = f"{order.time_in_force}: {order.leaves} could not be filled at once"
            self._orders.end(order, OrderStatus.CANCELED, Refusal.NOT_FILLED_AT_ONCE, text)

    def _skips(self, order: PaperOrder) -> bool:
        """Draw whether a limit that is touched is left standing this time (C-152)."""
        chance = self._terms.fill_probability
        if order.limit_price is None or chance >= 1:
            return False
        return Decimal(self._random.random()) >= chance

    def _fill(
        self,
        order: PaperOrder,
        quantity: Decimal,
        price: Decimal,
        liquidity: Liquidity,
        quote: Quote,
    ) -> None:
        commission, paid_in = self._keeper.fill(order, quantity, price)
        if self._instruments.get(order.symbol).contract is not None:
            self._expiry.await_holding(order.symbol)
        self._orders.fill(
            order,
            quantity,
            price,
            liquidity,
            quote=quote,
            commission=commission,
            commission_currency=paid_in,
        )
        self._orders.end_those_that_no_longer_reduce(order.symbol)
