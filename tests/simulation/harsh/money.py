"""L and Q: losses at their limit; cash, quantities and profit; how the day began."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.order import Fill, OrderStatus, OrderTerms
from engine.domain.run import Phase, RunState
from engine.runtime.engine import Engine
from engine.state.book import Book
from engine.world import exposure
from tests.simulation.harsh.facts import ZERO, Facts
from tests.simulation.harsh.venue import SOMEBODY, HarshVenue

LOSS_SECONDS: Final = 2.5
"""A loss at its limit stops the engine within 2 s; two samples a second are taken."""
FALSE_SHARE: Final = Decimal("0.8")
"""A loss of so much of the limit may be taken for one at the limit."""
LOSS_MARGIN: Final = Decimal("0.002")
"""Fees and the price of the very moment, as a share of equity."""
PROFIT_MARGIN: Final = Decimal("0.004")
PROFIT_SECONDS: Final = 4.0
STRANGE_PASTS: Final = ("old",)
AT_ONCE: Final = NS_PER_SECOND // 10
"""What is decided is in the journal, and seen here, so soon."""

POWER_MARGIN: Final = Decimal("0.15")
"""Prices may move so far between two looks, as a share of equity."""
POWER_SECONDS: Final = 2.0
AT_REST_MARGIN: Final = Decimal("0.02")


class Money(Facts):
    """Holds what the engine says of money against the sheets."""

    def _journalled(self, event: ev.Event) -> None:
        """What the engine takes over that nobody else told."""
        match event:
            case ev.OrderFilled(fill=fill):
                place = (event.account, fill.symbol)
                now = self._journalled_in.get(place, ZERO) + fill.quantity * fill.side.sign
                self._journalled_in[place] = now
                self._booked(event.account, fill)
            case ev.PositionAdjusted():
                self._journalled_in[event.account, event.symbol] = event.quantity
                held = self.told[event.account].holdings.get(event.symbol)
                before = held.quantity if held is not None else ZERO
                price = self._told_lately(event.symbol, event.mark)
                if before != event.previous:
                    self.disputed = True
                self.told[event.account].adopt(event.symbol, event.quantity - before, price)
                self._adopted_at[event.account, event.symbol] = price
                self._adopted_on[event.account, event.symbol] = self.now() - AT_ONCE
                if event.account not in self.first_worth:
                    _, there = self._told_first(event.account)
                    self._start_off += event.quantity * (price - there[event.symbol])
                    self._begun_with.add((event.account, event.symbol))
                else:
                    self._begun_with.discard((event.account, event.symbol))
                    self._taken_over += (event.quantity - before) * price
            case ev.CashAdjusted(amounts=amounts):
                self._taken_over += amounts.get("USD", ZERO)
            case ev.HoldingPriced(left=Decimal() as left):
                # What was taken off at a price of before is known to be worth that only now.
                place, sheet = (event.account, event.symbol), self.told[event.account]
                since = self._adopted_on[place]
                price = self._first_told(event.account, event.symbol, event.price, since)
                sheet.adopt(event.symbol, -left, self._adopted_at[place])
                sheet.adopt(event.symbol, left, price)
                self._taken_over += left * (price - self._adopted_at[place])
                self._adopted_at[place] = price
            case ev.HoldingPriced(early=early):
                # The price that it is taken over at is known only now: the first that was told. A
                # fill may be it, which the sheet has by then; it sold some of what is priced.
                place, sheet = (event.account, event.symbol), self.told[event.account]
                since = self.began if early else self._adopted_on[place]
                price = self._first_told(event.account, event.symbol, event.price, since)
                quantity = self._journalled_in.get(place, ZERO)
                sheet.adopt(event.symbol, -quantity, self._adopted_at[place])
                sheet.adopt(event.symbol, quantity, price)
                more = quantity * (price - self._adopted_at[place])
                if place in self._begun_with:
                    self._start_off += more
                else:
                    self._taken_over += more
                self._adopted_at[place] = price
            case ev.AccountSynced(flow=flow, balances=balances):
                self._first_looks.setdefault(event.account, balances.as_of)
                if flow:
                    self.broken("Q flow", f"{flow} of {event.account} is booked as a transfer")

    def _first_told(self, account: str, symbol: str, price: Decimal, since: Nanos) -> Decimal:
        """That price, where somebody traded at it there, or it was told from then on; else the
        usual one."""
        traded = any(
            fill.symbol == symbol
            and fill.price == price
            and not fill.client_order_id.startswith(STRANGE_PASTS)
            for fill in self.venues[account].fills
        )
        told = any(at >= since and seen == price for at, seen in self._prices[symbol])
        return price if traded or told else self._usual(symbol)

    def _booked(self, account: str, fill: Fill) -> None:
        venue = self.venues[account]
        key, bought = fill.client_order_id, fill.quantity * fill.side.sign
        if key.startswith(STRANGE_PASTS):
            self.broken("Q history", f"{key} of before the first start was taken as a trade")
        elif key.startswith(SOMEBODY):
            self.told[account].take(fill.symbol, bought, fill.price, fill.commission)
        elif venue.number_of(fill) is None:
            working = venue.orders.get(key)
            filled = working.filled if working is not None else ZERO
            assumed = self.told[account].assumed(key) + fill.quantity
            self.told[account].assume(key, fill.symbol, bought, fill.price)
            if assumed > filled:
                self.broken("Q fill", f"{fill.side} {fill.quantity} {fill.symbol} never happened")
            elif assumed + self._heard.get(key, ZERO) > filled:
                self.disputed = True  # it had been told of, and the sheet has it twice from here on

    def _compared(self, event: ev.Reconciled) -> None:
        seen = self.accounts[event.account]
        if event.failed:
            return
        seen.looked = seen.looked_over_link = True
        if event.account not in self.first_worth:
            # What moves after this look was answered comes after the beginning, whatever another
            # look was told meanwhile.
            self.first_worth[event.account], _ = self._told_first(event.account)

    def _told_first(self, account: str) -> tuple[Decimal, dict[str, Decimal]]:
        """What everything was worth at the first look at an account, and at which prices."""
        return self.venues[account].told_at[self._first_looks[account]]

    @property
    def _basis(self) -> Decimal:
        """What the loss limit is a share of: with what the day began, and what of cash and holdings
        an operator or a kill has taken over since (X-75)."""
        return sum(self.first_worth.values(), ZERO) + self._taken_over

    def _lost(self, book: Book, *, agreed: bool) -> None:
        """L: a loss at its limit stops the engine, however it came about.

        `agreed`: what is held is what was told; what is in dispute is named, and is no profit
        before it is decided.
        """
        basis = self._basis
        if len(self.first_worth) < len(self.venues) or self.clock_was_wrong:
            return
        if self.split_symbols:
            return
        if not agreed or self.disputed:
            self._since.pop(("loss",), None)
            return
        profit = ZERO
        for name, sheet in self.told.items():
            prices = {s: self._kept(book, name, s, q) for s, q in sheet.held().items()}
            profit += sheet.profit(prices)
        over = -profit >= (self.daily_loss + LOSS_MARGIN) * basis
        stopped = book.run_state in (RunState.HALTED, RunState.REDUCE_ONLY)
        if self._lasts(("loss",), over and not stopped, LOSS_SECONDS):
            text = f"{profit:.0f} of {basis:.0f} lost, and the state is {book.run_state}"
            self.broken("L loss", text)

    def _kept(self, book: Book, name: str, symbol: str, quantity: Decimal) -> Decimal:
        """The price that a quantity counts at to its favour.

        What of it is sold at the venue already, and is named here as missing, loses nothing by the
        prices since: it counts at no less than it cost.
        """
        price = self._favourable(symbol, quantity)
        sign = 1 if quantity > 0 else -1
        held, there = quantity * sign, self.venues[name].positions.get(symbol, ZERO) * sign
        gone = held - min(held, max(there, ZERO))
        if not gone or symbol not in book.account(name).missing:
            return price
        cost = self.told[name].holdings[symbol].average
        return (price * (held - gone) + max(price * sign, cost * sign) * sign * gone) / held

    def _really_lost(self) -> None:
        """L: the limit is told of a loss that is one, at the worst of the newest prices.

        Where the engine has named that it holds something else than it was told, as after an
        execution under an id that was used before (X-91), nobody knows yet what was lost: then it
        fails closed, and `_lost` asks nothing of it either.
        """
        if self.clock_was_wrong or len(self.first_worth) < len(self.venues):
            return
        if self.disputed or self._holds_otherwise():
            return
        profit, realised = ZERO, ZERO
        for sheet in self.told.values():
            worst = {s: self._worst(s, q) for s, q in sheet.held().items()}
            profit += sheet.profit(worst)
            realised += sheet.profit({s: sheet.holdings[s].average for s in worst})
        if self.engine is not None and self.engine.book.data.phase is not Phase.RUNNING:
            # Before a process is told any price, what is realised counts by itself too.
            profit = min(profit, realised)
        if -profit < self.daily_loss * self._basis * FALSE_SHARE:
            self.broken("L false", f"the loss limit fired, and the profit is {profit:.0f}")

    def _holds_otherwise(self) -> bool:
        """Whether it has named a symbol of which it holds another quantity than was told."""
        if self.engine is None:
            return False
        for name, sheet in self.told.items():
            account, held = self.engine.book.account(name), sheet.held()
            here = {p.symbol: p.quantity for p in account.positions.values()}
            named = {d.symbol for d in account.differences} | set(account.blocked)
            if any(here.get(s, ZERO) != held.get(s, ZERO) for s in named):
                return True
        return False

    def _earned_so_far(self, engine: Engine, *, agreed: bool) -> None:
        """Q: the profit of the day is that of what was traded, at the prices of now."""
        if self.clock_was_wrong or self.split_symbols or self.disputed:
            return
        if len(self.first_worth) < len(self.venues):
            return
        if not agreed:
            self._since.pop(("profit",), None)
            return
        held = {symbol for sheet in self.told.values() for symbol in sheet.held()}
        if held - engine.world.market.quotes.keys():
            self._since.pop(("profit",), None)
            return  # what is halted since this process began has no newer price than the journal's
        start, prices = sum(self.first_worth.values(), ZERO), self._last()
        profit = sum((sheet.profit(prices) for sheet in self.told.values()), ZERO)
        shown = engine.world.money.daily_pnl
        off = abs(shown - profit) > PROFIT_MARGIN * start
        if self._lasts(("profit",), off, PROFIT_SECONDS):
            text = f"{shown:.0f} is shown as the day's profit, {profit:.0f} it is"
            self.broken("Q profit", text)

    def _started_with(self, book: Book) -> Iterator[tuple[str, str]]:
        """Q: the day began with what the venues said, holdings included (X-75)."""
        session, there = book.data.session, sum(self.first_worth.values(), ZERO)
        if session is None or self.clock_was_wrong:
            return
        if any(venue.switches.strange_balances for venue in self.venues.values()):
            return  # what it said first may have been no balance
        there = there + self._start_off if self._row_began is None else self._row_began
        start = session.starting_equity
        if abs(start - there) > there / 100:
            yield "Q start", f"the day is said to begin with {start:.0f}, it was {there:.0f}"

    def _row_written(self, event: ev.SessionOpened | ev.SessionClosed) -> None:
        """Where a day's row begins never changes once it is written (X-75): what is found later, as
        in an account that was silent until then, is no part of that."""
        if isinstance(event, ev.SessionOpened):
            self._row_began = None
        elif self._row_began is None:
            self._row_began = sum(self.first_worth.values(), ZERO) + self._start_off

    def _affordable(self, account: str, order: OrderTerms) -> None:
        """Q: what enters costs no more than the venue would let anybody spend (X-79)."""
        venue = self.venues[account]
        if venue.switches.transfers or venue.switches.trades_of_others:
            return  # what others do there is known only after the next look
        over = order.quantity * order.reserved - venue.free
        if over > POWER_MARGIN * venue.worth and not self.split_symbols:
            self.broken("Q power", f"{order.client_order_id} costs {over:.0f} more than is free")

    def _power_now(self, engine: Engine, venue: HarshVenue) -> None:
        """Q: so it is while entries rest, by the last look that nothing but prices moved after.

        What the venue hides of its executions, and what others do there, is told at rest.
        """
        account, wrong = engine.book.account(venue.name), venue.switches
        here = {p.symbol: p.quantity for p in account.positions.values()}
        moved = venue.moved_at >= account.power_asked or here != venue.positions
        hides = wrong.executions_missing or wrong.contradictions or wrong.strange_balances
        others = wrong.transfers or wrong.trades_of_others or bool(venue.strangers)
        entries = {k for k, order in account.orders.items() if order.adds_exposure}
        there = {k for k, working in venue.open.items() if working.order.adds_exposure}
        unsure = moved or hides or others or venue.silent or self.clock_was_wrong
        unsure = unsure or not entries or entries != there
        told = None if account.balances is None else venue.free_at.get(account.balances.as_of)
        found = [] if unsure or told is None else list(self._power(engine, venue, told))
        if self._lasts(("power", venue.name), bool(found), POWER_SECONDS):
            self.broken(*found[0])

    def _power(self, engine: Engine, venue: HarshVenue, free: Decimal) -> Iterator[tuple[str, str]]:
        """Q: while nothing moves, what new exposure may cost is what the venue says (X-79), `free`.

        What an order gives back that has just ended is known with the next look.
        """
        ours = max(exposure.buying_power(engine.world, venue.name), ZERO)
        off = ours - free
        if off < 0 and venue.moved_at > engine.book.account(venue.name).power_asked:
            return
        doubtful = any(
            o.status is OrderStatus.UNKNOWN for o in engine.book.account(venue.name).orders.values()
        )
        if abs(off) > AT_REST_MARGIN * venue.worth and not doubtful and not self.split_symbols:
            text = f"{ours:.0f} may be spent in {venue.name}, {free:.0f} may there"
            yield "Q power", text
