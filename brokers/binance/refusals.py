"""How Binance says no, and what each word of it means here (C-403, C-211).

The codes are the venue's own (its errors page; research/alpaca-binance.md §6). What is not in the
table is a refusal with the venue's code: it answers 4xx only to what it did not carry out.
"""

from typing import Final

import msgspec

from brokers.net.rest import Answer, Request, retry_after, usual_refusal
from engine.domain.text import clean_text
from engine.ports import (
    Ambiguous,
    AuthFailed,
    Banned,
    BrokerError,
    MarketClosed,
    Rejected,
    Throttled,
)

CLOCK_WAIT: Final = 0.2
"""Seconds before a request is asked for again whose time the venue did not accept."""

FIREWALL_WAIT: Final = 60.0
"""Seconds without a request after its firewall has answered; it does not say how long."""

ORDER_UNKNOWN: Final = "-2013"
"""A question about an order that the venue does not have, or does not have yet."""

CANCEL_REFUSED: Final = "-2011"
"""A cancel of an order that has ended, or that is not known: it proves neither."""

FILTER: Final = "-1013"
"""An order that a filter of its symbol refuses."""

_UNCLEAR: Final = frozenset({-1000, -1001, -1006, -1007})
"""The venue does not know itself what became of the request."""

_CREDENTIALS: Final = frozenset({-1002, -1022, -2014, -2015})
_CLOCK: Final = -1021
_REQUESTS: Final = -1003
_ORDERS: Final = -1015
_NO_WINDOW: Final = -2016
_DUPLICATE: Final = "Duplicate order sent."
_CLOSED: Final = "Market is closed."
_OUT: Final = "IP banned"
"""How -1003 begins to say until when the address is banned."""


class ClockApart(Throttled):
    """The time of the request was not accepted. It is looked at before the engine sees the order,
    so that nothing was done: once our clock is set by the venue's it may be asked for again."""


class AskedToWait(Throttled):
    """The venue counts too many requests; who goes on asking within the minute is banned."""


class OrdersUsedUp(Throttled):
    """The venue takes no new order for a while; cancels and questions are let through."""


class Failure(msgspec.Struct, frozen=True):
    """The body of an answer that says no."""

    code: int
    msg: str = ""


def refusal(request: Request, answer: Answer) -> BrokerError | None:
    """The error that an answer below 500 stands for; None where it is no refusal."""
    if answer.status < 300:
        return None
    try:
        said = msgspec.json.decode(answer.body, type=Failure)
    except msgspec.DecodeError:
        said = None
    if answer.status == 418:
        return Banned(_words(request, said, answer), retry_after(answer))
    if answer.status == 429 and (said is None or said.code not in {_REQUESTS, _ORDERS}):
        return AskedToWait(_words(request, said, answer), retry_after(answer))
    if said is not None:
        return meaning(said, f"{request.method} {request.path}", retry_after(answer))
    if answer.status == 403:
        return Banned(_words(request, None, answer), retry_after(answer, FIREWALL_WAIT))
    return usual_refusal(request, answer)


def meaning(said: Failure, what: str, wait: float = CLOCK_WAIT) -> BrokerError:
    """One of the six for a code and its words; `what` was asked, `wait` is what a limit takes in
    seconds."""
    text = f"{clean_text(said.msg, 200)} ({said.code})"
    if said.code in _UNCLEAR:
        return Ambiguous(f"{what}: {text}")
    if said.code in _CREDENTIALS:
        return AuthFailed(text)
    if said.code == _CLOCK:
        return ClockApart(text, CLOCK_WAIT)
    if said.code == _REQUESTS:
        return (Banned if _OUT in said.msg else AskedToWait)(text, wait)
    if said.code == _ORDERS:
        return OrdersUsedUp(text, wait)
    if said.code == _NO_WINDOW or _CLOSED in said.msg:
        return MarketClosed(text)
    code = "DUPLICATE_ID" if _DUPLICATE in said.msg else str(said.code)
    return Rejected(code, text)


def _words(request: Request, said: Failure | None, answer: Answer) -> str:
    if said is not None:
        return f"{clean_text(said.msg, 200)} ({said.code})"
    return f"{request.method} {request.path} answered HTTP {answer.status}: {answer.text}"
