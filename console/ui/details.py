"""Everything known about one row, as lines: the "why" behind what a table shows in one."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, Final

import msgspec

from console.desk.port import Subject, View
from console.desk.values import PositionRow, SignalRow
from console.ui.format import number, position_side, profit_style, signed
from console.ui.lines import line_of
from console.ui.measures import measures
from console.ui.panes.base import price_text, quantity_text, whole_age
from console.ui.widgets.strips import clock_text
from console.ui.widgets.text_lines import TextLine
from engine.domain.codes import Answer
from engine.domain.events import CheckResult, Event, Record, SignalsRefused
from engine.domain.instant import rfc3339

Details = tuple[str, list[TextLine]]

LEAST: Final = 20
"""Characters of a column of checks, at least."""

HIDDEN = frozenset({"legs", "checks", "refusals", "told_unprotected"})
SAID = frozenset({"symbol", "quantity", "stop", "target", "opened_at"})
"""What the first lines on a position say, as it is now."""
TIMES = frozenset(
    {"created_at", "updated_at", "sent_at", "accepted_at", "opened_at", "unprotected_since", "time",
     "timestamp", "started_at", "at", "recorded_at"}
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
            held, facts = view.position(str(key)), view.facts(Subject.POSITION, str(key))
            if held is None or facts is None:
                return None
            rest = {name: value for name, value in facts.items() if name not in SAID}
            return f"Position {held.symbol}", [*_held(held), (), *_fields(rest, zeros=False)]
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


def _held(row: PositionRow) -> Iterator[TextLine]:
    """What it is now: how much of what, at which price, and where it ends."""
    rules, past = row.instrument, row.price_age
    age = "" if past is None else f"  {whole_age(past)} old"
    r = "" if row.r_multiple is None else f"  {number(row.r_multiple, 1, signed=True)}R"
    stop, resting = price_text(row.stop, rules), row.covered >= abs(row.quantity)
    if not resting:
        stop = (
            f"{stop}, at the venue for {quantity_text(row.covered)} of it"
            if row.covered
            else "NONE!"
        )
    for name, words, style in (
        ("quantity", f"{position_side(row.quantity)} {quantity_text(abs(row.quantity))}", "strong"),
        ("average price", price_text(row.average_price, rules), ""),
        ("last price", f"{price_text(row.last, rules)}{age}", "" if row.fresh else "stale"),
        ("profit", f"{signed(row.unrealized)}{r}", profit_style(row.unrealized)),
        ("stop", stop, "" if resting else "error"),
        ("target", "none" if row.target is None else price_text(row.target, rules), ""),
        ("hold", str(row.hold), ""),
        ("opened at", rfc3339(row.opened_at), ""),
    ):
        yield ((f"{name:<18}", "muted"), (words, style))


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
    """Every check that was asked, in order, with what it measured and its limit.

    A column is as wide as what stands in it, so that two never run together.
    """
    found = [(check, *measures(check.code, check.measured, check.limit)) for check in checks]
    told = [("check", "measured", "limit"), *((c.code, m, limit) for c, m, limit in found)]
    code, seen, most = (
        max(LEAST, *(len(row[column]) for row in told)) for column in range(len(told[0]))
    )

    def row(words: tuple[str, str, str]) -> str:
        return f"{words[0]:<{code}}  {words[1]:>{seen}}  {words[2]:>{most}}"

    yield ((f"  {row(told[0])}", "muted"),)
    for (check, *_), words in zip(found, told[1:], strict=True):
        bad = check.answer is not Answer.PASS
        mark = "x" if check.answer is Answer.REJECT else "~" if bad else "+"
        style = "warn" if bad else ""
        yield ((f"{mark} ", style or "profit"), (row(words), style))


def _fields(facts: Mapping[str, Any], *, zeros: bool = True) -> Iterator[TextLine]:
    for name, value in facts.items():
        if name in HIDDEN or value is None or value in ("", (), {}, msgspec.UNSET):
            continue
        if not zeros and not value:
            continue
        if name in TIMES and isinstance(value, int):
            if not value:
                continue
            yield ((f"{name:<18}", "muted"), (rfc3339(value), ""))
            continue
        if isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
            yield ((name, "muted"),)
            yield from ((("  ", ""), (_words(one), "")) for one in value)
            continue
        if isinstance(value, msgspec.Struct | Mapping):
            yield ((name, "muted"),)
            inside = _fields(value if isinstance(value, Mapping) else msgspec.structs.asdict(value))
            yield from ((("  ", ""), *line) for line in inside)
            continue
        yield ((f"{name:<18}", "muted"), (_words(value), ""))


def _words(value: Any) -> str:
    """A value that has no form of its own as a person reads it: no brackets, few decimals."""
    if isinstance(value, Mapping):
        return "  ".join(f"{name} {_words(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_words, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and isfinite(value):
        return number(Decimal(f"{value:.7g}"))
    return str(value)


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
