"""One request to trade while it is being decided (U-13, U-15).

A request is a value: each stage of `engine.pipeline` that works something out returns another one.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from engine.calendars import Calendar
from engine.domain.events import AccountChoice
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.domain.order import OrderType, Side, TimeInForce
from engine.domain.signal import Signal, TradeType
from engine.sizing.request import Sizing
from engine.sizing.stock import SizedOrder
from engine.state.position import Position


class RequestKind(StrEnum):
    """What kind of request is decided; each row of the gate says which kinds it is asked of."""

    SIGNAL = "SIGNAL"
    """A signal that opens a position or adds to one."""
    MANUAL = "MANUAL"
    """A person's order that opens a position or adds to one."""
    CHANGE = "CHANGE"
    """A person's change of a working order that opens a position or adds to one (X-88)."""
    FLAT = "FLAT"
    """A signal that asks to close: the guard applies, no entry gate does (A-089, X-20)."""
    REDUCE = "REDUCE"
    """A person's order, or change of one, that only reduces what is held (rule 3)."""

    @property
    def reduces(self) -> bool:
        """True where exposure can only shrink."""
        return self in _REDUCING


_REDUCING = frozenset({RequestKind.FLAT, RequestKind.REDUCE})


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked, by whom, in which instrument and account. `sign` is +1 to buy, -1 to sell."""

    kind: RequestKind
    symbol: str
    sign: int
    instrument: Instrument
    calendar: Calendar | None
    """The sessions of the instrument; None where they are not known."""
    account: str
    """The account that the order is for, by its name under `[brokers]`."""
    position: Position | None
    """What that account holds of it."""
    fault: str = ""
    """Why the request cannot be what it claims to be; refused as INVALID_INPUT."""
    signal: Signal | None = None
    conviction: int | None = None
    trade_type: TradeType = TradeType.DAY
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    entry: Decimal | None = None
    """Reference price: the limit, the trigger of a stop order, else the market's (U-01)."""
    stop: Decimal | None = None
    """Where the protective stop will rest, on the grid."""
    target: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    quantity: Decimal | None = None
    most: Decimal | None = None
    """A signal is sized to no more than this, which its intent was decided with; None: no bound."""
    filled: Decimal = ZERO
    """How much of `quantity` has filled already, where a working order is changed."""
    trigger: Decimal | None = None
    """The stop price that was asked for just now, at which the order is to trade."""
    managed: bool = False
    """What it opens is managed as what signals open is (X-80)."""
    automatic: bool = False
    """No operator asks for it: a pause refuses it (X-81)."""
    changes: str = ""
    """The working order that it changes."""
    choice: AccountChoice | None = None
    """How its account was chosen among several; None where there was no choice."""
    decided: bool = False
    """It passed when it came in, and is asked again as its order is made only now."""
    freed: Decimal = ZERO
    """What that order is worth at worst until it is changed, in the base currency."""
    freed_exposure: Decimal = ZERO
    """What it counts as exposure until then, in the base currency."""
    sizing: Sizing | None = None
    """What the sizing stage worked out; None before it, and where a person gave the number."""

    @property
    def adding(self) -> bool:
        """True when the order goes on top of what is held."""
        return self.position is not None and not self.kind.reduces

    @property
    def side(self) -> Side:
        """BUY, SELL of what is held, or SELL_SHORT."""
        if self.sign > 0:
            return Side.BUY
        return Side.SELL if self.kind.reduces else Side.SELL_SHORT

    @property
    def size(self) -> SizedOrder | None:
        """How a signal was sized."""
        return self.sizing if isinstance(self.sizing, SizedOrder) else None
