"""The halt: how far it goes, what it has proved at each broker, and the typed way back."""

from collections.abc import Iterator
from itertools import zip_longest
from typing import ClassVar, Final, cast

from msgspec import UNSET
from textual import on
from textual.app import ComposeResult
from textual.widgets import Input, Static

from console.desk.port import Topic
from console.desk.values import HaltedAccount
from console.ui.console import console_of
from console.ui.external import literal
from console.ui.format import age, counted
from console.ui.lines import short_id
from console.ui.screens.base import MeridianModal
from console.ui.widgets.fed import Fed
from console.ui.widgets.field import Field
from console.ui.widgets.text_lines import PaintedLines, TextLine, wrapped
from engine.domain.commands import REBASE, Resume
from engine.domain.instant import Nanos
from engine.domain.run import Halt, KillState, Level, Mode, RunState

SHOWN_LEFT = 4
REASON: Final = "reason   "
UNKNOWN_WIDTH: Final = 60
"""Of the lines, before they have been laid out."""
NO_ENTRY = "no entry works"
STYLES: Final[dict[str, str]] = {KillState.VERIFIED: "profit", KillState.DEGRADED: "error"}
"""How the state of a kill is shown; any other is a warning."""

AFRESH = "Paper only: after quitting, meridian-tui reset --confirm RESET begins afresh."


class Proof(PaintedLines, Fed):
    """What is known, with its age."""

    topics: ClassVar[frozenset[Topic]] = frozenset({Topic.KILL, Topic.STATE, Topic.ORDERS})
    paint_every = 0.5

    def paint(self) -> None:
        """What stands, and what a kill has shown."""
        self.feed.take()
        now, shown = self.view.now, self.view.halt()
        halt = shown.halt
        cast("HaltScreen", self.screen).follow(halt)
        if halt is None:
            state = shown.state
            words = (
                "nothing is halted" if state != RunState.PAUSED else "cleared: PAUSED, p unpauses"
            )
            self.show_lines([((f"{words}  (run state {state})", "strong"),), ()])
            return
        told: list[TextLine] = []
        for halted in shown.accounts:
            told += self._stays(halted) if halt.level is Level.HALT else self._kill(halted, now)
        self.show_lines([*self._halt(halt, now), (), *told, ()])

    def _halt(self, halt: Halt, now: Nanos) -> Iterator[TextLine]:
        word = "KILL" if halt.level is Level.KILL else "HALT"
        yield ((f" {word} ", "error"), (f"  {age(now - halt.at)} ago by {halt.by}", "strong"))
        given = wrapped(halt.reason, (self.size.width or UNKNOWN_WIDTH) - len(REASON))
        for name, line in zip_longest((REASON,), given, fillvalue=" " * len(REASON)):
            yield ((f"{name}{line}", ""),)
        yield ((f"trigger  {halt.trigger}   flatten {halt.flatten}   epoch {halt.epoch}", "muted"),)

    def _stays(self, halted: HaltedAccount) -> Iterator[TextLine]:
        """A halt proves nothing at the venue: what it ended, and what it leaves."""
        working = halted.entries_working
        yield (
            (halted.account, "strong"),
            (f"  {counted(working, 'entry', 'entries')} working", "warn" if working else ""),
            (f"   {halted.entries_cancelled} cancelled", ""),
        )
        held = f"{counted(halted.positions, 'position')} and {counted(halted.stops, 'stop')}"
        yield ((f"{held} stay; ctrl+k twice kills", "muted"),)

    def _kill(self, halted: HaltedAccount, now: Nanos) -> Iterator[TextLine]:
        """How far a kill is, and what it has proved."""
        row, state = halted.kill, halted.state
        style = STYLES.get(state, "warn")
        seen = f"venue read {age(now - row.at)} ago" if row.at else "not read yet"
        yield ((halted.account, "strong"), (f"  {state}", style), (f"  {seen}", "muted"))
        if not halted.working:
            entries = halted.entries_working
            still = "still work" if entries > 1 else "still works"
            word = f"{counted(entries, 'entry', 'entries')} {still}" if entries else NO_ENTRY
            yield ((f"  {word}", "" if not entries else "warn"),)
        else:
            cancelled, stops = halted.entries_cancelled, halted.stops_cancelled
            yield ((f"  entries cancelled {cancelled}   stops cancelled {stops}", ""),)
            yield (
                (f"  closed {halted.closed}", ""),
                (f"   left {len(row.left)}", "warn" if row.left else ""),
                (f"   unknown {len(row.unknown)}", "error" if row.unknown else ""),
            )
            yield (("  all of it since it was first halted", "muted"),)
        for item in row.left[:SHOWN_LEFT]:
            yield ((f"    left: {_item(item)}", "warn"),)
        for item in row.unknown[:SHOWN_LEFT]:
            yield ((f"    unknown: {_item(item)}", "error"),)
        for item in halted.kept[:SHOWN_LEFT]:
            yield ((f"    kept: {item}", "warn"),)
        for item in halted.vanished[:SHOWN_LEFT]:
            yield ((f"    vanished, no fill was told: {item}", "error"),)
        lists = (row.left, row.unknown, halted.kept, halted.vanished)
        more = sum(max(len(items) - SHOWN_LEFT, 0) for items in lists)
        if more:
            yield ((f"    and {more} more", "muted"),)
        if state == KillState.VERIFIED:
            proved = f"proved {age(now - row.proved_at)} ago"
            if halted.kept:
                held = counted(len(halted.kept), "position")
                yield ((f"  NOT FLAT: {held} kept, nothing in scope is left, {proved}", "warn"),)
            elif not halted.vanished:
                yield ((f"  FLAT within scope, {proved}", "profit"),)
            if halted.vanished:
                told = "NOT PROVED SOLD: no fill was told of what vanished, look at the venue"
                yield ((f"  {told}", "error"),)


def _item(text: str) -> str:
    return text if " " in text else f"order {short_id(text)}"


class HaltScreen(MeridianModal[None]):
    """Progress and proof; resume is typed, and refused while anything is unexplained (X-69)."""

    AUTO_FOCUS = "#resume"
    DEFAULT_CSS = """
    HaltScreen {
        & #resume-wanted { height: auto; color: $warn; }
        & #afresh { height: auto; }
        & #resume { height: 3; border: round $warn; padding: 0 1; background: $panel; }
    }
    """

    def __init__(self, phrase: str) -> None:
        super().__init__()
        self._phrase = phrase
        self._stood = False
        """True once a halt was seen: with its end this screen ends too."""
        self._shown: Halt | None = None
        """The halt as it was painted last."""
        self._looked_at: Halt | None = None
        """The one that was shown when the word was begun: no other one is cleared (C-503)."""

    def body(self) -> ComposeResult:
        """The proof, and the line to type in."""
        yield Proof(id="proof")
        yield Static(literal(self._ask), id="resume-wanted")
        yield Field(id="resume", placeholder=f"{self._phrase} clears the halt")
        settings = console_of(self.app).desk.view.settings
        if settings.mode is Mode.PAPER and settings.kept_here:
            afresh = Static(literal(AFRESH), id="afresh")
            afresh.display = False
            yield afresh

    @property
    def _ask(self) -> str:
        return f"Type {self._phrase} to clear the halt; it compares with the venue first:"

    def on_mount(self) -> None:
        """Title of the frame."""
        self.frame.border_title = literal("Halt")

    def follow(self, halt: Halt | None) -> None:
        """Ask for the phrase while something is halted; close when that ends, whoever ended it."""
        self._shown = halt
        stays = "esc closes" if halt is None else "esc closes, the halt stays"
        self.frame.border_subtitle = literal(stays)
        for one in self.query("#resume, #resume-wanted"):
            one.display = halt is not None
        for one in self.query("#afresh"):
            # a halt is no end of anything: only after a kill may somebody want to begin afresh
            one.display = halt is not None and halt.level is Level.KILL
        if halt is not None:
            if not self._stood:
                self.query_one("#resume", Input).focus()
            self._stood = True
        elif self._stood:
            self._stood = False
            state = console_of(self.app).desk.view.run().state
            more = ", p allows entries again" if state is RunState.PAUSED else ""
            self.app.notify(f"halt cleared: {state}{more}")
            self.dismiss(None)

    @on(Input.Changed, "#resume")
    def _begin(self, event: Input.Changed) -> None:
        if not event.value:
            self._looked_at = None
        elif self._looked_at is None:
            self._looked_at = self._shown

    @on(Input.Submitted, "#resume")
    async def _resume(self, event: Input.Submitted) -> None:
        app = console_of(self.app)
        phrase, rebase = app.desk.view.resume_phrase, event.value == REBASE
        if event.value != phrase and not rebase:
            self._say(f"type {self._phrase} to go on; escape leaves")
            return
        self._say("comparing with the venue …")
        confirm = f"{phrase} {REBASE}" if rebase else phrase
        halt, self._looked_at = self._looked_at or self._shown, None
        epoch = UNSET if halt is None else halt.epoch
        asked = Resume(by=app.by, confirm=confirm, rebase=rebase, epoch=epoch)
        app.ask(asked, then=self._answered)

    def _answered(self, error: str) -> None:
        if not self.is_attached:
            return
        if error:
            self._say(f"refused: {error}")
        else:
            self.follow(console_of(self.app).desk.view.run().halt)

    def _say(self, words: str) -> None:
        self.query_one("#resume-wanted", Static).update(literal(words))
