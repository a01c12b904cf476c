"""The paper venue: takes orders, matches them on every price, keeps the account (C-150..C-158).

It is made of its prices (`prices`), its orders (`orders`), how they fill (`filling`) and end
(`expiry`), and its account (`account_keeper`).

Synchronous and deterministic: the clock and the random source are passed in, no call waits. What
happens is handed to `on_report` at once, with the ticket of the commit that makes it durable;
latency, and waiting for the disk, are the adapter's.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from random import Random
from typing import Final

from brokers.paper.account import Balance
from brokers.paper.account_keeper import AccountKeeper
from brokers.paper.admission import Admission, Refused
from brokers.paper.book import PaperBook
from brokers.paper.expiry import Expiry
from brokers.paper.filling import Filling
from brokers.paper.instruments import Instruments
from brokers.paper.matching import PaperOrder, SymbolBook, sane
from brokers.paper.opening import account_of
from brokers.paper.orders import Orders
from brokers.paper.prices import Prices
from brokers.paper.terms import Arrival, Refusal, Terms
from engine.domain.account import Account, VenueOrder, VenuePosition
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Quote
from engine.domain.money import ZERO
from engine.domain.order import Fill, OrderStatus, OrderTerms, Replacement
from engine.ports import Clock, MarketClosed, OrderReport, Rejected
from engine.reference.rates import ReferenceRate

QUOTE_SAVE_SECONDS: Final = 5
"""How often a price is written to the book while something is held or works."""

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
        reference_rates: Iterable[ReferenceRate] = (),
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
        self._account_id = account_id or "PAPER"
        self.refused_prices = 0
        """Prices that were not finite and positive, or crossed."""
        self._save_quotes_at: Nanos = 0
        contents = book.load()
        self._sequence = contents.sequence
        self._prices = Prices(
            contents.quotes, terms=terms, instruments=instruments, reference_rates=reference_rates
        )
        self._account = account_of(contents, terms, instruments, book.title)
        self._admission = Admission(terms, instruments, self._account, self._prices.rates, clock)
        self._orders = Orders(name, book, self._account, clock, tell=self._tell)
        keeper = AccountKeeper(
            self._account, self._prices, book, terms=terms, instruments=instruments, clock=clock
        )
        self._expiry = Expiry(
            name,
            book,
            self._account,
            clock,
            orders=self._orders,
            keeper=keeper,
            prices=self._prices,
            instruments=instruments,
            tell=self._tell,
            commit=self._commit,
        )
        self._filling = Filling(
            self._orders,
            self._prices,
            admission=self._admission,
            keeper=keeper,
            expiry=self._expiry,
            terms=terms,
            instruments=instruments,
            random=random,
        )
        for order in contents.orders:
            self._rest(order)
        for symbol in self._account.holdings:
            self._expiry.await_holding(symbol)
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
        self._prices.take(quote, volume)
        book = self._orders.by_symbol.get(symbol)
        if book is not None and book.orders and not self.fills_held:
            at = quote.time if traded_at is None else traded_at
            if self.instruments.calendar(symbol).is_open(at):
                self._match(book, quote)
        if self._expiry.unpriced:
            self._expiry.settle_ended()
            self._commit()
        if (
            quote.time >= self._save_quotes_at
            and self.book.path is not None  # one in memory ends with this process
            and (self._orders or self._account.holdings or self._account.is_foreign)
        ):
            self._save_quotes_at = quote.time + QUOTE_SAVE_SECONDS * NS_PER_SECOND
            self._prices.save(self.book)
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
        known = None if self.book.is_unused(name) else self._orders.known(name)
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
                reserved=self._orders.reserved,
                working=self._orders.by_symbol.get(order.symbol),
            )
        except Refused as refused:
            self._spend(order, now, refused)
            if refused.code is Refusal.MARKET_CLOSED:
                raise MarketClosed(refused.text) from refused
            raise Rejected(refused.code, refused.text) from refused
        self._rest(taken)
        self.book.put_order(taken)
        self._orders.report(taken)
        self._meet_on_arrival(taken)
        return self._commit()

    def cancel(self, client_order_id: str) -> int:
        """Cancel a working order; returns the ticket. Raises Rejected."""
        order = self._orders.working(client_order_id)
        self._orders.cancel(order)
        return self._commit()

    def cancel_orders(self, client_order_ids: Iterable[str]) -> tuple[int, dict[str, Rejected]]:
        """Cancel working orders in one commit.

        Returns the ticket, and the refusal of each that is unknown or over, by its id.
        """
        refused: dict[str, Rejected] = {}
        for key in client_order_ids:
            try:
                order = self._orders.working(key)
            except Rejected as error:
                refused[key] = error
            else:
                self._orders.cancel(order)
        return self._commit(), refused

    def cancel_all(self) -> int:
        """Cancel everything that works, in order of arrival; returns the ticket."""
        for order in list(self._orders):
            self._orders.cancel(order)
        return self._commit()

    def modify(self, client_order_id: str, wanted: Replacement) -> int:
        """Change the total quantity and whatever else is given; returns the ticket.

        Raises Rejected, and the order stands as it was.
        """
        order = self._orders.working(client_order_id)
        try:
            changed = self._admission.reprice(
                order,
                wanted,
                now=self._clock.now(),
                quotes=self.quotes,
                reserved=self._orders.reserved,
                working=self._orders.by_symbol[order.symbol],
            )
        except Refused as refused:
            raise Rejected(refused.code, refused.text) from refused
        self._orders.unrest(order)
        order.quantity, order.reserved = changed.quantity, changed.reserved
        order.limit_price, order.stop_price = changed.limit_price, changed.stop_price
        order.time_in_force, order.expires_at = changed.time_in_force, changed.expires_at
        order.updated_at = self._clock.now()
        self._rest(order)
        self.book.put_order(order)
        self._orders.report(order, changed=True)
        self._meet_on_arrival(order)
        return self._commit()

    def release_fills(self) -> int:
        """End `fills_held`, and meet the newest prices; returns the ticket."""
        self.fills_held = False
        for symbol, book in self._orders.by_symbol.items():
            quote = self.quotes.get(symbol)
            if quote is not None and self._prices.is_seen(symbol) and self._in_session(symbol):
                self._match(book, quote)
        return self._commit()

    def fill_part(self, client_order_id: str, quantity: Decimal) -> int:
        """Fill this much of an order at the newest price, held or not; returns the ticket.

        Raises Rejected.
        """
        order = self._orders.working(client_order_id)
        self._filling.fill_part(order, quantity, self.quotes[order.symbol])
        return self._commit()

    # Questions.

    @property
    def quotes(self) -> Mapping[str, Quote]:
        """The newest price of each symbol; after a restart those of the book, with their times."""
        return self._prices.quotes

    def get_order(self, client_order_id: str) -> VenueOrder | None:
        """The order, of any age; None when it never arrived."""
        known = self._orders.known(client_order_id)
        return None if known is None else known.as_venue_order()

    def open_orders(self) -> tuple[VenueOrder, ...]:
        """What works, oldest first."""
        working = sorted(self._orders, key=lambda order: order.sequence)
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
            free = self._admission.free_cash(self.quotes) - self._orders.reserved
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
        self._expiry.stop()
        self._prices.save(self.book)
        self.book.close()

    # The machine.

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

    def _rest(self, order: PaperOrder) -> None:
        self._orders.rest(order)
        self._expiry.await_order(order.expires_at)

    def _meet_on_arrival(self, order: PaperOrder) -> None:
        """Let an order that has just come meet the price that `arrival` allows."""
        quote = self.quotes.get(order.symbol)
        seen = self._prices.is_seen(order.symbol) or self.arrival is Arrival.LAST_KNOWN
        if self.arrival is Arrival.NEXT_PRICE or quote is None or not seen or self.fills_held:
            return
        if self._in_session(order.symbol):
            self._filling.arrive(order, quote)

    def _match(self, book: SymbolBook, quote: Quote) -> None:
        self._filling.match(book, quote)
        self._commit()

    def _tell(self, report: OrderReport) -> None:
        # The commit that ends this operation is the next one.
        self.on_report(report, self.book.next_ticket)
