"""What may go wrong in a run, as rates; a profile is a set of rates and of things that happen."""

import msgspec


class Faults(msgspec.Struct, frozen=True, kw_only=True):
    """Chances from 0 to 1 that a request or a report meets a fault."""

    lost_request: float = 0.0
    """It never arrives, and the caller times out."""
    lost_answer: float = 0.0
    """The venue acts, and the caller times out."""
    late_request: float = 0.0
    """The caller times out first, and the venue acts afterwards, within its bound."""
    slow_request: float = 0.0
    """It takes up to the venue's bound to arrive, and the caller waits."""
    not_sent: float = 0.0
    throttled: float = 0.0
    rejected: float = 0.0
    """The venue refuses an order that is in order."""
    stop_rejected: float = 0.0
    read_failed: float = 0.0
    """A question ends in an error; never in an empty answer."""
    duplicated: float = 0.0
    """A report comes twice."""
    delayed: float = 0.0
    """A report comes seconds later, behind others."""
    dropped: float = 0.0
    """A report never comes; the fill is there for whoever asks."""
    partial: float = 0.0
    """An order fills in parts."""
    cancel_race: float = 0.0
    """A fill overtakes a cancel."""
    cancel_ignored: float = 0.0
    """A cancel is taken and nothing happens."""
    slow_cancel: float = 0.0
    """A cancel or a change takes up to the venue's bound to arrive, and the caller waits."""
    replace_refused: float = 0.0


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The rates, and how often the larger things strike in a run."""

    name: str
    faults: Faults
    joins: float = 0.7
    """Chance that a venue joins a stop with what reduces beside it; else both may fill."""
    real_journal: float = 0.1
    """Chance that the run keeps its events in the product's own journal."""
    slow_commit: float = 0.0
    """Chance that a commit takes milliseconds."""
    crash_after_send: float = 0.0
    """Chance of a crash right after an order left whose intent is not durable yet."""
    crashes: int = 0
    """Crashes in a run, at the most."""
    link_cuts: int = 0
    """Of each venue, at the most."""
    restarts: int = 0
    """Of each venue, at the most: what is on its way to it is lost."""
    strangers: int = 0
    """Orders of somebody else in each account, at the most."""
    one_sound: bool = False
    """The venue of one account never fails, and nothing that the other does may be felt there."""
    full_disks: int = 0
    operator: int = 3
    """Commands of an operator in a run, at the most."""
    hands: int = 8
    """What an operator does to positions in a run, at the most."""
    changes: int = 4
    """Changes of a working order in a run, at the most."""
    floods: int = 0
    """Times at which more signals come in than can be decided, at the most."""
    jumps: float = 0.02
    """Chance that a price jumps for one tick."""


CALM = Profile(name="calm", faults=Faults(partial=0.2))

LOSSY = Profile(
    name="lossy",
    faults=Faults(
        lost_request=0.04,
        lost_answer=0.05,
        late_request=0.05,
        not_sent=0.03,
        throttled=0.02,
        rejected=0.03,
        stop_rejected=0.02,
        read_failed=0.05,
        duplicated=0.1,
        delayed=0.15,
        dropped=0.05,
        partial=0.4,
        cancel_race=0.2,
        cancel_ignored=0.1,
        replace_refused=0.1,
    ),
    slow_commit=0.1,
    link_cuts=1,
    strangers=1,
)

CRASHY = Profile(
    name="crashy",
    faults=Faults(
        lost_answer=0.02,
        late_request=0.08,
        slow_request=0.1,
        read_failed=0.02,
        duplicated=0.05,
        delayed=0.1,
        partial=0.4,
        cancel_race=0.1,
    ),
    slow_commit=0.5,
    crash_after_send=0.2,
    crashes=4,
    restarts=1,
    strangers=1,
    full_disks=1,
    floods=2,
)

HOSTILE = Profile(
    name="hostile",
    faults=Faults(
        lost_request=0.08,
        lost_answer=0.1,
        late_request=0.1,
        slow_request=0.05,
        not_sent=0.05,
        throttled=0.05,
        rejected=0.05,
        stop_rejected=0.05,
        read_failed=0.1,
        duplicated=0.2,
        delayed=0.3,
        dropped=0.1,
        partial=0.6,
        cancel_race=0.4,
        cancel_ignored=0.2,
        replace_refused=0.3,
    ),
    slow_commit=0.5,
    crash_after_send=0.05,
    crashes=3,
    link_cuts=2,
    restarts=1,
    strangers=1,
    full_disks=1,
    floods=2,
    operator=5,
    jumps=0.05,
)

APART = Profile(
    name="apart",
    faults=HOSTILE.faults,
    link_cuts=3,
    restarts=2,
    strangers=2,
    one_sound=True,
)

BARE = Profile(
    name="bare",
    faults=Faults(
        lost_answer=0.02,
        partial=0.4,
        rejected=0.05,
        cancel_race=0.2,
        cancel_ignored=0.05,
        slow_cancel=0.5,
        replace_refused=0.1,
    ),
    joins=0.0,
    crash_after_send=0.05,
    crashes=1,
    hands=20,
    changes=16,
    jumps=0.2,
)
"""Venues that join nothing and are slow to cancel, and an operator who reduces by hand."""

PROFILES = {profile.name: profile for profile in (CALM, LOSSY, CRASHY, HOSTILE, APART, BARE)}
