"""Orders, their states and the table of legal moves between them (U-16, U-20)."""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from engine.domain.instant import CLOCKS_APART, NS_PER_SECOND, Nanos
from engine.domain.money import ZERO, plain
from engine.domain.signal import TradeType

NS_PER_DAY = 86_400 * NS_PER_SECOND


class Side(StrEnum):
    """FIX 54. A SELL that opens a short is SELL_SHORT (A-245)."""

    BUY = "BUY"
    SELL = "SELL"
    SELL_SHORT = "SELL_SHORT"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for both sells."""
        return 1 if self is _BUY else -1


_BUY = Side.BUY
"""Once: a member of an enum takes several times as long to look up as a name of the module."""


class OrderType(StrEnum):
    """FIX 40."""

    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"
    STOP_LIMIT = "STOP_LIMIT"


_STOP, _STOP_LIMIT = OrderType.STOP, OrderType.STOP_LIMIT

HAVE_LIMIT: Final = frozenset({OrderType.LIMIT, _STOP_LIMIT})
"""The types of order that have a limit price."""

HAVE_STOP: Final = frozenset({_STOP, _STOP_LIMIT})
"""The types of order that have a stop price."""


class TimeInForce(StrEnum):
    """FIX 59. IOC and FOK are times in force, never order types (X-26)."""

    DAY = "DAY"
    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"


IMMEDIATE: Final = frozenset({TimeInForce.IOC, TimeInForce.FOK})
"""The times in force of an order that never rests: what does not fill at once is cancelled."""


class Purpose(StrEnum):
    """Why an order exists."""

    ENTRY = "ENTRY"
    ADD = "ADD"
    EXIT = "EXIT"
    PROTECT = "PROTECT"
    REBALANCE = "REBALANCE"
    FLATTEN = "FLATTEN"
    MANUAL = "MANUAL"


ADDING = frozenset({Purpose.ENTRY, Purpose.ADD})
"""The purposes of orders that a signal leads to."""

_CLOSING = frozenset({Purpose.EXIT, Purpose.FLATTEN})
_PROTECT = Purpose.PROTECT


class OrderStatus(StrEnum):
    """FIX 39 plus CREATED (local) and UNKNOWN (sent, no answer that proves anything)."""

    CREATED = "CREATED"
    PENDING_NEW = "PENDING_NEW"
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    PENDING_CANCEL = "PENDING_CANCEL"
    CANCELED = "CANCELED"
    PENDING_REPLACE = "PENDING_REPLACE"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    SUSPENDED = "SUSPENDED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_terminal(self) -> bool:
        """Nothing more is expected; a late fill is still adopted (U-20)."""
        return self in TERMINAL


TERMINAL = frozenset(
    {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.REJECTED, OrderStatus.EXPIRED}
)

RESTING = frozenset({OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED, OrderStatus.SUSPENDED})
"""The venue works it, and nothing is asked of it."""

UNACKNOWLEDGED = frozenset(
    {
        OrderStatus.CREATED,
        OrderStatus.PENDING_NEW,
        OrderStatus.UNKNOWN,
        OrderStatus.SUSPENDED,
    }
)
"""The venue has not said that it works it."""

MAY_BE_HELD = (RESTING | UNACKNOWLEDGED) - {OrderStatus.SUSPENDED}
"""The venue may say next that it holds it."""

CHANGE_ASKED: Final = frozenset({OrderStatus.PENDING_CANCEL, OrderStatus.PENDING_REPLACE})
"""Its cancel, or its replace, was asked for and has not been answered."""

TAKEN: Final = RESTING | CHANGE_ASKED | {OrderStatus.FILLED}
"""Its venue has it, or has filled it, as whoever tells of it in such a state says."""

REQUEST_UNDER_WAY: Final = CHANGE_ASKED | {OrderStatus.PENDING_NEW}
"""A request about it, the order itself or a change of it, has not been answered."""

VENUE = "venue"
"""The intent of an order that was taken over from its venue, and that nobody here wanted."""

REPLACED = "REPLACED"
"""Why an order ended whose place another takes (X-88)."""

_S = OrderStatus
_ENDS = frozenset({_S.FILLED, _S.CANCELED, _S.REJECTED, _S.EXPIRED})
_OPEN = frozenset({_S.NEW, _S.PARTIALLY_FILLED, _S.SUSPENDED})

TRANSITIONS: dict[OrderStatus, frozenset[OrderStatus]] = {
    _S.CREATED: frozenset({_S.PENDING_NEW, _S.UNKNOWN, _S.PENDING_CANCEL}) | _OPEN | _ENDS,
    _S.PENDING_NEW: frozenset({_S.UNKNOWN, _S.PENDING_CANCEL}) | _OPEN | _ENDS,
    _S.NEW: frozenset({_S.UNKNOWN, _S.PARTIALLY_FILLED, _S.SUSPENDED}) | CHANGE_ASKED | _ENDS,
    _S.PARTIALLY_FILLED: frozenset({_S.UNKNOWN, _S.PARTIALLY_FILLED, _S.SUSPENDED})
    | CHANGE_ASKED
    | _ENDS,
    _S.SUSPENDED: frozenset({_S.NEW, _S.PARTIALLY_FILLED, _S.UNKNOWN}) | CHANGE_ASKED | _ENDS,
    _S.PENDING_CANCEL: frozenset({_S.UNKNOWN, _S.PENDING_CANCEL}) | _OPEN | _ENDS,
    _S.PENDING_REPLACE: frozenset({_S.UNKNOWN, _S.PENDING_CANCEL, _S.PENDING_REPLACE})
    | _OPEN
    | _ENDS,
    _S.UNKNOWN: frozenset({_S.PENDING_NEW, _S.UNKNOWN}) | _OPEN | CHANGE_ASKED | _ENDS,
    # A terminal order moves only because a fill arrives after the end: fills are facts.
    _S.FILLED: frozenset({_S.FILLED}),
    _S.CANCELED: frozenset({_S.FILLED, _S.CANCELED}),
    _S.REJECTED: frozenset({_S.FILLED, _S.CANCELED}),
    _S.EXPIRED: frozenset({_S.FILLED, _S.EXPIRED}),
}


class IllegalTransitionError(Exception):
    """A move the table does not know: a defect of ours, never of a venue."""


def move(current: OrderStatus, target: OrderStatus) -> OrderStatus:
    """`target` if the table allows it.

    Raises `IllegalTransitionError` otherwise.
    """
    if target not in TRANSITIONS[current]:
        raise IllegalTransitionError(f"an order cannot go from {current} to {target}")
    return target


class OrderTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was decided of one order, before anything happened to it.

    It is what the journal keeps of a decision and what a broker is handed. What became of the order
    is in the state. `account` is the name under `[brokers]` of the account it is for; quantities
    are in units of the instrument, prices in its currency.
    """

    client_order_id: str
    intent_id: str
    signal_id: str = ""
    parent_id: str = ""
    """The order of the same intent that another account definitely did not take, where this one was
    made for the fallback (A-242)."""
    orig_client_order_id: str = ""
    """The order this one takes the place of, where the venue cannot change one (FIX 41, X-88)."""
    account: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce
    reduce_only: bool = False
    purpose: Purpose
    reserved: Decimal = ZERO
    """Price per unit at which what is unfilled counts as exposure (U-51); 0 if it only reduces."""
    reference: Decimal | None = None
    """Price seen when it was decided; slippage is measured against it (A-363)."""
    trade_type: TradeType = TradeType.DAY
    stop_loss: Decimal | None = None
    """Initial stop of the position this order opens; None leaves it unprotected."""
    target: Decimal | None = None
    managed: bool = False
    """What it opens is managed: by a signal, or by an operator who asked for that (X-80)."""
    conviction: int | None = None
    signal_type: str = ""
    timeframe: str = ""
    resized: bool = False
    reason: str = ""
    """The reason of an exit; empty for an order that opens."""
    timeout_seconds: int | None = None
    """A resting order is cancelled after this long (C-304); None or 0 is never."""
    attempt: int = 0
    """Numbers the orders that reduce one position, so that each has an id of its own."""
    check_first: bool = False
    """An earlier process may have sent it already: the venue is asked before it is sent."""
    routed: str | msgspec.UnsetType = msgspec.UNSET
    """Why it is for the fallback and not for the account that its route names (A-240). Left out
    where it is for that."""
    named: bool | msgspec.UnsetType = msgspec.UNSET
    """True where whoever asked for it named the account: no other is tried. Left out where nobody
    did."""

    @property
    def is_managed(self) -> bool:
        """Whether what it opens is managed; of a signal's, an older journal does not say so."""
        return self.managed or bool(self.signal_id)

    @property
    def adds_exposure(self) -> bool:
        """Whether its fills can add exposure; if not, it only reduces (U-51, rule 3)."""
        return self.reserved > 0

    @property
    def is_derived(self) -> bool:
        """Its id comes from durable facts: another process works out the same (DESIGN, rule 1).

        So it is with what the engine itself closes and protects, and not with a person's order.
        """
        return bool(self.attempt)

    @property
    def closes(self) -> bool:
        """An order that the engine itself made to close a position, or a part of one.

        No other order that reduces is taken for it: one that rests at a price far away may never
        sell anything.
        """
        return bool(self.attempt) and self.purpose in _CLOSING

    @property
    def is_protective(self) -> bool:
        """A stop that rests at the venue to protect a position (A-172)."""
        return self.purpose is _PROTECT

    @property
    def protects(self) -> bool:
        """A stop that only reduces: ours, or one that the operator rests (X-85).

        One that somebody rested elsewhere may have a limit: it is left alone likewise (X-75).
        """
        if self.purpose is _PROTECT or not self.reduce_only:
            return self.purpose is _PROTECT
        return self.type is _STOP or (self.type is _STOP_LIMIT and self.intent_id == VENUE)


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """What a working order is to become (FIX 35=G); None leaves a term as it is.

    `quantity` is the new total in units of the instrument, what has filled included.
    """

    quantity: Decimal
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None

    def contradicts(self, other: "Replacement") -> bool:
        """True where both say a term, and not the same."""
        return self.quantity != other.quantity or any(
            mine is not None and theirs is not None and mine != theirs
            for mine, theirs in (
                (self.limit_price, other.limit_price),
                (self.stop_price, other.stop_price),
                (self.time_in_force, other.time_in_force),
            )
        )


class VenueState(msgspec.Struct, frozen=True, kw_only=True):
    """How far an order had come when it was taken over from the venue."""

    status: OrderStatus
    venue_order_id: str = ""
    filled: Decimal = ZERO
    notional: Decimal = ZERO
    """Sum of price x quantity over what is filled, without the multiplier."""
    listed: bool = True
    """The venue lists it; False for one that is recognised by a report and still to be asked."""


ASSUMED = "assumed-"
"""What the execution id of a fill begins with that no venue told: it was taken over from what the
venue says of the order or of the holding, or an operator decided it."""


class Liquidity(StrEnum):
    """Whether a fill took or made liquidity; empty when the venue does not say."""

    MAKER = "maker"
    TAKER = "taker"
    NONE = ""


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution, a fact (U-17)."""

    execution_id: str
    client_order_id: str
    venue_order_id: str = ""
    account: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal = ZERO
    commission_currency: str = ""
    """The asset the commission was taken in; "" is the instrument's currency."""
    liquidity: Liquidity = Liquidity.NONE
    time: Nanos
    """The venue's own time of the transaction; 0 where it gives none."""

    @property
    def key(self) -> str:
        """What makes it one fill however often it is told (X-91).

        Account, symbol, the UTC date of the venue's time and the execution id: venues use ids again
        on another day.
        """
        return self._key_at(self.time)

    def _key_at(self, time: Nanos) -> str:
        day = time // NS_PER_DAY if time else ""
        return f"{self.account}|{self.symbol}|{day}|{self.execution_id}"

    @property
    def midnight(self) -> str:
        """What makes it one fill where it is told on both sides of a UTC midnight that is closer
        than clocks differ; "" at any other time."""
        days = (self.time + NS_PER_DAY // 2) // NS_PER_DAY
        if not self.time or abs(self.time - days * NS_PER_DAY) > CLOCKS_APART:
            return ""
        numbers = f"{self.side}|{plain(self.quantity)}|{plain(self.price)}"
        ids = f"{self.account}|{self.symbol}|{self.execution_id}|{self.client_order_id}"
        return f"midnight {days}|{ids}|{numbers}"

    @property
    def is_assumed(self) -> bool:
        """No venue told it: one that tells it later tells the same again."""
        return self.execution_id.startswith(ASSUMED)

    @property
    def content(self) -> str:
        """The key with what the fill says; a fill of one key that says something else is false."""
        (content,) = self.contents_at((self.time,))
        return content

    def contents_at(self, times: Iterable[Nanos]) -> list[str]:
        """The content that it would have at each of these times."""
        numbers = f"{self.side}|{plain(self.quantity)}|{plain(self.price)}"
        return [f"{self._key_at(time)}|{numbers}" for time in times]

    @property
    def of_order(self) -> str:
        """The content with the order that the fill is of; one that says the same of another order
        is another fill under a used id (X-91)."""
        return _of_order(self.content, self.client_order_id)

    def about(self, span: int = 0) -> str:
        """The same with about when it was, in spans that are as long as clocks differ: its own, or
        the one so many `span`s later; "" where the venue gives no time."""
        return self._about(self.of_order, span)

    def _about(self, of_order: str, span: int) -> str:
        return f"{of_order}|about {self.time // CLOCKS_APART + span}" if self.time else ""

    def names(self) -> list[str]:
        """All by which it is known when it is told again: `content`, `of_order`, `about` and
        `midnight`, as far as it has them."""
        content = self.content
        of_order = _of_order(content, self.client_order_id)
        return [
            name for name in (content, of_order, self._about(of_order, 0), self.midnight) if name
        ]


def _of_order(content: str, client_order_id: str) -> str:
    return f"{content}|order {client_order_id}"
