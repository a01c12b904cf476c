"""Daily signals that come while their market is closed wait for its next opening (A-086, X-43).

They are decided anew then, with the prices and the rules of that moment.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from engine.domain import events as ev
from engine.domain.codes import Code, Outcome, Stage
from engine.domain.instant import NS_PER_SECOND, Nanos, rfc3339
from engine.domain.signal import Direction, Signal, Timeframe
from engine.pipeline.fallback import signalled
from engine.pipeline.intent import build, intend
from engine.pipeline.ruling import Ruling
from engine.risk import gate
from engine.world import World

PATIENCE: Final = 300 * NS_PER_SECOND
"""So long after the opening a queued signal waits for a fresh price, and is worth anything."""

_CHECKS: Final = tuple(row for row in gate.CHECKS if row.stage is not Stage.SIGNAL_GUARD)
"""Age and repetition were judged when it came."""


def opens_for(world: World, asked: Signal, ruling: Ruling, now: Nanos) -> Nanos | None:
    """The opening that a signal waits for; None where it does not wait.

    It waits where nothing but its closed market is against it.
    """
    if ruling.code != Code.MARKET_CLOSED or asked.direction is Direction.FLAT:
        return None
    if asked.timeframe is not Timeframe.D1 or not world.is_shut(asked.ticker, now):
        return None
    return world.opens_at(asked.ticker, now)


def release(world: World, now: Nanos) -> Iterator[ev.Event]:
    """Decide the queued signals whose market has opened."""
    for signal_id, opens in tuple(world.book.data.queued.items()):
        life = world.book.data.signals.get(signal_id)
        if now < opens or life is None or life.signal is None:
            continue
        if now - opens > PATIENCE:
            text = f"it was for the opening at {rfc3339(opens)}, and could not be decided then"
            yield _ended(life.signal, Outcome.EXPIRED, Code.STALE_SIGNAL, text)
        elif world.market.is_fresh(life.signal.ticker, now):
            yield from _decided(world, life.signal, now)


def _decided(world: World, signal: Signal, now: Nanos) -> Iterator[ev.Event]:
    ruling = signalled(world, signal, now, _CHECKS)
    if not ruling.allowed:
        yield _ended(signal, Outcome.REJECTED, ruling.code, ruling.reason)
        return
    order = build(world, ruling, now, signal_id=signal.signal_id, facts=("entry",))
    order = msgspec.structs.replace(
        order, signal_type=signal.signal_type, timeframe=signal.timeframe
    )
    yield from intend(world, ruling, order)


def _ended(signal: Signal, outcome: Outcome, code: str, reason: str) -> ev.SignalEnded:
    return ev.SignalEnded(
        signal_id=signal.signal_id, symbol=signal.ticker, outcome=outcome, code=code, reason=reason
    )
