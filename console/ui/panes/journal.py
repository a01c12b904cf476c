"""Journal: what happened, the newest first, one line an event."""

from typing import ClassVar, Final

from textual.app import ComposeResult

from console.desk.port import RECORDS_KEPT, Topic
from console.ui.format import Glyphs
from console.ui.lines import line_of, named
from console.ui.panes.base import Pane, at_top, make_table, time_cell, to_top
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.rows import Cell, Column

COLUMNS: Final = (
    Column("time", "Time", 8),
    Column("kind", "Kind", 8),
    Column("text", "What", 20, grow=True),
)
EMPTY: Final = "nothing yet; whatever happens leaves a line here"
LINES_AT_ONCE: Final = 200
"""Lines taken over in one paint; of a burst only the newest are shown."""


class JournalPane(Pane):
    """The newest lines of the journal."""

    number = 6
    title = "Journal"
    topics: ClassVar[frozenset[Topic]] = frozenset({Topic.JOURNAL})
    HELP = "Every event that has something to say. Enter shows all of it; / filters."

    def __init__(self, glyphs: Glyphs) -> None:
        super().__init__(glyphs)
        self._newest = 0

    def body(self) -> ComposeResult:
        """The table."""
        yield make_table(COLUMNS, self.glyphs, "journal")

    def on_mount(self) -> None:
        """The newest first."""
        self.table.sort_by("time", descending=True)

    @property
    def table(self) -> LiveTable:
        """The table."""
        return self.query_one("#journal", LiveTable)

    def paint(self) -> None:
        """Lines that came since the last paint."""
        table = self.table
        table.set_empty(EMPTY)
        if self.feed.take()[0]:
            self._newest = 0
            table.clear()
        follow = at_top(table)
        new = [r for r in list(self.view.records())[-LINES_AT_ONCE:] if r.seq > self._newest]
        for record in new:
            line = line_of(record.event, self.view.order)
            if line is not None:
                line = named(line, record.event, self.view.settings.account)
                table.upsert(
                    record.seq,
                    [
                        time_cell(record.time, record.seq),
                        Cell(line.kind, line.style or "strong"),
                        Cell(line.text, line.text_style),
                    ],
                )
        if new:
            self._newest = new[-1].seq
        for seq in table.oldest_keys(table.row_count - RECORDS_KEPT):
            table.remove_row(seq)
        if follow:
            to_top(table)
        self.head("", "newest first")
