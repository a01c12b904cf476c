"""How each event changes the book (DESIGN, Journal: one fold).

Replaying the journal through `apply` rebuilds the state bit for bit, so the start-up path is the
recovery path (DESIGN, The one idea). The rules are in `engine.state.folds`, by subject.
"""

from engine.domain import events as ev
from engine.state.book import Book
from engine.state.day import MOVES_THE_DAY, so_far
from engine.state.folds import (
    fills,
    intents,
    money,
    orders,
    positions,
    process,
    replacing,
    shadow,
    signals,
    venue,
)
from engine.state.folds.rule import Rules
from engine.state.touched import DayTotals, Touched

RULES: Rules = {
    **process.RULES,
    **money.RULES,
    **signals.RULES,
    **intents.RULES,
    **orders.RULES,
    **replacing.RULES,
    **fills.RULES,
    **positions.RULES,
    **venue.RULES,
    **shadow.RULES,
}
"""The rule of every event that changes the book; the others are facts for readers alone."""


def apply(book: Book, record: ev.Record) -> list[Touched]:
    """Take one event into the state, and say which values it touched."""
    data = book.data
    data.seq, data.time = record.seq, record.time
    rule = RULES.get(type(record.event))
    if rule is None:
        return []
    rule(book, record.event, record.time)
    if data.keeps_day and type(record.event) in MOVES_THE_DAY:
        day = so_far(book)
        if day is not None:
            book.touch(DayTotals(event=day))
    return book.take_touched()
