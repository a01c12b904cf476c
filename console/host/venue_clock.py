"""How far the clock of a venue is from this machine's."""

from engine.domain.instant import Nanos
from engine.ports import Broker, Clock


async def clock_offset(broker: Broker, clock: Clock) -> tuple[Nanos, Nanos]:
    """By how many nanoseconds the venue's clock is ahead, half of the round trip taken off, and how
    long that trip was. Raises one of the six errors."""
    before, began = clock.now(), clock.monotonic()
    there = await broker.server_time()
    trip = clock.monotonic() - began
    return there - (before + trip // 2), trip
