"""E and O: what enters and what may not; outcomes, and how often anything repeats."""

from collections import deque
from typing import Final

from engine.domain import events as ev
from engine.domain.instant import NS_PER_SECOND
from tests.simulation.harsh.facts import Facts
from tests.simulation.harsh.venue import SOMEBODY, HarshVenue

DECIDED_SECONDS: Final = 2.5
"""What follows from a fill or a state is decided within a tick of the engine."""
REPEATS: Final = 8
"""So often the same alarm may come within a minute, where what it is about may have changed."""
PACE: Final = 10
"""So many requests of one kind about one place may leave within ten seconds."""


class Outcomes(Facts):
    """Holds what is decided and sent against what it was decided on."""

    def _alarmed_again(self, event: ev.Alarmed) -> None:
        """O: no alarm repeats without a change."""
        if event.code == "OBSERVER_FAILED":
            self.broken("error", f"the watch itself failed: {event.text}")
        if event.code == "BAD_QUOTE":
            return  # the price was sound between two of them
        key = (event.code, event.subject, event.text)
        times = self._alarms.setdefault(key, deque(maxlen=REPEATS))
        times.append(self.now())
        if len(times) == REPEATS and times[-1] - times[0] < 60 * NS_PER_SECOND:
            self.broken("O alarm", f"{event.code} of {event.subject} comes again and again")

    def _paced_at(self, what: str, account: str, subject: str) -> None:
        """O: no action repeats faster than its back-off."""
        times = self._sends.setdefault((what, account, subject), deque(maxlen=PACE + 1))
        times.append(self.now())
        if len(times) > PACE and times[-1] - times[0] < 10 * NS_PER_SECOND:
            self.broken("O pace", f"{what} of {subject} in {account} {len(times)} times in 10 s")

    def _exit_planned(self, event: ev.ExitPlanned) -> None:
        self._exits[event.account, event.symbol] = event.position_id

    def _exit_abandoned(self, event: ev.ExitAbandoned) -> None:
        self._exits.pop((event.account, event.symbol), None)

    def _exit_done(self, event: ev.PositionClosed) -> None:
        self._exits.pop((event.account, event.trade.symbol), None)

    def _entries(self, venue: HarshVenue) -> None:
        """S, E: what still would enter is cancelled once its stop traded or entries are stopped."""
        for key, working in venue.open.items():
            if not working.order.adds_exposure or venue.name not in self.first_worth:
                continue
            at, entries = self._stops.get((venue.name, working.order.symbol), (0, set()))
            asked = key in self._ending or key.startswith((SOMEBODY, "somebody"))
            traded = bool(at) and key in entries and not asked
            if self._lasts(("entry", key), traded, DECIDED_SECONDS):
                self.broken("S entry", f"{key} still works, and its stop has traded")
            stopped = bool(self._stopped_at) and not asked
            if self._lasts(("rests", key), stopped, DECIDED_SECONDS):
                self.broken("E rests", f"{key} still works, and no entry may")
