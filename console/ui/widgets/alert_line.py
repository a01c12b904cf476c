"""What is wrong now, most serious first; the first of it stands above the footer.

Where nothing is wrong it says what the engine is doing, so that a healthy one never looks dead.
"""

from collections.abc import Iterator
from typing import NamedTuple

from console.desk.port import View
from console.desk.values import RunView
from console.ui.console import console_of
from console.ui.format import age, counted, number
from console.ui.widgets.text_lines import PaintedLines, TextLine
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.run import Level, LinkState, Phase


class Alert(NamedTuple):
    """One sentence and how loud it is: `error` or `warn`."""

    text: str
    style: str = "warn"


def standing(view: View) -> list[Alert]:
    """Everything that is wrong now."""
    run, now = view.run(), view.now
    return [*_stopped(view, run, now), *_unsafe(view, run, now), *_limited(view, run, now)]


def _stopped(view: View, run: RunView, now: Nanos) -> Iterator[Alert]:
    """What keeps the engine from trading at all."""
    halt = run.halt
    if halt is not None:
        what = "KILLED" if halt.level is Level.KILL else "HALTED"
        words = f"{what} {age(now - halt.at)} ago by {halt.by}: {halt.reason}. h: proof"
        yield Alert(words if view.past else f"{words}, resume", "error")
    if run.journal_failed:
        yield Alert("the journal cannot be written: no entries", "error")
    for link in view.links():
        if link.state is not LinkState.CONNECTED:
            since = age(now - link.since)
            words = f"{link.account} {link.state} since {since} {link.detail}"
            yield Alert(words.rstrip(), "error")
        elif link.unseen_since:
            seen = age(now - link.unseen_since)
            words = f"{link.account} was last seen whole {seen} ago: it takes no entries"
            yield Alert(words, "error")


def _unsafe(view: View, run: RunView, now: Nanos) -> Iterator[Alert]:
    """What is held or sent and not under control."""
    if run.unknown:
        yield Alert(f"{counted(run.unknown, 'order')} UNKNOWN: exposure stays reserved", "error")
    for bare in view.unprotected():
        what = "a stop for only a part of it" if bare.partly else "no stop"
        yield Alert(f"{bare.symbol} has {what} ({age(now - bare.since)})", "error")


def _limited(view: View, run: RunView, now: Nanos) -> Iterator[Alert]:
    """What may not grow, and why."""
    for symbol, causes in run.blocked:
        yield Alert(f"{symbol}: entries blocked, {'; '.join(causes)}")
    for account, reasons in run.barred:
        yield Alert(f"{account} takes no entries: {'; '.join(reasons)}", "error")
    for cause, reason in run.restrictions:
        yield Alert(f"REDUCE ONLY, {cause}: {reason}")
    limit = view.settings.quote_max_age_seconds
    # of the past only the prices in the journal are known: the engine may have had newer ones
    for stale in () if view.past else view.stale():
        old = age(stale.age)
        yield Alert(f"~ {stale.symbol} quote {old} old (limit {limit}s): entries blocked for it")
    if run.letters:
        yield Alert(f"{counted(run.letters, 'order')} could not be sent (dead letters)")
    if run.paused and run.halt is None:
        why = run.pause_reason or "operator"
        words = f"PAUSED: no automatic entries, yours and exits go on ({why})"
        yield Alert(words if view.past else f"{words}; p ends it")


class AlertLine(PaintedLines):
    """One line, refreshed once a second and with every change of state."""

    paint_every = 1.0
    DEFAULT_CSS = "AlertLine { height: 1; width: 100%; }"

    def __init__(self) -> None:
        super().__init__(id="alerts")
        self._updates = 0
        self._looked_at: Nanos = 0

    def paint(self) -> None:
        """The first alert and how many there are, or what goes on."""
        view = console_of(self.app).desk.view
        self.show_lines([self._line(standing(view), view)])

    def _line(self, alerts: list[Alert], view: View) -> TextLine:
        if not alerts:
            return ((f" {self._doing(view)}", "muted"),)
        first = alerts[0]
        count = f" ! {len(alerts)} alerts " if len(alerts) > 1 else " ! "
        return ((count, "warn"), (f" {first.text} ", first.style))

    def _doing(self, view: View) -> str:
        if view.past:
            return f"{view.past}: prices are the last ones in the journal; nothing can be changed"
        now, counts, run = view.now, view.counts, view.run()
        updates, since = view.price_updates, now - self._looked_at
        rate = ""
        if self._looked_at and since > 0:
            per_second = (updates - self._updates) * NS_PER_SECOND / since
            rate = f", {number(round(per_second))} quotes/s"
        self._updates, self._looked_at = updates, now
        if run.phase is not Phase.RUNNING:
            return f"engine {run.state}"
        symbols = len(view.quoted())
        return (
            f"watching {counted(symbols, 'symbol')}{rate}; new here: "
            f"{counted(counts.signals, 'signal')}, {counted(counts.orders, 'order')}, "
            f"{counted(counts.fills, 'fill')}"
        )
