"""The stop and the target of a position, as an operator decides them (X-85)."""

from collections.abc import Iterator
from decimal import Decimal

from engine.config.kinds import FINEST_EXPONENT, LARGEST_GIVEN, is_usable
from engine.domain import commands as ask
from engine.domain import events as ev
from engine.domain.codes import Code
from engine.domain.inputs import Command
from engine.domain.instant import Nanos
from engine.domain.money import ZERO, is_multiple, plain
from engine.exits.stops import stop_trades
from engine.exits.target import target_price
from engine.intake.closing import not_held
from engine.intake.operator import REFUSED, acted, is_trading, no_account, refuse
from engine.plans import suspected_split
from engine.plans.reducing import cancel
from engine.sizing.open_risk import at_stop, of_order
from engine.state.position import Position
from engine.world import World


def protect(world: World, given: ask.Protect, now: Nanos) -> Iterator[ev.Event]:
    """Attach, move or remove a stop; a tighter or a first one always, if it is not through the
    market."""
    yield acted(given)
    if fault := no_account(world, given.broker):
        yield refuse(given, Code.INVALID_INPUT, fault)
        return
    position, fault = _held(world, given.symbol, given.broker)
    if position is None:
        yield refuse(given, REFUSED, fault)
        return
    if given.price is not None:
        yield from move_stop(world, given, position, given.price, now)
        return
    if given.confirm != ask.UNPROTECT_WORD:
        text = f"it protects {position.symbol}: confirm with {ask.UNPROTECT_WORD!r}"
        yield refuse(given, REFUSED, text)
        return
    if position.stop is None:
        return
    if stop_trades(world, position, now):
        yield refuse(given, REFUSED, is_trading(position.symbol))
        return
    yield _moved(position, given, None)
    for order in tuple(world.book.working(position.account, position.symbol)):
        if order.is_protective:
            yield from cancel(order, given.by)


def move_stop(
    world: World, given: Command, position: Position, price: Decimal, now: Nanos
) -> Iterator[ev.Event]:
    """Put the stop of a position at a price, or refuse the command that asks for it (X-85)."""
    if position.is_closing:
        yield refuse(given, REFUSED, f"{position.symbol} is being closed")
        return
    if stop_trades(world, position, now):
        yield refuse(given, REFUSED, is_trading(position.symbol))
        return
    if fault := _stop_fault(world, position, price):
        yield refuse(given, Code.INVALID_STOP, fault)
    elif fault := _off_tick(world, position, price):
        yield refuse(given, Code.BAD_TICK, fault)
    else:
        # It is a person's word on what a price that looks like a split is for: that price is
        # real, and so is the stop, which is moved after it.
        yield from suspected_split.decided(world, position.account, position.symbol, given.by)
        if price != position.stop:
            yield _moved(position, given, price)


def _moved(position: Position, given: Command, after: Decimal | None) -> ev.StopMoved:
    return ev.StopMoved(
        account=position.account,
        symbol=position.symbol,
        position_id=position.position_id,
        by=given.by,
        before=position.stop,
        after=after,
    )


def set_target(world: World, given: ask.SetTarget, now: Nanos) -> Iterator[ev.Event]:
    """Attach, move or remove a target; one that is met already is refused."""
    yield acted(given)
    if fault := no_account(world, given.broker):
        yield refuse(given, Code.INVALID_INPUT, fault)
        return
    position, fault = _held(world, given.symbol, given.broker)
    if position is None:
        yield refuse(given, REFUSED, fault)
        return
    if given.price is not None:
        if fault := _beyond(world, position, given.price, winning=True):
            yield refuse(given, Code.INVALID_TARGET, fault)
            return
        if fault := _off_tick(world, position, given.price):
            yield refuse(given, Code.BAD_TICK, fault)
            return
    before = target_price(world, position)
    if given.price == before and not position.default_target:
        return
    yield ev.TargetMoved(
        account=position.account,
        symbol=position.symbol,
        position_id=position.position_id,
        by=given.by,
        before=before,
        after=given.price,
    )


def _held(world: World, symbol: str, broker: str) -> tuple[Position | None, str]:
    """The one holding that is meant, or why there is none."""
    held = [p for p in world.held(symbol) if broker in ("", p.account)]
    if not held:
        return None, not_held(world, symbol, broker)
    if len(held) > 1:
        names = " and ".join(sorted(p.account for p in held))
        return None, f"{symbol} is held in {names}: name one of them as the broker"
    (position,) = held
    if position.is_closing:
        return None, f"{symbol} is being closed"
    return position, ""


def _stop_fault(world: World, position: Position, price: Decimal) -> str:
    """Why a stop at this price is refused; "" where it is not."""
    before = position.stop
    if fault := _beyond(world, position, price, winning=False):
        return fault
    if before is None or (price - before) * position.sign >= 0:
        return ""
    share = world.limits.risk_per_trade
    currency = world.book.currency_of(position.symbol)
    if share is not None and world.currencies.worth.get(currency) is None:
        return (
            f"A stop at {plain(price)} is looser than {plain(before)}, and what it would risk is "
            f"not known: nothing tells what one {currency} is worth."
        )
    risk = world.currencies.in_base({currency: _open_risk(world, position, price)})
    if share is None or risk <= (allowed := share * world.money.equity):
        return ""
    return (
        f"A stop at {plain(price)} is looser than {plain(before)} and would risk "
        f"{plain(round(risk, 2))}, above the {plain(round(allowed, 2))} allowed a "
        "trade."
    )


def _open_risk(world: World, position: Position, stop: Decimal) -> Decimal:
    """What a position and the entries that add to it lose at a stop, in their currency (X-82)."""
    buffer = world.config.execution.slippage_buffer
    entries = (
        of_order(order, stop, position.multiplier, buffer)
        for order in world.book.working(position.account, position.symbol)
        if order.adds_exposure and order.side.sign == position.sign
    )
    return max(sum(entries, start=at_stop(position, stop)), ZERO)


def _off_tick(world: World, position: Position, price: Decimal) -> str:
    """Why the venue would not take this price; "" where it would."""
    symbol = position.symbol
    tick = world.instrument(symbol, position.account).tick_at(price)
    if is_multiple(price, tick):
        return ""
    return f"{plain(price)} is no multiple of {symbol}'s tick {plain(tick)}"


def _beyond(world: World, position: Position, price: Decimal, *, winning: bool) -> str:
    """Why the price cannot stand: it is no price, or the market is there already."""
    if not is_usable(price):
        return (
            f"{price} is no price: a number above 0, at most {plain(LARGEST_GIVEN)} and with at "
            f"most {-FINEST_EXPONENT} decimal places, is allowed"
        )
    mark = world.prices.mark(position.symbol)
    if mark is None:
        return f"no price of {position.symbol} is known, so that nothing can be said of this one"
    above = position.is_long is winning
    if price > mark if above else price < mark:
        return ""
    word = "above" if above else "below"
    return f"{plain(price)} is not {word} the market, which is at {plain(mark)}"
