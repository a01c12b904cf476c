"""The desk of a moment that is over: the fold of the journal up to there, to be looked at only.

Nothing runs behind it and nothing follows it. What comes from the state is what the engine knew at
that moment; a price is the last one the journal tells, as old as it was then, and there is no
depth. Commands are refused in one sentence (INTERFACE, `--at`).
"""

from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal

from msgspec.structs import replace

from console.desk.port import Feed, Result, Topic, View
from console.desk.replica import Replica
from console.desk.world_view import WorldView
from engine.domain.commands import Kill
from engine.domain.events import EquityMarked, Halted, OrderFilled, Record
from engine.domain.inputs import Command
from engine.domain.instant import NS_PER_SECOND, Nanos, rfc3339
from engine.domain.market import Quote
from engine.state.fold import apply
from engine.world import World

READ_ONLY = "READ_ONLY"
"""The code of a command that is refused because this is the past."""


class PastDesk:
    """What was true at one moment (`console.desk.port.Desk`)."""

    on_halt: Callable[[Halted], None] | None = None

    def __init__(
        self, world: World, records: Iterable[Record], *, at: Nanos, is_last: bool = False
    ) -> None:
        """Folds `records` into `world`, which must know nothing yet.

        `at` is the moment, UTC nanoseconds, and `is_last` says that nothing was journalled after
        it. Raises what reading `records` raises.
        """
        self._replica = Replica(world)
        _fold(world, self._replica, records)
        moment = words_of(at)
        told = f"PAST {moment} (last event)" if is_last else f"PAST {moment}"
        self._view = WorldView(world, self._replica, now=lambda: at, lag=lambda: None, past=told)
        data = world.book.data
        self._view.settings = replace(self._view.settings, mode=data.mode, account=data.primary)
        self._refusal = f"this is the past ({moment}): it can be looked at, not changed"

    @property
    def view(self) -> View:
        """What was true then."""
        return self._view

    @property
    def refusal(self) -> str:
        """Why no command is taken here."""
        return self._refusal

    def start(self) -> None:
        """Nothing happens any more that could be followed."""

    def stop(self) -> None:
        """Nothing was followed."""

    async def recall(self) -> None:
        """The fold began with the first event: there is nothing before it."""

    async def ask(self, command: Command) -> Result:
        """Refuse."""
        return Result(ok=False, code=READ_ONLY, error=self._refusal)

    def shut(self, reason: str) -> None:
        """Nothing leaves from here."""

    def halt(self, kill: Kill) -> Awaitable[Result]:
        """Refuse: what ran then is not reached from here."""
        return self.ask(kill)

    def follow(
        self,
        topics: Iterable[Topic],
        tell: Callable[[], None],
        paint_now: Callable[[], None],
    ) -> Feed:
        """A feed that says once that everything is to be looked at."""
        return self._replica.follow(topics, tell, paint_now)


def words_of(at: Nanos) -> str:
    """A moment as a person reads it: `2026-03-02 15:31:03Z`, whole seconds."""
    return rfc3339(at - at % NS_PER_SECOND).replace("T", " ")


def _fold(world: World, replica: Replica, records: Iterable[Record]) -> None:
    book = world.book
    for record in records:
        replica.observe(record, apply(book, record))
        for symbol, price in _prices(record):
            quote = Quote(symbol=symbol, bid=None, ask=None, last=price, time=record.time)
            world.take_quote(quote, record.time)
    for currency, rate in book.data.rates.items():
        world.currencies.count(currency, rate)
    for position in book.holdings():
        world.prices.revalue(position.symbol)
    replica.forget_counts()


def _prices(record: Record) -> Iterable[tuple[str, Decimal]]:
    """The prices that an event tells, by symbol."""
    match record.event:
        case OrderFilled(fill=fill):
            return ((fill.symbol, fill.price),)
        case EquityMarked(marks=marks):
            return marks.items()
        case _:
            return ()
