"""How Coinbase says no (research/venues.md §4, `Retry` and `Final`)."""

from typing import Any, Final

import msgspec

from brokers.net.rest import Answer, Request, usual_refusal
from engine.domain.text import clean_text
from engine.ports import Ambiguous, BrokerError, MarketClosed, Rejected

SAYS_NOTHING: Final = frozenset(
    {
        "",
        "UNKNOWN_FAILURE_REASON",
        "UNKNOWN_PREVIEW_FAILURE_REASON",
        "UNKNOWN_CANCEL_FAILURE_REASON",
    }
)
"""Words that stand where no reason is given, also beside one that is."""

UNCLEAR: Final = frozenset({"COMMANDER_REJECTED_NEW_ORDER", "COMMANDER_REJECTED_CANCEL_ORDER"})
"""One part of the venue did not hear of another: the order has to be looked up."""

CLOSED: Final = frozenset({"ORDER_ENTRY_DISABLED"})
"""The venue takes no orders now."""

UNDER_WAY: Final = frozenset({"DUPLICATE_CANCEL_REQUEST"})
"""A cancel that the venue has taken already."""


class ErrorResponse(msgspec.Struct, frozen=True):
    """`error_response` of an order that was not taken, and the body of a refused request."""

    error: Any = ""
    message: Any = ""
    error_details: Any = ""
    preview_failure_reason: Any = ""
    new_order_failure_reason: Any = ""

    @property
    def code(self) -> str:
        """The most telling word; "" where none tells anything."""
        words = (self.new_order_failure_reason, self.preview_failure_reason, self.error)
        return next((w for w in words if isinstance(w, str) and w not in SAYS_NOTHING), "")

    @property
    def text(self) -> str:
        """All that it says, for a person."""
        said = (self.message, self.error_details)
        return clean_text("; ".join(dict.fromkeys(w for w in said if isinstance(w, str) and w)))


def refusal(request: Request, answer: Answer) -> BrokerError | None:
    """What an answer of 400 to 499 means; None where it is none, or says no more than its number:
    401 and 403 are about the key, 429 about the pace."""
    if answer.status < 400 or answer.status in {401, 403, 408, 418, 429}:
        return None
    try:
        body = msgspec.json.decode(answer.body, type=ErrorResponse)
    except (msgspec.DecodeError, ValueError):
        return None
    if not body.code:
        return None
    text = body.text or str(usual_refusal(request, answer))
    return MarketClosed(f"{body.code}: {text}") if body.code in CLOSED else _final(body.code, text)


def order_refused(said: ErrorResponse, reason: str) -> BrokerError:
    """What `success: false` means for an order; `reason` is `failure_reason` beside it."""
    code = said.code or ("" if reason in SAYS_NOTHING else reason)
    text = said.text or "the venue gives no other reason"
    if not code:
        return Ambiguous(f"the order was not taken, and the venue does not say why: {text}")
    if code in CLOSED:
        return MarketClosed(f"{code}: {text}")
    return _final(code, text)


def cancel_refused(reason: str) -> BrokerError | None:
    """Why one order is not cancelled; None where its cancel is under way."""
    if reason in UNDER_WAY:
        return None
    if reason in SAYS_NOTHING:
        return Ambiguous("the cancel was not taken, and the venue does not say why")
    return _final(reason, f"the venue does not cancel it: {reason}")


def _final(code: str, text: str) -> BrokerError:
    if code in UNCLEAR:
        return Ambiguous(f"{code}: {text}")
    return Rejected(code, text)
