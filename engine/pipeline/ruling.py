"""The decision on one request, with the order that it allows (U-13)."""

from decimal import Decimal

import msgspec

from engine.domain.codes import Code, Stage, Verdict
from engine.domain.events import AccountChoice, CheckResult
from engine.domain.instrument import Instrument
from engine.domain.money import ZERO
from engine.domain.order import OrderType, Side, TimeInForce
from engine.domain.signal import TradeType
from engine.risk.finding import Finding
from engine.risk.request import RequestKind
from engine.sizing.stock import SizedOrder


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
    managed: bool = False
    trade_type: TradeType
    conviction: int | None = None
    adding: bool = False
    choice: AccountChoice | None = None
    """As in `Request.choice`."""
    content: str = ""
    """For `SignalDecided.content`: empty until the guard accepted the signal (A-301)."""
    routed: str = ""
    """Why it is for the fallback; "" where it is for the account that its route names (A-240)."""

    @property
    def checks(self) -> tuple[CheckResult, ...]:
        """The trace as it is journalled, made anew at each call."""
        return tuple(finding.told(code) for code, finding in self.trace)

    @property
    def allowed(self) -> bool:
        """True when an order may be made of it."""
        return self.verdict is not Verdict.REJECTED

    @property
    def reduce_only(self) -> bool:
        """True when the order may only shrink what is held."""
        return self.kind.reduces
