"""The sizing stage: what a request comes to, before the gate judges it (A-100..A-106)."""

from decimal import Decimal

import msgspec

from engine.domain.money import ZERO, floor_to
from engine.risk.facts import Facts
from engine.risk.request import Request, RequestKind
from engine.sizing.request import Closable, Unmeasured
from engine.sizing.stock import Bound, size
from engine.world import World, exposure

_replace = msgspec.structs.replace


def sized(world: World, request: Request, facts: Facts) -> Request:
    """The request with what sizing works out for its kind.

    A signal gets its quantity, a flat one what it closes; a person's order, and a change of one
    that works, keep the number that was given.
    """
    try:
        match request.kind:
            case RequestKind.SIGNAL:
                return _signal(world, request, facts)
            case RequestKind.FLAT:
                return _flat(world, request)
            case _:
                return request
    except ArithmeticError:
        # NaN and infinities: what cannot be measured opens nothing (U-53).
        return _replace(request, sizing=Unmeasured())


def resized(request: Request, most: Decimal, by: str) -> Request:
    """The request with at most `most`, cut to the lot, because the row `by` has room for no more.

    The quantity is zero where not one lot of it is left.
    """
    quantity = max(floor_to(min(request.quantity or ZERO, most), request.instrument.lot), ZERO)
    size = request.size
    if size is not None:
        bounds = (*size.bounds, Bound(by, most))
        size = _replace(size, quantity=quantity, bounds=bounds, binding=by)
    return _replace(request, quantity=quantity, sizing=size or request.sizing)


def _signal(world: World, request: Request, facts: Facts) -> Request:
    signal, limits = request.signal, world.limits
    if signal is None or request.conviction is None:
        return request
    order = size(
        equity=_in_instruments_currency(world, request, facts),
        entry=signal.entry_price,
        stop=signal.stop_loss,
        conviction=request.conviction,
        risk_per_trade=limits.risk_per_trade,
        single_name=limits.single_name,
        lot=request.instrument.lot,
        multiplier=request.instrument.multiplier,
        mode=world.config.entries.conviction_mode,
        market=request.entry,
        exposed_at=exposure.exposed_at(world, request.instrument, signal.entry_price),
    )
    made = _replace(request, sizing=order, quantity=order.quantity)
    if request.most is None or order.quantity <= request.most:
        return made
    return resized(made, request.most, "the quantity that was decided")


def _flat(world: World, request: Request) -> Request:
    """All that signals opened of the symbol, in any account (X-87)."""
    managed = tuple(world.managed(request.symbol))
    closable = Closable(managed=managed, held=tuple(world.held(request.symbol)))
    quantity = sum((abs(position.quantity) for position in managed), start=ZERO)
    return _replace(request, sizing=closable, quantity=quantity)


def _in_instruments_currency(world: World, request: Request, facts: Facts) -> Decimal:
    """Equity as the instrument's prices count it; NaN without a rate (U-53)."""
    currency = request.instrument.currency
    if currency == world.base:
        return facts.equity
    return facts.equity / (world.currencies.worth.get(currency) or Decimal("NaN"))
