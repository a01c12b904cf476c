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
"""A-363: further than this from the price it was decided on."""

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
    """Tell how far from the `reference` an order fills: once past the first bound, and once past
    the second, however many fills it has (A-363)."""
    slip = _slip(fill, order, fill.price, reference)
    told = (price for price in (order.worst_price, order.best_price) if price is not None)
    before = max((_slip(fill, order, price, reference) for price in told), default=ZERO)
    better = (fill.price - reference) * fill.side.sign < 0
    text = f"{slip:.2%} {'better' if better else 'worse'} than decided"
    if before <= SLIPPAGE_BREACH < slip:
        yield fill_alarm("SLIPPAGE_BREACH", fill, text)
    elif before <= SLIPPAGE_WARNING < slip:
        yield fill_alarm("SLIPPAGE", fill, text, Severity.WARNING)


def _slip(fill: Fill, order: Order, price: Decimal, reference: Decimal) -> Decimal:
    """How far a price is from the `reference`, as a fraction of it: either way, but for a limit
    that says only how bad the price may be, where one that is better counts as none."""
    worse = (price - reference) / reference * fill.side.sign
    return max(worse, ZERO) if _is_bound(order) else abs(worse)


def _is_bound(order: Order) -> bool:
    """Whether its limit is no price that it was expected to fill at: a person's, which may lie far
    through the market, or one that was moved since it was decided."""
    limit = order.limit_price
    return limit is not None and (not order.signal_id or limit != order.reference)


def fill_alarm(code: str, fill: Fill, why: str, severity: Severity = Severity.ERROR) -> ev.Alarmed:
    """An alarm about a fill, which its text begins with; `why` follows."""
    what = f"{fill.side} {plain(fill.quantity)} {fill.symbol} at {plain(fill.price)}"
    return ev.Alarmed(code=code, severity=severity, subject=fill.symbol, text=f"{what}: {why}")
