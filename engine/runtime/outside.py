"""What a venue says in words, made safe to keep: no secret, no control character, no length.

Ids, symbols and currencies are words too: they reach the journal, which holds no lone surrogate.

An SDK puts whole requests into its errors, with headers and signatures, and those would stand in
the journal for ever. A wait that it asks for is bounded.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from engine.domain.account import Account, CashMovement, VenueOrder, VenuePosition
from engine.domain.order import Fill
from engine.domain.text import clean_id, clean_text
from engine.ports import (
    Ambiguous,
    AuthFailed,
    Banned,
    BrokerError,
    MarketClosed,
    NotSent,
    OrderReport,
    Rejected,
    StreamRefused,
    Throttled,
)
from engine.runtime.answers import wait_fault

Told = TypeVar("Told", bound=msgspec.Struct)

CODE_LIMIT = 64
"""The longest code taken from a venue, in characters."""

UNCLEAR_WAIT = 60.0
"""In seconds: what is waited where a venue asks to wait and its number cannot be believed. Asking
faster may prolong a ban, and longer would leave the account in the dark for nothing."""


def believed_wait(error: Throttled | StreamRefused) -> float:
    """How many seconds a venue asks to be left alone for, as far as that can be believed."""
    return UNCLEAR_WAIT if wait_fault(error) else error.retry_after


class Outside:
    """Cleans the words of every venue; `redact` takes the secrets out of a text."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        self._redact = redact

    def text(self, text: str) -> str:
        """One line without secrets, at most as long as any text from outside."""
        return clean_text(self._redact(text))

    def error(self, error: Exception) -> BrokerError:
        """The failure as one of the six, with words that may be kept.

        An exception that is none of them means a broken adapter. It proves nothing about what the
        venue did, so it counts as ambiguous.
        """
        match error:
            case Rejected():
                code = clean_text(self._redact(error.code), CODE_LIMIT)
                return Rejected(code, self.text(error.text))
            case Throttled():
                return self.wait(error)
            case NotSent():
                return NotSent(self.text(str(error)))
            case AuthFailed():
                return AuthFailed(self.text(str(error)))
            case MarketClosed():
                return MarketClosed(self.text(str(error)))
            case Ambiguous():
                return Ambiguous(self.text(str(error)))
            case _:
                return Ambiguous(self.text(f"{type(error).__name__}: {error}"))

    def wait(self, error: Throttled) -> Throttled:
        """The request to wait, for as long as can be believed."""
        fault = wait_fault(error)
        kind = Banned if isinstance(error, Banned) else Throttled
        if not fault:
            return kind(self.text(str(error)), error.retry_after)
        told = f"{fault}: it is asked again after {UNCLEAR_WAIT:g} s: {error}"
        return kind(self.text(told), UNCLEAR_WAIT)

    def report(self, report: OrderReport) -> OrderReport:
        """The report with ids, a text and a code that may be kept; its fill is left as it is."""
        report = _named(report, "client_order_id", "venue_order_id", "symbol")
        text = self.text(report.text)
        code = clean_text(self._redact(report.code), CODE_LIMIT)
        if (text, code) == (report.text, report.code):
            return report
        return msgspec.structs.replace(report, text=text, code=code)


def named_fill(fill: Fill) -> Fill:
    """The fill with ids, a symbol and a currency that may be kept."""
    ids = ("execution_id", "client_order_id", "venue_order_id", "symbol", "commission_currency")
    return _named(fill, *ids)


def named_order(order: VenueOrder, key: str = "") -> VenueOrder:
    """The order with ids and a symbol that may be kept; `key`: it was asked for by that id."""
    if key and order.client_order_id != key:
        order = msgspec.structs.replace(order, client_order_id=key)
    return _named(order, "client_order_id", "venue_order_id", "symbol")


def named_position(position: VenuePosition) -> VenuePosition:
    """The holding with a symbol that may be kept."""
    return _named(position, "symbol")


def named_movement(movement: CashMovement) -> CashMovement:
    """The movement of cash with an id and a currency that may be kept."""
    return _named(movement, "movement_id", "currency")


def named_account(account: Account) -> Account:
    """The balances with an id and currencies that may be kept."""
    account = _named(account, "account_id", "currency")
    if all(map(str.isprintable, account.balances)):
        return account
    balances = {clean_id(currency): cash for currency, cash in account.balances.items()}
    return msgspec.structs.replace(account, balances=balances)


def named_event(event: Told) -> Told:
    """What the market says, of a symbol that may be kept."""
    return _named(event, "symbol")


def _named(told: Told, *names: str) -> Told:
    """The same with clean ids in the fields of these names; itself where they are."""
    for name in names:
        if not getattr(told, name).isprintable():
            break
    else:
        return told
    return msgspec.structs.replace(told, **{name: clean_id(getattr(told, name)) for name in names})
