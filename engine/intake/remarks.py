"""What a person is told of an order that passed: what of it has no effect, and what it risks beyond
the limit of a trade. Nothing of an order is dropped in silence (rule 6)."""

from collections.abc import Iterator
from typing import Final

from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.commands import PlaceOrder
from engine.domain.money import plain
from engine.domain.run import Severity
from engine.pipeline.ruling import Ruling
from engine.state.brought import stop_with
from engine.world import World

NOT_HEEDED: Final = "NOT_HEEDED"
RISKS_MORE: Final = "RISKS_MORE"
REMARKS: Final = frozenset({NOT_HEEDED, RISKS_MORE, Code.FALLBACK})
"""The codes of the alarms that say so, and of the one that says that it goes to the fallback."""


def remarks(world: World, order: PlaceOrder, ruling: Ruling) -> Iterator[ev.Alarmed]:
    """What is to be said of an order that passed."""
    for text in _unheeded(world, order, ruling):
        yield ev.Alarmed(code=NOT_HEEDED, severity=Severity.INFO, subject=order.symbol, text=text)
    for text in _risks_more(world, order, ruling):
        yield ev.Alarmed(
            code=RISKS_MORE, severity=Severity.WARNING, subject=order.symbol, text=text
        )


def _risks_more(world: World, order: PlaceOrder, ruling: Ruling) -> Iterator[str]:
    """That what it opens may lose more than a trade may: the stop of a person's first order is his
    own to name, and an add is held to the limit (X-82, X-85)."""
    share, stop = world.limits.risk_per_trade, order.protect
    price = order.limit_price or order.stop_price or world.prices.mark(order.symbol)
    if share is None or stop is None or price is None or ruling.reduce_only or ruling.adding:
        return
    units = order.quantity * ruling.instrument.multiplier
    risk = world.currencies.in_base({ruling.instrument.currency: abs(price - stop) * units})
    if risk > (allowed := share * world.money.equity):
        yield (
            f"{order.symbol} will risk {plain(round(risk, 2))} at its stop of {plain(stop)}, above "
            f"the {plain(round(allowed, 2))} of a trade: a first stop is yours to name"
        )


def _unheeded(world: World, order: PlaceOrder, ruling: Ruling) -> Iterator[str]:
    """A sentence on each part of an order that passed and that changes nothing (X-80, X-82)."""
    symbol, held = order.symbol, world.book.holding(ruling.account, order.symbol)
    if ruling.reduce_only:
        given = (("protect", order.protect), ("target", order.target))
        names = [name for name, price in given if price is not None]
        if names:
            is_not = "are" if len(names) > 1 else "is"
            told = f"it only reduces {symbol}: {' and '.join(names)} {is_not} not used"
            yield f"{told}; `meridian-tui protect` and `target` change those of what is held"
        return
    if held is None or held.sign != order.side.sign:
        return
    if order.hold is not held.trade_type:
        yield (
            f"{symbol} is held as {held.trade_type}, and what is added is {held.trade_type} too, "
            f"not {order.hold}"
        )
    stop = stop_with(held, order.protect)
    if order.protect is not None and stop is not None and stop != order.protect:
        yield f"the stop of {symbol} stays at {plain(stop)}, which is tighter than the new one"
