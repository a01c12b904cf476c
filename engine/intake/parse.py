"""From a line of JSONL, or a mapping, to a signal: shape and range (INTERFACE `signal`).

What cannot be read becomes an `InvalidArrived` with one sentence naming the field, its value and
what is allowed; it is recorded, and the rest goes on. The gate never sees it.
"""

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NoReturn, TypeVar

from engine.config.kinds import as_decimal, within
from engine.domain.inputs import InvalidArrived
from engine.domain.instant import Nanos, parse_rfc3339
from engine.domain.instrument import SYMBOL_WORDS, symbol_fault
from engine.domain.signal import Direction, Signal, Timeframe
from engine.domain.text import UNSAFE, clean_text

E = TypeVar("E", bound=StrEnum)

MAX_LINE: Final = 65_536
"""Bytes of one line."""

MAX_ID: Final = 50
"""Characters of an id, a type or a source."""

MAX_DIGITS: Final = 40
"""Of a whole number."""

MAX_DEPTH: Final = 8
"""Levels of nesting in what is free in shape."""

MAX_FREE: Final = 8_192
"""Characters of `metadata`, and of `cloud_states`, as JSON."""


class SignalType(StrEnum):
    """The types with a meaning here (A-026); any other text is taken and carried along."""

    CLOUD_CROSS_BULLISH = "cloud_cross_bullish"
    CLOUD_CROSS_BEARISH = "cloud_cross_bearish"
    CLOUD_FLIP_BULLISH = "cloud_flip_bullish"
    CLOUD_FLIP_BEARISH = "cloud_flip_bearish"
    CLOUD_BOUNCE_LONG = "cloud_bounce_long"
    CLOUD_BOUNCE_SHORT = "cloud_bounce_short"
    TREND_ALIGNED_LONG = "trend_aligned_long"
    TREND_ALIGNED_SHORT = "trend_aligned_short"
    MOMENTUM_EXHAUSTION = "momentum_exhaustion"
    MTF_CONFLUENCE = "mtf_confluence"
    CANDLESTICK_BULLISH = "candlestick_bullish"
    CANDLESTICK_BEARISH = "candlestick_bearish"


REQUIRED: Final = (
    "signal_id",
    "signal_type",
    "direction",
    "ticker",
    "timeframe",
    "conviction",
    "entry_price",
    "timestamp",
)
OPTIONAL: Final = ("stop_loss", "target_price", "source", "cloud_states", "metadata")
KNOWN: Final = frozenset(REQUIRED + OPTIONAL)

OTHER_SHAPES: Final = {
    "action": "an execution decision",
    "allocation": "a portfolio step",
}
"""Shapes that are told apart by a key and come later (C-600, M-50)."""


class _RefusedError(ValueError):
    """One sentence on why it cannot be read."""


def parse_line(line: str | bytes, *, source: str, number: int = 0) -> Signal | InvalidArrived:
    """The signal of one line. `source` and `number` say where it stood, for the record."""
    try:
        data = _decode(line)
    except _RefusedError as error:
        return _invalid(source, number, "", str(error))
    return parse_signal(data, source=source, number=number)


def parse_signal(data: object, *, source: str, number: int = 0) -> Signal | InvalidArrived:
    """The signal that a mapping stands for; numbers may be text, int, Decimal or float."""
    try:
        if not isinstance(data, Mapping):
            raise _RefusedError(
                f"{_shown(data)} is no signal: an object with named fields is allowed."
            )
        return _signal(data)
    except ValueError as error:
        named = data.get("signal_id") if isinstance(data, Mapping) else ""
        return _invalid(source, number, named if isinstance(named, str) else "", str(error))


def _invalid(source: str, number: int, name: str, reason: str) -> InvalidArrived:
    where = f"{source} line {number}" if number else ""
    between = " " if reason.startswith("column ") else ": "
    return InvalidArrived(
        source=clean_text(source),
        input_id=clean_text(name, MAX_ID),
        reason=clean_text(f"{where}{between}{reason}" if where else reason),
        line=number,
    )


# --- JSON -----------------------------------------------------------------------------------------


def _decode(line: str | bytes) -> object:
    size = len(line) if isinstance(line, bytes) else len(line.encode("utf-8", "surrogatepass"))
    if size > MAX_LINE:
        raise _RefusedError(f"the line has {size} bytes; {MAX_LINE} are allowed.")
    try:
        text = line.decode("utf-8") if isinstance(line, bytes) else line
    except UnicodeDecodeError as error:
        column = len(error.object[: error.start].decode("utf-8", "replace")) + 1
        byte = error.object[error.start]
        raise _RefusedError(f"column {column}: the byte 0x{byte:02x} is not UTF-8.") from error
    if not text.strip():
        raise _RefusedError("the line is empty; one JSON object a line is allowed.")
    try:
        return json.loads(
            text,
            parse_float=Decimal,
            parse_int=_integer,
            parse_constant=_constant,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise _RefusedError(f"column {error.colno}: the line is no JSON: {error.msg}.") from error
    except RecursionError as error:
        raise _RefusedError("the line is nested too deeply to be read.") from error
    except ArithmeticError as error:
        raise _RefusedError("the line holds a number that cannot be read.") from error


def _constant(name: str) -> NoReturn:
    raise _RefusedError(f"{name} is no number; finite numbers are allowed.")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _RefusedError(f"a number has {len(digits)} digits; {MAX_DIGITS} are allowed.")
    return int(digits)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, value in pairs:
        if key in data:
            raise _RefusedError(f"{clean_text(key, MAX_ID)!r} is there twice; once is allowed.")
        data[key] = value
    return data


# --- fields ---------------------------------------------------------------------------------------


def _signal(data: Mapping[Any, Any]) -> Signal:
    for key, shape in OTHER_SHAPES.items():
        if key in data:
            raise _RefusedError(f"this is {shape} (it has {key!r}), which is not built yet.")
    unknown = [key for key in data if key not in KNOWN]
    if unknown:
        raise _RefusedError(
            f"{_shown(unknown[0])} is no field of a signal; {', '.join(REQUIRED + OPTIONAL)} are."
        )
    missing = [name for name in REQUIRED if name not in data]
    if missing:
        raise _RefusedError(f"{missing[0]} is missing.")
    direction = _member(data, "direction", Direction)
    entry = _price(data, "entry_price")
    if direction is Direction.FLAT and data.get("stop_loss") is None:
        stop = entry
    elif "stop_loss" not in data:
        raise _RefusedError(f"stop_loss is missing: a {direction} signal needs one.")
    else:
        stop = _price(data, "stop_loss")
    target = None if data.get("target_price") is None else _price(data, "target_price")
    return Signal(
        signal_id=_id(data, "signal_id"),
        signal_type=_id(data, "signal_type"),
        direction=direction,
        ticker=_ticker(data),
        timeframe=_member(data, "timeframe", Timeframe),
        conviction=_conviction(data),
        entry_price=entry,
        stop_loss=stop,
        target_price=target,
        timestamp=_time(data),
        source=_source(data),
        cloud_states=tuple(_free(data, "cloud_states", list)),
        metadata=dict(_free(data, "metadata", dict)),
    )


def _refuse(name: str, value: object, allowed: str) -> NoReturn:
    raise _RefusedError(f"{name} is {_shown(value)}; {allowed} is allowed.")


def _shown(value: object) -> str:
    """A value as one short piece of a sentence, as JSON writes it."""
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, Decimal | int | float):
        return clean_text(str(value), 60)
    return clean_text(repr(value), 60)


def _id(data: Mapping[Any, Any], name: str) -> str:
    value = data[name]
    allowed = f"a text of 1 to {MAX_ID} visible characters"
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= len(value) <= MAX_ID:
        _refuse(name, value, allowed)
    # An id that was changed would be another id.
    if UNSAFE.search(value):
        _refuse(name, value, allowed)
    return value


def _ticker(data: Mapping[Any, Any]) -> str:
    value = data["ticker"]
    if not isinstance(value, str):
        _refuse("ticker", value, f"a symbol of {SYMBOL_WORDS},")
    if fault := symbol_fault(value):
        raise _RefusedError(f"ticker is refused: {fault}.")
    return value


def _source(data: Mapping[Any, Any]) -> str:
    value = data.get("source")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_ID:
        _refuse("source", value, f"a text of at most {MAX_ID} characters")
    return clean_text(value)


def _member(data: Mapping[Any, Any], name: str, kind: type[E]) -> E:
    value = data[name]
    try:
        return kind(value)
    except ValueError:
        _refuse(name, value, f"one of {', '.join(kind)}")


def _price(data: Mapping[Any, Any], name: str) -> Decimal:
    value = data[name]
    price = as_decimal(value)
    if price is None or price <= 0:
        _refuse(name, value, within("a finite number above 0", value))
    return price


def _conviction(data: Mapping[Any, Any]) -> int:
    value = data["conviction"]
    number = None if isinstance(value, str) else as_decimal(value)
    if number is None or number != number.to_integral_value() or not 0 <= number <= 100:
        _refuse("conviction", value, "a whole number from 0 to 100")
    return int(number)


def _time(data: Mapping[Any, Any]) -> Nanos:
    value = data["timestamp"]
    if not isinstance(value, str):
        _refuse("timestamp", value, "an RFC 3339 time such as 2013-10-07T14:00:00Z")
    try:
        return parse_rfc3339(value)
    except ValueError as error:
        raise _RefusedError(f"timestamp: {error}.") from error


def _free(data: Mapping[Any, Any], name: str, kind: type) -> Any:
    """A field of any shape, limited in size, its texts made safe."""
    value = data.get(name)
    if value is None:
        return kind()
    if kind is list and isinstance(value, tuple):
        value = list(value)
    if not isinstance(value, kind):
        _refuse(name, value, "an object" if kind is dict else "a list")
    plain = _plain(name, value, MAX_DEPTH)
    if len(json.dumps(plain)) > MAX_FREE:
        raise _RefusedError(
            f"{name} is longer than {MAX_FREE} characters as JSON, which is allowed."
        )
    return plain


def _plain(name: str, value: object, depth: int) -> Any:
    """Plain data that the journal gives back unchanged."""
    if depth < 0:
        raise _RefusedError(f"{name} is nested deeper than {MAX_DEPTH} levels, which are allowed.")
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int) and abs(value) < 2**63:
        return value
    if isinstance(value, Decimal | float | int):
        number = float(value)
        if not math.isfinite(number):
            _refuse(name, value, "a finite number")
        return number
    if isinstance(value, Mapping):
        return {
            clean_text(str(key), MAX_ID): _plain(name, item, depth - 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_plain(name, item, depth - 1) for item in value]
    _refuse(name, value, "plain data")
