"""From a signal or a person's order to the case that the gate decides.

Nothing is refused here: what does not fit becomes `Case.fault`, which the first row of the gate
turns into INVALID_INPUT.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from engine.config.kinds import as_decimal
from engine.domain.commands import PlaceOrder
from engine.domain.instant import Nanos
from engine.domain.instrument import SYMBOL_WORDS, is_symbol
from engine.domain.money import ZERO, early_stop, is_positive, passive_price, plain
from engine.domain.order import OrderType, Replacement, TimeInForce
from engine.domain.signal import Direction, Signal
from engine.domain.text import clean_text
from engine.risk.case import Case, RequestKind
from engine.sizing.stock import FULL_CONVICTION
from engine.state.order import Order
from engine.world import World

_WITH_LIMIT: Final = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_WITH_STOP: Final = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


def signal_case(world: World, signal: Signal, now: Nanos) -> Case:
    """The case of a signal: FLAT closes, anything else enters or adds (U-01, A-120)."""
    flat = signal.direction is Direction.FLAT
    account = world.route(signal.ticker)
    case = _case(
        world, account, signal.ticker, now, RequestKind.FLAT if flat else RequestKind.SIGNAL
    )
    case.signal = signal
    case.fault = case.fault or _signal_fault(signal)
    case.conviction = signal.conviction
    case.trade_type = signal.trade_type
    case.sign = signal.direction.sign
    if flat:
        held = world.book.managed(signal.ticker)
        case.sign = -held[0].sign if held else 0
    elif not case.fault:
        _price_entry(case, signal)
    case.time_in_force = _time_in_force(case, None)
    return case


def _price_entry(case: Case, signal: Signal) -> None:
    """Order type and prices of an entry; prices move to the grid as U-01 says."""
    entries, tick = case.world.config.entries, case.instrument.tick
    high = signal.conviction >= FULL_CONVICTION
    name = entries.high_conviction_order_type if high else entries.medium_conviction_order_type
    case.order_type = OrderType(name.upper())
    if case.order_type is OrderType.LIMIT:
        case.limit_price = passive_price(signal.entry_price, tick, buy=case.sign > 0)
        case.entry = case.limit_price
    else:
        case.entry = case.mark
    case.stop = early_stop(signal.stop_loss, tick, sell=case.sign > 0)
    case.target = signal.target_price


def manual_case(world: World, command: PlaceOrder, now: Nanos) -> Case:
    """The case of a person's order: REDUCE as far as something is held to reduce (rule 3)."""
    account = command.broker or world.route(command.symbol)
    case = _case(world, account, command.symbol, now, RequestKind.MANUAL)
    case.sign = command.side.sign
    case.trade_type = command.hold
    case.order_type = command.type
    case.limit_price, case.stop_price = command.limit_price, command.stop_price
    case.stop = command.protect
    case.quantity = command.quantity
    case.fault = case.fault or _manual_fault(world, command)
    case.time_in_force = _time_in_force(case, command.time_in_force)
    if not case.fault:
        case.entry = command.limit_price or command.stop_price or case.mark
        if command.quantity <= _reducible(case):
            case.kind = RequestKind.REDUCE
    return case


def change_case(world: World, order: Order, wanted: Replacement, now: Nanos) -> Case:
    """The case of a change of a working order (X-88).

    One that only makes an order smaller, and every change of one that only reduces, is REDUCE. Of
    an order that does not work, as one that has ended or was not sent yet, all leaves are added.
    """
    case = _case(world, order.account, order.symbol, now, RequestKind.CHANGE)
    case.sign = order.side.sign
    case.trade_type, case.order_type = order.trade_type, order.type
    case.limit_price = wanted.limit_price or order.limit_price
    case.stop_price = wanted.stop_price or order.stop_price
    case.stop = order.stop_loss
    case.quantity, case.filled = wanted.quantity, order.filled
    case.time_in_force = wanted.time_in_force or order.time_in_force
    case.entry = case.limit_price or case.stop_price or case.mark
    if world.book.works(order.client_order_id):
        exposure = order.exposure * case.instrument.multiplier
        case.freed = world.in_base({case.instrument.currency: exposure})
    same = (case.limit_price, case.stop_price) == (order.limit_price, order.stop_price)
    if not order.reserved:
        case.kind = RequestKind.REDUCE
        most = order.filled + order.leaves + max(_reducible(case), ZERO)
        if wanted.quantity > most:
            case.fault = f"only {plain(most)} {order.symbol} can be reduced by this order."
    elif case.freed and same and wanted.quantity < order.quantity:
        case.kind = RequestKind.REDUCE
    return case


def _case(world: World, account: str, symbol: str, now: Nanos, kind: RequestKind) -> Case:
    instrument = world.instrument(symbol)
    fault = (
        "" if is_symbol(symbol) else f"{clean_text(repr(symbol), 60)} is no symbol: {SYMBOL_WORDS}."
    )
    return Case(
        world=world,
        now=now,
        kind=kind,
        symbol=symbol,
        sign=0,
        instrument=instrument,
        calendar=world.calendar(instrument.calendar),
        position=world.book.holding(account, symbol),
        equity=world.equity,
        fault=fault,
        account=account,
    )


def _reducible(case: Case) -> Decimal:
    """What an order of this side may still take off the position; zero where it would add.

    Stops do not count where the venue joins them with what reduces too, and ours nowhere: they and
    the exit that replaces them count once (rule 3).
    """
    position = case.position
    if position is None or position.sign == case.sign:
        return ZERO
    # Two stops that trade together take off both: they count against each other, and only a stop
    # of ours makes room by itself.
    joins = case.world.able(case.account).reduce_only and case.order_type is not OrderType.STOP
    leaving = sum(
        (
            order.leaves
            for order in case.world.book.working(case.account, case.symbol)
            if order.side.sign == case.sign
            and not (order.protects if joins else order.is_protective)
        ),
        start=ZERO,
    )
    return abs(position.quantity) - leaving


def _time_in_force(case: Case, asked: TimeInForce | None) -> TimeInForce:
    """DAY where sessions end, GTC where they never do (X-34)."""
    preferred = asked or case.world.config.execution.default_time_in_force
    if (
        asked is None
        and preferred is TimeInForce.DAY
        and case.calendar
        and case.calendar.always_open
    ):
        return TimeInForce.GTC
    return preferred


def _signal_fault(signal: Signal) -> str:
    """Numbers that no parser has seen, when a program hands the signal over (U-53)."""
    prices = {"entry_price": signal.entry_price}
    if signal.direction is not Direction.FLAT:
        prices["stop_loss"] = signal.stop_loss
    if signal.target_price is not None:
        prices["target_price"] = signal.target_price
    for name, price in prices.items():
        if not _usable(price):
            return f"{name} is {price}; a number above 0 is allowed."
    if not 0 <= signal.conviction <= 100:
        return f"conviction is {signal.conviction}; a whole number from 0 to 100 is allowed."
    return (
        "" if signal.signal_id else "signal_id is empty; a text of 1 to 50 characters is allowed."
    )


def _manual_fault(world: World, command: PlaceOrder) -> str:
    """One sentence on the first thing in the order that cannot be."""
    kind = command.type
    if command.broker and command.broker not in world.accounts:
        return f"there is no broker {command.broker!r}; {_list(world.accounts)} are allowed."
    able = world.able(command.broker or world.route(command.symbol))
    numbers: dict[str, Decimal | None] = {"quantity": command.quantity}
    numbers |= {"limit_price": command.limit_price} if kind in _WITH_LIMIT else {}
    numbers |= {"stop_price": command.stop_price} if kind in _WITH_STOP else {}
    numbers |= {"protect": command.protect} if command.protect is not None else {}
    for name, number in numbers.items():
        if not _usable(number):
            return f"{name} is {number}; a number above 0 is allowed."
    if command.limit_price is not None and kind not in _WITH_LIMIT:
        return f"a {kind} order has no limit_price; LIMIT and STOP_LIMIT have one."
    if command.stop_price is not None and kind not in _WITH_STOP:
        return f"a {kind} order has no stop_price; STOP and STOP_LIMIT have one."
    if kind not in able.order_types:
        return f"the broker takes no {kind} orders; {_list(able.order_types)} are allowed."
    asked = command.time_in_force
    if asked is not None and asked not in able.times_in_force:
        return f"the broker does not know {asked}; {_list(able.times_in_force)} are allowed."
    return ""


def _usable(number: Decimal | None) -> bool:
    """Above zero, finite, and neither so large nor so fine that arithmetic cuts it."""
    return is_positive(number) and as_decimal(number) is not None


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
