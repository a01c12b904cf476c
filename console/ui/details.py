"""Everything known about one row, as lines: the "why" behind what a table shows in one."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from console.desk.port import Subject, View
from console.desk.values import SignalRow
from console.ui.lines import line_of
from console.ui.widgets.strips import clock_text
from console.ui.widgets.text_lines import TextLine
from engine.domain.codes import Answer
from engine.domain.events import CheckResult, Event, Record, SignalsRefused
from engine.domain.instant import rfc3339

Details = tuple[str, list[TextLine]]

HIDDEN = frozenset({"legs", "checks", "refusals"})
TIMES = frozenset(
    {"created_at", "updated_at", "sent_at", "accepted_at", "opened_at", "unprotected_since", "time",
     "timestamp", "started_at", "at"}
)  # fmt: skip


def details(view: View, table: str, key: object) -> Details | None:
    """Title and lines of the row `key` of a table; None where there is nothing more to say."""
    match table:
        case "signals":
            row, facts = view.signal(str(key)), view.facts(Subject.SIGNAL, str(key))
            if row is None or facts is None:
                return None
            return f"Signal {row.signal.signal_id}", [*_fields(facts), *_verdict(row)]
        case "positions":
            facts = view.facts(Subject.POSITION, str(key))
            return None if facts is None else (f"Position {facts['symbol']}", list(_fields(facts)))
        case "pending" | "history":
            facts = view.facts(Subject.ORDER, str(key))
            if facts is None:
                return None
            story = [r for r in view.records() if _about(r, str(key))]
            return f"Order {facts['symbol']}", [*_fields(facts, zeros=False), (), *_story(story)]
        case "fills" | "journal":
            record = next((r for r in view.records() if r.seq == key), None)
            if record is None:
                return None
            return f"{record.type} #{record.seq}", [
                (("time              ", "muted"), (rfc3339(record.time), "")),
                *_fields(msgspec.structs.asdict(record.event)),
                *_refusals(record.event),
            ]
        case _:
            return None


def _refusals(event: Event) -> Iterator[TextLine]:
    """The newest signals of an event that refused many, one a line."""
    if not isinstance(event, SignalsRefused):
        return
    yield ()
    for refusal in event.refusals:
        seen = f"{refusal.measured:>14}{refusal.limit:>14}"
        at, named = f"{clock_text(refusal.at)}  ", f"{refusal.symbol:<10}{seen}  "
        yield ((at, "muted"), (named, ""), (refusal.signal_id, "muted"))
    if (more := event.count - len(event.refusals)) > 0:
        yield ((f"and {more} before: meridian-tui journal signals", "muted"),)


def _verdict(row: SignalRow) -> Iterator[TextLine]:
    decided = row.decided
    if decided is None:
        return
    yield ()
    style = "warn" if decided.code else "profit"
    yield ((f"{decided.verdict} at {decided.stage} {decided.code}", style),)
    if decided.reason:
        yield ((decided.reason, ""),)
    if row.outcome is not None:
        yield ((f"outcome {row.outcome} {row.outcome_code}", "strong"),)
    yield ()
    yield from check_lines(decided.checks)


def check_lines(checks: tuple[CheckResult, ...]) -> Iterator[TextLine]:
    """Every check that was asked, in order, with what it measured and its limit."""
    yield ((f"  {'check':<20}{'measured':>22}{'limit':>22}", "muted"),)
    for check in checks:
        bad = check.answer is not Answer.PASS
        mark = "x" if check.answer is Answer.REJECT else "~" if bad else "+"
        style = "warn" if bad else ""
        yield (
            (f"{mark} ", style or "profit"),
            (f"{check.code:<20}{check.measured:>22}{check.limit:>22}", style),
        )


def _fields(facts: Mapping[str, Any], *, zeros: bool = True) -> Iterator[TextLine]:
    for name, value in facts.items():
        if name in HIDDEN or value is None or value in ("", ()):
            continue
        if not zeros and not value:
            continue
        if name in TIMES and isinstance(value, int):
            if not value:
                continue
            yield ((f"{name:<18}", "muted"), (rfc3339(value), ""))
            continue
        if isinstance(value, msgspec.Struct):
            yield ((name, "muted"),)
            inside = _fields(msgspec.structs.asdict(value))
            yield from ((("  ", ""), *line) for line in inside)
            continue
        yield ((f"{name:<18}", "muted"), (str(value), ""))


def _about(record: Record, client_order_id: str) -> bool:
    event = record.event
    order, fill = getattr(event, "order", None), getattr(event, "fill", None)
    ids = (
        getattr(event, "client_order_id", None),
        getattr(order, "client_order_id", None),
        getattr(fill, "client_order_id", None),
    )
    return client_order_id in ids


def _story(records: list[Record]) -> Iterator[TextLine]:
    if records:
        yield (("what happened to it", "muted"),)
    for record in records:
        line = line_of(record.event)
        words = record.type if line is None else f"{line.kind} {line.text}"
        yield ((f"{clock_text(record.time)}  ", "muted"), (words, line.style if line else ""))
