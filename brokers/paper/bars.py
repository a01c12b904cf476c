"""Bars from a CSV file: the whole file is checked before anything trades (X-68, INTERFACE Files).

The columns are `time,symbol,open,high,low,close,volume,bid,bid_size,ask,ask_size`; `time` is the
bar's end in RFC 3339, the last five may be empty, rows are sorted by time. Reading is streaming:
memory does not grow with the file.
"""

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import Final

import msgspec

from engine.domain.instant import NS_PER_SECOND, Nanos, parse_rfc3339, rfc3339
from engine.domain.instrument import symbol_of
from engine.domain.market import Bar
from engine.domain.money import is_positive
from engine.domain.text import clean_text
from engine.reference.textfile import BadFile, read_lines, rows

COLUMNS: Final = (
    *("time", "symbol", "open", "high", "low", "close"),
    *("volume", "bid", "bid_size", "ask", "ask_size"),
)
DEFAULT_SECONDS: Final = 60
"""The length of a bar where the file has only one time."""

_LARGEST: Final = Decimal("1e15")
_FINEST: Final = -40
_PLAIN: Final = 15
"""A text of digits and one point that is no longer than this lies within both bounds."""


class BarFile(msgspec.Struct, frozen=True, kw_only=True):
    """A checked file of bars."""

    path: Path
    bars: int
    symbols: tuple[str, ...]
    """In the order of their first bar."""
    seconds: int
    """Length of a bar: the smallest step between two times of the file."""
    first: Nanos
    """End of the first bar."""
    last: Nanos
    """End of the last bar."""

    @property
    def start(self) -> Nanos:
        """When the first bar began."""
        return self.first - self.seconds * NS_PER_SECOND


def check_bars(path: Path, *, not_after: Nanos | None = None) -> BarFile:
    """Read the whole file and say what it holds.

    Raises BadFile for the first line that is wrong: its form, a number that is not finite and
    positive, a high or low that does not enclose the bar, a bid above its ask, a time that goes
    back, a symbol twice at one time, or a bar that ends after `not_after`.
    """
    symbols: dict[str, None] = {}
    count, first, last = 0, 0, 0
    step: Nanos | None = None
    for line, bar in _rows(path, DEFAULT_SECONDS):
        if not_after is not None and bar.time > not_after:
            raise BadFile(
                f"{path} line {line}: the bar ends at {rfc3339(bar.time)}, which is in the future"
            )
        if not count:
            first = bar.time
        elif bar.time > last:
            step = bar.time - last if step is None else min(step, bar.time - last)
        last = bar.time
        count += 1
        symbols.setdefault(bar.symbol)
    if not count:
        raise BadFile(f"{path}: the file holds no bars")
    if step is not None and step % NS_PER_SECOND:
        raise BadFile(f"{path}: bars of {step} ns: whole seconds are allowed")
    return BarFile(
        path=path,
        bars=count,
        symbols=tuple(symbols),
        seconds=DEFAULT_SECONDS if step is None else step // NS_PER_SECOND,
        first=first,
        last=last,
    )


def read_bars(file: BarFile) -> Iterator[Bar]:
    """The bars of a checked file, in order. Raises BadFile if it has changed since."""
    for _, bar in _rows(file.path, file.seconds):
        yield bar


def _rows(path: Path, seconds: int) -> Iterator[tuple[int, Bar]]:
    """Each bar with its line; raises BadFile."""
    found = rows(read_lines(path), str(path))
    line, header = next(found, (1, []))
    if tuple(header) != COLUMNS:
        raise BadFile(f"{path} line {line}: the header must be {','.join(COLUMNS)}")
    parse = _Parser(seconds)
    for line, row in found:
        try:
            yield line, parse.bar(row)
        except ValueError as error:
            raise BadFile(f"{path} line {line}: {error}") from error


class _Parser:
    """Rows to bars, and the rules between one row and the next."""

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._text = ""
        self._time: Nanos | None = None
        self._symbols: set[str] = set()
        self._known: set[str] = set()

    def bar(self, row: list[str]) -> Bar:
        """Raises ValueError with one sentence."""
        if len(row) != len(COLUMNS):
            raise ValueError(f"{len(COLUMNS)} fields are needed, {len(row)} are there")
        symbol = row[1]
        if symbol not in self._known:
            self._known.add(symbol_of(symbol))
        time = self._advance(row[0])
        if symbol in self._symbols:
            raise ValueError(f"{symbol} has a bar at {row[0]} already")
        self._symbols.add(symbol)
        opened, high = _number("open", row[2]), _number("high", row[3])
        low, close = _number("low", row[4]), _number("close", row[5])
        if not low <= min(opened, close) <= max(opened, close) <= high:
            raise ValueError(
                f"low {low} and high {high} do not enclose open {opened} and close {close}"
            )
        bid = _number("bid", row[7]) if row[7] else None
        ask = _number("ask", row[9]) if row[9] else None
        if bid is not None and ask is not None and bid > ask:
            raise ValueError(f"bid {bid} is above ask {ask}: a bid of at most the ask is needed")
        volume = _size("volume", row[6])
        bid_size, ask_size = _size("bid_size", row[8]), _size("ask_size", row[10])
        return Bar(
            symbol=symbol,
            time=time,
            seconds=self._seconds,
            open=opened,
            high=high,
            low=low,
            close=close,
            volume=volume,
            bid=bid,
            bid_size=bid_size,
            ask=ask,
            ask_size=ask_size,
        )

    def _advance(self, text: str) -> Nanos:
        if self._time is not None and text == self._text:
            return self._time
        time = parse_rfc3339(text)
        if self._time is not None and time < self._time:
            raise ValueError(
                f"time {text} is before {rfc3339(self._time)} of the line above: "
                "rows are sorted by time"
            )
        if time != self._time:
            self._symbols.clear()
        self._text, self._time = text, time
        return time


@lru_cache(maxsize=8_192)
def _plain(text: str) -> Decimal | None:
    """The number that few plain digits are; None where the text takes a closer look."""
    if len(text) <= _PLAIN and text.isascii() and text.replace(".", "", 1).isdigit():
        return Decimal(text)
    return None


def _decimal(name: str, text: str) -> Decimal:
    plain = _plain(text)
    if plain is not None:
        return plain
    try:
        if not text.isascii() or "_" in text or text != text.strip():
            raise InvalidOperation
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{name} is {clean_text(text, 32)!r}: a number is needed") from None
    exponent = value.as_tuple().exponent
    if not value.is_finite() or not isinstance(exponent, int):
        raise ValueError(f"{name} is {text}: a finite number is needed")
    if value >= _LARGEST or exponent < _FINEST:
        raise ValueError(
            f"{name} is {clean_text(text, 48)}: below 1e15, at most 40 digits after the point"
        )
    return value


def _number(name: str, text: str) -> Decimal:
    value = _decimal(name, text)
    if not is_positive(value):
        raise ValueError(f"{name} is {text}: a number above 0 is needed")
    return value


def _size(name: str, text: str) -> Decimal | None:
    """A quantity, None where it is not given."""
    if not text:
        return None
    value = _decimal(name, text)
    if value < 0:
        raise ValueError(f"{name} is {text}: a number of 0 or more is needed")
    return value
