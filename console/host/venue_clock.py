"""How far the clock of a venue is from this machine's."""

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.ports import Broker, Clock

HALF_A_SECOND: Nanos = NS_PER_SECOND // 2


async def clock_offset(broker: Broker, clock: Clock) -> tuple[Nanos, Nanos]:
    """By how many nanoseconds the venue's clock is ahead, and how far off that may be either way.
    Raises one of the six errors."""
    before, began = clock.now(), clock.monotonic()
    there = await broker.server_time()
    return apart(there, before, clock.monotonic() - began)


def apart(there: Nanos, before: Nanos, trip: Nanos) -> tuple[Nanos, Nanos]:
    """The same of an answer `there` to a question that was asked at `before` and took `trip`.

    The venue looked at its clock half of the trip after the question, on average. A whole second
    (OANDA's Date, the clock of TWS) is the one that its clock was in, and on average half over.
    """
    doubt = trip // 2
    offset = there - (before + doubt)
    if there % NS_PER_SECOND == 0:
        return offset + HALF_A_SECOND, doubt + HALF_A_SECOND
    return offset, doubt
