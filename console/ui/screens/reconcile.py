"""Reconcile: what we and the venue disagree on, and what taking its side would record."""

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from console.commands.table import APPLY
from console.desk.port import Result
from console.desk.values import ComparisonView
from console.ui.console import console_of
from console.ui.external import literal
from console.ui.format import age, counted
from console.ui.screens.base import MeridianModal
from console.ui.widgets.field import Field
from console.ui.widgets.text_lines import TextLine, TextLines
from engine.domain.commands import Reconcile

PHRASE = APPLY.phrase


class ReconcileScreen(MeridianModal[None]):
    """Compares as it opens; `r` again compares anew; applying is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "close", "Close"),
        Binding("r", "compare", "Compare again", show=False),
    ]
    AUTO_FOCUS = ""
    DEFAULT_CSS = """
    ReconcileScreen {
        & > .modal--frame { width: 92; }
        & VerticalScroll { height: auto; max-height: 16; scrollbar-size-vertical: 1; }
        & #apply-wanted { height: auto; color: $warn; margin-top: 1; }
        & #apply { display: none; height: 3; border: round $warn; background: $panel; }
        &.-differs #apply { display: block; }
    }
    """

    def body(self) -> ComposeResult:
        """Differences, proposals, and the line to type in."""
        with VerticalScroll():
            yield TextLines(id="differences")
        yield Static(literal(""), id="apply-wanted")
        yield Field(id="apply", placeholder=PHRASE)

    def on_mount(self) -> None:
        """Ask the venue at once."""
        self.frame.border_title = literal("Reconcile with the venue")
        self.frame.border_subtitle = literal("r compares again, esc closes")
        self.action_compare()

    def action_compare(self) -> None:
        """Ask the venue."""
        self._say("asking the venue for orders, positions, fills and balances …")
        self._send(apply=False)

    def _send(self, *, apply: bool) -> None:
        app = console_of(self.app)
        answered = partial(self._answered, applied=apply)
        app.ask(Reconcile(by=app.by, apply=apply), answered=answered)

    def _answered(self, result: Result, *, applied: bool) -> None:
        if not self.is_attached:
            return
        if not result.ok:
            self._say(f"not compared: {result.error}")
            return
        found, told = console_of(self.app).desk.view.comparison(), result.data
        lines: list[TextLine] = [((note, "warn"),) for note in told.get("notes", ())]
        lines += _differences(found.differences)
        lines += [((_moving(row), "warn"),) for row in told.get("doubted", ())]
        cash = told.get("unexplained", ())
        lines += [((_cash(row), "warn"),) for row in cash]
        events = told["events"]
        lines += _proposals(events, applied=applied)
        head = self._head(found, len(cash), clean=told["clean"])
        self.query_one("#differences", TextLines).show_lines([head, (), *lines])
        offers = bool(found.differences or cash or (events and not applied))
        self.set_class(offers, "-differs")
        self.set_focus(self.query_one("#apply", Input) if offers else None)
        self.frame.border_subtitle = literal(
            "esc closes" if offers else "r compares again, esc closes"
        )
        blocked = ", ".join(found.blocked)
        self._say(
            f"Entries are blocked for {blocked or 'nothing'}. Type {PHRASE} to take over what the "
            "venue says:"
            if offers
            else ""
        )

    def _head(self, found: ComparisonView, cash: int, *, clean: bool) -> TextLine:
        """What was found in a line; `cash` counts the currencies of which cash is unexplained."""
        when = f"compared {age(console_of(self.app).desk.view.now - found.at)} ago"
        if found.failed:
            return (("the venue could not be read: nothing is concluded", "error"),)
        if clean:
            return ((f"no difference, {when}", "profit"),)
        count = len(found.differences) + cash
        if not count:
            return ((f"not clean, though nothing that was compared differs, {when}", "warn"),)
        return ((f"{counted(count, 'difference')}, {when}", "warn"),)

    @on(Input.Submitted, "#apply")
    def _apply(self, event: Input.Submitted) -> None:
        if event.value != PHRASE:
            self._say(f"type {PHRASE} to go on; escape leaves")
            return
        event.input.value = ""
        self._say("taking over what the venue says …")
        self._send(apply=True)

    def _say(self, words: str) -> None:
        self.query_one("#apply-wanted", Static).update(literal(words))


def _differences(found: Iterable[Any]) -> Iterator[TextLine]:
    rows = list(found)
    if rows:
        yield ((f"{'Symbol':<10}{'Kind':<16}{'Here':<22}{'At the venue':<22}Order", "muted"),)
    for row in rows:
        yield (
            (f"{row.symbol:<10}", "strong"),
            (f"{row.kind:<16}", "warn"),
            (f"{row.local or '-':<22}{row.venue or '-':<22}{row.client_order_id[-6:]}", ""),
        )


def _moving(row: Mapping[str, str]) -> str:
    """How a holding differs of which something moves: it is compared later."""
    here, there = row["local"] or "0", row["venue"] or "0"
    return f"{row['symbol']}: {here} here, {there} there; something of it moves, compared later"


def _cash(row: Mapping[str, str]) -> str:
    """What nothing explains of the cash in one currency (X-75)."""
    return f"cash in {row['broker']} differs by {row['quantity']} {row['currency']}, unexplained"


def _proposals(events: Iterable[Any], *, applied: bool) -> list[TextLine]:
    rows = list(events)
    if not rows:
        return []
    words = "Taken over:" if applied else "Taking the venue's side records:"
    shown: list[TextLine] = [(), ((words, "muted"),)]
    for row in rows:
        kind = row.get("type", "event") if isinstance(row, dict) else type(row).__name__
        given = row.get("data", row) if isinstance(row, dict) else {}
        words = ", ".join(
            f"{k} {v}" for k, v in given.items() if k != "type" and not isinstance(v, dict)
        )
        shown.append(((f"  {kind}  ", "strong"), (words, "")))
    return shown
