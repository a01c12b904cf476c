"""What is held, and the close that is under way (U-18, rule 3)."""

from decimal import Decimal

import msgspec

from engine.domain.instant import Nanos
from engine.domain.money import ONE, ZERO
from engine.domain.position import ExitReason, Leg
from engine.domain.signal import TradeType


class ExitPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A close under way: why, how much, which attempt; survives a crash (rule 3)."""

    reason: ExitReason
    detail: str
    priority: int
    quantity: Decimal | None
    """How much is still to be closed; None is all of it, whatever that is by then."""
    attempt: int
    """Numbers its order among all that ever closed something of the position."""
    started_at: Nanos
    failures: int = 0
    """How many orders of this close failed before that one."""
    refused: str = ""
    """The code with which the venue last refused an order of it, told once."""

    @property
    def is_whole(self) -> bool:
        """True where the position is to end."""
        return self.quantity is None


class StopResized(msgspec.Struct, frozen=True, kw_only=True):
    """A venue was asked for a quantity of a protective stop and works the stop for another one.

    It ends as soon as another quantity is held or a stop for another quantity is asked for: the
    same quantity is a new request after that, and is made at once (rule 3).
    """

    asked: Decimal
    """How much of the stop was to be left to fill."""
    since: Nanos


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Net holding of one instrument in one account.

    `quantity` is signed, `cost` is its signed cost in the instrument's currency.
    """

    position_id: str
    seq: int = 0
    """The event that opened it."""
    recorded_at: Nanos = 0
    """When that was recorded; `opened_at` is the venue's time of the fill."""
    symbol: str
    account: str
    quantity: Decimal
    cost: Decimal
    multiplier: Decimal = ONE
    realized: Decimal = ZERO
    """Profit of what was closed, before commission."""
    commission: Decimal = ZERO
    """In the currency of the instrument, whatever it was taken in."""
    trade_type: TradeType
    initial_stop: Decimal | None = None
    """That of the first entry; defines R (A-163, D-10)."""
    stop: Decimal | None = None
    target: Decimal | None = None
    default_target: bool = False
    """It has no target price: one is worked out from R (A-163)."""
    managed: bool = False
    """The rules that manage what signals open apply to it, and a flat signal closes it (X-80,
    X-87). Its stop, the end of the day and a kill close it in any case."""
    signal_id: str = ""
    signal_type: str = ""
    timeframe: str = ""
    conviction: int | None = None
    opened_at: Nanos
    entry_quantity: Decimal = ZERO
    """All that was ever bought into it (absolute)."""
    entry_notional: Decimal = ZERO
    first_order_id: str = ""
    """The order that opened it, or that took the place of that one (X-88)."""
    first_quantity: Decimal = ZERO
    """What that order bought, and at how much: R is that of the first entry (X-82)."""
    first_notional: Decimal = ZERO
    expected_notional: Decimal | None = None
    """What its entries would have cost at the prices they were decided on, without the multiplier;
    None where one of them had none."""
    exit_quantity: Decimal = ZERO
    exit_notional: Decimal = ZERO
    legs: tuple[Leg, ...] = ()
    adds: int = 0
    exiting: ExitPlan | None = None
    protect_attempt: int = 0
    """Numbers the protective orders, so that each id is derived from durable facts."""
    exit_attempt: int = 0
    stops_dropped: int = 0
    """How many stops in a row the venue ended soon, the newest among them."""
    stop_off: Decimal | None = None
    """The price that a stop was asked for at and that its venue works at another one; None where it
    is worked as asked."""
    stop_off_since: Nanos = 0
    """Since when it does so."""
    stop_resized: StopResized | None = None
    """That its venue works a stop for another quantity than it was asked for; None where it does
    not."""
    unprotected_since: Nanos = 0
    told_unprotected: bool = False
    """It was told that no stop is known to rest for all of it, though one should."""
    origin: str = "bot"
    order_id: str = ""

    @property
    def reducing_intent(self) -> str:
        """The intent of every order of ours that protects or closes it."""
        return f"{self.position_id}-reduce"

    @property
    def is_closing(self) -> bool:
        """True while all of it is being closed; the close of a part leaves the rest as it is."""
        return self.exiting is not None and self.exiting.is_whole

    @property
    def average_price(self) -> Decimal:
        """Cost per unit of what is held."""
        if not self.quantity:
            return ZERO
        return self.cost / self.quantity / self.multiplier

    @property
    def entry_price(self) -> Decimal:
        """Mean price of everything that was entered."""
        return self.entry_notional / self.entry_quantity if self.entry_quantity else ZERO

    @property
    def initial_risk(self) -> Decimal | None:
        """R: how far the first entry was from its stop, a unit; None without such a distance."""
        if self.initial_stop is None or not self.first_quantity:
            return None
        away = abs(self.first_notional / self.first_quantity - self.initial_stop)
        return away or None

    @property
    def expected_entry(self) -> Decimal | None:
        """Mean of the prices that its entries were decided on; None where one had none."""
        if self.expected_notional is None or not self.entry_quantity:
            return None
        return self.expected_notional / self.entry_quantity

    @property
    def is_long(self) -> bool:
        """True when more was bought than sold."""
        return self.quantity > 0

    @property
    def sign(self) -> int:
        """+1 long, -1 short."""
        return 1 if self.quantity > 0 else -1

    def market_value(self, price: Decimal) -> Decimal:
        """Signed value at `price`."""
        return self.quantity * price * self.multiplier

    def unrealized(self, price: Decimal) -> Decimal:
        """Profit of what is held at `price`, before commission."""
        return self.market_value(price) - self.cost

    def taken_up(self, before: "Position") -> "Position":
        """This position, of which nobody knew how it came about, as what `before` was: it had been
        taken off without a fill, and is listed again (X-75)."""
        return msgspec.structs.replace(
            self,
            trade_type=before.trade_type,
            initial_stop=before.initial_stop,
            stop=before.stop,
            target=before.target,
            default_target=before.default_target,
            managed=before.managed,
            signal_id=before.signal_id,
            signal_type=before.signal_type,
            timeframe=before.timeframe,
            conviction=before.conviction,
            opened_at=before.opened_at,
            first_order_id=before.first_order_id,
            first_quantity=before.first_quantity,
            first_notional=before.first_notional,
            origin=before.origin,
            order_id=before.order_id,
        )
