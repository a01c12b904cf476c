"""What every invariant leans on: prices, what was executed and told, and the clock."""

import statistics
from collections import deque
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Final

from engine.domain.instant import NS_PER_SECOND, Nanos
from tests.simulation.harsh.sheet import Sheet
from tests.simulation.harsh.venue import HarshVenue
from tests.simulation.store import Disk
from tests.simulation.venue import Working
from tests.simulation.watch import Watch

ZERO: Final = Decimal(0)
FAVOURABLE_SECONDS: Final = 2.5
BRIEF_SECONDS: Final = 3
"""A clock that is wrong for no longer is not believed (X-92)."""
REPAIR_SECONDS: Final = 45.0
"""A comparison comes every 15 s, and may fail; then the flip is closed."""
Account = str
Place = tuple[Account, str]
Terms = tuple[Decimal | None, Decimal | None]
"""The limit and the stop of an order."""
Holdings = dict[str, Decimal]
"""Quantities by symbol, signed."""


class Facts(Watch):
    """What is known of a run so far, over all its processes."""

    def __init__(
        self,
        disk: Disk,
        venues: Mapping[str, HarshVenue],
        now: Callable[[], Nanos],
        *,
        daily_loss: Decimal,
        risk: Decimal,
    ) -> None:
        super().__init__(disk, venues, now, faultless=frozenset())
        self.venues = venues
        self.daily_loss = daily_loss
        self.risk = risk
        self.truth = {name: Sheet() for name in venues}
        """What each venue executed and somebody else did."""
        self.told = {name: Sheet() for name in venues}
        """What the engine knows by right: executions that it was told of, and what it took over."""
        self.clock_was_wrong = False
        self.clock_since: Nanos = 0
        """Since when it is wrong; 0 while it is right."""
        self.clock_believed = False
        """It was wrong for so long, or while a process began, that it may have been believed."""
        self.disputed = False
        """What the engine was told, and would not book, was taken over: nobody knows its profit."""
        self.split_symbols: set[str] = set()
        self.old_terms: dict[Place, tuple[Nanos, dict[str, Terms]]] = {}
        """Where a split was taken over: when, and what rested there then."""
        self.first_worth: dict[str, Decimal] = {}
        """Equity of each account when it was first compared."""
        self._first_looks: dict[str, Nanos] = {}
        """As of when the balances are with which each account began."""
        self.silent_for: Callable[[str], Nanos] = lambda account: 0
        """How long the oldest question to a venue has waited."""
        self.began: Nanos = 0
        """When the process of now began."""
        self.kill_asked: Nanos = 0
        self.resume_asked: Nanos = 0
        self.flips = 0
        """Fills of orders that were confirmed as ended, which nobody could foresee."""
        self._numbers: set[tuple[str, int]] = set()
        self._heard: dict[str, Decimal] = {}
        """What the engine was told of each order."""
        self._adopted_at: dict[Place, Decimal] = {}
        """The price at which what nobody traded was taken over."""
        self._adopted_on: dict[Place, Nanos] = {}
        """And when."""
        self._begun_with: set[Place] = set()
        """What of that is part of the beginning of its account, and of no later adoption."""
        self._journalled_in: dict[Place, Decimal] = {}
        """What is held by the rows of the journal, signed."""
        self._start_off = ZERO
        """What the accounts are worth more by the prices at which their holdings were taken over
        than by those of the venues at that moment."""
        self._taken_over = ZERO
        """Worth of the cash and the holdings that were taken over after the first look."""
        self.trades_again: dict[str, Nanos] = {}
        """Since when each symbol that was halted trades again."""
        self._row_began: Decimal | None = None
        """What the accounts were worth by what was known when the day's row was first written."""
        self._prices: dict[str, deque[tuple[Nanos, Decimal]]] = {}
        self._heard_prices: dict[str, deque[tuple[Nanos, Decimal]]] = {}
        """Those of them that were told while an engine ran."""
        self._since: dict[tuple[object, ...], Nanos] = {}
        self._stops: dict[Place, tuple[Nanos, set[str]]] = {}
        """By place, when the engine was told that its stop traded, and the entries that worked."""
        self._alarms: dict[tuple[str, str, str], deque[Nanos]] = {}
        self._sends: dict[tuple[str, str, str], deque[Nanos]] = {}
        self._running_since: Nanos = 0
        self._last_halt: Nanos = 0
        self._signals: dict[str, Nanos] = {}
        self._ending: set[str] = set()
        """Orders whose cancel was asked for."""
        self._exits: dict[Place, str] = {}
        """Closes without an end, by the position."""
        self._traded: dict[str, Nanos] = {}
        """When the engine was last told of a fill of each stop."""
        self._listed: dict[Account, dict[str, Nanos]] = {}
        """The same of fills that came on a list, while the look that brought them goes on."""
        self._turned: set[Place] = set()
        """Where what only reduces opened the other side, which nobody could foresee."""
        self._newest: Nanos = 0
        """The time of the newest event, over all processes."""
        self._stopped_at: Nanos = 0
        """Since when no entry may rest, by the state of the run; 0 while they may."""
        for name, venue in venues.items():
            venue.on_work = partial(self.works, name)
            venue.on_other = lambda symbol, bought, price, name=name: self.truth[name].take(  # type: ignore[misc]
                symbol, bought, price, ZERO
            )

    def works(self, account: str, working: Working) -> None:
        """An order works at a venue from now on, or works with other terms."""

    def priced(self, symbol: str, price: Decimal, *, heard: bool = True) -> None:
        """A true price, and whether an engine ran that could be told of it."""
        for kept in (self._prices, self._heard_prices) if heard else (self._prices,):
            kept.setdefault(symbol, deque(maxlen=12)).append((self.now(), price))

    def clock_set(self, seconds: float) -> None:
        """The clock of the machine is wrong by so much from now on."""
        self.clock_was_wrong = True
        since, self.clock_since = self.clock_since, self.now() if seconds else 0
        if since and self.now() - since > BRIEF_SECONDS * NS_PER_SECOND:
            self.clock_believed = True

    def split(self, symbol: str, ratio: int) -> None:
        """A split: what is true changes at once."""
        for sheet in (*self.truth.values(), *self.told.values()):
            sheet.split(symbol, ratio)
        self._prices.pop(symbol, None)
        self._heard_prices.pop(symbol, None)
        self.split_symbols.add(symbol)

    def _last(self) -> dict[str, Decimal]:
        return {symbol: seen[-1][1] for symbol, seen in self._prices.items()}

    def _told_lately(self, symbol: str, price: Decimal | None) -> Decimal:
        """That price, where it is one of the newest three; else the usual one."""
        newest = [seen for _, seen in list(self._prices[symbol])[-3:]]
        return price if price is not None and price in newest else self._usual(symbol)

    def _usual(self, symbol: str) -> Decimal:
        """The middle one of the newest prices: one that jumped for a tick is not it."""
        return statistics.median([price for _, price in list(self._prices[symbol])[-3:]])

    def _favourable(self, symbol: str, quantity: Decimal) -> Decimal:
        """The best of the prices of the last seconds, three at least.

        Of those that an engine could hear: what was told while none ran makes no loss known.
        """
        since = self.now() - round(FAVOURABLE_SECONDS * NS_PER_SECOND)
        seen = self._heard_prices[symbol]
        recent = [p for at, p in seen if at >= since]
        if len(recent) < 3:
            recent = [p for _, p in list(seen)[-3:]]
        return max(recent) if quantity > 0 else min(recent)

    def _worst(self, symbol: str, quantity: Decimal) -> Decimal:
        recent = [price for _, price in list(self._prices[symbol])[-6:]]
        return min(recent) if quantity > 0 else max(recent)

    def _lasts(self, what: tuple[object, ...], holds: bool, seconds: float) -> bool:
        """Whether something has been so for longer than `seconds`; told once."""
        if not holds:
            self._since.pop(what, None)
            return False
        since = self._since.setdefault(what, self.now())
        return self.now() - since > seconds * NS_PER_SECOND
