"""What the commands take: their arguments with types, defaults and help (INTERFACE).

Each is named as the control socket names it. Prices and quantities are Decimal.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from console.commands.model import Args, given


@dataclass(frozen=True, kw_only=True, slots=True)
class NoArgs(Args):
    """Nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class KillArgs(Args):
    """`kill`; without `flatten`, the config's."""

    reason: str = field(default="operator", metadata=given("Why; it is journalled."))
    flatten: Literal["none", "day", "all"] | None = field(
        default=None, metadata=given("none, day or all; default: kill.flatten.")
    )
    wait: bool = True
    """Answer once it is proved, not as soon as the loop follows."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResumeArgs(Args):
    """`resume`."""

    confirm: str = field(
        default="", metadata=given("RESUME on paper; live: RESUME and 4 digits of the account.")
    )
    rebase: bool = field(
        default=False,
        metadata=given("Accept the drawdown: the limit counts from today; confirm ends in REBASE."),
    )
    epoch: int | None = field(
        default=None,
        metadata=given("The halt to clear, as status tells its epoch; default: what stands now."),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalArgs(Args):
    """`signal`: one line as it was written, or an object; a file of them on the command line."""

    signal: str | dict[str, Any] = field(
        metadata=given("A JSONL file, or - for standard input.", metavar="file", positional=True)
    )
    source: str = "control"
    line: int = 0
    base64: bytes | None = None
    """The bytes of the line, in place of `signal`, where they are not UTF-8: base64 on the socket.
    The reader of lines says which byte is none."""


LINE: Final = frozenset({"signal", "base64"})
"""Arguments that are handed on as they are written: the parser of lines cleans what it keeps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderArgs(Args):
    """`order`."""

    side: Literal["buy", "sell"] = field(metadata=given("buy or sell.", positional=True))
    symbol: str = field(metadata=given(positional=True))
    quantity: Decimal = field(metadata=given(metavar="QTY", positional=True))
    limit: Decimal | None = field(default=None, metadata=given("Limit price."))
    stop: Decimal | None = field(
        default=None, metadata=given("Stop price: a STOP, or a STOP_LIMIT.")
    )
    protect: Decimal | None = field(default=None, metadata=given("Rest a protective stop here."))
    target: Decimal | None = field(
        default=None, metadata=given("Close what it opens at this price.")
    )
    managed: bool = field(
        default=False, metadata=given("Manage what it opens as what signals open is managed.")
    )
    hold: Literal["day", "swing"] = field(
        default="day",
        metadata=given("day or swing; what is added to a position is held as that is."),
    )
    tif: Literal["day", "gtc", "ioc", "fok"] | None = field(
        default=None, metadata=given("day, gtc, ioc or fok.")
    )
    broker: str = field(default="", metadata=given("A name under [brokers]."))
    id: str = field(
        default="",
        metadata=given("An id of your own: the second of one id gets the first one's answer."),
    )
    intent_id: str = ""
    """The same as `id`, by the name that events have for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CancelArgs(Args):
    """`cancel`."""

    id: str | None = field(default=None, metadata=given(metavar="ID", positional=True))
    all: bool = field(default=False, metadata=given("All but protective stops."))
    confirm: str = field(default="", metadata=given("UNPROTECT, for a protective stop."))
    broker: str = field(default="", metadata=given("With --all: in one account only."))


@dataclass(frozen=True, kw_only=True, slots=True)
class ModifyArgs(Args):
    """`modify`; what is not given stays as it is."""

    id: str = field(metadata=given(metavar="ID", positional=True))
    quantity: Decimal | None = field(
        default=None, metadata=given("The new total; what has filled already, or less, cancels.")
    )
    limit: Decimal | None = field(default=None, metadata=given("Limit price."))
    stop: Decimal | None = field(default=None, metadata=given("Stop price."))
    tif: Literal["day", "gtc", "ioc", "fok"] | None = field(
        default=None, metadata=given("day, gtc, ioc or fok.")
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolveArgs(Args):
    """`resolve`; `filled` needs both numbers."""

    id: str = field(metadata=given(metavar="ID", positional=True))
    decision: Literal["filled", "canceled", "venue"] = field(
        metadata=given("filled, canceled, or venue for what the venue says.", positional=True)
    )
    quantity: Decimal | None = field(
        default=None, metadata=given("All that filled of the order, what is known included.")
    )
    price: Decimal | None = field(default=None, metadata=given("The mean price of that."))
    confirm: str = field(default="", metadata=given("RESOLVE."))


@dataclass(frozen=True, kw_only=True, slots=True)
class ProtectArgs(Args):
    """`protect`."""

    symbol: str = field(metadata=given(positional=True))
    price: str = field(metadata=given("A price, or none.", positional=True))
    confirm: str = field(default="", metadata=given("UNPROTECT, for none."))
    broker: str = field(default="", metadata=given("Which account, where two hold it."))


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetArgs(Args):
    """`target`."""

    symbol: str = field(metadata=given(positional=True))
    price: str = field(metadata=given("A price, or none.", positional=True))
    broker: str = field(default="", metadata=given("Which account, where two hold it."))


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseArgs(Args):
    """`close`."""

    symbol: str | None = field(default=None, metadata=given(positional=True))
    all: bool = field(default=False, metadata=given("Every position."))
    broker: str = field(default="", metadata=given("In one account only."))
    quantity: Decimal | None = field(default=None, metadata=given("So much of it; else all."))
    id: str = field(
        default="",
        metadata=given("An id of your own: the second of one id gets the first one's answer."),
    )
    intent_id: str = ""
    """The same as `id`, by the name that events have for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReconcileArgs(Args):
    """`reconcile`."""

    apply: bool = field(default=False, metadata=given("Take over what is proposed."))
    broker: str = field(default="", metadata=given("One account only."))


@dataclass(frozen=True, kw_only=True, slots=True)
class LetterArgs(Args):
    """`dead-letters`."""

    action: Literal["list", "retry", "drop"] = "list"
    id: str = field(default="", metadata=given(metavar="ID", positional=True, needed=True))
