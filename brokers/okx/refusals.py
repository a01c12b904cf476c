"""How OKX says no: its codes as the six errors (C-403, research/venues.md §5).

Most refusals come with HTTP 200: a code of the whole answer, and one of each order in it. What the
tables do not name is a refusal of that request, which is final. What the venue's own texts call a
time-out, or a failure of its system, proves nothing and is `Ambiguous`, also where they say "try
again": a client order id is refused only while its order rests, so that a second order would be
taken (C-405).
"""

from typing import Any, Final

import msgspec

from brokers.net.rest import Answer, Request, retry_after, usual_refusal
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    MarketClosed,
    NotSent,
    Rejected,
    Throttled,
)

DUPLICATE_ID: Final = "DUPLICATE_ID"
NO_ORDER: Final = "51603"

LIMIT_SECONDS: Final = 2.0
"""The period of all of its limits; it says nowhere how long to wait."""

DUPLICATE: Final = frozenset({"51011", "51016", "51065"})
"""The id of an order, or of a stop, that rests."""

AUTH: Final = frozenset(
    {
        "50007", "50008", "50027", "50028", "50029", "50030", "50035",
        "50100", "50101", "50103", "50104", "50105", "50106", "50107", "50108", "50109",
        "50110", "50111", "50113", "50114", "50119", "50120", "50121",
        "60005", "60007", "60009", "60024", "60032",
    }
)  # fmt: skip
"""A key that is wrong, of another world, without the right, or an account that may not trade."""

EXPIRED: Final = frozenset({"50102", "50112", "60004", "60006"})
"""The time that was signed is none, or too far from the venue's: it looked no further."""

THROTTLED: Final = frozenset({"50011", "50040", "50061", "60014", "60023"})

AMBIGUOUS: Final = frozenset(
    {"50001", "50004", "50013", "50026", "50042", "51054", "51149", "51412"}
)

CLOSED: Final = frozenset({"51021", "51022", "51110", "51124", "51404"})
"""Suspended, not listed yet, or in an auction."""

BUSY_LOGIN: Final = "63999"

_FAILED: Final = frozenset({"1", "2"})
"""An operation failed, or a part of it: which, and why, is said of each order."""


class _Row(msgspec.Struct, rename="camel"):
    s_code: str = ""
    s_msg: str = ""


class _Said(msgspec.Struct):
    code: str
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw(b"[]")


_SAID: Final = msgspec.json.Decoder(_Said)
_ROWS: Final = msgspec.json.Decoder(list[_Row])


def error_of(code: str, text: str, wait: float = LIMIT_SECONDS) -> BrokerError:
    """The error that a code stands for; `text` is the venue's, for people."""
    said = f"{text or 'no reason given'} ({code})"
    if code in DUPLICATE:
        return Rejected(DUPLICATE_ID, said)
    if code in AUTH:
        return AuthFailed(said)
    if code in EXPIRED:
        return NotSent(f"{said}: the clocks differ, and it was not looked at")
    if code in THROTTLED:
        return Throttled(said, wait)
    if code in CLOSED:
        return MarketClosed(said)
    if code in AMBIGUOUS or not (len(code) == 5 and code.isdecimal()):
        return Ambiguous(said)
    return Rejected(code, said)


def login_error(code: str, text: str) -> BrokerError:
    """Why a stream was refused; none of it says anything of an order."""
    error = error_of(code, text)
    if code == BUSY_LOGIN or not isinstance(error, AuthFailed | Throttled):
        return NotSent(f"the stream was refused: {error}")
    return error


def refusal(request: Request, answer: Answer) -> BrokerError | None:
    """What an answer below 500 refuses; None where it refuses nothing (`brokers.net.rest`)."""
    try:
        said = _SAID.decode(answer.body)
    except (msgspec.DecodeError, ValueError):
        return None  # an answer of a gateway, or none that can be read
    wait = retry_after(answer, LIMIT_SECONDS)
    if answer.status == 429 and said.code not in AMBIGUOUS:
        return Throttled(f"{said.msg} ({said.code})", wait)
    if said.code in _FAILED or (said.code == "0" and request.method == "POST"):
        return _of_rows(said, wait)
    if said.code == "0":
        return None if answer.status < 300 else usual_refusal(request, answer)
    return error_of(said.code, said.msg, wait)


def _of_rows(said: _Said, wait: float) -> BrokerError | None:
    """Why the one order of a request was refused."""
    try:
        rows = _ROWS.decode(said.data)
    except (msgspec.DecodeError, ValueError):
        rows = []
    for row in rows:
        if row.s_code not in {"", "0"}:
            return error_of(row.s_code, row.s_msg, wait)
    return None if said.code == "0" else Ambiguous(f"{said.msg or 'it failed'} ({said.code})")


def is_no_order(error: Any) -> bool:
    """Whether the venue says that there is no such order."""
    return isinstance(error, Rejected) and error.code == NO_ORDER
