"""The exceptions of ccxt as the six errors (U-61).

Only what ccxt names as a definite refusal is one. Any other error that an exchange answered with
leaves open what became of the request: ccxt raises its general `ExchangeError` for each code that
it does not know, and for an answer that broke off (research/venues.md §1.4).
"""

from collections.abc import Callable
from typing import Final

import ccxt

from engine.domain.text import clean_text
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    MarketClosed,
    NotSent,
    Rejected,
    Throttled,
)

MAINTENANCE_SECONDS: Final = 5.0
"""How long we wait where an exchange is under maintenance, which says of no end."""

DUPLICATE_ID: Final = "DUPLICATE_ID"
ORDER_UNKNOWN: Final = "ORDER_UNKNOWN"

SHOWN: Final = 300
"""So many characters of what ccxt says are shown."""


def _rejected(code: str) -> Callable[[str, float], BrokerError]:
    return lambda said, wait: Rejected(code, said)


_ERRORS: Final[tuple[tuple[type[Exception], Callable[[str, float], BrokerError]], ...]] = (
    (ccxt.OnMaintenance, lambda said, wait: Throttled(said, max(wait, MAINTENANCE_SECONDS))),
    (ccxt.DDoSProtection, Throttled),
    (ccxt.RateLimitExceeded, Throttled),
    # The clock of the request was refused, and the request with it.
    (ccxt.InvalidNonce, lambda said, wait: NotSent(said)),
    (ccxt.AuthenticationError, lambda said, wait: AuthFailed(said)),
    (ccxt.MarketClosed, lambda said, wait: MarketClosed(said)),
    (ccxt.DuplicateOrderId, _rejected(DUPLICATE_ID)),
    (ccxt.OrderNotFound, _rejected(ORDER_UNKNOWN)),
    (ccxt.InsufficientFunds, _rejected("INSUFFICIENT_FUNDS")),
    (ccxt.InvalidOrder, _rejected("INVALID_ORDER")),
    (ccxt.BadSymbol, _rejected("UNKNOWN_SYMBOL")),
    (ccxt.BadRequest, _rejected("BAD_REQUEST")),
    (ccxt.ArgumentsRequired, _rejected("BAD_REQUEST")),
    (ccxt.NotSupported, _rejected("UNSUPPORTED")),
)
"""The first row that fits counts; what fits none is `Ambiguous`."""


def error_of(error: Exception, wait: float) -> BrokerError:
    """What an exception of ccxt about an answer means; `wait` is for how many seconds we wait
    where the exchange asks us to."""
    said = clean_text(f"{error}", SHOWN) or type(error).__name__
    for kind, made in _ERRORS:
        if isinstance(error, kind):
            return made(said, wait)
    return Ambiguous(said)


def local_error_of(error: Exception) -> BrokerError:
    """What an exception means that ccxt raised before anything was sent."""
    found = error_of(error, 0)
    return NotSent(str(found)) if isinstance(found, Ambiguous) else found
