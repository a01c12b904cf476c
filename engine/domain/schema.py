"""The version of every event type, and how an older one becomes the newest (DESIGN, Journal).

A row of the journal keeps the version its event had when it was written. `UPCASTS` brings the data
of one version to the next; what the data does not say comes from the `Context`.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from engine.domain.events import (
    EVENT_TYPES,
    AccountSynced,
    Alarmed,
    EngineStarted,
    Event,
    HaltCleared,
    Halted,
    OrderFilled,
    PositionClosed,
)
from engine.domain.instant import Nanos, clipped, time_fault
from engine.domain.money import number_fault
from engine.domain.position import RoundTrip
from engine.domain.run import Flatten, Halt, Level, Severity, Trigger

Data = dict[str, Any]


class Context(msgspec.Struct, frozen=True):
    """What is known where an old event stands in the journal."""

    account: str
    """The account of the last `EngineStarted`, by its name under `[brokers]`."""


Upcast = Callable[[Data, Context], Data]
"""Takes the data of one version and returns that of the next; it may change what it is given."""


class UnknownEventError(Exception):
    """The journal holds an event this program does not know: it was written by a newer one."""


class UpcastError(Exception):
    """An event of an older program cannot be brought to the newest version."""


# --- from 1 to 2: the account is told, and terms stand in for the working structs -----------------


def _with_account(data: Data, context: Context) -> Data:
    data["account"] = data.pop("broker", None) or context.account
    return data


def _started(data: Data, context: Context) -> Data:
    name = data.pop("broker")
    # It did not say in what it counted, nor whose day it kept.
    unknown = {"base_currency": "", "calendar": ""}
    return data | {"accounts": {name: data.pop("account_id")}, "primary": name} | unknown


def _synced(data: Data, context: Context) -> Data:
    data["balances"] = data.pop("account")
    return _with_account(data, context)


def _terms_of(order: Data) -> Data:
    """The terms of an order as 0.1.0 wrote it; what is left over is what became of it."""
    order["account"] = order.pop("broker")
    return order


def _intended(data: Data, context: Context) -> Data:
    return {"terms": _terms_of(data["order"])}


def _adopted(data: Data, context: Context) -> Data:
    order: Data = data["order"]
    state = {
        "status": order["status"],
        "venue_order_id": order["venue_order_id"],
        "filled": order["filled"],
        "notional": order["notional"],
        "listed": bool(order["accepted_at"]),
    }
    return {"terms": _terms_of(order), "state": state}


def _lettered(data: Data, context: Context) -> Data:
    return {
        "letter_id": data["letter_id"],
        "terms": _terms_of(data["order"]),
        "error": data["error"],
    }


def _planned(data: Data, context: Context) -> Data:
    plan: Data = data.pop("plan")
    plan["measured"], plan["limit"] = data.pop("measured"), data.pop("limit")
    data["decision"] = plan
    return _with_account(data, context)


def _reconciled(data: Data, context: Context) -> Data:
    for difference in data["differences"]:
        # What is held was a number, and an order that nobody gave an id was none.
        if difference.get("client_order_id") or not _NUMBER.fullmatch(difference["venue"] or "0"):
            difference["about"] = "order"
    return _with_account(data, context)


def _closed(data: Data, context: Context) -> Data:
    trade: Data = data["trade"]
    trade["account"] = trade.pop("broker")
    return data | {"account": trade["account"]}


def _filled(data: Data, context: Context) -> Data:
    fill: Data = data["fill"]
    fill["account"] = fill.pop("broker")
    return data | {"account": fill["account"]}


_NUMBER: Final = re.compile(r"-?[0-9.]+")

_TOLD: Final = (
    "OrderRefused",
    "OrderSent",
    "OrderAccepted",
    "OrderRejected",
    "OrderUnclear",
    "OrderQueried",
    "CancelRequested",
    "CancelRefused",
    "OrderCanceled",
    "OrderExpired",
    "ReplaceRequested",
    "OrderReplaced",
    "OrderSettled",
    "DeadLetterClosed",
    "ExitAbandoned",
    "StopRemoved",
    "SnapshotRequested",
    "PositionAdjusted",
    "SymbolBlocked",
    "SymbolUnblocked",
    "KillProgressed",
    "KillProved",
    "LinkChanged",
)
"""Types that gained the account and changed nothing else."""

UPCASTS: Final[Mapping[tuple[str, int], Upcast]] = {
    **{(name, 1): _with_account for name in _TOLD},
    ("EngineStarted", 1): _started,
    ("AccountSynced", 1): _synced,
    ("OrderIntended", 1): _intended,
    ("OrderAdopted", 1): _adopted,
    ("OrderFilled", 1): _filled,
    ("DeadLettered", 1): _lettered,
    ("ExitPlanned", 1): _planned,
    ("Reconciled", 1): _reconciled,
    ("PositionClosed", 1): _closed,
}
"""From (type, version) to the next version of that type."""

VERSIONS: Final[Mapping[str, int]] = {
    name: 1 + sum(1 for of, _ in UPCASTS if of == name) for name in EVENT_TYPES
}
"""The version in which each type is written; every older one has its upcast."""


# --- reading and writing --------------------------------------------------------------------------

_ENCODER: Final = msgspec.json.Encoder(order="deterministic")
_DECODERS: Final = {name: msgspec.json.Decoder(cls) for name, cls in EVENT_TYPES.items()}


def encode(event: Event) -> bytes:
    """The event's data as JSON, the same bytes on every machine and Python version."""
    return _ENCODER.encode(event)


def account_of(event: Event) -> str:
    """The account that an event is about, by its name under `[brokers]`; "" for the portfolio."""
    account: str = getattr(event, "account", "")
    return account


def decode(kind: str, data: str | bytes) -> Event:
    """The event of type `kind` from data of its newest version.

    Raises UnknownEventError for a type that is not known here.
    """
    return Decoder().decode(kind, VERSIONS.get(kind, 1), data)


class Decoder:
    """Reads the events of a journal in their order; it remembers what old ones do not say."""

    def __init__(self, account: str = "") -> None:
        """`account` is that of the last `EngineStarted` before the first event that is read."""
        self._context = Context(account)
        self._halted = False
        self._epoch = 0

    @property
    def account(self) -> str:
        """The account of the last `EngineStarted` that was read."""
        return self._context.account

    def decode(self, kind: str, version: int, data: str | bytes, at: Nanos = 0) -> Event:
        """The event of a row's type, version and data, which was recorded at `at`.

        In the place of an event with a number that can be none, as 0.1.0 took them over, stands a
        halt: every sum that it went into would be lost (U-53).

        Raises UnknownEventError for a type or a version of a newer program, and UpcastError for
        data of an older one that cannot be brought up.
        """
        decoder = _DECODERS.get(kind)
        if decoder is None:
            raise UnknownEventError(
                f"the journal holds an event of type {kind}, which is not known here: "
                "it was written by a newer program"
            )
        newest = VERSIONS[kind]
        if version > newest:
            raise UnknownEventError(
                f"the journal holds a {kind} of version {version} and this program knows up to "
                f"{newest}: it was written by a newer program"
            )
        event: Event
        if version == newest:
            event = decoder.decode(data)
        else:
            event = _upcast(kind, version, data, self._context)
        if isinstance(event, EngineStarted):
            self._context = Context(event.primary)
        if _MAY_BE_NONE.search(data if isinstance(data, str) else data.decode()) is not None:
            event = self._believed(kind, event, at)
        if isinstance(event, Halted):
            self._halted, self._epoch = True, event.halt.epoch
        elif isinstance(event, HaltCleared):
            self._halted = False
        return _dated(event)

    def _believed(self, kind: str, event: Event, at: Nanos) -> Event:
        """The event, or what stands in its place where it holds a number that can be none."""
        fault = _number_in(event)
        if not fault:
            return event
        text = f"the journal holds a {kind} with a number that is none ({fault}): it is left out"
        if self._halted:
            return Alarmed(code="BAD_EVENT", severity=Severity.CRITICAL, subject=kind, text=text)
        halt = Halt(
            reason=text,
            at=at,
            by="journal",
            level=Level.HALT,
            trigger=Trigger.JOURNAL,
            flatten=Flatten.NONE,
            epoch=self._epoch + 1,
        )
        return Halted(halt=halt)


_MAY_BE_NONE: Final = re.compile("NaN|Infinity|[0-9]E[+][0-9]")
"""What a number that can be none looks like in JSON; a text may look like it too."""


def _number_in(value: object) -> str:
    """The first number in an event that can be none, and what is allowed; "" for none."""
    if isinstance(value, Decimal):
        return number_fault(value)
    parts: Iterable[object] = ()
    if isinstance(value, msgspec.Struct):
        parts = (getattr(value, name) for name in value.__struct_fields__)
    elif isinstance(value, dict):
        parts = value.values()
    elif isinstance(value, tuple | list):
        parts = value
    return next(filter(None, map(_number_in, parts)), "")


def _dated(event: Event) -> Event:
    """The event with times that are in range.

    A venue's own was once taken over as it was told; today it is checked before (`answers`).
    """
    match event:
        case OrderFilled() if time_fault(event.fill.time):
            return replace(event, fill=replace(event.fill, time=0))
        case AccountSynced() if time_fault(event.balances.as_of):
            as_of = clipped(event.balances.as_of)
            return replace(event, balances=replace(event.balances, as_of=as_of))
        case PositionClosed() if _is_undated(event.trade):
            legs = tuple(replace(leg, time=clipped(leg.time)) for leg in event.trade.legs)
            entry, exit_ = clipped(event.trade.entry_time), clipped(event.trade.exit_time)
            trade = replace(event.trade, entry_time=entry, exit_time=exit_, legs=legs)
            return replace(event, trade=trade)
    return event


def _is_undated(trade: RoundTrip) -> bool:
    return any(map(time_fault, (trade.entry_time, trade.exit_time, *(x.time for x in trade.legs))))


def _upcast(kind: str, version: int, data: str | bytes, context: Context) -> Event:
    try:
        plain: Data = msgspec.json.decode(data)
        for older in range(version, VERSIONS[kind]):
            plain = UPCASTS[kind, older](plain, context)
        return _DECODERS[kind].decode(msgspec.json.encode(plain))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise UpcastError(
            f"a {kind} of version {version} cannot be read by this program: "
            f"{type(error).__name__} {error}"
        ) from error
