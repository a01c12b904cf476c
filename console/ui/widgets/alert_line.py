"""What is wrong now, most serious first; the first of it stands above the footer.

Where nothing is wrong it says what the engine is doing, so that a healthy one never looks dead.
"""

from collections.abc import Iterator
from typing import NamedTuple

from console.ui.bridge import Bridge
from console.ui.format import age, counted, number
from console.ui.widgets.text_lines import PaintedLines, TextLine
from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.domain.run import Level, LinkState, Phase
from engine.world import World


class Alert(NamedTuple):
    """One sentence and how loud it is: `error` or `warn`."""

    text: str
    style: str = "warn"


def standing(world: World, now: Nanos) -> list[Alert]:
    """Everything that is wrong now."""
    return [*_stopped(world, now), *_unsafe(world, now), *_limited(world, now)]


def _stopped(world: World, now: Nanos) -> Iterator[Alert]:
    """What keeps the engine from trading at all."""
    data = world.book.data
    if data.halt is not None:
        halt = data.halt
        what = "KILLED" if halt.level is Level.KILL else "HALTED"
        words = f"{what} {age(now - halt.at)} ago by {halt.by}: {halt.reason}. h: proof, resume"
        yield Alert(words, "error")
    if data.journal_failed:
        yield Alert("the journal cannot be written: no entries", "error")
    for name, link in data.links.items():
        if link.state is not LinkState.CONNECTED:
            since = age(now - link.since)
            yield Alert(f"{name} {link.state} since {since} {link.detail}".rstrip(), "error")


def _unsafe(world: World, now: Nanos) -> Iterator[Alert]:
    """What is held or sent and not under control."""
    data = world.book.data
    if world.book.unclear:
        yield Alert(
            f"{counted(world.book.unclear, 'order')} UNKNOWN: exposure stays reserved", "error"
        )
    for symbol, position in data.positions.items():
        if position.unprotected_since and position.exiting is None:
            since = age(now - position.unprotected_since)
            some = any(o.is_protective and o.accepted_at for o in world.book.working(symbol))
            what = "a stop for only a part of it" if some else "no stop"
            yield Alert(f"{symbol} has {what} ({since})", "error")


def _limited(world: World, now: Nanos) -> Iterator[Alert]:
    """What may not grow, and why."""
    data = world.book.data
    for symbol, causes in data.blocked.items():
        yield Alert(f"{symbol}: entries blocked, {'; '.join(causes.values())}")
    for cause, restriction in data.restrictions.items():
        yield Alert(f"REDUCE ONLY, {cause}: {restriction.reason}")
    limit = world.limits.quote_max_age_seconds
    for symbol in data.positions:
        if not world.market.is_fresh(symbol, now):
            old = age(world.market.age(symbol, now))
            yield Alert(f"~ {symbol} quote {old} old (limit {limit}s): entries blocked for it")
    if data.letters:
        yield Alert(f"{counted(len(data.letters), 'order')} could not be sent (dead letters)")
    if data.paused and data.halt is None:
        why = data.pause_reason or "operator"
        yield Alert(f"PAUSED: no entries, exits go on ({why}); p ends it")


class AlertLine(PaintedLines):
    """One line, refreshed once a second and with every change of state."""

    paint_every = 1.0
    DEFAULT_CSS = "AlertLine { height: 1; width: 100%; }"

    def __init__(self, bridge: Bridge) -> None:
        super().__init__(id="alerts")
        self._bridge = bridge
        self._updates = 0
        self._looked_at: Nanos = 0

    def paint(self) -> None:
        """The first alert and how many there are, or what goes on."""
        engine = self._bridge.engine
        now = engine.clock.now()
        alerts = standing(engine.world, now)
        self.show_lines([self._line(alerts, now)])

    def _line(self, alerts: list[Alert], now: Nanos) -> TextLine:
        if not alerts:
            return ((f" {self._doing(now)}", "muted"),)
        first = alerts[0]
        count = f" ! {len(alerts)} alerts " if len(alerts) > 1 else " ! "
        return ((count, "warn"), (f" {first.text} ", first.style))

    def _doing(self, now: Nanos) -> str:
        engine = self._bridge.engine
        world, counts = engine.world, self._bridge.counts
        updates, since = world.market.updates, now - self._looked_at
        rate = ""
        if self._looked_at and since > 0:
            per_second = (updates - self._updates) * NS_PER_SECOND / since
            rate = f", {number(round(per_second))} quotes/s"
        self._updates, self._looked_at = updates, now
        if engine.book.data.phase is not Phase.RUNNING:
            return f"engine {engine.book.run_state}"
        symbols = len(world.market.quotes)
        return (
            f"watching {counted(symbols, 'symbol')}{rate}; seen here: "
            f"{counted(counts['signals'], 'signal')}, {counted(counts['orders'], 'order')}, "
            f"{counted(counts['fills'], 'fill')}"
        )
