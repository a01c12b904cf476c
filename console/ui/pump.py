"""One timer that paints panes: as often as the link bears, one pane a slot, and only with news.

Panes mark themselves (or are marked by the desk) when their data changed. A pane is painted at
most `hz` times a second and two panes never in the same slot, so that no single turn of the loop
pays for a whole screen (staggering halves the loop lag's p99). Hidden panes wait. With no news
there is no timer at all.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

log = logging.getLogger(__name__)

LOCAL_HZ: Final = 10.0
SLOW_HZ: Final = 4.0

_EPSILON: Final = 1e-4


class PumpedPane(Protocol):
    """What the pump paints."""

    def paint(self) -> None:
        """Bring what is shown up to date; called on the loop, inside a batch."""

    @property
    def is_showing(self) -> bool:
        """True if any of it can be seen now."""


class Timers(Protocol):
    """The part of an event loop the pump uses."""

    def time(self) -> float:
        """The loop's clock, in seconds."""

    def call_at(self, when: float, callback: Callable[[], None], /) -> asyncio.TimerHandle:
        """Call back at `when`."""


class PaneHost(Protocol):
    """What the pump needs of the app."""

    def batch_update(self) -> AbstractContextManager[None]:
        """Textual's batch: nothing is drawn before it ends."""


@dataclass(slots=True)
class _Entry:
    pane: PumpedPane
    every: float | None
    dirty: bool = True
    painted_at: float = float("-inf")
    failed: bool = False

    def due(self, period: float) -> float:
        """When it may be painted next; infinity if there is nothing to paint."""
        soonest = self.painted_at + period
        if self.dirty:
            return soonest
        if self.every is not None:
            return max(soonest, self.painted_at + self.every)
        return float("inf")


class Pump:
    """Paints registered panes; `hz` 0 chooses by the link.

    All calls are for the loop's thread. `start` must be called from the app's context.
    """

    def __init__(
        self,
        host: PaneHost,
        *,
        hz: float = 0.0,
        link_is_slow: Callable[[], bool] = lambda: False,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._host = host
        self._hz = hz
        self._link_is_slow = link_is_slow
        self._remote = "SSH_CONNECTION" in (os.environ if environ is None else environ)
        self._entries: dict[PumpedPane, _Entry] = {}
        self._next_slot = float("-inf")
        self._rests_until = float("-inf")
        self._timer: asyncio.TimerHandle | None = None
        self._loop: Timers | None = None
        self.failures = 0
        """Paints that raised."""

    @property
    def hz(self) -> float:
        """How often one pane is painted at most, a second."""
        if self._hz > 0:
            return self._hz
        return SLOW_HZ if self._remote or self._link_is_slow() else LOCAL_HZ

    def start(self, loop: Timers | None = None) -> None:
        """Paint from now on, on `loop` or the one that runs."""
        self._loop = asyncio.get_running_loop() if loop is None else loop
        self.wake()

    def stop(self) -> None:
        """Paint no more."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def rest(self, seconds: float) -> None:
        """Paint nothing for so long, also nothing urgent; what is marked is painted then."""
        if self._loop is not None:
            self._rests_until = self._loop.time() + seconds
            self.wake()

    def register(self, pane: PumpedPane, *, every: float | None = None) -> None:
        """Paint `pane` when it is marked, and at least each `every` seconds where it shows ages."""
        self._entries[pane] = _Entry(pane, every)
        self.wake()

    def unregister(self, pane: PumpedPane) -> None:
        """Forget `pane`; one that is not registered is fine."""
        self._entries.pop(pane, None)

    def mark(self, pane: PumpedPane) -> None:
        """`pane` has news: it is painted in its next slot."""
        entry = self._entries.get(pane)
        if entry is not None and not entry.dirty:
            entry.dirty = True
            self.wake()

    def urgent(self, *panes: PumpedPane) -> None:
        """Paint these now, whatever the rate: a fill, a reject, a halt. Hidden ones wait."""
        if self._loop is None:
            return
        with self._host.batch_update():
            for pane in panes:
                entry = self._entries.get(pane)
                if entry is not None:
                    entry.dirty = True
                    if pane.is_showing and not self._is_resting:
                        self._paint(entry, self._loop.time())
        self.wake()

    def wake(self) -> None:
        """Look again what is due: a pane was shown, or the link changed."""
        if self._loop is None:
            return
        due = self._next_due()
        if self._timer is not None:
            if due is not None and self._timer.when() <= due + _EPSILON:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer = self._loop.call_at(due, self._tick)

    def _next_due(self) -> float | None:
        period = 1.0 / self.hz
        due = float("inf")
        for entry in self._entries.values():
            at = entry.due(period)
            # Whether a pane shows is asked last: Textual walks up the tree for the answer.
            if at < due and entry.pane.is_showing:
                due = at
        if due == float("inf") or self._loop is None:
            return None
        return max(due, self._next_slot, self._rests_until, self._loop.time())

    @property
    def _is_resting(self) -> bool:
        return self._loop is not None and self._loop.time() + _EPSILON < self._rests_until

    def _tick(self) -> None:
        self._timer = None
        if self._loop is None:
            return
        if self._is_resting:
            self.wake()
            return
        now = self._loop.time() + _EPSILON
        period = 1.0 / self.hz
        showing = [entry for entry in self._entries.values() if entry.pane.is_showing]
        ready = [entry for entry in showing if entry.due(period) <= now]
        if ready:
            with self._host.batch_update():
                self._paint(min(ready, key=lambda entry: entry.painted_at), self._loop.time())
            self._next_slot = self._loop.time() + period / max(len(showing), 1)
        self.wake()

    def _paint(self, entry: _Entry, now: float) -> None:
        entry.dirty = False
        entry.painted_at = now
        try:
            entry.pane.paint()
        except Exception:  # one broken pane must not stop the others, nor the engine beside them
            self.failures += 1
            if not entry.failed:
                log.exception("pane %s could not be painted", type(entry.pane).__name__)
            entry.failed = True
            return
        entry.failed = False
