"""Signals: what asked to trade, and what became of it."""

from typing import ClassVar, Final

from textual.app import ComposeResult

from console.desk.port import Topic
from console.desk.values import SignalRow
from console.ui.format import MISSING
from console.ui.measures import measures, short_code
from console.ui.panes.base import (
    Pane,
    at_top,
    make_table,
    name_cell,
    price_text,
    time_cell,
    to_top,
    whole_age,
)
from console.ui.widgets.live_table import LiveTable
from console.ui.widgets.rows import Cell, Column, Tier
from engine.domain.codes import Verdict
from engine.domain.events import Refusal
from engine.domain.instrument import Instrument
from engine.domain.signal import Direction, Signal

COLUMNS: Final = (
    Column("symbol", "Sym", 7, most=22),
    Column("direction", "Dir", 6),
    Column("conviction", "Cv", 3, "right", rank=1),
    Column("state", "State", 14, least=10),
    Column("age", "Age", 4, "right", rank=1),
    Column("why", "Why", 24, grow=True, rank=1),
    Column("type", "Type", 19, tier=Tier.NORMAL, rank=2),
    Column("timeframe", "TF", 3, tier=Tier.NORMAL, rank=2),
    Column("entry", "Entry", 9, "right", Tier.NORMAL, rank=2),
    Column("stop", "Stop", 9, "right", Tier.NORMAL, rank=2),
    Column("time", "Time", 8, tier=Tier.NORMAL, rank=2),
)
EMPTY: Final = "none yet; bars bring them"
_STYLES: Final = {"EXECUTED": "strong", "RESIZED": "strong", "ACCEPTED": "", "NEW": "muted"}


class SignalsPane(Pane):
    """One row a signal, the newest first; enter shows every check."""

    number = 1
    title = "Signals"
    topics: ClassVar[frozenset[Topic]] = frozenset({Topic.SIGNALS})
    paint_every = 1.0
    HELP = (
        "State is the outcome, or the code of the check that refused. Enter shows every check "
        "with what it measured and its limit."
    )

    def body(self) -> ComposeResult:
        """The table."""
        yield make_table(COLUMNS, self.glyphs, "signals")

    def on_mount(self) -> None:
        """The newest first."""
        self.table.sort_by("time", descending=True)

    @property
    def table(self) -> LiveTable:
        """The table."""
        return self.query_one("#signals", LiveTable)

    @property
    def selected(self) -> str | None:
        """The signal under the cursor."""
        key = self.table.cursor_key
        return key if isinstance(key, str) else None

    def paint(self) -> None:
        """Signals that changed, and the ages of those in sight."""
        everything, keys = self.feed.take()
        view, now, table = self.view, self.view.now, self.table
        table.set_empty(EMPTY)
        follow = at_top(table)
        keys += [*view.signals(), *table.shown_keys()] if everything else table.visible_keys()
        for signal_id in keys:
            if not isinstance(signal_id, str):
                continue
            row = view.signal(signal_id)
            if row is None:
                table.remove_row(signal_id)
            else:
                table.upsert(signal_id, self._row(row, now))
        if follow:
            to_top(table)
        self.head(f"({table.row_count})")

    def _row(self, row: SignalRow, now: int) -> list[Cell]:
        signal, decided, rules = row.signal, row.decided, row.instrument
        refused = decided is not None and decided.verdict is Verdict.REJECTED
        why = ""
        if decided is not None and decided.code:
            measured, limit = measures(decided.code, decided.measured, decided.limit)
            seen = f"{measured} / {limit}" if limit else measured
            why = f"{seen}  {decided.reason}".strip()
        direction, conviction, kind, timeframe, entry, stop = self._asked(signal, rules)
        return [
            name_cell(rules),
            direction,
            conviction,
            Cell(short_code(row.state), "warn" if refused else _STYLES.get(row.state, "muted")),
            Cell(whole_age(now - row.time), "muted", now - row.time),
            Cell(why, "muted"),
            kind,
            timeframe,
            entry,
            stop,
            time_cell(row.time, row.seq),
        ]

    def _asked(self, signal: Signal | Refusal, rules: Instrument) -> list[Cell]:
        """What was asked for; of a signal that an overload refused that is not kept."""
        if isinstance(signal, Refusal):
            return [Cell(MISSING, "muted") for _ in range(6)]
        mark = {Direction.LONG: self.glyphs.up, Direction.SHORT: self.glyphs.down}
        return [
            Cell(f"{mark.get(signal.direction, self.glyphs.flat)}{signal.direction.upper()}"),
            Cell(str(signal.conviction), sort=signal.conviction),
            Cell(signal.signal_type),
            Cell(str(signal.timeframe)),
            Cell(price_text(signal.entry_price, rules), sort=signal.entry_price),
            Cell(price_text(signal.stop_loss, rules), sort=signal.stop_loss),
        ]
