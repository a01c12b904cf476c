"""The round trip that a fill ends (U-19)."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from engine.domain import events as ev
from engine.domain.money import ZERO
from engine.domain.order import Fill, Purpose
from engine.domain.position import ExitReason
from engine.risk import triggers
from engine.state.holdings import round_trip
from engine.state.order import Order
from engine.state.position import Position
from engine.world import World

FOREIGN = "an order we did not send"

EXPIRED = "the contract has expired and was settled"

_REASONS = {
    Purpose.PROTECT: (ExitReason.STOP_LOSS, "hard"),
    Purpose.FLATTEN: (ExitReason.KILL, ""),
    Purpose.MANUAL: (ExitReason.MANUAL, ""),
    Purpose.ENTRY: (ExitReason.SIGNAL, "reversed"),
    Purpose.EXIT: (ExitReason.VENUE, "order of an earlier run"),
}


class Ending(msgspec.Struct, frozen=True):
    """A position that a fill ends, as it was before and as it is then.

    To be made before the fill is folded in: what was seen of the position ends with it. `mae` and
    `mfe` are how far the price went against it and for it, as fractions of its entry price; None
    where nobody watched.
    """

    before: Position
    closed: Position
    mae: Decimal | None
    mfe: Decimal | None


def ending_of(
    world: World, before: Position | None, closed: Position | None, fill: Fill
) -> Ending | None:
    """What a fill makes of a position that it ends; None where it ends none."""
    if before is None or closed is None:
        return None
    seen = world.market.extremes.get(closed.symbol, {}).get(closed.account)
    entry = closed.entry_price
    if seen is None or not entry:
        return Ending(before, closed, None, None)
    low, high = min(seen[0], fill.price), max(seen[1], fill.price)
    long = fill.side.sign < 0
    worst, best = (low, high) if long else (high, low)
    sign = 1 if long else -1
    mae, mfe = (worst - entry) / entry * sign, (best - entry) / entry * sign
    return Ending(before, closed, min(mae, ZERO), max(mfe, ZERO))


def close_trade(
    world: World, ending: Ending, fill: Fill, order: Order | None, *, unasked: str = FOREIGN
) -> Iterator[ev.Event]:
    """Record the round trip of a position that ended, and why it did.

    `order` is the one that ended it; where none is known, `unasked` says what it was.
    """
    closed, plan = ending.closed, ending.before.exiting
    by_stop = order is not None and order.is_protective
    if plan is not None and (plan.is_whole or not by_stop):
        reason, detail = plan.reason, plan.detail
    elif order is not None:
        reason, detail = _REASONS.get(order.purpose, (ExitReason.MANUAL, ""))
    else:
        reason, detail = ExitReason.VENUE, unasked
    trade = round_trip(
        closed,
        fill,
        asset_class=world.instrument(closed.symbol).asset_class,
        reason=reason,
        detail=detail,
        mae=ending.mae,
        mfe=ending.mfe,
    )
    basis = closed.entry_notional * closed.multiplier
    yield ev.PositionClosed(
        account=fill.account, trade=trade, loss_streak=triggers.losses(world, trade.pnl, basis)
    )
