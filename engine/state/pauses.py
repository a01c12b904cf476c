"""How long the core waits before it asks for, or tries, the same thing again.

Every retry that it decides takes its pause from here, and that of the source of prices; those
between two attempts to connect are `engine.runtime.backoff`. All pauses are in nanoseconds.
"""

from typing import Final

from engine.domain.instant import NS_PER_MS, NS_PER_SECOND, Nanos

ANSWER: Final = 5 * NS_PER_SECOND
"""How long a request may stay unanswered before the venue is asked (live-engines, 4b)."""

ANSWER_ABOUT_STOP: Final = 2 * NS_PER_SECOND
"""The same for a stop that was sent, is being changed or is to end: while nobody knows whether it
rests, nothing protects, and before the time is over in which it has to (rule 3) it may be known."""

DOUBT: Final = NS_PER_SECOND
"""Between the first two questions about an order in doubt; each pause is twice the one before."""

LONGEST: Final = 60 * NS_PER_SECOND

ATTEMPT_SECONDS: Final = (0, 1, 2, 4, 8, 15, 30, 60)
"""Before another order takes the place of one that failed: a close, or a stop. It is never given
up."""

CHANGE_OF_STOP: Final = NS_PER_SECOND
"""After a change of a stop was refused, or did not reach the venue."""

FIRST_LOOK: Final = 2 * NS_PER_SECOND
"""Between two looks at the venue while it must be seen before anything opens."""

POLL: Final = 1_500 * NS_PER_MS
"""Between two looks at a venue whose stream is refused: what fills there is known within 5 s."""

MARKET: Final = NS_PER_SECOND
"""Before a source of prices that failed is asked again; each pause is twice the one before."""

KILL_LOOK: Final = 250 * NS_PER_MS
KILL_LOOK_LATER: Final = 5 * NS_PER_SECOND
"""Between two looks at the venue of a kill, in its first seconds and from then on."""


def doubled(first: Nanos, times: int) -> Nanos:
    """A first pause doubled so many times, up to the longest."""
    # The tenth doubling is above the longest pause, and a number without bound grows slow.
    return min(first << min(times, 10), LONGEST)


def lengthening(first: Nanos, waited: Nanos) -> Nanos:
    """A pause that grows with what was waited for in vain, a tenth of it, up to the longest."""
    return min(max(first, waited // 10), LONGEST)


def as_long_again(first: Nanos, waited: Nanos) -> Nanos:
    """A pause as long as all that was waited in vain before it, from the first up to the longest;
    none before anything was waited for."""
    return min(max(first, waited), LONGEST) if waited else 0


def before_attempt(failed: int) -> Nanos:
    """The pause before another order, after so many that failed."""
    return ATTEMPT_SECONDS[min(failed, len(ATTEMPT_SECONDS) - 1)] * NS_PER_SECOND
