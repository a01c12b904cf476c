"""When a recording is over: one answer for `replay`, `--until-idle` and `speed = 0` (X-68)."""

from typing import Final

from engine.domain.instant import NS_PER_SECOND, Nanos
from engine.runtime.engine import Engine

AFTERWARDS: Final = 26 * 3_600 * NS_PER_SECOND
"""How long after the last bar orders may still end by themselves: a DAY order ends with its day."""


def is_over(engine: Engine, now: Nanos, last: Nanos) -> bool:
    """Every bar was played, and no order can end by itself any more, or had the time to.

    `last` is the end of the last bar. A protective stop rests until a price comes, and none comes.
    """
    if not engine.exhausted:
        return False
    waits = any(not order.is_protective for order in engine.book.orders())
    return not waits or now > last + AFTERWARDS
