"""The portfolio's money, in the base currency: cash, equity, the day's profit, the drawdown."""

from decimal import Decimal

import msgspec

from engine.domain.events import UnexplainedHolding
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.state.account import NOTHING, Unexplained
from engine.state.book import Book
from engine.state.valuation import Valuation
from engine.world.believed import Believed
from engine.world.currencies import Currencies
from engine.world.evidence import leaps
from engine.world.prices import Prices
from engine.world.reach import Reach


class Equity(msgspec.Struct, frozen=True):
    """Equity in the base currency, and how much of it nothing explains (X-75)."""

    whole: Decimal
    """All of it: what the floor of equity is asked of, by its check, its trigger and `status`
    (A-183)."""
    unexplained: Decimal

    @property
    def explained(self) -> Decimal:
        """The rest: what profit, drawdown and the high-water mark are worked out of."""
        return self.whole - self.unexplained


class PortfolioMoney:
    """What the accounts of this process are worth, and how that has moved.

    Sums are in the base currency (`[account] currency`); an amount in a currency whose worth was
    never told is left out (X-86).
    """

    def __init__(
        self, book: Book, value: Valuation, currencies: Currencies, prices: Prices
    ) -> None:
        """`value` holds the totals of what is held, at `prices`."""
        self._book = book
        self._value = value
        self._currencies = currencies
        self._prices = prices
        self.reach = Reach()
        self._believed = {
            name: Believed(NOTHING, account.unexplained, account.seen_at)
            for name, account in book.data.accounts.items()
            if not account.unexplained.is_nothing
        }
        """By account, what looks agree on of what nothing explains there."""

    @property
    def cash(self) -> Decimal:
        """Cash of all accounts."""
        total = ZERO
        for account in self._book.data.accounts.values():
            if account.open:
                total += self._currencies.in_base(account.cash)
        return total

    @property
    def equity(self) -> Decimal:
        """Cash plus everything held at its mark, and what nothing explains at the venues."""
        return self._explained + self.unexplained

    @property
    def _explained(self) -> Decimal:
        return self.cash + self._currencies.in_base(self._value.market_value)

    @property
    def unexplained(self) -> Decimal:
        """What the venues say is there and nothing explains: part of equity, and of no profit,
        transfer or peak (X-75)."""
        total = ZERO
        for name, account in self._book.data.accounts.items():
            if account.open and not account.unexplained.is_nothing:
                total += self._currencies.in_base(self.unexplained_in(name))
        return total

    def unexplained_in(self, account: str) -> dict[str, Decimal]:
        """The same of one account, by currency."""
        unexplained = self._book.account(account).unexplained
        amounts = dict(unexplained.cash)
        for held in unexplained.holdings.values():
            currency = self._book.currency_of(held.symbol)
            amounts[currency] = amounts.get(currency, ZERO) + self.value_of(held)
        return amounts

    @property
    def _believed_unexplained(self) -> Decimal:
        """What nothing explains, as far as evidence carries its prices and rates (X-71).

        That the venue has more counts with the look that finds it; that it has less once looks
        agree on it.
        """
        total = ZERO
        for name, account in self._book.data.accounts.items():
            found, known = account.unexplained, self._believed.get(name)
            if not account.open or (found.is_nothing and known is None):
                continue
            value = self._proved_value(found)
            if known is not None and known.standing != found:
                value = max(value, self._proved_value(known.standing))
            total += value
        return total

    def _proved_value(self, unexplained: Unexplained) -> Decimal:
        """What such a thing is worth as far as evidence carries prices and rates."""
        amounts = dict(unexplained.cash)
        for held in unexplained.holdings.values():
            proved = self._prices.proved_anywhere(held.symbol)
            price = held.price if proved is None else proved
            currency = self._book.currency_of(held.symbol)
            value = held.quantity * price * held.multiplier
            amounts[currency] = amounts.get(currency, ZERO) + value
        return self._currencies.in_proved_base(amounts)

    def looked(self, account: str, at: Nanos) -> None:
        """Take what nothing explains in an account after a look of the time `at` as evidence."""
        found, known = self._book.account(account).unexplained, self._believed.get(account)
        if known is None:
            if not found.is_nothing:
                self._believed[account] = Believed(NOTHING, found, at)
            return
        known.see(found, at, self._proved_value)
        self._forget(account)

    def explained(self, account: str, at: Nanos) -> None:
        """What nothing explains in an account was changed by something else than a look."""
        known = self._believed.get(account)
        if known is not None:
            known.explain(self._book.account(account).unexplained, at, self._proved_value)
            self._forget(account)

    def _forget(self, account: str) -> None:
        """Drop what is believed of an account where it is nothing, and nothing else was found."""
        if self._book.account(account).unexplained.is_nothing and (
            self._believed[account].standing.is_nothing
        ):
            del self._believed[account]

    def value_of(self, held: UnexplainedHolding) -> Decimal:
        """What a quantity that nothing explains is worth, in the currency of the symbol."""
        mark = self._prices.mark(held.symbol)
        return held.quantity * (held.price if mark is None else mark) * held.multiplier

    @property
    def newest(self) -> Equity:
        """Equity at the newest prices, rates and looks."""
        unexplained = self.unexplained
        return Equity(self._explained + unexplained, unexplained)

    @property
    def proved(self) -> Equity:
        """Equity as far as evidence carries the prices, rates and looks that it rests on (X-71,
        X-74).

        Cash in the base currency counts as it is: what is realised needs no evidence.
        """
        unexplained = self._believed_unexplained
        return Equity(self._proved_explained + unexplained, unexplained)

    @property
    def _proved_explained(self) -> Decimal:
        """What is explained of equity, as far as evidence carries it."""
        value, total = self._value, self._explained
        for currency, amount in value.unproved.items():
            if amount:
                total -= amount * self._currencies.worth.get(currency, ZERO)
        for currency, proved in self._currencies.proved.items():
            if not self._currencies.owns(currency):
                continue
            unproved = self._currencies.worth[currency] - proved.value
            if unproved:
                amount, _ = self._currencies.amounts_in(currency)
                total -= (amount - value.unproved.get(currency, ZERO)) * unproved
        return total

    @property
    def believed(self) -> tuple[Decimal, Decimal]:
        """Equity and the unrealised profit in it, with what has evidence in the place of every
        price and rate that is taken for a bad tick: what a day, a mark and the high-water mark
        rest on."""
        equity, unrealized = self.equity, self.unrealized
        for currency, amount in self._value.leaps.values():
            equity -= amount * self._currencies.worth.get(currency, ZERO)
            unrealized -= amount * self._currencies.worth.get(currency, ZERO)
        for currency, proved in self._currencies.proved.items():
            worth = self._currencies.worth[currency]
            if leaps(worth, proved.value):
                amount, gained = self._currencies.amounts_in(currency)
                bad = sum((a for c, a in self._value.leaps.values() if c == currency), start=ZERO)
                equity -= (amount - bad) * (worth - proved.value)
                unrealized -= (gained - bad) * (worth - proved.value)
        return equity, unrealized

    def equity_of(self, account: str) -> Decimal:
        """What one account is worth, in the base currency."""
        return self._currencies.in_base(self._amounts_of(account))

    def own_equity_of(self, account: str) -> Decimal | None:
        """What one account is worth, in its own currency, which itself needs no rate.

        None where it has something in another one and nothing tells what its own is worth in that.
        """
        own = self._book.account(account).currency or self._currencies.base
        amounts = self._amounts_of(account)
        for currency, amount in self.unexplained_in(account).items():
            amounts[currency] = amounts.get(currency, ZERO) + amount
        equity = amounts.pop(own, ZERO)
        if not any(amounts.values()):
            return equity
        worth = self._currencies.worth.get(own)
        return None if worth is None else equity + self._currencies.in_base(amounts) / worth

    @property
    def unknown(self) -> set[str]:
        """Accounts that were looked at and of which nobody knows what they are worth: they have
        something in the currency that they are kept in, and its worth was never told (X-86)."""
        worth, found = self._currencies.worth, set()
        for account in self._book.accounts:
            own = account.currency
            if own and own not in worth and account.balances is not None:
                unexplained = self.unexplained_in(account.name)
                if self._amounts_of(account.name).get(own) or unexplained.get(own):
                    found.add(account.name)
        return found

    @property
    def is_unknown(self) -> bool:
        """Whether that is so of every account that was looked at: no limit is a share of the rest
        that they hold."""
        unknown = self.unknown
        return bool(unknown) and all(
            account.balances is None or account.name in unknown for account in self._book.accounts
        )

    def _amounts_of(self, account: str) -> dict[str, Decimal]:
        """Cash and what is held in one account, by currency."""
        state = self._book.account(account)
        amounts = dict(state.cash)
        for symbol, position in state.positions.items():
            currency = self._book.currency_of(symbol)
            amounts[currency] = amounts.get(currency, ZERO) + self._prices.market_value(position)
        return amounts

    @property
    def unrealized(self) -> Decimal:
        """Profit of everything held at its mark, before commission."""
        return self._currencies.in_base(self._value.unrealized)

    @property
    def daily_pnl(self) -> Decimal:
        """What the day has earned so far (X-13, X-75)."""
        return self.pnl_of_day(self.newest)

    def pnl_of_day(self, equity: Equity) -> Decimal:
        """The same at an equity; what nothing explains is no profit (X-75)."""
        session = self._book.data.session
        if session is None:
            return ZERO
        return session.earned(equity.whole, equity.unexplained)

    @property
    def unrealized_ever(self) -> Decimal:
        """Profit since the accounts were first seen that no sale has realised: of what is held, and
        what moves of rates made of cash and of cost in other currencies (X-75, X-86)."""
        data = self._book.data
        start = data.starting_equity or ZERO
        earned = self.equity - self.unexplained - start - data.flows - data.adjustments
        return earned - data.realized + data.commission

    @property
    def drawdown(self) -> Decimal:
        """Fall from the high-water mark as a fraction of it."""
        return self.fall_of(self.newest)

    def fall_of(self, equity: Equity) -> Decimal:
        """The same at an equity; what nothing explains is in neither (X-75)."""
        explained = equity.explained
        peak = max(self.peak_equity, explained)
        return (peak - explained) / peak if peak > 0 else ZERO

    @property
    def peak_equity(self) -> Decimal:
        """The high-water mark: the highest equity, as far as evidence carried it."""
        return self._book.data.peak_equity + self.reach.above

    @property
    def peak_of_day(self) -> Decimal | None:
        """The highest equity of the day; None before the first one."""
        session = self._book.data.session
        return None if session is None else session.peak_equity + self.reach.day_above

    def measure(self, equity: Equity) -> None:
        """Remember how far `equity` goes, which evidence carries; what nothing explains does not
        count (X-75)."""
        data = self._book.data
        if data.starting_equity is not None:
            peak = data.peak_equity
            of_day = peak if data.session is None else data.session.peak_equity
            self.reach.see(equity.explained, peak, of_day)
