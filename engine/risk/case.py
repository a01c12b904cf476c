"""One request to trade while it is being decided, and the ruling that comes out (U-13, U-15).

A `Case` is read by every check of the gate; only `engine.risk.gate.evaluate` and the sizing row
change it. A `Ruling` is everything the caller needs to build the order and the event.
"""

from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from engine.calendars import Calendar
from engine.domain.codes import Answer, Code, Stage, Verdict
from engine.domain.events import CheckResult
from engine.domain.instant import Nanos
from engine.domain.instrument import Instrument
from engine.domain.money import ONE, ZERO, floor_to, is_positive, plain
from engine.domain.order import OrderType, Side, TimeInForce
from engine.domain.signal import Signal, TradeType
from engine.sizing.stock import SizedOrder
from engine.state.position import Position
from engine.world import World

PLACES: Final = Decimal("0.000001")


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
        return self in (RequestKind.FLAT, RequestKind.REDUCE)


Measure = Decimal | int | str
"""A number or a word as a check saw it; `words` makes it the text of the trace."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found: the number it saw, the limit it met, and a sentence when it is not met.

    Numbers become text only where a trace is kept: an order that passes two dozen checks keeps
    none, and their text was a tenth of its life on the loop. `max_quantity` belongs to RESIZE: the
    largest quantity that the limit still has room for.
    """

    answer: Answer
    measured: Measure
    limit: Measure
    reason: str = ""
    max_quantity: Decimal | None = None


Limit = Any
"""A limit as its row finds it: Decimal, int or text; a row's function knows which."""


def words(value: Measure) -> str:
    """The measure as text, numbers plain."""
    return plain(value) if isinstance(value, Decimal) else str(value)


def passed(measured: Measure, limit: Measure) -> Finding:
    """The check is met."""
    return Finding(answer=Answer.PASS, measured=measured, limit=limit)


def refused(measured: Measure, limit: Measure, reason: str) -> Finding:
    """The check is not met, and no smaller quantity would meet it."""
    return Finding(answer=Answer.REJECT, measured=measured, limit=limit, reason=reason)


def fraction(part: Decimal, whole: Decimal, *, up: bool) -> Decimal:
    """`part` / `whole` to six places, cut toward the side on which the limit is still told apart.

    A limit that may be reached is measured `up`, one that may not is measured down, so that the
    text never shows a number on the other side of the limit than the verdict.
    """
    mode = ROUND_CEILING if up else ROUND_FLOOR
    return (part / whole).quantize(PLACES, mode)


class Case(msgspec.Struct, kw_only=True):
    """One request with everything its checks look at. `sign` is +1 to buy and -1 to sell."""

    world: World
    now: Nanos
    kind: RequestKind
    symbol: str
    sign: int
    instrument: Instrument
    calendar: Calendar | None
    position: Position | None
    equity: Decimal
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
    filled: Decimal = ZERO
    """How much of `quantity` has filled already, where a working order is changed."""
    freed: Decimal = ZERO
    """What that order counts as exposure until it is changed, in the base currency."""
    size: SizedOrder | None = None
    account: str = ""
    """The account that the order is for, by its name under `[brokers]`."""
    worst: Decimal | None = None
    """`worst_price` once it was asked for: what it leans on does not change while it is decided."""

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
    def mark(self) -> Decimal | None:
        """The newest price of the symbol, fresh or not; None where it is not a usable number."""
        last = self.world.market.mark(self.symbol)
        return last if is_positive(last) else None

    @property
    def worst_price(self) -> Decimal:
        """The dearest price a unit may come to, at which exposure is counted (A-066).

        A buy with a limit costs its limit at most; anything else the worse of its reference and
        the market, and `execution.slippage_buffer` on top. NaN without any price: every comparison
        with it fails, and the check with it (U-53).
        """
        if self.worst is None:
            self.worst = self._worst_price()
        return self.worst

    def _worst_price(self) -> Decimal:
        if self.sign > 0 and self.limit_price is not None:
            return self.limit_price
        prices = [price for price in (self.entry, self.mark) if price is not None]
        quote = self.world.market.quotes.get(self.symbol)
        if self.sign > 0 and quote is not None and quote.ask is not None and is_positive(quote.ask):
            prices.append(quote.ask)
        worst = max(prices, default=Decimal("NaN"))
        return worst * (ONE + self.world.config.execution.slippage_buffer)

    @property
    def unit_value(self) -> Decimal:
        """What one unit adds to exposure at worst, in the base currency.

        NaN without a rate: every comparison with it fails, and the check with it (U-53).
        """
        value = self.worst_price * self.instrument.multiplier
        currency = self.instrument.currency
        if currency == self.world.base:
            return value
        return value * (self.world.worth(currency) or Decimal("NaN"))

    @property
    def notional(self) -> Decimal:
        """What the whole order is worth at worst, in the base currency."""
        return (self.quantity or ZERO) * self.unit_value

    @property
    def leaves(self) -> Decimal:
        """How much of it can still fill."""
        return (self.quantity or ZERO) - self.filled

    @property
    def added(self) -> Decimal:
        """What it adds to exposure at worst beyond what it counts as already, in the base
        currency."""
        return self.leaves * self.unit_value - self.freed

    def affordable(self, room: Decimal, unit: Decimal) -> Decimal:
        """The largest quantity on the lot's grid that costs at most `room`, zero if none does."""
        lot = self.instrument.lot
        if room <= 0 or unit <= 0:
            return ZERO
        fitting = floor_to(room / unit, lot)
        # A quotient is cut at 28 digits and may have been rounded up to the next lot.
        return fitting - lot if fitting * unit > room else fitting

    def within(
        self,
        *,
        room: Decimal,
        unit: Decimal,
        measured: Decimal,
        limit: Decimal,
        reason: Callable[[], str],
    ) -> Finding:
        """PASS where what can still fill, at `unit` each, fits into `room`, else RESIZE."""
        if self.leaves * unit <= room:
            return passed(measured, limit)
        return Finding(
            answer=Answer.RESIZE,
            measured=measured,
            limit=limit,
            reason=reason(),
            max_quantity=self.filled + self.affordable(room, unit),
        )


class Ruling(msgspec.Struct, frozen=True, kw_only=True):
    """The decision on one request (U-13), with the order it allows.

    REJECTED and RESIZED name the check that decided; `trace` has all that were asked, in order. The
    fields of the order mean something only when `allowed`.
    """

    kind: RequestKind
    account: str
    verdict: Verdict
    stage: Stage
    code: str
    """The code of the check that refused or resized; empty when nothing did."""
    measured: str
    limit: str
    reason: str
    trace: tuple[tuple[Code, Finding], ...]
    symbol: str
    instrument: Instrument
    side: Side
    quantity: Decimal | None = None
    """What may be ordered; None when refused."""
    size: SizedOrder | None = None
    order_type: OrderType
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce
    reserved: Decimal = ZERO
    """Price per unit that `Order.reserved` takes, without the multiplier; 0 if it only reduces."""
    stop_loss: Decimal | None = None
    target: Decimal | None = None
    trade_type: TradeType
    conviction: int | None = None
    adding: bool = False
    content: str = ""
    """For `SignalDecided.content`: empty until the guard accepted the signal (A-301)."""

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """The trace as it is journalled, made anew at each call."""
        return tuple(
            CheckResult(
                code=code,
                answer=finding.answer,
                measured=words(finding.measured),
                limit=words(finding.limit),
                max_quantity=finding.max_quantity,
            )
            for code, finding in self.trace
        )

    @property
    def allowed(self) -> bool:
        """True when an order may be made of it."""
        return self.verdict is not Verdict.REJECTED

    @property
    def reduce_only(self) -> bool:
        """True when the order may only shrink what is held."""
        return self.kind.reduces
