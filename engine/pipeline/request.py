"""From a signal, a person's order or a change to the request that the gate decides.

The instrument, the account ([[routes]] or the one that was named) and the prices of an entry are
settled here. Nothing is refused: what does not fit becomes `Request.fault`, which the first row of
the gate turns into INVALID_INPUT.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import msgspec

from engine.config.kinds import is_usable, within
from engine.domain.commands import PlaceOrder
from engine.domain.instrument import Instrument, symbol_fault
from engine.domain.money import ONE, ZERO, early_stop, passive_price, plain
from engine.domain.order import (
    HAVE_LIMIT,
    HAVE_STOP,
    OrderTerms,
    OrderType,
    Replacement,
    TimeInForce,
)
from engine.domain.signal import Direction, Signal
from engine.exits.reducible import reducible
from engine.ports import Capabilities
from engine.risk.facts.market import usable_mark
from engine.risk.request import Request, RequestKind
from engine.routing.account_router import choose_account
from engine.routing.named import no_broker
from engine.routing.route import account_for
from engine.sizing.stock import FULL_CONVICTION
from engine.state.brought import stop_to_come
from engine.state.order import Order
from engine.world import World, exposure

_replace = msgspec.structs.replace


def signal_request(
    world: World, signal: Signal, *, account: str = "", most: Decimal | None = None
) -> Request:
    """The request of a signal: FLAT closes, anything else enters or adds (U-01, A-120).

    `account` is the one that it is for; "" is that of its route. `most`: see `Request`.
    """
    kind = RequestKind.FLAT if signal.direction is Direction.FLAT else RequestKind.SIGNAL
    request = _request(
        world,
        account or account_for(world, signal.ticker),
        signal.ticker,
        kind,
        most=most,
        signal=signal,
        fault=_symbol_fault(signal.ticker) or _signal_fault(signal),
        conviction=signal.conviction,
        trade_type=signal.trade_type,
        managed=True,
        automatic=True,
        sign=signal.direction.sign,
    )
    if kind is RequestKind.FLAT:
        held = world.managed(signal.ticker)
        return _replace(request, sign=-held[0].sign if held else 0)
    if request.fault:
        return request
    priced = _priced(world, request, signal)
    return priced if account else _placed(world, priced)


def _priced(world: World, request: Request, signal: Signal) -> Request:
    """Order type and prices of an entry; prices move to the grid as U-01 says."""
    entries, grid = world.config.entries, request.instrument.tick_at
    high = signal.conviction >= FULL_CONVICTION
    name = entries.high_conviction_order_type if high else entries.medium_conviction_order_type
    order_type, limit = OrderType(name.upper()), None
    if order_type is OrderType.LIMIT:
        limit = passive_price(signal.entry_price, grid(signal.entry_price), buy=request.sign > 0)
    return _replace(
        request,
        order_type=order_type,
        limit_price=limit,
        entry=usable_mark(world, request.symbol) if limit is None else limit,
        stop=early_stop(signal.stop_loss, grid(signal.stop_loss), sell=request.sign > 0),
        target=signal.target_price,
    )


def manual_request(world: World, command: PlaceOrder) -> Request:
    """The request of a person's order: REDUCE as far as something is held to reduce (rule 3)."""
    account = command.broker or account_for(world, command.symbol)
    fault = _symbol_fault(command.symbol) or _manual_fault(world, account, command)
    request = _request(
        world,
        account,
        command.symbol,
        RequestKind.MANUAL,
        sign=command.side.sign,
        trade_type=command.hold,
        order_type=command.type,
        limit_price=command.limit_price,
        stop_price=command.stop_price,
        trigger=command.stop_price,
        stop=command.protect,
        target=command.target,
        managed=command.managed,
        quantity=command.quantity,
        fault=fault,
        time_in_force=command.time_in_force,
        entry=None
        if fault
        else command.limit_price or command.stop_price or usable_mark(world, command.symbol),
    )
    if not fault and command.quantity <= _reducible(world, request):
        return _replace(request, kind=RequestKind.REDUCE)
    held = request.position
    if held is not None and held.sign == request.sign:
        # What is added becomes part of what is held, and ends when that does.
        return _replace(request, trade_type=held.trade_type)
    return request if fault or command.broker else _placed(world, request)


def _placed(world: World, request: Request) -> Request:
    """The request at the account that is best for it, where its route names several (A-472)."""
    choice = choose_account(
        world,
        request.instrument,
        side=request.side,
        order_type=request.order_type,
        time_in_force=request.time_in_force,
        limit_price=request.limit_price,
        quantity=request.quantity,
        reference=request.entry,
    )
    if choice is None:
        return request
    return _replace(request, account=choice.chosen, choice=choice)


def placed_again(terms: OrderTerms, *, by: str, broker: str, intent_id: str = "") -> PlaceOrder:
    """The command that asks for an order of these terms in the account `broker`."""
    return PlaceOrder(
        by=by,
        symbol=terms.symbol,
        side=terms.side,
        quantity=terms.quantity,
        type=terms.type,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        protect=terms.stop_loss,
        target=terms.target,
        managed=terms.is_managed,
        hold=terms.trade_type,
        time_in_force=terms.time_in_force,
        broker=broker,
        intent_id=intent_id,
    )


def change_request(
    world: World,
    order: Order,
    wanted: Replacement,
    *,
    decided: bool = False,
) -> Request:
    """The request of a change of a working order (X-88); `decided` as in `Request`.

    One that only makes an order smaller, and every change of one that only reduces, is REDUCE. Of
    an order that was not sent yet, all leaves are added.
    """
    limit_price = wanted.limit_price or order.limit_price
    stop_price = wanted.stop_price or order.stop_price
    works = world.book.works(order.client_order_id)
    request = _request(
        world,
        order.account,
        order.symbol,
        RequestKind.CHANGE,
        fault=_symbol_fault(order.symbol),
        sign=order.side.sign,
        trade_type=order.trade_type,
        order_type=order.type,
        limit_price=limit_price,
        stop_price=stop_price,
        trigger=None if decided or wanted.stop_price == order.stop_price else wanted.stop_price,
        stop=_stop_of(world, order),
        target=order.target,
        managed=order.is_managed,
        changes=order.client_order_id,
        quantity=wanted.quantity,
        filled=order.filled,
        decided=decided,
        freed=world.currencies.in_base(world.book.reservations.of(order)),
        freed_exposure=exposure.of_order(world, order),
        time_in_force=wanted.time_in_force or order.time_in_force,
        entry=limit_price or stop_price or usable_mark(world, order.symbol),
    )
    if not order.adds_exposure:
        left = _reducible(world, request, but=order.client_order_id)
        most = order.filled + order.leaves + max(left, ZERO)
        fault = f"only {plain(most)} {order.symbol} can be reduced by this order."
        return _replace(
            request,
            kind=RequestKind.REDUCE,
            fault=fault if wanted.quantity > most else request.fault,
        )
    if works and order.only_cut_by(wanted):
        return _replace(request, kind=RequestKind.REDUCE)
    return request


def _stop_of(world: World, order: Order) -> Decimal | None:
    """The stop under which what fills of a changed order comes, beside that of what is held (X-82).

    Once the order has brought its own, and the operator moved it since, that which was moved is the
    only one. Where the operator took it away, what takes the place of the order may bring it again.
    """
    held = world.book.holding(order.account, order.symbol)
    if held is None or held.stop is None:
        return order.stop_loss
    return stop_to_come(held, order)


def leg_request(world: World, draft: Order) -> Request:
    """The request of an order that was decided before and is made now: it counts as a new one."""
    request = change_request(world, draft, Replacement(quantity=draft.quantity), decided=True)
    if not draft.adds_exposure:
        return request
    return _replace(request, kind=RequestKind.MANUAL, automatic=bool(draft.signal_id))


def again_request(world: World, order: Order) -> Request:
    """The request of an entry that was handed over and did not leave, before it is tried again.

    Its prices are those that were decided, and it counts among the orders that work already.
    """
    request = change_request(world, order, Replacement(quantity=order.quantity), decided=True)
    return _replace(
        request,
        kind=RequestKind.CHANGE,
        automatic=bool(order.signal_id),
        entry=order.limit_price or order.stop_price or order.reference or request.entry,
    )


def _request(
    world: World,
    account: str,
    symbol: str,
    kind: RequestKind,
    *,
    time_in_force: TimeInForce | None = None,
    **asked: Any,
) -> Request:
    """A request with what is `asked`, and with what the world knows of its symbol and account."""
    instrument = world.instrument(symbol, account)
    calendar = world.calendar(instrument.calendar)
    return Request(
        kind=kind,
        symbol=symbol,
        instrument=instrument,
        calendar=calendar,
        account=account,
        position=world.book.holding(account, symbol),
        time_in_force=time_in_force
        or _time_in_force(world, account, instrument, asked.get("quantity") or ONE),
        **asked,
    )


def _symbol_fault(symbol: str) -> str:
    fault = symbol_fault(symbol)
    return f"{fault}." if fault else ""


def _reducible(world: World, request: Request, *, but: str = "") -> Decimal:
    """What an order of this side may still take off the position; zero where it would add."""
    position = request.position
    if position is None or position.sign == request.sign:
        return ZERO
    return reducible(world, position, request.order_type, but=but)


def _time_in_force(
    world: World, account: str, instrument: Instrument, quantity: Decimal
) -> TimeInForce:
    """The default: DAY where sessions end, GTC where they never do (X-34); where the venue does not
    take it for so much of the instrument, whichever of the two it takes."""
    preferred = world.config.execution.default_time_in_force
    calendar = world.calendar(instrument.calendar)
    if preferred is TimeInForce.DAY and calendar is not None and calendar.always_open:
        preferred = TimeInForce.GTC
    if not (world.has(account) and is_usable(quantity)):
        return preferred
    allowed = world.able(account).takes(instrument.asset_class, quantity).times_in_force
    choices = (preferred, TimeInForce.DAY, TimeInForce.GTC)
    return next((one for one in choices if one in allowed), preferred)


def _signal_fault(signal: Signal) -> str:
    """Numbers that no parser has seen, when a program hands the signal over (U-53)."""
    prices = [("entry_price", signal.entry_price)]
    if signal.direction is not Direction.FLAT:
        prices.append(("stop_loss", signal.stop_loss))
    if signal.target_price is not None:
        prices.append(("target_price", signal.target_price))
    for name, price in prices:
        if not is_usable(price):
            return f"{name} is {price}; {within('a number above 0', price)} is allowed."
    if not 0 <= signal.conviction <= 100:
        return f"conviction is {signal.conviction}; a whole number from 0 to 100 is allowed."
    return (
        "" if signal.signal_id else "signal_id is empty; a text of 1 to 50 characters is allowed."
    )


def _manual_fault(world: World, account: str, command: PlaceOrder) -> str:
    """One sentence on the first thing in the order that cannot be."""
    kind = command.type
    if fault := no_broker(world, account):
        return f"{fault}."
    able = world.able(account)
    numbers: list[tuple[str, Decimal | None]] = [("quantity", command.quantity)]
    if kind in HAVE_LIMIT:
        numbers.append(("limit_price", command.limit_price))
    if kind in HAVE_STOP:
        numbers.append(("stop_price", command.stop_price))
    for name in ("protect", "target"):
        given = getattr(command, name)
        if given is not None:
            numbers.append((name, given))
    for name, number in numbers:
        if not is_usable(number):
            what = f"is {number}" if number is not None else "is missing"
            return f"{name} {what}; {within('a number above 0', number)} is allowed."
    if command.limit_price is not None and kind not in HAVE_LIMIT:
        return f"a {kind} order has no limit_price; LIMIT and STOP_LIMIT have one."
    if command.stop_price is not None and kind not in HAVE_STOP:
        return f"a {kind} order has no stop_price; STOP and STOP_LIMIT have one."
    return _untaken(able, world.instrument(command.symbol, account), command)


def _untaken(able: Capabilities, instrument: Instrument, command: PlaceOrder) -> str:
    """Why the venue does not take the type or the time in force of an order; "" where it does.

    Where it takes them of something else, the sentence says of how much of what it does not.
    """
    kind, asked = command.type, command.time_in_force
    taken = able.takes(instrument.asset_class, command.quantity)
    of_it = f" for {plain(command.quantity)} {command.symbol}"
    if kind not in taken.order_types:
        more = of_it if kind in able.order_types else ""
        return f"the broker takes no {kind} orders{more}; {_list(taken.order_types)} are allowed."
    if asked is None or asked in taken.times_in_force:
        return ""
    allowed = f"{_list(taken.times_in_force)} are allowed."
    if asked in able.times_in_force:
        return f"the broker takes no {asked}{of_it}; {allowed}"
    return f"the broker does not know {asked}; {allowed}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
