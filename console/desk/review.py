"""An order before it is sent: every check of the gate, and what the order would mean."""

from decimal import Decimal
from itertools import chain

from console.desk.values import Review
from engine.analytics.open_risk import open_risk
from engine.domain.commands import PlaceOrder
from engine.domain.instant import Nanos
from engine.domain.money import ZERO
from engine.domain.order import Side
from engine.pipeline.fallback import placed
from engine.pipeline.stages import decide
from engine.risk import gate
from engine.sizing.open_risk import at_stop
from engine.state.brought import stop_with
from engine.state.position import Position
from engine.world import World


def review(world: World, order: PlaceOrder, now: Nanos) -> Review:
    """What the gate says of `order` at `now`; nothing is recorded or changed.

    The gate stops at the first refusal; a person wants to see all of them, so that each check is
    asked by itself too.
    """
    request, ruling = placed(world, order, now)
    alone = (decide(world, request, now, (check,)) for check in gate.CHECKS)
    rules = request.instrument
    units = order.quantity * rules.multiplier
    price = order.limit_price or order.stop_price or world.market.mark(order.symbol)
    notional = None if price is None else price * units
    held = world.book.holding(request.account, order.symbol)
    if held is not None and held.sign != order.side.sign:
        held = None
    stop = order.protect if held is None else stop_with(held, order.protect)
    moves = held is not None and stop is not None and stop != held.stop
    risk = None
    if price is not None and stop is not None:
        lost = (price - stop) * units
        risk = max(lost if order.side is Side.BUY else -lost, ZERO)
    return Review(
        allowed=ruling.allowed,
        reason="" if ruling.allowed else ruling.reason,
        account=request.account,
        side=ruling.side,
        time_in_force=ruling.time_in_force,
        reduce_only=ruling.reduce_only,
        checks=tuple(chain.from_iterable(each.checks for each in alone)),
        currency=rules.currency,
        price=price,
        notional=notional,
        equity_share=_share(world, notional, rules.currency),
        stop=stop,
        stop_grows=held is not None and stop is not None and not moves,
        stop_moves=moves,
        risk=risk,
        risk_share=_share(world, risk, rules.currency),
        open_risk=_open_risk(world, rules.currency, held, stop, ZERO if risk is None else risk),
        managed=order.managed,
        hold=ruling.trade_type,
        risk_limit=world.limits.risk_per_trade,
    )


def _open_risk(
    world: World, currency: str, held: Position | None, stop: Decimal | None, risk: Decimal
) -> Decimal:
    """The open risk of everything with that of the order, in the base currency; a tighter stop
    takes off what the position it adds to risks no more."""
    now = open_risk(world)
    if held is not None and held.stop is not None and stop is not None:
        risk += max(at_stop(held, stop), ZERO) - max(at_stop(held, held.stop), ZERO)
    return now.at_stops + now.entries + world.currencies.in_base({currency: risk})


def _share(world: World, amount: Decimal | None, currency: str) -> Decimal | None:
    """An amount in a currency as a fraction of equity; None while nobody knows its worth."""
    worth, equity = world.currencies.worth.get(currency), world.money.equity
    if amount is None or worth is None or equity <= 0:
        return None
    return amount * worth / equity
