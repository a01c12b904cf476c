"""The port between a screen and an engine (DESIGN, Folders): `view`, `ask`, `halt`, `follow`.

A screen knows an engine by this port alone, wherever the engine runs: in this process
(`console.desk.local`), at a moment of the journal (`console.desk.past`), or later behind a socket.
All calls are for the loop's thread; none but `ask` and `halt` waits for anything.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from decimal import Decimal
from enum import Enum, auto
from typing import Any, Final, Protocol

from console.desk.values import (
    AccountRow,
    ComparisonView,
    Counts,
    FillRow,
    HaltView,
    Lag,
    LimitRow,
    LinkRow,
    OrderRow,
    PortfolioView,
    PositionRow,
    Prices,
    Review,
    RunView,
    Settings,
    SignalRow,
    Stale,
    Unattended,
    Unprotected,
)
from engine.domain.commands import Kill, PlaceOrder
from engine.domain.events import Halted, Record
from engine.domain.inputs import Command
from engine.domain.instant import Nanos
from engine.domain.open_risk import OpenRisk
from engine.domain.result import Result

__all__ = ["RECORDS_KEPT", "Desk", "Feed", "Result", "Subject", "Topic", "View"]


RECORDS_KEPT: Final = 500
"""The newest events that `View.records` holds."""


class Topic(Enum):
    """What a pane may want to hear of; in brackets what its keys are."""

    SIGNALS = auto()
    """Signal ids."""
    POSITIONS = auto()
    """Keys of holdings."""
    ORDERS = auto()
    """Client order ids."""
    FILLS = auto()
    """Places in the journal."""
    JOURNAL = auto()
    """Places in the journal."""
    STATE = auto()
    """Run state, halt, links, comparison."""
    KILL = auto()
    RISK = auto()


class Subject(Enum):
    """What `View.facts` can tell everything about."""

    SIGNAL = auto()
    POSITION = auto()
    ORDER = auto()


class Feed(Protocol):
    """What changed for one pane since it was painted last."""

    def take(self) -> tuple[bool, list[Hashable]]:
        """Whether to look at everything, and otherwise which keys changed, in the order in which
        they did first; clears both.
        """
        ...

    def close(self) -> None:
        """Hear nothing more."""
        ...


class View(Protocol):
    """What is true now, as values of `console.desk.values`; asking changes nothing.

    A value is made when it is asked for and its key changed, so that a pane that takes its keys
    from a feed pays for what changed and no more.
    """

    @property
    def now(self) -> Nanos:
        """The engine's time."""
        ...

    @property
    def settings(self) -> Settings:
        """What is fixed for the life of the process."""
        ...

    @property
    def past(self) -> str:
        """Which moment of the past this is, in words; empty for an engine that runs."""
        ...

    @property
    def lag(self) -> Lag | None:
        """How late the engine's loop is; None where none runs."""
        ...

    @property
    def resume_phrase(self) -> str:
        """What a person types to clear a halt (X-69)."""
        ...

    def run(self) -> RunView:
        """What the engine may do now, and why no more."""
        ...

    def links(self) -> Sequence[LinkRow]:
        """The connection of each account that was ever connected."""
        ...

    @property
    def heard_at(self) -> Nanos:
        """When a venue last said anything; 0 before the first word."""
        ...

    # -- money

    def portfolio(self) -> PortfolioView:
        """All accounts together, in the base currency."""
        ...

    def open_risk(self) -> OpenRisk:
        """What is lost at the stops, in the base currency, and what no stop bounds (X-82)."""
        ...

    def accounts(self) -> Sequence[AccountRow]:
        """Each account in its own currency, the primary one first."""
        ...

    def limits(self) -> Sequence[LimitRow]:
        """The limits in force, and how much of each is used."""
        ...

    def equity_curve(self) -> Sequence[Decimal]:
        """Equity as it was marked, oldest first."""
        ...

    # -- holdings

    def held(self) -> Sequence[str]:
        """The keys of all holdings."""
        ...

    def position(self, key: str) -> PositionRow | None:
        """One holding; None where it is not held (any more).

        The same object as long as the holding, its stop, its price and its age in whole seconds
        are the same. Its share of the equity moves with every other price too: it is as old as the
        object, less than a second of the engine's time.
        """
        ...

    def account_of(self, key: str) -> str:
        """The account that the key of a holding stands for, whether it is still held or not."""
        ...

    def symbol_of(self, key: str) -> str:
        """The symbol that the key of a holding stands for, whether it is still held or not."""
        ...

    def unprotected(self) -> Sequence[Unprotected]:
        """Holdings without a stop for all of them that are not being closed."""
        ...

    def unattended(self) -> Sequence[Unattended]:
        """What no stop would cover at its venue if the engine ended now."""
        ...

    def stale(self) -> Sequence[Stale]:
        """Holdings whose newest price is too old to trade on."""
        ...

    # -- orders and signals

    def working(self) -> Sequence[str]:
        """The ids of orders that work, UNKNOWN ones included."""
        ...

    def works(self, client_order_id: str) -> bool:
        """Whether an order of that id works; as `working`, without looking at every order."""
        ...

    def ended(self) -> Sequence[str]:
        """The ids of the newest finished orders, oldest first."""
        ...

    def order(self, client_order_id: str) -> OrderRow | None:
        """An order that works or that finished not long ago."""
        ...

    def fills(self) -> Sequence[int]:
        """The places in the journal of the newest fills, oldest first."""
        ...

    def fill(self, seq: int) -> FillRow | None:
        """One of `fills`."""
        ...

    def signals(self) -> Sequence[str]:
        """The keys of the newest signals, oldest first: ids, told apart where one came again."""
        ...

    def signal(self, key: str) -> SignalRow | None:
        """One of `signals`."""
        ...

    @property
    def counts(self) -> Counts:
        """How many signals, orders and fills came since this console opened."""
        ...

    # -- market

    @property
    def price_updates(self) -> int:
        """Prices taken so far: where it did not change, no price did."""
        ...

    @property
    def newest_price_at(self) -> Nanos:
        """The time of the newest price of any symbol; 0 before the first."""
        ...

    def quoted(self) -> Sequence[str]:
        """Symbols that have a price, in the order of their first one."""
        ...

    def prices(self, symbol: str) -> Prices:
        """What the market last said of one symbol."""
        ...

    # -- halt, comparison, journal

    def halt(self) -> HaltView:
        """The halt that stands, and what it has shown so far at each account."""
        ...

    def comparison(self) -> ComparisonView:
        """The newest comparison with a venue."""
        ...

    def records(self) -> Sequence[Record]:
        """The newest events, oldest first."""
        ...

    def review(self, order: PlaceOrder) -> Review:
        """What the gate says of an order at this moment; nothing is recorded or changed."""
        ...

    def facts(self, subject: Subject, key: str) -> Mapping[str, Any] | None:
        """Every field of one thing by name; None where it is not known (any more)."""
        ...


class Desk(Protocol):
    """One engine as a screen knows it."""

    on_halt: Callable[[Halted], None] | None
    """Called for each halt that is set, by whomever."""

    @property
    def view(self) -> View:
        """What is true now."""
        ...

    @property
    def refusal(self) -> str:
        """Why no command is taken here, in one sentence; empty where commands are taken."""
        ...

    def start(self) -> None:
        """Follow the engine from now on."""
        ...

    def stop(self) -> None:
        """Follow it no more."""
        ...

    async def recall(self) -> None:
        """Take in what happened before `start`, as far as somebody remembers it."""
        ...

    def ask(self, command: Command) -> Awaitable[Result]:
        """Have the engine do something; the result says whether it did, or why not."""
        ...

    def shut(self, reason: str) -> None:
        """Let nothing out any more that adds exposure; safe from any thread. `halt` follows it."""
        ...

    def halt(self, kill: Kill) -> Awaitable[Result]:
        """Halt or kill: before this returns, nothing that adds exposure can leave any more.

        Where the engine is in this process its cancels are the next thing that the loop does; the
        result says whether it was done, or why not (X-52).
        """
        ...

    def follow(
        self,
        topics: Iterable[Topic],
        tell: Callable[[], None],
        paint_now: Callable[[], None],
    ) -> Feed:
        """Hear of `topics`: `tell` is called for each change, and `paint_now` soon after one that
        a person must see at once (a fill, a refusal, a halt).
        """
        ...
