"""The library's decoder, made exact: numbers from the text, no message lost (DESIGN rule 4).

The library turns every number into a float and logs what it cannot decode. Here a number stays what
the text says, a time of a zone that is unknown never loses its execution, and whatever cannot be
decoded is told, so that the connection ends and everything is asked again.
"""

import dataclasses
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from brokers.ibkr._lib import lib
from brokers.net.numbers import NAN, number
from engine.domain.instant import Nanos

UNSET: Final = Decimal("1e300")
"""What is this large stands for a number that is not there (1.7976931348623157E308)."""

HEARD: Final = frozenset(
    {1, 2, 3, 4, 5, 9, 10, 11, 15, 17, 46, 49, 52, 53, 55, 58, 59, 61, 62, 63, 64, 93, 101, 102}
)
"""The messages that are decoded; whatever else comes was not asked for and means nothing here."""

MOST_DIGITS: Final = 18
"""A whole number of no more digits is read as one; nearly every field is."""

SIDES: Final = frozenset({"BOT", "SLD"})
"""What an execution did."""

_MEANT: Final[dict[str, frozenset[str]]] = {
    "Order": frozenset(
        {
            "orderId", "clientId", "permId", "totalQuantity", "lmtPrice", "auxPrice", "whatIf",
            "filledQuantity",
        }
    ),
    "OrderState": frozenset(),
    "Contract": frozenset({"conId", "strike"}),
}  # fmt: skip
"""The fields that are read of what is listed by the hundred; of anything else all are."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def stated(value: Any) -> Decimal | None:
    """A number of a decoded message; None where it stands for none, as an unset price does."""
    if isinstance(value, float):  # the library's own default: nothing was written
        return None
    found = number(value)
    return None if found.is_finite() and abs(found) >= UNSET else found


def price_of(value: Any) -> Decimal | None:
    """As `stated`; None also for 0, which is written for a price that an order does not have."""
    found = stated(value)
    return None if found == 0 else found


def at_most(number: Decimal, limit: Decimal) -> bool:
    """Whether both are numbers, and the first is no more than the second."""
    return number.is_finite() and limit.is_finite() and number <= limit


@lru_cache(maxsize=256)
def time_of(text: str) -> Nanos:
    """Nanoseconds UTC of `20260302 10:00:00 US/Eastern`, or of `20260302-15:00:00`, which is UTC.

    0 where it is none of these, or its zone is not known: the execution happened all the same.
    Times of whole seconds are told again and again where many executions come together.
    """
    date, zone = text.strip(), "UTC"
    parts = date.split()
    if len(parts) >= 2:
        date, zone = f"{parts[0]}-{parts[1]}", parts[2] if len(parts) > 2 else ""
    if not zone:
        return 0  # of which place, nobody says
    try:
        local = datetime.strptime(date, "%Y%m%d-%H:%M:%S").replace(tzinfo=ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return 0
    return (local - _EPOCH) // timedelta(seconds=1) * 1_000_000_000


@dataclasses.dataclass
class Execution:
    """One execution as it was told; `request` is -1 where it came by itself."""

    request: int
    contract: Any
    id: str
    order_id: int
    client_id: int
    perm_id: int
    ref: str
    account: str
    bought: bool
    quantity: Decimal
    price: Decimal
    total: Decimal | None
    """All of the order that has filled by then."""
    time: Nanos


class Codec(lib.decoder.Decoder):  # type: ignore[misc]  # the library is loaded by name
    """Decodes for a session, whose methods have the names of the protocol."""

    def __init__(self, session: Any, broken: Callable[[str], None]) -> None:
        """`broken` is told of a message that cannot be decoded, or not be taken."""
        super().__init__(session, 0)
        self._broken = broken
        self.heard = 0
        """So many messages have come."""
        self.handlers |= {
            1: self._tick_price,
            11: self._execution,
            17: self._history,
            59: self._commission,
            61: self._position,
            93: self._market_rule,
        }

    def interpret(self, fields: list[str]) -> None:
        """Take one message. Nothing that goes wrong in it is lost."""
        self.heard += 1
        try:
            kind = int(fields[0])
            if kind in HEARD:
                self.handlers[kind](fields)
        except Exception as error:
            what = fields[0] if fields else ""
            self._broken(f"message {what!r} cannot be taken: {type(error).__name__}: {error}")

    def parse(self, obj: Any) -> None:
        """The fields of a message by the types of their defaults; numbers stay exact.

        A field that cannot be read is NaN where it is a number, else what it is by default: no row
        is dropped for one field. Of an order and its contract only those are read that mean
        something here: all of them together would hold up the loop where many orders are listed.
        """
        whole: Any = type(obj)
        for name, kind, default in _fields(whole):
            told = getattr(obj, name)
            if isinstance(told, str):
                setattr(obj, name, _read(kind, told, default))

    def wrap(
        self, method: str, types: Sequence[type], skip: int = 2
    ) -> Callable[[list[str]], None]:
        """A handler that calls a method of the session with the fields of a message."""

        def handler(fields: list[str]) -> None:
            call = getattr(self.wrapper, method, None)
            if call is None:
                return
            call(*(_read(kind, told, kind()) for kind, told in zip(types, fields[skip:])))  # noqa: B905  # newer versions tell more

        return handler

    # --- messages that the library decodes to floats, or drops

    def _tick_price(self, fields: list[str]) -> None:
        _, _, request, kind, price, size, *_ = fields
        sized = number(size) if size else UNSET
        self.wrapper.tickPrice(int(request), int(kind), number(price), sized)

    def _execution(self, fields: list[str]) -> None:
        _, request, order_id, *rest = fields
        contract, rest = _contract(rest, last=("exchange", "currency"))
        (
            execution_id, time, account, _exchange, side, shares, price, perm_id, client_id,
            _liquidation, total, _average, ref, *_more,
        ) = rest  # fmt: skip
        self.parse(contract)
        self.wrapper.execDetails(
            Execution(
                request=int(request),
                contract=contract,
                id=execution_id,
                order_id=_read(int, order_id, 0),
                client_id=_read(int, client_id, 0),
                perm_id=_read(int, perm_id, 0),
                ref=ref,
                account=account,
                bought=side == "BOT",
                # Of another side nobody knows what it did: it is put aside with its symbol.
                quantity=number(shares) if side in SIDES else NAN,
                price=number(price),
                total=stated(total) if total else None,
                time=time_of(time),
            )
        )

    def _commission(self, fields: list[str]) -> None:
        _, _, execution_id, commission, currency, *_ = fields
        fee = stated(number(commission)) if commission else None
        if fee is not None:  # else it is not known yet
            self.wrapper.commissionReport(execution_id, fee, currency)

    def _position(self, fields: list[str]) -> None:
        _, _, account, *rest = fields
        contract, rest = _contract(rest, last=("exchange", "currency"))
        self.parse(contract)
        self.wrapper.position(account, contract, number(rest[0]), number(rest[1] or "0"))

    def _market_rule(self, fields: list[str]) -> None:
        _, rule, count, *rest = fields
        pairs = rest[: int(count) * 2]
        bands = [(number(low), number(step)) for low, step in zip(pairs[::2], pairs[1::2])]  # noqa: B905  # pairs
        self.wrapper.marketRule(int(rule), bands)

    def _history(self, fields: list[str]) -> None:
        _, request, _start, _end, count, *rest = fields
        for n in range(int(count)):
            self.wrapper.historicalData(int(request), rest[n * 8 : n * 8 + 6])
        self.wrapper.historicalDataEnd(int(request))


@cache
def _fields(kind: type) -> tuple[tuple[str, type, Any], ...]:
    """The fields of a message that are no text: name, kind of value, default."""
    meant = _MEANT.get(kind.__name__)
    return tuple(
        (field.name, type(field.default), field.default)
        for field in dataclasses.fields(kind)
        if type(field.default) is not str and (meant is None or field.name in meant)
    )


def _contract(fields: list[str], last: tuple[str, ...]) -> tuple[Any, list[str]]:
    """The contract that these fields begin with, and the fields after it."""
    contract = lib.Contract()
    names = (
        "conId", "symbol", "secType", "lastTradeDateOrContractMonth", "strike", "right",
        "multiplier", *last, "localSymbol", "tradingClass",
    )  # fmt: skip
    for name, told in zip(names, fields, strict=False):
        setattr(contract, name, told)
    return contract, fields[len(names) :]


def _read(kind: type, told: str, default: Any) -> Any:
    """A field as the kind of value it is; `default` for none, and for what cannot be read."""
    if kind is str:
        return told
    if kind is float:
        return number(told) if told else default
    if told.isdecimal() and told.isascii() and len(told) <= MOST_DIGITS:
        return bool(int(told)) if kind is bool else int(told)
    found = number(told) if told else NAN
    if not found.is_finite() or found != int(found):
        return default
    return bool(found) if kind is bool else int(found)
