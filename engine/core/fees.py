"""Commissions: which can be, and what they come out of (rule 2, X-18, X-86, U-17)."""

from collections.abc import Generator, Iterator
from decimal import Decimal
from typing import Final

import msgspec

from engine.core.closing import close_trade, ending_of
from engine.domain import events as ev
from engine.domain.instant import Nanos
from engine.domain.money import ONE, ZERO, is_positive, number_fault, plain
from engine.domain.order import Fill
from engine.domain.run import Severity
from engine.state.holdings import change
from engine.state.position import Position
from engine.world import World

BAD_FEE = "bad_fee"
"""The cause that blocks a symbol of which a commission could not be believed."""

SMALL_FEE: Final = Decimal(100)
"""In the base currency: a venue's least commission for one order is below it, and may be more than
a tiny order is worth."""

CONTRACT_FEE: Final = Decimal(10)
"""In the base currency, for one contract: what is charged by the contract is more than an option is
worth that is about to expire."""


def fee_fault(
    fill: Fill, *, currency: str, multiplier: Decimal, rate: Decimal, fee_rate: Decimal
) -> str:
    """Why the commission of a fill cannot be; "" where it can, however odd.

    No venue takes, or pays, more than was traded. What is taken in an asset whose worth nobody
    knows cannot be measured: it is believed as a charge, which makes equity less, and not as
    money received. `rate` and `fee_rate` are the worth of the `currency` of the instrument and of
    the asset of the commission in the base currency, 0 where it is not known.
    """
    if fault := number_fault(fill.commission):
        return f"it is {fault}"
    fee = fill.commission
    if fill.commission_currency in ("", currency):
        rate = fee_rate = rate or ONE
    if not fee_rate or not rate:
        return "nobody knows what that is worth" if fee < 0 else ""
    traded = fill.quantity * fill.price * multiplier * rate
    by_contract = fill.quantity * CONTRACT_FEE if multiplier != ONE else ZERO
    most = max(abs(traded), SMALL_FEE, by_contract)
    if abs(fee) * fee_rate <= most:
        return ""
    return f"that is more than the trade, {plain(round(most / fee_rate, 8))} is allowed"


def with_fee(world: World, fill: Fill) -> Generator[ev.Event, None, Fill]:
    """The fill without a commission that cannot be, which no sum may hold (rule 2).

    Its symbol takes no entries until somebody has looked at it.
    """
    instrument = world.instrument(fill.symbol)
    currency = instrument.currency
    why = fee_fault(
        fill,
        currency=currency,
        multiplier=instrument.multiplier,
        rate=world.currencies.worth.get(currency) or ZERO,
        fee_rate=fee_rate_of(world, fill, currency),
    )
    if not why:
        return fill
    text = (
        f"fill {fill.execution_id} is taken without its commission of {fill.commission!s:.40} "
        f"{fill.commission_currency or currency}: {why}"
    )
    yield ev.Alarmed(code="BAD_FEE", severity=Severity.CRITICAL, subject=fill.symbol, text=text)
    yield ev.SymbolBlocked(account=fill.account, symbol=fill.symbol, cause=BAD_FEE, reason=text)
    return msgspec.structs.replace(fill, commission=ZERO)


def fee_rate_of(world: World, fill: Fill, currency: str) -> Decimal:
    """The rate of what the commission was taken in.

    A coin that has none is worth what a holding of it is; no rate is made of that.
    """
    asset = fill.commission_currency or currency
    known = world.currencies.worth.get(asset)
    if known is not None:
        return known
    if world.instrument(fill.symbol).coin == asset:
        return fill.price * (world.currencies.worth.get(currency) or ZERO)
    for position in _holdings_of(world, fill):
        mark = world.prices.mark(position.symbol)
        if mark is not None and is_positive(mark):
            return mark * (
                world.currencies.worth.get(world.book.currency_of(position.symbol)) or ZERO
            )
    return ZERO


def charged(world: World, event: ev.OrderFilled | ev.FillMatched, at: Nanos) -> Iterator[ev.Event]:
    """What of a commission comes out of holdings of its asset (X-86); the rest is owed in cash."""
    fill, left = event.fill, event.fill.commission
    asset = fill.commission_currency
    if asset in ("", world.instrument(fill.symbol).currency):
        return
    # The buying power was told after what is matched had filled, and is without its commission.
    used = event.account_rate if isinstance(event, ev.OrderFilled) else ZERO
    for position in _holdings_of(world, fill) if left else ():
        quantity = min(left, position.quantity)
        rate = world.currencies.worth.get(world.book.currency_of(position.symbol)) or ZERO
        taken = ev.CommissionTaken(
            account=fill.account,
            symbol=position.symbol,
            currency=asset,
            quantity=quantity,
            price=_coin_price(world, position, event.fee_rate, rate),
            rate=rate,
            account_rate=used,
            execution_id=fill.execution_id,
            time=at,
        )
        closed = change(position, taken.execution, ONE, None).closed
        ending = ending_of(world, position, closed, taken.execution)
        yield taken
        if ending is not None:
            spent = "the last of it paid a commission"
            yield from close_trade(world, ending, taken.execution, None, unasked=spent)
        left -= quantity
        if not left:
            break
    if fill.commission and not event.fee_rate:
        yield ev.Alarmed(
            code="FEE_WITHOUT_RATE",
            severity=Severity.WARNING,
            subject=asset,
            text=f"a commission of {plain(fill.commission)} {asset} for {fill.symbol} is in no "
            f"profit: what one {asset} is worth in {world.base} is not known",
        )


def _holdings_of(world: World, fill: Fill) -> list[Position]:
    """What its account holds of the asset that a commission was taken in; first what was bought."""
    held = world.book.account(fill.account).positions.values()
    coins = [
        position
        for position in held
        if position.is_long and world.instrument(position.symbol).coin == fill.commission_currency
    ]
    return sorted(coins, key=lambda position: (position.symbol != fill.symbol, position.symbol))


def _coin_price(world: World, position: Position, worth: Decimal, rate: Decimal) -> Decimal:
    """What one coin of a holding counts as: its worth, else its last price, else what it cost."""
    if worth and rate:
        return worth / rate
    mark = world.prices.mark(position.symbol)
    return mark if mark is not None and is_positive(mark) else position.average_price
