"""One seeded run of a harsh profile with something staged."""

from decimal import ROUND_DOWN, Decimal
from functools import partial
from random import Random
from typing import Final

import msgspec

from engine.domain import commands as ask
from engine.domain.inputs import Command
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Quote
from engine.domain.order import OrderTerms, OrderType, Side
from engine.domain.run import Flatten, Level
from engine.runtime.engine import Engine
from tests.simulation import scenario
from tests.simulation.harsh.run import RISK, HarshRun, settings
from tests.simulation.harsh.staged.switches import Staged, StagedHarsh
from tests.simulation.harsh.staged.venue import StagedLine, StagedVenue
from tests.simulation.harsh.staged.watch import StagedInvariants
from tests.simulation.harsh.switches import Harsh
from tests.simulation.scenario import CENT
from tests.simulation.simulate import BUSY_SECONDS, START
from tests.simulation.venue import CASH, Venue

BY: Final = "sim"
BEGUN_SECONDS: Final = 16.0
"""So long an engine may wait for a venue at its start: 10 s for a connection, 5 s for a look."""
UNREAD_SECONDS: Final = 18.0
SPLIT_SECONDS: Final = 34.0
"""What splits is halted for twice as long (X-93)."""
SPLIT_UNREAD_SECONDS: Final = SPLIT_SECONDS + 10
BEYOND: Final = Decimal("0.01")
"""The price is beyond a stop by this share of it."""
FORGOTTEN_SECONDS: Final = 13.0
ASKED_AT: Final = (7.0, 9.0, 11.0, 14.0, 15.5)
"""Seconds after something is forgotten at which an operator takes over what the venues say."""
LOOKS_EVERY: Final = 3
"""Seconds between two looks of an operator, where equity has a floor."""
LOOKS_ON: Final = 15
"""So many seconds longer than anything happens they go on: what happened last is looked at too."""
TOLD_AT: Final = (0.0, 1.5, 3.0)
"""Seconds after which a price is told again."""
GARBLED_SECONDS: Final = 45.0
TAKEN_OVER_AT: Final = (4.0, 8.0, 12.0)
"""Seconds after a list goes wrong at which an operator takes over what the venues say."""
BESIDE: Final = (Decimal("0.01"), Decimal("0.015"), Decimal("0.04"))
"""So far beyond the market is the limit of an order with a stop, of one without, and the stop."""
NEARLY_ALL: Final = Decimal("0.8")
"""So much of what a trade may risk is lost at that stop."""
FAR: Final = (Decimal("1.8"), Decimal(10), Decimal("0.5"), Decimal("0.1"))
"""How many times the price one that cannot be is."""
LAST_MINUTES: Final = 300
"""Day trades end so many seconds before the close (`eod_close_minutes_before`)."""
CLOSE: Final = START + 4 * 3600 * NS_PER_SECOND
"""The close of the day on which every run begins."""


class StagedRun(HarshRun):
    """A seed while it runs."""

    profile: Harsh
    watch: StagedInvariants
    line_class = StagedLine
    venue_class = StagedVenue
    watch_class = StagedInvariants

    def __init__(self, seed: int, profile: Harsh) -> None:
        self.staged = profile.staged if isinstance(profile, StagedHarsh) else Staged()
        self.draws = Random(f"{profile.name}:{seed}:staged")
        super().__init__(seed, profile)
        self.watch.staged_venues = {venue.name: venue for venue in self._staged_venues()}
        self.watch.floor = self.setting.config.risk.min_account_equity or Decimal(0)
        if self.starts != START:
            self.watch.ends_at = CLOSE - LAST_MINUTES * NS_PER_SECOND

    def _staged_venues(self) -> list[StagedVenue]:
        return [venue for venue in self.venues.values() if isinstance(venue, StagedVenue)]

    # --- what it is made of -----------------------------------------------------------------------

    def _starts(self) -> Nanos:
        chosen = self.profile
        return chosen.starts or START if isinstance(chosen, StagedHarsh) else START

    def _setting(self) -> scenario.Setting:
        return self.random.choice(settings(self.staged.floor))

    def _venue(self, seed: int, name: str) -> Venue:
        venue = super()._venue(seed, name)
        assert isinstance(venue, StagedVenue)
        venue.stage(self.staged, Random(f"{self.profile.name}:{seed}:{name}:staged"))
        venue.on_cancelled = self._falls
        return venue

    # --- what is going to happen ------------------------------------------------------------------

    def _plan(self) -> None:
        super()._plan()
        staged, draws, after = self.staged, self.draws, self.agenda.after
        if staged.mute and len(self.venues) > 1:
            self._staged_venues()[-1].falls_silent(staged.mute)
            after(BEGUN_SECONDS, self._has_begun)
        for venue in self._staged_venues():
            for _ in range(staged.unread):
                after(draws.uniform(6, 11), partial(self._goes_unread, venue))
            for _ in range(staged.forgets):
                after(draws.uniform(5, 13), partial(self._forgets, venue))
            for _ in range(staged.garbles):
                after(draws.uniform(6, 14), partial(self._garbles, venue))
        for seconds in range(3, BUSY_SECONDS + LOOKS_ON, LOOKS_EVERY) if staged.floor else ():
            after(seconds, partial(self._do, ask.Reconcile(by=BY)))
        for count, earliest, latest, act in (
            (staged.adjusts, 8, 20, self._splits),
            (staged.unnamed, 8, 20, self._kills_all),
            (staged.late_resumes, 3, 18, self._resumes_late),
            (staged.astray, 3, BUSY_SECONDS - 3, self._orders_astray),
            (staged.absurd, 3, BUSY_SECONDS - 3, self._tells_absurd),
            (staged.late_prints, 3, BUSY_SECONDS - 3, self._prints_late),
            (staged.retold, 3, BUSY_SECONDS - 6, self._tells_again),
            (staged.beside, 2, BUSY_SECONDS - 8, self._orders_beside),
        ):
            for _ in range(count):
                after(draws.uniform(earliest, latest), act)

    def _has_begun(self) -> None:
        """U: a venue that says nothing keeps no other account from its start (R2)."""
        if not self._running:
            self.watch.broken("U hung", f"no engine runs after {BEGUN_SECONDS:.0f} s")

    def _goes_unread(self, venue: StagedVenue) -> None:
        venue.goes_unread(UNREAD_SECONDS)
        self.agenda.after(self.draws.uniform(0.5, 2), self._kills_all)

    def _kills_all(self) -> None:
        self._do(ask.Kill(by=BY, level=Level.KILL, flatten=Flatten.ALL))

    def _forgets(self, venue: StagedVenue) -> None:
        if not venue.positions:
            return
        venue.forgotten = self.draws.choice(sorted(venue.positions))
        self.watch.note(f"{venue.name} forgets {venue.forgotten}")
        self.agenda.after(FORGOTTEN_SECONDS, lambda: setattr(venue, "forgotten", ""))
        for seconds in ASKED_AT:
            self.agenda.after(seconds, partial(self._do, ask.Reconcile(by=BY, apply=True)))

    def _garbles(self, venue: StagedVenue) -> None:
        """Half of the time it is something that is held there."""
        held = sorted(venue.positions)
        among = held if held and self.draws.random() < 0.5 else list(self.setting.symbols)
        symbol = self.draws.choice(among)
        venue.garbles(symbol)
        self.watch.note(f"{venue.name} lists {symbol} with a quantity that is none")
        after = self.agenda.after
        after(GARBLED_SECONDS, partial(venue.garbles, ""))
        after(0.2, partial(self._do, ask.Reconcile(by=BY)))
        after(self.draws.uniform(1, 3), partial(self._sells_off, venue))
        for seconds in TAKEN_OVER_AT:
            after(seconds, partial(self._do, ask.Reconcile(by=BY, apply=True)))

    def _sells_off(self, venue: StagedVenue) -> None:
        others = sorted(venue.positions.keys() - {venue.garbled})
        if others:
            venue.somebody_sells(self.draws.choice(others))

    def _splits(self) -> None:
        """Something that has a stop splits over a halt. It opens beyond the stop, and no question
        is answered from the split until some time after that."""
        resting = [
            working
            for venue in self._staged_venues()
            for working in venue.open.values()
            if working.order.is_protective and working.order.symbol not in self.splitting
        ]
        if not resting:
            return
        working = self.draws.choice(resting)
        symbol = working.order.symbol
        self.splitting.add(symbol)
        self._halts(symbol, True)

        def split() -> None:
            self._split(symbol)
            stop = working.stop_price
            if working.is_open and stop is not None:
                self.market.set_price(symbol, stop * (1 + working.order.side.sign * BEYOND))
            for each in self._staged_venues():
                each.goes_unread(SPLIT_UNREAD_SECONDS)

        self.agenda.after(SPLIT_SECONDS, split)
        self.agenda.after(2 * SPLIT_SECONDS, partial(self._halts, symbol, False))

    def _resumes_late(self) -> None:
        """Somebody halts, an operator looks at that, another one raises it, and the first one has
        typed the word by then."""
        after, draws = self.agenda.after, self.draws
        self._do(ask.Kill(by=BY, level=Level.HALT))
        after(0.5, self._looks)
        kill = ask.Kill(by=BY, level=Level.KILL, flatten=draws.choice(tuple(Flatten)))
        after(draws.uniform(1, 2), partial(self._do, kill))

    def _looks(self) -> None:
        halt = self.engine.book.data.halt if self.engine is not None else None
        if halt is None:
            return
        resume = ask.Resume(by=BY, confirm="RESUME", epoch=halt.epoch)
        self.agenda.after(self.draws.uniform(5, 9), partial(self._do, resume))

    def _orders_astray(self) -> None:
        draws = self.draws
        symbol = draws.choice(self.setting.symbols)
        price, side = self.market.price(symbol), draws.choice((Side.BUY, Side.SELL))

        def away(share: str) -> Decimal:
            return (price * (1 + side.sign * Decimal(share))).quantize(CENT)

        passed = ask.PlaceOrder(
            by=BY,
            symbol=symbol,
            side=side,
            quantity=Decimal(draws.randint(1, 20)),
            type=OrderType.LIMIT,
            limit_price=away("0.04"),
            protect=away("0.02"),
        )
        wrong = ask.PlaceOrder(
            by=BY,
            symbol=symbol,
            side=side,
            quantity=Decimal(draws.randint(1, 20)),
            protect=away("-0.03"),
            target=away("-0.02"),
            managed=True,
        )
        self._do(draws.choice((passed, wrong)))

    def _tells_absurd(self) -> None:
        """No venue trades at it."""
        symbol = self._held()
        if symbol:
            self._strange(self._absurd(symbol))

    def _held(self) -> str:
        """Something that is held, where a wrong price hurts most; "" where nothing is."""
        held = sorted({s for venue in self.venues.values() for s in venue.positions})
        return self.draws.choice(held) if held else ""

    def _absurd(self, symbol: str) -> Quote:
        """A price of now that cannot be."""
        price = (self.market.price(symbol) * self.draws.choice(FAR)).quantize(CENT)
        return Quote(symbol=symbol, bid=price, ask=price, last=price, time=self.agenda.now)

    def _tells_again(self) -> None:
        """As a source does that connects again and again: no other price comes until that ends."""
        symbol, market, after = self._held(), self.market, self.agenda.after
        if not symbol or symbol in market.halted:
            return
        market.halted.add(symbol)
        quote = self._absurd(symbol)
        for seconds in TOLD_AT:
            after(seconds, partial(self._strange, quote))

        def ends() -> None:
            market.halted.discard(symbol)
            market.tell(symbol)

        after(max(TOLD_AT) + 0.5, ends)

    def _prints_late(self) -> None:
        """A trade of a second before the newest price, and it proves itself."""
        symbol, engine = self._held(), self.engine
        newest = engine.world.market.quotes.get(symbol) if engine is not None else None
        if newest is not None:
            at = newest.time - NS_PER_SECOND
            late = msgspec.structs.replace(self._absurd(symbol), time=at, trade=True)
            self._strange(late)

    def _orders_beside(self) -> None:
        """In a symbol of which nothing is held and nothing works, somebody orders with a stop at
        which most of what a trade may risk is lost, and as much of it once more without a stop. The
        market then reaches both."""
        symbol = self._untouched()
        if not symbol:
            return
        draws, price = self.draws, self.market.price(symbol)
        side = draws.choice((Side.BUY, Side.SELL))

        def away(share: Decimal) -> Decimal:
            return (price * (1 - side.sign * share)).quantize(CENT)

        first, second, stop = map(away, BESIDE)
        risked = RISK * CASH * len(self.venues) * NEARLY_ALL
        quantity = (risked / abs(first - stop)).to_integral_value(ROUND_DOWN)
        order = ask.PlaceOrder(
            by=BY,
            symbol=symbol,
            side=side,
            quantity=quantity,
            type=OrderType.LIMIT,
            limit_price=first,
            protect=stop,
        )
        bare = msgspec.structs.replace(order, limit_price=second, protect=None)
        self._do(order)
        self.agenda.after(draws.uniform(0.5, 1.5), partial(self._do, bare))
        self.agenda.after(3, partial(self.market.set_price, symbol, (second + stop) / 2))

    def _untouched(self) -> str:
        """A symbol that no account has anything of; "" where there is none."""
        if self.engine is None or not self._running:
            return ""
        accounts = self.engine.book.accounts
        used = {symbol for account in accounts for symbol in account.positions}
        used |= {order.symbol for account in accounts for order in account.orders.values()}
        free = [symbol for symbol in self.setting.symbols if symbol not in used]
        return self.draws.choice(free) if free else ""

    def _falls(self, order: OrderTerms) -> None:
        """The market is beyond the stop of an order that was cancelled, and stays there."""
        stop, symbol = order.stop_loss, order.symbol
        if stop is not None and symbol not in self.market.halted:
            self.market.set_price(symbol, stop * (1 - order.side.sign * Decimal("0.06")))
            self.market.tell(symbol)
            self.market.tell(symbol)

    def _do(self, given: Command) -> None:
        if isinstance(given, ask.Resume) and self.staged.late_resumes and self.engine is not None:
            given = self._of_a_halt(given, self.engine)
        super()._do(given)

    def _of_a_halt(self, given: ask.Resume, engine: Engine) -> ask.Resume:
        """The resume of the halt that was looked at, which is the one of now where none is said."""
        halt, epoch = engine.book.data.halt, given.epoch
        if epoch is msgspec.UNSET and halt is not None:
            epoch = halt.epoch
        if epoch is not msgspec.UNSET:
            self.watch.looked = max(self.watch.looked, epoch)
        return msgspec.structs.replace(given, epoch=epoch)
