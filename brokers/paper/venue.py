"""The paper venue: takes orders, matches them on every price, keeps the account (C-150..C-158).

Synchronous and deterministic: the clock and the random source are passed in, no call waits. What
happens is handed to `on_report` at once, with the ticket of the commit that makes it durable;
latency, and waiting for the disk, are the adapter's.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import ROUND_UP, Decimal
from random import Random
from typing import Final

from brokers.paper.account import Balance
from brokers.paper.admission import Admission, Refused
from brokers.paper.book import PaperBook
from brokers.paper.instruments import Instruments
from brokers.paper.matching import PaperOrder, Room, SymbolBook, fill_price, is_triggered, sane
from brokers.paper.opening import account_of
from brokers.paper.settlement import EXPIRY, ends_at, settlement_price
from brokers.paper.terms import Arrival, Refusal, Terms
from engine.domain.account import Account, VenueOrder, VenuePosition
from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos
from engine.domain.instrument import Instrument
from engine.domain.instruments.pair import Pair
from engine.domain.market import Quote
from engine.domain.money import COST_QUANTUM, ZERO, floor_to
from engine.domain.order import (
    Fill,
    Liquidity,
    OrderStatus,
    OrderTerms,
    Replacement,
    Side,
    TimeInForce,
)
from engine.ports import Cancellable, Clock, MarketClosed, OrderReport, Rejected
from engine.state.rates import Rates

QUOTE_SAVE_SECONDS: Final = 5
"""How often a price is written to the book while something is held or works."""
EXPIRY_GRACE: Final[Nanos] = NS_PER_MS
"""The session's last trades print at its close; DAY orders end right after."""

Listener = Callable[[OrderReport, int], None]


def _unheard(report: OrderReport, ticket: int) -> None:
    """Nobody listens yet; whoever connects later asks."""


class PaperVenue:
    """One paper account at one venue.

    `prices` come in through `on_price`; orders through `submit`, `cancel`, `modify`. Each of these
    leaves the venue in order and committed; `ticket` is the commit's.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        random: Random,
        terms: Terms,
        book: PaperBook,
        instruments: Instruments,
        arrival: Arrival = Arrival.STANDING_QUOTE,
        name: str = "paper",
        account_id: str = "",
    ) -> None:
        self.name = name
        self.terms = terms
        self.instruments = instruments
        self.arrival = arrival
        self.book = book
        self.on_report: Listener = _unheard
        self.fills_held = False
        """While True nothing fills; `release_fills` ends it."""
        self._clock = clock
        self._random = random
        self._account_id = account_id or "PAPER"
        self.refused_prices = 0
        """Prices that were not finite and positive, or crossed."""
        self._volumes: dict[str, Decimal | None] = {}
        """Volume of the newest price, for the symbols this process has seen a price of."""
        self._rooms: dict[str, Room] = {}
        """What still trades at the newest price, once an order has met it."""
        self._books: dict[str, SymbolBook] = {}
        self._orders: dict[str, PaperOrder] = {}
        self._reserved = ZERO
        self._save_quotes_at: Nanos = 0
        self._expiry: Cancellable | None = None
        self._expiry_at: Nanos = 0
        self._ends: dict[str, Nanos] = {}
        """When each contract that is held ends."""
        self._unpriced: set[str] = set()
        """Those that have ended, while no price tells what they are paid at."""
        contents = book.load()
        self.quotes: dict[str, Quote] = contents.quotes
        """The newest price of each symbol; after a restart those of the book, with their times."""
        self._sequence = contents.sequence
        self._account = account_of(contents, terms, instruments, book.title)
        self._rates = Rates(terms.currency, max_age_seconds=0)
        """What the prices here tell of currencies. A price stands until the next one."""
        self._pairs: dict[str, Instrument] = {}
        """Those whose prices tell what a currency is worth; only they cost time on a price."""
        for symbol, quote in self.quotes.items():
            self._learn(symbol)
            if symbol in self._pairs:
                self._rates.take_quote(self._pairs[symbol], quote)
        self._admission = Admission(terms, instruments, self._account, self._rates, clock)
        for order in contents.orders:
            self._rest(order)
        for symbol in self._account.holdings:
            self._await_end(symbol)
        book.put_currency(terms.currency)
        book.put_balance(terms.currency, self._account.balance)
        book.put_sequence(self._sequence)
        book.commit()

    # Prices.

    def on_price(
        self, quote: Quote, volume: Decimal | None = None, traded_at: Nanos | None = None
    ) -> None:
        """Take a price in and fill what it fills.

        `volume` is what traded at it where that is known (zero: unknown, no cap), None where the
        sizes shown count. `traded_at` tells the session it belongs to, its own time by default.
        A price that is not finite and positive never reaches a fill.
        """
        if not sane(quote):
            self.refused_prices += 1
            return
        symbol = quote.symbol
        self.quotes[symbol] = quote
        if symbol not in self._volumes:
            self._learn(symbol)
        self._volumes[symbol] = volume
        if symbol in self._pairs:
            self._rates.take_quote(self._pairs[symbol], quote)
        if self._rooms:
            self._rooms.pop(symbol, None)
        book = self._books.get(symbol)
        if book is not None and book.orders and not self.fills_held:
            at = quote.time if traded_at is None else traded_at
            if self.instruments.calendar(symbol).is_open(at):
                self._match(book, quote)
        if self._unpriced:
            self._settle_ended()
            self._commit()
        if (
            quote.time >= self._save_quotes_at
            and self.book.path is not None  # one in memory ends with this process
            and (self._orders or self._account.holdings or self._account.is_foreign)
        ):
            self._save_quotes_at = quote.time + QUOTE_SAVE_SECONDS * NS_PER_SECOND
            for known in self._volumes:
                self.book.put_quote(self.quotes[known])
            self.book.commit()

    def set_price(
        self, symbol: str, price: Decimal, bid: Decimal | None = None, ask: Decimal | None = None
    ) -> Quote:
        """Feed a price by hand (C-153); returns the quote it became."""
        now = self._clock.now()
        quote = Quote(symbol=symbol, bid=bid, ask=ask, last=price, time=now, trade=True)
        self.on_price(quote)
        return quote

    # Orders.

    def submit(self, order: OrderTerms) -> int:
        """Take an order, meet the price that `arrival` allows, and return the ticket.

        Raises Rejected, and MarketClosed for an order that cannot wait for the next session. The
        id of a refused order is spent.
        """
        name = order.client_order_id
        known = None if self.book.is_unused(name) else self._known(name)
        if known is not None:
            raise Rejected(
                Refusal.DUPLICATE_ID,
                f"client order id {name} was used before, by an order that is {known.status}",
            )
        now = self._clock.now()
        self._sequence += 1
        try:
            taken = self._admission.admit(
                order,
                sequence=self._sequence,
                now=now,
                quotes=self.quotes,
                reserved=self._reserved,
                working=self._books.get(order.symbol),
            )
        except Refused as refused:
            self._spend(order, now, refused)
            if refused.code is Refusal.MARKET_CLOSED:
                raise MarketClosed(refused.text) from refused
            raise Rejected(refused.code, refused.text) from refused
        self._rest(taken)
        self.book.put_order(taken)
        self._report(taken)
        self._meet_on_arrival(taken)
        return self._commit()

    def cancel(self, client_order_id: str) -> int:
        """Cancel a working order; returns the ticket. Raises Rejected."""
        order = self._working(client_order_id)
        self._end(order, OrderStatus.CANCELED, "", "cancelled on request")
        return self._commit()

    def cancel_orders(self, client_order_ids: Iterable[str]) -> tuple[int, dict[str, Rejected]]:
        """Cancel working orders in one commit.

        Returns the ticket, and the refusal of each that is unknown or over, by its id.
        """
        refused: dict[str, Rejected] = {}
        for key in client_order_ids:
            try:
                order = self._working(key)
            except Rejected as error:
                refused[key] = error
            else:
                self._end(order, OrderStatus.CANCELED, "", "cancelled on request")
        return self._commit(), refused

    def cancel_all(self) -> int:
        """Cancel everything that works, in order of arrival; returns the ticket."""
        for order in list(self._orders.values()):
            self._end(order, OrderStatus.CANCELED, "", "cancelled on request")
        return self._commit()

    def modify(self, client_order_id: str, wanted: Replacement) -> int:
        """Change the total quantity and whatever else is given; returns the ticket.

        Raises Rejected, and the order stands as it was.
        """
        order = self._working(client_order_id)
        try:
            changed = self._admission.reprice(
                order,
                wanted,
                now=self._clock.now(),
                quotes=self.quotes,
                reserved=self._reserved,
                working=self._books[order.symbol],
            )
        except Refused as refused:
            raise Rejected(refused.code, refused.text) from refused
        self._unrest(order)
        order.quantity, order.reserved = changed.quantity, changed.reserved
        order.limit_price, order.stop_price = changed.limit_price, changed.stop_price
        order.time_in_force, order.expires_at = changed.time_in_force, changed.expires_at
        order.updated_at = self._clock.now()
        self._rest(order)
        self.book.put_order(order)
        self._report(order, changed=True)
        self._meet_on_arrival(order)
        return self._commit()

    def release_fills(self) -> int:
        """End `fills_held`, and meet the newest prices; returns the ticket."""
        self.fills_held = False
        for symbol, book in self._books.items():
            quote = self.quotes.get(symbol)
            if quote is not None and symbol in self._volumes and self._in_session(symbol):
                self._match(book, quote)
        return self._commit()

    def fill_part(self, client_order_id: str, quantity: Decimal) -> int:
        """Fill this much of an order at the newest price, held or not; returns the ticket.

        Raises Rejected.
        """
        order = self._working(client_order_id)
        quote = self.quotes[order.symbol]
        rules = self.instruments.get(order.symbol)
        price = fill_price(order, quote, self.terms.slippage, rules)
        part = min(quantity, order.leaves)
        self._fill(order, part, quote.last if price is None else price, Liquidity.TAKER)
        return self._commit()

    # Questions.

    def get_order(self, client_order_id: str) -> VenueOrder | None:
        """The order, of any age; None when it never arrived."""
        known = self._known(client_order_id)
        return None if known is None else known.as_venue_order()

    def open_orders(self) -> tuple[VenueOrder, ...]:
        """What works, oldest first."""
        working = sorted(self._orders.values(), key=lambda order: order.sequence)
        return tuple(order.as_venue_order() for order in working)

    def fills_since(self, since: Nanos) -> tuple[Fill, ...]:
        """Executions at or after `since`, oldest first."""
        return self.book.fills_since(since)

    def positions(self) -> tuple[VenuePosition, ...]:
        """Holdings that are not flat, by symbol."""
        return tuple(
            VenuePosition(
                symbol=symbol,
                quantity=held.quantity,
                average_price=held.average_price,
                mark=None if (quote := self.quotes.get(symbol)) is None else quote.last,
            )
            for symbol, held in sorted(self._account.holdings.items())
        )

    def position(self, symbol: str) -> Decimal:
        """Signed quantity held."""
        return self._account.position(symbol)

    @property
    def balance(self) -> Balance:
        """The money in the account's own currency, to be read only."""
        return self._account.balance

    @property
    def balances(self) -> Mapping[str, Balance]:
        """The money by currency, to be read only."""
        return self._account.balances

    def account(self) -> Account:
        """Balances now, at the newest prices.

        While the rate of a currency is missing, equity leaves its part out, and nothing can be
        bought.
        """
        cash = self._account.cash()
        try:
            free = self._admission.free_cash(self.quotes) - self._reserved
        except Refused:
            free = ZERO
        return Account(
            account_id=self._account_id,
            currency=self.terms.currency,
            cash=cash[self.terms.currency],
            balances=cash,
            equity=self._admission.equity(self.quotes),
            buying_power=max(free, ZERO),
            as_of=self._clock.now(),
        )

    def close(self) -> None:
        """Save the newest prices and close the book; working orders stay in it (D-53)."""
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        for symbol in self._volumes:
            self.book.put_quote(self.quotes[symbol])
        self.book.close()

    # The machine.

    def _learn(self, symbol: str) -> None:
        """Remember a symbol that has a price for the first time, where it is a pair."""
        rules = self.instruments.get(symbol)
        if isinstance(rules.contract, Pair):
            self._pairs[symbol] = rules

    def _known(self, client_order_id: str) -> PaperOrder | None:
        return self._orders.get(client_order_id) or self.book.order(client_order_id)

    def _working(self, client_order_id: str) -> PaperOrder:
        order = self._orders.get(client_order_id)
        if order is not None:
            return order
        past = self.book.order(client_order_id)
        if past is None:
            raise Rejected(Refusal.ORDER_NOT_FOUND, f"no order has the id {client_order_id}")
        raise Rejected(Refusal.ORDER_CLOSED, f"order {client_order_id} is {past.status} already")

    def _rest(self, order: PaperOrder) -> None:
        """Into the working set."""
        self._orders[order.client_order_id] = order
        self._books.setdefault(order.symbol, SymbolBook()).add(order)
        self._reserved += order.reserved * order.leaves
        if order.expires_at and (self._expiry is None or order.expires_at < self._expiry_at):
            self._set_expiry(order.expires_at)

    def _unrest(self, order: PaperOrder) -> None:
        """Out of the working set, before anything of the order changes."""
        del self._orders[order.client_order_id]
        self._books[order.symbol].remove(order)
        self._reserved -= order.reserved * order.leaves

    def _spend(self, order: OrderTerms, now: Nanos, refused: Refused) -> None:
        """Remember a refused order: its id is spent, and a query says what became of it."""
        spent = self._admission.record(order, sequence=self._sequence, now=now)
        spent.status = OrderStatus.REJECTED
        spent.code, spent.text = refused.code, refused.text
        self.book.put_order(spent)
        self._commit()

    def _commit(self) -> int:
        if self.book.dirty:
            self.book.put_sequence(self._sequence)
        return self.book.commit()

    def _in_session(self, symbol: str) -> bool:
        return self.instruments.calendar(symbol).is_open(self._clock.now())

    def _meet_on_arrival(self, order: PaperOrder) -> None:
        quote = self.quotes.get(order.symbol)
        seen = order.symbol in self._volumes or self.arrival is Arrival.LAST_KNOWN
        if self.arrival is Arrival.NEXT_PRICE or quote is None or not seen or self.fills_held:
            return
        if not self._in_session(order.symbol):
            return
        book = self._books[order.symbol]
        if is_triggered(order, quote.last):
            self._arm(order, book)
        if order.trigger is None:
            self._try(order, quote, Liquidity.TAKER)

    def _match(self, book: SymbolBook, quote: Quote) -> None:
        for order in book.triggered(quote.last):
            self._arm(order, book)
        for order in book.marketable(quote):
            maker = order.limit_price is not None
            self._try(order, quote, Liquidity.MAKER if maker else Liquidity.TAKER)
        self._commit()

    def _arm(self, order: PaperOrder, book: SymbolBook) -> None:
        """Turn a stop whose price has traded into what it waits to be."""
        book.remove(order)
        order.armed = True
        book.add(order)
        self.book.put_order(order)

    def _try(self, order: PaperOrder, quote: Quote, liquidity: Liquidity) -> None:
        """Let one order meet one price."""
        rules = self.instruments.get(order.symbol)
        price = fill_price(order, quote, self.terms.slippage, rules)
        leaves = order.leaves
        if order.reduce_only:
            leaves = min(leaves, self._account.reducible(order.symbol, buy=order.buy))
        room = self._room(quote).left(buy=order.buy)
        # A rest smaller than a lot may go; a share of the volume is cut to whole lots.
        quantity = (
            leaves if room is None or leaves <= room else floor_to(max(room, ZERO), rules.lot)
        )
        if price is not None and self._skips(order):
            price = None
        if order.time_in_force is TimeInForce.FOK and quantity < order.leaves:
            price = None
        if price is not None and quantity > 0:
            payable, obstacle = self._admission.payable(
                order, quantity, price, self.quotes, self._reserved
            )
            if payable > 0:
                self._room(quote).take(payable, buy=order.buy)
                self._fill(order, payable, price, liquidity)
            if obstacle is not None and order.is_working:
                status = OrderStatus.CANCELED if order.filled else OrderStatus.REJECTED
                self._end(order, status, obstacle.code, obstacle.text)
        if order.is_working and order.tries_once:
            text = f"{order.time_in_force}: {order.leaves} could not be filled at once"
            self._end(order, OrderStatus.CANCELED, Refusal.NOT_FILLED_AT_ONCE, text)

    def _room(self, quote: Quote) -> Room:
        room = self._rooms.get(quote.symbol)
        if room is None:
            # A price out of the book says nothing of what trades now.
            volume = self._volumes.get(quote.symbol, ZERO)
            room = self._rooms[quote.symbol] = Room(quote, volume, self.terms.participation)
        return room

    def _skips(self, order: PaperOrder) -> bool:
        """Draw whether a limit that is touched is left standing this time (C-152)."""
        chance = self.terms.fill_probability
        if order.limit_price is None or chance >= 1:
            return False
        return Decimal(self._random.random()) >= chance

    def _fill(
        self, order: PaperOrder, quantity: Decimal, price: Decimal, liquidity: Liquidity
    ) -> None:
        now = self._clock.now()
        rules = self.instruments.get(order.symbol)
        amount = quantity * price * rules.multiplier
        commission = amount * self.terms.commission
        signed = quantity if order.buy else -quantity
        held = self._account.book_fill(
            order.symbol, signed, price, rules.multiplier, ZERO, currency=rules.currency
        )
        self.book.put_holding(order.symbol, held if held.quantity else None)
        if rules.contract is not None:
            self._await_end(order.symbol)
        coins = self._pay_in_coins(commission, rules)
        if not coins:
            self._account.charge(commission, rules.currency)
        # Whoever finds this position after a crash needs a price to close it at.
        self.book.put_quote(self.quotes[order.symbol])
        self._put_money(rules.currency)
        order.fills += 1
        fill = Fill(
            execution_id=f"{order.venue_order_id}-{order.fills}",
            client_order_id=order.client_order_id,
            venue_order_id=order.venue_order_id,
            account=self.name,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=price,
            commission=coins or commission,
            commission_currency=self.terms.commission_currency if coins else "",
            liquidity=liquidity,
            time=now,
        )
        self.book.put_fill(fill)
        self._reserved -= order.reserved * quantity
        order.filled += quantity
        book = self._books[order.symbol]
        book.filled(order, quantity)
        done = order.filled >= order.quantity
        if done:
            book.remove(order)
            del self._orders[order.client_order_id]
        order.status = OrderStatus.FILLED if done else OrderStatus.PARTIALLY_FILLED
        order.updated_at = now
        self.book.put_order(order)
        self._report(order, fill=fill)
        self._end_those_that_no_longer_reduce(order.symbol)

    def _pay_in_coins(self, commission: Decimal, rules: Instrument) -> Decimal:
        """Take a commission in the coin of the terms; zero, and nothing taken, where the account
        holds too little of it, or nobody knows its worth."""
        coin, worth = self.terms.commission_currency, self._worth(rules.currency)
        if not coin or not commission or worth is None:
            return ZERO
        for symbol, held in self._account.holdings.items():
            paid_in, quote = self._worth(held.currency), self.quotes.get(symbol)
            if self.instruments.get(symbol).coin != coin or paid_in is None or quote is None:
                continue
            exact = commission * worth / (quote.last * paid_in)
            quantity = exact.quantize(COST_QUANTUM, ROUND_UP)
            if quantity <= held.quantity:
                left = self._account.spend(symbol, quantity, quote.last)
                self.book.put_holding(symbol, left if left.quantity else None)
                self.book.put_quote(quote)
                self._put_money(held.currency)
                return quantity
        return ZERO

    def _worth(self, currency: str) -> Decimal | None:
        """What one unit of a currency is worth in the account's; None without a price that says."""
        rate = self._rates.rate(currency, self._clock.now())
        return None if rate is None else rate.value

    def _put_money(self, currency: str) -> None:
        """Write a balance down, and with foreign money the price that tells what it is worth."""
        self.book.put_balance(currency, self._account.balances[currency])
        if currency == self.terms.currency:
            return
        rate = self._rates.rate(currency, self._clock.now())
        if rate is not None:
            self.book.put_quote(self.quotes[rate.source])

    def _end_those_that_no_longer_reduce(self, symbol: str) -> None:
        """A reduce-only order ends with the position it would reduce; siblings go together."""
        for order in list(self._books[symbol].reducing.values()):
            if not self._account.reducible(symbol, buy=order.buy):
                text = f"{symbol} is flat: nothing is left to reduce"
                self._end(order, OrderStatus.CANCELED, Refusal.REDUCE_ONLY, text)

    def _end(self, order: PaperOrder, status: OrderStatus, code: str, text: str) -> None:
        self._unrest(order)
        order.status = status
        order.code, order.text = code, text
        order.updated_at = self._clock.now()
        self.book.put_order(order)
        self._report(order)

    def _set_expiry(self, at: Nanos) -> None:
        if self._expiry is not None:
            self._expiry.cancel()
        self._expiry_at = at
        delay = (at + EXPIRY_GRACE - self._clock.now()) / NS_PER_SECOND
        self._expiry = self._clock.call_later(max(delay, 0), self._expire)

    def _await_end(self, symbol: str) -> None:
        """Settle a contract when it ends, as long as it is held."""
        if symbol not in self._account.holdings:
            self._ends.pop(symbol, None)
            return
        at = ends_at(self.instruments.get(symbol), self.instruments.calendar(symbol))
        if at is not None:
            self._ends[symbol] = at
            if self._expiry is None or at < self._expiry_at:
                self._set_expiry(at)

    def _settle_ended(self) -> None:
        """Pay every contract that is held and has ended, and end what would reduce it."""
        now = self._clock.now()
        for symbol in [symbol for symbol, at in self._ends.items() if at < now]:
            price = settlement_price(self.instruments.get(symbol), self.quotes)
            if price is None:
                self._unpriced.add(symbol)
                continue
            self._unpriced.discard(symbol)
            del self._ends[symbol]
            self._settle(symbol, price, now)
            if symbol in self._books:
                self._end_those_that_no_longer_reduce(symbol)

    def _settle(self, symbol: str, price: Decimal, now: Nanos) -> None:
        """Pay a holding that has ended, in one commit with what tells of it: never twice."""
        held = self._account.holdings[symbol]
        quantity, currency = held.quantity, held.currency
        self._account.book_fill(symbol, -quantity, price, held.multiplier, ZERO, currency=currency)
        self.book.put_holding(symbol, None)
        self._put_money(currency)
        fill = Fill(
            execution_id=f"{EXPIRY}{symbol}",
            client_order_id="",
            account=self.name,
            symbol=symbol,
            side=Side.SELL if quantity > 0 else Side.BUY,
            quantity=abs(quantity),
            price=price,
            time=now,
        )
        self.book.put_fill(fill)
        report = OrderReport(
            account=self.name,
            client_order_id="",
            venue_order_id="",
            symbol=symbol,
            status=OrderStatus.FILLED,
            fill=fill,
            text="the contract has expired",
            time=now,
        )
        self.on_report(report, self.book.next_ticket)

    def _expire(self) -> None:
        """End every order whose session, or whose contract, is over, and settle what has ended
        (C-155)."""
        self._expiry = None
        now = self._clock.now()
        for order in [o for o in self._orders.values() if 0 < o.expires_at < now]:
            day = order.time_in_force is TimeInForce.DAY
            text = "the session ended" if day else f"{order.symbol} has expired"
            self._end(order, OrderStatus.EXPIRED, "", text)
        self._settle_ended()
        self._commit()
        left = [order.expires_at for order in self._orders.values() if order.expires_at]
        left += [at for symbol, at in self._ends.items() if symbol not in self._unpriced]
        if left:
            self._set_expiry(min(left))

    def _report(
        self,
        order: PaperOrder,
        *,
        fill: Fill | None = None,
        changed: bool = False,
    ) -> None:
        """`changed`: a replace made its terms what they are now."""
        report = OrderReport(
            account=self.name,
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
            time=order.updated_at,
        )
        # The commit that ends this operation is the next one.
        self.on_report(report, self.book.next_ticket)
