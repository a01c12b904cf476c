"""Fills are facts: each is taken once, whatever state its order is in (rule 2, X-18, A-360 ff)."""

from collections.abc import Generator, Iterator
from decimal import Decimal
from typing import Final

import msgspec

from engine.core.adoption import is_history
from engine.core.consequences import fire
from engine.core.fees import BAD_FEE, fee_fault
from engine.core.told_before import was_told
from engine.domain import events as ev
from engine.domain.codes import Outcome
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ONE, ZERO, is_positive, number_fault, plain
from engine.domain.order import ADDING, VENUE, Fill, Purpose
from engine.domain.position import ExitReason
from engine.domain.run import Severity, Trigger
from engine.exits.hours import is_late
from engine.exits.rules import EOD_PRIORITY
from engine.plans.exit import plan_exit
from engine.plans.outcome import ended_as
from engine.plans.reducing import adopt
from engine.risk import triggers
from engine.state.folds.venue import BAD_FILL
from engine.state.holdings import (
    change,
    fee_of,
    happened,
    is_closed_by,
    is_opened_by,
    opened_by,
    position_id_of,
    round_trip,
)
from engine.state.order import Order
from engine.state.position import ExitPlan, Position
from engine.world import World

FOREIGN = "an order we did not send"
EXPIRED = "the contract has expired and was settled"

EXECUTIONS = frozenset({Outcome.EXECUTED, Outcome.RESIZED})

SLIPPAGE_WARNING = Decimal("0.01")
SLIPPAGE_BREACH = Decimal("0.02")
"""A-363: more than this against the price it was decided on."""

MORE_BAD_FILLS = "bad_fill and more"
MOST_CAUSES: Final = 10
"""A symbol with so many causes is blocked by all further fills as one, until somebody looks."""

MOST_OVERFILL: Final = 1_000
"""A fill for more than so many times its order is none. An order that was sent twice, or enlarged
by hand at the venue, fills a few times what was ordered; an error of units (lots of 100,000 for
units, satoshi for coins) is beyond it."""

FARTHEST_PRICE: Final = 1_000_000
"""A price further than so many times from the last one known, up or down, is none. The farthest
that a venue let stand was 317.81 to 0.10, about 3,200 times (ETH-USD at GDAX, 21 June 2017); an
error of units (satoshi for coins, 10**8) is beyond it."""

STALE_FILL = 300 * NS_PER_SECOND
"""A-364."""

_REASONS = {
    Purpose.PROTECT: (ExitReason.STOP_LOSS, "hard"),
    Purpose.FLATTEN: (ExitReason.KILL, ""),
    Purpose.MANUAL: (ExitReason.MANUAL, ""),
    Purpose.ENTRY: (ExitReason.SIGNAL, "reversed"),
    Purpose.EXIT: (ExitReason.VENUE, "order of an earlier run"),
}


class _Ending(msgspec.Struct, frozen=True):
    """A position that a fill ends, as it was before and as it is then.

    To be made before the fill is folded in: what was seen of the position ends with it. `mae` and
    `mfe` are how far the price went against it and for it, as fractions of its entry price; None
    where nobody watched.
    """

    before: Position
    closed: Position
    mae: Decimal | None
    mfe: Decimal | None


def take(world: World, fill: Fill, now: Nanos) -> Iterator[ev.Event]:
    """Everything that follows from one fill, but for the protection of what is then held."""
    book = world.book
    if was_told(book, fill, now) or _is_history(world, fill):
        return
    # What it leads to leans on the time; what makes it one fill is what the venue told.
    timed = msgspec.structs.replace(fill, time=happened(fill, now))
    fault = _fault(world, timed)
    if fill.key in book.seen_executions:
        fault = "it was told before with another quantity, price or side"
    if fault:
        yield from _quarantine(world, fill, fault)
        return
    rest = yield from _matched(world, fill)
    if rest is not None:
        yield from _count(world, rest, timed, now)


def _count(world: World, fill: Fill, timed: Fill, now: Nanos) -> Iterator[ev.Event]:
    """Everything that follows from a fill that counts; `timed` is it at the time when it was."""
    book = world.book
    order = book.order_in(fill.account, fill.client_order_id)
    if order is None:
        yield from adopt(world, fill.account, fill.symbol, fill.client_order_id, now)
        order = book.order_in(fill.account, fill.client_order_id)
    instrument = book.instrument(fill.symbol)
    if instrument is None:
        instrument = world.instrument(fill.symbol)
        yield ev.InstrumentLearned(instrument=instrument)
    settles, mult, currency = _settles(world, timed), instrument.multiplier, instrument.currency
    before = book.holding(fill.account, fill.symbol)
    rate, fee_rate = _worth(world, currency), _fee_rate(world, fill, currency)
    fill = yield from _with_fee(fill, currency, mult, rate, fee_rate)
    ending = None
    if is_closed_by(before, fill):
        # Only here is it needed before the fold makes it.
        fee = fee_of(fill, currency, rate, fee_rate)
        ending = _ending(world, before, change(before, fill, mult, order, fee=fee).closed, fill)
    cumulative = (order.filled if order else ZERO) + fill.quantity
    notional = (order.notional if order else ZERO) + fill.quantity * fill.price
    opened = opened_by(before, fill)
    over = _beyond(order, cumulative, opened) if order else ZERO
    event = ev.OrderFilled(
        account=fill.account,
        fill=fill,
        multiplier=mult,
        cumulative=cumulative,
        average_price=round(notional / cumulative, 8),
        late=order is not None and order.status.is_terminal,
        overfill=min(over, fill.quantity),
        known_order=order is not None,
        position_id=position_id_of(fill, order) if is_opened_by(before, fill) else "",
        rate=rate,
        fee_rate=fee_rate,
        account_rate=_worth(world, _currency_of(world, fill.account)),
    )
    yield event
    yield from _resolved(world, fill)
    if ending is not None:
        unasked = EXPIRED if settles else FOREIGN
        dated = msgspec.structs.replace(fill, time=timed.time)
        yield from _closed(world, ending, dated, order, unasked=unasked)
    if fill.commission_currency not in ("", currency):
        yield from _charged(world, event, timed.time)
    if before is not None and before.exiting is not None:
        yield from _flattened(world, before.exiting, fill.symbol)
    if order is not None and order.signal_id and order.purpose in ADDING:
        yield from _executed(world, order)
    yield from _reversed(world, fill, order, opened)
    yield from _too_late(world, fill, now)
    if settles:
        yield _told("CONTRACT_SETTLED", fill, EXPIRED, Severity.INFO)
        return
    yield from _alarms(event, order, now)
    yield from _overfilled(world, event, order, now)


def _matched(world: World, fill: Fill) -> Generator[ev.Event, None, Fill | None]:
    """What of a fill had not been assumed before it was told; None where all of it had.

    What had been is no other fill, and may differ in price.
    """
    assumed = world.book.account(fill.account).assumed.get(fill.client_order_id)
    if assumed is None or fill.is_assumed:
        return fill
    quantity = min(fill.quantity, assumed.quantity)
    instrument = world.instrument(fill.symbol)
    currency = instrument.currency
    yield ev.FillMatched(
        account=fill.account,
        fill=fill,
        quantity=quantity,
        price=assumed.price,
        multiplier=instrument.multiplier,
        rate=_worth(world, currency),
        fee_rate=_fee_rate(world, fill, currency),
    )
    text = f"{plain(quantity)} of it were assumed at {plain(round(assumed.price, 8))}"
    yield _told("FILL_MATCHED", fill, text, Severity.WARNING)
    if quantity == fill.quantity:
        return None
    return msgspec.structs.replace(fill, quantity=fill.quantity - quantity, commission=ZERO)


def _reversed(world: World, fill: Fill, order: Order | None, opened: Decimal) -> Iterator[ev.Event]:
    """The close of what an order that only reduces has opened, and an alarm (rule 3, X-88).

    So it is where a stop and what took its place both filled, though the venue had said that one of
    them had ended. Where the venue's quantity was taken over since the order was made, the fill may
    be part of that: nothing is closed before the next look.
    """
    held = world.book.holding(fill.account, fill.symbol)
    if order is None or not (order.reduce_only and opened) or held is None or held.is_closing:
        return
    text = f"{plain(opened)} beyond what was held, by an order that only reduces"
    adjusted = world.book.account(fill.account).adjusted.get(fill.symbol, 0)
    if adjusted >= order.created_at:
        text += ": it may be in what was taken over"
        yield _told("REVERSED", fill, text, Severity.CRITICAL)
        yield ev.SnapshotRequested(account=fill.account, reason="reversed")
        return
    yield _told("REVERSED", fill, f"{text}: closed at once", Severity.CRITICAL)
    yield from plan_exit(
        held, reason=ExitReason.UNPROTECTED, priority=1, detail="an order that reduces opened it"
    )


def _too_late(world: World, fill: Fill, now: Nanos) -> Iterator[ev.Event]:
    """The close of a day trade that a fill opens, or adds to, when its session ends (X-83)."""
    held = world.book.holding(fill.account, fill.symbol)
    if held is None or held.sign != fill.side.sign or held.is_closing:
        return
    if not is_late(world, fill.symbol, held.trade_type, now):
        return
    shut = world.is_shut(fill.symbol, now)
    if shut:
        text = "filled after its market closed: it is held until that opens again"
        yield _told("EOD_MISSED", fill, text, Severity.CRITICAL)
    yield from plan_exit(
        held,
        reason=ExitReason.EOD,
        priority=EOD_PRIORITY,
        detail="filled late",
        measured="closed" if shut else "in the last minutes",
        limit=f"{world.config.exits.eod_close_minutes_before} min before the close",
    )


def _is_history(world: World, fill: Fill) -> bool:
    """Whether it is part of what was held at the first look at its account (X-75)."""
    account = world.book.data.accounts.get(fill.account)
    if account is None or fill.time >= account.known_since:
        return False
    order = world.book.order_in(fill.account, fill.client_order_id)
    return is_history(account, fill, ours=order is not None and order.intent_id != VENUE)


def _overfilled(
    world: World, event: ev.OrderFilled, order: Order | None, now: Nanos
) -> Iterator[ev.Event]:
    """The trigger of an order that filled beyond its quantity."""
    if order is not None and event.overfill:
        why = "the venue filled more than was ordered"
        finding = triggers.Trip(plain(event.cumulative), plain(order.quantity), why)
        yield from fire(world, Trigger.OVERFILL, finding, now)


def _fault(world: World, fill: Fill) -> str:
    """Why a fill can be no fact; "" where it can, however odd (rule 2; DESIGN, Broker port).

    Its commission is no part of that: see `fee_fault`.
    One that settles a contract has the price that its underlying makes, which may be zero.
    """
    for name, number in (("quantity", fill.quantity), ("price", fill.price)):
        if fault := number_fault(number):
            return f"{name} is {fault}"
        if number < 0 or (not number and name != "price"):
            return f"{name} is {number}; a number above 0 is allowed"
    if _settles(world, fill):
        return ""
    if not fill.price:
        return f"price is {fill.price}; a number above 0 is allowed"
    order = world.book.order_in(fill.account, fill.client_order_id)
    if order is not None and order.symbol != fill.symbol:
        order = None
    if order is not None and fill.quantity > MOST_OVERFILL * order.most:
        return f"more than {MOST_OVERFILL} times the {plain(order.most)} that were ordered"
    known = _prices_known(world, fill, order)
    if known and not any(_is_near(fill.price, price) for price in known):
        return f"{plain(known[0])} was the last price, and {FARTHEST_PRICE} times that is allowed"
    return ""


def _prices_known(world: World, fill: Fill, order: Order | None) -> list[Decimal]:
    """What a price is measured by: one that is near any of these can be.

    The newest price may be the wrong one, and what it is measured by would stay so.
    """
    seen = [world.mark(fill.symbol)]
    if order is not None:
        seen += [order.reference, order.limit_price, order.stop_price]
    held = world.book.holding(fill.account, fill.symbol)
    if held is not None:
        seen.append(held.average_price)
    return [price for price in seen if price is not None and price > 0]


def _is_near(price: Decimal, known: Decimal) -> bool:
    return known <= price * FARTHEST_PRICE and price <= known * FARTHEST_PRICE


def _settles(world: World, fill: Fill) -> bool:
    """Whether a fill pays a contract that has ended: it is of no order, after the last session, and
    takes off exactly what is held. Its price may be zero."""
    if fill.client_order_id or not world.is_over(world.instrument(fill.symbol), fill.time):
        return False
    held = world.book.holding(fill.account, fill.symbol)
    return held is not None and held.quantity == -fill.quantity * fill.side.sign


def _worth(world: World, currency: str) -> Decimal:
    """The rate that the sums are kept at; 0 where none was ever told, and they leave it out."""
    return world.worth(currency) or ZERO


def _fee_rate(world: World, fill: Fill, currency: str) -> Decimal:
    """The rate of what the commission was taken in.

    A coin that has none is worth what a holding of it is; no rate is made of that.
    """
    asset = fill.commission_currency or currency
    known = world.worth(asset)
    if known is not None:
        return known
    if world.instrument(fill.symbol).coin == asset:
        return fill.price * _worth(world, currency)
    for position in _holdings_of(world, fill):
        mark = world.mark(position.symbol)
        if mark is not None and is_positive(mark):
            return mark * _worth(world, world.book.currency_of(position.symbol))
    return ZERO


def _holdings_of(world: World, fill: Fill) -> list[Position]:
    """What its account holds of the asset that a commission was taken in; first what was bought."""
    held = world.book.account(fill.account).positions.values()
    coins = [
        position
        for position in held
        if position.is_long and world.instrument(position.symbol).coin == fill.commission_currency
    ]
    return sorted(coins, key=lambda position: (position.symbol != fill.symbol, position.symbol))


def _charged(world: World, event: ev.OrderFilled, at: Nanos) -> Iterator[ev.Event]:
    """What of a commission comes out of holdings of its asset (X-86); the rest is owed in cash."""
    fill, left = event.fill, event.fill.commission
    asset = fill.commission_currency
    for position in _holdings_of(world, fill) if left else ():
        quantity = min(left, position.quantity)
        rate = _worth(world, world.book.currency_of(position.symbol))
        taken = ev.CommissionTaken(
            account=fill.account,
            symbol=position.symbol,
            currency=asset,
            quantity=quantity,
            price=_coin_price(world, position, event.fee_rate, rate),
            rate=rate,
            account_rate=event.account_rate,
            execution_id=fill.execution_id,
            time=at,
        )
        closed = change(position, taken.execution, ONE, None).closed
        ending = _ending(world, position, closed, taken.execution)
        yield taken
        if ending is not None:
            spent = "the last of it paid a commission"
            yield from _closed(world, ending, taken.execution, None, unasked=spent)
        left -= quantity
        if not left:
            break
    if fill.commission and not event.fee_rate:
        yield _alarm(
            "FEE_WITHOUT_RATE",
            asset,
            f"a commission of {plain(fill.commission)} {asset} for {fill.symbol} is in no profit: "
            f"what one {asset} is worth in {world.base} is not known",
            Severity.WARNING,
        )


def _coin_price(world: World, position: Position, worth: Decimal, rate: Decimal) -> Decimal:
    """What one coin of a holding counts as: its worth, else its last price, else what it cost."""
    if worth and rate:
        return worth / rate
    mark = world.mark(position.symbol)
    return mark if mark is not None and is_positive(mark) else position.average_price


def _currency_of(world: World, account: str) -> str:
    """The account's own currency; the base currency before its venue told it."""
    state = world.book.data.accounts.get(account)
    return (state.currency if state is not None else "") or world.base


def _beyond(order: Order, cumulative: Decimal, opened: Decimal) -> Decimal:
    """What filled beyond the order; one that only reduces may have been enlarged meanwhile."""
    if order.reduce_only and not opened:
        return ZERO
    return max(cumulative - order.most, ZERO)


def _quarantine(world: World, fill: Fill, why: str) -> Iterator[ev.Event]:
    """A fill that cannot be believed is not taken; its symbol takes no entries until resolved."""
    text = (
        f"fill {fill.execution_id} has quantity {fill.quantity!s:.40} at {fill.price!s:.40}: {why}"
    )
    account = world.book.data.accounts.get(fill.account)
    if account is not None and text in account.bad_fills:
        return  # also where a person has looked at it since
    causes = _causes(world, fill)
    yield ev.Alarmed(code="BAD_FILL", severity=Severity.CRITICAL, subject=fill.symbol, text=text)
    cause = _cause(causes, fill)
    yield ev.SymbolBlocked(account=fill.account, symbol=fill.symbol, cause=cause, reason=text)


def _cause(causes: dict[str, str], fill: Fill) -> str:
    """The cause under which a fill blocks its symbol: each has its own, up to a number of them."""
    if BAD_FILL not in causes or _is_of(causes[BAD_FILL], fill):
        return BAD_FILL
    own = f"{BAD_FILL} {fill.execution_id}"
    return own if own in causes or len(causes) < MOST_CAUSES else MORE_BAD_FILLS


def _is_of(reason: str, fill: Fill) -> bool:
    """Whether a block says that it is for this execution."""
    return reason.startswith(f"fill {fill.execution_id} has ")


def _resolved(world: World, fill: Fill) -> Iterator[ev.Event]:
    """A fill that could not be believed has been taken: it blocks its symbol no more."""
    for cause, reason in tuple(_causes(world, fill).items()):
        if cause.startswith(BAD_FILL) and cause != MORE_BAD_FILLS and _is_of(reason, fill):
            yield ev.SymbolUnblocked(
                account=fill.account, symbol=fill.symbol, cause=cause, by=BAD_FILL
            )


def _with_fee(
    fill: Fill, currency: str, mult: Decimal, rate: Decimal, fee_rate: Decimal
) -> Generator[ev.Event, None, Fill]:
    """The fill without a commission that cannot be, which no sum may hold (rule 2).

    Its symbol takes no entries until somebody has looked at it.
    """
    why = fee_fault(fill, currency=currency, multiplier=mult, rate=rate, fee_rate=fee_rate)
    if not why:
        return fill
    text = (
        f"fill {fill.execution_id} is taken without its commission of {fill.commission!s:.40} "
        f"{fill.commission_currency or currency}: {why}"
    )
    yield _alarm("BAD_FEE", fill.symbol, text, Severity.CRITICAL)
    yield ev.SymbolBlocked(account=fill.account, symbol=fill.symbol, cause=BAD_FEE, reason=text)
    return msgspec.structs.replace(fill, commission=ZERO)


def _causes(world: World, fill: Fill) -> dict[str, str]:
    """What blocks the symbol of a fill in its account, and why."""
    account = world.book.data.accounts.get(fill.account)
    return {} if account is None else account.blocked.get(fill.symbol, {})


def _closed(
    world: World, ending: _Ending, fill: Fill, order: Order | None, *, unasked: str = FOREIGN
) -> Iterator[ev.Event]:
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


def _ending(
    world: World, before: Position | None, closed: Position | None, fill: Fill
) -> _Ending | None:
    if before is None or closed is None:
        return None
    seen = world.market.extremes.get(closed.symbol, {}).get(closed.account)
    entry = closed.entry_price
    if seen is None or not entry:
        return _Ending(before, closed, None, None)
    low, high = min(seen[0], fill.price), max(seen[1], fill.price)
    long = fill.side.sign < 0
    worst, best = (low, high) if long else (high, low)
    sign = 1 if long else -1
    mae, mfe = (worst - entry) / entry * sign, (best - entry) / entry * sign
    return _Ending(before, closed, min(mae, ZERO), max(mfe, ZERO))


def _flattened(world: World, plan: ExitPlan, symbol: str) -> Iterator[ev.Event]:
    """A signal that asked to close is executed from the first fill of its close on."""
    life = world.book.data.signals.get(plan.detail) if plan.reason is ExitReason.SIGNAL else None
    if life is not None and life.outcome is None:
        yield ev.SignalEnded(
            signal_id=plan.detail,
            symbol=symbol,
            outcome=Outcome.EXECUTED,
            code="",
            reason="filled",
        )


def _executed(world: World, order: Order) -> Iterator[ev.Event]:
    """A signal is executed from the first fill of any of its orders on, also when it had ended
    without one."""
    life = world.book.data.signals.get(order.signal_id)
    if order.filled or (life is not None and life.outcome in EXECUTIONS):
        return
    if order.status.is_terminal and any(o.filled for o in world.book.siblings(order)):
        return
    previous = ""
    if order.status.is_terminal:
        outcome, code = ended_as(order)
        previous = code or outcome
    yield ev.SignalEnded(
        signal_id=order.signal_id,
        symbol=order.symbol,
        outcome=Outcome.RESIZED if order.resized else Outcome.EXECUTED,
        code="",
        reason="filled after it had ended" if previous else "filled",
        previous=previous,
    )


def _alarms(event: ev.OrderFilled, order: Order | None, now: Nanos) -> Iterator[ev.Event]:
    fill = event.fill
    if order is None:
        yield _told("UNKNOWN_ORDER_FILL", fill, "of an order we do not know")
        return
    if event.late:
        yield _told("LATE_FILL", fill, f"after the order was {order.status}")
    if event.overfill:
        yield _told("OVERFILL", fill, f"{plain(event.overfill)} beyond the order")
    if fill.symbol != order.symbol or (fill.side.sign != order.side.sign):
        yield _told("FILL_MISMATCH", fill, f"the order was {order.side} {order.symbol}")
    if fill.time and happened(fill, now) != fill.time:
        why = f"dated {fill.time} ns since 1970, which cannot be: our own time counts"
        yield _told("FILL_TIME", fill, why, Severity.WARNING)
    elif now - happened(fill, now) > STALE_FILL:
        yield _told("STALE_FILL", fill, "reported minutes after it happened", Severity.WARNING)
    if order.reference:
        slip = (fill.price - order.reference) / order.reference * fill.side.sign
        if slip > SLIPPAGE_BREACH:
            yield _told("SLIPPAGE_BREACH", fill, f"{slip:.2%} worse than decided")
        elif slip > SLIPPAGE_WARNING:
            yield _told("SLIPPAGE", fill, f"{slip:.2%} worse than decided", Severity.WARNING)


def _told(code: str, fill: Fill, why: str, severity: Severity = Severity.ERROR) -> ev.Alarmed:
    what = f"{fill.side} {plain(fill.quantity)} {fill.symbol} at {plain(fill.price)}"
    return _alarm(code, fill.symbol, f"{what}: {why}", severity)


def _alarm(code: str, subject: str, text: str, severity: Severity = Severity.ERROR) -> ev.Alarmed:
    return ev.Alarmed(code=code, severity=severity, subject=subject, text=text)
