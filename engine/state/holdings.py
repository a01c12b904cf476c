"""How a fill changes a holding: open, add, reduce, close, flip (C-155, D-42)."""

from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.ids import order_id
from engine.domain.instant import CLOCKS_APART, NS_PER_SECOND, Nanos
from engine.domain.instrument import AssetClass
from engine.domain.money import COST_DIGITS, ONE, ZERO, apportion, floor_to, plain
from engine.domain.order import ASSUMED, Fill
from engine.domain.position import Leg, RoundTrip
from engine.domain.signal import TradeType
from engine.state.brought import brought_by, names_of, stop_with
from engine.state.order import Order
from engine.state.position import Position

MAX_LEGS = 200
"""Legs kept on one position; later ones are summed only, the fills table has them all."""


OLDEST_FILL: Final = 366 * 24 * 3_600 * NS_PER_SECOND
"""A fill that is told later than so much after it happened has a wrong time. An account that was
left for months tells of what it did then; an error of units leads to 1970."""


class HoldingChange(msgspec.Struct, frozen=True):
    """What one fill did to one holding."""

    closed: Position | None
    """The position as it ended, quantity zero, when this fill made it flat or flipped it."""
    after: Position | None
    """What is held now."""
    realized: Decimal
    """Profit taken by this fill, before commission."""
    opened: Decimal
    """Unsigned quantity that added exposure."""
    position_id: str = ""
    """The position that the fill opened; empty when it opened none."""


def happened(fill: Fill, at: Nanos) -> Nanos:
    """When a fill that was told at `at` happened: the venue's time, ours where that cannot be it.

    A venue may give none (X-91), and one in a wrong unit lies far away.
    """
    return fill.time if at - OLDEST_FILL <= fill.time <= at + CLOCKS_APART else at


def _leg(fill: Fill, quantity: Decimal, commission: Decimal) -> Leg:
    return Leg(
        execution_id=fill.execution_id,
        quantity=quantity,
        price=fill.price,
        commission=commission,
        time=fill.time,
    )


def _legs(position: Position, leg: Leg) -> tuple[Leg, ...]:
    return position.legs if len(position.legs) >= MAX_LEGS else (*position.legs, leg)


def position_id_of(fill: Fill, order: Order | None) -> str:
    """The id of the position that a fill opens.

    From the order that opened it, which is durable before any fill is; an order that opens
    again after flat has filled more by then.
    """
    if order is None:
        return "p" + order_id(fill.time, "position", fill.account, fill.execution_id)
    facts = (order.client_order_id, plain(order.filled))
    return "p" + order_id(order.created_at, "position", fill.account, *facts)


def _opened(
    fill: Fill,
    quantity: Decimal,
    commission: Decimal,
    mult: Decimal,
    order: Order | None,
    *,
    seq: int,
    at: Nanos,
) -> Position:
    stop = order.stop_loss if order else None
    return Position(
        position_id=position_id_of(fill, order),
        seq=seq,
        recorded_at=at,
        symbol=fill.symbol,
        account=fill.account,
        quantity=quantity,
        cost=quantity * fill.price * mult,
        multiplier=mult,
        commission=commission,
        trade_type=order.trade_type if order else TradeType.SWING,
        initial_stop=stop,
        stop=stop,
        target=order.target if order else None,
        default_target=order is not None and order.is_managed and order.target is None,
        managed=order is not None and order.is_managed,
        signal_id=order.signal_id if order else "",
        signal_type=order.signal_type if order else "",
        timeframe=order.timeframe if order else "",
        conviction=order.conviction if order else None,
        opened_at=happened(fill, at),
        entry_quantity=abs(quantity),
        entry_notional=abs(quantity) * fill.price,
        first_order_id=order.client_order_id if order else fill.client_order_id,
        first_quantity=abs(quantity),
        first_notional=abs(quantity) * fill.price,
        expected_notional=_expected(quantity, order),
        legs=(_leg(fill, quantity, commission),),
        origin="manual" if order is not None and not order.signal_id else "bot",
        order_id=order.client_order_id if order else fill.client_order_id,
    )


def _expected(quantity: Decimal, order: Order | None) -> Decimal | None:
    """What so much would have cost at the price the order was decided on, None without one."""
    if order is None or order.reference is None:
        return None
    return abs(quantity) * order.reference


def _extended(
    position: Position, fill: Fill, quantity: Decimal, commission: Decimal, order: Order | None
) -> Position:
    """The position with more of it.

    An order brings its stop, and a person's its target, with its first fill: what the operator
    decided between two fills of one order stands.
    """
    moved = {} if order is None else brought_by(position, order)
    before, expected = position.expected_notional, _expected(quantity, order)
    if order is not None and position.first_order_id in names_of(order):
        moved |= {
            "first_order_id": order.client_order_id,
            "first_quantity": position.first_quantity + abs(quantity),
            "first_notional": position.first_notional + abs(quantity) * fill.price,
        }
    return msgspec.structs.replace(
        position,
        quantity=position.quantity + quantity,
        cost=position.cost + quantity * fill.price * position.multiplier,
        commission=position.commission + commission,
        entry_quantity=position.entry_quantity + abs(quantity),
        entry_notional=position.entry_notional + abs(quantity) * fill.price,
        legs=_legs(position, _leg(fill, quantity, commission)),
        expected_notional=None if before is None or expected is None else before + expected,
        **moved,
    )


def _reduced(
    position: Position, fill: Fill, quantity: Decimal, commission: Decimal
) -> tuple[Position, Decimal]:
    removed = apportion(position.cost, -quantity, position.quantity)
    gained = -quantity * fill.price * position.multiplier - removed
    reduced = msgspec.structs.replace(
        position,
        quantity=position.quantity + quantity,
        cost=position.cost - removed,
        realized=position.realized + gained,
        commission=position.commission + commission,
        exit_quantity=position.exit_quantity + abs(quantity),
        exit_notional=position.exit_notional + abs(quantity) * fill.price,
        legs=_legs(position, _leg(fill, quantity, commission)),
    )
    return reduced, gained


def opened_by(position: Position | None, fill: Fill) -> Decimal:
    """The unsigned quantity of a fill that adds exposure: all, none, or what is beyond flat."""
    if position is None or position.quantity * fill.side.sign >= 0:
        return fill.quantity
    return max(fill.quantity - abs(position.quantity), ZERO)


def is_opened_by(position: Position | None, fill: Fill) -> bool:
    """Whether a fill opens a position, from flat or beyond it."""
    return (
        position is None
        or not position.quantity
        or (position.quantity * fill.side.sign < 0 and fill.quantity > abs(position.quantity))
    )


def is_closed_by(position: Position | None, fill: Fill) -> bool:
    """Whether a fill ends a position, making it flat or flipping it."""
    return (
        position is not None
        and position.quantity * fill.side.sign < 0
        and (fill.quantity >= abs(position.quantity))
    )


def fee_of(fill: Fill, currency: str, rate: Decimal, fee_rate: Decimal) -> Decimal:
    """The commission of a fill in the `currency` of its instrument; 0 while nobody knows its worth.

    `rate` is the worth of that currency in the base currency, `fee_rate` that of the asset that the
    commission was taken in.
    """
    if fill.commission_currency in ("", currency):
        return fill.commission
    return round(fill.commission * fee_rate / rate, COST_DIGITS) if rate else ZERO


def has_assumed(position: Position, client_order_id: str) -> bool:
    """Whether a fill of an order that no venue had told is one of those that made a position."""
    begins = f"{ASSUMED}{client_order_id}-"
    return any(leg.execution_id.startswith(begins) for leg in position.legs)


def change(
    position: Position | None,
    fill: Fill,
    mult: Decimal,
    order: Order | None,
    *,
    fee: Decimal | None = None,
    seq: int = 0,
    at: Nanos = 0,
) -> HoldingChange:
    """What `fill` makes of `position`; a fill beyond flat closes it and opens the other side.

    `fee` is the commission in the currency of the instrument, None where the fill states it in
    that. `seq` and `at` are those of the event that records the fill.
    """
    quantity = fill.quantity * fill.side.sign
    fee = fill.commission if fee is None else fee
    if position is None or not position.quantity:
        opened = _opened(fill, quantity, fee, mult, order, seq=seq, at=at)
        return HoldingChange(None, opened, ZERO, fill.quantity, opened.position_id)
    if position.quantity * quantity > 0:
        after = _extended(position, fill, quantity, fee, order)
        return HoldingChange(None, after, ZERO, fill.quantity)
    if abs(quantity) <= abs(position.quantity):
        after, gained = _reduced(position, fill, quantity, fee)
        if after.quantity:
            return HoldingChange(None, after, gained, ZERO)
        return HoldingChange(after, None, gained, ZERO)
    closing = -position.quantity
    share = apportion(fee, abs(closing), fill.quantity)
    closed, gained = _reduced(position, fill, closing, share)
    rest = quantity - closing
    opened = _opened(fill, rest, fee - share, mult, order, seq=seq, at=at)
    return HoldingChange(closed, opened, gained, abs(rest), opened.position_id)


def round_trip(
    closed: Position,
    fill: Fill,
    *,
    asset_class: AssetClass,
    reason: str,
    detail: str,
    mae: Decimal | None,
    mfe: Decimal | None,
) -> RoundTrip:
    """The journal row of a position that became flat (A-392, A-393).

    R is that of the first entry and its stop (D-10, X-82); slippage is of the mean entry price
    against the mean of the prices that the entries were decided on, positive when it cost money, in
    basis points.
    """
    entry, size = closed.entry_price, closed.entry_quantity
    exit_price = closed.exit_notional / closed.exit_quantity if closed.exit_quantity else fill.price
    long = fill.side.sign < 0  # what was taken over from the venue has no leg that opened it
    pnl = closed.realized - closed.commission
    basis = entry * size * closed.multiplier
    unit = closed.initial_risk
    risk = None if unit is None else unit * size * closed.multiplier
    slippage, expected = None, closed.expected_entry
    if expected:
        slippage = _rounded((entry - expected) / expected * 10_000 * (1 if long else -1))
    return RoundTrip(
        trade_id="t" + closed.position_id[1:],
        position_id=closed.position_id,
        symbol=closed.symbol,
        direction="long" if long else "short",
        instrument_type=asset_class.value,
        trade_type=closed.trade_type,
        quantity=size,
        entry_price=_rounded(entry),
        exit_price=_rounded(exit_price),
        entry_time=closed.opened_at,
        exit_time=fill.time,
        exit_reason=reason,
        exit_detail=detail,
        pnl=pnl,
        pnl_pct=_rounded(pnl / basis) if basis else ZERO,
        fees=closed.commission,
        r_multiple=_rounded(pnl / risk) if risk else None,
        mae=None if mae is None else _rounded(mae),
        mfe=None if mfe is None else _rounded(mfe),
        signal_id=closed.signal_id,
        signal_type=closed.signal_type,
        timeframe=closed.timeframe,
        conviction=closed.conviction,
        initial_stop=closed.initial_stop,
        target_price=closed.target,
        slippage_bps=slippage,
        account=closed.account,
        order_id=closed.order_id,
        origin=closed.origin,
        legs=closed.legs,
    )


def _rounded(value: Decimal) -> Decimal:
    return round(value, 8)


def adjusted(
    position: Position | None,
    *,
    symbol: str,
    account: str,
    quantity: Decimal,
    price: Decimal,
    mult: Decimal,
    order: Order | None,
    keeps_average: bool,
    seq: int,
    at: Nanos,
) -> Position | None:
    """The holding after the venue's quantity was taken over without a fill to explain it.

    What it cost is the venue's average price `price` from then on, and what it gains in percent is
    measured by that; `keeps_average`: as older programs did, what is left keeps its own. Where it
    stands for fills of an `order` of ours, it has that order's stop, target and signal.
    """
    if not quantity:
        return None
    if position is not None and position.quantity * quantity > 0:
        if keeps_average:
            cost = apportion(position.cost, quantity, position.quantity)
            return msgspec.structs.replace(
                position, quantity=quantity, cost=cost, unprotected_since=at
            )
        gone = position.exit_quantity
        first = order.stop_loss if order is not None else None
        return msgspec.structs.replace(
            position,
            quantity=quantity,
            cost=quantity * price * mult,
            entry_quantity=abs(quantity) + gone,
            entry_notional=abs(quantity) * price + gone * position.entry_price,
            stop=stop_with(position, first),
            initial_stop=position.initial_stop or first,
            unprotected_since=at,
        )
    stop = order.stop_loss if order else None
    return Position(
        position_id="p" + order_id(at, "adjusted", account, symbol),
        seq=seq,
        recorded_at=at,
        symbol=symbol,
        account=account,
        quantity=quantity,
        cost=quantity * price * mult,
        multiplier=mult,
        trade_type=order.trade_type if order else TradeType.SWING,
        initial_stop=stop,
        stop=stop,
        target=order.target if order else None,
        signal_id=order.signal_id if order else "",
        signal_type=order.signal_type if order else "",
        timeframe=order.timeframe if order else "",
        conviction=order.conviction if order else None,
        opened_at=at,
        entry_quantity=abs(quantity),
        entry_notional=abs(quantity) * price,
        unprotected_since=at,
        origin="venue",
        order_id=order.client_order_id if order else "",
    )


def scaled(price: Decimal | None, numerator: int, denominator: int) -> Decimal | None:
    """A price in the units of after a split, `numerator` new for `denominator` old."""
    return None if price is None else round(price * denominator / numerator, COST_DIGITS)


def split(position: Position, quantity: Decimal, numerator: int, denominator: int) -> Position:
    """The holding after a split, `numerator` new for `denominator` old.

    What is held costs what it cost, but for a part of a unit that was paid out; quantities and
    prices are those of the new units, and no profit is made. What of it is to be closed is in whole
    units where what is held is. `legs` stay what they were told as.
    """
    exact = position.quantity * numerator / denominator
    plan = position.exiting
    if plan is not None and plan.quantity is not None:
        part = plan.quantity * numerator / denominator
        unit = ONE if quantity == quantity.to_integral_value() else ONE.scaleb(-COST_DIGITS)
        plan = msgspec.structs.replace(plan, quantity=floor_to(part, unit))
    return msgspec.structs.replace(
        position,
        quantity=quantity,
        cost=apportion(position.cost, quantity, exact),
        entry_quantity=position.entry_quantity * numerator / denominator,
        exit_quantity=position.exit_quantity * numerator / denominator,
        first_quantity=position.first_quantity * numerator / denominator,
        exiting=plan,
        initial_stop=scaled(position.initial_stop, numerator, denominator),
        stop=scaled(position.stop, numerator, denominator),
        target=scaled(position.target, numerator, denominator),
    )
