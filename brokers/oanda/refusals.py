"""How OANDA says no: before there is an order by 400 to 404, after that by a cancel."""

from typing import Final

import msgspec

from brokers.net.rest import Answer, Request
from brokers.oanda import wire
from engine.domain.codes import Code
from engine.domain.order import OrderStatus
from engine.domain.text import clean_text
from engine.ports import Ambiguous, BrokerError, MarketClosed, Rejected

DUPLICATE_ID: Final = "DUPLICATE_ID"
_IN_USE: Final = "CLIENT_ORDER_ID_ALREADY_EXISTS"
"""Another order that is pending has the id; one that has ended gives it free (research §6)."""

_CLOSED: Final = frozenset({"MARKET_HALTED", "INSTRUMENT_HALTED"})
_UNDECIDED: Final = frozenset({"INTERNAL_SERVER_ERROR"})
"""It broke while it worked on the request: the order is asked about before anything else."""

UNKNOWN_ORDER: Final = frozenset({"ORDER_DOESNT_EXIST", "NO_SUCH_ORDER"})

CANCEL_STATUS: Final[dict[str, OrderStatus]] = {
    "CLIENT_REQUEST": OrderStatus.CANCELED,
    "CLIENT_REQUEST_REPLACED": OrderStatus.CANCELED,
    "DIVIDEND_ADJUSTMENT_REPLACED": OrderStatus.CANCELED,
    "MIGRATION": OrderStatus.CANCELED,
    "LINKED_TRADE_CLOSED": OrderStatus.CANCELED,
    "INSUFFICIENT_LIQUIDITY": OrderStatus.CANCELED,
    "BOUNDS_VIOLATION": OrderStatus.CANCELED,
    "TIME_IN_FORCE_EXPIRED": OrderStatus.EXPIRED,
    "INTERNAL_SERVER_ERROR": OrderStatus.REJECTED,
    "ACCOUNT_LOCKED": OrderStatus.REJECTED,
    "ACCOUNT_NEW_POSITIONS_LOCKED": OrderStatus.REJECTED,
    "ACCOUNT_ORDER_CREATION_LOCKED": OrderStatus.REJECTED,
    "ACCOUNT_ORDER_FILL_LOCKED": OrderStatus.REJECTED,
    "MARKET_HALTED": OrderStatus.REJECTED,
    "INSUFFICIENT_MARGIN": OrderStatus.REJECTED,
    "FIFO_VIOLATION": OrderStatus.REJECTED,
    "POSITION_CLOSEOUT_FAILED": OrderStatus.REJECTED,
    "OPEN_TRADES_ALLOWED_EXCEEDED": OrderStatus.REJECTED,
    "PENDING_ORDERS_ALLOWED_EXCEEDED": OrderStatus.REJECTED,
    "POSITION_SIZE_EXCEEDED": OrderStatus.REJECTED,
    "HEDGING_GSLO_VIOLATION": OrderStatus.REJECTED,
    "ACCOUNT_POSITION_VALUE_LIMIT_EXCEEDED": OrderStatus.REJECTED,
}
"""How an order ended that was cancelled for this reason before any of it filled. A reason that is
not here has ended it all the same: CANCELED, with the reason in words."""


def refusal(request: Request, answer: Answer) -> BrokerError | None:
    """The error that an answer of OANDA's stands for; None where the usual meaning of its HTTP
    status holds: 401 and 403 without a reason, 429, and what is no answer of its own."""
    if answer.status < 400 or answer.status in {401, 429}:
        return None
    try:
        told = msgspec.json.decode(answer.body, type=wire.Refused)
    except (msgspec.DecodeError, ValueError):
        return None
    code = _reason(told)
    if not code:
        return None
    text = clean_text(f"{code}: {told.error_message}" if told.error_message else code)
    if code == _IN_USE:
        return Rejected(DUPLICATE_ID, text)
    if code in _UNDECIDED:
        return Ambiguous(f"{request.method} {request.path} answered {text}")
    if code in _CLOSED:
        return MarketClosed(text)
    return Rejected(code, text)


def _reason(told: wire.Refused) -> str:
    """The reason in the log, else the code of the answer, else none."""
    for rejected in (told.order_reject_transaction, told.order_cancel_reject_transaction):
        if rejected is not None and rejected.reject_reason:
            return rejected.reject_reason
    return told.error_code or ""


def code_of(reason: str) -> str:
    """The code of an order that was refused for a reason: the venue's own, but for a market that is
    closed, for whose opening the engine waits."""
    return Code.MARKET_CLOSED if reason in _CLOSED else reason


def is_in_use(transaction: wire.Transaction) -> bool:
    """Whether an order was refused because another that works has its id."""
    return transaction.reject_reason == _IN_USE


def end_of(reason: str, *, filled: bool) -> OrderStatus:
    """How an order ended that was cancelled for a reason; what has filled was not refused."""
    status = CANCEL_STATUS.get(reason, OrderStatus.CANCELED)
    return OrderStatus.CANCELED if filled and status is OrderStatus.REJECTED else status
