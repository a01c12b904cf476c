"""Reconcile: what we and the venue disagree on, and what taking its side would record."""

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input, Static

from console.commands.table import APPLY
from console.desk.port import Result
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
        app.ask(Reconcile(by=app.by, apply=apply), answered=self._answered)

    def _answered(self, result: Result) -> None:
        if not self.is_attached:
            return
        view = console_of(self.app).desk.view
        if not result.ok:
            self._say(f"not compared: {result.error}")
            return
        found = view.comparison()
        differences = found.differences
        lines: list[TextLine] = [((note, "warn"),) for note in result.data.get("notes", ())]
        lines += _differences(differences)
        lines += _proposals(result.data.get("events", ()))
        when = age(view.now - found.at)
        if found.failed:
            head: TextLine = (("the venue could not be read: nothing is concluded", "error"),)
        elif not differences:
            head = ((f"no difference, compared {when} ago", "profit"),)
        else:
            head = ((f"{counted(len(differences), 'difference')}, compared {when} ago", "warn"),)
        self.query_one("#differences", TextLines).show_lines([head, (), *lines])
        self.set_class(bool(differences), "-differs")
        self.set_focus(self.query_one("#apply", Input) if differences else None)
        self.frame.border_subtitle = literal(
            "esc closes" if differences else "r compares again, esc closes"
        )
        blocked = ", ".join(found.blocked)
        self._say(
            f"Entries are blocked for {blocked or 'nothing'}. Type {PHRASE} to take over what the "
            "venue says:"
            if differences
            else ""
        )

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


def _proposals(events: Iterable[Any]) -> list[TextLine]:
    rows = list(events)
    if not rows:
        return []
    shown: list[TextLine] = [(), (("Taking the venue's side records:", "muted"),)]
    for row in rows:
        kind = row.get("type", "event") if isinstance(row, dict) else type(row).__name__
        given = row.get("data", row) if isinstance(row, dict) else {}
        words = ", ".join(
            f"{k} {v}" for k, v in given.items() if k != "type" and not isinstance(v, dict)
        )
        shown.append(((f"  {kind}  ", "strong"), (words, "")))
    return shown
