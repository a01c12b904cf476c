"""What fills and settlements move in the account, written to its book (C-153, C-157)."""

from decimal import ROUND_UP, Decimal

from brokers.paper.account import PaperAccount
from brokers.paper.book import PaperBook
from brokers.paper.instruments import Instruments
from brokers.paper.matching import PaperOrder
from brokers.paper.prices import Prices
from brokers.paper.terms import Terms
from engine.domain.instrument import Instrument
from engine.domain.money import COST_QUANTUM, ZERO
from engine.ports import Clock


class AccountKeeper:
    """Moves cash and holdings of `account`, and writes down what has moved."""

    def __init__(
        self,
        account: PaperAccount,
        prices: Prices,
        book: PaperBook,
        *,
        terms: Terms,
        instruments: Instruments,
        clock: Clock,
    ) -> None:
        self._account = account
        self._prices = prices
        self._book = book
        self._terms = terms
        self._instruments = instruments
        self._clock = clock

    def fill(self, order: PaperOrder, quantity: Decimal, price: Decimal) -> tuple[Decimal, str]:
        """Take a fill in, and its commission.

        Returns the commission and what it was paid in: a coin, or "" for the instrument's currency.
        """
        rules = self._instruments.get(order.symbol)
        amount = quantity * price * rules.multiplier
        commission = amount * self._terms.commission
        signed = quantity if order.buy else -quantity
        held = self._account.book_fill(
            order.symbol, signed, price, rules.multiplier, ZERO, currency=rules.currency
        )
        self._book.put_holding(order.symbol, held if held.quantity else None)
        coins = self._pay_in_coins(commission, rules)
        if not coins:
            self._account.charge(commission, rules.currency)
        # Whoever finds this position after a crash needs a price to close it at.
        self._book.put_quote(self._prices.quotes[order.symbol])
        self._put_money(rules.currency)
        return (coins, self._terms.commission_currency) if coins else (commission, "")

    def settle(self, symbol: str, price: Decimal) -> Decimal:
        """Pay a holding that has ended; returns the signed quantity that was held."""
        held = self._account.holdings[symbol]
        quantity, currency = held.quantity, held.currency
        self._account.book_fill(symbol, -quantity, price, held.multiplier, ZERO, currency=currency)
        self._book.put_holding(symbol, None)
        self._put_money(currency)
        return quantity

    def _pay_in_coins(self, commission: Decimal, rules: Instrument) -> Decimal:
        """Take a commission in the coin of the terms; zero, and nothing taken, where the account
        holds too little of it, or nobody knows its worth."""
        coin, worth = self._terms.commission_currency, self._worth(rules.currency)
        if not coin or not commission or worth is None:
            return ZERO
        for symbol, held in self._account.holdings.items():
            paid_in, quote = self._worth(held.currency), self._prices.quotes.get(symbol)
            if self._instruments.get(symbol).coin != coin or paid_in is None or quote is None:
                continue
            exact = commission * worth / (quote.last * paid_in)
            quantity = exact.quantize(COST_QUANTUM, ROUND_UP)
            if quantity <= held.quantity:
                left = self._account.spend(symbol, quantity, quote.last)
                self._book.put_holding(symbol, left if left.quantity else None)
                self._book.put_quote(quote)
                self._put_money(held.currency)
                return quantity
        return ZERO

    def _worth(self, currency: str) -> Decimal | None:
        """What one unit of a currency is worth in the account's; None without a price that says."""
        rate = self._prices.rates.rate(currency, self._clock.now())
        return None if rate is None else rate.value

    def _put_money(self, currency: str) -> None:
        """Write a balance down, and with foreign money the price that tells what it is worth."""
        self._book.put_balance(currency, self._account.balances[currency])
        if currency == self._terms.currency:
            return
        rate = self._prices.rates.rate(currency, self._clock.now())
        if rate is not None and rate.source in self._prices.quotes:
            self._book.put_quote(self._prices.quotes[rate.source])
