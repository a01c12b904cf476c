"""P6, the close of what ends with its session (A-165, D-11)."""

from typing import Final

from engine.domain.instant import LATEST, NS_PER_SECOND, Nanos
from engine.domain.position import ExitReason
from engine.exits.answer import Exit, ExitRule
from engine.exits.hours import before_close
from engine.state.position import Position
from engine.world import World

EOD_PRIORITY: Final = 6


def end_of_day(world: World, position: Position, now: Nanos) -> Exit | None:
    """P6: day trades and scalps are flat before the session ends, early closes too (A-165, D-11).

    One that was left over from an earlier session is closed in the next.
    """
    if not position.trade_type.ends_with_session:
        return None
    known = world.calendar(world.instrument(position.symbol).calendar)
    if known is None or not known.has_session_end:
        return None
    late = known.last_minutes(now, world.config.exits.eod_close_minutes_before)
    if late is None:
        return None
    left_over = known.session_date(position.opened_at) < known.session_date(now)
    if now < late and not left_over:
        return None
    close = known.close_of(now)
    if close is None:
        return None
    return Exit(
        measured=f"{(close - now) // NS_PER_SECOND} s to the close",
        limit=before_close(world),
        detail="left over" if left_over else "",
    )


def same_day(world: World, position: Position, now: Nanos) -> Nanos:
    """`same_until` of `end_of_day`: the last minutes of the session, else the next one."""
    known = world.calendar(world.instrument(position.symbol).calendar)
    if known is None or not position.trade_type.ends_with_session:
        return LATEST
    late = known.last_minutes(now, world.config.exits.eod_close_minutes_before)
    return late if late is not None and late > now else known.constant_until(now)


END_OF_DAY: Final = ExitRule(
    reason=ExitReason.EOD,
    priority=EOD_PRIORITY,
    config_key="exits.eod_close_minutes_before",
    ask=end_of_day,
    same_until=same_day,
)
