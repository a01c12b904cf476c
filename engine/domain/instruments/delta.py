"""By how much an option moves with its underlying, told by the prices of both (A-084).

The model is Black's without interest and dividends. Time and volatility enter a price only as their
product w = volatility x sqrt(time), so that the option's own price tells w, and no clock is asked.
"""

from decimal import Decimal
from functools import lru_cache
from math import erf, log, sqrt
from typing import Final

from engine.domain.money import ONE, ZERO

_PLACES: Final = Decimal("0.0001")

_WIDEST: Final = 16.0
"""With a larger w a call is worth its underlying, as far as floats can tell."""

_HALVINGS: Final = 60
"""How often the search for w is halved, until floats tell no difference."""


@lru_cache(maxsize=1024)
def call_delta(price: Decimal, spot: Decimal, strike: Decimal) -> Decimal:
    """How far a call moves when its underlying moves by one, from 0 to 1 in four places.

    `price` is the call's, `spot` the underlying's; a put of the same strike moves by one less. It
    is 1 where the price is no more than exercising it would bring, or no less than the underlying:
    no volatility explains such a price, and nothing moves by more than its underlying.
    """
    if price <= max(spot - strike, ZERO) or price >= spot:
        return ONE
    return Decimal(_delta(float(price / spot), float(strike / spot))).quantize(_PLACES)


def _delta(price: float, strike: float) -> float:
    """The same where price and strike are in units of the underlying's price."""
    low, high = 0.0, _WIDEST
    for _ in range(_HALVINGS):
        w = (low + high) / 2
        if _call(strike, w) < price:
            low = w
        else:
            high = w
    return _below(-log(strike) / high + high / 2)


def _call(strike: float, w: float) -> float:
    """What a call is worth, in units of the underlying's price."""
    d = -log(strike) / w + w / 2
    return _below(d) - strike * _below(d - w)


def _below(x: float) -> float:
    """How much of a standard normal distribution lies below `x`."""
    return (1 + erf(x / sqrt(2))) / 2
