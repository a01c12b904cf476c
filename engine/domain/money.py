"""Decimal money, price and quantity, and the only places where they are rounded (U-01)."""

import re
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final

ZERO = Decimal(0)
ONE = Decimal(1)
COST_DIGITS = 8
COST_QUANTUM = Decimal(1).scaleb(-COST_DIGITS)
"""Apportioned cost is cut to this step, so that every sum of money stays exact."""

LARGEST: Final = Decimal("1e15")
"""No amount, quantity or price of a venue's reaches this."""

DECIMALS: Final = 60
"""The most digits after the point: a quotient of an adapter's has fewer."""


FARTHEST_PRICE: Final = 1_000_000
"""A price further than so many times from the last one known, up or down, is none. The farthest
that a venue let stand was 317.81 to 0.10, about 3,200 times (ETH-USD at GDAX, 21 June 2017); an
error of units (satoshi for coins, 10**8) is beyond it."""


_WRITTEN: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)


def written_number(text: str) -> Decimal | None:
    """The number that a person wrote, None where the text is none.

    It is one in the digits 0 to 9, with a sign, one point and an exponent as may be. `Decimal`
    takes more: underscores, blanks and the digits of other scripts, which are typing errors here.
    """
    return Decimal(text) if _WRITTEN.fullmatch(text) else None


def is_near(price: Decimal, known: Decimal) -> bool:
    """Whether a price can be one where another is known."""
    return known <= price * FARTHEST_PRICE and price <= known * FARTHEST_PRICE


CURRENCY_WORDS: Final = "1 to 16 capital letters and digits are allowed"
"""What `is_currency` takes, for a sentence that refuses one."""

_CURRENCY: Final = re.compile(r"[A-Z0-9]{1,16}", re.ASCII)


def is_currency(text: str) -> bool:
    """Whether a text may name what money is in: a currency or a coin."""
    return _CURRENCY.fullmatch(text) is not None


def number_fault(number: object) -> str:
    """What is told of a number from outside that can be none, and what is allowed; else ""."""
    if not isinstance(number, Decimal):
        return f"{number!r:.40}; a Decimal is allowed"
    if not number.is_finite():
        return f"{number}; a finite number is allowed"
    exponent = number.as_tuple().exponent
    if number.copy_abs() >= LARGEST or (isinstance(exponent, int) and -exponent > DECIMALS):
        return (
            f"{number:.3e}; below {LARGEST:e}, at most {DECIMALS} digits after the point are "
            "allowed"
        )
    return ""


def is_positive(value: Decimal | None) -> bool:
    """True for a finite value above zero; NaN, infinity and None are not (U-53)."""
    return value is not None and value.is_finite() and value > 0


def fall(peak: Decimal, equity: Decimal) -> Decimal:
    """How far `equity` is below a `peak` that it does not exceed, as a fraction of that, to 8
    digits; 0 where the peak is nothing to measure by."""
    return round((peak - equity) / peak, 8) if peak > 0 else ZERO


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """`value` rounded toward zero to a multiple of `step`."""
    if step <= 0:
        return value
    return (value / step).to_integral_value(ROUND_DOWN) * step


def is_multiple(value: Decimal, step: Decimal) -> bool:
    """True if `value` lies on the grid of `step`."""
    return step <= 0 or value % step == 0


def round_price(price: Decimal, tick: Decimal, *, up: bool) -> Decimal:
    """`price` moved up or down to the next tick; a price on the grid stays."""
    if tick <= 0 or price % tick == 0:
        return price
    mode = ROUND_CEILING if up else ROUND_FLOOR
    return (price / tick).to_integral_value(mode) * tick


def grid_within(widest: Decimal) -> Decimal:
    """The largest power of ten that is at most this, a number above 0."""
    return ONE.scaleb(max(widest.adjusted(), -DECIMALS))


def passive_price(price: Decimal, tick: Decimal, *, buy: bool) -> Decimal:
    """A limit price rounded away from marketability: down for a buy, up for a sell (U-01)."""
    return round_price(price, tick, up=not buy)


def early_stop(price: Decimal, tick: Decimal, *, sell: bool) -> Decimal:
    """A stop price rounded toward earlier protection: up for a sell stop, down for a buy (U-01)."""
    return round_price(price, tick, up=sell)


def tighter_stop(one: Decimal | None, other: Decimal | None, *, sell: bool) -> Decimal | None:
    """Of two stop prices the one that is reached first: the higher of sell stops (a long), the
    lower of buy stops. Where only one is given it is that; None without any."""
    given = [price for price in (one, other) if price is not None]
    if not given:
        return None
    return max(given) if sell else min(given)


def apportion(cost: Decimal, part: Decimal, whole: Decimal) -> Decimal:
    """The share of `cost` that `part` of `whole` carries, cut to `COST_QUANTUM`."""
    if part == whole:
        return cost
    return (cost * part / whole).quantize(COST_QUANTUM, ROUND_HALF_EVEN)


def plain(value: Decimal) -> str:
    """The number without an exponent or trailing zeros, as it is printed and journalled."""
    text = str(value)
    if "E" in text:
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
