"""The portfolio as a whole: its run state, its day, what it is worth, and what was asked of it."""

from decimal import Decimal

from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.run import Halt, RunState
from engine.risk.facts.asked import Asked
from engine.risk.facts.kept import kept
from engine.state.portfolio import SessionState
from engine.state.prints import print_of
from engine.state.sent import sent_lately
from engine.world.overload import Overload


class PortfolioFacts(Asked):
    """What is known of the portfolio, in whatever symbol or account."""

    __slots__ = ()

    @property
    def halt(self) -> Halt | None:
        """The halt that is latched."""
        return self._book.data.halt

    @property
    def run_state(self) -> RunState:
        """What the engine may do."""
        return self._book.run_state

    @property
    def against_entries(self) -> tuple[str, ...]:
        """What keeps entries back: restrictions with their reasons, those of the accounts where
        none takes any, and the reason of a pause."""
        data = self._book.data
        none_enters = self.run_state is RunState.REDUCE_ONLY and not data.restrictions
        if not data.restrictions and not data.paused and not none_enters:
            return ()
        causes = [f"{cause} ({item.reason})" for cause, item in data.restrictions.items()]
        for account in self._book.accounts if none_enters else ():
            causes += [f"{account.name}: {reason}" for reason in account.barred.values()]
        if data.paused:
            causes.append(data.pause_reason)
        return tuple(filter(None, causes))

    @property
    def overload(self) -> Overload:
        """Whether more comes in than can be decided in time."""
        return self._world.overload

    @kept
    def session(self) -> SessionState | None:
        """The portfolio's trading day."""
        return self._book.data.session

    @property
    def base(self) -> str:
        """The currency that the portfolio is counted in."""
        return self._world.base

    @kept
    def equity(self) -> Decimal:
        """What everything is worth, in the base currency."""
        return self._world.money.equity

    @property
    def daily_pnl(self) -> Decimal:
        """The day's profit, unrealised included, in the base currency."""
        return self._world.money.pnl_of_day(self._world.money.newest)

    @property
    def fallen(self) -> Decimal:
        """The fall of equity from its highest, as a fraction of that."""
        return self._world.money.fall_of(self._world.money.newest)

    @property
    def slots_used(self) -> int:
        """Positions that are open or being opened."""
        return self._book.symbols.slots_used

    @property
    def orders_working(self) -> int:
        """Orders that work, UNKNOWN ones among them."""
        return self._book.index.count

    @property
    def recent_entries(self) -> int:
        """Entries that were intended within the last minute."""
        return sent_lately(self._book, self.now)

    @property
    def same_order_at(self) -> Nanos | None:
        """When the same order was made before, None where it never was."""
        request = self.request
        wanted = print_of(
            request.account,
            request.symbol,
            request.side,
            request.quantity or ZERO,
            request.limit_price,
            request.stop_price,
        )
        return self._book.data.prints.get(wanted)

    @property
    def heard(self) -> bool:
        """True where a signal of this id was accepted before."""
        signal = self.request.signal
        return signal is not None and signal.signal_id in self._book.seen_signals

    @property
    def same_signal_at(self) -> Nanos | None:
        """When a signal of the same content passed the guard last, None where none did."""
        signal = self.request.signal
        return None if signal is None else self._book.data.window.get(signal.content)
