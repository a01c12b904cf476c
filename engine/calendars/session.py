"""A session, and the span of time in which every answer of a calendar stays the same."""

import datetime
from typing import Protocol

import msgspec

from engine.domain.instant import Nanos


class Session(msgspec.Struct, frozen=True):
    """One trading session: its accounting day, open (inclusive) and close (exclusive) in UTC."""

    date: datetime.date
    open: Nanos
    close: Nanos


class Span(msgspec.Struct, frozen=True):
    """The time from `start` to before `end`, through which a calendar answers alike.

    `session` is None while closed, `next_open` None when no opening is known, and `covered` False
    outside the table.
    """

    start: Nanos
    end: Nanos
    date: datetime.date
    session: Session | None
    next_open: Nanos | None
    covered: bool


class Sessions(Protocol):
    """What a calendar is made of: the span that an instant lies in."""

    def span(self, now: Nanos) -> Span: ...

    def range_text(self) -> str:
        """The days this knows, in words."""
        ...
