"""The prices that holdings count at: the newest, and as far as evidence carries them (X-71)."""

from collections.abc import Callable
from decimal import Decimal

from engine.calendars import Calendar
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.market import Quote
from engine.domain.money import ZERO
from engine.domain.suspicion import Suspicion
from engine.state.book import Book
from engine.state.position import Position
from engine.state.valuation import Valuation
from engine.world.absence import moved_since
from engine.world.evidence import ProvedPrice, both_sides, leaps
from engine.world.gaps import GAP_AFTER, LOOKED_AT, Gap
from engine.world.market import MarketView


class Prices:
    """Marks, and the evidence of each; it keeps the totals of what is held at them."""

    def __init__(
        self,
        book: Book,
        market: MarketView,
        value: Valuation,
        calendar: Callable[[str], Calendar | None],
    ) -> None:
        """`calendar` gives a calendar by its name, None where there is none."""
        self._book = book
        self._market = market
        self._value = value
        self._calendar = calendar
        self._proved: dict[str, ProvedPrice] = {}
        """By symbol that is held, its price as far as evidence carries it (X-71)."""
        self._in_doubt: dict[str, ProvedPrice] = {}
        """The same of symbols that are not held, as far as is known: an order is in doubt there,
        or a venue has something of them that nothing explains."""
        self._left: dict[str, dict[Decimal, ProvedPrice]] = {}
        """The same of what was taken off without a fill and waits for its price, each by the price
        that it counts at until then (X-75)."""
        self.first_told: dict[str, Nanos] = {}
        """When a symbol that was taken over without a price got a first one that may be a bad
        tick."""
        self.gaps: dict[str, Gap] = {}
        """By symbol, the last price before a time without any, for a while after it (X-93)."""
        self.moved = 0
        """How often what evidence says of prices changed equity, or may have."""

    def take_quote(self, quote: Quote, instrument: Instrument, now: Nanos) -> bool:
        """Take a price of an instrument into the market view, and as evidence; False where it is no
        news (`MarketView.take`)."""
        last = self._market.quotes.get(quote.symbol)
        if not self._market.take(quote, now):
            return False
        self._find_gap(quote, last, instrument, now)
        proved = self._proved.get(quote.symbol)
        if proved is None and (self._in_doubt or self._book.index.unclear):
            proved = self._doubted(quote)
        if proved is not None:
            before = proved.value
            now_proved = proved.see(
                quote.last,
                now,
                told_at=self._market.told_at[quote.symbol],
                falling=both_sides(quote, falling=True),
                rising=both_sides(quote, falling=False),
            )
            if last is None or now_proved != before:
                self.moved += 1
        return True

    def _find_gap(
        self, quote: Quote, last: Quote | None, instrument: Instrument, now: Nanos
    ) -> None:
        """Keep the price of before, where a new one comes after a time without any (X-93).

        That is a time in which there should have been some, or another session. `last` is the quote
        before this one, None for the first.
        """
        symbol, data = quote.symbol, self._book.data
        gap = self.gaps.get(symbol) if self.gaps else None
        if gap is not None and now - gap.ended > LOOKED_AT:
            del self.gaps[symbol]
        if last is not None:
            seen = min(last.time, now)
            ages = max(last.stale_at, seen + GAP_AFTER)
        else:
            # A price that nobody told is none to compare with.
            guessed = any(symbol in account.estimated for account in self._book.accounts)
            seen = data.marked_at if symbol in data.marks and not guessed else 0
            ages = seen + GAP_AFTER
        # A source may be behind: what is between two prices is between their times.
        told = quote.time if seen <= quote.time <= now else now
        if not seen or (told <= ages and not self._is_another_session(instrument, seen, told)):
            return
        before = self._believed(symbol, data.marks.get(symbol) if last is None else last.last)
        if before:
            self.gaps[symbol] = Gap(before, seen, now)

    def _is_another_session(self, instrument: Instrument, seen: Nanos, now: Nanos) -> bool:
        """Whether the market of an instrument has closed since."""
        known = self._calendar(instrument.calendar)
        if known is None or known.always_open:
            return False
        return known.session_date(seen) != known.session_date(now)

    def mark(self, symbol: str) -> Decimal | None:
        """Last price: of the feed, else the last one the journal knows, as after a start."""
        seen = self._market.mark(symbol)
        return self._book.data.marks.get(symbol) if seen is None else seen

    def suspicion_of(self, position: Position) -> Suspicion | None:
        """Why what is held there is suspected of a split; None where it is not (X-93)."""
        account = self._book.data.accounts.get(position.account)
        return None if account is None else account.suspected.get(position.symbol)

    def believed(self, symbol: str) -> Decimal | None:
        """The mark of a symbol, or the price that has evidence where that is a bad tick; of one
        that is suspected of a split, the price that it counts at (X-93)."""
        return self._believed(symbol, self.mark(symbol))

    def _believed(self, symbol: str, mark: Decimal | None) -> Decimal | None:
        """The same, where `mark` is the mark of the symbol."""
        for account in self._book.accounts:
            if symbol in account.suspected:
                return account.suspected[symbol].mark
        proved = self.proved(symbol)
        if mark is None or proved is None:
            return mark
        return proved if leaps(mark, proved) else mark

    def market_value(self, position: Position) -> Decimal:
        """Signed value of one holding at its mark, in its currency; at cost without a mark."""
        frozen = self.suspicion_of(position)
        if frozen is not None:
            return position.market_value(frozen.mark)
        mark = self.mark(position.symbol)
        return position.cost if mark is None else position.market_value(mark)

    def revalue(self, symbol: str) -> None:
        """Put the totals right after a fill or a price.

        An account that is not open counts for nothing in them: neither its money nor its holdings.
        """
        currency, mark = self._book.currency_of(symbol), self.mark(symbol)
        proved = self.proved(symbol)
        leap = mark is not None and proved is not None and leaps(mark, proved)
        for name, account in self._book.data.accounts.items():
            position = account.positions.get(symbol) if account.open else None
            frozen = account.suspected.get(symbol)
            if frozen is not None:
                self._value.update(name, symbol, position, frozen.mark, currency)
                continue
            self._value.update(
                name,
                symbol,
                position,
                mark,
                currency,
                proved,
                leaps=leap,
                missing=moved_since(account, symbol, position, proved),
            )

    def revalue_all(self) -> None:
        """Put the totals right for everything that is held, after accounts were opened or left."""
        for symbol in {position.symbol for position in self._book.holdings()}:
            self.revalue(symbol)

    def proved(self, symbol: str) -> Decimal | None:
        """The price of a symbol that is held as far as evidence carries it; None of any other.

        Evidence is never older than what it is about: it begins with the price of the first fill,
        or with the last one that the journal knows (X-71).
        """
        known = self._proved.get(symbol)
        if known is not None:
            return known.value
        held = self._book.held(symbol)
        if not held:
            return None
        first = self._book.data.marks.get(symbol, held[0].average_price)
        self._proved[symbol] = ProvedPrice(first)
        self.moved += 1
        return first

    def proved_anywhere(self, symbol: str) -> Decimal | None:
        """The same of a symbol that is held, or of which a venue has something that nothing
        explains; its mark where no evidence is kept, None without one."""
        known = self._proved.get(symbol) or self._in_doubt.get(symbol)
        return self.mark(symbol) if known is None else known.value

    def follow_unexplained(self) -> None:
        """Keep the evidence of the prices of what nothing explains at the venues."""
        for account in self._book.accounts:
            for held in account.unexplained.holdings.values():
                if held.symbol not in self._proved and held.symbol not in self._in_doubt:
                    first = self.mark(held.symbol)
                    self._in_doubt[held.symbol] = ProvedPrice(
                        held.price if first is None else first
                    )

    def is_unexplained(self, symbol: str) -> bool:
        """Whether a venue has more, or less, of a symbol than anything explains (X-75)."""
        return any(symbol in account.unexplained.holdings for account in self._book.accounts)

    def _doubted(self, quote: Quote) -> ProvedPrice | None:
        """What is kept of the prices of a symbol in which something may be held and is not known;
        None where no order of it is in doubt, and nothing of it is unexplained."""
        if not (self._book.works_in(quote.symbol) or self.is_unexplained(quote.symbol)):
            self._in_doubt.pop(quote.symbol, None)
            return None
        known = self._in_doubt.get(quote.symbol)
        if known is None:
            known = self._in_doubt[quote.symbol] = ProvedPrice(quote.last)
        return known

    def entered_before(self, symbol: str, price: Decimal, at: Nanos) -> None:
        """What is known only now to have been entered at a price at a time (0: nobody knows when)
        counts by what has been proved since then; that of what was held already stands."""
        known = self._in_doubt.pop(symbol, None)
        if symbol in self._proved:
            return
        if known is None:
            known = ProvedPrice(price)
            for quotes in (self._market.before, self._market.quotes):
                quote = quotes.get(symbol)
                if quote is not None and 0 < at < quote.time:
                    known.see(quote.last, quote.time, told_at=quote.time)
        known.entered_at(price)
        self._proved[symbol] = known

    def since_left(self, quote: Quote, price: Decimal, now: Nanos) -> Decimal:
        """How far evidence carries the price of what was taken off at a `price`, with this quote
        of `now`, which is far from it."""
        known = self._left.setdefault(quote.symbol, {}).setdefault(price, ProvedPrice(price))
        return known.see(
            quote.last,
            now,
            told_at=self._market.told_at[quote.symbol],
            falling=both_sides(quote, falling=True),
            rising=both_sides(quote, falling=False),
        )

    def forget_left(self, symbol: str) -> None:
        """Drop that evidence: nothing that was taken off waits for its price any more."""
        self._left.pop(symbol, None)

    def enter_at(self, symbol: str, quantity: Decimal, price: Decimal) -> None:
        """What of a holding was entered at a price is neither gain nor loss, whatever evidence says
        of the rest: the price that has evidence becomes the mean of both.

        `quantity` is signed and part of what is held now. Below zero for a long, above for a short,
        it left the holding at that price without being realised.
        """
        known = self._proved.get(symbol)
        total = sum((position.quantity for position in self._book.held(symbol)), start=ZERO)
        if known is None or not total:
            return
        rest = total - quantity
        known.value = (known.value * rest + price * quantity) / total if rest * total > 0 else price

    def restate(self, symbol: str, price: Decimal) -> None:
        """Begin the evidence of a price anew: its units are others since a split (X-93)."""
        self._proved[symbol] = ProvedPrice(price)

    def forget(self, symbol: str) -> None:
        """Drop the evidence of a price: nobody holds the symbol any more."""
        self._proved.pop(symbol, None)
