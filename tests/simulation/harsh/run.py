"""One seeded run of a harsh profile, with an operator who puts things in order at its end."""

from collections import Counter
from decimal import Decimal
from functools import lru_cache, partial
from random import Random
from typing import Any, Final

import msgspec

from engine.domain import commands as ask
from engine.domain.inputs import Command
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.market import Quote
from engine.domain.run import Flatten, Level
from engine.ports import Cancellable, Clock
from engine.runtime.clock import VirtualClock
from engine.runtime.engine import Engine
from engine.world.gaps import GAP_AFTER
from tests.configs import from_mapping
from tests.simulation import scenario
from tests.simulation.harsh.invariants import Invariants
from tests.simulation.harsh.line import HarshLine
from tests.simulation.harsh.prices import RATIO, HarshMarket
from tests.simulation.harsh.switches import HARSH, Harsh, drawn
from tests.simulation.harsh.venue import HarshVenue
from tests.simulation.scenario import PRIMARY, SECOND
from tests.simulation.simulate import BUSY_SECONDS, Outcome, Run, simulate
from tests.simulation.venue import ACCOUNT, CASH, Venue, capabilities

RISK: Final = Decimal("0.005")
DAILY_LOSS: Final = Decimal("0.02")
TAKES_OVER: Final = (8.0, 16.0, 28.0)
"""Seconds after the faults end at which the operator takes over what the venues say."""
MAY_REST: Final = (13.0, 21.0)
"""Where everything is at rest as early as this, nothing is waited for any more."""
RESTS: Final = 34.0
"""Now everything is."""
UP: Final = 10.0
"""Where a process began after a crash, it has so long first."""
TRADES: Final = 20.0
"""So long what was halted has traded again."""
KILLS: Final = 2.0
"""The last kill comes so long after that."""
LOOKS_AGAIN: Final = 3.0
"""So long after that the operator looks once more at what is named then."""
LOOKS: Final = 3
"""So often, where it still is: a look takes nothing over of what is in flight just then."""
KILL_SECONDS: Final = 75
"""So long the last kill may take."""
HALT_SECONDS: Final = (6.0, 15.0)
MONTH: Final = 30 * 86_400.0
JUMPS: Final = (-MONTH, -3600.0, -8 * 3600.0, 8 * 3600.0, 3600.0, MONTH)


def _setting(
    accounts: tuple[str, ...], flatten: str, daily_loss: str = "kill", *, floor: float
) -> scenario.Setting:
    tree: dict[str, Any] = {
        "profile": "custom",
        "risk": {
            "max_risk_per_trade": str(RISK),
            "daily_loss_limit": str(DAILY_LOSS),
            "drawdown_limit": "0.5",
            "max_sector_exposure": "1",
            "max_trades_per_day": 1000,
            "min_account_equity": str(round(Decimal(floor) * len(accounts) * CASH)),
            "consecutive_loss_threshold": 1000,
            "consecutive_loss_pct": "1",
            "max_concurrent_positions": 4,
            "max_single_stock_exposure": "0.40",
            "max_gross_exposure": "1.0",
            "max_orders_per_minute": 40,
        },
        "kill": {
            "flatten": flatten,
            "daily_loss": daily_loss,
            "reject_storm": "alert",
            "divergence": "alert",
        },
        "execution": {
            "dedup_window_seconds": 0,
            "order_timeout_seconds": 20,
            "reconcile_seconds": 15,
        },
        "entries": {"medium_conviction_order_type": "limit"},
    }
    if SECOND in accounts:
        tree["brokers"] = {SECOND: {"kind": "paper"}}
        tree["routes"] = [
            {"symbol": "DDD", "broker": SECOND},
            {"symbol": "E*", "broker": SECOND},
        ]
    symbols = tuple(s for s, home in scenario.HOMES.items() if home in accounts)
    return scenario.Setting(config=from_mapping(tree), accounts=accounts, symbols=symbols)


@lru_cache
def settings(floor: float = 0.0) -> tuple[scenario.Setting, ...]:
    """What a run has one of. The engine stops below the share `floor` of what its accounts begin
    with."""
    return (
        _setting((PRIMARY,), "day", floor=floor),
        _setting((PRIMARY,), "all", "reduce_only", floor=floor),
        _setting((PRIMARY, SECOND), "all", floor=floor),
        _setting((PRIMARY, SECOND), "none", floor=floor),
        _setting((PRIMARY, SECOND), "day", "reduce_only", floor=floor),
    )


SETTINGS: Final = settings()


class WrongClock:
    """The clock of this machine: its wall time may be wrong, its intervals never are."""

    is_real = False

    def __init__(self, clock: VirtualClock, offset: list[float]) -> None:
        self._clock = clock
        self._offset = offset
        """Seconds by which it is wrong, shared by the processes of a run."""

    def now(self) -> Nanos:
        """Wall time."""
        return self._clock.now() + round(self._offset[0] * NS_PER_SECOND)

    def monotonic(self) -> Nanos:
        """Intervals."""
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._clock.sleep(seconds)

    def call_later(self, seconds: float, callback: Any) -> Cancellable:
        """Set a timer."""
        return self._clock.call_later(seconds, callback)


class HarshRun(Run):
    """A seed while it runs."""

    profile: Harsh
    watch: Invariants
    market: HarshMarket
    line_class = HarshLine
    venue_class: type[HarshVenue] = HarshVenue
    watch_class: type[Invariants] = Invariants
    calendar = "XNYS"

    def __init__(self, seed: int, profile: Harsh) -> None:
        self.extra = Random(f"{profile.name}:{seed}:harsh")
        self.offset = [0.0]
        self.halting: Counter[str] = Counter()
        """How many halts of each symbol are not over."""
        self.reopens: set[str] = set()
        """Symbols whose next price is that of the trade with which they go on (X-92)."""
        self.splitting: set[str] = set()
        """Symbols that stay halted until their split is done, whatever has ended."""
        self.around = drawn(self.extra, profile.most, profile.chance)
        """What goes wrong in the market and with the clock."""
        super().__init__(seed, profile)
        for venue in self._harsh():
            venue.begin(self.setting.symbols, self.market.price)
        for symbol in self.setting.symbols:
            self.watch.priced(symbol, self.market.price(symbol))

    def _harsh(self) -> list[HarshVenue]:
        return [venue for venue in self.venues.values() if isinstance(venue, HarshVenue)]

    # --- what it is made of -----------------------------------------------------------------------

    def _setting(self) -> scenario.Setting:
        return self.random.choice(SETTINGS)

    def _venue(self, seed: int, name: str) -> Venue:
        random = Random(f"{self.profile.name}:{seed}:{name}")
        able = capabilities(random, self.profile.joins)
        switches = drawn(random, self.profile.most, self.profile.chance)
        venue = self.venue_class(
            self.agenda,
            random,
            msgspec.structs.replace(
                able,
                nets_buying_power=bool(switches.nets),
                late_execution_seconds=max(able.late_execution_seconds, switches.executions_late),
            ),
            name=name,
            account_id=ACCOUNT if name == PRIMARY else name,
            switches=switches,
        )
        venue.faults = self.profile.faults
        return venue

    def _watch(self) -> Invariants:
        venues = {venue.name: venue for venue in self._harsh()}
        now = lambda: self.agenda.now  # noqa: E731 - as in the other runs
        return self.watch_class(self.disk, venues, now, daily_loss=DAILY_LOSS, risk=RISK)

    def _market(self) -> scenario.Market:
        market = HarshMarket(
            self.agenda, self.random, self.profile.jumps, self.setting.symbols, self.around
        )
        market.on_strange = self._strange  # type: ignore[method-assign]
        return market

    def _clock(self, clock: VirtualClock) -> Clock:
        return WrongClock(clock, self.offset) if self.around.clock_jumps else clock

    def _line(self, venue: Venue) -> HarshLine:
        line = super()._line(venue)
        assert isinstance(line, HarshLine)
        line.on_told = partial(self.watch.hears, venue.name)
        return line

    def _build(self, clock: Any) -> Engine:
        engine = super()._build(clock)
        self.watch.silent_for = self._silent_for
        return engine

    def _silent_for(self, account: str) -> Nanos:
        line = self.venues[account].line
        asked = line.asked_at if isinstance(line, HarshLine) else 0
        return self.agenda.now - asked if asked else 0

    # --- what is going to happen ------------------------------------------------------------------

    def _plan(self) -> None:
        super()._plan()
        extra, agenda, around = self.extra, self.agenda, self.around
        symbols = self.setting.symbols
        for _ in range(around.gaps):
            agenda.after(extra.uniform(4, BUSY_SECONDS), partial(self._gap, extra.choice(symbols)))
        for _ in range(around.halts):
            self._plan_halt(extra.choice(symbols), split=False)
        for _ in range(around.splits):
            self._plan_halt(extra.choice(symbols), split=True)
        for _ in range(around.clock_jumps):
            at, jump = extra.uniform(3, BUSY_SECONDS), extra.choice(JUMPS)
            agenda.after(at, partial(self._clock_jumps, jump))
            if extra.random() < 0.7:
                agenda.after(at + extra.uniform(0.5, 4), partial(self._clock_jumps, 0.0))
        for venue in self._harsh():
            wrong = venue.switches
            for _ in range(wrong.silences):
                seconds = extra.uniform(6, 15)
                agenda.after(extra.uniform(3, 25), partial(venue.falls_silent, seconds))
            for _ in range(wrong.trades_of_others):
                at, symbol = extra.uniform(3, BUSY_SECONDS), extra.choice(symbols)
                agenda.after(at, partial(venue.somebody_trades, symbol))
            for _ in range(wrong.transfers):
                agenda.after(extra.uniform(3, BUSY_SECONDS), venue.somebody_pays)

    def _plan_signals(self) -> None:
        at = 0.5
        while (at := at + self.extra.expovariate(1 / 1.5)) < BUSY_SECONDS - 3:
            self.agenda.after(at, self._signal)

    def _gap(self, symbol: str) -> None:
        """Where something is held it hurts most."""
        held = [s for venue in self.venues.values() for s in venue.positions]
        self.market.gap(self.extra.choice(held) if held else symbol)

    def _plan_halt(self, symbol: str, *, split: bool) -> None:
        at, seconds = self.extra.uniform(3, 20), self.extra.uniform(*HALT_SECONDS)
        if split:
            # A venue halts a symbol for longer than it is ever without a price.
            seconds += GAP_AFTER / NS_PER_SECOND
            self.splitting.add(symbol)
        self.agenda.after(at, partial(self._halts, symbol, True))
        if split:
            self.agenda.after(at + seconds / 2, partial(self._split, symbol))
        self.agenda.after(at + seconds, partial(self._halts, symbol, False))

    def _halts(self, symbol: str, halted: bool) -> None:
        """A halt of a symbol begins, or ends; it trades again once none is left."""
        self.halting[symbol] = max(self.halting[symbol] + (1 if halted else -1), 0)
        for known in (self.market.halted, *(venue.closed for venue in self._harsh())):
            if self.halting[symbol]:
                known.add(symbol)
            else:
                known.discard(symbol)
        if not self.halting[symbol]:
            self.watch.trades_again[symbol] = self.agenda.now
        self._traded_at = self.agenda.now
        if symbol not in self.market.halted:
            self.reopens.add(symbol)

    _traded_at: Nanos = 0
    """When a symbol last traded again, or was halted."""

    def _split(self, symbol: str) -> None:
        self.market.split(symbol)
        for venue in self._harsh():
            venue.split(symbol, RATIO)
        self.watch.split(symbol, RATIO)
        self.watch.priced(symbol, self.market.price(symbol))

    def _clock_jumps(self, seconds: float) -> None:
        self.watch.note(f"--- the clock is wrong by {seconds:.0f} s")
        self.watch.clock_set(seconds)
        self.offset[0] = seconds

    def _quote(self, quote: Quote) -> None:
        self.watch.priced(quote.symbol, quote.last, heard=self.engine is not None)
        if quote.symbol in self.reopens:
            self.reopens.discard(quote.symbol)
            quote = msgspec.structs.replace(quote, trade=True)
        super()._quote(quote)

    def _strange(self, quote: Quote) -> None:
        if self.feed is not None:
            self.feed.put(quote)

    def _do(self, given: Command) -> None:
        if isinstance(given, ask.Kill):
            self.watch.kill_asked = self.agenda.now
        elif isinstance(given, ask.Resume):
            self.watch.resume_asked = self.agenda.now
            if self.extra.random() < 0.2 and not self.quiet:
                kill = ask.Kill(by="sim", level=Level.KILL)
                self.agenda.after(self.extra.uniform(0, 0.1), partial(self._do, kill))
        super()._do(given)

    # --- the end ----------------------------------------------------------------------------------

    def _calm_down(self) -> None:
        if self.offset[0]:
            self._clock_jumps(0.0)
        for venue in self._harsh():
            venue.sound = True
        for symbol in self.market.halted - self.splitting:
            self.halting[symbol] = 1  # whatever is left of them is over
            self._halts(symbol, False)
        super()._calm_down()
        for at in TAKES_OVER:
            self.agenda.after(at, self._takes_over)
        for at in MAY_REST:
            self.agenda.after(at, self._may_rest)
        self.agenda.after(RESTS, self._rests)

    def _takes_over(self) -> None:
        """Not what was split, before anybody could see that by its price."""
        if self.splitting & self.market.halted:
            self.agenda.after(2, self._takes_over)
        elif not self._rested:
            self._do(ask.Reconcile(by="sim", apply=True))

    @property
    def _since_halts(self) -> float:
        """For how many seconds every symbol has traded."""
        halted = bool(self.market.halted)
        return 0.0 if halted else (self.agenda.now - self._traded_at) / NS_PER_SECOND

    def _may_rest(self) -> None:
        venues_rest = not any(venue.silent or venue.closed for venue in self._harsh())
        if venues_rest and not self._rested and self.watch.is_settled():
            self._rests()

    def _rests(self) -> None:
        if self._rested:
            return
        waits = self.watch.up_for < UP or self._since_halts < TRADES
        if waits and self.agenda.now < self.quiet_until:
            self.agenda.after(1, self._rests)
            return
        if self._is_named() and self._looked_again < LOOKS:
            # What was in flight when the operator took over the rest is named since.
            self._looked_again += 1
            self._do(ask.Reconcile(by="sim", apply=True))
            self.agenda.after(LOOKS_AGAIN, self._rests)
            return
        self._rested = True
        if not self.watch.found:
            self.watch.at_rest()
        self.agenda.after(KILLS, self._last_kill)

    def _is_named(self) -> bool:
        """Whether the engine names a difference that nobody has taken over."""
        if self.engine is None or not self._running:
            return False
        return any(a.differences or a.missing or a.blocked for a in self.engine.book.accounts)

    _rested = False
    _looked_again = 0

    def _last_kill(self) -> None:
        """Asked again a second later where no process ran, or the one that was asked has ended."""
        heard, crashes = self._running, self.crashes
        self._do(ask.Kill(by="sim", level=Level.KILL, flatten=Flatten.ALL))
        self.quiet_until = self.agenda.now + KILL_SECONDS * NS_PER_SECOND
        self._killing = True

        def again() -> None:
            if not self.done and (not heard or self.crashes > crashes):
                self._last_kill()

        self.agenda.after(1, again)

    _killing = False

    def _look_whether_done(self) -> None:
        # A process that ends in the last moment is followed by another, which has time to start.
        killed = self._killing and self.watch.killed() and self.engine is not None
        killed = killed or (self._killing and self.agenda.now >= self.quiet_until)
        if killed or self.done or self.watch.found:
            self._finish()
        else:
            self.agenda.after(1, self._look_whether_done)


def run_harsh(seed: int, profile: str | Harsh) -> Outcome:
    """Run one seed of a harsh profile."""
    chosen = HARSH[profile] if isinstance(profile, str) else profile
    return simulate(seed, chosen, HarshRun)
