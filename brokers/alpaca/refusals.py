"""How Alpaca says no (research/alpaca-binance.md §2, errors)."""

from typing import Final

import msgspec

from brokers.alpaca.wire import ErrorRow, decode, text
from brokers.net.rest import Answer, Request, retry_after, usual_refusal
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.text import clean_text
from engine.ports import AuthFailed, Banned, BrokerError, MarketClosed, Rejected, Throttled

UNKNOWN: Final = "40410000"
"""The venue does not know what was asked for."""

DUPLICATE: Final = "DUPLICATE_ID"

_NOT_UNIQUE: Final = "client_order_id must be unique"
_CLOSED: Final = ("during market hours", "market is closed", "market is not open")
"""What it says of an order that it takes at other hours."""

_NO_ENTRY: Final = ("forbidden", "request is not authorized", "unauthorized", "access key")
"""How the text of a 403 begins that is about the key, and not about the order."""


def refusal(request: Request, answer: Answer) -> BrokerError | None:
    """The error that an answer below 500 stands for; None where the usual reading is right.

    403 with a code of the venue's is about the order: money, what is held, a wash trade.
    """
    if answer.status < 300 or answer.status in {408, 429}:
        return None
    try:
        error = decode(answer.body, ErrorRow)
    except msgspec.DecodeError:
        return None
    if error.code is None and not error.message:
        return None
    code, said = text(error.code), clean_text(text(error.message), 300)
    small = said.lower()
    if answer.status == 401 or (answer.status == 403 and small.startswith(_NO_ENTRY)):
        return AuthFailed(f"Alpaca does not accept the key: {said}")
    if request.method == "POST" and answer.status == 422 and _NOT_UNIQUE in small:
        return Rejected(DUPLICATE, said)
    if request.method == "POST" and any(phrase in small for phrase in _CLOSED):
        return MarketClosed(said)
    return Rejected(code or f"HTTP_{answer.status}", said or f"HTTP {answer.status}")


def asked_to_wait(request: Request, answer: Answer, now: Nanos) -> Throttled:
    """429: until `X-RateLimit-Reset`, in seconds since 1970, else as long as Retry-After says.

    `now` in nanoseconds UTC.
    """
    usual = usual_refusal(request, answer)
    if isinstance(usual, Banned):
        return usual
    said = f"{request.method} {request.path} answered HTTP {answer.status}: {answer.text}"
    reset = answer.headers.get("x-ratelimit-reset", "")
    if reset.isdecimal() and len(reset) < 12:
        wait = int(reset) - now / NS_PER_SECOND
        if 0 < wait <= 120:
            return Throttled(said, wait)
    return Throttled(said, retry_after(answer))
