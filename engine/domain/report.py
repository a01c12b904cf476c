"""What a venue reports by itself: executions, and the state of the connection (U-17)."""

from decimal import Decimal

import msgspec

from engine.domain.instant import Nanos
from engine.domain.market import Quote
from engine.domain.money import number_fault
from engine.domain.order import Fill, OrderStatus, TimeInForce
from engine.domain.run import LinkState


class OrderReport(msgspec.Struct, frozen=True, kw_only=True):
    """An execution report (U-17): a change of status, or a fill."""

    account: str
    client_order_id: str
    venue_order_id: str = ""
    symbol: str
    status: OrderStatus
    fill: Fill | None = None
    filled: Decimal | None = None
    """All that has filled by then (FIX 14), None when the venue does not say."""
    quantity: Decimal | None = None
    """The order's whole quantity (FIX 38); None where the venue does not say."""
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    """The other terms; None where the venue does not say, and where `quantity` is None."""
    text: str = ""
    code: str = ""
    met: Quote | None = None
    """The quote at which a venue of ours made the fill; None where the venue does not say."""
    time: Nanos

    @property
    def fault(self) -> str:
        """Which of its numbers can be no number of an order; "" where all can."""
        numbers = (
            ("quantity", self.quantity),
            ("filled", self.filled),
            ("limit_price", self.limit_price),
            ("stop_price", self.stop_price),
        )
        for name, number in numbers:
            if number is None:
                continue
            if fault := number_fault(number):
                return f"{name} is {fault}"
            if number < 0 or (name != "filled" and not number):
                return f"{name} is {number}"
        return ""


class LinkReport(msgspec.Struct, frozen=True, kw_only=True):
    """The connection came up, went down, or proved alive."""

    account: str
    state: LinkState
    detail: str = ""
    time: Nanos


Report = OrderReport | LinkReport
