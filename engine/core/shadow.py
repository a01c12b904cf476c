"""In mode shadow each order and each fill is measured beside the real venue's prices.

Orders go to a paper venue that is matched on those prices. What is measured is what its fills
assume: the price that the real book showed when it filled, and how far that had moved since the
order was decided. It says nothing of what the order itself would have moved.
"""

from collections.abc import Iterator
from decimal import Decimal

from engine.domain import events as ev
from engine.domain.inputs import Input, OrdersReported
from engine.domain.market import Quote
from engine.domain.order import Side
from engine.ports import OrderReport
from engine.world import World


def measured(world: World, given: Input, events: Iterator[ev.Event]) -> Iterator[ev.Event]:
    """The events that an input leads to, with what is measured of each order and fill of them."""
    met = dict(_met(given))
    for event in events:
        yield event
        if isinstance(event, ev.OrderIntended):
            terms, quote = event.terms, world.market.quotes.get(event.terms.symbol)
            if quote is not None:
                yield ev.ShadowQuoted(
                    account=terms.account,
                    client_order_id=terms.client_order_id,
                    symbol=terms.symbol,
                    quote=quote,
                )
        elif isinstance(event, ev.OrderFilled):
            yield _filled(world, event, met.get(event.fill.execution_id))


def _met(given: Input) -> Iterator[tuple[str, Quote]]:
    """By the id of the execution, the quote that each fill of an input was made at."""
    reports = given.reports if isinstance(given, OrdersReported) else (given,)
    for report in reports:
        if isinstance(report, OrderReport) and report.fill is not None and report.met is not None:
            yield report.fill.execution_id, report.met


def _filled(world: World, event: ev.OrderFilled, met: Quote | None) -> ev.ShadowFilled:
    fill = event.fill
    order = world.book.order_in(fill.account, fill.client_order_id)
    decided = None if order is None else order.seen
    expected = None if met is None else _shown(met, fill.side)
    before = None if decided is None else _shown(decided, fill.side)
    worse = None if expected is None else (fill.price - expected) * fill.side.sign
    drift = None
    if expected is not None and before is not None:
        drift = (expected - before) * fill.side.sign / before
    return ev.ShadowFilled(
        account=fill.account,
        client_order_id=fill.client_order_id,
        execution_id=fill.execution_id,
        symbol=fill.symbol,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        multiplier=event.multiplier,
        currency=world.book.currency_of(fill.symbol),
        decided=decided,
        met=met,
        expected=expected,
        slippage=None if worse is None or expected is None else _rate(worse / expected),
        assumed=world.config.brokers.of(fill.account).slippage_rate,
        drift=None if drift is None else _rate(drift),
        cost=None if worse is None else worse * fill.quantity * event.multiplier,
    )


def _shown(quote: Quote, side: Side) -> Decimal:
    """What a book asks a buyer for, or bids a seller; the last price without such a side."""
    price = quote.ask if side is Side.BUY else quote.bid
    return price or quote.last


def _rate(value: Decimal) -> Decimal:
    return round(value, 8)
