"""What the venue asks of an order before it takes it: form, grid, price, short sale, money.

Money is asked twice: here, with what the order may cost at the price of now, which is then held
back; and again at the fill, with what it does cost. Only the part that opens exposure needs any:
what reduces a position is always affordable. Both times it is counted in the account's currency, at
the newest rate that the prices of this market tell; without one nothing is opened.
"""

import contextlib
from collections.abc import Mapping
from copy import copy
from decimal import ROUND_UP, Decimal

from brokers.paper.account import PaperAccount
from brokers.paper.instruments import Instruments
from brokers.paper.matching import PaperOrder, SymbolBook, market_price, slipped
from brokers.paper.settlement import end_of
from brokers.paper.terms import Refusal, Terms
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.market import Quote
from engine.domain.money import COST_QUANTUM, ONE, ZERO, is_multiple, is_positive
from engine.domain.order import (
    HAVE_LIMIT,
    HAVE_STOP,
    IMMEDIATE,
    OrderTerms,
    Replacement,
    TimeInForce,
)
from engine.ports import Clock
from engine.state.rates import Rates


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """The order is not taken, and why."""

    def __init__(self, code: Refusal, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class Admission:
    """Decides what is taken, and what an account can pay for.

    `rates` are those that the prices of this market tell, or reference data.
    """

    def __init__(
        self,
        terms: Terms,
        instruments: Instruments,
        account: PaperAccount,
        rates: Rates,
        clock: Clock,
    ) -> None:
        self._terms = terms
        self._instruments = instruments
        self._account = account
        self._rates = rates
        self._clock = clock

    def record(self, order: OrderTerms, *, sequence: int, now: Nanos) -> PaperOrder:
        """The order as the venue keeps it, before anything is asked of it."""
        return PaperOrder(
            sequence=sequence,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            type=order.type,
            quantity=order.quantity,
            limit_price=order.limit_price if order.type in HAVE_LIMIT else None,
            stop_price=order.stop_price if order.type in HAVE_STOP else None,
            time_in_force=order.time_in_force,
            reduce_only=order.reduce_only,
            accepted_at=now,
            updated_at=now,
        )

    def admit(
        self,
        order: OrderTerms,
        *,
        sequence: int,
        now: Nanos,
        quotes: Mapping[str, Quote],
        reserved: Decimal,
        working: SymbolBook | None,
    ) -> PaperOrder:
        """The order, taken: with its expiry, and with the cash to hold back per unit.

        `quotes` mark what is held, `reserved` is held back already, `working` are the symbol's
        orders. Raises Refused.
        """
        rules = self._instruments.get(order.symbol)
        self._check_contract(order, rules, now)
        self._check_form(order, rules)
        quote = quotes.get(order.symbol)
        if quote is None:
            raise Refused(Refusal.NO_PRICE, f"{order.symbol} has no price here yet")
        taken = self.record(order, sequence=sequence, now=now)
        taken.expires_at = self._expiry(order, rules, now)
        if order.reduce_only:
            if not self._account.reducible(order.symbol, buy=taken.buy):
                raise Refused(
                    Refusal.REDUCE_ONLY,
                    f"a reduce-only {order.side} of {order.symbol} needs an opposite position: "
                    f"it is {self._account.position(order.symbol)}",
                )
            return taken
        price = self._worst_price(taken, quote, rules)
        amount = order.quantity * price * rules.multiplier
        if amount < rules.min_notional:
            raise Refused(
                Refusal.MIN_NOTIONAL,
                f"{order.symbol} takes orders of {rules.min_notional} or more, not {amount}",
            )
        others = ZERO if working is None else working.leaves(buy=taken.buy)
        taken.reserved = self._per_unit(taken, order.quantity, others, price, rules)
        self._check_cash(taken, taken.reserved * taken.quantity, quotes, reserved)
        return taken

    def reprice(
        self,
        order: PaperOrder,
        wanted: Replacement,
        *,
        now: Nanos,
        quotes: Mapping[str, Quote],
        reserved: Decimal,
        working: SymbolBook,
    ) -> PaperOrder:
        """A working order as it is to become, with its expiry and the cash to hold back per unit.

        Raises Refused.
        """
        rules = self._instruments.get(order.symbol)
        self._check_change(order, wanted, rules)
        changed = copy(order)
        changed.quantity = wanted.quantity
        changed.limit_price = wanted.limit_price or order.limit_price
        changed.stop_price = wanted.stop_price or order.stop_price
        if wanted.time_in_force not in (None, order.time_in_force):
            changed.time_in_force = wanted.time_in_force or order.time_in_force
            changed.expires_at = self._expiry(changed, rules, now)
        quote = quotes.get(order.symbol)
        dearer = (changed.quantity, changed.limit_price) != (order.quantity, order.limit_price)
        if order.reduce_only or quote is None or not dearer:
            return changed
        price = self._worst_price(changed, quote, rules)
        others = working.leaves(buy=order.buy) - order.leaves
        leaves = changed.quantity - order.filled
        changed.reserved = self._per_unit(changed, leaves, others, price, rules)
        if changed.reserved * leaves > order.reserved * order.leaves:
            held = reserved - order.reserved * order.leaves
            self._check_cash(changed, changed.reserved * leaves, quotes, held)
        return changed

    def _check_change(self, order: PaperOrder, wanted: Replacement, rules: Instrument) -> None:
        """What a working order may become. Raises Refused."""
        name, quantity = order.client_order_id, wanted.quantity
        self._check_quantity(order.symbol, quantity, rules, whole=not order.reduce_only)
        if quantity <= order.filled:
            raise Refused(
                Refusal.INVALID_ORDER,
                f"{order.filled} of {name} are filled: "
                f"its quantity must stay above that, not {quantity}",
            )
        if wanted.limit_price is not None:
            if order.limit_price is None:
                raise Refused(Refusal.INVALID_ORDER, f"{name} has no limit")
            self._check_price("limit", order.symbol, wanted.limit_price, rules)
        if wanted.stop_price is not None:
            if order.stop_price is None or order.armed:
                raise Refused(Refusal.INVALID_ORDER, f"{name} has no stop that waits")
            self._check_price("stop", order.symbol, wanted.stop_price, rules)
        if wanted.time_in_force in IMMEDIATE:
            raise Refused(Refusal.INVALID_ORDER, f"{name} works: it cannot become IOC or FOK")

    def free_cash(self, quotes: Mapping[str, Quote]) -> Decimal:
        """Cash that is neither a short's proceeds nor its margin, in the account's currency; below
        zero after a loss. Raises Refused while the rate of a part of it is missing."""
        free = self._account.cash()
        for currency, value in self._account.short_value(quotes).items():
            free[currency] = free.get(currency, ZERO) + self._terms.short_margin * value
        return sum((amount * self._rate(c) for c, amount in free.items() if amount), ZERO)

    def equity(self, quotes: Mapping[str, Quote]) -> Decimal:
        """Cash and all holdings in the account's currency; what has no rate is left out."""
        worth = self._account.cash()
        for currency, value in self._account.market_value(quotes).items():
            worth[currency] = worth.get(currency, ZERO) + value
        total = ZERO
        for currency, amount in worth.items():
            with contextlib.suppress(Refused):
                total += amount * self._rate(currency)
        return total

    def payable(
        self,
        order: PaperOrder,
        quantity: Decimal,
        price: Decimal,
        quotes: Mapping[str, Quote],
        reserved: Decimal,
    ) -> tuple[Decimal, Refused | None]:
        """How much of `quantity` may fill at `price`, and what keeps the rest from it.

        All of it, or only the part that reduces the position where the account may not open more.
        """
        reducing = min(quantity, self._account.reducible(order.symbol, buy=order.buy))
        opening = quantity - reducing
        if not opening:
            return quantity, None
        rules = self._instruments.get(order.symbol)
        words = f"the account may not open {opening} {order.symbol} at {price}"
        if not order.buy and not rules.shortable:
            return reducing, Refused(Refusal.NOT_SHORTABLE, words)
        try:
            rate = self._rate(rules.currency)
            free = self.free_cash(quotes) - (reserved - order.reserved * order.leaves)
        except Refused as missing:
            return reducing, missing
        # The part that reduces pays first: its proceeds, and the margin it frees, count.
        traded = reducing * price * rules.multiplier
        gain = (-traded if order.buy else traded) - traded * self._terms.commission
        if order.buy:
            marked = quotes[order.symbol].last
            gain += self._terms.short_margin * reducing * marked * rules.multiplier
        if self._cost(order, opening * price * rules.multiplier) * rate > free + gain * rate:
            return reducing, Refused(Refusal.BUYING_POWER, words)
        return quantity, None

    def _rate(self, currency: str) -> Decimal:
        """What one unit of a currency is worth in the account's. Raises Refused without a rate."""
        base = self._account.currency
        if currency == base:
            return ONE
        rate = self._rates.rate(currency, self._clock.now())
        if rate is None:
            raise Refused(
                Refusal.CURRENCY,
                f"there is no rate of {currency} in {base} here: the account opens nothing that is "
                f"paid in {currency} before {currency}_{base} or {currency}-{base} has a price, or "
                "reference data a rate",
            )
        return rate.value

    def _check_contract(self, order: OrderTerms, rules: Instrument, now: Nanos) -> None:
        """What opens is an instrument, and no order comes after the contract has expired."""
        if rules.fault and not order.reduce_only:
            raise Refused(Refusal.NO_CONTRACT, rules.fault)
        last_day = rules.last_day
        if last_day is None:
            return
        calendar = self._instruments.calendar(rules.symbol)
        trades_at = now if calendar.is_open(now) else calendar.next_open(now) or now
        if calendar.session_date(trades_at) > last_day:
            raise Refused(
                Refusal.NO_CONTRACT,
                f"{rules.symbol} traded until {last_day}: it takes no orders any more",
            )

    def _check_form(self, order: OrderTerms, rules: Instrument) -> None:
        self._check_quantity(order.symbol, order.quantity, rules, whole=not order.reduce_only)
        wanted = (
            ("limit", order.limit_price, order.type in HAVE_LIMIT),
            ("stop", order.stop_price, order.type in HAVE_STOP),
        )
        for word, price, needed in wanted:
            if needed and price is None:
                raise Refused(
                    Refusal.INVALID_ORDER, f"a {order.type} order needs a {word} price: it has none"
                )
            if needed and price is not None:
                self._check_price(word, order.symbol, price, rules)

    def _check_quantity(
        self, symbol: str, quantity: Decimal, rules: Instrument, *, whole: bool
    ) -> None:
        """`whole`: in lots; what only reduces may be any part of a holding, or dust would stay."""
        if not is_positive(quantity):
            raise Refused(Refusal.INVALID_ORDER, f"a quantity must be above 0, not {quantity}")
        if whole and not is_multiple(quantity, rules.lot):
            raise Refused(
                Refusal.BAD_LOT, f"{symbol} trades in multiples of {rules.lot}, not {quantity}"
            )

    def _check_price(self, word: str, symbol: str, price: Decimal, rules: Instrument) -> None:
        if not is_positive(price):
            raise Refused(Refusal.INVALID_ORDER, f"a {word} price must be above 0, not {price}")
        if not is_multiple(price, tick := rules.tick_at(price)):
            raise Refused(
                Refusal.BAD_TICK,
                f"a {word} price of {symbol} is a multiple of {tick}, not {price}",
            )

    def _expiry(self, order: OrderTerms | PaperOrder, rules: Instrument, now: Nanos) -> Nanos:
        """When an order ends by itself: a DAY order with the session in progress, or with the next
        one (C-155); any order with the last day of its contract. 0 is never."""
        session = self._session_end(order, now)
        if rules.last_day is None:
            return session
        ends = end_of(rules.last_day)
        return min(session, ends) if session else ends

    def _session_end(self, order: OrderTerms | PaperOrder, now: Nanos) -> Nanos:
        calendar = self._instruments.calendar(order.symbol)
        if calendar.is_open(now):
            close = calendar.close_of(now)
            return close if close is not None and order.time_in_force is TimeInForce.DAY else 0
        opens = calendar.next_open(now)
        if order.time_in_force in IMMEDIATE or opens is None:
            raise Refused(Refusal.MARKET_CLOSED, calendar.explain(now))
        if order.time_in_force is not TimeInForce.DAY:
            return 0
        return calendar.close_of(opens) or 0

    def _worst_price(self, order: PaperOrder, quote: Quote, rules: Instrument) -> Decimal:
        """The price a unit is reckoned at until it fills."""
        market = market_price(quote, buy=order.buy)
        if order.limit_price is not None:
            return order.limit_price if order.buy else max(order.limit_price, market)
        if order.stop_price is not None:
            market = max(order.stop_price, market)
        return slipped(market, self._terms.slippage, rules, buy=order.buy)

    def _per_unit(
        self,
        order: PaperOrder,
        leaves: Decimal,
        others: Decimal,
        price: Decimal,
        rules: Instrument,
    ) -> Decimal:
        """Cash to hold back per unit of what may still fill, in the account's currency.

        What takes the position down, after the `others` that work on the same side, costs nothing.
        Raises Refused where the rest may not go short, and without a rate for it.
        """
        covered = max(self._account.reducible(order.symbol, buy=order.buy) - others, ZERO)
        opening = leaves - min(covered, leaves)
        if not opening:
            return ZERO
        if not order.buy and not rules.shortable:
            raise Refused(
                Refusal.NOT_SHORTABLE,
                f"{order.symbol} cannot be sold short: {covered} are free to sell, not {leaves}",
            )
        cost = self._cost(order, opening * price * rules.multiplier) * self._rate(rules.currency)
        return (cost / leaves).quantize(COST_QUANTUM, ROUND_UP)

    def _cost(self, order: PaperOrder, amount: Decimal) -> Decimal:
        return self._terms.long_cost(amount) if order.buy else self._terms.short_cost(amount)

    def _check_cash(
        self,
        order: PaperOrder,
        needed: Decimal,
        quotes: Mapping[str, Quote],
        reserved: Decimal,
    ) -> None:
        if not needed:
            return
        free = self.free_cash(quotes) - reserved
        if needed > free:
            raise Refused(
                Refusal.BUYING_POWER,
                f"{order.side} {order.quantity} {order.symbol} needs {needed:.2f} "
                f"{self._terms.currency}, free are {max(free, ZERO):.2f}",
            )
