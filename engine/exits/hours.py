"""The last minutes of a session, in which what ends with it is left and not entered (X-83)."""

from engine.domain.instant import LATEST, Nanos
from engine.domain.signal import TradeType
from engine.world import World


def ends_at(world: World, symbol: str, now: Nanos) -> Nanos | None:
    """When day trades and scalps in a symbol end: some minutes before the close (A-165, D-11).

    The moment of the session in progress; `now` while the market is closed; None where sessions do
    not end, and where they are not known.
    """
    known = world.calendar(world.instrument(symbol).calendar)
    if known is None or not known.has_session_end or not known.covers(now):
        return None
    begin = known.last_minutes(now, world.config.exits.eod_close_minutes_before)
    return now if begin is None else begin


def is_late(world: World, symbol: str, trade_type: TradeType, now: Nanos) -> bool:
    """Whether a trade of this type is not to be entered any more, nor to be held on."""
    if not trade_type.ends_with_session:
        return False
    end = ends_at(world, symbol, now)
    return end is not None and now >= end


def late_from(world: World, symbol: str, now: Nanos) -> Nanos:
    """From when on trades that end with the session are late; `LATEST` where it never ends."""
    end = ends_at(world, symbol, now)
    return LATEST if end is None else max(end, now)


def before_close(world: World) -> str:
    """How long before the close they end, as the limit of an exit is told."""
    return f"{world.config.exits.eod_close_minutes_before} min before the close"
