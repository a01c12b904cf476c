"""Whether the numbers and times of a venue's answer can be numbers at all (DESIGN, brokers; U-53).

Checked once for all adapters, before the core hears of them: a sum that takes in one NaN is lost.
Reports and fills are checked by the core, which has more to do about them.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Final

import msgspec

from engine.config.kinds import is_usable, within
from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.failure import StreamRefused, Throttled
from engine.domain.instant import time_fault
from engine.domain.instrument import Instrument, default_instrument
from engine.domain.money import number_fault, plain
from engine.domain.order import Fill

LONGEST_WAIT: Final = 3 * 86_400
"""In seconds: the longest ban of a venue we know (Binance, research/alpaca-binance.md)."""

INTEREST: Final = Decimal("0.01")
"""The equity of an account that holds nothing is its cash, but for so large a share: interest."""

MOVED: Final = Decimal("0.3")
"""What is held may be worth more, or less, there than by the prices known here by such a share."""


def account_fault(told: Account) -> str:
    """Which balance is no number, or that the time is none, in one sentence; "" where all are.

    What is owed is a number too.
    """
    numbers = {"cash": told.cash, "equity": told.equity, "buying_power": told.buying_power}
    numbers |= {f"cash in {currency}": cash for currency, cash in told.balances.items()}
    fault = _fault("the account", numbers)
    if not fault and (wrong := time_fault(told.as_of)):
        return f"the account: as_of is {wrong}"
    return fault


def balance_fault(told: Account, worth: Decimal, gross: Decimal) -> str:
    """Why the equity of an account cannot be its cash and what it holds; "" where it can, or where
    it has money in another currency, of which nobody can say what it is worth.

    A list of positions that is behind the cash shows nothing of what was bought just before.

    `worth` is what is held, signed, at the newest prices known, in the account's own currency, and
    `gross` the same with longs and shorts added: prices there may be as far from these as `MOVED`.
    """
    if told.balances.keys() - {told.currency}:
        return ""
    there = told.balances.get(told.currency, told.cash) + worth
    if abs(told.equity - there) <= INTEREST * max(abs(told.equity), abs(there)) + MOVED * gross:
        return ""
    held = "nothing is held" if not gross else f"what is held is worth {plain(round(worth, 2))}"
    return f"the account: equity is {told.equity} and cash {there - worth}, and {held}"


def position_fault(told: VenuePosition) -> str:
    """The same of a holding, which is signed; its price is not below 0."""
    whose = f"the position in {told.symbol}"
    prices = {"average_price": told.average_price}
    if told.mark is not None:
        prices["mark"] = told.mark
    if fault := _fault(whose, {"quantity": told.quantity, **prices}):
        return fault
    if told.mark is not None and told.mark < 0:
        return f"{whose}: mark is {told.mark}; 0 or more is allowed"
    return ""


def movement_fault(told: CashMovement) -> str:
    """The same of a movement of cash, and that its time is none."""
    whose = f"the {told.kind} {told.movement_id}"
    fault = _fault(whose, {"amount": told.amount})
    if not fault and (wrong := time_fault(told.time)):
        return f"{whose}: time is {wrong}"
    return fault


def order_fault(told: VenueOrder) -> str:
    """The same of an order: its quantity and its prices are above 0, and what filled and its mean
    price not below; it has an id of its own (see `OrderIds`)."""
    if not told.client_order_id:
        called = f" ({told.venue_order_id})" if told.venue_order_id else ""
        return f"an order in {told.symbol}{called} has no id that tells it from others"
    whose = f"order {told.client_order_id} in {told.symbol}"
    numbers = {"quantity": told.quantity, "filled": told.filled}
    prices = {"limit_price": told.limit_price, "stop_price": told.stop_price}
    numbers |= {name: price for name, price in prices.items() if price is not None}
    not_below = {"filled"}
    if told.average_price is not None:
        numbers["average_price"] = told.average_price
        not_below.add("average_price")
    fault = _fault(whose, numbers)
    if fault:
        return fault
    for name, number in numbers.items():
        if name in not_below and number < 0:
            return f"{whose}: {name} is {number}; 0 or more is allowed"
        if name not in not_below and number <= 0:
            return f"{whose}: {name} is {number}; a number above 0 is allowed"
    return ""


def instrument_fault(symbol: str, told: object) -> str:
    """Why what is stated of `symbol` cannot be its facts; "" where it can (U-10, U-53)."""
    if not isinstance(told, Instrument):
        return f"{symbol}: no facts of an instrument"
    if told.symbol != symbol:
        return f"{symbol}: the facts are those of {told.symbol}"
    numbers: dict[str, Decimal] = {
        "tick": told.tick,
        "lot": told.lot,
        "multiplier": told.multiplier,
        "min_notional": told.min_notional,
    }
    fault = _fault(symbol, numbers)
    if fault:
        return fault
    for name, number in numbers.items():
        if not (is_usable(number) or (name == "min_notional" and number == 0)):
            least = "0 or more" if name == "min_notional" else "a number above 0"
            return f"{symbol}: {name} is {number}; {within(least, number)} is allowed"
    contract = default_instrument(symbol).contract
    paid_in = "" if contract is None else contract.paid_in
    if not told.currency or (paid_in and told.currency != paid_in):
        return f"{symbol}: currency is {told.currency!r}; {paid_in or 'a name'} is allowed"
    return ""


def dated(fill: Fill) -> Fill:
    """The fill, without a time where it has one that can be none: it happened all the same."""
    return msgspec.structs.replace(fill, time=0) if time_fault(fill.time) else fill


def wait_fault(told: Throttled | StreamRefused) -> str:
    """Why the wait that a venue asks for cannot be one; "" where it can. NaN compares false."""
    seconds: object = told.retry_after
    if isinstance(seconds, int | float) and 0 <= seconds <= LONGEST_WAIT:
        return ""
    asked = f"{seconds:.3e}" if isinstance(seconds, float) else f"{seconds!r:.40}"
    return f"the venue asks to wait {asked} s; 0 to {LONGEST_WAIT} are allowed"


def _fault(whose: str, numbers: Mapping[str, object]) -> str:
    for name, number in numbers.items():
        fault = number_fault(number)
        if fault:
            return f"{whose}: {name} is {fault}"
    return ""
