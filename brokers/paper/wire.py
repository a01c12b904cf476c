"""What the paper venue in another process and its clients say to each other.

One JSON object a line over a unix socket. A client sends `Call`s; the server answers each with a
`Said` of the same id, and says by itself what nobody asked for: reports and market events.
"""

from decimal import Decimal
from typing import Final

import msgspec

from engine.domain.instant import Nanos
from engine.domain.market import Bar, Depth, Quote
from engine.domain.order import OrderTerms, Replacement
from engine.ports import (
    Ambiguous,
    AuthFailed,
    BrokerError,
    MarketClosed,
    NotSent,
    OrderReport,
    Rejected,
    Throttled,
)

LINE_LIMIT: Final = 64 * 1024 * 1024
"""The longest line, in bytes: a list of every working order fits."""

NOTHING: Final = msgspec.Raw(b"null")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request. `args` is of the type that its operation asks for."""

    id: int
    op: str
    args: msgspec.Raw = NOTHING


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """One of the six errors of the port."""

    kind: str
    text: str
    code: str = ""
    retry_after: float = 0


class Said(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the server says: the answer to a call, or one thing that happened."""

    id: int = 0
    result: msgspec.Raw = NOTHING
    failure: Failure | None = None
    report: OrderReport | None = None
    quote: Quote | None = None
    quotes: tuple[Quote, ...] = ()
    """Quotes that came together, in order of time: one frame of a busy feed."""
    bar: Bar | None = None
    depth: Depth | None = None


class Named(msgspec.Struct, frozen=True):
    """An order by its client id."""

    client_order_id: str


class NamedTogether(msgspec.Struct, frozen=True):
    """Several orders by their client ids; the answer has a `Failure` for each that is refused."""

    client_order_ids: tuple[str, ...]


class Submit(msgspec.Struct, frozen=True):
    """A new order."""

    order: OrderTerms


class Modify(msgspec.Struct, frozen=True):
    """A change of a working order."""

    client_order_id: str
    wanted: Replacement


class Since(msgspec.Struct, frozen=True):
    """A moment in nanoseconds."""

    since: int


class Symbol(msgspec.Struct, frozen=True):
    """A symbol."""

    symbol: str


class Past(msgspec.Struct, frozen=True):
    """So many bars of a symbol."""

    symbol: str
    bars: int


class Price(msgspec.Struct, frozen=True):
    """A price that is set by hand."""

    symbol: str
    price: Decimal
    bid: Decimal | None = None
    ask: Decimal | None = None


class Quotes(msgspec.Struct, frozen=True):
    """Quotes of a feed in order of time, with their own sizes and times."""

    quotes: tuple[Quote, ...]


class Request(msgspec.Struct, frozen=True):
    """A request about an order as it reached the venue."""

    op: str
    """`submit`, `cancel`, `cancel_together`, `modify` or `cancel_all`."""
    client_order_id: str
    """"" where the request names no single order."""
    at: Nanos
    """On the machine's monotonic clock."""


class Hold(msgspec.Struct, frozen=True):
    """Stop something at the venue, or let it go on: `requests`, `reports` or `fills`."""

    what: str
    on: bool


class Part(msgspec.Struct, frozen=True):
    """So much of an order."""

    client_order_id: str
    quantity: Decimal


class Nothing(msgspec.Struct, frozen=True):
    """No arguments."""


_KINDS: Final[dict[str, type[BrokerError]]] = {
    kind.__name__: kind for kind in (NotSent, Ambiguous, AuthFailed, MarketClosed)
}


def failure_of(error: BrokerError) -> Failure:
    """An error, to be sent."""
    return Failure(
        kind=type(error).__name__,
        text=str(error),
        code=error.code if isinstance(error, Rejected) else "",
        retry_after=error.retry_after if isinstance(error, Throttled) else 0,
    )


def error_of(failure: Failure) -> BrokerError:
    """The error that was sent; one of an unknown kind proves nothing."""
    if failure.kind == Rejected.__name__:
        return Rejected(failure.code, failure.text)
    if failure.kind == Throttled.__name__:
        return Throttled(failure.text, failure.retry_after)
    return _KINDS.get(failure.kind, Ambiguous)(failure.text)
