"""What is odd about a fill that was taken; it stands all the same (A-363 to A-365, rule 2)."""

from collections.abc import Iterator
from decimal import Decimal

from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ZERO, plain
from engine.domain.order import Fill
from engine.domain.run import Severity
from engine.state.holdings import happened
from engine.state.order import Order

SLIPPAGE_WARNING = Decimal("0.01")

SLIPPAGE_BREACH = Decimal("0.02")
"""A-363: more than this against the price it was decided on."""

STALE_FILL = 300 * NS_PER_SECOND
"""A-364."""


def alarms(event: ev.OrderFilled, order: Order | None, now: Nanos) -> Iterator[ev.Event]:
    """The alarms of a fill that was taken; `order` is its order as it was before."""
    fill = event.fill
    if order is None:
        yield fill_alarm("UNKNOWN_ORDER_FILL", fill, "of an order we do not know")
        return
    if event.late:
        yield fill_alarm("LATE_FILL", fill, f"after the order was {order.status}")
    if event.overfill:
        yield fill_alarm("OVERFILL", fill, f"{plain(event.overfill)} beyond the order")
    if fill.symbol != order.symbol or (fill.side.sign != order.side.sign):
        yield fill_alarm("FILL_MISMATCH", fill, f"the order was {order.side} {order.symbol}")
    if fill.time and happened(fill, now) != fill.time:
        why = f"dated {fill.time} ns since 1970, which cannot be: our own time counts"
        yield fill_alarm("FILL_TIME", fill, why, Severity.WARNING)
    elif now - happened(fill, now) > STALE_FILL:
        yield fill_alarm("STALE_FILL", fill, "reported minutes after it happened", Severity.WARNING)
    if order.reference:
        yield from _slippage(fill, order, order.reference)


def _slippage(fill: Fill, order: Order, reference: Decimal) -> Iterator[ev.Event]:
    """Tell how much worse than the `reference` an order fills: once past the first bound, and once
    past the second, however many fills it has (A-363)."""
    slip = _slip(fill, fill.price, reference)
    before = ZERO if order.worst_price is None else _slip(fill, order.worst_price, reference)
    if before <= SLIPPAGE_BREACH < slip:
        yield fill_alarm("SLIPPAGE_BREACH", fill, f"{slip:.2%} worse than decided")
    elif before <= SLIPPAGE_WARNING < slip:
        yield fill_alarm("SLIPPAGE", fill, f"{slip:.2%} worse than decided", Severity.WARNING)


def _slip(fill: Fill, price: Decimal, reference: Decimal) -> Decimal:
    return (price - reference) / reference * fill.side.sign


def fill_alarm(code: str, fill: Fill, why: str, severity: Severity = Severity.ERROR) -> ev.Alarmed:
    """An alarm about a fill, which its text begins with; `why` follows."""
    what = f"{fill.side} {plain(fill.quantity)} {fill.symbol} at {plain(fill.price)}"
    return ev.Alarmed(code=code, severity=severity, subject=fill.symbol, text=f"{what}: {why}")
