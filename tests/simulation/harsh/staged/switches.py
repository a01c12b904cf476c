"""What is staged in a run beside what its profile draws."""

import msgspec

from engine.domain.instant import Nanos
from tests.simulation.harsh.switches import Harsh


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """One field is one switch, and 0 is off. None is drawn: what a profile stages is in each of its
    runs, with chances of a stream of its own.

    Chances are from 0 to 1, counts are of a run.
    """

    enlarges: float = 0.0
    """Chance that somebody enlarges an entry of ours at the venue while it rests."""
    drops_stops: float = 0.0
    """Chance that a venue ends a stop soon after it has taken it."""
    fills_refused: float = 0.0
    """Chance that an entry which the venue has refused fills after all."""
    unread: int = 0
    """Spells in which a venue answers no question and takes every order; a kill comes in each."""
    mute: float = 0.0
    """Seconds for which the second venue, where there is one, answers nothing from the start on."""
    forgets: int = 0
    """Spells in which a venue tells of something that it holds neither in its list nor in its
    equity; an operator takes that over, and then that it is back."""
    unnamed: int = 0
    """Kills; the orders of others have no client order id."""
    adjusts: int = 0
    """Splits of something that has a stop. Its venue brings what rests to the new units and reports
    that, no question is answered for a while, and it opens again beyond the stop."""
    falls: float = 0.0
    """Chance that the market is beyond the stop of an entry as soon as that has been cancelled."""
    late_resumes: int = 0
    """Resumes of a halt that was looked at, and that has been raised since."""
    astray: int = 0
    """Orders of a person whose stop lies between their limit and the market, or whose target lies
    on the losing side of the market."""
    absurd: int = 0
    """Prices far from the market that last one tick."""
    late_prints: int = 0
    """Trades far from the market that are told late: each is older than the newest price."""
    retold: int = 0
    """Prices far from the market that are told three times, with no other between."""
    beside: int = 0
    """Pairs of orders of a person, one with a stop and one without, which the market then reaches.
    """
    garbles: int = 0
    """Spells in which a venue lists something with a quantity that is no number. An operator takes
    over what it says, and somebody sells something else there."""
    lots: float = 0.0
    """Chance that a venue lists a holding in two rows, of two lots or of the legs of a hedge."""
    floor: float = 0.0
    """The engine stops below this share of what the accounts begin with."""


class StagedHarsh(Harsh, frozen=True, kw_only=True):
    """A profile in which something is staged."""

    staged: Staged = Staged()
    starts: Nanos = 0
    """When its runs begin; 0 for when the others do."""
