"""What stays visible where only one pane fits: the risk in one line, and the last events."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar

from console.desk.port import Topic
from console.ui.format import bar, compact, percent, signed
from console.ui.lines import JournalLine, line_of
from console.ui.widgets.fed import Fed
from console.ui.widgets.text_lines import PaintedLines, Piece, TextLine
from engine.domain.events import Record
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.money import ZERO

LAST_EVENTS = 3
NARROW = 100
"""Below so many cells bars are shorter and profits have no cents."""
AMBER = Decimal("0.75")
RED = Decimal("0.90")


def loudness(share: Decimal) -> str:
    """The style of a used share of a limit: amber from 75 %, red from 90 %."""
    return "loss" if share >= RED else "warn" if share >= AMBER else ""


def clock_text(at: Nanos) -> str:
    """`14:31:58`, UTC."""
    return datetime.fromtimestamp(at // NS_PER_SECOND, UTC).strftime("%H:%M:%S")


def event_line(record: Record, line: JournalLine) -> TextLine:
    """One event as the strip shows it."""
    return (
        (f" {clock_text(record.time)} ", "muted"),
        (f"{line.kind:<8} ", line.style or "strong"),
        (line.text, line.text_style),
    )


class RiskStrip(PaintedLines, Fed):
    """Gross, net and drawdown against their limits."""

    topics: ClassVar[frozenset[Topic]] = frozenset({Topic.RISK, Topic.STATE})
    paint_every = 1.0
    DEFAULT_CSS = "RiskStrip { height: 1; width: 100%; background: $panel; }"

    def on_mount(self) -> None:
        """Painted with all that shows the totals."""
        self.console.totals.join(self)

    def on_unmount(self) -> None:
        """Painted no more."""
        self.console.totals.leave(self)

    def paint(self) -> None:
        """Read the portfolio."""
        self.feed.take()
        glyphs, settings, held = (
            self.console.glyphs,
            self.view.settings,
            self.console.totals.take(self),
        )
        gross = held.gross / held.equity if held.equity > 0 else ZERO
        narrow = self.size.width < NARROW
        cells, places = (4, 0) if narrow else (6, 2)
        pieces: list[Piece] = [(" gross ", "muted"), (compact(held.gross), "")]
        if settings.gross_limit:
            share = gross / settings.gross_limit
            pieces += [
                (f" {bar(share, cells, glyphs)} ", loudness(share)),
                (percent(share, 0, sign=False), ""),
            ]
        pieces += [("  net ", "muted"), (compact(held.market_value, sign=True), "")]
        pieces += [("  uPnL ", "muted"), (signed(held.unrealized, places), "")]
        pieces += [("  DD ", "muted"), (percent(-held.drawdown), "")]
        if settings.drawdown_limit:
            share = held.drawdown / settings.drawdown_limit
            pieces += [
                (f" {bar(share, cells, glyphs)}", loudness(share)),
                (f" of {percent(settings.drawdown_limit, 0, sign=False)}", "muted"),
            ]
        self.show_lines([pieces])


class EventStrip(PaintedLines, Fed):
    """The last events, newest first."""

    topics: ClassVar[frozenset[Topic]] = frozenset({Topic.JOURNAL})
    DEFAULT_CSS = "EventStrip { height: 3; width: 100%; }"

    def paint(self) -> None:
        """The newest records that have a line."""
        self.feed.take()
        found: list[TextLine] = []
        for record in reversed(self.view.records()):
            line = line_of(record.event, self.view.order)
            if line is not None:
                found.append(event_line(record, line))
                if len(found) == LAST_EVENTS:
                    break
        self.show_lines(found or [((" nothing has happened yet", "muted"),)])
